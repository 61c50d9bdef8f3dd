//! The provider API, see [`crate::wire::simulator`].

use super::{
    Simulator,
    account::authenticate,
    carrier::Message,
    config::{NumberConfig, is_http},
    connection::Knife,
    fault::{Action, Moment, Route},
    ledger::{Event, MessageRef},
    reply::{self, Body, wrong},
};
use crate::wire::simulator::{
    ACCOUNT_PATH, Account, MAX_CLIENT_REF, MAX_TEXT, MESSAGES_PATH, MessageStatus, NUMBERS_PATH, NumberPage, Problem,
    ProblemClass, SendMessage, SentMessage, ServiceNumber,
};
use axum::{
    Router,
    extract::{ConnectInfo, DefaultBodyLimit, Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use std::time::Duration;

/// Largest body: the longest text in its longest form, and room for the rest.
const MAX_BODY: usize = 64 * 1024;

pub(super) fn router() -> Router<Simulator> {
    Router::new()
        .route(ACCOUNT_PATH, get(account))
        .route(NUMBERS_PATH, get(numbers))
        .route(MESSAGES_PATH, post(send))
        .layer(DefaultBodyLimit::max(MAX_BODY))
}

async fn account(
    State(simulator): State<Simulator>,
    ConnectInfo(knife): ConnectInfo<Knife>,
    headers: HeaderMap,
) -> Response {
    let call = Call::new(&simulator, knife, Route::Account, &headers, None);
    call.answer(|account| Ok(Taken::json(StatusCode::OK, &Account { account: account.into() }))).await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageQuery {
    page: Option<String>,
    page_size: Option<usize>,
}

async fn numbers(
    State(simulator): State<Simulator>,
    ConnectInfo(knife): ConnectInfo<Knife>,
    headers: HeaderMap,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Response {
    let call = Call::new(&simulator, knife, Route::Numbers, &headers, None);
    let page = |account: &str| {
        let Query(query) = query.map_err(|error| wrong(StatusCode::BAD_REQUEST, error.body_text()))?;
        let size = query.page_size.unwrap_or(50);
        if !(1..=1000).contains(&size) {
            return Err(wrong(StatusCode::BAD_REQUEST, "pageSize is from 1 to 1000"));
        }
        Ok(Taken::json(StatusCode::OK, &simulator.number_page(account, query.page.as_deref().unwrap_or(""), size)))
    };
    call.answer(page).await
}

async fn send(
    State(simulator): State<Simulator>,
    ConnectInfo(knife): ConnectInfo<Knife>,
    headers: HeaderMap,
    body: Result<Body<SendMessage>, Problem>,
) -> Response {
    let message = body.as_ref().ok().map(|Body(send)| send);
    let call = Call::new(&simulator, knife, Route::Messages, &headers, message);
    let take = |account: &str| {
        let Body(send) = body?;
        check(&send)?;
        let message = simulator.service_sends(account, &send)?;
        let sent = SentMessage { id: message.id.clone(), status: MessageStatus::Accepted, segments: message.segments };
        Ok(Taken { message: Some(message), ..Taken::json(StatusCode::CREATED, &sent) })
    };
    call.answer(take).await
}

/// What can be said of a message without knowing anyone.
fn check(send: &SendMessage) -> Result<(), Problem> {
    let bad = |detail: String| Err(wrong(StatusCode::BAD_REQUEST, detail));
    let characters = send.text.chars().count();
    if !(1..=MAX_TEXT).contains(&characters) {
        return bad(format!("text: {characters} characters; it takes 1 to {MAX_TEXT}"));
    }
    if send.client_ref.as_ref().is_some_and(|name| name.len() > MAX_CLIENT_REF) {
        return bad(format!("clientRef: longer than {MAX_CLIENT_REF} bytes"));
    }
    match &send.status_callback {
        Some(url) if !is_http(url) => bad("statusCallback: not an http:// or https:// URL".into()),
        Some(_) | None => Ok(()),
    }
}

impl Simulator {
    /// The account's numbers after the cursor, which is the last number of the page before.
    fn number_page(&self, account: &str, after: &str, size: usize) -> NumberPage {
        let carrier = self.carrier.lock();
        let mut numbers: Vec<&NumberConfig> =
            carrier.accounts.get(account).into_iter().flat_map(|account| &account.numbers).collect();
        numbers.sort_by(|a, b| a.number.cmp(&b.number));
        let mut rest = numbers.into_iter().filter(|number| number.number.as_str() > after);
        let numbers: Vec<ServiceNumber> = rest.by_ref().take(size).map(NumberConfig::shown).collect();
        let next_page = rest.next().and_then(|_| numbers.last().map(|number| number.number.clone()));
        NumberPage { numbers, next_page }
    }
}

impl NumberConfig {
    /// The number as the APIs show it.
    pub(super) fn shown(&self) -> ServiceNumber {
        ServiceNumber {
            number: self.number.to_string(),
            sms_capable: self.sms_capable,
            webhook_url: self.webhook_url.clone(),
        }
    }
}

/// A request that was taken.
struct Taken {
    response: Response,
    message: Option<Message>,
}

impl Taken {
    fn json(status: StatusCode, body: &impl serde::Serialize) -> Self {
        Self { response: reply::json(status, body), message: None }
    }
}

/// What faults make of a request.
#[derive(Default)]
struct Harm {
    faults: Vec<u64>,
    delay: Duration,
    refusal: Option<Problem>,
    drop_request: bool,
    delay_answer: Duration,
    drop_answer: bool,
}

/// One request on its way through faults, credentials and the ledger.
struct Call<'a> {
    simulator: &'a Simulator,
    knife: Knife,
    route: Route,
    account: Option<String>,
    message: Option<MessageRef>,
    text: Option<String>,
}

impl<'a> Call<'a> {
    fn new(
        simulator: &'a Simulator,
        knife: Knife,
        route: Route,
        headers: &HeaderMap,
        send: Option<&SendMessage>,
    ) -> Self {
        let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let account = {
            let carrier = simulator.carrier.lock();
            authenticate(carrier.accounts.values(), authorization).map(|account| account.account.clone())
        };
        let message = send.map(|send| MessageRef {
            message_id: None,
            client_ref: send.client_ref.clone(),
            from: send.from.clone(),
            to: send.to.clone(),
        });
        Self { simulator, knife, route, account, message, text: send.map(|send| send.text.clone()) }
    }

    /// Lets the faults strike, then takes the request if nothing speaks against it. The ledger knows the outcome before
    /// the caller does.
    async fn answer(mut self, take: impl FnOnce(&str) -> Result<Taken, Problem>) -> Response {
        let harm = self.harm();
        tokio::time::sleep(harm.delay).await;
        if harm.drop_request {
            self.write(None, Some("the connection was cut before the request was taken".into()), harm.faults);
            self.knife.cut();
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
        let outcome = match (harm.refusal, &self.account) {
            (Some(refusal), _) => Err(refusal),
            (None, None) => Err(Problem::new(ProblemClass::Credentials, "the token is not one of any account")),
            (None, Some(account)) => take(account),
        };
        let (response, message, detail) = match outcome {
            Ok(taken) => (taken.response, taken.message, None),
            Err(problem) => (problem.clone().into_response(), None, Some(problem.detail)),
        };
        if let (Some(reference), Some(message)) = (&mut self.message, &message) {
            reference.message_id = Some(message.id.clone());
        }
        let status = (!harm.drop_answer).then(|| response.status().as_u16());
        self.write(status, detail, harm.faults);
        if let Some(message) = &message {
            self.simulator.carry(message);
        }
        tokio::time::sleep(harm.delay_answer).await;
        if harm.drop_answer {
            self.knife.cut();
        }
        response
    }

    fn harm(&self) -> Harm {
        let mut harm = Harm::default();
        let numbers = self.message.as_ref().map_or(["", ""], |message| [&message.from, &message.to]);
        for (fault, action) in self.simulator.strike(self.route, Moment::Request, numbers) {
            harm.faults.push(fault);
            match action {
                Action::Delay { millis } => harm.delay += Duration::from_millis(millis),
                Action::DelayAnswer { millis } => harm.delay_answer += Duration::from_millis(millis),
                Action::Status { status, retry_after_seconds } => {
                    let class = if status == 429 { ProblemClass::RateLimited } else { ProblemClass::Temporary };
                    let problem = Problem::new(class, "failed on demand");
                    harm.refusal = Some(Problem { status, retry_after_seconds, ..problem });
                }
                Action::Refuse { class } => harm.refusal = Some(Problem::new(class, "refused on demand")),
                Action::DropRequest => harm.drop_request = true,
                Action::DropAnswer => harm.drop_answer = true,
                Action::Duplicate { .. } | Action::Reorder | Action::Hold | Action::Lose | Action::WrongSignature => {}
            }
        }
        harm
    }

    fn write(&self, status: Option<u16>, detail: Option<String>, faults: Vec<u64>) {
        let request = match self.route {
            Route::Numbers => format!("GET {NUMBERS_PATH}"),
            Route::Messages => format!("POST {MESSAGES_PATH}"),
            Route::Account | Route::Delivery | Route::Inbound | Route::Receipts => format!("GET {ACCOUNT_PATH}"),
        };
        self.simulator.metrics.api_request(self.route, status);
        self.simulator.ledger.write(Event::ApiRequest {
            request,
            account: self.account.clone(),
            message: self.message.clone(),
            text: self.text.clone(),
            status,
            detail,
            faults,
        });
    }
}
