//! Numbers that are kept out, until their entries expire.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::sms::PhoneNumber;

/// Which way a number is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Its messages are rejected.
    Inbound,
    /// Agents cannot start interactions with it.
    Outbound,
    /// Both.
    Both,
}

/// One blocked number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The number.
    pub number: PhoneNumber,
    /// Which way it is blocked.
    pub direction: Direction,
    /// From then on the entry does not count.
    pub expires_at: Option<Timestamp>,
}

/// All entries that concern a channel, and which ways count there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blocklist {
    inbound: HashMap<PhoneNumber, Option<Timestamp>>,
    outbound: HashMap<PhoneNumber, Option<Timestamp>>,
}

impl Blocklist {
    /// Collects entries. `inbound` and `outbound` are the channel's switches: a way that is off blocks nobody.
    ///
    /// A number may stand in several lists: it stays blocked until the last of its entries expires.
    pub fn new(inbound: bool, outbound: bool, entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut list = Self::default();
        for Entry { number, direction, expires_at } in entries {
            let (into, from) = match direction {
                Direction::Inbound => (inbound, false),
                Direction::Outbound => (false, outbound),
                Direction::Both => (inbound, outbound),
            };
            if into {
                block(&mut list.inbound, number.clone(), expires_at);
            }
            if from {
                block(&mut list.outbound, number, expires_at);
            }
        }
        list
    }

    /// Whether messages of this number are rejected.
    pub fn blocks_inbound(&self, number: &PhoneNumber, now: Timestamp) -> bool {
        blocked(&self.inbound, number, now)
    }

    /// Whether agents cannot start an interaction with this number.
    pub fn blocks_outbound(&self, number: &PhoneNumber, now: Timestamp) -> bool {
        blocked(&self.outbound, number, now)
    }
}

fn block(way: &mut HashMap<PhoneNumber, Option<Timestamp>>, number: PhoneNumber, until: Option<Timestamp>) {
    way.entry(number)
        .and_modify(|known| *known = known.and_then(|known| until.map(|until| until.max(known))))
        .or_insert(until);
}

fn blocked(way: &HashMap<PhoneNumber, Option<Timestamp>>, number: &PhoneNumber, now: Timestamp) -> bool {
    way.get(number).is_some_and(|until| until.is_none_or(|until| now < until))
}
