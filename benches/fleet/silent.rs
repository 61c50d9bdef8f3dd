//! Pods that take connections and never answer, as after the loss of a zone: those that answer are asked as before.

use super::{Fleet, channel, service, shares_table};
use crate::{
    Scale,
    figure::quantile,
    page::{Goal, Section, table},
};

/// Seconds between two questions to a pod, as the operator is set by default, with its jitter.
const INTERVAL: f64 = 5.5;
/// Beside the same pods before.
const AS_BEFORE: f64 = 1.1;

pub async fn measure(scale: Scale, silent: u32) -> Section {
    let speaking = (silent / 3).max(1);
    let size = silent + speaking;
    let fleet = Fleet::start(size).await;
    // Who has nothing to do, or says the same again and again, is asked more rarely.
    for nth in (0..size).filter(|nth| speaks(*nth)) {
        fleet.pods.keep_busy(&service(&channel(nth, size)));
    }
    // Twice as long as the longest time between two questions, so that each pod is asked and known as such.
    tokio::time::sleep(2 * scale.settled).await;
    let before = window(scale, &fleet).await;
    for nth in (0..size).filter(|nth| !speaks(*nth)) {
        fleet.pods.silence(&service(&channel(nth, size)));
    }
    // Each silent pod is asked often enough to be known as such.
    tokio::time::sleep(scale.settled).await;
    let shares = fleet.shares();
    let with = window(scale, &fleet).await;
    let shares = shares.end();
    let others = format!("{silent} silent pods: seconds between two questions to the others, 99 % below");
    let (now, before_that) = (quantile(&with, 0.99), quantile(&before, 0.99));
    let goals = vec![
        Goal::at_most(others.clone(), INTERVAL, now),
        Goal::at_most(format!("{others}, beside those before"), AS_BEFORE, now / before_that),
    ];
    let row = |name: &str, part: f64| {
        vec![name.to_owned(), format!("{:.2}", quantile(&with, part)), format!("{:.2}", quantile(&before, part))]
    };
    let rows = [row("median", 0.5), row("99 % below", 0.99), row("longest", 1.0)];
    let text = format!(
        "{}\n\nOne engine in four works all the time. Then the other {silent} take connections and do not answer any more, and {} s later the questions to the others are looked at for as long. Seconds\n\
         between two questions to the same pod:\n\n{}\n{}",
        fleet.describe(),
        scale.settled.as_secs(),
        table(&["s", "with silent pods", "before"], rows),
        shares_table(&shares),
    );
    Section { title: "Silent pods", ratios: Vec::new(), goals, text }
}

/// One in four goes on to answer.
const fn speaks(nth: u32) -> bool {
    nth.is_multiple_of(4)
}

/// Seconds between two questions to the busy pods, sorted.
async fn window(scale: Scale, fleet: &Fleet) -> Vec<f64> {
    fleet.pods.forget_asked();
    tokio::time::sleep(scale.settled).await;
    let mut intervals = fleet.pods.intervals();
    intervals.sort_by(f64::total_cmp);
    intervals
}
