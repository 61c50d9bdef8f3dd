//! Asks gateways and engines for their status, apart from reconciling: bounded, jittered, each with a deadline, so that a slow
//! pod delays nobody.

mod tokens;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::trace;

use crate::{
    api::{SmsChannel, names},
    operator::{
        observed::{
            changes,
            context::Context,
            pod,
            samples::{Habit, Sampled},
            targets::{Class, Next, Target},
        },
        resources::child::Owner,
        runtime::{cache::ObjectKey, metrics::ScrapeLabels},
    },
    wire::{
        ports,
        status::{EngineStatus, GatewayStatus},
    },
};
use tokens::Tokens;

/// Longest that one of the pods that answer may take to do so; one that does not is asked again among the silent ones.
const DEADLINE: Duration = Duration::from_secs(1);
/// Longest that one of the silent pods may take to answer.
const LAST_DEADLINE: Duration = Duration::from_secs(3);
/// A pod that has just become ready may be out of reach for a moment, until the nodes know the way.
const FIRST_AGAIN: Duration = Duration::from_secs(1);
/// Pods asked at a time of those that answer. They take milliseconds; many only so that thousands that fall silent at once are found
/// out soon.
const WORKERS: usize = 128;
/// Pods asked at a time of those that are silent. Each waits for its deadline.
const WORKERS_FOR_SILENT: usize = 64;
/// Longest between two attempts to ask a silent pod.
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);
/// Of a pod that says the same again and again: with all else a queue that turns bad is still seen within 10 s.
pub(crate) const QUIET_REST: Rest = Rest { intervals: 2, longest: Duration::from_secs(8) };
/// Of an engine that has nothing to do and whose gateway tells when a text comes.
pub(crate) const IDLE_REST: Rest = Rest { intervals: 12, longest: Duration::from_secs(60) };
/// A pod that has said the same so many times in a row is quiet.
const QUIET: u32 = 12;
/// Longest status of a gateway that is read, in bytes: 10,000 numbers fit well, with the address that each has at the provider.
const LONGEST_OF_GATEWAY: usize = 4 << 20;
/// Longest status of an engine that is read, in bytes. It is some hundred long, and 40,000 where its bots have all that they may have.
const LONGEST_OF_ENGINE: usize = 64 << 10;

/// Why a pod gave no status.
#[derive(Debug, thiserror::Error)]
enum ScrapeError {
    #[error("no token for the pod: {0}")]
    Token(kube::Error),
    #[error("it does not answer: {0}")]
    Http(String),
    #[error("it answers with status {0}")]
    Status(u16),
    #[error("its answer is too long")]
    TooLong,
    #[error("its answer is no status: {0}")]
    Parse(serde_json::Error),
}

/// What is asked of a pod.
#[derive(Clone, Copy)]
struct Question<'a> {
    address: SocketAddr,
    path: &'a str,
    /// Longest answer that is read, in bytes.
    longest: usize,
}

/// How long a pod is left alone at which nothing happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rest {
    /// So many times the usual interval,
    intervals: u32,
    /// and no longer than this, where the usual interval itself is not longer.
    pub longest: Duration,
}

struct Scraper {
    context: Arc<Context>,
    http: reqwest::Client,
    tokens: Tokens,
}

/// Starts asking.
pub(crate) fn start(context: &Arc<Context>, http: reqwest::Client, tasks: &mut JoinSet<()>, stop: &CancellationToken) {
    let tokens = Tokens::new(&context.settings);
    let scraper = Arc::new(Scraper { context: context.clone(), http, tokens });
    let classes = [(Class::Answering, WORKERS), (Class::Silent, WORKERS_FOR_SILENT)];
    for class in classes.into_iter().flat_map(|(class, workers)| std::iter::repeat_n(class, workers)) {
        let (scraper, stop) = (scraper.clone(), stop.clone());
        tasks.spawn(async move {
            loop {
                let target = tokio::select! {
                    () = stop.cancelled() => return,
                    target = scraper.context.targets.pop(class) => target,
                };
                let next = scraper.visit(&target, class).await.unwrap_or(Next::Never);
                scraper.context.targets.done(&target, class, next);
            }
        });
    }
}

impl Scraper {
    /// Asks once; says when to ask again, none when there is nobody to ask any more.
    async fn visit(&self, target: &Target, class: Class) -> Option<Next> {
        let samples = &self.context.samples;
        let (label, is_answered, after) = match target {
            Target::Gateway(key) => {
                let connector = self.context.cluster.connectors.get(key)?;
                let owner = Owner::connector(&connector);
                let pod = pod::of(&self.context, &owner);
                let address = self.address(pod.as_deref()?)?;
                let question = Question { address, path: ports::STATUS_PATH, longest: LONGEST_OF_GATEWAY };
                let answer = self.ask::<GatewayStatus>(&owner, class, question).await;
                let is_answered = answer.is_ok();
                if is_answered || class == Class::Silent {
                    let answer = answer.map_err(|error| error.to_string());
                    let news = samples.gateway_said(&owner.uid, answer);
                    changes::gateway_said(&self.context, key, &news);
                }
                if !is_answered && class == Class::Answering {
                    changes::gateway_missed(&self.context, key, self.context.settings.scrape_interval());
                }
                let seen = samples.gateway(&owner.uid);
                let interval = self.interval(samples.gateway_habit(&owner.uid), QUIET_REST);
                ("gateway", is_answered, pod::asked_within(pod.as_deref(), &seen, FIRST_AGAIN, interval))
            }
            Target::Engine(key) => {
                let channel = self.context.cluster.channels.get(key)?;
                let owner = Owner::channel(&channel);
                let pod = pod::of(&self.context, &owner);
                let address = self.address(pod.as_deref()?)?;
                let path = ports::of_channel(ports::CHANNEL_STATUS_PATH, &owner.name);
                let question = Question { address, path: &path, longest: LONGEST_OF_ENGINE };
                let answer = self.ask::<EngineStatus>(&owner, class, question).await;
                let is_answered = answer.is_ok();
                if is_answered || class == Class::Silent {
                    let answer = answer.map_err(|error| error.to_string());
                    changes::engine_said(&self.context, key, &owner.uid, answer);
                }
                let seen = samples.engine(&owner.uid);
                let rest = rest(&self.context, &channel, &seen);
                let interval = self.interval(samples.engine_habit(&owner.uid), rest);
                ("engine", is_answered, pod::asked_within(pod.as_deref(), &seen, FIRST_AGAIN, interval))
            }
        };
        let result = if is_answered { "success" } else { "error" };
        self.context.metrics.scrapes.get_or_create(&ScrapeLabels { target: label, result }).inc();
        let next = match (is_answered, class) {
            (true, _) => Class::Answering,
            // It had little time. With more of it, it may answer yet.
            (false, Class::Answering) => return Some(Next::After(Duration::ZERO, Class::Silent)),
            (false, Class::Silent) => Class::Silent,
        };
        Some(Next::After(after.mul_f64(0.9 + fastrand::f64() * 0.2), next))
    }

    fn interval(&self, habit: Habit, rest: Rest) -> Duration {
        interval(habit, self.context.settings.scrape_interval(), rest)
    }

    /// Where the pod listens. None: nowhere yet, and it is asked again when that is known.
    fn address(&self, pod: &Pod) -> Option<SocketAddr> {
        let address = SocketAddr::new(pod::address(pod)?, ports::INTERNAL);
        Some(self.context.settings.resolve_services_to.unwrap_or(address))
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        owner: &Owner,
        class: Class,
        question: Question<'_>,
    ) -> Result<T, ScrapeError> {
        let deadline = match class {
            Class::Answering => DEADLINE,
            Class::Silent => LAST_DEADLINE,
        };
        let answer = tokio::time::timeout(deadline, self.ask_without_limit(owner, question)).await;
        let result = answer.unwrap_or_else(|_| Err(ScrapeError::Http(format!("not within {} s", deadline.as_secs()))));
        if let Err(error) = &result {
            trace!(target = owner.child_name, namespace = owner.namespace, %error, "not answered");
        }
        result
    }

    async fn ask_without_limit<T: DeserializeOwned>(
        &self,
        owner: &Owner,
        question: Question<'_>,
    ) -> Result<T, ScrapeError> {
        let audience = names::role_audience(&owner.namespace);
        let client = self.context.writer.client();
        let token = self.tokens.get(client, &audience).await.map_err(ScrapeError::Token)?;
        let host = format!("{}.{}.svc:{}", owner.child_name, owner.namespace, ports::INTERNAL);
        let url = format!("http://{}{}", question.address, question.path);
        let request = self.http.get(url).header("host", host).bearer_auth(token);
        let mut answer = request.send().await.map_err(|error| ScrapeError::Http(root_cause(&error)))?;
        if answer.status().as_u16() == 401 {
            // Keys may have been rotated since the token was made.
            self.tokens.forget(&audience);
        }
        if !answer.status().is_success() {
            return Err(ScrapeError::Status(answer.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| ScrapeError::Http(root_cause(&error)))? {
            body.extend_from_slice(&chunk);
            if body.len() > question.longest {
                return Err(ScrapeError::TooLong);
            }
        }
        serde_json::from_slice(&body).map_err(ScrapeError::Parse)
    }
}

/// How long an engine may be left alone at which nothing happens. If its gateway tells when a text comes and it has nothing to do,
/// longer; but not much beyond the next change of its hours.
pub(crate) fn rest(context: &Context, channel: &SmsChannel, seen: &Sampled<EngineStatus>) -> Rest {
    let Some(said) = seen.answered().filter(|said| said.is_idle()) else { return QUIET_REST };
    let connector = ObjectKey::new(channel.namespace().unwrap_or_default(), &channel.spec.connector_ref.name);
    let samples = &context.samples;
    let is_told = context.cluster.connectors.uid(&connector).is_some_and(|uid| {
        // After one lost answer already: until the next one nobody tells.
        matches!(samples.gateway_habit(&uid), Habit::Saying { .. })
            && samples.gateway(&uid).answered().is_some_and(|said| said.tells_traffic())
    });
    if !is_told {
        return QUIET_REST;
    }
    let hours_change = said.hours_change_at.map(|at| at.duration_since(Timestamp::now()));
    let hours_change = hours_change.and_then(|left| Duration::try_from(left).ok());
    hours_change
        .map_or(IDLE_REST, |left| Rest { longest: IDLE_REST.longest.min(left.max(QUIET_REST.longest)), ..IDLE_REST })
}

/// Between two questions to a pod with this habit: longer where nothing happens, and ever longer where nobody answers.
fn interval(habit: Habit, interval: Duration, rest: Rest) -> Duration {
    match habit {
        Habit::Saying { unchanged } if unchanged >= QUIET => {
            interval.max(rest.longest.min(interval.saturating_mul(rest.intervals)))
        }
        Habit::Saying { .. } => interval,
        Habit::Silent { beyond } => {
            let backoff = interval.saturating_mul(2u32.saturating_pow(beyond.min(10)));
            backoff.min(LONGEST_BACKOFF).max(interval)
        }
    }
}

/// The innermost cause: the outer ones repeat the URL.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::{Router, body::Body, extract::State, routing::get};
    use futures::{StreamExt, stream};
    use prometheus_client::registry::Registry;
    use serde_json::{Value, json};

    use super::*;
    use crate::operator::runtime::{api_fake::ApiFake, settings::Settings};

    /// A pod whose answer is as long as its path says, in pieces; how many bytes of answers were taken from it.
    async fn pod() -> (SocketAddr, Arc<AtomicUsize>) {
        const PIECE: usize = 16 << 10;
        let taken = Arc::<AtomicUsize>::default();
        let answer = async |State(taken): State<Arc<AtomicUsize>>, path: axum::extract::Path<usize>| {
            // Blanks are no part of what JSON says.
            let pieces = (0..).map_while(move |piece| {
                let left = path.0.checked_sub(piece * PIECE).filter(|left| *left > 0)?;
                let mut bytes = vec![b' '; left.min(PIECE)];
                if piece == 0 {
                    bytes[..2].copy_from_slice(b"{}");
                }
                Some(bytes)
            });
            Body::from_stream(stream::iter(pieces).map(move |bytes| {
                taken.fetch_add(bytes.len(), Ordering::Relaxed);
                Ok::<_, std::convert::Infallible>(bytes)
            }))
        };
        let router = Router::new().route("/{length}", get(answer)).with_state(taken.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async { axum::serve(listener, router).await });
        (address, taken)
    }

    #[tokio::test]
    async fn an_answer_beyond_the_limit_is_an_error_and_is_not_read_on() {
        /// What sockets hold between the pod and the operator: 36 MiB, where Linux is not set otherwise.
        const ON_THE_WAY: usize = 64 << 20;
        let settings = Settings::for_test(&[]);
        let tokens = Tokens::new(&settings);
        let context = Context::new(settings, ApiFake::default().client(), &mut Registry::default()).unwrap();
        crate::process::crypto::install_providers();
        let http = crate::process::http_client::within_the_cluster().build().unwrap();
        let scraper = Scraper { context: Arc::new(context), http, tokens };
        let connector = serde_json::from_value(json!({
            "apiVersion": "aldis.dev/v1alpha1", "kind": "SmsConnector",
            "metadata": {"name": "sim", "namespace": "shop", "uid": "u"},
            "spec": {"provider": {}, "webhook": {"publicUrl": "https://sms.example.com"}},
        }));
        let owner = Owner::connector(&connector.unwrap());
        let (address, taken) = pod().await;
        for longest in [LONGEST_OF_ENGINE, LONGEST_OF_GATEWAY] {
            for (length, is_read) in [(longest, true), (longest + 1, false), (1 << 40, false)] {
                taken.store(0, Ordering::Relaxed);
                let path = format!("/{length}");
                let question = Question { address, path: &path, longest };
                let answer = scraper.ask_without_limit::<Value>(&owner, question).await;
                match answer {
                    Ok(said) => assert!(is_read && said == json!({}), "{length} of {longest}"),
                    Err(error) => {
                        assert!(!is_read && matches!(error, ScrapeError::TooLong), "{length} of {longest}: {error}");
                    }
                }
                let taken = taken.load(Ordering::Relaxed);
                assert!(taken <= longest + ON_THE_WAY, "{taken} bytes of {length}");
            }
        }
    }

    #[test]
    fn a_pod_is_asked_less_often_where_nothing_happens_and_where_nobody_answers() {
        let seconds = Duration::from_secs;
        let cases = [
            (Habit::Saying { unchanged: 0 }, 5, [5, 5]),
            (Habit::Saying { unchanged: QUIET }, 5, [8, 60]),
            (Habit::Saying { unchanged: QUIET }, 1, [2, 12]),
            (Habit::Saying { unchanged: QUIET }, 30, [30, 60]),
            (Habit::Saying { unchanged: QUIET }, 90, [90, 90]),
            (Habit::Silent { beyond: 0 }, 5, [5, 5]),
            (Habit::Silent { beyond: 2 }, 5, [20, 20]),
            (Habit::Silent { beyond: 40 }, 5, [60, 60]),
            (Habit::Silent { beyond: 40 }, 90, [90, 90]),
        ];
        for (habit, base, expected) in cases {
            let intervals = [QUIET_REST, IDLE_REST].map(|rest| interval(habit, seconds(base), rest));
            assert_eq!(intervals, expected.map(seconds), "{habit:?} every {base} s");
        }
    }
}
