//! What is done from time to time: the ledger's life is written down, the gauges are set, what nobody takes expires.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{Delivery, EndAfterPanic};
use crate::{
    gateway::{
        settings::Settings,
        spool::{EXPIRE_AT_ONCE, SpoolError},
    },
    wire::status::{ParkedNumber, RoomState, SpoolRoom, SpoolStatus},
};

/// Between two looks at the spool.
const PERIOD: Duration = Duration::from_secs(10);
/// What is too old goes every so many looks.
const EXPIRE_EVERY: u64 = 360;
/// After a start it goes so many looks after the first configuration: that may be an old one, which a newer one is about to replace.
const FIRST_EXPIRY: u64 = 1;
/// Numbers with unrouted rows that status names.
const NAMED: usize = 20;

impl Delivery {
    pub(super) async fn maintain(self) {
        let mut ticks = tokio::time::interval(PERIOD);
        let mut until_expiry = FIRST_EXPIRY;
        while self.0.shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            // First and whatever else fails: what is not written down is not known after a restart.
            if let Err(error) = self.0.spool.note_age().await {
                tracing::error!(%error, "the age of the ledger is not written down");
            }
            self.0.metrics.spool(&self.status());
            let (capacity, used, _) = self.0.spool.bytes();
            self.0.metrics.spool_bytes(capacity, used);
            if let Err(error) = self.0.spool.measure_volume().await {
                tracing::error!(%error, "the spool's volume cannot be measured");
            }
            // Without a configuration nobody knows which numbers have a route.
            let Some(settings) = self.settings() else { continue };
            if until_expiry > 0 {
                until_expiry -= 1;
                continue;
            }
            match self.expire(&settings).await {
                Ok(()) => until_expiry = EXPIRE_EVERY,
                Err(error) => tracing::error!(%error, "what is too old cannot be removed"),
            }
        }
    }

    fn settings(&self) -> Option<Arc<Settings>> {
        self.0.current.borrow().active.as_ref().map(|active| Arc::clone(&active.settings))
    }

    /// Removes rows of numbers without a route that are older than the retention. What waits for an engine stays, and so does what is
    /// parked: somebody has to look at it.
    async fn expire(&self, settings: &Settings) -> Result<(), SpoolError> {
        let unrouted: Vec<String> = {
            let numbers = self.0.numbers.lock();
            let names = numbers.iter().filter(|(name, number)| number.waiting > 0 && settings.route(name).is_none());
            names.map(|(name, _)| name.clone()).collect()
        };
        for number in &unrouted {
            self.expire_of(number, settings.retention).await?;
        }
        tracing::debug!(numbers = unrouted.len(), "unrouted items that are too old were looked for");
        while self.0.spool.forget_attempts().await? {}
        // Numbers that had traffic once are of no interest for ever.
        self.0.numbers.lock().retain(|_, number| number.waiting > 0 || number.taken);
        Ok(())
    }

    /// Meanwhile nothing of the number is delivered: a row that both had would be counted twice.
    async fn expire_of(&self, number: &str, retention: Duration) -> Result<(), SpoolError> {
        if !self.begin(number) {
            return Ok(());
        }
        let end = EndAfterPanic { delivery: self, number };
        let expired = self.expire_without_route(number, retention).await;
        drop(end);
        self.end(number);
        if self.route(number).is_some() {
            // It came while the number was taken.
            self.deliver_backlog(number.to_owned());
        }
        expired
    }

    /// Some rows after the others, for as long as the number has no route.
    async fn expire_without_route(&self, number: &str, retention: Duration) -> Result<(), SpoolError> {
        while self.route(number).is_none() {
            let gone = self.0.spool.expire(number.to_owned(), retention).await?;
            if gone > 0 {
                tracing::warn!(number, count = gone, "unrouted items are older than the retention; they are removed");
                self.less(number, gone);
                self.0.metrics.expired(gone);
            }
            if gone < u64::from(EXPIRE_AT_ONCE) {
                break;
            }
        }
        Ok(())
    }

    /// What waits, as it is counted in memory.
    pub(crate) fn status(&self) -> SpoolStatus {
        let (capacity, used, failed) = self.0.spool.bytes();
        // In steps, so that the status is no news each time it is asked for.
        let used_percent = (used.saturating_mul(10) / capacity.max(1)).min(10) * 10;
        let (full, mut full_numbers) = self.0.spool.no_room();
        full_numbers.truncate(NAMED);
        let mut full_ledgers = self.0.spool.full_ledgers();
        full_ledgers.truncate(NAMED);
        let state = match (full || failed, full_numbers.is_empty()) {
            (true, _) => RoomState::Full,
            (false, false) => RoomState::NumbersFull,
            (false, true) => RoomState::Enough,
        };
        let mut status = SpoolStatus {
            room: SpoolRoom { state, used_percent, full_numbers, full_ledgers },
            set_aside: self.0.spool.files_set_aside().to_vec(),
            failure: self.0.spool.failed_lately(),
            ..SpoolStatus::default()
        };
        let now = Timestamp::now();
        for (number, counts) in self.0.spool.tally().numbers {
            status.parked += counts.parked;
            if counts.parked > 0 && status.parked_numbers.len() < NAMED {
                let reason = counts.parked_for.unwrap_or_default();
                status.parked_numbers.insert(number.clone(), ParkedNumber { rows: counts.parked, reason });
            }
            if counts.waiting == 0 {
                continue;
            }
            if self.route(&number).is_some() {
                status.waiting += counts.waiting;
                let oldest = counts.oldest.unwrap_or(now);
                let age = u64::try_from(now.duration_since(oldest).as_secs()).unwrap_or_default();
                status.oldest_wait_seconds = status.oldest_wait_seconds.max(age);
            } else {
                status.unrouted += counts.waiting;
                if status.unrouted_numbers.len() < NAMED {
                    status.unrouted_numbers.insert(number, counts.waiting);
                }
            }
        }
        status
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        gateway::{
            current::Current,
            deliver::{
                Engines,
                fixtures::{NUMBER, message},
            },
            metrics::{Metrics, WebhookOutcome},
            spool::Spool,
            traffic::Traffic,
        },
        process::crypto,
        wire::{delivery::Item, tokens::TokenFile},
    };

    #[tokio::test]
    async fn what_another_task_has_does_not_expire() {
        crypto::install_providers();
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(&dir.path().join("spool.db")).unwrap();
        let (_sender, current) = watch::channel(Current::default());
        let metrics = Metrics::register(&mut prometheus_client::registry::Registry::default());
        let engines = Engines::new(TokenFile::new("none")).unwrap();
        let delivery = Delivery::start(spool, engines, current, metrics, Traffic::default(), CancellationToken::new());
        let outcome = delivery.accept(Item::Inbound(message("hello"))).await.unwrap();
        assert_eq!(outcome, WebhookOutcome::Unrouted);
        let older_than_nothing = async || {
            // By the ledger's clock, of which nothing is older than a retention of zero in the millisecond in which it was kept.
            tokio::time::sleep(Duration::from_millis(5)).await;
            delivery.expire_of(NUMBER, Duration::ZERO).await.unwrap();
            (delivery.status().unrouted, delivery.is_waiting(NUMBER))
        };
        assert!(delivery.begin(NUMBER) && !delivery.begin(NUMBER), "one task has it at a time");
        assert_eq!(older_than_nothing().await, (1, true));
        let ends = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _end = EndAfterPanic { delivery: &delivery, number: NUMBER };
            panic!("on the way");
        }));
        assert!(ends.is_err());
        assert_eq!(older_than_nothing().await, (0, false));
    }
}
