//! A channel without HTTP: state machine and store, driven step by step as the engine's writer drives them.

use std::{
    collections::{BTreeMap, VecDeque},
    num::{NonZeroU32, NonZeroU64},
    path::Path,
    sync::Arc,
};

use aldis::{
    bot::{CallResult, CompiledBot, compile},
    engine::{
        core::{
            blocklist::Blocklist,
            bot_run::{BotRef, BotRun, Bots, TurnInput},
            command::{self, BotTurn, Command, Contact, ImportedOptOut, TransferTo},
            config::{self, ChannelConfig, Member, OfferMode, RateLimit, ServiceLevelGoal, Strategy},
            delivery::{DeliveryState, SendOutcome},
            ids::{Attempt, InteractionId, MessageId},
            opt_out::{AnsweredBy, Keyword, OptOut, Texts},
            schedule::Schedule,
            state::State,
        },
        store::{
            Committed, Store, Transaction,
            error::OpenError,
            lookup::{Text, TextLookup},
            open::Belongs,
            receipt_token::ReceiptTokens,
            write::Cause,
        },
    },
    sms::{Part, PhoneNumber, Sender},
};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

/// One thing that happens to a channel. Places (`nth`) count among what is there, and wrap around.
#[derive(Clone, Debug)]
pub enum Step {
    /// Time passes.
    Pass { seconds: u32 },
    /// A customer writes.
    Text { customer: u8, text: &'static str },
    /// A part of a customer's text comes.
    Part { customer: u8, part: Part, text: &'static str },
    /// The same with an id that the provider gave before.
    PartAgain { customer: u8, part: Part, text: &'static str, back: u64 },
    /// The provider repeats the last message that it delivered.
    Repeat,
    /// An agent's stream opens or closes.
    Stream { user: &'static str, open: bool },
    /// An agent says whether they take interactions.
    Presence { user: &'static str, present: bool },
    /// The owner of an open interaction replies.
    Reply { nth: usize },
    /// The owner of an open interaction finishes it.
    Finish { nth: usize },
    /// A member leaves a note.
    Note { nth: usize },
    /// An agent writes first.
    Start { user: &'static str, customer: u8 },
    /// The gateway answers an attempt.
    Answer { nth: usize, outcome: SendOutcome },
    /// A receipt for one of the last outbound messages.
    Receipt { back: u64, by_token: bool, state: DeliveryState },
    /// The owner of its interaction, or a supervisor, has one of the last outbound messages sent once more.
    Resend { back: u64, supervisor: bool },
    /// The channel is enabled or disabled.
    Enable { enabled: bool },
    /// The campaign opens or closes.
    Hours { open: bool },
    /// At most so many may wait.
    MaxQueued { max: Option<std::num::NonZeroU32> },
    /// An agent is a member or not.
    Membership { bo: bool },
    /// These are the members.
    Members { members: Vec<Member> },
    /// Having an interaction counts as the answer, or a reply does.
    AnsweredBy { accept: bool },
    /// Interactions find their agents in another way.
    Distribute { strategy: Strategy },
    /// Agents are asked, and have so many seconds; or they are not asked.
    Ask { seconds: Option<NonZeroU32> },
    /// A customer who writes again so soon has their last agent first; an interaction that waits for so long has timed out; and either
    /// counts, or does not.
    Return { reopen_seconds: Option<u32>, max_queue_seconds: Option<u32> },
    /// The owner of an open interaction hands it over, to an agent or to the queue.
    Transfer { nth: usize, to: Option<&'static str> },
    /// The owner of an open interaction takes back what they hand over.
    CancelTransfer { nth: usize },
    /// A supervisor gives an interaction to an agent, or to themselves.
    Assign { nth: usize, to: &'static str },
    /// A supervisor closes an interaction.
    Close { nth: usize },
    /// The channel has bots of all kinds, or none. Turns that are due are taken at the beginning of the next transaction.
    Bots { on: bool },
    /// A supervisor imports that customers opted out elsewhere, some seconds ago where that is known.
    Import { listed: Vec<(u8, Option<u32>)> },
    /// An agent who is asked accepts, or declines.
    AnswerOffer { nth: usize, accepts: bool },
    /// This is promised to customers.
    Promise { goal: ServiceLevelGoal },
    /// A person accepts swapped storage.
    AcceptStorage,
    /// The clock goes ahead at once.
    Leap { seconds: u32 },
    /// A person sets the clock, which is so far behind.
    SetClock { back: u32 },
}

/// Samples are kept for longer than any window, also over a restart: the engine reads them again when its clock is set back.
const SAMPLES: SignedDuration = SignedDuration::from_hours(24 * 365);

/// Who wrote what the provider repeats, as the repetition has it.
const REPEATED: u8 = 0;

/// State and store of a channel.
pub struct Channel {
    /// The store.
    pub store: Store,
    /// The open things.
    pub state: State,
    /// The time.
    pub now: Timestamp,
    /// Inbound messages that the provider delivered.
    pub delivered: u64,
}

/// What the tests' stores belong to.
pub fn belongs() -> Belongs {
    Belongs { account: "AC1".into(), number: "+15551230001".parse().expect("a number") }
}

/// Rows of a store that refer to a row which is not there.
pub fn dangling(path: &Path) -> i64 {
    let sql = rusqlite::Connection::open(path).expect("a store");
    sql.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).expect("a store")
}

/// The hash of a configuration, in which tests see what is promised by it.
pub fn hash(goal: &ServiceLevelGoal) -> String {
    format!("{goal:?}")
}

/// The number of a customer.
pub fn number(customer: u8) -> PhoneNumber {
    format!("+1555987{customer:04}").parse().expect("a number")
}

/// Ana, then Bo, with room for two each; always open.
pub fn config() -> ChannelConfig {
    let texts = Texts { stopped: "TEXT-stopped".into(), started: "TEXT-started".into(), help: "TEXT-help".into() };
    let words = [(Keyword::Stop, "STOP"), (Keyword::Start, "START"), (Keyword::Help, "HELP")];
    ChannelConfig {
        enabled: true,
        schedule: Schedule::always(),
        strategy: Strategy::LeastRecent,
        offer: OfferMode::Assign,
        members: [member("ana", 1), member("bo", 2)].into_iter().collect(),
        supervisors: ["eva".into()].into(),
        dispositions: Default::default(),
        disposition_required: false,
        max_queued: None,
        max_queue: Some(SignedDuration::from_secs(240)),
        max_transfer: Some(SignedDuration::from_secs(90)),
        queue_full_message: Some("TEXT-full".into()),
        out_of_hours_message: Some("TEXT-closed".into()),
        bots: Default::default(),
        blocklist: Blocklist::default(),
        opt_out: OptOut::new(AnsweredBy::Aldis, words, texts),
        service_level: ServiceLevelGoal {
            target: SignedDuration::from_secs(60),
            window: SignedDuration::from_hours(1),
            answered_by: config::AnsweredBy::Reply,
        },
        session_idle: SignedDuration::from_hours(24),
        session_reopen: Some(SignedDuration::from_secs(600)),
        per_number: RateLimit { segments: 7.try_into().expect("not zero"), per_seconds: NonZeroU64::MIN },
    }
}

fn member(user: &str, position: u32) -> Member {
    Member { user: user.into(), position, penalty: 0, receive: true, initiate: true, max_interactions: 2 }
}

impl Channel {
    /// Opens the store at `path`, or makes it, and starts the channel.
    pub fn open(path: &Path, config: ChannelConfig, now: Timestamp) -> Result<Self, OpenError> {
        let store = Store::open(path, &belongs())?;
        let rows = store.load(now - SAMPLES).expect("the store can be read");
        let mut channel = Self { store, state: State::from_rows(Arc::new(config), rows), now, delivered: 0 };
        channel.transact(|writer| writer.execute(&Command::Started { ids_from: 0, leapt: None }, &Cause::Other));
        Ok(channel)
    }

    /// Takes these steps in one transaction.
    pub fn take(&mut self, steps: &[Step]) -> Committed {
        self.take_and(steps, || {})
    }

    /// Takes these steps in one transaction, and does something when they are written but not committed.
    pub fn take_and(&mut self, steps: &[Step], before_commit: impl FnOnce()) -> Committed {
        let turns = self.bot_turns();
        self.transact(|writer| {
            turns.iter().for_each(|turn| writer.tell(turn));
            writer.bring_parts();
            writer.prefetch(steps);
            steps.iter().for_each(|step| writer.step(step));
            before_commit();
        })
    }

    /// The message that a text with this provider's id would repeat.
    pub fn repeated_by(&mut self, provider_message_id: &str) -> Option<MessageId> {
        let address = Sender::from(number(1));
        let text = Text { address: &address, provider_message_id };
        let transaction = self.store.begin().expect("the store can be written");
        let found = transaction.prefetch(&[text], &mut self.state).expect("the store can be read");
        let repeated = transaction.repeated_by(text, found[0]);
        transaction.commit(&self.state).expect("the store can be written");
        repeated
    }

    /// The turns of bots that are due, as the store has what they need.
    fn bot_turns(&self) -> Vec<Command> {
        let turn = |(id, run): (InteractionId, &BotRun)| {
            let interaction = self.state.interaction(id).expect("it is open");
            let customer = self.state.customer(interaction.customer).expect("they are hydrated");
            let texts = self.store.bot_texts(interaction, customer, run.input()?).expect("the store can be read");
            let values = self.store.bot_values(id).expect("the store can be read").expect("they can be read");
            let bot = BOTS.iter().map(|bot| compiled(bot)).find(|bot| bot.version() == run.version.as_str());
            Some(Command::BotTurn(Box::new(BotTurn {
                interaction: id,
                turn: run.next_turn(),
                bot: bot.map(Arc::new),
                values,
                texts,
                called: matches!(run.input(), Some(TurnInput::Called { .. }))
                    .then(|| CallResult::Answered(br#"{"is": "on"}"#.to_vec())),
            })))
        };
        self.state.bot_turns().chain(self.state.bot_calls()).filter_map(turn).collect()
    }

    fn transact(&mut self, work: impl FnOnce(&mut Writer<'_>)) -> Committed {
        let tokens = self.store.receipt_tokens().clone();
        let tx = self.store.begin().expect("the store can be written");
        let mut writer = Writer {
            tx,
            tokens,
            state: &mut self.state,
            now: &mut self.now,
            delivered: &mut self.delivered,
            found: VecDeque::new(),
        };
        work(&mut writer);
        let Writer { tx, state, now, .. } = writer;
        let committed = tx.commit(state).expect("the store can be written");
        state.evict_idle(*now - SAMPLES);
        committed
    }
}

/// One transaction.
struct Writer<'a> {
    tx: Transaction<'a>,
    tokens: ReceiptTokens,
    state: &'a mut State,
    now: &'a mut Timestamp,
    delivered: &'a mut u64,
    /// What was prefetched of the texts that come.
    found: VecDeque<TextLookup>,
}

impl Writer<'_> {
    fn execute(&mut self, command: &Command, cause: &Cause<'_>) {
        let decision = self.state.execute(command, *self.now);
        self.tx.write(&decision, cause, self.state).expect("the store can be written");
    }

    fn tell(&mut self, command: &Command) {
        self.execute(command, &Cause::Other);
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Pass { seconds } => self.pass(*seconds),
            Step::Text { customer, text } => {
                *self.delivered += 1;
                self.inbound(*customer, text);
            }
            Step::Part { customer, part, text } => {
                *self.delivered += 1;
                self.part(*customer, *part, text, *self.delivered);
            }
            Step::PartAgain { customer, part, text, back } => {
                self.part(*customer, *part, text, self.delivered.saturating_sub(*back));
            }
            Step::Repeat if *self.delivered > 0 => self.inbound(REPEATED, "TEXT-again"),
            Step::Repeat => {}
            Step::Stream { user, open: true } => self.tell(&Command::AgentOnline { user: (*user).into() }),
            Step::Stream { user, open: false } => self.tell(&Command::AgentOffline { user: (*user).into() }),
            Step::Presence { user, present } => {
                self.tell(&Command::SetPresence { user: (*user).into(), present: *present });
            }
            Step::Reply { .. }
            | Step::Finish { .. }
            | Step::Note { .. }
            | Step::Transfer { .. }
            | Step::CancelTransfer { .. }
            | Step::Assign { .. }
            | Step::Close { .. } => self.work_on_interaction(step),
            Step::Start { user, customer } => {
                let address = number(*customer);
                let sender = Sender::Number(address.clone());
                let customer = self.tx.customer_by_address(&sender, self.state).expect("the store can be read");
                let contact = Contact { address, customer };
                self.tell(&Command::Start { user: (*user).into(), contact, text: "TEXT-start".into() });
            }
            Step::Import { listed } => self.import(listed),
            Step::AnswerOffer { nth, accepts } => self.answer_offer(*nth, *accepts),
            Step::Answer { nth, outcome } => self.answer(*nth, outcome),
            Step::Receipt { back, by_token, state } => self.receipt(*back, *by_token, *state),
            Step::Resend { back, supervisor } => self.resend(*back, *supervisor),
            Step::Enable { .. }
            | Step::Hours { .. }
            | Step::MaxQueued { .. }
            | Step::Membership { .. }
            | Step::Members { .. }
            | Step::AnsweredBy { .. }
            | Step::Distribute { .. }
            | Step::Ask { .. }
            | Step::Return { .. }
            | Step::Promise { .. }
            | Step::Bots { .. } => self.configure(step),
            Step::AcceptStorage => self.tell(&Command::StorageAccepted),
            Step::Leap { seconds } => {
                let by = SignedDuration::from_secs((*seconds).into());
                *self.now += by;
                self.tell(&Command::ClockLeapt { by });
            }
            Step::SetClock { back } => {
                let to = *self.now - SignedDuration::from_secs((*back).into());
                self.tell(&Command::SetClock { to });
                *self.now = to;
            }
        }
    }

    fn import(&mut self, listed: &[(u8, Option<u32>)]) {
        let addresses: Vec<Sender> = listed.iter().map(|(customer, _)| number(*customer).into()).collect();
        let known = self.tx.customers_by_address(&addresses, self.state).expect("the store can be read");
        let opt_outs = listed.iter().zip(known).map(|((address, ago), customer)| ImportedOptOut {
            contact: Contact { address: number(*address), customer },
            at: ago.map(|ago| *self.now - SignedDuration::from_secs(ago.into())),
        });
        let opt_outs = opt_outs.collect();
        self.tell(&Command::ImportOptOuts { user: "eva".into(), source: "TEXT-source".into(), opt_outs });
    }

    fn pass(&mut self, seconds: u32) {
        let until = *self.now + SignedDuration::from_secs(seconds.into());
        while let Some(at) = self.state.next_wakeup().filter(|at| *at <= until) {
            *self.now = at.max(*self.now);
            self.tell(&Command::Tick);
        }
        *self.now = until;
    }

    /// Looks up all texts that these steps bring, as the engine does before it decides anything of a batch.
    fn prefetch(&mut self, steps: &[Step]) {
        let mut delivered = *self.delivered;
        let mut texts: Vec<(Sender, String)> = Vec::new();
        for step in steps {
            let customer = match step {
                Step::Text { customer, .. } => {
                    delivered += 1;
                    *customer
                }
                Step::Part { .. } => {
                    delivered += 1;
                    continue;
                }
                Step::Repeat if delivered > 0 => REPEATED,
                _ => continue,
            };
            texts.push((number(customer).into(), provider_message_id(delivered)));
        }
        let texts: Vec<_> = texts.iter().map(|(address, id)| Text { address, provider_message_id: id }).collect();
        self.found = self.tx.prefetch(&texts, self.state).expect("the store can be read").into();
    }

    fn inbound(&mut self, customer: u8, text: &str) {
        let address = Sender::Number(number(customer));
        let provider_message_id = provider_message_id(*self.delivered);
        let found = self.found.pop_front().expect("every text was prefetched");
        let looked_up = Text { address: &address, provider_message_id: &provider_message_id };
        let customer = self.tx.writer_of(looked_up, found);
        let duplicate_of = self.tx.repeated_by(looked_up, found);
        let command = Command::Inbound(command::Inbound {
            contact: Contact { address, customer },
            text: text.into(),
            note: None,
            received_at: *self.now,
            part: None,
            duplicate_of,
            provider_keyword: None,
            overtakes: false,
            before_opt_out: false,
        });
        self.execute(&command, &Cause::Inbound { provider_message_id: &provider_message_id, received_at: *self.now });
    }

    fn part(&mut self, customer: u8, part: Part, text: &str, delivery: u64) {
        let address = Sender::Number(number(customer));
        let provider_message_id = provider_message_id(delivery);
        let customer = self.tx.customer_by_address(&address, self.state).expect("the store can be read");
        let duplicate_of = self.tx.joined_as(&provider_message_id).expect("the store can be read");
        let arrived = self.tx.arrived(part, &provider_message_id, customer, self.state).expect("the store can be read");
        let command = Command::Inbound(command::Inbound {
            contact: Contact { address, customer },
            text: text.into(),
            note: None,
            received_at: *self.now,
            part: Some(Box::new(arrived)),
            duplicate_of,
            provider_keyword: None,
            overtakes: false,
            before_opt_out: false,
        });
        self.execute(&command, &Cause::Inbound { provider_message_id: &provider_message_id, received_at: *self.now });
    }

    /// Delivers the texts that are waited for no longer.
    fn bring_parts(&mut self) {
        for assembly in self.state.parts_due().collect::<Vec<_>>() {
            let parts = self.tx.timed_out_parts(assembly, self.state).expect("the store can be read");
            self.tell(&Command::PartsTimedOut(parts.expect("it is there")));
        }
    }

    fn work_on_interaction(&mut self, step: &Step) {
        let (Step::Reply { nth }
        | Step::Finish { nth }
        | Step::Note { nth }
        | Step::Transfer { nth, .. }
        | Step::CancelTransfer { nth }
        | Step::Assign { nth, .. }
        | Step::Close { nth }) = *step
        else {
            return;
        };
        let Some(interaction) = nth_of(self.state.interactions(), nth) else { return };
        let (id, epoch) = (interaction.id, interaction.epoch);
        let user = interaction.owner().cloned().unwrap_or_else(|| "ana".into());
        self.tell(&match step {
            Step::Reply { .. } => Command::Reply { user, interaction: id, epoch, text: "TEXT-reply".into() },
            Step::Finish { .. } => Command::Finish { user, interaction: id, epoch, disposition: None },
            Step::Transfer { to, .. } => {
                let to = to.map_or(TransferTo::Queue, |user| TransferTo::Agent(user.into()));
                Command::Transfer { user, interaction: id, epoch, to }
            }
            Step::Assign { to, .. } => Command::Assign { user: "eva".into(), interaction: id, epoch, to: (*to).into() },
            Step::Close { .. } => Command::Close { user: "eva".into(), interaction: id, epoch, disposition: None },
            Step::CancelTransfer { .. } => Command::CancelTransfer { user, interaction: id, epoch },
            _ => Command::Note { user, interaction: id, epoch: None, text: "TEXT-note".into() },
        });
    }

    fn answer_offer(&mut self, nth: usize, accepts: bool) {
        let asked = self.state.interactions().flat_map(|interaction| {
            let offers = interaction.offer().into_iter();
            let offered = offers.flat_map(|offer| offer.to.iter().map(|user| (offer.id, user.clone())));
            let handed_over = interaction.recipient().map(|(user, offer)| (offer, user.clone()));
            offered.chain(handed_over).map(|(offer, user)| (interaction.id, offer, user))
        });
        let Some((interaction, offer, user)) = nth_of(asked, nth) else { return };
        self.tell(&if accepts {
            Command::Accept { user, interaction, offer }
        } else {
            Command::Decline { user, interaction, offer }
        });
    }

    fn answer(&mut self, nth: usize, outcome: &SendOutcome) {
        let Some(outbound) = nth_of(self.state.in_flight(), nth) else { return };
        let (message, attempt) = (outbound.message, outbound.attempt);
        let ids = if *outcome == SendOutcome::Accepted { vec![format!("out-{message}")] } else { Vec::new() };
        let parked = self.tx.parked(&ids).expect("the store can be read");
        let command = Command::SendResult(command::SendResult { message, attempt, outcome: outcome.clone(), parked });
        self.execute(
            &command,
            &Cause::SendResult { message, provider_message_ids: &ids, provider_code: Some("30007") },
        );
    }

    fn receipt(&mut self, back: u64, by_token: bool, state: DeliveryState) {
        let newest = self.state.scalars().next_message.0;
        let message = MessageId(newest.saturating_sub(back + 1));
        let attempt = self.state.outbound(message).map_or(Attempt(1), |outbound| outbound.attempt);
        let token = self.tokens.token(message, attempt);
        let provider_message_id = format!("out-{message}");
        let known = if by_token {
            let named = self.tokens.verify(&token);
            named.and_then(|(message, _)| self.tx.outbound(message).expect("the store can be read"))
        } else {
            self.tx.outbound_by_provider_id(&provider_message_id).expect("the store can be read")
        };
        if let Some(known) = known.filter(|known| self.state.customer(known.customer).is_none()) {
            let customer = self.tx.customer(known.customer).expect("the store can be read");
            self.state.hydrate_customer(customer.expect("a message has its customer"));
        }
        let receipt = command::Receipt {
            provider_message_id: provider_message_id.clone(),
            message: known,
            attempt: by_token.then_some(attempt),
            state,
        };
        let cause = Cause::Receipt {
            message: known.map(|known| known.message),
            provider_message_id: &provider_message_id,
            delivered: state == DeliveryState::Delivered,
            provider_code: None,
        };
        self.execute(&Command::Receipt(receipt), &cause);
    }

    fn resend(&mut self, back: u64, supervisor: bool) {
        let newest = self.state.scalars().next_message.0;
        let message = MessageId(newest.saturating_sub(back + 1));
        let Some((customer, sent)) = self.tx.sent(message).expect("the store can be read") else { return };
        if self.state.customer(customer).is_none() {
            let customer = self.tx.customer(customer).expect("the store can be read");
            self.state.hydrate_customer(customer.expect("a message has its customer"));
        }
        let interaction = sent.interaction.and_then(|id| self.state.interaction(id));
        let owner = interaction.and_then(|interaction| interaction.owner().cloned());
        let user = owner.filter(|_| !supervisor).unwrap_or_else(|| "eva".into());
        let epoch = interaction.map(|interaction| interaction.epoch).unwrap_or_default();
        self.tell(&Command::Resend { user, message, epoch, sent: Some(sent) });
    }

    fn configure(&mut self, step: &Step) {
        let mut new = ChannelConfig::clone(self.state.config());
        match step {
            Step::Enable { enabled } => new.enabled = *enabled,
            Step::Hours { open: true } => new.schedule = Schedule::always(),
            Step::Hours { open: false } => {
                new.schedule = Schedule::new(TimeZone::UTC, Some(Vec::new()), BTreeMap::new());
            }
            Step::MaxQueued { max } => new.max_queued = *max,
            Step::Membership { bo } => {
                let members = config().members;
                new.members = members.iter().filter(|member| *bo || member.user.as_str() != "bo").cloned().collect();
            }
            Step::Members { members } => new.members = members.iter().cloned().collect(),
            Step::AnsweredBy { accept: true } => new.service_level.answered_by = config::AnsweredBy::Accept,
            Step::AnsweredBy { accept: false } => new.service_level.answered_by = config::AnsweredBy::Reply,
            Step::Distribute { strategy } => new.strategy = *strategy,
            Step::Ask { seconds } => {
                new.offer = seconds.map_or(OfferMode::Assign, |timeout_seconds| OfferMode::Ask { timeout_seconds });
            }
            Step::Promise { goal } => new.service_level = *goal,
            Step::Bots { on: false } => new.bots = Bots::default(),
            Step::Bots { on: true } => {
                let [on_start, on_queue_timeout, on_end] = BOTS.map(|bot| Some(bot_ref(bot)));
                new.bots = Bots { on_start, on_queue_timeout, on_end };
            }
            Step::Return { reopen_seconds, max_queue_seconds } => {
                new.session_reopen = reopen_seconds.map(|seconds| SignedDuration::from_secs(seconds.into()));
                new.max_queue = max_queue_seconds.map(|seconds| SignedDuration::from_secs(seconds.into()));
            }
            _ => {}
        }
        let hash = hash(&new.service_level);
        self.state.set_config(Arc::new(new));
        self.tell(&Command::ConfigChanged { hash });
    }
}

/// On start, on a queue timeout and on end. The first says nothing to who begins with `TEXT-ok`, and takes `TEXT-hello` for no answer.
const BOTS: [&str; 3] = [
    r#"{"idleSeconds": 60, "steps": [
        {"name": "way", "branch": {"otherwise": "ask", "cases": [
            {"name": "ok", "when": [{"variable": "message.text", "equals": "TEXT-ok"}], "next": "end"}]}},
        {"name": "ask", "ask": {"text": "TEXT-question", "into": "on", "matches": "TEXT-o.*", "attempts": 2}},
        {"name": "look", "http": {"url": "https://crm/{{ on }}", "into": "found", "onError": "end"}},
        {"name": "end", "handOff": {"priority": 2, "note": "TEXT-{{ on }}"}}]}"#,
    r#"{"steps": [
        {"name": "ask", "ask": {"text": "TEXT-sorry", "into": "on", "onTimeout": "wait"}},
        {"name": "end", "finish": {}},
        {"name": "wait", "handOff": {"priority": 1}}]}"#,
    r#"{"idleSeconds": 300, "idleMessage": "TEXT-idle", "steps": [
        {"name": "ask", "ask": {"text": "TEXT-how {{ message.text }}", "into": "on"}},
        {"name": "end", "finish": {"note": "TEXT-{{ on }}"}}]}"#,
];

fn compiled(bot: &str) -> CompiledBot {
    let spec = serde_json::from_str(bot).expect("a bot");
    compile(&spec, &|_| Ok(())).expect("a bot without faults")
}

fn bot_ref(bot: &str) -> BotRef {
    BotRef { name: "bot".into(), version: compiled(bot).version().into() }
}

/// The provider's id of the text that it delivered as the `nth`.
fn provider_message_id(nth: u64) -> String {
    format!("in-{nth}")
}

fn nth_of<T>(items: impl Iterator<Item = T>, nth: usize) -> Option<T> {
    let items: Vec<T> = items.collect();
    let place = nth.checked_rem(items.len())?;
    items.into_iter().nth(place)
}
