//! The clock goes ahead at once, and is set back by a person.

use jiff::SignedDuration;

use super::desk::{Desk, config, number};
use crate::{engine::core::command::Command, engine::core::event::InboundOutcome, sms::Sender};

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn leap(desk: &mut Desk, by: SignedDuration) {
    desk.now += by;
    desk.execute(&Command::ClockLeapt { by });
}

fn set_back(desk: &mut Desk, by: SignedDuration) {
    desk.now -= by;
    desk.execute(&Command::SetClock { to: desk.now });
}

#[test]
fn a_leap_makes_nothing_due_and_holds_what_would_be_forgotten() {
    let mut desk = Desk::with_agents(config(), &["ana"]);
    desk.text(1, "TEXT-hello");
    let open = desk.open(1).unwrap();
    desk.offline("ana");
    leap(&mut desk, DAY * 2);
    assert_eq!(desk.owner(open), Some("ana"), "neither idle nor away for too long");
    let open_leap = desk.state.open_leap(desk.now).expect("not confirmed yet");
    assert_eq!((open_leap.by, open_leap.until), (DAY * 2, desk.now + DAY * 2));
    desk.restart();
    desk.online("ana");
    desk.pass(SignedDuration::from_hours(47));
    assert!(desk.state.open_leap(desk.now).is_some());
    desk.pass(SignedDuration::from_hours(1));
    assert_eq!(desk.state.open_leap(desk.now), None, "it went on for as long");
}

#[test]
fn a_long_absence_counts_as_a_leap() {
    let mut desk = Desk::with_agents(config(), &["ana"]);
    desk.text(1, "TEXT-hello");
    let open = desk.open(1).unwrap();
    desk.now += DAY * 3;
    desk.execute(&Command::Started { ids_from: 0, leapt: Some(DAY * 3) });
    assert_eq!(desk.owner(open), Some("ana"));
    assert!(desk.state.open_leap(desk.now).is_some());
}

#[test]
fn a_clock_that_is_set_back_leaves_nothing_waiting_for_the_future() {
    let mut config = config();
    config.schedule = super::desk::never_open();
    let mut desk = Desk::with_agents(config, &["ana", "bo"]);
    leap(&mut desk, DAY);
    desk.text(3, "TEXT-hello");
    assert_eq!(desk.at_gateway().len(), 1, "the text for those who write outside the hours");
    desk.accept_all();
    desk.configure(|config| config.schedule = crate::engine::core::schedule::Schedule::always());
    for customer in [1, 2] {
        desk.text(customer, "TEXT-hello");
        desk.pass_seconds(1);
    }
    let (first, second) = (desk.open(1).unwrap(), desk.open(2).unwrap());
    assert_eq!((desk.owner(first), desk.owner(second)), (Some("ana"), Some("bo")));
    desk.reply("ana", first).unwrap();
    desk.finish("ana", first).unwrap();
    desk.accept_all();
    let sampled = desk.state.service_level(desk.now);

    set_back(&mut desk, DAY);
    assert_eq!(desk.state.open_leap(desk.now), None, "the clock is right");
    assert_eq!(desk.state.service_level(desk.now), sampled);
    desk.restart();
    desk.online("ana");
    desk.online("bo");
    desk.reply("bo", second).unwrap();
    assert_eq!(desk.at_gateway().len(), 1, "it is sent at once");
    desk.accept_all();
    desk.finish("bo", second).unwrap();
    desk.text(4, "TEXT-hello");
    assert_eq!(desk.owner(desk.open(4).unwrap()), Some("ana"), "whose last finish is the longest ago");
    desk.configure(|config| config.schedule = super::desk::never_open());
    assert_eq!(desk.text_from(&Sender::Number(number(3)), "TEXT-hello", None), InboundOutcome::OutOfHours);
    assert_eq!(desk.at_gateway().len(), 1, "told in what was the future is not told lately");
    desk.pass(DAY - SignedDuration::from_secs(60));
    assert!(desk.open(4).is_some(), "idle times go on where they were");
    desk.pass_seconds(60);
    assert!(desk.open(4).is_none());
}
