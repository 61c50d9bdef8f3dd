//! Requests to Sinch's SMS REST API.

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Sinch, errors};
use crate::{
    gateway::{
        providers::{
            Answer, CheckError,
            http::{self, Answered},
        },
        public_url::PublicUrl,
    },
    wire::outbound::SendRequest,
};

#[derive(Deserialize)]
struct Batches {
    #[serde(rename = "batches")]
    _batches: Vec<Value>,
}

#[derive(Deserialize)]
struct Batch {
    id: String,
}

impl Sinch {
    /// Asks for the last batch: the smallest thing that takes the token.
    pub(super) async fn check_plan(&self) -> Result<(), CheckError> {
        let query = [("page", 0), ("page_size", 1)];
        let answered = http::call(self.request(Method::GET, "batches").query(&query)).await?;
        if answered.status != StatusCode::OK {
            return Err(errors::check_failed(&answered));
        }
        let wrong = |error| CheckError::fault(format!("not an answer of Sinch's API: {error}"));
        serde_json::from_slice::<Batches>(&answered.body).map(|_| ()).map_err(wrong)
    }

    /// Posts a batch of one message.
    pub(super) async fn post_batch(&self, request: &SendRequest, public_url: &PublicUrl) -> Answer {
        let mut batch = json!({
            "from": http::without_country(&request.from),
            "to": [http::without_country(&request.to)],
            "type": "mt_text",
            "body": request.text,
            "delivery_report": "per_recipient",
            "callback_url": public_url.status_callback(&request.receipt_token, &request.from),
        });
        let parameters = as_they_stand(&request.text);
        if !parameters.is_empty() {
            batch["parameters"] = Value::Object(parameters);
        }
        match http::call(self.request(Method::POST, "batches").json(&batch)).await {
            Ok(answered) if answered.status.is_success() => accepted(&answered),
            Ok(answered) => errors::refused(&answered),
            Err(error) => error.into(),
        }
    }
}

/// What makes Sinch leave a text as it was written: it takes `${name}` for a parameter, and fails a message whose parameters have no value.
/// Here each has itself. <https://developers.sinch.com/docs/sms/resources/message-info/message-parameterization>.
fn as_they_stand(text: &str) -> Map<String, Value> {
    let names = text.split("${").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name);
    let is_name = |name: &&str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
    };
    names.filter(is_name).map(|name| (name.to_owned(), json!({"default": format!("${{{name}}}")}))).collect()
}

fn accepted(answered: &Answered) -> Answer {
    match serde_json::from_slice::<Batch>(&answered.body) {
        Ok(Batch { id }) if !id.is_empty() => Answer::accepted(vec![id], None),
        Ok(_) => Answer::unknown(format!("Sinch answered {} without the id of a batch", answered.status)),
        Err(error) => Answer::unknown(format!("Sinch answered {} but not with a batch: {error}", answered.status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::outbound::SendOutcome;

    #[test]
    fn an_accepted_message_has_an_id() {
        let answer =
            |body: &str| accepted(&Answered { status: StatusCode::CREATED, retry_after: None, body: body.into() });
        let body = r#"{"id": "01FC66621XXXXX119Z8PMV1QPQ", "to": ["15559870001"], "canceled": false}"#;
        assert_eq!(answer(body), Answer::accepted(vec!["01FC66621XXXXX119Z8PMV1QPQ".into()], None));
        for body in ["<html>", r#"{"id": ""}"#] {
            assert!(matches!(answer(body).outcome, SendOutcome::Unknown { .. }), "{body}");
        }
    }

    #[test]
    fn what_looks_like_a_parameter_stays_as_it_was_written() {
        let text = "Hi ${name}, ${a.b-C_1} and ${name}; not ${}, ${a b}, $x, ${open";
        let expected = json!({"name": {"default": "${name}"}, "a.b-C_1": {"default": "${a.b-C_1}"}});
        assert_eq!(Value::Object(as_they_stand(text)), expected);
        assert!(as_they_stand("5 $ {or more}").is_empty());
    }
}
