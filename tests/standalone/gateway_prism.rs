//! What we send to Twilio, judged by Twilio's own OpenAPI description: Prism refuses what does not fit it.

use std::{
    net::TcpListener,
    process::{Child, Stdio},
    time::Duration,
};

use aldis::wire::{outbound::SendOutcome, status::CredentialsStatus};
use serde_json::json;

use crate::support::{
    gateway::{ENGINE, Gateway, NUMBER, request},
    peers,
    twilio_fake::ACCOUNT,
};

struct Prism {
    child: Child,
    url: String,
}

impl Prism {
    async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = peers::node()
            .arg(peers::node_module("@stoplight/prism-cli/dist/index.js"))
            .args(["mock", "--host", "127.0.0.1", "--port", &port.to_string()])
            .arg(peers::node_module("@twilio/cli-core/src/services/twilio-api/twilio_api_v2010.json"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Prism; testbed/build python-peers node-peers fetches it");
        let prism = Self { child, url: format!("http://127.0.0.1:{port}") };
        for _ in 0..600 {
            if reqwest::get(&prism.url).await.is_ok() {
                return prism;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("Prism does not answer on {}", prism.url);
    }
}

impl Drop for Prism {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn requests_fit_twilios_own_description() {
    aldis::process::crypto::install_providers();
    let prism = Prism::start().await;
    // Prism really looks: without a recipient it refuses.
    let client = reqwest::Client::new();
    let bad = client
        .post(format!("{}/2010-04-01/Accounts/{ACCOUNT}/Messages.json", prism.url))
        .basic_auth(ACCOUNT, Some("x"))
        .form(&[("From", NUMBER), ("Body", "Hello")]);
    assert_eq!(bad.send().await.unwrap().status().as_u16(), 422);

    let provider = json!({"kind": "twilio", "accountSid": ACCOUNT, "baseUrl": prism.url});
    let mut gateway = Gateway::start(provider, &[("authToken", "x")]).await;
    gateway.route(NUMBER, "http://127.0.0.1:9", ENGINE).await;
    for (message_id, text) in ["Hello", "Grüße, 世界 & more = 100%", "two\nlines"].into_iter().enumerate() {
        let outcome = gateway.send(ENGINE, &request(message_id as u64, 1, text)).await.unwrap();
        assert!(
            matches!(&outcome, SendOutcome::Accepted { provider_message_ids, .. } if provider_message_ids[0].starts_with("SM")),
            "{outcome:?}"
        );
    }
    // Account and lists fit too: one that does not is answered 422. The examples are made up, but their form is Twilio's.
    gateway.configure("/numbers", json!([NUMBER, "US:72345"])).await;
    let status = gateway.until("has listed", |status| status.numbers_listed_at.is_some()).await;
    assert!(matches!(status.credentials, CredentialsStatus::Valid { .. }), "{status:#?}");
    assert!(status.numbers_error.is_none() && status.numbers.iter().any(|number| number.at_provider), "{status:#?}");
}
