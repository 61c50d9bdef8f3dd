//! Aldis as it is installed, on a real node: how much memory it takes, and how soon what is applied is in force.

use std::sync::Arc;

use serde_json::json;

use crate::{
    Scale, in_force,
    kubelet::{LeftAlone, Nudged},
    memory,
    page::Section,
    quickstart::{Quickstart, Running},
};

/// A desk as the quickstart makes it, with room for load.
pub struct Desk {
    pub quickstart: Quickstart,
    pub running: Running,
}

/// Measures on a node of its own.
pub async fn measure(scale: Scale) -> [Section; 2] {
    let mut desks = Vec::new();
    for _ in 0..scale.runs {
        let mut quickstart = Quickstart::new();
        roomy(&mut quickstart);
        quickstart.apply_all();
        desks.push(quickstart);
    }
    let cluster = Arc::clone(&desks[0].cluster);
    // It takes the kubelet minutes, so it has the time of everything else.
    let left_alone = LeftAlone::begin(&cluster, scale.unnudged).await;
    let mut running = Vec::new();
    for quickstart in desks {
        running.push(Desk { running: quickstart.running().await, quickstart });
    }
    let memory = memory::measure(scale, &running).await;
    let nudged = Nudged::new(cluster).await;
    let in_force = in_force::measure(scale, &mut running[0], nudged, left_alone).await;
    [memory, in_force]
}

/// Limits that the load does not reach.
fn roomy(quickstart: &mut Quickstart) {
    let fast = json!({"segments": 10_000, "perSeconds": 1});
    quickstart
        .change("connector", |connector| connector["spec"]["limits"] = json!({"account": fast, "perNumber": fast}));
    quickstart.change("campaign", |campaign| campaign["spec"]["members"][0]["maxInteractions"] = json!(100));
}
