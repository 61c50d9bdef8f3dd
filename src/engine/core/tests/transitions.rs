//! The stages that the reference pages show are those that interactions go through: no transition but these happens, and each of them does.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{
    bots_of_histories::{BOTS, bot_ref},
    desk::{Desk, ask, config, never_open, without},
    importing,
};
use crate::engine::core::{
    apply::apply,
    command::{Command, TransferTo},
    config::{ChannelConfig, OfferMode},
    decide::decide,
    delivery::{FailureClass, SendOutcome},
    due::due,
    event::{ClockEvent, CloseReason, Event, Happened, InteractionEvent},
    ids::{InteractionId, UserId},
    interaction::Interaction,
    lifecycle::{Cause, Stage, TRANSITIONS},
    state::State,
    timers::Timer,
};

/// A transition as it was seen, by one cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seen {
    from: Option<Stage>,
    to: Stage,
    event: &'static str,
    reason: Option<&'static str>,
    cause: Cause,
}

const fn name(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Finished => "Finished",
        CloseReason::OutOfHours => "OutOfHours",
        CloseReason::Idle => "Idle",
        CloseReason::OptedOut => "OptedOut",
        CloseReason::BySupervisor => "BySupervisor",
        CloseReason::BotFinished => "BotFinished",
        CloseReason::QueueTimeout => "QueueTimeout",
    }
}

/// What the reference pages show.
fn shown() -> BTreeSet<Seen> {
    let seen = TRANSITIONS.iter().flat_map(|way| {
        let reason = way.reason.map(name);
        way.causes.iter().map(move |cause| Seen { from: way.from, to: way.to, event: way.event, reason, cause: *cause })
    });
    seen.collect()
}

/// How often each transition was seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch(BTreeMap<Seen, usize>);

impl Watch {
    /// Follows a command from the state before it. Decides and applies as the state itself does, one step after the other; gives the events.
    pub(super) fn follow(&mut self, state: &mut State, command: &Command, now: Timestamp) -> Vec<Event> {
        let mut events = Vec::new();
        if !matches!(command, Command::Started { .. } | Command::ClockLeapt { .. } | Command::ConfigChanged { .. }) {
            self.follow_due(state, now, &mut events);
        }
        let step = decide(state, command, now).events;
        self.step(state, cause_of(command), step, &mut events);
        let now = if let Command::SetClock { to } = command { *to } else { now };
        self.follow_due(state, now, &mut events);
        events
    }

    fn follow_due(&mut self, state: &mut State, now: Timestamp, events: &mut Vec<Event>) {
        let at = now.max(state.scalars.last);
        state.begin_day(at);
        if let Some(on) = state.begins(at) {
            let event = Event { at, what: ClockEvent::DayBegan { on }.into() };
            apply(state, &event);
            events.push(event);
        }
        loop {
            let timer = state.timers.first().filter(|(until, _)| *until <= state.scalars.clock.at(at));
            let cause = timer.map_or(Some(Cause::Strategy), |(_, timer)| cause_of_timer(timer));
            let step = due(state, now);
            if step.is_empty() {
                state.arrived.clear();
                return;
            }
            self.step(state, cause, step, events);
        }
    }

    /// Applies the events of one step and notes which interactions are somewhere else, or somebody else's, after it.
    fn step(&mut self, state: &mut State, cause: Option<Cause>, step: Vec<Event>, events: &mut Vec<Event>) {
        let start = places(state);
        let (mut before, mut last) = (start.clone(), BTreeMap::new());
        for event in step {
            apply(state, &event);
            let after = places(state);
            let ids = before.keys().chain(after.keys());
            let moved: BTreeSet<_> = ids.copied().filter(|id| before.get(id) != after.get(id)).collect();
            last.extend(moved.into_iter().map(|id| (id, event.what.clone())));
            before = after;
            events.push(event);
        }
        let end = before;
        for (id, what) in last.into_iter().filter(|(id, _)| start.get(id) != end.get(id) || !start.contains_key(id)) {
            let from = start.get(&id).map(|(stage, _)| stage.expect("a step ends somewhere"));
            let to = end.get(&id).map_or(Stage::Closed, |(stage, _)| stage.expect("a step ends somewhere"));
            let reason = match &what {
                Happened::Interaction(InteractionEvent::InteractionClosed { reason, .. }) => Some(name(*reason)),
                _ => None,
            };
            let event = Event { at: state.scalars.last, what }.name();
            let cause = cause.unwrap_or_else(|| panic!("{event} follows from nothing that could make it"));
            *self.0.entry(Seen { from, to, event, reason, cause }).or_default() += 1;
        }
    }

    /// Panics when something was seen that the reference pages do not show.
    pub(super) fn check(&self) {
        let shown = shown();
        let unknown: Vec<_> = self.0.keys().filter(|seen| !shown.contains(seen)).collect();
        assert!(unknown.is_empty(), "lifecycle.rs does not have {unknown:#?}");
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (seen, count) in &other.0 {
            *self.0.entry(*seen).or_default() += count;
        }
    }

    /// Those that the reference pages show and that were not seen.
    pub(super) fn missing(&self) -> Vec<Seen> {
        shown().into_iter().filter(|seen| !self.0.contains_key(seen)).collect()
    }
}

type Place = (Option<Stage>, Option<UserId>);

/// Where interactions are, and whose.
fn places(state: &State) -> BTreeMap<InteractionId, Place> {
    let place = |it: &Interaction| (it.id, (it.stage(), it.owner().cloned()));
    state.interactions().map(place).collect()
}

/// None for what moves no interaction.
fn cause_of(command: &Command) -> Option<Cause> {
    Some(match command {
        Command::Inbound(_) | Command::PartsTimedOut(_) => Cause::Text,
        Command::SendResult(_) | Command::Receipt(_) => Cause::Provider,
        Command::ImportOptOuts { .. } => Cause::Import,
        Command::Start { .. } => Cause::Start,
        Command::Accept { .. } => Cause::Accept,
        Command::Decline { .. } => Cause::Decline,
        Command::Transfer { .. } => Cause::Transfer,
        Command::CancelTransfer { .. } => Cause::CancelTransfer,
        Command::Finish { .. } => Cause::Finish,
        Command::SetPresence { .. } => Cause::NotPresent,
        Command::Assign { .. } => Cause::Assign,
        Command::Close { .. } => Cause::Close,
        Command::BotTurn(_) => Cause::BotTurn,
        Command::ConfigChanged { .. } | Command::Started { .. } => Cause::Members,
        Command::StorageAccepted
        | Command::ClockLeapt { .. }
        | Command::SetClock { .. }
        | Command::Tick
        | Command::AgentOnline { .. }
        | Command::AgentOffline { .. }
        | Command::Reply { .. }
        | Command::Resend { .. }
        | Command::Note { .. } => return None,
    })
}

const fn cause_of_timer(timer: &Timer) -> Option<Cause> {
    Some(match timer {
        Timer::OffersAway(_) => Cause::OffersAway,
        Timer::AgentAway(_) => Cause::AgentAway,
        Timer::OfferTimedOut(_) => Cause::OfferTimedOut,
        Timer::TransferTimedOut(_) => Cause::TransferTimedOut,
        Timer::QueueTimedOut(_) => Cause::QueueTimedOut,
        Timer::InteractionIdle(_) => Cause::Idle,
        // Their bot, the strategy or the text moves it then.
        Timer::OfferRested(_) | Timer::BotTimedOut(_) | Timer::PartsTimedOut(_) => return None,
    })
}

/// Ana has, or had, the customer's interaction, Bo is there, and Eva supervises. Offers have longer than an agent may be away, so that each
/// cause comes while they run.
fn desk_at(stage: Stage, max_transfer: Option<SignedDuration>) -> (Desk, InteractionId) {
    let supervisors = ["eva".into()].into();
    let mut desk =
        Desk::with_agents(ChannelConfig { offer: ask(400), supervisors, max_transfer, ..config() }, &["ana", "bo"]);
    desk.watch = Some(Watch::default());
    desk.online("eva");
    for (name, bot) in BOTS {
        desk.bot(name, bot());
    }
    let away = |users: &[&str], desk: &mut Desk| users.iter().for_each(|user| desk.present(user, false));
    match stage {
        Stage::BotOnStart => desk.configure(|config| config.bots.on_start = bot_ref(0)),
        Stage::Queued | Stage::BotOnQueueTimeout => away(&["ana", "bo"], &mut desk),
        Stage::Offered => away(&["ana"], &mut desk),
        _ => away(&["bo"], &mut desk),
    }
    desk.text(1, "TEXT-hello");
    let id = desk.open(1).unwrap();
    if matches!(stage, Stage::Active | Stage::BotOnEnd) || Stage::TRANSFERS.contains(&stage) {
        desk.accept("ana", id).unwrap();
        desk.present("bo", stage != Stage::TransferToQueue);
    }
    match stage {
        Stage::BotOnQueueTimeout => time_out_in_queue(&mut desk),
        Stage::TransferToAgent => desk.transfer("ana", id, TransferTo::Agent("bo".into())).unwrap(),
        Stage::TransferToQueue | Stage::TransferOffered => desk.transfer("ana", id, TransferTo::Queue).unwrap(),
        Stage::BotOnEnd => {
            desk.configure(|config| config.bots.on_end = bot_ref(0));
            desk.finish("ana", id).unwrap();
        }
        _ => {}
    }
    desk.bot_turns();
    assert_eq!(desk.state.interaction(id).and_then(Interaction::stage), Some(stage));
    (desk, id)
}

fn time_out_in_queue(desk: &mut Desk) {
    desk.configure(|config| {
        config.bots.on_queue_timeout = bot_ref(0);
        config.max_queue = Some(SignedDuration::from_secs(1));
    });
    desk.pass_seconds(2);
}

/// The customer answers the bot that asks, if one does, and it does what it does.
fn answer_bot(desk: &mut Desk, answer: &str) {
    desk.text(1, answer);
    desk.bot_turns();
}

/// What may happen at any stage. Where it cannot, it is refused, or changes nothing.
const HAPPENINGS: [fn(&mut Desk, InteractionId); 25] = [
    |desk, _| {
        desk.text(1, "STOP");
    },
    |desk, _| {
        desk.text(1, "help");
        let help = *desk.at_gateway().last().unwrap();
        desk.answer(help, SendOutcome::Refused(FailureClass::OptedOut)).unwrap();
    },
    |desk, _| importing::import(desk, true, &[(1, None)]),
    |desk, _| answer_bot(desk, "on"),
    |desk, _| answer_bot(desk, "off"),
    |desk, id| drop(desk.accept("bo", id)),
    |desk, id| drop(desk.decline("bo", id)),
    |desk, id| drop(desk.transfer("ana", id, TransferTo::Agent("bo".into()))),
    |desk, id| drop(desk.transfer("ana", id, TransferTo::Queue)),
    |desk, id| drop(desk.cancel_transfer("ana", id)),
    |desk, id| drop(desk.finish("ana", id)),
    |desk, id| {
        desk.configure(|config| config.bots.on_end = bot_ref(0));
        drop(desk.finish("ana", id));
    },
    |desk, _| desk.present("bo", false),
    |desk, _| desk.present("bo", true),
    |desk, _| {
        desk.configure(|config| config.offer = OfferMode::Assign);
        desk.present("bo", true);
    },
    |desk, id| {
        let epoch = desk.epoch(id);
        let command = Command::Assign { user: "eva".into(), interaction: id, epoch, to: "eva".into() };
        desk.execute(&command).answer.unwrap();
    },
    |desk, id| {
        let epoch = desk.epoch(id);
        let command = Command::Close { user: "eva".into(), interaction: id, epoch, disposition: None };
        desk.execute(&command).answer.unwrap();
    },
    |desk, _| desk.configure(|config| config.members = without(&config.members, "ana")),
    |desk, _| desk.configure(|config| config.members = without(&config.members, "bo")),
    |desk, _| {
        desk.offline("bo");
        desk.pass_seconds(31);
    },
    |desk, _| {
        desk.offline("ana");
        desk.pass_seconds(301);
    },
    |desk, _| desk.pass_seconds(51),
    |desk, _| desk.pass_seconds(401),
    |desk, _| time_out_in_queue(desk),
    |desk, _| {
        desk.configure(|config| config.session_idle = SignedDuration::from_secs(1));
        desk.pass_seconds(2);
    },
];

/// An agent writes first, and a customer does out of hours.
fn begun_otherwise() -> Watch {
    let mut desk = Desk::with_agents(config(), &["ana"]);
    desk.watch = Some(Watch::default());
    desk.start("ana", 1).unwrap();
    desk.configure(|config| config.schedule = never_open());
    desk.text(2, "TEXT-late");
    desk.watch.unwrap()
}

/// Somebody who is asked by name lets three offers of others pass, which says that they are not there.
fn asked_by_name_and_away() -> Watch {
    let mut desk = Desk::with_agents(ChannelConfig { offer: ask(30), ..config() }, &["ana", "bo"]);
    desk.watch = Some(Watch::default());
    desk.text(1, "TEXT-one");
    let first = desk.open(1).unwrap();
    desk.accept("ana", first).unwrap();
    desk.transfer("ana", first, TransferTo::Agent("bo".into())).unwrap();
    desk.present("ana", false);
    desk.text(2, "TEXT-two");
    desk.pass_seconds(200);
    desk.watch.unwrap()
}

/// Everything that may happen, at each stage.
#[test]
fn every_transition_that_the_pages_show_happens() {
    let mut all = asked_by_name_and_away();
    all.add(&begun_otherwise());
    for stage in Stage::ALL.into_iter().filter(|stage| *stage != Stage::Closed) {
        for max_transfer in [None, Some(SignedDuration::from_secs(50))] {
            let (desk, id) = desk_at(stage, max_transfer);
            for happening in HAPPENINGS {
                let mut desk = desk.clone();
                happening(&mut desk, id);
                all.add(&desk.watch.unwrap());
            }
        }
    }
    all.check();
    assert_eq!(all.missing(), []);
}

#[test]
fn each_is_shown_once_and_each_stage_can_be_reached_and_left() {
    let ways: Vec<_> = TRANSITIONS.iter().map(|way| (way.from, way.to, way.event, way.reason.map(name))).collect();
    let once: BTreeSet<_> = ways.iter().collect();
    assert_eq!(once.len(), ways.len());
    for stage in Stage::ALL {
        assert!(TRANSITIONS.iter().any(|way| way.to == stage), "{stage:?}");
        let is_left = TRANSITIONS.iter().any(|way| way.from == Some(stage));
        assert_eq!(is_left, stage != Stage::Closed, "{stage:?}");
    }
    for way in TRANSITIONS {
        assert_eq!(way.reason.is_some(), way.to == Stage::Closed, "{way:?}");
        assert!(Happened::names().any(|name| name == way.event), "{way:?}");
    }
}
