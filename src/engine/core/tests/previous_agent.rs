//! A customer who writes again soon has their last agent first.

use jiff::SignedDuration;

use super::desk::{Desk, ask, config, member, without};
use crate::engine::core::{
    command::TransferTo,
    config::{ChannelConfig, OfferMode, Strategy},
    event::{Happened, InteractionEvent},
    ids::InteractionId,
    ranking::Turn,
};

/// Ana, Bo and Cy; who writes again within 100 s has their last agent first. The strategy would always choose Ana.
fn returning(offer: OfferMode) -> ChannelConfig {
    let members = ["ana", "bo", "cy"].into_iter().zip(1..).map(|(user, at)| member(user, at, 2)).collect();
    let session_reopen = Some(SignedDuration::from_secs(100));
    ChannelConfig { strategy: Strategy::Linear, offer, members, session_reopen, ..config() }
}

/// A desk where Bo has just finished with customer 1.
fn finished_by_bo(config: ChannelConfig) -> Desk {
    let mut desk = Desk::with_agents(config, &["ana", "bo", "cy"]);
    let (open, _) = desk.start("bo", 1).unwrap();
    desk.finish("bo", open).unwrap();
    desk
}

fn text(desk: &mut Desk, customer: u32) -> InteractionId {
    desk.text(customer, "TEXT-hello");
    desk.open(customer).unwrap()
}

#[test]
fn who_writes_again_in_time_goes_to_their_last_agent() {
    type Meanwhile = fn(&mut Desk);
    let cases: [(&str, Meanwhile, &str); 9] = [
        ("at once", |_| {}, "bo"),
        ("at the last instant", |desk| desk.pass_seconds(100), "bo"),
        ("too late", |desk| desk.pass_seconds(101), "ana"),
        (
            "while the channel was disabled no time passed",
            |desk| {
                desk.configure(|config| config.enabled = false);
                desk.pass_seconds(1000);
                desk.configure(|config| config.enabled = true);
            },
            "bo",
        ),
        (
            "the time in the gateway counts, and not what was disabled before it came",
            |desk| {
                desk.pass_seconds(50);
                desk.configure(|config| config.enabled = false);
                desk.pass_seconds(1000);
                desk.configure(|config| config.enabled = true);
                desk.pass_seconds(51);
                desk.in_spool = SignedDuration::from_secs(60);
            },
            "ana",
        ),
        (
            "after a restart",
            |desk| {
                desk.restart();
                ["ana", "bo", "cy"].iter().for_each(|user| desk.online(user));
            },
            "bo",
        ),
        ("who is not present is not waited for", |desk| desk.present("bo", false), "ana"),
        (
            "nor who is no member any more",
            |desk| desk.configure(|config| config.members = without(&config.members, "bo")),
            "ana",
        ),
        ("the setting is off", |desk| desk.configure(|config| config.session_reopen = None), "ana"),
    ];
    for (what, meanwhile, expected) in cases {
        let mut desk = finished_by_bo(returning(OfferMode::Assign));
        meanwhile(&mut desk);
        let open = text(&mut desk, 1);
        assert_eq!(desk.owner(open), Some(expected), "{what}");
    }
}

#[test]
fn any_end_with_an_agent_counts_and_none_without() {
    let mut desk = finished_by_bo(returning(OfferMode::Assign));
    desk.configure(|config| {
        config.session_reopen = Some(SignedDuration::from_hours(1000));
        config.session_idle = SignedDuration::from_secs(60);
    });
    // Closed while nobody has it: opted out while it waits.
    ["ana", "bo", "cy"].iter().for_each(|user| desk.present(user, false));
    text(&mut desk, 1);
    desk.text(1, "STOP");
    assert_eq!(desk.open(1), None);
    desk.text(1, "START");
    ["ana", "bo", "cy"].iter().for_each(|user| desk.present(user, true));
    let open = text(&mut desk, 1);
    assert_eq!(desk.owner(open), Some("bo"), "still Bo");
    desk.transfer("bo", open, TransferTo::Agent("cy".into())).unwrap();
    desk.accept("cy", open).unwrap();
    desk.pass_seconds(60);
    assert_eq!(desk.open(1), None, "closed, since nobody wrote");
    let open = text(&mut desk, 1);
    assert_eq!(desk.owner(open), Some("cy"), "what was closed by itself was Cy's");
}

#[test]
fn the_strategy_is_not_asked_and_keeps_its_turn() {
    let mut config = returning(OfferMode::Assign);
    config.strategy = Strategy::RoundRobin;
    let mut desk = finished_by_bo(config);
    text(&mut desk, 2);
    let (turn, seed) = (desk.state.scalars().turn.clone(), desk.state.scalars().seed);
    assert_eq!(turn, Some(Turn { position: 1, user: "ana".into() }));
    let returned = text(&mut desk, 1);
    assert_eq!(desk.owner(returned), Some("bo"));
    assert_eq!((desk.state.scalars().turn.clone(), desk.state.scalars().seed), (turn, seed));
    let assigned = desk.log.iter().rev().find_map(|event| match &event.what {
        Happened::Interaction(InteractionEvent::InteractionAssigned { position, previous, .. }) => {
            Some((*position, *previous))
        }
        _ => None,
    });
    assert_eq!(assigned, Some((None, true)));
    let third = text(&mut desk, 3);
    assert_eq!(desk.owner(third), Some("bo"), "whose turn it is");
}

#[test]
fn with_ask_the_last_agent_is_asked_alone_and_once() {
    for strategy in [Strategy::Linear, Strategy::RingAll] {
        type InVain = fn(&mut Desk, InteractionId);
        let cases: [InVain; 2] = [|desk, open| desk.decline("bo", open).unwrap(), |desk, _| desk.pass_seconds(30)];
        for in_vain in cases {
            let mut desk = finished_by_bo(ChannelConfig { strategy, ..returning(ask(30)) });
            let open = text(&mut desk, 1);
            assert_eq!(desk.asked(open), ["bo"], "{strategy:?}");
            desk.present("cy", false);
            desk.present("cy", true);
            assert_eq!(desk.asked(open), ["bo"], "nobody is added to it");
            in_vain(&mut desk, open);
            let others: &[&str] = if strategy == Strategy::RingAll { &["ana", "cy"] } else { &["ana"] };
            assert_eq!(desk.asked(open), others, "{strategy:?}");
        }
    }
}

#[test]
fn who_went_and_is_back_before_anybody_else_had_it_is_asked_first_again() {
    let mut desk = finished_by_bo(returning(ask(30)));
    let open = text(&mut desk, 1);
    desk.present("bo", false);
    assert_eq!(desk.asked(open), ["ana"]);
    desk.present("bo", true);
    desk.decline("ana", open).unwrap();
    assert_eq!(desk.asked(open), ["bo"]);
}

#[test]
fn once_somebody_had_it_nobody_comes_first() {
    let mut desk = finished_by_bo(returning(OfferMode::Assign));
    desk.present("bo", false);
    let open = text(&mut desk, 1);
    assert_eq!(desk.owner(open), Some("ana"));
    desk.present("bo", true);
    desk.offline("ana");
    ["bo", "cy"].iter().for_each(|user| desk.present(user, false));
    desk.pass_seconds(300);
    desk.online("ana");
    ["cy", "bo"].iter().for_each(|user| desk.present(user, true));
    assert_eq!(desk.owner(open), Some("ana"), "the strategy's choice");
}

#[test]
fn what_arrived_earlier_is_given_first_to_the_last_agent_too() {
    let mut desk = finished_by_bo(returning(OfferMode::Assign));
    ["ana", "bo", "cy"].iter().for_each(|user| desk.present(user, false));
    desk.configure(|config| config.members = [member("bo", 1, 1)].into_iter().collect());
    let (first, returned) = (text(&mut desk, 2), text(&mut desk, 1));
    desk.present("bo", true);
    assert_eq!((desk.owner(first), desk.owner(returned)), (Some("bo"), None));
}
