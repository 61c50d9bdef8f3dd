//! Reconciles as a whole, against an API server in memory: what a person does, and what the object says and the cluster holds then.

mod bots;
mod campaigns;
mod claims;
mod conditions;
mod deletion;
mod idle;
mod repair;
mod rollouts;
mod unreadable;
mod writes;

use std::{collections::BTreeSet, iter, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{Resource, core::object::HasSpec, runtime::watcher::Event};
use prometheus_client::registry::Registry;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    operator::{
        controllers::{
            blocklist, bot, channel, connector,
            plan_tests::settings,
            worker::{self, RequeueAfter},
        },
        observed::{
            changes,
            context::Context,
            issuers::{FetchedKeys, Published},
            samples::GatewayNews,
        },
        resources::kinds::ChildKind,
        runtime::{
            api_fake::ApiFake,
            cache::{ObjectKey, Scope, Store},
            error::Error,
            readable::{self, Readable},
            settings::Settings,
        },
    },
    wire::{
        config::{ConfigHash, MAIN_DOCUMENT},
        status::fixture,
    },
};

const NUMBER: &str = "+15551230001";

/// A namespace `shop` with an operator that leads, and the API server behind it.
struct World {
    api: ApiFake,
    context: Arc<Context>,
}

impl World {
    /// Connector `sim` and campaign `support` are there, and the gateway has verified the number.
    fn new() -> Self {
        Self::new_with(settings())
    }

    /// The same with other settings.
    fn new_with(settings: Settings) -> Self {
        let world = Self::with(ApiFake::default(), settings);
        world.put(
            "smsconnectors",
            "sim",
            json!({
                "provider": {"simulator": {
                    "baseUrl": "http://simulator.shop:8090", "credentialsSecretRef": {"name": "sim"}}},
                "webhook": {"publicUrl": "https://sms.example.com/sim"},
            }),
        );
        world.put("campaigns", "support", json!({"members": [{"user": "ana"}]}));
        world.gateway_says(json!({}));
        world
    }

    /// An operator that has just started, and knows what stands at the API server.
    fn on(api: ApiFake) -> Self {
        Self::with(api, settings())
    }

    /// The same with other settings.
    fn with(api: ApiFake, mut settings: Settings) -> Self {
        settings.allow_base_urls = vec!["http://simulator.shop:8090".into()];
        let context = Context::new(settings, api.client(), &mut Registry::default()).unwrap();
        context.leadership.hold_for_test();
        context.issuers.learn(FetchedKeys {
            cluster_issuer: "https://kubernetes.default.svc".into(),
            cluster_keys: json!({"keys": []}),
            agents: Vec::new(),
            published: Published::default(),
        });
        let world = Self { api, context: Arc::new(context) };
        world.relist();
        world
    }

    /// As [`World::new`], with a channel `support` whose engine runs.
    async fn at_work() -> Self {
        let world = Self::new();
        world.channel("support");
        world.run("support").await;
        world
    }

    fn put(&self, plural: &str, name: &str, spec: Value) {
        let kind = match plural {
            "smsconnectors" => "SmsConnector",
            "smschannels" => "SmsChannel",
            "blocklists" => "Blocklist",
            "bots" => "Bot",
            _ => "Campaign",
        };
        let before = self.api.get(&path(plural, name));
        let generation = before.and_then(|before| before["metadata"]["generation"].as_i64()).unwrap_or_default() + 1;
        let object = json!({
            "apiVersion": "aldis.dev/v1alpha1", "kind": kind, "spec": spec,
            "metadata": {"name": name, "namespace": "shop", "generation": generation},
        });
        self.api.put::<Value>(&path(plural, name), object);
        self.relist();
    }

    /// A bot that calls a service, which no operator allows here.
    fn calling_bot(&self, name: &str) {
        let steps = json!([
            {"name": "call", "http": {"url": "https://crm.example.com/", "onError": "end"}},
            {"name": "end", "finish": {}},
        ]);
        self.put("bots", name, json!({ "steps": steps }));
    }

    fn channel(&self, name: &str) {
        let spec = json!({"campaignRef": {"name": "support"}, "connectorRef": {"name": "sim"}, "number": NUMBER});
        self.put("smschannels", name, spec);
    }

    /// Brings a channel to where its engine runs and answers.
    async fn run(&self, name: &str) {
        self.reconcile_channel(name).await.unwrap();
        self.pod(&format!("sms-{name}"), "aldis.dev/channel", name);
        // Its store is remembered, and told to it.
        for _ in 0..2 {
            self.engine_says(name, json!({}));
            self.reconcile_channel(name).await.unwrap();
            self.reconcile_channel(name).await.unwrap();
        }
    }

    /// A pod that is ready.
    fn pod(&self, child: &str, label: &str, name: &str) {
        let set = self.api.get(&stateful_set(child)).unwrap();
        let made_by = json!([{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": child, "controller": true,
                              "uid": set["metadata"]["uid"]}]);
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("{child}-0"), "namespace": "shop", "labels": {
                label: name, "app.kubernetes.io/managed-by": "aldis"}, "ownerReferences": made_by},
            "spec": {"nodeName": "node-7", "containers": []},
            "status": {"podIP": "10.244.0.7", "conditions": [{"type": "Ready", "status": "True"}]},
        });
        self.api.put::<Value>(&format!("/api/v1/namespaces/shop/pods/{child}-0"), pod);
        self.relist();
    }

    /// The engine has loaded the configuration that stands there, and says this over what a healthy one says.
    fn engine_says(&self, name: &str, overlay: Value) {
        let config = self.api.get(&format!("/api/v1/namespaces/shop/configmaps/sms-{name}")).unwrap();
        let text = config["data"][MAIN_DOCUMENT].as_str().unwrap();
        let mut said = fixture::engine(&overlay);
        said.config.hash = Some(ConfigHash::of(text.as_bytes()));
        let uid = self.get("smschannels", name)["metadata"]["uid"].as_str().unwrap().to_owned();
        changes::engine_said(&self.context, &ObjectKey::new("shop", name), &uid, Ok(said));
    }

    /// The gateway says this over what a healthy one says.
    fn gateway_says(&self, overlay: Value) -> GatewayNews {
        let mut said = json!({
            "version": "0.1.0", "config": {}, "credentials": {"state": "Valid", "checkedAt": "2026-01-01T00:00:00Z"},
            "numbersListedAt": "2026-01-01T00:00:00Z", "sampledAt": "2026-01-01T00:00:00Z",
            "numbers": [{"number": NUMBER, "atProvider": true, "smsCapable": true, "webhook": {"state": "InSync"}}],
            "spool": {"waiting": 0, "unrouted": 0, "oldestWaitSeconds": 0},
        });
        said.as_object_mut().unwrap().extend(overlay.as_object().unwrap().clone());
        let uid = self.get("smsconnectors", "sim")["metadata"]["uid"].as_str().unwrap().to_owned();
        self.context.samples.gateway_said(&uid, Ok(serde_json::from_value(said).unwrap()))
    }

    async fn reconcile_channel(&self, name: &str) -> Result<RequeueAfter, Error> {
        let done = channel::reconcile(self.context.clone(), ObjectKey::new("shop", name)).await;
        self.relist();
        done
    }

    /// One turn of a worker.
    async fn work_channel(&self, name: &str) {
        let key = ObjectKey::new("shop", name);
        worker::work(&self.context, "smschannel", &self.context.cluster.channels, key, channel::reconcile).await;
        self.relist();
    }

    async fn reconcile_blocklist(&self, name: &str) -> Result<RequeueAfter, Error> {
        let done = blocklist::reconcile(self.context.clone(), ObjectKey::new("shop", name)).await;
        self.relist();
        done
    }

    async fn reconcile_bot(&self, name: &str) -> Result<RequeueAfter, Error> {
        let done = bot::reconcile(self.context.clone(), ObjectKey::new("shop", name)).await;
        self.relist();
        done
    }

    async fn reconcile_connector(&self) -> Result<RequeueAfter, Error> {
        let done = connector::reconcile(self.context.clone(), ObjectKey::new("shop", "sim")).await;
        self.relist();
        done
    }

    fn get(&self, plural: &str, name: &str) -> Value {
        self.api.get(&path(plural, name)).unwrap_or_else(|| panic!("{plural}/{name} is gone"))
    }

    fn is_gone(&self, plural: &str, name: &str) -> bool {
        self.api.get(&path(plural, name)).is_none()
    }

    /// Changes an object as a person would.
    fn edit(&self, path: &str, change: impl FnOnce(&mut Value)) {
        let mut object = self.api.get(path).unwrap_or_else(|| panic!("{path} is gone"));
        change(&mut object);
        self.api.put::<Value>(path, object);
        self.relist();
    }

    /// A person deleted it so many seconds ago.
    fn delete(&self, plural: &str, name: &str, seconds_ago: i64) {
        let when = Timestamp::now() - SignedDuration::from_secs(seconds_ago);
        self.edit(&path(plural, name), |object| object["metadata"]["deletionTimestamp"] = when.to_string().into());
    }

    /// Status, reason and message of a condition.
    fn condition(&self, plural: &str, name: &str, type_: &str) -> Option<(String, String, String)> {
        let found = self.conditions(plural, name).into_iter().find(|condition| condition.type_ == type_)?;
        Some((found.status, found.reason, found.message))
    }

    fn conditions(&self, plural: &str, name: &str) -> Vec<Condition> {
        serde_json::from_value(self.get(plural, name)["status"]["conditions"].clone()).unwrap_or_default()
    }

    /// Asserts a condition; returns its message.
    #[track_caller]
    fn expect(&self, plural: &str, name: &str, type_: &str, status: &str, reason: &str) -> String {
        let found = self.condition(plural, name, type_);
        let Some((known, why, message)) = found else { panic!("{plural}/{name} has no {type_}") };
        assert_eq!((known.as_str(), why.as_str()), (status, reason), "{type_}: {message}");
        message
    }

    /// Every watch lists anew.
    fn relist(&self) {
        let cluster = &self.context.cluster;
        self.list_ours("/smsconnectors/", &cluster.connectors);
        self.list_ours("/smschannels/", &cluster.channels);
        self.list_ours("/campaigns/", &cluster.campaigns);
        self.list_ours("/blocklists/", &cluster.blocklists);
        self.list_ours("/bots/", &cluster.bots);
        for kind in ChildKind::ALL {
            self.list(&format!("/{}/", kind.row().plural), cluster.children.of(kind), true);
        }
        self.list("/pods/", &cluster.pods, true);
        self.list("/leases/", &cluster.claims, false);
    }

    fn list<K: Resource + Clone + DeserializeOwned>(&self, within: &str, store: &Store<K>, labelled: bool) {
        store.apply_event(&Scope::Cluster, Event::Init);
        for (_, object) in self.api.objects(within) {
            let is_ours = object["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "aldis";
            if !labelled || is_ours {
                store.apply_event(&Scope::Cluster, Event::InitApply(serde_json::from_value(object).unwrap()));
            }
        }
        store.apply_event(&Scope::Cluster, Event::InitDone);
    }

    fn list_ours<K>(&self, within: &str, store: &Store<K>)
    where
        K: Resource<DynamicType = ()> + HasSpec<Spec: Clone> + Clone + DeserializeOwned,
    {
        let listed = self.api.objects(within).into_iter().map(|(_, object)| Event::InitApply(object));
        for event in iter::once(Event::Init).chain(listed).chain([Event::InitDone]) {
            let event = match event {
                Event::InitApply(object) => Event::InitApply(serde_json::from_value::<Readable<K>>(object).unwrap()),
                Event::Init => Event::Init,
                Event::Apply(_) | Event::Delete(_) | Event::InitDone => Event::InitDone,
            };
            if let Some(event) = readable::in_known_form(store, event) {
                store.apply_event(&Scope::Cluster, event);
            }
        }
    }

    /// Kinds and names of what was written since the last call.
    fn written(&self) -> BTreeSet<String> {
        let short = |path: String| path.split("/shop/").last().unwrap_or_default().to_owned();
        self.api.writes().into_iter().map(|(method, path)| format!("{method} {}", short(path))).collect()
    }
}

fn path(plural: &str, name: &str) -> String {
    format!("/apis/aldis.dev/v1alpha1/namespaces/shop/{plural}/{name}")
}

fn stateful_set(name: &str) -> String {
    format!("/apis/apps/v1/namespaces/shop/statefulsets/{name}")
}
