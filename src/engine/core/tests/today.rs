//! The figures of the day.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, civil::date, tz::TimeZone};

use super::desk::{Desk, ask, config, member, without};
use crate::engine::core::{
    command::{Command, TransferTo},
    config::{AnsweredBy, ChannelConfig},
    figures::{AgentCounts, ChannelCounts, Measured},
    schedule::Schedule,
};

fn schedule_in(zone: &str) -> Schedule {
    Schedule::new(TimeZone::get(zone).unwrap(), None, BTreeMap::new())
}

fn channel(desk: &Desk) -> ChannelCounts {
    desk.state.today(desk.now).channel.counts
}

fn of(desk: &Desk, user: &str) -> AgentCounts {
    desk.state.agent_today(&user.into(), desk.now)
}

const fn measured(count: u64, millis: u64) -> Measured {
    Measured { count, millis }
}

#[test]
fn what_an_agent_does_counts_for_them_and_for_the_channel() {
    let mut desk = Desk::with_agents(config(), &["ana"]);
    desk.text(1, "TEXT-hello");
    desk.text(2, "TEXT-hello");
    let (first, second) = (desk.open(1).unwrap(), desk.open(2).unwrap());
    desk.pass_seconds(10);
    desk.reply("ana", first).unwrap();
    desk.reply("ana", first).unwrap();
    desk.pass_seconds(70);
    desk.reply("ana", second).unwrap();
    desk.finish("ana", first).unwrap();
    desk.finish("ana", second).unwrap();
    desk.start("ana", 3).unwrap();
    let ana = AgentCounts {
        taken: 2,
        started: 1,
        answered: 2,
        finished: 2,
        replies: 3,
        first_replies: measured(2, 90_000),
        handled: measured(2, 160_000),
        ..AgentCounts::default()
    };
    assert_eq!(of(&desk, "ana"), ana);
    let counts = channel(&desk);
    assert_eq!((counts.texts, counts.opened, counts.started, counts.closed, counts.replies), (2, 2, 1, 2, 3));
    assert_eq!(counts.first_replies, measured(2, 90_000));
    let level = desk.state.today(desk.now).service_level;
    assert_eq!((level.answered, level.answered_in_target, level.percent), (2, 1, Some(50)));
    desk.restart();
    assert_eq!((of(&desk, "ana"), channel(&desk)), (ana, counts), "a restart loses nothing");
    assert_eq!(of(&desk, "bo"), AgentCounts::default());
}

#[test]
fn with_answered_by_accept_having_it_is_the_answer_and_the_first_reply_is_measured_all_the_same() {
    let mut config = config();
    config.service_level.answered_by = AnsweredBy::Accept;
    config.offer = ask(30);
    let mut desk = Desk::with_agents(config, &["ana"]);
    desk.text(1, "TEXT-hello");
    let open = desk.open(1).unwrap();
    desk.pass_seconds(5);
    desk.accept("ana", open).unwrap();
    assert_eq!((of(&desk, "ana").answered, of(&desk, "ana").first_replies), (1, measured(0, 0)));
    desk.pass_seconds(15);
    desk.restart();
    desk.online("ana");
    desk.reply("ana", open).unwrap();
    desk.reply("ana", open).unwrap();
    assert_eq!((of(&desk, "ana").answered, of(&desk, "ana").first_replies), (1, measured(1, 20_000)));
}

#[test]
fn offers_and_transfers_count_by_what_became_of_them() {
    let mut config = ChannelConfig { max_transfer: Some(SignedDuration::from_secs(60)), ..config() };
    config.offer = ask(30);
    let mut desk = Desk::with_agents(config, &["ana", "bo"]);
    desk.text(1, "TEXT-hello");
    let open = desk.open(1).unwrap();
    let asked = desk.asked(open);
    desk.pass_seconds(30);
    let other = desk.asked(open);
    assert_ne!(asked, other);
    desk.decline(&other[0], open).unwrap();
    assert_eq!((of(&desk, &asked[0]).missed, of(&desk, &other[0]).declined), (1, 1));
    desk.pass_seconds(30);
    let owner = desk.asked(open)[0].clone();
    desk.accept(&owner, open).unwrap();
    let recipient = if owner == "ana" { "bo" } else { "ana" };
    let before = of(&desk, recipient);
    let to = || TransferTo::Agent(recipient.into());
    desk.transfer(&owner, open, to()).unwrap();
    desk.pass_seconds(60);
    assert_eq!(of(&desk, recipient).missed, before.missed + 1);
    desk.transfer(&owner, open, to()).unwrap();
    desk.decline(recipient, open).unwrap();
    assert_eq!((of(&desk, recipient).declined, of(&desk, &owner).transferred), (before.declined + 1, 0));
    desk.transfer(&owner, open, to()).unwrap();
    desk.accept(recipient, open).unwrap();
    assert_eq!((of(&desk, &owner).transferred, of(&desk, recipient).taken), (1, before.taken + 1));
    assert_eq!(of(&desk, &owner).handled.count, 1);
    desk.configure(|config| config.supervisors = ["eva".into()].into());
    let (epoch, to) = (desk.epoch(open), owner.as_str().into());
    desk.execute(&Command::Assign { user: "eva".into(), interaction: open, epoch, to }).answer.unwrap();
    assert_eq!((of(&desk, recipient).transferred, of(&desk, recipient).handled.count), (0, 1), "a supervisor took it");
}

#[test]
fn at_midnight_of_the_campaign_all_begin_at_nought() {
    let mut desk = Desk::with_agents(ChannelConfig { schedule: schedule_in("America/Lima"), ..config() }, &["ana"]);
    desk.text(1, "TEXT-hello");
    let open = desk.open(1).unwrap();
    desk.reply("ana", open).unwrap();
    let midnight: Timestamp = "2026-11-23T05:00:00Z".parse().unwrap();
    desk.pass(midnight.duration_since(desk.now) - SignedDuration::from_secs(1));
    assert_eq!((desk.state.today(desk.now).channel.on, of(&desk, "ana").replies), (date(2026, 11, 22), 1));
    desk.now = midnight;
    assert_eq!((desk.state.today(midnight).channel.on, channel(&desk)), (date(2026, 11, 23), ChannelCounts::default()));
    assert_eq!((of(&desk, "ana"), desk.state.agents_today(midnight)), (AgentCounts::default(), None));
    desk.finish("ana", open).unwrap();
    let handled = midnight.duration_since("2026-11-22T14:27:31.5Z".parse().unwrap()).as_millis();
    let finished =
        AgentCounts { finished: 1, handled: measured(1, u64::try_from(handled).unwrap()), ..AgentCounts::default() };
    assert_eq!((of(&desk, "ana"), channel(&desk).closed), (finished, 1), "it counts when it ends");
}

#[test]
fn another_time_zone_begins_another_day_only_where_the_date_is_another() {
    let mut desk = Desk::with_agents(config(), &["ana"]);
    desk.text(1, "TEXT-hello");
    desk.configure(|config| config.schedule = schedule_in("Europe/Madrid"));
    assert_eq!(channel(&desk).texts, 1, "it is the same date there");
    desk.configure(|config| config.schedule = schedule_in("Pacific/Auckland"));
    assert_eq!((desk.state.today(desk.now).channel.on, channel(&desk).texts), (date(2026, 11, 23), 0));
    desk.text(1, "TEXT-again");
    desk.configure(|config| config.schedule = schedule_in("UTC"));
    assert_eq!((desk.state.today(desk.now).channel.on, channel(&desk).texts), (date(2026, 11, 22), 0));
}

#[test]
fn who_is_removed_before_anything_else_happens_counts_for_the_new_day() {
    for restarted in [false, true] {
        let mut desk = Desk::with_agents(config(), &["ana"]);
        desk.text(1, "TEXT-hello");
        desk.reply("ana", desk.open(1).unwrap()).unwrap();
        // Nothing happens in the night.
        desk.now += SignedDuration::from_hours(16);
        if restarted {
            let mut config = ChannelConfig::clone(desk.state.config());
            config.members = without(&config.members, "ana");
            desk.state.set_config(std::sync::Arc::new(config));
            desk.restart();
        } else {
            desk.configure(|config| config.members = without(&config.members, "ana"));
        }
        assert_eq!(desk.state.today(desk.now).channel.on, date(2026, 11, 23));
        assert_eq!(of(&desk, "ana").handled.count, 1, "restarted: {restarted}");
    }
}

#[test]
fn who_was_removed_counts_for_the_day() {
    let mut desk = Desk::with_agents(config(), &["ana", "bo"]);
    desk.text(1, "TEXT-hello");
    let open = desk.open(1).unwrap();
    desk.reply("ana", open).unwrap();
    desk.pass_seconds(7);
    desk.configure(|config| config.members = without(&config.members, "ana"));
    assert_eq!((of(&desk, "ana").replies, of(&desk, "ana").handled), (1, measured(1, 7_000)));
    desk.configure(|config| config.members = [member("cy", 1, 1)].into_iter().collect());
    let worked: Vec<_> = desk.state.agents_today(desk.now).unwrap().keys().map(|user| user.as_str()).collect();
    assert_eq!(worked, ["ana", "bo"]);
}
