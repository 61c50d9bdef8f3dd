//! Campaigns: checked, handed to the engines, and summed up.

mod faults;
mod reconcile;
mod schedule;
mod sums;
mod validate;

pub(crate) use reconcile::reconcile;
pub(crate) use sums::{Sums, sum};
pub(crate) use validate::{Hours, for_engine, validate};
