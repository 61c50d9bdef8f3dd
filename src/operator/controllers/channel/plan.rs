//! What a channel needs in the cluster. Pure.

use crate::{
    api::{
        SmsChannelSpec, names,
        resources::Volume,
        sms_channel::{AnsweredBy, OfferMode, OnDelete},
    },
    operator::{
        controllers::{
            blocklist,
            channel::{clock, observe::Observed, planned::Planned, storage, validate::Valid},
        },
        resources::{
            child::{Bond, Children, Owner, Prepared},
            configuration::{self, Documents, PartKind},
            rate_limit,
            workload::{Secrets, Workload},
        },
        runtime::{error::Error, settings::Settings},
    },
    wire::{
        config::{
            ConfigHash, FORMAT, ObjectIdentity, Parts,
            engine::{self, BlocklistPart, BlocklistSwitches, EngineConfig, GatewayPeer, ServiceLevel},
        },
        ports,
    },
};

/// Entries in one part of the blocklist; each takes about 80 bytes.
const ENTRIES_PER_PART: usize = 8_000;

/// What a channel needs.
pub(crate) struct Plan {
    pub children: Children<Prepared>,
    /// The configuration that the engine shall have.
    pub configuration: Planned,
}

/// Plans.
///
/// # Errors
/// [`Error::Stalled`] when the configuration does not fit.
pub(crate) fn plan(owner: &Owner, valid: &Valid<'_>, observed: &Observed, settings: &Settings) -> Result<Plan, Error> {
    let spec = &observed.channel.spec;
    let parts = blocklist_parts(observed)?;
    let main = |parts| EngineConfig {
        format: FORMAT,
        channel: ObjectIdentity {
            namespace: owner.namespace.clone(),
            name: owner.name.clone(),
            uid: owner.uid.clone(),
        },
        enabled: spec.enabled,
        draining: false,
        number: valid.number.clone(),
        gateway: gateway(owner, valid),
        campaign: valid.campaign.clone(),
        strategy: valid.strategy,
        offer_timeout_seconds: offer_timeout(spec),
        service_level: ServiceLevel {
            target_seconds: unsigned(spec.service_level.target_seconds),
            window_seconds: unsigned(spec.service_level.window_seconds),
            answered_by: match spec.service_level.answered_by {
                AnsweredBy::Reply => engine::AnsweredBy::Reply,
                AnsweredBy::Accept => engine::AnsweredBy::Accept,
            },
        },
        max_queued: unsigned(spec.max_queued),
        max_queue_seconds: unsigned(spec.max_queue_seconds),
        max_transfer_seconds: unsigned(spec.max_transfer_seconds),
        queue_full_message: spec.queue_full_message.clone(),
        out_of_hours_message: spec.out_of_hours.message.clone(),
        bots: valid.bots.clone(),
        blocklist: BlocklistSwitches { inbound: spec.blocklist.inbound, outbound: spec.blocklist.outbound },
        opt_out: valid.opt_out.clone(),
        session_idle_seconds: unsigned(spec.session.idle_seconds),
        session_reopen_seconds: unsigned(spec.session.reopen_seconds),
        per_number_limit: rate_limit::rate_limit(valid.connector.spec.limits.per_number),
        retention_days: unsigned(spec.engine.storage.retention_days),
        store: observed.store_expectation(),
        clock_accepted: clock::accepted(&observed.channel),
        role_issuers: observed.role_issuers.clone(),
        operator_user: settings.operator_user(),
        agent_issuers: observed.agent_issuers.clone(),
        parts,
    };
    let documents = configuration::write(owner, PartKind::Blocklist, &parts, main)?;
    let without_store = without_store(observed, &documents, main)?;
    let mut children = workload_children(owner, spec, settings);
    children.extend(documents.children);
    let configuration = Planned { hash: documents.hash, without_store };
    Ok(Plan { children: Children::planned(children), configuration })
}

/// The hash of the configuration without the name of the store, and the store: for an engine that has another configuration.
fn without_store(
    observed: &Observed,
    documents: &Documents,
    main: impl FnOnce(Parts) -> EngineConfig,
) -> Result<Option<(ConfigHash, String)>, Error> {
    let has = observed.seen.answered().and_then(|said| said.config.hash);
    if has.is_none_or(|has| has == documents.hash) {
        return Ok(None);
    }
    let mut bare = main(documents.parts.clone());
    let Some(store) = bare.store.id.take() else { return Ok(None) };
    Ok(Some((ConfigHash::of(serde_json::to_string(&bare)?.as_bytes()), store)))
}

fn workload_children(
    owner: &Owner,
    spec: &SmsChannelSpec,
    settings: &Settings,
) -> Vec<crate::operator::resources::child::Child> {
    let volume = &spec.engine.storage.volume;
    let workload = Workload {
        owner,
        role: "engine",
        image: &settings.image,
        image_pull_policy: &settings.image_pull_policy,
        image_pull_secrets: &settings.image_pull_secrets(),
        resources: spec.engine.resources.as_ref(),
        scheduling: spec.engine.scheduling.as_ref(),
        volume: &Volume { size: volume.size.clone(), class_name: volume.class_name.clone() },
        volume_bond: match volume.on_delete {
            OnDelete::Retain => Bond::Retained,
            OnDelete::Delete => Bond::Controlled,
        },
        volume_content: storage::content(spec),
        parts: PartKind::Blocklist,
        secrets: Secrets::OfBots(&spec.engine.bot_secrets),
    };
    workload.children()
}

fn gateway(owner: &Owner, valid: &Valid<'_>) -> GatewayPeer {
    let child = valid.connector.child_name();
    let member = valid.connector.spec.provider.member();
    GatewayPeer {
        url: format!("http://{child}.{}.svc:{}", owner.namespace, ports::INTERNAL),
        user: names::service_account_user(&owner.namespace, &child),
        provider: member.map(|member| member.kind().to_owned()).unwrap_or_default(),
        account: member.map(|member| member.account().to_owned()).unwrap_or_default(),
    }
}

/// None: agents are not asked.
fn offer_timeout(spec: &SmsChannelSpec) -> Option<u32> {
    const USUAL_SECONDS: u32 = 30;
    match spec.offer.mode {
        OfferMode::Assign => None,
        OfferMode::Ask => Some(spec.offer.timeout_seconds.map_or(USUAL_SECONDS, unsigned)),
    }
}

fn blocklist_parts(observed: &Observed) -> Result<Vec<BlocklistPart>, Error> {
    let switches = &observed.channel.spec.blocklist;
    if !switches.inbound && !switches.outbound {
        return Ok(Vec::new());
    }
    let entries = blocklist::for_engine(&observed.blocklists);
    Ok(entries
        .chunks(ENTRIES_PER_PART)
        .map(|entries| BlocklistPart { format: FORMAT, entries: entries.to_vec() })
        .collect())
}

fn unsigned(value: i32) -> u32 {
    u32::try_from(value).unwrap_or(0)
}
