//! How a bot runs against a second implementation, which follows the rules of docs/bots.md: the same conversations of random bots and customers.

use std::{io::Write as _, path::Path, process::Stdio};

use aldis::{
    api::BotSpec,
    bot::{
        CallFailure, CallResult, Failure, Given, Input, Position, Request, RequestHeader, StepId, Then, Values,
        compile, request, run,
    },
};
use serde_json::{Value, json};

use crate::support::peers;

const CONVERSATIONS: usize = 3000;
/// What the customer writes, or does not, at most.
const INPUTS: usize = 8;
/// What services answer, or do not, at most.
const ANSWERS: usize = 12;

struct Random(fastrand::Rng);

impl Random {
    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.0.usize(..of.len())]
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.0.u32(..n) == 0
    }

    /// A text with variables, sometimes a very long or a blank one.
    fn text(&mut self) -> String {
        let pieces = [
            "TEXT",
            "Hello ",
            "é",
            "€",
            "日本語",
            "😀",
            "\u{a0}",
            "{{ v1 }}",
            "{{v2}}",
            "{{ v3 }}",
            "{{ message.text }}",
            "{{ customer.number }}",
            "{{ interaction.id }}",
            "{{ campaign.name }}",
            "{{ v3.a }}",
            "{{ v3.b.1.c }}",
            "ç",
            "^",
            "\n",
            "ß",
        ];
        let mut text: String = (0..self.0.usize(1..5)).map(|_| self.one(&pieces)).collect();
        if self.one_in(30) {
            text = [text, self.one(&["x", "€", "ж", "😀", " "]).repeat(self.0.usize(600..1500))].concat();
        }
        let text: String = text.chars().take(1600).collect();
        if text.trim().is_empty() { "TEXT".into() } else { text }
    }

    /// The name of a step, mostly of one further down.
    fn target(&mut self, from: usize, steps: usize) -> String {
        let target = if self.one_in(8) { self.0.usize(..steps) } else { self.0.usize(from + 1..steps) };
        format!("s{target}")
    }

    fn ask(&mut self, from: usize, steps: usize) -> Value {
        let mut ask = json!({"text": self.text(), "into": self.one(&["v1", "v2", "v3"]), "attempts": self.0.u32(1..4)});
        match self.0.u32(..3) {
            0 => {
                ask["answers"] =
                    json!([{"value": "1", "synonyms": ["uno", "ÉIN"]}, {"value": "Zwei", "synonyms": ["2"]}])
            }
            1 => ask["matches"] = self.one(&["[0-9]{2}", "a|bc", "[^x]+", "h.*o"]).into(),
            _ => {}
        }
        let is_checked = ask.get("answers").is_some() || ask.get("matches").is_some();
        if is_checked && self.0.bool() {
            ask["onInvalid"] = self.target(from, steps).into();
        }
        if self.0.bool() {
            ask["invalidText"] = self.text().into();
        }
        if self.0.bool() {
            ask["onTimeout"] = self.target(from, steps).into();
        }
        if self.0.bool() {
            ask["timeoutSeconds"] = self.0.u32(10..500).into();
        }
        ask
    }

    fn call(&mut self, from: usize, steps: usize) -> Value {
        let method = self.one(&["GET", "POST", "PUT", "PATCH", "DELETE"]);
        let paths = [
            "",
            "/a",
            "/a/{{ v1 }}",
            "/a/{{ v2 }}/{{ v3.a }}?q={{ v3.b.0 }}&r={{ v2 }}",
            "?q={{ message.text }}",
            "/{{ v3 }}.x",
        ];
        let url = format!("https://crm{}", self.one(&paths));
        let mut call = json!({"url": url, "method": method, "onError": self.target(from, steps)});
        if self.0.bool() {
            call["into"] = "v3".into();
        }
        if self.0.bool() {
            call["maxResponseBytes"] = (1 << 20).into();
        }
        if self.0.bool() {
            call["headers"] = json!([{"name": "X-Text", "value": self.text()}, {"name": "A", "value": "{{ v1 }}"}]);
            // A line break that is written out is a fault.
            let plain = call["headers"][0]["value"].as_str().unwrap().replace('\n', "");
            call["headers"][0]["value"] = if plain.trim().is_empty() { "x".into() } else { plain.into() };
            let cut: String = call["headers"][0]["value"].as_str().unwrap().chars().take(1024).collect();
            call["headers"][0]["value"] = cut.into();
        }
        if method.starts_with('P') && self.0.bool() {
            call["json"] = json!([{"field": "ü\"", "value": self.text()}, {"field": "a", "value": "{{ v2 }}\u{1}\\"}]);
        }
        call
    }

    fn answer(&mut self) -> Value {
        if self.one_in(5) {
            return json!({"failure": self.one(&["TimedOut", "Unreachable", "Status", "TooLong", "NoSecret"])});
        }
        let bodies = [
            "{}",
            r#" {"a": "x/y z", "b": [17, {"c": "é😀"}]} "#,
            r#"{"a": "..", "b": [true, {"c": 0.5}]}"#,
            r#"{"a": {"b": 1}, "b": ["", {"c": null}]}"#,
            r#"{"a": -9223372036854775808, "b": [18446744073709551615, {"c": "TEXT"}]}"#,
            "[1, 2]",
            "\"1\"",
            "null",
            "true",
            "<html>",
            "",
            "{\"a\": 1,}",
            "{} {}",
        ];
        let body = match self.0.u32(..20) {
            0 => format!("{}{}", "[".repeat(126), "]".repeat(126)),
            1 => format!("{}{}", "[".repeat(127), "]".repeat(127)),
            2 | 3 => format!(r#"{{"a": "{}"}}"#, "é€".repeat(self.0.usize(45_000..60_000))),
            _ => self.one(&bodies).to_owned(),
        };
        json!({ "body": body })
    }

    fn condition(&mut self) -> Value {
        let variable = self.one(&["v1", "v2", "v3", "v3.a", "v3.b.0", "message.text"]);
        let mut condition = json!({"variable": variable});
        match self.0.u32(..7) {
            0 => condition["equals"] = self.one(&["1", "Zwei", "TEXT", ""]).into(),
            1 => condition["oneOf"] = json!(["1", "12", "hello"]),
            2 => condition["matches"] = self.one(&["^[0-9]", "o$", "é|ß", "T.*T"]).into(),
            3 => condition["present"] = self.0.bool().into(),
            4 => condition["lessThan"] = self.0.i64(-5..50).into(),
            5 => condition["greaterThan"] = self.0.i64(-5..50).into(),
            _ => {
                condition["greaterThan"] = 1.into();
                condition["present"] = true.into();
            }
        }
        condition
    }

    fn step(&mut self, at: usize, steps: usize) -> Value {
        let mut step = json!({"name": format!("s{at}")});
        let below = format!("s{}", at + 1);
        match self.0.u32(..10) {
            8 | 9 => step["http"] = self.call(at, steps),
            0 | 1 => step["say"] = json!({"text": self.text()}),
            2..5 => step["ask"] = self.ask(at, steps),
            5 => {
                let cases: Vec<Value> = (0..self.0.usize(1..3))
                    .map(|n| json!({"name": format!("c{n}"), "when": [self.condition()], "next": self.target(at, steps)}))
                    .collect();
                step["branch"] = json!({"cases": cases, "otherwise": below});
            }
            6 => step["inHours"] = json!({"open": below, "closed": self.target(at, steps)}),
            _ => {
                let values = ["v2", "v3"].map(|variable| json!({"variable": variable, "value": self.text()}));
                step["set"] = json!({"values": values});
            }
        }
        step
    }

    /// A bot without faults.
    fn bot(&mut self) -> Value {
        loop {
            let steps = self.0.usize(4..11);
            let mut list = vec![json!({"name": "s0", "set": {"values": [
                {"variable": "v1", "value": "1"}, {"variable": "v2", "value": self.text()}, {"variable": "v3", "value": ""}]}})];
            // So that its parts can be read everywhere.
            list.push(json!({"name": "s1", "http": {"url": "https://crm", "into": "v3", "maxResponseBytes": 1 << 20, "onError": "s2"}}));
            list.extend((2..steps - 1).map(|at| self.step(at, steps)));
            let note = self.0.bool().then(|| self.text());
            let last = format!("s{}", steps - 1);
            let mut end = if self.0.bool() {
                json!({"name": last, "handOff": {"priority": self.0.u32(..10)}})
            } else {
                json!({"name": last, "finish": {}})
            };
            if let Some(note) = note {
                let ends = if end.get("handOff").is_some() { "handOff" } else { "finish" };
                end[ends]["note"] = note.into();
            }
            list.push(end);
            let mut bot = json!({"steps": list});
            if self.0.bool() {
                bot["idleSeconds"] = self.0.u32(10..900).into();
            }
            if self.0.bool() {
                bot["idleMessage"] = self.text().into();
            }
            let spec: BotSpec = serde_json::from_value(bot.clone()).unwrap();
            if compile(&spec, &|_| Ok(())).is_ok() {
                return bot;
            }
        }
    }

    fn input(&mut self) -> Value {
        if self.one_in(6) {
            return json!({"timedOut": true});
        }
        let texts = [
            "1", " uno ", "éin", "ZWEI", "2", "zwei\n", "12", "a", "bc", "hello", "x", "", "  ", "+7", "-3", "TEXT T",
            "{{ v1 }}",
        ];
        json!({"text": self.one(&texts)})
    }

    fn conversation(&mut self, number: usize) -> Value {
        let text = self.one(&["TEXT-first", "12", "", "été", "{{ v1 }}"]);
        json!({
            "conversation": number,
            "bot": self.bot(),
            "given": {
                "customer.number": "+15559870001", "channel.name": "support", "channel.number": "+15551230001",
                "campaign.name": "care", "interaction.id": number.to_string(), "message.text": text,
            },
            "isOpen": (0..=INPUTS + 10 * ANSWERS).map(|_| self.0.bool()).collect::<Vec<_>>(),
            "answers": (0..ANSWERS).map(|_| self.answer()).collect::<Vec<_>>(),
            "inputs": (0..INPUTS).map(|_| self.input()).collect::<Vec<_>>(),
        })
    }
}

/// What a bot goes on with.
enum Next {
    Begin,
    Heard(Position, Option<String>),
    Called(StepId),
}

fn list(asked: &Value, name: &str) -> impl Iterator<Item = Value> {
    asked[name].as_array().unwrap().clone().into_iter()
}

/// As the engine's client has it: it reads no more than it may.
fn called(request: &Request, answer: &Value) -> CallResult {
    let most = usize::try_from(request.max_response_bytes).unwrap();
    match answer["body"].as_str() {
        Some(body) if request.reads_body && body.len() > most => CallResult::Failed(CallFailure::TooLong),
        Some(body) => CallResult::Answered(body.as_bytes().to_vec()),
        None => CallResult::Failed(serde_json::from_value::<CallFailure>(answer["failure"].clone()).unwrap()),
    }
}

fn shown(request: &Request) -> Value {
    let header = |(name, value): &(String, RequestHeader)| match value {
        RequestHeader::Text(text) => json!([name, text]),
        RequestHeader::Secret(_) => unreachable!("there are none here"),
    };
    json!({
        "method": request.method,
        "url": format!("{}{}", request.origin, request.path),
        "headers": request.headers.iter().map(header).collect::<Vec<_>>(),
        "body": request.body.as_deref().map(String::from_utf8_lossy),
    })
}

/// The conversation as the engine has it, in the form of the second implementation.
fn ours(asked: &Value) -> Value {
    let spec: BotSpec = serde_json::from_value(asked["bot"].clone()).unwrap();
    let bot = compile(&spec, &|_| Ok(())).unwrap();
    let given = |path: &str| asked["given"][path].as_str().unwrap();
    let (mut values, mut turns, mut end) = (Values::default(), Vec::new(), Value::Null);
    let (mut inputs, mut answers) = (list(asked, "inputs"), list(asked, "answers"));
    let (mut next, mut result) = (Next::Begin, CallResult::Answered(Vec::new()));
    for turn in 0.. {
        let given = Given {
            customer_number: given("customer.number"),
            channel_name: given("channel.name"),
            channel_number: given("channel.number"),
            campaign_name: given("campaign.name"),
            interaction_id: given("interaction.id").to_owned(),
            message_text: given("message.text"),
            is_open: asked["isOpen"][turn].as_bool().unwrap(),
        };
        let input = match &next {
            Next::Begin => Input::Begin,
            Next::Heard(at, Some(text)) => Input::Answer(*at, text),
            Next::Heard(at, None) => Input::TimedOut(*at),
            Next::Called(step) => Input::Called(*step, &result),
        };
        let done = run(&bot, input, &mut values, &given);
        let name = |step| &bot.step(step).unwrap().name;
        let mut told = json!({"texts": done.texts, "taken": done.taken, "wait": null});
        match done.then {
            Then::Wait { at, seconds } => {
                told["wait"] = json!({"step": name(at.step), "attempt": at.attempt, "seconds": seconds});
                turns.push(told);
                let Some(heard) = inputs.next() else { break };
                next = Next::Heard(at, heard["text"].as_str().map(ToOwned::to_owned));
            }
            Then::Call { step } => {
                told["wait"] = json!({"calls": name(step)});
                let asks = request(&bot, step, &values, &given).expect("a step that calls");
                told["request"] = match &asks {
                    Ok(request) => shown(request),
                    Err(failure) => json!({ "failure": failure }),
                };
                turns.push(told);
                result = match asks {
                    Err(failure) => CallResult::Failed(failure),
                    Ok(request) => match answers.next() {
                        Some(answer) => called(&request, &answer),
                        None => break,
                    },
                };
                next = Next::Called(step);
            }
            Then::HandOff { priority, note } => {
                turns.push(told);
                end = json!({"reason": "HandedOff", "priority": priority, "note": note});
                break;
            }
            Then::Finish { note } => {
                turns.push(told);
                end = json!({"reason": "Finished", "note": note});
                break;
            }
            Then::Fail(failure) => {
                turns.push(told);
                assert_ne!(failure, Failure::Lost);
                end = json!({"reason": failure});
                break;
            }
        }
    }
    json!({"conversation": asked["conversation"], "turns": turns, "end": end})
}

/// The same conversations as the second implementation has them.
fn theirs(asked: &[Value]) -> Vec<Value> {
    let mut python = peers::python();
    python.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/bots.py"));
    let mut child = python.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("Python");
    let mut stdin = child.stdin.take().unwrap();
    let lines: String = asked.iter().map(|line| format!("{line}\n")).collect();
    // Its answers are read meanwhile, so that neither side waits for the other.
    let writer = std::thread::spawn(move || drop(stdin.write_all(lines.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

#[test]
fn a_second_implementation_of_the_rules_has_the_same_conversations() {
    let seed = fastrand::u64(..);
    let mut random = Random(fastrand::Rng::with_seed(seed));
    let asked: Vec<Value> = (0..CONVERSATIONS).map(|number| random.conversation(number)).collect();
    let theirs = theirs(&asked);
    assert_eq!(theirs.len(), CONVERSATIONS);
    let mut ends = std::collections::BTreeMap::<String, usize>::new();
    for (asked, theirs) in asked.iter().zip(&theirs) {
        let ours = ours(asked);
        assert_eq!(&ours, theirs, "seed {seed}, of {asked}");
        *ends.entry(ours["end"]["reason"].to_string()).or_default() += 1;
    }
    println!("seed {seed}: {ends:?}");
    for reason in ["HandedOff", "Finished", "NoAnswer", "TimedOut", "TooManyVariables"] {
        assert!(ends.get(&format!("\"{reason}\"")).is_some_and(|ends| *ends > 20), "seed {seed}: {ends:?}");
    }
}
