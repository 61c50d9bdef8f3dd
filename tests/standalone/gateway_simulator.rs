//! A conversation through the simulator: its signed webhooks in, replies out, receipts back, and its faults.

use std::{collections::BTreeSet, time::Duration};

use aldis::{
    simulator::{Config, LedgerPage, Simulator},
    wire::{
        outbound::{NotSentReason, SendOutcome},
        receipt::DeliveryState,
    },
};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::{
    engine_fake::EngineFake,
    gateway::{ENGINE, Gateway, NUMBER, PUBLIC_URL, request},
};

const MIA: &str = "+15559870001";

struct Desk {
    gateway: Gateway,
    engine: EngineFake,
    url: String,
    client: Client,
    _end: DropGuard,
}

impl Desk {
    /// The gateway is started first, since the simulator is told where it listens.
    async fn start() -> Self {
        aldis::process::crypto::install_providers();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let provider = json!({"kind": "simulator", "account": "demo", "baseUrl": url});
        let mut gateway = Gateway::start(provider, &[("token", "good")]).await;
        let engine = EngineFake::start(&gateway.issuer).await;
        gateway.route(NUMBER, &engine.url, ENGINE).await;
        let config = json!({
            "accounts": [{"account": "demo", "tokens": ["good"], "numbers": [{"number": NUMBER, "webhookUrl": format!("{PUBLIC_URL}/hooks/inbound")}]}],
            "settings": {
                "sentAfterMillis": 5, "deliveredAfterMillis": 5, "webhookRetryAfterMillis": 20, "webhookTimeoutMillis": 5000,
                "webhookBases": {PUBLIC_URL: format!("http://{}", gateway.public)},
            },
        });
        let simulator = Simulator::new(Config::from_yaml(&config.to_string()).unwrap(), None).unwrap();
        let shutdown = CancellationToken::new();
        let ended = shutdown.clone();
        tokio::spawn(async move { simulator.serve(listener, ended).await });
        let desk = Self { gateway, engine, url, client: Client::new(), _end: shutdown.drop_guard() };
        desk.gateway.until("sees the number", |status| status.numbers.iter().any(|number| number.at_provider)).await;
        desk
    }

    async fn control(&self, method: Method, path: &str, body: Value) -> String {
        let response = self.client.request(method, format!("{}{path}", self.url)).json(&body).send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {text}");
        text
    }

    async fn customer_writes(&self, text: &str) {
        let path = format!("/control/handsets/{MIA}/messages");
        self.control(Method::POST, &path, json!({"to": NUMBER, "text": text})).await;
    }

    async fn until_receipt(&self, state: DeliveryState) {
        for _ in 0..1200 {
            if self.engine.receipts().iter().any(|receipt| receipt.state == state) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("never {state:?}: {:#?}\n{}", self.engine.receipts(), self.gateway.log());
    }

    /// Repeats with new attempts until something else comes than `NotSent`.
    async fn send_patiently(&self, message_id: u64, text: &str) -> (SendOutcome, Vec<NotSentReason>) {
        let mut held = Vec::new();
        for attempt in 1..400 {
            match self.gateway.send(ENGINE, &request(message_id, attempt, text)).await.unwrap() {
                SendOutcome::NotSent { reason, .. } => held.push(reason),
                outcome => return (outcome, held),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("never sent: {held:?}\n{}", self.gateway.log());
    }
}

#[tokio::test]
async fn a_text_comes_in_and_the_reply_and_its_receipt_come_back() {
    let desk = Desk::start().await;
    desk.customer_writes("Hello?").await;
    desk.engine.until("has it", |messages| messages.len() == 1).await;
    let message = desk.engine.messages().remove(0);
    assert_eq!((&*message.from, &*message.to, &*message.text), (MIA, NUMBER, "Hello?"));
    let (sent, _) = desk.send_patiently(1, "Hello!").await;
    let SendOutcome::Accepted { provider_message_ids, segments: Some(1) } = sent else { panic!("{sent:?}") };
    desk.until_receipt(DeliveryState::Delivered).await;
    let receipt = desk.engine.receipts().remove(0);
    assert_eq!((receipt.token.as_deref(), &*receipt.from), (Some("1.abc"), NUMBER));
    assert_eq!(receipt.provider_message_id, provider_message_ids[0]);
    let ledger: LedgerPage = serde_json::from_str(&desk.control(Method::GET, "/ledger", json!(null)).await).unwrap();
    assert!(!ledger.entries.is_empty());
}

#[tokio::test]
async fn its_faults_mean_what_the_protocol_says() {
    let desk = Desk::start().await;
    let on_messages = |action: Value| json!({"route": "Messages", "action": action, "count": 1});
    let refuse = |class: &str| on_messages(json!({"Refuse": {"class": class}}));
    let cases = [
        (refuse("OptedOut"), "Refused(OptedOut)", None),
        (refuse("InvalidNumber"), "Refused(InvalidNumber)", None),
        (refuse("Sender"), "Refused(Sender)", None),
        (refuse("Blocked"), "Refused(Filtered)", None),
        (on_messages(json!("DropRequest")), "Unknown", None),
        (on_messages(json!("DropAnswer")), "Unknown", None),
        (
            on_messages(json!({"Status": {"status": 429, "retryAfterSeconds": 1}})),
            "Accepted",
            Some(NotSentReason::RateLimited),
        ),
        (on_messages(json!({"Status": {"status": 503}})), "Accepted", Some(NotSentReason::Temporary)),
    ];
    for (at, (fault, expected, first_held)) in cases.into_iter().enumerate() {
        // Lets a pause after the fault before pass.
        desk.send_patiently(1000 + at as u64, "before").await;
        desk.control(Method::POST, "/control/faults", fault.clone()).await;
        let (outcome, held) = desk.send_patiently(at as u64, "Hello").await;
        let seen = match outcome {
            SendOutcome::Refused { class, .. } => format!("Refused({class:?})"),
            SendOutcome::Accepted { .. } => "Accepted".into(),
            other => format!("{other:?}").split(' ').next().unwrap_or_default().to_owned(),
        };
        assert_eq!((&*seen, held.first().copied()), (expected, first_held), "{fault}");
    }
}

#[tokio::test]
async fn lost_answers_and_repeated_webhooks_leave_one_message_each() {
    let desk = Desk::start().await;
    for action in [json!("DropAnswer"), json!({"Duplicate": {"copies": 3}})] {
        desk.control(Method::POST, "/control/faults", json!({"route": "Inbound", "action": action, "count": 1})).await;
    }
    for text in ["1", "2", "3"] {
        desk.customer_writes(text).await;
    }
    desk.engine.until("has all", |messages| messages.len() >= 3).await;
    let posts = desk.engine.posts();
    assert!(posts >= 3, "{posts}");
    let texts: BTreeSet<_> = desk.engine.messages().into_iter().map(|message| message.text).collect();
    assert_eq!(texts, ["1", "2", "3"].map(str::to_owned).into());
    // A call with a wrong signature is refused for good.
    let forge = json!({"route": "Inbound", "action": "WrongSignature", "count": 1});
    desk.control(Method::POST, "/control/faults", forge).await;
    desk.customer_writes("forged").await;
    desk.customer_writes("5").await;
    desk.engine.until("has the fifth", |messages| messages.iter().any(|message| message.text == "5")).await;
    assert!(desk.engine.messages().iter().all(|message| message.text != "forged"));
    let refused = desk.gateway.metric("aldis_gateway_webhooks_total{hook=\"Inbound\",outcome=\"BadSignature\"}").await;
    assert_eq!(refused, 1.0);
}

#[tokio::test]
async fn a_lost_answer_is_settled_by_its_receipt() {
    let desk = Desk::start().await;
    desk.control(Method::POST, "/control/faults", json!({"route": "Messages", "action": "DropAnswer", "count": 1}))
        .await;
    let (outcome, _) = desk.send_patiently(7, "Hello").await;
    assert!(matches!(outcome, SendOutcome::Unknown { .. }), "{outcome:?}");
    desk.until_receipt(DeliveryState::Delivered).await;
    assert!(desk.engine.receipts().iter().all(|receipt| receipt.token.as_deref() == Some("7.abc")));
}
