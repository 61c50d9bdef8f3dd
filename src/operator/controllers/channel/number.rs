//! Whether the channel's number is one that its connector can serve. Pure.

use crate::{
    api::{Reason, SmsConnector},
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
        Sampled::Answered(said) => at_provider(observed, said, &number),
        Sampled::Unreachable { .. } | Sampled::Never => unlisted(observed, name),
    })
}

fn at_provider(observed: &Observed, said: &GatewaySample, number: &PhoneNumber) -> Option<DesiredCondition> {
    let name = &observed.channel.spec.connector_ref.name;
    if said.numbers_listed_at.is_none() {
        return unlisted(observed, name);
    }
    match said.number(number) {
        Some(known) if known.at_provider && known.sms_capable => {
            Some(DesiredCondition::yes(Reason::Verified, "the provider has the number, and it can do SMS"))
        }
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
