//! Agents are asked whether they take an interaction.

use super::desk::{Desk, ask, config, member, without};
use crate::engine::core::{
    command::{Command, Refusal},
    config::{ChannelConfig, Member, OfferMode, Strategy},
    event::InboundOutcome,
    ids::{Epoch, InteractionId, OfferId},
};

/// Ana, Bo and Cy, who have 30 s and room for so many, with penalties.
fn asking(strategy: Strategy, penalties: [u32; 3], room: u32) -> ChannelConfig {
    let members = ["ana", "bo", "cy"].into_iter().zip(penalties).zip(1..);
    let members = members.map(|((user, penalty), at)| Member { penalty, ..member(user, at, room) }).collect();
    ChannelConfig { strategy, offer: ask(30), members, ..config() }
}

/// A desk with these agents at work, and an interaction that waits.
fn with_one_waiting(config: ChannelConfig, users: &[&str]) -> (Desk, InteractionId) {
    let mut desk = Desk::with_agents(config, users);
    desk.text(1, "TEXT-hello");
    let open = desk.open(1).unwrap();
    (desk, open)
}

fn come(desk: &mut Desk, user: &str) {
    desk.online(user);
    desk.present(user, true);
}

#[test]
fn who_is_asked_and_accepts_has_it_and_nobody_else_may_answer() {
    let (mut desk, open) = with_one_waiting(asking(Strategy::Linear, [0; 3], 2), &["ana", "bo", "cy"]);
    assert_eq!((desk.asked(open), desk.owner(open)), (vec!["ana".to_owned()], None));
    assert_eq!(desk.reply("ana", open), Err(Refusal::NotOwner), "it is not theirs yet");
    assert_eq!(desk.accept("bo", open), Err(Refusal::OfferOver(OfferId(1))));
    assert_eq!(desk.decline("bo", open), Err(Refusal::OfferOver(OfferId(1))));
    assert_eq!(desk.accept("eve", open), Err(Refusal::NotAMember("eve".into())));
    assert_eq!(desk.accept("ana", open), Ok(Epoch(1)));
    assert_eq!(desk.owner(open), Some("ana"));
    let place = desk.log.len();
    assert_eq!(desk.accept("ana", open), Ok(Epoch(1)), "repeated");
    assert_eq!(desk.names_since(place), Vec::<&str>::new());
    assert_eq!(desk.decline("ana", open), Err(Refusal::OfferOver(OfferId(1))), "too late");
    desk.reply("ana", open).unwrap();
    desk.finish("ana", open).unwrap();
    assert_eq!(desk.accept("ana", open), Err(Refusal::NotOpen(open)));
}

#[test]
fn who_declines_or_lets_it_pass_is_not_asked_again_while_another_one_is_there() {
    type InVain = fn(&mut Desk, &str, InteractionId);
    let cases: [(&str, InVain); 3] = [
        ("declines", |desk, user, open| desk.decline(user, open).unwrap()),
        ("does not answer", |desk, _, _| desk.pass_seconds(30)),
        ("goes to lunch", |desk, user, _| desk.present(user, false)),
    ];
    for (what, in_vain) in cases {
        let (mut desk, open) = with_one_waiting(asking(Strategy::Linear, [0; 3], 2), &["ana", "bo"]);
        in_vain(&mut desk, "ana", open);
        desk.present("ana", true);
        assert_eq!(desk.asked(open), ["bo"], "{what}");
        in_vain(&mut desk, "bo", open);
        desk.present("bo", true);
        if desk.asked(open).is_empty() {
            desk.pass_seconds(30);
        }
        assert_eq!(desk.asked(open), ["ana"], "{what}: she was asked longest ago");
    }
}

#[test]
fn everybody_is_asked_before_anybody_is_asked_again() {
    let (mut desk, open) = with_one_waiting(asking(Strategy::Linear, [0, 0, 5], 2), &["ana", "bo", "cy"]);
    let mut asked = Vec::new();
    for _ in 0..7 {
        asked.extend(desk.asked(open));
        desk.pass_seconds(30);
    }
    assert_eq!(asked, ["ana", "bo", "cy", "ana", "bo", "cy", "ana"], "and each after the time of an offer");
    desk.decline("bo", open).unwrap();
    desk.decline("cy", open).unwrap();
    assert_eq!(desk.asked(open), Vec::<String>::new(), "ana has let three pass, the others declined just now");
    desk.pass_seconds(30);
    assert_eq!(desk.asked(open), ["bo"]);
}

#[test]
fn who_lets_three_offers_pass_in_a_row_is_set_to_not_present() {
    let present = |desk: &Desk| desk.state.agent(&"ana".into()).unwrap().present;
    let (mut desk, open) = with_one_waiting(asking(Strategy::Linear, [0; 3], 2), &["ana"]);
    desk.pass_seconds(60 + 30);
    desk.pass_seconds(30);
    desk.decline("ana", open).unwrap();
    desk.pass_seconds(30 + 60 + 30);
    assert!(present(&desk), "two in a row, then an answer, then two more");
    desk.pass_seconds(30 + 30);
    assert!(!present(&desk));
    desk.pass_seconds(3600);
    let place = desk.log.len();
    desk.pass_seconds(86_400);
    assert_eq!(desk.log.len(), place, "and nothing more happens");
    desk.present("ana", true);
    assert_eq!(desk.asked(open), ["ana"], "who is back is asked at once");
    desk.text(2, "TEXT-hello");
    let second = desk.open(2).unwrap();
    desk.accept("ana", second).unwrap();
    desk.restart();
    desk.online("ana");
    desk.pass_seconds(30 + 60 + 30);
    assert!(present(&desk), "counted from the answer, also over a restart");
    desk.pass_seconds(60);
    assert!(!present(&desk));
    assert_eq!(desk.owner(second), Some("ana"), "what they have is theirs");
}

#[test]
fn nobody_is_asked_while_the_volume_is_full() {
    let mut desk = Desk::with_agents(asking(Strategy::RingAll, [0; 3], 2), &["ana"]);
    desk.text(1, "TEXT-hello");
    let open = desk.open(1).unwrap();
    desk.state.set_volume_full(true);
    come(&mut desk, "bo");
    assert_eq!(desk.asked(open), ["ana"]);
    desk.pass_seconds(3600);
    assert_eq!(desk.asked(open), Vec::<String>::new());
    desk.state.set_volume_full(false);
    desk.execute(&Command::Tick);
    assert_eq!(desk.asked(open), ["ana", "bo"]);
    desk.state.set_volume_full(true);
    come(&mut desk, "cy");
    assert_eq!(desk.asked(open), ["ana", "bo"]);
    desk.state.set_volume_full(false);
    desk.execute(&Command::Tick);
    assert_eq!(desk.asked(open), ["ana", "bo", "cy"], "who came meanwhile");
}

#[test]
fn an_offer_that_ran_out_while_nobody_could_answer_is_not_missed() {
    let present = |desk: &Desk| desk.state.agent(&"ana".into()).unwrap().present;
    let (mut desk, open) = with_one_waiting(asking(Strategy::Linear, [0; 3], 3), &["ana"]);
    for round in 0..4 {
        assert_eq!(desk.asked(open), ["ana"], "{round}");
        desk.now += jiff::SignedDuration::from_secs(40);
        desk.restart();
        desk.online("ana");
        desk.pass_seconds(30);
    }
    assert!(present(&desk), "the engine was away");
    desk.accept("ana", open).unwrap();
    for customer in [2, 3] {
        desk.text(customer, "TEXT-hello");
        desk.pass_seconds(1);
    }
    desk.pass_seconds(30);
    assert_eq!(desk.state.agent(&"ana".into()).unwrap().missed.map(|missed| missed.count), Some(1), "two at a time");
    let place = desk.log.len();
    desk.present("ana", true);
    assert_eq!(desk.names_since(place)[0], "AgentPresenceSet", "who says that they are there begins anew");
    assert_eq!(desk.state.agent(&"ana".into()).unwrap().missed, None);
}

#[test]
fn two_who_let_offers_to_everybody_pass_hide_nobody_behind_them() {
    let (mut desk, open) = with_one_waiting(asking(Strategy::RingAll, [0, 5, 10], 1), &["ana", "bo", "cy"]);
    assert_eq!(desk.asked(open), ["ana"]);
    desk.pass_seconds(30);
    assert_eq!(desk.asked(open), ["bo"]);
    desk.pass_seconds(30);
    assert_eq!(desk.asked(open), ["ana", "cy"], "who was not asked yet, and who has rested");
    let mut asked = Vec::new();
    for _ in 0..3 {
        desk.pass_seconds(30);
        asked.push(desk.asked(open).join(", "));
    }
    assert_eq!(asked, ["bo", "ana", "bo, cy"], "in the order in which their rests ended");
}

#[test]
fn who_comes_back_is_asked_again_by_an_offer_to_everybody() {
    let mut config = asking(Strategy::RingAll, [0, 0, 5], 1);
    config.offer = ask(3600);
    let (mut desk, open) = with_one_waiting(config, &["ana", "bo"]);
    desk.offline("ana");
    desk.pass_seconds(30);
    assert_eq!(desk.asked(open), ["bo"]);
    desk.online("ana");
    assert_eq!(desk.asked(open), ["ana", "bo"]);
    for user in ["ana", "bo"] {
        desk.offline(user);
    }
    desk.pass_seconds(60);
    assert_eq!(desk.asked(open), Vec::<String>::new());
    desk.online("bo");
    assert_eq!(desk.asked(open), ["bo"], "who was away does not rest");
}

#[test]
fn whose_rest_is_over_is_asked_too_while_an_offer_to_everybody_runs() {
    let mut config = asking(Strategy::RingAll, [0, 0, 5], 1);
    config.offer = ask(300);
    let (mut desk, open) = with_one_waiting(config, &["ana"]);
    desk.decline("ana", open).unwrap();
    desk.pass_seconds(200);
    come(&mut desk, "cy");
    assert_eq!(desk.asked(open), ["cy"]);
    desk.pass_seconds(99);
    assert_eq!(desk.asked(open), ["cy"]);
    desk.pass_seconds(1);
    assert_eq!(desk.asked(open), ["ana", "cy"]);
}

#[test]
fn an_only_agent_is_asked_again_after_the_time_of_an_offer() {
    let (mut desk, open) = with_one_waiting(asking(Strategy::Linear, [0; 3], 2), &["ana"]);
    desk.decline("ana", open).unwrap();
    desk.pass_seconds(29);
    assert_eq!(desk.asked(open), Vec::<String>::new());
    desk.pass_seconds(1);
    assert_eq!(desk.asked(open), ["ana"]);
    desk.pass_seconds(30);
    assert_eq!(desk.asked(open), Vec::<String>::new(), "nobody answered");
    come(&mut desk, "bo");
    assert_eq!(desk.asked(open), ["bo"], "who comes is asked at once");
}

#[test]
fn one_that_was_offered_in_vain_holds_up_nobody_behind_it() {
    let (mut desk, first) = with_one_waiting(asking(Strategy::Linear, [0; 3], 1), &["ana"]);
    desk.pass_seconds(1);
    desk.text(2, "TEXT-hello");
    let second = desk.open(2).unwrap();
    assert_eq!((desk.asked(first), desk.asked(second)), (vec!["ana".to_owned()], vec![]));
    desk.decline("ana", first).unwrap();
    assert_eq!((desk.asked(first), desk.asked(second)), (vec![], vec!["ana".to_owned()]));
    assert_eq!(desk.state.queue().collect::<Vec<_>>(), [first, second], "both keep their places");
    desk.accept("ana", second).unwrap();
    desk.pass_seconds(60);
    desk.finish("ana", second).unwrap();
    assert_eq!(desk.asked(first), ["ana"]);
}

#[test]
fn an_offer_takes_a_slot_until_it_is_over() {
    let (mut desk, first) = with_one_waiting(asking(Strategy::Linear, [0; 3], 2), &["ana"]);
    for customer in [2, 3] {
        desk.pass_seconds(1);
        desk.text(customer, "TEXT-hello");
    }
    let (second, third) = (desk.open(2).unwrap(), desk.open(3).unwrap());
    assert_eq!((desk.asked(first).len(), desk.asked(second).len(), desk.asked(third).len()), (1, 1, 0));
    assert_eq!(desk.start("ana", 9), Err(Refusal::AtCapacity { open: 2, maximum: 2 }));
    desk.decline("ana", first).unwrap();
    assert_eq!(desk.asked(third), ["ana"]);
    assert_eq!(desk.state.statistics(desk.now).waiting, 3);
    desk.configure(|config| config.max_queued = 3.try_into().ok());
    assert_eq!(desk.text(4, "TEXT-hello"), InboundOutcome::QueueFull, "who is offered waits still");
    desk.configure(|config| config.members = [member("ana", 1, 1)].into_iter().collect());
    desk.accept("ana", second).unwrap();
    desk.accept("ana", third).unwrap();
}

#[test]
fn everybody_is_asked_and_the_first_to_accept_has_it() {
    let (mut desk, open) = with_one_waiting(asking(Strategy::RingAll, [0, 0, 5], 1), &["ana", "bo", "cy"]);
    assert_eq!(desk.asked(open), ["ana", "bo"], "a lower penalty comes first");
    desk.accept("bo", open).unwrap();
    assert_eq!(desk.owner(open), Some("bo"));
    assert_eq!(desk.accept("ana", open), Err(Refusal::OfferOver(OfferId(1))));
    desk.pass_seconds(1);
    desk.text(2, "TEXT-hello");
    assert_eq!(desk.asked(desk.open(2).unwrap()), ["ana"], "they are free again");
}

#[test]
fn when_all_of_a_penalty_decline_the_next_are_asked() {
    let (mut desk, open) = with_one_waiting(asking(Strategy::RingAll, [0, 0, 5], 1), &["ana", "bo", "cy"]);
    desk.decline("ana", open).unwrap();
    assert_eq!(desk.asked(open), ["bo"], "the others may accept still");
    desk.decline("bo", open).unwrap();
    assert_eq!(desk.asked(open), ["cy"]);
    desk.pass_seconds(30);
    assert_eq!(desk.asked(open), ["ana", "bo"], "they were asked longest ago");
}

#[test]
fn who_becomes_available_is_asked_too() {
    let (mut desk, open) = with_one_waiting(asking(Strategy::RingAll, [0, 0, 5], 1), &["ana", "cy"]);
    assert_eq!(desk.asked(open), ["ana"]);
    desk.pass_seconds(20);
    come(&mut desk, "bo");
    assert_eq!(desk.asked(open), ["ana", "bo"]);
    desk.decline("ana", open).unwrap();
    desk.present("ana", false);
    desk.present("ana", true);
    assert_eq!(desk.asked(open), ["bo"], "who declined is not asked again");
    desk.pass_seconds(10);
    assert_eq!(desk.asked(open), ["cy"], "the time is that of the first who were asked");
}

#[test]
fn an_offer_is_lost_by_who_goes() {
    type Go = fn(&mut Desk);
    let cases: [(&str, Go); 3] = [
        ("offline for 30 s", |desk| {
            desk.offline("ana");
            desk.pass_seconds(29);
            assert_eq!(desk.asked(desk.open(1).unwrap()), ["ana"], "not for less");
            desk.pass_seconds(1);
        }),
        ("not present", |desk| desk.present("ana", false)),
        ("no member any more", |desk| desk.configure(|config| config.members = without(&config.members, "ana"))),
    ];
    for (what, go) in cases {
        let mut config = asking(Strategy::Linear, [0; 3], 1);
        config.offer = ask(3600);
        let (mut desk, open) = with_one_waiting(config, &["ana"]);
        go(&mut desk);
        assert_eq!(desk.asked(open), Vec::<String>::new(), "{what}");
        assert!(matches!(desk.accept("ana", open), Err(Refusal::OfferOver(_) | Refusal::NotAMember(_))), "{what}");
        come(&mut desk, "bo");
        assert_eq!(desk.asked(open), ["bo"], "{what}");
    }
}

#[test]
fn an_offer_outlives_a_restart_for_who_comes_back() {
    let mut config = asking(Strategy::Linear, [0; 3], 1);
    config.offer = ask(300);
    let (mut desk, open) = with_one_waiting(config, &["ana", "bo"]);
    desk.restart();
    desk.pass_seconds(29);
    desk.online("ana");
    desk.pass_seconds(200);
    desk.accept("ana", open).unwrap();
    desk.finish("ana", open).unwrap();
    desk.text(1, "TEXT-again");
    let again = desk.open(1).unwrap();
    assert_eq!(desk.asked(again), ["ana"]);
    desk.restart();
    desk.pass_seconds(30);
    assert_eq!(desk.asked(again), Vec::<String>::new());
}

#[test]
fn what_is_offered_can_be_ended_and_begun_in_every_other_way() {
    let (mut desk, open) = with_one_waiting(asking(Strategy::Linear, [0; 3], 1), &["ana"]);
    desk.text(1, "STOP");
    assert_eq!(desk.open(1), None, "the customer opted out");
    assert_eq!(desk.accept("ana", open), Err(Refusal::NotOpen(open)));
    desk.text(2, "TEXT-hello");
    let second = desk.open(2).unwrap();
    assert_eq!(desk.asked(second), ["ana"], "the slot is free again");
    desk.configure(|config| config.enabled = false);
    assert_eq!(desk.accept("ana", second), Err(Refusal::Disabled));
    desk.pass_seconds(1000);
    assert_eq!(desk.asked(second), ["ana"], "time stands still");
    desk.decline("ana", second).unwrap();
    desk.configure(|config| config.enabled = true);
    desk.pass_seconds(29);
    assert_eq!(desk.asked(second), Vec::<String>::new());
    desk.configure(|config| config.offer = OfferMode::Assign);
    desk.pass_seconds(1);
    assert_eq!(desk.owner(second), Some("ana"), "it is theirs at once, as soon as they may have it");
}

#[test]
fn a_requeued_interaction_is_offered_anew() {
    let (mut desk, open) = with_one_waiting(asking(Strategy::Linear, [0; 3], 1), &["ana"]);
    desk.accept("ana", open).unwrap();
    desk.offline("ana");
    desk.pass_seconds(300);
    assert_eq!((desk.owner(open), desk.asked(open)), (None, vec![]));
    desk.online("ana");
    assert_eq!(desk.asked(open), ["ana"]);
    let old = Command::Accept { user: "ana".into(), interaction: open, offer: OfferId(1) };
    assert_eq!(desk.execute(&old).answer, Err(Refusal::OfferOver(OfferId(1))));
    assert_eq!(desk.accept("ana", open), Ok(Epoch(3)));
}
