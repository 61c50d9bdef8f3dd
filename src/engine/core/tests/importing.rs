//! Opt-outs that supervisors bring along.

use std::collections::BTreeSet;

use super::desk::{Desk, config, number, opt_out};
use crate::engine::core::{
    command::{Refusal, TransferTo},
    config::ChannelConfig,
    delivery::MessageStatus,
    event::{CustomerEvent, Happened, InboundOutcome, OptOutBy, Purpose},
    ids::UserId,
    opt_out::AnsweredBy,
    outbox::Outbound,
    tests::bots_of_histories::{BOTS, bot_ref},
};
use jiff::{SignedDuration, Timestamp};

fn supervised() -> ChannelConfig {
    ChannelConfig { supervisors: ["eva".into()].into(), ..config() }
}

/// Who was opted out by an import, by whom and since when, in order.
fn told(desk: &Desk) -> Vec<(UserId, Timestamp)> {
    let imported = desk.log.iter().filter_map(|event| match &event.what {
        Happened::Customer(CustomerEvent::OptedOut { by: OptOutBy::Import { user, since }, .. }) => {
            Some((user.clone(), *since))
        }
        _ => None,
    });
    imported.collect()
}

#[test]
fn who_was_never_heard_of_is_opted_out_until_they_write_start() {
    let mut desk = Desk::with_agents(supervised(), &["ana"]);
    assert_eq!(desk.import("eva", &[(1, None), (2, Some(86_400))]), Ok((2, 0)));
    assert_eq!(told(&desk), [("eva".into(), desk.now), ("eva".into(), desk.now - SignedDuration::from_hours(24))]);
    desk.restart();
    for customer in [1, 2] {
        assert_eq!(desk.start("ana", customer), Err(Refusal::OptedOut));
        assert_eq!(desk.texts_to(customer).len(), 0, "nothing is confirmed");
    }
    assert_eq!(desk.text(1, "START"), InboundOutcome::OptedIn);
    assert_eq!(desk.texts_to(1), ["TEXT-started"]);
    assert_eq!(desk.text(2, "STOP"), InboundOutcome::OptedOut);
    assert_eq!(desk.texts_to(2).len(), 0, "they know");
}

#[test]
fn it_does_everything_that_an_opt_out_does() {
    let mut config = supervised();
    config.bots.on_start = None;
    let mut desk = Desk::with_agents(config, &["ana"]);
    for (name, spec) in BOTS.iter().map(|(name, bot)| (*name, bot())) {
        desk.bot(name, spec);
    }
    desk.text(1, "TEXT-hello");
    let active = desk.open(1).unwrap();
    desk.reply("ana", active).unwrap();
    let waiting = desk.reply("ana", active).unwrap();
    desk.transfer("ana", active, TransferTo::Queue).unwrap();
    desk.offline("ana");
    desk.text(2, "TEXT-hello");
    desk.configure(|config| config.bots.on_start = bot_ref(0));
    desk.text(3, "TEXT-hello");
    assert!(desk.state.interaction(desk.open(3).unwrap()).unwrap().bot().is_some());
    assert_eq!(desk.import("eva", &[(1, None), (2, None), (3, None)]), Ok((3, 0)));
    assert_eq!(desk.status(waiting), MessageStatus::Canceled, "what waited is given up");
    assert_eq!((desk.open(2), desk.open(3)), (None, None), "who waited or talked to a bot leaves");
    assert_eq!(desk.state.service_level(desk.now).abandoned, 1);
    assert_eq!(desk.owner(active), Some("ana"), "an agent sees it and finishes");
    assert_eq!(desk.reply("ana", active), Err(Refusal::OptedOut));
    desk.finish("ana", active).unwrap();
    assert_eq!(desk.text(2, "TEXT-one more thing"), InboundOutcome::Queued, "no bot talks to them");
}

#[test]
fn imported_again_it_changes_nothing_and_opts_nobody_in() {
    let mut desk = Desk::new(supervised());
    desk.text(1, "STOP");
    desk.import("eva", &[(2, Some(60))]).unwrap();
    let events = desk.log.len();
    desk.pass_seconds(10);
    assert_eq!(desk.import("eva", &[(1, None), (2, Some(5)), (2, Some(500)), (3, None), (3, Some(9))]), Ok((1, 4)));
    assert_eq!(desk.names_since(events), ["CustomerAdded", "OptedOut", "OptOutsImported"]);
    let customers = [1, 2, 3].map(|customer| desk.customer(customer));
    assert!(customers.iter().all(|customer| customer.opted_out));
    let seconds_ago = |seconds| desk.now - SignedDuration::from_secs(seconds);
    assert_eq!(desk.opted_out_again, [(customers[1].id, seconds_ago(5))], "the latest time that is given");
    assert_eq!(told(&desk).last(), Some(&("eva".into(), seconds_ago(9))), "of a customer who is there twice too");
}

#[test]
fn all_of_a_list_are_opted_out_or_none() {
    let mut desk = Desk::new(supervised());
    let (now, hour) = (desk.now, SignedDuration::from_hours(1));
    let at = now + hour + SignedDuration::from_secs(1);
    let refused = desk.import("eva", &[(1, None), (2, Some(-3_601))]);
    assert_eq!(refused, Err(Refusal::OptOutInFuture { index: 1, at, now }));
    assert_eq!(desk.import("ana", &[(1, None)]), Err(Refusal::NotASupervisor("ana".into())));
    assert!(!desk.knows(1) && told(&desk).is_empty());
    desk.import("eva", &[(2, Some(-3_600))]).unwrap();
    assert_eq!(told(&desk), [("eva".into(), now)], "another clock may be ahead; nobody opts out later than now");
}

#[test]
fn the_provider_is_named_when_it_took_a_text_for_an_opt_out() {
    let mut config = config();
    config.opt_out = opt_out(AnsweredBy::Aldis);
    let mut desk = Desk::new(config);
    desk.text(1, "STOP");
    desk.text_from(&number(2).into(), "baja", Some(crate::engine::core::opt_out::Keyword::Stop));
    let by = desk.log.iter().filter_map(|event| match &event.what {
        Happened::Customer(CustomerEvent::OptedOut { by, .. }) => Some(matches!(by, OptOutBy::Provider { .. })),
        _ => None,
    });
    assert_eq!(by.collect::<Vec<_>>(), [false, true]);
}

/// An import in any history, by the supervisor eva or by ana, with all that must be true then.
pub(super) fn import(desk: &mut Desk, supervisor: bool, listed: &[(u32, Option<i64>)]) {
    let user = if supervisor { "eva" } else { "ana" };
    // Clocks differ by an hour at most. Time does not run backwards: the desk's may be behind.
    let now = desk.now.max(desk.state.scalars().last);
    let ahead = now.duration_since(desk.now).as_secs();
    let is_in_future = listed.iter().filter_map(|(_, ago)| *ago).any(|ago| -ago - ahead > 3_600);
    let opted_out = |desk: &Desk, digit: u32| desk.knows(digit) && desk.customer(digit).opted_out;
    let before: BTreeSet<u32> =
        listed.iter().map(|(digit, _)| *digit).filter(|digit| opted_out(desk, *digit)).collect();
    let imported = desk.import(user, listed);
    assert_eq!(imported.is_ok(), supervisor && !is_in_future, "{imported:?}");
    let Ok((new, known)) = imported else {
        assert!(listed.iter().all(|(digit, _)| opted_out(desk, *digit) == before.contains(digit)), "all or nothing");
        return;
    };
    let all: BTreeSet<u32> = listed.iter().map(|(digit, _)| *digit).collect();
    assert_eq!((new as usize, (new + known) as usize), (all.len() - before.len(), listed.len()));
    for digit in all {
        assert!(opted_out(desk, digit));
        let customer = desk.customer(digit).id;
        let waits = |message: &Outbound| message.customer == customer && !message.is_in_flight();
        let kept = |message: &Outbound| matches!(message.purpose, Purpose::Help | Purpose::OptOutConfirmation);
        assert!(desk.state.outbox().filter(|it| waits(it)).all(kept), "what waits is given up");
        let open = desk.open(digit).and_then(|open| desk.state.interaction(open));
        assert!(open.is_none_or(|open| open.owner().is_some() || before.contains(&digit)), "nobody waits any more");
    }
}
