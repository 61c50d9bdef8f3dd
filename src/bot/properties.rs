//! What holds of every bot, whatever is written.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    compiled::{Action, CompiledBot, StepId},
    template::{Piece, Template},
    *,
};

/// Steps of a bot at most.
const STEPS: usize = 6;

fn name() -> impl Strategy<Value = String> {
    prop_oneof![60 => (0..STEPS).prop_map(|n| format!("s{n}")), 1 => "[a-z]{1,3}"]
}

fn text() -> impl Strategy<Value = String> {
    let wild = prop_oneof![Just("{{".to_owned()), Just("{{ w }}".to_owned()), Just("}}".to_owned()), "\\PC{0,8}"];
    prop_oneof![
        20 => "[a-z]{1,8}( \\{\\{ v(\\.a\\.0)? \\}\\})?",
        1 => prop::collection::vec(wild, 1..4).prop_map(|pieces| pieces.concat()),
    ]
}

fn pattern() -> impl Strategy<Value = String> {
    prop_oneof![20 => "[a-z0-9]{1,6}", 1 => ".{0,12}"]
}

fn action() -> impl Strategy<Value = Value> {
    let call = |(path, next): (String, String)| json!({"http": {"url": format!("https://crm/{path}"), "into": "v", "onError": next}});
    let ask = prop_oneof![
        (text(), pattern(), name()).prop_map(|(text, pattern, next)| {
            json!({"ask": {"text": text, "into": "v", "matches": pattern, "onInvalid": next}})
        }),
        (text(), "[a-z0-9]{1,6}")
            .prop_map(|(text, word)| json!({"ask": {"text": text, "into": "v", "answers": [{"value": word}]}})),
    ];
    prop_oneof![
        text().prop_map(|text| json!({"say": {"text": text}})),
        ask.clone(),
        ask,
        (name(), name(), pattern()).prop_map(|(next, otherwise, pattern)| {
            let case = json!({"name": "c", "when": [{"variable": "v", "matches": pattern}], "next": next});
            json!({"branch": {"cases": [case], "otherwise": otherwise}})
        }),
        (name(), name()).prop_map(|(open, closed)| json!({"inHours": {"open": open, "closed": closed}})),
        text().prop_map(|value| json!({"set": {"values": [{"variable": "v", "value": value}]}})),
        ("[a-z]{0,4}(\\?q=\\{\\{ v \\}\\})?", name()).prop_map(call),
    ]
}

/// A call that gives `v` parts, up to six steps, and an end.
fn spec() -> impl Strategy<Value = Value> {
    let step = (action(), prop::option::weighted(0.1, name()));
    prop::collection::vec(step, 0..=STEPS).prop_map(|steps| {
        let mut all = vec![json!({"name": "first", "http": {"url": "https://crm/", "into": "v", "onError": "end"}})];
        for (n, (mut step, next)) in steps.into_iter().enumerate() {
            step["name"] = json!(format!("s{n}"));
            if let Some(next) = next {
                step["next"] = json!(next);
            }
            all.push(step);
        }
        all.push(json!({"name": "end", "finish": {}}));
        json!({ "steps": all })
    })
}

/// Where a step can go without the customer.
fn followers(action: &Action) -> Vec<StepId> {
    match action {
        Action::Say { next, .. } | Action::Set { next, .. } => vec![*next],
        Action::Ask { .. } | Action::HandOff { .. } | Action::Finish { .. } => Vec::new(),
        Action::Branch { cases, otherwise } => cases.iter().map(|case| case.next).chain([*otherwise]).collect(),
        Action::InHours { open, closed } => vec![*open, *closed],
        Action::Http(call) => vec![call.next, call.on_error],
    }
}

/// The longest run from a step until it waits or ends.
fn longest_run(bot: &CompiledBot, at: StepId, limit: usize) -> usize {
    assert!(limit > 0, "a run is longer than the bot has steps");
    let next = followers(&bot.step(at).unwrap().action);
    1 + next.into_iter().map(|next| longest_run(bot, next, limit - 1)).max().unwrap_or_default()
}

proptest! {
    #[test]
    fn a_bot_is_refused_with_faults_in_its_steps_or_always_comes_to_wait_or_end(spec in spec()) {
        let parsed = serde_json::from_value(spec).unwrap();
        match compile(&parsed, &|_| Ok(())) {
            Ok(bot) => {
                for id in 0..bot.steps().len() {
                    longest_run(&bot, StepId(id), bot.steps().len() + 1);
                }
            }
            Err(faults) => {
                prop_assert!(!faults.is_empty());
                for fault in faults {
                    let known = fault.step.is_empty() || parsed.steps.iter().any(|step| step.name == fault.step);
                    prop_assert!(known && !fault.message.is_empty(), "{fault:?}");
                }
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused_within_itself(text in "\\PC{0,40}|[{} a.]{0,30}") {
        match Template::parse(&text) {
            Ok(template) => {
                let literals = template.pieces().iter().filter(|piece| matches!(piece, Piece::Literal(_))).count();
                prop_assert!(literals + template.variables().count() == template.pieces().len());
            }
            Err(error) => prop_assert!(error.at >= 1 && error.at <= text.chars().count()),
        }
    }
}
