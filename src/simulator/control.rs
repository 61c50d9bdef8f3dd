//! The control API: customers who write, faults on demand, accounts and handsets, and the ledger.

use super::{
    Simulator,
    carrier::{Message, Webhook, WebhookState},
    config::{AccountConfig, HandsetConfig, NumberConfig, Settings},
    fault::{FaultRequest, InjectedFault},
    ledger::{Event, LedgerPage, LedgerQuery},
    reply::{Body, missing, wrong},
};
use crate::{
    sms::PhoneNumber,
    wire::simulator::{ClaimedPart, MAX_TEXT, Problem, ServiceNumber},
};
use axum::{
    Json, Router,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::StatusCode,
    routing::{delete, get, post, put},
};
use serde::{Deserialize, Serialize};

/// Longest sender: a provider's longest name is 11 characters, a number has 16.
const MAX_SENDER: usize = 32;
/// Longest name of a handset.
const MAX_NAME: usize = 60;
/// Messages of the past that a page is shown.
const SHOWN: usize = 2_000;

pub(super) fn router() -> Router<Simulator> {
    Router::new()
        .route("/ledger", get(ledger))
        .route("/control/state", get(state))
        .route("/control/settings", put(set_settings))
        .route("/control/accounts/{account}", put(set_account).delete(remove_account))
        .route("/control/accounts/{account}/numbers/{number}", put(set_number).delete(remove_number))
        .route("/control/handsets/{number}", put(set_handset).delete(remove_handset))
        .route("/control/handsets/{number}/messages", post(customer_writes))
        .route("/control/faults", get(faults).post(add_fault).delete(remove_faults))
        .route("/control/faults/{id}", delete(remove_fault))
        .route("/control/webhooks/{id}/redeliver", post(redeliver))
}

/// Everything that a page shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// Accounts, without their tokens.
    pub accounts: Vec<AccountView>,
    /// Handsets.
    pub handsets: Vec<HandsetConfig>,
    /// The last messages, oldest first.
    pub messages: Vec<Message>,
    /// Webhooks that nobody has taken yet.
    pub webhooks: Vec<Webhook>,
    /// Faults in force and spent.
    pub faults: Vec<InjectedFault>,
    /// Speed and stubbornness.
    pub settings: Settings,
}

/// An account without its tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountView {
    /// The account's name in tokens and paths.
    pub account: String,
    /// The service numbers that belong to it.
    pub numbers: Vec<ServiceNumber>,
}

/// The body of `PUT /control/accounts/{account}/numbers/{number}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NumberChange {
    /// Whether it can send and receive; unchanged when absent, true for a new number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms_capable: Option<bool>,
    /// Where inbound messages are posted; unchanged when absent, nowhere when empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_url: Option<String>,
}

/// The body of `PUT /control/handsets/{number}`. What is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HandsetChange {
    /// The name of the customer who has it; unchanged when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether messages reach it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reachable: Option<bool>,
    /// Whether the provider refuses messages to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opted_out: Option<bool>,
}

/// The body of `POST /control/handsets/{number}/messages`: what a customer writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CustomerText {
    /// The service number.
    pub to: String,
    /// The text. It may be empty, as a message of pictures only is.
    pub text: String,
    /// The text is this part of a longer one. What no part can be goes out all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<ClaimedPart>,
}

type Answer<T> = Result<Json<T>, Problem>;

async fn ledger(
    State(simulator): State<Simulator>,
    query: Result<Query<LedgerQuery>, QueryRejection>,
) -> Answer<LedgerPage> {
    let Query(query) = query.map_err(|error| wrong(StatusCode::BAD_REQUEST, error.body_text()))?;
    Ok(Json(simulator.ledger.page(&query)))
}

async fn state(State(simulator): State<Simulator>) -> Json<Snapshot> {
    Json(simulator.snapshot())
}

async fn set_settings(State(simulator): State<Simulator>, Body(settings): Body<Settings>) -> Json<Settings> {
    simulator.carrier.lock().settings = settings.clone();
    Json(settings)
}

/// The body of `PUT /control/accounts/{account}`: an account without its name.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AccountBody {
    #[serde(default)]
    tokens: Vec<String>,
    #[serde(default)]
    numbers: Vec<NumberConfig>,
}

async fn set_account(
    State(simulator): State<Simulator>,
    Path(account): Path<String>,
    Body(body): Body<AccountBody>,
) -> Answer<AccountView> {
    // A token file is named by the configuration only: this API must not make the simulator read files.
    let config = AccountConfig { account, tokens: body.tokens, token_file: None, numbers: body.numbers };
    let view = AccountView::of(&config);
    set(&simulator, config)?;
    Ok(Json(view))
}

fn set(simulator: &Simulator, account: AccountConfig) -> Result<(), Problem> {
    let outcome = simulator.carrier.lock().set_account(account);
    outcome.map_err(|error| wrong(StatusCode::BAD_REQUEST, error.to_string()))?;
    simulator.show_accounts();
    Ok(())
}

async fn remove_account(
    State(simulator): State<Simulator>,
    Path(account): Path<String>,
) -> Result<StatusCode, Problem> {
    let removed = simulator.carrier.lock().accounts.remove(&account);
    removed.ok_or_else(|| missing("account", &account))?;
    simulator.show_accounts();
    Ok(StatusCode::NO_CONTENT)
}

async fn set_number(
    State(simulator): State<Simulator>,
    Path((account, number)): Path<(String, PhoneNumber)>,
    Body(change): Body<NumberChange>,
) -> Answer<ServiceNumber> {
    let existing = simulator.carrier.lock().accounts.get(&account).cloned();
    let mut config = existing.ok_or_else(|| missing("account", &account))?;
    if !config.numbers.iter().any(|known| known.number == number) {
        config.numbers.push(NumberConfig { number: number.clone(), sms_capable: true, webhook_url: None });
    }
    let changed = config.numbers.iter_mut().find(|known| known.number == number);
    let shown = changed.map(|known| {
        known.sms_capable = change.sms_capable.unwrap_or(known.sms_capable);
        if let Some(url) = change.webhook_url {
            known.webhook_url = (!url.is_empty()).then_some(url);
        }
        known.shown()
    });
    set(&simulator, config)?;
    shown.map(Json).ok_or_else(|| missing("number", number))
}

async fn remove_number(
    State(simulator): State<Simulator>,
    Path((account, number)): Path<(String, PhoneNumber)>,
) -> Result<StatusCode, Problem> {
    {
        let mut carrier = simulator.carrier.lock();
        let config = carrier.accounts.get_mut(&account).ok_or_else(|| missing("account", &account))?;
        let before = config.numbers.len();
        config.numbers.retain(|known| known.number != number);
        if config.numbers.len() == before {
            return Err(missing("number", number));
        }
    }
    simulator.show_accounts();
    Ok(StatusCode::NO_CONTENT)
}

async fn set_handset(
    State(simulator): State<Simulator>,
    Path(number): Path<PhoneNumber>,
    Body(change): Body<HandsetChange>,
) -> Answer<HandsetConfig> {
    if change.name.as_ref().is_some_and(|name| name.chars().count() > MAX_NAME) {
        return Err(wrong(StatusCode::BAD_REQUEST, format!("name: more than {MAX_NAME} characters")));
    }
    let handset = {
        let mut carrier = simulator.carrier.lock();
        let known = carrier.handset(&number).clone();
        let handset = HandsetConfig {
            number: number.clone(),
            name: change.name.unwrap_or(known.name),
            reachable: change.reachable.unwrap_or(known.reachable),
            opted_out: change.opted_out.unwrap_or(known.opted_out),
        };
        carrier.handsets.insert(number, handset.clone());
        handset
    };
    simulator.show_handsets();
    Ok(Json(handset))
}

async fn remove_handset(
    State(simulator): State<Simulator>,
    Path(number): Path<PhoneNumber>,
) -> Result<StatusCode, Problem> {
    let removed = simulator.carrier.lock().handsets.remove(&number);
    removed.ok_or_else(|| missing("handset", &number))?;
    simulator.show_handsets();
    Ok(StatusCode::NO_CONTENT)
}

async fn customer_writes(
    State(simulator): State<Simulator>,
    Path(from): Path<String>,
    Body(CustomerText { to, text, part }): Body<CustomerText>,
) -> Result<(StatusCode, Json<Message>), Problem> {
    if from.chars().count() > MAX_SENDER {
        return Err(wrong(StatusCode::BAD_REQUEST, format!("the sender has more than {MAX_SENDER} characters")));
    }
    if text.chars().count() > MAX_TEXT {
        return Err(wrong(StatusCode::BAD_REQUEST, format!("text: more than {MAX_TEXT} characters")));
    }
    let message = simulator.customer_writes(&from, &to, &text, part)?;
    Ok((StatusCode::CREATED, Json(message)))
}

async fn faults(State(simulator): State<Simulator>) -> Json<Vec<InjectedFault>> {
    Json(simulator.faults.lock().list().to_vec())
}

async fn add_fault(
    State(simulator): State<Simulator>,
    Body(request): Body<FaultRequest>,
) -> Result<(StatusCode, Json<InjectedFault>), Problem> {
    let fault = simulator.add_fault(request).map_err(|error| wrong(StatusCode::BAD_REQUEST, error.to_string()))?;
    Ok((StatusCode::CREATED, Json(fault)))
}

async fn remove_faults(State(simulator): State<Simulator>) -> StatusCode {
    simulator.remove_faults(None);
    StatusCode::NO_CONTENT
}

async fn remove_fault(State(simulator): State<Simulator>, Path(id): Path<u64>) -> Result<StatusCode, Problem> {
    if simulator.remove_faults(Some(id)) == 0 {
        return Err(missing("fault", id));
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn redeliver(State(simulator): State<Simulator>, Path(id): Path<String>) -> Answer<Webhook> {
    let state = simulator.carrier.lock().webhooks.get(&id).map(|webhook| webhook.state);
    if state == Some(WebhookState::Undelivered) {
        simulator.point_to_configured_url(&id);
        let webhook = simulator.change_webhook(&id, |webhook| webhook.state = WebhookState::Waiting);
        if let Some(webhook) = webhook {
            simulator.enqueue(&webhook);
            return Ok(Json(webhook));
        }
    }
    match state {
        None => Err(missing("webhook", id)),
        Some(_) => Err(wrong(StatusCode::CONFLICT, "the webhook is not undelivered")),
    }
}

impl Simulator {
    /// Asks for a fault.
    ///
    /// # Errors
    /// When it makes no sense.
    pub fn add_fault(&self, request: FaultRequest) -> Result<InjectedFault, super::FaultError> {
        let fault = self.faults.lock().add(request)?;
        self.ledger.write(Event::FaultAdded { fault: fault.clone() });
        self.show_faults();
        Ok(fault)
    }

    /// Removes one fault, or all, and lets go what they held. Says how many there were.
    pub fn remove_faults(&self, id: Option<u64>) -> usize {
        let removed = self.faults.lock().remove(id);
        self.ledger.write(Event::FaultRemoved { id });
        self.show_faults();
        self.wake();
        removed
    }

    /// Some of the ledger.
    pub fn ledger(&self, query: &LedgerQuery) -> LedgerPage {
        self.ledger.page(query)
    }

    /// The simulator as its page shows it now.
    pub fn snapshot(&self) -> Snapshot {
        let carrier = self.carrier.lock();
        let open = |webhook: &&Webhook| webhook.state != WebhookState::Delivered;
        let skip = carrier.messages.len().saturating_sub(SHOWN);
        Snapshot {
            accounts: carrier.accounts.values().map(AccountView::of).collect(),
            handsets: carrier.handsets.values().cloned().collect(),
            messages: carrier.messages.values().skip(skip).cloned().collect(),
            webhooks: carrier.webhooks.values().filter(open).take(SHOWN).cloned().collect(),
            faults: self.faults.lock().list().to_vec(),
            settings: carrier.settings.clone(),
        }
    }

    /// An inbound webhook that goes out again goes where its number points now.
    fn point_to_configured_url(&self, id: &str) {
        let mut carrier = self.carrier.lock();
        let Some(webhook) = carrier.webhooks.get(id) else { return };
        if webhook.route != super::Route::Inbound {
            return;
        }
        let url = carrier.owner(&webhook.message.to).and_then(|(_, number)| number.webhook_url.clone());
        if let (Some(url), Some(webhook)) = (url, carrier.webhooks.get_mut(id)) {
            webhook.url = url;
        }
    }
}

impl AccountView {
    pub(super) fn of(account: &AccountConfig) -> Self {
        Self { account: account.account.clone(), numbers: account.numbers.iter().map(NumberConfig::shown).collect() }
    }
}
