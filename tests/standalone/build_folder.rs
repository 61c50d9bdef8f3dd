//! Where a clone builds: outside of it, on any machine.

use std::path::Path;
use std::process::{Command, Output};

fn target(cache: &Path, argument: Option<&str>) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("testbed/target");
    let mut command = Command::new(script);
    command.args(argument).env("ALDIS_CACHE", cache).env_remove("CARGO_TARGET_DIR");
    command.output().expect("testbed/target")
}

fn folder(output: &Output) -> &Path {
    let printed = std::str::from_utf8(&output.stdout).expect("a path");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Path::new(printed.trim_end())
}

#[test]
fn a_machine_that_has_built_nothing_yet_gets_an_empty_folder() {
    let cache = tempfile::tempdir().expect("a folder");
    let first = target(cache.path(), None);
    assert!(folder(&first).starts_with(cache.path()));
    assert!(folder(&first).is_dir());
    assert_eq!(folder(&first), folder(&target(cache.path(), None)), "a clone keeps its folder");
}

#[test]
fn a_new_clone_begins_with_the_dependencies_that_were_saved_and_without_the_crate_itself() {
    let cache = tempfile::tempdir().expect("a folder");
    let first = target(cache.path(), None);
    let deps = folder(&first).join("debug/deps");
    std::fs::create_dir_all(&deps).expect("a folder");
    for built in ["libserde.rlib", "libaldis.rlib"] {
        std::fs::write(deps.join(built), built).expect("a file");
    }
    // As from a clone that is deleted afterwards: its folder goes, what it saved stays.
    std::fs::write(folder(&first).join("clone"), "/nowhere").expect("a file");
    assert!(target(cache.path(), Some("save")).status.success());
    std::fs::rename(folder(&first), cache.path().join("target/of-a-deleted-clone")).expect("another name");

    let second = target(cache.path(), None);
    assert!(!cache.path().join("target/of-a-deleted-clone").exists());
    let deps = folder(&second).join("debug/deps");
    assert!(deps.join("libserde.rlib").exists());
    assert!(!deps.join("libaldis.rlib").exists());
}
