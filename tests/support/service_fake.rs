//! A service that bots call: it notes what is asked, and answers as the test says, well or badly.

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::process::address;

/// How a request is answered.
#[derive(Clone, Debug)]
pub enum Said {
    /// 200 with this body.
    Body(&'static str),
    /// This status line, such as `503 Service Unavailable`, with these headers, each with its line break, and no body.
    Status(&'static str, &'static str),
    /// What is said is no HTTP.
    Nonsense,
    /// 200 with a body without an end.
    Endless,
    /// 200 with the beginning of a body, and then nothing more.
    Half,
    /// Not at all; the connection stays.
    Nothing,
    /// Not at all; the connection ends.
    HungUp,
}

/// What was asked: the head, and the body behind it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Request line and headers.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Asked {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let of_name = |line: &&str| line.split(':').next().is_some_and(|it| it.eq_ignore_ascii_case(name));
        Some(self.head.lines().find(of_name)?.split_once(':')?.1.trim())
    }

    /// Method and target.
    pub fn target(&self) -> &str {
        self.head.lines().next().unwrap().trim_end_matches(" HTTP/1.1")
    }
}

#[derive(Default)]
struct Seen {
    asked: Vec<Asked>,
    next: VecDeque<Said>,
}

/// A service on an address of its own, which ends with the test's runtime.
#[derive(Clone)]
pub struct FakeService {
    /// Scheme, host and port.
    pub origin: String,
    /// Its port.
    pub port: u16,
    seen: Arc<Mutex<Seen>>,
}

impl FakeService {
    /// Starts one that answers `{}` when a test says nothing else.
    pub async fn start() -> Self {
        Self::start_at(address()).await
    }

    /// The same at an address that may be others' too.
    pub async fn start_at(address: IpAddr) -> Self {
        let listener = TcpListener::bind(SocketAddr::new(address, 0)).await.unwrap();
        let bound = listener.local_addr().unwrap();
        let service = Self { origin: format!("http://{bound}"), port: bound.port(), seen: Arc::default() };
        let seen = Arc::clone(&service.seen);
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, Arc::clone(&seen)));
            }
        });
        service
    }

    /// How the next requests are answered.
    pub fn says(&self, answers: impl IntoIterator<Item = Said>) {
        self.seen.lock().next.extend(answers);
    }

    /// What was asked so far, oldest first.
    pub fn asked(&self) -> Vec<Asked> {
        self.seen.lock().asked.clone()
    }
}

/// Answers one request, and closes.
async fn serve(mut connection: TcpStream, seen: Arc<Mutex<Seen>>) {
    let Some(asked) = read(&mut connection).await else { return };
    let said = {
        let mut seen = seen.lock();
        seen.asked.push(asked);
        seen.next.pop_front().unwrap_or(Said::Body("{}"))
    };
    let head =
        |status: &str, length: usize| format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n");
    let text = match said {
        Said::Body(body) => format!("{}\r\n{body}", head("200 OK", body.len())),
        Said::Status(status, headers) => format!("{}{headers}\r\n", head(status, 0)),
        Said::Nonsense => "220 mail.example.com ESMTP\r\n".into(),
        Said::Half => format!("{}\r\n{{", head("200 OK", 100)),
        Said::Nothing => return tokio::time::sleep(Duration::from_secs(3600)).await,
        Said::HungUp => return,
        Said::Endless => {
            let _ = connection.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n\"").await;
            // Until the other side has enough.
            while connection.write_all(&[b'x'; 65536]).await.is_ok() {}
            return;
        }
    };
    let _ = connection.write_all(text.as_bytes()).await;
    if matches!(said, Said::Half) {
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
}

async fn read(connection: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    loop {
        let mut part = [0; 4096];
        let read = connection.read(&mut part).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let asked = Asked { head: head.to_owned(), body: body.to_owned() };
            let length = asked.header("content-length").map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return Some(asked);
            }
        }
    }
}
