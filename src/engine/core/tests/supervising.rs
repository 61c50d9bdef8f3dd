//! Supervisors decide who has an interaction, and when it ends.

use super::desk::{Desk, ask, config, member};
use crate::engine::core::{
    command::{Command, Refusal, TransferTo},
    config::{ChannelConfig, OfferMode, Strategy},
    ids::{Epoch, InteractionId},
};

/// Ana and Bo with room for one each, and Eva, who is no member, as their supervisor.
fn supervised(offer: OfferMode) -> ChannelConfig {
    let members = [member("ana", 1, 1), member("bo", 2, 1)].into_iter().collect();
    let supervisors = ["eva".into()].into();
    ChannelConfig { strategy: Strategy::Linear, offer, members, supervisors, ..config() }
}

fn assign(desk: &mut Desk, user: &str, open: InteractionId, to: &str) -> Result<(), Refusal> {
    let (epoch, interaction) = (desk.epoch(open), open);
    desk.execute(&Command::Assign { user: user.into(), interaction, epoch, to: to.into() }).answer.map(drop)
}

fn close(desk: &mut Desk, user: &str, open: InteractionId) -> Result<(), Refusal> {
    let (epoch, interaction) = (desk.epoch(open), open);
    desk.execute(&Command::Close { user: user.into(), interaction, epoch, disposition: None }).answer.map(drop)
}

/// The customer's interaction, which is there now.
fn text(desk: &mut Desk, customer: u32) -> InteractionId {
    desk.text(customer, "TEXT-hello");
    desk.open(customer).unwrap()
}

#[test]
fn an_interaction_goes_to_whom_the_supervisor_says_wherever_it_is() {
    type Where = fn(&mut Desk, InteractionId);
    let cases: [(&str, OfferMode, Where); 4] = [
        ("with another agent", OfferMode::Assign, |_, _| {}),
        ("offered", ask(300), |_, _| {}),
        ("handed over to an agent", OfferMode::Assign, |desk, open| {
            desk.transfer("ana", open, TransferTo::Agent("bo".into())).unwrap();
        }),
        ("handed over to the queue", ask(300), |desk, open| {
            desk.accept("ana", open).unwrap();
            desk.transfer("ana", open, TransferTo::Queue).unwrap();
            assert_eq!((desk.owner(open), desk.asked(open)), (Some("ana"), vec!["bo".to_owned()]));
        }),
    ];
    for (what, mode, bring) in cases {
        let mut desk = Desk::with_agents(supervised(mode), &["ana", "bo"]);
        let open = text(&mut desk, 1);
        bring(&mut desk, open);
        let before = desk.epoch(open);
        assign(&mut desk, "eva", open, "bo").unwrap();
        assert_eq!((desk.owner(open), desk.epoch(open)), (Some("bo"), before.next()), "{what}");
        let (ana, bo) = (desk.state.agent(&"ana".into()).unwrap(), desk.state.agent(&"bo".into()).unwrap());
        assert_eq!((ana.open.len(), ana.offers.len(), bo.open.len(), bo.offers.len()), (0, 0, 1, 0), "{what}: slots");
        assert_eq!(assign(&mut desk, "eva", open, "bo"), Err(Refusal::AlreadyTheirs("bo".into())));
    }
}

#[test]
fn who_has_no_room_gets_it_all_the_same_and_who_is_not_there_does_not() {
    let mut desk = Desk::with_agents(supervised(OfferMode::Assign), &["ana", "bo"]);
    let (first, second, third) = (text(&mut desk, 1), text(&mut desk, 2), text(&mut desk, 3));
    assert_eq!([desk.owner(first), desk.owner(second), desk.owner(third)], [Some("ana"), Some("bo"), None]);
    assign(&mut desk, "eva", third, "ana").unwrap();
    assert_eq!(desk.owner(third), Some("ana"));
    desk.present("bo", false);
    assert_eq!(assign(&mut desk, "eva", third, "bo"), Err(Refusal::AgentNotPresent("bo".into())));
    desk.offline("bo");
    assert_eq!(assign(&mut desk, "eva", third, "bo"), Err(Refusal::AgentOffline("bo".into())));
    assert_eq!(assign(&mut desk, "eva", third, "dee"), Err(Refusal::NoSuchMember("dee".into())));
    assert_eq!(assign(&mut desk, "ana", third, "bo"), Err(Refusal::NotASupervisor("ana".into())));
    assert_eq!(close(&mut desk, "ana", third), Err(Refusal::NotASupervisor("ana".into())));
}

#[test]
fn a_supervisor_takes_over_works_on_it_and_loses_it_like_an_agent() {
    let mut desk = Desk::with_agents(supervised(OfferMode::Assign), &["ana"]);
    let open = text(&mut desk, 1);
    assert_eq!(assign(&mut desk, "eva", open, "eva"), Err(Refusal::NoStream));
    desk.online("eva");
    assign(&mut desk, "eva", open, "eva").unwrap();
    desk.reply("eva", open).unwrap();
    desk.transfer("eva", open, TransferTo::Agent("ana".into())).unwrap();
    desk.cancel_transfer("eva", open).unwrap();
    desk.restart();
    assert_eq!((desk.owner(open), desk.epoch(open)), (Some("eva"), Epoch(2)));
    desk.pass_seconds(300);
    assert_eq!(desk.owner(open), None, "her stream was not opened again");
    desk.online("eva");
    assert_eq!(desk.owner(open), None, "the strategy gives her nothing");
    assign(&mut desk, "eva", open, "eva").unwrap();
    desk.configure(|config| config.supervisors.clear());
    assert_eq!(desk.owner(open), None);
    assert_eq!(desk.reply("eva", open), Err(Refusal::NotAMember("eva".into())));
}

#[test]
fn what_a_supervisor_closes_counts_as_finished_without_a_reply() {
    let mut desk = Desk::with_agents(supervised(OfferMode::Assign), &["ana"]);
    let (with_ana, waiting) = (text(&mut desk, 1), text(&mut desk, 2));
    desk.present("ana", false);
    close(&mut desk, "eva", with_ana).unwrap();
    close(&mut desk, "eva", waiting).unwrap();
    assert_eq!((desk.open(1), desk.open(2), desk.state.queue_len()), (None, None, 0));
    let level = desk.state.service_level(desk.now);
    assert_eq!((level.no_reply, level.no_reply_in_target), (2, 2));
    assert_eq!(desk.state.agent(&"ana".into()).unwrap().last_finish, None, "she finished nothing");
    assert_eq!(close(&mut desk, "eva", waiting), Err(Refusal::NotOpen(waiting)));
}
