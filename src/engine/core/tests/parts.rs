//! Long texts that come in parts.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::desk::{Desk, config, number};
use crate::{
    engine::core::{
        blocklist::{Blocklist, Direction, Entry},
        command::{Answer, Command, Refusal},
        event::{Happened, InboundEvent, InboundOutcome},
        schedule::Schedule,
    },
    sms::Sender,
};

const TEN_MINUTES: i64 = 600;

fn outcome(answer: &Result<Answer, Refusal>) -> Option<InboundOutcome> {
    match answer {
        Ok(Answer::Inbound { outcome, .. }) => *outcome,
        Ok(_) | Err(_) => None,
    }
}

/// How often parts came again, and how often another one came in their place.
fn repeated(desk: &Desk) -> (usize, usize) {
    let of = |which| {
        let is = |what: &Happened| matches!(what, Happened::Inbound(InboundEvent::PartRepeated { differs, .. }) if *differs == which);
        desk.log.iter().filter(|event| is(&event.what)).count()
    };
    (of(false), of(true))
}

#[test]
fn parts_make_one_text_in_whatever_order_they_come() {
    for order in [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]] {
        let mut desk = Desk::new(config());
        let text = |sequence| ["TEXT-a", "TEXT-b", "TEXT-c"][usize::from(sequence) - 1];
        for sequence in &order[..2] {
            assert_eq!(desk.part(1, (7, 3, *sequence), text(*sequence)), Ok(Answer::PartKept), "{order:?}");
            desk.restart();
        }
        assert_eq!(desk.open(1), None, "nothing of it shows yet");
        let last = desk.part(1, (7, 3, order[2]), text(order[2]));
        assert_eq!(outcome(&last), Some(InboundOutcome::Queued), "{order:?}");
        assert_eq!(desk.texts_of(1), [("TEXT-aTEXT-bTEXT-c", 3, vec![])], "{order:?}");
        desk.pass_seconds(2 * TEN_MINUTES);
        assert_eq!(desk.texts_of(1).len(), 1);
    }
}

#[test]
fn a_part_that_comes_again_changes_nothing() {
    let mut desk = Desk::new(config());
    let mia = Sender::Number(number(1));
    desk.part_again(&mia, (7, 2, 1), "TEXT-a", "one").unwrap();
    let again = [
        desk.part_again(&mia, (7, 2, 1), "TEXT-a", "one"),
        desk.part_again(&mia, (7, 2, 1), "TEXT-a", "one more"),
        desk.part_again(&mia, (7, 2, 1), "TEXT-a", "one more"),
    ];
    assert!(again.iter().all(|answer| *answer == Ok(Answer::PartRepeated)), "{again:?}");
    assert_eq!(repeated(&desk), (3, 0));
    desk.part_again(&mia, (7, 2, 2), "TEXT-b", "two").unwrap();
    let place = desk.log.len();
    for id in ["one", "one more", "two"] {
        let answer = desk.part_again(&mia, (7, 2, 1), "TEXT-a", id);
        assert!(matches!(answer, Ok(Answer::Inbound { outcome: None, .. })), "{id}: {answer:?}");
    }
    assert_eq!(desk.names_since(place), ["InboundDuplicated"; 3], "its ids stand for the message");
    assert_eq!(desk.texts_of(1), [("TEXT-aTEXT-b", 2, vec![])]);
}

#[test]
fn a_part_that_comes_again_and_again_is_a_message_at_last() {
    let mut desk = Desk::new(config());
    assert_eq!(desk.part(1, (7, 2, 1), "TEXT-a"), Ok(Answer::PartKept));
    for nth in 1..=16 {
        assert_eq!(desk.part(1, (7, 2, 1), "TEXT-a"), Ok(Answer::PartRepeated), "{nth}");
    }
    assert_eq!(outcome(&desk.part(1, (7, 2, 1), "TEXT-a")), Some(InboundOutcome::Queued));
    assert_eq!(outcome(&desk.part(1, (7, 2, 2), "TEXT-b")), Some(InboundOutcome::Joined));
    assert_eq!(desk.texts_of(1), [("TEXT-a[…]", 2, vec![2]), ("TEXT-aTEXT-b", 2, vec![])]);
}

#[test]
fn a_text_under_the_reference_of_an_old_one_is_not_joined_with_it() {
    let mut desk = Desk::new(config());
    desk.part(1, (7, 2, 1), "TEXT-old").unwrap();
    // The channel's time stands still.
    desk.configure(|config| config.enabled = false);
    desk.pass_seconds(3 * 3600);
    desk.configure(|config| config.enabled = true);
    assert_eq!(desk.part(1, (7, 2, 2), "TEXT-b"), Ok(Answer::PartKept));
    assert_eq!(desk.texts_of(1), [("TEXT-old[…]", 2, vec![2])]);
    desk.restart();
    desk.part(1, (7, 2, 1), "TEXT-a").unwrap();
    assert_eq!(desk.texts_of(1)[1], ("TEXT-aTEXT-b", 2, vec![]));
}

#[test]
fn texts_are_told_apart_by_sender_reference_and_number_of_parts() {
    let mut desk = Desk::new(config());
    for (customer, reference, total) in [(1, 7, 2), (2, 7, 2), (1, 8, 2), (1, 7, 3)] {
        let text = format!("TEXT-{customer}-{reference}-{total}");
        assert_eq!(desk.part(customer, (reference, total, 1), &text), Ok(Answer::PartKept), "{text}");
    }
    desk.part(1, (7, 2, 2), "TEXT-end").unwrap();
    assert_eq!(desk.texts_of(1), [("TEXT-1-7-2TEXT-end", 2, vec![])]);
    assert_eq!(desk.state.assemblies().count(), 3);
    // The device's count has come round.
    desk.part(1, (7, 2, 2), "TEXT-second").unwrap();
    desk.part(1, (7, 2, 1), "TEXT-first").unwrap();
    assert_eq!(desk.texts_of(1)[1], ("TEXT-firstTEXT-second", 2, vec![]));
}

#[test]
fn a_part_in_the_place_of_another_is_counted_and_a_message_of_its_own() {
    let mut desk = Desk::new(config());
    desk.part(1, (7, 2, 1), "TEXT-a").unwrap();
    assert_eq!(outcome(&desk.part(1, (7, 2, 1), "TEXT-other")), Some(InboundOutcome::Queued));
    assert_eq!(repeated(&desk), (0, 1));
    assert_eq!(outcome(&desk.part(1, (7, 2, 2), "TEXT-b")), Some(InboundOutcome::Joined));
    assert_eq!(desk.texts_of(1), [("TEXT-other[…]", 2, vec![2]), ("TEXT-aTEXT-b", 2, vec![])], "the first is kept");
}

#[test]
fn after_ten_minutes_what_is_there_is_delivered_with_its_gaps() {
    type Case = (u8, &'static [u8], &'static str, &'static [u8]);
    let cases: [Case; 4] = [
        (3, &[1, 3], "1[…]3", &[2]),
        (3, &[2], "[…]2[…]", &[1, 3]),
        (5, &[1, 4], "1[…]4[…]", &[2, 3, 5]),
        (2, &[2], "[…]2", &[1]),
    ];
    for (total, came, text, missing) in cases {
        let mut desk = Desk::new(config());
        for sequence in came {
            desk.part(1, (7, total, *sequence), &sequence.to_string()).unwrap();
            desk.pass_seconds(60);
        }
        desk.pass_seconds(TEN_MINUTES - 60 * came.len() as i64 - 1);
        assert_eq!(desk.open(1), None, "not yet: {text}");
        desk.pass_seconds(1);
        assert_eq!(desk.texts_of(1), [(text, total, missing.to_vec())]);
        assert!(desk.open(1).is_some(), "it is a text like others");
        assert_eq!((desk.state.assemblies().count(), desk.state.next_wakeup()), (0, None));
    }
}

#[test]
fn a_part_that_comes_too_late_is_a_text_of_its_own() {
    let mut desk = Desk::new(config());
    desk.part(1, (7, 3, 1), "TEXT-a").unwrap();
    desk.pass_seconds(TEN_MINUTES);
    // It may be of another text, whose other parts come now.
    assert_eq!(desk.part(1, (7, 3, 3), "TEXT-c"), Ok(Answer::PartKept));
    assert_eq!(desk.part(1, (7, 3, 2), "TEXT-b"), Ok(Answer::PartKept));
    desk.pass_seconds(TEN_MINUTES);
    assert_eq!(desk.texts_of(1), [("TEXT-a[…]", 3, vec![2, 3]), ("[…]TEXT-bTEXT-c", 3, vec![1])]);
}

#[test]
fn the_wait_is_that_of_the_channels_own_time() {
    let waits = |desk: &Desk| desk.state.assemblies().count() == 1;
    let mut desk = Desk::new(config());
    desk.part(1, (7, 2, 1), "TEXT-a").unwrap();
    desk.pass_seconds(60);
    desk.configure(|config| config.enabled = false);
    desk.pass_seconds(10 * TEN_MINUTES);
    desk.configure(|config| config.enabled = true);
    assert!(waits(&desk), "it stood still while the channel was disabled");
    desk.now += SignedDuration::from_hours(48);
    desk.execute(&Command::ClockLeapt { by: SignedDuration::from_hours(48) });
    assert!(waits(&desk), "the clock went ahead at once");
    desk.now -= SignedDuration::from_hours(24);
    desk.execute(&Command::SetClock { to: desk.now });
    desk.pass_seconds(TEN_MINUTES - 61);
    assert!(waits(&desk), "and was set back");
    desk.pass_seconds(1);
    assert_eq!(desk.texts_of(1).len(), 1);
}

#[test]
fn an_engine_that_starts_waits_for_what_the_gateway_kept_meanwhile() {
    let mut desk = Desk::new(config());
    desk.part(1, (7, 2, 1), "TEXT-a").unwrap();
    desk.part(2, (7, 2, 1), "TEXT-a").unwrap();
    // It was away.
    desk.now += SignedDuration::from_mins(30);
    desk.restart();
    assert_eq!(desk.state.assemblies().count(), 2);
    desk.pass_seconds(119);
    assert_eq!(outcome(&desk.part(1, (7, 2, 2), "TEXT-b")), Some(InboundOutcome::Queued));
    desk.pass_seconds(1);
    assert_eq!(desk.texts_of(1), [("TEXT-aTEXT-b", 2, vec![])]);
    assert_eq!(desk.texts_of(2), [("TEXT-a[…]", 2, vec![2])]);
    desk.part(1, (8, 2, 1), "TEXT-a").unwrap();
    desk.restart();
    desk.pass_seconds(TEN_MINUTES - 1);
    assert_eq!(desk.state.assemblies().count(), 1, "a start makes no wait shorter");
}

#[test]
fn a_word_counts_in_the_whole_text_only() {
    let cases: [(&[&str], Option<InboundOutcome>); 5] = [
        (&["ST", "OP"], Some(InboundOutcome::OptedOut)),
        (&["STOP", ""], Some(InboundOutcome::OptedOut)),
        (&["STOP", " calling me"], Some(InboundOutcome::Queued)),
        (&["Please ", "STOP"], Some(InboundOutcome::Queued)),
        (&["HE", "L", "P"], Some(InboundOutcome::Help)),
    ];
    for (parts, expected) in cases {
        let mut desk = Desk::new(config());
        let total = u8::try_from(parts.len()).unwrap();
        let answers = (1..).zip(parts).map(|(sequence, text)| desk.part(1, (7, total, sequence), text));
        assert_eq!(outcome(&answers.last().unwrap()), expected, "{parts:?}");
    }
    let mut desk = Desk::new(config());
    desk.part(1, (7, 2, 1), "STOP").unwrap();
    desk.pass_seconds(TEN_MINUTES);
    assert!(!desk.customer(1).opted_out, "nobody knows what followed");
    assert!(desk.open(1).is_some(), "an agent sees it");
}

#[test]
fn whoever_writes_a_text_in_parts_fares_as_with_one() {
    let in_parts = |desk: &mut Desk, customer| {
        desk.part(customer, (7, 2, 1), "TEXT-a").unwrap();
        outcome(&desk.part(customer, (7, 2, 2), "TEXT-b"))
    };
    let mut config = config();
    let entry = Entry { number: number(1), direction: Direction::Inbound, expires_at: None };
    config.blocklist = Blocklist::new(true, true, [entry]);
    let mut desk = Desk::new(config);
    assert_eq!(in_parts(&mut desk, 1), Some(InboundOutcome::Blocked));
    desk.text(2, "STOP");
    assert_eq!(in_parts(&mut desk, 2), Some(InboundOutcome::Queued));
    assert!(desk.customer(2).opted_out);
    desk.part(2, (8, 2, 1), "STA").unwrap();
    assert_eq!(outcome(&desk.part(2, (8, 2, 2), "RT")), Some(InboundOutcome::OptedIn));
    desk.configure(|config| config.enabled = false);
    assert_eq!(in_parts(&mut desk, 3), Some(InboundOutcome::Disabled));
}

#[test]
fn a_text_counts_as_of_the_hour_at_which_its_first_part_came() {
    let mut config = config();
    // It is 14:27:31.5 on a Sunday.
    let range = crate::hours::TimeRange::new(14 * 60, 14 * 60 + 28).unwrap();
    let weekly = vec![(jiff::civil::Weekday::Sunday, vec![range])];
    config.schedule = Schedule::new(jiff::tz::TimeZone::UTC, Some(weekly), BTreeMap::new());
    let mut desk = Desk::new(config);
    desk.part(1, (7, 2, 2), "TEXT-b").unwrap();
    desk.pass_seconds(120);
    assert_eq!(outcome(&desk.part(1, (7, 2, 1), "TEXT-a")), Some(InboundOutcome::Queued), "14:27:31.5");
    desk.part(2, (7, 2, 2), "TEXT-b").unwrap();
    assert_eq!(outcome(&desk.part(2, (7, 2, 1), "TEXT-a")), Some(InboundOutcome::OutOfHours), "14:29:31.5");
}

#[test]
fn what_is_more_than_may_wait_is_delivered_at_once() {
    let mut desk = Desk::new(config());
    for reference in 0..8 {
        assert_eq!(desk.part(1, (reference, 2, 1), "TEXT-a"), Ok(Answer::PartKept));
    }
    assert_eq!(outcome(&desk.part(1, (8, 2, 1), "TEXT-ninth")), Some(InboundOutcome::Queued));
    assert_eq!(desk.texts_of(1), [("TEXT-ninth[…]", 2, vec![2])]);
    assert_eq!(desk.part(2, (8, 2, 1), "TEXT-a"), Ok(Answer::PartKept), "others have room of their own");
    assert_eq!(outcome(&desk.part(1, (0, 2, 2), "TEXT-b")), Some(InboundOutcome::Joined), "what waits is joined");
    assert_eq!(desk.part(1, (9, 2, 1), "TEXT-a"), Ok(Answer::PartKept), "which makes room");

    let mut desk = Desk::new(config());
    let long = "x".repeat(60 << 10);
    assert_eq!(desk.part(1, (7, 4, 1), &long), Ok(Answer::PartKept));
    assert_eq!(desk.part(1, (7, 4, 2), &long), Ok(Answer::PartKept));
    assert_eq!(outcome(&desk.part(1, (7, 4, 4), &long)), Some(InboundOutcome::Queued), "with what is there");
    let texts = desk.texts_of(1);
    assert_eq!((texts[0].0.len(), &texts[0].2), (180 * 1024 + "[…]".len(), &vec![3]));
    assert_eq!(desk.state.assemblies().count(), 0);
}

#[test]
fn a_full_volume_takes_no_part_and_delivers_none() {
    let mut desk = Desk::new(config());
    desk.part(1, (7, 2, 1), "TEXT-a").unwrap();
    desk.state.set_volume_full(true);
    assert_eq!(desk.part(1, (7, 2, 2), "STOP"), Err(Refusal::NoRoom), "the gateway keeps it");
    desk.pass_seconds(TEN_MINUTES);
    assert_eq!((desk.texts_of(1).len(), desk.state.assemblies().count()), (0, 1));
    desk.state.set_volume_full(false);
    assert_eq!(outcome(&desk.part(1, (7, 2, 2), "TEXT-b")), Some(InboundOutcome::Queued), "in time after all");
    assert_eq!(desk.texts_of(1), [("TEXT-aTEXT-b", 2, vec![])]);
}
