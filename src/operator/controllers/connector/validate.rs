//! From a connector's spec into types that cannot be wrong.

use crate::{
    api::{
        Reason, SmsConnector,
        provider::{NumberList, Provider, ProviderMember},
        sms_connector::WebhookManagement,
    },
    carrier::Carrier,
    operator::{
        controllers::account,
        resources::rate_limit,
        runtime::{accounts::Accounts, allow_list::AllowList, error::Error},
    },
    sms::PhoneNumber,
    wire::config::{
        RateLimit,
        gateway::{self, Webhook},
    },
};

/// A connector without faults.
#[derive(Debug)]
pub(crate) struct Valid<'a> {
    /// The provider for the gateway's configuration.
    pub provider: gateway::Provider,
    /// The provider as the spec has it.
    pub member: &'a dyn ProviderMember,
    /// To whom the spool belongs: kind of provider and account.
    pub content: String,
    /// Numbers offered; none = all.
    pub numbers: Option<Vec<PhoneNumber>>,
    /// Webhooks.
    pub webhook: Webhook,
    /// Limit of the account.
    pub account_limit: RateLimit,
}

/// Checks what the API server cannot.
///
/// # Errors
/// [`Error::Stalled`] naming the field.
pub(crate) fn validate<'a>(
    connector: &'a SmsConnector,
    allowed: &AllowList,
    accounts: &Accounts,
) -> Result<Valid<'a>, Error> {
    let spec = &connector.spec;
    let invalid = |message: String| Error::stalled(Reason::InvalidSpec, message);
    let member = spec.provider.member().ok_or_else(|| invalid("spec.provider: set exactly one member".into()))?;
    allowed.check(member.facts(), &member.base_url()).map_err(|message| {
        Error::stalled(Reason::BaseUrlNotAllowed, format!("spec.provider.{}: {message}", member.kind()))
    })?;
    account::check(connector, accounts)?;
    if let Some(http) = &spec.provider.http {
        Carrier::new(http.clone()).map_err(|fault| invalid(format!("spec.provider.http.{fault}")))?;
    }
    let numbers = spec
        .numbers
        .iter()
        .map(|offered| offered.number.parse().map_err(|error| invalid(format!("spec.numbers: {error}"))))
        .collect::<Result<Vec<PhoneNumber>, _>>()?;
    if numbers.is_empty() && member.facts().capabilities.numbers == NumberList::NotListable {
        let message = "cannot be asked which numbers the account has: list them in spec.numbers";
        return Err(invalid(format!("spec.provider.{} {message}", member.kind())));
    }
    Ok(Valid {
        content: format!("{}/{}", member.kind(), member.account()),
        provider: configured(&spec.provider, member),
        member,
        numbers: (!numbers.is_empty()).then_some(numbers),
        webhook: Webhook {
            public_url: spec.webhook.public_url.trim_end_matches('/').to_owned(),
            management: match spec.webhook.management {
                WebhookManagement::Observe => gateway::WebhookManagement::Observe,
                WebhookManagement::Ignore => gateway::WebhookManagement::Ignore,
            },
        },
        account_limit: rate_limit::rate_limit(spec.limits.account),
    })
}

/// The member as the gateway's configuration has it: everything but the Secret, which the pod mounts.
fn configured(provider: &Provider, member: &dyn ProviderMember) -> gateway::Provider {
    let document = serde_json::to_value(provider).unwrap_or_default();
    let mut settings = document.get(member.kind()).and_then(|found| found.as_object().cloned()).unwrap_or_default();
    settings.remove("credentialsSecretRef");
    settings.remove("baseUrl");
    gateway::Provider { kind: member.kind().to_owned(), base_url: member.base_url().into_owned(), settings }
}
