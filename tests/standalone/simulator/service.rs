//! A service that takes webhooks and notes them, after checking their signature.

use super::TOKEN;
use aldis::wire::simulator::signature;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
};
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::Value;
use std::{collections::VecDeque, net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::TcpListener;

/// One webhook that came in.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) path: String,
    pub(super) body: Value,
    pub(super) verdict: Result<(), signature::SignatureError>,
}

/// The service. Clones are the same one.
#[derive(Clone, Default)]
pub(super) struct Service {
    calls: Arc<Mutex<Vec<Call>>>,
    /// Answers to the next calls; 204 when there are none.
    answers: Arc<Mutex<VecDeque<u16>>>,
}

impl Service {
    pub(super) async fn start() -> (Self, SocketAddr) {
        let service = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(take).with_state(service.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (service, address)
    }

    pub(super) fn answer_next(&self, statuses: impl IntoIterator<Item = u16>) {
        self.answers.lock().extend(statuses);
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.calls.lock().clone()
    }

    /// One member of each body, in the order in which they came.
    pub(super) fn bodies(&self, member: &str) -> Vec<String> {
        self.calls().iter().map(|call| call.body[member].as_str().unwrap_or_default().to_owned()).collect()
    }

    pub(super) async fn until(&self, calls: usize) -> Vec<Call> {
        for _ in 0..1500 {
            if self.calls.lock().len() >= calls {
                return self.calls();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("fewer than {calls} calls: {:#?}", self.calls());
    }
}

async fn take(State(service): State<Service>, uri: Uri, headers: HeaderMap, body: Bytes) -> StatusCode {
    let url = format!("https://sms.example.com/desk{uri}");
    let header = headers.get(signature::HEADER).and_then(|value| value.to_str().ok());
    service.calls.lock().push(Call {
        path: uri.to_string(),
        body: serde_json::from_slice(&body).unwrap(),
        verdict: signature::verify(TOKEN, header, &url, &body, Timestamp::now()),
    });
    let status = service.answers.lock().pop_front().unwrap_or(204);
    StatusCode::from_u16(status).unwrap()
}
