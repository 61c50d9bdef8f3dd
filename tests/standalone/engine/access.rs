//! Who may do what.

use aldis::wire::{delivery::MAX_DELIVERIES, ports};
use reqwest::Method;
use serde_json::{Value, json};

use super::{MIA, desk};
use crate::support::engine::{
    CHANNEL, DESK, ENGINE, Engine, GATEWAY, NUMBER, OPERATOR, ROLES, answer, inbound, internal,
};

/// A path of the channel.
fn below(path: &str) -> String {
    ports::of_channel(ports::CHANNEL_PATH, CHANNEL) + path
}

async fn shown(engine: &Engine, port: u16, method: Method, path: &str, token: Option<String>, body: &Value) -> u16 {
    let request = reqwest::Client::new().request(method, format!("http://{}:{port}{path}", engine.address)).json(body);
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn each_interface_lets_in_whom_it_is_for() {
    let (engine, _gateway) = desk().await;
    let token = |user: &str, audience: &str| Some(engine.issuer.token(user, audience));
    let message = inbound("SM-1", MIA, "hello");
    let receipt =
        json!({ "providerMessageId": "SM-9", "from": NUMBER, "state": "Sent", "receivedAt": jiff::Timestamp::now() });
    let (none, nothing) = (Value::Null, json!([]));
    let paths = [ports::INBOUND_PATH, ports::RECEIPTS_PATH, ports::DELIVERIES_PATH, ports::CHANNEL_STATUS_PATH];
    let [arrivals, receipts, several, status] = paths.map(internal);
    let cases = [
        (ports::PUBLIC, Method::GET, "/v1/me", token("ana", DESK), &none, 200, "a member"),
        (ports::PUBLIC, Method::GET, "/v1/me", token("eve", DESK), &none, 403, "no member"),
        (ports::PUBLIC, Method::GET, "/v1/me", token("ana", ROLES), &none, 401, "another audience"),
        (ports::PUBLIC, Method::GET, "/v1/me", token("ana", "aldis-desk:other"), &none, 401, "another namespace"),
        (ports::PUBLIC, Method::GET, "/v1/me", None, &none, 401, "no token"),
        (ports::PUBLIC, Method::GET, "/v1/me", Some("x.y.z".into()), &none, 401, "no real token"),
        (ports::PUBLIC, Method::GET, "/v1/channels/support/stream", None, &none, 401, "no token for the stream"),
        (ports::PUBLIC, Method::GET, "/openapi.json", None, &none, 200, "the document is for everybody"),
        (ports::INTERNAL, Method::POST, &arrivals, token(GATEWAY, ROLES), &message, 200, "the gateway"),
        (
            ports::INTERNAL,
            Method::POST,
            &arrivals,
            token(OPERATOR, ROLES),
            &message,
            403,
            "the operator brings no messages",
        ),
        (ports::INTERNAL, Method::POST, &arrivals, token(ENGINE, ROLES), &message, 403, "another role"),
        (ports::INTERNAL, Method::POST, &arrivals, token(GATEWAY, "aldis:other"), &message, 401, "another namespace"),
        (ports::INTERNAL, Method::POST, &arrivals, token(GATEWAY, DESK), &message, 401, "an agent's token"),
        (ports::INTERNAL, Method::POST, &receipts, token(GATEWAY, ROLES), &receipt, 200, "the gateway"),
        (ports::INTERNAL, Method::POST, &receipts, token(ENGINE, ROLES), &receipt, 403, "another role"),
        (ports::INTERNAL, Method::POST, &several, token(GATEWAY, ROLES), &nothing, 200, "the gateway"),
        (ports::INTERNAL, Method::POST, &several, token(ENGINE, ROLES), &nothing, 403, "another role"),
        (ports::INTERNAL, Method::POST, &several, None, &nothing, 401, "no token"),
        (ports::INTERNAL, Method::GET, &status, token(OPERATOR, ROLES), &none, 200, "the operator"),
        (ports::INTERNAL, Method::GET, &status, token(GATEWAY, ROLES), &none, 403, "the gateway does not look"),
        (ports::INTERNAL, Method::GET, "/v1/me", token("ana", DESK), &none, 404, "agents have a port of their own"),
        (ports::PUBLIC, Method::GET, &status, token(OPERATOR, ROLES), &none, 404, "roles have a port of their own"),
    ];
    for (port, method, path, token, body, expected, what) in cases {
        assert_eq!(shown(&engine, port, method, path, token, body).await, expected, "{path}: {what}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_named() {
    let (engine, _gateway) = desk().await;
    engine.inbound("SM-1", MIA, "hello").await;
    let waiting = engine.get("ana", &below("/interactions")).await["items"][0]["id"].clone();
    let at = |action: &str| format!("/interactions/{waiting}/{action}");
    let (reply, transfer, accept, decline) = (at("reply"), at("transfer"), at("accept"), at("decline"));
    let long = "x".repeat(2000);
    let cases = [
        ("/interactions", json!({ "number": "5551230001", "text": "hi" }), 422, "invalid-field", Some("/number")),
        ("/interactions", json!({ "number": MIA }), 422, "invalid-field", Some("/text")),
        ("/interactions", json!({ "number": "+15559870009", "text": " " }), 422, "empty-text", Some("/text")),
        ("/interactions", json!({ "number": "+15559870009", "text": long }), 422, "text-too-long", Some("/text")),
        ("/interactions", json!({ "number": MIA, "text": "hi" }), 409, "already-open", None),
        (reply.as_str(), json!({ "epoch": 0, "text": "hi" }), 409, "not-owner", None),
        ("/interactions/99/reply", json!({ "epoch": 0, "text": "hi" }), 404, "not-open", None),
        ("/interactions/x/reply", json!({ "epoch": 0, "text": "hi" }), 404, "not-found", None),
        (transfer.as_str(), json!({ "epoch": 0 }), 422, "invalid-field", Some("/to")),
        (transfer.as_str(), json!({ "epoch": 0, "to": "nowhere" }), 422, "invalid-field", Some("/to")),
        (transfer.as_str(), json!({ "epoch": 0, "to": "queue" }), 409, "not-owner", None),
        (accept.as_str(), json!({ "offer": 1 }), 409, "offer-over", Some("/offer")),
        (decline.as_str(), json!({}), 422, "invalid-field", Some("/offer")),
        ("/nothing", json!({}), 404, "not-found", None),
        ("/interactions/1", json!({}), 405, "method-not-allowed", None),
    ];
    for (path, body, status, reason, field) in cases {
        let path = &below(path);
        let (found, problem) = engine.post("ana", path, body).await;
        assert_eq!(found, status, "{path}: {problem}");
        assert_eq!(problem["type"], format!("urn:aldis:problem:{reason}"), "{path}");
        assert_eq!(problem["field"].as_str(), field, "{path}: {problem}");
    }
    let request =
        engine.agent("ana", Method::POST, &below("/interactions")).json(&json!({ "number": MIA, "text": "hi" }));
    assert_eq!(answer(request).await.1["type"], "urn:aldis:problem:idempotency-key-missing");
    let large = engine
        .agent("ana", Method::POST, &below("/interactions"))
        .header("Idempotency-Key", "1")
        .body("x".repeat(100_000));
    assert_eq!(answer(large).await.0, 413);
    for path in ["/interactions?limit=0", "/interactions?cursor=x", "/customers/5551/messages"] {
        assert_eq!(answer(engine.agent("ana", Method::GET, &below(path))).await.0, 422, "{path}");
    }
    for path in ["/interactions/%FF", "/customers/%FF/messages"] {
        let (status, problem) = answer(engine.agent("ana", Method::GET, &below(path))).await;
        assert_eq!((status, &problem["type"]), (400, &json!("urn:aldis:problem:bad-request")), "{path}");
    }
    assert_eq!(engine.inbound("SM-2", MIA, "hello").await.0, 200);
    let mut other = inbound("SM-3", MIA, "for another number");
    other["to"] = json!("+15551239999");
    let refused = answer(engine.as_role(GATEWAY, Method::POST, &internal(ports::INBOUND_PATH)).json(&other)).await;
    assert_eq!((refused.0, &refused.1["field"]), (422, &json!("/to")));
}

#[tokio::test]
async fn several_deliveries_are_taken_or_refused_each_by_itself() {
    let (engine, _gateway) = desk().await;
    let path = internal(ports::DELIVERIES_PATH);
    let bring = |deliveries: Value| answer(engine.as_role(GATEWAY, Method::POST, &path).json(&deliveries));
    let message = |id: &str| json!({ "inbound": inbound(id, MIA, "hello") });
    let mut other = message("SM-2");
    other["inbound"]["to"] = json!("+15551239999");
    let receipt = json!({ "receipt": {
        "providerMessageId": "SM-9", "from": NUMBER, "state": "Delivered", "receivedAt": jiff::Timestamp::now() } });
    let (status, answers) = bring(json!([message("SM-1"), other, receipt, message("SM-1"), message("SM-3")])).await;
    assert_eq!((status, answers.as_array().map(Vec::len)), (200, Some(5)), "{answers}");
    assert_eq!([0, 2, 3, 4].map(|taken| &answers[taken]), [&Value::Null; 4]);
    assert_eq!((&answers[1]["status"], &answers[1]["field"]), (&json!(422), &json!("/to")));
    assert_eq!(engine.sqlite("SELECT count(*) AS n FROM message")[0]["n"], 2, "one came twice");
    assert_eq!(engine.sqlite("SELECT count(*) AS n FROM parked_receipt")[0]["n"], 1);

    assert_eq!(bring(json!([])).await, (200, json!([])));
    let many: Vec<_> = (0..=MAX_DELIVERIES).map(|id| message(&format!("SM-many-{id}"))).collect();
    assert_eq!(bring(json!(many)).await.0, 422);
    assert_eq!(bring(json!([{ "inbound": {} }])).await.1["field"], "/0/inbound/providerMessageId");
    assert_eq!(engine.sqlite("SELECT count(*) AS n FROM message")[0]["n"], 2, "all or none of what cannot be read");
}

#[tokio::test]
async fn only_paths_of_the_channel_that_the_engine_holds_are_answered() {
    let (engine, _gateway) = desk().await;
    let other = |pattern: &str| ports::of_channel(pattern, "other");
    let requests = [
        engine.agent("ana", Method::GET, &(other(ports::CHANNEL_PATH) + "/interactions")),
        engine.agent("nobody", Method::GET, &(other(ports::CHANNEL_PATH) + "/stream")),
        engine.agent("ana", Method::POST, &(other(ports::CHANNEL_PATH) + "/interactions/1/reply")),
        engine.as_role(GATEWAY, Method::POST, &other(ports::INBOUND_PATH)).json(&inbound("SM-1", MIA, "hello")),
        engine.as_role(GATEWAY, Method::POST, &other(ports::RECEIPTS_PATH)),
        engine.as_role(GATEWAY, Method::POST, &other(ports::DELIVERIES_PATH)),
        engine.as_role(OPERATOR, Method::GET, &other(ports::CHANNEL_STATUS_PATH)),
    ];
    for request in requests {
        let (status, problem) = answer(request).await;
        assert_eq!((status, &problem["type"]), (421, &json!("urn:aldis:problem:misdirected")), "{problem}");
    }
    let unnamed = engine.as_role(GATEWAY, Method::POST, "/internal/inbound").json(&inbound("SM-1", MIA, "hello"));
    assert_eq!(answer(unnamed).await.0, 404, "no path leaves the channel out");
    assert_eq!(engine.status().await["queue"]["waiting"], 0, "nothing of it came in");
}

#[tokio::test]
async fn an_agent_learns_which_channels_are_served_where_the_agent_asks() {
    let (engine, _gateway) = desk().await;
    let me = engine.get("ana", "/v1/me").await;
    assert_eq!(me["user"], "ana");
    let channels = me["channels"].as_array().unwrap();
    assert_eq!(channels.len(), 1, "{me}");
    assert_eq!(channels[0]["channel"], CHANNEL);
    assert_eq!(channels[0]["number"], NUMBER);
    assert_eq!(channels[0]["present"], true);
}
