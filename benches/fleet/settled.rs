//! What the operator costs while nothing happens.

use std::time::{Duration, Instant};

use super::{Fleet, shares_table};
use crate::{
    Scale,
    machine::usage,
    page::{Goal, Section, table},
};

pub async fn measure(scale: Scale, fleet: &Fleet) -> Section {
    // Pods are asked ever more rarely while they say the same, for more than a minute.
    let quiet = 2 * scale.settled.min(Duration::from_secs(60));
    tokio::time::sleep(quiet).await;
    let (writes, begun, before) = (fleet.api.writes(), Instant::now(), usage(fleet.pid()).processor);
    let requests = requests(fleet);
    fleet.pods.forget_asked();
    let shares = fleet.shares();
    tokio::time::sleep(scale.settled).await;
    let (shares, long) = (shares.end(), begun.elapsed().as_secs_f64());
    let after = usage(fleet.pid());
    let core = (after.processor - before).as_secs_f64() / long;
    let writes = fleet.api.writes() - writes;
    let questions = fleet.pods.questions() as f64 / long;
    let size = fleet.size;
    let goals = vec![
        Goal::at_most(format!("{size} settled channels: the operator's resident memory, MB"), 150.0, after.resident),
        Goal::at_most(format!("{size} settled channels: of a core"), 0.1, core),
        Goal::at_most(format!("{size} settled channels: writes in {long:.0} s"), 0.0, writes as f64),
    ];
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let rows = [
        row("from nothing until all channels are Ready, s", seconds(fleet.until_ready)),
        row("the operator's processor time for that, s", seconds(fleet.processor)),
        row("of its memory no file's (RssAnon), MB", format!("{:.0}", after.own)),
        row("the most that was resident since it started, MB", format!("{:.0}", after.peak)),
        row("statuses of pods asked for, a second", format!("{questions:.0}")),
    ];
    let text = format!(
        "{}\n\nAfter nothing was written for {:.0} s, {long:.0} s pass.\n\n{}\n{}\nRequests for each channel, from nothing until it was at rest:\n\n{}",
        fleet.describe(),
        (super::REST + quiet).as_secs_f64(),
        table(&["", ""], rows),
        shares_table(&shares),
        requests,
    );
    Section { title: "Settled channels", ratios: Vec::new(), goals, text }
}

/// What was asked of the API server until now, for each channel.
fn requests(fleet: &Fleet) -> String {
    let each = |count: u64| count as f64 / f64::from(fleet.size);
    let all = fleet.api.requests().into_iter().filter(|(_, count)| each(*count) >= 0.01);
    let rows = all.map(|((verb, kind), count)| vec![format!("{verb} {kind}"), format!("{:.2}", each(count))]);
    table(&["request", "for each channel"], rows)
}

pub fn seconds(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64())
}
