//! The quickstart's files, applied in every order.
//!
//! Six files have 720 orders. Of what three of them hold, the Secret, the agent's account and the simulator, the operator never
//! asks the API server, which is checked here; so where they stand among the others cannot matter to it, and the 720 fall into the
//! six orders of the other three. Each of these is run with the three before, among and after them. Where the pods are real, and do
//! see the Secret and the simulator, `tests/cluster/conversation.rs` applies the files in three orders.

use futures::StreamExt;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, PostParams},
    core::GroupVersionKind,
    runtime::wait::await_condition,
};
use serde_json::{Value, json};

use crate::support::{
    operator::{Flags, Operator},
    quickstart::documents,
    testbed::Cluster,
};

/// What the operator reads.
const SEEN: [&str; 3] = ["connector", "campaign", "channel"];
/// What it does not.
const UNSEEN: [&str; 3] = ["secret", "simulator", "agent"];

#[tokio::test(flavor = "multi_thread")]
async fn all_orders_of_applying_the_quickstart_end_in_ready() {
    let cluster = Cluster::apiserver();
    let orders: Vec<_> = permutations(&SEEN).iter().flat_map(|seen| placed_among(seen)).collect();
    assert_eq!(orders.len(), 18);
    let namespaces: Vec<_> = (0..orders.len()).map(|number| format!("order-{}-{number}", std::process::id())).collect();
    let watched: Vec<_> = namespaces.iter().map(String::as_str).collect();
    let operator = Operator::start(cluster, &watched, Flags { sample_interval: 3600, ..Flags::default() }).await;
    let client = cluster.client().await;
    let runs = namespaces.iter().zip(orders).map(|(namespace, order)| ends_in_ready(client.clone(), namespace, order));
    futures::stream::iter(runs).buffer_unordered(6).collect::<()>().await;

    let reads = operator.proxy.reads();
    assert!(reads.iter().any(|read| read.contains("/smschannels")), "the operator is seen reading");
    for read in reads {
        assert!(!read.contains("/secrets") && !read.contains("/deployments"), "{read}");
        // ConfigMaps, Services and ServiceAccounts: its own only.
        let listed = ["/configmaps?", "/services?", "/serviceaccounts?"].iter().any(|kind| read.contains(kind));
        assert!(!listed || read.contains("app.kubernetes.io%2Fmanaged-by%3Daldis"), "{read}");
    }
}

/// The unseen files before, among and after the seen ones.
fn placed_among(seen: &[&'static str]) -> [Vec<&'static str>; 3] {
    let among = UNSEEN.iter().zip(seen).flat_map(|(unseen, seen)| [*unseen, *seen]);
    [[&UNSEEN[..], seen].concat(), among.collect(), [seen, &UNSEEN[..]].concat()]
}

async fn ends_in_ready(client: Client, namespace: &str, order: Vec<&'static str>) {
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
    create(&client, None, &object).await;
    for file in &order {
        for mut document in documents(file, namespace, "aldis:test") {
            if *file == "connector" {
                document["spec"]["provider"]["simulator"]["baseUrl"] = json!("http://simulator.test:8090");
            }
            create(&client, Some(namespace), &document).await;
        }
    }
    for (kind, plural, name) in [
        ("SmsConnector", "smsconnectors", "simulator"),
        ("Campaign", "campaigns", "support"),
        ("SmsChannel", "smschannels", "support"),
    ] {
        let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("aldis.dev", "v1alpha1", kind), plural);
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
        let ready =
            tokio::time::timeout(std::time::Duration::from_secs(300), await_condition(api.clone(), name, is_ready));
        let ended = ready.await.map(|ended| ended.expect("a watch"));
        assert!(ended.is_ok(), "{kind} of {order:?}: {:#?}", api.get(name).await.map(|found| found.data));
    }
}

fn is_ready(object: Option<&DynamicObject>) -> bool {
    let Some(object) = object else { return false };
    let conditions = object.data["status"]["conditions"].as_array();
    let ready = conditions.into_iter().flatten().find(|condition| condition["type"] == "Ready");
    ready.is_some_and(|ready| {
        ready["status"] == "True" && ready["observedGeneration"].as_i64() == object.metadata.generation
    })
}

async fn create(client: &Client, namespace: Option<&str>, object: &Value) {
    let object: DynamicObject = serde_json::from_value(object.clone()).expect("an object");
    let types = object.types.clone().expect("a kind");
    let gvk = GroupVersionKind::try_from(types).expect("a version");
    let resource = ApiResource::from_gvk(&gvk);
    let api: Api<DynamicObject> = match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let made = api.create(&PostParams::default(), &object).await;
    made.unwrap_or_else(|error| panic!("{} {:?}: {error}", gvk.kind, object.metadata.name));
}

fn permutations(of: &[&'static str]) -> Vec<Vec<&'static str>> {
    let Some((first, rest)) = of.split_first() else { return vec![Vec::new()] };
    let shorter = permutations(rest).into_iter();
    shorter
        .flat_map(|order| {
            (0..=order.len()).map(move |at| {
                let mut order = order.clone();
                order.insert(at, *first);
                order
            })
        })
        .collect()
}
