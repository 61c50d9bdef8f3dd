//! Rows of the look-ups by customer, by provider's id and by address.

use std::sync::Arc;

use crate::engine::core::ids::{CustomerId, MessageId};

/// What the look-ups get. Those that wait stand in the order in which they were appended.
#[derive(Debug, Default)]
pub(super) struct LookUpRows {
    pub(super) of_customers: Vec<(CustomerId, MessageId)>,
    /// The provider's ids, with their messages and when these were committed.
    pub(super) identified: Vec<(Arc<str>, MessageId, i64)>,
    pub(super) addresses: Vec<(Arc<str>, CustomerId)>,
}

impl LookUpRows {
    /// A provider's id has a message, which has its customer.
    pub(super) fn is_empty(&self) -> bool {
        self.of_customers.is_empty() && self.addresses.is_empty()
    }
}
