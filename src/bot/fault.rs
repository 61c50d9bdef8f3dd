//! What is wrong with a bot, and where.

use std::fmt;

use crate::api::bot::FaultStatus;

/// The most faults that a status lists.
const LISTED: usize = 20;
/// The longest message that a status takes, in characters.
const MESSAGE_MAX: usize = 1024;

/// A fault of a bot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BotFault {
    /// Name of the step; empty for the bot as a whole.
    pub step: String,
    /// Where in the step: `ask.text[12]` is the twelfth character of the question.
    pub position: String,
    /// What is wrong, and what to do about it.
    pub message: String,
}

impl fmt::Display for BotFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.step.as_str(), self.position.as_str()) {
            ("", "") => f.write_str(&self.message),
            ("", position) => write!(f, "{position}: {}", self.message),
            (step, "") => write!(f, "step {step}: {}", self.message),
            (step, position) => write!(f, "step {step}, {position}: {}", self.message),
        }
    }
}

/// The first fault, and how many more there are.
pub fn in_short(faults: &[BotFault]) -> String {
    let first = faults.first().map(ToString::to_string).unwrap_or_default();
    match faults.len().saturating_sub(1) {
        0 => first,
        more => format!("{first} (and {more} more)"),
    }
}

/// The first faults as a status lists them, one for each place.
pub fn to_status(faults: &[BotFault]) -> Vec<FaultStatus> {
    let mut listed: Vec<FaultStatus> = Vec::new();
    for fault in faults {
        if listed.len() == LISTED {
            break;
        }
        if listed.iter().any(|known| known.step == fault.step && known.position == fault.position) {
            continue;
        }
        listed.push(FaultStatus {
            step: fault.step.clone(),
            position: fault.position.clone(),
            message: fault.message.chars().take(MESSAGE_MAX).collect(),
        });
    }
    listed
}
