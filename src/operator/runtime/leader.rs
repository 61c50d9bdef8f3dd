//! The leader lease: one replica writes, the others keep their caches warm.
//!
//! A `coordination.k8s.io` Lease is taken and renewed with its resourceVersion, so two replicas cannot both succeed. A follower
//! judges by its own clock how long the holder has been silent; clocks of different machines are never compared. The leader may
//! write until a deadline that lies before the moment at which anybody else may take over, and it stops when that has passed.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use parking_lot::Mutex;
use tokio::{sync::watch, time::Instant};
use tracing::{debug, info, warn};

use crate::operator::runtime::error::Transient;

/// Name of the lease.
pub(crate) const LEASE_NAME: &str = "aldis-operator";
/// Field manager of the lease.
const FIELD_MANAGER: &str = "aldis/leader";

/// Whether this replica leads, and until when it may write.
#[derive(Clone)]
pub(crate) struct Leadership {
    deadline: Arc<Mutex<Option<Instant>>>,
    leading: watch::Sender<bool>,
}

impl Default for Leadership {
    fn default() -> Self {
        Self { deadline: Arc::default(), leading: watch::Sender::new(false) }
    }
}

impl Leadership {
    /// Whether this replica may write at this moment. Asked before each write.
    ///
    /// # Errors
    /// [`Transient::NotLeader`] when the lease is not ours, or was not renewed in time.
    pub(crate) fn may_write(&self) -> Result<(), Transient> {
        match *self.deadline.lock() {
            Some(deadline) if Instant::now() < deadline => Ok(()),
            Some(_) | None => Err(Transient::NotLeader),
        }
    }

    /// Whether this replica leads.
    pub(crate) fn is_leading(&self) -> bool {
        *self.leading.borrow()
    }

    /// Returns when this replica leads.
    pub(crate) async fn gained(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.leading.subscribe().wait_for(|leading| *leading).await;
    }

    /// Leads for as long as a test may take.
    #[cfg(test)]
    pub(crate) fn hold_for_test(&self) {
        self.hold_until(Instant::now() + Duration::from_secs(3600));
    }

    fn hold_until(&self, deadline: Instant) {
        *self.deadline.lock() = Some(deadline);
        self.leading.send_if_modified(|leading| !std::mem::replace(leading, true));
    }

    fn lose(&self) {
        *self.deadline.lock() = None;
        self.leading.send_replace(false);
    }
}

/// Takes, renews and releases the lease.
pub(crate) struct Election {
    api: Api<Lease>,
    identity: String,
    duration: Duration,
    leadership: Leadership,
    /// What another holder last wrote, and when we first saw it.
    seen: Option<(String, Instant)>,
}

impl Election {
    /// An election in `namespace`.
    pub(crate) fn new(
        client: Client,
        namespace: &str,
        identity: String,
        duration: Duration,
        leadership: Leadership,
    ) -> Self {
        Self { api: Api::namespaced(client, namespace), identity, duration, leadership, seen: None }
    }

    /// Takes part until leadership is lost after it was gained, or until `stop`; then releases the lease.
    pub(crate) async fn run(mut self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        loop {
            let started = Instant::now();
            // An answer that comes later than the deadline would be of no use.
            let attempt = tokio::time::timeout(self.write_time(), self.attempt());
            let outcome = tokio::select! {
                () = &mut stop => break,
                outcome = attempt => outcome,
            };
            match outcome {
                Ok(Ok(true)) => {
                    if !self.leadership.is_leading() {
                        info!(identity = self.identity, "leading");
                    }
                    self.leadership.hold_until(started + self.write_time());
                }
                Ok(Ok(false)) => {
                    if self.leadership.is_leading() {
                        warn!("another replica took the lease");
                        self.leadership.lose();
                        return;
                    }
                }
                Ok(Err(error)) => debug!(%error, "the lease could not be renewed"),
                Err(_) => debug!("the lease could not be renewed in time"),
            }
            if self.leadership.is_leading() && self.leadership.may_write().is_err() {
                warn!("the lease could not be renewed before its deadline");
                self.leadership.lose();
                return;
            }
            tokio::select! {
                () = &mut stop => break,
                () = tokio::time::sleep(self.retry_time()) => {}
            }
        }
        self.release().await;
    }

    /// After a renewal began, this replica writes for two thirds of the duration; the others wait for all of it.
    fn write_time(&self) -> Duration {
        self.duration * 2 / 3
    }

    fn retry_time(&self) -> Duration {
        let base = self.duration / 6;
        base + base.mul_f64(fastrand::f64() * 0.2)
    }

    /// Tries once; says whether the lease is ours.
    async fn attempt(&mut self) -> Result<bool, kube::Error> {
        let Some(lease) = self.api.get_opt(LEASE_NAME).await? else {
            return self.create().await;
        };
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.clone().unwrap_or_default();
        let ours = holder == self.identity;
        if !ours && !holder.is_empty() && !self.has_expired(&lease, &spec) {
            return Ok(false);
        }
        let next = Lease { metadata: own_metadata(&lease), spec: Some(self.spec(&spec, ours)) };
        self.replace(next).await
    }

    async fn create(&self) -> Result<bool, kube::Error> {
        let metadata = ObjectMeta { name: Some(LEASE_NAME.to_owned()), ..ObjectMeta::default() };
        let lease = Lease { metadata, spec: Some(self.spec(&LeaseSpec::default(), false)) };
        match self.api.create(&post_params(), &lease).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn replace(&self, lease: Lease) -> Result<bool, kube::Error> {
        match self.api.replace(LEASE_NAME, &post_params(), &lease).await {
            Ok(_) => Ok(true),
            // Somebody else wrote it between our reading and our writing: read again before judging.
            Err(kube::Error::Api(status)) if status.is_conflict() && !self.leadership.is_leading() => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn spec(&self, known: &LeaseSpec, ours: bool) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        let transitions = known.lease_transitions.unwrap_or(0);
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(i32::try_from(self.duration.as_secs().max(1)).unwrap_or(i32::MAX)),
            acquire_time: if ours { known.acquire_time.clone() } else { Some(now.clone()) },
            renew_time: Some(now),
            lease_transitions: Some(if ours { transitions } else { transitions + 1 }),
            ..LeaseSpec::default()
        }
    }

    fn has_expired(&mut self, lease: &Lease, spec: &LeaseSpec) -> bool {
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        let told = u64::try_from(spec.lease_duration_seconds.unwrap_or(0)).unwrap_or(0);
        let patience = self.duration.max(Duration::from_secs(told));
        match &self.seen {
            Some((seen, since)) if *seen == version => since.elapsed() >= patience,
            Some(_) | None => {
                self.seen = Some((version, Instant::now()));
                false
            }
        }
    }

    /// Gives the lease up, so that another replica need not wait.
    async fn release(&mut self) {
        if !self.leadership.is_leading() {
            return;
        }
        self.leadership.lose();
        let Ok(Some(lease)) = self.api.get_opt(LEASE_NAME).await else { return };
        let mut spec = lease.spec.clone().unwrap_or_default();
        if spec.holder_identity.as_deref() != Some(self.identity.as_str()) {
            return;
        }
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(1);
        let released = Lease { metadata: own_metadata(&lease), spec: Some(spec) };
        match self.api.replace(LEASE_NAME, &post_params(), &released).await {
            Ok(_) => info!("the lease is released"),
            Err(error) => warn!(%error, "the lease could not be released; another replica waits until it runs out"),
        }
    }
}

fn post_params() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

fn own_metadata(lease: &Lease) -> ObjectMeta {
    ObjectMeta { managed_fields: None, ..lease.metadata.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_is_allowed_until_the_deadline_only() {
        let leadership = Leadership::default();
        assert!(leadership.may_write().is_err());
        leadership.hold_until(Instant::now() + Duration::from_secs(3600));
        assert!(leadership.may_write().is_ok());
        leadership.hold_until(Instant::now());
        assert!(leadership.may_write().is_err());
        leadership.hold_until(Instant::now() + Duration::from_secs(3600));
        leadership.lose();
        assert!(leadership.may_write().is_err());
    }
}
