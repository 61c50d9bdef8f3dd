//! What comes from a customer, before it is looked at as a text.

use super::{
    assembling,
    command::{Answer, Content, Inbound, Refusal},
    draft::Draft,
    event::InboundEvent,
    inbound,
    opt_out::Keyword,
};

/// Handles a message in this order: duplicate, parts of a long text, room, and then [the text](inbound::take).
pub(super) fn receive(draft: &mut Draft<'_>, text: &Inbound) -> Result<Answer, Refusal> {
    let full = draft.state.volume_full;
    if let Some(message) = text.duplicate_of {
        if !full {
            draft.push(InboundEvent::InboundDuplicated { message });
        }
        return Ok(Answer::Inbound { message, outcome: None });
    }
    if let (Some(part), None) = (&text.part, text.provider_keyword) {
        return assembling::arrived(draft, text, part);
    }
    if (full || text.overtakes)
        && let Some(answer) = without_room(draft, text)
    {
        return answer;
    }
    inbound::take(draft, text, None)
}

/// The answer on a full volume, or to a message that overtakes others; none for what changes the customer's consent, which is taken as
/// ever. On a full volume a repeated opt-out adds no row, so that nobody can use up what is kept free.
fn without_room(draft: &mut Draft<'_>, text: &Inbound) -> Option<Result<Answer, Refusal>> {
    let opted_out = match text.contact.customer.map(|id| draft.known_customer(id)) {
        Some(Err(refusal)) => return Some(Err(refusal)),
        Some(Ok(customer)) => customer.opted_out.then_some(customer.id),
        None => None,
    };
    match (inbound::keyword(draft, text, opted_out.is_some()), opted_out) {
        (Some(Keyword::Stop), Some(customer)) if draft.state.volume_full => {
            draft.add(Content::OptOutRepeated { customer, received_at: text.received_at });
            Some(Ok(Answer::OptedOutBefore))
        }
        (Some(Keyword::Stop | Keyword::Start), _) => None,
        (Some(Keyword::Help) | None, _) => Some(Err(Refusal::NoRoom)),
    }
}
