//! Who has opted out, and what supervisors imported.

use jiff::Timestamp;
use serde::Serialize;

use crate::engine::store::read::{OptOutImportRow, OptOutRow, OptedOutBy};

/// A page of those who have opted out.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::engine::http) struct OptOuts {
    /// In the order in which the channel first heard of the customers. Senders without a number are not listed: nothing can be sent to them.
    pub items: Vec<OptOut>,
    /// Asks for the next page, as `?cursor=`; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A customer who has opted out.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::engine::http) struct OptOut {
    /// The customer's number, canonical form.
    pub number: String,
    /// When they opted out; absent for some opt-outs of versions that did not write it down.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub opted_out_at: Option<Timestamp>,
    /// How that came about.
    pub by: OptOutBy,
    /// The supervisor who imported it; absent unless `by` is `Import`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// How an opt-out came about.
#[derive(Clone, Copy, Debug, Serialize, utoipa::ToSchema)]
pub(in crate::engine::http) enum OptOutBy {
    /// The customer wrote an opt-out word.
    Keyword,
    /// The provider says so: it took a text of theirs for an opt-out word, or refused a message to them for an opt-out.
    Provider,
    /// They opted out elsewhere, and a supervisor imported it.
    Import,
}

impl From<OptOutRow> for OptOut {
    fn from(row: OptOutRow) -> Self {
        let (by, user) = match row.by {
            OptedOutBy::Keyword => (OptOutBy::Keyword, None),
            OptedOutBy::Provider => (OptOutBy::Provider, None),
            OptedOutBy::Import(user) => (OptOutBy::Import, Some(user.into())),
        };
        Self { number: row.number, opted_out_at: row.since, by, user }
    }
}

/// How many an import opted out, and how many it did not need to.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::engine::http) struct OptOutsImported {
    /// Customers of the list who are opted out from now on.
    pub opted_out: u32,
    /// Entries of the list that changed nothing: the customer had opted out before, or stands on the list twice.
    pub already_opted_out: u32,
}

/// A page of imports of opt-outs.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::engine::http) struct OptOutImports {
    /// Newest first.
    pub items: Vec<OptOutImport>,
    /// Asks for the next page, as `?cursor=`; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// An import of opt-outs.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::engine::http) struct OptOutImport {
    /// The time of the import.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The supervisor who did it.
    pub user: String,
    /// Where the list came from, in their words.
    pub source: String,
    /// Entries of the list.
    pub listed: u32,
    /// Of these, customers who were not opted out before.
    pub opted_out: u32,
}

impl From<OptOutImportRow> for OptOutImport {
    fn from(row: OptOutImportRow) -> Self {
        let OptOutImportRow { id: _, at, user, source, listed, opted_out } = row;
        Self { at, user: user.into(), source, listed, opted_out }
    }
}
