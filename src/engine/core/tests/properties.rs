//! Random commands at random times, with restarts: the promises hold in every history.

use std::{collections::BTreeMap, num::NonZeroU32, sync::Arc};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use proptest::prelude::*;

use super::{
    bots_of_histories::{BOTS, bot_ref},
    desk::{Desk, ask, config, member, never_open, number, opt_out, without},
    importing,
    model::Model,
    recount,
    transitions::Watch,
};
use crate::{
    engine::core::{
        apply::apply,
        blocklist::{Blocklist, Direction, Entry},
        bot_run::Bots,
        command::{Answer, Command, Content, SendResult, TransferTo},
        config::{self, ChannelConfig, OfferMode, RateLimit, Strategy as Distribution},
        delivery::{DeliveryState, FailureClass, MessageStatus, SendOutcome},
        due::due,
        event::Event,
        ids::{Attempt, Epoch, InteractionId, MessageId, OfferId},
        interaction::Interaction,
        opt_out::{AnsweredBy, Keyword},
        schedule::Schedule,
        state::State,
    },
    sms::Sender,
};

const USERS: [&str; 4] = ["ana", "bo", "cy", SUPERVISOR];
/// A supervisor who is no member.
const SUPERVISOR: &str = "eva";

/// Something that happens to a desk. Indexes pick among what there is.
#[derive(Clone, Debug)]
enum Step {
    Pass(i64),
    ClockBack(i64),
    Text {
        customer: u32,
        word: usize,
        provider: bool,
    },
    /// One of the parts of one of a customer's texts; the same one again says the same, or something else.
    Part {
        customer: u32,
        reference: u16,
        total: u8,
        sequence: u8,
        other: bool,
    },
    PartAgain(usize),
    Duplicate(usize),
    Online(usize),
    Offline(usize),
    Present(usize, bool),
    Reply {
        user: usize,
        interaction: usize,
        stale: bool,
        long: bool,
    },
    Finish {
        user: usize,
        interaction: usize,
        stale: bool,
    },
    Note {
        user: usize,
        interaction: usize,
        owner: bool,
    },
    Start {
        user: usize,
        customer: u32,
    },
    Transfer {
        interaction: usize,
        to: Option<usize>,
    },
    CancelTransfer {
        interaction: usize,
    },
    Assign {
        interaction: usize,
        to: usize,
        supervisor: bool,
    },
    Close {
        interaction: usize,
        supervisor: bool,
    },
    Accept {
        user: usize,
        interaction: usize,
        stale: bool,
    },
    Decline {
        user: usize,
        interaction: usize,
        stale: bool,
    },
    Answer {
        message: usize,
        outcome: SendOutcome,
        stale: bool,
    },
    /// With a token of an attempt, or without one.
    Receipt {
        message: usize,
        token: Option<u32>,
        state: DeliveryState,
    },
    /// By a supervisor, or by somebody else; customers, and since when they are opted out elsewhere.
    Import {
        supervisor: bool,
        listed: Vec<(u32, Option<i64>)>,
    },
    Resend {
        user: usize,
        message: usize,
    },
    Configure(usize),
    AcceptStorage(bool),
    BotTurn(usize),
    Evict,
    Restart,
}

/// Every text but the opt-out words, and every address, holds one of these; no event may.
const SECRETS: [&str; 4] = ["TEXT-", "+1555", "MYBANK", "!"];

const TEXTS: [&str; 9] = ["on", "off", "TEXT-hello", "TEXT-again", "stop!", "Start", "help", "STOP", "TEXT-Ж"];

fn outcome() -> impl Strategy<Value = SendOutcome> {
    prop_oneof![
        4 => Just(SendOutcome::Accepted),
        2 => (0i64..5_000).prop_map(|millis| SendOutcome::NotSent { retry_after: SignedDuration::from_millis(millis) }),
        1 => Just(SendOutcome::Unknown),
        1 => Just(SendOutcome::Refused(FailureClass::InvalidNumber)),
        1 => Just(SendOutcome::Refused(FailureClass::OptedOut)),
    ]
}

fn delivery() -> impl Strategy<Value = DeliveryState> {
    prop_oneof![
        Just(DeliveryState::Queued),
        Just(DeliveryState::Sent),
        Just(DeliveryState::Delivered),
        Just(DeliveryState::Failed(FailureClass::Failed)),
        Just(DeliveryState::Failed(FailureClass::OptedOut)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let user = 0..USERS.len();
    let index = 0usize..1000;
    prop_oneof![
        3 => prop_oneof![0i64..2_000, Just(60_000), 0i64..400_000, 0i64..8_000_000, Just(20_000_000)].prop_map(Step::Pass),
        1 => (0i64..60_000).prop_map(Step::ClockBack),
        8 => (0u32..6, 0..TEXTS.len(), prop::bool::weighted(0.1))
            .prop_map(|(customer, word, provider)| Step::Text { customer, word, provider }),
        8 => (0u32..6, 0u16..2, 2u8..5, 0u8..5, prop::bool::weighted(0.1)).prop_map(
            |(customer, reference, total, sequence, other)| Step::Part {
                customer,
                reference,
                total,
                sequence: 1 + sequence % total,
                other,
            },
        ),
        1 => index.clone().prop_map(Step::PartAgain),
        1 => index.clone().prop_map(Step::Duplicate),
        2 => user.clone().prop_map(Step::Online),
        1 => user.clone().prop_map(Step::Offline),
        2 => (user.clone(), prop::bool::weighted(0.8)).prop_map(|(user, present)| Step::Present(user, present)),
        6 => (user.clone(), index.clone(), prop::bool::weighted(0.1), prop::bool::weighted(0.1))
            .prop_map(|(user, interaction, stale, long)| Step::Reply { user, interaction, stale, long }),
        3 => (user.clone(), index.clone(), prop::bool::weighted(0.1))
            .prop_map(|(user, interaction, stale)| Step::Finish { user, interaction, stale }),
        1 => (user.clone(), index.clone(), any::<bool>())
            .prop_map(|(user, interaction, owner)| Step::Note { user, interaction, owner }),
        4 => (index.clone(), prop::option::weighted(0.6, user.clone()))
            .prop_map(|(interaction, to)| Step::Transfer { interaction, to }),
        1 => index.clone().prop_map(|interaction| Step::CancelTransfer { interaction }),
        12 => index.clone().prop_map(Step::BotTurn),
        2 => (index.clone(), user.clone(), prop::bool::weighted(0.8))
            .prop_map(|(interaction, to, supervisor)| Step::Assign { interaction, to, supervisor }),
        1 => (index.clone(), prop::bool::weighted(0.5))
            .prop_map(|(interaction, supervisor)| Step::Close { interaction, supervisor }),
        5 => (user.clone(), index.clone(), prop::bool::weighted(0.1))
            .prop_map(|(user, interaction, stale)| Step::Accept { user, interaction, stale }),
        3 => (user.clone(), index.clone(), prop::bool::weighted(0.1))
            .prop_map(|(user, interaction, stale)| Step::Decline { user, interaction, stale }),
        2 => (user, 0u32..8).prop_map(|(user, customer)| Step::Start { user, customer }),
        6 => (index.clone(), outcome(), prop::bool::weighted(0.1))
            .prop_map(|(message, outcome, stale)| Step::Answer { message, outcome, stale }),
        3 => (0..USERS.len(), index.clone()).prop_map(|(user, message)| Step::Resend { user, message }),
        2 => (index, prop::option::of(0u32..4), delivery())
            .prop_map(|(message, token, state)| Step::Receipt { message, token, state }),
        1 => (prop::bool::weighted(0.8), prop::collection::vec((0u32..8, prop::option::of(-4_000i64..100_000)), 1..5))
            .prop_map(|(supervisor, listed)| Step::Import { supervisor, listed }),
        1 => (0..CHANGES.len()).prop_map(Step::Configure),
        1 => prop::bool::weighted(0.7).prop_map(Step::AcceptStorage),
        1 => Just(Step::Evict),
        1 => Just(Step::Restart),
    ]
}

type Change = fn(&mut ChannelConfig);

/// What people change. Each is undone by another one.
const CHANGES: [Change; 34] = [
    |config| config.enabled = false,
    |config| config.enabled = true,
    |config| config.enabled = true,
    |config| config.schedule = never_open(),
    |config| config.schedule = Schedule::always(),
    |config| config.schedule = in_zone("America/Los_Angeles"),
    |config| config.schedule = in_zone("Pacific/Auckland"),
    |config| config.max_queued = NonZeroU32::new(2),
    |config| config.max_queued = None,
    |config| config.strategy = Distribution::LeastRecent,
    |config| config.strategy = Distribution::FewestInteractions,
    |config| config.strategy = Distribution::Random,
    |config| config.strategy = Distribution::Linear,
    |config| config.strategy = Distribution::RoundRobin,
    |config| config.strategy = Distribution::WeightedRandom,
    |config| {
        config.strategy = Distribution::RingAll;
        config.offer = ask(30);
    },
    |config| config.offer = ask(30),
    |config| config.offer = ask(400),
    |config| {
        config.offer = OfferMode::Assign;
        // It asks everybody.
        if config.strategy == Distribution::RingAll {
            config.strategy = Distribution::LeastRecent;
        }
    },
    |config| config.members = without(&config.members, "bo"),
    |config| config.members = [member("ana", 3, 1), member("bo", 1, 3), member("cy", 2, 2)].into_iter().collect(),
    |config| config.service_level.target = SignedDuration::from_secs(600),
    |config| config.service_level.answered_by = config::AnsweredBy::Accept,
    |config| config.service_level.answered_by = config::AnsweredBy::Reply,
    |config| config.session_reopen = Some(SignedDuration::from_secs(50)),
    |config| config.max_transfer = config.max_transfer.map_or(Some(SignedDuration::from_secs(60)), |_| None),
    |config| config.max_queue = config.max_queue.map_or(Some(SignedDuration::from_secs(20)), |_| None),
    |config| config.bots = Bots::default(),
    |config| config.bots.on_start = bot_ref(0),
    |config| config.bots = Bots { on_start: bot_ref(1), on_queue_timeout: bot_ref(0), on_end: bot_ref(1) },
    |config| config.bots.on_end = bot_ref(0),
    |config| config.opt_out = opt_out(AnsweredBy::Provider),
    |config| config.opt_out = opt_out(AnsweredBy::Aldis),
    |config| {
        let entry = |digit, direction| Entry { number: number(digit), direction, expires_at: None };
        let entries = [entry(0, Direction::Inbound), entry(1, Direction::Outbound)];
        config.blocklist = Blocklist::new(true, true, entries);
    },
];

/// Always open, with days of its own.
fn in_zone(zone: &str) -> Schedule {
    Schedule::new(TimeZone::get(zone).unwrap(), None, BTreeMap::new())
}

fn start_config() -> ChannelConfig {
    let mut config = config();
    config.members = [member("ana", 1, 1), member("bo", 2, 2), member("cy", 3, 3)].into_iter().collect();
    config.supervisors = [SUPERVISOR.into()].into();
    config.session_idle = SignedDuration::from_secs(3000);
    config.session_reopen = Some(SignedDuration::from_secs(2000));
    config.max_queue = Some(SignedDuration::from_secs(300));
    config.max_transfer = Some(SignedDuration::from_secs(120));
    config.bots = Bots { on_start: bot_ref(0), on_queue_timeout: bot_ref(1), on_end: bot_ref(0) };
    config.service_level.window = SignedDuration::from_secs(5000);
    config.per_number =
        RateLimit { segments: NonZeroU32::new(2).unwrap(), per_seconds: std::num::NonZeroU64::new(3).unwrap() };
    config
}

/// A desk, and what the events so far say of it.
struct History {
    desk: Desk,
    model: Model,
    followed: usize,
    sent_in: usize,
    /// The latest instant at which samples may have been evicted.
    latest: Timestamp,
    /// Distinct messages that were handed in by customers.
    inbound: Vec<(Sender, String)>,
    /// Parts of long texts that were handed in: which, what they say and under which id; how many were taken; and how often what they
    /// say must be somewhere.
    parts: Vec<SentPart>,
    parts_taken: usize,
    said: BTreeMap<String, usize>,
}

/// Who sent a part, which one, what it says, and its id.
type SentPart = (Sender, (u16, u8, u8), String, String);

fn pick<T: Clone>(of: &[T], index: usize) -> Option<T> {
    (!of.is_empty()).then(|| of[index % of.len()].clone())
}

impl History {
    fn new() -> Self {
        let mut desk = Desk::new(start_config());
        desk.watch = Some(Watch::default());
        for (name, spec) in BOTS.iter().map(|(name, bot)| (*name, bot())) {
            desk.bot(name, spec);
        }
        let latest = desk.now;
        let mut history = Self {
            desk,
            model: Model::default(),
            followed: 0,
            sent_in: 0,
            latest,
            inbound: Vec::new(),
            parts: Vec::new(),
            parts_taken: 0,
            said: BTreeMap::new(),
        };
        history.check();
        history
    }

    fn perform(&mut self, step: &Step) {
        match step {
            Step::Pass(millis) => self.pass(SignedDuration::from_millis(*millis)),
            Step::ClockBack(millis) => {
                self.desk.now -= SignedDuration::from_millis(*millis);
                self.desk.execute(&Command::Tick);
            }
            Step::Text { customer, word, provider } => {
                // Customer 5 has no number.
                let sender = if *customer == 5 { Sender::Other("MYBANK".into()) } else { number(*customer).into() };
                let provider = provider.then_some(Keyword::Stop);
                let id = format!("SM{}", self.inbound.len());
                self.inbound.push((sender.clone(), id.clone()));
                self.sent_in += 1;
                assert!(self.desk.inbound(&sender, TEXTS[*word], provider, &id).is_some());
            }
            Step::Part { customer, reference, total, sequence, other } => {
                let sender = if *customer == 5 { Sender::Other("MYBANK".into()) } else { number(*customer).into() };
                let text = format!("<TEXT-{customer}-{reference}-{total}-{sequence}-{other}>");
                let id = format!("PA{}", self.parts.len());
                self.parts.push((sender, (*reference, *total, *sequence), text, id));
                self.part(self.parts.len() - 1);
            }
            Step::PartAgain(index) => {
                if !self.parts.is_empty() {
                    self.part(index % self.parts.len());
                }
            }
            Step::Duplicate(index) => {
                if let Some((sender, id)) = pick(&self.inbound, *index) {
                    assert_eq!(self.desk.inbound(&sender, "TEXT-twice", None, &id), None);
                }
            }
            Step::Online(user) => drop(self.desk.execute(&Command::AgentOnline { user: USERS[*user].into() })),
            Step::Offline(user) => self.desk.offline(USERS[*user]),
            Step::Present(user, present) => {
                let user = USERS[*user].into();
                self.desk.execute(&Command::SetPresence { user, present: *present });
            }
            Step::Import { supervisor, listed } => importing::import(&mut self.desk, *supervisor, listed),
            Step::Configure(change) => self.desk.configure(CHANGES[*change]),
            Step::AcceptStorage(accepted) => {
                self.desk.state.set_storage_accepted(*accepted);
                self.desk.execute(&Command::Tick);
            }
            Step::Evict => {
                let now = self.desk.now.max(self.desk.state.scalars().last);
                self.desk.state.evict_idle(now);
            }
            Step::BotTurn(nth) => drop(self.desk.bot_turn(*nth)),
            Step::Restart => self.desk.restart(),
            Step::Reply { .. }
            | Step::Finish { .. }
            | Step::Note { .. }
            | Step::Start { .. }
            | Step::Transfer { .. }
            | Step::CancelTransfer { .. }
            | Step::Assign { .. }
            | Step::Close { .. }
            | Step::Accept { .. }
            | Step::Decline { .. } => self.agent(step),
            Step::Answer { .. } | Step::Receipt { .. } | Step::Resend { .. } => self.gateway(step),
        }
        self.check();
    }

    fn part(&mut self, index: usize) {
        let (sender, part, text, id) = self.parts[index].clone();
        match self.desk.part_again(&sender, part, &text, &id).unwrap() {
            Answer::Inbound { outcome: None, .. } => return,
            Answer::PartRepeated => {}
            Answer::PartKept | Answer::Inbound { outcome: Some(_), .. } => *self.said.entry(text).or_default() += 1,
            other => panic!("a part was answered {other:?}"),
        }
        self.parts_taken += 1;
    }

    fn pass(&mut self, duration: SignedDuration) {
        self.desk.pass(duration);
    }

    fn open(&self, index: usize) -> InteractionId {
        let open: Vec<_> = self.desk.state.interactions().map(|interaction| interaction.id).collect();
        pick(&open, index).unwrap_or(InteractionId(0))
    }

    fn agent(&mut self, step: &Step) {
        let epoch = |desk: &Desk, interaction, stale: bool| {
            let Epoch(current) = desk.epoch(interaction);
            Epoch(if stale { current.wrapping_sub(1) } else { current })
        };
        match *step {
            Step::Reply { user, interaction, stale, long } => {
                let interaction = self.open(interaction);
                // Mostly the owner, so that replies happen.
                let owner = self.desk.owner(interaction).map(ToOwned::to_owned);
                let user = if user == 0 { USERS[0].into() } else { owner.unwrap_or_else(|| USERS[user].into()) };
                let text = if long { "TEXT-".repeat(100) } else { "TEXT-reply".into() };
                let epoch = epoch(&self.desk, interaction, stale);
                let command = Command::Reply { user: user.as_str().into(), interaction, epoch, text: text.into() };
                let owns = self.desk.owner(interaction) == Some(&user);
                let accepted = self.desk.execute(&command).answer.is_ok();
                assert!(!accepted || (owns && !stale), "only the owner, with the epoch in force");
            }
            Step::Finish { user, interaction, stale } => {
                let interaction = self.open(interaction);
                let epoch = epoch(&self.desk, interaction, stale);
                let owns = self.desk.owner(interaction) == Some(USERS[user]);
                let command = Command::Finish { user: USERS[user].into(), interaction, epoch, disposition: None };
                let accepted = self.desk.execute(&command).answer.is_ok();
                assert!(!accepted || (owns && !stale));
            }
            Step::Note { user, interaction, owner } => {
                let interaction = self.open(interaction);
                let epoch = owner.then(|| epoch(&self.desk, interaction, false));
                let decision = self.desk.execute(&Command::Note {
                    user: USERS[user].into(),
                    interaction,
                    epoch,
                    text: "TEXT-note".into(),
                });
                let noted = decision.contents.iter().any(|content| matches!(content, Content::Note { .. }));
                assert_eq!(noted, matches!(decision.answer, Ok(Answer::Noted { .. })));
            }
            Step::Start { user, customer } => drop(self.desk.start(USERS[user], customer)),
            Step::Transfer { interaction, to } => {
                let interaction = self.open(interaction);
                let Some(owner) = self.desk.owner(interaction).map(ToOwned::to_owned) else { return };
                let to = to.map_or(TransferTo::Queue, |user| TransferTo::Agent(USERS[user].into()));
                let accepted = self.desk.transfer(&owner, interaction, to.clone());
                assert!(accepted.is_err() || to != TransferTo::Agent(owner.as_str().into()));
            }
            Step::Assign { interaction, to, supervisor } => {
                let interaction = self.open(interaction);
                let epoch = epoch(&self.desk, interaction, false);
                let user = if supervisor { SUPERVISOR } else { "ana" };
                let command = Command::Assign { user: user.into(), interaction, epoch, to: USERS[to].into() };
                let accepted = self.desk.execute(&command).answer.is_ok();
                assert!(!accepted || supervisor, "only a supervisor may");
            }
            Step::Close { interaction, supervisor } => {
                let interaction = self.open(interaction);
                let epoch = epoch(&self.desk, interaction, false);
                let user = if supervisor { SUPERVISOR } else { "ana" };
                let command = Command::Close { user: user.into(), interaction, epoch, disposition: None };
                let accepted = self.desk.execute(&command).answer.is_ok();
                assert!(!accepted || supervisor, "only a supervisor may");
            }
            Step::CancelTransfer { interaction } => {
                let interaction = self.open(interaction);
                let Some(owner) = self.desk.owner(interaction).map(ToOwned::to_owned) else { return };
                if self.desk.cancel_transfer(&owner, interaction).is_ok() {
                    let handed_over = self.desk.state.interaction(interaction).and_then(Interaction::transfer);
                    assert_eq!(handed_over, None);
                }
            }
            Step::Accept { user, interaction, stale } => {
                let (interaction, offer, goes_to_them) = self.offer(USERS[user], interaction, stale);
                let command = Command::Accept { user: USERS[user].into(), interaction, offer };
                let enabled = self.desk.state.config().enabled;
                let accepted = self.desk.execute(&command).answer.is_ok();
                assert!(!goes_to_them || accepted == enabled, "who is asked may accept");
                let owns = self.desk.owner(interaction) == Some(USERS[user]);
                assert!(!accepted || owns, "what was accepted is theirs");
            }
            Step::Decline { user, interaction, stale } => {
                let (interaction, offer, goes_to_them) = self.offer(USERS[user], interaction, stale);
                let command = Command::Decline { user: USERS[user].into(), interaction, offer };
                assert_eq!(self.desk.execute(&command).answer.is_ok(), goes_to_them);
            }
            _ => {}
        }
    }

    /// An interaction with its offer, preferably one that this user is asked about; whether they may answer it.
    fn offer(&mut self, user: &str, index: usize, stale: bool) -> (InteractionId, OfferId, bool) {
        // What is due may end an offer before an answer to it is looked at.
        self.desk.execute(&Command::Tick);
        let offers = self.desk.state.agent(&user.into()).map(|agent| agent.offers.clone()).unwrap_or_default();
        let offers: Vec<InteractionId> = offers.into_iter().collect();
        let interaction = pick(&offers, index).unwrap_or_else(|| self.open(index));
        let known = self.desk.state.interaction(interaction).map_or(0, |interaction| interaction.offers);
        let offer = OfferId(known.saturating_sub(stale.into()));
        let member = self.desk.state.config().members.get(&user.into()).is_some();
        (interaction, offer, member && !stale && offers.contains(&interaction))
    }

    fn outbound(&self) -> Vec<MessageId> {
        let messages = self.desk.messages.iter();
        messages.filter(|(_, message)| message.sent.is_some()).map(|(id, _)| *id).collect()
    }

    fn gateway(&mut self, step: &Step) {
        match step {
            Step::Answer { message, outcome, stale } => {
                let Some(message) = pick(&self.desk.at_gateway(), *message) else { return };
                if *stale {
                    let attempt = Attempt(self.desk.attempt(message).0 - 1);
                    let (outcome, parked) = (outcome.clone(), Vec::new());
                    let result = SendResult { message, attempt, outcome, parked };
                    assert!(self.desk.execute(&Command::SendResult(result)).answer.is_err());
                } else {
                    self.desk.answer(message, outcome.clone()).unwrap();
                }
            }
            Step::Resend { user, message } => {
                let outbound = self.outbound();
                let unknown: Vec<_> =
                    outbound.iter().filter(|id| self.desk.status(**id) == MessageStatus::Unknown).copied().collect();
                // Mostly one that may be sent once more.
                let Some(message) = pick(&unknown, *message).or_else(|| pick(&outbound, *message)) else { return };
                let (before, attempt) = (self.desk.status(message), self.desk.resend(USERS[*user], message));
                assert!(attempt.is_err() || before == MessageStatus::Unknown, "{message} was {before:?}");
            }
            Step::Receipt { message, token, state } => {
                let Some(message) = pick(&self.outbound(), *message) else { return };
                // A receipt can only come for what was attempted.
                let last = self.desk.last_attempt(message).0;
                if last > 0 {
                    let before = self.desk.status(message);
                    self.desk.receipt_of(message, token.map(|token| Attempt(token % last + 1)), *state);
                    let after = self.desk.status(message);
                    assert!(!before.is_final() || before == after, "{before:?} is final and became {after:?}");
                    let is_resent = self.model.is_resent(message);
                    assert!(!is_resent || !matches!(after, MessageStatus::Failed(_)), "{message} may have arrived");
                    let in_doubt = is_resent && after == MessageStatus::Unknown;
                    assert!(in_doubt || before.further(after) == after, "{before:?} went back to {after:?}");
                }
            }
            _ => {}
        }
    }

    /// Checks what must be true after every step.
    fn check(&mut self) {
        let desk = &self.desk;
        let config = desk.state.config().clone();
        for event in &desk.log[self.followed..] {
            self.model.follow(event, &config, desk.state.storage_accepted());
        }
        self.followed = desk.log.len();
        let (parts, joined) = self.model.parts.taken();
        assert_eq!(self.model.recorded() - joined, self.sent_in, "every message is in exactly one place");
        assert_eq!(parts, self.parts_taken, "so is every part");
        let owners = desk.state.interactions().map(|interaction| (interaction.id, interaction.owner().cloned()));
        assert_eq!(owners.collect::<std::collections::BTreeMap<_, _>>(), self.model.owners());
        let now = desk.now.max(desk.state.scalars().last);
        self.latest = self.latest.max(now);
        assert_eq!(desk.state.service_level(self.latest), self.model.service_level(&config, self.latest));
        if desk.log.len() < 200 {
            recount::check(&desk.log, &desk.state, &config, now);
        }
        self.model.check_timers(&config, now);
        assert_eq!(due(&desk.state, now), vec![], "something is due and was not done");
        assert!(desk.state.next_wakeup().is_none_or(|at| at > now), "it would wake for nothing");
        let available = self.model.available(&config).len() as u64;
        assert_eq!(desk.state.statistics(now).agents_available, available);
    }

    /// What parts say is in a message or waits, as often as it was taken.
    fn check_what_parts_say(&self) {
        // Bots say again what customers said.
        let inbound = self.desk.messages.values().filter(|stored| stored.sent.is_none());
        let messages = inbound.map(|stored| &*stored.text);
        let waiting = self.desk.kept.texts.values().flatten().map(|kept| &*kept.text);
        let all: String = messages.chain(waiting).collect();
        for (text, times) in &self.said {
            assert_eq!(all.matches(text.as_str()).count(), *times, "{text}");
        }
    }

    /// Checks what must be true of the whole.
    fn finish(&self) {
        self.model.check_limit(&start_config());
        self.desk.watch.as_ref().unwrap().check();
        self.check_what_parts_say();
        let now = self.desk.now.max(self.desk.state.scalars().last);
        recount::check(&self.desk.log, &self.desk.state, self.desk.state.config(), now);
        for event in &self.desk.log {
            let json = event.to_json();
            let text = json.to_string();
            assert!(!SECRETS.iter().any(|secret| text.contains(secret)), "{text} holds a text or a number");
            assert_eq!(Event::from_json(json).unwrap(), *event, "it is read as it was written");
        }
        let mut replayed = State::new(Arc::new(start_config()));
        for event in &self.desk.log {
            apply(&mut replayed, event);
        }
        let mut live = self.desk.state.clone();
        replayed.set_config(live.config().clone());
        replayed.evict_idle(self.latest);
        live.evict_idle(self.latest);
        assert_eq!(replayed, live, "the events lead to the same state");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_history_keeps_the_promises(steps in prop::collection::vec(step(), 1..120)) {
        let mut history = History::new();
        for step in &steps {
            history.perform(step);
        }
        history.finish();
    }
}
