//! The channel's configuration as the core is given it: checked, so that nothing in it can be wrong.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::{NonZeroU32, NonZeroU64},
};

use jiff::SignedDuration;

use super::{
    blocklist::Blocklist,
    bot_run::Bots,
    ids::{DispositionName, UserId},
    opt_out::OptOut,
    schedule::Schedule,
};

/// Everything that decides how a channel behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelConfig {
    /// The channel is enabled and not being deleted, and so is its campaign.
    pub enabled: bool,
    /// When the campaign is open.
    pub schedule: Schedule,
    /// How waiting interactions find an agent.
    pub strategy: Strategy,
    /// What an agent is asked.
    pub offer: OfferMode,
    /// The agents who serve the channel.
    pub members: Members,
    /// Who may give interactions to agents, take them over and close them.
    pub supervisors: BTreeSet<UserId>,
    /// What an agent may choose as the outcome of an interaction.
    pub dispositions: BTreeSet<DispositionName>,
    /// An agent finishes no interaction without one of them.
    pub disposition_required: bool,
    /// How many interactions may wait; none = no maximum.
    pub max_queued: Option<NonZeroU32>,
    /// An interaction that waits in the queue for so long has timed out; none = it may wait for ever.
    pub max_queue: Option<SignedDuration>,
    /// A transfer that nobody has taken for so long ends; none = it waits for ever.
    pub max_transfer: Option<SignedDuration>,
    /// Sent to a customer who finds the queue full.
    pub queue_full_message: Option<String>,
    /// Sent to a customer who writes outside the hours.
    pub out_of_hours_message: Option<String>,
    /// What talks to customers by itself.
    pub bots: Bots,
    /// Numbers that are kept out.
    pub blocklist: Blocklist,
    /// Words that opt out and in, and what is said then.
    pub opt_out: OptOut,
    /// The promise that is measured.
    pub service_level: ServiceLevelGoal,
    /// An interaction that an agent has is closed after so long without a message.
    pub session_idle: SignedDuration,
    /// A customer who writes again within so long goes to the agent whom they had last, before others; none = to nobody in particular.
    pub session_reopen: Option<SignedDuration>,
    /// How fast this number may send.
    pub per_number: RateLimit,
}

impl ChannelConfig {
    /// Whether this user may have interactions: an agent or a supervisor.
    pub fn serves(&self, user: &UserId) -> bool {
        self.members.get(user).is_some() || self.supervisors.contains(user)
    }
}

/// How waiting interactions find an agent. A lower penalty comes first, but for those that say otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Whose last finish is the longest ago; who never finished one comes first.
    LeastRecent,
    /// Who finished the fewest interactions today, then who has the fewest.
    FewestInteractions,
    /// By chance.
    Random,
    /// By position, always from the first.
    Linear,
    /// By position, in turn. Penalties do not count.
    RoundRobin,
    /// Everybody with the lowest penalty is asked, and the first to accept has it. Needs [`OfferMode::Ask`].
    RingAll,
    /// By chance: a penalty `p` makes it `1 / (1 + p)` times as likely.
    WeightedRandom,
}

/// What an agent is asked before an interaction is theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfferMode {
    /// Nothing: it is theirs at once.
    Assign,
    /// Whether they take it.
    Ask {
        /// Seconds in which they must say so, before another one is asked.
        timeout_seconds: NonZeroU32,
    },
}

/// One who answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The user's name, as it stands in tokens.
    pub user: UserId,
    /// Place in the order, lowest first.
    pub position: u32,
    /// 0 to 100; lower is asked first.
    pub penalty: u32,
    /// May be given interactions.
    pub receive: bool,
    /// May start interactions.
    pub initiate: bool,
    /// Open interactions at once.
    pub max_interactions: u32,
}

/// The members of a campaign, each user once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members(BTreeMap<UserId, Member>);

impl Members {
    /// The member who is this user.
    pub fn get(&self, user: &UserId) -> Option<&Member> {
        self.0.get(user)
    }

    /// All, in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Member> {
        self.0.values()
    }
}

impl FromIterator<Member> for Members {
    /// Of two with the same user the later one counts; the API refuses such lists.
    fn from_iter<I: IntoIterator<Item = Member>>(members: I) -> Self {
        Self(members.into_iter().map(|member| (member.user.clone(), member)).collect())
    }
}

/// The promise that is measured: time until an agent answers. Whether the objective is met is judged by who knows it; here it is
/// counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceLevelGoal {
    /// Longest time from entering the queue until the answer that still counts as in target.
    pub target: SignedDuration,
    /// What counts as the answer.
    pub answered_by: AnsweredBy,
    /// Only samples younger than this count.
    pub window: SignedDuration,
}

/// What ends a customer's wait for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnsweredBy {
    /// The agent's first reply.
    Reply,
    /// An agent has the interaction; a reply too, if the setting changed in between.
    Accept,
}

/// So many segments in so much time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Segments.
    pub segments: NonZeroU32,
    /// Seconds.
    pub per_seconds: NonZeroU64,
}
