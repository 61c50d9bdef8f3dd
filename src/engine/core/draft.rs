//! A decision in the making: it sees the state as it was before the command, and gathers events, texts and ids.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    command::{Answer, Contact, Content, Decision, Refusal},
    config::{ChannelConfig, Member},
    customer::Customer,
    event::{CustomerEvent, EngineEvent, Event, Happened, InteractionEvent},
    ids::{AssemblyId, CustomerId, DispositionName, InteractionId, MessageId, NoteId, UserId},
    state::{Scalars, State},
};

/// A decision in the making.
pub(super) struct Draft<'s> {
    pub(super) state: &'s State,
    pub(super) now: Timestamp,
    events: Vec<Event>,
    contents: Vec<Content>,
    next: Scalars,
}

impl<'s> Draft<'s> {
    pub(super) fn new(state: &'s State, now: Timestamp) -> Self {
        let now = now.max(state.scalars.last);
        Self { state, now, events: Vec::new(), contents: Vec::new(), next: state.scalars.clone() }
    }

    pub(super) fn into_decision(self, answer: Result<Answer, Refusal>) -> Decision {
        Decision { events: self.events, contents: self.contents, answer }
    }

    pub(super) fn config(&self) -> &'s ChannelConfig {
        &self.state.config
    }

    pub(super) fn push(&mut self, what: impl Into<Happened>) {
        self.events.push(Event { at: self.now, what: what.into() });
    }

    pub(super) fn push_all(&mut self, what: impl IntoIterator<Item = InteractionEvent>) {
        what.into_iter().for_each(|what| self.push(what));
    }

    /// What the store is to keep beside the events.
    pub(super) fn add(&mut self, content: Content) {
        self.contents.push(content);
    }

    /// A new message with its text.
    pub(super) fn new_message(&mut self, text: &Arc<str>) -> MessageId {
        let message = self.next.next_message;
        self.next.next_message = message.next();
        self.contents.push(Content::Message { message, text: text.clone() });
        message
    }

    /// A new text of which not all parts are there.
    pub(super) fn new_assembly(&mut self) -> AssemblyId {
        let assembly = self.next.next_assembly;
        self.next.next_assembly = assembly.next();
        assembly
    }

    pub(super) fn new_interaction(&mut self) -> InteractionId {
        let interaction = self.next.next_interaction;
        self.next.next_interaction = interaction.next();
        interaction
    }

    /// A new note with its text.
    pub(super) fn new_note(&mut self, text: &Arc<str>) -> NoteId {
        let note = self.next.next_note;
        self.next.next_note = note.next();
        self.contents.push(Content::Note { note, text: text.clone() });
        note
    }

    /// The customer whom a command means, made if they are new.
    ///
    /// # Errors
    /// When the shell names a customer whom it did not hydrate: whether they opted out would be a guess.
    pub(super) fn customer<A>(&mut self, contact: &Contact<A>) -> Result<Customer, Refusal>
    where
        A: Clone + Into<crate::sms::Sender>,
    {
        if let Some(id) = contact.customer {
            return self.known_customer(id);
        }
        let sender = contact.address.clone().into();
        let customer = Customer::new(self.next.next_customer, sender.number().is_some());
        self.next.next_customer = customer.id.next();
        self.push(CustomerEvent::CustomerAdded { customer: customer.id, can_receive: customer.can_receive });
        self.contents.push(Content::Customer { customer: customer.id, sender });
        Ok(customer)
    }

    pub(super) fn known_customer(&self, id: CustomerId) -> Result<Customer, Refusal> {
        self.state.customers.get(&id).cloned().ok_or(Refusal::NotHydrated(id))
    }

    /// The member who is this user.
    pub(super) fn member(&self, user: &UserId) -> Result<&'s Member, Refusal> {
        self.config().members.get(user).ok_or_else(|| Refusal::NotAMember(user.clone()))
    }

    /// Refuses who is neither a member nor a supervisor.
    pub(super) fn serving(&self, user: &UserId) -> Result<(), Refusal> {
        self.config().serves(user).then_some(()).ok_or_else(|| Refusal::NotAMember(user.clone()))
    }

    /// Refuses an outcome that the campaign does not have.
    pub(super) fn has_disposition(&self, disposition: Option<&DispositionName>) -> Result<(), Refusal> {
        let unknown = disposition.filter(|chosen| !self.config().dispositions.contains(*chosen));
        unknown.map_or(Ok(()), |chosen| Err(Refusal::NoSuchDisposition(chosen.clone())))
    }

    /// A person vouches for restored storage.
    pub(super) fn storage_accepted(&mut self) {
        let Scalars { next_customer, next_interaction, next_message, next_note, .. } = self.next;
        self.push(EngineEvent::StorageAccepted { next_customer, next_interaction, next_message, next_note });
    }
}
