//! Campaigns: checked, handed to the engines, and summed up.

mod reconcile;
mod sums;
mod validate;

pub use reconcile::{in_hours, reconcile, unsupported};
pub use sums::{Sums, sum};
pub use validate::{Fault, Faults, Hours, ValidCampaign, for_engine, validate};
