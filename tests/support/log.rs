//! What roles log: lines of JSON, each with the spans in which it was written.

use serde_json::Value;

/// The spans of each line with this message, the outer span first.
pub fn spans_of_each(log: &str, message: &str) -> Vec<Vec<Value>> {
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let of_line = |line: Value| line["spans"].as_array().cloned().unwrap_or_default();
    lines.filter(|line| line["message"] == message).map(of_line).collect()
}

/// The spans of the only line with this message.
pub fn spans(log: &str, message: &str) -> Vec<Value> {
    let mut found = spans_of_each(log, message);
    assert_eq!(found.len(), 1, "{message:?} is not there once:\n{log}");
    found.remove(0)
}
