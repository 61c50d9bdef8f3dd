//! Serving HTTP, the same way on every port.

use std::{
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderValue, Request, Response, header},
};
use hyper::{
    body::{Body as HttpBody, Frame, Incoming, SizeHint},
    server::conn::http1,
    service::Service,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::connections::{Connection, Connections, Progress};

/// A client has so long for the head of its first request.
const FIRST_HEAD_WITHIN: Duration = Duration::from_secs(10);
/// And so long for the head of each further one on the same connection. It is longer than proxies keep idle connections, so that they
/// are not surprised by an end.
const NEXT_HEAD_WITHIN: Duration = Duration::from_secs(120);
/// A client that does not take what it was sent within this is gone.
const TAKEN_WITHIN: Duration = Duration::from_secs(20);
/// When no connection can be accepted (mostly: too many files are open) it is tried again as soon as one has ended, or after this.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);
/// And the log says so this often at most.
const LOG_AGAIN: Duration = Duration::from_secs(60);

/// Fields that a head has at most. Browsers send some 20, ingresses add ten; more would make the map of the fields twice as large, 20 KiB with a hundred.
const MAX_HEADERS: usize = 48;

/// What a connection holds beside its head, measured: its task, the protocol's state and the fields of a head (7 KiB), and the buffer for what
/// comes behind a head (8 KiB).
#[cfg(test)]
const CONNECTION_BYTES: usize = 16 * 1024;
/// What clients can make all ports of a role hold together at most, so that it has most of its container's 256 MiB for itself.
#[cfg(test)]
pub(crate) const ALL_PORTS_BYTES: usize = 96 * 1024 * 1024;

/// What a port grants its clients, and so how much memory they can make it hold: see [`Limits::most_bytes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Connections at once, whoever opened them: behind an ingress all of them come from one address. Beyond this, the one that has waited
    /// longest for its client makes room for a new one.
    pub connections: usize,
    /// Longest head of a request, at least 8192.
    pub head_bytes: usize,
    /// All bodies together, from their first byte until the request is answered: see [`super::bodies::Bodies`].
    pub bodies_bytes: usize,
}

impl Limits {
    /// What requests can make the port hold at most. A body is held as it came and as it was understood.
    #[cfg(test)]
    pub(crate) const fn most_bytes(&self) -> usize {
        self.connections * (CONNECTION_BYTES + self.head_bytes) + 2 * self.bodies_bytes
    }
}

#[derive(Clone, Copy)]
struct Times {
    first_head: Duration,
    next_head: Duration,
}

/// Serves until `shutdown`; requests that have come by then are still answered.
pub(crate) async fn serve(listener: TcpListener, router: Router, limits: Limits, shutdown: CancellationToken) {
    let times = Times { first_head: FIRST_HEAD_WITHIN, next_head: NEXT_HEAD_WITHIN };
    serve_with(listener, router, limits, times, shutdown).await;
}

async fn serve_with(listener: TcpListener, router: Router, limits: Limits, times: Times, shutdown: CancellationToken) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(times.next_head)
        .max_buf_size(limits.head_bytes)
        .max_headers(MAX_HEADERS);
    let router = TowerToHyperService::new(router);
    let tasks = TaskTracker::new();
    let mut port = Port { listener, connections: Connections::new(limits.connections), refusal_logged: None };
    while let Some(accepted) = shutdown.run_until_cancelled(port.accept()).await {
        let Some((stream, connection)) = accepted else { continue };
        let tracked = Tracked { router: router.clone(), progress: Arc::clone(&connection.progress) };
        let served = http.serve_connection(TokioIo::new(stream), tracked);
        let shutdown = shutdown.clone();
        tasks.spawn(async move {
            let mut served = pin!(served);
            let ended = tokio::select! {
                ended = served.as_mut() => ended,
                () = must_end(&connection, times.first_head) => return,
                () = shutdown.cancelled() => {
                    served.as_mut().graceful_shutdown();
                    served.await
                }
            };
            if let Err(error) = ended {
                tracing::trace!(%error, "a connection ended early");
            }
        });
    }
    drop(port);
    tasks.close();
    tasks.wait().await;
}

/// A port on which connections are accepted.
struct Port {
    listener: TcpListener,
    connections: Arc<Connections>,
    /// When the log said last that none can be accepted.
    refusal_logged: Option<Instant>,
}

impl Port {
    /// The next connection; none when it was gone again, or none could be had.
    async fn accept(&mut self) -> Option<(TcpStream, Connection)> {
        match self.listener.accept().await {
            Ok((stream, _)) => {
                // Without these a connection is only slower to send and slower to end.
                let _ = stream.set_nodelay(true);
                let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(TAKEN_WITHIN));
                Some((stream, self.connections.admit().await))
            }
            Err(error) => {
                use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
                if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
                    self.make_room(&error).await;
                }
                None
            }
        }
    }

    /// Files or memory are used up: one connection ends for the one that waits to be accepted.
    async fn make_room(&mut self, error: &io::Error) {
        if self.refusal_logged.is_none_or(|at| at.elapsed() >= LOG_AGAIN) {
            self.refusal_logged = Some(Instant::now());
            tracing::error!(%error, "no connection can be accepted: the one that has waited longest for its client ends");
        }
        self.connections.end_longest_waiting();
        // Other ports and the role's own files count as well: it may be none of ours that ends.
        let _ = tokio::time::timeout(ACCEPT_AGAIN, self.connections.one_is_gone()).await;
    }
}

/// Waits until a connection makes room for another one, or is too late with its first head.
async fn must_end(connection: &Connection, first_head: Duration) {
    let late = async {
        tokio::time::sleep(first_head).await;
        if connection.progress.head_seen() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = connection.progress.ended() => tracing::debug!("a connection ends to make room for a new one"),
        () = late => tracing::debug!("a connection ends: the head of a request did not come in time"),
    }
}

/// Notes how far the requests of a connection are.
struct Tracked {
    router: TowerToHyperService<Router>,
    progress: Arc<Progress>,
}

impl Service<Request<Incoming>> for Tracked {
    type Response = Response<ResponseBody>;
    type Error = std::convert::Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.progress.head();
        if request.body().is_end_stream() {
            self.progress.at_work();
        } else {
            self.progress.waits();
        }
        let progress = Arc::clone(&self.progress);
        let whole = Arc::new(AtomicBool::new(request.body().is_end_stream()));
        let request = request
            .map(|body| Body::new(RequestBody { body, progress: Arc::clone(&progress), whole: Arc::clone(&whole) }));
        let answered = self.router.call(request);
        Box::pin(async move {
            let mut response = answered.await?.map(|body| ResponseBody { body, progress });
            // What is left of the body may end the connection: a client that is not told would send its next request on it, and lose it.
            if !whole.load(Ordering::Relaxed) {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response)
        })
    }
}

/// The body of a request: until it has come, or nobody wants it, the connection waits for its client.
struct RequestBody {
    body: Incoming,
    progress: Arc<Progress>,
    /// Set as soon as all of it has come.
    whole: Arc<AtomicBool>,
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None)) || self.body.is_end_stream() {
            self.whole.store(true, Ordering::Relaxed);
            self.progress.at_work();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        self.progress.at_work();
    }
}

/// The body of a response. The role is at work for the next piece of it; from then on, until there is room for a further piece or all has
/// gone out of our hands, the connection waits for its client to take it.
struct ResponseBody {
    body: Body,
    progress: Arc<Progress>,
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if frame.is_pending() {
            self.progress.at_work();
        } else {
            self.progress.waits();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        self.progress.waits();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::{get, post};
    use std::net::SocketAddr;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        sync::Notify,
        task::JoinHandle,
    };

    const LIMITS: Limits = Limits { connections: 100, head_bytes: 8192, bodies_bytes: 0 };
    const TIMES: Times = Times { first_head: FIRST_HEAD_WITHIN, next_head: NEXT_HEAD_WITHIN };

    async fn start(router: Router, limits: Limits, times: Times) -> (SocketAddr, CancellationToken, JoinHandle<()>) {
        crate::process::crypto::install_providers();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, shutdown) = (listener.local_addr().unwrap(), CancellationToken::new());
        let served = tokio::spawn(serve_with(listener, router, limits, times, shutdown.clone()));
        (address, shutdown, served)
    }

    /// What is said until the server closes.
    async fn everything(mut stream: TcpStream) -> String {
        let mut answer = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut answer)).await;
        // Closed with a reset is closed too.
        let _ = read.expect("the connection is closed");
        String::from_utf8(answer).unwrap()
    }

    async fn say(address: SocketAddr, words: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(words.as_bytes()).await.unwrap();
        stream
    }

    #[tokio::test]
    async fn a_connection_sends_at_once_and_ends_when_its_client_takes_nothing() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut port = Port { listener, connections: Connections::new(1), refusal_logged: None };
        let _client = TcpStream::connect(address).await.unwrap();
        let (stream, _connection) = port.accept().await.unwrap();
        assert!(stream.nodelay().unwrap(), "a beat or an answer does not wait for more to send");
        let kept = SockRef::from(&stream).tcp_user_timeout().unwrap();
        assert!(kept.is_some_and(|kept| kept <= Duration::from_secs(30)), "what a dead machine holds: {kept:?}");
    }

    #[tokio::test]
    async fn clients_without_a_complete_head_are_disconnected() {
        let short = Duration::from_millis(100);
        let long = Duration::from_secs(3600);
        let request = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        for (times, words) in [
            (Times { first_head: short, next_head: long }, ""),
            (Times { first_head: short, next_head: long }, "GET / HTTP/1.1\r\nhost: a\r\nx-"),
            (Times { first_head: long, next_head: short }, request),
        ] {
            let router = Router::new().route("/", get(async || "hello"));
            let (address, _, _) = start(router, LIMITS, times).await;
            let answer = everything(say(address, words).await).await;
            assert_eq!(answer.ends_with("\r\n\r\nhello"), words == request, "{words:?}: {answer}");
        }
    }

    #[tokio::test]
    async fn a_head_that_is_too_long_is_refused() {
        let router = Router::new().route("/", get(async || "hello"));
        let (address, _, _) = start(router, LIMITS, TIMES).await;
        let long = format!("GET / HTTP/1.1\r\nhost: a\r\nx-a: {}\r\n\r\n", "a".repeat(9000));
        let answer = everything(say(address, &long).await).await;
        assert!(answer.starts_with("HTTP/1.1 431 ") || answer.is_empty(), "{answer}");
    }

    #[tokio::test]
    async fn a_head_with_too_many_fields_is_refused() {
        let router = Router::new().route("/", get(async || "hello"));
        let (address, _, _) = start(router, LIMITS, TIMES).await;
        for (fields, status) in [(MAX_HEADERS, "200"), (MAX_HEADERS + 1, "431")] {
            let more: String = (2..fields).map(|n| format!("x-{n}: a\r\n")).collect();
            let head = format!("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{more}\r\n");
            let answer = everything(say(address, &head).await).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{fields} fields: {answer}");
        }
    }

    #[tokio::test]
    async fn a_client_is_told_that_a_body_which_nobody_read_ends_the_connection() {
        let router = Router::new().route("/read", post(async |_: Bytes| "")).route("/refused", post(async || ""));
        let (address, _, _) = start(router, LIMITS, TIMES).await;
        for (path, length, sent, closes) in [
            ("/read", 2, "hi", false),
            ("/read", 0, "", false),
            ("/refused", 0, "", false),
            ("/refused", 100_000, "h", true),
        ] {
            let request = format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{sent}");
            let mut stream = say(address, &request).await;
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            assert_eq!(head.contains("connection: close"), closes, "{path} {length}: {head}");
        }
    }

    #[tokio::test]
    async fn beyond_the_limit_clients_that_keep_us_waiting_make_room_and_work_goes_on() {
        let (come, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (came, may_go) = (come.clone(), go.clone());
        let work = post(async move |body: Bytes| {
            come.notify_one();
            go.notified().await;
            body
        });
        let router = Router::new().route("/work", work).route("/", get(async || "hello"));
        let (address, _, _) = start(router, Limits { connections: 4, ..LIMITS }, TIMES).await;
        let work =
            say(address, "POST /work HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi").await;
        came.notified().await;
        let slow = [
            say(address, "").await,
            say(address, "GET / HTTP/1.1\r\nx-").await,
            say(address, "POST /work HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nh").await,
        ];
        for _ in 0..3 {
            let client = reqwest::Client::new();
            let answer = client.get(format!("http://{address}/")).send().await.unwrap();
            assert_eq!(answer.text().await.unwrap(), "hello");
            // Its connection is kept, and is the next to wait.
            std::mem::forget(client);
        }
        for stream in slow {
            assert_eq!(everything(stream).await, "");
        }
        may_go.notify_one();
        assert!(everything(work).await.ends_with("\r\n\r\nhi"), "who is worked for is not sent away");
    }

    #[tokio::test]
    async fn what_has_come_before_the_end_is_answered() {
        let (come, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (came, may_go) = (come.clone(), go.clone());
        let answer = get(async move || {
            come.notify_one();
            go.notified().await;
            "done"
        });
        let (address, shutdown, served) = start(Router::new().route("/", answer), LIMITS, TIMES).await;
        let asked = tokio::spawn(async move { reqwest::get(format!("http://{address}")).await?.text().await });
        came.notified().await;
        shutdown.cancel();
        tokio::task::yield_now().await;
        may_go.notify_one();
        assert_eq!(asked.await.unwrap().unwrap(), "done");
        served.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    }
}
