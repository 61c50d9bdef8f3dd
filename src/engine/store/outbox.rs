//! An outbound message's rows: itself, its place in the outbox, its attempts.

use jiff::Timestamp;
use rusqlite::params;

use super::{Transaction, codec, error::CommitError, recent::Appended, write::Contents};
use crate::{
    engine::core::{
        delivery::MessageStatus,
        event::{OutboundEvent, Purpose},
        ids::{Attempt, CustomerId, InteractionId, MessageId},
    },
    sms::Encoding,
};

/// A message to a customer as it is stored.
struct OutboundRow<'d> {
    message: MessageId,
    customer: CustomerId,
    interaction: Option<InteractionId>,
    purpose: &'d Purpose,
    encoding: Encoding,
    segments: u32,
    at: Timestamp,
    own_at: i64,
    text: &'d str,
}

impl Transaction<'_> {
    /// Writes what follows from one event of an outbound message.
    pub(super) fn project_outbound(
        &mut self,
        event: &OutboundEvent,
        at: Timestamp,
        own_at: i64,
        contents: Contents<'_>,
    ) -> Result<(), CommitError> {
        match event {
            OutboundEvent::OutboundCommitted { message, customer, interaction, purpose, encoding, segments } => {
                let (message, customer, interaction) = (*message, *customer, *interaction);
                let (encoding, segments, text) = (*encoding, *segments, contents.message(message)?);
                self.insert_outbound(&OutboundRow {
                    message,
                    customer,
                    interaction,
                    purpose,
                    encoding,
                    segments,
                    at,
                    own_at,
                    text,
                })
            }
            OutboundEvent::AttemptStarted { message, attempt, deadline, .. } => {
                self.start_attempt(*message, *attempt, at, *deadline)
            }
            OutboundEvent::AttemptNotSent { message, attempt, .. } => {
                self.end_attempt(*message, *attempt, at, "NotSent")?;
                self.sql
                    .prepare_cached("UPDATE outbox SET sending_until = NULL WHERE message = ?")?
                    .execute([codec::column(message.0)])?;
                self.set_status(*message, MessageStatus::Waiting)
            }
            OutboundEvent::AttemptEnded { message, attempt, status } => {
                self.end_attempt(*message, *attempt, at, codec::status_columns(*status).0)?;
                self.leave_outbox(*message)?;
                self.set_status(*message, *status)
            }
            OutboundEvent::ResendRequested { message, attempt, .. } => self.enter_outbox_again(*message, *attempt),
            OutboundEvent::OutboundCanceled { message, resend } => {
                self.leave_outbox(*message)?;
                self.set_status(*message, if *resend { MessageStatus::Unknown } else { MessageStatus::Canceled })
            }
            OutboundEvent::ReceiptApplied { message, status } => self.apply_receipt(*message, *status),
            OutboundEvent::ReceiptParked => Ok(()),
        }
    }

    fn insert_outbound(&mut self, row: &OutboundRow<'_>) -> Result<(), CommitError> {
        self.recent.add(Appended { message: row.message, customer: row.customer, provider_id: None });
        let (purpose, user) = codec::purpose_columns(row.purpose);
        self.sql
            .prepare_cached(
                "INSERT INTO message (id, customer, interaction, direction, at, own_at, text, purpose, user, encoding,
                                      segments, status)
                 VALUES (?, ?, ?, 'Outbound', ?, ?, ?, ?, ?, ?, ?, 'Waiting')",
            )?
            .execute(params![
                codec::column(row.message.0),
                codec::column(row.customer.0),
                row.interaction.map(|interaction| codec::column(interaction.0)),
                codec::nanos(row.at),
                row.own_at,
                row.text,
                purpose,
                user,
                codec::encoding_name(row.encoding),
                row.segments,
            ])?;
        self.sql
            .prepare_cached("INSERT INTO outbox (message, attempt) VALUES (?, 0)")?
            .execute([codec::column(row.message.0)])?;
        Ok(())
    }

    fn enter_outbox_again(&self, message: MessageId, attempt: Attempt) -> Result<(), CommitError> {
        self.sql
            .prepare_cached("INSERT INTO outbox (message, attempt, receipt_status) VALUES (?, ?, ?)")?
            .execute(params![codec::column(message.0), attempt.0, MessageStatus::Unknown.name()])?;
        self.set_status(message, MessageStatus::Waiting)
    }

    fn start_attempt(
        &self,
        message: MessageId,
        attempt: Attempt,
        at: Timestamp,
        deadline: Timestamp,
    ) -> Result<(), CommitError> {
        let (id, attempt, deadline) = (codec::column(message.0), attempt.0, codec::nanos(deadline));
        self.sql
            .prepare_cached("INSERT INTO attempt (message, attempt, started_at, deadline) VALUES (?, ?, ?, ?)")?
            .execute(params![id, attempt, codec::nanos(at), deadline])?;
        self.sql
            .prepare_cached("UPDATE outbox SET attempt = ?, sending_until = ? WHERE message = ?")?
            .execute(params![attempt, deadline, id])?;
        self.set_status(message, MessageStatus::Sending)
    }

    /// At the gateway the message stays until the answer is there; else the receipt says that it was sent after all.
    fn apply_receipt(&self, message: MessageId, status: MessageStatus) -> Result<(), CommitError> {
        let (name, class) = codec::status_columns(status);
        let waits_for_answer = self
            .sql
            .prepare_cached(
                "UPDATE outbox SET receipt_status = ?, receipt_class = ?
                 WHERE message = ? AND sending_until IS NOT NULL",
            )?
            .execute(params![name, class, codec::column(message.0)])?;
        if waits_for_answer == 0 {
            self.leave_outbox(message)?;
        }
        self.set_status(message, status)
    }

    fn end_attempt(
        &self,
        message: MessageId,
        attempt: Attempt,
        at: Timestamp,
        outcome: &str,
    ) -> Result<(), CommitError> {
        self.sql
            .prepare_cached("UPDATE attempt SET ended_at = ?, outcome = ? WHERE message = ? AND attempt = ?")?
            .execute(params![codec::nanos(at), outcome, codec::column(message.0), attempt.0])?;
        Ok(())
    }

    fn leave_outbox(&self, message: MessageId) -> Result<(), CommitError> {
        self.sql.prepare_cached("DELETE FROM outbox WHERE message = ?")?.execute([codec::column(message.0)])?;
        Ok(())
    }

    fn set_status(&self, message: MessageId, status: MessageStatus) -> Result<(), CommitError> {
        let (name, class) = codec::status_columns(status);
        self.sql
            .prepare_cached("UPDATE message SET status = ?, failure_class = ? WHERE id = ? AND direction = 'Outbound'")?
            .execute(params![name, class, codec::column(message.0)])?;
        Ok(())
    }
}
