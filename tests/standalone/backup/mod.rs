//! Backups of an engine that goes on working, and their way back: `aldis backup` and `aldis restore` as a person runs them.

mod broken;
mod killed;
mod restored;

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use aldis::wire::ports;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    desk::Desk,
    engine::{CHANNEL, DESK, Engine, sqlite},
    gateway_fake::FakeGateway,
};

/// Backups at least that are taken while customers write and an agent answers so often.
const BACKUPS: usize = 12;
/// Customers who write at once, one text after the other.
const CUSTOMERS: usize = 8;

/// What `aldis` said of itself: the line of JSON.
fn report(output: &Output, to_standard_error: bool) -> Value {
    let text = if to_standard_error { &output.stderr } else { &output.stdout };
    let text = String::from_utf8_lossy(text);
    assert!(output.status.success(), "{text} {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Why it did not do what it was told.
fn refusal(output: &Output) -> String {
    assert!(!output.status.success(), "it did: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn aldis(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aldis"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Takes a backup of the store in a folder; what was said of it.
fn backup(data: &Path, to: &Path) -> Value {
    report(&aldis(&["backup", "--data-dir", text(data), "--to", text(to)]).output().unwrap(), false)
}

/// Restores a backup into a folder.
fn restore(data: &Path, from: &Path, more: &[&str]) -> Output {
    aldis(&["restore", "--data-dir", text(data), "--from", text(from)]).args(more).output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn data(engine: &Engine) -> PathBuf {
    engine.dir.path().join("data")
}

/// Ana's client.
fn ana(engine: &Engine) -> Desk {
    let url = format!("http://{}:{}", engine.address, ports::PUBLIC);
    Desk::new(&url, CHANNEL, &engine.issuer.token("ana", DESK))
}

/// The SHA-256 of a file, as `sha256sum` says it.
fn sha256(file: &Path) -> String {
    let sum = Command::new("sha256sum").arg(file).output().unwrap();
    String::from_utf8(sum.stdout).unwrap().split_whitespace().next().unwrap().to_owned()
}

/// What other programs see in a backup: SQLite opens it as it is.
fn rows(backup: &Path, query: &str) -> Vec<Value> {
    sqlite(Path::new(&format!("file:{}?immutable=1", text(backup))), query)
}

/// A store in which nothing is going on, and a backup of it.
fn some_backup() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let (_store, data) = store_with(&dir, "source", "+15551230001");
    let to = dir.path().join("backup");
    backup(&data, &to);
    (dir, to)
}

/// A store for a number, in a folder of its own.
fn store_with(dir: &TempDir, name: &str, number: &str) -> (String, PathBuf) {
    use aldis::engine::store::{Store, open::Belongs};
    let data = dir.path().join(name);
    fs::create_dir(&data).unwrap();
    let belongs = Belongs { account: "demo".into(), number: number.parse().unwrap() };
    let store = Store::open(&data.join("engine.db"), &belongs).unwrap();
    (store.identity().id.clone(), data)
}

/// What the engine acknowledged so far.
#[derive(Clone, Default)]
struct Acknowledged {
    texts: Arc<Mutex<Vec<String>>>,
    replies: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
}

impl Acknowledged {
    /// A customer who writes one text after the other. Each must be taken.
    async fn customer_writes(self, engine: Arc<Engine>, customer: usize) {
        let from = format!("+1555987{customer:04}");
        for nth in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let id = format!("SM-{customer}-{nth}");
            let (status, body) = engine.inbound(&id, &from, &format!("text {nth} of {customer}")).await;
            assert_eq!(status, 200, "{body}");
            self.texts.lock().push(id);
        }
    }

    /// Ana, who answers everybody in turn.
    async fn agent_answers(self, engine: Arc<Engine>) {
        for nth in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let page = engine.get("ana", "/v1/channels/support/interactions?owner=ana&state=Active").await;
            let Some(interaction) = page["items"].as_array().and_then(|items| items.get(nth % items.len().max(1)))
            else {
                continue;
            };
            let text = format!("reply {nth}");
            let path = format!("/v1/channels/{CHANNEL}/interactions/{}/reply", interaction["id"]);
            let body = json!({ "epoch": interaction["epoch"], "text": text });
            let (status, said) = engine.post("ana", &path, body).await;
            assert_eq!(status, 202, "{said}");
            self.replies.lock().push(text);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_backup_of_a_busy_engine_is_whole_and_has_all_that_was_acknowledged_before_it() {
    let gateway = FakeGateway::start().await;
    let engine = Engine::start(&gateway.url, |_| {}).await;
    engine.presence("ana", true).await;
    let _online = ana(&engine).be_online();
    let engine = Arc::new(engine);
    let acknowledged = Acknowledged::default();
    let mut work: Vec<_> = (0..CUSTOMERS)
        .map(|customer| tokio::spawn(acknowledged.clone().customer_writes(Arc::clone(&engine), customer)))
        .collect();
    work.push(tokio::spawn(acknowledged.clone().agent_answers(Arc::clone(&engine))));
    let dir = tempfile::tempdir().unwrap();
    let mut counts = Vec::new();
    while counts.len() < BACKUPS || acknowledged.replies.lock().len() < BACKUPS {
        let nth = counts.len();
        let (texts, replies) = (acknowledged.texts.lock().clone(), acknowledged.replies.lock().clone());
        let to = dir.path().join(format!("backup-{nth}"));
        let (store, file) = (data(&engine), to.clone());
        let is_stream = nth % 2 == 1;
        let said = tokio::task::spawn_blocking(move || {
            if !is_stream {
                return backup(&store, &file);
            }
            let mut stream = aldis(&["backup", "--data-dir", text(&store), "--to", "-"]);
            report(&stream.stdout(File::create(&file).unwrap()).output().unwrap(), true)
        })
        .await
        .unwrap();
        assert_eq!(said["sha256"], sha256(&to), "{said}");
        assert_eq!(said["bytes"], fs::metadata(&to).unwrap().len());
        assert_eq!(rows(&to, "PRAGMA integrity_check")[0]["integrity_check"], "ok");
        assert!(rows(&to, "PRAGMA foreign_key_check").is_empty());
        let stored = |query: &str| -> Vec<String> {
            rows(&to, query).iter().map(|row| row["it"].as_str().unwrap().to_owned()).collect()
        };
        let stored_texts =
            stored("SELECT provider_id AS it FROM message WHERE direction = 'Inbound' ORDER BY provider_id");
        let stored_replies = stored("SELECT text AS it FROM message WHERE direction = 'Outbound' ORDER BY text");
        assert!(texts.iter().all(|id| stored_texts.binary_search(id).is_ok()), "acknowledged before, and not in it");
        assert!(replies.iter().all(|reply| stored_replies.binary_search(reply).is_ok()), "a reply is not in it");
        counts.push(stored_texts.len());
    }
    acknowledged.stop.store(true, Ordering::Relaxed);
    for worker in work {
        worker.await.unwrap();
    }
    assert!(counts.is_sorted() && counts.first() < counts.last(), "the engine went on meanwhile: {counts:?}");
}

#[test]
fn a_file_is_for_its_owner_alone_and_replaces_none() {
    let (dir, to) = some_backup();
    assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
    let source = dir.path().join("source");
    let again = aldis(&["backup", "--data-dir", text(&source), "--to", text(&to)]).output().unwrap();
    assert!(refusal(&again).contains("cannot be written"), "{again:?}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing else is left");
    let nowhere = aldis(&["backup", "--data-dir", text(dir.path()), "--to", "-"]).output().unwrap();
    assert!(refusal(&nowhere).contains("there is no store at "), "{nowhere:?}");
    assert!(nowhere.stdout.is_empty());
}

#[test]
fn a_backup_that_nobody_reads_is_broken_off() {
    let (dir, _) = some_backup();
    let source = dir.path().join("source");
    let arguments = ["backup", "--data-dir", text(&source), "--to", "-", "--timeout-seconds", "1"];
    // A pipe that is full, and has a reader who sleeps.
    let mut child = aldis(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let sleeping = child.stdout.take();
    let output = child.wait_with_output().unwrap();
    drop(sleeping);
    assert!(refusal(&output).contains("takes longer than --timeout-seconds"), "{output:?}");
}
