//! A bot without faults: every target is a step, every text is parsed, every pattern compiles.

use std::collections::BTreeMap;

use regex::Regex;

use super::template::Template;
use crate::api::{bot::HttpMethod, reference::SecretKeyRef};

/// A step of the bot it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId(pub(super) usize);

/// A bot without faults.
#[derive(Clone, Debug)]
pub struct CompiledBot {
    pub(super) version: String,
    pub(super) start: StepId,
    pub(super) steps: Vec<CompiledStep>,
    pub(super) idle_seconds: u32,
    pub(super) idle_message: Option<Template>,
}

impl PartialEq for CompiledBot {
    /// The version is a digest of all that it does.
    fn eq(&self, other: &Self) -> bool {
        self.version == other.version
    }
}

impl Eq for CompiledBot {}

impl CompiledBot {
    /// The first 12 hex digits of the spec's SHA-256: the same steps have the same version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The step that begins.
    pub const fn start(&self) -> StepId {
        self.start
    }

    /// A step. `StepId`s come from the same bot.
    pub fn step(&self, id: StepId) -> Option<&CompiledStep> {
        self.steps.get(id.0)
    }

    /// The step of this name.
    pub fn find(&self, name: &str) -> Option<StepId> {
        self.steps.iter().position(|step| step.name == name).map(StepId)
    }

    /// The steps in their order.
    pub fn steps(&self) -> &[CompiledStep] {
        &self.steps
    }

    /// Seconds to wait for the customer where a step says nothing else.
    pub const fn idle_seconds(&self) -> u32 {
        self.idle_seconds
    }

    /// What is said when the customer was silent for so long.
    pub const fn idle_message(&self) -> Option<&Template> {
        self.idle_message.as_ref()
    }

    /// The Secret keys that its calls show, sorted, each once: they are mounted into the engine.
    pub fn secrets(&self) -> Vec<&SecretKeyRef> {
        let calls = self.steps.iter().filter_map(|step| match &step.action {
            Action::Http(call) => Some(call),
            Action::Say { .. }
            | Action::Ask { .. }
            | Action::Branch { .. }
            | Action::Set { .. }
            | Action::InHours { .. }
            | Action::HandOff { .. }
            | Action::Finish { .. } => None,
        });
        let mut secrets: Vec<&SecretKeyRef> = calls
            .flat_map(|call| &call.headers)
            .filter_map(|(_, value)| match value {
                HeaderValue::Text(_) => None,
                HeaderValue::Secret(secret) => Some(secret),
            })
            .collect();
        secrets.sort();
        secrets.dedup();
        secrets
    }
}

/// A step.
#[derive(Clone, Debug)]
pub struct CompiledStep {
    pub name: String,
    pub action: Action,
}

/// The action of a step, with its targets resolved.
#[derive(Clone, Debug)]
pub enum Action {
    /// Sends a text.
    Say {
        /// The text.
        text: Template,
        /// Then.
        next: StepId,
    },
    /// Sends a text and waits for the customer.
    Ask {
        /// The question.
        text: Template,
        /// The variable that gets the answer.
        into: String,
        /// The answers that end the question.
        accepted: Accepted,
        /// How often the question is put, 1 to 10.
        attempts: u32,
        /// What is said before the question is put again.
        invalid_text: Option<Template>,
        /// Then, when no attempt gave an answer; none: the bot has failed.
        on_invalid: Option<StepId>,
        /// Seconds to wait.
        timeout_seconds: u32,
        /// Then, when nothing came in time; none: the bot has failed.
        on_timeout: Option<StepId>,
        /// Then, with an answer.
        next: StepId,
    },
    /// Goes on at the first case that holds.
    Branch {
        /// The cases in their order.
        cases: Vec<Case>,
        /// Then, when none holds.
        otherwise: StepId,
    },
    /// Sets variables.
    Set {
        /// Variables and texts, in their order.
        values: Vec<(String, Template)>,
        /// Then.
        next: StepId,
    },
    /// Goes on by the campaign's hours.
    InHours {
        /// Then, when it is open.
        open: StepId,
        /// Then, when it is closed.
        closed: StepId,
    },
    /// Calls a service.
    Http(Box<HttpCall>),
    /// To the queue.
    HandOff {
        /// 0 to 9; higher comes first.
        priority: u32,
        /// For the agent.
        note: Option<Template>,
    },
    /// The end.
    Finish {
        /// Kept with the interaction.
        note: Option<Template>,
    },
}

/// The answers that end a question.
#[derive(Clone, Debug)]
pub enum Accepted {
    /// Any text.
    Any,
    /// One of these, without case and blanks at the ends; each with the value that it stands for.
    OneOf(BTreeMap<String, String>),
    /// A text that matches as a whole.
    Matching(Regex),
}

impl Accepted {
    /// The value that a customer's text stands for, if it is an answer.
    pub fn value<'a>(&'a self, text: &'a str) -> Option<&'a str> {
        let text = text.trim();
        match self {
            Self::Any => Some(text),
            Self::OneOf(values) => values.get(&text.to_lowercase()).map(String::as_str),
            Self::Matching(pattern) => pattern.is_match(text).then_some(text),
        }
    }
}

/// A case of a branch.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    /// All of it must hold, each of the variable before it.
    pub when: Vec<(String, Comparison)>,
    /// Then.
    pub next: StepId,
}

/// What must hold of a variable's text.
#[derive(Clone, Debug)]
pub enum Comparison {
    /// It is this one.
    Equals(String),
    /// It is one of these.
    OneOf(Vec<String>),
    /// It matches somewhere.
    Matches(Regex),
    /// It is there and not empty, or it is not.
    Present(bool),
    /// It is a whole number below.
    LessThan(i64),
    /// It is a whole number above.
    GreaterThan(i64),
}

impl Comparison {
    /// Whether it holds of a variable's text; none: the variable is absent.
    pub fn holds(&self, text: Option<&str>) -> bool {
        let number = || text.and_then(|text| text.trim().parse::<i64>().ok());
        match self {
            Self::Equals(wanted) => text == Some(wanted),
            Self::OneOf(wanted) => text.is_some_and(|text| wanted.iter().any(|one| one == text)),
            Self::Matches(pattern) => text.is_some_and(|text| pattern.is_match(text)),
            Self::Present(wanted) => text.is_some_and(|text| !text.is_empty()) == *wanted,
            Self::LessThan(bound) => number().is_some_and(|number| number < *bound),
            Self::GreaterThan(bound) => number().is_some_and(|number| number > *bound),
        }
    }
}

/// A call of a service.
#[derive(Clone, Debug)]
pub struct HttpCall {
    pub method: HttpMethod,
    /// Scheme, host and port, as the operator allows them: `https://crm.example.com`.
    pub origin: String,
    /// Path and query; what stands for variables is percent-encoded.
    pub path: Template,
    /// Names and values.
    pub headers: Vec<(String, HeaderValue)>,
    /// Fields of the JSON object that is sent; none: no body.
    pub json: Vec<BodyField>,
    /// The variable that gets the answer.
    pub into: Option<String>,
    /// Seconds in all, 1 to 30.
    pub timeout_seconds: u32,
    /// Bytes of the answer, 1 to 1048576.
    pub max_response_bytes: u32,
    /// Then, when it fails.
    pub on_error: StepId,
    /// Then, when it works.
    pub next: StepId,
}

/// The value of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderValue {
    /// A text.
    Text(Template),
    /// What a Secret holds.
    Secret(SecretKeyRef),
}

/// A field of the JSON object that is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyField {
    pub field: String,
    pub value: Template,
}
