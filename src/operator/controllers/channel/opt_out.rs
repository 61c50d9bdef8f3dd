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
/// [`Error::Stalled`] when a word would mean two things or nothing, or a text is empty.
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

/// The usual words count in any case: the law and carriers expect them, and the texts name them.
fn words(own: Vec<String>, usual: &[&str]) -> Vec<String> {
    usual.iter().map(|word| (*word).to_owned()).chain(own).collect()
}

/// A word of one's own may be a usual one of another set, which the schema cannot see.
fn check(sets: [(&'static str, &Vec<String>); 3]) -> Result<(), Error> {
    let mut means: HashMap<String, &str> = HashMap::new();
    for (set, word) in sets.iter().flat_map(|(set, words)| words.iter().map(move |word| (*set, word))) {
        let folded = folded(word);
        if folded.is_empty() {
            let message = format!(
                "spec.optOut.keywords.{set}: {word:?} has neither a letter nor a digit, so that nothing that a customer writes is this word: \
                 remove it"
            );
            return Err(Error::stalled(Reason::InvalidSpec, message));
        }
        if let Some(other) = means.insert(folded, set).filter(|other| *other != set) {
            let message = format!(
                "spec.optOut.keywords: {word} would be a word for {other} and for {set}: keep it in one; the usual words ({}) always count",
                STOP_WORDS.iter().chain(START_WORDS).chain(HELP_WORDS).copied().collect::<Vec<_>>().join(", ")
            );
            return Err(Error::stalled(Reason::InvalidSpec, message));
        }
    }
    Ok(())
}

fn text(field: &str, own: Option<String>, usual: &str) -> Result<String, Error> {
    match own {
        Some(text) if text.trim().is_empty() => {
            let message = format!(
                "spec.optOut.messages.{field} has nothing but spaces: write a text, or leave it out for the usual one"
            );
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
    fn own_words_are_added_to_the_usual_ones_and_own_texts_replace_them() {
        let usual = opt_out(json!({})).unwrap();
        assert_eq!(usual.stop_keywords, STOP_WORDS);
        assert_eq!((usual.start_keywords.len(), usual.help_keywords.len()), (START_WORDS.len(), HELP_WORDS.len()));
        assert_eq!(usual.stopped_message, STOPPED);
        let own = json!({
            "keywords": {"stop": ["BAJA"], "start": ["ALTA"], "help": ["AYUDA"]}, "messages": {"stopped": "Adiós."},
        });
        let own = opt_out(own).unwrap();
        assert_eq!(own.stop_keywords, [STOP_WORDS, &["BAJA"]].concat());
        assert_eq!(own.start_keywords, [START_WORDS, &["ALTA"]].concat());
        assert_eq!(own.help_keywords, [HELP_WORDS, &["AYUDA"]].concat());
        assert_eq!((own.stopped_message.as_str(), own.started_message.as_str()), ("Adiós.", STARTED));
    }

    #[test]
    fn what_would_mean_two_things_or_nothing_is_refused_with_its_name() {
        let cases = [
            (json!({"keywords": {"start": ["STOP"]}}), "STOP would be a word for stop and for start"),
            (json!({"keywords": {"help": ["START"]}}), "START would be a word for start and for help"),
            (json!({"keywords": {"stop": ["Info"]}}), "INFO would be a word for stop and for help"),
            (json!({"keywords": {"help": ["HELP", "-"]}}), "spec.optOut.keywords.help: \"-\" has neither a letter"),
            (json!({"messages": {"help": "  "}}), "spec.optOut.messages.help"),
        ];
        for (spec, expected) in cases {
            let Err(Error::Stalled { reason: Reason::InvalidSpec, message }) = opt_out(spec.clone()) else {
                panic!("{spec} is not refused")
            };
            assert!(message.contains(expected), "{message}");
        }
        assert!(
            opt_out(json!({"keywords": {"stop": ["stop"], "start": ["YES", "START"]}})).is_ok(),
            "a word may be said twice"
        );
    }
}
