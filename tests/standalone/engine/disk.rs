//! The store: not writable, taken, another channel's.

use serde_json::json;

use super::{MIA, desk};
use crate::support::process::{eventually, ready};

#[tokio::test]
async fn a_write_that_fails_ends_the_engine_and_costs_nothing_that_was_acknowledged() {
    let (mut engine, _gateway) = desk().await;
    engine.role.kill();
    engine.role.start_again_with_files_up_to(1000);
    ready(engine.address).await;
    let mut acknowledged = 0;
    while engine.inbound(&format!("SM-{acknowledged}"), MIA, &"x".repeat(500)).await.0 == 200 {
        acknowledged += 1;
        assert!(acknowledged < 10_000, "the limit was never reached");
    }
    assert!(!engine.role.wait(), "it ends and says so by its exit status");
    assert!(engine.role.log().contains("aldis: cannot write to the store: "), "{}", engine.role.log());

    engine.role.start_again();
    ready(engine.address).await;
    let rows = engine.sqlite("SELECT count(*) AS n FROM message");
    let stored = rows[0]["n"].as_u64().unwrap();
    assert!(stored == acknowledged || stored == acknowledged + 1, "{acknowledged} acknowledged, {stored} stored");
    assert_eq!(engine.inbound("SM-0", MIA, "again").await.1["outcome"], "Duplicate");
}

#[tokio::test]
async fn a_second_engine_waits_until_the_first_one_is_gone() {
    let (mut engine, _gateway) = desk().await;
    engine.inbound("SM-1", MIA, "hello").await;
    let (_rival, address) = engine.start_rival();
    eventually("the second one says why it is not ready", || async {
        let url = format!("http://{address}:{}/readyz", aldis::wire::ports::ADMIN);
        let text = reqwest::get(url).await.map_err(|error| error.to_string())?.text().await.unwrap_or_default();
        if text.contains("is in use by another engine: only one may run") { Ok(()) } else { Err(text) }
    })
    .await;
    assert_eq!(engine.inbound("SM-2", MIA, "hello").await.1["outcome"], "Joined", "the first one goes on");
    engine.role.kill();
    ready(address).await;
}

#[tokio::test]
async fn what_is_too_old_goes_at_once_however_much_it_is() {
    let (mut engine, _gateway) = desk().await;
    engine.role.kill();
    let old = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
               INSERT INTO dedup (provider_id, message, at) SELECT 'old-' || i, i, i FROM n";
    assert_eq!(rusqlite::Connection::open(engine.store()).unwrap().execute(old, []).unwrap(), 2000);
    engine.role.start_again();
    ready(engine.address).await;
    engine.inbound("SM-1", MIA, "hello").await;
    eventually("only what is new is left", || async {
        let left = engine.sqlite("SELECT count(*) AS n FROM dedup")[0]["n"].clone();
        if left == 1 { Ok(()) } else { Err(left) }
    })
    .await;
}

#[tokio::test]
async fn another_numbers_store_is_left_alone() {
    let (mut engine, _gateway) = desk().await;
    engine.role.kill();
    let path = engine.dir.path().join("config/config.json");
    let mut other = engine.document.clone();
    other["number"] = json!("+15551239999");
    crate::support::engine::write(&path, &other);
    engine.role.start_again();
    eventually("the engine says whose store it is", || async {
        let url = format!("http://{}:{}/readyz", engine.address, aldis::wire::ports::ADMIN);
        let text = reqwest::get(url).await.map_err(|error| error.to_string())?.text().await.unwrap_or_default();
        if text.contains("belongs to +15551230001 of account demo") { Ok(()) } else { Err(text) }
    })
    .await;
}
