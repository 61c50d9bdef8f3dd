//! What anything durable costs at least: a file that is appended to, and the wait for the disk. What comes meanwhile shares the next
//! wait, as in the engine.

use std::{fs::File, io::Write as _, net::SocketAddr, path::Path, sync::mpsc};

use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

/// Bytes of a record: an inbound message of one segment as JSON.
pub const RECORD: usize = 400;

/// An empty file in a folder; it goes with its handle.
pub fn file(folder: &Path) -> File {
    tempfile::tempfile_in(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}

/// Appends, and waits until the disk has it.
pub fn append(log: &mut File, bytes: &[u8]) {
    log.write_all(bytes).and_then(|()| log.sync_data()).expect("the log can be written");
}

/// A log that many append to at once.
#[derive(Clone)]
pub struct BareLog(mpsc::Sender<(Bytes, oneshot::Sender<()>)>);

/// A log behind HTTP; ends when this is dropped.
pub struct Served {
    /// Where it takes records, by POST.
    pub url: String,
    serving: JoinHandle<()>,
}

impl BareLog {
    /// A new log in the folder; it ends with its last handle.
    pub fn start() -> Self {
        let (records, waiting) = mpsc::channel::<(Bytes, oneshot::Sender<()>)>();
        let mut log = file(Path::new(env!("CARGO_TARGET_TMPDIR")));
        std::thread::spawn(move || {
            while let Ok(first) = waiting.recv() {
                let all: Vec<_> = std::iter::once(first).chain(waiting.try_iter()).collect();
                let bytes: Vec<u8> = all.iter().flat_map(|(record, _)| record.iter().copied()).collect();
                append(&mut log, &bytes);
                all.into_iter().for_each(|(_, appended)| appended.send(()).expect("it is waited for"));
            }
        });
        Self(records)
    }

    /// Appends a record; returns when the disk has it.
    pub async fn append(&self, record: Bytes) {
        let (appended, waiting) = oneshot::channel();
        self.0.send((record, appended)).expect("the log goes on");
        waiting.await.expect("the log goes on");
    }

    /// Takes records by HTTP: what a request costs, and nothing else.
    pub async fn serve(self) -> Served {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let router = Router::new().route("/", post(take)).with_state(self);
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Served { url, serving }
    }
}

async fn take(State(log): State<BareLog>, record: Bytes) -> StatusCode {
    log.append(record).await;
    StatusCode::NO_CONTENT
}

impl Drop for Served {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
