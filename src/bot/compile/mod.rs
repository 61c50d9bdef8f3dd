//! From a bot's spec to a bot without faults, or to every fault that it has.

mod actions;

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};
use sha2::{Digest, Sha256};

use super::compiled::{Action, CompiledBot, CompiledStep, StepId};
use super::fault::BotFault;
use super::graph::Graph;
use super::reserved::reserved_answers;
use super::template::Template;
use super::variables::{Variables, check_set};
use crate::api::{
    BotSpec,
    bot::Step,
    sms_channel::{HELP_WORDS, STOP_WORDS},
};

/// The most memory that a compiled pattern may take, in bytes.
const PATTERN_BYTES: usize = 256 << 10;
/// Patterns of a bot at most: all of them are in memory, of every version that a conversation keeps to.
const MAX_PATTERNS: usize = 50;
/// Bytes that a bot may take as JSON: a channel's three must fit into its engine's configuration.
const MAX_BYTES: usize = 128 << 10;
/// Texts that a bot may send before it waits for the customer.
const MAX_TEXTS: usize = 10;

/// The index of no step: for faults of the bot as a whole.
const OF_THE_BOT: usize = usize::MAX;

/// Compiles a bot. `allows` says whether calls to an origin (`https://crm.example.com`) are allowed; if not, why not and what to do.
///
/// # Errors
/// Every fault, in the order of the steps.
pub fn compile(spec: &BotSpec, allows: &dyn Fn(&str) -> Result<(), String>) -> Result<CompiledBot, Vec<BotFault>> {
    let mut compiler = Compiler::new(spec, allows);
    compiler.check_size();
    compiler.faults.extend(reserved_answers(spec, STOP_WORDS.iter().chain(HELP_WORDS).copied()));
    let start = compiler.start();
    let idle_message = compiler.optional_text(OF_THE_BOT, "idleMessage", spec.idle_message.as_deref());
    let steps: Vec<CompiledStep> = (0..spec.steps.len()).filter_map(|index| compiler.step(index)).collect();
    if steps.len() == spec.steps.len() && !compiler.target_is_missing {
        compiler.check_ways(start);
    }
    let mut faults = compiler.faults;
    if !faults.is_empty() {
        let place = |fault: &BotFault| spec.steps.iter().position(|step| step.name == fault.step);
        faults.sort_by_key(place);
        return Err(faults);
    }
    Ok(CompiledBot { version: version(spec), start, steps, idle_seconds: unsigned(spec.idle_seconds), idle_message })
}

#[expect(clippy::expect_used, reason = "a spec always serializes: its keys are strings, its numbers integers")]
fn document(spec: &BotSpec) -> Vec<u8> {
    serde_json::to_vec(spec).expect("a spec serializes")
}

/// The first 12 hex digits of the SHA-256 of the spec.
fn version(spec: &BotSpec) -> String {
    Sha256::digest(document(spec)).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

fn unsigned(value: i32) -> u32 {
    u32::try_from(value).unwrap_or_default()
}

/// One run over a spec: what is known of all steps, and the faults so far.
struct Compiler<'a> {
    spec: &'a BotSpec,
    allows: &'a dyn Fn(&str) -> Result<(), String>,
    index: BTreeMap<&'a str, usize>,
    variables: Variables<'a>,
    followers: Vec<Vec<usize>>,
    faults: Vec<BotFault>,
    target_is_missing: bool,
    patterns: usize,
}

impl<'a> Compiler<'a> {
    fn new(spec: &'a BotSpec, allows: &'a dyn Fn(&str) -> Result<(), String>) -> Self {
        let mut compiler = Self {
            spec,
            allows,
            index: BTreeMap::new(),
            variables: Variables::of(spec),
            followers: vec![Vec::new(); spec.steps.len()],
            faults: Vec::new(),
            target_is_missing: false,
            patterns: 0,
        };
        for (index, step) in spec.steps.iter().enumerate() {
            if compiler.index.insert(&step.name, index).is_some() {
                compiler.fault(index, "name", "two steps have this name: rename one");
            }
        }
        compiler
    }

    fn fault(&mut self, step: usize, position: impl Into<String>, message: impl Into<String>) {
        let step = self.spec.steps.get(step).map(|step| step.name.clone()).unwrap_or_default();
        self.faults.push(BotFault { step, position: position.into(), message: message.into() });
    }

    fn start(&mut self) -> StepId {
        let mut fault = |message: String| {
            self.target_is_missing = true;
            self.faults.push(BotFault { step: String::new(), position: "startAt".into(), message });
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

    /// Together with what else a channel's engine is told, it must fit.
    fn check_size(&mut self) {
        let bytes = document(self.spec).len();
        if bytes > MAX_BYTES {
            let message =
                format!("the bot takes {bytes} bytes as JSON, and may take {MAX_BYTES}: make its texts shorter");
            self.fault(OF_THE_BOT, "steps", message);
        }
    }

    fn pattern(&mut self, index: usize, position: String, pattern: &str, whole: bool) -> Option<Regex> {
        self.patterns += 1;
        if self.patterns > MAX_PATTERNS {
            self.fault(index, position, format!("the bot has more than {MAX_PATTERNS} patterns: use answers or oneOf"));
            return None;
        }
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

    /// What only shows when all steps are known.
    fn check_ways(&mut self, start: StepId) {
        let waits = self.spec.steps.iter().map(|step| step.ask.is_some()).collect();
        let on_timeout =
            |step: &Step| step.ask.as_ref().and_then(|ask| self.index.get(ask.on_timeout.as_deref()?).copied());
        let unanswered = self.spec.steps.iter().map(on_timeout).collect();
        let graph = Graph { followers: std::mem::take(&mut self.followers), waits, unanswered };
        for index in graph.unreachable(start.0) {
            self.fault(index, "", "no step leads here: remove it, or name it as the next of another step");
        }
        let circles = graph.circles();
        let says = self.spec.steps.iter().map(|step| step.say.is_some() || step.ask.is_some()).collect::<Vec<_>>();
        let begins = (0..self.spec.steps.len()).filter(|index| *index == start.0 || graph.follows_a_wait(*index));
        let too_many = begins.filter(|_| circles.is_empty()).find_map(|index| {
            let texts = graph.most_before_waiting(index, &says);
            (texts > MAX_TEXTS).then_some((index, texts))
        });
        if let Some((index, texts)) = too_many {
            let message = format!(
                "from here up to {texts} texts are sent without waiting for the customer, and {MAX_TEXTS} may be: put an ask between them"
            );
            self.fault(index, "", message);
        }
        for circle in circles {
            let names: Vec<&str> =
                circle.iter().chain(&circle[..1]).map(|index| self.spec.steps[*index].name.as_str()).collect();
            let message = format!(
                "runs in a circle while the customer says nothing ({}): put an ask into it that leads out of it by onTimeout",
                names.join(", ")
            );
            self.fault(circle[0], "", message);
        }
    }
}
