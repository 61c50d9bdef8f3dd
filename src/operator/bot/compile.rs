//! From a bot's spec to a bot without faults, or to every fault that it has.

use std::collections::{BTreeMap, BTreeSet};

use regex::{Regex, RegexBuilder};
use sha2::{Digest, Sha256};

use super::compiled::{
    Accepted, Action, BodyField, Case, Comparison, CompiledBot, CompiledStep, HeaderValue, HttpCall, StepId,
};
use super::fault::Fault;
use super::graph::Graph;
use super::http::{check_header, split_url};
use super::template::Template;
use super::variables::{Variables, check_set};
use crate::api::BotSpec;
use crate::api::bot::{Ask, Branch, BranchCondition, Http, Set, Step};
use crate::api::sms_channel::{HELP_WORDS, STOP_WORDS};
use crate::sms::folded;

/// The most memory that a compiled pattern may take, in bytes.
const PATTERN_BYTES: usize = 1 << 20;

/// What a bot is judged by, beside its own spec.
pub struct Surroundings<'a> {
    /// Whether calls to an origin (`https://crm.example.com`) are allowed; if not, why not and what to do.
    pub allows: &'a dyn Fn(&str) -> Result<(), String>,
    /// Words that are never answers, since the engine takes them for opt-outs and calls for help.
    pub reserved: BTreeSet<String>,
}

impl<'a> Surroundings<'a> {
    /// With the opt-out and help words that channels have when they say nothing else.
    pub fn new(allows: &'a dyn Fn(&str) -> Result<(), String>) -> Self {
        Self { allows, reserved: STOP_WORDS.iter().chain(HELP_WORDS).map(|word| folded(word)).collect() }
    }

    /// And further words, of the channels that use the bot.
    pub fn reserving<'w>(mut self, words: impl IntoIterator<Item = &'w str>) -> Self {
        self.reserved.extend(words.into_iter().map(folded));
        self
    }
}

/// Compiles a bot.
///
/// # Errors
/// Every fault, in the order of the steps.
pub fn compile(spec: &BotSpec, surroundings: &Surroundings<'_>) -> Result<CompiledBot, Vec<Fault>> {
    let mut compiler = Compiler::new(spec, surroundings);
    let start = compiler.start();
    let steps: Vec<CompiledStep> = (0..spec.steps.len()).filter_map(|index| compiler.step(index)).collect();
    if steps.len() == spec.steps.len() && !compiler.target_is_missing {
        compiler.check_ways(start);
    }
    let mut faults = compiler.faults;
    if !faults.is_empty() {
        let place = |fault: &Fault| spec.steps.iter().position(|step| step.name == fault.step);
        faults.sort_by_key(place);
        return Err(faults);
    }
    Ok(CompiledBot {
        version: version(spec),
        start,
        steps,
        idle_seconds: unsigned(spec.idle_seconds),
        idle_message: spec.idle_message.clone(),
    })
}

/// The first 12 hex digits of the SHA-256 of the spec.
#[expect(clippy::expect_used, reason = "a spec always serializes: its keys are strings, its numbers integers")]
fn version(spec: &BotSpec) -> String {
    let document = serde_json::to_vec(spec).expect("a spec serializes");
    Sha256::digest(document).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

fn unsigned(value: i32) -> u32 {
    u32::try_from(value).unwrap_or_default()
}

/// One run over a spec: what is known of all steps, and the faults so far.
struct Compiler<'a> {
    spec: &'a BotSpec,
    surroundings: &'a Surroundings<'a>,
    index: BTreeMap<&'a str, usize>,
    variables: Variables<'a>,
    followers: Vec<Vec<usize>>,
    faults: Vec<Fault>,
    target_is_missing: bool,
}

impl<'a> Compiler<'a> {
    fn new(spec: &'a BotSpec, surroundings: &'a Surroundings<'a>) -> Self {
        let mut compiler = Self {
            spec,
            surroundings,
            index: BTreeMap::new(),
            variables: Variables::of(spec),
            followers: vec![Vec::new(); spec.steps.len()],
            faults: Vec::new(),
            target_is_missing: false,
        };
        for (index, step) in spec.steps.iter().enumerate() {
            if compiler.index.insert(&step.name, index).is_some() {
                compiler.fault(index, "name", "two steps have this name: rename one");
            }
        }
        if let Some(message) = &spec.idle_message
            && message.trim().is_empty()
        {
            let message = "is blank: write a text, or remove it".into();
            compiler.faults.push(Fault { step: String::new(), position: "idleMessage".into(), message });
        }
        compiler
    }

    fn fault(&mut self, step: usize, position: impl Into<String>, message: impl Into<String>) {
        let step = self.spec.steps.get(step).map(|step| step.name.clone()).unwrap_or_default();
        self.faults.push(Fault { step, position: position.into(), message: message.into() });
    }

    fn start(&mut self) -> StepId {
        let mut fault = |message: String| {
            self.target_is_missing = true;
            self.faults.push(Fault { step: String::new(), position: "startAt".into(), message });
            StepId(0)
        };
        match &self.spec.start_at {
            None if self.spec.steps.is_empty() => fault("the bot has no steps: add one".into()),
            None => StepId(0),
            Some(name) => match self.index.get(name.as_str()) {
                Some(index) => StepId(*index),
                None => fault(format!("there is no step {name}: correct the name, or add the step")),
            },
        }
    }

    fn step(&mut self, index: usize) -> Option<CompiledStep> {
        let step = &self.spec.steps[index];
        let Step { name, say, ask, branch, set, in_hours, http, hand_off, finish, next } = step;
        let ends = branch.is_some() || in_hours.is_some() || hand_off.is_some() || finish.is_some();
        if ends && next.is_some() {
            self.fault(index, "next", "has no meaning after branch, inHours, handOff and finish: remove it");
        }
        let mut actions = Vec::new();
        if let Some(say) = say {
            let text = self.text(index, "say.text", &say.text);
            actions.push(Action::Say { text, next: self.next(index) });
        }
        actions.extend(ask.as_ref().map(|ask| self.ask(index, ask)));
        actions.extend(branch.as_ref().map(|branch| self.branch(index, branch)));
        actions.extend(set.as_ref().map(|set| self.set(index, set)));
        if let Some(hours) = in_hours {
            let open = self.target(index, "inHours.open", &hours.open);
            actions.push(Action::InHours { open, closed: self.target(index, "inHours.closed", &hours.closed) });
        }
        actions.extend(http.as_ref().and_then(|http| self.http(index, http)));
        if let Some(hand_off) = hand_off {
            let note = self.optional_text(index, "handOff.note", hand_off.note.as_deref());
            actions.push(Action::HandOff { priority: unsigned(hand_off.priority), note });
        }
        if let Some(finish) = finish {
            actions.push(Action::Finish { note: self.optional_text(index, "finish.note", finish.note.as_deref()) });
        }
        self.only_one(index, actions).map(|action| CompiledStep { name: name.clone(), action })
    }

    fn only_one(&mut self, index: usize, mut actions: Vec<Action>) -> Option<Action> {
        let Step { say, ask, branch, set, in_hours, http, hand_off, finish, .. } = &self.spec.steps[index];
        let declared = [
            say.is_some(),
            ask.is_some(),
            branch.is_some(),
            set.is_some(),
            in_hours.is_some(),
            http.is_some(),
            hand_off.is_some(),
            finish.is_some(),
        ];
        if declared.into_iter().filter(|is_declared| *is_declared).count() != 1 {
            let message =
                "does not do exactly one thing: set one of say, ask, branch, set, inHours, http, handOff, finish";
            self.fault(index, "", message);
        }
        actions.pop()
    }

    /// The step that follows: `next`, or the one below.
    fn next(&mut self, index: usize) -> StepId {
        if let Some(name) = &self.spec.steps[index].next {
            return self.target(index, "next", name);
        }
        if index + 1 < self.spec.steps.len() {
            self.followers[index].push(index + 1);
            return StepId(index + 1);
        }
        self.target_is_missing = true;
        self.fault(index, "next", "the last step leads nowhere: set next, or end the bot with handOff or finish");
        StepId(index)
    }

    fn target(&mut self, index: usize, position: impl Into<String>, name: &str) -> StepId {
        let Some(target) = self.index.get(name).copied() else {
            self.target_is_missing = true;
            self.fault(index, position, format!("there is no step {name}: correct the name, or add the step"));
            return StepId(index);
        };
        self.followers[index].push(target);
        StepId(target)
    }

    fn optional_target(&mut self, index: usize, position: &str, name: Option<&str>) -> Option<StepId> {
        name.map(|name| self.target(index, position, name))
    }

    /// A text that may be empty.
    fn value(&mut self, index: usize, position: &str, text: &str) -> Template {
        let template = match Template::parse(text) {
            Ok(template) => template,
            Err(error) => {
                self.fault(index, format!("{position}[{}]", error.at), error.message);
                return Template::default();
            }
        };
        for (path, at) in template.variables() {
            if let Err(message) = self.variables.check_read(path) {
                self.fault(index, format!("{position}[{at}]"), message);
            }
        }
        template
    }

    /// A text that is sent.
    fn text(&mut self, index: usize, position: &str, text: &str) -> Template {
        let faults = self.faults.len();
        let template = self.value(index, position, text);
        if template.is_blank() && self.faults.len() == faults {
            self.fault(index, position, "is blank: write a text");
        }
        template
    }

    fn optional_text(&mut self, index: usize, position: &str, text: Option<&str>) -> Option<Template> {
        text.map(|text| self.text(index, position, text))
    }

    fn set_variable(&mut self, index: usize, position: impl Into<String>, name: &str) {
        if let Err(message) = check_set(name) {
            self.fault(index, position, message);
        }
    }

    fn pattern(&mut self, index: usize, position: String, pattern: &str, whole: bool) -> Option<Regex> {
        // Compiled as it stands first: what is put around it must not close its brackets.
        let compile = |pattern: &str| RegexBuilder::new(pattern).size_limit(PATTERN_BYTES).nest_limit(50).build();
        let compiled = compile(pattern)
            .and_then(|compiled| if whole { compile(&format!(r"\A(?:{pattern})\z")) } else { Ok(compiled) });
        match compiled {
            Ok(compiled) => Some(compiled),
            Err(regex::Error::CompiledTooBig(_)) => {
                self.fault(index, position, "the pattern is too large: use smaller repetitions");
                None
            }
            Err(error) => {
                // The last line says what is wrong; those before it draw an arrow.
                let text = error.to_string();
                let last = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
                self.fault(index, position, format!("the pattern is not valid: {last}"));
                None
            }
        }
    }

    fn ask(&mut self, index: usize, ask: &Ask) -> Action {
        self.set_variable(index, "ask.into", &ask.into);
        let text = self.text(index, "ask.text", &ask.text);
        let accepted = self.accepted(index, ask);
        let invalid_text = self.optional_text(index, "ask.invalidText", ask.invalid_text.as_deref());
        let on_invalid = self.optional_target(index, "ask.onInvalid", ask.on_invalid.as_deref());
        if on_invalid.is_some() && matches!(accepted, Accepted::Any) && ask.answers.is_empty() && ask.matches.is_none()
        {
            self.fault(
                index,
                "ask.onInvalid",
                "never happens, since any text is accepted: set answers or matches, or remove it",
            );
        }
        Action::Ask {
            text,
            into: ask.into.clone(),
            accepted,
            attempts: unsigned(ask.attempts),
            invalid_text,
            on_invalid,
            timeout_seconds: unsigned(ask.timeout_seconds.unwrap_or(self.spec.idle_seconds)),
            on_timeout: self.optional_target(index, "ask.onTimeout", ask.on_timeout.as_deref()),
            next: self.next(index),
        }
    }

    fn accepted(&mut self, index: usize, ask: &Ask) -> Accepted {
        if let Some(pattern) = &ask.matches {
            if !ask.answers.is_empty() {
                self.fault(index, "ask.matches", "stands beside answers: keep one of them");
            }
            let compiled = self.pattern(index, "ask.matches".into(), pattern, true);
            return compiled.map_or(Accepted::Any, Accepted::Matching);
        }
        if ask.answers.is_empty() {
            return Accepted::Any;
        }
        let mut values: BTreeMap<String, String> = BTreeMap::new();
        for answer in &ask.answers {
            let value = (&answer.value, format!("ask.answers[{}].value", answer.value));
            let synonyms =
                answer.synonyms.iter().map(|word| (word, format!("ask.answers[{}].synonyms[{word}]", answer.value)));
            for (word, position) in [value].into_iter().chain(synonyms) {
                self.answer(index, word, position, &answer.value, &mut values);
            }
        }
        Accepted::OneOf(values)
    }

    fn answer(
        &mut self,
        index: usize,
        word: &str,
        position: String,
        value: &str,
        values: &mut BTreeMap<String, String>,
    ) {
        if word.trim().is_empty() {
            self.fault(index, position, "is blank: write what the customer may answer");
        } else if self.surroundings.reserved.contains(&folded(word)) {
            let message = format!(
                "{word:?} is a word by which customers opt out or ask for help, and never reaches a bot: use another word"
            );
            self.fault(index, position, message);
        } else if let Some(other) = values.insert(word.trim().to_lowercase(), value.to_owned())
            && other != value
        {
            self.fault(index, position, format!("{word:?} is an answer for {other:?} already: keep it in one"));
        }
    }

    fn branch(&mut self, index: usize, branch: &Branch) -> Action {
        let mut cases = Vec::with_capacity(branch.cases.len());
        for case in &branch.cases {
            let at = format!("branch.cases[{}]", case.name);
            if case.when.is_empty() {
                self.fault(index, format!("{at}.when"), "compares nothing: add a variable");
            }
            let mut when = Vec::new();
            for condition in &case.when {
                let at = format!("{at}.when[{}]", condition.variable);
                let comparisons = self.comparisons(index, &at, condition);
                when.extend(comparisons.into_iter().map(|comparison| (condition.variable.clone(), comparison)));
            }
            let next = self.target(index, format!("{at}.next"), &case.next);
            cases.push(Case { name: case.name.clone(), when, next });
        }
        Action::Branch { cases, otherwise: self.target(index, "branch.otherwise", &branch.otherwise) }
    }

    fn comparisons(&mut self, index: usize, at: &str, condition: &BranchCondition) -> Vec<Comparison> {
        if let Err(message) = self.variables.check_read(&condition.variable) {
            self.fault(index, format!("{at}.variable"), message);
        }
        let mut comparisons = Vec::new();
        comparisons.extend(condition.equals.clone().map(Comparison::Equals));
        if !condition.one_of.is_empty() {
            comparisons.push(Comparison::OneOf(condition.one_of.clone()));
        }
        if let Some(pattern) = &condition.matches {
            comparisons.extend(self.pattern(index, format!("{at}.matches"), pattern, false).map(Comparison::Matches));
        }
        comparisons.extend(condition.less_than.map(Comparison::LessThan));
        comparisons.extend(condition.greater_than.map(Comparison::GreaterThan));
        let compares_a_value = !comparisons.is_empty() || condition.matches.is_some();
        comparisons.extend(condition.present.map(Comparison::Present));
        if comparisons.is_empty() && condition.matches.is_none() {
            self.fault(index, at, "compares nothing: set equals, oneOf, matches, present, lessThan or greaterThan");
        }
        if condition.present == Some(false) && compares_a_value {
            self.fault(
                index,
                format!("{at}.present"),
                "an absent variable fulfils no other comparison: keep one of them",
            );
        }
        if let (Some(below), Some(above)) = (condition.less_than, condition.greater_than)
            && above >= below.saturating_sub(1)
        {
            self.fault(index, format!("{at}.lessThan"), format!("no whole number is above {above} and below {below}"));
        }
        comparisons
    }

    fn set(&mut self, index: usize, set: &Set) -> Action {
        let mut values = Vec::with_capacity(set.values.len());
        for assignment in &set.values {
            let at = format!("set.values[{}]", assignment.variable);
            self.set_variable(index, format!("{at}.variable"), &assignment.variable);
            let value = self.value(index, &format!("{at}.value"), &assignment.value);
            values.push((assignment.variable.clone(), value));
        }
        Action::Set { values, next: self.next(index) }
    }

    fn http(&mut self, index: usize, http: &Http) -> Option<Action> {
        let url = self.text(index, "http.url", &http.url);
        let address = self.address(index, &url);
        let headers = self.headers(index, http);
        if !http.json.is_empty() && !http.method.has_body() {
            self.fault(index, "http.json", "is sent with POST, PUT and PATCH only: remove it, or change method");
        }
        let mut json = Vec::with_capacity(http.json.len());
        for field in &http.json {
            let value = self.value(index, &format!("http.json[{}].value", field.field), &field.value);
            json.push(BodyField { field: field.field.clone(), value });
        }
        if let Some(into) = &http.into {
            self.set_variable(index, "http.into", into);
        }
        let on_error = self.target(index, "http.onError", &http.on_error);
        let next = self.next(index);
        let (origin, path) = address?;
        Some(Action::Http(Box::new(HttpCall {
            method: http.method,
            origin,
            path,
            headers,
            json,
            into: http.into.clone(),
            timeout_seconds: unsigned(http.timeout_seconds),
            max_response_bytes: unsigned(http.max_response_bytes),
            on_error,
            next,
        })))
    }

    fn address(&mut self, index: usize, url: &Template) -> Option<(String, Template)> {
        if url.pieces().is_empty() {
            return None;
        }
        let judged = split_url(url).and_then(|(origin, path)| {
            (self.surroundings.allows)(&origin)?;
            Ok((origin, path))
        });
        judged.map_err(|message| self.fault(index, "http.url", message)).ok()
    }

    fn headers(&mut self, index: usize, http: &Http) -> Vec<(String, HeaderValue)> {
        let mut headers = Vec::with_capacity(http.headers.len());
        let mut names = BTreeSet::new();
        for header in &http.headers {
            let at = format!("http.headers[{}]", header.name);
            if let Err(message) = check_header(&header.name) {
                self.fault(index, format!("{at}.name"), message);
            }
            if !names.insert(header.name.to_ascii_lowercase()) {
                self.fault(index, format!("{at}.name"), "stands twice, as case does not matter: keep one");
            }
            let value = match (&header.value, &header.secret_key_ref) {
                (Some(text), None) => {
                    if text.chars().any(char::is_control) {
                        self.fault(
                            index,
                            format!("{at}.value"),
                            "holds a line break or another control character: remove it",
                        );
                    }
                    HeaderValue::Text(self.value(index, &format!("{at}.value"), text))
                }
                (None, Some(secret)) => HeaderValue::Secret(secret.clone()),
                (Some(_), Some(_)) | (None, None) => {
                    self.fault(index, at, "set exactly one of value and secretKeyRef");
                    continue;
                }
            };
            headers.push((header.name.clone(), value));
        }
        headers
    }

    /// What only shows when all steps are known.
    fn check_ways(&mut self, start: StepId) {
        let waits = self.spec.steps.iter().map(|step| step.ask.is_some()).collect();
        let graph = Graph { followers: std::mem::take(&mut self.followers), waits };
        for index in graph.unreachable(start.0) {
            self.fault(index, "", "no step leads here: remove it, or name it as the next of another step");
        }
        for circle in graph.circles() {
            let names: Vec<&str> =
                circle.iter().chain(&circle[..1]).map(|index| self.spec.steps[*index].name.as_str()).collect();
            let message =
                format!("runs in a circle without waiting for the customer ({}): put an ask into it", names.join(", "));
            self.fault(circle[0], "", message);
        }
    }
}
