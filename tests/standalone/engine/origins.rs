//! Which web pages browsers let use the agents' API.

use aldis::wire::ports;
use reqwest::{Method, Response, StatusCode, header::HeaderMap};
use serde_json::json;

use crate::support::{
    engine::{Engine, GATEWAY, answer, internal},
    gateway_fake::FakeGateway,
};

const DESK: &str = "https://desk.example.com";
const REPLY: &str = "/v1/channels/support/interactions/1/reply";

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| value.to_str().unwrap().to_ascii_lowercase())
}

/// What a browser asks before it sends what a page of this origin wants to send.
async fn preflight(engine: &Engine, port: u16, origin: &str) -> Response {
    reqwest::Client::new()
        .request(Method::OPTIONS, format!("http://{}:{port}{REPLY}", engine.address))
        .header("Origin", origin)
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "authorization,content-type,idempotency-key")
        .send()
        .await
        .unwrap()
}

async fn allowed(engine: &Engine, path: &str, origin: &str) -> Option<String> {
    let response = engine.agent("ana", Method::GET, path).header("Origin", origin).send().await.unwrap();
    assert_eq!(header(response.headers(), "vary").as_deref(), Some("origin"), "{path}");
    assert_eq!(header(response.headers(), "access-control-allow-credentials"), None);
    header(response.headers(), "access-control-allow-origin")
}

#[tokio::test]
async fn pages_of_allowed_origins_may_ask_and_read_and_no_others() {
    let gateway = FakeGateway::start().await;
    let engine = Engine::start(&gateway.url, |document| {
        document["campaign"]["allowedOrigins"] = json!([DESK, "http://localhost:5173"]);
    })
    .await;
    for origin in [DESK, "http://localhost:5173"] {
        let asked = preflight(&engine, ports::PUBLIC, origin).await;
        assert_eq!(asked.status(), StatusCode::NO_CONTENT);
        assert_eq!(header(asked.headers(), "access-control-allow-origin").as_deref(), Some(origin));
        assert_eq!(header(asked.headers(), "access-control-allow-credentials"), None);
        let methods = header(asked.headers(), "access-control-allow-methods").unwrap();
        assert!(["get", "post", "put"].iter().all(|method| methods.contains(method)), "{methods}");
        let headers = header(asked.headers(), "access-control-allow-headers").unwrap();
        for name in ["authorization", "content-type", "idempotency-key", "last-event-id"] {
            assert!(headers.contains(name), "{name} in {headers}");
        }
        assert_eq!(header(asked.headers(), "vary").as_deref(), Some("origin"));
        // Answers, failures, and what has no path: a page may read all of it.
        for path in
            ["/v1/me", "/v1/channels/support/interactions/1", "/v1/channels/other/interactions", "/nothing", REPLY]
        {
            assert_eq!(allowed(&engine, path, origin).await.as_deref(), Some(origin), "{path}");
        }
    }
    let others = [
        "https://evil.example.com",
        "https://desk.example.com.evil.example",
        "http://desk.example.com",
        "null",
        DESK.to_uppercase().as_str(),
    ]
    .map(str::to_owned);
    for origin in &others {
        let asked = preflight(&engine, ports::PUBLIC, origin).await;
        assert_eq!(asked.status(), StatusCode::FORBIDDEN, "{origin}");
        assert_eq!(header(asked.headers(), "access-control-allow-origin"), None);
        let problem: serde_json::Value = asked.json().await.unwrap();
        assert_eq!(problem["type"], "urn:aldis:problem:origin-not-allowed");
        assert_eq!(allowed(&engine, "/v1/me", origin).await, None, "{origin}");
    }
    let response = engine.agent("ana", Method::GET, "/v1/me").header("Origin", DESK).send().await.unwrap();
    let readable = header(response.headers(), "access-control-expose-headers").unwrap();
    assert!(["retry-after", "location", "idempotency-replayed"].iter().all(|name| readable.contains(name)));
    let no_page = engine.agent("ana", Method::GET, "/v1/me").send().await.unwrap();
    assert_eq!(header(no_page.headers(), "vary").as_deref(), Some("origin"), "what is kept for one is not for another");

    assert_ne!(preflight(&engine, ports::INTERNAL, DESK).await.status(), StatusCode::NO_CONTENT);
    let status = engine.as_role(GATEWAY, Method::GET, &internal(ports::CHANNEL_STATUS_PATH)).header("Origin", DESK);
    let headers = status.send().await.unwrap().headers().clone();
    assert_eq!(header(&headers, "access-control-allow-origin"), None, "agents' port only");
}

#[tokio::test]
async fn origins_change_with_the_configuration() {
    let gateway = FakeGateway::start().await;
    let mut engine = Engine::start(&gateway.url, |_| {}).await;
    assert_eq!(allowed(&engine, "/v1/me", DESK).await, None, "none by default");
    engine.configure(|document| document["campaign"]["allowedOrigins"] = json!([DESK])).await;
    assert_eq!(allowed(&engine, "/v1/me", DESK).await.as_deref(), Some(DESK));
    engine.configure(|document| document["campaign"]["allowedOrigins"] = json!([])).await;
    assert_eq!(allowed(&engine, "/v1/me", DESK).await, None);
    let options = engine.agent("ana", Method::OPTIONS, "/v1/me");
    assert_eq!(answer(options).await.0, 405, "no browser asks like this");
}
