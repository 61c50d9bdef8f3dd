//! From a connector's spec into types that cannot be wrong.

use crate::{
    api::{
        Reason, SmsConnector,
        sms_connector::{ProviderMember, WebhookManagement},
    },
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
    pub member: ProviderMember<'a>,
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
    allowed.check(member.base_url()).map_err(|message| {
        Error::stalled(Reason::BaseUrlNotAllowed, format!("spec.provider.{}: {message}", member.kind()))
    })?;
    account::check(connector, accounts)?;
    let numbers = spec
        .numbers
        .iter()
        .map(|offered| offered.number.parse().map_err(|error| invalid(format!("spec.numbers: {error}"))))
        .collect::<Result<Vec<PhoneNumber>, _>>()?;
    let base_url = member.base_url().trim_end_matches('/').to_owned();
    let account = member.account().to_owned();
    Ok(Valid {
        content: format!("{}/{account}", member.kind()),
        provider: match member {
            ProviderMember::Twilio(_) => gateway::Provider::Twilio { account_sid: account, base_url },
            ProviderMember::Simulator(_) => gateway::Provider::Simulator { account, base_url },
        },
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
