//! A channel's opt-out words and texts: its own, or the usual ones.

use std::collections::HashMap;

use crate::{
    api::{
        Reason,
        sms_channel::{HELP_WORDS, OptOut, OptOutAnsweredBy, START_WORDS, STOP_WORDS},
    },
    operator::runtime::error::Error,
    sms::folded,
    wire::config::engine,
};

const STOPPED: &str =
    "You are unsubscribed and will get no more messages from this number. Reply START to get messages again.";
const STARTED: &str = "You are subscribed again. Reply HELP for help, STOP to unsubscribe.";
const HELP: &str = "Write your question to this number and somebody will answer. Reply STOP to unsubscribe.";

/// What the engine is told.
///
/// # Errors
/// [`Error::Stalled`] when a word would mean two things.
pub(super) fn for_engine(spec: &OptOut) -> Result<engine::OptOut, Error> {
    let own = spec.keywords.clone().unwrap_or_default();
    let stop_keywords = words(own.stop, STOP_WORDS);
    let start_keywords = words(own.start, START_WORDS);
    let help_keywords = words(own.help, HELP_WORDS);
    check([("stop", &stop_keywords), ("start", &start_keywords), ("help", &help_keywords)])?;
    let texts = spec.messages.clone().unwrap_or_default();
    Ok(engine::OptOut {
        answered_by: match spec.answered_by {
            OptOutAnsweredBy::Aldis => engine::OptOutAnsweredBy::Aldis,
            OptOutAnsweredBy::Provider => engine::OptOutAnsweredBy::Provider,
        },
        stop_keywords,
        start_keywords,
        help_keywords,
        stopped_message: text("stopped", texts.stopped, STOPPED)?,
        started_message: text("started", texts.started, STARTED)?,
        help_message: text("help", texts.help, HELP)?,
    })
}

fn words(own: Vec<String>, usual: &[&str]) -> Vec<String> {
    if own.is_empty() { usual.iter().map(|word| (*word).to_owned()).collect() } else { own }
}

/// A word of one's own may be a usual one of another set, which the schema cannot see.
fn check(sets: [(&'static str, &Vec<String>); 3]) -> Result<(), Error> {
    let mut means: HashMap<String, &str> = HashMap::new();
    for (set, word) in sets.iter().flat_map(|(set, words)| words.iter().map(move |word| (*set, word))) {
        if let Some(other) = means.insert(folded(word), set).filter(|other| *other != set) {
            let message = format!(
                "spec.optOut.keywords: {word} would be a word for {other} and for {set}: keep it in one, and where the usual words are \
                 in the way list your own"
            );
            return Err(Error::stalled(Reason::InvalidSpec, message));
        }
    }
    Ok(())
}

fn text(field: &str, own: Option<String>, usual: &str) -> Result<String, Error> {
    match own {
        Some(text) if text.trim().is_empty() => {
            let message = format!("spec.optOut.messages.{field} has nothing but spaces: write a text, or leave it out for the usual one");
            Err(Error::stalled(Reason::InvalidSpec, message))
        }
        Some(text) => Ok(text),
        None => Ok(usual.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn opt_out(spec: Value) -> Result<engine::OptOut, Error> {
        for_engine(&serde_json::from_value(spec).unwrap())
    }

    #[test]
    fn what_a_channel_does_not_set_is_the_usual() {
        let usual = opt_out(json!({})).unwrap();
        assert_eq!(usual.stop_keywords, STOP_WORDS);
        assert_eq!((usual.start_keywords.len(), usual.help_keywords.len()), (START_WORDS.len(), HELP_WORDS.len()));
        assert_eq!(usual.stopped_message, STOPPED);
        let own = opt_out(json!({"keywords": {"stop": ["STOP", "BAJA"]}, "messages": {"stopped": "Adiós."}})).unwrap();
        assert_eq!(own.stop_keywords, ["STOP", "BAJA"]);
        assert_eq!(own.start_keywords, START_WORDS);
        assert_eq!((own.stopped_message.as_str(), own.started_message.as_str()), ("Adiós.", STARTED));
    }

    #[test]
    fn what_would_mean_two_things_or_nothing_is_refused_with_its_name() {
        let cases = [
            (json!({"keywords": {"start": ["STOP"]}}), "STOP would be a word for stop and for start"),
            (json!({"keywords": {"help": ["START"]}}), "START would be a word for start and for help"),
            (json!({"keywords": {"stop": ["STOP", "Info"]}}), "INFO would be a word for stop and for help"),
            (json!({"messages": {"help": "  "}}), "spec.optOut.messages.help"),
        ];
        for (spec, expected) in cases {
            let Err(Error::Stalled { reason: Reason::InvalidSpec, message }) = opt_out(spec.clone()) else {
                panic!("{spec} is not refused")
            };
            assert!(message.contains(expected), "{message}");
        }
        assert!(opt_out(json!({"keywords": {"start": ["YES"], "help": ["START"]}})).is_ok(), "START is free then");
    }
}
