//! An engine on a restored copy: what the copy has is there, nothing is sent by itself until a person accepts it, and nothing is given out twice.

use std::{fs, process::Stdio};

use serde_json::{Value, json};

use aldis::simulator::Event;

use super::{aldis, ana, backup, data, refusal, report, restore, rows, text};
use crate::{
    kills::world::World,
    support::{
        engine::{Engine, NUMBER, sqlite},
        gateway_fake::{FakeGateway, Reply},
        process::{eventually, ready},
    },
};

const MIA: &str = "+15559870001";
const TOM: &str = "+15559870002";

/// An engine whose store the operator knows, with ana present, who has Mia.
async fn desk() -> (Engine, FakeGateway) {
    let gateway = FakeGateway::start().await;
    let mut engine = Engine::start(&gateway.url, |_| {}).await;
    let id = engine.status().await["store"]["id"].clone();
    engine.configure(|document| document["store"] = json!({ "id": id })).await;
    engine.presence("ana", true).await;
    engine.inbound("SM-1", MIA, "hello").await;
    (engine, gateway)
}

async fn open_with(engine: &Engine, customer: &str) -> Value {
    eventually("the interaction is open", || async {
        let page = engine.get("ana", "/v1/channels/support/interactions?owner=ana&state=Active").await;
        let items = page["items"].as_array().cloned().unwrap_or_default();
        items.into_iter().find(|interaction| interaction["customer"] == customer).ok_or(page)
    })
    .await
}

async fn reply(engine: &Engine, interaction: &Value, text: &str) {
    let path = format!("/v1/channels/support/interactions/{}/reply", interaction["id"]);
    let (status, said) = engine.post("ana", &path, json!({ "epoch": interaction["epoch"], "text": text })).await;
    assert_eq!(status, 202, "{said}");
}

#[tokio::test]
async fn a_restored_engine_sends_nothing_by_itself_until_it_is_accepted_and_then_goes_on() {
    let (mut engine, gateway) = desk().await;
    let _online = ana(&engine).be_online();
    let interaction = open_with(&engine, MIA).await;
    // The provider takes nothing just now, so that the backup has a reply that waits.
    gateway.answer_with(vec![
        Reply::Outcome(
            json!({ "outcome": "NotSent", "reason": "RateLimited", "retryAfterMillis": 1000, "message": "later" })
        );
        100
    ]);
    reply(&engine, &interaction, "in the backup").await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backup");
    let taken = backup(&data(&engine), &file);
    assert_eq!(
        (&taken["openInteractions"], &taken["outbox"], &taken["number"]),
        (&json!(1), &json!(1), &json!(NUMBER))
    );
    engine.inbound("SM-2", TOM, "after the backup").await;
    let last_id = engine.sqlite("SELECT max(id) AS id FROM message")[0]["id"].as_u64().unwrap();

    let in_use = restore(&data(&engine), &file, &["--replace"]);
    assert!(refusal(&in_use).contains("in use by another engine"), "{in_use:?}");
    engine.role.kill();
    let before = sqlite(&engine.store(), "SELECT count(*) AS n FROM message");
    assert!(refusal(&restore(&data(&engine), &file, &[])).contains("add --replace"));
    assert_eq!(sqlite(&engine.store(), "SELECT count(*) AS n FROM message"), before, "it is as it was");
    let said = report(&restore(&data(&engine), &file, &["--replace"]), false);
    assert_eq!((&said["of"], &said["commits"]), (&taken["store"], &taken["commits"]), "{said}");

    let sent_before = gateway.attempts().len();
    engine.role.start_again();
    ready(engine.address).await;
    let status = engine.status().await;
    assert_eq!((&status["store"]["id"], &status["store"]["accepted"]), (&said["store"], &json!(false)));
    assert_eq!(open_with(&engine, MIA).await["id"], interaction["id"], "what was open is open");
    assert_eq!(engine.inbound("SM-3", TOM, "after the restore").await.0, 200, "texts are taken");
    assert_eq!(engine.inbound("SM-1", MIA, "hello").await.1["outcome"], "Duplicate");
    engine.presence("ana", true).await;
    let theirs = open_with(&engine, TOM).await;
    reply(&engine, &theirs, "written meanwhile").await;
    assert_eq!(gateway.attempts().len(), sent_before, "nothing is sent");

    engine.configure(|document| document["store"]["acceptedId"] = said["store"].clone()).await;
    eventually("what waited is sent", || async {
        let texts: Vec<_> = gateway.attempts()[sent_before..].iter().map(|sent| sent["text"].clone()).collect();
        if ["in the backup", "written meanwhile"].iter().all(|text| texts.contains(&json!(text))) {
            Ok(())
        } else {
            Err(texts)
        }
    })
    .await;
    assert!(gateway.attempts().iter().all(|sent| sent["storeId"] == taken["store"]), "the gateway knows one store");
    let reused = format!("SELECT count(*) AS n FROM message WHERE provider_id = 'SM-3' AND id <= {last_id}");
    assert_eq!(engine.sqlite(&reused)[0]["n"], 0, "no id is given out again");

    // The store that was replaced is there until it is removed, and a backup can be taken of it.
    let kept = data(&engine).join("before-restore");
    let old = dir.path().join("old");
    backup(&kept, &old);
    assert_eq!(rows(&old, "SELECT count(*) AS n FROM message"), before);
    engine.role.kill();
    assert!(refusal(&restore(&data(&engine), &file, &["--replace"])).contains("--remove-replaced"));
    engine.role.start_again();
    let removed = aldis(&["restore", "--remove-replaced", "--data-dir", text(&data(&engine))]).output().unwrap();
    assert_eq!(report(&removed, false), json!({ "removed": true }));
    assert!(!kept.exists());
}

/// The query of docs/backup.md for those who opted out.
fn query_for_opt_outs() -> String {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/backup.md")).unwrap();
    let from = page.find("SELECT json_object(").expect("the query");
    page[from..].split_once("\n\" >").expect("its end").0.to_owned()
}

#[tokio::test]
async fn opt_outs_after_the_backup_come_along_as_the_documentation_says_before_anything_is_sent() {
    let (mut engine, gateway) = desk().await;
    let _online = ana(&engine).be_online();
    engine.configure(|document| document["campaign"]["supervisors"] = json!(["eva"])).await;
    let interaction = open_with(&engine, MIA).await;
    // The provider takes nothing for a minute, so that the backup has a reply that waits.
    gateway.answer_with(vec![
        Reply::Outcome(
            json!({ "outcome": "NotSent", "reason": "RateLimited", "retryAfterMillis": 60_000, "message": "later" })
        );
        100
    ]);
    reply(&engine, &interaction, "unwanted by then").await;
    eventually("the reply was tried, and waits", || async {
        let outbox = engine.status().await["outbox"].clone();
        let was_tried = gateway.attempts().iter().any(|sent| sent["text"] == "unwanted by then");
        if was_tried && outbox["inFlight"] == 0 { Ok(()) } else { Err(outbox) }
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backup");
    backup(&data(&engine), &file);
    engine.inbound("SM-2", MIA, "STOP").await;
    engine.role.kill();
    report(&restore(&data(&engine), &file, &["--replace"]), false);
    engine.role.start_again();
    ready(engine.address).await;
    let status = "SELECT status FROM message WHERE text = 'unwanted by then'";
    assert_ne!(engine.sqlite(status)[0]["status"], "Canceled", "the copy does not know of it");

    let old = dir.path().join("old");
    backup(&data(&engine).join("before-restore"), &old);
    let body = rows(&old, &query_for_opt_outs())[0]["body"].as_str().unwrap().to_owned();
    let body: Value = serde_json::from_str(&body).unwrap();
    let (answer, said) = engine.post("eva", "/v1/channels/support/opt-outs", body).await;
    assert_eq!((answer, &said["optedOut"]), (200, &json!(1)), "{said}");
    assert_eq!(engine.sqlite(status)[0]["status"], "Canceled");
}

/// As after the loss of a cluster: no status remembers the store.
#[tokio::test]
async fn a_channel_that_remembers_no_store_waits_for_the_acceptance_of_a_restored_one_too() {
    let (mut engine, _gateway) = desk().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backup");
    backup(&data(&engine), &file);
    engine.role.kill();
    fs::remove_dir_all(data(&engine)).unwrap();
    fs::create_dir(data(&engine)).unwrap();
    // From standard input, as into a pod.
    let folder = data(&engine);
    let command = ["restore", "--data-dir", text(&folder), "--from", "-", "--number", NUMBER];
    let output = aldis(&command).stdin(Stdio::from(fs::File::open(&file).unwrap())).output().unwrap();
    let said = report(&output, false);
    assert_eq!(said.get("replaced"), None, "{said}");
    engine.document["store"] = json!({});
    crate::support::engine::write(&engine.dir.path().join("config/config.json"), &engine.document);
    engine.role.start_again();
    ready(engine.address).await;
    assert_eq!(engine.status().await["store"]["accepted"], false);
    engine.configure(|document| document["store"]["acceptedId"] = said["store"].clone()).await;
    assert_eq!(engine.status().await["store"]["accepted"], true);
}

/// The gateway's ledger knows what was sent after the backup, also to the copy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waited_in_the_backup_and_was_sent_afterwards_is_not_sent_again() {
    let mut world = World::start().await;
    let _online = world.desk().be_online();
    world.carrier.customer_writes(MIA, NUMBER, "hello").await;
    let interaction = world.desk().given(MIA).await;
    world.gateway.kill();
    assert_eq!(world.desk().reply(&interaction, "once").await.0, 202);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backup");
    assert_eq!(backup(&data(&world.engine), &file)["outbox"], 1);
    world.gateway.start_again();
    world.carrier.until_delivered(MIA, "once").await;

    world.engine.role.kill();
    let said = report(&restore(&data(&world.engine), &file, &["--replace"]), false);
    world.engine.role.start_again();
    ready(world.engine.address).await;
    let outbox = world.engine.status().await["outbox"].clone();
    let open = ["waiting", "inFlight"].map(|state| outbox[state].as_u64().unwrap()).iter().sum::<u64>();
    assert_eq!(open, 1, "the copy does not know that it was sent");
    world.engine.configure(|document| document["store"]["acceptedId"] = said["store"].clone()).await;
    let ledger = world.settle().await;
    let sent = ledger.iter().filter(|entry| {
        matches!(&entry.event, Event::ApiRequest { text: Some(text), message: Some(message), .. } if text == "once" && message.message_id.is_some())
    });
    assert_eq!(sent.count(), 1);
    let rows = world.engine.sqlite("SELECT status FROM message WHERE direction = 'Outbound'");
    let known = ["Accepted", "Sent", "Delivered"].map(|status| json!({ "status": status }));
    assert!(rows.len() == 1 && known.contains(&rows[0]), "the ledger told it, and perhaps a receipt: {rows:?}");
}
