//! An agent writes to a customer first.

use std::sync::Arc;

use super::{
    agent::Agent,
    command::{Answer, Contact, Content, Refusal},
    customer::Customer,
    draft::Draft,
    event::{AgentEvent, InteractionEvent, Origin, Purpose},
    ids::{Epoch, UserId},
    sending,
};
use crate::sms::PhoneNumber;

/// Opens an interaction that its agent has from the beginning, with its first message. It never enters the queue, so its service
/// level is not measured.
pub(super) fn start(
    draft: &mut Draft<'_>,
    user: &UserId,
    contact: &Contact<PhoneNumber>,
    text: &Arc<str>,
) -> Result<Answer, Refusal> {
    may_start(draft, user)?;
    if draft.config().blocklist.blocks_outbound(&contact.address, draft.now) {
        draft.push(AgentEvent::StartBlocked { user: user.clone(), customer: contact.customer });
        draft.add(Content::BlockedStart { user: user.clone(), number: contact.address.clone() });
        return Err(Refusal::Blocked);
    }
    let purpose = Purpose::Start { user: user.clone() };
    // Looked at before the customer is made: a refusal leaves no trace of them.
    if let Some(known) = contact.customer {
        let customer = draft.known_customer(known)?;
        sending::sendable(&customer, &purpose, text)?;
        if let Some(open) = customer.open {
            return Err(Refusal::AlreadyOpen(open));
        }
    } else {
        sending::sendable(&Customer::new(draft.state.scalars.next_customer, true), &purpose, text)?;
    }
    let customer = draft.customer(contact)?;
    let interaction = draft.new_interaction();
    let epoch = Epoch::default().next();
    let origin = Origin::Agent { user: user.clone() };
    draft.push(InteractionEvent::InteractionOpened { interaction, customer: customer.id, origin, opted_out: false });
    draft.push(InteractionEvent::InteractionAssigned {
        interaction,
        user: user.clone(),
        epoch,
        position: None,
        offer: None,
        previous: false,
        from: None,
        by: None,
    });
    let message = sending::commit(draft, &customer, Some(interaction), purpose, text)?;
    Ok(Answer::Started { interaction, epoch, message })
}

fn may_start(draft: &Draft<'_>, user: &UserId) -> Result<(), Refusal> {
    let member = draft.member(user)?;
    if !member.initiate {
        return Err(Refusal::MayNotInitiate(user.clone()));
    }
    if !draft.config().enabled {
        return Err(Refusal::Disabled);
    }
    let open = draft.state.agent(user).map_or(0, Agent::slots);
    let open = u32::try_from(open).unwrap_or(u32::MAX);
    if open >= member.max_interactions {
        return Err(Refusal::AtCapacity { open, maximum: member.max_interactions });
    }
    Ok(())
}
