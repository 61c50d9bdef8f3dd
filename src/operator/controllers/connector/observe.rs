//! What the operator knows of a connector, from its caches.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use crate::{
    api::{Reason, SmsChannel, SmsConnector, names},
    operator::{
        controllers::{claim, summary::is_deleted},
        observed::{
            context::Context,
            pod,
            route_writes::{Held, Routed},
            samples::{GatewaySample, Sampled},
        },
        resources::{
            child::Owner,
            claim::{Claim, Holder},
            volume,
        },
        runtime::{cache::ObjectKey, desired_condition::DesiredCondition, error::Error},
    },
    sms::PhoneNumber,
    wire::{
        config::{gateway::Route, issuers::Issuer},
        ports,
    },
};

/// Numbers that are asked for at a time: the document has room for them, whoever makes channels.
const MOST_ASKED: usize = 1_000;

/// What is known of a connector.
pub(crate) struct Observed {
    /// The object.
    pub connector: Arc<SmsConnector>,
    /// Routes that the gateway is to have now.
    pub routed: Routed,
    /// When to look again, for routes that wait or that the gateway may not have loaded yet.
    pub routes_again_in: Option<Duration>,
    /// Numbers of these routes, in order.
    pub coming_numbers: Vec<PhoneNumber>,
    /// Who signs the tokens that roles show.
    pub role_issuers: Vec<Issuer>,
    /// Size of the spool's volume.
    pub volume_size: Option<String>,
    /// The gateway's pod.
    pub pod: Option<Arc<Pod>>,
    /// That another pod has the place of the gateway's.
    pub place_taken: Option<DesiredCondition>,
    /// What the gateway said.
    pub seen: Sampled<GatewaySample>,
}

impl Observed {
    /// Reads the caches.
    ///
    /// # Errors
    /// [`Error::Waiting`] while the cluster's token keys are not known.
    pub(crate) fn of(context: &Context, connector: Arc<SmsConnector>) -> Result<Self, Error> {
        if !context.issuers.are_known() {
            let wait = Duration::from_secs(1);
            return Err(Error::waiting(Reason::Progressing, "the cluster's token keys are being fetched", wait));
        }
        let namespace = connector.namespace().unwrap_or_default();
        let owner = Owner::connector(&connector);
        let routed = held_and_asked(context, &connector);
        let due = context.route_writes.due(&owner.uid, connector.metadata.generation, routed);
        let place = pod::place(context, &owner);
        Ok(Self {
            routed: due.routed,
            routes_again_in: due.again_in,
            coming_numbers: due.coming,
            role_issuers: context.issuers.of_roles(&namespace),
            volume_size: volume::size(&context.cluster.children, &owner),
            pod: place.pod,
            place_taken: place.taken,
            seen: context.samples.gateway(&owner.uid),
            connector,
        })
    }

    /// The channel that holds a number.
    pub(crate) fn channel_of(&self, number: &PhoneNumber) -> Option<&str> {
        let held = &self.routed.held;
        let index = held.binary_search_by(|held| held.number.cmp(number)).ok()?;
        Some(&held[index].channel)
    }

    /// Whether the route of a number is on its way. The number is as the provider wrote it, and may be none.
    pub(crate) fn is_coming(&self, number: &str) -> bool {
        number.parse().is_ok_and(|number| self.coming_numbers.binary_search(&number).is_ok())
    }

    /// The routes of the gateway.
    pub(crate) fn routes(&self) -> Vec<Route> {
        let namespace = self.connector.namespace().unwrap_or_default();
        let route = |held: &Held| {
            let child = names::channel_child(&held.channel);
            Route {
                number: held.number.clone(),
                channel: held.channel.clone(),
                engine_url: format!("http://{child}.{namespace}.svc:{}", ports::INTERNAL),
                engine_user: names::service_account_user(&namespace, &child),
            }
        };
        self.routed.held.iter().map(route).collect()
    }
}

/// A channel that is being deleted keeps its route until its claim is released: its outbox is still sent.
fn held_and_asked(context: &Context, connector: &SmsConnector) -> Routed {
    let Some(provider) = connector.spec.provider.member() else { return Routed::default() };
    let key = ObjectKey::of(connector);
    let holds = |channel: &SmsChannel| {
        let claim = Claim::new(provider, &context.allowed_base_urls, key.namespace(), &channel.spec.number);
        claim::is_held(context, &claim, &Holder::channel(channel))
    };
    let cluster = &context.cluster;
    let (mut held, mut asked) = (Vec::new(), BTreeSet::new());
    for channel in cluster.channels.each(cluster.channels_of_connector(&key)) {
        let Ok(number) = channel.spec.number.parse() else { continue };
        if holds(&channel) {
            held.push(Held { number, channel: channel.name_any() });
        } else if !is_deleted(&*channel) && connector.spec.numbers.is_empty() {
            // Numbers that are listed are looked for anyway, and others are not to be had.
            asked.insert(number);
        }
    }
    held.sort_by(|one, other| one.number.cmp(&other.number));
    Routed { held, asked: asked.into_iter().take(MOST_ASKED).collect() }
}
