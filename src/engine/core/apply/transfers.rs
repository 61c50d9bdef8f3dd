//! Interactions are handed over.

use jiff::{SignedDuration, Timestamp};

use crate::engine::core::{
    event::{InteractionEvent, TransferEndReason},
    interaction::Phase,
    offer::AskedInVain,
    state::State,
    transfer::{Recipient, Transfer},
};

pub(super) fn apply_to_transfer(state: &mut State, event: &InteractionEvent, at: Timestamp) {
    match event {
        InteractionEvent::TransferStarted { interaction, to, offer, timeout_seconds, .. } => {
            let now = state.scalars.clock.at(at);
            let until = timeout_seconds.map(|seconds| now.after(SignedDuration::from_secs(seconds.into())));
            let to = match (to, offer) {
                (Some(user), Some(offer)) => Recipient::Agent { user: user.clone(), offer: *offer },
                _ => Recipient::Queue { offer: None },
            };
            state.with_interaction(*interaction, |interaction| {
                if let Recipient::Agent { offer, .. } = &to {
                    interaction.offers = offer.0;
                }
                if let Phase::Active { transfer, .. } = &mut interaction.phase {
                    *transfer = Some(Transfer { to, until });
                }
            });
        }
        InteractionEvent::TransferEnded { interaction, to, reason } => {
            if let (TransferEndReason::Declined, Some(user)) = (reason, to) {
                state.with_agent(user, |agent| agent.missed = None);
            }
            state.with_interaction(*interaction, |interaction| {
                if let Phase::Active { transfer, .. } = &mut interaction.phase {
                    *transfer = None;
                    interaction.asked_in_vain = AskedInVain::default();
                }
            });
        }
        _ => {}
    }
}
