//! What `make test` shows: which tests run, which ended, and at the end what failed. A stand-in for cargo says what there is to show.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
};

/// Lists three tests. The first runs until the file `go` is there, the second fails, the third is quick; a process stays behind.
const CARGO: &str = r#"#!/bin/bash
cd "$(dirname "$0")"
echo "$*" >>calls
case "$*" in
*--list*)
    echo '   Compiling something' >&2
    printf 'a::slow: test\nb::wrong: test\nc::quick: test\n\n3 tests, 0 benchmarks\n'
    exit
    ;;
esac
sleep 1000 &
echo $! >left
printf '\nrunning 3 tests\n'
until [ -e go ]; do sleep 0.05; done
printf 'test b::wrong ... FAILED\ntest c::quick - should panic ... ok\ntest a::slow ... ok\n'
printf '\nfailures:\n\n---- b::wrong stdout ----\nwhat it said\n\nfailures:\n    b::wrong\n'
printf '\ntest result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n\n'
exit 101
"#;

fn progress(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/progress"));
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").expect("a PATH"));
    command.args(arguments).env("PATH", path).env("ALDIS_TEST_RESULTS", folder.join("results"));
    command.env("RUST_TEST_THREADS", "2").env_remove("TEST").stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn folder_with_cargo() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let cargo = folder.path().join("cargo");
    fs::write(&cargo, CARGO).expect("a file");
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).expect("a program");
    fs::create_dir(folder.path().join("results")).expect("a folder");
    folder
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs the stand-in's tests; lets the slow one end once it is named. The output and the exit code.
fn run_tests(folder: &Path) -> (String, Option<i32>) {
    let mut running = progress(folder, &["test", "unit", "--lib"]).env("TEST", "some").spawn().expect("tests/progress");
    let mut output = BufReader::new(running.stdout.take().expect("its output"));
    let mut shown = String::new();
    while !shown.contains("started  a::slow") {
        assert_ne!(output.read_line(&mut shown).expect("a line"), 0, "it never said that a::slow runs:\n{shown}");
    }
    fs::write(folder.join("go"), "").expect("a file");
    output.read_to_string(&mut shown).expect("the rest");
    (shown, running.wait().expect("an end").code())
}

#[test]
fn tests_are_shown_as_they_go_and_failures_once_more_at_the_end() {
    let folder = folder_with_cargo();
    let (shown, code) = run_tests(folder.path());
    assert_eq!(code, Some(101), "the status is cargo's");
    let lines: Vec<_> = shown.lines().collect();
    assert!(lines.iter().all(|line| line.get(5..).is_some_and(|rest| rest.starts_with("  unit "))), "{shown}");
    for part in ["Compiling something", "FAILED  b::wrong", "ok  a::slow", "what it said"] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    assert!(!shown.contains("c::quick"), "a quick test is counted, not named:\n{shown}");
    assert_eq!(shown.matches("test result: ").count(), 1, "totals are counted from these lines:\n{shown}");
    let calls = fs::read_to_string(folder.path().join("calls")).expect("the calls");
    assert_eq!(calls, "test --lib -- --list some\ntest --lib -- some\n");

    let left = fs::read_to_string(folder.path().join("left")).expect("a process id");
    assert!(Path::new("/proc").join(left.trim()).exists(), "what a test left behind is not waited for");
    assert!(Command::new("kill").arg(left.trim()).status().expect("kill").success());

    let summary = progress(folder.path(), &["summary"]).output().expect("tests/progress");
    let summary = said(&summary);
    let row: Vec<_> =
        summary.lines().find(|line| line.starts_with("unit")).expect("a row").split_whitespace().collect();
    assert_eq!(row[3..], ["2", "1"], "passed and failed:\n{summary}");
    for part in ["slowest tests", "a::slow", "---- b::wrong stdout ----", "what it said"] {
        assert!(summary.contains(part), "{part} is not in\n{summary}");
    }
    assert!(!summary.contains("test result: "), "nothing is counted twice:\n{summary}");
}

#[test]
fn a_check_that_fails_is_shown_with_its_last_lines_and_one_that_is_left_out_is_named() {
    let folder = folder_with_cargo();
    let script = "echo first; echo 'advisories NOT CHECKED: no database'; echo last >&2; exit 3";
    let output = progress(folder.path(), &["run", "lint", "sh", "-c", script]).output().expect("tests/progress");
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let passed = progress(folder.path(), &["run", "lint", "true"]).output().expect("tests/progress");
    assert!(passed.status.success());

    let summary = said(&progress(folder.path(), &["summary"]).output().expect("tests/progress"));
    assert!(summary.contains("lint: advisories NOT CHECKED: no database"), "{summary}");
    let failed = summary.split_once("what failed").expect("a list of failures").1;
    assert!(failed.contains("first") && failed.contains("last"), "{summary}");
}

#[test]
fn the_command_of_ci_counts_what_was_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let make = folder.path().join("make");
    let lines = "00:10  unit  test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured\n\
                 00:12  cluster  test result: FAILED. 3 passed; 2 failed; 1 ignored; 0 measured";
    fs::write(&make, format!("#!/bin/sh\necho '{lines}'\nexit 2\n")).expect("a file");
    fs::set_permissions(&make, fs::Permissions::from_mode(0o755)).expect("a program");
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").expect("a PATH"));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/run");
    let output = Command::new("bash").arg(script).env("PATH", path).output().expect(".ci/run");
    assert_eq!(said(&output).lines().last(), Some("15 passed, 2 failed"));
    assert_eq!(output.status.code(), Some(2));
}
