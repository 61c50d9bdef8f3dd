//! Whether the channel's number is one that its connector can serve. Pure.

use crate::{
    api::{
        Reason, SmsConnector,
        provider::{NumberList, ProviderMember},
    },
    operator::{
        controllers::channel::observe::Observed,
        observed::samples::{GatewaySample, Sampled},
        runtime::{desired_condition::DesiredCondition, error::Error},
    },
    sms::PhoneNumber,
};

/// Judges by the connector's spec and what its gateway last found at the provider. None: the gateway has not been asked since
/// this operator started, or cannot be, so what was said before stands.
///
/// # Errors
/// [`Error::Stalled`] when the number is none.
pub(super) fn desired(observed: &Observed, connector: &SmsConnector) -> Result<Option<DesiredCondition>, Error> {
    let text = &observed.channel.spec.number;
    let number: PhoneNumber =
        text.parse().map_err(|error| Error::stalled(Reason::InvalidSpec, format!("spec.number: {error}")))?;
    let name = &observed.channel.spec.connector_ref.name;
    let offered = &connector.spec.numbers;
    if !offered.is_empty() && !offered.iter().any(|offered| offered.number == *text) {
        let message =
            format!("connector {name} does not list {number} in spec.numbers: add it there, or correct spec.number");
        return Ok(Some(DesiredCondition::no(Reason::NumberNotInConnector, message)));
    }
    Ok(match &observed.gateway {
        Sampled::Answered(said) => {
            let facts = connector.spec.provider.member().map(ProviderMember::facts);
            let list = facts.map_or(NumberList::Listed, |facts| facts.capabilities.numbers);
            at_provider(observed, said, &number, list)
        }
        Sampled::Unreachable { .. } | Sampled::Never => unlisted(observed, name),
    })
}

fn at_provider(
    observed: &Observed,
    said: &GatewaySample,
    number: &PhoneNumber,
    list: NumberList,
) -> Option<DesiredCondition> {
    let name = &observed.channel.spec.connector_ref.name;
    if said.numbers_listed_at.is_none() {
        return unlisted(observed, name);
    }
    match said.number(number) {
        Some(known) if known.at_provider && known.sms_capable => Some(usable(list, name)),
        Some(known) if known.at_provider => {
            let message =
                format!("the provider says that {number} cannot do SMS: enable it there, or use another number");
            Some(DesiredCondition::no(Reason::NumberNotSmsCapable, message))
        }
        Some(_) => Some(missing(name, number)),
        // The list is older than this channel: its number is looked for next.
        None => unasked(observed, &format!("connector {name} has not looked for {number} at the provider yet")),
    }
}

fn usable(list: NumberList, connector: &str) -> DesiredCondition {
    match list {
        NumberList::Listed => DesiredCondition::yes(Reason::Verified, "the provider has the number, and it can do SMS"),
        NumberList::NotListable => {
            let message =
                format!("the provider cannot be asked: believed as spec.numbers of connector {connector} declares it");
            DesiredCondition::yes(Reason::Declared, message)
        }
    }
}

fn missing(connector: &str, number: &PhoneNumber) -> DesiredCondition {
    let message = format!(
        "the account of connector {connector} does not have {number}: buy or move it there, or correct spec.number"
    );
    DesiredCondition::no(Reason::NumberNotAtProvider, message)
}

fn unlisted(observed: &Observed, connector: &str) -> Option<DesiredCondition> {
    unasked(observed, &format!("connector {connector} has not listed its numbers yet; see its conditions"))
}

/// A desired that stands is kept; a new channel waits for the first one.
fn unasked(observed: &Observed, message: &str) -> Option<DesiredCondition> {
    if observed.was_number_valid() {
        return None;
    }
    Some(DesiredCondition::unknown(Reason::NotCheckedYet, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_provider_says_is_told_from_what_is_only_declared() {
        let usable = |list| usable(list, "sim");
        assert_eq!(usable(NumberList::Listed).reason, Reason::Verified);
        let declared = usable(NumberList::NotListable);
        assert_eq!(declared.reason, Reason::Declared);
        assert!(declared.message.contains("spec.numbers of connector sim"), "{}", declared.message);
    }
}
