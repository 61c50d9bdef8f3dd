//! An offer: agents are asked whether they take an interaction.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{
    clock::ChannelTime,
    ids::{OfferId, UserId},
};

/// Agents are asked whether they take an interaction; the first to accept has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Offer {
    /// Counts the offers of its interaction.
    pub id: OfferId,
    /// Who may accept it still. Never empty.
    pub to: BTreeSet<UserId>,
    /// Who was asked, those included who declined.
    pub asked: BTreeSet<UserId>,
    /// Whether it goes to all who are available, those included who come while it runs.
    pub to_all: bool,
    /// When it ends, if nobody accepts it.
    pub until: ChannelTime,
    /// How long that is, in seconds. It is also how long those rest who were asked in vain.
    pub timeout_seconds: u32,
}

impl Offer {
    /// When its time began, which may be before some of the agents were asked.
    pub(super) fn made(&self) -> ChannelTime {
        self.until.before(SignedDuration::from_secs(self.timeout_seconds.into()))
    }
}

/// The agents to whom offers of an interaction went in vain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AskedInVain(pub BTreeMap<UserId, Rest>);

/// An agent is not asked again for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rest {
    /// Until when.
    pub until: ChannelTime,
    /// That is past.
    pub is_over: bool,
}

impl AskedInVain {
    /// When the next rest is over.
    pub(super) fn next(&self) -> Option<ChannelTime> {
        self.0.values().filter(|rest| !rest.is_over).map(|rest| rest.until).min()
    }

    /// Whose rest is over at this time, and was not said to be.
    pub(super) fn rested(&self, now: ChannelTime) -> Vec<UserId> {
        let rested = self.0.iter().filter(|(_, rest)| !rest.is_over && rest.until <= now);
        rested.map(|(user, _)| user.clone()).collect()
    }

    /// Whether an agent is not asked for now.
    pub(super) fn is_resting(&self, user: &UserId) -> bool {
        self.0.get(user).is_some_and(|rest| !rest.is_over)
    }
}
