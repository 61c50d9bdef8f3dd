//! What the carrier knows: accounts, handsets, messages, webhooks. No I/O.

use super::{
    config::{AccountConfig, Config, ConfigError, HandsetConfig, NumberConfig, Settings, check_accounts},
    fault::Route,
    ledger::MessageRef,
};
use crate::{
    sms::{PhoneNumber, segments},
    wire::simulator::{MessageStatus, Problem, ProblemClass, ReceiptError, SendMessage},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most messages, and most webhooks, that are kept; the oldest go first.
const KEPT: usize = 20_000;

/// A message, either way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// The simulator's id; ids grow with time.
    pub id: String,
    /// The account that owns the service number.
    pub account: String,
    /// The sender's number, or name.
    pub from: String,
    /// To whom.
    pub to: String,
    /// The text as it was sent.
    pub text: String,
    /// When the simulator got it.
    pub at: Timestamp,
    /// How many segments it takes.
    pub segments: u32,
    /// The direction, and how far the message came.
    #[serde(flatten)]
    pub fate: Fate,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "direction", rename_all_fields = "camelCase")]
pub enum Fate {
    /// From a customer to a service.
    Inbound {
        /// Whether the service has taken it.
        webhook: WebhookState,
    },
    /// From a service to a customer.
    Outbound {
        /// How far it has come.
        status: MessageStatus,
        /// Why it was not delivered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<ReceiptError>,
        /// What the sender called it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_ref: Option<String>,
        /// The URL that receipts are posted to; none are when it is absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status_callback: Option<String>,
    },
}

impl Message {
    /// The message as the ledger names it.
    pub(super) fn reference(&self) -> MessageRef {
        let client_ref = match &self.fate {
            Fate::Inbound { .. } => None,
            Fate::Outbound { client_ref, .. } => client_ref.clone(),
        };
        MessageRef { message_id: Some(self.id.clone()), client_ref, from: self.from.clone(), to: self.to.clone() }
    }
}

/// How a webhook stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WebhookState {
    /// The number has no webhook.
    None,
    /// Not settled yet.
    Waiting,
    /// Held by a fault.
    Held,
    /// Somebody took it.
    Delivered,
    /// Nobody did, and it is not tried any more.
    Undelivered,
}

/// One webhook: a call that the simulator owes to a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// Its id; retries and copies share it.
    pub id: String,
    /// `Inbound` or `Receipts`.
    pub route: Route,
    /// The account, whose token signs.
    pub account: String,
    /// The message.
    pub message: MessageRef,
    /// What the receipt says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<MessageStatus>,
    /// Where it goes, as configured.
    pub url: String,
    /// The body, exactly as it is posted.
    pub body: String,
    /// Whether it still has to be posted.
    pub state: WebhookState,
    /// How often it was tried.
    pub attempts: u32,
    /// What came of the last try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_answer: Option<String>,
    /// Since when it is owed.
    pub at: Timestamp,
}

/// Everything the carrier knows.
#[derive(Debug)]
pub(super) struct Carrier {
    /// Makes ids of two runs differ: receivers remember ids for days.
    run: u32,
    issued: u64,
    pub(super) accounts: BTreeMap<String, AccountConfig>,
    pub(super) handsets: BTreeMap<PhoneNumber, HandsetConfig>,
    pub(super) settings: Settings,
    pub(super) messages: BTreeMap<String, Message>,
    pub(super) webhooks: BTreeMap<String, Webhook>,
}

impl Carrier {
    pub(super) fn new(config: Config) -> Self {
        Self {
            run: fastrand::u32(..),
            issued: 0,
            accounts: config.accounts.into_iter().map(|account| (account.account.clone(), account)).collect(),
            handsets: config.handsets.into_iter().map(|handset| (handset.number.clone(), handset)).collect(),
            settings: config.settings,
            messages: BTreeMap::new(),
            webhooks: BTreeMap::new(),
        }
    }

    fn id(&mut self, prefix: &str) -> String {
        self.issued += 1;
        format!("{prefix}{:08x}{:012x}", self.run, self.issued)
    }

    /// The number and the account that owns it.
    pub(super) fn owner(&self, number: &str) -> Option<(&AccountConfig, &NumberConfig)> {
        self.accounts.values().find_map(|account| {
            let number = account.numbers.iter().find(|n| n.number.as_str() == number)?;
            Some((account, number))
        })
    }

    /// Puts an account in place, or replaces it.
    pub(super) fn set_account(&mut self, account: AccountConfig) -> Result<(), ConfigError> {
        let others = self.accounts.values().filter(|other| other.account != account.account);
        check_accounts(others.chain([&account]))?;
        self.accounts.insert(account.account.clone(), account);
        Ok(())
    }

    /// A customer's handset, which appears when it is first written to or from.
    pub(super) fn handset(&mut self, number: &PhoneNumber) -> &HandsetConfig {
        self.handsets.entry(number.clone()).or_insert_with(|| HandsetConfig {
            number: number.clone(),
            name: String::new(),
            reachable: true,
            opted_out: false,
        })
    }

    /// A customer writes. Says what is wrong when the carrier has no such service number.
    pub(super) fn customer_writes(
        &mut self,
        from: &str,
        to: &str,
        text: &str,
        at: Timestamp,
    ) -> Result<Message, Problem> {
        let Some((account, number)) = self.owner(to) else {
            return Err(Problem::new(ProblemClass::InvalidRequest, format!("no account has the number {to}")));
        };
        if !number.sms_capable {
            let detail = format!("the number {to} cannot receive text messages");
            return Err(Problem::new(ProblemClass::InvalidRequest, detail));
        }
        let webhook = if number.webhook_url.is_some() { WebhookState::Waiting } else { WebhookState::None };
        let account = account.account.clone();
        if let Ok(number) = from.parse() {
            self.handset(&number);
        }
        let message = Message {
            id: self.id("SM"),
            account,
            from: from.into(),
            to: to.into(),
            text: text.into(),
            at,
            segments: segments(text).count,
            fate: Fate::Inbound { webhook },
        };
        Ok(self.keep(message))
    }

    /// A service sends: the checks that a provider makes before it takes a message.
    pub(super) fn service_sends(
        &mut self,
        account: &str,
        send: &SendMessage,
        at: Timestamp,
    ) -> Result<Message, Problem> {
        let sender = |detail: &str| Problem::new(ProblemClass::Sender, format!("{} {detail}", send.from));
        match self.owner(&send.from) {
            Some((owner, _)) if owner.account != account => return Err(sender("is not a number of this account")),
            None => return Err(sender("is not a number of this account")),
            Some((_, number)) if !number.sms_capable => return Err(sender("cannot send text messages")),
            Some(_) => {}
        }
        let to: PhoneNumber =
            send.to.parse().map_err(|error| Problem::new(ProblemClass::InvalidNumber, format!("to: {error}")))?;
        if self.handset(&to).opted_out {
            return Err(Problem::new(ProblemClass::OptedOut, format!("{to} has opted out")));
        }
        let message = Message {
            id: self.id("SM"),
            account: account.into(),
            from: send.from.clone(),
            to: send.to.clone(),
            text: send.text.clone(),
            at,
            segments: segments(&send.text).count,
            fate: Fate::Outbound {
                status: MessageStatus::Accepted,
                error: None,
                client_ref: send.client_ref.clone(),
                status_callback: send.status_callback.clone(),
            },
        };
        Ok(self.keep(message))
    }

    fn keep(&mut self, message: Message) -> Message {
        if self.messages.len() >= KEPT {
            self.messages.pop_first();
        }
        self.messages.insert(message.id.clone(), message.clone());
        message
    }

    /// Owes a webhook about a message.
    pub(super) fn owe(&mut self, owed: Owed<'_>, at: Timestamp) -> Webhook {
        let Owed { route, message, url, receipt, body } = owed;
        let webhook = Webhook {
            id: self.id("WH"),
            route,
            account: message.account.clone(),
            message: message.reference(),
            receipt,
            url: url.into(),
            body,
            state: WebhookState::Waiting,
            attempts: 0,
            last_answer: None,
            at,
        };
        if self.webhooks.len() >= KEPT {
            self.webhooks.pop_first();
        }
        self.webhooks.insert(webhook.id.clone(), webhook.clone());
        webhook
    }

    /// Changes a webhook and, when it is about a customer's message, what the handset shows of it.
    pub(super) fn change_webhook(
        &mut self,
        id: &str,
        change: impl FnOnce(&mut Webhook),
    ) -> Option<(Webhook, Option<Message>)> {
        let webhook = self.webhooks.get_mut(id)?;
        change(webhook);
        let webhook = webhook.clone();
        let message = webhook.message.message_id.as_ref().and_then(|id| self.messages.get_mut(id));
        let shown = message.and_then(|message| match &mut message.fate {
            Fate::Inbound { webhook: state } => {
                *state = webhook.state;
                Some(message.clone())
            }
            Fate::Outbound { .. } => None,
        });
        Some((webhook, shown))
    }

    /// Moves a sent message forward.
    pub(super) fn advance(&mut self, id: &str, to: MessageStatus, reason: Option<ReceiptError>) -> Option<Message> {
        let message = self.messages.get_mut(id)?;
        match &mut message.fate {
            Fate::Inbound { .. } => None,
            Fate::Outbound { status, .. } if status.is_final() => None,
            Fate::Outbound { status, error, .. } => {
                *status = to;
                *error = reason;
                Some(message.clone())
            }
        }
    }

    /// How the last step of a message ends: with a handset that is on, or with one that is not.
    pub(super) fn last_step(&mut self, to: &str) -> (MessageStatus, Option<ReceiptError>) {
        let reachable = to.parse().map_or(true, |number| self.handset(&number).reachable);
        if reachable {
            return (MessageStatus::Delivered, None);
        }
        let detail = "the handset is switched off or out of reach".into();
        (MessageStatus::Undelivered, Some(ReceiptError { class: ProblemClass::Unreachable, detail }))
    }
}

/// A webhook to come.
pub(super) struct Owed<'a> {
    pub(super) route: Route,
    pub(super) message: &'a Message,
    pub(super) url: &'a str,
    pub(super) receipt: Option<MessageStatus>,
    pub(super) body: String,
}
