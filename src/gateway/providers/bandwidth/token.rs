//! [`Tokens`].
//!
//! Bandwidth takes no user names and passwords after 2 December 2026, only tokens that it gives for an API credential (OAuth 2.0, client credentials):
//! <https://dev.bandwidth.com/docs/account/credentials/management>. They are asked for as Bandwidth's own command line tool does.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::{
    gateway::{
        credentials::Secret,
        providers::{
            Answer, CheckError, Client, Scope,
            http::{self, Answered, NoAnswer},
        },
    },
    wire::outbound::NotSentReason,
};

/// A token is not used in its last minute: it must be good until it arrives.
const MARGIN: Duration = Duration::from_secs(60);

/// Gives a token, and keeps it as long as it is good.
#[derive(Debug)]
pub(super) struct Tokens {
    url: String,
    client_id: Secret,
    client_secret: Secret,
    client: Client,
    kept: Mutex<Option<Kept>>,
}

#[derive(Debug)]
struct Kept {
    token: Secret,
    until: Instant,
}

/// Why there is no token. No request that needs one was made.
#[derive(Debug)]
pub(super) enum NoToken {
    /// No answer.
    NoAnswer(NoAnswer),
    /// Another answer.
    Refused(Answered, String),
}

#[derive(Deserialize)]
struct Given {
    access_token: String,
    #[serde(default)]
    expires_in: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    error: String,
    error_description: String,
}

impl Tokens {
    pub(super) fn new(api_url: &str, client_id: Secret, client_secret: Secret, client: &Client) -> Self {
        let url = format!("{api_url}/api/v1/oauth2/token");
        Self { url, client_id, client_secret, client: client.clone(), kept: Mutex::default() }
    }

    /// The token that is kept, or a new one. Whoever comes meanwhile waits for it.
    pub(super) async fn get(&self) -> Result<Secret, NoToken> {
        let mut kept = self.kept.lock().await;
        if let Some(kept) = kept.as_ref().filter(|kept| Instant::now() < kept.until) {
            return Ok(kept.token.clone());
        }
        *kept = None;
        let asked = Instant::now();
        let request = self
            .client
            .request(Method::POST, &self.url)
            .basic_auth(self.client_id.reveal(), Some(self.client_secret.reveal()))
            .form(&[("grant_type", "client_credentials")]);
        let given = read(http::call(request).await.map_err(NoToken::NoAnswer)?)?;
        let token = Secret::from(given.access_token.as_str());
        let until = asked + Duration::from_secs(given.expires_in.min(24 * 60 * 60)).saturating_sub(MARGIN);
        *kept = Some(Kept { token: token.clone(), until });
        Ok(token)
    }

    /// The token was refused: the next one is new.
    pub(super) async fn refused(&self, token: &Secret) {
        let mut kept = self.kept.lock().await;
        if kept.as_ref().is_some_and(|kept| kept.token == *token) {
            *kept = None;
        }
    }
}

fn read(answered: Answered) -> Result<Given, NoToken> {
    if answered.status == StatusCode::OK {
        return match serde_json::from_slice::<Given>(&answered.body) {
            Ok(given) if !given.access_token.is_empty() => Ok(given),
            _ => Err(NoToken::Refused(answered, "not an answer of Bandwidth's token service".into())),
        };
    }
    let Refusal { error, error_description } = serde_json::from_slice(&answered.body).unwrap_or_default();
    let said = format!("no token: HTTP {} {error} {error_description}", answered.status.as_u16());
    Err(NoToken::Refused(answered, said.trim_end().to_owned()))
}

/// Whether the credentials are at fault: RFC 6749 (5.2) has 400 for a credential that may not do this, and 401 for a wrong one.
fn is_invalid(answered: &Answered) -> bool {
    matches!(answered.status.as_u16(), 400 | 401 | 403)
}

impl From<NoToken> for CheckError {
    fn from(error: NoToken) -> Self {
        match error {
            NoToken::NoAnswer(error) => error.into(),
            NoToken::Refused(answered, message) if is_invalid(&answered) => Self::Invalid(message),
            NoToken::Refused(answered, message) => Self::by_status(&answered, message),
        }
    }
}

/// Nothing left the house: the message would have been another request.
impl From<NoToken> for Answer {
    fn from(error: NoToken) -> Self {
        let (reason, retry_after, message) = match error {
            NoToken::NoAnswer(error) => (NotSentReason::Unreachable, None, format!("no token: {}", error.message)),
            NoToken::Refused(answered, message) => {
                let reason = match answered.status.as_u16() {
                    429 => NotSentReason::RateLimited,
                    _ if is_invalid(&answered) => NotSentReason::Credentials,
                    _ => NotSentReason::Temporary,
                };
                (reason, answered.retry_after, message)
            }
        };
        Self::not_sent(Scope::Account, reason, retry_after, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::outbound::SendOutcome;

    fn answered(status: u16, body: &str) -> Answered {
        Answered { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body: body.into() }
    }

    #[test]
    fn without_a_token_nothing_was_sent() {
        let reason = |error: NoToken| match Answer::from(error).outcome {
            SendOutcome::NotSent { reason, .. } => reason,
            outcome => panic!("{outcome:?}"),
        };
        let refused = |status, body| reason(read(answered(status, body)).err().unwrap());
        assert_eq!(refused(401, r#"{"error": "invalid_client"}"#), NotSentReason::Credentials);
        assert_eq!(refused(400, "{}"), NotSentReason::Credentials);
        assert_eq!(refused(429, ""), NotSentReason::RateLimited);
        assert_eq!(refused(503, "<html>"), NotSentReason::Temporary);
        assert_eq!(refused(200, "<html>"), NotSentReason::Temporary);
        let lost = NoAnswer { maybe_received: true, slow: true, message: "late".into() };
        assert_eq!(reason(NoToken::NoAnswer(lost)), NotSentReason::Unreachable);
    }

    #[test]
    fn a_refusal_is_told_from_a_fault() {
        let check = |status, body| CheckError::from(read(answered(status, body)).err().unwrap());
        let said = r#"{"error": "invalid_client", "error_description": "unknown client"}"#;
        let message = "no token: HTTP 401 invalid_client unknown client";
        assert_eq!(check(401, said), CheckError::Invalid(message.into()));
        assert!(matches!(check(503, ""), CheckError::Unasked(_)));
        assert!(matches!(check(200, "{}"), CheckError::Unasked(_)));
    }
}
