//! Events are read for ever in the form in which they were once written.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    bot::{CallFailure, Outcome, Taken},
    engine::core::{
        bot_run::BotSlot,
        delivery::{FailureClass, MessageStatus},
        event::{
            AgentEvent, BotEndReason, BotWait, ClockEvent, CloseReason, CustomerEvent, EngineEvent, Event, FinishedBy,
            Happened, InboundEvent, InboundOutcome, InteractionEvent, OptOutBy, Origin, OutboundEvent, Parts, Purpose,
            RequeueReason, SampleResult, TransferEndReason, UnreadableEvent, WithdrawalReason,
        },
        ids::{AssemblyId, Attempt, CustomerId, Epoch, InteractionId, MessageId, NoteId, OfferId},
    },
    sms::Encoding,
};

/// One event a line, as version 1 wrote them, and as it wrote those that came later. Never changed; a new version adds a file of its own.
const VERSION_1: &str =
    concat!(include_str!("../fixtures/events-v1.jsonl"), include_str!("../fixtures/events-v1-later.jsonl"));

/// The events of the fixture, in its order: at least one of every kind.
fn events() -> Vec<Happened> {
    let (customer, interaction, message, note) = (CustomerId(7), InteractionId(8), MessageId(9), NoteId(3));
    let assembly = AssemblyId(5);
    let user = || "oidc:ana".into();
    let later = "2026-11-22T14:28:01.5Z".parse().unwrap();
    let committed = |purpose| {
        OutboundEvent::OutboundCommitted {
            message,
            customer,
            interaction: Some(interaction),
            purpose,
            encoding: Encoding::Ucs2,
            segments: 2,
        }
        .into()
    };
    let ended = |status| OutboundEvent::AttemptEnded { message, attempt: Attempt(1), status }.into();
    let recorded_with_parts = |outcome, parts| {
        InboundEvent::InboundRecorded { message, customer, outcome, interaction: Some(interaction), parts }.into()
    };
    let joined = |assembly, missing| {
        recorded_with_parts(InboundOutcome::Queued, Some(Parts { assembly, total: 3, missing, received_at: later }))
    };
    let recorded = |outcome| recorded_with_parts(outcome, None);
    let ended_on = |reason, completed_on| {
        InteractionEvent::InteractionClosed {
            interaction,
            reason,
            owner: Some(user()),
            completed_on,
            disposition: None,
            by: None,
        }
        .into()
    };
    let closed = |reason| ended_on(reason, None);
    let withdrawn = |reason| {
        InteractionEvent::OfferWithdrawn { interaction, offer: OfferId(4), users: vec![user()], reason }.into()
    };
    let transfer_ended = |reason| InteractionEvent::TransferEnded { interaction, to: Some("bo".into()), reason }.into();
    let completed_on = jiff::civil::date(2026, 11, 22);
    let bot_started = |slot, previous_agent, finished| {
        let (bot, version) = ("welcome".into(), "0a1b2c3d4e5f".into());
        InteractionEvent::BotStarted { interaction, slot, bot, version, previous_agent, finished }.into()
    };
    let taken = |outcome, case| Taken { step: "topic".into(), outcome, case, failure: None };
    let failed = |failure| Taken { failure: Some(failure), ..taken(Outcome::CallFailed, None) };
    let stepped =
        |taken, wait| InteractionEvent::BotStepped { interaction, bot: "welcome".into(), turn: 4, taken, wait }.into();
    let bot_failed = |reason, step, priority| {
        InteractionEvent::BotEnded { interaction, bot: "welcome".into(), reason, step, priority }.into()
    };
    let bot_ended = |reason, priority| bot_failed(reason, None, priority);
    let sampled = |result| {
        InteractionEvent::ServiceLevelSampled {
            interaction,
            result,
            waited_millis: 61_500,
            target_seconds: 60,
            in_target: false,
        }
        .into()
    };
    vec![
        EngineEvent::EngineStarted { ids_from: 0 }.into(),
        EngineEvent::ConfigApplied { hash: "c0ffee".into(), paced_until: None }.into(),
        ClockEvent::Disabled.into(),
        ClockEvent::Enabled.into(),
        EngineEvent::StorageAccepted {
            next_customer: CustomerId(1_000_007),
            next_interaction: InteractionId(1_000_008),
            next_message: MessageId(1_000_009),
            next_note: NoteId(1_000_003),
        }
        .into(),
        CustomerEvent::CustomerAdded { customer, can_receive: true }.into(),
        recorded(InboundOutcome::OptedOut),
        recorded(InboundOutcome::OptedIn),
        recorded(InboundOutcome::Help),
        InboundEvent::InboundRecorded {
            message,
            customer,
            outcome: InboundOutcome::Blocked,
            interaction: None,
            parts: None,
        }
        .into(),
        recorded(InboundOutcome::Disabled),
        recorded(InboundOutcome::Joined),
        recorded(InboundOutcome::OutOfHours),
        recorded(InboundOutcome::QueueFull),
        recorded(InboundOutcome::Queued),
        InboundEvent::InboundDuplicated { message }.into(),
        CustomerEvent::OptedOut { customer, by: OptOutBy::Keyword { message } }.into(),
        CustomerEvent::OptedOut { customer, by: OptOutBy::Provider { message } }.into(),
        CustomerEvent::OptedIn { customer, message }.into(),
        AgentEvent::StartBlocked { user: user(), customer: Some(customer) }.into(),
        InteractionEvent::InteractionOpened { interaction, customer, origin: Origin::Customer, opted_out: false }
            .into(),
        InteractionEvent::InteractionOpened {
            interaction,
            customer,
            origin: Origin::Agent { user: user() },
            opted_out: false,
        }
        .into(),
        InteractionEvent::InteractionQueued { interaction, measured: true, previous_agent: None }.into(),
        InteractionEvent::InteractionAssigned {
            interaction,
            user: user(),
            epoch: Epoch(1),
            position: None,
            offer: None,
            previous: false,
            from: None,
            by: None,
        }
        .into(),
        InteractionEvent::InteractionRequeued {
            interaction,
            user: user(),
            epoch: Epoch(2),
            reason: RequeueReason::OwnerOffline,
        }
        .into(),
        InteractionEvent::InteractionRequeued {
            interaction,
            user: user(),
            epoch: Epoch(2),
            reason: RequeueReason::OwnerRemoved,
        }
        .into(),
        closed(CloseReason::Finished),
        closed(CloseReason::OutOfHours),
        closed(CloseReason::Idle),
        closed(CloseReason::OptedOut),
        sampled(SampleResult::Answered),
        sampled(SampleResult::Unanswered),
        sampled(SampleResult::Abandoned),
        committed(Purpose::Reply { user: user() }),
        committed(Purpose::Start { user: user() }),
        committed(Purpose::OutOfHours),
        committed(Purpose::QueueFull),
        committed(Purpose::OptOutConfirmation),
        committed(Purpose::OptInConfirmation),
        committed(Purpose::Help),
        OutboundEvent::AttemptStarted { message, attempt: Attempt(1), deadline: later, paced_until: later }.into(),
        OutboundEvent::AttemptNotSent { message, attempt: Attempt(1), hold_until: later, paced_until: later }.into(),
        ended(MessageStatus::Accepted),
        ended(MessageStatus::Unknown),
        ended(MessageStatus::Failed(FailureClass::InvalidNumber)),
        ended(MessageStatus::Failed(FailureClass::OptedOut)),
        ended(MessageStatus::Failed(FailureClass::Sender)),
        ended(MessageStatus::Failed(FailureClass::Account)),
        ended(MessageStatus::Failed(FailureClass::Filtered)),
        ended(MessageStatus::Failed(FailureClass::InvalidMessage)),
        OutboundEvent::OutboundCanceled { message, resend: false }.into(),
        OutboundEvent::ReceiptApplied { message, status: MessageStatus::Sent }.into(),
        OutboundEvent::ReceiptApplied { message, status: MessageStatus::Delivered }.into(),
        OutboundEvent::ReceiptApplied { message, status: MessageStatus::Failed(FailureClass::Failed) }.into(),
        OutboundEvent::ReceiptParked.into(),
        AgentEvent::AgentOnline { user: user() }.into(),
        AgentEvent::AgentOffline { user: user() }.into(),
        AgentEvent::AgentPresenceSet { user: user(), present: true, missed: None }.into(),
        InteractionEvent::NoteAdded { note, interaction, user: user() }.into(),
        EngineEvent::EngineStarted { ids_from: 1_795_608_000_000_000 }.into(),
        ClockEvent::ClockLeapt { millis: 86_400_000 }.into(),
        ClockEvent::ClockSet { to: later }.into(),
        sampled(SampleResult::NoReply),
        InteractionEvent::InteractionAssigned {
            interaction,
            user: user(),
            epoch: Epoch(1),
            position: Some(2),
            offer: None,
            previous: false,
            from: None,
            by: None,
        }
        .into(),
        ended_on(CloseReason::Finished, Some(jiff::civil::date(2026, 11, 22))),
        InteractionEvent::InteractionOffered {
            interaction,
            offer: OfferId(4),
            users: vec![user()],
            timeout_seconds: 30,
            position: Some(2),
            previous: false,
        }
        .into(),
        InteractionEvent::InteractionOffered {
            interaction,
            offer: OfferId(4),
            users: vec![user(), "bo".into()],
            timeout_seconds: 30,
            position: None,
            previous: false,
        }
        .into(),
        InteractionEvent::OfferExtended { interaction, offer: OfferId(4), users: vec!["cy".into()] }.into(),
        InteractionEvent::OfferDeclined { interaction, offer: OfferId(4), user: user() }.into(),
        withdrawn(WithdrawalReason::TimedOut),
        withdrawn(WithdrawalReason::AgentOffline),
        withdrawn(WithdrawalReason::AgentNotPresent),
        withdrawn(WithdrawalReason::AgentRemoved),
        InteractionEvent::OfferRested { interaction, users: vec![user()] }.into(),
        AgentEvent::AgentPresenceSet { user: user(), present: false, missed: Some(3) }.into(),
        InteractionEvent::InteractionAssigned {
            interaction,
            user: user(),
            epoch: Epoch(1),
            position: None,
            offer: Some(OfferId(4)),
            previous: false,
            from: None,
            by: None,
        }
        .into(),
        InteractionEvent::InteractionQueued { interaction, measured: true, previous_agent: Some(user()) }.into(),
        InteractionEvent::QueueTimedOut { interaction }.into(),
        InteractionEvent::InteractionAssigned {
            interaction,
            user: user(),
            epoch: Epoch(1),
            position: None,
            offer: None,
            previous: true,
            from: None,
            by: None,
        }
        .into(),
        InteractionEvent::InteractionOffered {
            interaction,
            offer: OfferId(4),
            users: vec![user()],
            timeout_seconds: 30,
            position: None,
            previous: true,
        }
        .into(),
        InteractionEvent::TransferStarted {
            interaction,
            user: user(),
            to: Some("bo".into()),
            offer: Some(OfferId(5)),
            timeout_seconds: Some(60),
        }
        .into(),
        InteractionEvent::TransferStarted { interaction, user: user(), to: None, offer: None, timeout_seconds: None }
            .into(),
        transfer_ended(TransferEndReason::Canceled),
        transfer_ended(TransferEndReason::Declined),
        transfer_ended(TransferEndReason::TimedOut),
        transfer_ended(TransferEndReason::AgentOffline),
        transfer_ended(TransferEndReason::AgentNotPresent),
        transfer_ended(TransferEndReason::AgentRemoved),
        transfer_ended(TransferEndReason::OwnerOffline),
        transfer_ended(TransferEndReason::OwnerRemoved),
        transfer_ended(TransferEndReason::Assigned),
        transfer_ended(TransferEndReason::Closed),
        InteractionEvent::TransferEnded { interaction, to: None, reason: TransferEndReason::TimedOut }.into(),
        InteractionEvent::InteractionAssigned {
            interaction,
            user: "bo".into(),
            epoch: Epoch(2),
            position: None,
            offer: Some(OfferId(5)),
            previous: false,
            from: Some(user()),
            by: None,
        }
        .into(),
        InteractionEvent::InteractionClosed {
            interaction,
            reason: CloseReason::Finished,
            owner: Some(user()),
            completed_on: Some(jiff::civil::date(2026, 11, 22)),
            disposition: Some("refund-granted".into()),
            by: None,
        }
        .into(),
        InteractionEvent::InteractionAssigned {
            interaction,
            user: "bo".into(),
            epoch: Epoch(3),
            position: None,
            offer: None,
            previous: false,
            from: Some(user()),
            by: Some("eva".into()),
        }
        .into(),
        InteractionEvent::InteractionClosed {
            interaction,
            reason: CloseReason::BySupervisor,
            owner: None,
            completed_on: None,
            disposition: None,
            by: Some("eva".into()),
        }
        .into(),
        recorded(InboundOutcome::Bot),
        bot_started(BotSlot::OnStart, Some(user()), None),
        bot_started(BotSlot::OnQueueTimeout, None, None),
        bot_started(
            BotSlot::OnEnd,
            None,
            Some(FinishedBy { owner: user(), completed_on, disposition: Some("sold".into()) }),
        ),
        stepped(vec![], None),
        stepped(
            Outcome::ALL
                .into_iter()
                .filter(|outcome| !matches!(outcome, Outcome::Called | Outcome::CallFailed))
                .map(|outcome| taken(outcome, None))
                .collect(),
            Some(BotWait::Answer { step: "topic".into(), attempt: 2, seconds: 600 }),
        ),
        stepped(vec![taken(Outcome::Case, Some("done".into()))], None),
        InteractionEvent::BotTimedOut { interaction }.into(),
        bot_ended(BotEndReason::HandedOff, 3),
        bot_ended(BotEndReason::Finished, 0),
        bot_ended(BotEndReason::NoAnswer, 0),
        bot_ended(BotEndReason::TimedOut, 0),
        bot_ended(BotEndReason::TooManyVariables, 0),
        bot_ended(BotEndReason::TooManyTurns, 0),
        bot_ended(BotEndReason::Lost, 0),
        bot_ended(BotEndReason::OptedOut, 0),
        bot_ended(BotEndReason::Assigned, 0),
        bot_ended(BotEndReason::Closed, 0),
        InteractionEvent::BotNoted { note, interaction, bot: "welcome".into() }.into(),
        committed(Purpose::Bot),
        closed(CloseReason::BotFinished),
        closed(CloseReason::QueueTimeout),
        stepped(vec![], Some(BotWait::Service { calls: "look-up".into() })),
        stepped(vec![taken(Outcome::Called, None)], None),
        stepped(CallFailure::ALL.map(failed).into(), None),
        OutboundEvent::ResendRequested {
            message,
            customer,
            interaction,
            purpose: Purpose::Reply { user: user() },
            segments: 2,
            attempt: Attempt(1),
            user: "eva".into(),
        }
        .into(),
        OutboundEvent::OutboundCanceled { message, resend: true }.into(),
        CustomerEvent::OptedOut { customer, by: OptOutBy::Import { user: user(), since: later } }.into(),
        AgentEvent::OptOutsImported { user: user(), listed: 3, opted_out: 1 }.into(),
        ClockEvent::DayBegan { on: completed_on }.into(),
        bot_failed(BotEndReason::NoAnswer, Some("topic".into()), 0),
        InboundEvent::PartKept { assembly, customer, reference: 65_535, total: 3, sequence: 2, bytes: 201 }.into(),
        InboundEvent::PartRepeated { assembly, sequence: 2, differs: false }.into(),
        InboundEvent::PartRepeated { assembly, sequence: 2, differs: true }.into(),
        InboundEvent::PartsTimedOut { assembly }.into(),
        joined(Some(assembly), vec![]),
        joined(Some(assembly), vec![1, 3]),
        joined(None, vec![2, 3]),
    ]
}

fn dated(what: Happened) -> Event {
    Event { at: "2026-11-22T14:27:31.5Z".parse().unwrap(), what }
}

#[test]
fn events_of_version_1_are_read_as_they_were_meant() {
    let read: Vec<Event> = VERSION_1
        .lines()
        .map(|line| {
            Event::from_json(serde_json::from_str(line).unwrap()).unwrap_or_else(|error| panic!("{line}: {error}"))
        })
        .collect();
    assert_eq!(read, events().into_iter().map(dated).collect::<Vec<_>>());
}

#[test]
fn events_are_written_as_version_1_says() {
    let stored: Vec<Value> = VERSION_1.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events().into_iter().map(|what| dated(what).to_json()).collect::<Vec<_>>(), stored);
}

#[test]
fn no_type_of_event_is_missing_here() {
    let here: BTreeSet<&str> = events().into_iter().map(|what| dated(what).name()).collect();
    assert_eq!(Happened::names().filter(|name| !here.contains(name)).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn an_event_is_counted_under_the_name_that_is_stored() {
    for event in events().into_iter().map(dated) {
        assert_eq!(event.to_json()["type"], event.name());
    }
}

#[test]
fn what_cannot_be_read_is_refused_with_its_reason() {
    type Expected = fn(&UnreadableEvent) -> bool;
    let cases: [(Value, Expected); 4] = [
        (json!({"v": 2, "at": "2026-11-22T14:27:31.5Z", "type": "EngineStarted"}), |error| {
            matches!(error, UnreadableEvent::Newer { found: 2 })
        }),
        (json!({"at": "2026-11-22T14:27:31.5Z", "type": "EngineStarted"}), |error| {
            matches!(error, UnreadableEvent::NoVersion)
        }),
        (json!({"v": 1, "at": "2026-11-22T14:27:31.5Z", "type": "Teleported"}), |error| {
            matches!(error, UnreadableEvent::Malformed(_))
        }),
        (json!([]), |error| matches!(error, UnreadableEvent::NoVersion)),
    ];
    for (json, expected) in cases {
        let error = Event::from_json(json.clone()).unwrap_err();
        assert!(expected(&error), "{json}: {error}");
    }
}
