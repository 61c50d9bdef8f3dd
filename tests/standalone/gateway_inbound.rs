//! Messages and receipts on their way to engines that are well, slow, away, or in trouble with one message.

use std::time::{Duration, Instant};

use aldis::wire::receipt::DeliveryState;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{
    engine_fake::{EngineFake, Mood},
    gateway::{ENGINE, Gateway, NUMBER, OTHER_ENGINE, OTHER_NUMBER, PUBLIC_URL},
    process::eventually,
    twilio_fake::{TOKEN, TwilioFake, call_webhook},
};

const MIA: &str = "+15559870001";
const TOM: &str = "+15559870002";

struct Desk {
    gateway: Gateway,
    engine: EngineFake,
    client: reqwest::Client,
}

impl Desk {
    async fn start() -> Self {
        let mut desk = Self::without_route().await;
        let url = desk.engine.url.clone();
        desk.gateway.route(NUMBER, &url, ENGINE).await;
        desk
    }

    async fn without_route() -> Self {
        let twilio = TwilioFake::start().await;
        let gateway = Gateway::start(twilio.provider(), &[("authToken", TOKEN)]).await;
        let engine = EngineFake::start(&gateway.issuer).await;
        Self { gateway, engine, client: reqwest::Client::new() }
    }

    async fn text(&self, id: &str, to: &str, from: &str, text: &str) -> (u16, String) {
        let form = [("MessageSid", id), ("To", to), ("From", from), ("Body", text), ("NumMedia", "0")];
        call_webhook(&self.client, &self.gateway.public, PUBLIC_URL, "/hooks/inbound", &form).await.unwrap()
    }

    async fn receipt(&self, id: &str, status: &str) -> (u16, String) {
        let form = [("MessageSid", id), ("To", MIA), ("From", NUMBER), ("MessageStatus", status)];
        call_webhook(&self.client, &self.gateway.public, PUBLIC_URL, "/hooks/status?t=7.abc", &form).await.unwrap()
    }

    fn ids(&self) -> Vec<String> {
        self.engine.messages().into_iter().map(|message| message.provider_message_id).collect()
    }
}

#[tokio::test]
async fn a_message_and_its_receipt_reach_the_engine() {
    let desk = Desk::start().await;
    let (status, body) = desk.text("SM1", NUMBER, MIA, " Hello ").await;
    assert_eq!((status, &*body), (200, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>"));
    let messages = desk.engine.messages();
    assert_eq!((&*messages[0].from, &*messages[0].to, &*messages[0].text), (MIA, NUMBER, " Hello "));
    assert_eq!(desk.receipt("SM9", "delivered").await.0, 200);
    let receipts = desk.engine.receipts();
    assert_eq!((receipts[0].token.as_deref(), receipts[0].state), (Some("7.abc"), DeliveryState::Delivered));
    assert_eq!(desk.receipt("SM9", "receiving").await.0, 200, "no news is acknowledged too");
    assert_eq!(desk.engine.receipts().len(), 1);
    assert_eq!(desk.gateway.metric("aldis_gateway_webhooks_total{hook=\"Inbound\",outcome=\"Delivered\"}").await, 1.0);
}

impl Desk {
    /// So many customers write at the same time, every tenth the text that an engine may refuse.
    async fn crowd(&self, customers: usize) {
        let texts = (0..customers).map(|customer| async move {
            let text = if customer % 10 == 9 { "poison" } else { "hello" };
            let from = format!("+1555987{customer:04}");
            assert_eq!(self.text(&format!("SM{customer}"), NUMBER, &from, text).await.0, 200);
        });
        futures::future::join_all(texts).await;
    }
}

#[tokio::test]
async fn texts_that_come_while_others_are_under_way_go_together() {
    let desk = Desk::start().await;
    desk.engine.mood(Mood::Late(Duration::from_millis(100)));
    desk.crowd(40).await;
    assert_eq!((desk.engine.messages().len(), desk.engine.posts()), (40, 40));
    let requests = desk.engine.requests();
    assert!(requests < 20, "{requests} requests");
    assert_eq!(desk.gateway.metric("aldis_gateway_webhooks_total{hook=\"Inbound\",outcome=\"Delivered\"}").await, 40.0);
}

#[tokio::test]
async fn each_of_the_texts_that_go_together_is_taken_or_refused_by_itself() {
    let desk = Desk::start().await;
    desk.engine.mood(Mood::Poisoned(422));
    desk.crowd(40).await;
    assert_eq!(desk.engine.messages().len(), 36);
    desk.gateway.until("has the others parked", |status| status.spool.parked == 4).await;
}

#[tokio::test]
async fn an_engine_of_a_version_that_takes_one_text_in_a_request_gets_them_one_by_one() {
    let desk = Desk::start().await;
    desk.engine.mood(Mood::Older(Duration::from_millis(100)));
    desk.crowd(40).await;
    assert_eq!((desk.engine.messages().len(), desk.engine.posts()), (40, 40));
    assert!(desk.engine.requests() > 40, "the gateway tried to bring some together");
    assert_eq!(desk.gateway.metric("aldis_gateway_webhooks_total{hook=\"Inbound\",outcome=\"Delivered\"}").await, 40.0);
}

#[tokio::test]
async fn only_signed_calls_count() {
    let desk = Desk::start().await;
    let form = [("MessageSid", "SM1"), ("To", NUMBER), ("From", MIA), ("Body", "Hello")];
    let url = format!("http://{}/hooks/inbound", desk.gateway.public);
    let unsigned = desk.client.post(&url).form(&form).send().await.unwrap();
    assert_eq!(unsigned.status().as_u16(), 403);
    // What a proxy or an attacker says about the host counts for nothing.
    let elsewhere = crate::support::twilio_fake::signature(TOKEN, "https://evil.example/hooks/inbound", &form);
    let forged = desk.client.post(&url).header("X-Twilio-Signature", elsewhere).header("Host", "evil.example");
    let forged = forged.header("X-Forwarded-Host", "evil.example").form(&form).send().await.unwrap();
    assert_eq!(forged.status().as_u16(), 403);
    assert_eq!(desk.client.get(&url).send().await.unwrap().status().as_u16(), 405);
    desk.gateway.credentials(&[]);
    desk.gateway.until("misses the token", |status| format!("{:?}", status.credentials).contains("authToken")).await;
    assert_eq!(desk.text("SM1", NUMBER, MIA, "Hello").await.0, 503, "without a token nothing is believed");
    assert!(desk.engine.messages().is_empty());
    desk.gateway.credentials(&[("authToken", "the next one"), ("previousAuthToken", TOKEN)]);
    desk.gateway.until("has a token", |status| !format!("{:?}", status.credentials).contains("Missing")).await;
    assert_eq!(desk.text("SM1", NUMBER, MIA, "Hello").await.0, 200);
}

#[tokio::test]
async fn a_webhook_without_a_signature_is_refused_before_its_body_is_read() {
    let desk = Desk::start().await;
    for hook in ["/hooks/inbound", "/hooks/status"] {
        let mut caller = TcpStream::connect(&desk.gateway.public).await.unwrap();
        let head = format!("POST {hook} HTTP/1.1\r\nhost: a\r\ncontent-length: 60000\r\n\r\n");
        caller.write_all(head.as_bytes()).await.unwrap();
        // No byte of the body comes, and the caller does not hang up.
        let mut answer = String::new();
        let answered = tokio::time::timeout(Duration::from_secs(60), caller.read_to_string(&mut answer)).await;
        answered.expect("the connection is closed").unwrap();
        assert!(answer.starts_with("HTTP/1.1 403 "), "{hook}: {answer}");
    }
}

#[tokio::test]
async fn a_message_without_meaning_is_refused() {
    let desk = Desk::start().await;
    let form = [("To", NUMBER), ("From", MIA)];
    let (status, body) =
        call_webhook(&desk.client, &desk.gateway.public, PUBLIC_URL, "/hooks/inbound", &form).await.unwrap();
    assert_eq!(status, 400);
    assert!(body.contains("no parameter MessageSid"), "{body}");
}

#[tokio::test]
async fn while_the_engine_is_away_the_spool_acknowledges() {
    let mut desk = Desk::start().await;
    desk.text("SM0", NUMBER, MIA, "0").await;
    desk.engine.away();
    for at in 1..=30 {
        let customer = if at % 3 == 0 { TOM } else { MIA };
        let acknowledged = desk.text(&format!("SM{at}"), NUMBER, customer, &at.to_string()).await;
        assert_eq!(acknowledged.0, 200);
        assert_eq!(desk.receipt("SM99", "sent").await.0, 200);
        if at == 15 {
            desk.gateway.kill_and_restart();
            desk.gateway.until("is back", |_| true).await;
        }
    }
    assert_eq!(desk.text("SM7", NUMBER, MIA, "7").await.0, 200, "the provider brings one again");
    let status = desk.gateway.until("counts what waits", |status| status.spool.waiting == 60).await;
    assert_eq!((status.spool.unrouted, status.spool.parked), (0, 0));
    desk.engine.back().await;
    desk.engine.until("has all", |messages| messages.len() == 31).await;
    let expected: Vec<String> = (0..=30).map(|at| format!("SM{at}")).collect();
    assert_eq!(desk.ids(), expected, "in order");
    desk.gateway.until("nothing waits", |status| status.spool.waiting == 0).await;
    assert!(desk.engine.receipts().len() >= 30);
    // And straight again.
    assert_eq!(desk.text("SM31", NUMBER, MIA, "31").await.0, 200);
    assert_eq!(desk.gateway.status().await.unwrap().spool.waiting, 0);
    assert_eq!(desk.ids().len(), 32);
}

#[tokio::test]
async fn the_status_counts_for_each_number_what_its_engine_has_taken() {
    let desk = Desk::start().await;
    let counted = || async {
        let traffic = desk.gateway.status().await.unwrap().traffic.expect("it tells");
        assert_eq!(traffic.get(OTHER_NUMBER), None);
        traffic.get(NUMBER).copied()
    };
    assert_eq!(counted().await, None);
    desk.text("SM1", NUMBER, MIA, "1").await;
    let one = counted().await.expect("it is counted");
    desk.receipt("SM99", "sent").await;
    desk.text("SX1", OTHER_NUMBER, MIA, "it has no route").await;
    assert_eq!(counted().await, Some(one + 1));
    desk.engine.away();
    desk.text("SM2", NUMBER, MIA, "2").await;
    assert_eq!(counted().await, Some(one + 1), "its engine does not know of that yet");
    desk.engine.back().await;
    desk.gateway.until("nothing waits", |status| status.spool.waiting == 0).await;
    assert_eq!(counted().await, Some(one + 2));
}

#[tokio::test]
async fn many_waiting_rows_keep_each_customers_order() {
    let desk = Desk::start().await;
    desk.engine.away();
    let texts = (0..20).map(|customer| {
        let desk = &desk;
        async move {
            for at in 0..12 {
                let from = format!("+1555987{customer:04}");
                assert_eq!(desk.text(&format!("SM{customer}-{at}"), NUMBER, &from, &at.to_string()).await.0, 200);
            }
        }
    });
    futures::future::join_all(texts).await;
    desk.engine.back().await;
    desk.engine.until("has all", |messages| messages.len() == 240).await;
    for customer in 0..20 {
        let from = format!("+1555987{customer:04}");
        let theirs = desk.engine.messages().into_iter().filter(|message| message.from == from);
        let order: Vec<_> = theirs.map(|message| message.text).collect();
        assert_eq!(order, (0..12).map(|at| at.to_string()).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_slow_engine_is_waited_for_a_second_and_hinders_no_other_number() {
    let mut desk = Desk::start().await;
    let other = EngineFake::start(&desk.gateway.issuer).await;
    desk.gateway.route(OTHER_NUMBER, &other.url, OTHER_ENGINE).await;
    desk.engine.mood(Mood::Late(Duration::from_secs(20)));
    let slow = async {
        let began = Instant::now();
        assert_eq!(desk.text("SM1", NUMBER, MIA, "1").await.0, 200);
        let first = began.elapsed();
        assert!(first >= Duration::from_millis(900), "the engine had its second: {first:?}");
        for at in 2..=20 {
            assert_eq!(desk.text(&format!("SM{at}"), NUMBER, MIA, &at.to_string()).await.0, 200);
        }
        assert!(began.elapsed() < first + Duration::from_secs(15), "only the first one waits");
    };
    let quick = async {
        for at in 0..20 {
            assert_eq!(desk.text(&format!("SX{at}"), OTHER_NUMBER, MIA, "x").await.0, 200);
        }
        other.messages().len()
    };
    let ((), delivered) = tokio::join!(slow, quick);
    assert_eq!(delivered, 20, "straight to the other engine");
    desk.engine.mood(Mood::Well);
    desk.engine.until("has all", |messages| messages.len() == 20).await;
    assert_eq!(desk.ids(), (1..=20).map(|at| format!("SM{at}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_engine_that_cannot_take_any_gets_everything_later() {
    let desk = Desk::start().await;
    for status in [401, 403, 404, 409, 429, 503] {
        desk.engine.mood(Mood::Answers(status));
        assert_eq!(desk.text(&format!("SM{status}"), NUMBER, MIA, "x").await.0, 200);
        desk.engine.mood(Mood::Well);
        desk.engine
            .until("has it", |messages| messages.iter().any(|m| m.provider_message_id == format!("SM{status}")))
            .await;
        desk.gateway.until("nothing waits", |status| status.spool.waiting == 0).await;
    }
    assert_eq!(desk.gateway.status().await.unwrap().spool.parked, 0);
}

#[tokio::test]
async fn a_message_that_the_engine_refuses_is_parked_and_blocks_nobody() {
    let mut desk = Desk::start().await;
    desk.engine.mood(Mood::Poisoned(422));
    assert_eq!(desk.text("SM1", NUMBER, MIA, "poison").await.0, 200);
    assert_eq!(desk.text("SM2", NUMBER, MIA, "fine").await.0, 200);
    assert_eq!(desk.ids(), ["SM2"]);
    desk.gateway.until("counts it", |status| status.spool.parked == 1 && status.spool.waiting == 0).await;
    // A new start tries it again, as the next minute would.
    desk.engine.mood(Mood::Well);
    desk.gateway.kill_and_restart();
    desk.engine.until("has it", |messages| messages.len() == 2).await;
    desk.gateway.until("is done", |status| status.spool.parked == 0).await;
}

#[tokio::test]
async fn a_message_that_breaks_the_engine_is_parked_once_others_pass() {
    let desk = Desk::start().await;
    desk.engine.mood(Mood::Poisoned(500));
    assert_eq!(desk.text("SM1", NUMBER, MIA, "poison").await.0, 200);
    for at in 2..=5 {
        assert_eq!(desk.text(&format!("SM{at}"), NUMBER, TOM, &at.to_string()).await.0, 200);
    }
    desk.engine.until("has the others", |messages| messages.len() == 4).await;
    assert_eq!(desk.ids(), ["SM2", "SM3", "SM4", "SM5"]);
    desk.gateway.until("parks it", |status| status.spool.parked == 1 && status.spool.waiting == 0).await;
}

#[tokio::test]
async fn unrouted_messages_are_kept_until_a_route_appears() {
    let mut desk = Desk::without_route().await;
    for at in 1..=3 {
        assert_eq!(desk.text(&format!("SM{at}"), NUMBER, MIA, &at.to_string()).await.0, 200);
    }
    assert_eq!(desk.text("SM4", "whatsapp:+15551230001", MIA, "4").await.0, 200);
    let status = desk.gateway.until("counts them", |status| status.spool.unrouted == 4).await;
    assert_eq!(json!(status.spool.unrouted_numbers), json!({NUMBER: 3, "whatsapp:+15551230001": 1}));
    desk.gateway.kill_and_restart();
    desk.gateway.until("still counts them", |status| status.spool.unrouted == 4).await;
    let url = desk.engine.url.clone();
    desk.gateway.route(NUMBER, &url, ENGINE).await;
    desk.engine.until("has them", |messages| messages.len() == 3).await;
    assert_eq!(desk.ids(), ["SM1", "SM2", "SM3"]);
    desk.gateway.until("has one left", |status| status.spool.unrouted == 1 && status.spool.waiting == 0).await;
}

#[tokio::test]
async fn when_nothing_can_be_stored_the_provider_is_told() {
    let desk = Desk::start().await;
    desk.engine.away();
    assert_eq!(desk.text("SM1", NUMBER, MIA, "1").await.0, 200);
    // Somebody else holds the spool's lock for longer than the gateway waits.
    let path = desk.gateway.path("data/spool.db");
    let holder = rusqlite::Connection::open(path).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (status, body) = desk.text("SM2", NUMBER, MIA, "2").await;
    assert_eq!(status, 503, "{body}");
    holder.execute_batch("ROLLBACK").unwrap();
    assert_eq!(desk.text("SM2", NUMBER, MIA, "2").await.0, 200);
    desk.engine.back().await;
    desk.engine.until("has both", |messages| messages.len() == 2).await;
}

#[tokio::test]
async fn a_proxy_may_leave_the_public_path() {
    let desk = Desk::start().await;
    let form = [("MessageSid", "SM1"), ("To", NUMBER), ("From", MIA), ("Body", "Hello")];
    let signature = crate::support::twilio_fake::signature(TOKEN, &format!("{PUBLIC_URL}/hooks/inbound"), &form);
    let url = format!("http://{}/desk/hooks/inbound", desk.gateway.public);
    let response = desk.client.post(url).header("X-Twilio-Signature", signature).form(&form).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(desk.ids(), ["SM1"]);
}

#[tokio::test]
async fn an_engine_that_is_away_is_asked_with_one_message_at_a_time() {
    let desk = Desk::start().await;
    desk.engine.mood(Mood::Answers(503));
    let texts = (0..20).map(|customer| {
        let desk = &desk;
        async move {
            for at in 0..8 {
                let from = format!("+1555987{customer:04}");
                assert_eq!(desk.text(&format!("SM{customer}-{at}"), NUMBER, &from, "x").await.0, 200);
            }
        }
    });
    futures::future::join_all(texts).await;
    // What was under way has ended once it asks again.
    let asked_again = |more: u64| {
        let posts = desk.engine.posts();
        let engine = desk.engine.clone();
        async move {
            eventually("it asks again", || async {
                if engine.posts() >= posts + more { Ok(()) } else { Err(engine.posts()) }
            })
            .await
        }
    };
    asked_again(3).await;
    desk.engine.most_at_once();
    asked_again(3).await;
    assert_eq!(desk.engine.most_at_once(), 1);
    desk.engine.mood(Mood::Well);
    desk.engine.until("has all", |messages| messages.len() == 160).await;
}

#[tokio::test]
async fn what_is_parked_says_why_and_is_kept_until_it_is_taken() {
    let mut desk = Desk::start().await;
    desk.engine.mood(Mood::Poisoned(422));
    assert_eq!(desk.text("SM1", NUMBER, MIA, "poison").await.0, 200);
    let status = desk.gateway.until("counts it", |status| status.spool.parked == 1).await;
    assert_eq!(status.spool.parked_numbers[NUMBER].rows, 1);
    assert!(status.spool.parked_numbers[NUMBER].reason.starts_with("HTTP 422"), "{status:#?}");
    // As if it had come a hundred days ago; what is too old is looked for at each start.
    desk.gateway.kill();
    let spool = rusqlite::Connection::open(desk.gateway.path("data/spool.db")).unwrap();
    spool.execute("UPDATE waiting SET received_at = received_at - 8640000000", []).unwrap();
    drop(spool);
    let posts = desk.engine.posts();
    desk.gateway.kill_and_restart();
    eventually("it was tried again", || async { if desk.engine.posts() > posts { Ok(()) } else { Err(posts) } }).await;
    assert_eq!(desk.gateway.status().await.unwrap().spool.parked, 1);
    desk.engine.mood(Mood::Well);
    desk.gateway.kill_and_restart();
    desk.engine.until("has it", |messages| messages.len() == 1).await;
    desk.gateway.until("has nothing more", |status| status.spool.parked_numbers.is_empty()).await;
}

#[tokio::test]
async fn parked_messages_of_a_number_do_not_wait_for_another_numbers_engine() {
    const MANY: u64 = 100;
    let mut desk = Desk::start().await;
    let other = EngineFake::start(&desk.gateway.issuer).await;
    desk.gateway.route(OTHER_NUMBER, &other.url, OTHER_ENGINE).await;
    desk.engine.mood(Mood::Poisoned(422));
    other.mood(Mood::Poisoned(422));
    for at in 0..MANY {
        assert_eq!(desk.text(&format!("SM{at}"), NUMBER, MIA, "poison").await.0, 200);
    }
    assert_eq!(desk.text("SX", OTHER_NUMBER, MIA, "poison").await.0, 200);
    desk.gateway.until("counts them", |status| status.spool.parked == MANY + 1).await;
    // One engine takes its time to refuse each; the other is mended. A new start tries all again, as the next minute would.
    desk.engine.mood(Mood::Answers(422));
    other.mood(Mood::Well);
    let before = desk.engine.posts();
    desk.gateway.kill_and_restart();
    other.until("has its own", |messages| messages.len() == 1).await;
    let asked = desk.engine.posts() - before;
    assert!(asked < MANY, "the other engine was asked {asked} times meanwhile");
}

#[tokio::test]
async fn a_webhook_that_would_become_longer_than_an_engine_takes_is_not_acknowledged() {
    let desk = Desk::start().await;
    // As JSON each of these characters takes six bytes: 180 kB of a body of 30 kB.
    let text = "\u{1}".repeat(30_000);
    let form = [("MessageSid", "SM1"), ("To", NUMBER), ("From", MIA), ("Body", text.as_str())];
    let body = format!("MessageSid=SM1&To={}&From={}&Body={text}", NUMBER.replace('+', "%2B"), MIA.replace('+', "%2B"));
    let signature = crate::support::twilio_fake::signature(TOKEN, &format!("{PUBLIC_URL}/hooks/inbound"), &form);
    let call = desk.client.post(format!("http://{}/hooks/inbound", desk.gateway.public)).body(body);
    let call = call.header("X-Twilio-Signature", signature).header("Content-Type", "application/x-www-form-urlencoded");
    assert_eq!(call.send().await.unwrap().status().as_u16(), 400);
    assert_eq!(desk.gateway.metric("aldis_gateway_webhooks_total{hook=\"Inbound\",outcome=\"Malformed\"}").await, 1.0);
    assert_eq!(desk.text("SM2", NUMBER, MIA, "hello").await.0, 200, "others are");
    assert_eq!(desk.ids(), ["SM2"]);
}
