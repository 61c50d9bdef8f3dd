//! An agent: whether they are there, and what they have.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use super::{
    clock::ChannelTime,
    config::Member,
    ids::{InteractionId, UserId},
    timers::Timer,
};

/// An agent who is offline for so long, in the engine's own up-time, loses the interactions that they have.
const AWAY_LIMIT: SignedDuration = SignedDuration::from_secs(300);
/// An agent who is offline for so long loses what they are offered.
const OFFERS_AWAY_LIMIT: SignedDuration = SignedDuration::from_secs(30);

/// An agent who was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Agent {
    /// The user's name, as tokens and the campaign give it.
    pub user: UserId,
    /// Whether they take interactions, as they say.
    pub present: bool,
    /// When they last finished an interaction.
    pub last_finish: Option<Timestamp>,
    /// When they were last given one.
    pub last_assigned: Option<Timestamp>,
    /// What they finished on the last day on which they finished any.
    #[serde(default)]
    pub completed: Option<Completed>,
    /// Offers that they let pass since they answered one or said whether they take interactions.
    #[serde(default)]
    pub missed: Option<Missed>,
    /// Whether a stream is open. Not stored: nobody is online when the engine starts.
    #[serde(skip)]
    pub connection: Connection,
    /// The interactions that they have. Not stored: interactions know their owner.
    #[serde(skip)]
    pub open: BTreeSet<InteractionId>,
    /// The interactions that they are offered. Not stored: interactions know their offer.
    #[serde(skip)]
    pub offers: BTreeSet<InteractionId>,
}

impl Agent {
    pub(super) const fn new(user: UserId, since: ChannelTime) -> Self {
        Self {
            user,
            present: false,
            last_finish: None,
            last_assigned: None,
            completed: None,
            missed: None,
            connection: Connection::Offline { since: Some(since) },
            open: BTreeSet::new(),
            offers: BTreeSet::new(),
        }
    }

    /// Whether a stream is open.
    pub const fn is_online(&self) -> bool {
        matches!(self.connection, Connection::Online)
    }

    /// How many interactions they finished on a date.
    pub fn completed_on(&self, date: Date) -> u32 {
        self.completed.filter(|completed| completed.on == date).map_or(0, |completed| completed.count)
    }

    /// Whether they can be given an interaction: online, present, a member who receives, with room for another.
    ///
    /// Online is what counts from one instant to the next; only what an agent already has waits for their return.
    pub(super) fn is_available(&self, member: &Member) -> bool {
        member.receive && self.is_online() && self.present && self.slots() < member.max_interactions as usize
    }

    /// The interactions that they have or are offered.
    pub(super) fn slots(&self) -> usize {
        self.open.len() + self.offers.len()
    }

    /// What they have missed when an offer that was made at this time ends now, and they could have answered it. The same as before when it ran at the
    /// same time as the last one that they missed.
    pub(super) fn missing(&self, made: ChannelTime, now: ChannelTime) -> Option<Missed> {
        match self.missed {
            _ if !self.is_online() => self.missed,
            Some(missed) if made < missed.at => Some(missed),
            missed => Some(Missed { count: missed.map_or(0, |missed| missed.count) + 1, at: now }),
        }
    }

    /// Those that run while they are offline and have, or are offered, interactions.
    pub(super) fn timers(&self) -> impl Iterator<Item = (ChannelTime, Timer)> {
        let since = match self.connection {
            Connection::Offline { since } => since,
            Connection::Online => None,
        };
        let offers = since.filter(|_| !self.offers.is_empty());
        let offers = offers.map(|since| (since.after(OFFERS_AWAY_LIMIT), Timer::OffersAway(self.user.clone())));
        let open = since.filter(|_| !self.open.is_empty());
        let open = open.map(|since| (since.after(AWAY_LIMIT), Timer::AgentAway(self.user.clone())));
        offers.into_iter().chain(open)
    }
}

/// What an agent finished on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Completed {
    /// The date in the campaign's time zone.
    pub on: Date,
    /// So many interactions.
    pub count: u32,
}

/// Offers that an agent let pass in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Missed {
    /// So many. Those that ran at the same time count as one.
    pub count: u32,
    /// When the last of them ended.
    pub at: ChannelTime,
}

/// Whether an agent has a stream open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// They have.
    Online,
    /// They have none.
    Offline {
        /// Since when; none between loading and the start of the engine.
        since: Option<ChannelTime>,
    },
}

impl Default for Connection {
    fn default() -> Self {
        Self::Offline { since: None }
    }
}
