//! What becomes of a customer's message.

use jiff::SignedDuration;

use super::{
    bot_lifecycle,
    bot_run::BotSlot,
    command::{Answer, Inbound, Refusal},
    consent,
    customer::Customer,
    draft::Draft,
    event::{
        CloseReason, CustomerEvent, InboundEvent, InboundOutcome, InteractionEvent, OptOutBy, Origin, Parts, Purpose,
    },
    ids::{InteractionId, MessageId, UserId},
    opt_out::{AnsweredBy, Keyword},
    queue, sending,
};

/// The out-of-hours and queue-full texts go to one customer no more often than this.
const NOTICE_INTERVAL: SignedDuration = SignedDuration::from_hours(1);

/// A new text of a customer.
struct Text {
    message: MessageId,
    /// The parts that it was joined from.
    parts: Option<Parts>,
}

/// Handles a whole text, or what there is of one that is waited for no longer, in this order: opt-out words, blocklist, disabled, open
/// interaction, hours, full queue, queue.
pub(super) fn take(draft: &mut Draft<'_>, inbound: &Inbound, parts: Option<Parts>) -> Result<Answer, Refusal> {
    let customer = draft.customer(&inbound.contact)?;
    let message = match &inbound.note {
        None => draft.new_message(&inbound.text),
        Some(note) if inbound.text.is_empty() => draft.new_message(note),
        Some(note) => draft.new_message(&format!("{}\n{note}", inbound.text).into()),
    };
    // Who knows what a word says of which parts are missing?
    let is_whole = parts.as_ref().is_none_or(|parts| parts.missing.is_empty());
    let keyword = if is_whole { keyword(draft, inbound, customer.opted_out) } else { None };
    let text = Text { message, parts };
    let outcome = match keyword {
        Some(keyword) => opt_out_word(draft, inbound, &customer, &text, keyword),
        None => admit(draft, inbound, &customer, &text),
    };
    Ok(Answer::Inbound { message, outcome: Some(outcome) })
}

/// The opt-out word that the message is, if it means anything for this customer: a start does only after an opt-out.
pub(super) fn keyword(draft: &Draft<'_>, inbound: &Inbound, opted_out: bool) -> Option<Keyword> {
    let keyword = inbound.provider_keyword.or_else(|| draft.config().opt_out.keyword(&inbound.text))?;
    (keyword != Keyword::Start || (opted_out && !inbound.before_opt_out)).then_some(keyword)
}

fn opt_out_word(
    draft: &mut Draft<'_>,
    inbound: &Inbound,
    customer: &Customer,
    text: &Text,
    keyword: Keyword,
) -> InboundOutcome {
    let config = draft.config();
    let we_answer = inbound.provider_keyword.is_none() && config.opt_out.answered_by() == AnsweredBy::Aldis;
    let (texts, message) = (config.opt_out.texts(), text.message);
    match keyword {
        Keyword::Stop => {
            record(draft, text, customer, InboundOutcome::OptedOut, customer.open);
            let by_provider = inbound.provider_keyword.is_some();
            let by = if by_provider { OptOutBy::Provider { message } } else { OptOutBy::Keyword { message } };
            consent::opt_out(draft, customer, by);
            // Once: an opt-out that is repeated has been confirmed.
            if we_answer && !customer.opted_out {
                sending::commit_automatic(draft, customer, customer.open, Purpose::OptOutConfirmation, &texts.stopped);
            }
            InboundOutcome::OptedOut
        }
        Keyword::Help => {
            record(draft, text, customer, InboundOutcome::Help, customer.open);
            if we_answer {
                sending::commit_automatic(draft, customer, customer.open, Purpose::Help, &texts.help);
            }
            InboundOutcome::Help
        }
        Keyword::Start => {
            record(draft, text, customer, InboundOutcome::OptedIn, customer.open);
            draft.push(CustomerEvent::OptedIn { customer: customer.id, message });
            if we_answer {
                let customer = Customer { opted_out: false, ..customer.clone() };
                sending::commit_automatic(draft, &customer, customer.open, Purpose::OptInConfirmation, &texts.started);
            }
            InboundOutcome::OptedIn
        }
    }
}

/// Whether its sender is on the inbound blocklist now.
pub(super) fn is_blocked(draft: &Draft<'_>, inbound: &Inbound) -> bool {
    let number = inbound.contact.address.number();
    number.is_some_and(|number| draft.config().blocklist.blocks_inbound(number, draft.now))
}

/// Finds the message's interaction, or the reason why it gets none.
fn admit(draft: &mut Draft<'_>, inbound: &Inbound, customer: &Customer, text: &Text) -> InboundOutcome {
    let config = draft.config();
    if is_blocked(draft, inbound) {
        return record(draft, text, customer, InboundOutcome::Blocked, None);
    }
    if !config.enabled {
        // It is kept with the open interaction, where the agent may still read it and finish.
        return record(draft, text, customer, InboundOutcome::Disabled, customer.open);
    }
    if customer.open.is_some() {
        return record(draft, text, customer, InboundOutcome::Joined, customer.open);
    }
    // What waited in the gateway counts as of the hour at which it came; the gateway's clock may be ahead of ours.
    if !config.schedule.is_open(inbound.received_at.min(draft.now)) {
        let interaction = open(draft, customer);
        record(draft, text, customer, InboundOutcome::OutOfHours, Some(interaction));
        let closed = config.out_of_hours_message.as_deref();
        notice(draft, customer, Some(interaction), Purpose::OutOfHours, closed);
        let reason = CloseReason::OutOfHours;
        draft.push(InteractionEvent::InteractionClosed {
            interaction,
            reason,
            owner: None,
            completed_on: None,
            disposition: None,
            by: None,
        });
        return InboundOutcome::OutOfHours;
    }
    if queue::is_full(draft.state) {
        record(draft, text, customer, InboundOutcome::QueueFull, None);
        notice(draft, customer, None, Purpose::QueueFull, config.queue_full_message.as_deref());
        return InboundOutcome::QueueFull;
    }
    let interaction = open(draft, customer);
    // Who cannot be answered is not waiting for an answer.
    let measured = customer.can_receive && !customer.opted_out;
    let previous_agent = previous_agent(draft, customer);
    let has_met_too_many = customer.met_bots.is_some_and(|met| met.is_too_many(draft.now));
    if let Some(bot) =
        config.bots.on_start.as_ref().filter(|_| bot_lifecycle::may_meet(draft.state, customer) && !has_met_too_many)
    {
        record(draft, text, customer, InboundOutcome::Bot, Some(interaction));
        draft.push(bot_lifecycle::started(interaction, BotSlot::OnStart, bot, previous_agent, None));
        return InboundOutcome::Bot;
    }
    record(draft, text, customer, InboundOutcome::Queued, Some(interaction));
    draft.push(InteractionEvent::InteractionQueued { interaction, measured, previous_agent });
    InboundOutcome::Queued
}

/// The agent whom the customer had last, if that ended so short a time ago. Of the time that the message waited in the gateway nobody knows whether the
/// channel was disabled in it, so all of it counts.
fn previous_agent(draft: &Draft<'_>, customer: &Customer) -> Option<UserId> {
    let (within, last) = (draft.config().session_reopen?, customer.last_agent.as_ref()?);
    let now = draft.state.scalars.clock.at(draft.now);
    (now.since(last.ended_at) <= within).then(|| last.user.clone())
}

fn record(
    draft: &mut Draft<'_>,
    text: &Text,
    customer: &Customer,
    outcome: InboundOutcome,
    interaction: Option<InteractionId>,
) -> InboundOutcome {
    let (message, parts) = (text.message, text.parts.clone());
    draft.push(InboundEvent::InboundRecorded { message, customer: customer.id, outcome, interaction, parts });
    outcome
}

fn open(draft: &mut Draft<'_>, customer: &Customer) -> InteractionId {
    let interaction = draft.new_interaction();
    draft.push(InteractionEvent::InteractionOpened {
        interaction,
        customer: customer.id,
        origin: Origin::Customer,
        opted_out: customer.opted_out,
    });
    interaction
}

/// Sends a text that explains why nobody answers, unless the customer had it lately.
fn notice(
    draft: &mut Draft<'_>,
    customer: &Customer,
    interaction: Option<InteractionId>,
    purpose: Purpose,
    text: Option<&str>,
) {
    let last = if purpose == Purpose::OutOfHours { customer.out_of_hours_text_at } else { customer.queue_full_text_at };
    // One that bears a later time was given before the clock was set back: nobody knows when.
    let lately = last.is_some_and(|last| last <= draft.now && draft.now.duration_since(last) < NOTICE_INTERVAL);
    if let (Some(text), false) = (text, lately) {
        sending::commit_automatic(draft, customer, interaction, purpose, text);
    }
}
