//! Bots that compile, and bots that do not.

use serde_json::{Value, json};

use super::{
    compiled::{Action, Comparison, CompiledBot, CompiledStep},
    *,
};
use crate::api::{Bot, BotSpec};

fn only_crm(origin: &str) -> Result<(), String> {
    if origin == "https://crm.example.com" {
        Ok(())
    } else {
        Err(format!("{origin} is not allowed: ask the platform team"))
    }
}

fn compiled(spec: Value) -> Result<CompiledBot, Vec<BotFault>> {
    compile(&serde_json::from_value(spec).unwrap(), &only_crm)
}

fn of_steps(steps: Value) -> Result<CompiledBot, Vec<BotFault>> {
    compiled(json!({ "steps": steps }))
}

/// The faults of a bot with these steps, as people read them.
fn faults(steps: Value) -> Vec<String> {
    of_steps(steps).map(|bot| panic!("{bot:?}")).unwrap_err().iter().map(ToString::to_string).collect()
}

fn end() -> Value {
    json!({"name": "end", "finish": {}})
}

#[test]
fn the_example_of_the_reference_page_compiles() {
    let bot: Bot = serde_saphyr::from_str(include_str!("../../examples/reference/bot.yaml")).unwrap();
    let allow = |origin: &str| if origin == "https://orders.example.com" { Ok(()) } else { Err("no".into()) };
    let compiled = compile(&bot.spec, &allow).unwrap();
    assert_eq!(compiled.steps().len(), bot.spec.steps.len());
    assert_eq!(compiled.secrets().iter().map(|secret| secret.name.as_str()).collect::<Vec<_>>(), ["orders"]);
    let Action::InHours { open, closed } = compiled.step(compiled.start()).unwrap().action else { panic!() };
    assert_eq!(
        (compiled.step(open).unwrap().name.as_str(), compiled.step(closed).unwrap().name.as_str()),
        ("topic", "sorry")
    );
}

#[test]
fn a_step_goes_to_next_or_to_the_one_below() {
    let bot = compiled(json!({"startAt": "b", "steps": [
        {"name": "a", "say": {"text": "A"}},
        end(),
        {"name": "b", "say": {"text": "B"}, "next": "a"},
    ]}))
    .unwrap();
    let mut walked = Vec::new();
    let mut at = bot.start();
    while let CompiledStep { name, action: Action::Say { next, .. } } = bot.step(at).unwrap() {
        walked.push(name.as_str());
        at = *next;
    }
    assert_eq!(walked, ["b", "a"]);
    assert_eq!(bot.step(at).unwrap().name, "end");
}

#[test]
fn the_same_steps_have_the_same_version_and_others_another() {
    let version =
        |text: &str| of_steps(json!([{"name": "a", "say": {"text": text}}, end()])).unwrap().version().to_owned();
    assert_eq!(version("hi"), version("hi"));
    assert_ne!(version("hi"), version("ho"));
    assert_eq!(version("hi").len(), 12);
}

#[test]
fn a_target_that_is_no_step_is_named_with_its_place() {
    let cases = [
        (json!([{"name": "a", "say": {"text": "x"}, "next": "nowhere"}]), "step a, next: there is no step nowhere"),
        (
            json!([{"name": "a", "ask": {"text": "x", "into": "v", "matches": "1", "onInvalid": "no"}}, end()]),
            "step a, ask.onInvalid: there is no step no",
        ),
        (
            json!([{"name": "a", "ask": {"text": "x", "into": "v", "onTimeout": "no"}}, end()]),
            "step a, ask.onTimeout: there is no step no",
        ),
        (
            json!([{"name": "a", "inHours": {"open": "end", "closed": "no"}}, end()]),
            "step a, inHours.closed: there is no step no",
        ),
        (
            json!([{"name": "a", "inHours": {"open": "no", "closed": "end"}}, end()]),
            "step a, inHours.open: there is no step no",
        ),
        (
            json!([{"name": "a", "http": {"url": "https://crm.example.com/", "onError": "no"}}, end()]),
            "step a, http.onError: there is no step no",
        ),
        (
            json!([{"name": "a", "branch": {"cases": [{"name": "c", "when": [{"variable": "customer.number", "present": true}], "next": "no"}], "otherwise": "end"}}, end()]),
            "step a, branch.cases[c].next: there is no step no",
        ),
        (
            json!([{"name": "a", "branch": {"cases": [{"name": "c", "when": [{"variable": "customer.number", "present": true}], "next": "end"}], "otherwise": "no"}}, end()]),
            "step a, branch.otherwise: there is no step no",
        ),
        (json!([{"name": "a", "say": {"text": "x"}}]), "step a, next: the last step leads nowhere"),
    ];
    for (steps, words) in cases {
        let found = faults(steps);
        assert!(found.len() == 1 && found[0].starts_with(words), "{found:?}");
    }
    let found = compiled(json!({"startAt": "no", "steps": [end()]})).unwrap_err();
    assert_eq!(found[0].to_string(), "startAt: there is no step no: correct the name, or add the step");
}

#[test]
fn a_step_that_nothing_leads_to_is_refused() {
    let found = faults(json!([{"name": "a", "finish": {}}, {"name": "b", "say": {"text": "x"}}, end()]));
    assert_eq!(found.len(), 2);
    assert!(found[0].starts_with("step b: no step leads here"), "{found:?}");
}

#[test]
fn a_circle_that_never_waits_is_refused_and_one_that_waits_is_not() {
    let found = faults(json!([
        {"name": "a", "say": {"text": "x"}},
        {"name": "b", "inHours": {"open": "a", "closed": "end"}},
        end(),
    ]));
    assert_eq!(
        found,
        [
            "step a: runs in a circle while the customer says nothing (a, b, a): put an ask into it that leads out of it by onTimeout"
        ]
    );
    // A call that fails over to itself is a circle too.
    let found = faults(json!([{"name": "a", "http": {"url": "https://crm.example.com/", "onError": "a"}}, end()]));
    assert!(found[0].contains("(a, a)"), "{found:?}");
    of_steps(json!([
        {"name": "a", "ask": {"text": "x", "into": "v"}},
        {"name": "b", "inHours": {"open": "a", "closed": "end"}},
        end(),
    ]))
    .unwrap();
}

#[test]
fn answers_that_are_opt_out_words_are_refused_however_they_are_written() {
    for word in ["STOP", "stop", "Opt-Out", "Help!", "ＳＴＯＰ", "quit", "End"] {
        let found = faults(
            json!([{"name": "a", "ask": {"text": "x", "into": "v", "answers": [{"value": "1", "synonyms": [word]}]}}, end()]),
        );
        assert!(found.len() == 1 && found[0].starts_with("step a, ask.answers[1].synonyms["), "{word}: {found:?}");
    }
    let spec: BotSpec = serde_json::from_value(json!({"steps": [
        {"name": "a", "ask": {"text": "x", "into": "v", "answers": [{"value": "Baja"}]}}, end(),
    ]}))
    .unwrap();
    compile(&spec, &only_crm).unwrap();
    // A channel that uses the bot has words of its own.
    let found = reserved_answers(&spec, ["BAJA"]);
    assert_eq!(found.len(), 1);
    assert!(found[0].to_string().starts_with("step a, ask.answers[Baja].value"), "{found:?}");
}

#[test]
fn one_word_stands_for_one_answer() {
    let ask = |answers: Value| json!([{"name": "a", "ask": {"text": "x", "into": "v", "answers": answers}}, end()]);
    let found = faults(ask(json!([{"value": "1", "synonyms": ["Yes"]}, {"value": "2", "synonyms": ["yes"]}])));
    assert!(found[0].contains("is an answer for \"1\" already"), "{found:?}");
    let bot = of_steps(ask(json!([{"value": "1", "synonyms": ["Sí", "1"]}]))).unwrap();
    let Action::Ask { accepted, .. } = &bot.steps()[0].action else { panic!() };
    assert_eq!(accepted.value("  sÍ "), Some("1"));
    assert_eq!(accepted.value("no"), None);
}

#[test]
fn a_pattern_binds_the_whole_answer_and_takes_linear_time() {
    let ask = |pattern: &str| json!([{"name": "a", "ask": {"text": "x", "into": "v", "matches": pattern}}, end()]);
    let bot = of_steps(ask("[0-9]{2}|x")).unwrap();
    let Action::Ask { accepted, .. } = &bot.steps()[0].action else { panic!() };
    assert_eq!(
        [accepted.value("12"), accepted.value(" x "), accepted.value("123"), accepted.value("ax")],
        [Some("12"), Some("x"), None, None]
    );
    for (pattern, words) in [
        ("(", "not valid"),
        ("a)(b", "not valid"),
        (r"(?=a)", "look-around"),
        (r"(a)\1", "backreferences"),
        (r"\w{500}{500}", "too large"),
    ] {
        let found = faults(ask(pattern));
        assert!(
            found.len() == 1 && found[0].starts_with("step a, ask.matches: ") && found[0].contains(words),
            "{found:?}"
        );
    }
}

#[test]
fn a_text_may_name_only_variables_that_are_there() {
    let say = |text: &str| {
        json!([
            {"name": "q", "ask": {"text": "x", "into": "answer"}},
            {"name": "h", "http": {"url": "https://crm.example.com/", "into": "order", "onError": "end"}},
            {"name": "s", "set": {"values": [{"variable": "other", "value": ""}]}},
            {"name": "a", "say": {"text": text}},
            end(),
        ])
    };
    for good in ["{{ answer }} {{order.items.0.name}} {{ other }}", "{{ customer.number }} {{ message.text }}"] {
        of_steps(say(good)).unwrap();
    }
    for (bad, words) in [
        ("ä {{ nobody }}", "step a, say.text[3]: no step sets nobody"),
        ("{{ answer.part }}", "step a, say.text[1]: answer is a text and has no parts"),
        ("{{ customer.name }}", "step a, say.text[1]: there is no customer.name"),
        ("{{ customer }}", "step a, say.text[1]: there is no customer"),
        ("{{ 1 + 1 }}", "step a, say.text[1]: {{ 1 + 1 }} is no variable"),
        ("{{ answer", "step a, say.text[1]: {{ is not closed"),
        ("  ", "step a, say.text: is blank"),
    ] {
        let found = faults(say(bad));
        assert!(found.len() == 1 && found[0].starts_with(words), "{bad}: {found:?}");
    }
}

#[test]
fn what_is_always_there_cannot_be_set() {
    let found = faults(json!([{"name": "a", "ask": {"text": "x", "into": "customer"}}, end()]));
    assert!(found[0].starts_with("step a, ask.into: customer is always there"), "{found:?}");
}

#[test]
fn conditions_that_can_never_hold_are_refused() {
    let when = |condition: Value| {
        json!([
            {"name": "q", "ask": {"text": "x", "into": "n"}},
            {"name": "a", "branch": {"cases": [{"name": "c", "when": [condition], "next": "end"}], "otherwise": "end"}},
            end(),
        ])
    };
    for (condition, words) in [
        (json!({"variable": "n"}), "compares nothing"),
        (json!({"variable": "n", "present": false, "equals": "x"}), "an absent variable fulfils no other comparison"),
        (json!({"variable": "n", "lessThan": 3, "greaterThan": 2}), "no whole number is above 2 and below 3"),
        (json!({"variable": "n", "matches": "["}), "the pattern is not valid"),
        (json!({"variable": "m", "equals": "x"}), "no step sets m"),
    ] {
        let found = faults(when(condition));
        assert!(
            found.len() == 1 && found[0].starts_with("step a, branch.cases[c].when[") && found[0].contains(words),
            "{found:?}"
        );
    }
    of_steps(when(json!({"variable": "n", "lessThan": 4, "greaterThan": 2}))).unwrap();
}

#[test]
fn comparisons_hold_of_texts_and_whole_numbers() {
    use regex::Regex;
    let cases = [
        (Comparison::Equals("a".into()), Some("a"), true),
        (Comparison::Equals("a".into()), Some("A"), false),
        (Comparison::Equals(String::new()), None, false),
        (Comparison::OneOf(vec!["a".into(), "b".into()]), Some("b"), true),
        (Comparison::Matches(Regex::new("^a").unwrap()), Some("abc"), true),
        (Comparison::Present(true), Some(""), false),
        (Comparison::Present(false), None, true),
        (Comparison::LessThan(3), Some(" 2 "), true),
        (Comparison::LessThan(3), Some("3"), false),
        (Comparison::LessThan(3), Some("two"), false),
        (Comparison::GreaterThan(3), Some("99999999999999999999"), false),
        (Comparison::GreaterThan(-3), Some("-2"), true),
    ];
    for (comparison, text, expected) in cases {
        assert_eq!(comparison.holds(text), expected, "{comparison:?} {text:?}");
    }
}

#[test]
fn calls_go_only_where_they_may_and_carry_only_what_they_may() {
    let call = |patch: Value| {
        let mut http = json!({"url": "https://crm.example.com/a", "onError": "end"});
        http.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        json!([{"name": "a", "http": http}, end()])
    };
    for (patch, words) in [
        (json!({"url": "https://evil.example.com/"}), "step a, http.url: https://evil.example.com is not allowed"),
        (
            json!({"url": "https://crm.example.com:8443/"}),
            "step a, http.url: https://crm.example.com:8443 is not allowed",
        ),
        (json!({"url": "https://{{ customer.number }}/"}), "step a, http.url: a variable cannot stand in the host"),
        (
            json!({"headers": [{"name": "Host", "value": "x"}]}),
            "step a, http.headers[Host].name: Host is set by the engine",
        ),
        (
            json!({"headers": [{"name": "A", "value": "x"}, {"name": "a", "value": "x"}]}),
            "step a, http.headers[a].name: stands twice",
        ),
        (
            json!({"headers": [{"name": "A", "value": "x\r\nB: y"}]}),
            "step a, http.headers[A].value: holds a line break",
        ),
        (json!({"headers": [{"name": "A"}]}), "step a, http.headers[A]: set exactly one"),
        (json!({"json": [{"field": "f", "value": "v"}]}), "step a, http.json: is sent with POST, PUT and PATCH only"),
        (json!({"into": "channel"}), "step a, http.into: channel is always there"),
    ] {
        let found = faults(call(patch));
        assert!(found.len() == 1 && found[0].starts_with(words), "{found:?}");
    }
}

#[test]
fn a_step_does_one_thing_and_every_fault_is_told() {
    let found = faults(json!([
        {"name": "a", "say": {"text": "{{ x }}"}, "finish": {}},
        {"name": "b", "next": "a"},
        {"name": "end", "handOff": {"note": "{{"}, "next": "a"},
    ]));
    let of = |step: &str| found.iter().filter(|fault| fault.starts_with(&format!("step {step}"))).count();
    assert_eq!((of("a"), of("b"), of("end")), (2, 1, 2), "{found:#?}");
}

#[test]
fn a_status_lists_twenty_places_once_each() {
    let steps: Vec<Value> =
        (0..30).map(|n| json!({"name": format!("s{n}"), "say": {"text": "{{ x }} {{ x }}"}})).collect();
    let found = of_steps(json!(steps)).unwrap_err();
    assert!(found.len() > 60);
    let listed = to_status(&[found.clone(), found].concat());
    assert_eq!(listed.len(), 20);
    assert_eq!((listed[0].step.as_str(), listed[0].position.as_str()), ("s0", "say.text[1]"));
}

#[test]
fn two_hundred_steps_that_all_lead_everywhere_are_judged_at_once() {
    let names: Vec<String> = (0..199).map(|n| format!("s{n}")).collect();
    let mut steps: Vec<Value> = (0..199)
        .map(|n| {
            let case = |k: usize| {
                let next = &names[(n * 7 + k * 13 + 1) % 199];
                json!({"name": format!("c{k}"), "when": [{"variable": "v", "present": true}], "next": next})
            };
            json!({"name": names[n], "branch": {"cases": (0..20).map(case).collect::<Vec<_>>(), "otherwise": names[(n + 1) % 199]}})
        })
        .collect();
    steps.push(json!({"name": "set", "set": {"values": [{"variable": "v", "value": "x"}]}, "next": "s0"}));
    let found = compiled(json!({"startAt": "set", "steps": steps})).unwrap_err();
    let is_known = |fault: &BotFault| fault.message.contains("in a circle") || fault.message.contains("bytes as JSON");
    assert!(found.len() > 1 && found.iter().all(is_known), "{:?}", found.first());
}

#[test]
fn what_is_more_than_a_bot_may_have_is_refused() {
    let say = |at: usize| json!({"name": format!("s{at}"), "say": {"text": "x"}});
    let texts = |count: usize| {
        let mut steps: Vec<Value> = (0..count).map(say).collect();
        steps.push(end());
        faults_of(Value::Array(steps))
    };
    assert_eq!(texts(10), [""; 0]);
    assert_eq!(
        texts(11),
        [
            "step s0: from here up to 11 texts are sent without waiting for the customer, and 10 may be: put an ask between them"
        ]
    );

    let ask = |at: usize, pattern: &str, text: &str| json!({"name": format!("a{at}"), "ask": {"text": text, "into": "v", "matches": pattern}});
    let asks = |count: usize, pattern: &str, text: &str| {
        let mut steps: Vec<Value> = (0..count).map(|at| ask(at, pattern, text)).collect();
        steps.push(end());
        faults_of(Value::Array(steps))
    };
    assert_eq!(asks(50, "x", "x"), [""; 0]);
    assert_eq!(asks(51, "x", "x"), ["step a50, ask.matches: the bot has more than 50 patterns: use answers or oneOf"]);
    assert_eq!(asks(50, r"\w{15}", "x").len(), 50, "none of these is small");
    let large = asks(50, "x", &"é".repeat(1600));
    assert!(large.len() == 1 && large[0].starts_with("steps: the bot takes "), "{large:?}");
}

#[test]
fn a_question_that_nobody_answers_does_not_go_round_for_ever() {
    let ask = |name: &str, on_timeout: &str| json!({"name": name, "ask": {"text": "x", "into": "v", "onTimeout": on_timeout}, "next": "end"});
    for (steps, circle) in
        [(json!([ask("a", "a"), end()]), "(a, a)"), (json!([ask("a", "b"), ask("b", "a"), end()]), "(a, b, a)")]
    {
        let found = faults(steps);
        assert!(
            found.len() == 1 && found[0].contains("while the customer says nothing") && found[0].contains(circle),
            "{found:?}"
        );
    }
    assert_eq!(faults_of(json!([ask("a", "b"), ask("b", "end"), end()])), [""; 0]);
}

/// The faults of steps, if there are any.
fn faults_of(steps: Value) -> Vec<String> {
    of_steps(steps).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}
