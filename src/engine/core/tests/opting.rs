//! Opt-out and opt-in.

use super::desk::{Desk, config, never_open, number, opt_out};
use crate::{
    engine::core::{
        command::{Answer, Refusal},
        delivery::{DeliveryState, FailureClass, MessageStatus, SendOutcome},
        event::InboundOutcome,
        opt_out::{AnsweredBy, Keyword},
    },
    sms::Sender,
};
use jiff::SignedDuration;

#[test]
fn a_stop_is_confirmed_once_and_stops_everything_until_start() {
    let mut desk = Desk::with_agents(config(), &["ana"]);
    desk.text(1, "TEXT-hello");
    let open = desk.open(1).unwrap();
    desk.reply("ana", open).unwrap();
    desk.accept_all();
    assert_eq!(desk.text(1, "Stop."), InboundOutcome::OptedOut);
    assert_eq!(desk.text(1, "stop"), InboundOutcome::OptedOut);
    assert_eq!(desk.texts_to(1), ["TEXT-reply", "TEXT-stopped"]);
    assert_eq!(desk.reply("ana", open), Err(Refusal::OptedOut));
    assert_eq!(desk.text(1, "HELP"), InboundOutcome::Help);
    assert_eq!(desk.text(1, "TEXT-really"), InboundOutcome::Joined);
    desk.finish("ana", open).unwrap();
    assert_eq!(desk.start("ana", 1), Err(Refusal::OptedOut));
    desk.accept_all();
    assert_eq!(desk.texts_to(1)[2..], ["TEXT-help"], "only what the customer asks for");
    assert_eq!(desk.text(1, "START"), InboundOutcome::OptedIn);
    assert_eq!(desk.texts_to(1)[3..], ["TEXT-started"]);
    desk.start("ana", 1).unwrap();
    assert_eq!(desk.text(1, "STOP"), InboundOutcome::OptedOut);
    assert_eq!(desk.texts_to(1).last(), Some(&"TEXT-stopped"), "a second opt-out is confirmed again");
}

#[test]
fn start_is_an_ordinary_message_for_who_did_not_opt_out() {
    let mut desk = Desk::new(config());
    assert_eq!(desk.text(1, "START"), InboundOutcome::Queued);
    assert_eq!(desk.texts_to(1).len(), 0);
}

#[test]
fn words_are_heard_before_hours_blocklist_and_switches() {
    let mut config = config();
    config.enabled = false;
    config.schedule = never_open();
    let entry = crate::engine::core::blocklist::Entry {
        number: number(1),
        direction: crate::engine::core::blocklist::Direction::Both,
        expires_at: None,
    };
    config.blocklist = crate::engine::core::blocklist::Blocklist::new(true, true, [entry]);
    let mut desk = Desk::new(config);
    assert_eq!(desk.text(1, "HELP"), InboundOutcome::Help);
    assert_eq!(desk.text(1, "STOP"), InboundOutcome::OptedOut);
    assert_eq!(desk.text(1, "START"), InboundOutcome::OptedIn);
    assert_eq!(desk.text(1, "TEXT-hello"), InboundOutcome::Blocked);
    assert_eq!(desk.texts_to(1), ["TEXT-help", "TEXT-stopped", "TEXT-started"]);
    assert_eq!(desk.at_gateway().len(), 1, "what was committed is sent, one after the other");
}

#[test]
fn a_call_for_help_is_answered_before_and_after_an_opt_out() {
    let mut desk = Desk::new(config());
    desk.text(1, "HELP");
    desk.text(1, "HELP");
    desk.text(1, "STOP");
    desk.text(1, "HELP");
    desk.accept_all();
    desk.restart();
    desk.accept_all();
    assert_eq!(desk.texts_to(1), ["TEXT-help", "TEXT-help", "TEXT-stopped", "TEXT-help"]);
    assert!(
        desk.messages
            .values()
            .all(|message| message.sent.as_ref().is_none_or(|sent| sent.1 == MessageStatus::Accepted))
    );
}

#[test]
fn what_waited_to_be_sent_is_given_up() {
    let mut desk = Desk::with_agents(config(), &["ana"]);
    desk.text(1, "TEXT-hello");
    let open = desk.open(1).unwrap();
    let first = desk.reply("ana", open).unwrap();
    let second = desk.reply("ana", open).unwrap();
    desk.text(1, "STOP");
    assert_eq!((desk.status(first), desk.status(second)), (MessageStatus::Sending, MessageStatus::Canceled));
    desk.answer(first, SendOutcome::NotSent { retry_after: SignedDuration::ZERO }).unwrap();
    assert_eq!(desk.status(first), MessageStatus::Canceled, "it did not leave in time, and must not leave now");
    let confirmation = desk.at_gateway();
    assert_eq!(desk.messages[&confirmation[0]].text.as_ref(), "TEXT-stopped");
}

fn outcome(answer: &Result<Answer, Refusal>) -> Option<InboundOutcome> {
    match answer {
        Ok(Answer::Inbound { outcome, .. }) => *outcome,
        Ok(_) | Err(_) => None,
    }
}

#[test]
fn on_a_full_volume_only_what_changes_consent_is_taken() {
    for full in [true, false] {
        let mut desk = Desk::with_agents(config(), &["ana"]);
        desk.text(1, "TEXT-hello");
        let open = desk.open(1).unwrap();
        desk.reply("ana", open).unwrap();
        let waiting = desk.reply("ana", open).unwrap();
        desk.state.set_volume_full(full);
        // Unless the volume is full the text passes others that wait at the gateway.
        let overtakes = !full;
        for ordinary in ["TEXT-more", "HELP", "START"] {
            assert_eq!(desk.short_of_room(1, ordinary, overtakes, false), (Err(Refusal::NoRoom), 0), "{ordinary}");
            assert_eq!(desk.short_of_room(2, ordinary, overtakes, false), (Err(Refusal::NoRoom), 0), "{ordinary}");
        }
        assert_eq!(outcome(&desk.short_of_room(1, "STOP", overtakes, false).0), Some(InboundOutcome::OptedOut));
        assert_eq!(desk.status(waiting), MessageStatus::Canceled, "what waited is not sent");
        assert_eq!(outcome(&desk.short_of_room(2, "STOP", overtakes, false).0), Some(InboundOutcome::OptedOut), "new");
        if full {
            let again = desk.short_of_room(1, "stop", overtakes, false);
            assert_eq!(again, (Ok(Answer::OptedOutBefore), 0), "a repeated one adds no row");
        }
        assert_eq!(outcome(&desk.short_of_room(1, "START", overtakes, false).0), Some(InboundOutcome::OptedIn));
    }
}

#[test]
fn a_start_that_came_before_the_stop_and_is_delivered_after_it_means_nothing() {
    let mut desk = Desk::new(config());
    desk.text(1, "STOP");
    assert_eq!(outcome(&desk.short_of_room(1, "START", false, true).0), Some(InboundOutcome::Queued));
    assert!(desk.customer(1).opted_out);
    assert_eq!(outcome(&desk.short_of_room(1, "START", false, false).0), Some(InboundOutcome::OptedIn));
}

#[test]
fn nothing_is_sent_while_sending_is_paused() {
    let mut desk = Desk::with_agents(config(), &["ana"]);
    desk.text(1, "TEXT-hello");
    let open = desk.open(1).unwrap();
    desk.state.pause_sending(true);
    let message = desk.reply("ana", open).unwrap();
    assert_eq!(
        (desk.status(message), desk.state.next_wakeup().is_some_and(|at| at <= desk.now)),
        (MessageStatus::Waiting, false)
    );
    desk.state.pause_sending(false);
    desk.pass_seconds(1);
    assert_eq!(desk.status(message), MessageStatus::Sending);
}

#[test]
fn who_opts_out_while_waiting_leaves_the_queue() {
    let mut desk = Desk::new(config());
    desk.text(1, "TEXT-hello");
    desk.pass_seconds(10);
    desk.text(1, "STOP");
    assert_eq!((desk.open(1), desk.state.queue().count()), (None, 0));
    let level = desk.state.service_level(desk.now);
    assert_eq!((level.abandoned, level.abandoned_in_target, level.percent_with_abandoned), (1, 1, Some(100)));
}

#[test]
fn an_opted_out_customer_is_heard_and_the_interaction_flagged() {
    let mut desk = Desk::with_agents(config(), &["ana"]);
    desk.text(1, "STOP");
    assert_eq!(desk.text(1, "TEXT-one more thing"), InboundOutcome::Queued);
    let open = desk.open(1).unwrap();
    assert_eq!(desk.owner(open), Some("ana"));
    let flagged = desk.log.iter().any(|event| {
        matches!(
            event.what,
            crate::engine::core::event::Happened::Interaction(
                crate::engine::core::event::InteractionEvent::InteractionOpened { opted_out: true, .. }
            )
        )
    });
    assert!(flagged);
    assert_eq!(desk.reply("ana", open), Err(Refusal::OptedOut));
    desk.text(1, "START");
    desk.reply("ana", open).unwrap();
}

#[test]
fn automatic_texts_are_not_sent_to_who_opted_out() {
    let mut config = config();
    config.schedule = never_open();
    let mut desk = Desk::new(config);
    desk.text(1, "STOP");
    assert_eq!(desk.text(1, "TEXT-hello"), InboundOutcome::OutOfHours);
    assert_eq!(desk.texts_to(1), ["TEXT-stopped"]);
}

#[test]
fn the_provider_answers_when_told_to_or_when_it_says_so() {
    let mut config = config();
    config.opt_out = opt_out(AnsweredBy::Provider);
    let mut desk = Desk::new(config);
    for (text, outcome) in
        [("HELP", InboundOutcome::Help), ("STOP", InboundOutcome::OptedOut), ("START", InboundOutcome::OptedIn)]
    {
        assert_eq!(desk.text(1, text), outcome);
    }
    assert_eq!(desk.texts_to(1).len(), 0);
    let mut desk = Desk::new(super::desk::config());
    let sender = Sender::Number(number(1));
    assert_eq!(desk.text_from(&sender, "baja", Some(Keyword::Stop)), InboundOutcome::OptedOut);
    assert_eq!(desk.text_from(&sender, "alta", Some(Keyword::Start)), InboundOutcome::OptedIn);
    assert_eq!(desk.texts_to(1).len(), 0);
}

#[test]
fn a_refusal_or_receipt_that_names_an_opt_out_is_one() {
    for by_receipt in [false, true] {
        let mut desk = Desk::with_agents(config(), &["ana"]);
        let (open, first) = desk.start("ana", 1).unwrap();
        let second = desk.reply("ana", open).unwrap();
        if by_receipt {
            desk.answer(first, SendOutcome::Accepted).unwrap();
            desk.receipt(first, false, DeliveryState::Failed(FailureClass::OptedOut));
            assert_eq!(desk.status(second), MessageStatus::Sending, "it was at the gateway already");
        } else {
            desk.answer(first, SendOutcome::Refused(FailureClass::OptedOut)).unwrap();
            assert_eq!(desk.status(second), MessageStatus::Canceled);
        }
        assert!(desk.customer(1).opted_out);
        assert_eq!(desk.reply("ana", open), Err(Refusal::OptedOut));
        assert_eq!(desk.texts_to(1).len(), 2, "an opt-out at the provider is not confirmed by us");
    }
}
