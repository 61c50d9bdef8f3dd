//! The one thread that changes anything: it takes all that waits, decides each, commits all in one transaction, and only then
//! answers and has effects performed.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, mpsc::RecvTimeoutError},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc::UnboundedSender, oneshot};
use tracing::field;

use super::{
    bots::{self, BotTurns},
    clock::Clock,
    config::Settings,
    core::{
        command::{Command, Refusal},
        event::{AgentEvent, EngineEvent, Event, Happened, OutboundEvent},
        ids::{Attempt, MessageId},
        sending::BEGIN_WITHIN,
        state::State,
    },
    due_parts::DueParts,
    feed::Feed,
    inbox::{Inbox, Inspection, Job, Keyed, Outcome, Request, Waiting},
    metrics::Metrics,
    open_streams::OpenStreams,
    resolve::{Prefetched, prefetch, resolve},
    sender::Handover,
    store::{
        Store, Transaction, error::CommitError, idempotency::Repetition, receipt_token::ReceiptTokens,
        retention::Retention, room::Fill,
    },
};
use crate::{
    admin::Reasons,
    wire::{outbound::SendRequest, store_id},
};

/// Requests that are decided in one transaction at most. It bounds how long the first of them waits.
const MAX_BATCH: usize = 512;
/// Without anything to do the writer wakes this often, to look at the clock, which may have been set.
const IDLE_WAKEUP: Duration = Duration::from_secs(30);
/// While the volume is full the writer looks for room this often.
const FULL_WAKEUP: Duration = Duration::from_secs(1);
/// While the log has little room, so many requests are decided in one transaction.
const SHORT_BATCH: usize = 64;
/// What is too old is looked for this often; while there is more of it, one step follows the other.
const FORGET_INTERVAL: SignedDuration = SignedDuration::from_mins(1);
/// Rows that are forgotten in one step, so that nobody waits long for it.
const FORGET_AT_ONCE: u32 = 500;
/// Until a step for which there was no room is taken again.
const FORGET_AGAIN: SignedDuration = SignedDuration::from_secs(1);
/// Between two steps, so that there is time for others.
const FORGET_PAUSE: SignedDuration = SignedDuration::from_millis(100);

/// Holds the state and writes the store.
pub(super) struct SingleWriter {
    pub(super) store: Store,
    pub(super) state: State,
    /// The configuration in force. Everybody reads it, only the writer changes it.
    pub(super) settings: Arc<ArcSwap<Settings>>,
    /// Where committed events are shown.
    pub(super) feed: Feed,
    /// Where attempts to send are handed over.
    pub(super) outbound: UnboundedSender<Handover>,
    pub(super) metrics: Metrics,
    pub(super) open_streams: OpenStreams,
    pub(super) bot_turns: BotTurns,
    pub(super) due_parts: DueParts,
    /// Attempts that were handed over and not answered yet.
    pub(super) handed_over: HashMap<MessageId, Attempt>,
    /// The first id of this life of the store.
    pub(super) ids_from: u64,
    pub(super) clock: Clock,
    /// Whether the clock was behind the store's time at the start: nobody knows then how long the engine was down.
    pub(super) clock_was_behind: bool,
    /// When retention is seen to next.
    pub(super) forget_at: Timestamp,
    /// The volume is exhausted, and the state does not hear of streams.
    pub(super) streams_unknown: bool,
    /// The volume had no room, and nobody has been asked since: what waits for that is due.
    pub(super) has_room_again: bool,
    /// Sending goes on then: the volume was exhausted.
    pub(super) send_again_at: Option<Instant>,
    /// The log could not be emptied when the volume became full: a query was running.
    pub(super) log_is_in_use: bool,
    /// Where it is said that the volume is exhausted.
    pub(super) not_ready: Reasons,
}

/// Answers that wait for the commit.
enum Owed {
    Once(oneshot::Sender<Outcome>, Outcome),
    Keyed(oneshot::Sender<Keyed>, Keyed),
}

impl Owed {
    fn pay(self) {
        // Who asked may have left meanwhile; what was done stays done.
        match self {
            Self::Once(to, outcome) => drop(to.send(outcome)),
            Self::Keyed(to, keyed) => drop(to.send(keyed)),
        }
    }
}

impl SingleWriter {
    /// Works until told to stop.
    ///
    /// # Errors
    /// When the store cannot be written. Nobody knows then what the disk has: the process must end and start from the store again.
    #[tracing::instrument(name = "writer", skip_all, fields(channel = self.settings.load().channel_name))]
    pub(super) fn run(mut self, inbox: &Inbox) -> Result<(), CommitError> {
        let settings = self.settings.load_full();
        let leapt = self.clock.take_leap();
        let mut first = vec![Command::Started { ids_from: self.ids_from, leapt }];
        first.extend(self.put_in_force(&settings, false));
        self.look_for_room(inbox)?;
        if self.state.parts_due().next().is_some() {
            self.due_parts.hold();
        }
        self.commit(Vec::new(), first, None)?;
        loop {
            let job = match inbox.jobs.recv_timeout(self.until_wakeup(inbox.fill())) {
                Ok(job) => Some(job),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            let most = if self.store.has_short_log() { SHORT_BATCH } else { MAX_BATCH };
            let (mut jobs, mut requests) = (Vec::new(), 0);
            for job in job.into_iter().chain(inbox.jobs.try_iter()) {
                requests += job.weight();
                jobs.push(job);
                if requests >= most {
                    break;
                }
            }
            if self.work(jobs, inbox)? {
                return Ok(());
            }
            self.look_for_room(inbox)?;
            if self.index_due(inbox.fill()).is_some_and(|due| due <= Instant::now()) {
                self.store.index_after(requests)?;
            }
            self.forget()?;
        }
    }

    /// The time of the batch.
    fn now(&self) -> Timestamp {
        self.clock.time().max(self.state.scalars().last)
    }

    fn until_wakeup(&mut self, fill: Fill) -> Duration {
        let bots_are_due = fill < Fill::Exhausted && self.bot_turns.are_due(&self.state);
        if self.has_room_again || bots_are_due || self.due_parts.are_due(&self.state) {
            return Duration::ZERO;
        }
        self.clock.read();
        let next = self.state.next_wakeup().filter(|_| fill < Fill::Exhausted);
        let at = next.map_or(self.forget_at, |due| due.min(self.forget_at));
        // Rounded up, so that it is due when the writer wakes.
        let wait = at.duration_since(self.now()).saturating_add(SignedDuration::from_millis(1));
        let paused = self.send_again_at.is_some() || self.due_parts.hold_back(&self.state);
        let longest = if fill > Fill::Roomy || paused { FULL_WAKEUP } else { IDLE_WAKEUP };
        let wait = Duration::try_from(wait).unwrap_or_default().min(longest);
        self.index_due(fill).map_or(wait, |due| wait.min(due.saturating_duration_since(Instant::now())))
    }

    /// When the look-ups are to get what waits for them. It needs room, and can wait until there is some.
    fn index_due(&self, fill: Fill) -> Option<Instant> {
        if fill > Fill::Roomy { None } else { self.store.index_due() }
    }

    /// Does these jobs in order; true = told to stop.
    #[tracing::instrument(name = "batch", skip_all, fields(jobs = jobs.len()))]
    fn work(&mut self, jobs: Vec<Job>, inbox: &Inbox) -> Result<bool, CommitError> {
        self.clock.read();
        let asked = jobs.iter().filter(|job| job.is_asked_for()).count();
        let (mut requests, mut commands, mut looks) = (Vec::new(), Vec::new(), Vec::new());
        let mut streams = Vec::new();
        let (mut settings, mut stop) = (None, false);
        let exhausted = inbox.fill() == Fill::Exhausted;
        commands.extend(self.clock.take_leap().map(|by| Command::ClockLeapt { by }));
        for job in jobs {
            match job {
                Job::Decide { request, waiting } => requests.push((request, waiting)),
                Job::Inspect(look) => looks.push(look),
                Job::Configure(new) => {
                    commands.extend(self.put_in_force(&new, true));
                    settings = Some(new);
                }
                Job::StreamOpened(user) => streams.extend(self.open_streams.opened(user).filter(|_| !exhausted)),
                Job::StreamClosed(user) => streams.extend(self.open_streams.closed(user).filter(|_| !exhausted)),
                Job::BotCalled { interaction, turn, result } => self.bot_turns.called(interaction, turn, result),
                Job::Stop => stop = true,
            }
        }
        // Another configuration is in force already: it is made known before anything is given by it.
        commands.append(&mut streams);
        if std::mem::replace(&mut self.streams_unknown, exhausted) && !exhausted {
            commands.extend(self.open_streams.differences(&self.state));
        }
        let parts_due = self.due_parts.portion(&self.state, self.store.has_short_log()).into_iter();
        requests.splice(0..0, parts_due.map(|assembly| (Request::PartsTimedOut(assembly), Waiting::Nobody)));
        let has_room_again = std::mem::take(&mut self.has_room_again);
        if !exhausted && settings.is_none() {
            commands.extend(self.bot_turns.due(&self.state, &self.store, &self.settings.load())?);
        }
        let due = self.state.next_wakeup().is_some_and(|at| at <= self.now());
        let has_nothing_else = requests.is_empty() && commands.is_empty();
        if !exhausted && (has_room_again || (due && has_nothing_else)) {
            commands.push(Command::Tick);
        }
        if !requests.is_empty() || !commands.is_empty() {
            self.commit(requests, commands, settings)?;
        }
        let (now, commits) = (self.now(), self.store.commits());
        let seen = Inspection { state: &self.state, now, ahead: self.clock.ahead(), commits };
        looks.into_iter().for_each(|look| look(&seen));
        inbox.done(asked);
        Ok(stop)
    }

    /// Gives the state another configuration; the commands that make it known follow.
    fn put_in_force(&mut self, settings: &Settings, running: bool) -> Vec<Command> {
        let id = &self.store.identity().id;
        let accepted = settings.accepts_store(id);
        // At the start a hand's acceptance counts until the operator has taken note of it: nobody knows whether it was seen before.
        let by_hand = settings.accepts_only_by_hand(id) && !(running && self.state.storage_accepted());
        self.state.set_config(Arc::clone(&settings.channel));
        self.state.set_storage_accepted(accepted);
        if !accepted {
            tracing::warn!(
                store = id,
                "the store is not the one that is expected: nothing is sent until it is accepted"
            );
        }
        let mut commands = vec![Command::ConfigChanged { hash: settings.hash.to_string() }];
        if by_hand {
            commands.push(Command::StorageAccepted);
        }
        // Each acceptance counts once: the next one bears another number.
        if settings.clock_accepted == Some(self.state.scalars().clock_settings + 1) {
            tracing::info!("a person says that the clock is right: time is what it says");
            let to = self.clock.set();
            self.forget_at = to;
            commands.push(Command::SetClock { to });
        }
        commands
    }

    /// Decides requests and commands in order and commits all in one transaction; then answers and has effects performed.
    #[tracing::instrument(
        name = "commit",
        skip_all,
        fields(
            requests = requests.len(),
            commands = commands.len(),
            events = field::Empty,
            last_sequence = field::Empty,
        )
    )]
    fn commit(
        &mut self,
        requests: Vec<(Request, Waiting)>,
        commands: Vec<Command>,
        settings: Option<Arc<Settings>>,
    ) -> Result<(), CommitError> {
        let begun = Instant::now();
        let asked = requests.len();
        let now = self.now();
        if settings.is_some() {
            self.bot_turns.forget(&self.state);
            let window = self.state.config().service_level.window;
            // A clock that is set back brings samples into the window again.
            let from = now.min(self.clock.time()).saturating_sub(window).unwrap_or(Timestamp::MIN);
            self.state.replace_samples(self.store.samples(from)?);
        }
        let tokens = self.store.receipt_tokens().clone();
        let begins = commands.iter().any(|command| matches!(command, Command::Started { .. }));
        let mut transaction = self.store.begin()?;
        if let Some(settings) = &settings {
            transaction.keep_bot_versions(&settings.bots)?;
        } else if begins {
            transaction.keep_bot_versions(&self.settings.load().bots)?;
        }
        let mut batch = Batch { state: &mut self.state, tokens: &tokens, now, events: Vec::new(), owed: Vec::new() };
        let prefetched = prefetch(&transaction, batch.state, requests.iter().map(|(request, _)| request))?;
        for command in commands {
            if let Command::SetClock { to } = command {
                batch.set_clock(&mut transaction, to)?;
            } else {
                batch.answer(&mut transaction, Request::Command(command), None, Waiting::Nobody)?;
            }
        }
        for ((request, waiting), prefetched) in requests.into_iter().zip(prefetched) {
            if let Request::SendResult { message, .. } = &request {
                self.handed_over.remove(message);
            }
            batch.answer(&mut transaction, request, prefetched, waiting)?;
        }
        let Batch { events, owed, .. } = batch;
        let committed = transaction.commit(&self.state)?;
        let span = tracing::Span::current();
        span.record("events", events.len()).record("last_sequence", committed.last_sequence);
        tracing::debug!("a batch was committed");

        if let Some(settings) = settings {
            self.metrics.bots().keep(&bots::steps_in_use(&self.state, &self.store, &settings)?);
            self.settings.store(settings);
        }
        self.metrics.committed(&events, asked, begun.elapsed());
        let hands_over = events.iter().any(hands_over);
        let new = events.iter().filter_map(new_attempt).collect();
        self.feed.publish(&events, committed.last_sequence);
        owed.into_iter().for_each(Owed::pay);
        self.imported(&events);
        if hands_over {
            self.hand_over(&new)?;
        }
        Ok(())
    }

    /// Says which opt-outs were imported, and forgets customers whom nothing else concerns: of a long list the state would hold all.
    fn imported(&mut self, events: &[Event]) {
        let mut imported = false;
        for event in events {
            if let Happened::Agent(AgentEvent::OptOutsImported { user, listed, opted_out }) = &event.what {
                tracing::info!(%user, listed, opted_out, "a supervisor imported opt-outs");
                imported = true;
            }
        }
        if imported {
            self.state.evict_idle(self.now());
        }
    }

    /// Hands over every attempt that is to be at the gateway and was not handed over by this process; `new` are those that nobody
    /// can have asked the gateway for.
    fn hand_over(&mut self, new: &HashSet<(MessageId, Attempt)>) -> Result<(), CommitError> {
        let (settings, now) = (self.settings.load(), self.now());
        for outbound in self.state.in_flight() {
            if self.handed_over.get(&outbound.message) == Some(&outbound.attempt) {
                continue;
            }
            let (Some(deadline), Some(dispatch)) = (outbound.sending_until, self.store.dispatch(outbound.message)?)
            else {
                continue;
            };
            self.handed_over.insert(outbound.message, outbound.attempt);
            let is_new = new.contains(&(outbound.message, outbound.attempt));
            // A copy does not know what its origin asked for since; a person who has it sent once more does.
            let in_doubt =
                store_id::is_copy(&self.store.identity().id) && outbound.message.0 < self.ids_from && !outbound.resend;
            let begin_within = millis(deadline.duration_since(now));
            let age = match in_doubt {
                true => now.duration_since(dispatch.at),
                false => now.duration_since(deadline).saturating_add(BEGIN_WITHIN),
            };
            // The sender only ends together with the engine; the attempt is then handed over after the restart.
            let request = SendRequest {
                store_id: self.store.identity().origin().to_owned(),
                message_id: outbound.message.0,
                attempt: outbound.attempt.0,
                asked_before: !is_new || in_doubt,
                begun_millis_ago: (is_new || !self.clock_was_behind).then_some(millis(age)),
                begin_within_millis: begin_within,
                sent_at: now,
                from: settings.number.to_string(),
                to: dispatch.to.as_str().to_owned(),
                text: dispatch.text.as_ref().to_owned(),
                segments: dispatch.segments,
                receipt_token: self.store.receipt_tokens().token(outbound.message, outbound.attempt),
            };
            let _ = self.outbound.send(Handover { request, at: Instant::now() });
        }
        Ok(())
    }

    /// Forgets what is older than it may be, from time to time and in small steps.
    fn forget(&mut self) -> Result<(), CommitError> {
        let now = self.now();
        if now < self.forget_at {
            return Ok(());
        }
        self.state.evict_idle(now);
        self.forget_at = now.saturating_add(FORGET_INTERVAL).unwrap_or(Timestamp::MAX);
        // What the clock says may be wrong: nothing is forgotten that may not be old.
        if self.clock.ahead().is_some() || self.state.open_leap(now).is_some() {
            return Ok(());
        }
        let retention = Retention::days(self.settings.load().retention_days);
        let short = self.store.has_short_log();
        let at_once = if short { self.store.forgettable_at_once(FORGET_AT_ONCE)? } else { FORGET_AT_ONCE };
        let forgotten = self.store.forget(retention, now, at_once)?;
        if short && forgotten.more {
            self.log_is_in_use = !self.store.make_room()?;
        }
        let pause = match forgotten.more {
            // There was no room.
            true if forgotten.rows == 0 => FORGET_AGAIN,
            // Nobody else has anything to do that matters more.
            true if short => SignedDuration::ZERO,
            true => FORGET_PAUSE,
            false => FORGET_INTERVAL,
        };
        self.forget_at = now.saturating_add(pause).unwrap_or(Timestamp::MAX);
        Ok(())
    }
}

/// What is decided in one transaction.
struct Batch<'a> {
    state: &'a mut State,
    tokens: &'a ReceiptTokens,
    now: Timestamp,
    events: Vec<Event>,
    owed: Vec<Owed>,
}

impl Batch<'_> {
    /// Sets the clock; what follows is decided at that time.
    fn set_clock(&mut self, transaction: &mut Transaction<'_>, to: Timestamp) -> Result<(), CommitError> {
        self.answer(transaction, Request::Command(Command::SetClock { to }), None, Waiting::Nobody)?;
        self.now = to;
        Ok(())
    }

    /// Decides a request and writes the decision.
    fn decide(
        &mut self,
        transaction: &mut Transaction<'_>,
        request: &Request,
        prefetched: Option<Prefetched>,
    ) -> Result<Outcome, CommitError> {
        let (command, cause) = resolve(transaction, self.tokens, self.state, request, prefetched)?;
        let decision = self.state.execute(&command, self.now);
        transaction.write(&decision, &cause, self.state)?;
        self.events.extend(decision.events);
        Ok(decision.answer)
    }

    /// Whether the same request gets the same answer again. What passes by itself is decided anew when it is asked again: nothing was
    /// done. On a full volume that is all but what was done: the room is for that.
    fn is_to_be_recorded(&self, outcome: &Outcome, status: u16, something_happened: bool) -> bool {
        if self.state.is_volume_full() && (outcome.is_err() || !something_happened) {
            return false;
        }
        status < 500 && *outcome != Err(Refusal::Disabled)
    }

    /// Decides a request, unless it was decided before under the same key, and notes who is to be told.
    fn answer(
        &mut self,
        transaction: &mut Transaction<'_>,
        request: Request,
        prefetched: Option<Prefetched>,
        waiting: Waiting,
    ) -> Result<(), CommitError> {
        match waiting {
            Waiting::Nobody => {
                if let Err(refusal) = self.decide(transaction, &request, prefetched)? {
                    tracing::debug!(%refusal, "refused");
                }
            }
            Waiting::Once(to) => {
                let outcome = self.decide(transaction, &request, prefetched)?;
                self.owed.push(Owed::Once(to, outcome));
            }
            Waiting::Keyed { id, render, answer } => {
                let keyed = match transaction.repetition(&id, self.now)? {
                    Repetition::Again(recorded) => Keyed::Again(recorded),
                    Repetition::KeyReused => Keyed::KeyReused,
                    Repetition::First => {
                        let events = self.events.len();
                        let outcome = self.decide(transaction, &request, prefetched)?;
                        let recorded = render(&outcome);
                        if self.is_to_be_recorded(&outcome, recorded.status, self.events.len() > events) {
                            transaction.record_answer(&id, &recorded, self.now)?;
                        }
                        Keyed::First(recorded)
                    }
                };
                self.owed.push(Owed::Keyed(answer, keyed));
            }
        }
        Ok(())
    }
}

/// Whole milliseconds; what is negative is none.
fn millis(duration: SignedDuration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or_default()
}

/// The attempt that an event begins.
const fn new_attempt(event: &Event) -> Option<(MessageId, Attempt)> {
    match event.what {
        Happened::Outbound(OutboundEvent::AttemptStarted { message, attempt, .. }) => Some((message, attempt)),
        _ => None,
    }
}

/// Whether an event adds to what is at the gateway, or allows it again.
const fn hands_over(event: &Event) -> bool {
    matches!(
        event.what,
        Happened::Outbound(OutboundEvent::AttemptStarted { .. })
            | Happened::Engine(EngineEvent::EngineStarted { .. } | EngineEvent::ConfigApplied { .. })
    )
}

#[cfg(test)]
#[path = "single_writer_tests.rs"]
mod tests;
