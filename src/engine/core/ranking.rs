//! The agents who can be given an interaction, in the order of the strategy: an index, so that a choice among a thousand costs what one
//! among ten does.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    agent::Agent,
    config::{ChannelConfig, Member, Strategy},
    ids::UserId,
    schedule::Day,
};

/// A place in the order of the members: by position, and by name where two have the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Turn {
    /// The member's position.
    pub position: u32,
    /// The member.
    pub user: UserId,
}

/// What a strategy compares, in this order. What it does not look at is the same for all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    penalty: u32,
    completed_today: u32,
    open: usize,
    /// Who never finished an interaction comes before all who did.
    last_finish: Option<Timestamp>,
    /// So that several newcomers take turns.
    last_assigned: Option<Timestamp>,
    pub(super) turn: Turn,
}

impl Rank {
    fn of(strategy: Strategy, member: &Member, agent: &Agent, day: &Day) -> Self {
        let turn = Turn { position: member.position, user: member.user.clone() };
        let none = Self { penalty: 0, completed_today: 0, open: 0, last_finish: None, last_assigned: None, turn };
        match strategy {
            Strategy::LeastRecent => Self {
                penalty: member.penalty,
                last_finish: agent.last_finish,
                last_assigned: agent.last_assigned,
                ..none
            },
            Strategy::FewestInteractions => Self {
                penalty: member.penalty,
                completed_today: agent.completed_on(day.date),
                open: agent.slots(),
                last_assigned: agent.last_assigned,
                ..none
            },
            Strategy::Linear | Strategy::RingAll | Strategy::Random | Strategy::WeightedRandom => {
                Self { penalty: member.penalty, ..none }
            }
            Strategy::RoundRobin => none,
        }
    }
}

/// The agents who can be given an interaction.
#[derive(Clone, Debug)]
pub(super) struct Ranking {
    /// What `completed_today` is of.
    day: Day,
    ranked: Vec<Arc<Rank>>,
    of: BTreeMap<UserId, Arc<Rank>>,
}

impl Ranking {
    /// Of all of these agents, on the day of an instant.
    pub(super) fn new<'a>(config: &ChannelConfig, agents: impl IntoIterator<Item = &'a Agent>, now: Timestamp) -> Self {
        let mut ranking = Self { day: config.schedule.day(now), ranked: Vec::new(), of: BTreeMap::new() };
        for agent in agents {
            ranking.put(config, agent);
        }
        ranking
    }

    /// Whether it counts what is completed on the day of this instant.
    pub(super) fn is_of_day(&self, now: Timestamp) -> bool {
        self.day.contains(now)
    }

    /// Puts an agent where they belong now, or nowhere. Whether they were nowhere before.
    pub(super) fn put(&mut self, config: &ChannelConfig, agent: &Agent) -> bool {
        let member = config.members.get(&agent.user).filter(|member| agent.is_available(member));
        let rank = member.map(|member| Rank::of(config.strategy, member, agent, &self.day));
        let before = self.of.get(&agent.user);
        if before.map(Arc::as_ref) == rank.as_ref() {
            return false;
        }
        let (is_new, is_ranked) = (before.is_none(), rank.is_some());
        if let Some(before) = self.of.remove(&agent.user)
            && let Ok(at) = self.ranked.binary_search(&before)
        {
            self.ranked.remove(at);
        }
        if let Some(rank) = rank.map(Arc::new) {
            let at = self.ranked.partition_point(|other| *other < rank);
            self.ranked.insert(at, Arc::clone(&rank));
            self.of.insert(agent.user.clone(), rank);
        }
        is_new && is_ranked
    }

    /// The users who can be given an interaction now.
    pub(super) fn users(&self) -> impl Iterator<Item = &UserId> {
        self.of.keys()
    }

    /// Whether this user can be given an interaction now.
    pub(super) fn has(&self, user: &UserId) -> bool {
        self.of.contains_key(user)
    }

    /// The penalty of one of them. For an order by penalties.
    pub(super) fn penalty(&self, user: &UserId) -> Option<u32> {
        self.of.get(user).map(|rank| rank.penalty)
    }

    pub(super) fn len(&self) -> usize {
        self.ranked.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ranked.is_empty()
    }

    pub(super) fn order(&self) -> Order<'_> {
        Order(&self.ranked)
    }
}

/// Agents in the order of the strategy.
#[derive(Clone, Copy)]
pub(super) struct Order<'r>(pub(super) &'r [Arc<Rank>]);

impl<'r> Order<'r> {
    /// The first in the order.
    pub(super) fn first(self) -> Option<&'r Turn> {
        self.0.first().map(|rank| &rank.turn)
    }

    /// The next in turn; the first when it was the last one's turn, or nobody's. For an order by turns alone.
    pub(super) fn after(self, last: Option<&Turn>) -> Option<&'r Turn> {
        let next = last.map_or(0, |last| self.0.partition_point(|rank| rank.turn <= *last));
        self.0.get(next).or_else(|| self.0.first()).map(|rank| &rank.turn)
    }

    /// One of those with the lowest penalty, each as likely as the others. For an order by penalties and turns.
    pub(super) fn draw(self, random: u64) -> Option<&'r Turn> {
        let class = self.class(0);
        Some(&class.get(share(random, class.len() as u64) as usize)?.turn)
    }

    /// One of all; who has the penalty `p` is chosen `1 / (1 + p)` times as often as who has none. For an order by penalties and turns.
    pub(super) fn draw_weighted(self, random: u64) -> Option<&'r Turn> {
        let mut drawn = share(random, self.classes().map(|class| class.len() as u64 * weight(class)).sum());
        for class in self.classes() {
            let weight = weight(class);
            let of_class = class.len() as u64 * weight;
            if drawn < of_class {
                return Some(&class.get((drawn / weight) as usize)?.turn);
            }
            drawn -= of_class;
        }
        None
    }

    /// Those with one penalty each, the lowest first. There are at most as many as there are penalties.
    fn classes(self) -> impl Iterator<Item = &'r [Arc<Rank>]> {
        let mut from = 0;
        std::iter::from_fn(move || {
            let class = self.class(from);
            from += class.len();
            (!class.is_empty()).then_some(class)
        })
    }

    /// Those with the penalty of the one at this place, who are at this place or behind it.
    fn class(self, from: usize) -> &'r [Arc<Rank>] {
        let Some(behind) = self.0.get(from..).filter(|behind| !behind.is_empty()) else { return &[] };
        let len = behind.partition_point(|rank| rank.penalty <= behind[0].penalty);
        &behind[..len]
    }

    /// All with the lowest penalty. For an order by penalties.
    pub(super) fn lowest_penalty(self) -> impl Iterator<Item = &'r Turn> {
        self.class(0).iter().map(|rank| &rank.turn)
    }
}

/// What each of a class counts for, in a unit in which all penalties (0 to 100) come out as they should.
fn weight(class: &[Arc<Rank>]) -> u64 {
    const WITHOUT_PENALTY: u64 = 1_000_000_000_000;
    class.first().map_or(0, |rank| WITHOUT_PENALTY / (1 + u64::from(rank.penalty)))
}

/// The part of `whole` that a random number stands for: from 0 to below `whole`.
const fn share(random: u64, whole: u64) -> u64 {
    ((random as u128 * whole as u128) >> 64) as u64
}
