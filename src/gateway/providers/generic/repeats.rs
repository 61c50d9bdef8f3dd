//! Which message comes twice, from a carrier that gives messages no ids: the same text between the same numbers within a minute.
//!
//! A longer time would take a customer's second "yes" for the first one. It is known while the gateway runs: a call that is repeated across its
//! restart is two messages.

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use crate::carrier::Inbound;

/// Within which a message is the same one.
const WINDOW: Duration = Duration::from_secs(60);
/// Messages that are remembered at most: 170 a second. Beyond, ids are still given, and repeats not known.
const MOST: usize = 10_000;

/// Messages of the last minute.
#[derive(Debug, Default)]
pub(super) struct Repeats(Mutex<HashMap<[u8; 16], Timestamp>>);

impl Repeats {
    /// An id for the message: that of the one that it repeats, or else a new one.
    pub(super) fn id(&self, message: &Inbound, now: Timestamp) -> String {
        let key = key(message);
        let mut known = self.0.lock();
        let is_recent = |at: &Timestamp| now.duration_since(*at).unsigned_abs() < WINDOW;
        if known.len() >= MOST {
            known.retain(|_, at| is_recent(at));
        }
        let first = match known.get(&key) {
            Some(at) if is_recent(at) => *at,
            Some(_) | None => {
                if known.len() < MOST {
                    known.insert(key, now);
                }
                now
            }
        };
        let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{hex}-{}", first.as_millisecond())
    }
}

fn key(message: &Inbound) -> [u8; 16] {
    let mut hash = Sha256::new();
    for part in [&message.from, &message.to, &message.text] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut key = [0; 16];
    key.copy_from_slice(&hash.finalize()[..16]);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_within_a_minute_is_one_message() {
        let repeats = Repeats::default();
        let message =
            |from: &str, text: &str| Inbound { id: None, from: from.into(), to: "2".into(), text: text.into() };
        let at = |second: i64| Timestamp::from_second(1_000_000 + second).unwrap();
        let first = repeats.id(&message("1", "yes"), at(0));
        assert_eq!(repeats.id(&message("1", "yes"), at(59)), first);
        assert_ne!(repeats.id(&message("1", "no"), at(59)), first);
        assert_ne!(repeats.id(&message("3", "yes"), at(59)), first);
        let second = repeats.id(&message("1", "yes"), at(60));
        assert_ne!(second, first);
        assert_eq!(repeats.id(&message("1", "yes"), at(61)), second);
        // What is joined differs where its parts do.
        assert_ne!(key(&message("1", "2yes")), key(&message("12", "yes")));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let repeats = Repeats::default();
        let message = |n: usize| Inbound { id: None, from: n.to_string(), to: "2".into(), text: "yes".into() };
        let at = |second: i64| Timestamp::from_second(1_000_000 + second).unwrap();
        (0..MOST + 10).for_each(|n| drop(repeats.id(&message(n), at(0))));
        assert_eq!(repeats.0.lock().len(), MOST);
        repeats.id(&message(MOST + 20), at(61));
        assert_eq!(repeats.0.lock().len(), 1);
    }
}
