//! What is in force now: settings and credentials, read again every second.

use std::{path::PathBuf, sync::Arc};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    credentials::Credentials,
    providers::{Client, MissingKeys, Provider},
    settings::Settings,
};
use crate::wire::{
    mount::{Look, Mount, POLL},
    status::ConfigStatus,
};

/// What is in force now.
#[derive(Clone, Debug, Default)]
pub(super) struct Current {
    /// Which documents are in force, and which were rejected.
    pub config: ConfigStatus,
    /// The settings with the provider; none until a configuration was loaded.
    pub active: Option<Active>,
}

/// Settings in force, and the provider if its credentials are there.
#[derive(Clone, Debug)]
pub(super) struct Active {
    /// The settings.
    pub settings: Arc<Settings>,
    /// The provider with its credentials, or what they lack.
    pub provider: Result<Arc<dyn Provider>, MissingKeys>,
    /// Whether the Secret with the credentials is there, with any key.
    pub secret_found: bool,
    /// Goes up whenever the provider must be checked anew: other credentials, another base URL, further numbers wanted.
    pub generation: u64,
}

/// Keeps [`Current`] up to date.
#[derive(Debug)]
pub(super) struct Source {
    mount: Mount,
    credentials_dir: PathBuf,
    client: Client,
    credentials: Option<Credentials>,
    sender: watch::Sender<Current>,
}

impl Source {
    /// A source that has looked once.
    pub(super) fn new(config_dir: PathBuf, credentials_dir: PathBuf, client: Client) -> Self {
        let sender = watch::Sender::new(Current::default());
        let mut source = Self { mount: Mount::new(config_dir), credentials_dir, client, credentials: None, sender };
        source.look();
        source
    }

    /// What is in force, now and later.
    pub(super) fn subscribe(&self) -> watch::Receiver<Current> {
        self.sender.subscribe()
    }

    /// Looks every second until `shutdown`.
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(POLL);
        while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            self.look();
        }
    }

    /// The mounts are in memory and small: reading them blocks no longer than taking a lock.
    fn look(&mut self) {
        let looked = self.mount.look(Settings::new);
        let credentials = match Credentials::read(&self.credentials_dir) {
            Ok(credentials) if self.credentials.as_ref() == Some(&credentials) => None,
            Ok(credentials) => Some(credentials),
            Err(error) => {
                tracing::error!(%error, "credentials cannot be read; the ones before stay in force");
                None
            }
        };
        let new = match looked {
            Look::New(settings) => Some(Arc::new(settings)),
            Look::Rejected(rejected) => {
                tracing::error!(hash = %rejected.hash, reason = rejected.message, "configuration rejected; the one before stays in force");
                self.sender.send_modify(|current| current.config = self.mount.status().clone());
                None
            }
            Look::Incomplete(reason) => {
                tracing::info!(reason, "waiting for the rest of the configuration");
                None
            }
            Look::Unreadable(reason) => {
                tracing::warn!(reason, "the configuration cannot be read; it is tried again");
                None
            }
            Look::Unchanged => {
                if self.sender.borrow().config != *self.mount.status() {
                    self.sender.send_modify(|current| current.config = self.mount.status().clone());
                }
                None
            }
        };
        if new.is_some() || credentials.is_some() {
            self.switch(new, credentials);
        }
    }

    fn switch(&mut self, settings: Option<Arc<Settings>>, credentials: Option<Credentials>) {
        let new_credentials = credentials.is_some();
        if credentials.is_some() {
            self.credentials = credentials;
        }
        let credentials = self.credentials.get_or_insert_default();
        let before = self.sender.borrow().active.clone();
        let Some(settings) = settings.or_else(|| before.as_ref().map(|active| Arc::clone(&active.settings))) else {
            return;
        };
        let same = before.filter(|active| !new_credentials && active.settings.account == settings.account);
        let active = match same {
            Some(active) => {
                let again = !settings.wanted().is_subset(&active.settings.wanted());
                Active {
                    provider: active.provider,
                    secret_found: active.secret_found,
                    generation: active.generation + u64::from(again),
                    settings,
                }
            }
            None => {
                let generation = self.sender.borrow().active.as_ref().map_or(0, |active| active.generation + 1);
                let provider = settings.account.connect(credentials, &self.client);
                Active { settings, provider, secret_found: !credentials.is_empty(), generation }
            }
        };
        let connector = &active.settings.connector;
        tracing::info!(connector.namespace, connector.name, hash = %active.settings.hash, missing = ?active.provider.as_ref().err(), "configuration and credentials in force");
        self.sender.send_replace(Current { config: self.mount.status().clone(), active: Some(active) });
    }
}
