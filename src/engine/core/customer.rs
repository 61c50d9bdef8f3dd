//! A customer, as far as decisions need to know them.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    clock::ChannelTime,
    ids::{CustomerId, InteractionId, UserId},
};

/// A customer. The store keeps all of them; the state those whom something open concerns, and those who were asked about lately.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Customer {
    /// The id that stands for their address in events and state.
    pub id: CustomerId,
    /// Whether they can be answered: their address is a number.
    pub can_receive: bool,
    /// Nothing may be sent to them.
    pub opted_out: bool,
    /// When they were last sent the text for those who write outside the hours.
    pub out_of_hours_text_at: Option<Timestamp>,
    /// When they were last sent the text for those who find the queue full.
    pub queue_full_text_at: Option<Timestamp>,
    /// Their open interaction.
    pub open: Option<InteractionId>,
    /// Who had the last of their interactions that an agent had, once it ended.
    pub last_agent: Option<LastAgent>,
    /// The bots that they met lately.
    #[serde(default)]
    pub met_bots: Option<MetBots>,
}

/// Bots that a customer met before the queue, within an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MetBots {
    /// When they met the first.
    pub since: Timestamp,
    /// How many they have met since then.
    pub count: u32,
}

impl MetBots {
    /// With another one at this instant.
    pub(super) fn another(before: Option<Self>, at: Timestamp) -> Self {
        let lately = before.filter(|met| met.is_lately(at));
        lately.map_or(Self { since: at, count: 1 }, |met| Self { count: met.count.saturating_add(1), ..met })
    }

    /// Whether it counts still. What bears a later time was before the clock was set back: nobody knows when.
    fn is_lately(&self, now: Timestamp) -> bool {
        self.since <= now && now.duration_since(self.since) < BOTS_WINDOW
    }

    /// Whether they may meet no other one now: two machines may be talking to each other.
    pub(super) fn is_too_many(&self, now: Timestamp) -> bool {
        self.is_lately(now) && self.count >= MAX_BOTS
    }
}

/// A customer meets so many bots before the queue at most,
const MAX_BOTS: u32 = 5;
/// within so long.
const BOTS_WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// Who had an interaction that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastAgent {
    /// The agent.
    pub user: UserId,
    /// When it ended, in the time for which the channel was enabled.
    pub ended_at: ChannelTime,
}

impl Customer {
    pub(super) const fn new(id: CustomerId, can_receive: bool) -> Self {
        Self {
            id,
            can_receive,
            opted_out: false,
            out_of_hours_text_at: None,
            queue_full_text_at: None,
            open: None,
            last_agent: None,
            met_bots: None,
        }
    }
}
