//! Supervisors list who has opted out, and bring along who did elsewhere.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

use super::{MIA, TOM, stream};
use crate::support::{
    engine::{DESK, Engine},
    gateway_fake::FakeGateway,
    process::eventually,
};

const OPT_OUTS: &str = "/v1/channels/support/opt-outs";
const IMPORTS: &str = "/v1/channels/support/opt-out-imports";

/// An engine with ana present and the supervisor eva.
async fn supervised() -> (Engine, FakeGateway) {
    let gateway = FakeGateway::start().await;
    let engine = Engine::start(&gateway.url, |document| document["campaign"]["supervisors"] = json!(["eva"])).await;
    engine.presence("ana", true).await;
    (engine, gateway)
}

async fn import(engine: &Engine, listed: Value) -> (u16, Value) {
    engine.post("eva", OPT_OUTS, json!({ "source": "the old system", "optOuts": listed })).await
}

/// All that are listed, page by page.
async fn listed(engine: &Engine, limit: usize) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = engine.get("eva", &format!("{OPT_OUTS}?limit={limit}{cursor}")).await;
        let found = page["items"].as_array().unwrap();
        assert!(found.len() <= limit);
        items.extend(found.iter().cloned());
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

fn numbers(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["number"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_is_imported_is_in_force_at_once_and_listed_with_how_it_came_about() {
    let (mut engine, gateway) = supervised().await;
    let _stream = stream::open(&engine, "ana", None).await;
    assert_eq!(engine.inbound("SM-1", MIA, "STOP").await.1["outcome"], "OptedOut");
    gateway.wait_for(1).await;
    let unknown = "+15559870777";
    let list = json!([
        { "number": TOM, "optedOutAt": "2026-01-02T03:04:05Z" }, { "number": MIA }, { "number": unknown },
    ]);
    assert_eq!(import(&engine, list.clone()).await, (200, json!({ "optedOut": 2, "alreadyOptedOut": 1 })));
    assert_eq!(import(&engine, list).await, (200, json!({ "optedOut": 0, "alreadyOptedOut": 3 })));
    engine.crash().await;

    let items = listed(&engine, 2).await;
    assert_eq!(numbers(&items), [MIA, TOM, unknown]);
    let how: Vec<_> = items.iter().map(|item| (&item["by"], &item["user"])).collect();
    let imported = (&json!("Import"), &json!("eva"));
    assert_eq!(how, [(&json!("Keyword"), &Value::Null), imported, imported]);
    assert_eq!(items[1]["optedOutAt"], "2026-01-02T03:04:05Z");
    let since = |item: &Value| item["optedOutAt"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(since(&items[0]) <= since(&items[2]) && since(&items[2]) <= jiff::Timestamp::now());

    let start = json!({ "number": unknown, "text": "hi" });
    let (status, problem) = engine.post("ana", "/v1/channels/support/interactions", start.clone()).await;
    assert_eq!((status, &problem["type"]), (409, &json!("urn:aldis:problem:opted-out")));
    assert_eq!(engine.inbound("SM-2", unknown, "START").await.1["outcome"], "OptedIn");
    assert_eq!(numbers(&listed(&engine, 200).await), [MIA, TOM]);
    assert_eq!(engine.post("ana", "/v1/channels/support/interactions", start).await.0, 201);
}

#[tokio::test]
async fn a_start_that_came_before_the_opt_out_opts_nobody_in() {
    let (engine, _gateway) = supervised().await;
    let now = jiff::Timestamp::now();
    let later = now + jiff::SignedDuration::from_mins(10);
    assert_eq!(import(&engine, json!([{ "number": MIA, "optedOutAt": later }, { "number": TOM }])).await.0, 200);
    let late = |id: &str, from: &str| {
        let mut message = crate::support::engine::inbound(id, from, "START");
        message["receivedAt"] = json!(now - jiff::SignedDuration::from_mins(1));
        let path = crate::support::engine::internal(aldis::wire::ports::INBOUND_PATH);
        let request = engine.as_role(crate::support::engine::GATEWAY, reqwest::Method::POST, &path).json(&message);
        crate::support::engine::answer(request)
    };
    assert_eq!(late("SM-1", MIA).await.1["outcome"], "Queued");
    assert_eq!(late("SM-2", TOM).await.1["outcome"], "Queued");
    assert_eq!(numbers(&listed(&engine, 50).await), [MIA, TOM]);
    // An import with a later time than that which was known counts for this too.
    let known = now - jiff::SignedDuration::from_mins(2);
    let lea = "+15559870777";
    for at in [known, now] {
        assert_eq!(import(&engine, json!([{ "number": lea, "optedOutAt": at }])).await.0, 200);
    }
    assert_eq!(late("SM-3", lea).await.1["outcome"], "Queued");
    assert_eq!(engine.inbound("SM-4", MIA, "START").await.1["outcome"], "OptedIn");
    assert_eq!(engine.inbound("SM-5", lea, "START").await.1["outcome"], "OptedIn");
}

#[tokio::test]
async fn each_import_leaves_who_when_how_many_and_where_from() {
    let (engine, _gateway) = supervised().await;
    assert_eq!(import(&engine, json!([{ "number": MIA }, { "number": TOM }, { "number": TOM }])).await.0, 200);
    let body = json!({ "source": "channel sales-us", "optOuts": [{ "number": TOM }] });
    let request = |key: &str| {
        let request = engine.agent("eva", reqwest::Method::POST, OPT_OUTS).header("Idempotency-Key", key);
        crate::support::engine::answer(request.json(&body))
    };
    let first = request("once").await;
    assert_eq!(first, (200, json!({ "optedOut": 0, "alreadyOptedOut": 1 })));
    assert_eq!(request("once").await, first);

    let imports = engine.get("eva", &format!("{IMPORTS}?limit=1")).await;
    let (newest, next) = (&imports["items"], imports["nextCursor"].as_str().unwrap());
    let older = engine.get("eva", &format!("{IMPORTS}?cursor={next}")).await;
    let said = |item: &Value| json!([item["user"], item["source"], item["listed"], item["optedOut"]]);
    assert_eq!((newest.as_array().unwrap().len(), said(&newest[0])), (1, json!(["eva", "channel sales-us", 1, 0])));
    assert_eq!(older["items"].as_array().unwrap().len(), 1, "a repeated request is no other import");
    assert_eq!(said(&older["items"][0]), json!(["eva", "the old system", 3, 2]));

    let events = "SELECT value ->> 'user' AS user, value ->> 'listed' AS listed, value ->> 'optedOut' AS opted_out
                  FROM event, json_each(body) WHERE value ->> 'type' = 'OptOutsImported' ORDER BY last";
    let event = |listed: u32, opted_out: u32| json!({ "user": "eva", "listed": listed, "opted_out": opted_out });
    assert_eq!(engine.sqlite(events), [event(3, 2), event(1, 0)]);
    let bodies = engine.sqlite("SELECT group_concat(body) AS bodies FROM event");
    let log = eventually("the import is logged", || async {
        let log = engine.role.log();
        if log.matches("a supervisor imported opt-outs").count() == 2 { Ok(log) } else { Err(log) }
    })
    .await;
    for private in [MIA, TOM, "the old system"] {
        assert!(!log.contains(private), "{private} is in the log");
        assert!(!bodies[0]["bodies"].as_str().unwrap().contains(private), "{private} is in the events");
    }
}

#[tokio::test]
async fn only_supervisors_may_and_what_is_wrong_is_named() {
    let (engine, _gateway) = supervised().await;
    for path in [OPT_OUTS, IMPORTS] {
        assert_eq!(engine.agent("ana", reqwest::Method::GET, path).send().await.unwrap().status(), 403);
    }
    let body = |listed: Value| json!({ "source": "x", "optOuts": listed });
    let many: Vec<Value> = (0..501).map(|n| json!({ "number": format!("+1555986{n:04}") })).collect();
    let future = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(2);
    let of = |number: &str| json!({ "number": number });
    let cases = [
        ("ana", body(json!([of(MIA)])), 403, "not-a-supervisor", Value::Null, "is not a supervisor"),
        ("eva", json!({ "optOuts": [of(MIA)] }), 422, "invalid-field", json!("/source"), "missing field"),
        (
            "eva",
            json!({ "source": " ", "optOuts": [of(MIA)] }),
            422,
            "invalid-field",
            json!("/source"),
            "say in 1 to 200",
        ),
        (
            "eva",
            json!({ "source": "x".repeat(201), "optOuts": [of(MIA)] }),
            422,
            "invalid-field",
            json!("/source"),
            "201",
        ),
        ("eva", body(json!([])), 422, "invalid-field", json!("/optOuts"), "at least one"),
        ("eva", body(json!(many)), 422, "invalid-field", json!("/optOuts"), "501 entries; give at most 500"),
        (
            "eva",
            body(json!([of(MIA), of("5559870001")])),
            422,
            "invalid-field",
            json!("/optOuts/1/number"),
            "write it as",
        ),
        ("eva", body(json!([of(MIA), {}])), 422, "invalid-field", json!("/optOuts/1/number"), "missing field"),
        (
            "eva",
            body(json!([{ "number": MIA, "optedOutAt": "May" }])),
            422,
            "invalid-field",
            json!("/optOuts/0/optedOutAt"),
            "write it as 2026-01-02T03:04:05Z",
        ),
        (
            "eva",
            body(json!([of(MIA), { "number": TOM, "optedOutAt": future }])),
            422,
            "opt-out-in-future",
            json!("/optOuts/1/optedOutAt"),
            "write when the customer opted out",
        ),
    ];
    for (user, body, status, reason, field, words) in cases {
        let (found, problem) = engine.post(user, OPT_OUTS, body).await;
        let kind = format!("urn:aldis:problem:{reason}");
        assert_eq!((found, &problem["type"], &problem["field"]), (status, &json!(kind), &field), "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{words}: {problem}");
    }
    assert_eq!(listed(&engine, 50).await, Vec::<Value>::new(), "nobody of a list with a fault");
    let delete = engine.agent("eva", reqwest::Method::DELETE, &format!("{OPT_OUTS}/{MIA}")).send().await.unwrap();
    assert_eq!(delete.status(), 404, "an opt-out is the customer's");
}

/// The commands of docs/operations.md.
fn documented() -> String {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md")).unwrap();
    let (_, section) = page.split_once("\n## Bring opt-outs along\n").expect("the section");
    let (_, script) = section.split_once("```bash\n").expect("the commands");
    script.split_once("```").expect("their end").0.to_owned()
}

#[tokio::test]
async fn the_documented_commands_move_a_list_from_one_channel_to_another() {
    let (from, _gateway) = supervised().await;
    let (to, _other) = supervised().await;
    let many: Vec<String> = (0..450).map(|n| format!("+1555986{n:04}")).collect();
    let list: Vec<Value> =
        many.iter().map(|number| json!({ "number": number, "optedOutAt": "2026-02-01T00:00:00Z" })).collect();
    assert_eq!(import(&from, json!(list)).await.1["optedOut"], 450);
    assert_eq!(from.inbound("SM-1", MIA, "STOP").await.0, 200);
    let url = |engine: &Engine| format!("http://{}:8080/v1/channels/support", engine.address);
    // Each engine trusts the other's issuer.
    let trusted = to.document["agentIssuers"].clone();
    let token = to.issuer.token("eva", DESK);
    let mut from = from;
    from.configure(|document| document["agentIssuers"] = trusted).await;
    let run_to = |to: String| {
        let mut script = Command::new("bash");
        script.args(["-uo", "pipefail", "-c", &documented()]);
        script.env("FROM", url(&from)).env("TO", to).env("TOKEN", &token);
        tokio::task::spawn_blocking(move || script.output().expect("bash is installed"))
    };
    for _ in 0..2 {
        let output = run_to(url(&to)).await.unwrap();
        assert!(
            output.status.success(),
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let broken_off = run_to("http://127.0.0.1:9/v1/channels/support".into()).await.unwrap();
    assert!(!broken_off.status.success(), "it says that it broke off");
    let moved = listed(&to, 200).await;
    assert_eq!(numbers(&moved), many.iter().map(String::as_str).chain([MIA]).collect::<Vec<_>>());
    assert!(moved[..450].iter().all(|item| item["optedOutAt"] == "2026-02-01T00:00:00Z" && item["by"] == "Import"));
    let imports = to.get("eva", IMPORTS).await;
    assert_eq!(imports["items"].as_array().unwrap().len(), 3, "a page each, however often it is repeated");
}
