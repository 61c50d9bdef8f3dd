//! Checking: are the credentials good, which numbers has the account, and whom does the provider call for them?
//!
//! On an interval, at once when credentials or the provider's settings change or the account's circuit breaker opens, and
//! sooner again after a bad end.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::{
    current::{Active, Current},
    metrics::{Metrics, ProviderCall},
    providers::{CheckError, ConfiguredWebhook, MissingKeys, NumberList, Provider, ProviderNumber},
    settings::Settings,
};
use crate::{
    sms::PhoneNumber,
    wire::status::{CredentialsStatus, ProviderStatus, Unanswered},
};

/// First interval after a bad end; doubles up to [`LONGEST_RETRY`], and never beyond the configured interval.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(30);
/// Whatever asks for it, there are no two checks within this.
const SHORTEST: Duration = Duration::from_millis(500);

/// What the checks found. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Checks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    found: Mutex<CheckResults>,
    again: Notify,
}

/// What the last checks found.
#[derive(Clone, Debug)]
pub(super) struct CheckResults {
    /// What the provider last said about the credentials.
    pub credentials: CredentialsStatus,
    /// Whether the provider answers.
    pub provider: ProviderStatus,
    /// The last complete list of numbers.
    pub listed: Option<Listed>,
    /// Why the list could not be read since.
    pub numbers_error: Option<Unanswered>,
    /// [`Active::generation`] that `credentials` speaks of.
    generation: Option<u64>,
}

/// A complete list of numbers.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub at: Timestamp,
    /// The numbers.
    pub numbers: Arc<Vec<ProviderNumber>>,
    /// Those that were looked for.
    pub wanted: Arc<BTreeSet<PhoneNumber>>,
}

impl Default for Checks {
    fn default() -> Self {
        let found = CheckResults {
            credentials: CredentialsStatus::Unchecked,
            provider: ProviderStatus::Unasked,
            listed: None,
            numbers_error: None,
            generation: None,
        };
        Self(Arc::new(Inner { found: Mutex::new(found), again: Notify::new() }))
    }
}

impl Checks {
    pub(super) fn found(&self) -> CheckResults {
        self.0.found.lock().clone()
    }

    /// Why nothing can be sent, when the provider refuses the credentials.
    pub(super) fn refused(&self) -> Option<String> {
        match &self.0.found.lock().credentials {
            CredentialsStatus::Invalid { message, .. } => {
                Some(format!("the provider refuses the credentials: {message}"))
            }
            CredentialsStatus::Suspended { message, .. } => {
                Some(format!("the provider does not serve the account: {message}"))
            }
            CredentialsStatus::Missing { keys, .. } => Some(format!("the Secret lacks {}", keys.join(", "))),
            CredentialsStatus::Unchecked | CredentialsStatus::Valid { .. } => None,
        }
    }

    /// Asks for a check now.
    pub(super) fn again(&self) {
        self.0.again.notify_one();
    }

    /// Checks until `shutdown`; tells `valid` whenever credentials were found good.
    pub(super) async fn run(
        self,
        mut current: watch::Receiver<Current>,
        metrics: Metrics,
        valid: impl Fn(),
        shutdown: CancellationToken,
    ) {
        let mut failures = 0;
        while !shutdown.is_cancelled() {
            let active = current.borrow_and_update().active.clone();
            let pause = match &active {
                None => LONGEST_RETRY,
                Some(active) => {
                    let Some(good) = shutdown.run_until_cancelled(self.check(active, &metrics)).await else { return };
                    failures = if good { 0 } else { failures + 1 };
                    if matches!(self.0.found.lock().credentials, CredentialsStatus::Valid { .. }) {
                        valid();
                    }
                    pause(active.settings.check_interval, failures)
                }
            };
            let generation = active.map(|active| active.generation);
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
                () = self.0.again.notified() => {}
                changed = current.wait_for(|current| current.active.as_ref().map(|active| active.generation) != generation) => {
                    if changed.is_err() {
                        return;
                    }
                    failures = 0;
                    continue;
                }
            }
            tokio::time::sleep(SHORTEST).await;
        }
    }

    /// One check. Whether all was well, with every number that somebody wants.
    async fn check(&self, active: &Active, metrics: &Metrics) -> bool {
        let provider = match &active.provider {
            Ok(provider) => provider,
            Err(MissingKeys(keys)) => {
                let missing = CredentialsStatus::Missing { keys: keys.clone(), secret_found: active.secret_found };
                self.0.found.lock().set_credentials(active, missing);
                return false;
            }
        };
        let began = Instant::now();
        let checked = provider.check().await;
        metrics.provider_call(ProviderCall::Check, checked.is_ok(), began.elapsed());
        if let Err(error) = checked {
            self.failed(active, error);
            return false;
        }
        self.list(active, &**provider, metrics).await
    }

    async fn list(&self, active: &Active, provider: &dyn Provider, metrics: &Metrics) -> bool {
        let wanted = active.settings.wanted();
        let began = Instant::now();
        let numbers = provider.numbers(&wanted).await;
        metrics.provider_call(ProviderCall::Numbers, numbers.is_ok(), began.elapsed());
        let at = Timestamp::now();
        match numbers {
            Ok(list) => {
                let numbers = match list {
                    NumberList::Listed(numbers) => numbers,
                    NumberList::NotListable => declared(&active.settings),
                };
                let usable: BTreeSet<_> =
                    numbers.iter().filter(|number| number.sms_capable).map(|number| &number.number).collect();
                let all_usable = wanted.iter().all(|number| usable.contains(number));
                let mut found = self.0.found.lock();
                found.set_credentials(active, CredentialsStatus::Valid { checked_at: at });
                found.provider = ProviderStatus::Answers { checked_at: at };
                let (numbers, wanted) = (Arc::new(numbers), Arc::new(wanted));
                found.listed = Some(Listed { at, numbers, wanted });
                found.numbers_error = None;
                all_usable
            }
            // A key that may do less than the account's token.
            Err(error @ (CheckError::Invalid(_) | CheckError::Suspended(_))) => {
                self.failed(active, error);
                false
            }
            Err(CheckError::Unasked(why)) => {
                tracing::warn!(?why, "the numbers cannot be listed");
                let mut found = self.0.found.lock();
                found.set_credentials(active, CredentialsStatus::Valid { checked_at: at });
                found.provider = ProviderStatus::Answers { checked_at: at };
                found.numbers_error = Some(why);
                false
            }
        }
    }

    fn failed(&self, active: &Active, error: CheckError) {
        let checked_at = Timestamp::now();
        tracing::warn!(?error, "the credentials are not good, or nobody can tell");
        let mut found = self.0.found.lock();
        let credentials = match error {
            CheckError::Invalid(message) => CredentialsStatus::Invalid { checked_at, message },
            CheckError::Suspended(message) => CredentialsStatus::Suspended { checked_at, message },
            CheckError::Unasked(why) => {
                found.provider = ProviderStatus::Silent { checked_at, why };
                // What was said before stands, if it was said about these credentials.
                if found.generation != Some(active.generation) {
                    found.set_credentials(active, CredentialsStatus::Unchecked);
                }
                return;
            }
        };
        found.set_credentials(active, credentials);
        found.provider = ProviderStatus::Answers { checked_at };
    }
}

impl CheckResults {
    fn set_credentials(&mut self, active: &Active, credentials: CredentialsStatus) {
        self.credentials = credentials;
        self.generation = Some(active.generation);
    }
}

/// The numbers that the connector declares, of which the provider cannot be asked.
fn declared(settings: &Settings) -> Vec<ProviderNumber> {
    let declared = settings.offered.iter().flatten().cloned();
    declared.map(|number| ProviderNumber { number, sms_capable: true, webhook: ConfiguredWebhook::NotShown }).collect()
}

/// Until the next check.
fn pause(interval: Duration, failures: u32) -> Duration {
    let usual = interval.mul_f64(0.9 + fastrand::f64() * 0.2);
    match failures.checked_sub(1) {
        None => usual,
        Some(again) => FIRST_RETRY.saturating_mul(1 << again.min(10)).min(LONGEST_RETRY).min(usual),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_bad_end_the_next_check_comes_sooner() {
        let interval = Duration::from_secs(300);
        assert!(pause(interval, 0) >= Duration::from_secs(270));
        assert_eq!(pause(interval, 1), Duration::from_secs(1));
        assert_eq!(pause(interval, 3), Duration::from_secs(4));
        assert_eq!(pause(interval, 99), LONGEST_RETRY);
        assert!(pause(Duration::from_secs(5), 99) <= Duration::from_millis(5500));
    }
}
