//! Logs: lines for a person at a terminal, JSON for everything else, both on standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// The environment variable that says what is logged, in the syntax of `tracing`'s filters, such as `aldis=debug,info`.
pub const FILTER_VARIABLE: &str = "ALDIS_LOG";

/// Begins to log. Without a usable [`FILTER_VARIABLE`] everything from `info` upwards is logged. Calling it again does nothing.
pub fn begin() {
    let filter = EnvFilter::try_from_env(FILTER_VARIABLE).unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // Both only fail when a subscriber was set already, which is as good.
    let _ = if io::stderr().is_terminal() {
        logs.with_target(false).try_init()
    } else {
        logs.json().flatten_event(true).try_init()
    };
}
