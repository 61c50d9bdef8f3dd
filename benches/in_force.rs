//! How long after `kubectl apply` a running engine works by what was applied, beside what the kubelet needs for a file.

use std::time::{Duration, Instant};

use aldis::wire::{
    config::{ConfigHash, MAIN_DOCUMENT},
    ports,
};
use reqwest::Client;
use serde_json::{Value, json};

use crate::{
    Scale,
    figure::Figure,
    kubelet::{LeftAlone, Nudged},
    node::Desk,
    page::{Ratio, Section, table},
    support::{process::eventually, testbed::Forward},
};

/// The engine's status, read as the operator reads it.
struct Status {
    client: Client,
    token: String,
    relay: Forward,
}

/// Measures on a desk, each change of it beside one of a bare pod's.
pub async fn measure(scale: Scale, desk: &mut Desk, nudged: Nudged, left_alone: LeftAlone) -> Section {
    let status = Status::of(desk);
    let (mut whole, mut kubectl, mut bare) = (Figure::default(), Figure::default(), Figure::default());
    for count in 1..=scale.changes {
        // The engine looks once a second: not in step with it.
        tokio::time::sleep(Duration::from_millis(fastrand::u64(..1000))).await;
        let begun = Instant::now();
        let in_force = status.until(begun, count);
        let change = async {
            desk.quickstart.change("channel", |channel| channel["spec"]["maxQueued"] = json!(count));
            tokio::task::block_in_place(|| desk.quickstart.apply_file("channel"));
            begun.elapsed()
        };
        let (in_force, applied) = tokio::join!(in_force, change);
        whole.add(in_force.as_secs_f64());
        kubectl.add(applied.as_secs_f64());
        status.agrees(desk).await;
        bare.add(nudged.change(count).await.as_secs_f64());
    }
    section(&whole, &kubectl, &bare, &left_alone.end().await)
}

fn section(whole: &Figure, kubectl: &Figure, bare: &Figure, left_alone: &Figure) -> Section {
    let ours = "From `kubectl apply` of a channel to the engine that works by it";
    let ratios = vec![
        Ratio::new(ours, whole.over_median(left_alone), "a kubelet left alone with a changed ConfigMap"),
        Ratio::new(ours, whole.over(bare), "the same kubelet, nudged by hand as soon as the ConfigMap is applied"),
    ];
    let rows = [
        ("`kubectl apply` of a channel until the engine works by it", whole),
        ("of it `kubectl` itself", kubectl),
        ("`kubectl apply` of a ConfigMap, the pod nudged by hand at once, until the file is new", bare),
        ("a changed ConfigMap until the file is new, nobody nudges", left_alone),
    ];
    let text = format!(
        "On a real node. A channel's `maxQueued` is changed with `kubectl apply`; the engine's status is asked until it shows the new value,\n\
         and then its hash is compared with that of the ConfigMap. In between: the operator writes the ConfigMap and patches an annotation of\n\
         the pod, at which the kubelet refreshes the mount; the engine looks at it once a second. The operator asks its pods every second\n\
         here (5 s are the default), which this does not wait for. Beside it a pod that does nothing, with a\n\
         ConfigMap as a volume.\n\n{}",
        table(&["s", ""], rows.map(|(name, figure)| vec![name.to_owned(), figure.to_string()])),
    );
    Section { title: "From applied to in force", ratios, goals: Vec::new(), text }
}

impl Status {
    fn of(Desk { quickstart, .. }: &Desk) -> Self {
        let audience = format!("aldis:{}", quickstart.namespace);
        let token = ["create", "token", "aldis-operator", "-n", "aldis-system", "--audience", &audience];
        let token = quickstart.cluster.kubectl(&token).ok().trim().to_owned();
        let relay = quickstart.cluster.forward(&quickstart.namespace, "sms-support", ports::INTERNAL);
        Self { client: Client::new(), token, relay }
    }

    async fn read(&self) -> Value {
        let url = format!("{}{}", self.relay.url(), ports::of_channel(ports::CHANNEL_STATUS_PATH, "support"));
        let answer = self.client.get(url).bearer_auth(&self.token).send().await.expect("an answer");
        answer.json().await.expect("a status")
    }

    /// Waits until the engine works with this `maxQueued`.
    async fn until(&self, begun: Instant, max_queued: u32) -> Duration {
        eventually("the configuration is in force", || async {
            let is = self.read().await["queue"]["maxQueued"].clone();
            if is == max_queued { Ok(begun.elapsed()) } else { Err(is) }
        })
        .await
    }

    /// Waits until the engine has exactly what its ConfigMap holds: nothing else is on its way.
    async fn agrees(&self, Desk { quickstart, .. }: &Desk) {
        eventually("the engine has what its ConfigMap holds", || async {
            let data = quickstart.field("configmap/sms-support", ".data");
            let data: Value = serde_json::from_str(&data).expect("a ConfigMap");
            let hash = ConfigHash::of(data[MAIN_DOCUMENT].as_str().expect("a document").as_bytes()).to_string();
            let status = self.read().await;
            if status["config"]["hash"] == hash { Ok(()) } else { Err(status["config"].clone()) }
        })
        .await;
    }
}
