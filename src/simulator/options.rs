//! The command line of `aldis simulator`.

use super::{Config, ConfigError, Simulator};
use crate::{
    admin::{self, Health},
    process::{files, listen, shutdown},
    wire::ports,
};
use prometheus_client::registry::Registry;
use std::{
    fs, io,
    net::{IpAddr, Ipv6Addr},
    path::PathBuf,
};

/// Files that may be open: a connection for each client, whose number nothing limits here, and each webhook.
const OWN_FILES: usize = 512;

/// Play a carrier: handsets on a web page, a provider's HTTP API, faults on demand.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Accounts, numbers, handsets and settings, as YAML. Without it there is one account `simulator` with the number
    /// +15551230001.
    #[arg(long, env = "ALDIS_SIMULATOR_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The token of the account `simulator` when there is no configuration. Without it one is made and logged.
    #[arg(long, env = "ALDIS_SIMULATOR_TOKEN", hide_env_values = true, conflicts_with = "config")]
    pub token: Option<String>,
    /// Append everything that happens to this file, as JSON lines.
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
    /// Post webhooks whose URL begins with URL to ADDRESS instead; the signature keeps the URL.
    #[arg(long, value_name = "URL=ADDRESS", value_parser = webhook_base)]
    pub webhook_base: Vec<(String, String)>,
    /// The address to listen on.
    #[arg(long, default_value_t = IpAddr::V6(Ipv6Addr::UNSPECIFIED))]
    pub address: IpAddr,
    /// The port of the page and the APIs.
    #[arg(long, default_value_t = ports::SIMULATOR)]
    pub port: u16,
    /// The port of /livez, /readyz and /metrics.
    #[arg(long, default_value_t = ports::ADMIN)]
    pub admin_port: u16,
}

fn webhook_base(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((url, address)) if super::config::is_http(url) && super::config::is_http(address) => {
            Ok((url.trim_end_matches('/').into(), address.trim_end_matches('/').into()))
        }
        Some(_) | None => Err("write it as https://public.example.com=http://127.0.0.1:8080".into()),
    }
}

/// Why the simulator cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("{path}: {source}")]
    File {
        /// The file's path.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The configuration is not usable.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Listening or serving failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// What keeps it from starting, or ends it.
pub async fn run(options: Options) -> Result<(), Error> {
    files::raise(&[admin::LIMITS], OWN_FILES);
    let mut config = match &options.config {
        Some(path) => {
            let text = fs::read_to_string(path).map_err(|source| Error::File { path: path.clone(), source })?;
            Config::from_yaml(&text)?
        }
        None => demo(options.token),
    };
    config.settings.webhook_bases.extend(options.webhook_base);
    let simulator = Simulator::new(config, options.ledger.as_deref())?;
    let shutdown = shutdown::on_signal()?;
    let mut registry = Registry::default();
    simulator.register(&mut registry);
    let admin = listen::bind(options.address, options.admin_port).await?;
    let listener = listen::bind(options.address, options.port).await?;
    tracing::info!(address = %listener.local_addr()?, "the simulator listens");
    let (served, ()) = tokio::join!(
        simulator.serve(listener, shutdown.clone()),
        admin::serve(admin, Health::default(), registry, shutdown)
    );
    served?;
    Ok(())
}

fn demo(token: Option<String>) -> Config {
    let token = token.unwrap_or_else(|| {
        let token: String = std::iter::repeat_with(fastrand::alphanumeric).take(32).collect();
        tracing::info!(token, "the account simulator has this token");
        token
    });
    Config::demo(&token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_base_is_two_urls() {
        let parsed = webhook_base("https://sms.example.com/=http://10.96.0.7:8080/").unwrap();
        assert_eq!(parsed, ("https://sms.example.com".into(), "http://10.96.0.7:8080".into()));
        for wrong in ["https://sms.example.com", "sms.example.com=http://a", "https://a=b", ""] {
            assert!(webhook_base(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_made_up_token_is_not_always_the_same() {
        let token = |config: Config| config.accounts[0].tokens[0].clone();
        assert_ne!(token(demo(None)), token(demo(None)));
        assert_eq!(token(demo(Some("mine".into()))), "mine");
    }
}
