//! Watches: they fill the caches and say which objects must be looked at again.

use std::{fmt::Debug, sync::Arc};

use futures::StreamExt;
use k8s_openapi::api::{coordination::v1::Lease, core::v1::Pod};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::DynamicObject,
    core::{NamespaceResourceScope, object::HasSpec},
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
            cache::{Change, Scope, Store},
            leader,
            lenient::{self, FromParts, Lenient},
            metrics::QueueLabel,
            readable::{self, Readable},
        },
    },
};

/// Objects in a page of a list.
const PAGE: u32 = 25;

/// Name of the watch of claims.
const CLAIMS: &str = "claims";

/// Starts all watches: one of each kind, or one of each kind and namespace when only some namespaces are looked after.
pub(crate) fn start(context: &Arc<Context>, client: &Client, tasks: &mut JoinSet<()>) {
    for scope in context.settings.scopes() {
        own_kinds(context, client, tasks, &scope);
        for kind in ChildKind::ALL {
            let resource = kind.api_resource();
            let api = match &scope {
                Scope::Cluster => Api::<Lenient<DynamicObject>>::all_with(client.clone(), &resource),
                Scope::Namespace(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
            };
            let store = context.cluster.children.of(kind).clone();
            let watch = Watch { name: kind.row().plural, config: labelled(), store, changed: changes::child };
            spawn(context, tasks, &scope, api, watch);
        }
        let store = context.cluster.pods.clone();
        let watch = Watch { name: "pods", config: labelled(), store, changed: changes::pod };
        spawn(context, tasks, &scope, scope.api::<Lenient<Pod>>(client), watch);
    }
    // Claims lie in the operator's own namespace, whichever ones it looks after. By name and not by label: a claim whose label somebody
    // took off still is one.
    let own = Scope::Namespace(context.settings.namespace.clone());
    let config = watcher::Config::default().fields(&format!("metadata.name!={}", leader::LEASE_NAME));
    let watch = Watch { name: CLAIMS, config, store: context.cluster.claims.clone(), changed: changes::claim };
    spawn(context, tasks, &own, own.api::<Lenient<Lease>>(client), watch);
}

fn own_kinds(context: &Arc<Context>, client: &Client, tasks: &mut JoinSet<()>, scope: &Scope) {
    macro_rules! watch {
        ($kind:ty, $name:literal, $stores:ident, $changed:path) => {
            let store = context.cluster.$stores.clone();
            let watch = Watch { name: $name, config: paged(), store, changed: $changed };
            spawn_readable::<$kind>(context, tasks, scope, client, watch);
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

/// What is watched, and where it goes.
struct Watch<K> {
    /// Plural of the kind, for metrics and the log.
    name: &'static str,
    config: watcher::Config,
    store: Arc<Store<K>>,
    changed: fn(&Arc<Context>, &Change<K>),
}

fn spawn<K>(context: &Arc<Context>, tasks: &mut JoinSet<()>, scope: &Scope, api: Api<Lenient<K>>, watch: Watch<K>)
where
    K: FromParts + Clone + Debug + Send + Sync + 'static,
{
    let (context, scope) = (context.clone(), scope.clone());
    tasks.spawn(async move {
        let mut events = watcher(api, watch.config.clone()).default_backoff().boxed();
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => handle_event(&context, &scope, &watch, lenient::unwrapped(event)),
                Err(error) => watch_failed(&context, watch.name, &error),
            }
        }
    });
}

/// As [`spawn`], for our own kinds, whose objects may have been written by another version.
fn spawn_readable<K>(context: &Arc<Context>, tasks: &mut JoinSet<()>, scope: &Scope, client: &Client, watch: Watch<K>)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + HasSpec<Spec: Clone>
        + Clone
        + DeserializeOwned
        + Debug
        + Send
        + Sync
        + 'static,
{
    let api: Api<Readable<K>> = scope.api(client);
    let (context, scope) = (context.clone(), scope.clone());
    tasks.spawn(async move {
        let mut events = watcher(api, watch.config.clone()).default_backoff().boxed();
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    if let Some(event) = readable::in_known_form(&watch.store, event) {
                        handle_event(&context, &scope, &watch, event);
                    }
                    let count = i64::try_from(watch.store.count_unreadable()).unwrap_or(i64::MAX);
                    context.metrics.unreadable.get_or_create(&QueueLabel { name: watch.name }).set(count);
                }
                Err(error) => watch_failed(&context, watch.name, &error),
            }
        }
    });
}

fn watch_failed(context: &Context, name: &'static str, error: &watcher::Error) {
    context.metrics.watch_errors.get_or_create(&QueueLabel { name }).inc();
    debug!(kind = name, %error, "the watch failed; it starts again");
}

fn handle_event<K: Resource + Clone>(context: &Arc<Context>, scope: &Scope, watch: &Watch<K>, event: Event<K>) {
    let event = event.modify(|object| object.meta_mut().managed_fields = None);
    if let Event::Apply(object) | Event::Delete(object) | Event::InitApply(object) = &event
        && watch.name == CLAIMS
        && !claim::is_claim(&object.name_any())
    {
        return;
    }
    for change in watch.store.apply_event(scope, event) {
        if !change.echo {
            (watch.changed)(context, &change);
        }
    }
    let count = i64::try_from(watch.store.len()).unwrap_or(i64::MAX);
    context.metrics.cached.get_or_create(&QueueLabel { name: watch.name }).set(count);
}

/// Returns when every cache holds its first list.
pub(crate) async fn synced(context: &Context) {
    let (cluster, watches) = (&context.cluster, context.settings.scopes().len());
    cluster.connectors.synced(watches).await;
    cluster.channels.synced(watches).await;
    cluster.campaigns.synced(watches).await;
    cluster.bots.synced(watches).await;
    cluster.blocklists.synced(watches).await;
    for kind in ChildKind::ALL {
        cluster.children.of(kind).synced(watches).await;
    }
    cluster.pods.synced(watches).await;
    cluster.claims.synced(1).await;
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use prometheus_client::registry::Registry;
    use serde_json::json;

    use super::*;
    use crate::operator::runtime::{api_fake::ApiFake, cache::ObjectKey, settings::Settings};

    fn context() -> Arc<Context> {
        let settings = Settings::for_test(&[]);
        Arc::new(Context::new(settings, ApiFake::default().client(), &mut Registry::default()).unwrap())
    }

    fn lease(name: &str, version: u32) -> Lease {
        let metadata = json!({
            "name": name, "namespace": "aldis-system", "uid": name, "resourceVersion": version.to_string(),
            "managedFields": [{"manager": "somebody", "operation": "Apply"}],
        });
        serde_json::from_value(json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata}))
            .unwrap()
    }

    /// A name that a claim may have.
    fn claim() -> String {
        let name = format!("number-{}", "a".repeat(40));
        assert!(claim::is_claim(&name));
        name
    }

    #[tokio::test]
    async fn of_the_leases_of_a_namespace_only_claims_are_kept_and_nobodys_managed_fields() {
        let context = context();
        let watch = Watch {
            name: CLAIMS,
            config: watcher::Config::default(),
            store: context.cluster.claims.clone(),
            changed: |_, _| {},
        };
        let others = lease("somebody-elses-lease", 1);
        let events = [
            Event::Init,
            Event::InitApply(lease(&claim(), 1)),
            Event::InitApply(others.clone()),
            Event::InitDone,
            Event::Apply(others.clone()),
            Event::Delete(others),
        ];
        for event in events {
            handle_event(&context, &Scope::Cluster, &watch, event);
            assert!(watch.store.len() <= 1);
        }
        let key = ObjectKey::new("aldis-system", claim());
        assert_eq!(watch.store.get(&key).unwrap().metadata.managed_fields, None);
        let counted = context.metrics.cached.get_or_create(&QueueLabel { name: CLAIMS }).get();
        assert_eq!(counted, 1);
    }

    #[tokio::test]
    async fn the_echo_of_an_own_write_wakes_nobody() {
        static WOKEN: AtomicUsize = AtomicUsize::new(0);
        let context = context();
        let watch = Watch {
            name: CLAIMS,
            config: watcher::Config::default(),
            store: context.cluster.claims.clone(),
            changed: |_, _| {
                WOKEN.fetch_add(1, Ordering::Relaxed);
            },
        };
        let seen = |event| {
            handle_event(&context, &Scope::Cluster, &watch, event);
            WOKEN.swap(0, Ordering::Relaxed)
        };
        let name = claim();
        assert_eq!(seen(Event::Apply(lease(&name, 1))), 1);
        watch.store.wrote(lease(&name, 2));
        assert_eq!(seen(Event::Apply(lease(&name, 2))), 0);
        assert_eq!(seen(Event::Apply(lease(&name, 3))), 1, "somebody else's");
        assert_eq!(seen(Event::Delete(lease(&name, 4))), 1);
    }

    #[test]
    fn lists_come_in_pages_and_of_others_kinds_only_what_is_ours() {
        for config in [paged(), labelled()] {
            assert_eq!(config.page_size, Some(PAGE));
        }
        assert_eq!(paged().label_selector, None, "people's own objects bear no label of ours");
        assert_eq!(labelled().label_selector.as_deref(), Some("app.kubernetes.io/managed-by=aldis"));
    }
}
