//! The ledger: everything that the simulator saw and did, in order. Tests judge by it.

use super::fault::{InjectedFault, Route};
use crate::wire::simulator::MessageStatus;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::{
    collections::VecDeque,
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
};

/// Entries kept in memory; the file, if there is one, gets all.
const KEPT: usize = 200_000;

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Counts from 1 without gaps.
    pub seq: u64,
    /// When it was written down.
    pub at: Timestamp,
    /// The event, with what belongs to it.
    #[serde(flatten)]
    pub event: Event,
}

/// Which message an entry is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageRef {
    /// The simulator's id; absent when a message was not taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// What the sender called it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_ref: Option<String>,
    /// The sender's number, or name.
    pub from: String,
    /// To whom.
    pub to: String,
}

/// Something that the simulator did or was asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all_fields = "camelCase")]
pub enum Event {
    /// A request to the provider API. The entry is written before the answer leaves.
    ApiRequest {
        /// Method and path.
        request: String,
        /// The account, when the token is one's.
        account: Option<String>,
        /// The message, when it is about one; with `messageId` when it was taken.
        message: Option<MessageRef>,
        /// The text, when it is about a message.
        text: Option<String>,
        /// The HTTP status; absent when the connection was cut instead.
        status: Option<u16>,
        /// Why it was refused.
        detail: Option<String>,
        /// Faults that struck.
        faults: Vec<u64>,
    },
    /// A customer wrote.
    CustomerMessage {
        /// The message.
        message: MessageRef,
        /// The message's text.
        text: String,
    },
    /// A sent message moved on. `Delivered` means that the customer has it.
    MessageStatus {
        /// The message.
        message: MessageRef,
        /// To where.
        status: MessageStatus,
    },
    /// A webhook was posted once.
    WebhookTry {
        /// The webhook's id; retries and copies share it.
        webhook_id: String,
        /// `Inbound` or `Receipts`.
        route: Route,
        /// The message.
        message: MessageRef,
        /// What the receipt says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        receipt: Option<MessageStatus>,
        /// Counts from 1.
        attempt: u32,
        /// When it was posted; the entry's own time is that of the answer.
        started_at: Timestamp,
        /// The HTTP status of the answer.
        status: Option<u16>,
        /// Why there was no answer.
        error: Option<String>,
        /// Faults that struck.
        faults: Vec<u64>,
    },
    /// A webhook is settled.
    WebhookEnd {
        /// The webhook's id.
        webhook_id: String,
        /// `Inbound` or `Receipts`.
        route: Route,
        /// The message.
        message: MessageRef,
        /// Whether somebody took it.
        delivered: bool,
    },
    /// A fault was asked for.
    FaultAdded {
        /// The fault.
        fault: InjectedFault,
    },
    /// Faults were removed: one, or all.
    FaultRemoved {
        /// Which one; absent: all.
        id: Option<u64>,
    },
}

impl Event {
    /// Its name, as `kind` says it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::ApiRequest { .. } => "ApiRequest",
            Self::CustomerMessage { .. } => "CustomerMessage",
            Self::MessageStatus { .. } => "MessageStatus",
            Self::WebhookTry { .. } => "WebhookTry",
            Self::WebhookEnd { .. } => "WebhookEnd",
            Self::FaultAdded { .. } => "FaultAdded",
            Self::FaultRemoved { .. } => "FaultRemoved",
        }
    }

    /// The message it is about.
    pub const fn message(&self) -> Option<&MessageRef> {
        match self {
            Self::ApiRequest { message, .. } => message.as_ref(),
            Self::CustomerMessage { message, .. }
            | Self::MessageStatus { message, .. }
            | Self::WebhookTry { message, .. }
            | Self::WebhookEnd { message, .. } => Some(message),
            Self::FaultAdded { .. } | Self::FaultRemoved { .. } => None,
        }
    }
}

/// Which entries to show. Every criterion that is given must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LedgerQuery {
    /// Only entries after this one.
    #[serde(default)]
    pub since: u64,
    /// At most this many, 1000 unless told, 10,000 at most.
    pub limit: Option<usize>,
    /// Only entries of this kind.
    pub kind: Option<String>,
    /// Only entries about this message.
    pub message_id: Option<String>,
    /// Only entries about messages with this name.
    pub client_ref: Option<String>,
    /// Only entries about messages from or to this number.
    pub number: Option<String>,
}

impl LedgerQuery {
    fn fits(&self, entry: &Entry) -> bool {
        let message = entry.event.message();
        let about = |wanted: &Option<String>, is: &dyn Fn(&MessageRef, &str) -> bool| {
            wanted.as_deref().is_none_or(|wanted| message.is_some_and(|message| is(message, wanted)))
        };
        entry.seq > self.since
            && self.kind.as_deref().is_none_or(|kind| kind == entry.event.kind())
            && about(&self.message_id, &|m, id| m.message_id.as_deref() == Some(id))
            && about(&self.client_ref, &|m, name| m.client_ref.as_deref() == Some(name))
            && about(&self.number, &|m, number| m.from == number || m.to == number)
    }
}

/// Some entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerPage {
    /// In order.
    pub entries: Vec<Entry>,
    /// What to give as `since` to get what follows.
    pub next: u64,
    /// Whether more is there already.
    pub more: bool,
    /// The first entry that is still in memory.
    pub first: u64,
    /// The newest entry.
    pub last: u64,
}

/// The ledger.
#[derive(Debug)]
pub(super) struct Ledger(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    last: u64,
    entries: VecDeque<Entry>,
    file: Option<File>,
}

impl Ledger {
    /// An empty ledger, which appends to a file if one is named.
    pub(super) fn new(file: Option<&Path>) -> io::Result<Self> {
        let file = file.map(|path| OpenOptions::new().create(true).append(true).open(path)).transpose()?;
        Ok(Self(Mutex::new(Inner { last: 0, entries: VecDeque::new(), file })))
    }

    /// Writes an entry. A file that cannot be written is given up, with a word in the log.
    pub(super) fn write(&self, event: Event) {
        let mut inner = self.0.lock();
        inner.last += 1;
        let entry = Entry { seq: inner.last, at: Timestamp::now(), event };
        if let Some(mut file) = inner.file.take() {
            let line = serde_json::to_string(&entry).map_err(io::Error::from);
            match line.and_then(|line| file.write_all(format!("{line}\n").as_bytes())) {
                Ok(()) => inner.file = Some(file),
                Err(error) => tracing::error!(%error, "the ledger file is given up"),
            }
        }
        if inner.entries.len() == KEPT {
            inner.entries.pop_front();
        }
        inner.entries.push_back(entry);
    }

    pub(super) fn page(&self, query: &LedgerQuery) -> LedgerPage {
        let limit = query.limit.unwrap_or(1000).clamp(1, 10_000);
        let inner = self.0.lock();
        let mut fitting = inner.entries.iter().filter(|entry| query.fits(entry));
        let entries: Vec<Entry> = fitting.by_ref().take(limit).cloned().collect();
        let more = fitting.next().is_some();
        let next =
            if more { entries.last().map_or(inner.last, |entry| entry.seq) } else { inner.last.max(query.since) };
        LedgerPage { entries, next, more, first: inner.entries.front().map_or(1, |entry| entry.seq), last: inner.last }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(id: &str, client_ref: &str, to: &str) -> Event {
        let message = MessageRef {
            message_id: Some(id.into()),
            client_ref: Some(client_ref.into()),
            from: "+15551230001".into(),
            to: to.into(),
        };
        Event::MessageStatus { message, status: MessageStatus::Sent }
    }

    #[test]
    fn entries_are_found_by_what_they_are_about() {
        let ledger = Ledger::new(None).unwrap();
        ledger.write(status("SM1", "a", "+15559870001"));
        ledger.write(status("SM2", "b", "+15559870002"));
        ledger.write(Event::FaultRemoved { id: None });
        let seqs = |query: &str| {
            let query = serde_json::from_str(query).unwrap();
            ledger.page(&query).entries.iter().map(|entry| entry.seq).collect::<Vec<_>>()
        };
        assert_eq!(seqs("{}"), [1, 2, 3]);
        assert_eq!(seqs(r#"{"since": 2}"#), [3]);
        assert_eq!(seqs(r#"{"kind": "MessageStatus"}"#), [1, 2]);
        assert_eq!(seqs(r#"{"messageId": "SM2"}"#), [2]);
        assert_eq!(seqs(r#"{"clientRef": "a"}"#), [1]);
        assert_eq!(seqs(r#"{"number": "+15559870002"}"#), [2]);
        assert_eq!(seqs(r#"{"number": "+15551230001", "clientRef": "b"}"#), [2]);
    }

    #[test]
    fn a_cursor_walks_through_all_of_them_once() {
        let ledger = Ledger::new(None).unwrap();
        for n in 0..25 {
            ledger.write(status(&format!("SM{n}"), "a", if n % 2 == 0 { "even" } else { "odd" }));
        }
        let mut query = LedgerQuery { limit: Some(4), number: Some("even".into()), ..LedgerQuery::default() };
        let mut seen = Vec::new();
        loop {
            let page = ledger.page(&query);
            seen.extend(page.entries.iter().map(|entry| entry.seq));
            query.since = page.next;
            if !page.more {
                break;
            }
        }
        assert_eq!(seen, (1..=25).step_by(2).collect::<Vec<_>>());
        assert_eq!(query.since, 25);
    }

    #[test]
    fn a_file_gets_every_entry_as_one_line_that_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.jsonl");
        let ledger = Ledger::new(Some(&path)).unwrap();
        ledger.write(status("SM1", "a", "+15559870001"));
        ledger.write(Event::FaultRemoved { id: Some(3) });
        let lines = std::fs::read_to_string(&path).unwrap();
        let read: Vec<Entry> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read, ledger.page(&LedgerQuery::default()).entries);
    }
}
