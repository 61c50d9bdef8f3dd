//! A Twilio that remembers: account, numbers, messages, faults on demand. It also signs and calls webhooks.

use std::{
    collections::VecDeque,
    future::IntoFuture,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    body::Body,
    extract::{Form, Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;
use serde_json::{Value, json};
use sha1::Sha1;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::process::eventually;

/// The account.
pub const ACCOUNT: &str = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
/// Its auth token.
pub const TOKEN: &str = "it is an auth token";
/// Numbers of a page: small, so that there are several.
const PAGE: usize = 2;

/// A message that Twilio took.
#[derive(Clone, Debug)]
pub struct Sent {
    /// `SM…`.
    pub sid: String,
    /// The form, in order.
    pub form: Vec<(String, String)>,
    /// The user of the basic authentication.
    pub user: String,
}

/// What Twilio does wrong with the next message.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Takes it and says nothing.
    TakeAndDrop,
    /// Does not take it, and says nothing.
    Drop,
    /// Answers with a status and a body, and does not take it.
    Answer(u16, Value),
    /// Takes it and answers late.
    Slow(Duration),
}

/// What Twilio has.
#[derive(Debug)]
pub struct Account {
    /// The auth token in force.
    pub token: String,
    /// An API key: may send and list, but not look at the account.
    pub api_key: Option<(String, String)>,
    /// `active`, `suspended` …
    pub status: String,
    /// Members of `incoming_phone_numbers`.
    pub numbers: Vec<Value>,
    /// Members of `short_codes`.
    pub short_codes: Vec<Value>,
    /// Messages taken, in order.
    pub sent: Vec<Sent>,
    /// Faults of the next messages.
    pub faults: VecDeque<Fault>,
    /// Every answer takes so long.
    pub delay: Duration,
    /// Every answer is this.
    pub broken: Option<u16>,
    /// Every answer to a question for numbers is this.
    pub lists_broken: Option<u16>,
    /// Requests of messages seen, taken or not.
    pub requests: u64,
}

/// A Twilio on a port of its own.
#[derive(Clone, Debug)]
pub struct TwilioFake {
    /// Its base URL.
    pub url: String,
    address: SocketAddr,
    account: Arc<Mutex<Account>>,
    /// Ends what listens.
    away: Arc<Mutex<CancellationToken>>,
}

/// A number as Twilio lists it.
pub fn number(number: &str, sms: bool, sms_url: &str) -> Value {
    json!({
        "sid": "PN1", "account_sid": ACCOUNT, "phone_number": number, "friendly_name": number,
        "capabilities": {"sms": sms, "mms": sms, "voice": true, "fax": false},
        "sms_url": sms_url, "sms_method": "POST", "sms_application_sid": "", "status_callback": "",
    })
}

impl TwilioFake {
    /// Twilio with an account without numbers.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let account = Account {
            token: TOKEN.into(),
            api_key: None,
            status: "active".into(),
            numbers: Vec::new(),
            short_codes: Vec::new(),
            sent: Vec::new(),
            faults: VecDeque::new(),
            delay: Duration::ZERO,
            broken: None,
            lists_broken: None,
            requests: 0,
        };
        let url = format!("http://{address}");
        let fake = Self { url, address, account: Arc::new(Mutex::new(account)), away: Arc::default() };
        fake.serve(listener);
        fake
    }

    fn serve(&self, listener: TcpListener) {
        let router = Router::new()
            .route("/2010-04-01/Accounts/{account}", get(account_resource))
            .route("/2010-04-01/Accounts/{account}/IncomingPhoneNumbers.json", get(numbers))
            .route("/2010-04-01/Accounts/{account}/SMS/ShortCodes.json", get(short_codes))
            .route("/2010-04-01/Accounts/{account}/Messages.json", post(messages))
            .with_state(self.clone());
        let away = CancellationToken::new();
        *self.away.lock() = away.clone();
        let served = axum::serve(listener, router).with_graceful_shutdown(away.cancelled_owned());
        tokio::spawn(served.into_future());
    }

    /// From now on nobody listens; what is connected is cut.
    pub async fn leave(&self) {
        self.away.lock().cancel();
        let refused = async || match TcpStream::connect(self.address).await {
            Ok(_) => Err("it listens"),
            Err(_) => Ok(()),
        };
        eventually("Twilio is away", refused).await;
    }

    /// Listens again, at the same place.
    pub async fn come_back(&self) {
        self.serve(TcpListener::bind(self.address).await.unwrap());
    }

    /// The `provider` of a gateway's document.
    pub fn provider(&self) -> Value {
        json!({"kind": "twilio", "accountSid": ACCOUNT, "baseUrl": self.url})
    }

    /// Looks at or changes the account.
    pub fn account<T>(&self, look: impl FnOnce(&mut Account) -> T) -> T {
        look(&mut self.account.lock())
    }

    /// Waits as told, until told otherwise; whether the caller may go on.
    async fn admit(&self, path: &str, headers: &HeaderMap, key_suffices: bool) -> Result<String, Response> {
        let asked = Instant::now();
        while asked.elapsed() < self.account(|account| account.delay) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if let Some(status) = self.account(|account| account.broken) {
            return Err(StatusCode::from_u16(status).unwrap().into_response());
        }
        let given = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let basic =
            |user: &str, password: &str| format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")));
        let account = self.account.lock();
        if path.trim_end_matches(".json") == ACCOUNT && given == basic(ACCOUNT, &account.token) {
            return Ok(ACCOUNT.into());
        }
        match &account.api_key {
            Some((sid, secret)) if key_suffices && given == basic(sid, secret) => Ok(sid.clone()),
            _ => Err(error(401, 20003, "Authenticate")),
        }
    }
}

impl TwilioFake {
    async fn admit_to_lists(&self, path: &str, headers: &HeaderMap) -> Result<String, Response> {
        match self.account(|account| account.lists_broken) {
            Some(status) => Err(StatusCode::from_u16(status).unwrap().into_response()),
            None => self.admit(path, headers, true).await,
        }
    }
}

/// An error as Twilio words it.
pub fn error_body(status: u16, code: u32, message: &str) -> Value {
    json!({"code": code, "message": message, "more_info": format!("https://www.twilio.com/docs/errors/{code}"), "status": status})
}

fn error(status: u16, code: u32, message: &str) -> Response {
    (StatusCode::from_u16(status).unwrap(), Json(error_body(status, code, message))).into_response()
}

async fn account_resource(State(fake): State<TwilioFake>, Path(account): Path<String>, headers: HeaderMap) -> Response {
    match fake.admit(&account, &headers, false).await {
        Ok(_) => {
            Json(json!({"sid": ACCOUNT, "status": fake.account(|account| account.status.clone()), "type": "Full"}))
                .into_response()
        }
        Err(response) => response,
    }
}

/// One page and the path of the next.
fn page(items: &[Value], path: &str, query: &[(String, String)]) -> (Vec<Value>, Option<String>) {
    let page: usize =
        query.iter().find(|(name, _)| name == "Page").and_then(|(_, page)| page.parse().ok()).unwrap_or_default();
    let items_of_page = items.iter().skip(page * PAGE).take(PAGE).cloned().collect();
    let more = items.len() > (page + 1) * PAGE;
    let next =
        more.then(|| format!("/2010-04-01/Accounts/{ACCOUNT}/{path}?PageSize=1000&Page={}&PageToken=PA1", page + 1));
    (items_of_page, next)
}

async fn numbers(
    State(fake): State<TwilioFake>,
    Path(account): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    if let Err(response) = fake.admit_to_lists(&account, &headers).await {
        return response;
    }
    let (items, next) = fake.account(|account| page(&account.numbers, "IncomingPhoneNumbers.json", &query));
    Json(json!({"incoming_phone_numbers": items, "next_page_uri": next, "page_size": PAGE})).into_response()
}

async fn short_codes(
    State(fake): State<TwilioFake>,
    Path(account): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    if let Err(response) = fake.admit_to_lists(&account, &headers).await {
        return response;
    }
    let (items, next) = fake.account(|account| page(&account.short_codes, "SMS/ShortCodes.json", &query));
    Json(json!({"short_codes": items, "next_page_uri": next, "page_size": PAGE})).into_response()
}

async fn messages(
    State(fake): State<TwilioFake>,
    Path(account): Path<String>,
    headers: HeaderMap,
    Form(form): Form<Vec<(String, String)>>,
) -> Response {
    let fault = fake.account(|account| {
        account.requests += 1;
        account.faults.pop_front()
    });
    let user = match fake.admit(&account, &headers, true).await {
        Ok(user) => user,
        Err(response) => return response,
    };
    let take = || {
        fake.account(|account| {
            let sid = format!("SM{:032x}", account.sent.len() + 1);
            account.sent.push(Sent { sid: sid.clone(), form: form.clone(), user: user.clone() });
            let answer =
                json!({"sid": sid, "status": "queued", "num_segments": "1", "error_code": null, "error_message": null});
            (StatusCode::CREATED, Json(answer)).into_response()
        })
    };
    match fault {
        None => take(),
        Some(Fault::TakeAndDrop) => {
            take();
            broken_answer()
        }
        Some(Fault::Drop) => broken_answer(),
        Some(Fault::Answer(status, body)) => (StatusCode::from_u16(status).unwrap(), Json(body)).into_response(),
        Some(Fault::Slow(delay)) => {
            let answer = take();
            tokio::time::sleep(delay).await;
            answer
        }
    }
}

/// An answer whose body breaks off: the connection is closed in the middle.
fn broken_answer() -> Response {
    let broken = futures::stream::iter([Ok("{\"sid\":"), Err(std::io::Error::other("the connection breaks"))]);
    (StatusCode::CREATED, [("content-length", "500")], Body::from_stream(broken)).into_response()
}

/// The signature of a form, made without the product's code.
pub fn signature(token: &str, url: &str, form: &[(&str, &str)]) -> String {
    let mut sorted = form.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).unwrap();
    mac.update(url.as_bytes());
    for (name, value) in sorted {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

/// Calls a webhook of the gateway at `public`, signed over `public_url`. Returns status and body.
pub async fn call_webhook(
    client: &reqwest::Client,
    public: &str,
    public_url: &str,
    path_and_query: &str,
    form: &[(&str, &str)],
) -> reqwest::Result<(u16, String)> {
    let signature = signature(TOKEN, &format!("{public_url}{path_and_query}"), form);
    let request =
        client.post(format!("http://{public}{path_and_query}")).header("X-Twilio-Signature", signature).form(form);
    let response = request.timeout(Duration::from_secs(15)).send().await?;
    Ok((response.status().as_u16(), response.text().await?))
}
