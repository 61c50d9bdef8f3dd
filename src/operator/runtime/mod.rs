//! What every controller runs on, whatever its kind: queue, cache, leader election, back-off, errors, events, metrics, settings.

pub(super) mod accounts;
pub(super) mod allow_list;
#[cfg(test)]
pub(crate) mod api_fake;
pub(super) mod backoff;
pub(super) mod cache;
pub(super) mod desired_condition;
pub(super) mod error;
pub(super) mod events;
pub(super) mod index;
pub(super) mod leader;
pub(super) mod lenient;
pub(super) mod metrics;
pub(super) mod object_key;
pub(super) mod packed;
pub(super) mod queue;
pub(super) mod readable;
pub(super) mod settings;
