//! The whole way: a signed webhook through gateway and engine until it is acknowledged, and a reply until the provider's answer
//! is recorded.

use std::time::{Duration, Instant};

use reqwest::{Client, Method};
use serde_json::json;

use crate::{
    Scale,
    figure::{Figure, quantile},
    inbound::{Figures, TEXT, bring, customer, durable_inbound, taken},
    page::{Goal, Ratio, Section, table},
    support::{
        engine::{ENGINE, Engine, NUMBER, trust},
        gateway::{AUDIENCE, GATEWAY, Gateway, PUBLIC_URL},
        process::eventually,
        twilio_fake::{TOKEN, TwilioFake, signature},
    },
};

/// Webhooks that are under way at once.
const AT_ONCE: [u64; 2] = [64, 256];
/// Replies, one after the other.
const REPLIES: usize = 100;

/// A provider, a gateway and an engine, each with what it needs of the others.
struct Way {
    engine: Engine,
    gateway: Gateway,
    _provider: TwilioFake,
}

impl Way {
    async fn start() -> Self {
        let provider = TwilioFake::start().await;
        let mut gateway = Gateway::start(provider.provider(), &[("authToken", TOKEN)]).await;
        let engine = Engine::start(&gateway.internal, |document| {
            document["gateway"]["user"] = json!(GATEWAY);
            document["roleIssuers"].as_array_mut().expect("a list").push(trust(&gateway.issuer, AUDIENCE));
        })
        .await;
        std::fs::write(engine.dir.path().join("token"), gateway.issuer.token(ENGINE, AUDIENCE)).expect("a token");
        gateway.route(NUMBER, &engine.internal_url(), ENGINE).await;
        Self { engine, gateway, _provider: provider }
    }
}

/// Measures gateway and engine as processes.
pub async fn measure(scale: Scale) -> Section {
    let mut all = AT_ONCE.map(|at_once| (at_once, Figures::default(), Figures::default()));
    let (mut median, mut most) = (Figure::default(), Figure::default());
    for _ in 0..scale.runs {
        for (at_once, way, engine) in &mut all {
            webhooks(*at_once, scale.each, way).await;
            durable_inbound(*at_once, scale.each, engine).await;
        }
        let replies = replies().await;
        median.add(quantile(&replies, 0.5));
        most.add(quantile(&replies, 0.99));
    }
    let beside = |way: &Figures, engine: &Figures| way.per_second.over(&engine.per_second);
    let ratios = all.iter().map(|(at_once, way, engine)| {
        let ours = format!("Signed webhooks a second through gateway and engine, {at_once} at once");
        Ratio::new(ours, beside(way, engine), "the engine's own rate, as many at once")
    });
    let goals = all.iter().map(|(at_once, way, engine)| {
        let ours = format!("The whole inbound way beside the engine alone, {at_once} at once");
        Goal::at_least(ours, 0.5, beside(way, engine))
    });
    let rows = all.iter().map(|(at_once, way, engine)| {
        let figures = [&beside(way, engine), &way.per_second, &engine.per_second, &way.median, &way.most];
        std::iter::once(at_once.to_string()).chain(figures.map(ToString::to_string)).collect()
    });
    let head = ["at once", "ratio", "the whole way, texts/s", "engine alone, texts/s", "ms, median", "99 % below"];
    let text = format!(
        "A client signs and posts webhooks as Twilio does, so many at once; the gateway checks the signature, brings the text to the engine, and\n\
         acknowledges after the engine's commit. Beside it the engine alone, from a client that brings texts as the gateway does. Client, gateway\n\
         and engine share the processors.\n\n{}\n\
         An agent replies to {REPLIES} customers, one after the other. From the request until the agent's stream says that the provider's answer is recorded, which\n\
         takes two commits of the engine, one of the gateway and two requests between them: {median} ms in the median, 99 % within {most} ms.\n",
        table(&head, rows),
    );
    Section { title: "The whole way", ratios: ratios.collect(), goals: goals.collect(), text }
}

async fn webhooks(at_once: u64, long: Duration, figures: &mut Figures) {
    let way = Way::start().await;
    let (client, url) = (Client::new(), format!("http://{}/hooks/inbound", way.gateway.public));
    let send = move |number: u64| {
        let (id, from) = customer(number);
        let form = [("MessageSid", &*id), ("To", NUMBER), ("From", &*from), ("Body", TEXT), ("NumMedia", "0")];
        let signature = signature(TOKEN, &format!("{PUBLIC_URL}/hooks/inbound"), &form);
        taken(client.post(&url).header("X-Twilio-Signature", signature).form(&form))
    };
    bring(at_once, long, figures, send).await;
}

/// Milliseconds of each reply, sorted.
async fn replies() -> Vec<f64> {
    let way = Way::start().await;
    let engine = &way.engine;
    engine.presence("ana", true).await;
    let mut stream = engine.agent("ana", Method::GET, "/v1/channels/support/stream").send().await.expect("a stream");
    let token = way.gateway.issuer.token(GATEWAY, AUDIENCE);
    for number in 0..REPLIES as u64 {
        let (id, from) = customer(number);
        assert_eq!(engine.inbound_as(&token, &id, &from, TEXT).await.0, 200);
    }
    let path = format!("/v1/channels/support/interactions?owner=me&state=Active&limit={REPLIES}");
    let given = eventually("ana has them all", || async {
        let page = engine.get("ana", &path).await;
        let items = page["items"].as_array().cloned().unwrap_or_default();
        if items.len() == REPLIES { Ok(items) } else { Err(items.len()) }
    })
    .await;
    let mut took = Vec::new();
    for interaction in given {
        let asked = Instant::now();
        let path = format!("/v1/channels/support/interactions/{}/reply", interaction["id"]);
        let answer = engine.post("ana", &path, json!({ "epoch": interaction["epoch"], "text": "At nine." })).await;
        assert_eq!(answer.0, 202, "{}", answer.1);
        loop {
            let sent = stream.chunk().await.expect("the stream can be read").expect("the stream goes on");
            if String::from_utf8_lossy(&sent).contains("event: AttemptEnded") {
                break;
            }
        }
        took.push(asked.elapsed().as_secs_f64() * 1000.0);
    }
    took.sort_by(f64::total_cmp);
    took
}
