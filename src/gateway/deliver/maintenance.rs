//! What is done from time to time: parked items are tried again, what nobody takes expires, the gauges are set.

use std::{collections::HashSet, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::time::MissedTickBehavior;

use super::{Delivery, NotTaken};
use crate::{
    gateway::spool::{Row, Rows, SpoolError},
    wire::status::{ParkedNumber, RoomState, SpoolRoom, SpoolStatus},
};

/// Between two looks at the spool.
const PERIOD: Duration = Duration::from_secs(10);
/// Between two rounds in which parked items are tried again.
const PARKED_PERIOD: Duration = Duration::from_secs(60);
/// What is too old goes every so many looks.
const EXPIRE_EVERY: u64 = 360;
/// Parked rows that are read at once.
const PARKED_ROWS: usize = 64;
/// Until an engine has answered.
const DEADLINE: Duration = Duration::from_secs(2);
/// Numbers with unrouted rows that status names.
const NAMED: usize = 20;

impl Delivery {
    pub(super) async fn maintain(self) {
        let mut ticks = tokio::time::interval(PERIOD);
        for tick in 0_u64.. {
            if self.0.shutdown.run_until_cancelled(ticks.tick()).await.is_none() {
                return;
            }
            // First and whatever else fails: what is not written down is not known after a restart.
            if let Err(error) = self.0.spool.note_age().await {
                tracing::error!(%error, "the age of the ledger is not written down");
            }
            if let Err(error) = self.maintain_once(tick).await {
                tracing::error!(%error, "the maintenance of the spool failed");
            }
        }
    }

    async fn maintain_once(&self, tick: u64) -> Result<(), SpoolError> {
        self.0.metrics.spool(&self.status());
        let (capacity, used, _) = self.0.spool.bytes();
        self.0.metrics.spool_bytes(capacity, used);
        self.0.spool.measure_volume().await?;
        if tick.is_multiple_of(EXPIRE_EVERY) {
            self.expire().await?;
        }
        Ok(())
    }

    /// Tries parked items again. Apart from the rest: engines may take their time for each.
    pub(super) async fn retry_parked_items(self) {
        let mut ticks = tokio::time::interval(PARKED_PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.0.shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            if let Err(error) = self.retry_parked().await {
                tracing::error!(%error, "parked items cannot be tried again");
            }
        }
    }

    async fn retry_parked(&self) -> Result<(), SpoolError> {
        let mut after = 0;
        let mut unavailable: HashSet<String> = HashSet::new();
        loop {
            let Rows { items, unreadable } = self.0.spool.parked_after(after, PARKED_ROWS).await?;
            let seen = items.iter().map(|row| row.seq).chain(unreadable.iter().map(|(seq, _)| *seq));
            let Some(last) = seen.max() else { return Ok(()) };
            after = last;
            for Row { seq, item } in items {
                if self.0.shutdown.is_cancelled() {
                    return Ok(());
                }
                let Some(route) = self.route(item.number()) else { continue };
                if unavailable.contains(item.number()) {
                    continue;
                }
                match self.0.engines.post(&route, &item, DEADLINE).await {
                    Ok(()) => {
                        tracing::info!(number = item.number(), seq, "the engine has taken a parked item");
                        self.0.spool.delivered(item.number().to_owned(), vec![seq]).await?;
                    }
                    Err(NotTaken::Unavailable(_) | NotTaken::NoRoom(_)) => {
                        unavailable.insert(item.number().to_owned());
                    }
                    Err(NotTaken::Doubtful(_) | NotTaken::Refused(_)) => {}
                }
            }
        }
    }

    /// Removes rows of numbers without a route that are older than the retention. What waits for an engine stays, and so does what is
    /// parked: somebody has to look at it.
    async fn expire(&self) -> Result<(), SpoolError> {
        let Some(settings) = self.0.current.borrow().active.as_ref().map(|active| active.settings.clone()) else {
            return Ok(());
        };
        let unrouted: Vec<String> = {
            let numbers = self.0.numbers.lock();
            let names = numbers.iter().filter(|(name, number)| number.waiting > 0 && settings.route(name).is_none());
            names.map(|(name, _)| name.clone()).collect()
        };
        let retention = SignedDuration::try_from(settings.retention).unwrap_or(SignedDuration::MAX);
        let before = Timestamp::now().checked_sub(retention).unwrap_or(Timestamp::MIN);
        let gone = self.0.spool.expire(unrouted, before).await?;
        for (number, count) in &gone {
            tracing::warn!(number, count, "unrouted items are older than the retention; they are removed");
            self.less(number, *count);
        }
        self.0.metrics.expired(gone.values().sum());
        while self.0.spool.forget_attempts().await? {}
        // Numbers that had traffic once are of no interest for ever.
        self.0.numbers.lock().retain(|_, number| number.waiting > 0 || number.delivering);
        Ok(())
    }

    /// What waits, as it is counted in memory.
    pub(crate) fn status(&self) -> SpoolStatus {
        let (capacity, used, failed) = self.0.spool.bytes();
        // In steps, so that the status is no news each time it is asked for.
        let used_percent = (used.saturating_mul(10) / capacity.max(1)).min(10) * 10;
        let (full, mut full_numbers) = self.0.spool.no_room();
        full_numbers.truncate(NAMED);
        let state = match (full || failed, full_numbers.is_empty()) {
            (true, _) => RoomState::Full,
            (false, false) => RoomState::NumbersFull,
            (false, true) => RoomState::Enough,
        };
        let mut status = SpoolStatus {
            room: SpoolRoom { state, used_percent, full_numbers },
            set_aside: self.0.spool.files_set_aside().to_vec(),
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
