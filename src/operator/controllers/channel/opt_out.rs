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

/// STOP is always among the stop words.
const HELP: &str = "Write your question to this number and somebody will answer. Reply STOP to unsubscribe.";

fn stopped(start_words: &[String]) -> String {
    let start = first(start_words);
    format!("You are unsubscribed and will get no more messages from this number. Reply {start} to get messages again.")
}

fn started(help_words: &[String]) -> String {
    let help = first(help_words);
    format!("You are subscribed again. Reply {help} for help, STOP to unsubscribe.")
}

fn first(words: &[String]) -> &str {
    words.first().map_or("", String::as_str)
}

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
    let stopped_message = text("stopped", texts.stopped, || stopped(&start_keywords))?;
    let started_message = text("started", texts.started, || started(&help_keywords))?;
    Ok(engine::OptOut {
        answered_by: match spec.answered_by {
            OptOutAnsweredBy::Aldis => engine::OptOutAnsweredBy::Aldis,
            OptOutAnsweredBy::Provider => engine::OptOutAnsweredBy::Provider,
        },
        stop_keywords,
        start_keywords,
        help_keywords,
        stopped_message,
        started_message,
        help_message: text("help", texts.help, || HELP.to_owned())?,
    })
}

fn words(own: Vec<String>, usual: &[&str]) -> Vec<String> {
    if own.is_empty() { usual.iter().map(|word| (*word).to_owned()).collect() } else { own }
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
                "spec.optOut.keywords: {word} would be a word for {other} and for {set}: keep it in one, and where the usual words are \
                 in the way list your own"
            );
            return Err(Error::stalled(Reason::InvalidSpec, message));
        }
    }
    Ok(())
}

fn text(field: &str, own: Option<String>, usual: impl FnOnce() -> String) -> Result<String, Error> {
    match own {
        Some(text) if text.trim().is_empty() => {
            let message = format!(
                "spec.optOut.messages.{field} has nothing but spaces: write a text, or leave it out for the usual one"
            );
            Err(Error::stalled(Reason::InvalidSpec, message))
        }
        Some(text) => Ok(text),
        None => Ok(usual()),
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
        assert!(usual.stopped_message.ends_with("Reply START to get messages again."), "{}", usual.stopped_message);
        let own = opt_out(json!({"keywords": {"stop": ["STOP", "BAJA"]}, "messages": {"stopped": "Adiós."}})).unwrap();
        assert_eq!(own.stop_keywords, ["STOP", "BAJA"]);
        assert_eq!(own.start_keywords, START_WORDS);
        assert_eq!(own.stopped_message, "Adiós.");
        assert_eq!(own.started_message, "You are subscribed again. Reply HELP for help, STOP to unsubscribe.");
    }

    #[test]
    fn the_usual_texts_name_the_words_that_are_in_force() {
        let own = opt_out(json!({"keywords": {"start": ["ALTA", "START"], "help": ["AYUDA"]}})).unwrap();
        assert!(own.stopped_message.ends_with("Reply ALTA to get messages again."), "{}", own.stopped_message);
        assert_eq!(own.started_message, "You are subscribed again. Reply AYUDA for help, STOP to unsubscribe.");
    }

    #[test]
    fn what_would_mean_two_things_or_nothing_is_refused_with_its_name() {
        let cases = [
            (json!({"keywords": {"start": ["STOP"]}}), "STOP would be a word for stop and for start"),
            (json!({"keywords": {"help": ["START"]}}), "START would be a word for start and for help"),
            (json!({"keywords": {"stop": ["STOP", "Info"]}}), "INFO would be a word for stop and for help"),
            (json!({"keywords": {"help": ["HELP", "-"]}}), "spec.optOut.keywords.help: \"-\" has neither a letter"),
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
