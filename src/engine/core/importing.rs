//! Supervisors bring along who opted out elsewhere.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};

use super::{
    clock::later,
    command::{Answer, Content, ImportedOptOut, Refusal},
    consent,
    draft::Draft,
    event::{AgentEvent, OptOutBy},
    ids::UserId,
    supervising,
};

/// The clock of who made a list may be ahead of ours by so much.
const MOST_AHEAD: SignedDuration = SignedDuration::from_hours(1);

/// Opts out all customers of a list, those included who were never heard of. For who had opted out before, a START counts only from the time on
/// that the list gives them, and nothing else changes. The import is recorded also when it changes nothing.
///
/// # Errors
/// When one entry is wrong; nobody is opted out then.
pub(super) fn import(
    draft: &mut Draft<'_>,
    user: &UserId,
    source: &Arc<str>,
    opt_outs: &[ImportedOptOut],
) -> Result<Answer, Refusal> {
    supervising::supervises(draft, user)?;
    let (now, latest) = (draft.now, later(draft.now, MOST_AHEAD));
    let in_future =
        opt_outs.iter().enumerate().find_map(|(index, entry)| Some((index, entry.at.filter(|at| *at > latest)?)));
    if let Some((index, at)) = in_future {
        return Err(Refusal::OptOutInFuture { index, at, now });
    }
    // Looked at before anybody is made: a refusal leaves no trace of them.
    for known in opt_outs.iter().filter_map(|entry| entry.contact.customer) {
        draft.known_customer(known)?;
    }
    let mut latest = BTreeMap::new();
    for ImportedOptOut { contact, at } in opt_outs {
        let known: &mut Option<Timestamp> = latest.entry(&contact.address).or_default();
        *known = (*known).max(at.map(|at| at.min(now)));
    }
    let mut opted_out = 0;
    for ImportedOptOut { contact, .. } in opt_outs {
        // Of several entries for a customer the first stands for all.
        let Some(at) = latest.remove(&contact.address) else { continue };
        let customer = draft.customer(contact)?;
        if !customer.opted_out {
            opted_out += 1;
            consent::opt_out(draft, &customer, OptOutBy::Import { user: user.clone(), since: at.unwrap_or(now) });
        } else if let Some(received_at) = at {
            draft.add(Content::OptOutRepeated { customer: customer.id, received_at });
        }
    }
    let listed = u32::try_from(opt_outs.len()).unwrap_or(u32::MAX);
    draft.push(AgentEvent::OptOutsImported { user: user.clone(), listed, opted_out });
    draft.add(Content::OptOutImport { user: user.clone(), source: Arc::clone(source), listed, opted_out });
    Ok(Answer::OptOutsImported { opted_out, before: listed.saturating_sub(opted_out) })
}
