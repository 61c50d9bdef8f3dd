//! Watches: they fill the caches and say which objects must be looked at again.

use std::{fmt::Debug, sync::Arc};

use futures::StreamExt;
use k8s_openapi::api::{coordination::v1::Lease, core::v1::Pod};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::DynamicObject,
    core::object::HasSpec,
    runtime::{WatchStreamExt, watcher, watcher::Event},
};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;
use tracing::debug;

use crate::{
    api::{Blocklist, Bot, Campaign, SmsChannel, SmsConnector, names},
    operator::{
        observed::{changes, context::Context},
        resources::{claim, kinds::ChildKind},
        runtime::{
            cache::{Change, Store},
            leader,
            metrics::QueueLabel,
            readable::{self, Readable},
        },
    },
};

/// Objects in a page of a list.
const PAGE: u32 = 50;

/// Starts all watches.
pub fn start(context: &Arc<Context>, client: &Client, tasks: &mut JoinSet<()>) {
    own_kinds(context, client, tasks);
    for kind in ChildKind::ALL {
        let api = Api::<DynamicObject>::all_with(client.clone(), &kind.api_resource());
        let store = context.cluster.children.of(kind).clone();
        spawn(context, tasks, kind.row().plural, api, labelled(), store, changes::child);
    }
    let pods = Api::<Pod>::all(client.clone());
    spawn(context, tasks, "pods", pods, labelled(), context.cluster.pods.clone(), changes::pod);
    let claims = Api::<Lease>::namespaced(client.clone(), &context.settings.namespace);
    // By name and not by label: a claim whose label somebody took off still is one.
    let selector = watcher::Config::default().fields(&format!("metadata.name!={}", leader::LEASE_NAME));
    spawn(context, tasks, "claims", claims, selector, context.cluster.claims.clone(), changes::claim);
}

fn own_kinds(context: &Arc<Context>, client: &Client, tasks: &mut JoinSet<()>) {
    macro_rules! watch {
        ($kind:ty, $name:literal, $stores:ident, $changed:path) => {
            let store = context.cluster.$stores.clone();
            spawn_readable::<$kind>(context, tasks, $name, client, paged(), store, $changed);
        };
    }
    watch!(SmsConnector, "smsconnectors", connectors, changes::connector);
    watch!(SmsChannel, "smschannels", channels, changes::channel);
    watch!(Campaign, "campaigns", campaigns, changes::campaign);
    watch!(Bot, "bots", bots, changes::bot);
    watch!(Blocklist, "blocklists", blocklists, changes::blocklist);
}

/// Lists come in small pages, since an object may have a megabyte and little of it is kept.
fn paged() -> watcher::Config {
    watcher::Config::default().page_size(PAGE)
}

fn labelled() -> watcher::Config {
    paged().labels(&format!("{}={}", names::LABEL_MANAGED_BY, names::MANAGED_BY))
}

fn spawn<K>(
    context: &Arc<Context>,
    tasks: &mut JoinSet<()>,
    name: &'static str,
    api: Api<K>,
    config: watcher::Config,
    store: Arc<Store<K>>,
    changed: fn(&Arc<Context>, &Change<K>),
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let context = context.clone();
    tasks.spawn(async move {
        let mut events = watcher(api, config).default_backoff().boxed();
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => take(&context, name, &store, event, changed),
                Err(error) => watch_failed(&context, name, &error),
            }
        }
    });
}

/// As [`spawn`], for our own kinds, whose objects may have been written by another version.
fn spawn_readable<K>(
    context: &Arc<Context>,
    tasks: &mut JoinSet<()>,
    name: &'static str,
    client: &Client,
    config: watcher::Config,
    store: Arc<Store<K>>,
    changed: fn(&Arc<Context>, &Change<K>),
) where
    K: Resource<DynamicType = ()> + HasSpec<Spec: Clone> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let api: Api<Readable<K>> = Api::all(client.clone());
    let context = context.clone();
    tasks.spawn(async move {
        let mut events = watcher(api, config).default_backoff().boxed();
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    if let Some(event) = readable::in_known_form(&store, event) {
                        take(&context, name, &store, event, changed);
                    }
                    let count = i64::try_from(store.count_unreadable()).unwrap_or(i64::MAX);
                    context.metrics.unreadable.get_or_create(&QueueLabel { name }).set(count);
                }
                Err(error) => watch_failed(&context, name, &error),
            }
        }
    });
}

fn watch_failed(context: &Context, name: &'static str, error: &watcher::Error) {
    context.metrics.watch_errors.get_or_create(&QueueLabel { name }).inc();
    debug!(kind = name, %error, "the watch failed; it starts again");
}

fn take<K: Resource + Clone>(
    context: &Arc<Context>,
    name: &'static str,
    store: &Store<K>,
    event: Event<K>,
    changed: fn(&Arc<Context>, &Change<K>),
) {
    let event = event.modify(|object| object.meta_mut().managed_fields = None);
    let watched = match &event {
        Event::Apply(object) | Event::Delete(object) | Event::InitApply(object) => {
            let namespace = object.meta().namespace.as_deref().unwrap_or_default();
            // Claims lie in the operator's own namespace, whichever ones it looks after.
            if name == "claims" { claim::is_claim(&object.name_any()) } else { context.settings.watches(namespace) }
        }
        Event::Init | Event::InitDone => true,
    };
    if !watched {
        return;
    }
    for change in store.take(event) {
        if !change.echo {
            changed(context, &change);
        }
    }
    let count = i64::try_from(store.len()).unwrap_or(i64::MAX);
    context.metrics.cached.get_or_create(&QueueLabel { name }).set(count);
}

/// Returns when every cache holds its first list.
pub async fn synced(context: &Context) {
    let cluster = &context.cluster;
    cluster.connectors.synced().await;
    cluster.channels.synced().await;
    cluster.campaigns.synced().await;
    cluster.bots.synced().await;
    cluster.blocklists.synced().await;
    for kind in ChildKind::ALL {
        cluster.children.of(kind).synced().await;
    }
    cluster.pods.synced().await;
    cluster.claims.synced().await;
}
