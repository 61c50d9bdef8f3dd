//! Parameters of a webhook that is believed: in the query of a GET, or in the form or the JSON object that a POST brings.

use axum::http::{Method, header::CONTENT_TYPE};
use serde_json::{Map, Value};

use crate::gateway::providers::{MAX_PARAMETERS, Malformed, WebhookCall, form, only};

/// By name; all but files are texts.
#[derive(Debug)]
pub(super) struct Parameters(Map<String, Value>);

impl Parameters {
    pub(super) fn of(call: &WebhookCall) -> Result<Self, Malformed> {
        let media_type = only(&call.head.headers, CONTENT_TYPE.as_str()).unwrap_or_default();
        let is_json = media_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json");
        let encoded = match call.head.method {
            Method::GET => call.head.query.as_deref().unwrap_or_default().as_bytes(),
            _ if is_json => {
                let object = serde_json::from_slice(&call.body);
                return object.map(Self).map_err(|error| Malformed(format!("not a JSON object: {error}")));
            }
            _ => &call.body,
        };
        let pairs = form::parse(encoded, MAX_PARAMETERS).ok_or_else(|| Malformed("too many parameters".into()))?;
        Ok(Self(pairs.into_iter().map(|(name, value)| (name, Value::String(value))).collect()))
    }

    /// The text of the first of these that has one.
    pub(super) fn get(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| match self.0.get(*name)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        })
    }

    pub(super) fn required(&self, names: &[&str]) -> Result<String, Malformed> {
        self.get(names).ok_or_else(|| Malformed(format!("no parameter {}", names.join(" or "))))
    }

    /// A list of texts, which only JSON has.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let items = self.0.get(name).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    }
}
