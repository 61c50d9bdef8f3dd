//! Messages on their way, and the news of them.

use super::{
    Simulator,
    carrier::{Fate, Message, Owed},
    fault::{Action, Moment, Route},
    ledger::Event,
};
use crate::wire::simulator::{ClaimedPart, InboundMessage, MessageStatus, Problem, Receipt, ReceiptError, SendMessage};
use jiff::Timestamp;
use serde::Serialize;
use std::time::Duration;

impl Simulator {
    /// A customer writes to a service number, a text or a part of a long one. The sender may be a name.
    ///
    /// # Errors
    /// When no account has the number, or it cannot receive.
    pub fn customer_writes(
        &self,
        from: &str,
        to: &str,
        text: &str,
        part: Option<ClaimedPart>,
    ) -> Result<Message, Problem> {
        let at = Timestamp::now();
        let (message, webhook) = {
            let mut carrier = self.carrier.lock();
            let message = carrier.customer_writes(from, to, text, at)?;
            let url = carrier.owner(to).and_then(|(_, number)| number.webhook_url.clone());
            let webhook = url.map(|url| {
                let body = InboundMessage {
                    id: message.id.clone(),
                    account: message.account.clone(),
                    from: from.into(),
                    to: to.into(),
                    text: text.into(),
                    received_at: at,
                    part,
                };
                let owed =
                    Owed { route: Route::Inbound, message: &message, url: &url, receipt: None, body: json(&body) };
                carrier.owe(owed, at)
            });
            (message, webhook)
        };
        self.ledger.write(Event::CustomerMessage { message: message.reference(), text: text.into() });
        self.metrics.customer_message();
        self.show_handsets();
        self.show_message(&message);
        if let Some(webhook) = webhook {
            self.enqueue(&webhook);
        }
        Ok(message)
    }

    /// A service sends: takes the message, or says why not. Taken, it must be put [on its way](Self::carry).
    pub(super) fn service_sends(&self, account: &str, send: &SendMessage) -> Result<Message, Problem> {
        let message = self.carrier.lock().service_sends(account, send, Timestamp::now())?;
        self.show_handsets();
        self.show_message(&message);
        Ok(message)
    }

    /// Carries a message to its handset.
    pub(super) fn carry(&self, message: &Message) {
        let (simulator, id) = (self.clone(), message.id.clone());
        let (from, to) = (message.from.clone(), message.to.clone());
        tokio::spawn(async move {
            let settings = simulator.carrier.lock().settings.clone();
            let mut refused = None;
            for (_, action) in simulator.strike(Route::Delivery, Moment::Request, [&from, &to]) {
                match action {
                    Action::Delay { millis } => tokio::time::sleep(Duration::from_millis(millis)).await,
                    Action::Refuse { class } => {
                        refused = Some(ReceiptError { class, detail: "refused on demand".into() });
                    }
                    Action::DelayAnswer { .. }
                    | Action::Status { .. }
                    | Action::DropRequest
                    | Action::DropAnswer
                    | Action::Duplicate { .. }
                    | Action::Reorder
                    | Action::Hold
                    | Action::Lose
                    | Action::WrongSignature => {}
                }
            }
            tokio::time::sleep(Duration::from_millis(settings.sent_after_millis)).await;
            if refused.is_some() {
                return simulator.advance(&id, MessageStatus::Failed, refused);
            }
            simulator.advance(&id, MessageStatus::Sent, None);
            tokio::time::sleep(Duration::from_millis(settings.delivered_after_millis)).await;
            let (status, error) = simulator.carrier.lock().last_step(&to);
            simulator.advance(&id, status, error);
        });
    }

    /// Moves a message forward and owes the receipt, if one is wanted.
    fn advance(&self, id: &str, status: MessageStatus, error: Option<ReceiptError>) {
        let at = Timestamp::now();
        let (message, webhook) = {
            let mut carrier = self.carrier.lock();
            let Some(message) = carrier.advance(id, status, error.clone()) else { return };
            let webhook = match &message.fate {
                Fate::Outbound { status_callback: Some(url), client_ref, .. } => {
                    let body = Receipt {
                        id: id.into(),
                        account: message.account.clone(),
                        client_ref: client_ref.clone(),
                        status,
                        error,
                        at,
                    };
                    let owed = Owed {
                        route: Route::Receipts,
                        message: &message,
                        url,
                        receipt: Some(status),
                        body: json(&body),
                    };
                    Some(carrier.owe(owed, at))
                }
                Fate::Outbound { status_callback: None, .. } | Fate::Inbound { .. } => None,
            };
            (message, webhook)
        };
        self.ledger.write(Event::MessageStatus { message: message.reference(), status });
        self.show_message(&message);
        if let Some(webhook) = webhook {
            self.enqueue(&webhook);
        }
    }
}

/// The body of a webhook. Our own documents are always JSON.
fn json(body: &impl Serialize) -> String {
    serde_json::to_string(body).unwrap_or_default()
}
