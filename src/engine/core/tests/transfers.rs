//! Agents hand interactions over.

use jiff::SignedDuration;

use super::desk::{Desk, ask, config, member, without};
use crate::engine::core::{
    command::{Refusal, TransferTo},
    config::{ChannelConfig, Member, OfferMode, Strategy},
    event::{Happened, InteractionEvent, TransferEndReason},
    ids::{Epoch, InteractionId, OfferId},
    interaction::Interaction,
};

/// Ana, Bo and Cy, always in this order, with room for so many; who is handed something over has 60 s.
fn desk_of_three(offer: OfferMode, room: u32) -> ChannelConfig {
    let members = ["ana", "bo", "cy"].into_iter().zip(1..).map(|(user, at)| member(user, at, room)).collect();
    let max_transfer = Some(SignedDuration::from_secs(60));
    ChannelConfig { strategy: Strategy::Linear, offer, members, max_transfer, ..config() }
}

/// A desk where Ana has an interaction, and these agents are at work.
fn ana_has_one(config: ChannelConfig, users: &[&str]) -> (Desk, InteractionId) {
    let mut desk = Desk::with_agents(config, users);
    let (open, _) = desk.start("ana", 1).unwrap();
    (desk, open)
}

fn to(user: &str) -> TransferTo {
    TransferTo::Agent(user.into())
}

fn is_handed_over(desk: &Desk, open: InteractionId) -> bool {
    desk.state.interaction(open).and_then(Interaction::transfer).is_some()
}

/// Why transfers ended in which nobody took it.
fn ends(desk: &Desk) -> Vec<TransferEndReason> {
    let reason = |what: &Happened| match what {
        Happened::Interaction(InteractionEvent::TransferEnded { reason, .. }) => Some(*reason),
        _ => None,
    };
    desk.log.iter().filter_map(|event| reason(&event.what)).collect()
}

#[test]
fn until_it_is_taken_it_stays_theirs_and_then_it_is_the_other_ones() {
    for mode in [OfferMode::Assign, ask(30)] {
        let (mut desk, open) = ana_has_one(desk_of_three(mode, 2), &["ana", "bo"]);
        desk.transfer("ana", open, to("bo")).unwrap();
        assert_eq!((desk.owner(open), desk.epoch(open)), (Some("ana"), Epoch(1)));
        assert_eq!(desk.reply("bo", open), Err(Refusal::NotOwner));
        desk.reply("ana", open).unwrap();
        assert_eq!(desk.state.statistics(desk.now).waiting, 0, "it has an agent");
        assert_eq!(desk.accept("bo", open), Ok(Epoch(2)));
        assert_eq!(desk.accept("bo", open), Ok(Epoch(2)), "repeated");
        assert_eq!(desk.owner(open), Some("bo"));
        assert_eq!(desk.reply("ana", open), Err(Refusal::NotOwner));
        assert_eq!(ends(&desk), []);
        desk.reply("bo", open).unwrap();
        desk.finish("bo", open).unwrap();
        assert_eq!(desk.customer(1).last_agent.map(|last| last.user), Some("bo".into()));
    }
}

#[test]
fn whatever_keeps_the_other_one_from_taking_it_leaves_it_with_the_first() {
    type Meanwhile = fn(&mut Desk, InteractionId);
    let cases: [(TransferEndReason, Meanwhile); 6] = [
        (TransferEndReason::Canceled, |desk, open| desk.cancel_transfer("ana", open).unwrap()),
        (TransferEndReason::Declined, |desk, open| desk.decline("bo", open).unwrap()),
        (TransferEndReason::TimedOut, |desk, _| desk.pass_seconds(60)),
        (TransferEndReason::AgentOffline, |desk, _| {
            desk.offline("bo");
            desk.pass_seconds(30);
        }),
        (TransferEndReason::AgentNotPresent, |desk, _| desk.present("bo", false)),
        (TransferEndReason::AgentRemoved, |desk, _| {
            desk.configure(|config| config.members = without(&config.members, "bo"));
        }),
    ];
    for (reason, meanwhile) in cases {
        // Ana has all that she may have, and keeps it all the same.
        let (mut desk, open) = ana_has_one(desk_of_three(OfferMode::Assign, 1), &["ana", "bo", "cy"]);
        desk.transfer("ana", open, to("bo")).unwrap();
        meanwhile(&mut desk, open);
        assert_eq!((desk.owner(open), desk.epoch(open)), (Some("ana"), Epoch(1)), "{reason:?}");
        assert!(!is_handed_over(&desk, open), "{reason:?}");
        assert_eq!(ends(&desk), [reason]);
        let late = desk.accept("bo", open);
        assert!(matches!(late, Err(Refusal::OfferOver(OfferId(1)) | Refusal::NotAMember(_))), "{reason:?}: {late:?}");
        desk.reply("ana", open).unwrap();
        desk.transfer("ana", open, to("cy")).unwrap();
        assert_eq!(desk.accept("cy", open), Ok(Epoch(2)), "{reason:?}");
    }
}

#[test]
fn a_transfer_without_a_limit_waits_and_time_stands_still_while_disabled() {
    let (mut desk, open) = ana_has_one(desk_of_three(OfferMode::Assign, 2), &["ana", "bo"]);
    desk.transfer("ana", open, to("bo")).unwrap();
    desk.pass_seconds(59);
    desk.configure(|config| config.enabled = false);
    desk.pass_seconds(1000);
    assert_eq!(desk.accept("bo", open), Err(Refusal::Disabled));
    desk.configure(|config| config.enabled = true);
    assert!(is_handed_over(&desk, open));
    desk.pass_seconds(1);
    assert!(!is_handed_over(&desk, open));

    desk.configure(|config| config.max_transfer = None);
    desk.transfer("ana", open, to("bo")).unwrap();
    desk.pass_seconds(80_000);
    desk.accept("bo", open).unwrap();
}

#[test]
fn who_hands_over_and_is_gone_for_too_long_loses_it_to_the_head_of_the_queue() {
    for recipient in [to("bo"), TransferTo::Queue] {
        let mut config = desk_of_three(ask(400), 2);
        config.max_transfer = None;
        let (mut desk, open) = ana_has_one(config, &["ana", "bo"]);
        desk.text(2, "TEXT-hello");
        let waiting = desk.open(2).unwrap();
        desk.decline("bo", waiting).unwrap_or_else(|_| desk.decline("ana", waiting).unwrap());
        desk.transfer("ana", open, recipient.clone()).unwrap();
        assert_eq!(desk.owner(open), Some("ana"));
        desk.offline("ana");
        desk.pass_seconds(300);
        assert_eq!((desk.owner(open), desk.epoch(open)), (None, Epoch(2)), "{recipient:?}");
        assert_eq!(ends(&desk), [TransferEndReason::OwnerOffline], "{recipient:?}");
        assert_eq!(desk.state.queue().next(), Some(open), "at the head");
        assert!(!is_handed_over(&desk, open));
        assert_eq!(desk.asked(open), ["bo"], "by a new offer");
        assert_eq!(desk.state.interaction(open).unwrap().offers, 2, "{recipient:?}");
        desk.accept("bo", open).unwrap();
    }
}

#[test]
fn what_goes_to_the_queue_goes_to_another_agent_before_those_who_wait() {
    let (mut desk, open) = ana_has_one(desk_of_three(OfferMode::Assign, 1), &["ana"]);
    desk.text(2, "TEXT-hello");
    desk.configure(|config| config.members = [member("ana", 1, 5), member("bo", 2, 1)].into_iter().collect());
    desk.transfer("ana", open, TransferTo::Queue).unwrap();
    desk.pass_seconds(10);
    assert_eq!(desk.owner(open), Some("ana"), "who hands it over does not get it, although she has room");
    assert_eq!(
        (desk.state.queue_len(), desk.state.queue().count()),
        (0, 0),
        "the other one is Ana's now, and this one too"
    );
    desk.online("bo");
    desk.present("bo", true);
    assert_eq!((desk.owner(open), desk.epoch(open)), (Some("bo"), Epoch(2)));
}

#[test]
fn with_ask_the_others_are_asked_in_turn_and_who_hands_it_over_is_not() {
    for strategy in [Strategy::Linear, Strategy::RingAll] {
        let mut config = ChannelConfig { strategy, ..desk_of_three(ask(20), 3) };
        // With RingAll Cy would miss their third offer at 100 s, and be asked no more.
        config.max_transfer = Some(SignedDuration::from_secs(90));
        let (mut desk, open) = ana_has_one(config, &["ana", "bo", "cy"]);
        desk.transfer("ana", open, TransferTo::Queue).unwrap();
        let others: &[&str] = if strategy == Strategy::RingAll { &["bo", "cy"] } else { &["bo"] };
        assert_eq!(desk.asked(open), others, "{strategy:?}");
        desk.present("ana", false);
        desk.present("ana", true);
        assert_eq!(desk.asked(open), others, "{strategy:?}: Ana is not added");
        desk.restart();
        ["ana", "bo", "cy"].iter().for_each(|user| desk.online(user));
        assert_eq!(desk.asked(open), others, "{strategy:?}: a restart ends nothing");
        desk.decline("bo", open).unwrap();
        assert_eq!(desk.asked(open), ["cy"], "{strategy:?}");
        desk.pass_seconds(90);
        assert_eq!(ends(&desk), [TransferEndReason::TimedOut], "{strategy:?}");
        assert_eq!((desk.owner(open), desk.asked(open)), (Some("ana"), vec![]), "{strategy:?}");
        desk.transfer("ana", open, TransferTo::Queue).unwrap();
        assert_eq!(desk.asked(open), others, "{strategy:?}: each transfer asks anew");
        desk.accept("bo", open).unwrap();
        assert_eq!(desk.owner(open), Some("bo"));
    }
}

#[test]
fn who_is_asked_by_name_may_take_more_than_they_may_have() {
    let (mut desk, open) = ana_has_one(desk_of_three(OfferMode::Assign, 1), &["ana", "bo"]);
    let (of_bo, _) = desk.start("bo", 2).unwrap();
    desk.transfer("ana", open, to("bo")).unwrap();
    desk.text(3, "TEXT-hello");
    let waiting = desk.open(3).unwrap();
    desk.finish("bo", of_bo).unwrap();
    assert_eq!(desk.owner(waiting), None, "what Bo is asked takes up the slot that is free now");
    let (mut desk, open) = ana_has_one(desk_of_three(OfferMode::Assign, 1), &["ana", "bo"]);
    desk.start("bo", 2).unwrap();
    desk.transfer("ana", open, to("bo")).unwrap();
    desk.accept("bo", open).unwrap();
    assert_eq!(desk.state.agent(&"bo".into()).unwrap().open.len(), 2, "they said yes");
}

#[test]
fn what_cannot_be_handed_over_is_refused_with_its_reason() {
    let mut config = desk_of_three(OfferMode::Assign, 2);
    config.members = config.members.iter().cloned().chain([member("dee", 4, 1)]).collect();
    config.members = config
        .members
        .iter()
        .map(|it| {
            let receive = it.user.as_str() != "dee";
            Member { receive, ..it.clone() }
        })
        .collect();
    let (mut desk, open) = ana_has_one(config, &["ana", "bo", "dee"]);
    desk.online("cy");
    let cases = [
        ("ana", to("ana"), Refusal::TransferToOneself),
        ("ana", to("eve"), Refusal::NoSuchMember("eve".into())),
        ("ana", to("cy"), Refusal::AgentNotPresent("cy".into())),
        ("ana", to("dee"), Refusal::MayNotReceive("dee".into())),
        ("bo", to("cy"), Refusal::NotOwner),
        ("eve", to("bo"), Refusal::NotAMember("eve".into())),
    ];
    for (user, recipient, refusal) in cases {
        assert_eq!(desk.transfer(user, open, recipient), Err(refusal));
    }
    assert_eq!(desk.cancel_transfer("ana", open), Err(Refusal::NotInTransfer));
    desk.transfer("ana", open, to("bo")).unwrap();
    assert_eq!(desk.transfer("ana", open, TransferTo::Queue), Err(Refusal::InTransfer));
    assert_eq!(desk.cancel_transfer("bo", open), Err(Refusal::NotOwner));
    desk.configure(|config| config.enabled = false);
    desk.cancel_transfer("ana", open).unwrap();
    assert_eq!(desk.transfer("ana", open, to("bo")), Err(Refusal::Disabled));
}

#[test]
fn what_its_owner_finishes_is_handed_over_to_nobody() {
    let (mut desk, open) = ana_has_one(desk_of_three(OfferMode::Assign, 2), &["ana", "bo"]);
    desk.transfer("ana", open, to("bo")).unwrap();
    desk.finish("ana", open).unwrap();
    assert_eq!(ends(&desk), [TransferEndReason::Closed]);
    assert_eq!(desk.accept("bo", open), Err(Refusal::NotOpen(open)));
    assert_eq!(desk.state.agent(&"bo".into()).unwrap().offers.len(), 0);
}

#[test]
fn both_leave_the_campaign_at_once() {
    let (mut desk, open) = ana_has_one(desk_of_three(OfferMode::Assign, 2), &["ana", "bo", "cy"]);
    desk.transfer("ana", open, to("bo")).unwrap();
    desk.configure(|config| config.members = [member("cy", 3, 2)].into_iter().collect());
    assert_eq!(ends(&desk), [TransferEndReason::OwnerRemoved], "once");
    assert_eq!((desk.owner(open), desk.epoch(open)), (Some("cy"), Epoch(3)), "by way of the queue");
}

#[test]
fn a_wait_that_is_measured_goes_on_until_somebody_replies() {
    let mut desk = Desk::with_agents(desk_of_three(OfferMode::Assign, 2), &["ana", "bo"]);
    desk.text(1, "TEXT-hello");
    let open = desk.open(1).unwrap();
    desk.pass_seconds(40);
    desk.transfer("ana", open, to("bo")).unwrap();
    desk.pass_seconds(21);
    desk.accept("bo", open).unwrap();
    desk.reply("bo", open).unwrap();
    let level = desk.state.service_level(desk.now);
    assert_eq!((level.answered, level.answered_in_target), (1, 0));
}

#[test]
fn what_a_removed_agent_handed_over_goes_to_the_queue_before_anybody_is_given_it() {
    let mut config = desk_of_three(OfferMode::Assign, 2);
    let bo = config.members.get(&"bo".into()).unwrap().clone();
    let idle = Member { receive: false, ..bo.clone() };
    config.members = [member("ana", 1, 2), idle].into_iter().collect();
    let (mut desk, open) = ana_has_one(config, &["ana", "bo"]);
    desk.transfer("ana", open, TransferTo::Queue).unwrap();
    assert_eq!(desk.owner(open), Some("ana"));
    desk.configure(|config| config.members = [bo].into_iter().collect());
    assert_eq!(ends(&desk), [TransferEndReason::OwnerRemoved]);
    assert_eq!((desk.owner(open), desk.epoch(open)), (Some("bo"), Epoch(3)), "by way of the queue");
}
