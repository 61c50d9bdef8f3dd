//! Documents that agents see. Times are RFC 3339 in UTC; ids are numbers that only grow.

mod agents;
mod answers;
mod conversation;
mod interactions;
mod opt_outs;
mod statistics;

pub(super) use self::{
    agents::{AgentAtWork, Agents, Me, MyChannel, MyOffer, Presence},
    answers::{Accepted, Done, Noted, Replied, Resent, Started},
    conversation::{BlockedStart, BlockedStarts, Conversation, Message, Messages},
    interactions::{Disposition, Dispositions, Interaction, Interactions, State, TransferTo},
    opt_outs::{OptOut, OptOutImport, OptOutImports, OptOuts, OptOutsImported},
    statistics::{AgentsToday, NamedAgentToday, Statistics},
};
