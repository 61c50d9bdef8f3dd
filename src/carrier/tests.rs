//! What is wrong with a carrier is named; what the examples describe works.

use super::*;

fn spec(change: Value) -> Value {
    let mut spec = json!({
        "account": "demo", "baseUrl": "https://carrier.example", "credentialsSecretRef": {"name": "s"},
        "send": {"path": "/send", "query": [{"name": "to", "value": "{{to}}"}]},
    });
    spec.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    spec
}

fn read(change: Value) -> Result<Carrier, String> {
    Carrier::new(serde_json::from_value(spec(change)).unwrap()).map_err(|fault| fault.to_string())
}

fn webhooks(status: Value) -> Value {
    let mut webhooks = json!({"proof": {"by": "Query", "name": "token"}});
    if !status.is_null() {
        webhooks["status"] = status;
    }
    webhooks
}

#[test]
fn a_fault_names_its_field() {
    let send = |change: Value| {
        let mut send = json!({"path": "/send"});
        send.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        json!({ "send": send })
    };
    let field = |name: &str, value: &str| json!([{"name": name, "value": value}]);
    let receipts = |change: Value| {
        let mut status = json!({"state": "s", "states": [{"word": "1", "state": "Delivered"}]});
        status.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        webhooks(status)
    };
    let cases = [
        (send(json!({"query": field("to", "{{too}}")})), "send.query[to].value: {{too}} is unknown: there are from,"),
        (send(json!({"form": field("to", "{{ }}")})), "send.form[to].value: {{}} is unknown"),
        (send(json!({"form": field("to", "{{secret.}}")})), "send.form[to].value: {{secret.}} is unknown"),
        (send(json!({"form": field("to", "{{to")})), "send.form[to].value: {{ is not closed"),
        (send(json!({"path": "/send/{{text}}"})), "send.path: {{text}} cannot stand here"),
        (send(json!({"path": "/send/{{secret.key}}"})), "send.path: {{secret.key}} cannot stand here"),
        (send(json!({"path": "/../send"})), "send.path: write it as"),
        (send(json!({"path": "/.%2E/send"})), "send.path: write it as"),
        (
            send(json!({"headers": field("X-Text", "{{text}}")})),
            "send.headers[X-Text].value: {{text}} cannot stand here",
        ),
        (send(json!({"headers": field("X Text", "a")})), "send.headers[X Text]: the name of a header"),
        (send(json!({"headers": field("host", "a")})), "send.headers[host]: the gateway sets this header itself"),
        (send(json!({"json": "{"})), "send.json: is no JSON document"),
        (send(json!({"json": "{\"a\": [\"{{b}}\"]}"})), "send.json: {{b}} is unknown"),
        (
            send(json!({"answers": [{"name": "no", "body": "(", "means": "Failed"}]})),
            "send.answers[no].body: the pattern is not valid: unclosed group",
        ),
        (
            send(json!({"answers": [{"name": "no", "body": "(a{999}){999}", "means": "Failed"}]})),
            "send.answers[no].body: the pattern is too large",
        ),
        (send(json!({"messageId": {"pointer": "/a~b"}})), "send.messageId.pointer: \"/a~b\" is no JSON pointer"),
        (send(json!({"messageId": {}})), "send.messageId: set exactly one"),
        (
            send(json!({"form": field("dlr", "{{callback}}")})),
            "webhooks.status: send names {{callback}}, and nothing says",
        ),
        (json!({"check": {"path": "/{{to}}"}}), "check.path: {{to}} cannot stand here"),
        (
            json!({"check": {"path": "/", "query": field("a", "{{id}}")}}),
            "check.query[a].value: {{id}} cannot stand here",
        ),
        (json!({"webhooks": receipts(json!({}))}), "webhooks.status: receipts do not find their message"),
        (json!({"webhooks": receipts(json!({"id": "id"}))}), "webhooks.status: receipts do not find their message"),
        (
            json!({"webhooks": receipts(json!({"id": "/a~2", "from": "f"}))}),
            "webhooks.status.id: \"/a~2\" is no JSON pointer",
        ),
        (json!({"webhooks": {"proof": {"by": "Header"}}}), "webhooks.proof.name: is missing"),
    ];
    for (change, words) in cases {
        let fault = read(change.clone()).err().unwrap_or_else(|| panic!("{change} was accepted"));
        assert!(fault.starts_with(words), "{change}: {fault}");
    }
    read(json!({"webhooks": receipts(json!({"id": "id", "from": "f"}))})).unwrap();
}

#[test]
fn keys_of_the_secret_are_those_that_are_used() {
    let keys = |change| read(change).unwrap().keys().map(str::to_owned).collect::<Vec<_>>();
    assert!(keys(json!({})).is_empty());
    assert_eq!(keys(json!({"authentication": "Basic"})), ["password", "username"]);
    let all = json!({
        "send": {
            "path": "/send", "json": "{\"key\": \"{{secret.a}}\"}",
            "headers": [{"name": "Authorization", "value": "Bearer {{ secret.b }}"}],
        },
        "check": {"path": "/me", "query": [{"name": "k", "value": "{{secret.c.d}}"}]},
        "webhooks": webhooks(Value::Null),
    });
    assert_eq!(keys(all), ["a", "b", "c.d", "webhookSecret"]);
}

#[test]
fn a_gateways_document_has_no_secret() {
    let mut document = spec(json!({}));
    document.as_object_mut().unwrap().remove("credentialsSecretRef");
    document["kind"] = json!("http");
    let carrier: Carrier = serde_json::from_value(document).unwrap();
    assert_eq!(carrier.base_url(), "https://carrier.example");
    let error = serde_json::from_value::<Carrier>(spec(json!({"send": {"path": "/{{x}}"}}))).unwrap_err();
    assert!(error.to_string().starts_with("send.path: {{x}} is unknown"), "{error}");
}

#[test]
fn the_examples_are_without_faults() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/http");
    let mut connectors = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "yaml") {
            let object: Value = serde_saphyr::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            if object["kind"] == "SmsConnector" {
                let spec = serde_json::from_value(object["spec"]["provider"]["http"].clone()).unwrap();
                Carrier::new(spec).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
                connectors += 1;
            }
        }
    }
    assert!(connectors >= 3, "{connectors}");
}
