//! Bots: checked, and summed up over their channels.

mod reconcile;
mod sums;

pub(crate) use reconcile::reconcile;
