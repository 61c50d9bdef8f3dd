//! The status of bots.

mod reconcile;

pub(crate) use reconcile::reconcile;
