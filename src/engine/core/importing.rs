//! Supervisors bring along who opted out elsewhere.

use std::{collections::BTreeSet, sync::Arc};

use jiff::SignedDuration;

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

/// Opts out all customers of a list, those included who were never heard of. Nothing changes for who had opted out before. The import is
/// recorded also when it changes nothing.
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
    let (mut seen, mut opted_out) = (BTreeSet::new(), 0);
    for entry in opt_outs.iter().filter(|entry| seen.insert(&entry.contact.address)) {
        let customer = draft.customer(&entry.contact)?;
        opted_out += u32::from(!customer.opted_out);
        let since = entry.at.map_or(now, |at| at.min(now));
        consent::opt_out(draft, &customer, OptOutBy::Import { user: user.clone(), since });
    }
    let listed = u32::try_from(opt_outs.len()).unwrap_or(u32::MAX);
    draft.push(AgentEvent::OptOutsImported { user: user.clone(), listed, opted_out });
    draft.add(Content::OptOutImport { user: user.clone(), source: Arc::clone(source), listed, opted_out });
    Ok(Answer::OptOutsImported { opted_out, before: listed.saturating_sub(opted_out) })
}
