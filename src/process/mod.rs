//! How the process of every role begins, listens, serves and ends.

pub(crate) mod addresses;
pub(crate) mod bodies;
pub(crate) mod body;
mod connections;
pub mod crypto;
pub(crate) mod files;
pub(crate) mod held_room;
pub(crate) mod http_client;
pub(crate) mod listen;
pub mod log;
pub(crate) mod serve;
pub(crate) mod shutdown;
pub(crate) mod volume;
