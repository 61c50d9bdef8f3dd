//! Opening the database: lock, checks, settings, identity.

use std::{fmt, path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, config::DbConfig, params};

use super::{
    codec,
    error::{OpenError, StoreError},
    lock::Lock,
    receipt_token::KEY_LENGTH,
    recent::Recent,
    schema, swap, upgrade,
};
use crate::{engine::core::state::Scalars, sms::PhoneNumber, wire::store_id};

/// How long a statement waits for another process (a person's `sqlite3`, a backup) to let go of the database.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// `PRAGMA application_id` of a store: "ALDI". The file command and other programs tell by it whose file this is.
pub(super) const APPLICATION_ID: i32 = 0x414C_4449;

/// What a store belongs to. It never changes: another number is another channel with another store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Belongs {
    /// The provider account.
    pub account: String,
    /// The channel's number.
    pub number: PhoneNumber,
}

/// A store's id, and what it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// 128 random bits in hex, made with the store; a restored copy's has an end of its own.
    pub id: String,
    /// The account and number whose data it holds.
    pub belongs: Belongs,
}

impl Identity {
    /// The id that others know the store's messages by: that of the store which a restored copy is of, so that what was sent from either is known.
    pub fn origin(&self) -> &str {
        store_id::origin(&self.id)
    }
}

/// What an opened database says of itself.
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) lock: Lock,
    pub(super) identity: Identity,
    pub(super) receipt_key: [u8; KEY_LENGTH],
    pub(super) commits: u64,
    pub(super) last_sequence: u64,
    /// What a process that was killed left to be written into the look-ups.
    pub(super) recent: Recent,
}

/// Opens or makes the database at `path`.
pub(super) fn open(path: &Path, belongs: &Belongs) -> Result<Opened, OpenError> {
    let lock = Lock::acquire(path)?;
    swap::finish(path).map_err(|source| OpenError::Restore { path: path.to_owned(), source })?;
    let at = OpenError::at(path);
    let mut connection =
        connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE).map_err(&at)?;
    check_owner(&connection, path)?;
    let version = schema::version(&connection).map_err(|error| at(error.into()))?;
    if version > schema::NEWEST {
        return Err(OpenError::NewerSchema { path: path.to_owned(), found: version, known: schema::NEWEST });
    }
    if version > 0 {
        // Before anything is written: a volume that was mounted by mistake stays as it is.
        check_belongs(&connection, path, belongs)?;
    }
    upgrade::remove_left_files(path);
    set_up(&connection).map_err(&at)?;
    if (1..schema::NEWEST).contains(&version) {
        connection = upgrade::upgrade(connection, path, version)?;
    }
    prepare(&mut connection, belongs).map_err(&at)?;
    let (identity, receipt_key, commits, last_sequence) = read_identity(&connection).map_err(&at)?;
    // Nothing is written at a start: the volume may be full.
    let recent = Recent::read(&connection).map_err(&at)?;
    Ok(Opened { connection, lock, identity, receipt_key, commits, last_sequence, recent })
}

/// Opens a second connection that can only read.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    // Queries are small; the writer's cache is the one that counts.
    connection.execute_batch("PRAGMA cache_size = -512; PRAGMA query_only = ON;")?;
    Ok(connection)
}

pub(super) fn connect(path: &Path, access: OpenFlags) -> Result<Connection, StoreError> {
    // Each connection is used by one thread at a time, so SQLite's own mutexes are not needed.
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    distrust(&connection)?;
    connection.set_prepared_statement_cache_capacity(64);
    // Intermediate results may hold texts: they must not reach a temporary file. Those of an upgrade are too large for that.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // The library checks them unless it is told otherwise. A message is written before its customer and interaction, and for each of
    // those SQLite would then read all messages, since no index is kept for it.
    connection.pragma_update(None, "foreign_keys", false)?;
    Ok(connection)
}

/// Has nothing that stands in the file do what this program does not ask for: a backup may come from anywhere, and stores have tables and indexes only.
fn distrust(connection: &Connection) -> rusqlite::Result<()> {
    let settings = [
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
    ];
    settings.into_iter().try_for_each(|(setting, value)| connection.set_db_config(setting, value).map(drop))
}

/// Refuses a database that another program made. An empty one is ours to make.
pub(super) fn check_owner(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let at = OpenError::at(path);
    let owner: i32 =
        connection.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(|error| at(error.into()))?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|error| at(error.into()))?;
    if owner == APPLICATION_ID || (owner == 0 && tables == 0) {
        return Ok(());
    }
    Err(OpenError::NotAStore { path: path.to_owned() })
}

fn check_belongs(connection: &Connection, path: &Path, belongs: &Belongs) -> Result<(), OpenError> {
    let (account, number): (String, String) = connection
        .query_row("SELECT account, number FROM store", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(|error| OpenError::at(path)(error.into()))?;
    if account == belongs.account && number == belongs.number.as_str() {
        return Ok(());
    }
    Err(OpenError::BelongsToOther {
        path: path.to_owned(),
        found_account: account,
        found_number: number,
        account: belongs.account.clone(),
        number: belongs.number.to_string(),
    })
}

/// Settings.
fn set_up(connection: &Connection) -> Result<(), StoreError> {
    Ok(connection.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA secure_delete = ON;
         PRAGMA journal_size_limit = 67108864;
         PRAGMA wal_autocheckpoint = 4096;
         PRAGMA cache_size = -8192;",
    )?)
}

/// At the first start, the schema and the identity.
fn prepare(connection: &mut Connection, belongs: &Belongs) -> Result<(), StoreError> {
    let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    schema::migrate(&tx)?;
    if tx.query_row("SELECT 1 FROM store", [], |_| Ok(())).optional()?.is_none() {
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.execute(
            "INSERT INTO store (one, id, account, number, receipt_key, created_at, commits, last_sequence, scalars)
             VALUES (1, ?, ?, ?, ?, ?, 0, 0, ?)",
            params![
                hex(&random::<16>()?),
                belongs.account,
                belongs.number.as_str(),
                random::<KEY_LENGTH>()?,
                codec::nanos(jiff::Timestamp::now()),
                codec::json(&Scalars::default())?,
            ],
        )?;
    }
    tx.commit()?;
    Ok(())
}

pub(super) fn read_identity(connection: &Connection) -> Result<(Identity, [u8; KEY_LENGTH], u64, u64), StoreError> {
    let (id, account, number, key, commits, last): (String, String, String, [u8; KEY_LENGTH], i64, i64) = connection
        .query_row("SELECT id, account, number, receipt_key, commits, last_sequence FROM store", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
        })?;
    let number = number.parse().map_err(|error| StoreError::Contents(format!("store.number: {error}")))?;
    let count = |name: &str, value: i64| {
        u64::try_from(value).map_err(|_| StoreError::Contents(format!("store.{name} is negative")))
    };
    let identity = Identity { id, belongs: Belongs { account, number } };
    Ok((identity, key, count("commits", commits)?, count("last_sequence", last)?))
}

/// Bytes from the system's random generator.
pub(super) fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    rustls::crypto::ring::default_provider()
        .secure_random
        .fill(&mut bytes)
        .map_err(|_| StoreError::Contents("the system gives no random bytes".into()))?;
    Ok(bytes)
}

pub(super) fn hex(bytes: &[u8]) -> impl fmt::Display + rusqlite::ToSql {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        use fmt::Write as _;
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn the_writer_waits_for_the_disk_and_overwrites_what_it_deletes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.db");
        let belongs = Belongs { account: "AC1".into(), number: "+15551230001".parse().unwrap() };
        let opened = open(&path, &belongs).unwrap();
        let setting = |name: &str| {
            let query = format!("PRAGMA {name}");
            opened.connection.query_row(&query, [], |row| row.get::<_, rusqlite::types::Value>(0)).unwrap()
        };
        assert_eq!(setting("journal_mode"), "wal".to_owned().into());
        assert_eq!(setting("synchronous"), 2.into(), "FULL: a commit returns after its fsync");
        assert_eq!(setting("secure_delete"), 1.into());
        assert_eq!(setting("temp_store"), 2.into(), "no texts in temporary files");
        assert_eq!(setting("foreign_keys"), 0.into(), "tests check them");
        let reader = open_reader(&path).unwrap();
        assert!(reader.execute("DELETE FROM store", []).is_err(), "a reader cannot write");
    }

    #[test]
    fn triggers_and_views_that_stand_in_the_file_do_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.db");
        let belongs = Belongs { account: "AC1".into(), number: "+15551230001".parse().unwrap() };
        drop(open(&path, &belongs).unwrap());
        let crafted = "CREATE TRIGGER keeps AFTER UPDATE OF commits ON store BEGIN UPDATE store SET commits = 7; END;
                       CREATE VIEW all_customers AS SELECT * FROM customer;";
        Connection::open(&path).unwrap().execute_batch(crafted).unwrap();
        let opened = open(&path, &belongs).unwrap();
        opened.connection.execute("UPDATE store SET commits = 8", []).unwrap();
        let commits = |sql: &Connection| sql.query_row("SELECT commits FROM store", [], |row| row.get::<_, i64>(0));
        assert_eq!(commits(&opened.connection).unwrap(), 8);
        for connection in [&opened.connection, &open_reader(&path).unwrap()] {
            assert!(connection.prepare("SELECT * FROM all_customers").is_err());
        }
    }

    /// A backup is read from it; SQLite has it only when it was compiled so.
    #[test]
    fn the_pages_of_a_store_can_be_read_as_rows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.db");
        let belongs = Belongs { account: "AC1".into(), number: "+15551230001".parse().unwrap() };
        drop(open(&path, &belongs).unwrap());
        let reader = open_reader(&path).unwrap();
        let one: i64 = reader.query_row("SELECT 1 FROM sqlite_dbpage LIMIT 1", [], |row| row.get(0)).unwrap();
        assert_eq!(one, 1);
    }

    /// Steps of SQLite's machine to write a customer and an interaction whose message is there already, beside so many messages.
    fn steps_beside(messages: i64) -> [i32; 2] {
        let dir = tempfile::tempdir().unwrap();
        let belongs = Belongs { account: "AC1".into(), number: "+15551230001".parse().unwrap() };
        let mut opened = open(&dir.path().join("store.db"), &belongs).unwrap();
        let sql = opened.connection.transaction().unwrap();
        for id in 1..=messages {
            let message = "INSERT INTO message (id, customer, interaction, direction, at, text, outcome)
                           VALUES (?1, ?1, ?1, 'Inbound', 1, 'hello', 'Queued')";
            sql.execute(message, [id]).unwrap();
        }
        let customer = "INSERT INTO customer (id, address, can_receive, opted_out) VALUES (1, '+15551230002', 1, 0)";
        let interaction = "INSERT INTO interaction (id, customer, state, opted_out, arrived_at, at_head, epoch, active_at, first_message)
                           VALUES (1, 1, 'Queued', 0, 1, 0, 0, 1, 1)";
        [customer, interaction].map(|insert| {
            let mut statement = sql.prepare(insert).unwrap();
            statement.execute([]).unwrap();
            statement.get_status(StatementStatus::VmStep)
        })
    }

    #[test]
    fn a_new_customer_and_interaction_cost_the_same_however_many_messages_there_are() {
        assert_eq!(steps_beside(10), steps_beside(1000));
    }
}
