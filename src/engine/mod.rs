//! The engine of one channel: durable queue, agents, outbox.

mod backup;
mod bot_metrics;
mod bots;
mod clock;
pub mod config;
pub mod core;
mod due_parts;
pub(crate) mod event_schemas;
mod feed;
pub(crate) mod http;
mod inbox;
mod keyword;
mod metric_name;
mod metrics;
mod open_streams;
mod resolve;
mod restore;
mod run;
mod sender;
mod shown;
mod single_writer;
mod single_writer_room;
mod status;
pub mod store;

pub use backup::{BackupArgs, backup};
pub use restore::{RestoreArgs, restore};
pub use run::{Args, EngineError, run};
