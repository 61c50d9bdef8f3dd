//! Campaigns: checked, handed to the engines, and summed up.

mod sums;
mod validate;

pub use sums::{Sums, sum};
pub use validate::{Fault, Faults, Hours, ValidCampaign, for_engine, validate};
