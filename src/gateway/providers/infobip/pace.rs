//! [`Pace`].

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Infobip gives one of these calls back each second. A little more, since two calls may come nearer to each other than they left.
const INTERVAL: Duration = Duration::from_millis(1100);

/// Keeps the calls for numbers within what Infobip allows: two at once, and one more each second.
///
/// The limit is that of the account, by `x-throttling-info` of the operation `list-owned-numbers` in Infobip's OpenAPI specification: a bucket of two
/// tokens, one of which comes back each second. One call beyond it is answered 429.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the bucket is full again.
    full_at: Mutex<Option<Instant>>,
}

impl Pace {
    /// Waits for a call's turn.
    pub(super) async fn turn(&self) {
        let at = self.take(Instant::now());
        tokio::time::sleep_until(at).await;
    }

    /// Takes a token, and says from when on it may be used.
    fn take(&self, now: Instant) -> Instant {
        let mut full_at = self.full_at.lock();
        let full = full_at.map_or(now, |full| full.max(now));
        *full_at = Some(full + INTERVAL);
        // Of the two tokens, one is there an interval before the bucket is full.
        full.checked_sub(INTERVAL).map_or(now, |at| at.max(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_calls_go_at_once_and_the_others_one_by_one() {
        let pace = Pace::default();
        let began = Instant::now();
        let waits = |at: Duration| pace.take(began + at).saturating_duration_since(began + at);
        assert_eq!([waits(Duration::ZERO), waits(Duration::ZERO)], [Duration::ZERO; 2]);
        assert_eq!(waits(Duration::ZERO), INTERVAL);
        assert_eq!(waits(Duration::ZERO), INTERVAL * 2);
        assert_eq!(waits(INTERVAL * 2), INTERVAL);
        assert_eq!(waits(INTERVAL * 10), Duration::ZERO);
        assert_eq!(waits(INTERVAL * 10), Duration::ZERO);
        assert_eq!(waits(INTERVAL * 10), INTERVAL);
    }
}
