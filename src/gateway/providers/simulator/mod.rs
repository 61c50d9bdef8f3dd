//! `aldis simulator`. Its protocol is [`crate::wire::simulator`].

mod webhooks;

use std::collections::BTreeSet;

use futures::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    Answer, CallHead, CheckError, Client, ConfiguredWebhook, MissingKeys, NumberList, Provider, ProviderNumber,
    Received, Rejected, Scope, Unverified, WebhookCall,
    http::{self, Answered},
    only,
};
use crate::{
    gateway::{
        credentials::{Credentials, Secret},
        public_url::PublicUrl,
    },
    sms::PhoneNumber,
    wire::{
        outbound::{NotSentReason, RefusalClass, SendOutcome, SendRequest},
        simulator::{
            ACCOUNT_PATH, Account, MESSAGES_PATH, NUMBERS_PATH, NumberPage, Problem, ProblemClass, SendMessage,
            SentMessage, signature,
        },
        status::{Trouble, Unanswered},
    },
};

/// The only key of the Secret.
const TOKEN: &str = "token";
/// The most that the simulator gives at once.
const PAGE_SIZE: u32 = 1000;
/// A list that goes on after this is going round.
const MAX_PAGES: usize = 200;

/// What the configuration says of the account.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Settings {
    account: String,
    base_url: String,
}

/// An account of a simulator.
#[derive(Debug)]
pub(crate) struct Simulator {
    settings: Settings,
    token: Secret,
    client: Client,
}

impl Simulator {
    /// An account with its token.
    ///
    /// # Errors
    /// When there is no token.
    pub(crate) fn new(settings: &Settings, credentials: &Credentials, client: &Client) -> Result<Self, MissingKeys> {
        let token = credentials.get(TOKEN).cloned().ok_or_else(|| MissingKeys(vec![TOKEN.to_owned()]))?;
        Ok(Self { settings: settings.clone(), token, client: client.clone() })
    }

    /// Whether the simulator signed the call.
    fn verify(&self, call: &WebhookCall) -> Result<(), Unverified> {
        let header = only(&call.head.headers, signature::HEADER);
        signature::verify(self.token.reveal(), header, &call.head.url, &call.body, Timestamp::now())
            .map_err(|_| Unverified::Signature)
    }

    /// Asks for the account behind the token.
    async fn check_account(&self) -> Result<(), CheckError> {
        let Account { account } = read(http::call(self.request(Method::GET, ACCOUNT_PATH)).await?)?;
        if account == self.settings.account {
            return Ok(());
        }
        Err(CheckError::Invalid(format!(
            "the token belongs to the account {account:?}, not to {:?}",
            self.settings.account
        )))
    }

    /// Lists all numbers.
    async fn list_numbers(&self) -> Result<Vec<ProviderNumber>, CheckError> {
        let mut numbers = Vec::new();
        let mut page: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut request = self.request(Method::GET, NUMBERS_PATH).query(&[("pageSize", PAGE_SIZE)]);
            if let Some(page) = &page {
                request = request.query(&[("page", page)]);
            }
            let answer: NumberPage = read(http::call(request).await?)?;
            numbers.extend(answer.numbers.into_iter().filter_map(|listed| {
                let webhook = match listed.webhook_url {
                    Some(url) => ConfiguredWebhook::Url { method: "POST".into(), url },
                    None => ConfiguredWebhook::Unset,
                };
                Some(ProviderNumber { number: listed.number.parse().ok()?, sms_capable: listed.sms_capable, webhook })
            }));
            match answer.next_page {
                Some(next) => page = Some(next),
                None => return Ok(numbers),
            }
        }
        Err(CheckError::Unasked(Unanswered::new(Trouble::Fault, format!("a list of more than {MAX_PAGES} pages"))))
    }

    /// Posts one message.
    async fn post_message(&self, request: &SendRequest, public_url: &PublicUrl) -> Answer {
        let callback = public_url.status_callback(&request.receipt_token, &request.from);
        let message = SendMessage {
            from: request.from.clone(),
            to: request.to.clone(),
            text: request.text.clone(),
            status_callback: Some(callback),
            client_ref: Some(format!("{}/{}/{}", request.store_id, request.message_id, request.attempt)),
        };
        match http::call(self.request(Method::POST, MESSAGES_PATH).json(&message)).await {
            Ok(answered) if answered.status.is_success() => accepted(&answered),
            Ok(answered) => refused(&answered),
            Err(error) => error.into(),
        }
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, &format!("{}{path}", self.settings.base_url)).bearer_auth(self.token.reveal())
    }
}

impl Provider for Simulator {
    fn claims_to_be_ours(&self, head: &CallHead) -> bool {
        only(&head.headers, signature::HEADER).is_some()
    }

    fn receive<'a>(&'a self, call: &'a WebhookCall) -> BoxFuture<'a, Result<Received, Rejected>> {
        async {
            self.verify(call)?;
            Ok(Received { items: vec![webhooks::item(call)?], acknowledgement: webhooks::acknowledgement() })
        }
        .boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), CheckError>> {
        self.check_account().boxed()
    }

    fn numbers<'a>(&'a self, _: &'a BTreeSet<PhoneNumber>) -> BoxFuture<'a, Result<NumberList, CheckError>> {
        async { Ok(NumberList::Listed(self.list_numbers().await?)) }.boxed()
    }

    fn send<'a>(&'a self, request: &'a SendRequest, public_url: &'a PublicUrl) -> BoxFuture<'a, Answer> {
        self.post_message(request, public_url).boxed()
    }
}

fn read<T: DeserializeOwned>(answered: Answered) -> Result<T, CheckError> {
    let status = answered.status;
    if status == StatusCode::OK {
        let wrong = |error| {
            CheckError::Unasked(Unanswered::new(Trouble::Fault, format!("not an answer of a simulator: {error}")))
        };
        return serde_json::from_slice(&answered.body).map_err(wrong);
    }
    let message = describe(&answered);
    match status.as_u16() {
        401 | 403 => Err(CheckError::Invalid(message)),
        429 => Err(CheckError::Unasked(Unanswered::new(Trouble::RateLimited, message))),
        _ => Err(CheckError::Unasked(Unanswered::new(Trouble::Fault, message))),
    }
}

fn describe(answered: &Answered) -> String {
    match serde_json::from_slice::<Problem>(&answered.body) {
        Ok(problem) => format!("HTTP {}, {}: {}", answered.status.as_u16(), problem.class, problem.detail),
        Err(_) => format!("HTTP {}", answered.status.as_u16()),
    }
}

fn accepted(answered: &Answered) -> Answer {
    match serde_json::from_slice::<SentMessage>(&answered.body) {
        Ok(sent) => Answer::accepted(vec![sent.id], Some(sent.segments)),
        Err(error) => Answer::unknown(format!("accepted, but not with a message: {error}")),
    }
}

fn refused(answered: &Answered) -> Answer {
    let message = describe(answered);
    let not_sent = |reason, message| Answer::not_sent(Scope::Account, reason, answered.retry_after, message);
    let Ok(problem) = serde_json::from_slice::<Problem>(&answered.body) else {
        return match answered.status.as_u16() {
            429 => not_sent(NotSentReason::RateLimited, message),
            300..=499 => not_sent(NotSentReason::Temporary, message),
            // Not the simulator's own words: something between may have lost its answer.
            _ => Answer::unknown(message),
        };
    };
    match (problem.class, answered.status.as_u16()) {
        (ProblemClass::Credentials, _) => not_sent(NotSentReason::Credentials, message),
        (ProblemClass::RateLimited, _) => not_sent(NotSentReason::RateLimited, message),
        // The protocol says that nothing was taken then.
        (ProblemClass::Temporary, _) => not_sent(NotSentReason::Temporary, message),
        // A base URL that leads elsewhere: the message is not at fault.
        (ProblemClass::InvalidRequest, 404 | 405) => not_sent(NotSentReason::Temporary, message),
        (class, _) => Answer {
            outcome: SendOutcome::Refused {
                class: refusal_class(class),
                provider_code: Some(class.to_string()),
                message,
            },
            trip: None,
        },
    }
}

/// What a class means when a message was refused, at once or later.
const fn refusal_class(class: ProblemClass) -> RefusalClass {
    match class {
        ProblemClass::InvalidRequest => RefusalClass::InvalidMessage,
        ProblemClass::InvalidNumber => RefusalClass::InvalidNumber,
        ProblemClass::OptedOut => RefusalClass::OptedOut,
        ProblemClass::Blocked => RefusalClass::Filtered,
        ProblemClass::Sender => RefusalClass::Sender,
        ProblemClass::Credentials | ProblemClass::Unreachable | ProblemClass::RateLimited | ProblemClass::Temporary => {
            RefusalClass::Failed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, class: Option<ProblemClass>) -> SendOutcome {
        let body = class.map(|class| serde_json::to_vec(&Problem::new(class, "d")).unwrap()).unwrap_or_default();
        refused(&Answered { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body }).outcome
    }

    #[test]
    fn problems_say_whether_the_message_was_taken() {
        let not_sent = [
            (401, Some(ProblemClass::Credentials), NotSentReason::Credentials),
            (429, Some(ProblemClass::RateLimited), NotSentReason::RateLimited),
            (429, None, NotSentReason::RateLimited),
            (503, Some(ProblemClass::Temporary), NotSentReason::Temporary),
            (404, Some(ProblemClass::InvalidRequest), NotSentReason::Temporary),
            (404, None, NotSentReason::Temporary),
        ];
        for (status, class, expected) in not_sent {
            let outcome = answer(status, class);
            assert!(matches!(outcome, SendOutcome::NotSent { reason, .. } if reason == expected), "{outcome:?}");
        }
        for status in [500, 502, 504] {
            assert!(matches!(answer(status, None), SendOutcome::Unknown { .. }));
        }
        let refused = [
            (400, ProblemClass::InvalidRequest, RefusalClass::InvalidMessage),
            (422, ProblemClass::InvalidNumber, RefusalClass::InvalidNumber),
            (422, ProblemClass::OptedOut, RefusalClass::OptedOut),
            (422, ProblemClass::Blocked, RefusalClass::Filtered),
            (422, ProblemClass::Sender, RefusalClass::Sender),
        ];
        for (status, problem, expected) in refused {
            let outcome = answer(status, Some(problem));
            assert!(matches!(outcome, SendOutcome::Refused { class, .. } if class == expected), "{outcome:?}");
        }
    }
}
