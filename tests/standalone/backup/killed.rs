//! A restore that is killed, or whose power fails, before any one of its steps: the store is the old one or the new one, whole, and the next
//! one to look is an engine or another restore.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Output},
};

use aldis::{
    engine::store::{Store, open::Belongs},
    wire::store_id,
};

use super::{aldis, backup, refusal, report, restore, store_with, text};
use crate::support::{disk::Disk, engine::sqlite};

const NUMBER: &str = "+15551230001";

fn belongs() -> Belongs {
    Belongs { account: "demo".into(), number: NUMBER.parse().unwrap() }
}

/// Restores over the store on a disk, up to a step.
fn restore_until(disk: &Disk, data: &Path, file: &Path, step: u64) -> Output {
    let mut command = aldis(&["restore", "--replace", "--data-dir", text(data), "--from", text(file)]);
    command.envs(disk.environment(Some(step))).output().unwrap()
}

/// Text by which two stores of a number differ.
fn mark(data: &Path, text: &str) {
    let insert =
        format!("INSERT INTO opt_out_import (at, user, source, listed, opted_out) VALUES (1, 'ana', '{text}', 0, 0)");
    // As after a kill: what was written last stands in the log only.
    let mut sqlite = Command::new("sqlite3");
    sqlite.args(["-cmd", ".dbconfig no_ckpt_on_close on", "-cmd", "PRAGMA wal_autocheckpoint = 0"]);
    let written = sqlite.arg(data.join("engine.db")).arg(insert).output().unwrap();
    assert!(written.status.success(), "{written:?}");
    assert!(fs::metadata(data.join("engine.db-wal")).unwrap().len() > 0);
}

fn marks(data: &Path) -> Vec<String> {
    let rows = sqlite(&data.join("engine.db"), "SELECT source FROM opt_out_import");
    rows.iter().map(|row| row["source"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_restore_that_is_killed_before_any_step_leaves_the_old_store_or_the_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let (new, source) = store_with(&dir, "source", NUMBER);
    mark(&source, "new");
    let file = dir.path().join("backup");
    backup(&source, &file);
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut seen = [0, 0];
    for with_power_loss in [false, true] {
        for step in 1.. {
            let name = format!("data-{with_power_loss}-{step}");
            let (old, data) = store_with(&dir, &name, NUMBER);
            mark(&data, "old");
            let mut disk = Disk::under(&data);
            let output = restore_until(&disk, &data, &file, step);
            if with_power_loss {
                disk.lose_power(&mut random);
            }
            let opened =
                Store::open(&data.join("engine.db"), &belongs()).unwrap_or_else(|error| panic!("step {step}: {error}"));
            let id = opened.identity().id.clone();
            drop(opened);
            let is_new = store_id::origin(&id) == new;
            assert!(id == old || is_new, "step {step}: {id}");
            assert_eq!(marks(&data), [if is_new { "new" } else { "old" }], "step {step}: each with its own log");
            assert_eq!(sqlite(&data.join("engine.db"), "PRAGMA integrity_check")[0]["integrity_check"], "ok");
            assert_eq!(data.join("before-restore").exists(), is_new, "step {step}");
            assert!(!data.join("engine.db.restoring").exists() && !data.join("engine.db.restored").exists());
            seen[usize::from(is_new)] += 1;
            if is_new {
                let kept = data.join("before-restore");
                assert_eq!(marks(&kept), ["old"], "step {step}: the old one is kept with all that it had");
            }
            if output.status.success() {
                assert!(is_new, "step {step}: it said that it had restored");
                break;
            }
            // Whoever tries again gets there.
            if !is_new {
                let again = aldis(&["restore", "--replace", "--data-dir", text(&data), "--from", text(&file)]).output();
                report(&again.unwrap(), false);
                assert_eq!(marks(&data), ["new"]);
            }
            fs::remove_dir_all(&data).unwrap();
        }
    }
    assert!(seen[0] > 10 && seen[1] > 4, "{seen:?}");
}

#[test]
fn a_restore_whose_disk_fails_behind_its_decision_says_that_the_backup_counts_and_is_ended_by_the_next_try() {
    let dir = tempfile::tempdir().unwrap();
    let (new, source) = store_with(&dir, "source", NUMBER);
    mark(&source, "new");
    let file = dir.path().join("backup");
    backup(&source, &file);
    let (_, data) = store_with(&dir, "data", NUMBER);
    mark(&data, "old");
    // A name that leads to nowhere: the folder for the old store cannot be made.
    let kept = data.join("before-restore");
    symlink(dir.path().join("nowhere/before-restore"), &kept).unwrap();
    let said = refusal(&restore(&data, &file, &["--replace"]));
    assert!(said.contains("the backup counts from now on"), "{said}");
    fs::remove_file(&kept).unwrap();
    assert!(refusal(&restore(&data, &file, &["--replace"])).contains("--remove-replaced"));
    let opened = Store::open(&data.join("engine.db"), &belongs()).unwrap();
    assert_eq!(store_id::origin(&opened.identity().id), new);
    drop(opened);
    assert_eq!((marks(&data), marks(&kept)), (vec!["new".to_owned()], vec!["old".to_owned()]));
}
