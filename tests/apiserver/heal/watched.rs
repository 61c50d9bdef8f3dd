//! An object as somebody sees it who watches it.

use std::sync::Arc;

use futures::StreamExt;
use kube::runtime::{WatchStreamExt, watcher};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{desk::Desk, support::process::PATIENCE};

/// An object now, and every verdict of one of its conditions since the beginning.
pub struct Watched {
    /// `KIND/NAME`.
    pub name: String,
    now: watch::Receiver<Value>,
    verdicts: Arc<Mutex<Vec<[String; 2]>>>,
    _end: DropGuard,
}

impl Watched {
    /// Watches `KIND/NAME`, which need not be there yet.
    pub fn new(desk: &Desk<'_>, what: &str, condition: &'static str) -> Self {
        let (kind, name) = what.split_once('/').expect("KIND/NAME");
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let mut seen = watcher(desk.api(kind), config).default_backoff().applied_objects().boxed();
        let (sender, now) = watch::channel(Value::Null);
        let (verdicts, end) = (Arc::new(Mutex::new(Vec::<[String; 2]>::new())), CancellationToken::new());
        let log = Arc::clone(&verdicts);
        let follow = async move {
            while let Some(object) = seen.next().await {
                let Ok(object) = object else { continue };
                let object = serde_json::to_value(object).unwrap();
                if let Some([status, reason, _]) = verdict(&object, condition) {
                    let (mut log, verdict) = (log.lock(), [status, reason]);
                    if log.last() != Some(&verdict) {
                        log.push(verdict);
                    }
                }
                sender.send_replace(object);
            }
        };
        tokio::spawn(end.clone().run_until_cancelled_owned(follow));
        Self { name: what.to_owned(), now, verdicts, _end: end.drop_guard() }
    }

    /// Waits until a condition, of the present generation, has this status and reason; returns its message.
    pub async fn until(&self, condition: &str, status: &str, reason: &str) -> String {
        let mut now = self.now.clone();
        let found = |object: &Value| verdict(object, condition).filter(|[is, why, _]| is == status && why == reason);
        let so = now.wait_for(|object| found(object).is_some());
        match tokio::time::timeout(PATIENCE, so).await {
            Ok(object) => {
                let [_, _, message] = found(&object.expect("it is watched")).expect("it is so");
                message
            }
            Err(_) => {
                let last = self.now.borrow()["status"]["conditions"].clone();
                panic!("{}: never {condition}={status}, {reason}; last: {last:#}", self.name)
            }
        }
    }

    /// Whether it has a condition at all.
    pub fn has(&self, condition: &str) -> bool {
        verdict(&self.now.borrow(), condition).is_some()
    }

    /// Each status and reason that the condition had, in order.
    pub fn verdicts(&self) -> Vec<[String; 2]> {
        self.verdicts.lock().clone()
    }
}

/// Status, reason and message of a condition, if it speaks of the present generation.
fn verdict(object: &Value, type_: &str) -> Option<[String; 3]> {
    let conditions = object["status"]["conditions"].as_array()?;
    let found = conditions.iter().find(|condition| condition["type"] == type_)?;
    let fresh = found["observedGeneration"] == object["metadata"]["generation"];
    fresh.then(|| ["status", "reason", "message"].map(|field| found[field].as_str().unwrap().to_owned()))
}
