//! The engine's process: from its first configuration to its end.

use std::{
    io,
    net::{IpAddr, Ipv6Addr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{
    bots::{BotServices, BotTurns},
    clock::Clock,
    config::{ConfigError, Settings},
    core::{ids::first_of_life, state::State},
    due_parts::DueParts,
    feed::Feed,
    http::{self, Alive, Services, Shared},
    inbox::Handle,
    metrics::Metrics,
    open_streams::OpenStreams,
    sender::{Backoff, Sender},
    single_writer::SingleWriter,
    store::{
        Store,
        error::{CommitError, OpenError, StoreError},
        open::Belongs,
        room,
    },
};
use crate::{
    admin::{self, Health, Reasons, SharedRegistry},
    process::{bodies::Bodies, files, http_client, listen, shutdown},
    wire::{
        mount::{self, Look, Mount},
        ports,
        tokens::TokenFile,
    },
};

/// Files that are open beside the connections of the ports: the store with its readers, the gateway, the runtime.
const OWN_FILES: usize = 128;
/// File name of the store in its volume.
pub(super) const STORE_FILE: &str = "engine.db";
/// A store that cannot be opened is tried again this often: another engine may still be ending.
const REOPEN: Duration = Duration::from_secs(2);
/// A store that has no room to be brought to the newest schema is tried again this often: all its interactions are counted for it.
const UPGRADE_AGAIN: Duration = Duration::from_secs(30);
/// The gauges are brought up to date this often.
const MEASURE: Duration = Duration::from_secs(5);
/// How long requests that came before the end are waited for.
const LAST_REQUESTS: Duration = Duration::from_secs(5);
/// How long the gateway's answers are waited for at the end. What is missing then is asked for again after the start.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// Keep the durable queue of one channel and serve its agents.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Address to listen on.
    #[arg(long, default_value_t = IpAddr::V6(Ipv6Addr::UNSPECIFIED))]
    pub address: IpAddr,
    /// Port of the agents.
    #[arg(long, default_value_t = ports::PUBLIC)]
    pub public_port: u16,
    /// Port of the internal API, for gateway and operator.
    #[arg(long, default_value_t = ports::INTERNAL)]
    pub internal_port: u16,
    /// Port of health and metrics.
    #[arg(long, default_value_t = ports::ADMIN)]
    pub admin_port: u16,
    /// Directory of the mounted configuration.
    #[arg(long, default_value = ports::CONFIG_DIR)]
    pub config_dir: PathBuf,
    /// File with the token that is shown to the gateway.
    #[arg(long, default_value = ports::TOKEN_FILE)]
    pub token_file: PathBuf,
    /// Directory of the Secrets that bots show to services, each in a folder of its name.
    #[arg(long, default_value = ports::BOT_SECRETS_DIR)]
    pub bot_secrets_dir: PathBuf,
    /// Directory of the store.
    #[arg(long, default_value = ports::DATA_DIR)]
    pub data_dir: PathBuf,
}

/// Why the engine ended.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A port or signal handler could not be had.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The HTTP client could not be made.
    #[error("the HTTP client cannot be made: {0}")]
    Client(#[from] reqwest::Error),
    /// The store could not be read at the start.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store could not be written. What the disk has is found out at the next start.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The writer broke off.
    #[error("the writer broke off; the log says why")]
    WriterPanicked,
}

/// Runs the engine until SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot go on; it must then be started again.
pub async fn run(args: Args) -> Result<(), EngineError> {
    files::raise(&[http::AGENTS, http::INTERNAL, admin::LIMITS], OWN_FILES);
    let shutdown = shutdown::on_signal()?;
    let admin = listen::bind(args.address, args.admin_port).await?;
    let agents = listen::bind(args.address, args.public_port).await?;
    let internal = listen::bind(args.address, args.internal_port).await?;
    let health = Health::default();
    let registry = SharedRegistry::from(Registry::with_prefix("aldis_engine"));
    // The admin port outlives the rest, so that the end can be watched.
    let admin_end = CancellationToken::new();
    let admin = tokio::spawn(admin::serve(admin, health.clone(), registry.clone(), admin_end.clone()));
    let ended = start(&args, agents, internal, health, &registry, &shutdown).await;
    admin_end.cancel();
    // It only served looks from outside.
    let _ = admin.await;
    ended
}

async fn start(
    args: &Args,
    agents: TcpListener,
    internal: TcpListener,
    health: Health,
    registry: &SharedRegistry,
    shutdown: &CancellationToken,
) -> Result<(), EngineError> {
    let mut mount = Mount::new(&args.config_dir);
    health.not_ready.set("config", "there is no configuration yet");
    let Some(settings) = first_settings(&mut mount, &health, shutdown).await else { return Ok(()) };
    health.not_ready.set("store", "the store is not open yet");
    let Some(store) = open_store(args, &settings, &health, shutdown).await else { return Ok(()) };
    let metrics = registry.register(|registry| Metrics::new(registry, &settings.channel_name));
    let engine = Engine::new(args, store, settings, mount, metrics, health.not_ready.clone(), shutdown.clone())?;
    health.not_ready.clear("store");
    tracing::info!(store = %engine.shared.store_id, "the engine is ready");
    engine.serve(agents, internal, health).await
}

/// The first configuration that can be put in force; none when the engine is to end before.
async fn first_settings(mount: &mut Mount, health: &Health, shutdown: &CancellationToken) -> Option<Settings> {
    loop {
        match mount.look(Settings::new) {
            Look::New(settings) => {
                health.not_ready.clear("config");
                tracing::info!(channel = settings.channel_name, hash = settings.hash.short(), "configuration in force");
                return Some(settings);
            }
            Look::Unchanged => {}
            Look::Incomplete(message) | Look::Unreadable(message) => health.not_ready.set("config", message),
            Look::Rejected(rejected) => {
                tracing::error!(hash = rejected.hash.short(), problem = rejected.message, "configuration rejected");
                health.not_ready.set("config", rejected.message);
            }
        }
        tokio::select! {
            () = tokio::time::sleep(mount::POLL) => {}
            () = shutdown.cancelled() => return None,
        }
    }
}

/// Opens the store, however long it takes; none when the engine is to end before. Until then the pod is not ready and says why.
async fn open_store(args: &Args, settings: &Settings, health: &Health, shutdown: &CancellationToken) -> Option<Store> {
    let path = args.data_dir.join(STORE_FILE);
    let belongs = Belongs { account: settings.gateway.account.clone(), number: settings.number.clone() };
    loop {
        let (path, belongs, volume) = (path.clone(), belongs.clone(), args.data_dir.clone());
        let opened = tokio::task::spawn_blocking(move || match room::is_too_full_to_start(&path) {
            Ok(true) => Err(OpenError::VolumeFull { path: volume }),
            // A volume that does not say is tried.
            Ok(false) | Err(_) => Store::open(&path, &belongs).inspect(Store::hold_room),
        })
        .await;
        let (error, again) = match opened {
            Ok(Ok(store)) => return Some(store),
            Ok(Err(error @ (OpenError::InUse { .. } | OpenError::VolumeFull { .. }))) => {
                tracing::warn!(%error, "waiting for the store");
                (error.to_string(), REOPEN)
            }
            Ok(Err(error @ OpenError::NoRoomToUpgrade { .. })) => {
                tracing::error!(%error, "waiting for room on the volume");
                (error.to_string(), UPGRADE_AGAIN)
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "the store cannot be opened");
                (error.to_string(), REOPEN)
            }
            Err(error) => (error.to_string(), REOPEN),
        };
        health.not_ready.set("store", error);
        tokio::select! {
            () = tokio::time::sleep(again) => {}
            () = shutdown.cancelled() => return None,
        }
    }
}

/// An engine with its parts running.
struct Engine {
    shared: Shared,
    metrics: Metrics,
    store_file: PathBuf,
    /// The writer's end: how it ended.
    written: oneshot::Receiver<Result<(), CommitError>>,
    sender_end: CancellationToken,
}

impl Engine {
    fn new(
        args: &Args,
        mut store: Store,
        settings: Settings,
        mount: Mount,
        metrics: Metrics,
        not_ready: Reasons,
        shutdown: CancellationToken,
    ) -> Result<Self, EngineError> {
        let now = Timestamp::now();
        let since = now.saturating_sub(settings.channel.service_level.window).unwrap_or(Timestamp::MIN);
        let state = State::from_rows(Arc::clone(&settings.channel), store.load(since)?);
        let clock = Clock::begin(state.scalars().last);
        let ids_from = first_of_life(now, state.scalars().last_id().max(store.last_sequence()), fastrand::u32(..));
        store.begin_life(ids_from);
        let clock_was_behind = now < state.scalars().last;
        let settings = Arc::new(ArcSwap::from_pointee(settings));
        let (handle, inbox) = Handle::new(Arc::clone(&settings));
        let (outbound, handovers) = mpsc::unbounded_channel();
        let (bot_calls, calls) = mpsc::unbounded_channel();
        tokio::spawn(BotServices::new(args.bot_secrets_dir.clone(), handle.clone(), metrics.clone()).run(calls));
        let shared = Shared::from(Services {
            engine: handle.clone(),
            reader: store.reader()?,
            feed: Feed::new(store.last_sequence()),
            settings: Arc::clone(&settings),
            mount: Arc::new(Mutex::new(mount)),
            channel: settings.load().channel_name.as_str().into(),
            store_id: store.identity().id.as_str().into(),
            alive: Alive::default(),
            streams: http::StreamLimit::default(),
            reads: http::ReadLimit::default(),
            tickets: http::Tickets::default(),
            metrics: metrics.clone(),
            agents_bodies: Bodies::new(http::AGENTS.bodies_bytes),
            internal_bodies: Bodies::new(http::INTERNAL.bodies_bytes),
            shutdown,
        });
        let sender_end = CancellationToken::new();
        tokio::spawn(
            Sender {
                http: http_client::within_the_cluster().connect_timeout(Duration::from_secs(2)).build()?,
                settings: Arc::clone(&settings),
                token: TokenFile::new(&args.token_file),
                engine: handle,
                backoff: Backoff::default(),
                shutdown: sender_end.clone(),
            }
            .run(handovers),
        );
        let writer = SingleWriter {
            store,
            state,
            settings,
            feed: shared.feed.clone(),
            outbound,
            metrics: metrics.clone(),
            open_streams: OpenStreams::default(),
            bot_turns: BotTurns::new(bot_calls),
            due_parts: DueParts::default(),
            handed_over: std::collections::HashMap::new(),
            ids_from,
            forget_at: clock.time(),
            clock,
            clock_was_behind,
            streams_unknown: false,
            has_room_again: false,
            send_again_at: None,
            log_is_in_use: false,
            not_ready,
        };
        let (ended, written) = oneshot::channel();
        std::thread::Builder::new().name("writer".into()).spawn(move || {
            // Nobody listens any more only when the process is ending.
            let _ = ended.send(writer.run(&inbox));
        })?;
        Ok(Self { shared, metrics, store_file: args.data_dir.join(STORE_FILE), written, sender_end })
    }

    /// Serves until shutdown, or until the writer fails.
    async fn serve(mut self, agents: TcpListener, internal: TcpListener, health: Health) -> Result<(), EngineError> {
        let shutdown = self.shared.shutdown.clone();
        let mut serving = JoinSet::new();
        serving.spawn(http::serve_agents(agents, self.shared.clone()));
        serving.spawn(http::serve_internal(internal, self.shared.clone()));
        let watching = tokio::spawn(watch_config(self.shared.clone()));
        let measuring = tokio::spawn(measure(self.shared.clone(), self.metrics.clone(), self.store_file.clone()));
        let failed = tokio::select! {
            // First, because the listeners end with it too.
            biased;
            () = shutdown.cancelled() => None,
            ended = &mut self.written => Some(writer_failure(ended)),
            Some(_) = serving.join_next() => Some(EngineError::Io(io::Error::other("a listener ended"))),
        };
        if let Some(error) = failed {
            return Err(error);
        }
        health.not_ready.set("engine", "ending");
        // Requests that are in end with their answer, streams end now; who does not read their answer is not waited for.
        let all = async { while serving.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(LAST_REQUESTS, all).await;
        watching.abort();
        measuring.abort();
        let in_time = tokio::time::timeout(LAST_ANSWERS, self.last_answers()).await.is_ok();
        if !in_time {
            tracing::warn!("messages are still at the gateway: their outcome is asked for at the next start");
        }
        self.sender_end.cancel();
        self.shared.engine.stop();
        match self.written.await {
            Ok(ended) => Ok(ended?),
            Err(_) => Err(EngineError::WriterPanicked),
        }
    }

    /// Waits until nothing is at the gateway.
    async fn last_answers(&self) {
        loop {
            let in_flight = self.shared.engine.inspect(|seen| seen.state.in_flight().count()).await;
            if in_flight.unwrap_or(0) == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn writer_failure(ended: Result<Result<(), CommitError>, oneshot::error::RecvError>) -> EngineError {
    match ended {
        Ok(Err(error)) => error.into(),
        Ok(Ok(())) | Err(_) => EngineError::WriterPanicked,
    }
}

/// Puts each new configuration in force.
async fn watch_config(shared: Shared) {
    loop {
        tokio::time::sleep(mount::POLL).await;
        let look = {
            let current = shared.settings.load();
            shared.mount.lock().look(|loaded| Settings::new(loaded).and_then(|new| same_store(&current, new)))
        };
        match look {
            Look::New(settings) => {
                tracing::info!(hash = settings.hash.short(), "configuration in force");
                shared.engine.configure(Arc::new(settings));
            }
            Look::Unchanged => {}
            Look::Incomplete(message) => tracing::info!(missing = message, "the configuration is incomplete"),
            Look::Unreadable(reason) => tracing::warn!(reason, "the configuration cannot be read; it is tried again"),
            Look::Rejected(rejected) => {
                tracing::error!(hash = rejected.hash.short(), problem = rejected.message, "configuration rejected");
            }
        }
    }
}

/// Name, number and account never change: the store is theirs.
fn same_store(current: &Settings, new: Settings) -> Result<Settings, ConfigError> {
    if new.number != current.number {
        return Err(ConfigError::new(
            "number",
            format!("the engine's data belongs to {}; a new number is a new channel", current.number),
        ));
    }
    if new.channel_name != current.channel_name {
        let problem = format!("the engine's data belongs to the channel {}", current.channel_name);
        return Err(ConfigError::new("channel.name", problem));
    }
    if new.gateway.account != current.gateway.account {
        let problem =
            format!("the engine's data belongs to account {}; a new account is a new channel", current.gateway.account);
        return Err(ConfigError::new("gateway.account", problem));
    }
    Ok(new)
}

/// Brings the gauges up to date.
async fn measure(shared: Shared, metrics: Metrics, store_file: PathBuf) {
    loop {
        let log = store_file.with_extension("db-wal");
        let size = |path: &PathBuf| std::fs::metadata(path).map_or(0, |file| file.len());
        let bytes = size(&store_file) + size(&log);
        let seen =
            shared.engine.inspect(|seen| (seen.state.statistics(seen.now), seen.state.conversations_with_bots()));
        if let Ok((statistics, conversations)) = seen.await {
            metrics.show(&statistics, bytes);
            metrics.bots().show(&conversations);
        }
        tokio::time::sleep(MEASURE).await;
    }
}
