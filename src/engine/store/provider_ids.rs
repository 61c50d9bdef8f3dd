//! The provider's ids of outbound messages, and receipts that came before the answer that names one of them.
//!
//! A provider that sends a long text in parts gives each part an id and reports each by itself. Such a message is delivered when all of them are; until
//! then a part that arrived means that the message is on its way.

use rusqlite::params;

use super::{Transaction, codec, error::CommitError};
use crate::engine::core::{
    delivery::{DeliveryState, ParkedReceipt},
    ids::MessageId,
};

const DELIVERED: &str = "Delivered";

impl Transaction<'_> {
    /// Receipts that were parked under one of the ids of an answer, oldest first, as they speak of the whole message.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn parked(&self, provider_message_ids: &[String]) -> Result<Vec<ParkedReceipt>, CommitError> {
        let mut statement = self.sql.prepare_cached(
            "SELECT id, state, failure_class FROM parked_receipt WHERE provider_id = ? ORDER BY id LIMIT 100",
        )?;
        let mut found = Vec::new();
        let mut all_delivered = true;
        for provider_id in provider_message_ids {
            let mut is_delivered = false;
            let mut rows = statement.query([provider_id])?;
            while let Some(row) = rows.next()? {
                let (name, class): (String, Option<String>) = (row.get(1)?, row.get(2)?);
                let state = codec::delivery(&name, class.as_deref())?;
                is_delivered |= state == DeliveryState::Delivered;
                found.push((row.get::<_, i64>(0)?, ParkedReceipt { state }));
            }
            all_delivered &= is_delivered;
        }
        found.sort_by_key(|(id, _)| *id);
        let of_all = |(_, receipt): (i64, ParkedReceipt)| match receipt.state {
            DeliveryState::Delivered if !all_delivered => ParkedReceipt { state: DeliveryState::Sent },
            _ => receipt,
        };
        Ok(found.into_iter().map(of_all).collect())
    }

    /// Whether there are parts beside this one of which nobody has reported yet that they arrived.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn has_undelivered_parts_beside(&self, provider_message_id: &str) -> Result<bool, CommitError> {
        let found = self
            .sql
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM provider_message this JOIN provider_message other USING (answer)
                 WHERE this.provider_id = ?1 AND other.provider_id <> ?1 AND NOT other.delivered)",
            )?
            .query_row([provider_message_id], |row| row.get(0))?;
        Ok(found)
    }

    /// Keeps the ids of an answer; none for a message that is not there any more. Parked receipts say which parts have arrived.
    pub(super) fn keep_provider_ids(&mut self, message: MessageId, ids: &[String]) -> Result<(), CommitError> {
        let answer = ids.first().filter(|_| ids.len() > 1);
        for provider_id in ids {
            let kept = self
                .sql
                .prepare_cached(
                    "INSERT INTO provider_message (provider_id, message, answer, delivered)
                     SELECT ?1, id, ?3, EXISTS (SELECT 1 FROM parked_receipt WHERE provider_id = ?1 AND state = ?4)
                     FROM message WHERE id = ?2 AND direction = 'Outbound'
                     ON CONFLICT DO UPDATE SET answer = excluded.answer, delivered = max(delivered, excluded.delivered)
                     WHERE message = excluded.message AND excluded.answer IS NOT NULL",
                )?
                .execute(params![provider_id, codec::column(message.0), answer, DELIVERED])?;
            self.dirty |= kept > 0;
        }
        Ok(())
    }

    /// Keeps an id that a receipt names, and whether what it stands for arrived.
    pub(super) fn keep_reported_id(
        &mut self,
        message: MessageId,
        provider_id: &str,
        delivered: bool,
    ) -> Result<(), CommitError> {
        let kept = self
            .sql
            .prepare_cached(
                "INSERT INTO provider_message (provider_id, message, delivered)
                 SELECT ?1, id, ?3 FROM message WHERE id = ?2 AND direction = 'Outbound'
                 ON CONFLICT DO UPDATE SET delivered = 1 WHERE excluded.delivered AND NOT provider_message.delivered",
            )?
            .execute(params![provider_id, codec::column(message.0), delivered])?;
        self.dirty |= kept > 0;
        Ok(())
    }

    pub(super) fn forget_parked(&mut self, ids: &[String]) -> Result<(), CommitError> {
        for provider_id in ids {
            self.sql.prepare_cached("DELETE FROM parked_receipt WHERE provider_id = ?")?.execute([provider_id])?;
        }
        Ok(())
    }
}
