//! How many objects of a kind are Ready, by one watch: to list them again and again would be what is measured.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use futures::StreamExt;
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject},
    runtime::{WatchStreamExt, watcher},
};
use tokio::{sync::watch, task::JoinHandle};

/// If none more becomes Ready for so long, none will. A client that makes thousands of objects makes those that become Ready last.
const STUCK: Duration = Duration::from_secs(900);

/// A count that is kept. It ends when it is dropped.
pub struct Ready {
    count: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

impl Ready {
    /// Counts from now on.
    pub fn watch(client: &Client, namespace: &str, kind: &ApiResource) -> Self {
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, kind);
        let (sender, count) = watch::channel(0);
        let task = tokio::spawn(async move {
            let mut ready = BTreeSet::new();
            let mut objects = watcher(api, watcher::Config::default()).applied_objects().boxed();
            while let Some(object) = objects.next().await {
                let Ok(object) = object else { continue };
                if is_ready(&object) {
                    ready.insert(object.name_any());
                } else {
                    ready.remove(&object.name_any());
                }
                sender.send_replace(ready.len());
            }
        });
        Self { count, task }
    }

    /// Waits until so many are Ready, and says when.
    pub async fn until(&self, wanted: usize) -> Instant {
        let mut count = self.count.clone();
        loop {
            let now = *count.borrow_and_update();
            if now >= wanted {
                return Instant::now();
            }
            let changed = tokio::time::timeout(STUCK, count.changed()).await;
            changed
                .unwrap_or_else(|_| panic!("{now} of {wanted} are Ready, and nothing goes on"))
                .expect("it is watched");
        }
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Whether it is Ready as it is now; pods have no generation that they observe.
fn is_ready(object: &DynamicObject) -> bool {
    let status = &object.data["status"];
    let is_current = status["observedGeneration"].as_i64().is_none_or(|seen| Some(seen) == object.metadata.generation);
    let conditions = status["conditions"].as_array().into_iter().flatten();
    is_current && conditions.into_iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}
