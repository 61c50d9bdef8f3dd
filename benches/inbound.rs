//! How many inbound messages a second the engine makes durable and how long each waits, by how many the gateway brings at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use aldis::wire::ports;
use axum::body::Bytes;
use reqwest::{Client, RequestBuilder};

use crate::{
    Scale,
    bare_log::{BareLog, RECORD},
    figure::Figure,
    page::{Goal, Ratio, Section, table},
    support::{
        engine::{Engine, GATEWAY, ROLES, inbound, internal},
        gateway_fake::FakeGateway,
    },
};

/// Messages that the gateway brings at once.
const AT_ONCE: [u64; 4] = [1, 8, 64, 256];
/// Those of them that the summary shows.
const IN_SHORT: [u64; 2] = [1, 64];
/// A message of one segment.
pub const TEXT: &str =
    "Good morning, my parcel was to be here yesterday and the page only says that it is on its way. Can you look?";
/// Customers who write.
const CUSTOMERS: u64 = 100_000;

/// What is measured of one way to take messages.
#[derive(Default)]
pub struct Figures {
    /// How many a second.
    pub per_second: Figure,
    /// Milliseconds in the median.
    pub median: Figure,
    /// Milliseconds within which 99 % are done.
    pub most: Figure,
    longest: Figure,
}

impl Figures {
    fn add(&mut self, mut each: Vec<Duration>, took: Duration) {
        each.sort_unstable();
        let at = |share: usize| each[(each.len() - 1) * share / 100];
        self.per_second.add(each.len() as f64 / took.as_secs_f64());
        self.median.add_millis(at(50));
        self.most.add_millis(at(99));
        self.longest.add_millis(at(100));
    }
}

/// Measures an engine as a process, with requests as a gateway sends them.
pub async fn measure(scale: Scale) -> Section {
    let mut all = AT_ONCE.map(|at_once| (at_once, Figures::default(), Figures::default(), Figures::default()));
    for _ in 0..scale.runs {
        for (at_once, engine, behind_http, log) in &mut all {
            bare_log(*at_once, scale.each / 2, log).await;
            log_behind_http(*at_once, scale.each, behind_http).await;
            durable_inbound(*at_once, scale.each, engine).await;
        }
    }
    section(&all)
}

fn section(all: &[(u64, Figures, Figures, Figures)]) -> Section {
    let mut ratios = Vec::new();
    for (at_once, engine, behind_http, log) in all.iter().filter(|(at_once, ..)| IN_SHORT.contains(at_once)) {
        let ours = format!("Durable inbound messages a second, {at_once} at once");
        ratios.push(Ratio::new(&ours, engine.per_second.over(&log.per_second), "records a second of a bare log"));
        let beside = "the same log behind HTTP, with the same client";
        ratios.push(Ratio::new(ours, engine.per_second.over(&behind_http.per_second), beside));
    }
    let rates = all.iter().map(|(at_once, engine, behind_http, log)| {
        let ours = &engine.per_second;
        let figures = [&ours.over(&log.per_second), &ours.over(&behind_http.per_second), ours];
        let figures = figures.into_iter().chain([&behind_http.per_second, &log.per_second]).map(ToString::to_string);
        std::iter::once(at_once.to_string()).chain(figures).collect()
    });
    let waits = all.iter().map(|(at_once, engine, behind_http, log)| {
        let figures = [&engine.median, &engine.most, &engine.longest, &behind_http.median, &behind_http.most];
        let figures = figures.into_iter().chain([&log.median, &log.most]).map(ToString::to_string);
        std::iter::once(at_once.to_string()).chain(figures).collect()
    });
    let goals =
        all.iter().filter(|(at_once, ..)| [64, 256].contains(at_once)).map(|(at_once, engine, behind_http, _)| {
            let ours = format!("Beside the log behind HTTP, {at_once} at once");
            Goal::at_least(ours, 0.8, engine.per_second.over(&behind_http.per_second))
        });
    let goals = goals.collect();
    let rates_head =
        ["at once", "engine / bare log", "engine / log behind HTTP", "engine", "log behind HTTP", "bare log"];
    let waits_head = [
        "at once",
        "engine, median",
        "99 % below",
        "longest",
        "log behind HTTP, median",
        "99 % below",
        "bare log, median",
        "99 % below",
    ];
    let text = format!(
        "An engine as a process takes messages of {CUSTOMERS} customers from a client that brings so many at once. It checks the caller's token,\n\
         commits each message with its event, its rows and an `fsync`, and answers then; what waits meanwhile shares the next commit.\n\
         Beside it a file: the same number of writers append records of {RECORD} bytes and wait for `fdatasync`, in the same way together;\n\
         once directly, once by HTTP with the same client and the same requests.\n\n\
         A second:\n\n{}\nMilliseconds until one is answered:\n\n{}",
        table(&rates_head, rates),
        table(&waits_head, waits),
    );
    Section { title: "Durable inbound", ratios, goals, text }
}

/// An engine takes messages from a client that brings so many at once.
pub async fn durable_inbound(at_once: u64, long: Duration, figures: &mut Figures) {
    let gateway = FakeGateway::start().await;
    let engine = Engine::start(&gateway.url, |_| {}).await;
    let url = format!("{}{}", engine.internal_url(), internal(ports::INBOUND_PATH));
    let token = engine.issuer.token(GATEWAY, ROLES);
    post(at_once, long, figures, url, token).await;
}

async fn log_behind_http(at_once: u64, long: Duration, figures: &mut Figures) {
    let served = BareLog::start().serve().await;
    post(at_once, long, figures, served.url.clone(), "nobody looks at it".into()).await;
}

async fn post(at_once: u64, long: Duration, figures: &mut Figures, url: String, token: String) {
    let client = Client::new();
    let send = move |number: u64| {
        let (id, from) = customer(number);
        let message = inbound(&id, &from, TEXT);
        taken(client.post(&url).bearer_auth(&token).json(&message))
    };
    bring(at_once, long, figures, send).await;
}

/// The provider's id of a message and who writes it: in no order, as they come; each number has its own.
pub fn customer(number: u64) -> (String, String) {
    let random = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (format!("SM{random:016x}{number:016x}"), format!("+1555{:07}", (random >> 32) % CUSTOMERS))
}

/// Waits for the whole answer.
pub async fn taken(request: RequestBuilder) {
    let answer = request.send().await.expect("an answer");
    assert!(answer.status().is_success(), "{}", answer.status());
    answer.bytes().await.expect("the whole answer");
}

async fn bare_log(at_once: u64, long: Duration, figures: &mut Figures) {
    let (log, record) = (BareLog::start(), Bytes::from_static(&[b'x'; RECORD]));
    let append = move |_| {
        let (log, record) = (log.clone(), record.clone());
        async move { log.append(record).await }
    };
    bring(at_once, long, figures, append).await;
}

/// So many at once, each beginning the next when it is done. The first eighth warms up and does not count.
pub async fn bring<F, D>(at_once: u64, long: Duration, figures: &mut Figures, one: F)
where
    F: Fn(u64) -> D + Clone + Send + 'static,
    D: Future<Output = ()> + Send,
{
    let (next, begun) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let counts_from = long / 8;
    let bringing: Vec<_> = (0..at_once)
        .map(|_| {
            let (one, next) = (one.clone(), Arc::clone(&next));
            tokio::spawn(async move {
                let mut each = Vec::new();
                while begun.elapsed() < counts_from + long {
                    let (counts, asked) = (begun.elapsed() >= counts_from, Instant::now());
                    one(next.fetch_add(1, Ordering::Relaxed)).await;
                    if counts {
                        each.push(asked.elapsed());
                    }
                }
                each
            })
        })
        .collect();
    let mut each = Vec::new();
    for bringing in bringing {
        each.extend(bringing.await.expect("no fault"));
    }
    figures.add(each, begun.elapsed() - counts_from);
}
