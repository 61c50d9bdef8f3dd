//! A text crosses the cluster and comes back, whatever order the manifests were applied in.

use aldis::{
    simulator::{Event, Route},
    wire::simulator::MessageStatus,
};
use serde_json::json;

use super::quickstart::{FILES, NUMBER, Quickstart, Running};
use crate::support::process::eventually;

const MIA: &str = "+15559870001";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn applied_in_the_usual_order() {
    ends_in_a_conversation(FILES).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn applied_backwards() {
    let mut backwards = FILES;
    backwards.reverse();
    ends_in_a_conversation(backwards).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn applied_with_the_secret_and_the_provider_last() {
    ends_in_a_conversation(["channel", "connector", "agent", "campaign", "simulator", "secret"]).await;
}

async fn ends_in_a_conversation(order: [&str; 6]) {
    let quickstart = Quickstart::new();
    for file in order {
        quickstart.apply_file(file);
    }
    let running = quickstart.running().await;
    converse(&running).await;
    the_ledger_tells_of_both_ways(&running).await;
    a_webhook_without_signature_is_refused(&running).await;
    the_columns_show_it(&quickstart).await;
}

async fn converse(running: &Running) {
    let Running { carrier, ana, .. } = running;
    let _stream = ana.watch(drop);
    ana.set_presence(true).await;
    carrier.customer_writes(MIA, NUMBER, "Where is my parcel?").await;
    let interaction = ana.given(MIA).await;
    assert_eq!(interaction["messages"][0]["text"], "Where is my parcel?");
    let (status, replied) = ana.reply(&interaction, "It comes today.").await;
    assert_eq!(status, 202, "{replied}");
    carrier.until_delivered(MIA, "It comes today.").await;
    eventually("the receipt is at the engine", || async {
        let last = ana.messages(MIA).await.last().cloned().unwrap_or_default();
        if last["text"] == "It comes today." && last["status"] == "Delivered" { Ok(()) } else { Err(last) }
    })
    .await;
    ana.finish(&interaction).await;
}

async fn the_ledger_tells_of_both_ways(running: &Running) {
    let ledger = running.carrier.ledger().await;
    let tries = ledger.iter().filter_map(|entry| match &entry.event {
        Event::WebhookTry { route, receipt, status: Some(status), .. } => Some((*route, *receipt, *status)),
        _ => None,
    });
    let tries: Vec<_> = tries.collect();
    let taken = |route, receipt| tries.iter().any(|seen| seen.0 == route && seen.1 == receipt && seen.2 / 100 == 2);
    assert!(taken(Route::Inbound, None), "{tries:?}");
    assert!(taken(Route::Receipts, Some(MessageStatus::Delivered)), "{tries:?}");
    let sends = ledger.iter().filter(
        |entry| matches!(&entry.event, Event::ApiRequest { text: Some(_), status: Some(status), .. } if *status == 201),
    );
    assert_eq!(sends.count(), 1);
}

/// What the webhook above was taken by is its signature.
async fn a_webhook_without_signature_is_refused(running: &Running) {
    let body = json!({"id": "x", "from": MIA, "to": NUMBER, "text": "let me in", "at": jiff::Timestamp::now()});
    let url = format!("{}/hooks/inbound", running.hooks.url());
    let refused = reqwest::Client::new().post(url).json(&body).send().await.unwrap();
    assert_eq!(refused.status(), 403);
}

/// The words of `kubectl get`, with the age, which moves, as `AGE`.
fn shown(quickstart: &Quickstart, wide: bool) -> Vec<String> {
    let mut arguments = vec!["get", "sms,smsc,camp", "-n", &quickstart.namespace];
    arguments.extend(wide.then_some(["-o", "wide"]).into_iter().flatten());
    let table = quickstart.cluster.kubectl(&arguments).ok();
    let is_age = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_digit())
            && word.ends_with(['s', 'm', 'h'])
            && word.chars().all(|letter| letter.is_ascii_digit() || "smh".contains(letter))
    };
    let word = |word: &str| if is_age(word) { "AGE".to_owned() } else { word.to_owned() };
    let line = |line: &str| line.split_whitespace().map(word).collect::<Vec<_>>().join(" ");
    table.lines().filter(|line| !line.trim().is_empty()).map(line).collect()
}

async fn the_columns_show_it(quickstart: &Quickstart) {
    let url = format!("http://smsc-simulator.{}:8080", quickstart.namespace);
    let narrow = [
        "NAME NUMBER READY REASON WAITING SL% AGE",
        "smschannel.aldis.dev/support +15551230001 True Available 0 100 AGE",
        "NAME READY REASON NUMBERS CHANNELS AGE",
        "smsconnector.aldis.dev/simulator True Available 1 1 AGE",
        "NAME READY REASON OPEN CHANNELS WAITING SL% AGE",
        "campaign.aldis.dev/support True Valid True 1 0 100 AGE",
    ];
    let wide = [
        "CONNECTOR CAMPAIGN STRATEGY AGENTS".to_owned(),
        // Her stream has ended, so nobody is available.
        "simulator support LeastRecent 0".to_owned(),
        "URL WEBHOOK".to_owned(),
        format!("{url} True"),
        "ZONE".to_owned(),
        "Europe/Madrid".to_owned(),
    ];
    let both: Vec<String> = narrow.iter().zip(&wide).map(|(narrow, wide)| format!("{narrow} {wide}")).collect();
    for (is_wide, expected) in [(false, narrow.map(str::to_owned).to_vec()), (true, both)] {
        eventually("kubectl get shows it", || async {
            let found = shown(quickstart, is_wide);
            if found == expected { Ok(()) } else { Err(found) }
        })
        .await;
    }
}
