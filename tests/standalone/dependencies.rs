//! The check of dependencies says when it leaves something out. A stand-in for cargo-deny is found in the cache.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use regex::Regex;

/// Runs `testbed/deny` with a cargo-deny that answers `fetch` and `check` with these statuses.
fn deny(fetch: i32, check: i32, required: bool) -> (Output, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let build = fs::read_to_string(root.join("testbed/build")).expect("testbed/build");
    let version =
        Regex::new(r"(?m)^cargo_deny_version=(\S+)$").expect("a pattern").captures(&build).expect("a version");
    let cache = tempfile::tempdir().expect("a folder");
    let bin = cache.path().join(format!("bin/cargo-deny-{}-{}/bin", &version[1], std::env::consts::ARCH));
    fs::create_dir_all(&bin).expect("a folder");
    let calls = cache.path().join("calls");
    let script = format!(
        "#!/bin/sh\necho \"$*\" >>{}\ncase \"$*\" in *fetch*) echo no host >&2; exit {fetch} ;; esac\nexit {check}\n",
        calls.display()
    );
    fs::write(bin.join("cargo-deny"), script).expect("a file");
    fs::set_permissions(bin.join("cargo-deny"), fs::Permissions::from_mode(0o755)).expect("a program");
    let mut command = Command::new(root.join("testbed/deny"));
    command.env("ALDIS_CACHE", cache.path()).env_remove("ALDIS_ADVISORIES");
    if required {
        command.env("ALDIS_ADVISORIES", "required");
    }
    let output = command.output().expect("testbed/deny");
    (output, fs::read_to_string(calls).expect("calls"))
}

#[test]
fn with_the_database_everything_is_checked() {
    let (output, calls) = deny(0, 0, true);
    assert!(output.status.success(), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    assert!(calls.ends_with("check --hide-inclusion-graph\n"), "{calls}");
}

#[test]
fn without_the_database_the_rest_is_checked_and_the_output_says_so() {
    let (output, calls) = deny(1, 0, false);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("advisories NOT CHECKED") && said.contains("no host"), "{said}");
    assert!(calls.ends_with("check --hide-inclusion-graph bans licenses sources\n"), "{calls}");
    assert!(!deny(1, 0, true).0.status.success(), "required, and not checked");
}

#[test]
fn what_the_check_refuses_fails_with_and_without_the_database() {
    assert!(!deny(0, 1, false).0.status.success());
    assert!(!deny(1, 1, false).0.status.success());
}
