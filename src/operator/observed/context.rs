//! What every reconcile has at hand.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::{coordination::v1::Lease, core::v1::Pod};
use kube::Client;
use prometheus_client::registry::Registry;

use crate::{
    api::{Blocklist, Bot, Campaign, SmsChannel, SmsConnector},
    operator::{
        observed::{
            bot_faults::BotFaults, bot_reports::BotReports, contenders::Contenders, debounce::Debounce,
            in_force::InForce, indexes, issuers::Issuers, rollout_slots::Rollouts, route_writes::RouteWrites,
            samples::Samples, targets::Targets, throttle::Throttle,
        },
        resources::{child_stores::ChildStores, kept, volume_refresh::VolumeRefreshes, writer::Writer},
        runtime::{
            accounts::{Accounts, InvalidAccounts},
            allow_list::{AllowList, InvalidEntry},
            backoff::Backoff,
            cache::{ObjectKey, Store},
            events::Events,
            index::Term,
            leader::Leadership,
            metrics::Metrics,
            packed::Codec,
            queue::Queue,
            settings::Settings,
        },
    },
};

/// What every reconcile has at hand.
pub(crate) struct Context {
    /// Flags.
    pub settings: Settings,
    /// The caches.
    pub cluster: Cluster,
    /// One work queue per kind.
    pub queues: Queues,
    /// Writes to the API server.
    pub writer: Writer,
    /// Kubernetes Events.
    pub events: Events,
    /// Counters.
    pub metrics: Metrics,
    /// Whether this replica leads.
    pub leadership: Leadership,
    /// Faults per object.
    pub backoff: Backoff,
    /// What gateways and engines said last.
    pub samples: Samples,
    pub issuers: Issuers,
    /// When pods were last asked to look at their configuration.
    pub volume_refreshes: VolumeRefreshes,
    /// Who waits for a claim.
    pub contenders: Contenders,
    /// Addresses that connectors may use.
    pub allowed_base_urls: AllowList,
    /// Which namespaces may use which accounts.
    pub accounts: Accounts,
    /// Addresses that bots may call.
    pub allowed_bot_urls: AllowList,
    /// Which pods are asked for their status.
    pub targets: Targets,
    /// Changes of conditions that wait.
    pub debounce: Debounce,
    /// What is wrong with each bot.
    pub bot_faults: BotFaults,
    /// What engines said of bots.
    pub bot_reports: BotReports,
    /// Which blocklists the engines have loaded.
    pub in_force: InForce,
    /// When the sums of campaigns and bots, and what channels and connectors that are being deleted wait for, were written last.
    pub figures: Throttle,
    /// Since when objects are on their way, which is not written while it passes.
    pub progress: Throttle,
    /// Which configurations of gateways were written last.
    pub route_writes: RouteWrites,
    /// Which pods are being replaced by ones of a new image.
    pub(crate) rollouts: Rollouts,
}

/// What is known of the cluster.
pub(crate) struct Cluster {
    /// Connectors.
    pub connectors: Arc<Store<SmsConnector>>,
    /// Channels.
    pub channels: Arc<Store<SmsChannel>>,
    /// Campaigns.
    pub campaigns: Arc<Store<Campaign>>,
    /// Bots.
    pub bots: Arc<Store<Bot>>,
    /// Blocklists.
    pub blocklists: Arc<Store<Blocklist>>,
    /// Children of our objects, by kind.
    pub children: ChildStores,
    /// Pods of gateways and engines.
    pub pods: Arc<Store<Pod>>,
    /// Claims of numbers.
    pub claims: Arc<Store<Lease>>,
}

/// One work queue per kind.
#[derive(Default)]
pub(crate) struct Queues {
    /// Connectors.
    pub connectors: Queue<ObjectKey>,
    /// Channels.
    pub channels: Queue<ObjectKey>,
    /// Campaigns.
    pub campaigns: Queue<ObjectKey>,
    /// Bots.
    pub bots: Queue<ObjectKey>,
    /// Blocklists.
    pub blocklists: Queue<ObjectKey>,
}

/// A list among the settings cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSettings {
    /// A list of allowed addresses.
    #[error("--allow-base-urls, --provider-base-urls or --allow-bot-urls: {0}")]
    AllowList(#[from] InvalidEntry),
    /// The list of accounts.
    #[error("--accounts: {0}")]
    Accounts(#[from] InvalidAccounts),
}

impl Context {
    /// A context without any knowledge yet. The metrics of the operator are put into `registry`.
    ///
    /// # Errors
    /// When a list among the settings is wrong.
    pub(crate) fn new(settings: Settings, client: Client, registry: &mut Registry) -> Result<Self, InvalidSettings> {
        let metrics = Metrics::new(registry);
        let leadership = Leadership::default();
        Ok(Self {
            cluster: Cluster::default(),
            queues: Queues::default(),
            writer: Writer::new(client.clone(), leadership.clone(), metrics.clone()),
            events: Events::new(client, &settings.identity),
            metrics,
            leadership,
            backoff: Backoff::default(),
            samples: Samples::default(),
            issuers: Issuers::default(),
            volume_refreshes: VolumeRefreshes::default(),
            contenders: Contenders::default(),
            allowed_base_urls: AllowList::new(&settings.allow_base_urls)?
                .with_providers(&settings.provider_base_urls)?,
            accounts: settings.accounts.as_deref().map(Accounts::read).transpose()?.unwrap_or_default(),
            allowed_bot_urls: AllowList::new(&settings.allow_bot_urls)?,
            targets: Targets::default(),
            debounce: Debounce::default(),
            bot_faults: BotFaults::default(),
            bot_reports: BotReports::default(),
            in_force: InForce::default(),
            figures: Throttle::default(),
            progress: Throttle::default(),
            route_writes: RouteWrites::default(),
            rollouts: Rollouts::default(),
            settings,
        })
    }

    /// How many objects wait in each queue, by the name of its controller.
    pub(crate) fn queue_depths(&self) -> [(&'static str, usize); 5] {
        let queues = &self.queues;
        [
            ("smsconnector", queues.connectors.depth()),
            ("smschannel", queues.channels.depth()),
            ("campaign", queues.campaigns.depth()),
            ("bot", queues.bots.depth()),
            ("blocklist", queues.blocklists.depth()),
        ]
    }

    /// Now.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// Looks at everything again.
    pub(crate) fn enqueue_everything(&self) {
        self.cluster.connectors.keys().into_iter().for_each(|key| self.queues.connectors.add(key));
        self.cluster.channels.keys().into_iter().for_each(|key| self.queues.channels.add(key));
        self.cluster.campaigns.keys().into_iter().for_each(|key| self.queues.campaigns.add(key));
        self.cluster.bots.keys().into_iter().for_each(|key| self.queues.bots.add(key));
        self.cluster.blocklists.keys().into_iter().for_each(|key| self.queues.blocklists.add(key));
    }
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            connectors: Arc::new(Store::indexed_by(indexes::connector).keeping(kept::own)),
            channels: Arc::new(Store::indexed_by(indexes::channel).keeping(kept::own).packed(Codec::json())),
            campaigns: Arc::new(Store::indexed_by(indexes::campaign).keeping(kept::own)),
            bots: Arc::new(Store::indexed_by(indexes::bot).keeping(kept::own)),
            blocklists: Arc::new(Store::indexed_by(indexes::blocklist).keeping(kept::own)),
            children: ChildStores::default(),
            pods: Arc::new(Store::default().keeping(kept::pod).packed(Codec::json())),
            claims: Arc::new(Store::indexed_by(indexes::claim).packed(Codec::json())),
        }
    }
}

impl Cluster {
    /// The channels of a connector, by name.
    pub(crate) fn channels_of_connector(&self, connector: &ObjectKey) -> Vec<ObjectKey> {
        self.channels.keys_with(&Term::Connector(connector.clone()))
    }

    /// The channels of a campaign, by name.
    pub(crate) fn channels_of_campaign(&self, campaign: &ObjectKey) -> Vec<ObjectKey> {
        self.channels.keys_with(&Term::Campaign(campaign.clone()))
    }

    /// The channels that name a bot, by name.
    pub(crate) fn channels_of_bot(&self, bot: &ObjectKey) -> Vec<ObjectKey> {
        self.channels.keys_with(&Term::Bot(bot.clone()))
    }

    /// The channels that ask a connector for a number, by name.
    pub(crate) fn channels_of_number(&self, connector: &ObjectKey, number: &str) -> Vec<ObjectKey> {
        let mut keys = self.channels.keys_with(&Term::Number(number.to_owned()));
        let connector = Term::Connector(connector.clone());
        keys.retain(|key| self.channels.has(&connector, key));
        keys
    }

    /// The blocklists that bind a channel, by name: of its namespace, and its campaign is named, or none is.
    pub(crate) fn blocklists_of(&self, channel: &SmsChannel) -> Vec<Arc<Blocklist>> {
        let namespace = channel.metadata.namespace.clone().unwrap_or_default();
        let campaign = ObjectKey::new(&namespace, &channel.spec.campaign_ref.name);
        let mut found = self.blocklists.with(&Term::Campaign(campaign));
        found.extend(self.blocklists.with(&Term::EveryCampaign(namespace)));
        found.sort_by(|one, other| one.metadata.name.cmp(&other.metadata.name));
        found
    }

    /// The channels that a blocklist binds.
    pub(crate) fn bound_by(&self, list: &Blocklist) -> Vec<ObjectKey> {
        let namespace = list.metadata.namespace.as_deref().unwrap_or_default();
        if list.spec.campaigns.is_empty() {
            return self.channels.keys_beginning(namespace, "");
        }
        // A channel has one campaign, so none is found twice.
        let campaigns = list.spec.campaigns.iter().map(|campaign| ObjectKey::new(namespace, &campaign.name));
        campaigns.flat_map(|campaign| self.channels_of_campaign(&campaign)).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object<K: serde::de::DeserializeOwned>(kind: &str, namespace: &str, name: &str, spec: &Value) -> K {
        serde_json::from_value(json!({
            "apiVersion": "aldis.dev/v1alpha1", "kind": kind, "spec": spec,
            "metadata": {"name": name, "namespace": namespace, "uid": format!("{namespace}/{name}")},
        }))
        .unwrap()
    }

    fn cluster() -> Cluster {
        let cluster = Cluster::default();
        for (namespace, name, campaign) in [("a", "c1", "sales"), ("a", "c2", "support"), ("b", "c3", "sales")] {
            let spec = json!({
                "campaignRef": {"name": campaign}, "connectorRef": {"name": "demo"}, "number": "+15551230001",
            });
            cluster.channels.wrote(object("SmsChannel", namespace, name, &spec));
        }
        let sales = json!({"campaigns": [{"name": "sales"}]});
        cluster.blocklists.wrote(object("Blocklist", "a", "of-sales", &sales));
        cluster.blocklists.wrote(object("Blocklist", "a", "of-all", &json!({})));
        cluster
    }

    #[test]
    fn a_list_binds_the_channels_of_its_campaigns_or_all_of_its_namespace() {
        let cluster = cluster();
        let bound = |list: &str| -> Vec<_> {
            let list = cluster.blocklists.get(&ObjectKey::new("a", list)).unwrap();
            cluster.bound_by(&list).iter().map(|channel| channel.name().to_owned()).collect()
        };
        assert_eq!(
            (bound("of-sales"), bound("of-all")),
            (vec!["c1".to_owned()], vec!["c1".to_owned(), "c2".to_owned()])
        );
        let lists = |namespace: &str, channel: &str| -> Vec<_> {
            let channel = cluster.channels.get(&ObjectKey::new(namespace, channel)).unwrap();
            cluster.blocklists_of(&channel).iter().filter_map(|list| list.metadata.name.clone()).collect()
        };
        assert_eq!(lists("a", "c1"), ["of-all", "of-sales"]);
        assert_eq!(lists("a", "c2"), ["of-all"]);
        assert_eq!(lists("b", "c3"), [""; 0]);
    }

    #[test]
    fn a_channel_comes_out_of_its_cache_as_it_went_in() {
        let condition = |type_: &str| {
            json!({"type": type_, "status": "True", "reason": "Available", "message": "\"words\" \u{e9}",
                   "observedGeneration": 3, "lastTransitionTime": "2026-01-01T00:00:00Z"})
        };
        let channel = |name: &str| -> SmsChannel {
            serde_json::from_value(json!({
                "apiVersion": "aldis.dev/v1alpha1", "kind": "SmsChannel",
                "metadata": {
                    "name": name, "namespace": "shop", "uid": name, "resourceVersion": "7", "generation": 3,
                    "creationTimestamp": "2026-01-01T00:00:00Z", "deletionTimestamp": "2026-01-02T00:00:00Z",
                    "finalizers": ["aldis.dev/drain"], "labels": {"team": "a"}, "annotations": {"theirs": "x"},
                },
                "spec": {
                    "campaignRef": {"name": "support"}, "connectorRef": {"name": "demo"}, "number": "+15551230001",
                    "strategy": "Linear", "offer": {"mode": "Ask", "timeoutSeconds": 20},
                    "outOfHours": {"message": "later"}, "automations": {"onStart": {"name": "hello"}},
                    "engine": {"storage": {"volume": {"size": "2Gi", "onDelete": "Delete"}}},
                },
                "status": {
                    "observedGeneration": 3, "conditions": [condition("Ready"), condition("NumberClaimed")],
                    "sampledAt": "2026-01-01T00:00:01.5Z", "volumeSize": "2Gi",
                    "queue": {"waiting": 1, "oldestWaitSeconds": 10, "withBot": 0, "active": 2},
                    "agents": {"online": 1, "available": 0}, "serviceLevel": {"percent": 80, "answered": 8},
                    "engine": {"configHash": "h", "version": "1.2.3", "storeId": "s", "storeCommits": 9},
                },
            }))
            .unwrap()
        };
        let cluster = Cluster::default();
        for name in ["first", "second"] {
            let channel = channel(name);
            cluster.channels.wrote(channel.clone());
            let found = cluster.channels.get(&ObjectKey::of(&channel)).unwrap();
            assert_eq!(serde_json::to_value(&*found).unwrap(), serde_json::to_value(&channel).unwrap());
            assert_eq!((&found.spec, &found.status), (&channel.spec, &channel.status));
        }
    }

    #[test]
    fn channels_are_found_by_connector_and_campaign_within_their_namespace() {
        let cluster = cluster();
        assert_eq!(cluster.channels_of_connector(&ObjectKey::new("a", "demo")).len(), 2);
        assert_eq!(cluster.channels_of_connector(&ObjectKey::new("b", "demo")).len(), 1);
        assert_eq!(cluster.channels_of_campaign(&ObjectKey::new("a", "sales")).len(), 1);
        let asking = |connector: &str| cluster.channels_of_number(&ObjectKey::new("a", connector), "+15551230001");
        assert_eq!((asking("demo").len(), asking("other").len()), (2, 0));
        assert_eq!(cluster.channels.count(&Term::Ready("Unknown")), 3);
    }
}
