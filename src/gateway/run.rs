//! `aldis gateway`: puts the parts together.

use std::{
    io,
    net::{IpAddr, Ipv6Addr},
    path::{Path, PathBuf},
    time::Duration,
};

use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

use super::{
    checking::Checks,
    current::Source,
    deliver::{Delivery, Engines},
    ingress::{self, Ingress},
    internal_api::{self, InternalApi},
    metrics::Metrics,
    providers::Client,
    sending::Sending,
    spool::{OpenError, Spool},
    status::Reporter,
    traffic::Traffic,
    under_way::UnderWay,
};
use crate::{
    admin::{self, Health},
    process::{bodies::Bodies, files, http_client::ClientError, listen, serve::serve, shutdown},
    wire::{ports, tokens::TokenFile},
};

/// Files that are open beside the connections of the ports: one to an engine for each webhook, one to the provider for each engine that
/// sends, the spool, the runtime.
const OWN_FILES: usize = ingress::LIMITS.connections + internal_api::LIMITS.connections + 64;
/// After the listeners have closed, what is under way has so long to end. Providers and engines wait no longer.
const LAST_WORK: Duration = Duration::from_secs(12);

/// A spool that cannot be opened is tried again this often.
const REOPEN: Duration = Duration::from_secs(2);

/// Options of `aldis gateway`. The defaults are what the operator's pods use.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Address to listen on.
    #[arg(long, default_value_t = IpAddr::V6(Ipv6Addr::UNSPECIFIED))]
    pub address: IpAddr,
    /// Port of the webhooks, for the provider.
    #[arg(long, default_value_t = ports::PUBLIC)]
    pub public_port: u16,
    /// Port of the internal API, for engines and operator.
    #[arg(long, default_value_t = ports::INTERNAL)]
    pub internal_port: u16,
    /// Port of health and metrics.
    #[arg(long, default_value_t = ports::ADMIN)]
    pub admin_port: u16,
    /// Mounted configuration.
    #[arg(long, default_value = ports::CONFIG_DIR)]
    pub config_dir: PathBuf,
    /// Mounted credentials, one file per key.
    #[arg(long, default_value = ports::CREDENTIALS_DIR)]
    pub credentials_dir: PathBuf,
    /// Our own ServiceAccount token, shown to engines.
    #[arg(long, default_value = ports::TOKEN_FILE)]
    pub token_file: PathBuf,
    /// The folder of the spool's files.
    #[arg(long, default_value = ports::DATA_DIR)]
    pub data_dir: PathBuf,
    /// Certificates in PEM that are trusted besides the public ones.
    #[arg(long, env = "ALDIS_CA_FILE")]
    pub ca_file: Option<PathBuf>,
}

/// Why the gateway cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A port, a signal handler, a directory.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The spool's file.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The spool's file turned out to be damaged while it was in use.
    #[error("the spool is damaged; it is set aside at the next start")]
    Damaged,
    /// HTTP clients.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// Opens the spool, however long it takes; none when the gateway is to end before. Until then the pod is not ready and says why.
///
/// # Errors
/// When another version is needed.
async fn open_spool(path: &Path, health: &Health, shutdown: &CancellationToken) -> Result<Option<Spool>, OpenError> {
    loop {
        let path = path.to_owned();
        let opened = tokio::task::spawn_blocking(move || Spool::open(&path)).await;
        let error = match opened {
            Ok(Ok(spool)) => {
                health.not_ready.clear("spool");
                return Ok(Some(spool));
            }
            Ok(Err(error @ OpenError::Newer { .. })) => return Err(error),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        tracing::error!(error, "the spool cannot be opened; it is tried again");
        health.not_ready.set("spool", error);
        if shutdown.run_until_cancelled(tokio::time::sleep(REOPEN)).await.is_none() {
            return Ok(None);
        }
    }
}

/// Runs the gateway until a signal ends it.
///
/// # Errors
/// When it cannot begin.
pub async fn run(args: Args) -> Result<(), RunError> {
    files::raise(&[ingress::LIMITS, internal_api::LIMITS, admin::LIMITS], OWN_FILES);
    let shutdown = shutdown::on_signal()?;
    let (health, mut registry) = (Health::default(), Registry::with_prefix("aldis"));
    let metrics = Metrics::register(&mut registry);
    health.not_ready.set("config", "no configuration yet");
    let public = listen::bind(args.address, args.public_port).await?;
    let internal = listen::bind(args.address, args.internal_port).await?;
    let admin = listen::bind(args.address, args.admin_port).await?;
    let admin = tokio::spawn(admin::serve(admin, health.clone(), registry, CancellationToken::new()));

    let source = Source::new(args.config_dir, args.credentials_dir, Client::new(args.ca_file.as_deref())?);
    let current = source.subscribe();
    let Some(spool) = open_spool(&args.data_dir.join("spool.db"), &health, &shutdown).await? else { return Ok(()) };
    let engines = Engines::new(TokenFile::new(args.token_file))?;
    let traffic = Traffic::default();
    let delivery =
        Delivery::start(spool.clone(), engines, current.clone(), metrics.clone(), traffic.clone(), shutdown.clone());
    let checks = Checks::default();
    let sending = Sending::new(spool.clone(), current.clone(), checks.clone(), metrics.clone(), traffic.clone());

    tokio::spawn(source.run(shutdown.clone()));
    let valid = {
        let sending = sending.clone();
        move || sending.credentials_valid()
    };
    tokio::spawn(checks.clone().run(current.clone(), metrics.clone(), valid, shutdown.clone()));
    let mut changes = current.clone();
    tokio::spawn(async move {
        if changes.wait_for(|current| current.active.is_some()).await.is_ok() {
            health.not_ready.clear("config");
        }
    });

    let reporter =
        Reporter { current: current.clone(), checks, delivery: delivery.clone(), sending: sending.clone(), traffic };
    let ingress = Ingress {
        current: current.clone(),
        delivery: delivery.clone(),
        metrics,
        bodies: Bodies::new(ingress::LIMITS.bodies_bytes),
    };
    let webhooks = serve(public, ingress.router(), ingress::LIMITS, shutdown.clone());
    let internal_api = InternalApi {
        current,
        sending: sending.clone(),
        reporter,
        bodies: Bodies::new(internal_api::LIMITS.bodies_bytes),
        under_way: UnderWay::default(),
    };
    let internal = serve(internal, internal_api.router(), internal_api::LIMITS, shutdown.clone());
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "the gateway serves");

    let last_work = async {
        tokio::join!(webhooks, internal);
        tokio::join!(delivery.ended(), sending.ended());
    };
    tokio::pin!(last_work);
    tokio::select! {
        () = spool.damaged() => return Err(RunError::Damaged),
        // The listeners end with the shutdown only.
        () = &mut last_work => {}
        () = shutdown.cancelled() => {
            if tokio::time::timeout(LAST_WORK, last_work).await.is_err() {
                tracing::warn!("ending with work under way");
            }
        }
    }
    if let Err(error) = spool.note_age().await {
        tracing::error!(%error, "the age of the ledger is not written down");
    }
    admin.abort();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::serve::{ALL_PORTS_BYTES, Limits};

    #[test]
    fn clients_can_make_all_ports_hold_little_of_what_the_container_has() {
        let all = [ingress::LIMITS, internal_api::LIMITS, admin::LIMITS].iter().map(Limits::most_bytes).sum::<usize>();
        assert!(all <= ALL_PORTS_BYTES, "{} KiB", all / 1024);
    }
}
