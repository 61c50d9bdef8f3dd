//! What somebody with all rights in a namespace, and none elsewhere, cannot do to the operator.

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::{
    desk::Desk,
    support::{
        hostile::memory,
        operator::{Flags, Operator, settled},
        process::eventually,
        testbed::Cluster,
    },
};

const TENANT: &str = "tenant";
/// Objects of each shape.
const EACH: usize = 40;
/// Just below what the API server takes.
const LARGE: usize = 1_000_000;
const SMALL: usize = 1_000;
/// What resident memory may grow by, in KiB, for 160 MB of objects beside as many small ones.
const ROOM_KIB: u64 = 30 << 10;
/// The most that an operator that starts over them may take, in KiB: a page of a list at a time, as text and as objects. The chart gives it
/// 512 MiB.
const START_KIB: u64 = 200 << 10;

/// Ways to make an object that the operator may take for one of its own.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// The label, and nothing else of ours.
    Labelled,
    /// The name of a child, with the labels and annotations of a channel's, and many documents.
    Named,
    /// A child of the channel by its owner reference.
    Owned,
    /// The label, and a controller whose name is as long as it can be.
    LongController,
}

impl Shape {
    const ALL: [Self; 4] = [Self::Labelled, Self::Named, Self::Owned, Self::LongController];

    /// A ConfigMap of so many bytes.
    fn forge(self, kind: &str, at: usize, bytes: usize, channel_uid: &str) -> Value {
        let shape = format!("{self:?}").to_lowercase();
        let (name, channel, documents) = match self {
            Self::Labelled => (format!("{shape}-{kind}-{at}"), "none".to_owned(), 1),
            // Only a name that its labels allow has its documents compared.
            Self::Named => (format!("sms-{kind}-{at}"), format!("{kind}-{at}"), 100),
            Self::Owned => (format!("sms-support.{shape}-{kind}-{at}"), "support".to_owned(), 1),
            Self::LongController => (format!("{shape}-{kind}-{at}"), "none".to_owned(), 0),
        };
        let owners = match self {
            Self::Labelled | Self::Named => json!([]),
            Self::LongController => json!([{
                "apiVersion": "no.such/v1", "kind": "Nothing", "name": "x", "uid": text(bytes), "controller": true,
            }]),
            Self::Owned => json!([{
                "apiVersion": "aldis.dev/v1alpha1", "kind": "SmsChannel", "name": "support", "uid": channel_uid, "controller": true,
            }]),
        };
        let data: serde_json::Map<_, _> =
            (0..documents).map(|part| (format!("{part}.json"), json!(text(bytes / documents.max(1))))).collect();
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "data": data,
            "metadata": {
                "name": name, "ownerReferences": owners, "annotations": {"aldis.dev/applied": "0"},
                "labels": {"app.kubernetes.io/managed-by": "aldis", "aldis.dev/channel": channel},
            },
        })
    }
}

/// So many bytes of which no two are alike in a way that could be compressed, as the caches compress what they hold.
fn text(bytes: usize) -> String {
    std::iter::repeat_with(fastrand::alphanumeric).take(bytes).collect()
}

/// A client of somebody with all rights in one namespace.
async fn tenant(cluster: &Cluster, namespace: &str) -> Client {
    let all = ["create", "rolebinding", TENANT, "--clusterrole=admin", "--user", TENANT, "-n", namespace];
    cluster.kubectl(&all).ok();
    let mut config = cluster.client_config().await;
    config.auth_info.impersonate = Some(TENANT.into());
    Client::try_from(config).unwrap()
}

/// Makes objects of every shape, and waits until the operator has seen them and does nothing more about them.
async fn forge(maps: &Api<ConfigMap>, operator: &Operator, kind: &str, bytes: usize, channel_uid: &str) {
    // The gateway's routes may be on their way.
    let (_, known) = settled(async || (operator.proxy.writes().len(), cached(operator).await)).await;
    let all =
        Shape::ALL.into_iter().flat_map(|shape| (0..EACH).map(move |at| shape.forge(kind, at, bytes, channel_uid)));
    let made = futures::stream::iter(all).map(async |map| {
        let map: ConfigMap = serde_json::from_value(map).unwrap();
        maps.create(&Default::default(), &map).await.map(drop)
    });
    made.buffer_unordered(4).try_collect::<()>().await.unwrap();
    // What passes for a child that is not planned any more is deleted; the rest stays.
    eventually("the operator has seen them", async || {
        let now = cached(operator).await;
        if now == known + 3.0 * EACH as f64 { Ok(()) } else { Err(now - known) }
    })
    .await;
    settled(async || (operator.proxy.writes(), cached(operator).await)).await;
}

async fn cached(operator: &Operator) -> f64 {
    operator.metric("aldis_operator_cached_objects", "configmaps").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_does_not_fill_the_operators_memory() {
    let cluster = Cluster::apiserver();
    let desk = Desk::new(cluster);
    let mut operator = Operator::start(cluster, &[&desk.namespace], Flags::default()).await;
    desk.apply(&desk.whole());
    desk.wait_ready("smschannel/support");
    let uid = desk.get("smschannel/support").unwrap()["metadata"]["uid"].as_str().unwrap().to_owned();
    let maps: Api<ConfigMap> = Api::namespaced(tenant(cluster, &desk.namespace).await, &desk.namespace);
    let resident = |operator: &Operator| memory(operator.pid(), "VmRSS");
    let peak = |operator: &Operator| memory(operator.pid(), "VmHWM");

    let before = resident(&operator);
    forge(&maps, &operator, "small", SMALL, &uid).await;
    let (small, small_peak) = (resident(&operator), peak(&operator));
    forge(&maps, &operator, "large", LARGE, &uid).await;
    let (large, large_peak) = (resident(&operator), peak(&operator));
    let figures = format!(
        "KiB resident: {before}, {small} with small ones (peak {small_peak}), {large} with large ones (peak {large_peak})"
    );
    println!("{figures}");
    assert!(large - small.min(large) < ROOM_KIB, "{figures}");
    assert!(large_peak - small_peak < ROOM_KIB, "{figures}");

    // An operator that starts reads them all at once.
    operator.restart();
    desk.kubectl(&["annotate", "smschannel/support", "example.com/looked-at=today"]);
    eventually("the channel is looked at", async || {
        let count = operator.metric("controller_runtime_reconcile_total", "controller=\"smschannel\"").await;
        if count > 0.0 { Ok(()) } else { Err(count) }
    })
    .await;
    settled(async || (operator.proxy.writes(), cached(&operator).await)).await;
    let figures = format!("{figures}; after a restart {} (peak {})", resident(&operator), peak(&operator));
    println!("{figures}");
    assert!(peak(&operator) < START_KIB, "{figures}");
    desk.wait_ready("smschannel/support");

    // The API server is shared with other tests.
    maps.delete_collection(
        &Default::default(),
        &kube::api::ListParams::default().labels("app.kubernetes.io/managed-by=aldis"),
    )
    .await
    .unwrap();
}

/// Rust's instants end a day before the year 10000, those of the API server do not.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_cannot_be_read_does_not_keep_the_operator_from_starting() {
    let cluster = Cluster::apiserver();
    let desk = Desk::new(cluster);
    let mut operator = Operator::start(cluster, &[&desk.namespace], Flags::default()).await;
    desk.apply(&desk.whole());
    desk.wait_ready("smschannel/support");
    let maps: Api<ConfigMap> = Api::namespaced(tenant(cluster, &desk.namespace).await, &desk.namespace);
    let map = Shape::Labelled.forge("poison", 0, SMALL, "");
    let name = map["metadata"]["name"].as_str().unwrap().to_owned();
    let map: ConfigMap = serde_json::from_value(map).unwrap();
    maps.create(&Default::default(), &map).await.unwrap();
    // Alone it would change nothing.
    let patch = json!([
        {"op": "replace", "path": "/metadata/managedFields/0/time", "value": "9999-12-31T23:59:59Z"},
        {"op": "add", "path": "/data/more", "value": ""},
    ]);
    let patched = desk.kubectl(&[
        "patch",
        "configmap",
        &name,
        "--type=json",
        "--as",
        TENANT,
        "-o=json",
        "--show-managed-fields",
        "-p",
        &patch.to_string(),
    ]);
    assert!(patched.contains("9999-12-31"), "{patched}");
    assert!(maps.get(&name).await.is_err(), "it can be read by nobody who has these types");
    operator.restart();
    desk.kubectl(&["patch", "smschannel/support", "--type=merge", "-p", r#"{"spec": {"maxQueued": 7}}"#]);
    eventually("the edit is carried out", async || {
        let found = desk.config("sms-support")["maxQueued"].clone();
        if found == 7 { Ok(()) } else { Err(found) }
    })
    .await;
}
