//! A desk for tests: the state with a shell around it that looks up, hydrates and records as the store does, in memory.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};

use super::{desk_parts::KeptParts, transitions::Watch};
use crate::{
    bot::{CallResult, CompiledBot, Values},
    engine::core::{
        blocklist::Blocklist,
        command::{
            Answer, Command, Contact, Content, Decision, ImportedOptOut, Inbound, KnownMessage, Receipt, ReceiptAnswer,
            Refusal, SendResult, SentMessage, TransferTo,
        },
        config::{self, ChannelConfig, Member, Members, OfferMode, RateLimit, ServiceLevelGoal, Strategy},
        customer::Customer,
        delivery::{DeliveryState, MessageStatus, ParkedReceipt, SendOutcome},
        event::{Event, Happened, InboundEvent, InboundOutcome, InteractionEvent, OutboundEvent, Parts, Purpose},
        ids::{Attempt, BotVersion, CustomerId, Epoch, InteractionId, MessageId, OfferId, UserId},
        interaction::Interaction,
        opt_out::{AnsweredBy, Keyword, OptOut, Texts},
        schedule::Schedule,
        state::{OpenRows, State},
    },
    sms::{PhoneNumber, Sender},
};

/// A member with room for so many interactions.
pub(super) fn member(user: &str, position: u32, max_interactions: u32) -> Member {
    Member { user: user.into(), position, penalty: 0, receive: true, initiate: true, max_interactions }
}

pub(super) fn opt_out(answered_by: AnsweredBy) -> OptOut {
    let words = [(Keyword::Stop, "STOP"), (Keyword::Start, "START"), (Keyword::Help, "HELP")];
    let texts = Texts { stopped: "TEXT-stopped".into(), started: "TEXT-started".into(), help: "TEXT-help".into() };
    OptOut::new(answered_by, words, texts)
}

/// Ana, then Bo, with room for two each; always open; no limits worth the name.
pub(crate) fn config() -> ChannelConfig {
    ChannelConfig {
        enabled: true,
        schedule: Schedule::always(),
        strategy: Strategy::LeastRecent,
        offer: OfferMode::Assign,
        members: [member("ana", 1, 2), member("bo", 2, 2)].into_iter().collect(),
        supervisors: BTreeSet::new(),
        dispositions: BTreeSet::new(),
        disposition_required: false,
        max_queued: None,
        max_queue: None,
        max_transfer: None,
        queue_full_message: Some("TEXT-full".into()),
        out_of_hours_message: Some("TEXT-closed".into()),
        bots: Default::default(),
        blocklist: Blocklist::default(),
        opt_out: opt_out(AnsweredBy::Aldis),
        service_level: ServiceLevelGoal {
            target: SignedDuration::from_secs(60),
            window: SignedDuration::from_hours(1),
            answered_by: config::AnsweredBy::Reply,
        },
        session_idle: SignedDuration::from_hours(24),
        session_reopen: None,
        per_number: RateLimit {
            segments: std::num::NonZeroU32::new(1000).unwrap(),
            per_seconds: std::num::NonZeroU64::MIN,
        },
    }
}

/// Agents are asked, and have so many seconds.
pub(super) fn ask(timeout_seconds: u32) -> OfferMode {
    OfferMode::Ask { timeout_seconds: timeout_seconds.try_into().unwrap() }
}

/// A schedule that is never open.
pub(super) fn never_open() -> Schedule {
    Schedule::new(jiff::tz::TimeZone::UTC, Some(Vec::new()), BTreeMap::new())
}

pub(super) fn number(last_digit: u32) -> PhoneNumber {
    format!("+1555987000{last_digit}").parse().unwrap()
}

/// What the store knows of a message beside its text.
#[derive(Clone, Debug)]
pub(super) struct StoredMessage {
    pub(super) customer: CustomerId,
    pub(super) interaction: Option<InteractionId>,
    pub(super) text: Arc<str>,
    /// The parts that an inbound message was joined from.
    pub(super) parts: Option<Parts>,
    /// None for an inbound message.
    pub(super) sent: Option<(Purpose, MessageStatus)>,
}

/// The state, its shell and its clock.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    pub(super) state: State,
    pub(super) now: Timestamp,
    /// How long the next messages waited in the gateway.
    pub(super) in_spool: SignedDuration,
    pub(super) log: Vec<Event>,
    pub(super) messages: BTreeMap<MessageId, StoredMessage>,
    customers: BTreeMap<CustomerId, Customer>,
    pub(super) addresses: BTreeMap<Sender, CustomerId>,
    pub(super) seen: BTreeMap<String, MessageId>,
    provider_ids: BTreeMap<String, MessageId>,
    parked: BTreeMap<String, Vec<ParkedReceipt>>,
    configs: u32,
    /// Parts of long texts: what is kept of them, and how many there were.
    pub(super) kept: KeptParts,
    pub(super) parts_sent: u32,
    /// What bots have set, in the interactions that they run in.
    pub(super) values: BTreeMap<InteractionId, Values>,
    /// The bots, by their versions; also those that are in force no more.
    pub(super) versions: BTreeMap<BotVersion, Arc<CompiledBot>>,
    /// What services answer next; then anything.
    pub(super) services: VecDeque<CallResult>,
    /// The texts of notes.
    pub(super) notes: Vec<Arc<str>>,
    /// Who opted out once more, and when.
    pub(super) opted_out_again: Vec<(CustomerId, Timestamp)>,
    /// Where interactions went from where, if somebody wants to know.
    pub(super) watch: Option<Watch>,
}

impl Desk {
    /// A desk where nothing happened yet, at an hour that is no round number anywhere.
    pub(super) fn new(config: ChannelConfig) -> Self {
        let now: Timestamp = "2026-11-22T14:27:31.5Z".parse().unwrap();
        let mut desk = Self {
            state: State::new(Arc::new(config)),
            now,
            in_spool: SignedDuration::ZERO,
            log: Vec::new(),
            messages: BTreeMap::new(),
            customers: BTreeMap::new(),
            addresses: BTreeMap::new(),
            seen: BTreeMap::new(),
            provider_ids: BTreeMap::new(),
            parked: BTreeMap::new(),
            configs: 0,
            kept: KeptParts::default(),
            parts_sent: 0,
            values: BTreeMap::new(),
            versions: BTreeMap::new(),
            services: VecDeque::new(),
            notes: Vec::new(),
            opted_out_again: Vec::new(),
            watch: None,
        };
        desk.execute(&Command::Started { ids_from: 0, leapt: None });
        desk
    }

    /// A desk with these agents online and present.
    pub(super) fn with_agents(config: ChannelConfig, users: &[&str]) -> Self {
        let mut desk = Self::new(config);
        for user in users {
            desk.online(user);
            desk.present(user, true);
        }
        desk
    }

    /// Handles a command and records what follows, and then delivers the texts that are waited for no longer.
    pub(super) fn execute(&mut self, command: &Command) -> Decision {
        let decision = self.execute_alone(command);
        self.bring_parts();
        decision
    }

    /// Handles a command and records what follows, as one transaction does.
    pub(super) fn execute_alone(&mut self, command: &Command) -> Decision {
        let before = self.watch.is_some().then(|| self.state.clone());
        let decision = self.state.execute(command, self.now);
        if let (Some(watch), Some(mut state)) = (&mut self.watch, before) {
            let followed = watch.follow(&mut state, command, self.now);
            assert_eq!(followed, decision.events, "what is watched is what was done");
        }
        let mut texts: BTreeMap<MessageId, Arc<str>> = BTreeMap::new();
        for content in &decision.contents {
            match content {
                Content::Customer { customer, sender } => {
                    assert_eq!(self.addresses.insert(sender.clone(), *customer), None, "made twice");
                }
                Content::Message { message, text } => {
                    texts.insert(*message, text.clone());
                }
                Content::Note { text, .. } => self.notes.push(text.clone()),
                Content::BotValues { interaction, values } => {
                    self.values.insert(*interaction, values.clone());
                }
                Content::OptOutRepeated { customer, received_at } => {
                    self.opted_out_again.push((*customer, *received_at))
                }
                Content::BlockedStart { .. } | Content::OptOutImport { .. } | Content::Part { .. } => {}
                Content::ParkedReceipt { provider_message_id, receipt } => {
                    self.parked.entry(provider_message_id.clone()).or_default().push(*receipt);
                }
            }
        }
        self.keep_parts(&decision);
        for event in &decision.events {
            self.record(&event.what, &mut texts);
        }
        assert!(texts.is_empty(), "texts of messages that no event names: {texts:?}");
        for id in self.customer_ids() {
            if let Some(customer) = self.state.customer(id) {
                self.customers.insert(id, customer.clone());
            }
        }
        self.log.extend(decision.events.iter().cloned());
        decision
    }

    fn record(&mut self, what: &Happened, texts: &mut BTreeMap<MessageId, Arc<str>>) {
        match what {
            Happened::Inbound(InboundEvent::InboundRecorded { message, customer, interaction, parts, .. }) => {
                let text = texts.remove(message).expect("every message has a text");
                let (customer, interaction, parts) = (*customer, *interaction, parts.clone());
                let stored = StoredMessage { customer, interaction, text, parts, sent: None };
                assert!(self.messages.insert(*message, stored).is_none(), "recorded twice");
            }
            Happened::Outbound(OutboundEvent::OutboundCommitted {
                message, customer, interaction, purpose, ..
            }) => {
                let text = texts.remove(message).expect("every message has a text");
                let sent = Some((purpose.clone(), MessageStatus::Waiting));
                let stored = StoredMessage { customer: *customer, interaction: *interaction, text, parts: None, sent };
                assert!(self.messages.insert(*message, stored).is_none(), "recorded twice");
            }
            Happened::Interaction(InteractionEvent::BotEnded { interaction, .. }) => {
                self.values.remove(interaction);
            }
            Happened::Outbound(OutboundEvent::AttemptStarted { message, .. }) => {
                self.set_status(*message, MessageStatus::Sending);
            }
            Happened::Outbound(OutboundEvent::AttemptNotSent { message, .. }) => {
                self.set_status(*message, MessageStatus::Waiting);
            }
            Happened::Outbound(OutboundEvent::ResendRequested { message, .. }) => {
                self.set_status(*message, MessageStatus::Waiting);
            }
            Happened::Outbound(OutboundEvent::OutboundCanceled { message, resend }) => {
                self.set_status(*message, if *resend { MessageStatus::Unknown } else { MessageStatus::Canceled });
            }
            Happened::Outbound(
                OutboundEvent::AttemptEnded { message, status, .. } | OutboundEvent::ReceiptApplied { message, status },
            ) => {
                self.set_status(*message, *status);
            }
            _ => {}
        }
    }

    fn set_status(&mut self, message: MessageId, status: MessageStatus) {
        let stored = self.messages.get_mut(&message).expect("the message was recorded");
        stored.sent.as_mut().expect("it is outbound").1 = status;
    }

    pub(super) fn customer_ids(&self) -> Vec<CustomerId> {
        self.addresses.values().copied().collect()
    }

    /// Whether a customer with this number was ever seen.
    pub(super) fn knows(&self, last_digit: u32) -> bool {
        self.addresses.contains_key(&Sender::Number(number(last_digit)))
    }

    /// The customer with this number, who must have been seen.
    pub(super) fn customer(&self, last_digit: u32) -> Customer {
        self.customers[&self.addresses[&Sender::Number(number(last_digit))]].clone()
    }

    /// Looks a customer up and hydrates them, as the shell does before each command that names them.
    pub(super) fn contact<A: Clone + Into<Sender>>(&mut self, address: &A) -> Contact<A> {
        let customer = self.addresses.get(&address.clone().into()).copied();
        if let Some(id) = customer {
            self.state.hydrate_customer(self.customers[&id].clone());
        }
        Contact { address: address.clone(), customer }
    }

    /// Lets time pass, doing what is due on the way.
    pub(super) fn pass(&mut self, duration: SignedDuration) {
        let until = self.now + duration;
        while let Some(at) = self.state.next_wakeup().filter(|at| *at <= until) {
            self.now = at.max(self.now);
            assert!(!self.execute(&Command::Tick).events.is_empty(), "woken at {at} for nothing");
        }
        self.now = until;
    }

    pub(super) fn pass_seconds(&mut self, seconds: i64) {
        self.pass(SignedDuration::from_secs(seconds));
    }

    /// Puts another configuration in force.
    pub(super) fn configure(&mut self, change: impl FnOnce(&mut ChannelConfig)) {
        let mut config = ChannelConfig::clone(self.state.config());
        change(&mut config);
        self.state.set_config(Arc::new(config));
        self.configs += 1;
        self.execute(&Command::ConfigChanged { hash: self.configs.to_string() });
    }

    /// The engine stops and starts again from its rows. Every agent is offline then.
    pub(super) fn restart(&mut self) {
        let config = self.state.config().clone();
        let json = serde_json::to_string(&self.state.rows()).unwrap();
        let rows: OpenRows = serde_json::from_str(&json).unwrap();
        let mut loaded = State::from_rows(config, rows);
        loaded.set_storage_accepted(self.state.storage_accepted());
        let decision = loaded.clone().execute(&Command::Started { ids_from: 0, leapt: None }, self.now);
        let live = self.execute(&Command::Started { ids_from: 0, leapt: None });
        assert_eq!(decision, live, "a loaded state decides as the live one");
        loaded.execute(&Command::Started { ids_from: 0, leapt: None }, self.now);
        assert_eq!(loaded, self.state, "a loaded state is as the live one");
        self.state = loaded;
    }

    // Customers.

    pub(super) fn text(&mut self, last_digit: u32, text: &str) -> InboundOutcome {
        self.text_from(&Sender::Number(number(last_digit)), text, None)
    }

    pub(super) fn text_from(&mut self, sender: &Sender, text: &str, provider: Option<Keyword>) -> InboundOutcome {
        let provider_id = format!("in-{}", self.seen.len());
        self.inbound(sender, text, provider, &provider_id).expect("not a duplicate")
    }

    /// A message under a provider's id; none = it was a duplicate.
    pub(super) fn inbound(
        &mut self,
        sender: &Sender,
        text: &str,
        provider_keyword: Option<Keyword>,
        provider_id: &str,
    ) -> Option<InboundOutcome> {
        let contact = self.contact(sender);
        let duplicate_of = self.seen.get(provider_id).copied();
        let received_at = self.now - self.in_spool;
        let command = Command::Inbound(Inbound {
            contact,
            text: text.into(),
            note: None,
            received_at,
            part: None,
            duplicate_of,
            provider_keyword,
            overtakes: false,
            before_opt_out: false,
        });
        match self.execute(&command).answer {
            Ok(Answer::Inbound { message, outcome }) => {
                let first = *self.seen.entry(provider_id.into()).or_insert(message);
                assert_eq!(first, message, "a duplicate names the first message");
                outcome
            }
            other => panic!("an inbound message is never refused: {other:?}"),
        }
    }

    /// A text as a full or an overtaken engine gets it: what it is answered, and how many events it leads to.
    pub(super) fn short_of_room(
        &mut self,
        last_digit: u32,
        text: &str,
        overtakes: bool,
        before_opt_out: bool,
    ) -> (Result<Answer, Refusal>, usize) {
        let contact = self.contact(&Sender::Number(number(last_digit)));
        let command = Command::Inbound(Inbound {
            contact,
            text: text.into(),
            note: None,
            received_at: self.now,
            part: None,
            duplicate_of: None,
            provider_keyword: None,
            overtakes,
            before_opt_out,
        });
        let decision = self.execute(&command);
        (decision.answer, decision.events.len())
    }

    /// A supervisor imports that these opted out elsewhere, some seconds ago where that is known.
    pub(super) fn import(&mut self, user: &str, listed: &[(u32, Option<i64>)]) -> Result<(u32, u32), Refusal> {
        let opt_outs = listed.iter().map(|(last_digit, ago)| ImportedOptOut {
            contact: self.contact(&number(*last_digit)),
            at: ago.map(|ago| self.now - SignedDuration::from_secs(ago)),
        });
        let opt_outs = opt_outs.collect();
        match self
            .execute(&Command::ImportOptOuts { user: user.into(), source: "TEXT-source".into(), opt_outs })
            .answer?
        {
            Answer::OptOutsImported { opted_out, before } => Ok((opted_out, before)),
            other => panic!("an import was answered {other:?}"),
        }
    }

    /// The customer's open interaction.
    pub(super) fn open(&self, last_digit: u32) -> Option<InteractionId> {
        self.customer(last_digit).open
    }

    // Agents.

    pub(super) fn online(&mut self, user: &str) {
        self.execute(&Command::AgentOnline { user: user.into() }).answer.unwrap();
    }

    pub(super) fn offline(&mut self, user: &str) {
        self.execute(&Command::AgentOffline { user: user.into() }).answer.unwrap();
    }

    pub(super) fn present(&mut self, user: &str, present: bool) {
        self.execute(&Command::SetPresence { user: user.into(), present }).answer.unwrap();
    }

    pub(super) fn owner(&self, interaction: InteractionId) -> Option<&str> {
        self.state.interaction(interaction)?.owner().map(UserId::as_str)
    }

    pub(super) fn epoch(&self, interaction: InteractionId) -> Epoch {
        self.state.interaction(interaction).map_or_else(Epoch::default, |interaction| interaction.epoch)
    }

    /// The agent replies, with the epoch in force.
    pub(super) fn reply(&mut self, user: &str, interaction: InteractionId) -> Result<MessageId, Refusal> {
        let (epoch, user) = (self.epoch(interaction), user.into());
        match self.execute(&Command::Reply { user, interaction, epoch, text: "TEXT-reply".into() }).answer? {
            Answer::Replied { message } => Ok(message),
            other => panic!("a reply was answered {other:?}"),
        }
    }

    /// Somebody has a message sent once more, with the epoch in force and what the events say of it.
    pub(super) fn resend(&mut self, user: &str, message: MessageId) -> Result<Attempt, Refusal> {
        let sent = self.messages.get(&message).and_then(|stored| {
            let (purpose, status) = stored.sent.clone()?;
            let attempt = self.last_attempt(message);
            let segments = crate::sms::segments(&stored.text).count;
            let to = self.addresses.iter().find(|(_, id)| **id == stored.customer)?.0.clone();
            Some(SentMessage { to, interaction: stored.interaction, purpose, segments, attempt, status })
        });
        if let Some(stored) = self.messages.get(&message) {
            self.state.hydrate_customer(self.customers[&stored.customer].clone());
        }
        let interaction = sent.as_ref().and_then(|sent| sent.interaction).unwrap_or(InteractionId(0));
        let (epoch, user) = (self.epoch(interaction), user.into());
        match self.execute(&Command::Resend { user, message, epoch, sent }).answer? {
            Answer::Resent { attempt } => Ok(attempt),
            other => panic!("a resend was answered {other:?}"),
        }
    }

    /// Who is asked whether they take the interaction.
    pub(super) fn asked(&self, interaction: InteractionId) -> Vec<String> {
        let offer = self.state.interaction(interaction).and_then(Interaction::offer);
        offer.into_iter().flat_map(|offer| &offer.to).map(ToString::to_string).collect()
    }

    /// The agent accepts the newest offer of the interaction.
    pub(super) fn accept(&mut self, user: &str, interaction: InteractionId) -> Result<Epoch, Refusal> {
        let (user, offer) = (user.into(), self.newest_offer(interaction));
        match self.execute(&Command::Accept { user, interaction, offer }).answer? {
            Answer::Accepted { epoch } => Ok(epoch),
            other => panic!("an acceptance was answered {other:?}"),
        }
    }

    /// The agent declines the newest offer of the interaction.
    pub(super) fn decline(&mut self, user: &str, interaction: InteractionId) -> Result<(), Refusal> {
        let (user, offer) = (user.into(), self.newest_offer(interaction));
        self.execute(&Command::Decline { user, interaction, offer }).answer.map(drop)
    }

    fn newest_offer(&self, interaction: InteractionId) -> OfferId {
        OfferId(self.state.interaction(interaction).map_or(0, |interaction| interaction.offers))
    }

    /// The agent hands the interaction over, with the epoch in force.
    pub(super) fn transfer(&mut self, user: &str, interaction: InteractionId, to: TransferTo) -> Result<(), Refusal> {
        let (epoch, user) = (self.epoch(interaction), user.into());
        self.execute(&Command::Transfer { user, interaction, epoch, to }).answer.map(drop)
    }

    /// The agent takes back what they hand over.
    pub(super) fn cancel_transfer(&mut self, user: &str, interaction: InteractionId) -> Result<(), Refusal> {
        let (epoch, user) = (self.epoch(interaction), user.into());
        self.execute(&Command::CancelTransfer { user, interaction, epoch }).answer.map(drop)
    }

    pub(super) fn finish(&mut self, user: &str, interaction: InteractionId) -> Result<(), Refusal> {
        let (epoch, user) = (self.epoch(interaction), user.into());
        self.execute(&Command::Finish { user, interaction, epoch, disposition: None }).answer.map(drop)
    }

    pub(super) fn start(&mut self, user: &str, last_digit: u32) -> Result<(InteractionId, MessageId), Refusal> {
        let contact = self.contact(&number(last_digit));
        match self.execute(&Command::Start { user: user.into(), contact, text: "TEXT-start".into() }).answer? {
            Answer::Started { interaction, message, .. } => Ok((interaction, message)),
            other => panic!("a start was answered {other:?}"),
        }
    }

    // The gateway.

    /// The messages at the gateway, in order.
    pub(super) fn at_gateway(&self) -> Vec<MessageId> {
        self.state.in_flight().map(|outbound| outbound.message).collect()
    }

    pub(super) fn attempt(&self, message: MessageId) -> Attempt {
        self.state.outbound(message).map_or_else(Attempt::default, |outbound| outbound.attempt)
    }

    /// The gateway answers the last attempt. Accepted messages get the provider id `out-<id>`.
    pub(super) fn answer(&mut self, message: MessageId, outcome: SendOutcome) -> Result<Answer, Refusal> {
        let provider_id = format!("out-{message}");
        let accepted = outcome == SendOutcome::Accepted;
        let parked = if accepted { self.parked.get(&provider_id).cloned().unwrap_or_default() } else { Vec::new() };
        let attempt = self.attempt(message);
        let answer = self.execute(&Command::SendResult(SendResult { message, attempt, outcome, parked })).answer?;
        if accepted {
            self.parked.remove(&provider_id);
            self.provider_ids.insert(provider_id, message);
        }
        Ok(answer)
    }

    /// The gateway accepts everything that it has, until it has nothing.
    pub(super) fn accept_all(&mut self) {
        while let Some(message) = self.at_gateway().first().copied() {
            self.answer(message, SendOutcome::Accepted).unwrap();
        }
    }

    /// The last attempt to send a message that was started, whether or not it is over.
    pub(super) fn last_attempt(&self, message: MessageId) -> Attempt {
        let attempts = self.log.iter().filter_map(|event| match event.what {
            Happened::Outbound(OutboundEvent::AttemptStarted { message: of, attempt, .. }) if of == message => {
                Some(attempt)
            }
            _ => None,
        });
        attempts.max().unwrap_or_default()
    }

    /// The last attempt before the newest one of a message that was, or is to be, sent once more.
    fn resent_after(&self, message: MessageId) -> Option<Attempt> {
        let resent = |event: &Event| matches!(event.what, Happened::Outbound(OutboundEvent::ResendRequested { message: of, .. }) if of == message);
        let last = self.log.iter().any(resent).then(|| self.last_attempt(message))?;
        let waits = self.status(message) == MessageStatus::Waiting;
        Some(if waits { last } else { Attempt(last.0 - 1) })
    }

    /// A receipt under the provider's id, with or without the token that names the last attempt to send the message.
    pub(super) fn receipt(&mut self, message: MessageId, token: bool, state: DeliveryState) -> ReceiptAnswer {
        let attempt = token.then(|| self.last_attempt(message));
        self.receipt_of(message, attempt, state)
    }

    /// A receipt under the provider's id, with a token that names an attempt to send the message, or with none.
    pub(super) fn receipt_of(
        &mut self,
        message: MessageId,
        attempt: Option<Attempt>,
        state: DeliveryState,
    ) -> ReceiptAnswer {
        let provider_message_id = format!("out-{message}");
        let resent_after = self.resent_after(message);
        let found =
            if attempt.is_some() { Some(message) } else { self.provider_ids.get(&provider_message_id).copied() };
        let known = found.and_then(|message| {
            let stored = self.messages.get(&message)?;
            let status = stored.sent.as_ref()?.1;
            Some(KnownMessage { message, customer: stored.customer, status, resent_after })
        });
        if let Some(known) = known {
            self.state.hydrate_customer(self.customers[&known.customer].clone());
        }
        match self.execute(&Command::Receipt(Receipt { provider_message_id, message: known, attempt, state })).answer {
            Ok(Answer::Receipt(answer)) => answer,
            other => panic!("a receipt was answered {other:?}"),
        }
    }

    pub(super) fn status(&self, message: MessageId) -> MessageStatus {
        self.messages[&message].sent.as_ref().expect("it is outbound").1
    }

    /// Texts that were committed to a customer, oldest first.
    pub(super) fn texts_to(&self, last_digit: u32) -> Vec<&str> {
        let Some(customer) = self.addresses.get(&Sender::Number(number(last_digit))) else { return Vec::new() };
        let to = self.messages.values().filter(|message| message.customer == *customer && message.sent.is_some());
        to.map(|message| message.text.as_ref()).collect()
    }

    /// The names of all events since a place in the log.
    pub(super) fn names_since(&self, place: usize) -> Vec<&'static str> {
        self.log[place..].iter().map(Event::name).collect()
    }
}

/// The members of a configuration without one of them.
pub(super) fn without(members: &Members, user: &str) -> Members {
    members.iter().filter(|member| member.user.as_str() != user).cloned().collect()
}
