//! The ledger of messages on their way out: committed, attempted, settled.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    clock::SetBack,
    delivery::MessageStatus,
    event::Purpose,
    ids::{Attempt, CustomerId, InteractionId, MessageId},
};

/// An outbound message that waits or is at the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outbound {
    /// The message's id.
    pub message: MessageId,
    /// To whom.
    pub customer: CustomerId,
    /// The interaction that it belongs to.
    pub interaction: Option<InteractionId>,
    /// Why the engine sends it.
    pub purpose: Purpose,
    /// How many messages it takes on the air.
    pub segments: u32,
    /// The last attempt; 0 = none yet.
    pub attempt: Attempt,
    /// When the gateway must have begun with that attempt; none = it waits.
    pub sending_until: Option<Timestamp>,
    /// A receipt that came before the gateway's answer.
    pub receipt: Option<MessageStatus>,
}

impl Outbound {
    /// Whether it is at the gateway.
    pub const fn is_in_flight(&self) -> bool {
        self.sending_until.is_some()
    }
}

/// The messages that wait or are at the gateway, in the order of their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outbox {
    messages: BTreeMap<MessageId, Outbound>,
    by_customer: BTreeMap<CustomerId, BTreeSet<MessageId>>,
    /// The first message of each customer who has none at the gateway.
    ready: BTreeSet<MessageId>,
    at_gateway: BTreeSet<MessageId>,
}

impl Outbox {
    /// A message.
    pub fn get(&self, message: MessageId) -> Option<&Outbound> {
        self.messages.get(&message)
    }

    /// All messages, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Outbound> {
        self.messages.values()
    }

    /// The messages at the gateway, oldest first.
    pub fn at_gateway(&self) -> impl ExactSizeIterator<Item = &Outbound> {
        // Both hold the same ids, always.
        self.at_gateway.iter().map(|message| &self.messages[message])
    }

    /// How many messages there are.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// A customer's messages, oldest first.
    pub fn of(&self, customer: CustomerId) -> impl Iterator<Item = &Outbound> {
        self.by_customer.get(&customer).into_iter().flatten().filter_map(|message| self.messages.get(message))
    }

    /// Whether a customer has messages here.
    pub fn has_customer(&self, customer: CustomerId) -> bool {
        self.by_customer.contains_key(&customer)
    }

    /// The message to send next: the oldest whose customer has none at the gateway and none before it.
    pub fn next(&self) -> Option<&Outbound> {
        self.ready.first().and_then(|message| self.messages.get(message))
    }

    pub(super) fn put(&mut self, outbound: Outbound) {
        let customer = outbound.customer;
        self.by_customer.entry(customer).or_default().insert(outbound.message);
        self.messages.insert(outbound.message, outbound);
        self.make_ready(customer);
    }

    pub(super) fn change(&mut self, message: MessageId, change: impl FnOnce(&mut Outbound)) {
        if let Some(outbound) = self.messages.get_mut(&message) {
            change(outbound);
            let customer = outbound.customer;
            self.make_ready(customer);
        }
    }

    /// Time is set back.
    pub(super) fn set_back(&mut self, back: SetBack) {
        for outbound in self.messages.values_mut() {
            outbound.sending_until = outbound.sending_until.map(|at| back.moved(at));
        }
    }

    pub(super) fn remove(&mut self, message: MessageId) -> Option<Outbound> {
        let outbound = self.messages.remove(&message)?;
        self.ready.remove(&message);
        self.at_gateway.remove(&message);
        if let Some(messages) = self.by_customer.get_mut(&outbound.customer) {
            messages.remove(&message);
            if messages.is_empty() {
                self.by_customer.remove(&outbound.customer);
            }
        }
        self.make_ready(outbound.customer);
        Some(outbound)
    }

    /// Only a customer's first message can be at the gateway: later ones wait for it, and ids only grow.
    fn make_ready(&mut self, customer: CustomerId) {
        let Some(first) = self.by_customer.get(&customer).and_then(BTreeSet::first) else { return };
        let (to, from) = match self.messages.get(first) {
            Some(outbound) if outbound.is_in_flight() => (&mut self.at_gateway, &mut self.ready),
            Some(_) | None => (&mut self.ready, &mut self.at_gateway),
        };
        to.insert(*first);
        from.remove(first);
    }
}

impl FromIterator<Outbound> for Outbox {
    fn from_iter<I: IntoIterator<Item = Outbound>>(messages: I) -> Self {
        let mut outbox = Self::default();
        for outbound in messages {
            outbox.put(outbound);
        }
        outbox
    }
}
