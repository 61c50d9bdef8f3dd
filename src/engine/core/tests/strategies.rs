//! Whom each strategy chooses.

use std::collections::BTreeMap;

use jiff::{SignedDuration, tz};

use super::desk::{Desk, config, member, without};
use crate::engine::core::{
    command::Command,
    config::{ChannelConfig, Member, Strategy},
    schedule::Schedule,
};

/// Ana, Bo and Cy with penalties, room for one each.
fn three(penalties: [u32; 3]) -> Vec<Member> {
    ["ana", "bo", "cy"]
        .into_iter()
        .zip(penalties)
        .zip(1..)
        .map(|((user, penalty), position)| Member { penalty, ..member(user, position, 1) })
        .collect()
}

/// Assigns an interaction of each customer to whom the strategy names, who finishes it at once; says who had them.
fn turns(desk: &mut Desk, count: u32) -> Vec<String> {
    (0..count)
        .map(|customer| {
            desk.text(customer % 10, "TEXT-hello");
            let open = desk.open(customer % 10).unwrap();
            let owner = desk.owner(open).expect("somebody is available").to_owned();
            desk.pass_seconds(1);
            desk.finish(&owner, open).unwrap();
            owner
        })
        .collect()
}

#[test]
fn strategies_choose_by_penalty_then_by_their_own_order() {
    use Strategy::{FewestInteractions, LeastRecent, Linear, RoundRobin};
    let cases: [(Strategy, [u32; 3], &[&str]); 9] = [
        (LeastRecent, [0, 0, 0], &["ana", "bo", "cy", "ana", "bo", "cy"]),
        (LeastRecent, [5, 0, 0], &["bo", "cy", "bo", "cy"]),
        (Linear, [0, 0, 0], &["ana", "ana", "ana"]),
        (Linear, [5, 0, 0], &["bo", "bo"]),
        (Linear, [5, 5, 0], &["cy", "cy"]),
        (FewestInteractions, [0, 0, 0], &["ana", "bo", "cy", "ana", "bo", "cy"]),
        (FewestInteractions, [5, 0, 0], &["bo", "cy", "bo", "cy"]),
        (RoundRobin, [0, 0, 0], &["ana", "bo", "cy", "ana", "bo", "cy"]),
        (RoundRobin, [5, 0, 3], &["ana", "bo", "cy", "ana"]),
    ];
    for (strategy, penalties, expected) in cases {
        let mut config = config();
        config.strategy = strategy;
        config.members = three(penalties).into_iter().collect();
        let mut desk = Desk::with_agents(config, &["cy", "bo", "ana"]);
        assert_eq!(turns(&mut desk, expected.len() as u32), expected, "{strategy:?} {penalties:?}");
    }
}

#[test]
fn who_finished_longest_ago_is_next_also_after_a_restart() {
    let mut config = config();
    config.members = three([0, 0, 0]).into_iter().collect();
    let mut desk = Desk::with_agents(config, &["ana", "bo", "cy"]);
    assert_eq!(turns(&mut desk, 2), ["ana", "bo"]);
    desk.restart();
    for user in ["ana", "bo", "cy"] {
        desk.online(user);
    }
    assert_eq!(turns(&mut desk, 4), ["cy", "ana", "bo", "cy"]);
}

#[test]
fn newcomers_take_turns_instead_of_filling_the_first() {
    let mut desk = Desk::with_agents(config(), &["ana", "bo"]);
    for customer in 0..4 {
        desk.text(customer, "TEXT-hello");
        desk.pass_seconds(1);
    }
    let owners: Vec<_> = desk.state.interactions().map(|interaction| interaction.owner().unwrap().as_str()).collect();
    assert_eq!(owners, ["ana", "bo", "ana", "bo"]);
}

fn of(strategy: Strategy, penalties: [u32; 3]) -> ChannelConfig {
    ChannelConfig { strategy, members: three(penalties).into_iter().collect(), ..config() }
}

#[test]
fn a_turn_goes_on_from_the_last_ones_place_whoever_comes_and_goes() {
    let mut desk = Desk::with_agents(of(Strategy::RoundRobin, [0, 0, 0]), &["ana", "bo", "cy"]);
    assert_eq!(turns(&mut desk, 2), ["ana", "bo"]);
    desk.configure(|config| config.members = without(&config.members, "bo"));
    assert_eq!(turns(&mut desk, 1), ["cy"], "behind the place of one who is gone");
    desk.configure(|config| config.members = three([0, 0, 0]).into_iter().collect());
    desk.restart();
    for user in ["ana", "bo", "cy"] {
        desk.online(user);
    }
    desk.present("ana", false);
    assert_eq!(turns(&mut desk, 2), ["bo", "cy"], "after a restart, and past who is not there");
    desk.start("ana", 9).unwrap();
    desk.present("ana", true);
    assert_eq!(turns(&mut desk, 1), ["bo"], "ana has all that they may have; what they started was nobody's turn");
}

#[test]
fn who_completed_fewest_today_is_next_then_who_has_fewest() {
    let mut config = of(Strategy::FewestInteractions, [0, 0, 0]);
    config.members = [member("ana", 1, 3), member("bo", 2, 3)].into_iter().collect();
    // 14:27 at the beginning, so midnight is after nine and a half hours.
    config.schedule = Schedule::new(tz::TimeZone::UTC, None, BTreeMap::new());
    let mut desk = Desk::with_agents(config, &["ana"]);
    assert_eq!(turns(&mut desk, 2), ["ana", "ana"]);
    desk.online("bo");
    desk.present("bo", true);
    assert_eq!(turns(&mut desk, 3), ["bo", "bo", "ana"], "until both have completed two, then who waited longer");
    let owner = |desk: &mut Desk, customer| {
        desk.text(customer, "TEXT-hello");
        desk.owner(desk.open(customer).unwrap()).unwrap().to_owned()
    };
    assert_eq!([1, 2, 3].map(|customer| owner(&mut desk, customer)), ["bo", "bo", "bo"], "ana completed more");
    desk.pass(SignedDuration::from_hours(10));
    assert_eq!(owner(&mut desk, 4), "ana", "a new day: nobody completed any, and ana has fewer");
    desk.finish("ana", desk.open(4).unwrap()).unwrap();
    assert_eq!(turns(&mut desk, 1), ["ana"], "bo has all that they may have");
    for customer in [1, 2, 3] {
        desk.finish("bo", desk.open(customer).unwrap()).unwrap();
    }
    assert_eq!(turns(&mut desk, 2), ["ana", "bo"], "what was begun yesterday is completed today");
}

#[test]
fn the_day_is_that_of_the_campaigns_time_zone() {
    // 14:27 UTC is a quarter to midnight there.
    let zone = tz::TimeZone::fixed(tz::Offset::from_seconds(9 * 3600 + 15 * 60).unwrap());
    let mut config = of(Strategy::FewestInteractions, [0, 0, 0]);
    config.schedule = Schedule::new(zone, None, BTreeMap::new());
    let mut desk = Desk::with_agents(config, &["ana"]);
    turns(&mut desk, 2);
    desk.pass(SignedDuration::from_mins(20));
    turns(&mut desk, 1);
    desk.online("bo");
    desk.present("bo", true);
    assert_eq!(turns(&mut desk, 2), ["bo", "ana"], "one today, two yesterday");
}

/// How often each of the three is chosen of 3,000 times.
fn counts(strategy: Strategy, penalties: [u32; 3]) -> [usize; 3] {
    let mut desk = Desk::with_agents(of(strategy, penalties), &["ana", "bo", "cy"]);
    let chosen = turns(&mut desk, 3000);
    ["ana", "bo", "cy"].map(|user| chosen.iter().filter(|chosen| *chosen == user).count())
}

#[test]
fn chance_gives_each_their_share() {
    use Strategy::{Random, WeightedRandom};
    // Five standard deviations of a binomial distribution are less than 140.
    let cases = [
        (Random, [0, 0, 0], [1000, 1000, 1000]),
        (Random, [7, 7, 100], [1500, 1500, 0]),
        (WeightedRandom, [0, 0, 0], [1000, 1000, 1000]),
        (WeightedRandom, [0, 1, 1], [1500, 750, 750]),
        (WeightedRandom, [0, 99, 100], [2941, 29, 29]),
    ];
    for (strategy, penalties, expected) in cases {
        let found = counts(strategy, penalties);
        for (found, expected) in found.into_iter().zip(expected) {
            assert!(found.abs_diff(expected) < 140, "{strategy:?} {penalties:?}: {found} of {expected}");
            assert_eq!(found == 0, expected == 0, "{strategy:?} {penalties:?}");
        }
    }
}

#[test]
fn the_same_history_is_the_same_chance_and_each_life_has_another() {
    let begun = |ids_from| {
        let mut desk = Desk::with_agents(of(Strategy::Random, [0, 0, 0]), &[]);
        desk.execute(&Command::Started { ids_from, leapt: None });
        for user in ["ana", "bo", "cy"] {
            desk.online(user);
            desk.present(user, true);
        }
        turns(&mut desk, 20)
    };
    assert_eq!(begun(1_795_608_000_000_000), begun(1_795_608_000_000_000));
    assert_ne!(begun(1_795_608_000_000_000), begun(1_795_608_000_000_001));
}
