//! The process behind a [`Dialect`]: it listens, waits, breaks and remembers as told.

use std::{future::IntoFuture, net::SocketAddr, sync::Arc, time::Duration, time::Instant};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::{Account, Asked, Call, Dialect, Fault, Reply, Request, Sent};
use crate::support::process::eventually;

/// A provider on a port of its own.
#[derive(Clone)]
pub struct ProviderFake {
    /// Its base URL.
    pub url: String,
    pub dialect: &'static dyn Dialect,
    address: SocketAddr,
    account: Arc<Mutex<Account>>,
    /// Ends what listens.
    away: Arc<Mutex<CancellationToken>>,
}

impl ProviderFake {
    /// A provider with an account without numbers.
    pub async fn start(dialect: &'static dyn Dialect) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("http://{address}");
        let fake = Self { url, dialect, address, account: Arc::default(), away: Arc::default() };
        fake.serve(listener);
        fake
    }

    fn serve(&self, listener: TcpListener) {
        let router = Router::new().fallback(answer).with_state(self.clone());
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
        eventually("the provider is away", refused).await;
    }

    /// Listens again, at the same place.
    pub async fn come_back(&self) {
        self.serve(TcpListener::bind(self.address).await.unwrap());
    }

    /// The `provider` of a gateway's document.
    pub fn provider(&self) -> Value {
        let mut document = self.dialect.settings();
        document["kind"] = json!(self.dialect.member());
        document["baseUrl"] = json!(self.url);
        document
    }

    /// Looks at or changes the account.
    pub fn account<T>(&self, look: impl FnOnce(&mut Account) -> T) -> T {
        look(&mut self.account.lock())
    }

    fn reply(&self, request: &Request) -> Response {
        let asked = self.dialect.asked(request);
        if !self.dialect.admits(request) {
            return respond(self.dialect.refusal());
        }
        let mut account = self.account.lock();
        match asked {
            Asked::Account => respond(self.dialect.account(account.suspended)),
            Asked::Numbers => respond(self.dialect.numbers(&account.numbers, request)),
            Asked::Nothing => StatusCode::NOT_FOUND.into_response(),
            Asked::Message(wanted) => {
                let fault = account.faults.pop_front();
                if let Some(Fault::Answer(reply)) = fault {
                    return respond(reply);
                }
                let sent = Sent { id: format!("{:08x}-taken", account.sent.len() + 1), wanted };
                account.sent.push(sent.clone());
                if fault.is_some() { broken_answer() } else { respond(self.dialect.taken(&sent)) }
            }
        }
    }
}

fn respond(reply: Reply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap();
    (status, [(header::CONTENT_TYPE, reply.media_type)], reply.body).into_response()
}

/// An answer whose body breaks off: the connection is closed in the middle.
fn broken_answer() -> Response {
    let broken = futures::stream::iter([Ok("{\"id\":"), Err(std::io::Error::other("the connection breaks"))]);
    (StatusCode::OK, [("content-length", "500")], Body::from_stream(broken)).into_response()
}

async fn answer(State(fake): State<ProviderFake>, request: axum::extract::Request) -> Response {
    let asked = Instant::now();
    while asked.elapsed() < fake.account(|account| account.delay) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    if let Some(status) = fake.account(|account| account.broken) {
        return StatusCode::from_u16(status).unwrap().into_response();
    }
    let (parts, body) = request.into_parts();
    let query = reqwest::Url::parse(&format!("http://x/?{}", parts.uri.query().unwrap_or_default())).unwrap();
    let request = Request {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: query.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect(),
        headers: parts.headers,
        body: axum::body::to_bytes(body, 1 << 20).await.unwrap().to_vec(),
    };
    fake.reply(&request)
}

impl Call {
    /// Calls the gateway that listens at `public`, and says what it answers.
    pub async fn made_to(&self, public: &str) -> (u16, String) {
        let client = reqwest::Client::new();
        let url = format!("http://{public}{}", self.path_and_query);
        let mut request = client.request(self.method.clone(), url).body(self.body.clone());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let response = request.timeout(Duration::from_secs(15)).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }
}
