//! What every controller runs on, whatever its kind: queue, cache, leader election, back-off, errors, events, metrics, settings.

pub mod accounts;
pub mod allow_list;
#[cfg(test)]
pub mod api_fake;
pub mod backoff;
pub mod cache;
pub mod desired_condition;
pub mod error;
pub mod events;
pub mod http;
pub mod index;
pub mod leader;
pub mod metrics;
pub mod queue;
pub mod readable;
pub mod settings;
