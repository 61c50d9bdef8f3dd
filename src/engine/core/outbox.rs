//! The ledger of messages on their way out: committed, attempted, settled.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    clock::SetBack,
    delivery::MessageStatus,
    event::{OutboundEvent, Purpose},
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
    /// How far it is known to have come while it is here: a receipt was faster than the gateway's answer, or it is sent once more and was
    /// `Unknown` before.
    pub reached: Option<MessageStatus>,
    /// It is sent once more, since nobody knows what came of it before.
    pub resend: bool,
}

impl Outbound {
    /// Whether it is at the gateway.
    pub const fn is_in_flight(&self) -> bool {
        self.sending_until.is_some()
    }

    /// Whether nothing says that it was sent: it may go once more when nothing of it left the house.
    pub(super) const fn may_go_again(&self) -> bool {
        matches!(self.reached, None | Some(MessageStatus::Unknown))
    }

    /// It is given up before this attempt.
    pub(super) fn canceled(&self) -> OutboundEvent {
        OutboundEvent::OutboundCanceled { message: self.message, resend: self.resend }
    }
}

/// The messages that wait or are at the gateway, in the order of their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outbox {
    messages: BTreeMap<MessageId, Outbound>,
    by_customer: BTreeMap<CustomerId, BTreeSet<MessageId>>,
    /// Of each customer the message that is at the gateway, or else the first.
    heads: BTreeMap<CustomerId, MessageId>,
    /// The heads that wait.
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
        let (customer, message) = (outbound.customer, outbound.message);
        self.by_customer.entry(customer).or_default().insert(message);
        self.messages.insert(message, outbound);
        self.find_head(customer, message);
    }

    pub(super) fn change(&mut self, message: MessageId, change: impl FnOnce(&mut Outbound)) {
        if let Some(outbound) = self.messages.get_mut(&message) {
            change(outbound);
            let customer = outbound.customer;
            self.find_head(customer, message);
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
        if let Some(messages) = self.by_customer.get_mut(&outbound.customer) {
            messages.remove(&message);
            if messages.is_empty() {
                self.by_customer.remove(&outbound.customer);
            }
        }
        self.find_head(outbound.customer, message);
        Some(outbound)
    }

    /// What is at the gateway stays the head, though a message that is sent once more stands before it.
    fn find_head(&mut self, customer: CustomerId, changed: MessageId) {
        let before = self.heads.remove(&customer);
        if let Some(before) = before {
            self.ready.remove(&before);
            self.at_gateway.remove(&before);
        }
        let is_in_flight = |message: &MessageId| self.messages.get(message).is_some_and(Outbound::is_in_flight);
        let in_flight = before.into_iter().chain([changed]).find(is_in_flight);
        let first = || self.by_customer.get(&customer).and_then(BTreeSet::first).copied();
        let (head, of) = match in_flight {
            Some(head) => (head, &mut self.at_gateway),
            None => match first() {
                Some(head) => (head, &mut self.ready),
                None => return,
            },
        };
        of.insert(head);
        self.heads.insert(customer, head);
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
