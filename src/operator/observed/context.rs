//! What every reconcile has at hand.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::{coordination::v1::Lease, core::v1::Pod};
use kube::Client;
use prometheus_client::registry::Registry;

use crate::{
    api::{Blocklist, Bot, Campaign, SmsChannel, SmsConnector},
    operator::{
        observed::{contenders::Contenders, debounce::Debounce, issuers::Issuers, samples::Samples, targets::Targets},
        resources::{kinds::ChildStores, volume_refresh::VolumeRefreshes, writer::Writer},
        runtime::{
            accounts::{Accounts, InvalidAccounts},
            allow_list::{AllowList, InvalidEntry},
            backoff::Backoff,
            cache::{ObjectKey, Store},
            events::Events,
            leader::Leadership,
            metrics::Metrics,
            queue::Queue,
            settings::Settings,
        },
    },
};

/// What every reconcile has at hand.
pub struct Context {
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
    /// Who signs tokens.
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
}

/// What is known of the cluster.
#[derive(Default)]
pub struct Cluster {
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
    /// What we made.
    pub children: ChildStores,
    /// Pods of gateways and engines.
    pub pods: Arc<Store<Pod>>,
    /// Claims of numbers.
    pub claims: Arc<Store<Lease>>,
}

/// One work queue per kind.
#[derive(Default)]
pub struct Queues {
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
    pub fn new(settings: Settings, client: Client, registry: &mut Registry) -> Result<Self, InvalidSettings> {
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
            settings,
        })
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// Looks at everything again.
    pub fn enqueue_everything(&self) {
        self.cluster.connectors.keys().into_iter().for_each(|key| self.queues.connectors.add(key));
        self.cluster.channels.keys().into_iter().for_each(|key| self.queues.channels.add(key));
        self.cluster.campaigns.keys().into_iter().for_each(|key| self.queues.campaigns.add(key));
        self.cluster.bots.keys().into_iter().for_each(|key| self.queues.bots.add(key));
        self.cluster.blocklists.keys().into_iter().for_each(|key| self.queues.blocklists.add(key));
    }

    /// The channels of a connector, by name.
    pub fn channels_of_connector(&self, connector: &ObjectKey) -> Vec<Arc<SmsChannel>> {
        self.cluster.channels.select(|channel| {
            channel.metadata.namespace.as_deref() == Some(connector.namespace.as_str())
                && channel.spec.connector_ref.name == connector.name
        })
    }

    /// The channels of a campaign, by name.
    pub fn channels_of_campaign(&self, campaign: &ObjectKey) -> Vec<Arc<SmsChannel>> {
        self.cluster.channels.select(|channel| {
            channel.metadata.namespace.as_deref() == Some(campaign.namespace.as_str())
                && channel.spec.campaign_ref.name == campaign.name
        })
    }
}
