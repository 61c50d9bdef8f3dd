//! What the gateway tells the operator about itself.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tokio::sync::watch;

use super::{
    checking::{CheckResults, Checks, Listed},
    current::Current,
    deliver::Delivery,
    public_url::Hook,
    sending::Sending,
    settings::Settings,
    traffic::Traffic,
};
use crate::{
    sms::PhoneNumber,
    wire::{
        config::gateway::WebhookManagement,
        status::{GatewayStatus, NumberStatus, WebhookStatus},
    },
};

/// Makes the status. Clones share what it is made of.
#[derive(Clone, Debug)]
pub(super) struct Reporter {
    /// Settings in force.
    pub current: watch::Receiver<Current>,
    /// What the checks found.
    pub checks: Checks,
    pub delivery: Delivery,
    /// Knows the engines' clocks.
    pub sending: Sending,
    /// Knows for which numbers something went through.
    pub traffic: Traffic,
}

impl Reporter {
    /// The status, now.
    pub(super) fn report(&self) -> GatewayStatus {
        let spool = self.delivery.status();
        let Current { config, active } = self.current.borrow().clone();
        let CheckResults { credentials, provider, listed, numbers_error, .. } = self.checks.found();
        let numbers = match (&active, &listed) {
            (Some(active), Some(listed)) => numbers(&active.settings, listed),
            (_, _) => Vec::new(),
        };
        GatewayStatus {
            version: env!("CARGO_PKG_VERSION").into(),
            config,
            credentials,
            provider,
            numbers_listed_at: listed.map(|listed| listed.at),
            numbers_error,
            numbers,
            spool,
            clock_skew: self.sending.clock_skew(),
            traffic: active.map(|active| self.traffic.counts(|number| active.settings.route(number).is_some())),
            sampled_at: Timestamp::now(),
        }
    }
}

/// Numbers at the provider, and those that are wanted and were looked for, in order.
fn numbers(settings: &Settings, listed: &Listed) -> Vec<NumberStatus> {
    let expected = settings.public_url.hook(Hook::Inbound);
    let absent = |number: &PhoneNumber| NumberStatus {
        number: number.clone(),
        at_provider: false,
        sms_capable: false,
        webhook: WebhookStatus::Unchecked,
    };
    let wanted = settings.wanted();
    let looked_for = wanted.intersection(&listed.wanted);
    let mut numbers: BTreeMap<_, _> = looked_for.map(|number| (number.clone(), absent(number))).collect();
    for listed in &*listed.numbers {
        let webhook = match settings.webhook_management {
            WebhookManagement::Observe => listed.webhook.compare(&expected),
            WebhookManagement::Ignore => WebhookStatus::Unchecked,
        };
        let (number, sms_capable) = (listed.number.clone(), listed.sms_capable);
        numbers.insert(number.clone(), NumberStatus { number, at_provider: true, sms_capable, webhook });
    }
    numbers.into_values().collect()
}
