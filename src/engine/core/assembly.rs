//! Long texts of which not all parts are there yet.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{
    clock::ChannelTime,
    ids::{AssemblyId, CustomerId},
    timers::Timer,
};
use crate::sms::Part;

/// The other parts of a text are waited for no longer than this.
pub(super) const TIMEOUT: SignedDuration = SignedDuration::from_mins(10);
/// After a start of the engine so long at least: parts that wait in the gateway come first.
pub(super) const TIMEOUT_AFTER_START: SignedDuration = SignedDuration::from_mins(2);

/// Texts of one customer that may be waited for at the same time, and the bytes of their parts: those of the longest text there is, and as much again.
const MAX_OF_CUSTOMER: usize = 8;
const MAX_BYTES_OF_CUSTOMER: u64 = 128 << 10;
/// The same of all customers together. It bounds what the state holds, and how much is delivered at once when a timeout ends all.
const MAX_OF_ALL: usize = 4096;
const MAX_BYTES_OF_ALL: u64 = 16 << 20;
/// From then on, and for who is blocked, a customer may have no more than one text: a few who fill the place leave others theirs.
const CROWDED: usize = MAX_OF_ALL / 2;
const CROWDED_BYTES: u64 = MAX_BYTES_OF_ALL / 2;

/// What a part asks for among all that waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    /// Its sender is on the inbound blocklist now.
    pub(super) is_blocked: bool,
    /// It is the first of its text.
    pub(super) begins: bool,
}

/// A text of which parts are there. What they say is in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Assembly {
    /// The text's name until it is a message.
    pub id: AssemblyId,
    /// The customer who wrote it.
    pub customer: CustomerId,
    /// What their device called it.
    pub reference: u16,
    /// How many parts it has.
    pub total: u8,
    /// Which of them are there.
    pub sequences: BTreeSet<u8>,
    /// Bytes of these.
    pub bytes: u64,
    /// When it is waited for no longer, in the channel's own time.
    pub ends_at: ChannelTime,
    /// That time has come: what is there becomes a message next.
    pub timed_out: bool,
}

impl Assembly {
    fn key(&self) -> (CustomerId, u16, u8) {
        (self.customer, self.reference, self.total)
    }

    pub(super) fn timer(&self) -> Option<(ChannelTime, Timer)> {
        (!self.timed_out).then_some((self.ends_at, Timer::PartsTimedOut(self.id)))
    }

    /// Rows that it takes in the store, about: ids that came again are few.
    pub fn rows(&self) -> usize {
        1 + self.sequences.len()
    }

    /// Whether it is whole with one more part.
    pub(super) fn lacks_one(&self) -> bool {
        self.sequences.len() + 1 == usize::from(self.total)
    }
}

/// All of them, found by id and by customer, reference and total.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Assemblies {
    by_id: BTreeMap<AssemblyId, Assembly>,
    by_key: BTreeMap<(CustomerId, u16, u8), AssemblyId>,
    timed_out: BTreeSet<AssemblyId>,
    bytes: u64,
}

impl Assemblies {
    pub(super) fn get(&self, id: AssemblyId) -> Option<&Assembly> {
        self.by_id.get(&id)
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Assembly> {
        self.by_id.values()
    }

    /// The text that a customer's part belongs to.
    pub(super) fn of(&self, customer: CustomerId, part: Part) -> Option<&Assembly> {
        self.by_key.get(&(customer, part.reference(), part.total())).and_then(|id| self.get(*id))
    }

    /// The texts that are waited for no longer.
    pub(super) fn timed_out(&self) -> impl Iterator<Item = AssemblyId> {
        self.timed_out.iter().copied()
    }

    fn of_customer(&self, customer: CustomerId) -> impl Iterator<Item = &Assembly> {
        let theirs = self.by_key.range((customer, 0, 0)..=(customer, u16::MAX, u8::MAX));
        theirs.filter_map(|(_, id)| self.get(*id))
    }

    /// Whether a part of so many bytes may wait; none = a customer who was never seen.
    pub(super) fn has_room_for(&self, customer: Option<CustomerId>, bytes: u64, share: Share) -> bool {
        let Share { is_blocked, begins } = share;
        let is_crowded = self.by_id.len() >= CROWDED || self.bytes >= CROWDED_BYTES;
        let most = if begins && (is_blocked || is_crowded) { 1 } else { MAX_OF_CUSTOMER };
        let (mut texts, mut theirs) = (usize::from(begins), bytes);
        for assembly in customer.into_iter().flat_map(|customer| self.of_customer(customer)) {
            texts += 1;
            theirs += assembly.bytes;
        }
        texts <= most
            && theirs <= MAX_BYTES_OF_CUSTOMER
            && self.by_id.len() + usize::from(begins) <= MAX_OF_ALL
            && self.bytes + bytes <= MAX_BYTES_OF_ALL
    }

    pub(super) fn put(&mut self, assembly: Assembly) {
        let newest = self.by_key.entry(assembly.key()).or_insert(assembly.id);
        *newest = (*newest).max(assembly.id);
        self.bytes += assembly.bytes;
        if assembly.timed_out {
            self.timed_out.insert(assembly.id);
        }
        self.by_id.insert(assembly.id, assembly);
    }

    pub(super) fn take(&mut self, id: AssemblyId) -> Option<Assembly> {
        let assembly = self.by_id.remove(&id)?;
        // The device may have come to the same reference again.
        if self.by_key.get(&assembly.key()) == Some(&id) {
            self.by_key.remove(&assembly.key());
        }
        self.bytes -= assembly.bytes;
        self.timed_out.remove(&id);
        Some(assembly)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Share = Share { is_blocked: false, begins: true };
    const FURTHER: Share = Share { is_blocked: false, begins: false };

    fn assembly(id: u64, customer: u64, bytes: u64) -> Assembly {
        let ends_at = ChannelTime::from(jiff::Timestamp::UNIX_EPOCH);
        let reference = u16::try_from(id).unwrap();
        let (id, customer, sequences) = (AssemblyId(id), CustomerId(customer), BTreeSet::from([1]));
        Assembly { id, customer, reference, total: 2, sequences, bytes, ends_at, timed_out: false }
    }

    #[test]
    fn all_customers_together_have_a_limit_of_texts_and_of_bytes() {
        let mut assemblies = Assemblies::default();
        for id in 1..=MAX_OF_ALL as u64 {
            assert!(assemblies.has_room_for(None, 100, FIRST), "{id}");
            assemblies.put(assembly(id, id, 100));
        }
        assert!(!assemblies.has_room_for(None, 100, FIRST));
        assert!(assemblies.has_room_for(Some(CustomerId(1)), 100, FURTHER), "one that waits already may have more");
        assemblies.take(AssemblyId(1));
        assert!(assemblies.has_room_for(None, 100, FIRST));

        let mut assemblies = Assemblies::default();
        for id in 1..=128 {
            assemblies.put(assembly(id, id, MAX_BYTES_OF_CUSTOMER));
        }
        assert!(!assemblies.has_room_for(None, 1, FIRST), "{} bytes", assemblies.bytes);
        assemblies.take(AssemblyId(1));
        assert!(assemblies.has_room_for(None, MAX_BYTES_OF_CUSTOMER, FIRST));
    }

    #[test]
    fn a_few_senders_leave_the_others_their_place() {
        let mut assemblies = Assemblies::default();
        let (mut id, mut senders) = (0, 0);
        while senders < 512 {
            senders += 1;
            while assemblies.has_room_for(Some(CustomerId(senders)), 100, FIRST) {
                id += 1;
                assemblies.put(assembly(id, senders, 100));
            }
        }
        assert!(assemblies.has_room_for(None, 100, FIRST), "{} texts of {senders} senders", assemblies.len());
        let blocked = Share { is_blocked: true, ..FIRST };
        assert!(Assemblies::default().has_room_for(None, 100, blocked), "an opt-out in parts");
        let mut assemblies = Assemblies::default();
        assemblies.put(assembly(1, 1, 100));
        assert!(!assemblies.has_room_for(Some(CustomerId(1)), 100, blocked));
        assert!(assemblies.has_room_for(Some(CustomerId(1)), 100, Share { is_blocked: true, ..FURTHER }));
    }
}
