//! Metrics of the gateway.

use std::time::Duration;

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{
    public_url::Hook,
    spool::{Begun, NoRoom},
};
use crate::wire::{outbound::SendOutcome, status::SpoolStatus};

/// What became of a call of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(super) enum WebhookOutcome {
    /// The engine has it.
    Delivered,
    /// The spool has it, until the engine does.
    Spooled,
    /// The spool has it; its number has no route.
    Unrouted,
    /// The spool has it; the engine refuses it.
    Parked,
    /// It brought no news.
    Ignored,
    /// Its signature did not fit.
    BadSignature,
    /// It was signed but could not be understood.
    Malformed,
    /// Credentials or configuration were missing.
    NotReady,
    /// The spool failed; the provider was asked to come again.
    SpoolFailed,
}

/// A request to the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(super) enum ProviderCall {
    /// The check of the credentials.
    Check,
    /// The list of numbers.
    Numbers,
    /// One attempt to send.
    Send,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WebhookLabels {
    hook: HookLabel,
    outcome: WebhookOutcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum HookLabel {
    Inbound,
    Status,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    outcome: &'static str,
    reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NoRoomLabels {
    full: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LedgerLabels {
    answer: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    call: ProviderCall,
    ok: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    state: &'static str,
}

/// Metrics of the gateway. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Metrics {
    webhooks: Family<WebhookLabels, Counter>,
    spooled_delivered: Counter,
    media: Counter,
    expired: Counter,
    rows: Family<StateLabels, Gauge>,
    capacity: Gauge,
    used: Gauge,
    no_room: Family<NoRoomLabels, Counter>,
    oldest: Gauge,
    attempts: Family<AttemptLabels, Counter>,
    ledger: Family<LedgerLabels, Counter>,
    calls: Family<CallLabels, Histogram>,
}

impl Metrics {
    /// Metrics in `registry`, under `gateway_…`.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let buckets = || Histogram::new([0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]);
        let metrics = Self {
            webhooks: Family::default(),
            spooled_delivered: Counter::default(),
            media: Counter::default(),
            expired: Counter::default(),
            rows: Family::default(),
            capacity: Gauge::default(),
            used: Gauge::default(),
            no_room: Family::default(),
            oldest: Gauge::default(),
            attempts: Family::default(),
            ledger: Family::default(),
            calls: Family::new_with_constructor(buckets),
        };
        let registry = registry.sub_registry_with_prefix("gateway");
        registry.register("webhooks", "Calls of webhooks by what became of them", metrics.webhooks.clone());
        registry.register(
            "spool_delivered",
            "Spooled rows that their engine has taken",
            metrics.spooled_delivered.clone(),
        );
        registry.register(
            "media_left",
            "Files of MMS that are not carried, only named behind the text",
            metrics.media.clone(),
        );
        registry.register("spool_expired", "Rows that nobody took within the retention", metrics.expired.clone());
        registry.register("spool_rows", "Rows in the spool", metrics.rows.clone());
        registry.register_with_unit(
            "spool_oldest",
            "Age of the oldest row that waits for its engine",
            Unit::Seconds,
            metrics.oldest.clone(),
        );
        let (capacity, used) = (metrics.capacity.clone(), metrics.used.clone());
        registry.register_with_unit("spool_capacity", "What the spool may take of its volume", Unit::Bytes, capacity);
        registry.register_with_unit("spool_used", "What the spool takes", Unit::Bytes, used);
        registry.register(
            "spool_no_room",
            "Items and attempts to send that found no room in the spool, by what is full; the provider or the engine was asked to \
             come again",
            metrics.no_room.clone(),
        );
        registry.register("attempts", "Attempts to send by what became of them", metrics.attempts.clone());
        registry.register(
            "attempts_not_made",
            "Attempts to send that were answered from the ledger, by what it says of them",
            metrics.ledger.clone(),
        );
        registry.register_with_unit(
            "provider_request_duration",
            "Requests to the provider",
            Unit::Seconds,
            metrics.calls.clone(),
        );
        metrics
    }

    /// A webhook was called.
    pub(super) fn webhook(&self, hook: Hook, outcome: WebhookOutcome) {
        let hook = match hook {
            Hook::Inbound => HookLabel::Inbound,
            Hook::Status => HookLabel::Status,
        };
        self.webhooks.get_or_create(&WebhookLabels { hook, outcome }).inc();
    }

    /// Files came that are not carried.
    pub(super) fn media_left(&self, count: usize) {
        self.media.inc_by(count as u64);
    }

    /// Spooled rows were delivered.
    pub(super) fn spooled_delivered(&self, count: u64) {
        self.spooled_delivered.inc_by(count);
    }

    /// Rows were removed that nobody took.
    pub(super) fn expired(&self, count: u64) {
        self.expired.inc_by(count);
    }

    /// Bytes that the spool may take, and takes.
    pub(super) fn spool_bytes(&self, capacity: u64, used: u64) {
        self.capacity.set(i64::try_from(capacity).unwrap_or(i64::MAX));
        self.used.set(i64::try_from(used).unwrap_or(i64::MAX));
    }

    /// An item found no room.
    pub(super) fn no_room(&self, why: NoRoom) {
        let full = match why {
            NoRoom::Volume => "Volume",
            NoRoom::Number => "Number",
            NoRoom::Unrouted => "Unrouted",
        };
        self.no_room.get_or_create(&NoRoomLabels { full }).inc();
    }

    /// An attempt to send found no room.
    pub(super) fn no_room_for_attempt(&self) {
        self.no_room.get_or_create(&NoRoomLabels { full: "Attempts" }).inc();
    }

    pub(super) fn spool(&self, status: &SpoolStatus) {
        let rows = [("Waiting", status.waiting), ("Unrouted", status.unrouted), ("Parked", status.parked)];
        for (state, count) in rows {
            self.rows.get_or_create(&StateLabels { state }).set(count.cast_signed());
        }
        self.oldest.set(status.oldest_wait_seconds.cast_signed());
    }

    /// An attempt to send ended.
    pub(super) fn attempt(&self, outcome: &SendOutcome) {
        let reason = match outcome {
            SendOutcome::NotSent { reason, .. } => format!("{reason:?}"),
            SendOutcome::Refused { class, .. } => format!("{class:?}"),
            SendOutcome::Accepted { .. } | SendOutcome::Unknown { .. } => String::new(),
        };
        self.attempts.get_or_create(&AttemptLabels { outcome: outcome.name(), reason }).inc();
    }

    /// The ledger stood in the way of an attempt.
    pub(super) fn answered_by_ledger(&self, begun: &Begun) {
        let answer = match begun {
            Begun::New => "NotWhole",
            Begun::Recorded(_) => "Recorded",
            Begun::OtherContent => "OtherContent",
            Begun::Late => "Late",
            Begun::NoRoom => "NoRoom",
        };
        self.ledger.get_or_create(&LedgerLabels { answer }).inc();
    }

    /// A request to the provider ended.
    pub(super) fn provider_call(&self, call: ProviderCall, ok: bool, took: Duration) {
        let ok = if ok { "true" } else { "false" };
        self.calls.get_or_create(&CallLabels { call, ok }).observe(took.as_secs_f64());
    }
}
