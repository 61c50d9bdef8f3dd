//! What a bot says and does, beyond what random conversations show.

use serde_json::{Value, json};

use super::{Failure, Given, Input, Outcome, StepId, Then, Turn, Values, compile, run};

fn begun(spec: Value, values: &mut Values) -> Turn {
    let bot = compile(&serde_json::from_value(spec).unwrap(), &|_| Ok(())).unwrap();
    run(&bot, Input::Begin, values, &Given { message_text: "{{ channel.name }}", ..Given::default() })
}

fn says(text: &str, values: &mut Values) -> Turn {
    // What is read must be set somewhere.
    let steps = json!([
        {"name": "say", "say": {"text": text}, "next": "end"},
        {"name": "end", "finish": {}},
    ]);
    begun(json!({ "steps": steps }), values)
}

#[test]
fn what_is_sent_takes_ten_segments_at_most_and_blanks_are_not_sent() {
    let cases = [
        ("a".repeat(1600), Some(1530)),
        ("ж".repeat(800), Some(670)),
        ("😀".repeat(400), Some(330)),
        (format!("{}ж", "a".repeat(1000)), Some(1000)),
        ("a".repeat(1530), Some(1530)),
        (format!("{}a", " ".repeat(1599)), None),
    ];
    for (text, characters) in cases {
        let said = says(&text, &mut Values::default());
        assert_eq!(said.texts.first().map(|text| text.chars().count()), characters, "{}", &text[..1]);
        let outcome = if characters.is_some() { Outcome::Said } else { Outcome::Blank };
        assert_eq!(said.taken[0].outcome, outcome);
    }
}

#[test]
fn what_a_customer_wrote_is_never_read_again_for_variables() {
    assert_eq!(says("You wrote: {{ message.text }}", &mut Values::default()).texts, ["You wrote: {{ channel.name }}"]);
}

#[test]
fn a_path_leads_into_objects_and_lists_to_what_a_text_can_hold() {
    let answer = json!({"order": {
        "id": 17, "ratio": 0.5, "big": 18_446_744_073_709_551_615_u64, "paid": true, "note": null, "empty": "",
        "items": [{"name": "tea"}, {"name": "milk"}],
    }});
    let values: Values = serde_json::from_value(answer).unwrap();
    let given = Given::default();
    let cases = [
        ("order.id", Some("17")),
        ("order.ratio", Some("0.5")),
        ("order.big", Some("18446744073709551615")),
        ("order.paid", Some("true")),
        ("order.items.1.name", Some("milk")),
        ("order.empty", Some("")),
        ("order.note", None),
        ("order.items", None),
        ("order", None),
        ("order.items.2.name", None),
        ("order.items.first", None),
        ("order.id.digits", None),
        ("nothing", None),
        ("interaction.id", Some("")),
    ];
    for (path, expected) in cases {
        assert_eq!(values.text(&given, path).as_deref(), expected, "{path}");
    }
}

#[test]
fn a_conversation_cannot_gather_more_than_it_may() {
    // One text is cut long before, so it takes many variables.
    let mut values = Values::default();
    for at in 0..162 {
        values.set_text(&format!("v{at}"), &"x".repeat(1600)).unwrap_or_else(|_| panic!("{at} fit"));
    }
    let spec = json!({"steps": [
        {"name": "more", "set": {"values": [{"variable": "a", "value": "x".repeat(1600)}, {"variable": "b", "value": "x".repeat(1600)}]}},
        {"name": "end", "finish": {"note": "{{ a }}"}},
    ]});
    let turn = begun(spec, &mut values);
    assert_eq!((turn.taken.len(), turn.then, turn.at), (0, Then::Fail(Failure::TooManyVariables), Some(StepId(0))));
}
