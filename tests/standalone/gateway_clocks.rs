//! Engine and gateway whose clocks differ: messages leave all the same, without hurry, and the difference is shown.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::{
    engine::{Engine, trust},
    engine_fake::EngineFake,
    gateway::{AUDIENCE, ENGINE, GATEWAY, Gateway, NUMBER, PUBLIC_URL},
    process::eventually,
    twilio_fake::{TOKEN, TwilioFake, call_webhook, number},
};

struct Desk {
    twilio: TwilioFake,
    gateway: Gateway,
    engine: Engine,
    interaction: Value,
    sent: usize,
}

impl Desk {
    async fn start() -> Self {
        let twilio = TwilioFake::start().await;
        twilio.account(|account| account.numbers.push(number(NUMBER, true, "")));
        let mut gateway = Gateway::start(twilio.provider(), &[("authToken", TOKEN)]).await;
        let engine = Engine::start(&gateway.internal, |document| {
            document["gateway"]["user"] = json!(GATEWAY);
            document["roleIssuers"].as_array_mut().unwrap().push(trust(&gateway.issuer, AUDIENCE));
        })
        .await;
        std::fs::write(engine.dir.path().join("token"), gateway.issuer.token(ENGINE, AUDIENCE)).unwrap();
        gateway.route(NUMBER, &engine.internal_url(), ENGINE).await;
        let start = json!({ "number": "+15559870001", "text": "text 0" });
        let (status, started) = engine.post("ana", "/v1/channels/support/interactions", start).await;
        assert_eq!(status, 201, "{started}");
        Self { twilio, gateway, engine, interaction: started["interaction"].clone(), sent: 1 }
    }

    /// Sends some texts, and waits until the provider has them, each once.
    async fn send(&mut self, texts: usize) {
        let path = format!("/v1/channels/support/interactions/{}/reply", self.interaction);
        for _ in 0..texts {
            let body = json!({ "epoch": 1, "text": format!("text {}", self.sent) });
            assert_eq!(self.engine.post("ana", &path, body).await.0, 202);
            self.sent += 1;
        }
        eventually("the provider has all texts", || async {
            let outbox = self.engine.status().await["outbox"].clone();
            if outbox == json!({ "waiting": 0, "inFlight": 0, "unknown": 0 }) { Ok(()) } else { Err(outbox) }
        })
        .await;
        let bodies: Vec<String> = self.twilio.account(|account| {
            let forms = account.sent.iter().flat_map(|sent| sent.form.clone());
            forms.filter(|(name, _)| name == "Body").map(|(_, text)| text).collect()
        });
        assert_eq!(bodies, (0..self.sent).map(|at| format!("text {at}")).collect::<Vec<_>>());
    }

    async fn skew_is(&self, seconds: i64) {
        let what = format!("the gateway sees the engine's clock {seconds} s ahead");
        self.gateway
            .until(&what, |status| {
                let shown = status.clock_skew.as_ref().map(|skew| skew.engine_ahead_millis);
                shown.is_some_and(|millis| (millis - seconds * 1000).abs() < 20_000)
            })
            .await;
    }
}

/// Seconds by which the gateway's clock is ahead, one after the other.
const SETTINGS: [i64; 6] = [30, -30, 86_400, -3600, 0, 86_400];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_leave_whatever_the_gateways_clock_shows() {
    let mut desk = Desk::start().await;
    desk.send(2).await;
    for ahead in SETTINGS {
        desk.gateway.clock.set_wrong_by(SignedDuration::from_secs(ahead));
        desk.send(3).await;
        desk.skew_is(-ahead).await;
    }
    let attempts = &desk.engine.sqlite("SELECT count(*) AS attempts FROM attempt")[0]["attempts"];
    assert_eq!(attempts.as_u64().unwrap() as usize, desk.sent, "each with its first attempt");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_restarts_with_another_clock_knows_what_it_sent() {
    let mut desk = Desk::start().await;
    // Nothing is under way when it dies: what is may be unknown for good reason.
    desk.send(2).await;
    for ahead in SETTINGS {
        desk.gateway.clock.set_wrong_by(SignedDuration::from_secs(ahead));
        desk.gateway.kill_and_restart();
        desk.send(2).await;
        let sent = &crate::support::gateway::request(u64::MAX, 1, "Hello");
        let mut again = sent.clone();
        (again.asked_before, again.begun_millis_ago) = (true, Some(0));
        let first = desk.gateway.send(ENGINE, sent).await.unwrap();
        assert_eq!(desk.gateway.send(ENGINE, &again).await.unwrap(), first);
        desk.twilio.account(|account| account.sent.retain(|sent| sent.form.iter().all(|(_, text)| text != "Hello")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_sent_is_not_tried_again_at_once() {
    let gateway = crate::support::gateway_fake::FakeGateway::start().await;
    let engine = Engine::start(&gateway.url, |_| {}).await;
    let late = json!({ "outcome": "NotSent", "reason": "DeadlinePassed", "retryAfterMillis": 0, "message": "late" });
    let reply = || crate::support::gateway_fake::Reply::Outcome(late.clone());
    gateway.answer_with(std::iter::repeat_with(reply).take(6));
    let begun = std::time::Instant::now();
    engine.post("ana", "/v1/channels/support/interactions", json!({ "number": "+15559870001", "text": "hello" })).await;
    gateway.wait_for(7).await;
    // 0.1, 0.2, 0.4 … seconds: no clock of a busy machine makes this shorter.
    assert!(begun.elapsed() >= std::time::Duration::from_millis(6300), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_that_a_gateway_turned_away_was_not_asked_for_before() {
    let gateway = crate::support::gateway_fake::FakeGateway::start().await;
    let engine = Engine::start(&gateway.url, |_| {}).await;
    use crate::support::gateway_fake::Reply;
    let not_ready = json!({ "type": "urn:aldis:problem:not-ready", "title": "Not ready", "status": 503, "detail": "x".repeat(400) });
    // A 503 of somebody in between may come after the gateway has heard it.
    let replies = [Reply::Status(401), Reply::Status(403), Reply::Problem(503, not_ready), Reply::Status(503)];
    gateway.answer_with(replies);
    engine.post("ana", "/v1/channels/support/interactions", json!({ "number": "+15559870001", "text": "hello" })).await;
    let attempts = gateway.wait_for(5).await;
    let asked: Vec<_> = attempts.iter().map(|attempt| attempt["askedBefore"].as_bool().unwrap()).collect();
    assert_eq!(asked, [false, false, false, false, true]);
}

/// Texts of a number without a route are kept for a day here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_without_a_route_outlive_a_clock_that_leaps() {
    let twilio = TwilioFake::start().await;
    let mut gateway = Gateway::start(twilio.provider(), &[("authToken", TOKEN)]).await;
    let engine = EngineFake::start(&gateway.issuer).await;
    let (client, mut ids) = (reqwest::Client::new(), Vec::new());
    for hours_ahead in [100 * 24, -1, 25] {
        let id = format!("SM{hours_ahead}");
        let form = [("MessageSid", &*id), ("To", NUMBER), ("From", "+15559870001"), ("Body", "x"), ("NumMedia", "0")];
        let called = call_webhook(&client, &gateway.public, PUBLIC_URL, "/hooks/inbound", &form).await;
        assert_eq!(called.unwrap().0, 200);
        ids.push(id);
        gateway.clock.set_wrong_by(SignedDuration::from_hours(hours_ahead));
        let looks =
            |gateway: &Gateway| gateway.log().matches("unrouted items that are too old were looked for").count();
        let before = looks(&gateway);
        gateway.kill_and_restart();
        let looked = || async { if looks(&gateway) > before { Ok(()) } else { Err(gateway.log()) } };
        eventually("the gateway looks for what is too old", looked).await;
    }
    gateway.until("has all", |status| status.spool.unrouted == 3).await;
    gateway.route(NUMBER, &engine.url, ENGINE).await;
    engine.until("has all", |messages| messages.len() == 3).await;
    let arrived: Vec<_> = engine.messages().into_iter().map(|message| message.provider_message_id).collect();
    assert_eq!(arrived, ids, "in order");
}
