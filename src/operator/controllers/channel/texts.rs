//! Texts that the engine sends by itself: one that cannot be sent would never be, and nobody would know.

use crate::{
    api::{Reason, SmsChannelSpec},
    operator::runtime::error::Error,
    sms::{self, MAX_SEGMENTS},
};

/// Refuses a text that is blank, or that takes more segments than a message may.
///
/// # Errors
/// [`Error::Stalled`] naming the field.
pub(super) fn check(spec: &SmsChannelSpec) -> Result<(), Error> {
    let texts = [("queueFullMessage", &spec.queue_full_message), ("outOfHours.message", &spec.out_of_hours.message)];
    for (field, text) in texts {
        let Some(text) = text else { continue };
        let segments = sms::segments(text).count;
        let fault = if text.trim().is_empty() {
            "has nothing but spaces: write a text, or leave it out to send nothing".to_owned()
        } else if segments > MAX_SEGMENTS {
            format!("has {segments} segments, and {MAX_SEGMENTS} can be sent: shorten it")
        } else {
            continue;
        };
        return Err(Error::stalled(Reason::InvalidSpec, format!("spec.{field} {fault}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::operator::controllers::plan_tests::observed_channel;

    #[test]
    fn a_text_that_cannot_be_sent_is_refused_with_its_field() {
        let cases = [
            (json!({}), None),
            (json!({"queueFullMessage": "a".repeat(1530), "outOfHours": {"message": "ж".repeat(670)}}), None),
            (json!({"queueFullMessage": "a".repeat(1531)}), Some("spec.queueFullMessage has 11 segments")),
            (json!({"outOfHours": {"message": "ж".repeat(671)}}), Some("spec.outOfHours.message has 11 segments")),
            (json!({"outOfHours": {"message": " \n"}}), Some("spec.outOfHours.message has nothing but spaces")),
        ];
        for (spec, expected) in cases {
            let found = check(&observed_channel(&spec).channel.spec);
            let said = match &found {
                Ok(()) => None,
                Err(Error::Stalled { reason: Reason::InvalidSpec, message }) => Some(message.as_str()),
                Err(other) => panic!("{other}"),
            };
            assert_eq!(said.is_some(), expected.is_some(), "{said:?}");
            assert!(said.unwrap_or_default().starts_with(expected.unwrap_or_default()), "{said:?}");
        }
    }
}
