//! Calls the services of bots: to where the step says and nowhere else, within its time and size.

use std::{
    error::Error,
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use reqwest::{
    Client, Method, StatusCode,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
};
use tokio::{
    sync::mpsc::UnboundedReceiver,
    time::{Instant, sleep, timeout_at},
};
use tracing::Instrument as _;

use crate::{
    api::{bot::HttpMethod, reference::SecretKeyRef},
    bot::{CallFailure, CallResult, Request, RequestHeader},
    engine::{
        core::{bot_run::RunTurn, ids::InteractionId},
        inbox::Handle,
        metrics::Metrics,
    },
    process::{
        addresses::is_never_allowed,
        http_client::{self, ClientError, chain},
    },
};

/// Until a connection stands; a step's own time may be shorter.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Tries of one call, within its time.
const MAX_TRIES: usize = 3;
/// Waits between tries, unless the service asks for more.
const BACKOFF: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(250))
    .with_max_delay(Duration::from_secs(2))
    .with_max_times(MAX_TRIES - 1)
    .with_jitter();

/// A call to be made.
#[derive(Debug)]
pub(in crate::engine) struct ServiceCall {
    /// The conversation that waits for it.
    pub(super) interaction: InteractionId,
    /// The turn that goes on with it.
    pub(super) turn: RunTurn,
    /// The same for each try.
    pub(super) key: String,
    pub(super) request: Request,
}

/// What it takes to call services.
#[derive(Debug)]
pub(in crate::engine) struct BotServices {
    /// Where Secrets are mounted, each in a folder of its name.
    secrets: PathBuf,
    engine: Handle,
    metrics: Metrics,
}

impl BotServices {
    pub(in crate::engine) const fn new(secrets: PathBuf, engine: Handle, metrics: Metrics) -> Self {
        Self { secrets, engine, metrics }
    }

    /// Makes every call that comes, until none can come any more.
    pub(in crate::engine) async fn run(self, mut calls: UnboundedReceiver<ServiceCall>) {
        let services = Arc::new(self);
        // The client comes with the first call: engines without bots spare its memory.
        let mut client = None;
        while let Some(ServiceCall { interaction, turn, key, request }) = calls.recv().await {
            if client.is_none() {
                client = new_client()
                    .inspect_err(|error| tracing::error!(%error, "no client for the services of bots"))
                    .ok();
            }
            let (services, client) = (Arc::clone(&services), client.clone());
            let span = tracing::info_span!("call", %interaction, turn = turn.turn, origin = request.origin, key);
            tokio::spawn(async move {
                let made = {
                    let (services, span) = (Arc::clone(&services), span.clone());
                    tokio::spawn(async move { services.make(client, &key, &request).await }.instrument(span))
                };
                // One that panicked has failed: the customer is not kept waiting.
                let result = made.await.unwrap_or(CallResult::Failed(CallFailure::Unreachable));
                services.engine.called(interaction, turn, result);
            });
        }
    }

    async fn make(&self, client: Option<Client>, key: &str, request: &Request) -> CallResult {
        let begun = Instant::now();
        let made = match client {
            Some(client) => Call { client, secrets: &self.secrets, key, request }.until_it_is_known(begun).await,
            None => Err(CallFailure::Unreachable),
        };
        self.metrics.bots().call_took(begun.elapsed());
        made.map_or_else(CallResult::Failed, CallResult::Answered)
    }
}

fn new_client() -> Result<Client, ClientError> {
    let builder = http_client::to_the_world(None)?.connect_timeout(CONNECT_TIMEOUT).dns_resolver(Arc::new(Resolver));
    Ok(builder.build()?)
}

/// One call.
struct Call<'a> {
    client: Client,
    secrets: &'a Path,
    key: &'a str,
    request: &'a Request,
}

/// A try without an answer that can be used.
struct TryFailed {
    why: CallFailure,
    /// Whether another one may go better, and does no harm.
    again: bool,
    /// What the service asks for.
    wait: Option<Duration>,
}

impl TryFailed {
    const fn for_good(why: CallFailure) -> Self {
        Self { why, again: false, wait: None }
    }
}

impl Call<'_> {
    /// Tries until there is an answer, the time is over, or a further try is of no use.
    async fn until_it_is_known(&self, begun: Instant) -> Result<Vec<u8>, CallFailure> {
        let deadline = begun + Duration::from_secs(self.request.timeout_seconds.into());
        let headers = self.headers()?;
        if is_never_called(&self.request.origin) {
            tracing::warn!("an address that is never called");
            return Err(CallFailure::Address);
        }
        let mut waits = BACKOFF.build();
        loop {
            let Ok(tried) = timeout_at(deadline, self.one_try(headers.clone())).await else {
                tracing::warn!(seconds = self.request.timeout_seconds, "the service did not answer in time");
                return Err(CallFailure::TimedOut);
            };
            let failed = match tried {
                Ok(body) => return Ok(body),
                Err(failed) => failed,
            };
            let wait = waits.next().filter(|_| failed.again).map(|wait| wait.max(failed.wait.unwrap_or_default()));
            match wait.filter(|wait| *wait < deadline.saturating_duration_since(Instant::now())) {
                Some(wait) => sleep(wait).await,
                None => return Err(failed.why),
            }
        }
    }

    fn headers(&self) -> Result<HeaderMap, CallFailure> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.request.headers {
            let value = match value {
                RequestHeader::Text(text) => HeaderValue::from_bytes(text.as_bytes()),
                RequestHeader::Secret(secret) => {
                    let mut value = HeaderValue::from_bytes(self.secret(secret)?.trim_ascii());
                    if let Ok(value) = &mut value {
                        value.set_sensitive(true);
                    }
                    value
                }
            };
            // The compiler let only letters, digits and dashes through, and the text has no control characters.
            let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), value) else {
                tracing::warn!(header = name, "holds what a header cannot hold");
                return Err(CallFailure::NoSecret);
            };
            headers.insert(name, value);
        }
        if let Ok(key) = HeaderValue::from_str(self.key) {
            headers.insert("idempotency-key", key);
        }
        if self.request.body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Ok(headers)
    }

    fn secret(&self, SecretKeyRef { name, key }: &SecretKeyRef) -> Result<Vec<u8>, CallFailure> {
        // Neither leads out of the folder that the channel's list fills.
        let is_plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains('/');
        let read = if is_plain(name) && is_plain(key) {
            std::fs::read(self.secrets.join(name).join(key))
        } else {
            Err(std::io::ErrorKind::InvalidInput.into())
        };
        read.map_err(|error| {
            tracing::warn!(secret = name, key, %error, "a Secret that a header shows cannot be read");
            CallFailure::NoSecret
        })
    }

    async fn one_try(&self, headers: HeaderMap) -> Result<Vec<u8>, TryFailed> {
        let Request { method, origin, path, body, .. } = self.request;
        let mut request = self.client.request(method_of(*method), format!("{origin}{path}")).headers(headers);
        if let Some(body) = body {
            request = request.body(body.clone());
        }
        let mut answer = request.send().await.map_err(|error| self.broken(error))?;
        let status = answer.status();
        if !status.is_success() {
            tracing::warn!(status = status.as_u16(), "the service refused");
            let wait = answer.headers().get(RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.trim().parse().ok());
            let wait = wait.map(Duration::from_secs);
            return Err(TryFailed { why: CallFailure::Status, again: self.is_tried_again_after(status), wait });
        }
        let mut read = Vec::new();
        if !self.request.reads_body {
            return Ok(read);
        }
        let most = self.request.max_response_bytes as usize;
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.broken(error))? {
            if read.len() + chunk.len() > most {
                tracing::warn!(most, "the answer is too long");
                return Err(TryFailed::for_good(CallFailure::TooLong));
            }
            read.extend_from_slice(&chunk);
        }
        Ok(read)
    }

    /// There is no complete answer. What never reached the service is tried again; other requests are when doing them twice is doing them once.
    fn broken(&self, error: reqwest::Error) -> TryFailed {
        let refused = is_never_called_error(&error);
        let again = !refused && (error.is_connect() || is_idempotent(self.request.method));
        let error = error.without_url();
        tracing::warn!(error = chain(&error), "no answer from the service");
        let why = if refused { CallFailure::Address } else { CallFailure::Unreachable };
        TryFailed { why, again, wait: None }
    }

    /// A service that says that it has done nothing is asked again; one in between may not know.
    fn is_tried_again_after(&self, status: StatusCode) -> bool {
        match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => true,
            StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => is_idempotent(self.request.method),
            _ => false,
        }
    }
}

fn method_of(method: HttpMethod) -> Method {
    match method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Patch => Method::PATCH,
        HttpMethod::Delete => Method::DELETE,
    }
}

/// RFC 9110, section 9.2.2.
const fn is_idempotent(method: HttpMethod) -> bool {
    match method {
        HttpMethod::Get | HttpMethod::Put | HttpMethod::Delete => true,
        HttpMethod::Post | HttpMethod::Patch => false,
    }
}

/// An address that is written out passes no resolver.
fn is_never_called(origin: &str) -> bool {
    let host = reqwest::Url::parse(origin).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    host.trim_matches(['[', ']']).parse().is_ok_and(is_never_allowed)
}

/// A name has addresses only that are never called.
#[derive(Debug)]
struct NeverCalled;

impl fmt::Display for NeverCalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name leads to this machine, its link or its metadata service, which are never called")
    }
}

impl Error for NeverCalled {}

fn is_never_called_error(error: &(dyn Error + 'static)) -> bool {
    error.is::<NeverCalled>() || error.source().is_some_and(is_never_called_error)
}

/// Finds the addresses of a name but for those that are never called: who may write a name's DNS records chooses no machine-only service.
#[derive(Debug)]
struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let is_local = name.as_str() == "localhost";
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let may_be_called =
                |address: IpAddr| !is_never_allowed(address) && (is_local || !address.to_canonical().is_loopback());
            let allowed: Vec<_> = found.filter(|found| may_be_called(found.ip())).collect();
            if allowed.is_empty() {
                return Err(Box::new(NeverCalled) as Box<dyn Error + Send + Sync>);
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}
