//! Many channels on a simulated API server, and what the operator costs while nothing, or one thing, happens.

mod edit;
mod queue;
mod restart;
mod settled;
mod silent;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use aldis::api::{Blocklist, Campaign, SmsChannel, SmsConnector};
use kube::{Resource, core::NamespaceResourceScope};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    Scale,
    api_server::{self, ApiServer, Key},
    machine::{Share, Shares, usage},
    metrics::Metrics,
    page::{Section, table},
    pods::{self, Pods},
    rows::Wanted,
    support::{
        healthy,
        process::{Role, address, ready},
    },
};

/// Path of the channels' kind.
pub const CHANNELS: &str = "aldis.dev/v1alpha1/smschannels";
/// Channels of one namespace.
const IN_A_NAMESPACE: u32 = 1000;
const CONNECTORS: u32 = 2;
const CAMPAIGNS: u32 = 5;
/// Nothing is written for so long: it has settled.
const REST: Duration = Duration::from_secs(20);
/// Nothing goes on for so long: it never will.
const STUCK: Duration = Duration::from_secs(180);

/// A simulated cluster with an operator of its own that runs with its own defaults.
pub struct Fleet {
    pub api: ApiServer,
    pub pods: Pods,
    pub operator: Role,
    pub size: u32,
    /// How long it took until all channels were Ready, from nothing.
    pub until_ready: Duration,
    /// Processor time of the operator until then.
    pub processor: Duration,
    admin: SocketAddr,
    _folder: tempfile::TempDir,
}

/// Measures the rows that are wanted, those of one size on the same fleet.
pub async fn measure(scale: Scale, wanted: &Wanted) -> Vec<Section> {
    let mut sections = Vec::new();
    let mut sizes: Vec<u32> =
        ["settled", "edit", "bad-queue", "restart"].iter().flat_map(|row| wanted.sizes(row)).collect();
    sizes.sort_unstable();
    sizes.dedup();
    for size in sizes {
        let is_wanted = |row: &str| wanted.sizes(row).contains(&size);
        let mut fleet = Fleet::start(size).await;
        if is_wanted("settled") {
            sections.push(settled::measure(scale, &fleet).await);
        }
        if is_wanted("edit") {
            sections.push(edit::measure(scale, &fleet).await);
        }
        if is_wanted("bad-queue") {
            sections.push(queue::measure(scale, &fleet).await);
        }
        if is_wanted("restart") {
            sections.push(restart::measure(scale, &mut fleet).await);
        }
    }
    for size in wanted.sizes("silent") {
        sections.push(silent::measure(scale, size).await);
    }
    sections
}

impl Fleet {
    /// Makes so many channels and waits until they have settled.
    pub async fn start(size: u32) -> Self {
        let pods = Pods::start();
        let api = ApiServer::start(pods.clone());
        let folder = tempfile::tempdir().expect("a folder");
        let kubeconfig = folder.path().join("kubeconfig");
        api.write_kubeconfig(&kubeconfig);
        let admin = SocketAddr::new(address(), 9090);
        make(&api, &pods, size);
        let arguments = [
            "operator".to_owned(),
            format!("--kubeconfig={}", kubeconfig.display()),
            "--image=aldis:measured".to_owned(),
            "--allow-base-urls=http://simulator.test:8090".to_owned(),
            format!("--admin-address={admin}"),
            format!("--resolve-services-to={}", pods.address),
        ];
        let operator = Role::start(arguments.to_vec(), &folder.path().join("operator.log"));
        let begun = Instant::now();
        let mut fleet = Self {
            api,
            pods,
            operator,
            size,
            until_ready: Duration::ZERO,
            processor: Duration::ZERO,
            admin,
            _folder: folder,
        };
        fleet.wait_ready().await;
        fleet.until_ready = begun.elapsed();
        fleet.processor = usage(fleet.pid()).processor;
        fleet.rest().await;
        fleet
    }

    pub fn pid(&self) -> u32 {
        self.operator.pid().expect("it runs")
    }

    /// Who shares the processor, from now on.
    pub fn shares(&self) -> Shares {
        Shares::begin(vec![
            ("operator".to_owned(), Share::Process(self.pid())),
            ("simulated API server".to_owned(), Share::Threads(api_server::THREADS)),
            ("stub of the pods".to_owned(), Share::Threads(pods::THREADS)),
        ])
    }

    /// Waits until all channels are Ready, for as long as they become more.
    async fn wait_ready(&self) {
        let wanted = self.size as usize;
        let (mut most, mut since, mut told) = ((0, 0), Instant::now(), Instant::now());
        loop {
            let now = (self.api.count_true(CHANNELS, "Ready"), self.api.writes());
            if now.0 >= wanted {
                return;
            }
            if now > most {
                (most, since) = (now, Instant::now());
            }
            if told.elapsed() > Duration::from_secs(30) {
                told = Instant::now();
                println!("{} of {wanted} channels are Ready after {} writes", now.0, now.1);
            }
            assert!(
                since.elapsed() < STUCK,
                "{} of {wanted} channels are Ready, and nothing goes on\n{}",
                now.0,
                self.operator.log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until nothing is written any more.
    pub async fn rest(&self) {
        let begun = Instant::now();
        let (mut writes, mut since) = (self.api.writes(), Instant::now());
        while since.elapsed() < REST {
            assert!(begun.elapsed() < STUCK + REST, "it does not come to rest: {:?}", self.api.requests());
            tokio::time::sleep(Duration::from_millis(200)).await;
            let now = self.api.writes();
            if now != writes {
                (writes, since) = (now, Instant::now());
            }
        }
    }

    /// Ends the operator in good order.
    pub fn stop(&mut self) {
        assert!(self.operator.terminate(), "the operator ends well");
    }

    /// Starts it again.
    pub async fn start_again(&mut self) {
        self.operator.start_again();
        ready(self.admin.ip()).await;
    }

    /// The operator's metrics now.
    pub async fn metrics(&self) -> Metrics {
        Metrics::of(self.admin).await
    }

    /// What has been made, for the text of a section.
    pub fn describe(&self) -> String {
        let spaces = namespaces(self.size);
        format!(
            "{} channels with as many numbers, over {spaces} namespaces with {CONNECTORS} connectors, {CAMPAIGNS} campaigns and a blocklist each, on an API\n\
             server that the benchmark simulates in memory (HTTP without TLS); one stub answers for all pods. The operator is the process\n\
             that is shipped, with its own defaults.",
            crate::figure::Figure::from(f64::from(self.size)),
        )
    }
}

/// A table of what each process took.
pub fn shares_table(shares: &[(String, f64)]) -> String {
    let rows = shares.iter().map(|(who, share)| vec![who.clone(), format!("{:.1} %", share * 100.0)]);
    table(&["of all cores", ""], rows)
}

const fn namespaces(size: u32) -> u32 {
    size.div_ceil(IN_A_NAMESPACE)
}

/// The channel of this number.
pub fn channel(nth: u32, size: u32) -> Key {
    (format!("desk-{}", nth % namespaces(size)), format!("line-{nth}"))
}

/// The Service of a channel's engine, as the stub knows it.
pub fn service((namespace, name): &Key) -> String {
    format!("sms-{name}.{namespace}")
}

fn number(nth: u32) -> String {
    format!("+1555{:07}", 1_000_000 + nth)
}

/// The Service of a channel's gateway, as the stub knows it.
pub fn gateway(nth: u32, size: u32) -> String {
    format!("smsc-account-{}.{}", connector(nth, size), channel(nth, size).0)
}

/// The connector of a channel within its namespace.
const fn connector(nth: u32, size: u32) -> u32 {
    nth / namespaces(size) % CONNECTORS
}

fn make(api: &ApiServer, pods: &Pods, size: u32) {
    for space in 0..namespaces(size) {
        let namespace = format!("desk-{space}");
        for connector in 0..CONNECTORS {
            let name = format!("account-{connector}");
            let simulator = json!({"baseUrl": "http://simulator.test:8090", "credentialsSecretRef": {"name": name}});
            let spec = json!({"provider": {"simulator": simulator}, "webhook": {"publicUrl": format!("http://smsc-{name}:8080")}});
            create::<SmsConnector>(api, &namespace, &name, &spec);
            let offered =
                (0..size).filter(|nth| nth % namespaces(size) == space && self::connector(*nth, size) == connector);
            let offered = offered.map(|nth| healthy::number(&number(nth)));
            pods.say(&format!("smsc-{name}.{namespace}"), json!({"numbers": offered.collect::<Vec<_>>()}));
        }
        for campaign in 0..CAMPAIGNS {
            create::<Campaign>(
                api,
                &namespace,
                &format!("campaign-{campaign}"),
                &json!({"members": [{"user": "ana"}]}),
            );
        }
        let entries: Vec<Value> =
            (0..20).map(|nth| json!({"number": format!("+1555{nth:07}"), "direction": "Both"})).collect();
        create::<Blocklist>(api, &namespace, "unwanted", &json!({ "entries": entries }));
    }
    for nth in 0..size {
        let (namespace, name) = channel(nth, size);
        let spec = json!({
            "campaignRef": {"name": format!("campaign-{}", nth / namespaces(size) % CAMPAIGNS)},
            "connectorRef": {"name": format!("account-{}", connector(nth, size))}, "number": number(nth),
        });
        create::<SmsChannel>(api, &namespace, &name, &spec);
    }
}

/// Makes an object of one of our kinds, with the defaults that its definition gives it.
fn create<K>(api: &ApiServer, namespace: &str, name: &str, spec: &Value)
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Serialize + DeserializeOwned,
{
    let bare =
        json!({"apiVersion": K::api_version(&()), "kind": K::kind(&()), "metadata": {"name": name}, "spec": spec});
    let typed: K = serde_json::from_value(bare).expect("an object of ours");
    let mut object = serde_json::to_value(typed).expect("JSON");
    object["status"] = json!({"observedGeneration": -1});
    api.create(&format!("{}/{}", K::api_version(&()), K::plural(&())), namespace, object);
}
