//! What the engine counts and measures, on `/metrics`.

use std::{sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

use super::{
    bot_metrics::BotMetrics,
    core::{
        delivery::{FailureClass, MessageStatus},
        event::{
            AgentEvent, Event, Happened, InboundEvent, InboundOutcome, InteractionEvent, OutboundEvent, SampleResult,
            TransferEndReason, WithdrawalReason,
        },
        statistics::Statistics,
    },
    metric_name::Name,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: Name,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Sampled {
    result: Name,
    in_target: Name,
}

/// What the engine counts and measures. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Metrics {
    inbound: Family<Outcome, Counter>,
    parts: Family<Outcome, Counter>,
    joined: Family<Outcome, Counter>,
    outbound: Family<Outcome, Counter>,
    samples: Family<Sampled, Counter>,
    offers: Family<Outcome, Counter>,
    transfers: Family<Outcome, Counter>,
    queue_timeouts: Counter,
    resends: Counter,
    bots: BotMetrics,
    starts_blocked: Counter,
    set_not_present: Counter,
    streams_displaced: Counter,
    commit: Histogram,
    batch: Histogram,
    waiting: Gauge,
    oldest_wait: Gauge,
    active: Gauge,
    transferring: Gauge,
    agents_online: Gauge,
    agents_available: Gauge,
    parts_waiting: Gauge,
    outbox_waiting: Gauge,
    outbox_in_flight: Gauge,
    service_level: Gauge<f64, AtomicU64>,
    store_bytes: Gauge,
}

impl Metrics {
    /// Registers everything, labelled with the channel's name.
    pub(super) fn new(registry: &mut Registry, channel: &str) -> Self {
        let registry = registry.sub_registry_with_label(("channel".into(), channel.to_owned().into()));
        let metrics = Self {
            inbound: Family::default(),
            parts: Family::default(),
            joined: Family::default(),
            outbound: Family::default(),
            samples: Family::default(),
            offers: Family::default(),
            transfers: Family::default(),
            queue_timeouts: Counter::default(),
            resends: Counter::default(),
            bots: BotMetrics::default(),
            starts_blocked: Counter::default(),
            set_not_present: Counter::default(),
            streams_displaced: Counter::default(),
            commit: Histogram::new(exponential_buckets(0.000_5, 2.0, 14)),
            batch: Histogram::new(exponential_buckets(1.0, 2.0, 10)),
            waiting: Gauge::default(),
            oldest_wait: Gauge::default(),
            active: Gauge::default(),
            transferring: Gauge::default(),
            agents_online: Gauge::default(),
            agents_available: Gauge::default(),
            parts_waiting: Gauge::default(),
            outbox_waiting: Gauge::default(),
            outbox_in_flight: Gauge::default(),
            service_level: Gauge::default(),
            store_bytes: Gauge::default(),
        };
        metrics.register_counts(registry);
        metrics.register_gauges(registry);
        metrics
    }

    fn register_counts(&self, registry: &mut Registry) {
        registry.register("inbound_messages", "Customers' messages by what became of them", self.inbound.clone());
        let help = "Parts of long texts, by whether they wait for the others, were there already, or differ from the one that was there";
        registry.register("inbound_parts", help, self.parts.clone());
        let help = "Messages that were joined from parts, by whether all were there";
        registry.register("inbound_joined", help, self.joined.clone());
        registry.register("outbound_attempts", "Attempts to send by what became of them", self.outbound.clone());
        registry.register("resends", "Messages that a person had sent once more", self.resends.clone());
        registry.register("service_level_samples", "Interactions whose wait ended, by how", self.samples.clone());
        registry.register(
            "offers",
            "Offers that an agent accepted or declined, or that were withdrawn from an agent, by which and why; accepted ones also by name (transfers)",
            self.offers.clone(),
        );
        let help = "Interactions that agents handed over, by whether another one took them, or why nobody did";
        registry.register("transfers", help, self.transfers.clone());
        let help = "Interactions that waited in the queue for maxQueueSeconds";
        registry.register("queue_timeouts", help, self.queue_timeouts.clone());
        self.bots.register(registry);
        let help = "Starts of interactions that a blocklist stopped; GET /v1/channels/{channel}/blocked-starts has the numbers";
        registry.register("starts_blocked", help, self.starts_blocked.clone());
        let help = "Times that agents let three offers in a row pass and were set to not present";
        registry.register("agents_set_not_present", help, self.set_not_present.clone());
        let help = "Streams that ended because their agent opened more than 8";
        registry.register("streams_displaced", help, self.streams_displaced.clone());
        let seconds = || Unit::Seconds;
        registry.register_with_unit(
            "commit_duration",
            "Time from taking a batch to its commit",
            seconds(),
            self.commit.clone(),
        );
        registry.register("batch_requests", "Requests committed together", self.batch.clone());
    }

    fn register_gauges(&self, registry: &mut Registry) {
        registry.register("queue_waiting", "Interactions that wait for an agent", self.waiting.clone());
        let help = "How long the interaction that waits longest has waited";
        registry.register_with_unit("queue_oldest_wait", help, Unit::Seconds, self.oldest_wait.clone());
        registry.register("interactions_active", "Interactions that agents have", self.active.clone());
        let help = "Interactions that agents have, hand over, and that nobody has taken yet; they do not count in queue_waiting";
        registry.register("interactions_transferring", help, self.transferring.clone());
        registry.register("agents_online", "Agents with an open stream", self.agents_online.clone());
        registry.register("agents_available", "Agents who can be given an interaction", self.agents_available.clone());
        let help = "Long texts that wait for parts";
        registry.register("inbound_parts_waiting", help, self.parts_waiting.clone());
        registry.register("outbox_waiting", "Messages that wait to be sent", self.outbox_waiting.clone());
        registry.register("outbox_in_flight", "Messages at the gateway", self.outbox_in_flight.clone());
        let help = "Part of the interactions in the window that were answered in target; -1 while there is none";
        registry.register_with_unit("service_level", help, Unit::Ratios, self.service_level.clone());
        registry.register_with_unit("store_size", "Size of the store's files", Unit::Bytes, self.store_bytes.clone());
    }

    /// Counts a stream that ended because its agent opened too many.
    pub(super) fn stream_displaced(&self) {
        self.streams_displaced.inc();
    }

    /// What is measured of bots.
    pub(super) const fn bots(&self) -> &BotMetrics {
        &self.bots
    }

    /// Counts what a commit made durable.
    pub(super) fn committed(&self, events: &[Event], requests: usize, took: Duration) {
        self.commit.observe(took.as_secs_f64());
        self.batch.observe(u32::try_from(requests).unwrap_or(u32::MAX).into());
        for event in events {
            self.count(&event.what);
        }
    }

    fn count(&self, what: &Happened) {
        match what {
            Happened::Inbound(InboundEvent::InboundRecorded { outcome, parts, .. }) => {
                self.inbound(inbound_name(*outcome));
                if let Some(parts) = parts {
                    let outcome = Name(if parts.missing.is_empty() { "Whole" } else { "Incomplete" });
                    self.joined.get_or_create(&Outcome { outcome }).inc();
                }
            }
            Happened::Inbound(InboundEvent::InboundDuplicated { .. }) => self.inbound("Duplicate"),
            Happened::Inbound(InboundEvent::PartKept { .. }) => self.part("Kept"),
            Happened::Inbound(InboundEvent::PartRepeated { differs: false, .. }) => self.part("Repeated"),
            Happened::Inbound(InboundEvent::PartRepeated { differs: true, .. }) => self.part("Differs"),
            Happened::Outbound(OutboundEvent::AttemptNotSent { .. }) => self.outbound("NotSent"),
            Happened::Outbound(OutboundEvent::AttemptEnded { status, .. }) => self.outbound(outbound_name(*status)),
            Happened::Outbound(OutboundEvent::ResendRequested { .. }) => {
                self.resends.inc();
            }
            Happened::Interaction(InteractionEvent::ServiceLevelSampled { result, in_target, .. }) => {
                self.sampled(*result, *in_target);
            }
            Happened::Interaction(InteractionEvent::InteractionAssigned { offer, from, by, .. }) => {
                if offer.is_some() {
                    self.offer("Accepted", 1);
                }
                if from.is_some() && by.is_none() {
                    self.transfer("Accepted");
                }
            }
            Happened::Interaction(InteractionEvent::TransferEnded { reason, .. }) => {
                self.transfer(transfer_end_name(*reason));
            }
            Happened::Interaction(InteractionEvent::OfferDeclined { .. }) => self.offer("Declined", 1),
            Happened::Interaction(InteractionEvent::OfferWithdrawn { users, reason, .. }) => {
                self.offer(withdrawal_name(*reason), users.len());
            }
            Happened::Agent(AgentEvent::AgentPresenceSet { missed: Some(_), .. }) => {
                self.set_not_present.inc();
            }
            Happened::Interaction(InteractionEvent::QueueTimedOut { .. }) => {
                self.queue_timeouts.inc();
            }
            Happened::Interaction(
                event @ (InteractionEvent::BotStarted { .. }
                | InteractionEvent::BotStepped { .. }
                | InteractionEvent::BotEnded { .. }),
            ) => self.bots.count(event),
            Happened::Agent(AgentEvent::StartBlocked { .. }) => {
                self.starts_blocked.inc();
            }
            // Everything else shows in the gauges or is of no use in sum.
            Happened::Engine(_)
            | Happened::Clock(_)
            | Happened::Customer(_)
            | Happened::Inbound(InboundEvent::PartsTimedOut { .. })
            | Happened::Interaction(
                InteractionEvent::InteractionOpened { .. }
                | InteractionEvent::BotTimedOut { .. }
                | InteractionEvent::BotNoted { .. }
                | InteractionEvent::InteractionQueued { .. }
                | InteractionEvent::InteractionOffered { .. }
                | InteractionEvent::OfferExtended { .. }
                | InteractionEvent::OfferRested { .. }
                | InteractionEvent::TransferStarted { .. }
                | InteractionEvent::InteractionRequeued { .. }
                | InteractionEvent::InteractionClosed { .. }
                | InteractionEvent::NoteAdded { .. },
            )
            | Happened::Outbound(
                OutboundEvent::OutboundCommitted { .. }
                | OutboundEvent::AttemptStarted { .. }
                | OutboundEvent::OutboundCanceled { .. }
                | OutboundEvent::ReceiptApplied { .. }
                | OutboundEvent::ReceiptParked,
            )
            | Happened::Agent(
                AgentEvent::AgentOnline { .. }
                | AgentEvent::AgentOffline { .. }
                | AgentEvent::OptOutsImported { .. }
                | AgentEvent::AgentPresenceSet { missed: None, .. },
            ) => {}
        }
    }

    fn sampled(&self, result: SampleResult, in_target: bool) {
        let result = Name(match result {
            SampleResult::Answered => "Answered",
            SampleResult::Unanswered => "Unanswered",
            SampleResult::Abandoned => "Abandoned",
            SampleResult::NoReply => "NoReply",
        });
        let in_target = Name(if in_target { "true" } else { "false" });
        self.samples.get_or_create(&Sampled { result, in_target }).inc();
    }

    fn offer(&self, outcome: &'static str, agents: usize) {
        self.offers.get_or_create(&Outcome { outcome: Name(outcome) }).inc_by(agents as u64);
    }

    fn transfer(&self, outcome: &'static str) {
        self.transfers.get_or_create(&Outcome { outcome: Name(outcome) }).inc();
    }

    fn inbound(&self, outcome: &'static str) {
        self.inbound.get_or_create(&Outcome { outcome: Name(outcome) }).inc();
    }

    fn part(&self, outcome: &'static str) {
        self.parts.get_or_create(&Outcome { outcome: Name(outcome) }).inc();
    }

    fn outbound(&self, outcome: &'static str) {
        self.outbound.get_or_create(&Outcome { outcome: Name(outcome) }).inc();
    }

    /// Shows the channel as it is now.
    pub(super) fn show(&self, statistics: &Statistics, store_bytes: u64) {
        let gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.waiting.set(gauge(statistics.waiting));
        self.oldest_wait.set(gauge(statistics.oldest_wait_seconds));
        self.active.set(gauge(statistics.active));
        self.transferring.set(gauge(statistics.transferring));
        self.agents_online.set(gauge(statistics.agents_online));
        self.agents_available.set(gauge(statistics.agents_available));
        self.parts_waiting.set(gauge(statistics.parts_waiting));
        self.outbox_waiting.set(gauge(statistics.outbox_waiting));
        self.outbox_in_flight.set(gauge(statistics.outbox_in_flight));
        let level = &statistics.service_level;
        let total = level.answered + level.unanswered + level.no_reply - level.no_reply_in_target;
        #[expect(clippy::cast_precision_loss, reason = "counts of a window are far below 2^52")]
        self.service_level.set(if total == 0 { -1.0 } else { level.answered_in_target as f64 / total as f64 });
        self.store_bytes.set(gauge(store_bytes));
    }
}

const fn inbound_name(outcome: InboundOutcome) -> &'static str {
    match outcome {
        InboundOutcome::OptedOut => "OptedOut",
        InboundOutcome::OptedIn => "OptedIn",
        InboundOutcome::Help => "Help",
        InboundOutcome::Blocked => "Blocked",
        InboundOutcome::Disabled => "Disabled",
        InboundOutcome::Joined => "Joined",
        InboundOutcome::OutOfHours => "OutOfHours",
        InboundOutcome::QueueFull => "QueueFull",
        InboundOutcome::Queued => "Queued",
        InboundOutcome::Bot => "Bot",
    }
}

const fn withdrawal_name(reason: WithdrawalReason) -> &'static str {
    match reason {
        WithdrawalReason::TimedOut => "TimedOut",
        WithdrawalReason::AgentOffline => "AgentOffline",
        WithdrawalReason::AgentNotPresent => "AgentNotPresent",
        WithdrawalReason::AgentRemoved => "AgentRemoved",
    }
}

const fn transfer_end_name(reason: TransferEndReason) -> &'static str {
    match reason {
        TransferEndReason::Canceled => "Canceled",
        TransferEndReason::Declined => "Declined",
        TransferEndReason::TimedOut => "TimedOut",
        TransferEndReason::AgentOffline => "AgentOffline",
        TransferEndReason::AgentNotPresent => "AgentNotPresent",
        TransferEndReason::AgentRemoved => "AgentRemoved",
        TransferEndReason::OwnerOffline => "OwnerOffline",
        TransferEndReason::OwnerRemoved => "OwnerRemoved",
        TransferEndReason::Assigned => "Assigned",
        TransferEndReason::Closed => "Closed",
    }
}

const fn outbound_name(status: MessageStatus) -> &'static str {
    match status {
        MessageStatus::Unknown => "Unknown",
        // A receipt may have been faster than the answer: the provider took it in any case.
        MessageStatus::Waiting
        | MessageStatus::Sending
        | MessageStatus::Accepted
        | MessageStatus::Sent
        | MessageStatus::Delivered => "Accepted",
        MessageStatus::Failed(class) => match class {
            FailureClass::InvalidNumber => "InvalidNumber",
            FailureClass::OptedOut => "OptedOut",
            FailureClass::Sender => "Sender",
            FailureClass::Account => "Account",
            FailureClass::Filtered => "Filtered",
            FailureClass::InvalidMessage => "InvalidMessage",
            FailureClass::Failed => "Failed",
        },
        MessageStatus::Canceled => "Canceled",
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::engine::core::ids::CustomerId;

    #[test]
    fn starts_that_a_blocklist_stops_are_counted_whether_the_number_is_known_or_not() {
        let mut registry = Registry::default();
        let metrics = Metrics::new(&mut registry, "support");
        let says = |count: u64| {
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
            let line = format!("starts_blocked_total{{channel=\"support\"}} {count}\n");
            assert!(text.contains(&line), "{line}: {text}");
        };
        says(0);
        let event = |what: AgentEvent| Event { at: Timestamp::UNIX_EPOCH, what: what.into() };
        let blocked = |customer| event(AgentEvent::StartBlocked { user: "ana".into(), customer });
        let events =
            [blocked(None), blocked(Some(CustomerId(7))), event(AgentEvent::AgentOnline { user: "ana".into() })];
        metrics.committed(&events, 3, Duration::ZERO);
        says(2);
    }
}
