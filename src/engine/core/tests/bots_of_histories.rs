//! The bots of random histories.

use serde_json::{Value, json};

use crate::{bot, engine::core::bot_run::BotRef};

/// A bot's name, and what it says and asks.
type Declared = (&'static str, fn() -> Value);

/// Each asks a question before it ends; between them they end in every way.
pub(super) const BOTS: [Declared; 2] = [
    ("asks", || {
        json!({"idleSeconds": 50, "steps": [
            {"name": "ask", "ask": {"text": "TEXT-question {{ message.text }}", "into": "on", "attempts": 2, "onInvalid": "end",
                                    "answers": [{"value": "on"}, {"value": "off"}]}},
            {"name": "look", "http": {"url": "https://crm/{{ on }}", "into": "found", "onError": "end"}},
            {"name": "way", "branch": {
                "cases": [{"name": "on", "when": [{"variable": "on", "equals": "on"}], "next": "agent"}], "otherwise": "end"}},
            {"name": "agent", "handOff": {"priority": 2, "note": "TEXT-{{ on }}"}},
            {"name": "end", "finish": {"note": "TEXT-note"}},
        ]})
    }),
    ("fails", || {
        json!({"idleSeconds": 300, "idleMessage": "TEXT-idle", "steps": [
            {"name": "hello", "say": {"text": "TEXT-hello"}},
            {"name": "ask", "ask": {"text": "TEXT-question", "into": "on", "matches": "on", "attempts": 1}},
            {"name": "agent", "handOff": {}},
        ]})
    }),
];

/// The bot of this place, as a channel names it.
pub(super) fn bot_ref(at: usize) -> Option<BotRef> {
    let (name, bot) = BOTS[at];
    let spec = serde_json::from_value(bot()).unwrap();
    let compiled = bot::compile(&spec, &|_| Ok(())).unwrap();
    Some(BotRef { name: name.into(), version: compiled.version().into() })
}
