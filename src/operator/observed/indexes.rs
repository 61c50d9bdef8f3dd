//! By what the objects of each kind are looked for.

use k8s_openapi::{api::coordination::v1::Lease, apimachinery::pkg::apis::meta::v1::Condition};
use kube::{Resource, ResourceExt};

use crate::{
    api::{Blocklist, Bot, Campaign, ConditionType, SmsChannel, SmsConnector, condition_of, sms_channel::Automations},
    operator::{
        resources::claim::Holder,
        runtime::{cache::ObjectKey, index::Term},
    },
};

/// The statuses that `Ready` may have, for gauges.
pub(crate) const READY: [&str; 3] = ["True", "False", "Unknown"];

/// Terms of a connector.
pub(crate) fn connector(connector: &SmsConnector) -> Vec<Term> {
    vec![ready_term(connector.status.as_ref().map(|status| &status.conditions))]
}

/// Terms of a channel.
pub(crate) fn channel(channel: &SmsChannel) -> Vec<Term> {
    let mut terms = vec![
        Term::Campaign(beside(channel, &channel.spec.campaign_ref.name)),
        Term::Connector(beside(channel, &channel.spec.connector_ref.name)),
        Term::Number(channel.spec.number.clone()),
        ready_term(channel.status.as_ref().map(|status| &status.conditions)),
    ];
    let bots = channel.spec.automations.iter().flat_map(Automations::bots);
    terms.extend(bots.map(|(_, bot)| Term::Bot(beside(channel, &bot.name))));
    terms
}

/// Terms of a campaign.
pub(crate) fn campaign(campaign: &Campaign) -> Vec<Term> {
    vec![ready_term(campaign.status.as_ref().map(|status| &status.conditions))]
}

/// Terms of a bot.
pub(crate) fn bot(bot: &Bot) -> Vec<Term> {
    vec![ready_term(bot.status.as_ref().map(|status| &status.conditions))]
}

/// Terms of a blocklist.
pub(crate) fn blocklist(list: &Blocklist) -> Vec<Term> {
    let mut terms = vec![ready_term(list.status.as_ref().map(|status| &status.conditions))];
    terms.extend(list.spec.campaigns.iter().map(|campaign| Term::Campaign(beside(list, &campaign.name))));
    if list.spec.campaigns.is_empty() {
        terms.push(Term::EveryCampaign(list.namespace().unwrap_or_default()));
    }
    terms
}

/// Terms of a claim.
pub(crate) fn claim(lease: &Lease) -> Vec<Term> {
    Holder::of(lease).map(|holder| Term::Holder(holder.identity())).into_iter().collect()
}

/// The key of an object of this name in the same namespace.
fn beside<K: Resource>(object: &K, name: &str) -> ObjectKey {
    ObjectKey::new(object.meta().namespace.as_deref().unwrap_or_default(), name)
}

fn ready_term(conditions: Option<&Vec<Condition>>) -> Term {
    let found = conditions.and_then(|conditions| condition_of(conditions, ConditionType::Ready));
    let status = found.map_or("Unknown", |condition| condition.status.as_str());
    Term::Ready(READY.into_iter().find(|known| *known == status).unwrap_or("Unknown"))
}
