//! Campaigns: checked, handed to the engines, and summed up.

mod reconcile;
mod sums;
mod validate;

pub use reconcile::{reconcile, unsupported};
pub use sums::{Sums, sum};
pub use validate::{Hours, for_engine, validate};
