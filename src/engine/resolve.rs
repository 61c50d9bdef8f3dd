//! From what is asked to what the core is told: looks up in the store, inside the transaction, what a command needs beyond the
//! open things.

use super::{
    core::{
        command::{self, ArrivedPart, Command, Contact, ImportedOptOut},
        delivery::{DeliveryState, FailureClass, SendOutcome},
        ids::CustomerId,
        opt_out::Keyword,
        state::State,
    },
    inbox::{InboundRequest, ListedOptOut, Request},
    keyword::{keyword, provider_keyword},
    store::{
        Transaction,
        error::CommitError,
        lookup::{Text, TextLookup},
        receipt_token::ReceiptTokens,
        write::Cause,
    },
};
use crate::{
    sms::Sender,
    wire::{
        inbound::InboundMessage,
        outbound::{RefusalClass, SendOutcome as GatewayOutcome},
        receipt::{self, Receipt},
    },
};

use std::sync::Arc;

use jiff::SignedDuration;

/// What was looked up of a customer's text before anything of its batch was decided.
#[derive(Debug)]
pub(super) struct Prefetched {
    address: Sender,
    found: TextLookup,
}

/// Looks up what customers' texts need, for all requests of a batch at once; what is found is in the order of the requests.
pub(super) fn prefetch<'r>(
    transaction: &Transaction<'_>,
    state: &mut State,
    requests: impl Iterator<Item = &'r Request>,
) -> Result<Vec<Option<Prefetched>>, CommitError> {
    let inbound = |request: &'r Request| match request {
        Request::Inbound(inbound) => Some((&inbound.message, Sender::from(inbound.message.from.clone()))),
        Request::Command(_)
        | Request::PartsTimedOut(_)
        | Request::Receipt(_)
        | Request::SendResult { .. }
        | Request::ImportOptOuts { .. }
        | Request::Start { .. }
        | Request::Resend { .. } => None,
    };
    let inbound: Vec<_> = requests.map(inbound).collect();
    let texts: Vec<_> = inbound.iter().flatten().map(|(message, address)| text(message, address)).collect();
    let mut found = transaction.prefetch(&texts, state)?.into_iter();
    let prefetched = inbound.into_iter().map(|inbound| {
        let (_, address) = inbound?;
        found.next().map(|found| Prefetched { address, found })
    });
    Ok(prefetched.collect())
}

fn text<'a>(message: &'a InboundMessage, address: &'a Sender) -> Text<'a> {
    Text { address, provider_message_id: &message.provider_message_id }
}

/// The command that a request is, and what the store keeps of where it came from. Customers whom it concerns are hydrated; a text for
/// which nothing was prefetched is looked up now.
pub(super) fn resolve<'r>(
    transaction: &Transaction<'_>,
    tokens: &ReceiptTokens,
    state: &mut State,
    request: &'r Request,
    prefetched: Option<Prefetched>,
) -> Result<(Command, Cause<'r>), CommitError> {
    match request {
        Request::Command(command) => Ok((command.clone(), Cause::Other)),
        Request::Inbound(request) => inbound(transaction, state, request, prefetched),
        Request::PartsTimedOut(assembly) => {
            let parts = transaction.timed_out_parts(*assembly, state)?;
            // It may have become whole a moment before.
            Ok((parts.map_or(Command::Tick, Command::PartsTimedOut), Cause::Other))
        }
        Request::Receipt(receipt) => self::receipt(transaction, tokens, state, receipt),
        Request::SendResult { message, attempt, outcome } => {
            let (outcome, provider_message_ids, provider_code) = self::outcome(outcome);
            let parked = transaction.parked(provider_message_ids)?;
            if let Some(known) = transaction.outbound(*message)? {
                hydrate(transaction, state, known.customer)?;
            }
            let command =
                Command::SendResult(command::SendResult { message: *message, attempt: *attempt, outcome, parked });
            Ok((command, Cause::SendResult { message: *message, provider_message_ids, provider_code }))
        }
        Request::ImportOptOuts { user, source, opt_outs } => {
            let opt_outs = imported(transaction, state, opt_outs)?;
            let command = Command::ImportOptOuts { user: user.clone(), source: Arc::clone(source), opt_outs };
            Ok((command, Cause::Other))
        }
        Request::Start { user, number, text } => {
            let address = Sender::from(number.clone());
            let contact =
                Contact { address: number.clone(), customer: transaction.customer_by_address(&address, state)? };
            Ok((Command::Start { user: user.clone(), contact, text: text.clone() }, Cause::Other))
        }
        Request::Resend { user, message, epoch } => {
            let sent = match transaction.sent(*message)? {
                Some((customer, sent)) => {
                    hydrate(transaction, state, customer)?;
                    Some(sent)
                }
                None => None,
            };
            Ok((Command::Resend { user: user.clone(), message: *message, epoch: *epoch, sent }, Cause::Other))
        }
    }
}

/// The customers of a list, as far as the store knows them.
fn imported(
    transaction: &Transaction<'_>,
    state: &mut State,
    listed: &[ListedOptOut],
) -> Result<Vec<ImportedOptOut>, CommitError> {
    let addresses: Vec<Sender> = listed.iter().map(|entry| Sender::from(entry.number.clone())).collect();
    let customers = transaction.customers_by_address(&addresses, state)?;
    let imported = listed.iter().zip(customers).map(|(entry, customer)| ImportedOptOut {
        contact: Contact { address: entry.number.clone(), customer },
        at: entry.at,
    });
    Ok(imported.collect())
}

fn inbound<'r>(
    transaction: &Transaction<'_>,
    state: &mut State,
    request: &'r InboundRequest,
    prefetched: Option<Prefetched>,
) -> Result<(Command, Cause<'r>), CommitError> {
    let InboundRequest { message, overtakes } = request;
    let Prefetched { address, found } = match prefetched {
        Some(prefetched) => prefetched,
        None => {
            let address = Sender::from(message.from.clone());
            let found = transaction.prefetch(&[text(message, &address)], state)?;
            Prefetched { address, found: found.first().copied().unwrap_or_default() }
        }
    };
    let customer = transaction.writer_of(text(message, &address), found);
    let mut duplicate_of = transaction.repeated_by(text(message, &address), found);
    let mut part = None;
    if duplicate_of.is_none() {
        let id = &*message.provider_message_id;
        part = match message.part {
            Some(of) => {
                duplicate_of = transaction.joined_as(id)?;
                Some(transaction.arrived(of, id, customer, state)?)
            }
            None => transaction.arrived_again(id, state)?,
        };
    }
    let part = part.map(Box::new);
    let before_opt_out = is_before_opt_out(transaction, state, message, part.as_deref(), customer)?;
    let command = Command::Inbound(command::Inbound {
        contact: Contact { address, customer },
        text: message.text.as_str().into(),
        note: message.note().map(Into::into),
        received_at: message.received_at,
        part,
        duplicate_of,
        provider_keyword: provider_keyword(message),
        overtakes: *overtakes,
        before_opt_out,
    });
    Ok((
        command,
        Cause::Inbound { provider_message_id: &message.provider_message_id, received_at: message.received_at },
    ))
}

/// Whether a word that would opt the customer in again came before the text with which they opted out.
fn is_before_opt_out(
    transaction: &Transaction<'_>,
    state: &State,
    message: &InboundMessage,
    part: Option<&ArrivedPart>,
    customer: Option<CustomerId>,
) -> Result<bool, CommitError> {
    let opted_out = customer.and_then(|id| state.customer(id)).filter(|customer| customer.opted_out);
    let Some(customer) = opted_out else { return Ok(false) };
    let received_at = match (part, keyword(message, &state.config().opt_out)) {
        // What the whole text says shows when it is joined.
        (Some(part), _) => part.begun_at(message.received_at),
        (None, Some(Keyword::Start)) => message.received_at,
        (None, Some(Keyword::Stop | Keyword::Help) | None) => return Ok(false),
    };
    Ok(transaction.opted_out_at(customer.id)?.is_some_and(|at| received_at < at))
}

/// The token decides: it is ours, and is there even when the provider's id is not known because its answer was lost.
fn receipt<'r>(
    transaction: &Transaction<'_>,
    tokens: &ReceiptTokens,
    state: &mut State,
    receipt: &'r Receipt,
) -> Result<(Command, Cause<'r>), CommitError> {
    let token = receipt.token.as_deref().and_then(|token| tokens.verify(token));
    let named = match token {
        Some((message, _)) => transaction.outbound(message)?,
        None => None,
    };
    let known = match named {
        Some(known) => Some(known),
        None => transaction.outbound_by_provider_id(&receipt.provider_message_id)?,
    };
    if let Some(known) = &known {
        hydrate(transaction, state, known.customer)?;
    }
    let state_of_all = match delivery(receipt) {
        DeliveryState::Delivered if transaction.has_undelivered_parts_beside(&receipt.provider_message_id)? => {
            DeliveryState::Sent
        }
        state => state,
    };
    let command = Command::Receipt(command::Receipt {
        provider_message_id: receipt.provider_message_id.clone(),
        message: known,
        attempt: token.map(|(_, attempt)| attempt),
        state: state_of_all,
    });
    let cause = Cause::Receipt {
        message: known.map(|known| known.message),
        provider_message_id: &receipt.provider_message_id,
        delivered: receipt.state == receipt::DeliveryState::Delivered,
        provider_code: receipt.provider_code.as_deref(),
    };
    Ok((command, cause))
}

fn hydrate(transaction: &Transaction<'_>, state: &mut State, id: CustomerId) -> Result<(), CommitError> {
    if state.customer(id).is_none()
        && let Some(customer) = transaction.customer(id)?
    {
        state.hydrate_customer(customer);
    }
    Ok(())
}

fn delivery(receipt: &Receipt) -> DeliveryState {
    match receipt.state {
        receipt::DeliveryState::Queued => DeliveryState::Queued,
        receipt::DeliveryState::Sent => DeliveryState::Sent,
        receipt::DeliveryState::Delivered => DeliveryState::Delivered,
        receipt::DeliveryState::Failed | receipt::DeliveryState::Expired | receipt::DeliveryState::Rejected => {
            DeliveryState::Failed(receipt.class.map_or(FailureClass::Failed, failure))
        }
    }
}

fn outcome(outcome: &GatewayOutcome) -> (SendOutcome, &[String], Option<&str>) {
    match outcome {
        GatewayOutcome::NotSent { retry_after_millis, .. } => {
            let millis = i64::try_from(*retry_after_millis).unwrap_or(i64::MAX);
            (SendOutcome::NotSent { retry_after: SignedDuration::from_millis(millis) }, &[], None)
        }
        GatewayOutcome::Accepted { provider_message_ids, .. } => (SendOutcome::Accepted, provider_message_ids, None),
        GatewayOutcome::Refused { class, provider_code, .. } => {
            (SendOutcome::Refused(failure(*class)), &[], provider_code.as_deref())
        }
        GatewayOutcome::Unknown { .. } => (SendOutcome::Unknown, &[], None),
    }
}

const fn failure(class: RefusalClass) -> FailureClass {
    match class {
        RefusalClass::InvalidNumber => FailureClass::InvalidNumber,
        RefusalClass::OptedOut => FailureClass::OptedOut,
        RefusalClass::Sender => FailureClass::Sender,
        RefusalClass::Account => FailureClass::Account,
        RefusalClass::Filtered => FailureClass::Filtered,
        RefusalClass::InvalidMessage => FailureClass::InvalidMessage,
        RefusalClass::Failed => FailureClass::Failed,
    }
}
