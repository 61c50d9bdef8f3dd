//! What the engine's store promises: whose it is, that it is whole after a kill, that it forgets for good, and clear words when
//! it cannot be used.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use aldis::engine::{
    core::{
        command,
        config::ChannelConfig,
        delivery::SendOutcome,
        event::{CloseReason, InboundOutcome},
        ids::{Attempt, InteractionId, MessageId, UserId},
        opt_out::{AnsweredBy, Keyword, OptOut, Texts},
        state::State,
    },
    store::{
        INDEX_AT_ONCE, Store,
        error::{CommitError, OpenError, StoreError},
        idempotency::{RecordedAnswer, Repetition, RequestId},
        open::Belongs,
        read::{InteractionFilter, InteractionState, MessageKind},
        retention::{Retention, SHORTEST_DEDUP},
        write::Cause,
    },
};
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::channel::{Channel, Step, belongs, config, dangling, number};

pub(super) const HELLO: Step = Step::Text { customer: 1, text: "TEXT-hello" };
pub(super) const FINISH: Step = Step::Finish { nth: 0 };

pub(super) fn now() -> Timestamp {
    "2026-11-22T15:10:00Z".parse().unwrap()
}

pub(super) fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.db");
    (dir, path)
}

/// A channel with Ana at her desk.
pub(super) fn channel(path: &Path) -> Channel {
    let mut channel = Channel::open(path, config(), now()).unwrap();
    channel.take(&[Step::Stream { user: "ana", open: true }, Step::Presence { user: "ana", present: true }]);
    channel
}

#[test]
fn a_store_keeps_its_identity_and_counts_its_commits() {
    let (_dir, path) = place();
    let mut channel = channel(&path);
    let (id, commits) = (channel.store.identity().id.clone(), channel.store.commits());
    assert_eq!(channel.take(&[HELLO]).commits, commits + 1);
    assert_eq!(channel.take(&[]).commits, commits + 1, "nothing happened, nothing is written");
    let token = channel.store.receipt_tokens().token(MessageId(7), Attempt(1));
    drop(channel);
    let store = Store::open(&path, &belongs()).unwrap();
    assert_eq!((store.identity().id.as_str(), store.commits()), (id.as_str(), commits + 1));
    assert_eq!(store.receipt_tokens().verify(&token), Some((MessageId(7), Attempt(1))), "tokens outlive a restart");
    let (_dir, other) = place();
    assert_ne!(Store::open(&other, &belongs()).unwrap().identity().id, id);
}

#[test]
fn an_older_copy_has_the_same_id_and_a_lower_counter() {
    let (dir, path) = place();
    let mut channel = channel(&path);
    channel.take(&[HELLO]);
    assert!(channel.store.empty_log().unwrap());
    let copy = dir.path().join("copy.db");
    fs::copy(&path, &copy).unwrap();
    let committed = channel.take(&[FINISH]);
    let restored = Store::open(&copy, &belongs()).unwrap();
    assert_eq!(restored.identity(), channel.store.identity());
    assert!(restored.commits() < committed.commits);
}

#[test]
fn each_store_that_cannot_be_used_says_why() {
    let with_pragma = |pragma: &str| {
        let (dir, path) = place();
        channel(&path);
        Connection::open(&path).unwrap().execute_batch(pragma).unwrap();
        (dir, path)
    };
    let with_bytes = |bytes: &[u8]| {
        let (dir, path) = place();
        fs::write(&path, bytes).unwrap();
        (dir, path)
    };
    let reason = |path: &Path, belongs: &Belongs| Store::open(path, belongs).unwrap_err();

    let (_dir, path) = with_pragma("");
    let other = Belongs { number: number(9), ..belongs() };
    let error = reason(&path, &other);
    assert!(
        matches!(&error, OpenError::BelongsToOther { found_number, .. } if found_number == "+15551230001"),
        "{error}"
    );
    let error = reason(&path, &Belongs { account: "AC2".into(), ..belongs() });
    assert!(matches!(&error, OpenError::BelongsToOther { found_account, .. } if found_account == "AC1"), "{error}");

    let open = Store::open(&path, &belongs()).unwrap();
    assert!(matches!(reason(&path, &belongs()), OpenError::InUse { .. }));
    drop(open);
    Store::open(&path, &belongs()).unwrap();

    let (_dir, path) = with_pragma("PRAGMA user_version = 99");
    assert!(matches!(reason(&path, &belongs()), OpenError::NewerSchema { found: 99, .. }));
    let (_dir, path) = with_pragma("PRAGMA application_id = 5");
    assert!(matches!(reason(&path, &belongs()), OpenError::NotAStore { .. }));
    let (_dir, path) = with_bytes(&[b'x'; 8192]);
    assert!(matches!(reason(&path, &belongs()), OpenError::Store { source: StoreError::Corrupt(_), .. }));
    let error = reason(Path::new("/does/not/exist/store.db"), &belongs());
    assert!(matches!(error, OpenError::Lock { .. }), "{error}");
}

#[test]
fn a_damaged_file_is_never_half_believed() {
    let (_dir, path) = place();
    let mut damaged = channel(&path);
    for _ in 0..200 {
        damaged.take(&[HELLO]);
    }
    assert!(damaged.store.empty_log().unwrap());
    drop(damaged);
    let mut bytes = fs::read(&path).unwrap();
    // The first page says that it is a database; everything behind it is lost.
    bytes[4096..].fill(0xA5);
    fs::write(&path, bytes).unwrap();
    let opened = Store::open(&path, &belongs()).map_err(|error| match error {
        OpenError::Store { source, .. } => source,
        other => panic!("{other}"),
    });
    let error = opened.and_then(|store| store.load(now()).map(drop)).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error}");
}

/// Runs a test of this file on a volume of so many MiB, in a namespace of its own.
fn on_a_volume(mebibytes: u32, test: &str) {
    let program = std::env::current_exe().unwrap();
    let script =
        format!("mount -t tmpfs -o size={mebibytes}m none /mnt && exec \"$0\" --exact engine_store::{test} --ignored");
    let output = Command::new("unshare").args(["-Urm", "sh", "-c", &script]).arg(program).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
}

#[test]
fn a_full_and_a_read_only_volume_are_told_apart() {
    on_a_volume(1, "on_a_small_volume");
}

#[test]
fn a_volume_without_room_for_the_newest_schema_says_how_large_it_must_be() {
    on_a_volume(4, "with_an_old_store_on_a_small_volume");
}

/// A store of schema 9 with so many closed interactions more, whose owners have names of so many characters.
fn old_store(path: &Path, interactions: u32, name: usize) {
    let mut sql = Connection::open(path).unwrap();
    sql.execute_batch(include_str!("../fixtures/store/schema-9.sql")).unwrap();
    let tx = sql.transaction().unwrap();
    for id in 1000..1000 + interactions {
        let interaction =
            "INSERT INTO interaction (id, customer, state, opted_out, arrived_at, at_head, owner, epoch, active_at,
                                      closed_at, close_reason, first_message, last_message)
             VALUES (?1, 1, 'Closed', 0, 1795360000000000000 + ?1, 0, ?2, 1, ?1, ?1, 'Finished', 1, 2)";
        tx.execute(interaction, rusqlite::params![id, format!("{id:0name$}")]).unwrap();
    }
    tx.commit().unwrap();
}

fn schema_of(path: &Path) -> i64 {
    Connection::open(path).unwrap().query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
}

#[test]
#[ignore = "run by a_volume_without_room_for_the_newest_schema_says_how_large_it_must_be, which mounts the volume"]
fn with_an_old_store_on_a_small_volume() {
    let path = Path::new("/mnt/store.db");
    old_store(path, 13_000, 20);
    let error = Store::open(path, &belongs()).unwrap_err();
    let OpenError::NoRoomToUpgrade { from: 9, free, needed, enough, .. } = error else { panic!("{error}") };
    assert!((3_100_000..3_200_000).contains(&needed) && free < needed, "{needed} of {free}");
    assert!(enough > (4 << 20) + needed - free, "{enough}");
    assert!(error.to_string().ends_with("set spec.engine.storage.volume.size to 6Mi or more"), "{error}");
    assert_eq!(schema_of(path), 9, "nothing is half done");

    // What is held in reserve is for this, too.
    assert!(Command::new("mount").args(["-o", "remount,size=8m", "/mnt"]).status().unwrap().success());
    let reserve = Path::new("/mnt/store.db.reserve");
    fs::write(reserve, vec![0; 4 << 20]).unwrap();
    drop(Store::open(path, &belongs()).unwrap());
    assert!(!reserve.exists());
    assert_eq!(schema_of(path), aldis::engine::store::schema::NEWEST);

    // Its indexes take more than can be counted.
    let path = Path::new("/mnt/other.db");
    old_store(path, 2_000, 700);
    let error = Store::open(path, &belongs()).unwrap_err();
    assert!(matches!(error, OpenError::NoRoomToUpgrade { free, needed, .. } if needed == 2 * free), "{error}");
    assert_eq!(schema_of(path), 9);
    let left: Vec<_> = fs::read_dir("/mnt").unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with("-wal")), "what was in vain is gone: {left:?}");
}

#[test]
#[ignore = "run by a_full_and_a_read_only_volume_are_told_apart, which mounts the volume"]
fn on_a_small_volume() {
    let path = Path::new("/mnt/store.db");
    let mut full = channel(path);
    let last = loop {
        let before = full.store.commits();
        let mut tx = full.store.begin().unwrap();
        let text: std::sync::Arc<str> = "x".repeat(20_000).into();
        let contact = command::Contact { address: number(1).into(), customer: None };
        let contact = command::Contact {
            customer: tx.customer_by_address(&contact.address, &mut full.state).unwrap(),
            ..contact
        };
        let inbound = command::Inbound {
            contact,
            text,
            note: None,
            received_at: now(),
            part: None,
            duplicate_of: None,
            provider_keyword: None,
            overtakes: false,
            before_opt_out: false,
        };
        let decision = full.state.execute(&command::Command::Inbound(inbound), now());
        match tx.write(&decision, &Cause::Other, &full.state).and_then(|()| tx.commit(&full.state).map(drop)) {
            Ok(()) => {}
            Err(error) => {
                assert!(matches!(error, CommitError::Store(StoreError::Full(_))), "{error}");
                break before;
            }
        }
    };
    assert!(matches!(full.store.begin(), Err(CommitError::Failed)), "the state is ahead: nothing may follow");
    drop(full);
    let reopened = Store::open(path, &belongs());
    match &reopened {
        Ok(store) => assert_eq!(store.commits(), last, "the failed one left nothing"),
        Err(error) => assert!(matches!(error, OpenError::Store { source: StoreError::Full(_), .. }), "{error}"),
    }
    drop(reopened);
    assert!(Command::new("mount").args(["-o", "remount,ro", "/mnt"]).status().unwrap().success());
    let error = Store::open(path, &belongs()).unwrap_err();
    assert!(
        matches!(error, OpenError::Lock { .. } | OpenError::Store { source: StoreError::ReadOnly(_), .. }),
        "{error}"
    );
}

#[test]
fn a_transaction_that_is_given_up_leaves_nothing_and_ends_the_store() {
    let (_dir, path) = place();
    let mut channel = channel(&path);
    let before = channel.store.commits();
    let decision = channel.state.execute(&command::Command::StorageAccepted, now());
    let mut tx = channel.store.begin().unwrap();
    tx.write(&decision, &Cause::Other, &channel.state).unwrap();
    drop(tx);
    assert!(matches!(channel.store.begin(), Err(CommitError::Failed)));
    drop(channel);
    let store = Store::open(&path, &belongs()).unwrap();
    assert_eq!(store.commits(), before);
    assert_eq!(store.reader().unwrap().events_after(store.last_sequence(), 9).unwrap(), []);
}

/// Commits batches of 50 messages, and says so after each; then writes more than fits into memory, says so, and waits.
#[test]
#[ignore = "run and killed by a_writer_that_is_killed_leaves_whole_transactions"]
fn writer_to_be_killed() {
    let path = PathBuf::from(std::env::var_os("ALDIS_TEST_STORE").unwrap());
    // Answers are written at once, customers' texts with the commit.
    let help = format!("Ж{}", "TEXT-long ".repeat(66));
    let texts = Texts { help, stopped: String::new(), started: String::new() };
    let opt_out = OptOut::new(AnsweredBy::Aldis, [(Keyword::Help, "HELP")], texts);
    let mut channel = Channel::open(&path, ChannelConfig { opt_out, ..config() }, now()).unwrap();
    channel.delivered = channel.state.scalars().next_message.0;
    let batch: Vec<Step> = (0..50).map(|customer| Step::Text { customer, text: "TEXT-hello" }).collect();
    for _ in 0..3 {
        println!("\nacknowledged {}", channel.take(&batch).commits);
    }
    let batch: Vec<Step> = (0..50).map(|customer| Step::Text { customer, text: "HELP" }).collect();
    channel.take_and(&vec![batch; 280].concat(), || {
        println!("\nwritten 0");
        std::thread::park();
    });
}

#[test]
fn a_writer_that_is_killed_leaves_whole_transactions() {
    let (dir, path) = place();
    let (mut committed, mut killed_mid_transaction) = (0, 0);
    for round in 0..8 {
        let mut writer = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "engine_store::writer_to_be_killed", "--ignored", "--nocapture"])
            .env("ALDIS_TEST_STORE", &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines =
            BufReader::new(writer.stdout.take().unwrap()).lines().map_while(Result::ok).filter_map(|line| {
                let (word, commits) = line.split_once(' ')?;
                Some((word == "written", commits.parse::<i64>().ok()?))
                    .filter(|_| word == "written" || word == "acknowledged")
            });
        // In every other round while it waits in the middle of a transaction, else at any moment after a commit.
        for (written, commits) in lines.by_ref().take(if round % 2 == 0 { 4 } else { 1 + round % 3 }) {
            committed = committed.max(commits);
            killed_mid_transaction += usize::from(written);
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        if round % 2 == 0 {
            let log = fs::metadata(dir.path().join("store.db-wal")).unwrap().len();
            assert!(log > 1 << 20, "the transaction had reached the log: {log} bytes");
        }
        check_whole(&path, committed);
    }
    assert_eq!(killed_mid_transaction, 4);
}

fn check_whole(path: &Path, acknowledged: i64) {
    let sql = Connection::open(path).unwrap();
    let count = |query: &str| sql.query_row(query, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(sql.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)).unwrap(), "ok");
    assert!(count("SELECT commits FROM store") >= acknowledged, "what was acknowledged is kept");
    assert_eq!(count("SELECT count(*) % 50 FROM message WHERE direction = 'Inbound'"), 0, "whole batches only");
    assert!(count("SELECT count(*) FROM message") < 14_000, "nothing that was not committed");
    assert_eq!(count("SELECT sum(last - first + 1) FROM event"), count("SELECT last_sequence FROM store"));
    let to_be_indexed = count("SELECT count(*) FROM message WHERE id > (SELECT indexed FROM store)");
    for look_up in ["dedup", "message_of_customer"] {
        let indexed = count(&format!("SELECT count(*) FROM {look_up}"));
        assert_eq!(indexed + to_be_indexed, count("SELECT count(*) FROM message"), "{look_up}");
    }
    drop(sql);
    let channel = Channel::open(path, config(), now()).unwrap();
    assert_eq!(channel.state.interactions().count(), 50);
}

#[test]
fn what_is_forgotten_is_gone_from_the_disk() {
    let (dir, path) = place();
    let mut channel = channel(&path);
    let on_disk = |needle: &str| {
        fs::read_dir(dir.path()).unwrap().any(|file| {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
        })
    };
    channel.take(&[
        Step::Text { customer: 1, text: "TEXT-private" },
        Step::Note { nth: 0 },
        Step::Reply { nth: 0 },
        Step::Answer { nth: 0, outcome: SendOutcome::Accepted },
        FINISH,
        Step::Text { customer: 2, text: "STOP" },
        Step::Answer { nth: 0, outcome: SendOutcome::Accepted },
    ]);
    let retention = Retention::days(30);
    channel.take(&[Step::Pass { seconds: 29 * 86_400 }, Step::Text { customer: 3, text: "TEXT-recent" }]);
    assert_eq!(forget(&mut channel, retention).0, 0, "nothing is too old");
    channel.take(&[Step::Pass { seconds: 2 * 86_400 }]);
    let (rows, steps) = forget(&mut channel, retention);
    assert!(rows > 5 && steps > 1, "{rows} rows in {steps} steps");
    for gone in ["TEXT-private", "TEXT-note", "TEXT-reply", "TEXT-stopped", number(1).as_str()] {
        assert!(!on_disk(gone), "{gone}");
    }
    for kept in ["TEXT-recent", number(2).as_str(), number(3).as_str()] {
        assert!(on_disk(kept), "{kept}: open, or opted out");
    }
    assert_eq!(dangling(&path), 0, "with a message goes all that is kept of it");
    let mut stored = State::new(config().into());
    let customer = channel.store.begin().unwrap().customer_by_address(&number(2).into(), &mut stored).unwrap();
    assert!(stored.customer(customer.unwrap()).unwrap().opted_out);
}

/// Forgets in steps of two rows, with nothing that waits for the look-ups; gives rows and steps.
pub(super) fn forget(channel: &mut Channel, retention: Retention) -> (u64, u32) {
    channel.store.index(INDEX_AT_ONCE).unwrap();
    let (mut rows, mut steps) = (0, 0);
    loop {
        let forgotten = channel.store.forget(retention, channel.now, 2).unwrap();
        rows += forgotten.rows;
        steps += 1;
        if !forgotten.more {
            return (rows, steps);
        }
    }
}

#[test]
fn what_is_open_is_never_forgotten() {
    let (_dir, path) = place();
    let mut channel = channel(&path);
    channel.take(&[Step::Stream { user: "ana", open: false }, HELLO]);
    channel.take(&[Step::Pass { seconds: 400 * 86_400 }]);
    forget(&mut channel, Retention::days(1));
    let detail = channel.store.reader().unwrap().interaction(InteractionId(1)).unwrap().unwrap();
    assert_eq!(detail.interaction.state, InteractionState::Queued);
    assert_eq!(detail.messages.len(), 1);
}

#[test]
fn a_provider_id_is_recognized_for_longer_than_a_gateway_keeps_a_message() {
    let (_dir, path) = place();
    let mut channel = channel(&path);
    channel.take(&[HELLO]);
    assert!(SHORTEST_DEDUP > SignedDuration::from_hours(90 * 24), "a message without a route waits for 90 days");
    let shortest = Retention { contents: SignedDuration::ZERO, dedup: SignedDuration::ZERO };
    channel.now = now() + SHORTEST_DEDUP;
    forget(&mut channel, shortest);
    assert_eq!(channel.repeated_by("in-1"), Some(MessageId(1)));
    drop(channel);
    let mut channel = self::channel(&path);
    channel.now = now() + SHORTEST_DEDUP + SignedDuration::from_nanos(1);
    forget(&mut channel, shortest);
    assert_eq!(channel.repeated_by("in-1"), None);
}

#[test]
fn an_answer_is_kept_with_its_effects_for_a_day() {
    let (_dir, path) = place();
    let mut channel = channel(&path);
    let request = RequestId { user: UserId::from("ana"), key: "k1".into(), request_hash: [1; 32] };
    let answer = RecordedAnswer { status: 200, body: r#"{"message":3}"#.into() };
    let mut tx = channel.store.begin().unwrap();
    assert_eq!(tx.repetition(&request, now()).unwrap(), Repetition::First);
    tx.record_answer(&request, &answer, now()).unwrap();
    assert_eq!(tx.repetition(&request, now()).unwrap(), Repetition::Again(answer.clone()), "in the same batch");
    tx.commit(&channel.state).unwrap();

    let day = SignedDuration::from_hours(24);
    let tx = channel.store.begin().unwrap();
    let almost = now() + day - SignedDuration::from_nanos(1);
    assert_eq!(tx.repetition(&request, almost).unwrap(), Repetition::Again(answer));
    assert_eq!(tx.repetition(&request, now() + day).unwrap(), Repetition::First);
    let other_request = RequestId { request_hash: [2; 32], ..request.clone() };
    assert_eq!(tx.repetition(&other_request, now()).unwrap(), Repetition::KeyReused);
    let other_user = RequestId { user: UserId::from("bo"), ..request };
    assert_eq!(tx.repetition(&other_user, now()).unwrap(), Repetition::First, "keys are the user's own");
}

#[test]
fn a_reader_pages_through_what_is_committed() {
    let (_dir, path) = place();
    let mut channel = channel(&path);
    let reader = channel.store.reader().unwrap();
    for customer in 0..7 {
        channel.take(&[Step::Text { customer, text: "TEXT-hello" }]);
    }
    channel.take(&[Step::Reply { nth: 0 }, Step::Note { nth: 0 }, FINISH]);

    let in_state = |state, newest_first| InteractionFilter { state: Some(state), newest_first, ..Default::default() };
    let pages = |filter: &InteractionFilter| {
        let (mut ids, mut after) = (Vec::new(), None);
        loop {
            let page = reader.interactions(filter, after, 2).unwrap();
            assert!(page.items.len() <= 2);
            ids.extend(page.items.iter().map(|row| row.id.0));
            after = page.next;
            if after.is_none() {
                return ids;
            }
        }
    };
    assert_eq!(pages(&in_state(InteractionState::Queued, false)), [4, 5, 6, 7]);
    assert_eq!(pages(&in_state(InteractionState::Active, true)), [3, 2]);
    assert_eq!(pages(&in_state(InteractionState::Closed, false)), [1]);
    assert_eq!(pages(&InteractionFilter { owner: Some("ana".into()), ..Default::default() }), [1, 2, 3]);
    assert_eq!(reader.interactions(&InteractionFilter::default(), None, 0).unwrap().items.len(), 1);

    let detail = reader.interaction(InteractionId(1)).unwrap().unwrap();
    assert_eq!(detail.interaction.close_reason, Some(CloseReason::Finished));
    assert_eq!(detail.notes[0].text, "TEXT-note");
    let texts: Vec<&str> = detail.messages.iter().map(|message| message.text.as_str()).collect();
    assert_eq!(texts, ["TEXT-hello", "TEXT-reply"]);
    let inbound = MessageKind::Inbound { outcome: InboundOutcome::Queued, received_at: now(), parts: None };
    assert_eq!(detail.messages[0].kind, inbound);
    assert!(reader.interaction(InteractionId(99)).unwrap().is_none());

    let newest = reader.customer_messages(&number(0).into(), None, 1).unwrap().unwrap();
    assert_eq!(newest.items[0].text, "TEXT-reply");
    let older = reader.customer_messages(&number(0).into(), newest.next, 1).unwrap().unwrap();
    assert_eq!((older.items[0].text.as_str(), older.next), ("TEXT-hello", None));
    assert!(reader.customer_messages(&number(50).into(), None, 1).unwrap().is_none());

    assert!(reader.has_event(1).unwrap());
    let last = channel.store.last_sequence();
    assert_eq!(reader.events_after(last - 2, 9).unwrap().len(), 2);
}

/// Where few of many are asked for, each page looks at so many at most, and the pages together find all.
#[test]
fn a_search_among_many_goes_on_page_by_page() {
    let (_dir, path) = place();
    let mut channel = channel(&path);
    let wanted = [8, 1208, 2408];
    for ids in (1..=2500_u64).collect::<Vec<_>>().chunks(100) {
        let steps = ids.iter().flat_map(|id| {
            let end = if wanted.contains(id) { FINISH } else { Step::Close { nth: 0 } };
            [HELLO, Step::Pass { seconds: 1 }, end]
        });
        channel.take(&steps.collect::<Vec<_>>());
    }
    let reader = channel.store.reader().unwrap();
    let reason = aldis::engine::core::event::CloseReason::Finished;
    for newest_first in [false, true] {
        for owner in [Some("ana".into()), None] {
            let customer = owner.is_none().then(|| number(1).into());
            let filter =
                InteractionFilter { close_reason: Some(reason), owner, customer, newest_first, ..Default::default() };
            let (mut found, mut pages, mut after) = (Vec::new(), 0, None);
            loop {
                let page = reader.interactions(&filter, after, 200).unwrap();
                found.extend(page.items.iter().map(|row| row.id.0));
                pages += 1;
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            let mut expected = wanted.to_vec();
            if newest_first {
                expected.reverse();
            }
            assert_eq!((found, pages), (expected, 3), "{filter:?}");
        }
    }
}
