//! The open things of a channel: what is needed to decide what happens next. Closed interactions and settled messages are the
//! store's alone.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    agent::Agent,
    assembly::{Assemblies, Assembly},
    bot_run::BotRun,
    clock::{ChannelClock, Leap, SetBack},
    config::ChannelConfig,
    customer::Customer,
    event::SampleResult,
    figures::{AgentCounts, ChannelDay},
    ids::{AssemblyId, CustomerId, InteractionId, MessageId, NoteId, UserId},
    interaction::{Interaction, Phase, Place},
    outbox::{Outbound, Outbox},
    random::Seed,
    ranking::{Ranking, Turn},
    timers::Timers,
};
use crate::sms::Part;

/// Everything that decides what happens next, but for the time.
///
/// Two states are equal when they hold the same open things; the configuration, whether the storage is accepted and whether it has room do not count.
#[derive(Clone, Debug)]
pub struct State {
    pub(super) config: Arc<ChannelConfig>,
    pub(super) storage_accepted: bool,
    pub(super) volume_full: bool,
    pub(super) sending_paused: bool,
    pub(super) scalars: Scalars,
    pub(super) customers: BTreeMap<CustomerId, Customer>,
    pub(super) interactions: BTreeMap<InteractionId, Interaction>,
    pub(super) agents: BTreeMap<UserId, Agent>,
    pub(super) outbox: Outbox,
    /// Long texts of which not all parts are there.
    pub(super) assemblies: Assemblies,
    pub(super) samples: VecDeque<Sample>,
    /// What agents did on the day that is counted.
    pub(super) worked_today: BTreeMap<UserId, AgentCounts>,
    /// Interactions that stand in the queue and that nobody is asked about, in the order in which they are assigned.
    pub(super) unoffered: BTreeSet<(Place, InteractionId)>,
    /// Those that stand there and that somebody is asked about.
    pub(super) offered: BTreeSet<(Place, InteractionId)>,
    /// How many of both have an owner, who hands them over.
    pub(super) handed_over: usize,
    /// Those that stand there and that a bot talks to.
    pub(super) in_queue_with_bot: BTreeSet<(Place, InteractionId)>,
    /// How many a bot talks to before they enter the queue.
    pub(super) before_queue: usize,
    /// How many a bot talks to after their agent has finished them.
    pub(super) after_end: usize,
    /// Those whose bot waits for its turn.
    pub(super) turns: BTreeSet<InteractionId>,
    /// Those whose bot waits for a service.
    pub(super) calls: BTreeSet<InteractionId>,
    /// What ends by itself.
    pub(super) timers: Timers,
    /// Agents who can be given an interaction.
    pub(super) ranking: Ranking,
    /// Of these, those who have become available since all that is due was done, or may be asked again since.
    pub(super) arrived: BTreeSet<UserId>,
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.scalars == other.scalars
            && self.customers == other.customers
            && self.interactions == other.interactions
            && self.agents == other.agents
            && self.outbox == other.outbox
            && self.assemblies == other.assemblies
            && self.samples == other.samples
            && self.worked_today == other.worked_today
            && self.unoffered == other.unoffered
            && self.offered == other.offered
            && self.handed_over == other.handed_over
            && self.in_queue_with_bot == other.in_queue_with_bot
            && (self.before_queue, self.after_end) == (other.before_queue, other.after_end)
            && self.turns == other.turns
            && self.calls == other.calls
            && self.timers == other.timers
    }
}

/// What there is one of. Stored as one row, written with every commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scalars {
    /// The instant of the last event. Time never runs backwards from here.
    pub last: Timestamp,
    /// The next customer's id.
    pub next_customer: CustomerId,
    /// The next interaction's id.
    pub next_interaction: InteractionId,
    /// The next message's id.
    pub next_message: MessageId,
    /// The next note's id.
    pub next_note: NoteId,
    /// The id of the next text of which not all parts are there.
    #[serde(default = "first_assembly")]
    pub next_assembly: AssemblyId,
    /// The channel's own time.
    pub clock: ChannelClock,
    /// The number's limit: when it is used up no further than its burst allows.
    pub paced_until: Timestamp,
    /// The message that took from the limit last; only it can give back.
    pub last_attempted: Option<MessageId>,
    /// No attempt to send starts before: the gateway asked to wait.
    pub hold_until: Timestamp,
    /// The clock went ahead at once, and nobody has confirmed yet that it is right.
    #[serde(default)]
    pub leap: Option<Leap>,
    /// How often a person said that the clock is right.
    #[serde(default)]
    pub clock_settings: u64,
    /// Where chance comes from.
    #[serde(default)]
    pub seed: Seed,
    /// Whose turn it was last: whom the strategy chose.
    #[serde(default)]
    pub turn: Option<Turn>,
    /// The day that is counted; none until something happened on it.
    #[serde(default)]
    pub today: Option<ChannelDay>,
}

impl Scalars {
    /// The largest id that was given out, of any kind.
    pub fn last_id(&self) -> u64 {
        let next = [self.next_customer.0, self.next_interaction.0, self.next_message.0, self.next_note.0];
        next.into_iter().chain([self.next_assembly.0]).fold(1, u64::max) - 1
    }
}

impl Default for Scalars {
    fn default() -> Self {
        Self {
            last: Timestamp::UNIX_EPOCH,
            next_customer: CustomerId(1),
            next_interaction: InteractionId(1),
            next_message: MessageId(1),
            next_note: NoteId(1),
            next_assembly: first_assembly(),
            clock: ChannelClock::default(),
            paced_until: Timestamp::UNIX_EPOCH,
            last_attempted: None,
            hold_until: Timestamp::UNIX_EPOCH,
            leap: None,
            clock_settings: 0,
            seed: Seed::default(),
            turn: None,
            today: None,
        }
    }
}

/// Stores of older versions do not say it.
const fn first_assembly() -> AssemblyId {
    AssemblyId(1)
}

/// How one interaction's wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// The interaction that was waited for.
    pub interaction: InteractionId,
    /// When its wait ended.
    pub at: Timestamp,
    /// How the wait ended for the customer.
    pub result: SampleResult,
    /// Whether it was no longer than the target then in force.
    pub in_target: bool,
}

/// The rows that a state is loaded from at start-up: open things only.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenRows {
    /// What there is one of.
    pub scalars: Scalars,
    /// At least the customers with an open interaction or an unsettled outbound message.
    pub customers: Vec<Customer>,
    /// All open interactions.
    pub interactions: Vec<Interaction>,
    /// All agents.
    pub agents: Vec<Agent>,
    /// Outbound messages that wait or are at the gateway.
    pub outbox: Vec<Outbound>,
    /// Long texts of which not all parts are there.
    #[serde(default)]
    pub assemblies: Vec<Assembly>,
    /// Samples within the service level's window, oldest first.
    pub samples: Vec<Sample>,
    /// What agents did on the day that is counted.
    #[serde(default)]
    pub worked_today: BTreeMap<UserId, AgentCounts>,
}

impl State {
    /// The state of a channel that nothing has happened to. Its storage counts as accepted.
    pub fn new(config: Arc<ChannelConfig>) -> Self {
        Self::from_rows(config, OpenRows::default())
    }

    /// The state as it was stored, with every agent offline. [`Command::Started`](super::command::Command::Started) comes next.
    pub fn from_rows(config: Arc<ChannelConfig>, rows: OpenRows) -> Self {
        let ranking = Ranking::new(&config, &rows.agents, rows.scalars.last);
        let mut state = Self {
            config,
            storage_accepted: true,
            volume_full: false,
            sending_paused: false,
            scalars: rows.scalars,
            customers: rows.customers.into_iter().map(|customer| (customer.id, customer)).collect(),
            interactions: BTreeMap::new(),
            agents: rows.agents.into_iter().map(|agent| (agent.user.clone(), agent)).collect(),
            outbox: rows.outbox.into_iter().collect(),
            assemblies: Assemblies::default(),
            samples: rows.samples.into(),
            worked_today: rows.worked_today,
            unoffered: BTreeSet::new(),
            offered: BTreeSet::new(),
            handed_over: 0,
            in_queue_with_bot: BTreeSet::new(),
            before_queue: 0,
            after_end: 0,
            turns: BTreeSet::new(),
            calls: BTreeSet::new(),
            timers: Timers::default(),
            ranking,
            arrived: BTreeSet::new(),
        };
        for interaction in rows.interactions {
            state.put_interaction(interaction);
        }
        for assembly in rows.assemblies {
            state.put_assembly(assembly);
        }
        state
    }

    /// The rows to load this state from again.
    pub fn rows(&self) -> OpenRows {
        OpenRows {
            scalars: self.scalars.clone(),
            customers: self.customers.values().cloned().collect(),
            interactions: self.interactions.values().cloned().collect(),
            agents: self.agents.values().cloned().collect(),
            outbox: self.outbox.iter().cloned().collect(),
            assemblies: self.assemblies.iter().cloned().collect(),
            samples: self.samples.iter().copied().collect(),
            worked_today: self.worked_today.clone(),
        }
    }

    /// Puts another configuration in force. [`Command::ConfigChanged`](super::command::Command::ConfigChanged) comes next.
    pub fn set_config(&mut self, config: Arc<ChannelConfig>) {
        self.config = config;
        self.index_anew();
    }

    /// The configuration in force.
    pub fn config(&self) -> &Arc<ChannelConfig> {
        &self.config
    }

    /// Says whether the storage is the one it should be. While it is not, nothing is sent; everything else goes on.
    pub fn set_storage_accepted(&mut self, accepted: bool) {
        self.storage_accepted = accepted;
    }

    /// Whether the storage is the one it should be.
    pub const fn storage_accepted(&self) -> bool {
        self.storage_accepted
    }

    /// Says whether the volume is full: of what customers write only what changes their consent is recorded then.
    /// [`Command::Tick`](super::command::Command::Tick) comes next when it has room again: agents may be asked.
    pub fn set_volume_full(&mut self, full: bool) {
        if self.volume_full && !full {
            self.arrived.extend(self.ranking.users().cloned());
        }
        self.volume_full = full;
    }

    /// Whether the volume is full.
    pub const fn is_volume_full(&self) -> bool {
        self.volume_full
    }

    /// Says whether attempts to send may start. Those that are under way go on.
    pub const fn pause_sending(&mut self, paused: bool) {
        self.sending_paused = paused;
    }

    /// Takes in a customer's row from the store. One that is here already is newer and stays.
    pub fn hydrate_customer(&mut self, customer: Customer) {
        self.customers.entry(customer.id).or_insert(customer);
    }

    /// Replaces the samples by those of the store, oldest first. Needed when the service level's window becomes longer.
    pub fn replace_samples(&mut self, samples: impl IntoIterator<Item = Sample>) {
        self.samples = samples.into_iter().collect();
    }

    /// Forgets customers whom nothing open concerns, and samples older than the window. The store has them.
    pub fn evict_idle(&mut self, now: Timestamp) {
        let outbox = &self.outbox;
        self.customers.retain(|id, customer| customer.open.is_some() || outbox.has_customer(*id));
        let window = self.config.service_level.window;
        while self.samples.front().is_some_and(|sample| now.duration_since(sample.at) >= window) {
            self.samples.pop_front();
        }
    }

    /// The leap of the clock that is not confirmed yet.
    pub fn open_leap(&self, now: Timestamp) -> Option<Leap> {
        self.scalars.leap.filter(|leap| now < leap.until)
    }

    /// What there is one of.
    pub const fn scalars(&self) -> &Scalars {
        &self.scalars
    }

    /// A customer, if they are here.
    pub fn customer(&self, id: CustomerId) -> Option<&Customer> {
        self.customers.get(&id)
    }

    /// An open interaction.
    pub fn interaction(&self, id: InteractionId) -> Option<&Interaction> {
        self.interactions.get(&id)
    }

    /// All open interactions, oldest first.
    pub fn interactions(&self) -> impl Iterator<Item = &Interaction> {
        self.interactions.values()
    }

    /// Interactions that wait, in the order in which they are assigned; those that a bot talks to come last, since they are assigned to nobody.
    /// What its owner hands over to the queue has an agent.
    pub fn queue(&self) -> impl Iterator<Item = InteractionId> {
        let queued = |id: &InteractionId| self.interaction(*id).is_some_and(Interaction::is_queued);
        self.unoffered.union(&self.offered).chain(&self.in_queue_with_bot).map(|(_, id)| *id).filter(queued)
    }

    /// How many interactions wait.
    pub fn queue_len(&self) -> usize {
        self.unoffered.len() + self.offered.len() + self.in_queue_with_bot.len() - self.handed_over
    }

    /// The interactions whose bot takes its turn now: the shell brings what each needs ([`Command::BotTurn`](super::command::Command::BotTurn)).
    pub fn bot_turns(&self) -> impl Iterator<Item = (InteractionId, &BotRun)> {
        self.due_bots(&self.turns)
    }

    /// The interactions whose bot takes its turn when a service has answered: the shell calls it, and brings the answer with the turn.
    pub fn bot_calls(&self) -> impl Iterator<Item = (InteractionId, &BotRun)> {
        self.due_bots(&self.calls)
    }

    fn due_bots<'a>(&'a self, due: &'a BTreeSet<InteractionId>) -> impl Iterator<Item = (InteractionId, &'a BotRun)> {
        let due = due.iter().filter(|_| self.may_bots_step());
        due.filter_map(|id| Some((*id, self.interaction(*id)?.bot()?)))
    }

    /// The bot of an interaction, if its turn is due.
    pub(super) fn due_turn(&self, id: InteractionId) -> Option<&BotRun> {
        let is_due = self.may_bots_step() && (self.turns.contains(&id) || self.calls.contains(&id));
        self.interaction(id).filter(|_| is_due)?.bot()
    }

    /// Whether bots may take steps, and begin.
    pub fn may_bots_step(&self) -> bool {
        self.config.enabled && self.storage_accepted && !self.volume_full
    }

    /// A text of which not all parts are there.
    pub fn assembly(&self, id: AssemblyId) -> Option<&Assembly> {
        self.assemblies.get(id)
    }

    /// All texts of which not all parts are there.
    pub fn assemblies(&self) -> impl Iterator<Item = &Assembly> {
        self.assemblies.iter()
    }

    /// The text that a customer's part belongs to, if others of its parts are there.
    pub fn assembly_of(&self, customer: CustomerId, part: Part) -> Option<&Assembly> {
        self.assemblies.of(customer, part)
    }

    /// The texts that are waited for no longer: the shell brings their parts
    /// ([`Command::PartsTimedOut`](super::command::Command::PartsTimedOut)). On a full volume they stay as they are.
    pub fn parts_due(&self) -> impl Iterator<Item = AssemblyId> {
        self.assemblies.timed_out().filter(|_| !self.volume_full)
    }

    /// An agent who was seen.
    pub fn agent(&self, user: &UserId) -> Option<&Agent> {
        self.agents.get(user)
    }

    /// The agents who are online.
    pub fn agents_online(&self) -> impl Iterator<Item = &UserId> {
        self.agents.values().filter(|agent| agent.is_online()).map(|agent| &agent.user)
    }

    /// An outbound message that waits or is at the gateway.
    pub fn outbound(&self, message: MessageId) -> Option<&Outbound> {
        self.outbox.get(message)
    }

    /// Outbound messages that wait or are at the gateway, oldest first.
    pub fn outbox(&self) -> impl Iterator<Item = &Outbound> {
        self.outbox.iter()
    }

    /// Samples, oldest first; some may be older than the window.
    pub fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.samples.iter()
    }

    /// Time is set back: what would lie in the future moves with it, so that nothing waits for it and no order changes.
    pub(super) fn set_back(&mut self, back: SetBack) {
        let scalars = &mut self.scalars;
        scalars.clock.set_back(back);
        scalars.paced_until = back.moved(scalars.paced_until);
        scalars.hold_until = back.moved(scalars.hold_until);
        let open: Vec<InteractionId> = self.interactions.keys().copied().collect();
        for id in open {
            self.with_interaction(id, |interaction| {
                interaction.arrived_at = back.moved(interaction.arrived_at);
                for since in
                    [&mut interaction.waiting_since, &mut interaction.unreplied_since, &mut interaction.owned_since]
                {
                    *since = since.map(|since| back.moved(since));
                }
                if let Phase::Queued { place: Place::Head(_, at) | Place::Tail(_, at), since, .. } =
                    &mut interaction.phase
                {
                    *at = back.moved(*at);
                    *since = back.moved(*since);
                }
            });
        }
        for agent in self.agents.values_mut() {
            agent.last_finish = agent.last_finish.map(|at| back.moved(at));
            agent.last_assigned = agent.last_assigned.map(|at| back.moved(at));
        }
        self.rank(back.to);
        for sample in &mut self.samples {
            sample.at = back.moved(sample.at);
        }
        self.samples.make_contiguous().sort_by_key(|sample| sample.at);
        self.outbox.set_back(back);
    }
}
