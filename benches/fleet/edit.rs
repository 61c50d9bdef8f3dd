//! One edit among many channels, beside the same edit where there is one channel only.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{CHANNELS, Fleet, channel, service};
use crate::{
    Scale,
    figure::Figure,
    page::{Goal, Ratio, Section, table},
};

/// How much slower one may be that is as fast: figures of milliseconds differ from run to run.
const AS_FAST: f64 = 1.2;

#[derive(Default)]
struct Figures {
    in_force: Figure,
    told: Figure,
    writes: Figure,
}

pub async fn measure(scale: Scale, many: &Fleet) -> Section {
    let one = Fleet::start(1).await;
    let mut figures: [Figures; 2] = Default::default();
    for nth in 0..scale.edits {
        for (fleet, figures) in [many, &one].into_iter().zip(&mut figures) {
            edit(fleet, nth, figures).await;
        }
    }
    let [among_many, alone] = &figures;
    let size = many.size;
    let ratio = among_many.in_force.median() / alone.in_force.median();
    let goals = vec![Goal::at_most(
        format!("An edit among {size} channels until it is in force, beside one alone"),
        AS_FAST,
        ratio,
    )];
    let ratios = vec![
        Ratio::new(
            format!("An edit among {size} channels until its pod has it"),
            among_many.in_force.over(&alone.in_force),
            "the only channel",
        ),
        Ratio::new(
            format!("An edit among {size} channels until its status says so"),
            among_many.told.over(&alone.told),
            "the only channel",
        ),
    ];
    let row = |name: &str, of: &dyn Fn(&Figures) -> String| vec![name.to_owned(), of(among_many), of(alone)];
    let rows = [
        row("until the pod has the new configuration, ms", &|figures| figures.in_force.to_string()),
        row("until the status says that it is in force, ms", &|figures| figures.told.to_string()),
        row("writes", &|figures| figures.writes.to_string()),
    ];
    let text = format!(
        "{}\n\nThe `maxQueued` of one of them is changed, and that of another operator's only channel, by turns. A pod has the new configuration here as soon as\n\
         the operator has written the ConfigMap and annotated the pod: what a kubelet adds is measured below, on a real one. The operator asks pods every 5 s\n\
         and after a change sooner; the status follows.\n\n{}",
        many.describe(),
        table(&["", &format!("among {size}"), "alone"], rows),
    );
    Section { title: "One edit among many", ratios, goals, text }
}

async fn edit(fleet: &Fleet, nth: u32, figures: &mut Figures) {
    // Not in step with anything that the operator does every few seconds.
    tokio::time::sleep(Duration::from_millis(fastrand::u64(200..1200))).await;
    let key = channel(nth.wrapping_mul(7919) % fleet.size, fleet.size);
    let (writes, begun) = (fleet.api.writes(), Instant::now());
    let wanted = json!(1 + nth);
    let generation = fleet.api.change(CHANNELS, &key, |spec| spec["maxQueued"] = wanted.clone());
    let in_force = fleet.api.until(|| {
        let (document, since) = fleet.pods.loaded(&service(&key))?;
        (document["maxQueued"] == wanted).then(|| since.saturating_duration_since(begun))
    });
    figures.in_force.add_millis(in_force.await);
    let told = fleet.api.until(|| {
        let found = fleet.api.condition(CHANNELS, &key, "ConfigApplied")?;
        (found.generation == generation && found.status == "True").then(|| begun.elapsed())
    });
    figures.told.add_millis(told.await);
    figures.writes.add((fleet.api.writes() - writes) as f64);
}
