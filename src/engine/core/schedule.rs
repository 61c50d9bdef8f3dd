//! When the campaign is open: [`crate::hours`], which the operator uses as well.

pub use crate::hours::{InvalidTimeRange, Schedule, TimeRange};
