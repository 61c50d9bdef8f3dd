//! Who may act on an interaction: whoever has it and knows its epoch.

use super::{
    command::Refusal,
    draft::Draft,
    ids::{Epoch, InteractionId, UserId},
    interaction::Interaction,
};

/// An open interaction.
pub(super) fn open<'s>(draft: &Draft<'s>, id: InteractionId) -> Result<&'s Interaction, Refusal> {
    draft.state.interaction(id).ok_or(Refusal::NotOpen(id))
}

/// The interaction, if who asks knows its epoch.
pub(super) fn at_epoch<'s>(draft: &Draft<'s>, id: InteractionId, shown: Epoch) -> Result<&'s Interaction, Refusal> {
    let interaction = open(draft, id)?;
    if interaction.epoch == shown {
        Ok(interaction)
    } else {
        Err(Refusal::StaleEpoch { current: interaction.epoch, shown })
    }
}

/// The interaction, if this user has it and knows its epoch.
pub(super) fn owned<'s>(
    draft: &Draft<'s>,
    user: &UserId,
    id: InteractionId,
    shown: Epoch,
) -> Result<&'s Interaction, Refusal> {
    draft.serving(user)?;
    let interaction = at_epoch(draft, id, shown)?;
    if interaction.owner() != Some(user) {
        return Err(Refusal::NotOwner);
    }
    Ok(interaction)
}
