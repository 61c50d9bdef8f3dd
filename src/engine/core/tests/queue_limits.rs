//! How many may wait in the queue, and for how long.

use std::num::NonZeroU32;

use jiff::SignedDuration;

use super::desk::{Desk, ask, config};
use crate::engine::core::{config::ChannelConfig, event::InboundOutcome};

fn limited(max_queue_seconds: i64) -> ChannelConfig {
    ChannelConfig { max_queue: Some(SignedDuration::from_secs(max_queue_seconds)), ..config() }
}

/// Seconds after the beginning at which an interaction timed out.
fn timed_out(desk: &Desk, from: jiff::Timestamp) -> Vec<i64> {
    let events = desk.log.iter().filter(|event| event.name() == "QueueTimedOut");
    events.map(|event| event.at.duration_since(from).as_secs()).collect()
}

#[test]
fn what_waits_for_too_long_says_so_once_and_goes_on_waiting() {
    type Meanwhile = fn(&mut Desk);
    let cases: [(&str, Meanwhile, &[i64]); 7] = [
        ("nobody comes", |desk| desk.pass_seconds(1000), &[60]),
        (
            "the engine is restarted",
            |desk| {
                desk.pass_seconds(50);
                desk.restart();
                desk.pass_seconds(1000);
                desk.restart();
                desk.pass_seconds(1000);
            },
            &[60],
        ),
        (
            "the channel is disabled for a while",
            |desk| {
                desk.pass_seconds(50);
                desk.configure(|config| config.enabled = false);
                desk.pass_seconds(100);
                desk.configure(|config| config.enabled = true);
                desk.pass_seconds(1000);
            },
            &[160],
        ),
        (
            "the limit is edited",
            |desk| {
                desk.pass_seconds(50);
                desk.configure(|config| config.max_queue = Some(SignedDuration::from_secs(20)));
                desk.configure(|config| config.max_queue = Some(SignedDuration::from_secs(500)));
                desk.pass_seconds(1000);
            },
            &[50],
        ),
        (
            "the limit is taken away",
            |desk| {
                desk.configure(|config| config.max_queue = None);
                desk.pass_seconds(1000);
            },
            &[],
        ),
        (
            "an agent has it in time, and loses it",
            |desk| {
                desk.pass_seconds(59);
                desk.online("ana");
                desk.present("ana", true);
                desk.offline("ana");
                desk.pass_seconds(1000);
            },
            &[59 + 300 + 60],
        ),
        (
            "an agent has it too late, and loses it",
            |desk| {
                desk.pass_seconds(60);
                desk.online("ana");
                desk.present("ana", true);
                desk.offline("ana");
                desk.pass_seconds(1000);
            },
            &[60],
        ),
    ];
    for (what, meanwhile, expected) in cases {
        let mut desk = Desk::new(limited(60));
        let from = desk.now;
        desk.text(1, "TEXT-hello");
        meanwhile(&mut desk);
        assert_eq!(timed_out(&desk, from), expected, "{what}");
        let open = desk.open(1).unwrap();
        assert!(desk.state.queue().eq([open]), "{what}: it waits");
    }
}

#[test]
fn while_agents_are_asked_the_offer_ends_first() {
    for (accepts, expected) in [(false, vec![75]), (true, vec![])] {
        let mut desk = Desk::with_agents(ChannelConfig { offer: ask(25), ..limited(60) }, &["ana", "bo"]);
        let from = desk.now;
        desk.text(1, "TEXT-hello");
        let open = desk.open(1).unwrap();
        desk.pass_seconds(70);
        assert_eq!(timed_out(&desk, from), Vec::<i64>::new(), "Ana is asked for the second time");
        if accepts {
            desk.accept("ana", open).unwrap();
        }
        desk.pass_seconds(100);
        assert_eq!(timed_out(&desk, from), expected);
    }
}

#[test]
fn what_is_offered_counts_as_waiting_and_what_comes_back_enters_in_any_case() {
    let full = ChannelConfig { max_queued: NonZeroU32::new(1), ..config() };
    let mut desk = Desk::with_agents(ChannelConfig { offer: ask(30), ..full.clone() }, &["ana"]);
    assert_eq!(desk.text(1, "TEXT-hello"), InboundOutcome::Queued);
    assert_eq!(desk.asked(desk.open(1).unwrap()), ["ana"]);
    assert_eq!(desk.text(2, "TEXT-hello"), InboundOutcome::QueueFull);
    desk.accept("ana", desk.open(1).unwrap()).unwrap();
    assert_eq!(desk.text(2, "TEXT-hello"), InboundOutcome::Queued);
    assert_eq!(desk.texts_to(2), ["TEXT-full"]);

    let mut desk = Desk::with_agents(full, &["ana"]);
    desk.text(1, "TEXT-hello");
    desk.present("ana", false);
    desk.text(2, "TEXT-hello");
    desk.offline("ana");
    desk.pass_seconds(300);
    assert_eq!(desk.state.queue_len(), 2, "what Ana had came back above the limit");
    assert_eq!(desk.text(3, "TEXT-hello"), InboundOutcome::QueueFull);
    assert_eq!(desk.text(1, "TEXT-again"), InboundOutcome::Joined, "who waits already goes on");
}
