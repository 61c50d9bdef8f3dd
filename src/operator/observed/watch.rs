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
        observed::context::Context,
        resources::{claim, kinds::ChildKind},
        runtime::{
            cache::{Change, ObjectKey, Store},
            leader,
            metrics::QueueLabel,
            readable::{self, Readable},
        },
    },
};

/// Starts all watches.
pub fn start(context: &Arc<Context>, client: &Client, tasks: &mut JoinSet<()>) {
    own_kinds(context, client, tasks);
    for kind in ChildKind::ALL {
        let api = Api::<DynamicObject>::all_with(client.clone(), &kind.api_resource());
        let store = context.cluster.children.of(kind).clone();
        spawn(context, tasks, kind.row().plural, api, labelled(), store, child_changed);
    }
    let pods = Api::<Pod>::all(client.clone());
    spawn(context, tasks, "pods", pods, labelled(), context.cluster.pods.clone(), pod_changed);
    let claims = Api::<Lease>::namespaced(client.clone(), &context.settings.namespace);
    // By name and not by label: a claim whose label somebody took off still is one.
    let selector = watcher::Config::default().fields(&format!("metadata.name!={}", leader::LEASE_NAME));
    spawn(context, tasks, "claims", claims, selector, context.cluster.claims.clone(), claim_changed);
}

fn own_kinds(context: &Arc<Context>, client: &Client, tasks: &mut JoinSet<()>) {
    let all = watcher::Config::default;
    let stores = &context.cluster;
    spawn_readable::<SmsConnector>(
        context,
        tasks,
        "smsconnectors",
        client,
        all(),
        stores.connectors.clone(),
        |context, change| {
            let key = key_of(&change);
            forget_gone(context, &change);
            if is_news(&change) {
                context.queues.connectors.add(key.clone());
            }
            for channel in context.channels_of_connector(&key) {
                context.queues.channels.add(ObjectKey::of(&*channel));
            }
        },
    );
    spawn_readable::<SmsChannel>(
        context,
        tasks,
        "smschannels",
        client,
        all(),
        stores.channels.clone(),
        |context, change| {
            let key = key_of(&change);
            forget_gone(context, &change);
            if is_news(&change) {
                context.queues.channels.add(key.clone());
            }
            if let Some(channel) = change.new.as_ref().or(change.old.as_ref()) {
                let reference = |name: &str| ObjectKey::new(&key.namespace, name);
                context.queues.connectors.add(reference(&channel.spec.connector_ref.name));
                context.queues.campaigns.add(reference(&channel.spec.campaign_ref.name));
            }
            // The lists count the channels that they bind.
            if is_news(&change) {
                for list in context.cluster.blocklists.in_namespace(&key.namespace) {
                    context.queues.blocklists.add(ObjectKey::of(&*list));
                }
            }
        },
    );
    spawn_readable::<Campaign>(
        context,
        tasks,
        "campaigns",
        client,
        all(),
        stores.campaigns.clone(),
        |context, change| {
            let key = key_of(&change);
            if is_news(&change) {
                context.queues.campaigns.add(key.clone());
                for channel in context.channels_of_campaign(&key) {
                    context.queues.channels.add(ObjectKey::of(&*channel));
                }
                for list in context.cluster.blocklists.in_namespace(&key.namespace) {
                    context.queues.blocklists.add(ObjectKey::of(&*list));
                }
            }
        },
    );
    spawn_readable::<Bot>(context, tasks, "bots", client, all(), stores.bots.clone(), |context, change| {
        let key = key_of(&change);
        if is_news(&change) {
            context.queues.bots.add(key.clone());
            enqueue_namespace(context, &key.namespace);
        }
    });
    spawn_readable::<Blocklist>(
        context,
        tasks,
        "blocklists",
        client,
        all(),
        stores.blocklists.clone(),
        |context, change| {
            let key = key_of(&change);
            if is_news(&change) {
                context.queues.blocklists.add(key.clone());
                enqueue_namespace(context, &key.namespace);
            }
        },
    );
}

/// What a pod said goes with the object that it ran for.
fn forget_gone<K: Resource>(context: &Context, change: &Change<K>) {
    let uid = |object: &Option<Arc<K>>| object.as_ref().and_then(|object| object.meta().uid.clone());
    let (old, new) = (uid(&change.old), uid(&change.new));
    if let Some(gone) = old.filter(|old| new.as_ref() != Some(old)) {
        context.samples.forget(&gone);
        context.debounce.forget(&gone);
    }
}

fn enqueue_namespace(context: &Context, namespace: &str) {
    for channel in context.cluster.channels.in_namespace(namespace) {
        context.queues.channels.add(ObjectKey::of(&*channel));
    }
}

fn labelled() -> watcher::Config {
    watcher::Config::default().labels(&format!("{}={}", names::LABEL_MANAGED_BY, names::MANAGED_BY))
}

fn key_of<K: Resource>(change: &Change<K>) -> ObjectKey {
    change
        .new
        .as_ref()
        .or(change.old.as_ref())
        .map_or_else(|| ObjectKey::new("", ""), |object| ObjectKey::of(&**object))
}

/// Whether more than the status has changed.
fn is_news<K: Resource>(change: &Change<K>) -> bool {
    match (&change.old, &change.new) {
        (Some(old), Some(new)) => {
            let (old, new) = (old.meta(), new.meta());
            old.uid != new.uid
                || old.generation != new.generation
                || old.deletion_timestamp != new.deletion_timestamp
                || old.annotations != new.annotations
                || old.finalizers != new.finalizers
        }
        (None, _) | (_, None) => true,
    }
}

fn enqueue_owner(context: &Context, object: &impl Resource) {
    let meta = object.meta();
    let namespace = meta.namespace.clone().unwrap_or_default();
    let labels = meta.labels.as_ref();
    let named = |label: &str| labels.and_then(|labels| labels.get(label)).cloned();
    if let Some(name) = named(names::LABEL_CONNECTOR) {
        context.queues.connectors.add(ObjectKey::new(&namespace, name));
    }
    if let Some(name) = named(names::LABEL_CHANNEL) {
        context.queues.channels.add(ObjectKey::new(&namespace, name));
    }
    for owner in meta.owner_references.iter().flatten().filter(|owner| owner.controller == Some(true)) {
        match owner.kind.as_str() {
            "SmsConnector" => context.queues.connectors.add(ObjectKey::new(&namespace, &owner.name)),
            "SmsChannel" => context.queues.channels.add(ObjectKey::new(&namespace, &owner.name)),
            _ => {}
        }
    }
}

fn child_changed(context: &Arc<Context>, change: Change<DynamicObject>) {
    if change.echo {
        return;
    }
    for object in change.old.iter().chain(&change.new) {
        enqueue_owner(context, &**object);
    }
}

fn pod_changed(context: &Arc<Context>, change: Change<Pod>) {
    if let (Some(pod), None) = (&change.old, &change.new) {
        forget_pod(context, pod);
    }
    for object in change.old.iter().chain(&change.new) {
        enqueue_owner(context, &**object);
    }
}

/// What a pod said says nothing about its successor.
fn forget_pod(context: &Context, pod: &Pod) {
    context.volume_refreshes.forget(&pod.uid().unwrap_or_default());
    let key = |label: &str| Some(ObjectKey::new(pod.namespace()?, pod.labels().get(label)?));
    let connector = key(names::LABEL_CONNECTOR).and_then(|key| context.cluster.connectors.get(&key)?.uid());
    let channel = key(names::LABEL_CHANNEL).and_then(|key| context.cluster.channels.get(&key)?.uid());
    for uid in connector.iter().chain(&channel) {
        context.samples.forget(uid);
    }
}

fn claim_changed(context: &Arc<Context>, change: Change<Lease>) {
    for lease in change.old.iter().chain(&change.new) {
        if let Some(holder) = claim::Holder::of(lease) {
            let key = ObjectKey::new(&holder.namespace, &holder.name);
            if let Some(channel) = context.cluster.channels.get(&key) {
                context.queues.connectors.add(ObjectKey::new(&key.namespace, &channel.spec.connector_ref.name));
            }
            context.queues.channels.add(key);
        }
        for key in context.contenders.of(&lease.name_any()) {
            context.queues.channels.add(key);
        }
    }
}

fn spawn<K>(
    context: &Arc<Context>,
    tasks: &mut JoinSet<()>,
    name: &'static str,
    api: Api<K>,
    config: watcher::Config,
    store: Arc<Store<K>>,
    changed: fn(&Arc<Context>, Change<K>),
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
    changed: fn(&Arc<Context>, Change<K>),
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
    changed: fn(&Arc<Context>, Change<K>),
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
        changed(context, change);
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
