//! Posting webhooks: in order where that is wanted, signed, tried a few times, and harmed by faults.

use super::{
    Simulator,
    carrier::{Webhook, WebhookState},
    fault::{Action, Moment, Route},
    ledger::Event,
};
use crate::wire::simulator::signature;
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// How long a webhook that is to be overtaken waits for another one to come.
const OVERTAKEN_WITHIN: Duration = Duration::from_secs(10);

/// Webhooks that are posted one after the other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lane {
    /// One customer's messages to one number.
    Inbound { from: String, to: String },
    /// The receipts of one message.
    Receipts { message_id: String },
    /// A webhook by itself.
    Alone { webhook_id: String },
}

/// The webhooks of each lane, first the one whose turn it is.
pub(super) type Lanes = BTreeMap<Lane, VecDeque<String>>;

/// What faults make of a webhook whose turn it is.
#[derive(Debug, Default)]
struct Turn {
    copies: u32,
    overtaken: bool,
    held_by: Vec<u64>,
    lost: bool,
}

/// What faults make of one try.
#[derive(Debug, Default)]
struct Harm {
    delay: Duration,
    answer_lost: bool,
    wrong_signature: bool,
    faults: Vec<u64>,
}

/// How one try of a webhook ended.
enum Answer {
    Taken(u16),
    /// No answer, or one that asks to come back.
    Again(Option<u16>, Option<String>),
    /// An answer that will not change.
    Final(u16),
}

impl Simulator {
    /// Puts a webhook into its lane, and a worker on the lane when it has none.
    pub(super) fn enqueue(&self, webhook: &Webhook) {
        let message_id = webhook.message.message_id.clone().unwrap_or_default();
        let lane = match (self.carrier.lock().settings.ordered, webhook.route) {
            (true, Route::Inbound) => {
                Lane::Inbound { from: webhook.message.from.clone(), to: webhook.message.to.clone() }
            }
            (true, Route::Receipts) => Lane::Receipts { message_id },
            (false, _) | (true, Route::Account | Route::Numbers | Route::Messages | Route::Delivery) => {
                Lane::Alone { webhook_id: webhook.id.clone() }
            }
        };
        let mut lanes = self.lanes.lock();
        let queue = lanes.entry(lane.clone()).or_default();
        queue.push_back(webhook.id.clone());
        if queue.len() == 1 {
            let simulator = self.clone();
            tokio::spawn(async move { simulator.work(lane).await });
        }
        drop(lanes);
        self.wake();
    }

    async fn work(&self, lane: Lane) {
        let mut overtaken: Option<String> = None;
        while let Some(id) = self.first(&lane) {
            // One that was overtaken had its turn before.
            let turn = if overtaken.as_ref() == Some(&id) { Turn::default() } else { self.turn(&id) };
            if turn.overtaken && self.let_another_pass(&lane).await {
                overtaken = Some(id);
                continue;
            }
            self.take_turn(&id, turn).await;
            if self.leave(&lane, &id) {
                return;
            }
        }
    }

    fn first(&self, lane: &Lane) -> Option<String> {
        self.lanes.lock().get(lane).and_then(|queue| queue.front().cloned())
    }

    /// Takes a webhook out of its lane. True: it was the last one; the lane is gone, and the next one brings a new worker.
    fn leave(&self, lane: &Lane, id: &str) -> bool {
        let mut lanes = self.lanes.lock();
        let Some(queue) = lanes.get_mut(lane) else { return true };
        if let Some(at) = queue.iter().position(|queued| queued == id) {
            queue.remove(at);
        }
        if queue.is_empty() {
            lanes.remove(lane);
            return true;
        }
        false
    }

    fn turn(&self, id: &str) -> Turn {
        let mut turn = Turn::default();
        for (fault, action) in self.strike_webhook(id, Moment::Turn) {
            match action {
                Action::Duplicate { copies } => turn.copies = turn.copies.saturating_add(copies).min(100),
                Action::Reorder => turn.overtaken = true,
                Action::Hold => turn.held_by.push(fault),
                Action::Lose => turn.lost = true,
                Action::Delay { .. }
                | Action::DelayAnswer { .. }
                | Action::Status { .. }
                | Action::Refuse { .. }
                | Action::DropRequest
                | Action::DropAnswer
                | Action::WrongSignature => {}
            }
        }
        turn
    }

    fn strike_webhook(&self, id: &str, moment: Moment) -> Vec<(u64, Action)> {
        let Some(webhook) = self.carrier.lock().webhooks.get(id).cloned() else { return Vec::new() };
        self.strike(webhook.route, moment, [&webhook.message.from, &webhook.message.to])
    }

    /// Lets the next one of the lane go first, if one comes in time.
    async fn let_another_pass(&self, lane: &Lane) -> bool {
        let another = || self.lanes.lock().get(lane).is_some_and(|queue| queue.len() > 1);
        let came = tokio::time::timeout(OVERTAKEN_WITHIN, self.until(another)).await.is_ok();
        if came && let Some(queue) = self.lanes.lock().get_mut(lane) {
            queue.swap(0, 1);
        }
        came
    }

    async fn take_turn(&self, id: &str, turn: Turn) {
        if !turn.held_by.is_empty() {
            self.change_webhook(id, |webhook| webhook.state = WebhookState::Held);
            self.until(|| turn.held_by.iter().all(|fault| !self.faults.lock().exists(*fault))).await;
            self.change_webhook(id, |webhook| webhook.state = WebhookState::Waiting);
        }
        if turn.lost {
            self.end(id, false, Some("lost on demand".into()));
            return;
        }
        for _ in 0..turn.copies {
            let (simulator, id) = (self.clone(), id.to_owned());
            tokio::spawn(async move { simulator.post_until_settled(&id).await });
        }
        self.post_until_settled(id).await;
    }

    /// Tries until it is taken, refused for good, or the tries are used up.
    async fn post_until_settled(&self, id: &str) {
        for attempt in 1.. {
            let Some((webhook, settings)) = self.webhook_and_settings(id) else { return };
            match self.post(&webhook, attempt).await {
                Answer::Taken(_) => return self.end(id, true, None),
                Answer::Final(_) => return self.end(id, false, None),
                Answer::Again(..) if attempt >= settings.webhook_attempts => return self.end(id, false, None),
                Answer::Again(..) => tokio::time::sleep(settings.pause_after(attempt)).await,
            }
        }
    }

    fn webhook_and_settings(&self, id: &str) -> Option<(Webhook, super::Settings)> {
        let carrier = self.carrier.lock();
        Some((carrier.webhooks.get(id)?.clone(), carrier.settings.clone()))
    }

    async fn post(&self, webhook: &Webhook, attempt: u32) -> Answer {
        let harm = self.harm(&webhook.id);
        tokio::time::sleep(harm.delay).await;
        let started_at = Timestamp::now();
        let answer = match self.request(webhook, started_at, harm.wrong_signature).await {
            Ok(status) if harm.answer_lost => {
                Answer::Again(None, Some(format!("the answer {status} was lost on demand")))
            }
            Ok(status) if (200..300).contains(&status) => Answer::Taken(status),
            Ok(status) if status == 429 || status >= 500 => Answer::Again(Some(status), None),
            Ok(status) => Answer::Final(status),
            Err(error) => Answer::Again(None, Some(error)),
        };
        let (status, error) = match &answer {
            Answer::Taken(status) | Answer::Final(status) => (Some(*status), None),
            Answer::Again(status, error) => (*status, error.clone()),
        };
        let shown = error.clone().or_else(|| status.map(|status| format!("HTTP {status}")));
        self.change_webhook(&webhook.id, |webhook| {
            webhook.attempts += 1;
            webhook.last_answer = shown;
        });
        self.metrics.webhook_try(webhook.route, status);
        self.ledger.write(Event::WebhookTry {
            webhook_id: webhook.id.clone(),
            route: webhook.route,
            message: webhook.message.clone(),
            receipt: webhook.receipt,
            attempt,
            started_at,
            status,
            error,
            faults: harm.faults,
        });
        answer
    }

    fn harm(&self, id: &str) -> Harm {
        let mut harm = Harm::default();
        for (fault, action) in self.strike_webhook(id, Moment::Try) {
            harm.faults.push(fault);
            match action {
                Action::Delay { millis } => harm.delay += Duration::from_millis(millis),
                Action::DropAnswer => harm.answer_lost = true,
                Action::WrongSignature => harm.wrong_signature = true,
                Action::DelayAnswer { .. }
                | Action::Status { .. }
                | Action::Refuse { .. }
                | Action::DropRequest
                | Action::Duplicate { .. }
                | Action::Reorder
                | Action::Hold
                | Action::Lose => {}
            }
        }
        harm
    }

    /// Posts once; the status of the answer, or why there is none.
    async fn request(&self, webhook: &Webhook, at: Timestamp, wrong_signature: bool) -> Result<u16, String> {
        let (address, timeout, account) = {
            let carrier = self.carrier.lock();
            let settings = &carrier.settings;
            let timeout = Duration::from_millis(settings.webhook_timeout_millis);
            (settings.address_of(&webhook.url), timeout, carrier.accounts.get(&webhook.account).cloned())
        };
        let token = account.as_ref().and_then(|account| super::account::tokens(account).into_iter().next());
        let Some(token) = token else { return Err(format!("account {} has no token to sign with", webhook.account)) };
        let token = if wrong_signature { format!("not {token}") } else { token };
        let request = self
            .client
            .post(address)
            .timeout(timeout)
            .header("content-type", "application/json")
            .header(signature::HEADER, signature::sign(&token, at, &webhook.url, webhook.body.as_bytes()))
            .body(webhook.body.clone());
        match request.send().await {
            Ok(response) => Ok(response.status().as_u16()),
            Err(error) => Err(causes(&error.without_url())),
        }
    }

    fn end(&self, id: &str, delivered: bool, answer: Option<String>) {
        let webhook = self.change_webhook(id, |webhook| {
            // Of several copies one that was taken is enough.
            if delivered {
                webhook.state = WebhookState::Delivered;
            } else if webhook.state != WebhookState::Delivered {
                webhook.state = WebhookState::Undelivered;
            }
            if answer.is_some() {
                webhook.last_answer = answer;
            }
        });
        if let Some(Webhook { id, route, message, .. }) = webhook {
            self.ledger.write(Event::WebhookEnd { webhook_id: id, route, message, delivered });
        }
    }
}

/// An error with its causes: the outer one alone rarely says what happened.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
