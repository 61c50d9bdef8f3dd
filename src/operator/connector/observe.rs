//! What the operator knows of a connector, from its caches.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use crate::{
    api::{Reason, SmsChannel, SmsConnector, names},
    operator::{
        cache::ObjectKey,
        child::Owner,
        claim::{self, Claim, Holder},
        context::Context,
        error::Error,
        pod,
        samples::Seen,
    },
    sms::PhoneNumber,
    wire::{
        config::{gateway::Route, issuers::Issuer},
        ports,
        status::GatewayStatus,
    },
};

/// A number that a channel holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The number.
    pub number: PhoneNumber,
    /// Name of the channel.
    pub channel: String,
}

/// What is known of a connector.
pub struct Observed {
    /// The object.
    pub connector: Arc<SmsConnector>,
    /// Numbers that channels hold, in order.
    pub held: Vec<Held>,
    /// Who signs the tokens that roles show.
    pub role_issuers: Vec<Issuer>,
    /// The gateway's pod.
    pub pod: Option<Arc<Pod>>,
    /// What the gateway said.
    pub seen: Seen<GatewayStatus>,
}

impl Observed {
    /// Reads the caches.
    ///
    /// # Errors
    /// [`Error::Waiting`] while the cluster's token keys are not known.
    pub fn of(context: &Context, connector: Arc<SmsConnector>) -> Result<Self, Error> {
        if !context.issuers.are_known() {
            let wait = std::time::Duration::from_secs(1);
            return Err(Error::waiting(Reason::Progressing, "the cluster's token keys are being fetched", wait));
        }
        let namespace = connector.namespace().unwrap_or_default();
        let owner = Owner::connector(&connector);
        Ok(Self {
            held: held(context, &connector),
            role_issuers: context.issuers.of_roles(&namespace),
            pod: pod::of(context, &owner),
            seen: context.samples.gateway(&owner.uid),
            connector,
        })
    }

    /// The channel that holds a number.
    pub fn channel_of(&self, number: &PhoneNumber) -> Option<&str> {
        let index = self.held.binary_search_by(|held| held.number.cmp(number)).ok()?;
        Some(&self.held[index].channel)
    }

    /// The routes of the gateway.
    pub fn routes(&self) -> Vec<Route> {
        let namespace = self.connector.namespace().unwrap_or_default();
        let route = |held: &Held| {
            let child = names::channel_child(&held.channel);
            Route {
                number: held.number.clone(),
                engine_url: format!("http://{child}.{namespace}.svc:{}", ports::ROLES),
                engine_user: names::service_account_user(&namespace, &child),
            }
        };
        self.held.iter().map(route).collect()
    }
}

/// A channel that is being deleted keeps its route until its claim is released: its outbox is still sent.
fn held(context: &Context, connector: &SmsConnector) -> Vec<Held> {
    let Some(provider) = connector.spec.provider.member() else { return Vec::new() };
    let key = ObjectKey::of(connector);
    let holds = |channel: &SmsChannel| {
        let claim = Claim::new(provider, &key.namespace, &channel.spec.number);
        claim::is_held(context, &claim, &Holder::channel(channel))
    };
    let channels = context.channels_of_connector(&key);
    let mut held: Vec<Held> = channels
        .iter()
        .filter(|channel| holds(channel))
        .filter_map(|channel| Some(Held { number: channel.spec.number.parse().ok()?, channel: channel.name_any() }))
        .collect();
    held.sort_by(|one, other| one.number.cmp(&other.number));
    held
}
