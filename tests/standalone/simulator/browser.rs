//! The page in a real browser.

use super::{MIA, Running, SERVICE, service::Service};
use crate::support::peers;
use reqwest::Method;
use serde_json::json;
use std::path::Path;

#[tokio::test]
async fn a_customer_types_on_the_page_and_sees_the_answer_and_its_delivery() {
    let (service, address) = Service::start().await;
    let simulator = Running::start(address).await;
    simulator.control(Method::PUT, "/control/handsets/+15559870009", json!({"name": "Ada"})).await;
    // The second message is lost at first.
    simulator.fault(json!({"route": "Inbound", "action": "Lose", "count": 1, "skip": 1})).await;

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/handsets.cjs");
    let mut node = tokio::process::Command::from(peers::node());
    node.arg(script).arg(&simulator.url).args(std::env::var_os("ALDIS_SCREENSHOT")).kill_on_drop(true);
    let person = tokio::spawn(async move { node.output().await });

    let asked = service.until(1).await.remove(0);
    assert_eq!((&asked.body["from"], &asked.body["text"]), (&json!(MIA), &json!("Where is my <b>parcel</b>? 📦")));
    let answer = json!({
        "from": SERVICE, "to": MIA, "text": "At the desk.",
        "statusCallback": "https://sms.example.com/desk/hooks/status?t=1",
    });
    assert_eq!(simulator.send(answer).await.unwrap().status(), 201);

    let output = person.await.unwrap().expect("node starts; testbed/build node-peers fetches it");
    assert!(
        output.status.success(),
        "the page did not show it (testbed/install browser installs Chromium):\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
