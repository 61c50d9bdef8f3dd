//! The service level, case by case. Properties compare it with a recomputation from the events.

use jiff::SignedDuration;

use super::desk::{Desk, ask, config};
use crate::engine::core::{
    config::{AnsweredBy, ChannelConfig, OfferMode},
    service_level::ServiceLevel,
};

/// One customer's story; times in seconds.
enum Story {
    /// Answered after so long.
    Answered(i64),
    /// Opted out after so long.
    OptedOut(i64),
    /// Nobody answered; closed after the idle time.
    Ignored,
    /// Finished without a reply after so long.
    Dismissed(i64),
    /// Still waiting, for so long.
    Waiting(i64),
}

fn tell(desk: &mut Desk, customer: u32, story: &Story) {
    desk.text(customer, "TEXT-hello");
    let open = desk.open(customer).unwrap();
    match story {
        Story::Answered(seconds) => {
            desk.pass_seconds(*seconds);
            desk.reply("ana", open).unwrap();
            desk.pass_seconds(1);
            desk.reply("ana", open).unwrap();
            desk.finish("ana", open).unwrap();
        }
        Story::OptedOut(seconds) => {
            desk.pass_seconds(*seconds);
            desk.text(customer, "STOP");
            if desk.open(customer).is_some() {
                desk.finish("ana", open).unwrap();
            }
        }
        Story::Ignored => desk.pass_seconds(200),
        Story::Dismissed(seconds) => {
            desk.pass_seconds(*seconds);
            desk.finish("ana", open).unwrap();
        }
        Story::Waiting(seconds) => desk.pass_seconds(*seconds),
    }
}

#[test]
fn counts_and_percentages_follow_the_rule() {
    use Story::{Answered, Dismissed, Ignored, OptedOut, Waiting};
    let level = |answered,
                 in_target,
                 abandoned,
                 abandoned_in_target,
                 unanswered,
                 (no_reply, no_reply_in_target),
                 beyond,
                 percents: (Option<u64>, Option<u64>)| {
        ServiceLevel {
            answered,
            answered_in_target: in_target,
            abandoned,
            abandoned_in_target,
            unanswered,
            no_reply,
            no_reply_in_target,
            waiting_beyond_target: beyond,
            percent: percents.0,
            percent_with_abandoned: percents.1,
        }
    };
    let cases: [(&[Story], ServiceLevel); 11] = [
        (&[], level(0, 0, 0, 0, 0, (0, 0), 0, (None, None))),
        (&[Answered(60)], level(1, 1, 0, 0, 0, (0, 0), 0, (Some(100), Some(100)))),
        (&[Answered(61)], level(1, 0, 0, 0, 0, (0, 0), 0, (Some(0), Some(0)))),
        (&[Answered(1), Answered(61), Answered(2)], level(3, 2, 0, 0, 0, (0, 0), 0, (Some(66), Some(66)))),
        (&[OptedOut(60)], level(0, 0, 1, 1, 0, (0, 0), 0, (None, Some(100)))),
        (&[Answered(1), OptedOut(61)], level(1, 1, 1, 0, 0, (0, 0), 0, (Some(100), Some(50)))),
        (&[Answered(1), Ignored], level(1, 1, 0, 0, 1, (0, 0), 0, (Some(50), Some(50)))),
        (&[Dismissed(60)], level(0, 0, 0, 0, 0, (1, 1), 0, (None, None))),
        (&[Answered(1), Dismissed(60)], level(1, 1, 0, 0, 0, (1, 1), 0, (Some(100), Some(100)))),
        (&[Answered(1), Dismissed(61)], level(1, 1, 0, 0, 0, (1, 0), 0, (Some(50), Some(50)))),
        (&[Answered(1), Waiting(61)], level(1, 1, 0, 0, 0, (0, 0), 1, (Some(100), Some(100)))),
    ];
    for (number, (stories, expected)) in cases.iter().enumerate() {
        let mut config = config();
        config.session_idle = SignedDuration::from_secs(200);
        let mut desk = Desk::with_agents(config, &["ana"]);
        for (customer, story) in (0..).zip(*stories) {
            tell(&mut desk, customer, story);
        }
        assert_eq!(desk.state.service_level(desk.now), *expected, "case {number}");
    }
}

#[test]
fn an_interaction_is_sampled_once_through_requeues_and_restarts() {
    let mut desk = Desk::with_agents(config(), &["ana"]);
    desk.text(1, "TEXT-hello");
    let open = desk.open(1).unwrap();
    desk.offline("ana");
    desk.pass_seconds(300);
    desk.restart();
    desk.online("ana");
    desk.reply("ana", open).unwrap();
    let level = desk.state.service_level(desk.now);
    assert_eq!((level.answered, level.answered_in_target), (1, 0), "the clock ran from the first entry");
    desk.offline("ana");
    desk.pass_seconds(300);
    desk.online("ana");
    desk.reply("ana", open).unwrap();
    assert_eq!(desk.state.service_level(desk.now).answered, 1);
    desk.restart();
    assert_eq!(desk.state.service_level(desk.now).answered, 1);
}

#[test]
fn the_target_in_force_at_the_reply_counts_and_later_ones_change_nothing() {
    let mut desk = Desk::with_agents(config(), &["ana"]);
    desk.text(1, "TEXT-hello");
    desk.pass_seconds(90);
    desk.configure(|config| config.service_level.target = SignedDuration::from_secs(90));
    desk.reply("ana", desk.open(1).unwrap()).unwrap();
    desk.configure(|config| config.service_level.target = SignedDuration::from_secs(10));
    assert_eq!(desk.state.service_level(desk.now).answered_in_target, 1);
}

#[test]
fn samples_leave_the_window_and_the_memory() {
    let mut desk = Desk::with_agents(config(), &["ana"]);
    tell(&mut desk, 1, &Story::Answered(1));
    desk.pass_seconds(3598);
    assert_eq!(desk.state.service_level(desk.now).answered, 1);
    desk.pass_seconds(1);
    assert_eq!(desk.state.service_level(desk.now).answered, 0);
    desk.state.evict_idle(desk.now);
    assert_eq!(desk.state.samples().count(), 0);
}

#[test]
fn a_reply_long_after_an_idle_customer_was_assigned_counts_from_the_queue() {
    let mut desk = Desk::new(config());
    desk.text(1, "TEXT-hello");
    desk.pass_seconds(61);
    desk.online("ana");
    desk.present("ana", true);
    desk.reply("ana", desk.open(1).unwrap()).unwrap();
    let level = desk.state.service_level(desk.now);
    assert_eq!((level.answered, level.answered_in_target, level.percent), (1, 0, Some(0)));
}

#[test]
fn with_answered_by_accept_the_wait_ends_when_an_agent_has_it() {
    let accept = |offer| {
        let mut config = ChannelConfig { offer, ..config() };
        config.service_level.answered_by = AnsweredBy::Accept;
        config
    };
    let answered = |desk: &Desk| {
        let level = desk.state.service_level(desk.now);
        (level.answered, level.answered_in_target, level.waiting_beyond_target)
    };
    // Given to them.
    let mut desk = Desk::new(accept(OfferMode::Assign));
    desk.text(1, "TEXT-hello");
    desk.pass_seconds(61);
    assert_eq!(answered(&desk), (0, 0, 1));
    desk.online("ana");
    desk.present("ana", true);
    assert_eq!(answered(&desk), (1, 0, 0));
    desk.reply("ana", desk.open(1).unwrap()).unwrap();
    assert_eq!(answered(&desk), (1, 0, 0), "the reply is no second answer");
    desk.text(2, "TEXT-hello");
    assert_eq!(answered(&desk), (2, 1, 0));
    // Accepted by them.
    let mut desk = Desk::with_agents(accept(ask(30)), &["ana"]);
    desk.text(1, "TEXT-hello");
    let open = desk.open(1).unwrap();
    assert_eq!(answered(&desk), (0, 0, 0), "being asked is no answer");
    desk.accept("ana", open).unwrap();
    assert_eq!(answered(&desk), (1, 1, 0));
    desk.offline("ana");
    desk.pass_seconds(300);
    desk.online("ana");
    desk.accept("ana", open).unwrap();
    assert_eq!(answered(&desk), (1, 1, 0), "another agent is no second answer");
    // What began under the other setting: the reply counts.
    let mut desk = Desk::with_agents(config(), &["ana"]);
    desk.text(1, "TEXT-hello");
    desk.configure(|config| config.service_level.answered_by = AnsweredBy::Accept);
    assert_eq!(answered(&desk), (0, 0, 0));
    desk.reply("ana", desk.open(1).unwrap()).unwrap();
    assert_eq!(answered(&desk), (1, 1, 0));
    // An agent who writes first is no answer.
    desk.start("ana", 3).unwrap();
    assert_eq!(answered(&desk), (1, 1, 0));
}
