//! Queues that turn bad among many channels, until a condition says so.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{CHANNELS, Fleet, channel, gateway, number, service, shares_table};
use crate::{
    Scale,
    figure::quantile,
    page::{Goal, Section, table},
};

/// How long a condition of a queue must hold before it is written: the operator's own default.
const HOLD: Duration = Duration::from_secs(30);
/// They turn bad over this time.
const SPREAD: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(300);

pub async fn measure(scale: Scale, fleet: &Fleet) -> Section {
    let count = scale.bad_queues.min(fleet.size);
    let shares = fleet.shares();
    let writes = fleet.api.writes();
    let mut turned = Vec::new();
    for nth in 0..count {
        let nth = nth * (fleet.size / count);
        let key = channel(nth, fleet.size);
        let bad = json!({"queue": {"waiting": 3, "oldestWaitSeconds": 10}, "agents": {"online": 0, "available": 0}});
        fleet.pods.say(&service(&key), bad);
        fleet.pods.carry(&gateway(nth, fleet.size), &number(nth));
        turned.push((key, Instant::now()));
        tokio::time::sleep(SPREAD / count).await;
    }
    let begun = Instant::now();
    let mut beyond: Vec<f64> = Vec::new();
    for (key, since) in &turned {
        loop {
            let found = fleet.api.condition(CHANNELS, key, "QueueHealthy");
            if let Some(found) = found.filter(|found| found.status == "False" && found.since > *since) {
                beyond.push((found.since - *since).as_secs_f64() - HOLD.as_secs_f64());
                break;
            }
            assert!(begun.elapsed() < LONGEST, "no condition says that the queue of {key:?} is bad");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    let (writes, shares) = (fleet.api.writes() - writes, shares.end());
    beyond.sort_by(f64::total_cmp);
    let at = |part: f64| quantile(&beyond, part);
    let size = fleet.size;
    let goals = vec![Goal::at_most(
        format!("A queue among {size} turns bad: seconds beyond the hold time until the condition, 99 % below"),
        10.0,
        at(0.99),
    )];
    let row = |name: &str, value: f64| vec![name.to_owned(), format!("{value:.2}")];
    let rows = [row("median", at(0.5)), row("99 % below", at(0.99)), row("longest", at(1.0))];
    let text = format!(
        "{}\n\nWithin {} s, {count} queues turn bad: texts wait and no agent is there. Seconds from then until the condition `QueueHealthy` is written as False, less\n\
         the {} s that it must hold:\n\n{}\nWrites meanwhile: {writes}.\n\n{}",
        fleet.describe(),
        SPREAD.as_secs(),
        HOLD.as_secs(),
        table(&["s", ""], rows),
        shares_table(&shares),
    );
    for (key, _) in &turned {
        fleet.pods.say(&service(key), json!(null));
    }
    // They turn good again, and the rows that follow begin with channels at rest.
    tokio::time::sleep(HOLD + Duration::from_secs(60)).await;
    fleet.rest().await;
    Section { title: "Queues that turn bad", ratios: Vec::new(), goals, text }
}
