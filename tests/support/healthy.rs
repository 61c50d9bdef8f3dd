//! What gateways and engines that are well say of themselves, for stubs that answer for pods.

use serde_json::{Value, json};

/// The status of a gateway whose provider has these numbers.
pub fn gateway(numbers: Vec<Value>) -> Value {
    json!({
        "version": "0.1.0", "credentials": {"state": "Valid", "checkedAt": "2026-01-01T00:00:00Z"},
        "provider": {"state": "Answers", "checkedAt": "2026-01-01T00:00:00Z"},
        "numbersListedAt": "2026-01-01T00:00:00Z", "numbers": numbers, "sampledAt": "2026-01-01T00:00:00Z",
        "spool": {"waiting": 0, "unrouted": 0, "oldestWaitSeconds": 0}, "traffic": {},
    })
}

/// A number as a provider has it where all is well.
pub fn number(number: &str) -> Value {
    json!({"number": number, "atProvider": true, "smsCapable": true, "webhook": {"state": "InSync"}})
}

/// The status of an engine with this configuration.
pub fn engine(document: &Value) -> Value {
    json!({
        "version": "0.1.0", "inHours": true, "sampledAt": "2026-01-01T00:00:00Z",
        "queue": {"waiting": 0, "oldestWaitSeconds": 0, "withBot": 0, "active": 0, "waitingBeyondTarget": 0, "maxQueued": 0},
        "agents": {"online": 0, "available": 0},
        "store": {"id": format!("store-{}", document["channel"]["name"].as_str().unwrap_or_default()), "commits": 7,
                  "number": document["number"], "account": document["gateway"]["account"], "accepted": true},
        "serviceLevel": {"answered": 0, "answeredInTarget": 0, "abandoned": 0, "abandonedInTarget": 0, "unanswered": 0},
        "outbox": {"waiting": 0, "inFlight": 0, "unknown": 0},
    })
}

/// Says `overlay` over `value`: maps field by field, all else whole.
pub fn merge(value: &mut Value, overlay: &Value) {
    match (value, overlay) {
        (Value::Object(value), Value::Object(overlay)) => {
            for (key, overlay) in overlay {
                merge(value.entry(key.clone()).or_insert(Value::Null), overlay);
            }
        }
        (value, overlay) => *value = overlay.clone(),
    }
}
