//! How the process of every role begins, listens and ends.

pub mod crypto;
pub mod listen;
pub mod log;
pub mod shutdown;
