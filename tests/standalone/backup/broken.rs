//! Files that are no backup, or not this channel's, and volumes without room: nothing is restored, what is there stays, and the reason is said.

use std::{
    fs,
    io::Read as _,
    path::Path,
    process::{Command, Stdio},
};

use aldis::engine::store::{Store, open::Belongs};

use super::{aldis, backup, refusal, report, restore, sha256, some_backup, store_with, text};
use crate::support::volume::Volume;

/// Names and contents of a folder, but for the lock and what a look into a database leaves: an empty log and its index.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let mut found: Vec<_> = files
        .filter(|path| !["engine.db.lock", "engine.db-shm"].contains(&name(path).as_str()))
        .map(|path| (name(&path), fs::read(&path).unwrap()))
        .filter(|(name, bytes)| name != "engine.db-wal" || !bytes.is_empty())
        .collect();
    found.sort();
    found
}

/// Restores over a store and into an empty folder: both refuse, and both are as they were.
fn is_refused(file: &Path, reason: &str) {
    let dir = tempfile::tempdir().unwrap();
    let (_, occupied) = store_with(&dir, "occupied", "+15551230001");
    let empty = dir.path().join("empty");
    fs::create_dir(&empty).unwrap();
    for (folder, more) in [(&occupied, vec!["--replace"]), (&empty, Vec::new())] {
        let before = contents(folder);
        let said = refusal(&restore(folder, file, &more));
        assert!(said.contains(reason), "{reason}: {said}");
        assert!(contents(folder) == before, "{reason}: something changed in {folder:?}");
    }
}

#[test]
fn a_backup_that_was_cut_off_anywhere_is_refused() {
    let (dir, file) = some_backup();
    let whole = fs::read(&file).unwrap();
    let cut = dir.path().join("cut");
    for length in [0, 1, 99] {
        fs::write(&cut, &whole[..length]).unwrap();
        is_refused(&cut, "this is no backup of a store");
    }
    for length in [100, 4096, whole.len() / 2, whole.len() - 101, whole.len() - 1] {
        fs::write(&cut, &whole[..length]).unwrap();
        is_refused(&cut, "the backup is cut off");
    }
    let mut longer = whole;
    longer.push(b'\n');
    fs::write(&cut, longer).unwrap();
    is_refused(&cut, "the backup is not as it was written");
}

#[test]
fn a_bit_that_was_turned_anywhere_is_seen() {
    let (dir, file) = some_backup();
    let whole = fs::read(&file).unwrap();
    let changed = dir.path().join("changed");
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    // In rows, in what is unused, and at the end; the head says itself what is wrong with it.
    for _ in 0..20 {
        let (at, bit) = (random.usize(100..whole.len()), random.u8(0..8));
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << bit;
        fs::write(&changed, bytes).unwrap();
        is_refused(&changed, "the backup is not as it was written");
    }
}

#[test]
fn what_is_no_backup_of_this_channel_is_refused() {
    let (dir, file) = some_backup();
    let other = dir.path().join("other");
    let made = Command::new("sqlite3").arg(&other).arg("CREATE TABLE t (x); PRAGMA application_id = 7;").status();
    assert!(made.unwrap().success());
    is_refused(&other, "it is a database of another program");
    fs::write(&other, "x".repeat(10_000)).unwrap();
    is_refused(&other, "it does not begin as a database");

    let mut newer = fs::read(&file).unwrap();
    newer[60..64].copy_from_slice(&99_u32.to_be_bytes());
    fs::write(&other, newer).unwrap();
    is_refused(&other, "the backup has schema 99, this image knows up to ");

    let (_, sales) = store_with(&dir, "sales", "+15551239999");
    let of_sales = dir.path().join("of-sales");
    backup(&sales, &of_sales);
    let said = refusal(&restore(&dir.path().join("source"), &of_sales, &["--replace"]));
    assert!(
        said.contains("is of +15551239999 of account demo, and this is the volume of +15551230001 of account demo"),
        "{said}"
    );
    let empty = dir.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let said = refusal(&restore(&empty, &of_sales, &["--number", "+15551230001"]));
    assert!(said.contains("is of +15551239999"), "{said}");
}

/// Changes a backup with SQL, and gives it the digest that fits: a digest shows accidents, not what somebody meant to do.
fn crafted(file: &Path, sql: &str) {
    let bytes = fs::read(file).unwrap();
    let end = bytes.len() - 101;
    fs::write(file, &bytes[..end]).unwrap();
    let changed = Command::new("sqlite3").arg(file).arg(sql).output().unwrap();
    assert!(changed.status.success(), "{changed:?}");
    let mut database = fs::read(file).unwrap();
    let trailer = format!("aldis-backup-1 {:020} {}\n", database.len(), sha256(file));
    database.extend(trailer.into_bytes());
    fs::write(file, database).unwrap();
}

#[test]
fn a_file_that_was_crafted_gets_no_id_under_which_an_engine_would_send() {
    let keeps_its_id = "CREATE TRIGGER keeps AFTER UPDATE OF id ON store BEGIN UPDATE store SET id = old.id; END";
    let cases = [
        (keeps_its_id, "it has triggers or views"),
        ("CREATE VIEW customers AS SELECT * FROM customer", "it has triggers or views"),
        ("CREATE VIRTUAL TABLE texts USING fts5(text)", "it has triggers or views"),
        ("UPDATE store SET id = 'mine'", "its store has an id that no engine gives"),
    ];
    for (sql, reason) in cases {
        let (_dir, file) = some_backup();
        crafted(&file, sql);
        is_refused(&file, reason);
    }
    // What changes nothing of it passes: it is refused for what it has, and not for having been changed.
    let (dir, file) = some_backup();
    crafted(&file, "UPDATE store SET commits = commits");
    report(&restore(&dir.path().join("source"), &file, &["--replace"]), false);
}

#[test]
fn a_damaged_store_is_not_backed_up_and_can_be_replaced() {
    let (dir, file) = some_backup();
    let source = dir.path().join("source");
    let store = source.join("engine.db");
    let mut bytes = fs::read(&store).unwrap();
    let page = 4096 * 3..4096 * 4;
    bytes[page].fill(0xFF);
    fs::write(&store, bytes).unwrap();
    let output = aldis(&["backup", "--data-dir", text(&source), "--to", "-"]).output().unwrap();
    assert!(refusal(&output).contains("damaged"), "{output:?}");
    assert!(output.stdout.is_empty(), "there is nothing that could be taken for a backup");
    fs::write(&store, "nothing is left of it").unwrap();
    let said = refusal(&restore(&source, &file, &["--replace"]));
    assert!(said.contains("say with --number whose volume this is"), "{said}");
    report(&restore(&source, &file, &["--replace", "--number", "+15551230001"]), false);
    assert_eq!(fs::read_to_string(source.join("before-restore/engine.db")).unwrap(), "nothing is left of it");
}

#[test]
fn a_volume_without_room_is_left_as_it_is() {
    let (_dir, file) = some_backup();
    let place = tempfile::tempdir().unwrap();
    let volume = Volume::mount(place.path(), 64);
    let (_, data) = store_with(&place, "data", "+15551230001");
    let target = data.join("copy");
    // Less than an engine keeps free would be left.
    volume.leave("others", 8 << 10);
    let output = aldis(&["backup", "--data-dir", text(&data), "--to", text(&target)]).output().unwrap();
    assert!(refusal(&output).contains("bytes free"), "{output:?}");
    assert!(!target.exists());
    // To elsewhere it goes all the same, also from a volume that is full to the last byte; the store is open, as an engine has it.
    let belongs = Belongs { account: "demo".into(), number: "+15551230001".parse().unwrap() };
    let store = Store::open(&data.join("engine.db"), &belongs).unwrap();
    volume.occupy("the-rest", None);
    let elsewhere = tempfile::tempdir().unwrap();
    backup(&data, &elsewhere.path().join("copy"));
    drop(store);
    let before = contents(&data);
    let said = refusal(&restore(&data, &file, &["--replace", "--number", "+15551230001"]));
    assert!(said.contains("enlarge spec.engine.storage.volume.size"), "{said}");
    assert!(contents(&data) == before);
}

#[test]
fn a_restore_that_keeps_the_old_store_leaves_what_an_engine_keeps_free() {
    let (_dir, file) = some_backup();
    let place = tempfile::tempdir().unwrap();
    let volume = Volume::mount(place.path(), 64);
    let (_, data) = store_with(&place, "data", "+15551230001");
    // Enough for both stores and a start, and less than an engine keeps.
    volume.leave("others", 8 << 10);
    let before = contents(&data);
    let said = refusal(&restore(&data, &file, &["--replace"]));
    assert!(said.contains("--remove-replaced") && said.contains("enlarge spec.engine.storage.volume.size"), "{said}");
    assert!(contents(&data) == before);
    let empty = place.path().join("empty");
    fs::create_dir(&empty).unwrap();
    report(&restore(&empty, &file, &[]), false);
}

#[test]
fn a_backup_is_broken_off_when_the_volume_loses_what_an_engine_keeps_free() {
    let place = tempfile::tempdir().unwrap();
    let volume = Volume::mount(place.path(), 64);
    let (_, data) = store_with(&place, "data", "+15551230001");
    let mut backup = aldis(&["backup", "--data-dir", text(&data), "--to", "-"]);
    let mut backup = backup.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It has begun, and waits for a reader.
    let mut stream = backup.stdout.take().unwrap();
    stream.read_exact(&mut [0]).unwrap();
    volume.leave("others", 8 << 10);
    let output = backup.wait_with_output().unwrap();
    drop(stream);
    assert!(refusal(&output).contains("less free than the engine keeps for itself"), "{output:?}");
}
