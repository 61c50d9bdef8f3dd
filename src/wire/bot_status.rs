//! What an engine tells the operator about the bots of its channel, as part of its [status](super::status): ids and names, never what anybody said.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::api::bot::{LISTED_FAILURES, LISTED_VERSIONS, StepFailureReason};

/// Bots that an engine tells of at most: the three that its channel names, then those with the most conversations.
pub const TOLD_BOTS: usize = 8;
/// Longest names of bots, versions and steps, in bytes.
const LONGEST_NAMES: [usize; 3] = [253, 64, 63];

/// One bot in a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BotStatus {
    /// The bot.
    pub name: String,
    /// Conversations that run, by their version; those with the most first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conversations: Vec<ConversationsStatus>,
    /// Conversations of versions that are not listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_conversations: u64,
    /// Steps that failed; those that did last first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<FailureStatus>,
}

/// Conversations with one version of a bot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConversationsStatus {
    /// The version.
    pub version: String,
    /// So many.
    pub count: u64,
}

/// A step that failed in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailureStatus {
    /// The step's name; empty = the bot could not begin.
    pub step: String,
    /// In which way it failed.
    pub reason: StepFailureReason,
    /// So often since then.
    pub count: u64,
    /// For the first time.
    pub since: Timestamp,
    /// For the last time.
    pub at: Timestamp,
}

impl BotStatus {
    /// Without what is more than an engine of ours says: somebody else may have answered. None: nothing is left.
    pub fn bounded(mut self) -> Option<Self> {
        let [bot, version, step] = LONGEST_NAMES;
        if self.name.len() > bot {
            return None;
        }
        self.conversations.truncate(LISTED_VERSIONS);
        self.conversations.retain(|conversations| conversations.version.len() <= version);
        self.failures.truncate(LISTED_FAILURES);
        self.failures.retain(|failure| failure.step.len() <= step);
        Some(self)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}
