//! Memory of engine and gateway: before anybody has written, after the first conversation, under load and after it.

use std::time::Duration;

use crate::{
    Scale,
    figure::Figure,
    machine::usage,
    node::Desk,
    page::{Ratio, Section, table},
    quickstart::NUMBER,
    support::{
        engine::sqlite,
        process::until_none_is_left,
        traffic::{Pace, Traffic},
    },
};

/// Megabytes that each of them may take after the first message.
const GOAL: f64 = 20.0;
const MIA: &str = "+15559870001";
const PACE: Pace =
    Pace { customers: 50, customer_pause: Duration::from_millis(10), agent_pause: Duration::from_millis(5) };
/// After a load, until what it needed is given back.
const REST: Duration = Duration::from_secs(5);

/// Pods and their containers.
const PODS: [(&str, &str); 2] = [("sms-support-0", "engine"), ("smsc-simulator-0", "gateway")];
const TIMES: [&str; 4] = ["before the first message", "after the first conversation", "most under load", "after it"];

/// Memory in megabytes.
#[derive(Clone, Copy, Default)]
struct Sample {
    resident: f64,
    own: f64,
}

#[derive(Default)]
struct Figures {
    resident: Figure,
    own: Figure,
}

/// Measures the pods of each desk in turn.
pub async fn measure(scale: Scale, desks: &[Desk]) -> Section {
    let mut figures: [[Figures; 4]; 2] = Default::default();
    for desk in desks {
        let pids = PODS.map(|(pod, container)| pid(desk, pod, container));
        let before = pids.map(sample);
        first_conversation(desk).await;
        let first = pids.map(sample);
        let most = load(desk, pids, scale.texts).await;
        tokio::time::sleep(REST).await;
        let after = pids.map(sample);
        for (pod, figures) in figures.iter_mut().enumerate() {
            for (time, figure) in [before, first, most, after].iter().zip(figures) {
                figure.resident.add(time[pod].resident);
                figure.own.add(time[pod].own);
            }
        }
    }
    section(scale.texts, &figures)
}

fn section(texts: u64, figures: &[[Figures; 4]; 2]) -> Section {
    let ratios = PODS.iter().zip(figures).map(|((_, container), [_, first, ..])| {
        let ours = format!("Resident memory of the {container} after the first conversation");
        Ratio::new(ours, first.resident.divided_by(GOAL), format!("the goal of {GOAL} MB"))
    });
    let rows = PODS.iter().zip(figures).flat_map(|((_, container), times)| {
        let row = |what: &str, figure: fn(&Figures) -> &Figure| {
            let cells = times.iter().map(|time| figure(time).to_string());
            std::iter::once(format!("{container}, {what}")).chain(cells).collect::<Vec<_>>()
        };
        [row("resident (RSS)", |time| &time.resident), row("of it not the binary's file (RssAnon)", |time| &time.own)]
    });
    let head: Vec<&str> = std::iter::once("MB").chain(TIMES).collect();
    let text = format!(
        "The pods of [the quickstart](../examples/quickstart) on a real node, one desk for each run: a customer writes and an agent answers; then {}\n\
         customers write {texts} texts and more, all at the same time, while an agent answers them one after the other; then {} seconds pass.\n\
         Resident memory counts the pages of the binary that are in use, which pods on a node share.\n\n{}",
        PACE.customers,
        REST.as_secs(),
        table(&head, rows),
    );
    Section { title: "Memory", ratios: ratios.collect(), goals: Vec::new(), text }
}

fn pid(desk: &Desk, pod: &str, container: &str) -> u32 {
    let quickstart = &desk.quickstart;
    let pids = quickstart.cluster.pids(&quickstart.namespace, pod, container);
    assert_eq!(pids.len(), 1, "a container of one process");
    pids[0]
}

fn sample(pid: u32) -> Sample {
    let usage = usage(pid);
    Sample { resident: usage.resident, own: usage.own }
}

async fn first_conversation(Desk { running, .. }: &Desk) {
    running.ana.set_presence(true).await;
    // Only who listens is given anything.
    let _stream = running.ana.watch(|_| {});
    running.carrier.customer_writes(MIA, NUMBER, "When do you open tomorrow?").await;
    let given = running.ana.given(MIA).await;
    assert_eq!(running.ana.reply(&given, "At nine.").await.0, 202);
    running.carrier.until_delivered(MIA, "At nine.").await;
}

/// The most that each had while the texts came in.
async fn load(desk: &Desk, pids: [u32; 2], texts: u64) -> [Sample; 2] {
    let Desk { quickstart, running } = desk;
    let mut traffic = Traffic::start(&running.carrier, &running.ana, NUMBER, PACE);
    let (store, most) = (quickstart.store(), std::cell::Cell::new([Sample::default(); 2]));
    until_none_is_left("texts that are to come in", || async {
        let now = pids.map(sample);
        let larger = |one: Sample, other: Sample| Sample {
            resident: one.resident.max(other.resident),
            own: one.own.max(other.own),
        };
        let [engine, gateway] = most.get();
        most.set([larger(engine, now[0]), larger(gateway, now[1])]);
        let rows = sqlite(&store, "SELECT count(*) AS n FROM message WHERE direction = 'Inbound'");
        usize::try_from(texts.saturating_sub(rows[0]["n"].as_u64().expect("a count"))).expect("not many")
    })
    .await;
    traffic.stop().await;
    most.get()
}
