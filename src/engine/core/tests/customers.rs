//! What becomes of a customer's message.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::desk::{Desk, config, never_open, number};
use crate::{
    engine::core::{
        blocklist::{Blocklist, Direction, Entry},
        command::Refusal,
        event::InboundOutcome,
        schedule::Schedule,
    },
    sms::Sender,
};

fn blocked(direction: Direction, expires_in: Option<i64>, desk: &Desk) -> Blocklist {
    let expires_at = expires_in.map(|seconds| desk.now + SignedDuration::from_secs(seconds));
    Blocklist::new(true, true, [Entry { number: number(1), direction, expires_at }])
}

#[test]
fn a_first_message_waits_and_the_next_joins_it() {
    let mut desk = Desk::new(config());
    assert_eq!(desk.text(1, "TEXT-hello"), InboundOutcome::Queued);
    let open = desk.open(1).unwrap();
    assert_eq!(desk.text(1, "TEXT-again"), InboundOutcome::Joined);
    assert_eq!(desk.open(1), Some(open));
    assert_eq!(desk.state.queue().collect::<Vec<_>>(), [open]);
    let joined: Vec<_> = desk.messages.values().map(|message| message.interaction).collect();
    assert_eq!(joined, [Some(open), Some(open)]);
}

#[test]
fn a_duplicate_changes_nothing_and_names_the_first() {
    let mut desk = Desk::new(config());
    let sender = Sender::Number(number(1));
    assert_eq!(desk.inbound(&sender, "TEXT-hello", None, "SM1"), Some(InboundOutcome::Queued));
    let (messages, place) = (desk.messages.len(), desk.log.len());
    assert_eq!(desk.inbound(&sender, "TEXT-hello", None, "SM1"), None);
    assert_eq!((desk.messages.len(), desk.names_since(place)), (messages, vec!["InboundDuplicated"]));
}

#[test]
fn a_blocked_sender_is_rejected_until_the_entry_expires() {
    let mut desk = Desk::new(config());
    let list = blocked(Direction::Inbound, Some(600), &desk);
    desk.configure(|config| config.blocklist = list);
    assert_eq!(desk.text(1, "TEXT-hello"), InboundOutcome::Blocked);
    assert_eq!((desk.open(1), desk.texts_to(1)), (None, vec![]));
    assert_eq!(desk.text(2, "TEXT-hello"), InboundOutcome::Queued);
    desk.pass_seconds(600);
    assert_eq!(desk.text(1, "TEXT-hello"), InboundOutcome::Queued);
}

#[test]
fn lists_count_only_in_their_direction_and_when_switched_on() {
    use Direction::{Both, Inbound, Outbound};
    let cases = [
        // Switches (inbound, outbound), the entry's direction: is the message rejected, is the start refused?
        ((true, true), Inbound, true, false),
        ((true, true), Outbound, false, true),
        ((true, true), Both, true, true),
        ((false, true), Both, false, true),
        ((true, false), Both, true, false),
        ((false, false), Both, false, false),
    ];
    for ((inbound, outbound), direction, rejected, refused) in cases {
        let entry = Entry { number: number(1), direction, expires_at: None };
        let list = Blocklist::new(inbound, outbound, [entry]);
        let mut config = config();
        config.blocklist = list;
        let mut desk = Desk::with_agents(config.clone(), &["ana"]);
        assert_eq!(
            desk.text(1, "TEXT-hello") == InboundOutcome::Blocked,
            rejected,
            "{inbound} {outbound} {direction:?}"
        );
        let mut desk = Desk::with_agents(config, &["ana"]);
        let started = desk.start("ana", 1);
        assert_eq!(started == Err(Refusal::Blocked), refused, "{inbound} {outbound} {direction:?}");
        let recorded = desk.log.iter().any(|event| event.name() == "StartBlocked");
        assert_eq!(recorded, refused, "every blocked attempt is recorded");
    }
}

#[test]
fn a_number_in_two_lists_is_blocked_until_the_later_end() {
    let desk = Desk::new(config());
    let at = |seconds| Some(desk.now + SignedDuration::from_secs(seconds));
    let entry = |expires_at| Entry { number: number(1), direction: Direction::Both, expires_at };
    for (first, second, blocked_at_90) in
        [(at(60), at(120), true), (at(120), at(60), true), (at(60), None, true), (at(60), at(80), false)]
    {
        let list = Blocklist::new(true, true, [entry(first), entry(second)]);
        assert_eq!(list.blocks_inbound(&number(1), desk.now + SignedDuration::from_secs(90)), blocked_at_90);
    }
}

#[test]
fn the_outbound_list_does_not_stop_replies() {
    let mut desk = Desk::with_agents(config(), &["ana"]);
    desk.text(1, "TEXT-hello");
    let list = blocked(Direction::Outbound, None, &desk);
    desk.configure(|config| config.blocklist = list);
    let open = desk.open(1).unwrap();
    desk.reply("ana", open).unwrap();
    desk.finish("ana", open).unwrap();
    assert_eq!(desk.start("ana", 1), Err(Refusal::Blocked));
}

#[test]
fn outside_the_hours_a_text_is_sent_once_an_hour_and_nothing_waits() {
    let mut config = config();
    config.schedule = never_open();
    let mut desk = Desk::new(config);
    assert_eq!(desk.text(1, "TEXT-a"), InboundOutcome::OutOfHours);
    assert_eq!((desk.open(1), desk.texts_to(1)), (None, vec!["TEXT-closed"]));
    desk.pass_seconds(3599);
    assert_eq!(desk.text(1, "TEXT-b"), InboundOutcome::OutOfHours);
    assert_eq!(desk.texts_to(1).len(), 1);
    assert_eq!(desk.text(2, "TEXT-c"), InboundOutcome::OutOfHours);
    assert_eq!(desk.texts_to(2).len(), 1, "the hour is each customer's own");
    desk.pass_seconds(1);
    desk.text(1, "TEXT-d");
    assert_eq!(desk.texts_to(1).len(), 2);
    let reasons = desk.names_since(0).into_iter().filter(|name| *name == "InteractionClosed").count();
    assert_eq!(reasons, 4, "each message is an interaction that was closed at once");
}

#[test]
fn the_hour_is_remembered_when_the_customer_was_evicted_and_the_engine_restarted() {
    let mut config = config();
    config.schedule = never_open();
    let mut desk = Desk::new(config);
    desk.text(1, "TEXT-a");
    desk.accept_all();
    desk.state.evict_idle(desk.now);
    assert_eq!(desk.state.customer(desk.customer(1).id), None);
    desk.restart();
    desk.text(1, "TEXT-b");
    assert_eq!(desk.texts_to(1).len(), 1);
}

#[test]
fn an_interaction_that_is_open_when_the_hours_end_stays() {
    let mut desk = Desk::with_agents(config(), &[]);
    desk.text(1, "TEXT-a");
    desk.configure(|config| config.schedule = never_open());
    assert_eq!(desk.text(1, "TEXT-b"), InboundOutcome::Joined);
    desk.online("ana");
    desk.present("ana", true);
    let open = desk.open(1).unwrap();
    desk.reply("ana", open).unwrap();
    desk.finish("ana", open).unwrap();
    assert_eq!(desk.text(1, "TEXT-c"), InboundOutcome::OutOfHours);
}

#[test]
fn a_full_queue_rejects_and_says_so_once_an_hour() {
    let mut config = config();
    config.max_queued = std::num::NonZeroU32::new(2);
    let mut desk = Desk::new(config);
    assert_eq!(desk.text(1, "TEXT-a"), InboundOutcome::Queued);
    assert_eq!(desk.text(2, "TEXT-b"), InboundOutcome::Queued);
    assert_eq!(desk.text(3, "TEXT-c"), InboundOutcome::QueueFull);
    assert_eq!(desk.text(3, "TEXT-d"), InboundOutcome::QueueFull);
    assert_eq!((desk.open(3), desk.texts_to(3)), (None, vec!["TEXT-full"]));
    assert_eq!(desk.text(1, "TEXT-e"), InboundOutcome::Joined, "who waits already may go on");
    desk.online("ana");
    desk.present("ana", true);
    assert_eq!(desk.state.queue().count(), 0);
    assert_eq!(desk.text(3, "TEXT-f"), InboundOutcome::Queued, "space was freed");
}

#[test]
fn no_maximum_means_none() {
    let mut desk = Desk::new(config());
    for customer in 0..10 {
        assert_eq!(desk.text(customer, "TEXT-a"), InboundOutcome::Queued);
    }
}

#[test]
fn requeues_bypass_the_maximum() {
    let mut config = config();
    config.max_queued = std::num::NonZeroU32::new(1);
    let mut desk = Desk::with_agents(config, &["ana"]);
    desk.text(1, "TEXT-a");
    desk.text(2, "TEXT-b");
    desk.text(3, "TEXT-c");
    desk.offline("ana");
    desk.pass_seconds(300);
    assert_eq!(desk.state.queue().count(), 3);
}

#[test]
fn a_sender_that_is_no_number_is_heard_but_never_answered() {
    let bank = Sender::Other("MYBANK".into());
    for (schedule, outcome) in
        [(Schedule::always(), InboundOutcome::Queued), (never_open(), InboundOutcome::OutOfHours)]
    {
        let mut config = config();
        config.schedule = schedule;
        let mut desk = Desk::with_agents(config, &["ana"]);
        assert_eq!(desk.text_from(&bank, "TEXT-your code", None), outcome);
        assert_eq!(desk.text_from(&bank, "STOP", None), InboundOutcome::OptedOut);
        assert_eq!(desk.messages.values().filter(|message| message.sent.is_some()).count(), 0);
    }
    let mut desk = Desk::with_agents(config(), &["ana"]);
    desk.text_from(&bank, "TEXT-your code", None);
    let open = desk.state.interactions().next().unwrap().id;
    assert_eq!(desk.reply("ana", open), Err(Refusal::CannotReceive));
    assert_eq!(desk.state.service_level(desk.now + SignedDuration::from_hours(1)).waiting_beyond_target, 0);
    desk.finish("ana", open).unwrap();
}

#[test]
fn texts_that_are_not_set_are_not_sent() {
    let mut config = config();
    config.out_of_hours_message = None;
    config.schedule = never_open();
    let mut desk = Desk::new(config);
    assert_eq!(desk.text(1, "TEXT-a"), InboundOutcome::OutOfHours);
    assert_eq!(desk.texts_to(1).len(), 0);
}

#[test]
fn a_message_counts_as_of_the_hour_at_which_the_gateway_got_it() {
    let mut config = config();
    // It is 14:27:31.5 on a Sunday.
    let range = crate::hours::TimeRange::new(14 * 60, 14 * 60 + 27).unwrap();
    let weekly = vec![(jiff::civil::Weekday::Sunday, vec![range])];
    config.schedule = Schedule::new(jiff::tz::TimeZone::UTC, Some(weekly), BTreeMap::new());
    let mut desk = Desk::new(config);
    assert_eq!(desk.text(1, "TEXT-hello"), InboundOutcome::OutOfHours);
    desk.in_spool = SignedDuration::from_mins(1);
    assert_eq!(desk.text(1, "TEXT-hello"), InboundOutcome::Queued, "14:26:31.5");
    desk.in_spool = SignedDuration::from_hours(1);
    assert_eq!(desk.text(2, "TEXT-hello"), InboundOutcome::OutOfHours, "13:27:31.5");
    desk.in_spool = SignedDuration::from_hours(-24 * 7);
    assert_eq!(desk.text(3, "TEXT-hello"), InboundOutcome::OutOfHours, "a gateway's clock that is ahead opens nothing");
}
