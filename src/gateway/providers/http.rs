//! Calling a provider over HTTP: one client for all, and what its failures mean.

use std::{error::Error, path::Path, time::Duration};

use jiff::{Timestamp, fmt::rfc2822};
use reqwest::{Response, StatusCode, header::RETRY_AFTER};

use super::{Answer, CheckError, Scope};
use crate::{
    process::http_client::{self, ClientError, chain},
    wire::{
        outbound::NotSentReason,
        status::{Trouble, Unanswered},
    },
};

/// Until a connection stands. Shorter than the whole, so that a connection that never stood is told from a lost answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Until the answer is complete.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Providers close idle connections; a request on one that is just closing would be doubtful.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest answer that is read: a page of 1000 numbers has about 1.5 MB.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;
/// A provider that asks for more time is asked again after this.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

/// The client for providers.
#[derive(Clone, Debug)]
pub(crate) struct Client(reqwest::Client);

/// A complete answer.
#[derive(Debug)]
pub(super) struct Answered {
    /// The status.
    pub status: StatusCode,
    /// `Retry-After`, as seconds or as a date.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Vec<u8>,
}

/// No complete answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoAnswer {
    /// Whether the request may have reached the provider.
    pub maybe_received: bool,
    /// Whether time ran out after the connection stood.
    pub slow: bool,
    pub message: String,
}

impl Client {
    /// A client that trusts the public roots and those in `further_authorities` (PEM).
    ///
    /// # Errors
    /// When the file cannot be used.
    pub(crate) fn new(further_authorities: Option<&Path>) -> Result<Self, ClientError> {
        let builder = http_client::to_the_world(further_authorities)?
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT);
        Ok(Self(builder.build()?))
    }

    /// Begins a request.
    pub(crate) fn request(&self, method: reqwest::Method, url: &str) -> reqwest::RequestBuilder {
        self.0.request(method, url)
    }
}

/// Sends a request and reads the whole answer.
///
/// # Errors
/// When there is no complete answer.
pub(super) async fn call(request: reqwest::RequestBuilder) -> Result<Answered, NoAnswer> {
    let mut response = request.send().await.map_err(|error| no_answer(error, false))?;
    let (status, retry_after) = (response.status(), retry_after(&response));
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| no_answer(error, true))? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            let message = format!("the answer is longer than {MAX_ANSWER_BYTES} bytes");
            return Err(NoAnswer { maybe_received: true, slow: false, message });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answered { status, retry_after, body })
}

/// A number as providers write it: short codes without their country.
pub(super) fn without_country(number: &str) -> &str {
    number.split_once(':').map_or(number, |(_, code)| code)
}

fn retry_after(response: &Response) -> Option<Duration> {
    let said = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    parse_retry_after(said, Timestamp::now())
}

/// What `Retry-After` asks for: seconds, or a date of RFC 9110 (its present form; the obsolete ones are not read).
fn parse_retry_after(said: &str, now: Timestamp) -> Option<Duration> {
    let said = said.trim();
    let asked = match said.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = rfc2822::parse(said).ok()?.timestamp();
            // A date in the past asks for no time.
            Duration::try_from(date.duration_since(now)).unwrap_or_default()
        }
    };
    Some(asked.min(MAX_RETRY_AFTER))
}

fn no_answer(error: reqwest::Error, began: bool) -> NoAnswer {
    // A connection that never stood (name, TCP, TLS) carried nothing; a request that could not be built neither.
    let never_sent = !began && (error.is_connect() || error.is_builder());
    let slow = error.is_timeout() && !never_sent;
    if slow {
        return NoAnswer { maybe_received: true, slow, message: format!("not within {} s", TIMEOUT.as_secs()) };
    }
    let error = error.without_url();
    // reqwest's own words, "error sending request", say nothing that its cause does not.
    let message = error.source().map_or_else(|| chain(&error), chain);
    NoAnswer { maybe_received: !never_sent, slow, message }
}

impl From<NoAnswer> for CheckError {
    fn from(error: NoAnswer) -> Self {
        let trouble = if error.slow { Trouble::Slow } else { Trouble::Unreachable };
        Self::Unasked(Unanswered::new(trouble, error.message))
    }
}

impl From<NoAnswer> for Answer {
    fn from(error: NoAnswer) -> Self {
        if error.maybe_received {
            Self::unknown(format!("no answer from the provider: {}", error.message))
        } else {
            let message = format!("the provider cannot be reached: {}", error.message);
            Self::not_sent(Scope::Account, NotSentReason::Unreachable, None, message)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::Method;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    fn client() -> Client {
        Client::new(None).unwrap()
    }

    /// A server that reads a request, writes `answer` and closes.
    async fn server(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut buffer = [0; 1024];
                let _ = stream.read(&mut buffer).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        url
    }

    async fn failure(url: &str) -> NoAnswer {
        let request = client().request(Method::POST, url).timeout(Duration::from_millis(300)).body("x");
        call(request).await.unwrap_err()
    }

    #[tokio::test]
    async fn what_never_left_is_told_from_what_may_have_arrived() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        for nowhere in [format!("http://{closed}"), "http://name.invalid".to_owned()] {
            let error = failure(&nowhere).await;
            assert!(!error.maybe_received && !error.slow, "{nowhere}: {error:?}");
            assert!(!error.message.contains("http"), "no URL in {}", error.message);
        }
        // TLS that never came about carried nothing either.
        let plain = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.replace("http", "https");
        assert!(!failure(&plain).await.maybe_received);

        for answer in ["", "HTTP/1.1 2", "HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\nshort"] {
            let error = failure(&server(answer).await).await;
            assert!(error.maybe_received && !error.slow, "{answer:?}: {error:?}");
        }
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let error = failure(&format!("http://{}", silent.local_addr().unwrap())).await;
        assert!(error.maybe_received && error.slow, "{error:?}");
    }

    #[tokio::test]
    async fn redirects_are_answers() {
        let url =
            server("HTTP/1.1 307 Go\r\nlocation: http://127.0.0.1:1/\r\nretry-after: 7\r\ncontent-length: 2\r\n\r\nhi")
                .await;
        let answered = call(client().request(Method::GET, &url)).await.unwrap();
        assert_eq!((answered.status.as_u16(), &*answered.body), (307, &b"hi"[..]));
        assert_eq!(answered.retry_after, Some(Duration::from_secs(7)));
    }

    #[test]
    fn retry_after_is_in_seconds_or_a_date() {
        let now = "2026-11-25T12:00:00Z".parse().unwrap();
        let cases = [
            ("7", Some(7)),
            (" 7 ", Some(7)),
            ("86400", Some(300)),
            ("Wed, 25 Nov 2026 12:00:30 GMT", Some(30)),
            ("Thu, 26 Nov 2026 12:00:00 GMT", Some(300)),
            ("Wed, 25 Nov 2026 11:59:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
            ("", None),
        ];
        for (said, seconds) in cases {
            assert_eq!(parse_retry_after(said, now), seconds.map(Duration::from_secs), "{said:?}");
        }
    }
}
