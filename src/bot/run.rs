//! Runs a bot from where it stands to where it waits, for the customer or a service, or ends. Pure: what it needs it is given, what it does it says.

use serde::{Deserialize, Serialize};

use super::{
    compiled::{Action, CompiledBot, StepId},
    template::Template,
    values::{TooLarge, Values, cut, read_json},
};

pub use super::values::Given;
use crate::sms::{MAX_SEGMENTS, segments};

/// Where a bot waits for the customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The step that asks.
    pub step: StepId,
    /// How often the question was put, from 1.
    pub attempt: u32,
}

/// What a bot goes on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input<'a> {
    /// It begins.
    Begin,
    /// The customer's text after the question.
    Answer(Position, &'a str),
    /// No text came in time.
    TimedOut(Position),
    /// The service that this step calls answered, or did not.
    Called(StepId, &'a CallResult),
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallResult {
    /// The body of an answer of the class 2xx.
    Answered(Vec<u8>),
    /// There is no such answer.
    Failed(CallFailure),
}

/// What is wrong with a call that is not answered well.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
    schemars::JsonSchema,
)]
pub enum CallFailure {
    /// The answer was not complete in time.
    TimedOut,
    /// No connection stood, or it broke.
    Unreachable,
    /// The answer's status is not of the class 2xx; redirects are not followed.
    Status,
    /// The answer is longer than it may be.
    TooLong,
    /// The answer is no JSON, and the step needs it.
    NotJson,
    /// The host has only addresses that are never called, or the variables would lead elsewhere than the step says.
    Address,
    /// A Secret that a header shows, or its key, is not there.
    NoSecret,
}

impl CallFailure {
    /// All of them.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 7] =
        [Self::TimedOut, Self::Unreachable, Self::Status, Self::TooLong, Self::NotJson, Self::Address, Self::NoSecret];
}

/// What a bot did with one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Taken {
    /// The step's name.
    pub step: String,
    /// What the step led to.
    pub outcome: Outcome,
    /// The case that held, of a branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
    /// What was wrong with a call; none for all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<CallFailure>,
}

/// What came of a step.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
    schemars::JsonSchema,
)]
pub enum Outcome {
    /// The text is sent.
    Said,
    /// There was nothing to send but blanks.
    Blank,
    /// The question is put.
    Asked,
    /// The customer gave an accepted answer.
    Answered,
    /// The answer was not accepted, and the question is put again.
    Invalid,
    /// The answer was not accepted, and the question is put no more.
    NoAnswer,
    /// No answer came in time.
    TimedOut,
    /// A case holds.
    Case,
    /// No case holds.
    Otherwise,
    /// The variables are set.
    Set,
    /// The campaign is within its hours.
    Open,
    /// The campaign is not within its hours.
    Closed,
    /// The service answered.
    Called,
    /// The call failed.
    CallFailed,
    /// The interaction goes to the queue.
    HandedOff,
    /// The interaction is finished.
    Finished,
}

impl Outcome {
    /// All of them.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 16] = [
        Self::Said,
        Self::Blank,
        Self::Asked,
        Self::Answered,
        Self::Invalid,
        Self::NoAnswer,
        Self::TimedOut,
        Self::Case,
        Self::Otherwise,
        Self::Set,
        Self::Open,
        Self::Closed,
        Self::Called,
        Self::CallFailed,
        Self::HandedOff,
        Self::Finished,
    ];
}

/// Why a bot could not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
pub enum Failure {
    /// No attempt gave an accepted answer, and the step says nothing of that.
    NoAnswer,
    /// No answer came in time, and the step says nothing of that.
    TimedOut,
    /// The variables would take more than they may.
    TooManyVariables,
    /// The conversation went on for too long.
    TooManyTurns,
    /// The bot's version, or a step of it, is not there.
    Lost,
}

/// What a bot does after its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// It waits for the customer.
    Wait {
        /// At this question.
        at: Position,
        /// For so many seconds.
        seconds: u32,
    },
    /// It waits for the service that this step calls: [`request`](super::request) says what is asked.
    Call {
        /// The step.
        step: StepId,
    },
    /// The interaction goes to the queue.
    HandOff {
        /// 0 to 9; higher comes first.
        priority: u32,
        /// For the agent.
        note: Option<String>,
    },
    /// The interaction is finished.
    Finish {
        /// Kept with the interaction.
        note: Option<String>,
    },
    /// It cannot go on.
    Fail(Failure),
}

/// What a bot does between two waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The texts that are sent, in order.
    pub texts: Vec<String>,
    /// The steps that it took.
    pub taken: Vec<Taken>,
    /// And then.
    pub then: Then,
    /// The step that it came to last: where it failed, if it did.
    pub at: Option<StepId>,
}

/// Goes on until the bot waits or ends. It takes a bounded number of steps: every circle of a compiled bot waits.
pub fn run(bot: &CompiledBot, input: Input<'_>, values: &mut Values, given: &Given<'_>) -> Turn {
    let mut runner = Runner { bot, values, given, texts: Vec::new(), taken: Vec::new(), at: None };
    let then = runner.until_it_waits(input);
    Turn { texts: runner.texts, taken: runner.taken, then, at: runner.at }
}

/// Where it goes on, or how it ends.
enum Next {
    Step(StepId),
    Then(Then),
}

struct Runner<'r, 'g> {
    bot: &'r CompiledBot,
    values: &'r mut Values,
    given: &'r Given<'g>,
    texts: Vec<String>,
    taken: Vec<Taken>,
    at: Option<StepId>,
}

impl Runner<'_, '_> {
    fn until_it_waits(&mut self, input: Input<'_>) -> Then {
        self.at = match &input {
            Input::Begin => None,
            Input::Answer(at, _) | Input::TimedOut(at) => Some(at.step),
            Input::Called(step, _) => Some(*step),
        };
        let mut next = match input {
            Input::Begin => Next::Step(self.bot.start()),
            Input::Answer(at, text) => self.answered(at, text),
            Input::TimedOut(at) => self.timed_out(at),
            Input::Called(step, result) => self.called(step, result),
        };
        loop {
            match next {
                Next::Step(step) => next = self.step(step),
                Next::Then(then) => return then,
            }
        }
    }

    fn step(&mut self, id: StepId) -> Next {
        let bot = self.bot;
        self.at = Some(id);
        let Some(step) = bot.step(id) else { return Next::Then(Then::Fail(Failure::Lost)) };
        match &step.action {
            Action::Say { text, next } => {
                let outcome = if self.say(self.rendered(text)) { Outcome::Said } else { Outcome::Blank };
                self.take(&step.name, outcome);
                Next::Step(*next)
            }
            Action::Ask { text, timeout_seconds, .. } => {
                self.say(self.rendered(text));
                self.take(&step.name, Outcome::Asked);
                Next::Then(Then::Wait { at: Position { step: id, attempt: 1 }, seconds: *timeout_seconds })
            }
            Action::Branch { cases, otherwise } => {
                let holds = |(path, comparison): &(String, super::compiled::Comparison)| {
                    comparison.holds(self.values.text(self.given, path).as_deref())
                };
                let case = cases.iter().find(|case| case.when.iter().all(holds));
                let outcome = if case.is_some() { Outcome::Case } else { Outcome::Otherwise };
                let case_name = case.map(|case| case.name.clone());
                self.taken.push(Taken { step: step.name.clone(), outcome, case: case_name, failure: None });
                Next::Step(case.map_or(*otherwise, |case| case.next))
            }
            Action::Set { values, next } => {
                let mut all = Ok(());
                for (name, template) in values {
                    let value = self.rendered(template);
                    all = self.values.set_text(name, &value);
                }
                if all == Err(TooLarge) {
                    return Next::Then(Then::Fail(Failure::TooManyVariables));
                }
                self.take(&step.name, Outcome::Set);
                Next::Step(*next)
            }
            Action::InHours { open, closed } => {
                let (outcome, next) =
                    if self.given.is_open { (Outcome::Open, open) } else { (Outcome::Closed, closed) };
                self.take(&step.name, outcome);
                Next::Step(*next)
            }
            Action::Http(_) => Next::Then(Then::Call { step: id }),
            Action::HandOff { priority, note } => {
                self.take(&step.name, Outcome::HandedOff);
                Next::Then(Then::HandOff { priority: *priority, note: self.note(note.as_ref()) })
            }
            Action::Finish { note } => {
                self.take(&step.name, Outcome::Finished);
                Next::Then(Then::Finish { note: self.note(note.as_ref()) })
            }
        }
    }

    fn answered(&mut self, at: Position, text: &str) -> Next {
        let bot = self.bot;
        let Some(step) = bot.step(at.step) else { return Next::Then(Then::Fail(Failure::Lost)) };
        let Action::Ask {
            text: question,
            into,
            accepted,
            attempts,
            invalid_text,
            on_invalid,
            timeout_seconds,
            next,
            ..
        } = &step.action
        else {
            return Next::Then(Then::Fail(Failure::Lost));
        };
        if let Some(value) = accepted.value(text).filter(|_| !text.trim().is_empty()) {
            if self.values.set_text(into, value) == Err(TooLarge) {
                return Next::Then(Then::Fail(Failure::TooManyVariables));
            }
            self.take(&step.name, Outcome::Answered);
            return Next::Step(*next);
        }
        if at.attempt < *attempts {
            let parts = invalid_text.iter().chain([question]).map(|part| self.rendered(part));
            let parts: Vec<String> = parts.filter(|part| !part.trim().is_empty()).collect();
            self.say(parts.join("\n"));
            self.take(&step.name, Outcome::Invalid);
            let at = Position { step: at.step, attempt: at.attempt + 1 };
            return Next::Then(Then::Wait { at, seconds: *timeout_seconds });
        }
        self.take(&step.name, Outcome::NoAnswer);
        on_invalid.map_or(Next::Then(Then::Fail(Failure::NoAnswer)), Next::Step)
    }

    fn timed_out(&mut self, at: Position) -> Next {
        let bot = self.bot;
        let Some(step) = bot.step(at.step) else { return Next::Then(Then::Fail(Failure::Lost)) };
        let Action::Ask { on_timeout, .. } = &step.action else {
            return Next::Then(Then::Fail(Failure::Lost));
        };
        self.take(&step.name, Outcome::TimedOut);
        if let Some(next) = on_timeout {
            return Next::Step(*next);
        }
        if let Some(message) = bot.idle_message() {
            self.say(self.rendered(message));
        }
        Next::Then(Then::Fail(Failure::TimedOut))
    }

    fn called(&mut self, id: StepId, result: &CallResult) -> Next {
        let bot = self.bot;
        let Some(step) = bot.step(id) else { return Next::Then(Then::Fail(Failure::Lost)) };
        let Action::Http(call) = &step.action else { return Next::Then(Then::Fail(Failure::Lost)) };
        let answer = match (result, &call.into) {
            (CallResult::Failed(failure), _) => Err(*failure),
            (CallResult::Answered(_), None) => Ok(None),
            (CallResult::Answered(body), Some(into)) => match read_json(body) {
                Some(value) => Ok(Some((into, value))),
                None => Err(CallFailure::NotJson),
            },
        };
        match answer {
            Err(failure) => {
                let outcome = Outcome::CallFailed;
                self.taken.push(Taken { step: step.name.clone(), outcome, case: None, failure: Some(failure) });
                Next::Step(call.on_error)
            }
            Ok(answer) => {
                if answer.is_some_and(|(into, value)| self.values.set(into, value) == Err(TooLarge)) {
                    return Next::Then(Then::Fail(Failure::TooManyVariables));
                }
                self.take(&step.name, Outcome::Called);
                Next::Step(call.next)
            }
        }
    }

    fn rendered(&self, template: &Template) -> String {
        self.values.rendered(self.given, template)
    }

    /// Sends a text, as much of it as may be sent in one go; false when it has nothing but blanks.
    fn say(&mut self, text: String) -> bool {
        let text = sendable(cut(&text));
        let is_sent = !text.trim().is_empty();
        if is_sent {
            self.texts.push(text.to_owned());
        }
        is_sent
    }

    fn note(&self, note: Option<&Template>) -> Option<String> {
        note.map(|note| self.rendered(note)).filter(|text| !text.trim().is_empty())
    }

    fn take(&mut self, step: &str, outcome: Outcome) {
        self.taken.push(Taken { step: step.to_owned(), outcome, case: None, failure: None });
    }
}

/// The longest beginning of a text that takes no more segments than one may.
fn sendable(text: &str) -> &str {
    if segments(text).count <= MAX_SEGMENTS {
        return text;
    }
    let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    let fits = ends.partition_point(|end| segments(&text[..*end]).count <= MAX_SEGMENTS);
    let end = fits.checked_sub(1).map_or(0, |last| ends[last]);
    &text[..end]
}
