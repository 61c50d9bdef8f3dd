//! Writing a decision: its events, and the rows that they change, in one transaction.
//!
//! Messages, attempts, samples and notes follow from the events alone. Customers, open interactions and agents are copied from
//! the state that the events led to, so that the rules of the state machine stand in one place.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::params;

use super::{
    EventLog, Transaction,
    added::InboundRow,
    clock_set, codec,
    error::{CommitError, StoreError},
    recent::Appended,
};
use crate::{
    engine::core::{
        command::{Answer, Content, Decision, KeptPart, ReceiptAnswer},
        event::{
            ClockEvent, CustomerEvent, Event, Happened, InboundEvent, InboundOutcome, InteractionEvent, SampleResult,
        },
        ids::{AssemblyId, BotName, CustomerId, InteractionId, MessageId, NoteId, UserId},
        state::State,
    },
    sms::Sender,
};

/// What a decision came from, as far as the store keeps something of it that is no business of the state machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause<'a> {
    /// A customer's message.
    Inbound {
        /// The provider's id: the same one again is a duplicate.
        provider_message_id: &'a str,
        /// When the gateway got it.
        received_at: Timestamp,
    },
    /// The gateway's answer to an attempt.
    SendResult {
        /// The message that was attempted.
        message: MessageId,
        /// The provider's ids of it, one for each part that has its own: receipts will name these.
        provider_message_ids: &'a [String],
        /// The provider's own code, for people.
        provider_code: Option<&'a str>,
    },
    /// A receipt.
    Receipt {
        /// The message, if it is known.
        message: Option<MessageId>,
        /// The provider's id of it, or of a part of it.
        provider_message_id: &'a str,
        /// Whether that arrived.
        delivered: bool,
        /// The provider's own code, for people.
        provider_code: Option<&'a str>,
    },
    /// Anything else.
    Other,
}

/// The member or the bot that left a note.
#[derive(Clone, Copy)]
enum Author<'a> {
    User(&'a UserId),
    Bot(&'a BotName),
}

/// Texts and addresses of one decision. There are few, mostly one or two.
#[derive(Clone, Copy)]
pub(super) struct Contents<'d>(&'d [Content]);

impl<'d> Contents<'d> {
    fn first_message(self) -> Option<MessageId> {
        let messages = self.0.iter().filter_map(|content| match content {
            Content::Message { message, .. } => Some(*message),
            _ => None,
        });
        messages.min()
    }

    fn customer(self, id: CustomerId) -> Result<&'d Sender, CommitError> {
        let found = self.0.iter().find_map(|content| match content {
            Content::Customer { customer, sender } if *customer == id => Some(sender),
            _ => None,
        });
        found.ok_or_else(|| missing("customer", id))
    }

    pub(super) fn message(self, id: MessageId) -> Result<&'d Arc<str>, CommitError> {
        let found = self.0.iter().find_map(|content| match content {
            Content::Message { message, text } if *message == id => Some(text),
            _ => None,
        });
        found.ok_or_else(|| missing("message", id))
    }

    fn part(self, id: AssemblyId, sequence: u8) -> Option<&'d KeptPart> {
        self.0.iter().find_map(|content| match content {
            Content::Part { assembly, part } if *assembly == id && part.sequence == sequence => Some(part),
            _ => None,
        })
    }

    fn note(self, id: NoteId) -> Result<&'d Arc<str>, CommitError> {
        let found = self.0.iter().find_map(|content| match content {
            Content::Note { note, text } if *note == id => Some(text),
            _ => None,
        });
        found.ok_or_else(|| missing("note", id))
    }
}

impl Transaction<'_> {
    /// Writes a decision. `state` is the state after its events were applied; the same one is given to [`Transaction::commit`].
    ///
    /// # Errors
    /// When the store cannot be written, or the decision lacks the text of a message or the address of a customer.
    pub fn write(&mut self, decision: &Decision, cause: &Cause<'_>, state: &State) -> Result<(), CommitError> {
        self.keep_what_no_event_names(decision, state)?;
        let contents = Contents(&decision.contents);
        let after = state.scalars().next_message;
        let before = contents.first_message().unwrap_or(after);
        for event in &decision.events {
            self.append(event)?;
            let own_at = codec::nanos(state.scalars().clock.at(event.at).timestamp());
            self.project(event, own_at, contents, cause)?;
            self.touched.note(&event.what, event.at, before, after);
        }
        self.keep_cause(cause, decision)
    }

    fn append(&mut self, event: &Event) -> Result<(), CommitError> {
        self.log.body.push(if self.log.count == 0 { b'[' } else { b',' });
        event.write_json(&mut self.log.body).map_err(|error| StoreError::Contents(error.to_string()))?;
        self.log.count += 1;
        self.log.at = codec::nanos(event.at);
        Ok(())
    }

    /// Writes the events of the transaction, of which the last one has the number `last`.
    pub(super) fn write_log(&mut self, last: u64) -> Result<(), CommitError> {
        let EventLog { count, mut body, at } = std::mem::take(&mut self.log);
        if count == 0 {
            return Ok(());
        }
        body.push(b']');
        let body = String::from_utf8(body).map_err(|error| StoreError::Contents(error.to_string()))?;
        self.sql.prepare_cached("INSERT INTO event (last, first, at, body) VALUES (?, ?, ?, ?)")?.execute(params![
            codec::column(last),
            codec::column(last + 1 - count),
            at,
            body
        ])?;
        Ok(())
    }

    /// Keeps the contents that no event names.
    fn keep_what_no_event_names(&mut self, decision: &Decision, state: &State) -> Result<(), CommitError> {
        for content in &decision.contents {
            match content {
                Content::Customer { .. } | Content::Message { .. } | Content::Part { .. } | Content::Note { .. } => {}
                Content::BotValues { interaction, values } => {
                    self.dirty = true;
                    self.keep_values(*interaction, values)?;
                }
                Content::OptOutRepeated { customer, received_at } => {
                    if self.opted_out_at(*customer)?.is_none_or(|at| at < *received_at) {
                        self.dirty = true;
                        self.opt_outs.add(*customer, *received_at, state.scalars().last);
                    }
                }
                Content::OptOutImport { user, source, listed, opted_out } => {
                    self.dirty = true;
                    let at = codec::nanos(state.scalars().last);
                    self.sql
                        .prepare_cached(
                            "INSERT INTO opt_out_import (at, user, source, listed, opted_out) VALUES (?, ?, ?, ?, ?)",
                        )?
                        .execute(params![at, user.as_str(), &**source, listed, opted_out])?;
                }
                Content::BlockedStart { user, number } => {
                    self.dirty = true;
                    self.sql
                        .prepare_cached("INSERT INTO blocked_start (at, user, address) VALUES (?, ?, ?)")?
                        .execute(params![codec::nanos(state.scalars().last), user.as_str(), number.as_str()])?;
                }
                Content::ParkedReceipt { provider_message_id, receipt } => {
                    let (name, class) = codec::delivery_columns(receipt.state);
                    self.dirty = true;
                    self.sql
                        .prepare_cached(
                            "INSERT INTO parked_receipt (provider_id, state, failure_class, at) VALUES (?, ?, ?, ?)",
                        )?
                        .execute(params![provider_message_id, name, class, codec::nanos(state.scalars().last)])?;
                }
            }
        }
        Ok(())
    }

    /// Writes what follows from one event alone. What only the state shows is copied from it at the commit ([`Touched`]).
    ///
    /// [`Touched`]: super::touched::Touched
    /// `own_at` is when it happened in the channel's own time.
    fn project(
        &mut self,
        event: &Event,
        own_at: i64,
        contents: Contents<'_>,
        cause: &Cause<'_>,
    ) -> Result<(), CommitError> {
        let at = event.at;
        match &event.what {
            Happened::Clock(event) => match event {
                ClockEvent::ClockSet { to } => {
                    self.opt_outs.set_back(*to);
                    clock_set::write(&self.sql, *to, at)
                }
                ClockEvent::DayBegan { .. } => {
                    self.sql.prepare_cached("DELETE FROM agent_today")?.execute([])?;
                    Ok(())
                }
                ClockEvent::ClockLeapt { .. } | ClockEvent::Disabled | ClockEvent::Enabled => Ok(()),
            },
            Happened::Customer(event) => match event {
                CustomerEvent::CustomerAdded { customer, .. } => {
                    let address: Arc<str> = contents.customer(*customer)?.as_str().into();
                    self.recent.add_customer(*customer, Arc::clone(&address));
                    self.added.customer(*customer, address);
                    Ok(())
                }
                CustomerEvent::OptedOut { customer, by } => {
                    self.opt_outs.began(*customer, by, at);
                    Ok(())
                }
                CustomerEvent::OptedIn { customer, .. } => {
                    self.opt_outs.ended(*customer);
                    Ok(())
                }
            },
            Happened::Inbound(event) => self.project_inbound(event, at, own_at, contents, cause),
            Happened::Interaction(event) => self.project_interaction(event, at, contents),
            Happened::Outbound(event) => self.project_outbound(event, at, own_at, contents),
            Happened::Engine(_) | Happened::Agent(_) => Ok(()),
        }
    }

    fn project_inbound(
        &mut self,
        event: &InboundEvent,
        at: Timestamp,
        own_at: i64,
        contents: Contents<'_>,
        cause: &Cause<'_>,
    ) -> Result<(), CommitError> {
        let provider_id = match cause {
            Cause::Inbound { provider_message_id, .. } => Some(*provider_message_id),
            Cause::SendResult { .. } | Cause::Receipt { .. } | Cause::Other => None,
        };
        match event {
            InboundEvent::InboundRecorded { message, customer, outcome, interaction, parts } => {
                let (message, customer, interaction, outcome) = (*message, *customer, *interaction, *outcome);
                let received_at = match (parts, cause) {
                    (Some(parts), _) => parts.received_at,
                    (None, Cause::Inbound { received_at, .. }) => *received_at,
                    (None, Cause::SendResult { .. } | Cause::Receipt { .. } | Cause::Other) => at,
                };
                if outcome == InboundOutcome::OptedOut {
                    self.opt_outs.add(customer, received_at, at);
                }
                if let Some(assembly) = parts.as_ref().and_then(|parts| parts.assembly) {
                    self.join_parts(assembly, message, codec::nanos(at))?;
                }
                self.add_inbound(InboundRow {
                    message,
                    customer,
                    interaction,
                    outcome,
                    at: codec::nanos(at),
                    own_at,
                    received_at: codec::nanos(received_at),
                    text: Arc::clone(contents.message(message)?),
                    provider_id: provider_id.map(Arc::from),
                    parts: parts.as_ref().map(codec::json).transpose()?,
                });
                Ok(())
            }
            InboundEvent::PartKept { assembly, sequence, .. } => {
                let part = contents.part(*assembly, *sequence);
                self.keep_part(event, provider_id, Some(part.ok_or_else(|| missing("part", assembly))?))
            }
            InboundEvent::PartRepeated { .. } => self.keep_part(event, provider_id, None),
            InboundEvent::InboundDuplicated { .. } | InboundEvent::PartsTimedOut { .. } => Ok(()),
        }
    }

    fn project_interaction(
        &self,
        event: &InteractionEvent,
        at: Timestamp,
        contents: Contents<'_>,
    ) -> Result<(), CommitError> {
        match event {
            InteractionEvent::ServiceLevelSampled { interaction, result, waited_millis, target_seconds, in_target } => {
                self.insert_sample(*interaction, at, *result, *in_target, [*waited_millis, *target_seconds])
            }
            InteractionEvent::NoteAdded { note, interaction, user } => {
                self.insert_note(*note, *interaction, Author::User(user), at, contents.note(*note)?)
            }
            InteractionEvent::BotNoted { note, interaction, bot } => {
                self.insert_note(*note, *interaction, Author::Bot(bot), at, contents.note(*note)?)
            }
            InteractionEvent::BotStarted { interaction, .. } | InteractionEvent::BotTimedOut { interaction } => {
                self.trace(*interaction, event, at)
            }
            InteractionEvent::BotStepped { interaction, bot, taken, .. } => {
                self.count_failed_calls(bot, taken, at)?;
                self.trace(*interaction, event, at)
            }
            InteractionEvent::BotEnded { interaction, bot, reason, step, .. } => {
                self.count_failure(bot, *reason, step.as_deref(), at)?;
                self.forget_values(*interaction)?;
                self.trace(*interaction, event, at)
            }
            InteractionEvent::InteractionOpened { .. }
            | InteractionEvent::InteractionQueued { .. }
            | InteractionEvent::QueueTimedOut { .. }
            | InteractionEvent::InteractionAssigned { .. }
            | InteractionEvent::InteractionOffered { .. }
            | InteractionEvent::OfferExtended { .. }
            | InteractionEvent::OfferDeclined { .. }
            | InteractionEvent::OfferWithdrawn { .. }
            | InteractionEvent::OfferRested { .. }
            | InteractionEvent::TransferStarted { .. }
            | InteractionEvent::TransferEnded { .. }
            | InteractionEvent::InteractionRequeued { .. }
            | InteractionEvent::InteractionClosed { .. } => Ok(()),
        }
    }

    fn add_inbound(&mut self, row: InboundRow) {
        let provider_id = row.provider_id.clone().map(|provider_id| (provider_id, row.at));
        self.recent.add(Appended { message: row.message, customer: row.customer, provider_id });
        self.added.message(row);
    }

    fn insert_note(
        &self,
        note: NoteId,
        interaction: InteractionId,
        author: Author<'_>,
        at: Timestamp,
        text: &str,
    ) -> Result<(), CommitError> {
        let (user, bot) = match author {
            Author::User(user) => (user.as_str(), None),
            Author::Bot(bot) => ("", Some(bot.as_str())),
        };
        self.sql
            .prepare_cached("INSERT INTO note (id, interaction, user, bot, at, text) VALUES (?, ?, ?, ?, ?, ?)")?
            .execute(params![codec::column(note.0), codec::column(interaction.0), user, bot, codec::nanos(at), text])?;
        Ok(())
    }

    /// `times` are what was waited in milliseconds, and the target in seconds.
    fn insert_sample(
        &self,
        interaction: InteractionId,
        at: Timestamp,
        result: SampleResult,
        in_target: bool,
        times: [u64; 2],
    ) -> Result<(), CommitError> {
        self.sql
            .prepare_cached(
                "INSERT INTO sample (interaction, at, result, in_target, waited_millis, target_seconds)
                 VALUES (?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                codec::column(interaction.0),
                codec::nanos(at),
                codec::sample_result_name(result),
                in_target,
                codec::column(times[0]),
                codec::column(times[1]),
            ])?;
        Ok(())
    }

    /// Keeps the provider's ids and codes. Ids of a message that is not there (any more) are left out.
    fn keep_cause(&mut self, cause: &Cause<'_>, decision: &Decision) -> Result<(), CommitError> {
        match *cause {
            Cause::SendResult { message, provider_message_ids, provider_code } => {
                self.keep_provider_ids(message, provider_message_ids)?;
                if decision.answer.is_ok() {
                    self.forget_parked(provider_message_ids)?;
                }
                self.keep_provider_code(message, provider_code)
            }
            Cause::Receipt { message: Some(message), provider_message_id, delivered, provider_code } => {
                self.keep_reported_id(message, provider_message_id, delivered)?;
                // The code explains the status: one that did not change it stays unsaid.
                if decision.answer == Ok(Answer::Receipt(ReceiptAnswer::Ignored)) {
                    return Ok(());
                }
                self.keep_provider_code(message, provider_code)
            }
            Cause::Receipt { message: None, .. } | Cause::Inbound { .. } | Cause::Other => Ok(()),
        }
    }

    fn keep_provider_code(&mut self, message: MessageId, provider_code: Option<&str>) -> Result<(), CommitError> {
        let Some(code) = provider_code else { return Ok(()) };
        self.dirty = true;
        self.sql
            .prepare_cached("UPDATE message SET provider_code = ? WHERE id = ? AND direction = 'Outbound'")?
            .execute(params![code, codec::column(message.0)])?;
        Ok(())
    }
}

fn missing(what: &str, id: impl std::fmt::Display) -> CommitError {
    CommitError::Store(StoreError::Contents(format!("the decision has no content for {what} {id}")))
}
