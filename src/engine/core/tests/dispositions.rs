//! What agents say about the outcome of an interaction.

use super::desk::{Desk, config};
use crate::engine::core::{
    command::{Command, Refusal},
    config::ChannelConfig,
    event::{CloseReason, Happened, InteractionEvent},
    ids::{DispositionName, InteractionId},
};

fn ana_has_one(required: bool) -> (Desk, InteractionId) {
    let config = ChannelConfig {
        dispositions: ["sold", "lost"].map(DispositionName::from).into(),
        disposition_required: required,
        ..config()
    };
    let mut desk = Desk::with_agents(config, &["ana"]);
    let (open, _) = desk.start("ana", 1).unwrap();
    (desk, open)
}

fn finish(desk: &mut Desk, open: InteractionId, disposition: Option<&str>) -> Result<(), Refusal> {
    let (user, epoch) = ("ana".into(), desk.epoch(open));
    let disposition = disposition.map(DispositionName::from);
    desk.execute(&Command::Finish { user, interaction: open, epoch, disposition }).answer.map(drop)
}

/// How the last interaction ended.
fn ended(desk: &Desk) -> Option<(CloseReason, Option<DispositionName>)> {
    desk.log.iter().rev().find_map(|event| match &event.what {
        Happened::Interaction(InteractionEvent::InteractionClosed { reason, disposition, .. }) => {
            Some((*reason, disposition.clone()))
        }
        _ => None,
    })
}

#[test]
fn who_finishes_may_choose_one_of_the_campaigns() {
    for (chosen, recorded) in [(None, None), (Some("sold"), Some("sold".into()))] {
        let (mut desk, open) = ana_has_one(false);
        finish(&mut desk, open, chosen).unwrap();
        assert_eq!(ended(&desk), Some((CloseReason::Finished, recorded)));
    }
    let (mut desk, open) = ana_has_one(false);
    assert_eq!(finish(&mut desk, open, Some("won")), Err(Refusal::NoSuchDisposition("won".into())));
    assert_eq!(desk.owner(open), Some("ana"), "it is open still");
}

#[test]
fn where_one_is_required_nobody_finishes_without_and_what_ends_by_itself_has_none() {
    let (mut desk, open) = ana_has_one(true);
    assert_eq!(finish(&mut desk, open, None), Err(Refusal::DispositionMissing));
    desk.configure(|config| config.session_idle = jiff::SignedDuration::from_secs(60));
    desk.pass_seconds(60);
    assert_eq!(ended(&desk), Some((CloseReason::Idle, None)));
    let (open, _) = desk.start("ana", 1).unwrap();
    finish(&mut desk, open, Some("lost")).unwrap();
    assert_eq!(ended(&desk), Some((CloseReason::Finished, Some("lost".into()))));
}

#[test]
fn a_supervisor_may_say_one_and_need_not() {
    for (chosen, recorded) in [(None, None), (Some("sold"), Some("sold".into()))] {
        let (mut desk, interaction) = ana_has_one(true);
        desk.configure(|config| config.supervisors = ["eva".into()].into());
        let close = |desk: &mut Desk, disposition: Option<&str>| {
            let (user, epoch, disposition) = ("eva".into(), desk.epoch(interaction), disposition.map(Into::into));
            desk.execute(&Command::Close { user, interaction, epoch, disposition }).answer.map(drop)
        };
        assert_eq!(close(&mut desk, Some("won")), Err(Refusal::NoSuchDisposition("won".into())));
        close(&mut desk, chosen).unwrap();
        assert_eq!(ended(&desk), Some((CloseReason::BySupervisor, recorded)));
    }
}
