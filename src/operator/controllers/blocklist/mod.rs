//! Blocklists: checked, and handed to the engines that they concern.

mod reconcile;

use jiff::Timestamp;

use crate::{
    api::{
        Blocklist, BlocklistSpec,
        blocklist::{BlockedNumber, Direction, EntryCounts},
    },
    sms::{NumberError, PhoneNumber},
    wire::config::engine::{BlockDirection, BlocklistEntry},
};

pub(crate) use reconcile::reconcile;

/// An entry whose number is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("spec.entries: {fault}")]
pub(crate) struct BlocklistFault {
    /// What is wrong with the number, and what to write.
    pub fault: NumberError,
}

/// A blocklist without faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ValidBlocklist {
    entries: Vec<BlocklistEntry>,
}

impl ValidBlocklist {
    /// How many entries bind, and how many have expired.
    pub(crate) fn counts(&self, now: Timestamp) -> EntryCounts {
        let expired = self.entries.iter().filter(|entry| entry.expires_at.is_some_and(|end| end <= now)).count();
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        EntryCounts { active: count(self.entries.len() - expired), expired: count(expired) }
    }

    /// When the next entry expires.
    pub(crate) fn next_expiry(&self, now: Timestamp) -> Option<Timestamp> {
        self.entries.iter().filter_map(|entry| entry.expires_at).filter(|end| *end > now).min()
    }
}

/// Checks a blocklist's spec.
///
/// # Errors
/// Every entry that has no number.
pub(crate) fn validate(spec: &BlocklistSpec) -> Result<ValidBlocklist, Vec<BlocklistFault>> {
    let mut faults = Vec::new();
    let mut entries = Vec::with_capacity(spec.entries.len());
    for declared in &spec.entries {
        match entry(declared) {
            Ok(entry) => entries.push(entry),
            Err(fault) => faults.push(BlocklistFault { fault }),
        }
    }
    if faults.is_empty() { Ok(ValidBlocklist { entries }) } else { Err(faults) }
}

fn entry(declared: &BlockedNumber) -> Result<BlocklistEntry, NumberError> {
    Ok(BlocklistEntry {
        number: declared.number.parse::<PhoneNumber>()?,
        direction: match declared.direction {
            Direction::Inbound => BlockDirection::Inbound,
            Direction::Outbound => BlockDirection::Outbound,
            Direction::Both => BlockDirection::Both,
        },
        expires_at: declared.expires_at,
    })
}

/// The entries of all these lists, as an engine is told of them: by number, so that the order of the lists changes nothing. A number may
/// stand in several lists. An entry without a number is left out; its list says so.
pub(crate) fn for_engine(lists: &[impl AsRef<Blocklist>]) -> Vec<BlocklistEntry> {
    let declared = lists.iter().flat_map(|list| &list.as_ref().spec.entries);
    let mut entries: Vec<BlocklistEntry> = declared.filter_map(|declared| entry(declared).ok()).collect();
    let rank = |direction: BlockDirection| match direction {
        BlockDirection::Inbound => 0,
        BlockDirection::Outbound => 1,
        BlockDirection::Both => 2,
    };
    entries.sort_by(|a, b| {
        (&a.number, rank(a.direction), a.expires_at).cmp(&(&b.number, rank(b.direction), b.expires_at))
    });
    entries.dedup();
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::sync::Arc;

    fn list(namespace: &str, spec: Value) -> Arc<Blocklist> {
        let mut list = Blocklist::new("list", serde_json::from_value(spec).unwrap());
        list.metadata.namespace = Some(namespace.into());
        Arc::new(list)
    }

    #[test]
    fn entries_expire_at_their_time() {
        let spec = json!({"entries": [
            {"number": "+15557770001"},
            {"number": "+15557770002", "expiresAt": "2026-06-01T00:00:00Z"},
            {"number": "+15557770003", "expiresAt": "2026-07-01T00:00:00Z"},
        ]});
        let valid = validate(&serde_json::from_value(spec).unwrap()).unwrap();
        let june: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
        assert_eq!(valid.counts(june), EntryCounts { active: 2, expired: 1 });
        assert_eq!(valid.next_expiry(june), Some("2026-07-01T00:00:00Z".parse().unwrap()));
        assert_eq!(valid.next_expiry("2026-07-01T00:00:00Z".parse().unwrap()), None);
        assert_eq!(valid.entries.len(), 3);
    }

    #[test]
    fn a_number_that_is_none_is_named() {
        let spec = json!({"entries": [{"number": "+15557770001"}, {"number": "5557770002"}]});
        let faults = validate(&serde_json::from_value(spec).unwrap()).unwrap_err();
        assert_eq!(faults.len(), 1);
        assert!(faults[0].to_string().contains("5557770002"), "{}", faults[0]);
    }

    #[test]
    fn the_order_of_lists_changes_nothing() {
        let one =
            list("a", json!({"entries": [{"number": "+15557770002"}, {"number": "US:72345", "direction": "Inbound"}]}));
        let two = list("a", json!({"entries": [{"number": "+15557770001"}, {"number": "+15557770002"}]}));
        let there = for_engine(&[one.clone(), two.clone()]);
        assert_eq!(there, for_engine(&[two, one]));
        assert_eq!(there.len(), 3);
    }
}
