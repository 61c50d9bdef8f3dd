//! Serving HTTP, the same way on every port.

use std::{io, pin::pin, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A client has so long for the head of a request, the first one and each that follows on the same connection. It is longer than
/// proxies keep idle connections, so that they are not surprised by an end.
const HEAD_WITHIN: Duration = Duration::from_secs(120);
/// When no connection can be accepted (mostly: too many files are open) it is tried again after this.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);

/// Serves until `shutdown`; requests that have come by then are still answered.
pub async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) {
    serve_with(listener, router, shutdown, HEAD_WITHIN).await;
}

async fn serve_with(listener: TcpListener, router: Router, shutdown: CancellationToken, head_within: Duration) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(head_within);
    let service = TowerToHyperService::new(router);
    let connections = TaskTracker::new();
    while let Some(accepted) = shutdown.run_until_cancelled(accept(&listener)).await {
        let Some(stream) = accepted else { continue };
        let (http, service, shutdown) = (http.clone(), service.clone(), shutdown.clone());
        connections.spawn(async move {
            let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
            let served = tokio::select! {
                served = connection.as_mut() => served,
                () = shutdown.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = served {
                tracing::trace!(%error, "a connection ended early");
            }
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// The next connection; none when it was gone again, or none could be had.
async fn accept(listener: &TcpListener) -> Option<TcpStream> {
    match listener.accept().await {
        Ok((stream, _)) => Some(stream),
        Err(error) => {
            use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
            if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
                tracing::error!(%error, "no connection can be accepted");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use std::{net::SocketAddr, sync::Arc};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        sync::Notify,
        task::JoinHandle,
    };

    async fn start(router: Router, head_within: Duration) -> (SocketAddr, CancellationToken, JoinHandle<()>) {
        crate::process::crypto::install_providers();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, shutdown) = (listener.local_addr().unwrap(), CancellationToken::new());
        let served = tokio::spawn(serve_with(listener, router, shutdown.clone(), head_within));
        (address, shutdown, served)
    }

    #[tokio::test]
    async fn a_client_that_does_not_come_to_the_point_is_let_go() {
        let router = Router::new().route("/", get(async || "hello"));
        let (address, _, _) = start(router, Duration::from_millis(100)).await;
        for words in ["", "GET / HTTP/1.1\r\nhost: a\r\nx-", "GET / HTTP/1.1\r\nhost: a\r\n\r\n"] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(words.as_bytes()).await.unwrap();
            let mut answer = String::new();
            // Ends only because the server closes.
            let read = tokio::time::timeout(Duration::from_secs(60), stream.read_to_string(&mut answer)).await;
            read.expect("the connection is closed").unwrap();
            assert_eq!(answer.ends_with("\r\n\r\nhello"), words.ends_with("\r\n\r\n"), "{words:?}: {answer}");
        }
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
        let (address, shutdown, served) = start(Router::new().route("/", answer), HEAD_WITHIN).await;
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
