//! What events change of texts of which not all parts are there.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::engine::core::{
    assembly::{Assembly, TIMEOUT, TIMEOUT_AFTER_START},
    clock::ChannelTime,
    event::InboundEvent,
    ids::AssemblyId,
    state::State,
};

/// A part is kept.
pub(super) fn kept(state: &mut State, event: &InboundEvent, at: Timestamp) {
    let InboundEvent::PartKept { assembly: id, customer, reference, total, sequence, bytes } = event else { return };
    state.scalars.next_assembly = state.scalars.next_assembly.max(id.next());
    let ends_at = state.scalars.clock.at(at).after(TIMEOUT);
    let mut assembly = state.take_assembly(*id).unwrap_or_else(|| Assembly {
        id: *id,
        customer: *customer,
        reference: *reference,
        total: *total,
        sequences: BTreeSet::new(),
        bytes: 0,
        ends_at,
        timed_out: false,
    });
    assembly.sequences.insert(*sequence);
    assembly.bytes += bytes;
    state.put_assembly(assembly);
}

/// A text is waited for no longer.
pub(super) fn timed_out(state: &mut State, id: AssemblyId) {
    if let Some(assembly) = state.take_assembly(id) {
        state.put_assembly(Assembly { timed_out: true, ..assembly });
    }
}

/// The engine was away: what the gateway kept meanwhile comes now.
pub(super) fn wait_after_start(state: &mut State, now: ChannelTime) {
    let least = now.after(TIMEOUT_AFTER_START);
    let soon = state.assemblies().filter(|assembly| !assembly.timed_out && assembly.ends_at < least);
    let soon: Vec<AssemblyId> = soon.map(|assembly| assembly.id).collect();
    for id in soon {
        if let Some(assembly) = state.take_assembly(id) {
            state.put_assembly(Assembly { ends_at: least, ..assembly });
        }
    }
}
