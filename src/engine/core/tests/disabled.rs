//! A channel or campaign that is disabled, and storage that is not accepted.

use super::desk::{Desk, config};
use crate::engine::core::{
    command::{Answer, Command, Refusal},
    delivery::MessageStatus,
    event::InboundOutcome,
    ids::{Epoch, MessageId},
};

#[test]
fn while_disabled_messages_are_recorded_and_agents_note_and_finish_only() {
    let mut desk = Desk::with_agents(config(), &["ana"]);
    desk.text(1, "TEXT-hello");
    let open = desk.open(1).unwrap();
    desk.configure(|config| config.enabled = false);
    assert_eq!(desk.text(1, "TEXT-still there?"), InboundOutcome::Disabled);
    assert_eq!(desk.text(2, "TEXT-hello"), InboundOutcome::Disabled);
    assert_eq!((desk.open(2), desk.texts_to(2)), (None, vec![]));
    assert_eq!(desk.reply("ana", open), Err(Refusal::Disabled));
    assert_eq!(desk.start("ana", 3), Err(Refusal::Disabled));
    let note = Command::Note { user: "ana".into(), interaction: open, epoch: Some(Epoch(1)), text: "TEXT-note".into() };
    assert!(matches!(desk.execute(&note).answer, Ok(Answer::Noted { .. })));
    desk.finish("ana", open).unwrap();
}

#[test]
fn an_opt_out_counts_and_is_confirmed_while_disabled() {
    let mut desk = Desk::new(config());
    desk.configure(|config| config.enabled = false);
    assert_eq!(desk.text(1, "STOP"), InboundOutcome::OptedOut);
    assert_eq!(desk.texts_to(1), ["TEXT-stopped"]);
    desk.configure(|config| config.enabled = true);
    assert_eq!(desk.text(1, "START"), InboundOutcome::OptedIn, "it was opted out");
}

#[test]
fn nothing_is_assigned_while_disabled() {
    let mut desk = Desk::new(config());
    desk.text(1, "TEXT-hello");
    desk.configure(|config| config.enabled = false);
    desk.online("ana");
    desk.present("ana", true);
    let open = desk.open(1).unwrap();
    assert_eq!(desk.owner(open), None);
    desk.configure(|config| config.enabled = true);
    assert_eq!(desk.owner(open), Some("ana"));
}

#[test]
fn timers_stand_still_while_disabled_also_over_a_restart() {
    let mut config = config();
    config.session_idle = jiff::SignedDuration::from_secs(1000);
    let mut desk = Desk::with_agents(config, &["ana"]);
    desk.text(1, "TEXT-hello");
    let open = desk.open(1).unwrap();
    desk.pass_seconds(600);
    desk.configure(|config| config.enabled = false);
    desk.pass_seconds(5000);
    desk.restart();
    desk.pass_seconds(5000);
    assert_eq!(desk.owner(open), Some("ana"), "neither away nor idle");
    desk.configure(|config| config.enabled = true);
    desk.pass_seconds(299);
    assert_eq!(desk.owner(open), Some("ana"));
    desk.online("ana");
    desk.pass_seconds(100);
    assert_eq!(desk.open(1), Some(open));
    desk.pass_seconds(1);
    assert_eq!(desk.open(1), None, "1000 s of its own time are over");
}

#[test]
fn what_was_committed_before_is_sent_while_disabled() {
    let mut desk = Desk::with_agents(config(), &["ana"]);
    desk.text(1, "TEXT-hello");
    let open = desk.open(1).unwrap();
    let (first, second) = (desk.reply("ana", open).unwrap(), desk.reply("ana", open).unwrap());
    desk.configure(|config| config.enabled = false);
    desk.accept_all();
    assert_eq!((desk.status(first), desk.status(second)), (MessageStatus::Accepted, MessageStatus::Accepted));
}

#[test]
fn storage_that_is_not_accepted_receives_but_sends_nothing() {
    let mut desk = Desk::with_agents(config(), &["ana"]);
    desk.state.set_storage_accepted(false);
    desk.text(1, "TEXT-hello");
    let open = desk.open(1).unwrap();
    let reply = desk.reply("ana", open).unwrap();
    desk.text(2, "STOP");
    desk.pass_seconds(3600);
    assert_eq!((desk.at_gateway(), desk.status(reply)), (vec![], MessageStatus::Waiting));
    desk.state.set_storage_accepted(true);
    desk.execute(&Command::StorageAccepted);
    assert_eq!(desk.at_gateway().len(), 2);
}

#[test]
fn a_start_begins_with_new_ids_and_never_goes_back() {
    let mut desk = Desk::with_agents(config(), &["ana"]);
    desk.text(1, "TEXT-hello");
    desk.execute(&Command::Started { ids_from: 1_000_000, leapt: None });
    desk.text(3, "TEXT-again");
    assert_eq!(desk.open(3).unwrap().0, 1_000_000);
    assert_eq!(*desk.messages.last_key_value().unwrap().0, MessageId(1_000_000));
    desk.restart();
    desk.text(4, "TEXT-again");
    assert_eq!(desk.open(4).unwrap().0, 1_000_001);
}
