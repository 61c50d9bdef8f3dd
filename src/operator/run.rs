//! The operator as a process: start, lead, and end without leaving anything half done.

use std::{path::Path, sync::Arc, time::Duration};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client, CustomResourceExt,
    config::{KubeConfigOptions, Kubeconfig},
};
use prometheus_client::registry::Registry;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    admin::Health,
    api::{Blocklist, Bot, Campaign, SmsChannel, SmsConnector},
    operator::{
        controllers::{blocklist, bot, campaign, channel, claim, connector, worker},
        observed::{
            context::{Context, InvalidSettings},
            discovery, issuers, rollouts, scrape, watch,
        },
        runtime::{
            leader::Election,
            metrics::{QueueDepths, RolloutCounts},
            settings::Settings,
        },
    },
    process::http_client::{self, ClientError},
};

/// Files that are open beside the connections of the port: to pods that are asked for their status, and to the API server.
const OWN_FILES: usize = 512;
/// Between two sweeps of claims whose holder is gone, and of roll-outs that do not go on.
const SWEEP: Duration = Duration::from_secs(60);
/// Running reconciles are given so long to end.
const LAST_WORK: Duration = Duration::from_secs(15);

/// The operator could not start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No API server is configured, or its configuration is wrong.
    #[error("cannot use the API server: {0}")]
    Client(#[from] kube::Error),
    /// The kubeconfig cannot be used.
    #[error("--kubeconfig: {0}")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
    /// The kubeconfig or the pod's account cannot be read.
    #[error("cannot find the API server: {0}")]
    Config(#[from] kube::config::InferConfigError),
    /// A list among the settings is wrong.
    #[error("{0}")]
    Settings(#[from] InvalidSettings),
    /// The list of agent issuers is wrong.
    #[error("--agent-issuers: {0}")]
    Issuers(#[from] issuers::InvalidIssuers),
    /// The HTTP client cannot be made.
    #[error(transparent)]
    Http(#[from] ClientError),
    /// The admin port or a signal handler failed.
    #[error("{0}")]
    Admin(#[from] std::io::Error),
    /// A task that runs as long as the operator ended before it.
    #[error("a task of the operator ended: {0}")]
    Task(String),
    /// Another replica leads now; this one starts again as a follower.
    #[error("leadership was lost")]
    LostLeadership,
}

/// Runs the operator until SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot start, or when it must start again because leadership was lost.
pub async fn run(settings: Settings) -> Result<(), RunError> {
    crate::process::files::raise(&[crate::admin::LIMITS], OWN_FILES);
    let stop = crate::process::shutdown::on_signal()?;
    let client = client(settings.kubeconfig.as_deref()).await?;
    let agents = settings.agent_issuers.as_deref().map(issuers::read).transpose()?.unwrap_or_default();
    let health = Health::default();
    let mut registry = Registry::default();
    let context = Arc::new(Context::new(settings, client.clone(), &mut registry)?);
    let counted = context.clone();
    registry.register_collector(Box::new(QueueDepths(move || counted.queue_depths())));
    let counted = context.clone();
    registry.register_collector(Box::new(RolloutCounts(move || {
        let counts = counted.rollouts.counts();
        (counts.under_way, counts.waiting)
    })));
    let issuers_http = issuers_client(context.settings.ca_file.as_deref())?;
    let pods_http = pods_client()?;

    let mut background = JoinSet::new();
    let ending = CancellationToken::new();
    health.not_ready.set("caches", "the first lists are not complete");
    let listener = tokio::net::TcpListener::bind(context.settings.admin_address).await?;
    info!(address = %listener.local_addr()?, "admin port");
    background.spawn(crate::admin::serve(listener, health.clone(), registry, ending.clone()));

    let election = Election::new(
        client.clone(),
        &context.settings.namespace,
        context.settings.identity.clone(),
        Duration::from_secs(context.settings.lease_duration_seconds),
        context.leadership.clone(),
    );
    let started = tokio::select! {
        () = stop.cancelled() => None,
        started = start(&context, &client, agents, issuers_http, &mut background, &ending) => Some(started),
    };
    let result = match started {
        None => Ok(()),
        Some(Err(error)) => Err(error),
        Some(Ok(())) => {
            health.not_ready.clear("caches");
            tokio::select! {
                led = lead(&context, election, pods_http, &stop) => led,
                ended = first_end(&mut background) => Err(ended),
            }
        }
    };
    ending.cancel();
    background.shutdown().await;
    result
}

/// Asks issuers for their keys.
fn issuers_client(authorities: Option<&Path>) -> Result<reqwest::Client, ClientError> {
    let builder = http_client::to_the_world(authorities)?;
    Ok(builder.connect_timeout(Duration::from_secs(2)).timeout(Duration::from_secs(5)).build()?)
}

/// Asks pods for their status.
fn pods_client() -> Result<reqwest::Client, ClientError> {
    let builder = http_client::within_the_cluster().connect_timeout(Duration::from_secs(2));
    // A pod is asked again within milliseconds or after seconds: ten thousand idle connections would take more memory than all caches.
    Ok(builder.timeout(Duration::from_secs(5)).pool_idle_timeout(Duration::from_secs(1)).build()?)
}

/// Watches first, and everything that only reads.
async fn start(
    context: &Arc<Context>,
    client: &Client,
    agents: Vec<issuers::AgentIssuer>,
    http: reqwest::Client,
    background: &mut JoinSet<()>,
    ending: &CancellationToken,
) -> Result<(), RunError> {
    definitions_established(client).await;
    watch::start(context, client, background);
    background.spawn(discovery::run(context.clone(), agents, http, ending.clone()));
    tokio::select! {
        () = watch::synced(context) => {}
        ended = first_end(background) => return Err(ended),
    }
    context.enqueue_everything();
    info!("caches are filled");
    Ok(())
}

/// Waits for the first task that ends, which none should before all do: without a watch, a worker or the admin port the operator would go on
/// and see, do or say nothing. The process ends then, and starts anew.
async fn first_end(tasks: &mut JoinSet<()>) -> RunError {
    match tasks.join_next().await {
        Some(Err(error)) => RunError::Task(error.to_string()),
        Some(Ok(())) => RunError::Task("it came to its end".into()),
        None => std::future::pending().await,
    }
}

/// Leads when the lease is ours; ends in order: workers first, the lease last.
async fn lead(
    context: &Arc<Context>,
    election: Election,
    http: reqwest::Client,
    stop: &CancellationToken,
) -> Result<(), RunError> {
    let work_ends = CancellationToken::new();
    let release = CancellationToken::new();
    let mut workers = JoinSet::new();
    start_controllers(context, &mut workers, &work_ends);
    scrape::start(context, http, &mut workers, &work_ends);
    workers.spawn(sweep(context.clone(), work_ends.clone()));
    workers.spawn(follow_leadership(context.clone(), work_ends.clone()));

    let release_when = release.clone();
    let mut election = tokio::spawn(election.run(async move { release_when.cancelled().await }));
    let lost = tokio::select! {
        () = stop.cancelled() => None,
        _ = &mut election => Some(RunError::LostLeadership),
        ended = first_end(&mut workers) => Some(ended),
    };
    work_ends.cancel();
    let ended = async { while workers.join_next().await.is_some() {} };
    if tokio::time::timeout(LAST_WORK, ended).await.is_err() {
        warn!("reconciles were still running when the time was over");
    }
    if let Some(error) = lost {
        return Err(error);
    }
    release.cancel();
    drop(election.await);
    Ok(())
}

fn start_controllers(context: &Arc<Context>, tasks: &mut JoinSet<()>, stop: &CancellationToken) {
    macro_rules! start {
        ($name:literal, $kind:ident, $reconcile:path) => {
            worker::start(
                context,
                tasks,
                stop,
                $name,
                |context| (&context.queues.$kind, &*context.cluster.$kind),
                $reconcile,
            );
        };
    }
    start!("smsconnector", connectors, connector::reconcile);
    start!("smschannel", channels, channel::reconcile);
    start!("campaign", campaigns, campaign::reconcile);
    start!("bot", bots, bot::reconcile);
    start!("blocklist", blocklists, blocklist::reconcile);
}

async fn follow_leadership(context: Arc<Context>, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = context.leadership.gained() => {
            context.metrics.leader.set(1);
            stop.cancelled().await;
        }
    }
    context.metrics.leader.set(0);
}

async fn sweep(context: Arc<Context>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(SWEEP) => {}
        }
        if !context.leadership.is_leading() {
            continue;
        }
        rollouts::wake(&context);
        if let Err(error) = claim::sweep_all(&context).await {
            warn!(%error, "claims could not be swept");
        }
    }
}

async fn client(kubeconfig: Option<&Path>) -> Result<Client, RunError> {
    let mut config = match kubeconfig {
        Some(path) => {
            let kubeconfig = Kubeconfig::read_from(path)?;
            kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?
        }
        None => kube::Config::infer().await?,
    };
    // The operator retries by itself, with back-off per object.
    config.default_retry = false;
    config.connect_timeout = Some(Duration::from_secs(10));
    Ok(Client::try_from(config)?)
}

/// Waits until the API server serves our kinds; a watch on one that it does not know fails again and again.
async fn definitions_established(client: &Client) {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for name in
        [SmsConnector::crd_name(), SmsChannel::crd_name(), Campaign::crd_name(), Bot::crd_name(), Blocklist::crd_name()]
    {
        loop {
            match api.get_opt(name).await {
                Ok(Some(definition)) if is_established(&definition) => break,
                Ok(_) => info!(name, "waiting for the CustomResourceDefinition"),
                Err(error) => warn!(name, %error, "the CustomResourceDefinition cannot be read"),
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

fn is_established(definition: &CustomResourceDefinition) -> bool {
    let conditions = definition.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Established" && condition.status == "True")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_ends_the_operator_with_its_words() {
        let mut tasks = JoinSet::new();
        tasks.spawn(std::future::pending());
        tasks.spawn(async { panic!("the watch of pods") });
        let error = first_end(&mut tasks).await.to_string();
        assert!(error.contains("a task of the operator ended") && error.contains("the watch of pods"), "{error}");
    }

    #[tokio::test]
    async fn a_task_that_comes_to_its_end_ends_the_operator() {
        let mut tasks = JoinSet::new();
        tasks.spawn(std::future::pending());
        tasks.spawn(async {});
        let ended = tokio::time::timeout(Duration::from_secs(30), first_end(&mut tasks)).await;
        let error = ended.expect("it does not go on without the task").to_string();
        assert!(error.contains("a task of the operator ended"), "{error}");
    }

    #[tokio::test]
    async fn an_operator_without_its_http_client_does_not_start() {
        let dir = tempfile::tempdir().unwrap();
        let kubeconfig = dir.path().join("kubeconfig");
        std::fs::write(&kubeconfig, KUBECONFIG).unwrap();
        let no_authorities = dir.path().join("ca.pem");
        std::fs::write(&no_authorities, "no certificate").unwrap();
        let files = [("--kubeconfig", &kubeconfig), ("--ca-file", &no_authorities)];
        let files = files.map(|(flag, path)| format!("{flag}={}", path.display()));
        // An API server that is not there is waited for; this is not.
        let ran = tokio::time::timeout(Duration::from_secs(30), run(Settings::for_test(&files))).await;
        let error = ran.expect("it does not go on without the client").unwrap_err();
        assert!(matches!(error, RunError::Http(_)), "{error}");
        assert!(error.to_string().contains("ca.pem"), "{error}");
    }

    const KUBECONFIG: &str = r#"{
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {}}]
    }"#;
}
