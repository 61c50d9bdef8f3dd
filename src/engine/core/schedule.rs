//! When the campaign is open: [`crate::hours`], which the operator uses as well.

pub use crate::hours::{Day, InvalidTimeRange, Schedule, TimeRange};
