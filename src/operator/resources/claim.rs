//! A claim of a number: a Lease in the operator's namespace, named by a hash of what is claimed.

use std::collections::BTreeMap;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::{ResourceExt, api::ObjectMeta};
use sha2::{Digest, Sha256};

use crate::{
    api::{SmsChannel, names, provider::ProviderMember},
    operator::runtime::allow_list::AllowList,
};

/// Label of every claim.
pub(crate) const LABEL: &str = "aldis.dev/claim";
/// Value of [`LABEL`].
pub(crate) const LABEL_VALUE: &str = "number";
/// Begins the name of every claim.
const NAME: &str = "number-";
const ANNOTATION_NUMBER: &str = "aldis.dev/number";
const ANNOTATION_PROVIDER: &str = "aldis.dev/provider";
const ANNOTATION_ACCOUNT: &str = "aldis.dev/account";

/// A number of an account, which one channel of the cluster may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    provider: &'static str,
    account: String,
    number: String,
    /// Set where nobody can say whose number it is: the claim then holds within the namespace only.
    namespace: Option<String>,
}

impl Claim {
    /// The claim of a number of a connector's account. It holds in the whole cluster where the provider itself says whose the number
    /// is; anything else that answers at a `baseUrl` could say what it likes, so that it counts in its namespace only.
    pub(crate) fn new(provider: &dyn ProviderMember, allowed: &AllowList, namespace: &str, number: &str) -> Self {
        let facts = provider.facts();
        let is_own = facts.tells_whose_numbers_are()
            && provider.is_at_its_accounts_address()
            && allowed.is_providers_own(facts, &provider.base_url());
        let local = (!is_own).then(|| namespace.to_owned());
        Self {
            provider: facts.member,
            account: provider.account().to_owned(),
            number: number.to_owned(),
            namespace: local,
        }
    }

    /// The number.
    pub(crate) fn number(&self) -> &str {
        &self.number
    }

    /// Name of the Lease: each part goes into the hash behind its length, so that no two claims share one.
    pub(crate) fn name(&self) -> String {
        let mut hash = Sha256::new();
        let parts =
            [Some(self.provider), Some(self.account.as_str()), Some(self.number.as_str()), self.namespace.as_deref()];
        for part in parts.into_iter().flatten() {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let digits = hash.finalize().into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let digits = digits.filter_map(|digit| char::from_digit(digit.into(), 16));
        NAME.chars().chain(digits.take(40)).collect()
    }

    /// The Lease that says so, in the operator's namespace.
    pub(crate) fn lease(&self, namespace: &str, holder: &Holder) -> Lease {
        let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        Lease {
            metadata: ObjectMeta {
                name: Some(self.name()),
                namespace: Some(namespace.to_owned()),
                labels: Some(BTreeMap::from([
                    label(LABEL, LABEL_VALUE),
                    label(names::LABEL_MANAGED_BY, names::MANAGED_BY),
                ])),
                annotations: Some(BTreeMap::from([
                    label(ANNOTATION_NUMBER, &self.number),
                    label(ANNOTATION_PROVIDER, self.provider),
                    label(ANNOTATION_ACCOUNT, &self.account),
                ])),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec { holder_identity: Some(holder.identity()), ..LeaseSpec::default() }),
        }
    }
}

/// Whether a Lease of this name is a claim. The label may have been taken off.
pub(crate) fn is_claim(name: &str) -> bool {
    name.strip_prefix(NAME).is_some_and(|hash| hash.len() == 40)
}

/// The channel that holds a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    /// Namespace of the channel.
    pub namespace: String,
    /// Name of the channel.
    pub name: String,
    /// UID of the channel.
    pub uid: String,
}

impl Holder {
    /// This channel.
    pub(crate) fn channel(channel: &SmsChannel) -> Self {
        Self {
            namespace: channel.namespace().unwrap_or_default(),
            name: channel.name_any(),
            uid: channel.uid().unwrap_or_default(),
        }
    }

    /// The holder of a claim; none when it is not one of ours.
    pub(crate) fn of(lease: &Lease) -> Option<Self> {
        let identity = lease.spec.as_ref()?.holder_identity.as_deref()?;
        let mut parts = identity.split('/');
        let (namespace, name, uid) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { namespace: namespace.into(), name: name.into(), uid: uid.into() })
    }

    /// As it stands in the Lease: `namespace/name/uid`.
    pub(crate) fn identity(&self) -> String {
        format!("{}/{}/{}", self.namespace, self.name, self.uid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::provider::{Provider, Simulator, Twilio};
    use serde_json::json;

    fn twilio(account: &str, base_url: &str) -> Twilio {
        Twilio { account_sid: account.into(), base_url: Some(base_url.into()), ..Twilio::default() }
    }

    fn name(provider: &dyn ProviderMember, namespace: &str, number: &str) -> String {
        let further = ["https://proxy.example.com:8443".to_owned()];
        let allowed =
            AllowList::new(&["http://twilio-fake.a:80".to_owned()]).unwrap().with_providers(&further).unwrap();
        Claim::new(provider, &allowed, namespace, number).name()
    }

    #[test]
    fn a_claim_holds_in_the_whole_cluster_only_where_the_provider_itself_answers() {
        let cases = [
            ("https://api.twilio.com", true),
            ("https://api.dublin.ie1.twilio.com", true),
            ("https://proxy.example.com:8443/", true),
            ("http://twilio-fake.a", false),
            ("https://api.twilio.com.example.org", false),
        ];
        for (base_url, in_cluster) in cases {
            let twilio = twilio("AC1", base_url);
            let of = |namespace| name(&twilio, namespace, "+15551230001");
            assert_eq!(of("a") == of("b"), in_cluster, "{base_url}");
        }
        let simulator: Simulator =
            serde_json::from_value(serde_json::json!({"baseUrl": "http://x", "credentialsSecretRef": {"name": "s"}}))
                .unwrap();
        let of = |namespace| name(&simulator, namespace, "+15551230001");
        assert_ne!(of("a"), of("b"));
    }

    #[test]
    fn what_the_provider_does_not_say_of_this_account_is_claimed_within_the_namespace() {
        let secret = json!({"name": "s"});
        let cases = [
            // It lists no numbers.
            (json!({"sinch": {"servicePlanId": "p", "region": "eu", "credentialsSecretRef": secret}}), false),
            (json!({"infobip": {"account": "abc123", "credentialsSecretRef": secret}}), true),
            (
                json!({"infobip": {"account": "abc123", "baseUrl": "https://abc123.api.infobip.com", "credentialsSecretRef": secret}}),
                true,
            ),
            // Another account's address.
            (
                json!({"infobip": {"account": "abc123", "baseUrl": "https://def456.api.infobip.com", "credentialsSecretRef": secret}}),
                false,
            ),
        ];
        for (provider, in_cluster) in cases {
            let member: Provider = serde_json::from_value(provider.clone()).unwrap();
            let of = |namespace| name(member.member().unwrap(), namespace, "+15551230001");
            assert_eq!(of("a") == of("b"), in_cluster, "{provider}");
        }
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let at = "https://api.twilio.com";
        let (one, other) = (twilio("AC1", at), twilio("AC1+", at));
        let of = |account: &Twilio, number| name(account, "a", number);
        assert_ne!(of(&one, "+15551230001"), of(&other, "15551230001"));
        assert_eq!(of(&one, "+15551230001").len(), "number-".len() + 40);
    }

    #[test]
    fn the_holder_survives_its_text_form() {
        let holder = Holder { namespace: "n".into(), name: "c".into(), uid: "u".into() };
        let spec = LeaseSpec { holder_identity: Some(holder.identity()), ..LeaseSpec::default() };
        assert_eq!(Holder::of(&Lease { spec: Some(spec), ..Lease::default() }), Some(holder));
        assert_eq!(Holder::of(&Lease::default()), None);
    }
}
