//! Words that opt out, opt in and ask for help.

use std::collections::HashMap;

use crate::sms::{folded, folding};

/// Who answers opt-out words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnsweredBy {
    /// The engine, with the texts below.
    Aldis,
    /// The provider; the engine records only.
    Provider,
}

/// What a word asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyword {
    /// No more messages.
    Stop,
    /// Messages again.
    Start,
    /// What this service is and how to leave it.
    Help,
}

/// What is said to a customer who used a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Texts {
    /// The one confirmation of an opt-out.
    pub stopped: String,
    /// The confirmation of an opt-in.
    pub started: String,
    /// The answer to a call for help.
    pub help: String,
}

/// The channel's opt-out words, and what is said then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptOut {
    answered_by: AnsweredBy,
    keywords: HashMap<String, Keyword>,
    /// Bytes of the longest of them.
    longest: usize,
    texts: Texts,
}

impl OptOut {
    /// Puts words and texts together. A word that stands in several sets means the first of stop, help, start: an opt-out is never
    /// missed. A word without a letter or digit means nothing.
    pub fn new<'a>(answered_by: AnsweredBy, words: impl IntoIterator<Item = (Keyword, &'a str)>, texts: Texts) -> Self {
        let mut keywords = HashMap::new();
        for (keyword, word) in words {
            let word = folded(word);
            if word.is_empty() {
                continue;
            }
            keywords
                .entry(word)
                .and_modify(|known| {
                    if rank(keyword) < rank(*known) {
                        *known = keyword;
                    }
                })
                .or_insert(keyword);
        }
        let longest = keywords.keys().map(String::len).max().unwrap_or_default();
        Self { answered_by, keywords, longest, texts }
    }

    /// Whether the provider or the engine confirms an opt-out.
    pub const fn answered_by(&self) -> AnsweredBy {
        self.answered_by
    }

    /// The texts that the engine answers words with.
    pub const fn texts(&self) -> &Texts {
        &self.texts
    }

    /// The word that a message is, if it is one: all of it, without case, punctuation and spaces.
    pub fn keyword(&self, text: &str) -> Option<Keyword> {
        if text.len() > LONGEST_TEXT {
            return None;
        }
        // Most messages are longer than any word, and are given up as soon as that shows.
        let mut word = String::with_capacity(self.longest + 4);
        for letter in folding(text) {
            word.push(letter);
            if word.len() > self.longest {
                return None;
            }
        }
        self.keywords.get(&word).copied()
    }
}

/// Bytes above which a text is no opt-out word, however it is padded.
const LONGEST_TEXT: usize = 320;

const fn rank(keyword: Keyword) -> u8 {
    match keyword {
        Keyword::Stop => 0,
        Keyword::Help => 1,
        Keyword::Start => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn english() -> OptOut {
        let words = [
            (Keyword::Stop, "STOP"),
            (Keyword::Stop, "STOPALL"),
            (Keyword::Stop, "OPTOUT"),
            (Keyword::Stop, "ARRÊT"),
            (Keyword::Stop, "iptal"),
            (Keyword::Stop, "стоп"),
            (Keyword::Start, "START"),
            (Keyword::Start, "YES"),
            (Keyword::Start, "Stop"),
            (Keyword::Help, "HELP"),
            (Keyword::Help, "!?"),
        ];
        let texts = Texts { stopped: "Bye.".into(), started: "Hello.".into(), help: "We help.".into() };
        OptOut::new(AnsweredBy::Aldis, words, texts)
    }

    #[test]
    fn a_message_that_is_a_word_is_recognized_however_it_is_written() {
        use Keyword::{Help, Start, Stop};
        let cases = [
            ("STOP", Some(Stop)),
            ("stop", Some(Stop)),
            ("  Stop.\n", Some(Stop)),
            ("“STOP”!!!", Some(Stop)),
            ("S.T.O.P", Some(Stop)),
            ("stop all", Some(Stop)),
            ("opt-out", Some(Stop)),
            ("ＳＴＯＰ", Some(Stop)),
            ("stop 🛑", Some(Stop)),
            ("\u{200B}stop\u{FEFF}", Some(Stop)),
            ("arrêt", Some(Stop)),
            ("İPTAL", Some(Stop)),
            ("СТОП", Some(Stop)),
            ("start", Some(Start)),
            ("Yes!", Some(Start)),
            ("help?", Some(Help)),
            ("stop it please", None),
            ("don't stop", None),
            ("unstoppable", None),
            ("", None),
            ("!?", None),
            ("👍", None),
        ];
        for (text, expected) in cases {
            assert_eq!(english().keyword(text), expected, "{text:?}");
        }
        assert_eq!(english().keyword(&format!("stop{}", " ".repeat(1000))), None);
    }
}
