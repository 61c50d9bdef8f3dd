//! Who gets an interaction, and what they may do with it.

use super::desk::{Desk, config, member, without};
use crate::{
    engine::core::{
        command::{Answer, Command, Refusal},
        config::Member,
        event::InboundOutcome,
        ids::Epoch,
    },
    sms::MAX_SEGMENTS,
};

#[test]
fn only_who_is_available_gets_one() {
    type Change = fn(&mut Desk);
    let cases: [(&str, Change, bool); 7] = [
        ("online and present", |_| {}, true),
        ("offline", |desk| desk.offline("ana"), false),
        ("not present", |desk| desk.present("ana", false), false),
        (
            "full",
            |desk| {
                desk.start("ana", 8).unwrap();
                desk.start("ana", 9).unwrap();
            },
            false,
        ),
        ("no room at all", |desk| desk.configure(|c| c.members = [member("ana", 1, 0)].into_iter().collect()), false),
        (
            "does not receive",
            |desk| {
                desk.configure(|c| {
                    c.members = [Member { receive: false, ..member("ana", 1, 2) }].into_iter().collect();
                })
            },
            false,
        ),
        ("no member", |desk| desk.configure(|c| c.members = without(&c.members, "ana")), false),
    ];
    for (name, change, available) in cases {
        let mut desk = Desk::with_agents(config(), &["ana"]);
        change(&mut desk);
        desk.text(1, "TEXT-hello");
        assert_eq!(desk.owner(desk.open(1).unwrap()).is_some(), available, "{name}");
    }
}

#[test]
fn those_who_wait_are_assigned_in_the_order_of_their_arrival() {
    let mut desk = Desk::new(config());
    for customer in [3, 1, 2] {
        desk.text(customer, "TEXT-hello");
        desk.pass_seconds(1);
    }
    desk.online("ana");
    assert_eq!(desk.state.queue().count(), 3, "online is not enough");
    desk.present("ana", true);
    let waiting: Vec<_> = desk.state.queue().collect();
    assert_eq!(waiting, [desk.open(2).unwrap()], "room for two");
    desk.finish("ana", desk.open(3).unwrap()).unwrap();
    assert_eq!(desk.owner(desk.open(2).unwrap()), Some("ana"), "a finish makes room");
}

#[test]
fn an_agent_who_is_away_for_300_s_loses_interactions_to_the_head_of_the_queue() {
    let mut desk = Desk::with_agents(config(), &["ana"]);
    for customer in [1, 2, 3] {
        desk.text(customer, "TEXT-hello");
        desk.pass_seconds(1);
    }
    let (first, second, third) = (desk.open(1).unwrap(), desk.open(2).unwrap(), desk.open(3).unwrap());
    let arrived = desk.state.interaction(first).unwrap().arrived_at;
    desk.offline("ana");
    desk.pass_seconds(299);
    assert_eq!(desk.owner(first), Some("ana"));
    desk.pass_seconds(1);
    assert_eq!(desk.state.queue().collect::<Vec<_>>(), [first, second, third]);
    assert_eq!(desk.state.interaction(first).unwrap().arrived_at, arrived);
    let stale = Command::Reply { user: "ana".into(), interaction: first, epoch: Epoch(1), text: "TEXT-late".into() };
    let refused = desk.execute(&stale).answer;
    assert_eq!(refused, Err(Refusal::StaleEpoch { current: Epoch(2), shown: Epoch(1) }));
    desk.online("ana");
    assert_eq!(desk.owner(first), Some("ana"));
    assert_eq!(desk.execute(&stale).answer, Err(Refusal::StaleEpoch { current: Epoch(3), shown: Epoch(1) }));
}

#[test]
fn what_was_requeued_goes_before_what_arrived_earlier_and_still_waits() {
    let mut config = config();
    config.members = [member("ana", 1, 1), member("bo", 2, 1)].into_iter().collect();
    let mut desk = Desk::with_agents(config, &[]);
    desk.text(1, "TEXT-hello");
    desk.pass_seconds(1);
    let (started, _) = desk.start("bo", 2).unwrap();
    desk.pass_seconds(300);
    assert_eq!(desk.state.queue().collect::<Vec<_>>(), [started, desk.open(1).unwrap()]);
}

#[test]
fn coming_back_in_time_keeps_everything() {
    let mut desk = Desk::with_agents(config(), &["ana"]);
    desk.text(1, "TEXT-hello");
    let open = desk.open(1).unwrap();
    for _ in 0..5 {
        desk.offline("ana");
        desk.pass_seconds(299);
        desk.online("ana");
    }
    desk.offline("ana");
    desk.pass_seconds(299);
    desk.restart();
    desk.pass_seconds(299);
    assert_eq!(desk.owner(open), Some("ana"), "after a restart the time away begins anew");
    desk.pass_seconds(1);
    assert_eq!(desk.owner(open), None);
}

#[test]
fn a_removed_member_loses_interactions_at_once() {
    let mut desk = Desk::with_agents(config(), &["ana"]);
    desk.text(1, "TEXT-hello");
    let open = desk.open(1).unwrap();
    desk.configure(|config| config.members = without(&config.members, "ana"));
    assert_eq!((desk.owner(open), desk.state.queue().count()), (None, 1));
    assert_eq!(desk.reply("ana", open), Err(Refusal::NotAMember("ana".into())));
    desk.online("bo");
    desk.present("bo", true);
    assert_eq!(desk.owner(open), Some("bo"));
}

#[test]
fn only_the_owner_replies_and_finishes_but_any_member_notes() {
    let mut desk = Desk::with_agents(config(), &["ana"]);
    desk.text(1, "TEXT-hello");
    let open = desk.open(1).unwrap();
    assert_eq!(desk.reply("bo", open), Err(Refusal::NotOwner));
    assert_eq!(desk.finish("bo", open), Err(Refusal::NotOwner));
    assert_eq!(desk.reply("eve", open), Err(Refusal::NotAMember("eve".into())));
    let note =
        |user: &str, epoch| Command::Note { user: user.into(), interaction: open, epoch, text: "TEXT-note".into() };
    assert!(matches!(desk.execute(&note("bo", None)).answer, Ok(Answer::Noted { .. })));
    assert!(matches!(desk.execute(&note("ana", Some(Epoch(1)))).answer, Ok(Answer::Noted { .. })));
    assert_eq!(desk.execute(&note("bo", Some(Epoch(1)))).answer, Err(Refusal::NotOwner));
    let stale = Err(Refusal::StaleEpoch { current: Epoch(1), shown: Epoch(0) });
    assert_eq!(desk.execute(&note("ana", Some(Epoch(0)))).answer, stale);
    desk.finish("ana", open).unwrap();
    assert_eq!(desk.reply("ana", open), Err(Refusal::NotOpen(open)));
    assert_eq!(desk.execute(&note("bo", None)).answer, Err(Refusal::NotOpen(open)));
    assert_eq!(desk.text(1, "TEXT-more"), InboundOutcome::Queued, "a new interaction");
}

#[test]
fn texts_that_cannot_be_sent_are_refused() {
    let mut desk = Desk::with_agents(config(), &["ana"]);
    desk.text(1, "TEXT-hello");
    let (interaction, epoch) = (desk.open(1).unwrap(), Epoch(1));
    let longest = "a".repeat(153 * MAX_SEGMENTS as usize);
    let too_long = Refusal::TextTooLong { segments: MAX_SEGMENTS + 1, maximum: MAX_SEGMENTS };
    for (text, refusal) in
        [(" \n", Some(Refusal::EmptyText)), (&longest, None), (&format!("{longest}a"), Some(too_long))]
    {
        let command = Command::Reply { user: "ana".into(), interaction, epoch, text: text.into() };
        assert_eq!(desk.execute(&command).answer.err(), refusal);
    }
}

#[test]
fn a_start_is_the_starters_own_and_refused_when_it_may_not_be() {
    let mut desk = Desk::with_agents(config(), &["ana"]);
    let (open, _) = desk.start("ana", 1).unwrap();
    assert_eq!((desk.owner(open), desk.epoch(open)), (Some("ana"), Epoch(1)));
    assert_eq!(desk.text(1, "TEXT-answer"), InboundOutcome::Joined);
    assert_eq!(desk.start("bo", 1), Err(Refusal::AlreadyOpen(open)));
    desk.start("ana", 2).unwrap();
    assert_eq!(desk.start("ana", 3), Err(Refusal::AtCapacity { open: 2, maximum: 2 }));
    assert_eq!(desk.start("eve", 3), Err(Refusal::NotAMember("eve".into())));
    desk.configure(|config| config.members = [Member { initiate: false, ..member("bo", 1, 9) }].into_iter().collect());
    assert_eq!(desk.start("bo", 3), Err(Refusal::MayNotInitiate("bo".into())));
    assert_eq!(desk.state.service_level(desk.now).answered, 0, "it never waited");
}

#[test]
fn a_silent_interaction_is_closed_and_one_that_waits_is_not() {
    let mut config = config();
    config.session_idle = jiff::SignedDuration::from_secs(100);
    let mut desk = Desk::new(config);
    desk.text(1, "TEXT-hello");
    desk.pass_seconds(1000);
    let open = desk.open(1).expect("nobody had it yet");
    desk.online("ana");
    desk.present("ana", true);
    desk.pass_seconds(99);
    desk.text(1, "TEXT-hello?");
    desk.pass_seconds(99);
    desk.reply("ana", open).unwrap();
    desk.pass_seconds(99);
    assert_eq!(desk.open(1), Some(open), "each message begins the time anew");
    desk.pass_seconds(1);
    assert_eq!(desk.open(1), None);
    assert_eq!(desk.state.agent(&"ana".into()).unwrap().last_finish, None, "the agent finished nothing");
}

#[test]
fn an_edit_of_the_idle_time_counts_for_what_is_open() {
    for (idle, left) in [(50, 10), (200, 160)] {
        let mut config = config();
        config.session_idle = jiff::SignedDuration::from_secs(100);
        let mut desk = Desk::with_agents(config, &["ana"]);
        desk.text(1, "TEXT-hello");
        desk.pass_seconds(40);
        desk.configure(|config| config.session_idle = jiff::SignedDuration::from_secs(idle));
        desk.pass_seconds(left - 1);
        assert!(desk.open(1).is_some(), "{idle} s");
        desk.pass_seconds(1);
        assert_eq!(desk.open(1), None, "{idle} s");
    }
}

#[test]
fn repeated_signs_of_presence_change_nothing() {
    let mut desk = Desk::with_agents(config(), &["ana"]);
    let place = desk.log.len();
    desk.online("ana");
    desk.present("ana", true);
    desk.offline("bo");
    assert_eq!(desk.names_since(place), Vec::<&str>::new());
    assert_eq!(
        desk.execute(&Command::AgentOnline { user: "eve".into() }).answer,
        Err(Refusal::NotAMember("eve".into()))
    );
}

#[test]
fn the_oldest_wait_counts_from_the_queue_also_after_an_agent_had_it() {
    let mut desk = Desk::with_agents(config(), &["ana"]);
    desk.text(1, "TEXT-hello");
    desk.pass_seconds(3600);
    desk.offline("ana");
    desk.pass_seconds(299);
    assert_eq!(desk.state.statistics(desk.now).oldest_wait_seconds, 0);
    desk.pass_seconds(11);
    desk.restart();
    let statistics = desk.state.statistics(desk.now);
    assert_eq!((statistics.waiting, statistics.oldest_wait_seconds), (1, 10));
}
