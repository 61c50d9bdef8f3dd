//! How long many channels take to become Ready, beside the same objects made by a client that just makes them.
//!
//! API server, controllers and scheduler are real; KWOK plays nodes and pods, and a stub says what engines and gateway would.

use std::time::{Duration, Instant};

use aldis::{
    api::{Campaign, SmsChannel, SmsConnector, names},
    operator::ChildKind,
};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::{coordination::v1::Lease, core::v1::Pod};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, ListParams, PostParams},
};
use serde_json::{Value, json};

use crate::{
    Scale,
    figure::Figure,
    machine::{Usage, usage},
    page::{Ratio, Section, table},
    support::{
        kinds,
        operator::{Flags, Operator, settled},
        process::eventually,
        testbed::Cluster,
    },
};

/// Requests of a client at a time.
const CONNECTIONS: usize = 16;

/// Where one run takes place.
struct Place {
    client: Client,
    namespace: String,
}

#[derive(Default)]
struct Figures {
    ready: Figure,
    pods: Figure,
    bare: Figure,
    writes: Figure,
    bare_writes: Figure,
    cpu: Figure,
    resident: Figure,
}

/// Measures the operator as a process.
pub async fn measure(scale: Scale) -> Section {
    let cluster = Cluster::start("kwok", &["--nodes", "20"]);
    kinds::install(&cluster);
    // The first of everything is slow: caches fill, connections open.
    run(&cluster, 3, &mut Figures::default()).await;
    let mut figures = Figures::default();
    for _ in 0..scale.runs {
        run(&cluster, scale.channels, &mut figures).await;
    }
    let version = cluster.client().await.apiserver_version().await.expect("a version").git_version;
    section(scale.channels, &version, &figures)
}

fn section(channels: u32, version: &str, figures: &Figures) -> Section {
    let ours = format!("{channels} channels from nothing to Ready");
    let ratios = vec![
        Ratio::new(
            ours,
            figures.ready.over(&figures.bare),
            "the same objects made by a plain client, until all pods are Ready",
        ),
        Ratio::new(
            format!("Requests that write, for {channels} channels"),
            figures.writes.over(&figures.bare_writes),
            "one for each object",
        ),
    ];
    let row = |name: &str, operator: &Figure, bare: &dyn ToString| {
        vec![name.to_owned(), operator.to_string(), bare.to_string()]
    };
    let rows = [
        row("all pods Ready, s", &figures.pods, &figures.bare),
        row("all channels Ready, s", &figures.ready, &""),
        row("requests that write", &figures.writes, &figures.bare_writes),
        row("operator's processor time, s", &figures.cpu, &""),
        row(
            "operator's resident memory, with all that the runs before left in the cluster, MB",
            &figures.resident,
            &"",
        ),
    ];
    let text = format!(
        "A connector, a campaign and {channels} channels are created on an API server ({version}) with controller manager and scheduler, where KWOK plays\n\
         nodes and pods; a stub answers for engines and gateway. The operator runs with its own defaults, but for a lease of 6 s and conditions held for 1 s. A channel\n\
         is Ready when its number is verified and claimed, its pod runs and its engine has said that it has the newest configuration.\n\
         Beside it, in another namespace: all that came of it (ServiceAccounts, ConfigMaps, claims of volumes, Services, StatefulSets, leases\n\
         of numbers, and the five kinds' own objects) made by a client with {CONNECTIONS} connections and no operator. Both go through the same proxy,\n\
         which counts.\n\n{}",
        table(&["", "operator", "plain client"], rows),
    );
    Section { title: "Many channels", ratios, text }
}

async fn run(cluster: &Cluster, channels: u32, figures: &mut Figures) {
    let place = Place { client: cluster.client().await, namespace: cluster.namespace("desk") };
    let flags = Flags { sample_interval: 60, scrape_interval: 5, ..Flags::default() };
    let mut operator = Operator::start(cluster, &[&place.namespace], flags).await;
    let numbers: Vec<Value> = (0..channels).map(offered).collect();
    operator.stub.say(&format!("smsc-sim.{}", place.namespace), json!({ "numbers": numbers }));
    place.create(place.client.clone(), vec![place.campaign("warm")]).await;
    place.until_ready(&ApiResource::erase::<Campaign>(&()), 1).await;

    let (before, begun) = (operator.proxy.writes().len(), Instant::now());
    let usage_before = usage(operator.pid());
    let mut desks = vec![place.connector(), place.campaign("support")];
    desks.extend((0..channels).map(|nth| place.channel(nth)));
    place.create(place.client.clone(), desks).await;
    place.until_pods_ready(channels + 1).await;
    figures.pods.add(begun.elapsed().as_secs_f64());
    place.until_ready(&ApiResource::erase::<SmsChannel>(&()), channels).await;
    figures.ready.add(begun.elapsed().as_secs_f64());
    figures.writes.add(settled(async || operator.proxy.writes().len() - before).await as f64);
    let Usage { resident, .. } = usage(operator.pid());
    figures.cpu.add((usage(operator.pid()).processor - usage_before.processor).as_secs_f64());
    figures.resident.add(resident);

    operator.stop();
    let copies = place.copies(&operator.namespace).await;
    let bare = Place { client: place.client, namespace: cluster.namespace("bare") };
    let client = operator.proxy.client().await;
    let (before, begun) = (operator.proxy.writes().len(), Instant::now());
    bare.create(client, copies).await;
    bare.until_pods_ready(channels + 1).await;
    figures.bare.add(begun.elapsed().as_secs_f64());
    figures.bare_writes.add((operator.proxy.writes().len() - before) as f64);
}

fn number(nth: u32) -> String {
    format!("+1555124{nth:04}")
}

fn offered(nth: u32) -> Value {
    json!({"number": number(nth), "atProvider": true, "smsCapable": true, "webhook": {"state": "InSync"}})
}

/// An object, and under which address it is made.
type Wanted = (ApiResource, Value);

impl Place {
    fn connector(&self) -> Wanted {
        let simulator = json!({"baseUrl": "http://simulator.test:8090", "credentialsSecretRef": {"name": "sim"}});
        let spec = json!({"provider": {"simulator": simulator}, "webhook": {"publicUrl": "http://smsc-sim:8080"}});
        wanted(ApiResource::erase::<SmsConnector>(&()), "sim", spec)
    }

    fn campaign(&self, name: &str) -> Wanted {
        wanted(ApiResource::erase::<Campaign>(&()), name, json!({"members": [{"user": "ana"}]}))
    }

    fn channel(&self, nth: u32) -> Wanted {
        let spec = json!({"campaignRef": {"name": "support"}, "connectorRef": {"name": "sim"}, "number": number(nth)});
        wanted(ApiResource::erase::<SmsChannel>(&()), &format!("line-{nth}"), spec)
    }

    /// Makes objects, many at a time.
    async fn create(&self, client: Client, objects: Vec<Wanted>) {
        let making = objects.into_iter().map(|(resource, object)| {
            let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &self.namespace, &resource);
            async move { api.create(&PostParams::default(), &serde_json::from_value(object).expect("an object")).await }
        });
        let made: Result<Vec<_>, _> = futures::stream::iter(making).buffer_unordered(CONNECTIONS).try_collect().await;
        made.expect("every object is made");
    }

    async fn list(&self, resource: &ApiResource, selector: &str) -> Vec<Value> {
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, resource);
        let list = api.list(&ListParams::default().labels(selector)).await.expect("a list");
        list.into_iter().map(|object| serde_json::to_value(object).expect("JSON")).collect()
    }

    async fn until_ready(&self, resource: &ApiResource, count: u32) {
        eventually(&format!("{count} {} are Ready", resource.plural), || async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let ready = self.list(resource, "").await.iter().filter(|object| is_ready(object)).count();
            if ready >= count as usize { Ok(()) } else { Err(ready) }
        })
        .await;
    }

    async fn until_pods_ready(&self, count: u32) {
        let pods = ApiResource::erase::<Pod>(&());
        eventually("all pods are Ready", || async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let all = self.list(&pods, "").await;
            let ready = all.iter().filter(|pod| has_condition(pod)).count();
            if ready == count as usize { Ok(()) } else { Err(ready) }
        })
        .await;
    }

    /// All objects of this namespace, and its leases of numbers, as a client would make them from nothing.
    async fn copies(&self, operator_namespace: &str) -> Vec<Wanted> {
        let ours = format!("{}={}", names::LABEL_MANAGED_BY, names::MANAGED_BY);
        let leases = Place { namespace: operator_namespace.to_owned(), client: self.client.clone() };
        let mut copies = Vec::new();
        for resource in [
            ApiResource::erase::<SmsConnector>(&()),
            ApiResource::erase::<Campaign>(&()),
            ApiResource::erase::<SmsChannel>(&()),
        ] {
            copies.extend(self.list(&resource, "").await.iter().map(|object| (resource.clone(), copy(object))));
        }
        for resource in ChildKind::ALL.map(ChildKind::api_resource) {
            copies.extend(self.list(&resource, &ours).await.iter().map(|object| (resource.clone(), copy(object))));
        }
        let resource = ApiResource::erase::<Lease>(&());
        let claims = leases.list(&resource, "aldis.dev/claim=number").await;
        copies.extend(claims.iter().map(|object| (resource.clone(), copy(object))));
        copies
    }
}

fn wanted(resource: ApiResource, name: &str, spec: Value) -> Wanted {
    let object = json!({
        "apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": name}, "spec": spec,
    });
    (resource, object)
}

/// An object without what the cluster has added.
fn copy(object: &Value) -> Value {
    let mut copy = object.clone();
    let meta = &object["metadata"];
    copy["metadata"] = json!({"name": meta["name"], "labels": meta["labels"], "annotations": meta["annotations"]});
    if let Some(fields) = copy.as_object_mut() {
        fields.remove("status");
    }
    if let Some(annotations) = copy["metadata"]["annotations"].as_object_mut() {
        annotations.retain(|name, _| name.starts_with("aldis.dev/"));
    }
    if let Some(spec) = copy["spec"].as_object_mut() {
        for given in ["clusterIP", "clusterIPs", "volumeName"] {
            spec.remove(given);
        }
    }
    copy
}

fn is_ready(object: &Value) -> bool {
    object["status"]["observedGeneration"] == object["metadata"]["generation"] && has_condition(object)
}

fn has_condition(object: &Value) -> bool {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}
