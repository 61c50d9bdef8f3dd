//! A long text comes in parts, in any order and perhaps more than once. Each is kept until all are there, or until it is waited for no
//! longer.

use std::sync::Arc;

use super::{
    assembly::{Assembly, Share},
    command::{Answer, ArrivedPart, Content, Inbound, KeptPart, Refusal, TimedOutParts},
    draft::Draft,
    event::{InboundEvent, Parts},
    inbound,
};

/// Stands in a text where parts are missing.
const GAP: &str = "[…]";
/// Ids under which parts of one text that is waited for may come again.
const MAX_REPEATS: usize = 16;

/// A part came. The last one of its text, and one that there is no room to keep, brings all that are there.
pub(super) fn arrived(draft: &mut Draft<'_>, text: &Inbound, arrived: &ArrivedPart) -> Result<Answer, Refusal> {
    let ArrivedPart { part, repeats, kept, ids } = arrived;
    let full = draft.state.is_volume_full();
    if let Some((assembly, sequence)) = *repeats {
        if !full {
            draft.push(InboundEvent::PartRepeated { assembly, sequence, differs: false });
        }
        return Ok(Answer::PartRepeated);
    }
    if full || text.overtakes {
        return Err(Refusal::NoRoom);
    }
    let (customer, sequence) = (text.contact.customer, part.sequence());
    let mut pending = customer.and_then(|customer| draft.state.assembly_of(customer, *part));
    let mut kept = kept.as_slice();
    if let Some(older) = pending.filter(|_| arrived.is_of_another_text(text.received_at)) {
        if !older.timed_out {
            draft.push(InboundEvent::PartsTimedOut { assembly: older.id });
        }
        (pending, kept) = (None, &[]);
    }
    let first = kept.iter().find(|kept| kept.sequence == sequence);
    if let (Some(Assembly { id, .. }), Some(first)) = (pending, first) {
        let differs = first.text != text.text || first.note != text.note;
        // Each id takes a row, so they have a limit as all that waits has.
        if !differs && (*ids as usize).saturating_sub(kept.len()) < MAX_REPEATS {
            draft.push(InboundEvent::PartRepeated { assembly: *id, sequence, differs });
            return Ok(Answer::PartRepeated);
        }
        draft.push(InboundEvent::PartRepeated { assembly: *id, sequence, differs: true });
        // Which of both belongs to the others nobody knows; the first does, and nothing is lost.
        return join(draft, text, part.total(), None, &[own(text, sequence)]);
    }
    let bytes = bytes(text);
    let is_last = pending.is_some_and(Assembly::lacks_one);
    // Who is blocked may still opt out in parts, and takes no more room than that needs.
    let share = Share { is_blocked: inbound::is_blocked(draft, text), begins: pending.is_none() };
    if is_last || !draft.state.assemblies.has_room_for(customer, bytes, share) {
        let mut all = kept.to_vec();
        all.push(own(text, sequence));
        return join(draft, text, part.total(), pending, &all);
    }
    let pending = pending.map(|pending| pending.id);
    let customer = draft.customer(&text.contact)?.id;
    let assembly = pending.unwrap_or_else(|| draft.new_assembly());
    draft.add(Content::Part { assembly, part: own(text, sequence) });
    let (reference, total) = (part.reference(), part.total());
    draft.push(InboundEvent::PartKept { assembly, customer, reference, total, sequence, bytes });
    Ok(Answer::PartKept)
}

/// The other parts of a text did not come in time: what is there becomes a message.
pub(super) fn timed_out(draft: &mut Draft<'_>, parts: &TimedOutParts) -> Result<Answer, Refusal> {
    let Some(assembly) = draft.state.assembly(parts.assembly).filter(|assembly| assembly.timed_out) else {
        return Ok(Answer::Done);
    };
    if draft.state.is_volume_full() {
        return Err(Refusal::NoRoom);
    }
    let text = Inbound {
        contact: parts.contact.clone(),
        text: "".into(),
        note: None,
        received_at: draft.now,
        part: None,
        duplicate_of: None,
        provider_keyword: None,
        overtakes: false,
        before_opt_out: false,
    };
    join(draft, &text, assembly.total, Some(assembly), &parts.kept)
}

/// Makes one text of parts, at the place of `text` among the customer's.
fn join(
    draft: &mut Draft<'_>,
    text: &Inbound,
    total: u8,
    assembly: Option<&Assembly>,
    parts: &[KeptPart],
) -> Result<Answer, Refusal> {
    let (joined, note, missing) = joined(total, parts);
    let received_at = parts.iter().map(|part| part.received_at).min().unwrap_or(text.received_at);
    let whole = Inbound { text: joined, note, received_at, part: None, ..text.clone() };
    let assembly = assembly.map(|assembly| assembly.id);
    inbound::take(draft, &whole, Some(Parts { assembly, total, missing, received_at }))
}

/// The text with a mark where parts are missing, what is written down behind it, and which are missing.
fn joined(total: u8, parts: &[KeptPart]) -> (Arc<str>, Option<Arc<str>>, Vec<u8>) {
    let (mut text, mut notes, mut missing) = (String::new(), Vec::new(), Vec::<u8>::new());
    for sequence in 1..=total {
        match parts.iter().find(|part| part.sequence == sequence) {
            Some(part) => {
                text.push_str(&part.text);
                notes.extend(part.note.as_deref());
            }
            None => {
                if missing.last() != Some(&(sequence - 1)) {
                    text.push_str(GAP);
                }
                missing.push(sequence);
            }
        }
    }
    (text.into(), (!notes.is_empty()).then(|| notes.join("\n").into()), missing)
}

fn own(text: &Inbound, sequence: u8) -> KeptPart {
    KeptPart { sequence, text: text.text.clone(), note: text.note.clone(), received_at: text.received_at }
}

fn bytes(text: &Inbound) -> u64 {
    (text.text.len() + text.note.as_deref().map_or(0, str::len)) as u64
}
