//! Pods that take connections and never answer, as after the loss of a zone: those that answer are asked as before.

use serde_json::json;

use super::{Fleet, channel, service, shares_table};
use crate::{
    Scale,
    figure::quantile,
    page::{Goal, Section, table},
};

/// The time between two questions has some jitter.
const AS_BEFORE: f64 = 1.1;

pub async fn measure(scale: Scale, silent: u32) -> Section {
    let speaking = (silent / 3).max(1);
    let size = silent + speaking;
    let fleet = Fleet::start(size).await;
    // With nothing to do they would be left alone for a minute.
    for nth in 0..size {
        fleet.pods.say(&service(&channel(nth, size)), json!({"queue": {"active": 1}}));
    }
    // Twice as long as the longest time between two questions, so that each pod is asked and known as such.
    tokio::time::sleep(2 * scale.settled).await;
    let before = window(scale, &fleet).await;
    for nth in (0..size).filter(|nth| nth % 4 != 0).take(silent as usize) {
        fleet.pods.silence(&service(&channel(nth, size)));
    }
    // Each silent pod is asked often enough to be known as such.
    tokio::time::sleep(scale.settled).await;
    let shares = fleet.shares();
    let with = window(scale, &fleet).await;
    let shares = shares.end();
    let goals = vec![Goal::at_most(
        format!("{silent} silent pods: seconds between two questions to the others, 99 % below, beside those before"),
        AS_BEFORE,
        quantile(&with, 0.99) / quantile(&before, 0.99),
    )];
    let row = |name: &str, part: f64| {
        vec![name.to_owned(), format!("{:.2}", quantile(&with, part)), format!("{:.2}", quantile(&before, part))]
    };
    let rows = [row("median", 0.5), row("99 % below", 0.99), row("longest", 1.0)];
    let text = format!(
        "{}\n\nEach engine has one interaction under way. Then {silent} of the pods take connections and do not answer any more, and {} s later the questions to the others are looked at for as long. Seconds\n\
         between two questions to the same pod:\n\n{}\n{}",
        fleet.describe(),
        scale.settled.as_secs(),
        table(&["s", "with silent pods", "before"], rows),
        shares_table(&shares),
    );
    Section { title: "Silent pods", ratios: Vec::new(), goals, text }
}

/// Seconds between two questions to the pods that answer, sorted.
async fn window(scale: Scale, fleet: &Fleet) -> Vec<f64> {
    fleet.pods.forget_asked();
    tokio::time::sleep(scale.settled).await;
    let mut intervals = fleet.pods.intervals();
    intervals.sort_by(f64::total_cmp);
    intervals
}
