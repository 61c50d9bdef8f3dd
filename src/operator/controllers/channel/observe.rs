//! What the operator knows of a channel and of what it refers to, from its caches.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use crate::{
    api::{
        Blocklist, BotSpec, Campaign, ConditionType, Reason, SmsChannel, SmsConnector, condition_of,
        sms_channel::Automations,
    },
    bot::{compile, in_short},
    operator::{
        controllers::{
            channel::{bots::NamedBot, storage},
            summary::{self, is_deleted},
        },
        observed::{
            context::Context,
            pod,
            samples::{GatewaySample, Sampled},
        },
        resources::{child::Owner, volume},
        runtime::{cache::ObjectKey, desired_condition::DesiredCondition, error::Error},
    },
    wire::{
        config::{engine::StoreExpectation, issuers::Issuer},
        status::EngineStatus,
    },
};

/// What is known of a channel.
pub(crate) struct Observed {
    /// The object.
    pub channel: Arc<SmsChannel>,
    pub connector: Option<Arc<SmsConnector>>,
    pub campaign: Option<Arc<Campaign>>,
    /// The bots that it names and that are there, by name.
    pub bots: BTreeMap<String, NamedBot>,
    /// The Secrets with the credentials of its namespace's connectors; not looked up when the channel lists no Secrets for its bots.
    pub credentials: BTreeSet<String>,
    /// The blocklists that bind it, by name.
    pub blocklists: Vec<Arc<Blocklist>>,
    /// What the connector's gateway said.
    pub gateway: Sampled<GatewaySample>,
    /// The engine's pod.
    pub pod: Option<Arc<Pod>>,
    /// That another pod has the place of the engine's.
    pub place_taken: Option<DesiredCondition>,
    /// What the engine said.
    pub seen: Sampled<EngineStatus>,
    /// Size of the engine's volume.
    pub volume_size: Option<String>,
    /// Who signs the tokens that roles show.
    pub role_issuers: Vec<Issuer>,
    /// Who signs the tokens of agents.
    pub agent_issuers: Vec<Issuer>,
}

impl Observed {
    /// Reads the caches.
    ///
    /// # Errors
    /// [`Error::Waiting`] while the cluster's token keys are not known.
    pub(crate) fn of(context: &Context, channel: Arc<SmsChannel>) -> Result<Self, Error> {
        if !context.issuers.are_known() {
            let message = "the cluster's token keys are being fetched";
            return Err(Error::waiting(Reason::Progressing, message, Duration::from_secs(1)));
        }
        let owner = Owner::channel(&channel);
        let key = |name: &str| ObjectKey::new(&owner.namespace, name);
        let cluster = &context.cluster;
        let connector = cluster.connectors.get(&key(&channel.spec.connector_ref.name));
        let connector = connector.filter(|connector| !is_deleted(&**connector));
        let campaign = cluster.campaigns.get(&key(&channel.spec.campaign_ref.name));
        let place = pod::place(context, &owner);
        let gateway = connector.as_ref().and_then(|connector| connector.uid());
        Ok(Self {
            gateway: gateway.map_or(Sampled::Never, |uid| context.samples.gateway(&uid)),
            bots: bots(context, &channel, &owner),
            credentials: credentials(context, &channel, &owner),
            blocklists: blocklists(context, &channel),
            campaign: campaign.filter(|campaign| !is_deleted(&**campaign)),
            connector,
            pod: place.pod,
            place_taken: place.taken,
            seen: context.samples.engine(&owner.uid),
            volume_size: volume::size(&cluster.children, &owner),
            role_issuers: context.issuers.of_roles(&owner.namespace),
            agent_issuers: context.issuers.of_agents(&owner.namespace),
            channel,
        })
    }

    /// Whether the status says that the channel holds its number, or that its claim was lost.
    pub(crate) fn held_number(&self) -> bool {
        let status = self.channel.status.as_ref();
        let claimed = status.and_then(|status| condition_of(&status.conditions, ConditionType::NumberClaimed));
        let is_lost = claimed.is_some_and(|claimed| claimed.reason == Reason::ClaimLost.as_str());
        is_lost || summary::was_true(&*self.channel, ConditionType::NumberClaimed)
    }

    /// What the engine is told about its store.
    pub(crate) fn store_expectation(&self) -> StoreExpectation {
        self.store_expectation_of(&self.channel)
    }

    /// The same where the channel stands otherwise now.
    pub(crate) fn store_expectation_of(&self, channel: &SmsChannel) -> StoreExpectation {
        let account = self.connector.as_ref().and_then(|connector| connector.spec.provider.member());
        let said = self.seen.answered();
        storage::expectation(channel, account.map(|member| member.account()), said.map(|said| &**said))
    }

    /// Whether status remembers something else of the store now than it did when the configuration was made.
    pub(super) fn is_store_to_be_told(&self, now: &SmsChannel) -> bool {
        self.store_expectation_of(now) != self.store_expectation()
    }

    /// Whether the status says that the number is valid.
    pub(crate) fn was_number_valid(&self) -> bool {
        summary::was_true(&*self.channel, ConditionType::NumberValid)
    }
}

fn credentials(context: &Context, channel: &SmsChannel, owner: &Owner) -> BTreeSet<String> {
    if channel.spec.engine.bot_secrets.is_empty() {
        return BTreeSet::new();
    }
    let connectors = &context.cluster.connectors;
    let there = connectors.each(connectors.keys_beginning(&owner.namespace, ""));
    there.filter_map(|connector| Some(connector.spec.provider.member()?.credentials().name.clone())).collect()
}

fn bots(context: &Context, channel: &SmsChannel, owner: &Owner) -> BTreeMap<String, NamedBot> {
    let named = channel.spec.automations.iter().flat_map(Automations::bots);
    let found = named.filter_map(|(_, named)| {
        let bot = context.cluster.bots.get(&ObjectKey::new(&owner.namespace, &named.name))?;
        if is_deleted(&*bot) {
            return None;
        }
        let allows = |origin: &str| context.allowed_bot_urls.check_listed(origin);
        let judge = |spec: &BotSpec| compile(spec, &allows).err().map(|faults| in_short(&faults));
        let faults = context.bot_faults.of(&bot, judge);
        Some((named.name.clone(), NamedBot { bot, faults }))
    });
    found.collect()
}

fn blocklists(context: &Context, channel: &SmsChannel) -> Vec<Arc<Blocklist>> {
    let mut lists = context.cluster.blocklists_of(channel);
    lists.retain(|list| !is_deleted(&**list));
    lists
}
