//! Words that are never answers, since the engine takes them for opt-outs and calls for help before a bot hears of them.

use std::collections::BTreeSet;

use super::fault::BotFault;
use crate::{
    api::{BotSpec, bot::Answer},
    sms::folded,
};

/// What a customer may write for an answer, and where in its step each word stands.
pub(super) fn words_of(answer: &Answer) -> impl Iterator<Item = (&str, String)> {
    let value = (answer.value.as_str(), format!("ask.answers[{}].value", answer.value));
    let place = |word: &String| format!("ask.answers[{}].synonyms[{word}]", answer.value);
    [value].into_iter().chain(answer.synonyms.iter().map(move |word| (word.as_str(), place(word))))
}

/// The answers of a bot that are among `words`, however they are written. [`compile`](super::compile) looks for the words that channels
/// have when they say nothing else; a channel that has further ones looks for those.
pub fn reserved_answers<'w>(spec: &BotSpec, words: impl IntoIterator<Item = &'w str>) -> Vec<BotFault> {
    let reserved: BTreeSet<String> = words.into_iter().map(folded).collect();
    let mut faults = Vec::new();
    for step in &spec.steps {
        let answers = step.ask.iter().flat_map(|ask| &ask.answers);
        for (word, position) in answers.flat_map(words_of).filter(|(word, _)| reserved.contains(&folded(word))) {
            let message = format!(
                "{word:?} is a word by which customers opt out or ask for help, and never reaches a bot: use another word"
            );
            faults.push(BotFault { step: step.name.clone(), position, message });
        }
    }
    faults
}
