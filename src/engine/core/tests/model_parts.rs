//! What must be true of long texts that come in parts.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::model::Model;
use crate::engine::core::{
    event::{Event, InboundEvent, Parts},
    ids::{AssemblyId, CustomerId},
};

/// Nanoseconds for which other parts are waited for, and for which they are at least after a start.
const LIMIT: i128 = 600_000_000_000;
const LIMIT_AFTER_START: i128 = 120_000_000_000;

/// A text of which not all parts are there, as the events tell of it.
#[derive(Clone, Debug)]
struct ToldText {
    key: (CustomerId, u16, u8),
    there: BTreeSet<u8>,
    /// When its first part came, in the channel's own time.
    began: i128,
    timed_out: bool,
}

/// Parts as the events tell of them.
#[derive(Clone, Debug, Default)]
pub(super) struct ToldParts {
    waiting: BTreeMap<AssemblyId, ToldText>,
    used: BTreeSet<AssemblyId>,
    /// When the engine started last, in the channel's own time.
    started: i128,
    /// Parts that are in messages, and those that were there already.
    in_messages: usize,
    repeated: usize,
    /// Messages that were joined from parts.
    joined: usize,
    /// A text that was given up before its time: a part of another one under the same reference follows.
    replaced: Option<(CustomerId, u16, u8)>,
}

impl ToldParts {
    fn is_over(&self, text: &ToldText, own_time: i128) -> bool {
        own_time >= (text.began + LIMIT).max(self.started + LIMIT_AFTER_START)
    }

    /// Parts that were taken, and the messages that came of them.
    pub(super) fn taken(&self) -> (usize, usize) {
        let waiting: usize = self.waiting.values().map(|text| text.there.len()).sum();
        (waiting + self.in_messages + self.repeated, self.joined)
    }
}

impl Model {
    pub(super) fn follow_part(&mut self, event: &Event, what: &InboundEvent) {
        let own_time = self.own_time(event.at);
        let parts = &mut self.parts;
        match what {
            InboundEvent::PartKept { assembly, customer, reference, total, sequence, .. } => {
                assert!(self.customers.contains_key(customer), "{event:?}");
                let key = (*customer, *reference, *total);
                assert!(parts.replaced.take().is_none_or(|replaced| replaced == key), "{event:?}");
                if !parts.waiting.contains_key(assembly) {
                    assert!(parts.used.insert(*assembly), "an id was used twice: {event:?}");
                    assert!(
                        parts.waiting.values().all(|text| text.key != key || text.timed_out),
                        "it belongs to another one: {event:?}"
                    );
                }
                let begun = ToldText { key, there: BTreeSet::new(), began: own_time, timed_out: false };
                let text = parts.waiting.entry(*assembly).or_insert(begun);
                assert!(text.key == key && text.there.insert(*sequence), "{event:?}");
                assert!(text.there.len() < usize::from(*total), "it is whole: {event:?}");
            }
            InboundEvent::PartRepeated { assembly, sequence, differs } => {
                assert!(parts.waiting[assembly].there.contains(sequence), "{event:?}");
                parts.repeated += usize::from(!differs);
            }
            InboundEvent::PartsTimedOut { assembly } => {
                let text = parts.waiting[assembly].clone();
                assert!(!text.timed_out && parts.replaced.is_none(), "{event:?}");
                parts.replaced = (!parts.is_over(&text, own_time)).then_some(text.key);
                parts.waiting.insert(*assembly, ToldText { timed_out: true, ..text });
            }
            InboundEvent::InboundRecorded { .. } | InboundEvent::InboundDuplicated { .. } => {}
        }
    }

    pub(super) fn joined(&mut self, event: &Event, customer: CustomerId, joined: &Parts) {
        let parts = &mut self.parts;
        assert!(parts.replaced.take().is_none_or(|replaced| replaced.0 == customer), "{event:?}");
        let missing: BTreeSet<u8> = joined.missing.iter().copied().collect();
        let there: BTreeSet<u8> = (1..=joined.total).filter(|sequence| !missing.contains(sequence)).collect();
        assert!(
            missing.len() == joined.missing.len()
                && missing.iter().all(|sequence| (1..=joined.total).contains(sequence))
        );
        match joined.assembly {
            Some(assembly) => {
                let text = parts.waiting.remove(&assembly).expect("it waited");
                assert_eq!((text.key.0, text.key.2), (customer, joined.total), "{event:?}");
                // What waited, and the part that ended the wait.
                let last = there.len() - text.there.len();
                assert!(text.there.is_subset(&there) && last == usize::from(!text.timed_out || last == 1), "{event:?}");
            }
            None => assert_eq!(there.len(), 1, "{event:?}"),
        }
        parts.in_messages += there.len();
        parts.joined += 1;
    }

    pub(super) fn check_parts(&self, now: Timestamp) {
        assert_eq!(self.parts.replaced, None);
        for text in self.parts.waiting.values() {
            assert!(!text.timed_out && !self.parts.is_over(text, self.own_time(now)), "waits for too long: {text:?}");
        }
    }

    pub(super) fn started_at(&mut self, own_time: i128) {
        self.parts.started = own_time;
    }
}
