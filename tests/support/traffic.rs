//! Customers who write and an agent who answers them, on and on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::task::JoinHandle;

use super::{
    carrier::Carrier,
    desk::{Desk, Open, Sent},
    process::eventually,
};

/// Customers and agent at work.
pub struct Traffic {
    stop: Arc<AtomicBool>,
    working: Vec<JoinHandle<()>>,
    taken: Arc<Mutex<Vec<String>>>,
    streamed: Arc<Mutex<Vec<u64>>>,
    _stream: Open,
}

/// How much goes on.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Customers who write at the same time, each one text after the other.
    pub customers: u64,
    /// Pause of a customer between two texts.
    pub customer_pause: Duration,
    /// Pause of the agent between two replies.
    pub agent_pause: Duration,
}

impl Traffic {
    /// Begins.
    pub fn start(carrier: &Carrier, desk: &Desk, to: &str, pace: Pace) -> Self {
        let mut traffic = Self::start_unwatched(carrier, desk, to, pace);
        let seen = Arc::clone(&traffic.streamed);
        traffic._stream = desk.watch(move |sent: Sent| {
            if sent.name == "InboundRecorded" {
                seen.lock().push(sent.data["message"].as_u64().unwrap());
            }
        });
        traffic
    }

    /// Begins with a stream that nobody looks at, for a store that forgets what it has shown.
    pub fn start_unwatched(carrier: &Carrier, desk: &Desk, to: &str, pace: Pace) -> Self {
        let (stop, taken) = (Arc::<AtomicBool>::default(), Arc::default());
        let mut working: Vec<_> = (0..pace.customers)
            .map(|customer| tokio::spawn(write(carrier.clone(), to.to_owned(), customer, pace, Arc::clone(&stop))))
            .collect();
        working.push(tokio::spawn(answer(desk.clone(), pace, Arc::clone(&taken), Arc::clone(&stop))));
        Self { stop, working, taken, streamed: Arc::default(), _stream: desk.be_online() }
    }

    /// Texts of the replies that the engine took so far.
    pub fn replies(&self) -> Vec<String> {
        self.taken.lock().clone()
    }

    /// Waits until the stream has shown these inbound messages: each once, in order, however often it was cut.
    pub async fn showed_once(&self, stored: &[u64]) {
        eventually("the stream has shown the last message", || async {
            let last = self.streamed.lock().last().copied();
            if last >= stored.last().copied() { Ok(()) } else { Err(last) }
        })
        .await;
        assert_eq!(*self.streamed.lock(), stored);
    }

    /// Customers and agent end what they are at. The stream stays open.
    pub async fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for work in self.working.drain(..) {
            work.await.unwrap();
        }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        for work in &self.working {
            work.abort();
        }
    }
}

/// A customer's number.
pub fn number(customer: u64) -> String {
    format!("+1555987{customer:04}")
}

async fn write(carrier: Carrier, to: String, customer: u64, pace: Pace, stop: Arc<AtomicBool>) {
    for count in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        carrier.customer_writes(&number(customer), &to, &format!("text {customer}-{count}")).await;
        // Not in step with each other.
        tokio::time::sleep(pace.customer_pause + pace.customer_pause * u32::try_from(customer).unwrap_or(0) / 8).await;
    }
}

/// Answers everybody in turn.
async fn answer(desk: Desk, pace: Pace, taken: Arc<Mutex<Vec<String>>>, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        for interaction in desk.interactions().await {
            let text = format!("reply {} to {}", taken.lock().len(), interaction["customer"].as_str().unwrap());
            match desk.reply(&interaction, &text).await {
                (202, _) => taken.lock().push(text),
                // A restart may have put it back into the queue, or the test has finished it.
                (409 | 404, _) => {}
                other => panic!("{text}: {other:?}"),
            }
            tokio::time::sleep(pace.agent_pause).await;
        }
        tokio::time::sleep(pace.agent_pause).await;
    }
}
