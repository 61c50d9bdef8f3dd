//! From a channel and what it refers to into types that cannot be wrong.

use crate::{
    api::{
        Reason, SmsConnector,
        sms_channel::{Automations, BotSlot, Strategy},
    },
    operator::{
        controllers::{
            campaign,
            channel::{
                bots::{self, NamedBot},
                observe::Observed,
                opt_out, texts,
            },
        },
        runtime::{desired_condition::DesiredCondition, error::Error},
    },
    sms::PhoneNumber,
    wire::config::engine,
};

/// What a channel refers to, all of it there.
pub(crate) struct References<'a> {
    /// The connector.
    pub connector: &'a SmsConnector,
    /// The campaign, in the engine's terms.
    pub campaign: engine::Campaign,
    /// The bots that are named.
    pub bots: Vec<(BotSlot, &'a NamedBot)>,
}

/// Resolves the references.
///
/// # Errors
/// The desired that `ReferencesResolved` shows: what is missing or not usable, all of it, the first with its reason.
pub(crate) fn references(observed: &Observed) -> Result<References<'_>, DesiredCondition> {
    let spec = &observed.channel.spec;
    let mut faults = Vec::new();
    if observed.connector.is_none() {
        let message = format!("connector {} does not exist in this namespace", spec.connector_ref.name);
        faults.push((Reason::ConnectorNotFound, message));
    }
    let campaign = match &observed.campaign {
        None => {
            let message = format!("campaign {} does not exist in this namespace", spec.campaign_ref.name);
            faults.push((Reason::CampaignNotFound, message));
            None
        }
        Some(object) => match campaign::for_engine(object) {
            Ok(campaign) => Some(campaign),
            Err(fault) => {
                let message = format!("campaign {} is not valid: {fault}", spec.campaign_ref.name);
                faults.push((Reason::CampaignInvalid, message));
                None
            }
        },
    };
    let mut bots = Vec::new();
    for (slot, named) in spec.automations.iter().flat_map(Automations::bots) {
        match observed.bots.get(&named.name) {
            Some(bot) => bots.push((slot, bot)),
            None => {
                let (field, name) = (slot.field(), &named.name);
                let message = format!("spec.automations.{field}: bot {name} does not exist in this namespace");
                faults.push((Reason::BotNotFound, message));
            }
        }
    }
    match (&observed.connector, campaign, faults.first()) {
        (Some(connector), Some(campaign), None) => Ok(References { connector, campaign, bots }),
        (_, _, Some((reason, _))) => {
            let messages: Vec<_> = faults.iter().map(|(_, message)| message.as_str()).collect();
            Err(DesiredCondition::no(*reason, messages.join("; ")))
        }
        (None, _, None) | (_, None, None) => Err(DesiredCondition::unknown(Reason::NotCheckedYet, "not looked at yet")),
    }
}

/// What `ReferencesResolved` shows.
pub(super) fn desired(references: &Result<References<'_>, DesiredCondition>) -> DesiredCondition {
    match references {
        Ok(_) => DesiredCondition::yes(Reason::Resolved, "connector, campaign and bots are there"),
        Err(desired) => desired.clone(),
    }
}

/// A channel without faults.
pub(crate) struct Valid<'a> {
    pub number: PhoneNumber,
    pub connector: &'a SmsConnector,
    pub campaign: engine::Campaign,
    /// How waiting interactions find an agent.
    pub strategy: engine::Strategy,
    /// Opt-out words and texts.
    pub opt_out: engine::OptOut,
    /// What talks to customers by itself.
    pub bots: engine::Bots,
}

/// Checks what is left.
///
/// # Errors
/// [`Error::Stalled`] naming the field.
pub(crate) fn validate<'a>(observed: &Observed, references: &References<'a>) -> Result<Valid<'a>, Error> {
    let spec = &observed.channel.spec;
    texts::check(spec)?;
    let strategy = match spec.strategy {
        Strategy::LeastRecent => engine::Strategy::LeastRecent,
        Strategy::FewestInteractions => engine::Strategy::FewestInteractions,
        Strategy::Random => engine::Strategy::Random,
        Strategy::Linear => engine::Strategy::Linear,
        Strategy::RoundRobin => engine::Strategy::RoundRobin,
        Strategy::WeightedRandom => engine::Strategy::WeightedRandom,
        Strategy::RingAll => engine::Strategy::RingAll,
    };
    let number = spec.number.parse();
    let opt_out = opt_out::for_engine(&spec.opt_out)?;
    bots::check_listed(&spec.engine.bot_secrets, &observed.credentials)?;
    Ok(Valid {
        bots: bots::for_engine(&references.bots, &opt_out, &spec.engine.bot_secrets)?,
        number: number.map_err(|error| Error::stalled(Reason::InvalidSpec, format!("spec.number: {error}")))?,
        connector: references.connector,
        campaign: references.campaign.clone(),
        strategy,
        opt_out,
    })
}
