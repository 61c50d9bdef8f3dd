//! How long many channels take to become Ready, beside the same objects made by a client that just makes them.
//!
//! API server, controllers and scheduler are real; KWOK plays nodes and pods, and a stub says what engines and gateway would.

use std::{collections::BTreeMap, net::SocketAddr, time::Instant};

use aldis::api::{Campaign, SmsChannel, SmsConnector};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    coordination::v1::Lease,
    core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Service, ServiceAccount},
};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, ListParams, PostParams},
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::{
    Scale,
    figure::Figure,
    machine::{Share, Shares, descendants, usage},
    metrics::Metrics,
    page::{Goal, Ratio, Section, table},
    pods::{self, Pods},
    ready::Ready,
    support::{
        healthy, kinds,
        operator::settled,
        process::{Role, address},
        testbed::Cluster,
    },
};

/// Requests of a client at a time.
const CONNECTIONS: usize = 16;
/// From here on one run has to do.
const LARGE: u32 = 1000;
/// Pods on a simulated node.
const ON_A_NODE: u32 = 100;
/// Processes of the control plane, as the kernel names them.
const PROCESSES: [(&str, &str); 5] = [
    ("kube-apiserver", "API server"),
    ("etcd", "etcd"),
    ("kube-controller", "controller manager"),
    ("kube-scheduler", "scheduler"),
    ("kwok", "KWOK"),
];
const CHILDREN: &str = "app.kubernetes.io/managed-by=aldis";
const CLAIMS: &str = "aldis.dev/claim=number";

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
    /// Of the last run: writes by kind and verb, and who took how much of the processor.
    kinds: BTreeMap<String, u64>,
    shares: Vec<(String, f64)>,
    bare_shares: Vec<(String, f64)>,
}

/// Measures the operator as a process, with each number of channels.
pub async fn measure(scale: Scale, sizes: &[u32]) -> Section {
    let mut all = Vec::new();
    let mut version = String::new();
    for &size in sizes {
        let mut figures = Figures::default();
        for _ in 0..if size >= LARGE { 1 } else { scale.runs } {
            // What the runs before have left would be in the operator's caches.
            let nodes = (2 * size).div_ceil(ON_A_NODE) + 10;
            let cluster = Cluster::start("kwok", &["--nodes", &nodes.to_string()]);
            kinds::install(&cluster);
            run(&cluster, size, &mut figures).await;
            version = cluster.client().await.apiserver_version().await.expect("a version").git_version;
        }
        all.push((size, figures));
    }
    section(&version, &all)
}

fn section(version: &str, all: &[(u32, Figures)]) -> Section {
    let mut ratios = Vec::new();
    for (size, figures) in all {
        let beside = "the same objects made by a plain client, until all pods are Ready";
        ratios.push(Ratio::new(
            format!("{size} channels from nothing to Ready"),
            figures.ready.over(&figures.bare),
            beside,
        ));
    }
    let columns = |of: &dyn Fn(&Figures) -> String| all.iter().map(|(_, figures)| of(figures)).collect::<Vec<_>>();
    let row = |name: &str, of: &dyn Fn(&Figures) -> String| [vec![name.to_owned()], columns(of)].concat();
    let head: Vec<String> = all.iter().map(|(size, _)| format!("{size} channels")).collect();
    let head: Vec<&str> = std::iter::once("").chain(head.iter().map(String::as_str)).collect();
    let rows = vec![
        row("all channels Ready, s", &|figures| figures.ready.to_string()),
        row("all pods Ready, s", &|figures| figures.pods.to_string()),
        row("plain client: all pods Ready, s", &|figures| figures.bare.to_string()),
        row("writes", &|figures| figures.writes.to_string()),
        row("plain client: writes", &|figures| figures.bare_writes.to_string()),
        row("the operator's processor time, s", &|figures| figures.cpu.to_string()),
        row("the operator's resident memory, MB", &|figures| figures.resident.to_string()),
    ];
    let mut kinds: Vec<&String> = all.iter().flat_map(|(_, figures)| figures.kinds.keys()).collect();
    kinds.sort();
    kinds.dedup();
    let writes = kinds.into_iter().map(|kind| {
        let each = all
            .iter()
            .map(|(size, figures)| format!("{:.2}", *figures.kinds.get(kind).unwrap_or(&0) as f64 / f64::from(*size)));
        [vec![kind.clone()], each.collect()].concat()
    });
    let writes = table(&[&["a channel"][..], &head[1..]].concat(), writes.collect::<Vec<_>>());
    let names: Vec<&String> =
        all.first().into_iter().flat_map(|(_, figures)| &figures.shares).map(|(name, _)| name).collect();
    let shares = names.iter().enumerate().map(|(index, name)| {
        let each = all.iter().map(|(_, figures)| {
            format!("{:.1} %, {:.1} %", figures.shares[index].1 * 100.0, figures.bare_shares[index].1 * 100.0)
        });
        [vec![(*name).clone()], each.collect()].concat()
    });
    let shares = table(
        &[&["of all cores: with the operator, with the plain client"][..], &head[1..]].concat(),
        shares.collect::<Vec<_>>(),
    );
    let text = format!(
        "A connector, a campaign and the channels are created on an API server ({version}) with controller manager and scheduler, where KWOK plays\n\
         nodes and pods; a stub answers for engines and gateway. The operator runs with its own defaults. A channel is Ready when its number is verified\n\
         and claimed, its pod runs and its engine has said that it has the newest configuration. Beside it, in another namespace of the same cluster: all that\n\
         came of it (ServiceAccounts, ConfigMaps, claims of volumes, Services, StatefulSets, leases of numbers, and the kinds' own objects) made by a client\n\
         with {CONNECTIONS} connections and no operator. Each run has a cluster of its own.\n\n{}\nThe operator's writes by kind and verb, from its own metrics:\n\n{writes}\n{shares}",
        table(&head, rows),
    );
    Section { title: "Many channels", ratios, goals: goals(all), text }
}

fn goals(all: &[(u32, Figures)]) -> Vec<Goal> {
    let mut goals = Vec::new();
    let each = |figures: &Figure, size: u32| figures.divided_by(f64::from(size));
    let thousand = all.iter().find(|(size, _)| *size == LARGE);
    for (size, figures) in all {
        if *size == LARGE {
            let ours = |what: &str| format!("{size} channels from nothing to Ready: {what}");
            goals.push(Goal::at_most(ours("time beside the plain client"), 1.3, figures.ready.over(&figures.bare)));
            goals.push(Goal::at_most(ours("writes a channel"), 9.0, each(&figures.writes, *size)));
            goals.push(Goal::at_most(ours("the operator's processor time, s"), 10.0, figures.cpu.clone()));
            goals.push(Goal::at_most(ours("resident memory, MB"), 60.0, figures.resident.clone()));
        } else if let Some((_, thousand)) = thousand.filter(|_| *size > LARGE) {
            let ours = |what: &str| format!("{size} channels from nothing to Ready: {what} a channel, beside {LARGE}");
            for (what, of, beside) in [
                ("time", &figures.ready, &thousand.ready),
                ("writes", &figures.writes, &thousand.writes),
                ("processor time", &figures.cpu, &thousand.cpu),
            ] {
                goals.push(Goal::at_most(ours(what), 1.2, each(of, *size).over_median(&each(beside, LARGE))));
            }
        }
    }
    goals
}

async fn run(cluster: &Cluster, channels: u32, figures: &mut Figures) {
    let client = cluster.client().await;
    let place = Place { client: client.clone(), namespace: cluster.namespace("desk") };
    let system = cluster.namespace("aldis-system");
    cluster.kubectl(&["create", "serviceaccount", "aldis-operator", "-n", &system]).ok();
    let pods = Pods::start();
    let numbers: Vec<Value> = (0..channels).map(offered).collect();
    pods.say(&format!("smsc-sim.{}", place.namespace), json!({ "numbers": numbers }));
    let loading = load(&place, &pods);
    let folder = tempfile::tempdir().expect("a folder");
    let admin = SocketAddr::new(address(), 9090);
    let mut operator = start(cluster, &place.namespace, &system, &pods, admin, folder.path());
    let pid = operator.pid().expect("it runs");
    let (campaigns, channels_ready) = (place.ready::<Campaign>(), place.ready::<SmsChannel>());
    place.create(vec![place.campaign("warm")]).await;
    campaigns.until(1).await;

    let who = || sources(cluster, pid);
    let pods_ready = place.ready::<Pod>();
    let (before, begun, shares) = (Metrics::of(admin).await, Instant::now(), Shares::begin(who()));
    let processor = usage(pid).processor;
    let mut desks = vec![place.connector(), place.campaign("support")];
    desks.extend((0..channels).map(|nth| place.channel(nth)));
    let making = place.create(desks);
    let all_pods = async { (pods_ready.until(channels as usize + 1).await - begun).as_secs_f64() };
    let all_channels = async { (channels_ready.until(channels as usize).await - begun).as_secs_f64() };
    let ((), all_pods, all_channels) = tokio::join!(making, all_pods, all_channels);
    figures.shares = shares.end();
    figures.pods.add(all_pods);
    figures.ready.add(all_channels);
    let writes = settled(async || Metrics::of(admin).await.writes()).await;
    figures.kinds = writes.since(&before.writes());
    figures.writes.add(figures.kinds.values().sum::<u64>() as f64);
    let after = usage(pid);
    figures.cpu.add((after.processor - processor).as_secs_f64());
    figures.resident.add(after.resident);

    assert!(operator.terminate(), "the operator ends well");
    loading.abort();
    bare(&place, &system, cluster, channels, figures).await;
}

/// The same objects, made by a plain client.
async fn bare(place: &Place, system: &str, cluster: &Cluster, channels: u32, figures: &mut Figures) {
    let copies = place.copies(system).await;
    let bare = Place { client: place.client.clone(), namespace: cluster.namespace("bare") };
    let ready = bare.ready::<Pod>();
    let (count, begun, shares) = (copies.len(), Instant::now(), Shares::begin(sources(cluster, 0)));
    let (end, ()) = tokio::join!(ready.until(channels as usize + 1), bare.create(copies));
    figures.bare.add((end - begun).as_secs_f64());
    figures.bare_shares = shares.end();
    figures.bare_writes.add(count as f64);
}

fn start(
    cluster: &Cluster,
    watched: &str,
    system: &str,
    pods: &Pods,
    admin: SocketAddr,
    folder: &std::path::Path,
) -> Role {
    let arguments = [
        "operator".to_owned(),
        format!("--kubeconfig={}", cluster.kubeconfig().display()),
        "--image=aldis:measured".to_owned(),
        format!("--namespace={system}"),
        format!("--watch-namespaces={watched}"),
        "--allow-base-urls=http://simulator.test:8090".to_owned(),
        format!("--admin-address={admin}"),
        format!("--resolve-services-to={}", pods.address),
    ];
    Role::start(arguments.to_vec(), &folder.join("operator.log"))
}

/// Who shares the processor.
fn sources(cluster: &Cluster, operator: u32) -> Vec<(String, Share)> {
    let found = descendants(cluster.owner_pid());
    let mut sources = vec![("operator".to_owned(), Share::Process(operator))];
    sources.extend(PROCESSES.iter().filter_map(|(name, called)| {
        let (pid, _) = found.iter().find(|(_, comm)| comm == name)?;
        Some(((*called).to_owned(), Share::Process(*pid)))
    }));
    sources.push(("stub of the pods".to_owned(), Share::Threads(pods::THREADS)));
    sources.push(("the benchmark's client and watches".to_owned(), Share::Threads("tokio-rt-worker")));
    sources
}

/// Pods load what their ConfigMaps hold, as soon as it is there.
fn load(place: &Place, pods: &Pods) -> JoinHandle<()> {
    let api: Api<ConfigMap> = Api::namespaced(place.client.clone(), &place.namespace);
    let pods = pods.clone();
    let config = kube::runtime::watcher::Config::default().labels(CHILDREN);
    tokio::spawn(async move {
        let mut maps = kube::runtime::WatchStreamExt::applied_objects(kube::runtime::watcher(api, config)).boxed();
        while let Some(map) = maps.next().await {
            let Ok(map) = map else { continue };
            let (name, namespace) = (map.metadata.name.unwrap_or_default(), map.metadata.namespace.unwrap_or_default());
            pods.load(&format!("{name}.{namespace}"), &json!(map.data));
        }
    })
}

fn number(nth: u32) -> String {
    format!("+1555124{nth:04}")
}

fn offered(nth: u32) -> Value {
    healthy::number(&number(nth))
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

    /// Counts the objects of a kind that are Ready.
    fn ready<K: kube::Resource<DynamicType = ()>>(&self) -> Ready {
        Ready::watch(&self.client, &self.namespace, &ApiResource::erase::<K>(&()))
    }

    /// Makes objects, many at a time.
    async fn create(&self, objects: Vec<Wanted>) {
        let making = objects.into_iter().map(|(resource, object)| {
            let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, &resource);
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

    /// All objects of this namespace, and its leases of numbers, as a client would make them from nothing.
    async fn copies(&self, operator_namespace: &str) -> Vec<Wanted> {
        let leases = Place { namespace: operator_namespace.to_owned(), client: self.client.clone() };
        let lease = ApiResource::erase::<Lease>(&());
        let own = [
            ApiResource::erase::<SmsConnector>(&()),
            ApiResource::erase::<Campaign>(&()),
            ApiResource::erase::<SmsChannel>(&()),
        ];
        let children = [
            ApiResource::erase::<ServiceAccount>(&()),
            ApiResource::erase::<ConfigMap>(&()),
            ApiResource::erase::<PersistentVolumeClaim>(&()),
            ApiResource::erase::<Service>(&()),
            ApiResource::erase::<StatefulSet>(&()),
        ];
        let mut copies = Vec::new();
        let kinds = own.iter().map(|kind| (self, kind, "")).chain(children.iter().map(|kind| (self, kind, CHILDREN)));
        for (place, kind, selector) in kinds.chain([(&leases, &lease, CLAIMS)]) {
            copies.extend(place.list(kind, selector).await.iter().map(|object| (kind.clone(), copy(object))));
        }
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
