//! Whether an object in the cluster already is what we would apply.

use serde_json::Value;

/// Whether everything that `desired` says holds in `live`. Maps may hold more (defaults, fields of others); lists must have the
/// same elements, those with a key in any order.
pub(super) fn holds(desired: &Value, live: &Value) -> bool {
    match (desired, live) {
        (Value::Object(desired), Value::Object(live)) => desired.iter().all(|(key, value)| match live.get(key) {
            Some(found) => holds(value, found),
            None => is_nothing(value),
        }),
        (Value::Array(desired), Value::Array(live)) => {
            desired.len() == live.len()
                && desired.iter().enumerate().all(|(index, element)| {
                    counterpart(element, live, index).is_some_and(|found| holds(element, found))
                })
        }
        (desired, live) => desired == live || same_quantity(desired, live),
    }
}

/// What the API server drops when it stores an object.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Number(number) => number.as_i64() == Some(0),
    }
}

/// The element of `live` that stands for `element`: of the same key, else at the same place.
fn counterpart<'a>(element: &Value, live: &'a [Value], index: usize) -> Option<&'a Value> {
    match key(element) {
        Some(wanted) => live.iter().find(|candidate| key(candidate) == Some(wanted)),
        None => live.get(index),
    }
}

/// The key of an element of a keyed list, as far as our manifests have such lists.
pub(super) fn key(element: &Value) -> Option<&str> {
    element.get("mountPath").or_else(|| element.get("name"))?.as_str()
}

/// The API server writes quantities in their canonical form (`1000m` as `1`, `1024Mi` as `1Gi`).
fn same_quantity(desired: &Value, live: &Value) -> bool {
    match (desired.as_str().and_then(quantity), live.as_str().and_then(quantity)) {
        (Some(one), Some(other)) => one == other,
        (_, _) => false,
    }
}

/// A quantity in billionths, the smallest that the API server knows.
fn quantity(text: &str) -> Option<i128> {
    const ONE: i128 = 1_000_000_000;
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let scale = match suffix {
        "n" => 1,
        "u" => ONE / 1_000_000,
        "m" => ONE / 1_000,
        "" => ONE,
        "k" => ONE * 1_000,
        "M" => ONE * 1_000_000,
        "G" => ONE * 1_000_000_000,
        "T" => ONE * 1_000_000_000_000,
        "P" => ONE * 1_000_000_000_000_000,
        "E" => ONE * 1_000_000_000_000_000_000,
        "Ki" => ONE << 10,
        "Mi" => ONE << 20,
        "Gi" => ONE << 30,
        "Ti" => ONE << 40,
        "Pi" => ONE << 50,
        "Ei" => ONE << 60,
        _ => return None,
    };
    if fraction.len() > 9 {
        return None;
    }
    let whole: i128 = whole.parse().ok()?;
    let part: i128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let ten: i128 = 10;
    let part = part.checked_mul(scale)? / ten.pow(u32::try_from(fraction.len()).ok()?);
    whole.checked_mul(scale)?.checked_add(part)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_of_the_server_do_not_count_as_a_difference() {
        let desired = json!({"spec": {"ports": [{"name": "a", "port": 1}]}});
        let live = json!({"spec": {"ports": [{"name": "a", "port": 1, "protocol": "TCP"}], "type": "ClusterIP"}, "status": {}});
        assert!(holds(&desired, &live));
    }

    #[test]
    fn a_changed_value_and_a_foreign_element_count() {
        let desired = json!({"containers": [{"name": "engine", "image": "a"}]});
        assert!(!holds(&desired, &json!({"containers": [{"name": "engine", "image": "b"}]})));
        assert!(!holds(&desired, &json!({"containers": [{"name": "engine", "image": "a"}, {"name": "x"}]})));
        assert!(!holds(&desired, &json!({"containers": []})));
        assert!(!holds(&desired, &json!({})));
    }

    #[test]
    fn keyed_lists_may_be_in_another_order() {
        let desired = json!([{"name": "a", "v": 1}, {"name": "b", "v": 2}]);
        assert!(holds(&desired, &json!([{"name": "b", "v": 2}, {"name": "a", "v": 1}])));
    }

    #[test]
    fn quantities_are_compared_by_what_they_mean() {
        let equal = [
            ("1000m", "1"),
            ("1024Mi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("0.5", "500m"),
            ("0.0005", "500u"),
            ("0.5m", "500u"),
            ("1024Ti", "1Pi"),
            ("1000P", "1E"),
        ];
        for (one, other) in equal {
            assert!(holds(&json!(one), &json!(other)), "{one} {other}");
        }
        for (one, other) in [("1", "2"), ("1Gi", "1G"), ("a", "b"), ("1", "1x"), ("1m", "1u"), (&"9".repeat(20), "1E")]
        {
            assert!(!holds(&json!(one), &json!(other)), "{one} {other}");
        }
    }

    #[test]
    fn what_the_server_drops_counts_as_there() {
        assert!(holds(&json!({"readOnly": false, "args": []}), &json!({})));
        assert!(!holds(&json!({"readOnly": true}), &json!({})));
    }
}
