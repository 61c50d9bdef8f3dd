//! How the process of every role begins, listens, serves and ends.

pub mod body;
mod connections;
pub mod crypto;
pub mod http_client;
pub mod listen;
pub mod log;
pub mod serve;
pub mod shutdown;
pub mod volume;
