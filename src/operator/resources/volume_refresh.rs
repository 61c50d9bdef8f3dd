//! VolumeRefreshes: an annotation patch on a pod makes the kubelet refresh the pod's mounted configuration within a second, instead of
//! a minute or more.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use parking_lot::Mutex;

use crate::{
    api::names,
    operator::{
        resources::writer::Writer,
        runtime::{cache::ObjectKey, error::Error},
    },
    wire::config::ConfigHash,
};

/// Why a pod should look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cause {
    /// It has not loaded the newest configuration.
    Config,
    /// Its credentials are not valid; the Secret may have been mended, which the operator cannot see.
    Credentials,
}

impl Cause {
    /// Time after the refresh of this number, counted from 0.
    fn pause(self, count: u32) -> Duration {
        let (first, longest) = match self {
            Self::Config => (2, 10),
            Self::Credentials => (10, 60),
        };
        Duration::from_secs(first).saturating_mul(2u32.saturating_pow(count.min(6))).min(Duration::from_secs(longest))
    }
}

struct Sent {
    hash: String,
    count: u32,
    next: Instant,
}

/// When pods' volumes were last refreshed.
#[derive(Default)]
pub(crate) struct VolumeRefreshes {
    sent: Mutex<HashMap<(String, Cause), Sent>>,
}

impl VolumeRefreshes {
    /// VolumeRefreshes the pod if it is time to; says when to look again.
    ///
    /// # Errors
    /// Faults of the API server.
    pub(crate) async fn refresh(
        &self,
        writer: &Writer,
        pod: &Pod,
        cause: Cause,
        hash: &ConfigHash,
        reload: Option<&str>,
    ) -> Result<Duration, Error> {
        let uid = pod.uid().unwrap_or_default();
        let wait = self.due(&uid, cause, &hash.short(), Instant::now());
        if let Some(wait) = wait {
            return Ok(wait);
        }
        send(writer, pod, hash, reload).await?;
        Ok(cause.pause(0))
    }

    /// None when a refresh is due now, which is then counted; else the time until it is.
    fn due(&self, uid: &str, cause: Cause, hash: &str, now: Instant) -> Option<Duration> {
        let mut sent = self.sent.lock();
        let entry = sent.entry((uid.to_owned(), cause)).or_insert_with(|| Sent {
            hash: String::new(),
            count: 0,
            // The pod looked at its credentials by itself when it started.
            next: if cause == Cause::Credentials { now + cause.pause(0) } else { now },
        });
        if cause == Cause::Config && entry.hash != hash {
            *entry = Sent { hash: hash.to_owned(), count: 0, next: now };
        }
        if now < entry.next {
            return Some(entry.next - now);
        }
        entry.next = now + cause.pause(entry.count);
        entry.count += 1;
        None
    }

    /// The cause is gone.
    pub(crate) fn settled(&self, pod: &Pod, cause: Cause) {
        if let Some(uid) = &pod.metadata.uid {
            self.sent.lock().remove(&(uid.clone(), cause));
        }
    }

    /// The pod is gone.
    pub(crate) fn forget(&self, uid: &str) {
        self.sent.lock().retain(|(known, _), _| known != uid);
    }
}

/// VolumeRefreshes at once.
///
/// # Errors
/// Faults of the API server.
pub(crate) async fn send(writer: &Writer, pod: &Pod, hash: &ConfigHash, reload: Option<&str>) -> Result<(), Error> {
    let millis = jiff::Timestamp::now().as_millisecond();
    let value = format!("{}.{}.{millis}", hash.short(), reload_mark(reload));
    let uid = pod.uid().unwrap_or_default();
    writer.annotate_pod(&ObjectKey::of(pod), &uid, names::ANNOTATION_CONFIG_NUDGE, &value).await
}

/// Whether a person asked for a reload (annotation `aldis.dev/reload`) that this pod was not told of.
pub(crate) fn is_reload_due(pod: &Pod, reload: Option<&str>) -> bool {
    let Some(reload) = reload else { return false };
    let told = pod.annotations().get(names::ANNOTATION_CONFIG_NUDGE);
    told.and_then(|value| value.split('.').nth(1)) != Some(reload_mark(Some(reload)).as_str())
}

fn reload_mark(reload: Option<&str>) -> String {
    reload.map_or_else(|| "0".to_owned(), |value| ConfigHash::of(value.as_bytes()).short())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_hash_is_told_at_once_and_then_with_growing_pauses() {
        let refreshes = VolumeRefreshes::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(refreshes.due("p", Cause::Config, "a", at(0)), None);
        assert_eq!(refreshes.due("p", Cause::Config, "a", at(1)), Some(Duration::from_secs(1)));
        assert_eq!(refreshes.due("p", Cause::Config, "a", at(2)), None);
        assert_eq!(refreshes.due("p", Cause::Config, "a", at(3)), Some(Duration::from_secs(3)));
        assert_eq!(refreshes.due("p", Cause::Config, "b", at(3)), None);
    }

    #[test]
    fn credentials_are_looked_at_between_every_10_and_60_seconds() {
        let refreshes = VolumeRefreshes::default();
        let mut now = Instant::now();
        let mut pauses = Vec::new();
        for _ in 0..6 {
            let pause = refreshes.due("p", Cause::Credentials, "a", now).unwrap();
            pauses.push(pause.as_secs());
            now += pause;
            assert_eq!(refreshes.due("p", Cause::Credentials, "a", now), None);
        }
        assert_eq!(pauses, [10, 10, 20, 40, 60, 60]);
    }

    #[test]
    fn a_reload_is_told_once_even_by_another_operator() {
        let mut pod = Pod::default();
        assert!(!is_reload_due(&pod, None));
        assert!(is_reload_due(&pod, Some("1")));
        let value = format!("abc.{}.17", reload_mark(Some("1")));
        pod.annotations_mut().insert(names::ANNOTATION_CONFIG_NUDGE.into(), value);
        assert!(!is_reload_due(&pod, Some("1")));
        assert!(is_reload_due(&pod, Some("2")));
    }
}
