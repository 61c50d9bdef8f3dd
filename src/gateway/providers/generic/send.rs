//! Calls to the carrier.

use std::time::Instant;

use reqwest::{Method, RequestBuilder, header::CONTENT_TYPE};

use super::Generic;
use crate::{
    carrier::{BASIC, Body, Call, Check, Meaning, Proof, Values, WEBHOOK_SECRET, encoded},
    gateway::{
        providers::{
            Answer, CheckError, Scope,
            http::{self, Answered, without_country},
        },
        public_url::PublicUrl,
    },
    sms::Encoding,
    wire::{
        outbound::{NotSentReason, RefusalClass, SendOutcome, SendRequest},
        status::{Trouble, Unanswered},
    },
};

/// So much of an answer is shown to people, in characters.
const SHOWN: usize = 200;
/// Of so much of it, in bytes, what is of the Secret is taken out first.
const MASKED: usize = 64 * 1024;

impl Generic {
    /// Makes one attempt.
    pub(super) async fn make_attempt(&self, request: &SendRequest, public_url: &PublicUrl) -> Answer {
        let id = format!("{}-{}-{}", request.store_id, request.message_id, request.attempt);
        let answer = match http::call(self.message(request, public_url, &id)).await {
            Ok(answered) => self.answer(&answered, id),
            Err(error) => error.into(),
        };
        match &answer.outcome {
            SendOutcome::NotSent { reason: NotSentReason::Credentials, message, .. } => {
                *self.refused.lock() = Some((Instant::now(), message.clone()));
            }
            SendOutcome::Accepted { .. } => *self.refused.lock() = None,
            SendOutcome::NotSent { .. } | SendOutcome::Refused { .. } | SendOutcome::Unknown { .. } => {}
        }
        answer
    }

    /// The request for one message.
    fn message(&self, request: &SendRequest, public_url: &PublicUrl, id: &str) -> RequestBuilder {
        let coding = match Encoding::of(&request.text) {
            Encoding::Gsm7 => "0",
            Encoding::Ucs2 => "2",
        };
        let (from, to) = (without_country(&request.from), without_country(&request.to));
        let values = Values {
            from,
            from_digits: from.trim_start_matches('+'),
            to,
            to_digits: to.trim_start_matches('+'),
            text: &request.text,
            id,
            callback: &self.callback(request, public_url),
            coding,
            secret: &|key| self.secret(key),
        };
        let send = &self.carrier.send;
        let method = if send.is_post { Method::POST } else { Method::GET };
        let built = self.request(method, send.call(), &values);
        match send.body(&values) {
            Body::Empty => built,
            Body::Form(form) => built.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form),
            Body::Json(json) => built.header(CONTENT_TYPE, "application/json").body(json),
        }
    }

    /// The address for receipts. It carries what proves the call where that stands in the query.
    fn callback(&self, request: &SendRequest, public_url: &PublicUrl) -> String {
        let callback = public_url.status_callback(&request.receipt_token, &request.from);
        match self.carrier.webhooks.as_ref().map(|webhooks| &webhooks.proof) {
            Some(Proof::Query(name)) => {
                format!("{callback}&{}={}", encoded(name), encoded(self.secret(WEBHOOK_SECRET)))
            }
            Some(Proof::Header(_) | Proof::Basic | Proof::Hmac { .. }) | None => callback,
        }
    }

    fn request(&self, method: Method, call: &Call, values: &Values<'_>) -> RequestBuilder {
        let mut built = self.client.request(method, &call.url(self.carrier.base_url(), values));
        for (name, value) in call.headers(values) {
            // A line break would begin another header.
            built = built.header(name, value.replace(|character: char| character.is_control(), " "));
        }
        if self.carrier.is_basic() {
            let [username, password] = BASIC.map(|key| self.secret(key));
            built = built.basic_auth(username, Some(password));
        }
        built
    }

    /// What an answer means for the message with our `id`.
    fn answer(&self, answered: &Answered, id: String) -> Answer {
        let send = &self.carrier.send;
        let status = answered.status.as_u16();
        let Some((name, meaning)) = send.answers.meaning(status, &answered.body) else {
            let message = match status {
                401..=403 => status_line(answered, None),
                _ => self.describe(answered, None),
            };
            return match (answered.status.is_success(), send.answers.name_success()) {
                (true, false) => self.accepted(answered, id),
                (true, true) => Answer::unknown(format!("none of send.answers fits what the carrier says: {message}")),
                // A page may send the message, and lead elsewhere then.
                (false, _) if answered.status.is_redirection() => Answer::unknown(message),
                (false, _) => Answer::by_status(answered, Some(format!("HTTP {status}")), message),
            };
        };
        let message = self.describe(answered, Some(name));
        let refused = |class| Answer::refused(class, Some(name.to_owned()), message.clone());
        let not_sent = |reason| Answer::not_sent(Scope::Account, reason, answered.retry_after, message.clone());
        match meaning {
            Meaning::Accepted => self.accepted(answered, id),
            Meaning::RateLimited => not_sent(NotSentReason::RateLimited),
            Meaning::Credentials => {
                let message = status_line(answered, Some(name));
                Answer::not_sent(Scope::Account, NotSentReason::Credentials, answered.retry_after, message)
            }
            Meaning::Temporary => not_sent(NotSentReason::Temporary),
            Meaning::InvalidNumber => refused(RefusalClass::InvalidNumber),
            Meaning::OptedOut => refused(RefusalClass::OptedOut),
            Meaning::Sender => refused(RefusalClass::Sender),
            Meaning::Account => refused(RefusalClass::Account),
            Meaning::Filtered => refused(RefusalClass::Filtered),
            Meaning::InvalidMessage => refused(RefusalClass::InvalidMessage),
            Meaning::Failed => refused(RefusalClass::Failed),
            Meaning::Unknown => Answer { outcome: SendOutcome::Unknown { message }, trip: None },
        }
    }

    fn accepted(&self, answered: &Answered, id: String) -> Answer {
        match &self.carrier.send.message_id {
            None => Answer::accepted(vec![id], None),
            Some(place) => match place.find(&answered.body) {
                Some(id) => Answer::accepted(vec![id], None),
                None => {
                    let message = self.describe(answered, None);
                    Answer::unknown(format!("taken, but send.messageId finds no id in the answer: {message}"))
                }
            },
        }
    }

    /// Asks whether the credentials are good.
    pub(super) async fn ask(&self, check: &Check) -> Result<(), CheckError> {
        let values = Values {
            from: "",
            from_digits: "",
            to: "",
            to_digits: "",
            text: "",
            id: "",
            callback: "",
            coding: "",
            secret: &|key| self.secret(key),
        };
        let answered = http::call(self.request(Method::GET, check.call(), &values)).await?;
        let Some((name, meaning)) = check.answers.meaning(answered.status.as_u16(), &answered.body) else {
            return match (answered.status.is_success(), check.answers.name_success()) {
                (true, false) => Ok(()),
                (true, true) => Err(CheckError::fault(format!(
                    "none of check.answers fits what the carrier says: {}",
                    self.describe(&answered, None)
                ))),
                (false, _) => Err(CheckError::by_status(&answered, self.describe(&answered, None))),
            };
        };
        let message = self.describe(&answered, Some(name));
        match meaning {
            Meaning::Accepted => Ok(()),
            Meaning::Credentials => Err(CheckError::Invalid(message)),
            Meaning::Account => Err(CheckError::Suspended(message)),
            Meaning::RateLimited => Err(CheckError::Unasked(Unanswered::new(Trouble::RateLimited, message))),
            Meaning::Temporary
            | Meaning::InvalidNumber
            | Meaning::OptedOut
            | Meaning::Sender
            | Meaning::Filtered
            | Meaning::InvalidMessage
            | Meaning::Failed
            | Meaning::Unknown => Err(CheckError::fault(message)),
        }
    }

    /// The answer in words, for people. Carriers repeat what they were told: nothing of the Secret is shown.
    fn describe(&self, answered: &Answered, name: Option<&str>) -> String {
        let mut body = String::from_utf8_lossy(&answered.body[..answered.body.len().min(MASKED)]).into_owned();
        for secret in self.secrets.values() {
            body = body.replace(secret.reveal(), "***").replace(&encoded(secret.reveal()), "***");
        }
        let shown: String = body.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(SHOWN).collect();
        let line = status_line(answered, name);
        if shown.is_empty() { line } else { format!("{line}: {shown}") }
    }
}

/// An answer without the carrier's own words. Of refused credentials no more is said: it becomes a condition, and the words may repeat the customer's.
fn status_line(answered: &Answered, name: Option<&str>) -> String {
    let named = name.map(|name| format!(" ({name})")).unwrap_or_default();
    format!("HTTP {}{named}", answered.status.as_u16())
}

#[cfg(test)]
#[path = "send_tests.rs"]
mod tests;
