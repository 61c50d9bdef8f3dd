//! Parts of long texts, until their text is a message.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    Transaction, codec,
    error::{CommitError, StoreError},
    load::{all, instant},
    lookup::find_seen_now,
};
use crate::{
    engine::core::{
        assembly::Assembly,
        command::{ArrivedPart, Contact, KeptPart, TimedOutParts},
        event::InboundEvent,
        ids::{AssemblyId, CustomerId, MessageId},
        state::State,
    },
    sms::{Part, Sender},
};

/// Writes a text of which not all parts are there as the state has it, or forgets it.
pub(super) fn write_assembly(sql: &Connection, state: &State, id: AssemblyId) -> Result<(), CommitError> {
    let Some(assembly) = state.assembly(id) else {
        sql.prepare_cached("DELETE FROM assembly WHERE id = ?")?.execute([codec::column(id.0)])?;
        return Ok(());
    };
    sql.prepare_cached(
        "INSERT INTO assembly (id, customer, reference, total, ends_at, timed_out) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET ends_at = excluded.ends_at, timed_out = excluded.timed_out",
    )?
    .execute(params![
        codec::column(id.0),
        codec::column(assembly.customer.0),
        assembly.reference,
        assembly.total,
        codec::nanos(assembly.ends_at.timestamp()),
        assembly.timed_out,
    ])?;
    Ok(())
}

impl Transaction<'_> {
    /// The message that a part's id stands for: its text was joined, also by an earlier decision of this transaction.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn joined_as(&self, provider_message_id: &str) -> Result<Option<MessageId>, CommitError> {
        match self.recent.seen(provider_message_id) {
            Some(message) => Ok(Some(message)),
            None => find_seen_now(&self.sql, provider_message_id),
        }
    }

    /// What there is of a part that a customer's device sent, and of those that came before it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn arrived(
        &self,
        part: Part,
        provider_message_id: &str,
        customer: Option<CustomerId>,
        state: &State,
    ) -> Result<ArrivedPart, CommitError> {
        let repeats = self.kept_as(provider_message_id)?;
        let pending = customer.filter(|_| repeats.is_none()).and_then(|customer| state.assembly_of(customer, part));
        let Some(pending) = pending else { return Ok(ArrivedPart { part, repeats, kept: Vec::new(), ids: 0 }) };
        let ids = self
            .sql
            .prepare_cached("SELECT count(*) FROM part WHERE assembly = ?")?
            .query_row([codec::column(pending.id.0)], |row| row.get(0))?;
        Ok(ArrivedPart { part, repeats, kept: self.kept_parts(pending.id)?, ids })
    }

    /// A part that waits and came again from a gateway that does not know parts.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn arrived_again(&self, provider_message_id: &str, state: &State) -> Result<Option<ArrivedPart>, CommitError> {
        // Texts without parts pay nothing for this while none wait.
        if state.assemblies().next().is_none() {
            return Ok(None);
        }
        let Some((id, sequence)) = self.kept_as(provider_message_id)? else { return Ok(None) };
        let of = |assembly: &Assembly| Part::new(assembly.reference, assembly.total, sequence);
        let part = state.assembly(id).and_then(of);
        Ok(part.map(|part| ArrivedPart { part, repeats: Some((id, sequence)), kept: Vec::new(), ids: 0 }))
    }

    fn kept_as(&self, provider_message_id: &str) -> Result<Option<(AssemblyId, u8)>, CommitError> {
        Ok(self
            .sql
            .prepare_cached("SELECT assembly, sequence FROM part WHERE provider_id = ?")?
            .query_row([provider_message_id], |row| Ok((AssemblyId(codec::id(row.get(0)?)), row.get(1)?)))
            .optional()?)
    }

    /// What is there of a text that is waited for no longer. Its customer is hydrated into the state.
    ///
    /// # Errors
    /// When the store cannot be read, or lacks the customer.
    pub fn timed_out_parts(&self, id: AssemblyId, state: &mut State) -> Result<Option<TimedOutParts>, CommitError> {
        let Some(customer) = state.assembly(id).map(|assembly| assembly.customer) else { return Ok(None) };
        if state.customer(customer).is_none()
            && let Some(customer) = self.customer(customer)?
        {
            state.hydrate_customer(customer);
        }
        let mut address = self.sql.prepare_cached("SELECT address FROM customer WHERE id = ?")?;
        let address: String = address.query_row([codec::column(customer.0)], |row| row.get(0))?;
        let contact = Contact { address: Sender::from(address), customer: Some(customer) };
        Ok(Some(TimedOutParts { assembly: id, contact, kept: self.kept_parts(id)? }))
    }

    fn kept_parts(&self, id: AssemblyId) -> Result<Vec<KeptPart>, CommitError> {
        let query = "SELECT sequence, text, note, received_at FROM part
                     WHERE assembly = ? AND text IS NOT NULL ORDER BY sequence";
        Ok(all(&self.sql, query, [codec::column(id.0)], |row| {
            Ok(KeptPart {
                sequence: row.get(0)?,
                text: row.get::<_, String>(1)?.into(),
                note: row.get::<_, Option<String>>(2)?.map(Into::into),
                received_at: instant(row, 3)?.unwrap_or(Timestamp::UNIX_EPOCH),
            })
        })?)
    }

    /// Writes a part that is kept, or one that was there already, of which the id is.
    pub(super) fn keep_part(
        &self,
        event: &InboundEvent,
        provider_id: Option<&str>,
        part: Option<&KeptPart>,
    ) -> Result<(), CommitError> {
        let (assembly, sequence, bytes) = match event {
            InboundEvent::PartKept { assembly, sequence, bytes, .. } => (*assembly, *sequence, Some(*bytes)),
            InboundEvent::PartRepeated { assembly, sequence, differs: false } => (*assembly, *sequence, None),
            // It is a message, which has the id.
            InboundEvent::PartRepeated { differs: true, .. }
            | InboundEvent::PartsTimedOut { .. }
            | InboundEvent::InboundRecorded { .. }
            | InboundEvent::InboundDuplicated { .. } => return Ok(()),
        };
        let Some(provider_id) = provider_id else {
            return Err(CommitError::Store(StoreError::Contents("a part has no id of its provider".into())));
        };
        self.sql
            .prepare_cached(
                "INSERT INTO part (provider_id, assembly, sequence, received_at, text, note, bytes) VALUES (?, ?, ?, ?, ?, ?, ?)
                 ON CONFLICT (provider_id) DO NOTHING",
            )?
            .execute(params![
                provider_id,
                codec::column(assembly.0),
                sequence,
                part.map(|part| codec::nanos(part.received_at)),
                part.map(|part| &*part.text),
                part.and_then(|part| part.note.as_deref()),
                bytes.map(codec::column),
            ])?;
        Ok(())
    }

    /// The parts of a text are a message now, which their ids stand for.
    pub(super) fn join_parts(&self, assembly: AssemblyId, message: MessageId, at: i64) -> Result<(), CommitError> {
        let assembly = codec::column(assembly.0);
        self.sql
            .prepare_cached(
                "INSERT INTO dedup (provider_id, message, at) SELECT provider_id, ?, ? FROM part WHERE assembly = ?
                 ON CONFLICT (provider_id) DO NOTHING",
            )?
            .execute([codec::column(message.0), at, assembly])?;
        self.sql.prepare_cached("DELETE FROM part WHERE assembly = ?")?.execute([assembly])?;
        Ok(())
    }
}
