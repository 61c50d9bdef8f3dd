//! What the carrier's answers mean.

use regex::Regex;
use serde_json::Value;

use super::{Fault, at_pointer, check_pointer, pattern};
use crate::api::provider::{HttpAnswer, HttpMeaning, HttpMessageId};

/// So much of an answer is looked at.
const LOOKED_AT: usize = 64 << 10;
/// Longest id of a message.
const MAX_ID: usize = 128;

/// What answers mean, in order.
#[derive(Clone, Debug)]
pub struct Answers(Vec<Answer>);

#[derive(Clone, Debug)]
struct Answer {
    name: String,
    statuses: Vec<i32>,
    body: Option<Regex>,
    means: HttpMeaning,
}

/// Where the carrier's id of a message stands.
#[derive(Clone, Debug)]
pub enum MessageId {
    /// At a JSON pointer.
    Pointer(String),
    /// Where a pattern matches.
    Pattern(Regex),
}

impl Answers {
    pub(super) fn new(field: &str, answers: &[HttpAnswer]) -> Result<Self, Fault> {
        let answer = |answer: &HttpAnswer| {
            let at = format!("{field}[{}].body", answer.name);
            Ok(Answer {
                name: answer.name.clone(),
                statuses: answer.statuses.clone(),
                body: answer.body.as_ref().map(|text| pattern(&at, text)).transpose()?,
                means: answer.means,
            })
        };
        Ok(Self(answers.iter().map(answer).collect::<Result<_, Fault>>()?))
    }

    /// Name and meaning of the first that fits.
    pub fn meaning(&self, status: u16, body: &[u8]) -> Option<(&str, HttpMeaning)> {
        let text = text(body);
        let fits = |answer: &&Answer| {
            (answer.statuses.is_empty() || answer.statuses.contains(&i32::from(status)))
                && answer.body.as_ref().is_none_or(|pattern| pattern.is_match(&text))
        };
        self.0.iter().find(fits).map(|answer| (answer.name.as_str(), answer.means))
    }

    /// Whether one of them says what success looks like.
    pub fn name_success(&self) -> bool {
        self.0.iter().any(|answer| answer.means == HttpMeaning::Accepted)
    }
}

impl MessageId {
    pub(super) fn new(spec: &HttpMessageId) -> Result<Self, Fault> {
        match (&spec.pointer, &spec.pattern) {
            (Some(pointer), None) => {
                check_pointer("send.messageId.pointer", pointer)?;
                Ok(Self::Pointer(pointer.clone()))
            }
            (None, Some(text)) => Ok(Self::Pattern(pattern("send.messageId.pattern", text)?)),
            (_, _) => Err(Fault::new("send.messageId", "set exactly one of pointer and pattern")),
        }
    }

    /// The id in an answer.
    pub fn find(&self, body: &[u8]) -> Option<String> {
        let id = match self {
            Self::Pointer(pointer) => {
                let document: Value = serde_json::from_slice(body).ok()?;
                at_pointer(&document, pointer)?
            }
            Self::Pattern(pattern) => {
                let text = text(body);
                let found = pattern.captures(&text)?;
                found.get(1).or_else(|| found.get(0))?.as_str().trim().to_owned()
            }
        };
        (!id.is_empty() && id.len() <= MAX_ID).then_some(id)
    }
}

fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(LOOKED_AT)]).into_owned()
}
