//! The shell of a desk that keeps parts of long texts, and brings them when their text is waited for no longer.

use std::{collections::BTreeMap, sync::Arc};

use super::desk::{Desk, StoredMessage, number};
use crate::{
    engine::core::{
        command::{
            Answer, ArrivedPart, Command, Contact, Content, Decision, Inbound, KeptPart, Refusal, TimedOutParts,
        },
        event::{Event, Happened, InboundEvent, Parts},
        ids::{AssemblyId, CustomerId},
    },
    sms::{Part, Sender},
};

/// What the shell keeps of parts.
#[derive(Clone, Debug, Default)]
pub(super) struct KeptParts {
    pub(super) texts: BTreeMap<AssemblyId, Vec<KeptPart>>,
    /// The provider's ids of them, and of those that came again.
    ids: BTreeMap<String, (AssemblyId, u8)>,
}

impl Desk {
    /// The part of a customer's text, under a provider's id of its own.
    pub(super) fn part(&mut self, last_digit: u32, part: (u16, u8, u8), text: &str) -> Result<Answer, Refusal> {
        self.parts_sent += 1;
        let provider_id = format!("part-{}", self.parts_sent);
        self.part_again(&Sender::Number(number(last_digit)), part, text, &provider_id)
    }

    /// The part of a customer's text.
    pub(super) fn part_again(
        &mut self,
        sender: &Sender,
        (reference, total, sequence): (u16, u8, u8),
        text: &str,
        provider_id: &str,
    ) -> Result<Answer, Refusal> {
        let part = Part::new(reference, total, sequence).unwrap();
        let contact = self.contact(sender);
        let pending = contact.customer.and_then(|customer| self.state.assembly_of(customer, part));
        let kept = pending.map(|assembly| self.kept.texts[&assembly.id].clone()).unwrap_or_default();
        let ids = self.kept.ids.values().filter(|(of, _)| pending.is_some_and(|pending| pending.id == *of)).count();
        let ids = u32::try_from(ids).unwrap();
        let command = Command::Inbound(Inbound {
            contact,
            text: text.into(),
            note: None,
            received_at: self.now - self.in_spool,
            part: Some(Box::new(ArrivedPart { part, repeats: self.kept.ids.get(provider_id).copied(), kept, ids })),
            duplicate_of: self.seen.get(provider_id).copied(),
            provider_keyword: None,
            overtakes: false,
            before_opt_out: false,
        });
        let decision = self.execute(&command);
        self.keep_id(provider_id, &decision);
        decision.answer
    }

    fn keep_id(&mut self, provider_id: &str, decision: &Decision) {
        if let Ok(Answer::Inbound { message, .. }) = decision.answer {
            self.seen.insert(provider_id.into(), message);
        }
        for Event { what, .. } in &decision.events {
            if let Happened::Inbound(
                InboundEvent::PartKept { assembly, sequence, .. }
                | InboundEvent::PartRepeated { assembly, sequence, differs: false },
            ) = what
            {
                self.kept.ids.entry(provider_id.into()).or_insert((*assembly, *sequence));
            }
        }
    }

    /// Keeps what a decision says of parts, as the store does.
    pub(super) fn keep_parts(&mut self, decision: &Decision) {
        for content in &decision.contents {
            if let Content::Part { assembly, part } = content {
                self.kept.texts.entry(*assembly).or_default().push(part.clone());
            }
        }
        for Event { what, .. } in &decision.events {
            if let Happened::Inbound(InboundEvent::InboundRecorded { message, parts: Some(parts), .. }) = what
                && let Some(assembly) = parts.assembly
            {
                self.kept.texts.remove(&assembly).expect("it was kept");
                let (joined, ids) =
                    std::mem::take(&mut self.kept.ids).into_iter().partition(|(_, of)| of.0 == assembly);
                self.kept.ids = ids;
                let joined: BTreeMap<String, (AssemblyId, u8)> = joined;
                self.seen.extend(joined.into_keys().map(|id| (id, *message)));
            }
        }
    }

    /// Brings the parts of texts that are waited for no longer, as the shell does after a commit.
    pub(super) fn bring_parts(&mut self) {
        let due = |desk: &Self| desk.state.parts_due().next();
        while let Some(assembly) = due(self) {
            let customer = self.state.assembly(assembly).unwrap().customer;
            let address = self.addresses.iter().find(|(_, known)| **known == customer).unwrap().0.clone();
            let contact: Contact<Sender> = self.contact(&address);
            let kept = self.kept.texts[&assembly].clone();
            self.execute_alone(&Command::PartsTimedOut(TimedOutParts { assembly, contact, kept })).answer.unwrap();
        }
    }

    /// The texts of a customer as agents see them, with how many parts each has and which are missing.
    pub(super) fn texts_of(&self, last_digit: u32) -> Vec<(&str, u8, Vec<u8>)> {
        let customer: CustomerId = self.addresses[&Sender::Number(number(last_digit))];
        let theirs = |stored: &&StoredMessage| stored.customer == customer && stored.sent.is_none();
        let shown = |stored| {
            let StoredMessage { text, parts, .. }: &StoredMessage = stored;
            let (total, missing) =
                parts.clone().map_or((1, Vec::new()), |Parts { total, missing, .. }| (total, missing));
            (Arc::as_ref(text), total, missing)
        };
        self.messages.values().filter(theirs).map(shown).collect()
    }
}
