//! Requests to Bandwidth's messaging API.
//!
//! Shapes are those of the models of Bandwidth's Python SDK (23.3). <https://dev.bandwidth.com/docs/messaging/createMessage>.

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::{Bandwidth, errors};
use crate::{
    gateway::providers::{
        Answer, CheckError,
        http::{self, Answered},
        reference,
    },
    wire::outbound::SendRequest,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    id: String,
    #[serde(default)]
    segment_count: Option<u32>,
}

impl Bandwidth {
    /// Asks for the last message that was sent: the cheapest call that takes the right to use messaging.
    pub(super) async fn check_messaging(&self) -> Result<(), CheckError> {
        let token = self.tokens.get().await?;
        let query = [("messageDirection", "OUTBOUND"), ("limit", "1")];
        let request = self.client.request(Method::GET, &self.messages_url()).query(&query).bearer_auth(token.reveal());
        let answered = http::call(request).await?;
        match answered.status {
            StatusCode::OK => Ok(()),
            status => {
                if status == StatusCode::UNAUTHORIZED {
                    self.tokens.refused(&token).await;
                }
                Err(errors::check_failed(&answered))
            }
        }
    }

    /// Posts one message. The address that is called for its receipts is that of the application; they repeat the tag.
    pub(super) async fn post_message(&self, request: &SendRequest) -> Answer {
        let token = match self.tokens.get().await {
            Ok(token) => token,
            Err(error) => return error.into(),
        };
        let message = json!({
            "applicationId": self.settings.application_id,
            "from": http::without_country(&request.from),
            "to": [http::without_country(&request.to)],
            "text": request.text,
            "tag": reference::write(&request.receipt_token, &request.from),
        });
        let post = self.client.request(Method::POST, &self.messages_url()).bearer_auth(token.reveal()).json(&message);
        match http::call(post).await {
            Ok(answered) if answered.status.is_success() => accepted(&answered),
            Ok(answered) => {
                if answered.status == StatusCode::UNAUTHORIZED {
                    self.tokens.refused(&token).await;
                }
                errors::refused(&answered)
            }
            Err(error) => error.into(),
        }
    }

    fn messages_url(&self) -> String {
        format!("{}/api/v2/users/{}/messages", self.settings.base_url, self.settings.account_id)
    }
}

/// 202: the message is in Bandwidth's queue.
fn accepted(answered: &Answered) -> Answer {
    match serde_json::from_slice::<Message>(&answered.body) {
        Ok(Message { id, segment_count }) if !id.is_empty() => {
            Answer::accepted(vec![id], segment_count.filter(|count| *count > 0))
        }
        Ok(_) => Answer::unknown(format!("Bandwidth answered {}, but the message has no id", answered.status)),
        Err(error) => {
            Answer::unknown(format!("Bandwidth answered {} but not with a message: {error}", answered.status))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accepted_message_has_an_id() {
        let answer =
            |body: &str| accepted(&Answered { status: StatusCode::ACCEPTED, retry_after: None, body: body.into() });
        let body = r#"{"id": "1589228074636lm4k2je7j7jklbn2", "owner": "+15551230001", "segmentCount": 2, "direction": "out"}"#;
        assert_eq!(answer(body), Answer::accepted(vec!["1589228074636lm4k2je7j7jklbn2".into()], Some(2)));
        for doubtful in ["<html>", "{}", r#"{"id": ""}"#] {
            let outcome = answer(doubtful).outcome;
            assert!(matches!(outcome, crate::wire::outbound::SendOutcome::Unknown { .. }), "{doubtful}");
        }
    }
}
