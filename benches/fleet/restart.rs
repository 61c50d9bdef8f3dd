//! The operator started again over channels that have settled.

use std::time::{Duration, Instant};

use super::{Fleet, settled::seconds, shares_table};
use crate::{
    Scale,
    machine::usage,
    page::{Goal, Section, table},
};

/// Asked and looked at more often than this, it would be measured itself.
const LOOK: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(900);

pub async fn measure(scale: Scale, fleet: &mut Fleet) -> Section {
    fleet.stop();
    fleet.rest().await;
    fleet.pods.forget_asked();
    let (writes, begun) = (fleet.api.writes(), Instant::now());
    fleet.start_again().await;
    let (until_ready, shares) = (begun.elapsed(), fleet.shares());
    let size = fleet.size as usize;
    let (mut looked, mut asked) = (None, None);
    while looked.is_none() || asked.is_none() {
        assert!(begun.elapsed() < LONGEST, "not all channels were looked at");
        tokio::time::sleep(LOOK).await;
        let metrics = fleet.metrics().await;
        let reconciles = metrics.sum("controller_runtime_reconcile_total", "controller=\"smschannel\"");
        if looked.is_none() && reconciles >= size as f64 && metrics.sum("workqueue_depth", "smschannel") < 1.0 {
            looked = Some(begun.elapsed());
        }
        if asked.is_none() && fleet.pods.asked() >= size {
            asked = Some(begun.elapsed());
        }
    }
    let (looked, asked) = (looked.unwrap_or_default(), asked.unwrap_or_default());
    let took = usage(fleet.pid()).processor;
    let shares = shares.end();
    // A write that comes late is one, too.
    tokio::time::sleep(scale.settled).await;
    let writes = fleet.api.writes() - writes;
    let after = usage(fleet.pid());
    let goals = vec![
        Goal::at_most(
            format!("Restart over {size} channels: seconds until all were looked at and their pods asked"),
            30.0,
            looked.max(asked).as_secs_f64(),
        ),
        Goal::at_most(
            format!("Restart over {size} channels: writes in the {} s after that", scale.settled.as_secs()),
            0.0,
            writes as f64,
        ),
        Goal::at_most(format!("Restart over {size} channels: resident memory, MB"), 150.0, after.resident),
    ];
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let rows = [
        row("until its caches are filled, s", seconds(until_ready)),
        row("until every channel was looked at and none waits to be, s", seconds(looked)),
        row("until every pod was asked, s", seconds(asked)),
        row("the operator's processor time until then, s", seconds(took)),
        row("the most that was resident, MB", format!("{:.0}", after.peak)),
    ];
    let text = format!(
        "{}\n\nThe operator is ended as the kubelet ends it, and started again when nothing is written any more.\n\n{}\nUntil all were looked at:\n\n{}",
        fleet.describe(),
        table(&["", ""], rows),
        shares_table(&shares),
    );
    Section { title: "The operator restarted", ratios: Vec::new(), goals, text }
}
