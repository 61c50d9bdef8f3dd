//! [`Facts`].

/// What is so for every account at a provider.
#[derive(Debug)]
pub struct Facts {
    /// The member of `spec.provider`.
    pub member: &'static str,
    /// The provider's name, for people.
    pub title: &'static str,
    /// Where the provider's API is when `baseUrl` is not given.
    pub default_base_url: DefaultBaseUrl,
    /// Hosts at which the provider itself answers. Where there is none, or the provider lists no numbers, claims hold in the namespace of the
    /// connector only.
    pub own_hosts: &'static [HostPattern],
    /// Keys of the Secret.
    pub secret_keys: &'static [SecretKey],
    /// What Aldis does with this provider.
    pub capabilities: Capabilities,
}

/// Where a provider's API is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultBaseUrl {
    /// `baseUrl` must be given.
    None,
    /// Here.
    Fixed(&'static str),
    /// Here, with the value of a field in it.
    With {
        /// Before the value.
        before: &'static str,
        /// The field of the member.
        field: &'static str,
        /// After the value.
        after: &'static str,
    },
}

/// Names of hosts, served with HTTPS at port 443. A label `*` stands for any one label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostPattern(pub &'static str);

/// A key of the Secret with the credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretKey {
    /// The key.
    pub name: &'static str,
    /// Whether the gateway does nothing without it.
    pub required: bool,
    /// For the documentation: a phrase without a full stop.
    pub about: &'static str,
}

/// What Aldis does with a provider.
#[derive(Clone, Copy, Debug)]
pub struct Capabilities {
    /// Whether the provider lists the numbers of an account.
    pub numbers: NumberList,
    /// Whether the address that the provider calls for a number can be seen.
    pub webhook_check: WebhookCheck,
    /// By what a webhook is believed.
    pub webhook_proof: &'static str,
    /// By what a receipt finds the message whose answer was lost.
    pub receipt_token: &'static str,
    /// Who joins the parts of a long inbound text.
    pub inbound_parts: &'static str,
    /// What the provider tells of customers who opt out.
    pub opt_outs: &'static str,
    /// Whether files that come with a text are named in the conversation.
    pub inbound_media: bool,
}

/// Whether a provider lists the numbers of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberList {
    /// It does: the gateway asks it.
    Listed,
    /// It does not: what `spec.numbers` declares is believed.
    NotListable,
}

/// Whether the address that a provider calls for a number can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookCheck {
    /// With the number, or with what the number belongs to.
    Compared,
    /// The provider does not show it.
    NotShown,
}

impl HostPattern {
    /// Whether this is the name of such a host.
    pub fn matches(self, host: &str) -> bool {
        let (mut wanted, mut found) = (self.0.split('.'), host.split('.'));
        loop {
            match (wanted.next(), found.next()) {
                (None, None) => return true,
                (Some("*"), Some(label)) if !label.is_empty() => {}
                (Some(wanted), Some(label)) if wanted.eq_ignore_ascii_case(label) => {}
                (_, _) => return false,
            }
        }
    }
}

impl Facts {
    /// Whether the provider itself says, at an address of its own, whose a number is.
    pub fn tells_whose_numbers_are(&self) -> bool {
        !self.own_hosts.is_empty() && self.capabilities.numbers == NumberList::Listed
    }

    /// Names of the keys without which the gateway does nothing.
    pub fn required_keys(&self) -> impl Iterator<Item = &'static str> {
        self.secret_keys.iter().filter(|key| key.required).map(|key| key.name)
    }
}

fn members(facts: &[&Facts], expression: impl Fn(&str) -> String, between: &str) -> String {
    facts.iter().map(|facts| expression(facts.member)).collect::<Vec<_>>().join(between)
}

/// The CEL rule of the union: one member is set.
pub(super) fn exactly_one(facts: &[&Facts]) -> String {
    format!("{} == 1", members(facts, |member| format!("(has(self.{member}) ? 1 : 0)"), " + "))
}

/// What somebody is told who set none or several.
pub(super) fn set_exactly_one(facts: &[&Facts]) -> String {
    format!("set exactly one of {}", members(facts, str::to_owned, ", "))
}

/// The CEL rule of the union: the same member stays set.
pub(super) fn unchanged(facts: &[&Facts]) -> String {
    members(facts, |member| format!("has(self.{member}) == has(oldSelf.{member})"), " && ")
}

fn not_listable<'a>(facts: &[&'a Facts]) -> Vec<&'a Facts> {
    facts.iter().copied().filter(|facts| facts.capabilities.numbers == NumberList::NotListable).collect()
}

/// The CEL rule of a connector's spec: numbers are declared where the provider cannot be asked for them.
pub(super) fn numbers_are_declared(facts: &[&Facts]) -> String {
    let asked = members(&not_listable(facts), |member| format!("has(self.provider.{member})"), " || ");
    format!("has(self.numbers) || !({asked})")
}

/// What somebody is told who did not declare any.
pub(super) fn declare_numbers(facts: &[&Facts]) -> String {
    let named = members(&not_listable(facts), |member| format!("spec.provider.{member}"), " or ");
    format!("{named} cannot be asked which numbers the account has: list them in spec.numbers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_one_label() {
        let pattern = HostPattern("api.*.twilio.com");
        for (host, fits) in [
            ("api.ie1.twilio.com", true),
            ("API.ie1.Twilio.com", true),
            ("api.twilio.com", false),
            ("api.dublin.ie1.twilio.com", false),
            ("api..twilio.com", false),
            ("api.ie1.twilio.com.evil.example", false),
            ("evil.api.ie1.twilio.com", false),
            ("", false),
        ] {
            assert_eq!(pattern.matches(host), fits, "{host}");
        }
    }
}
