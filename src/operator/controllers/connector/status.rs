//! What a connector's status says. Pure.

use jiff::Timestamp;

use crate::{
    api::{
        ConditionStatus, ConditionType, Conditions, Reason, SmsConnectorStatus,
        provider::{NumberList, ProviderMember, WebhookCheck},
        sms_connector::{ConnectorCounts, GatewayStatus as GatewayReport, NumberStatus, WebhookManagement},
    },
    operator::{
        controllers::{
            connector::{observe::Observed, traffic},
            summary::{self, first_obstacle, is_others_change, summarize},
        },
        observed::{pod, samples::GatewaySample},
        runtime::{desired_condition::DesiredCondition, error::Error},
    },
    sms::PhoneNumber,
    wire::{
        config::ConfigHash,
        ports,
        status::{self as wire, CredentialsStatus, ProviderStatus, Trouble, Unanswered, WebhookStatus},
    },
};

/// Numbers that the status lists at most.
const LISTED: usize = 200;
/// Numbers that a message names.
const NAMED: usize = 5;

/// Status and conditions, from what was observed and what became of applying.
pub(super) fn status(
    observed: &Observed,
    hash: Option<&ConfigHash>,
    error: Option<&Error>,
    now: Timestamp,
) -> (SmsConnectorStatus, Conditions) {
    let connector = &*observed.connector;
    let mut conditions = summary::begin(connector, now);
    let mut status = connector.status.clone().unwrap_or_default();
    status.volume_size.clone_from(&observed.volume_size);
    let available = || pod::availability(observed.pod.as_deref(), &observed.seen);
    if let Some(desired) = observed.place_taken.clone().or_else(available) {
        desired.set(&mut conditions, ConditionType::GatewayAvailable);
    }
    if let Some(said) = observed.seen.answered() {
        if let Some(provider) = connector.spec.provider.member() {
            reachable(&said.provider, provider).set(&mut conditions, ConditionType::ProviderReachable);
            credentials(said, provider).set(&mut conditions, ConditionType::CredentialsValid);
        }
        let offered = offered(observed, said);
        if said.numbers_listed_at.is_some() || !conditions.is_true(ConditionType::NumbersVerified) {
            numbers(observed, said, &offered).set(&mut conditions, ConditionType::NumbersVerified);
        }
        webhook(observed, said).set(&mut conditions, ConditionType::WebhookInSync);
        traffic::routed(said, |number| observed.is_coming(number)).set(&mut conditions, ConditionType::TrafficRouted);
        if said.numbers_listed_at.is_some() {
            status.counts = Some(counts(observed, said, &offered));
            status.numbers = list(observed, said, &offered);
        } else {
            mark_channels(observed, &mut status);
        }
        status.gateway = Some(GatewayReport {
            config_hash: said.config.hash.as_ref().map(ConfigHash::to_string),
            version: Some(said.version.clone()),
        });
    } else {
        mark_channels(observed, &mut status);
    }
    set_missing_unknown(&mut conditions);
    let ready = ready_condition(observed, &conditions, hash, error);
    summarize(&mut conditions, &ready);
    (status, conditions)
}

fn ready_condition(
    observed: &Observed,
    conditions: &Conditions,
    hash: Option<&ConfigHash>,
    error: Option<&Error>,
) -> DesiredCondition {
    match error {
        Some(Error::Stalled { reason, message } | Error::Waiting { reason, message, .. }) => {
            return DesiredCondition::no(*reason, message.clone());
        }
        Some(Error::Transient(fault)) => return DesiredCondition::unknown(Reason::TransientError, fault.to_string()),
        None => {}
    }
    let applied = applied(observed, hash);
    let others = is_others_change(conditions, &applied);
    let available = first_obstacle(conditions, &[ConditionType::GatewayAvailable], applied);
    if available.status != ConditionStatus::True && !(others && available.reason == Reason::Applying) {
        return available;
    }
    let well = if observed.connector.spec.enabled {
        DesiredCondition::yes(Reason::Available, "the gateway runs with the present configuration")
    } else {
        DesiredCondition::yes(
            Reason::Disabled,
            "spec.enabled is false: nothing is sent; what customers write is taken as always",
        )
    };
    // Without credentials the provider is not asked; while it does not answer, nothing more is known of the credentials.
    let silent = DesiredCondition::of(conditions, ConditionType::ProviderReachable)
        .is_some_and(|provider| provider.status == ConditionStatus::False);
    let first = if silent { ConditionType::ProviderReachable } else { ConditionType::CredentialsValid };
    let order =
        [first, ConditionType::ProviderReachable, ConditionType::CredentialsValid, ConditionType::NumbersVerified];
    first_obstacle(conditions, &order, well)
}

/// Whether the gateway has the configuration. What an earlier operator wrote in status stands while nobody has asked.
fn applied(observed: &Observed, hash: Option<&ConfigHash>) -> DesiredCondition {
    let Some(wanted) = hash else {
        return DesiredCondition::unknown(Reason::Progressing, "the configuration is being made");
    };
    let well = DesiredCondition::yes(Reason::Applied, "");
    match observed.seen.answered() {
        Some(said) => match &said.config.rejected {
            _ if said.config.hash.as_ref() == Some(wanted) => well,
            Some(rejected) if rejected.hash == *wanted => DesiredCondition::no(
                Reason::ConfigRejected,
                format!("the gateway cannot load the configuration and goes on with the old one: {}", rejected.message),
            ),
            Some(_) | None => {
                DesiredCondition::no(Reason::Applying, "the gateway has not loaded the newest configuration yet")
            }
        },
        None => {
            let reported = observed.connector.status.as_ref().and_then(|status| status.gateway.as_ref());
            let reported = reported.and_then(|gateway| gateway.config_hash.clone());
            if reported == Some(wanted.to_string()) {
                well
            } else {
                DesiredCondition::no(Reason::Applying, "the gateway has not loaded the newest configuration yet")
            }
        }
    }
}

fn credentials(said: &GatewaySample, provider: &dyn ProviderMember) -> DesiredCondition {
    let field = format!("spec.provider.{}", provider.kind());
    let secret = format!("Secret {} ({field}.credentialsSecretRef)", provider.credentials().name);
    match &said.credentials {
        CredentialsStatus::Unchecked => {
            DesiredCondition::unknown(Reason::NotCheckedYet, "the gateway has not checked them yet")
        }
        CredentialsStatus::Missing { keys, secret_found: false } => DesiredCondition::no(
            Reason::SecretMissing,
            format!("{secret} does not exist or is empty: create it with {}", keys.join(", ")),
        ),
        CredentialsStatus::Missing { keys, secret_found: true } => DesiredCondition::no(
            Reason::SecretKeyMissing,
            format!("{secret} lacks {}: add what is missing", keys.join(", ")),
        ),
        CredentialsStatus::Valid { .. } if !provider.is_checked() => {
            let message =
                format!("believed, and not checked: {field}.check names no call by which the provider could be asked");
            DesiredCondition::yes(Reason::Assumed, message)
        }
        CredentialsStatus::Valid { .. } => {
            DesiredCondition::yes(Reason::Accepted, "the provider accepts the credentials")
        }
        CredentialsStatus::Invalid { message, .. } => DesiredCondition::no(
            Reason::CredentialsRejected,
            format!(
                "the provider refuses the credentials of {secret}: {message}; put the right ones into it, it is noticed within a minute"
            ),
        ),
        CredentialsStatus::Suspended { message, .. } => {
            let message = format!("the provider does not serve the account: {message}; talk to the provider");
            DesiredCondition::no(Reason::AccountSuspended, message)
        }
    }
}

fn reachable(said: &ProviderStatus, provider: &dyn ProviderMember) -> DesiredCondition {
    match said {
        ProviderStatus::Unasked => DesiredCondition::unknown(
            Reason::NotCheckedYet,
            "the provider was not asked yet; without credentials it is not asked at all",
        ),
        ProviderStatus::Answers { .. } if !provider.is_checked() => {
            let field = format!("spec.provider.{}.check", provider.kind());
            let message =
                format!("not asked: {field} names no call; whether it can be reached shows when a message is sent");
            DesiredCondition::yes(Reason::Assumed, message)
        }
        ProviderStatus::Answers { .. } => DesiredCondition::yes(Reason::Reachable, "the provider answers"),
        ProviderStatus::Silent { why, .. } => DesiredCondition::no(trouble(why), silent(why, provider)),
    }
}

const fn trouble(why: &Unanswered) -> Reason {
    match why.trouble {
        Trouble::Unreachable => Reason::ProviderUnreachable,
        Trouble::Slow => Reason::ProviderSlow,
        Trouble::Fault => Reason::ProviderError,
        Trouble::RateLimited => Reason::ProviderRateLimited,
    }
}

fn silent(why: &Unanswered, provider: &dyn ProviderMember) -> String {
    let base_url = format!("see whether spec.provider.{}.baseUrl is right", provider.kind());
    let (what, hint) = match why.trouble {
        Trouble::Unreachable => ("cannot be reached", format!("{base_url} and the network lets the gateway through")),
        Trouble::Slow => ("does not answer in time", "talk to the provider".into()),
        Trouble::Fault => ("does not answer as it should", base_url),
        Trouble::RateLimited => ("limits how often it may be asked", "see who else uses the account".into()),
    };
    let (url, said) = (provider.base_url(), &why.message);
    format!("the provider at {url} {what}: {said}; the gateway tries again by itself; if it lasts, {hint}")
}

/// The numbers that the connector offers: those of the spec, else every SMS-capable one of the account.
fn offered(observed: &Observed, said: &GatewaySample) -> Vec<PhoneNumber> {
    let spec = &observed.connector.spec;
    let mut offered: Vec<PhoneNumber> = if spec.numbers.is_empty() {
        let usable = said.numbers.iter().filter(|number| number.at_provider && number.sms_capable);
        usable.map(|number| number.number.clone()).collect()
    } else {
        spec.numbers.iter().filter_map(|offered| offered.number.parse().ok()).collect()
    };
    offered.sort();
    offered.dedup();
    offered
}

fn numbers(observed: &Observed, said: &GatewaySample, offered: &[PhoneNumber]) -> DesiredCondition {
    if let Some(why) = &said.numbers_error {
        let message = format!("the numbers cannot be listed: {}; the gateway tries again by itself", why.message);
        return DesiredCondition::unknown(trouble(why), message);
    }
    if said.numbers_listed_at.is_none() {
        return DesiredCondition::unknown(Reason::NotCheckedYet, "the numbers have not been listed yet");
    }
    let of = |is_so: fn(Option<&wire::NumberStatus>) -> bool| -> Vec<_> {
        offered.iter().filter(|number| is_so(said.number(number))).collect()
    };
    let missing = of(|known| known.is_some_and(|known| !known.at_provider));
    if !missing.is_empty() {
        let message =
            format!("not on the provider's account: {}; buy them, or remove them from spec.numbers", some(&missing));
        return DesiredCondition::no(Reason::NumbersMissing, message);
    }
    let incapable = of(|known| known.is_some_and(|known| !known.sms_capable));
    if !incapable.is_empty() {
        let message = format!("cannot do SMS, says the provider: {}", some(&incapable));
        return DesiredCondition::no(Reason::NumbersNotSmsCapable, message);
    }
    let unknown = of(|known| known.is_none());
    if !unknown.is_empty() {
        let message = format!("the gateway has not looked yet for {}", some(&unknown));
        return DesiredCondition::unknown(Reason::NotCheckedYet, message);
    }
    let spec = &observed.connector.spec;
    let source = if spec.numbers.is_empty() { "of the account" } else { "of spec.numbers" };
    let list = spec.provider.member().map_or(NumberList::Listed, |member| member.facts().capabilities.numbers);
    usable(list, offered.len(), source)
}

fn usable(list: NumberList, count: usize, source: &str) -> DesiredCondition {
    match list {
        NumberList::Listed => DesiredCondition::yes(Reason::Verified, format!("{count} numbers {source} can do SMS")),
        NumberList::NotListable => {
            let message =
                format!("the provider cannot be asked: {count} numbers are believed as spec.numbers declares them");
            DesiredCondition::yes(Reason::Declared, message)
        }
    }
}

fn some(numbers: &[&PhoneNumber]) -> String {
    let named: Vec<_> = numbers.iter().take(NAMED).map(|number| number.as_str()).collect();
    let more = numbers.len().saturating_sub(NAMED);
    if more == 0 { named.join(", ") } else { format!("{} and {more} more", named.join(", ")) }
}

fn webhook(observed: &Observed, said: &GatewaySample) -> DesiredCondition {
    let webhook = &observed.connector.spec.webhook;
    match webhook.management {
        WebhookManagement::Ignore => {
            return DesiredCondition::unknown(Reason::NotManaged, "webhook.management is Ignore: nobody looks");
        }
        WebhookManagement::Observe => {}
    }
    let ours = format!("{}{}", webhook.public_url.trim_end_matches('/'), ports::HOOK_INBOUND_PATH);
    let provider = observed.connector.spec.provider.member().map(ProviderMember::facts);
    if let Some(facts) = provider.filter(|facts| facts.capabilities.webhook_check == WebhookCheck::NotShown) {
        let message = format!("{} does not show which address it calls: see to it that it is {ours}", facts.title);
        return DesiredCondition::unknown(Reason::NotManaged, message);
    }
    let used: Vec<_> = observed.routed.held.iter().filter_map(|held| said.number(&held.number)).collect();
    let of = |wanted: fn(&WebhookStatus) -> bool| -> Vec<&PhoneNumber> {
        used.iter().filter(|number| wanted(&number.webhook)).map(|number| &number.number).collect()
    };
    let unset = of(|webhook| matches!(webhook, WebhookStatus::Unset));
    let differing = of(|webhook| matches!(webhook, WebhookStatus::Differs { .. }));
    if !unset.is_empty() {
        let message = format!("the provider has no address for {}: set {ours} (POST) there", some(&unset));
        return DesiredCondition::no(Reason::WebhookNotSet, message);
    }
    if !differing.is_empty() {
        let found = used.iter().find_map(|number| match &number.webhook {
            WebhookStatus::Differs { found } => Some(found.as_str()),
            WebhookStatus::Unchecked | WebhookStatus::InSync | WebhookStatus::Unset => None,
        });
        let found = found.unwrap_or_default();
        let message = format!("the provider sends {} to {found}: set {ours} (POST) there", some(&differing));
        return DesiredCondition::no(Reason::WebhookDiffers, message);
    }
    if used.iter().any(|number| number.webhook == WebhookStatus::Unchecked) || said.numbers_listed_at.is_none() {
        return DesiredCondition::unknown(
            Reason::NotCheckedYet,
            "the provider's addresses have not been looked at yet",
        );
    }
    DesiredCondition::yes(Reason::InSync, format!("the provider has our address for {} numbers in use", used.len()))
}

fn counts(observed: &Observed, said: &GatewaySample, offered: &[PhoneNumber]) -> ConnectorCounts {
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let capable = offered.iter().filter(|number| said.number(number).is_some_and(|known| known.sms_capable)).count();
    let claimed = offered.iter().filter(|number| observed.channel_of(number).is_some()).count();
    ConnectorCounts {
        numbers: count(offered.len()),
        sms_capable: count(capable),
        claimed: count(claimed),
        unrouted: i64::try_from(said.spool.unrouted).unwrap_or(i64::MAX),
    }
}

/// Those with something wrong first, then those of channels, then the rest.
fn list(observed: &Observed, said: &GatewaySample, offered: &[PhoneNumber]) -> Vec<NumberStatus> {
    let mut all: Vec<NumberStatus> = offered
        .iter()
        .map(|number| {
            let known = said.number(number);
            NumberStatus {
                number: number.to_string(),
                sms_capable: known.map(|known| known.sms_capable),
                at_provider: known.map(|known| known.at_provider),
                channel: observed.channel_of(number).map(ToOwned::to_owned),
            }
        })
        .collect();
    let well = |number: &NumberStatus| number.sms_capable == Some(true) && number.at_provider == Some(true);
    all.sort_by_key(|number| (well(number), number.channel.is_none(), number.number.clone()));
    all.truncate(LISTED);
    all
}

/// While the numbers are not listed anew, only who uses them may have changed.
fn mark_channels(observed: &Observed, status: &mut SmsConnectorStatus) {
    for number in &mut status.numbers {
        if let Ok(parsed) = number.number.parse() {
            number.channel = observed.channel_of(&parsed).map(ToOwned::to_owned);
        }
    }
}

/// Every condition stands in status from the start, so that nothing waits for one that never comes.
fn set_missing_unknown(conditions: &mut Conditions) {
    for type_ in [
        ConditionType::GatewayAvailable,
        ConditionType::ProviderReachable,
        ConditionType::CredentialsValid,
        ConditionType::NumbersVerified,
        ConditionType::WebhookInSync,
        ConditionType::TrafficRouted,
    ] {
        if conditions.get(type_).is_none() {
            DesiredCondition::unknown(Reason::NotCheckedYet, "the gateway has not been asked yet")
                .set(conditions, type_);
        }
    }
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
