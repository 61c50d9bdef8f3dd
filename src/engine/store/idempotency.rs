//! Answers to requests with an `Idempotency-Key`, kept so that a repeated request gets the same answer and no second effect.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::{Transaction, codec, error::CommitError};
use crate::engine::core::ids::UserId;

/// How long an answer is kept.
pub const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// A request as it is recognized: keys are the user's own, and one key means one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId {
    /// The user whose token came with it.
    pub user: UserId,
    /// The `Idempotency-Key` header.
    pub key: String,
    /// SHA-256 over method, path and body.
    pub request_hash: [u8; 32],
}

/// The answer that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedAnswer {
    /// HTTP status.
    pub status: u16,
    /// The body, JSON.
    pub body: String,
}

/// What is known of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repetition {
    /// It is new.
    First,
    /// It was answered; the answer is given again.
    Again(RecordedAnswer),
    /// Its key was used for another request.
    KeyReused,
}

impl Transaction<'_> {
    /// Whether a request was answered in the last 24 hours, in an earlier transaction or in this one.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn repetition(&self, request: &RequestId, now: Timestamp) -> Result<Repetition, CommitError> {
        let known: Option<([u8; 32], u16, String)> = self
            .sql
            .prepare_cached("SELECT request_hash, status, body FROM idempotency WHERE user = ? AND key = ? AND at > ?")?
            .query_row(params![request.user.as_str(), request.key, codec::nanos(now - KEPT)], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        Ok(match known {
            None => Repetition::First,
            Some((hash, status, body)) if hash == request.request_hash => {
                Repetition::Again(RecordedAnswer { status, body })
            }
            Some(_) => Repetition::KeyReused,
        })
    }

    /// Keeps the answer to a request, with the effects that this transaction writes.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn record_answer(
        &mut self,
        request: &RequestId,
        answer: &RecordedAnswer,
        now: Timestamp,
    ) -> Result<(), CommitError> {
        self.dirty = true;
        self.sql
            .prepare_cached(
                "INSERT OR REPLACE INTO idempotency (user, key, request_hash, status, body, at)
                 VALUES (?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                request.user.as_str(),
                request.key,
                request.request_hash,
                answer.status,
                answer.body,
                codec::nanos(now)
            ])?;
        Ok(())
    }
}
