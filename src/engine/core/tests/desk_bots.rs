//! The shell of a desk that brings bots what they need for their turns.

use std::sync::Arc;

use serde_json::Value;

use super::desk::{Desk, StoredMessage};
use crate::{
    bot::{self, CallFailure, CallResult},
    engine::core::{
        bot_run::{BotRef, TurnInput},
        command::{BotTexts, BotTurn, Command},
        event::Purpose,
        ids::{BotVersion, InteractionId},
    },
};

impl Desk {
    /// The shell knows a bot from now on.
    pub(super) fn bot(&mut self, name: &str, spec: Value) -> BotRef {
        let spec = serde_json::from_value(spec).unwrap();
        let compiled = bot::compile(&spec, &|_| Ok(())).unwrap();
        let version = BotVersion::from(compiled.version());
        self.versions.insert(version.clone(), Arc::new(compiled));
        BotRef { name: name.into(), version }
    }

    /// Takes one of the turns that are due, as the shell does after a commit; false when there is none.
    pub(super) fn bot_turn(&mut self, nth: usize) -> bool {
        let due = self.state.bot_turns().chain(self.state.bot_calls());
        let due: Vec<_> = due.map(|(id, run)| (id, run.clone())).collect();
        let Some((id, run)) = due.get(nth % due.len().max(1)) else { return false };
        let customer = self.state.interaction(*id).unwrap().customer;
        let number = self.addresses.iter().find(|(_, known)| **known == customer).unwrap().0;
        let of_them = |stored: &&StoredMessage| stored.interaction == Some(*id) && stored.sent.is_none();
        let first = self.messages.values().find(of_them).map(|stored| stored.text.as_ref().to_owned());
        let answer = match run.input() {
            Some(TurnInput::Answer { message, .. }) => self.messages[message].text.as_ref().to_owned(),
            _ => String::new(),
        };
        let turn = BotTurn {
            interaction: *id,
            turn: run.next_turn(),
            bot: self.versions.get(&run.version).cloned(),
            values: self.values.get(id).cloned().unwrap_or_default(),
            texts: BotTexts {
                customer_number: number.as_str().to_owned(),
                channel_name: "support".into(),
                channel_number: "+15551230001".into(),
                campaign_name: "care".into(),
                first_message: first.unwrap_or_default(),
                answer,
            },
            called: matches!(run.input(), Some(TurnInput::Called { .. })).then(|| self.service_answers(nth)),
        };
        self.execute(&Command::BotTurn(Box::new(turn))).answer.unwrap();
        true
    }

    /// What the service of a bot answers: what a test says, or anything.
    fn service_answers(&mut self, nth: usize) -> CallResult {
        let by_chance = || match nth % 3 {
            0 => CallResult::Answered(br#"{"is": "on"}"#.to_vec()),
            1 => CallResult::Answered(b"<html>".to_vec()),
            _ => CallResult::Failed(CallFailure::TimedOut),
        };
        self.services.pop_front().unwrap_or_else(by_chance)
    }

    /// Takes all turns that are due.
    pub(super) fn bot_turns(&mut self) {
        while self.bot_turn(0) {}
    }

    /// What bots have said in an interaction, oldest first.
    pub(super) fn said(&self, interaction: InteractionId) -> Vec<&str> {
        let by_bot = |stored: &&StoredMessage| {
            stored.interaction == Some(interaction) && matches!(stored.sent, Some((Purpose::Bot, _)))
        };
        self.messages.values().filter(by_bot).map(|stored| stored.text.as_ref()).collect()
    }
}
