//! The actions that have more to them than a text: asking, branching, setting, calling.

use std::collections::{BTreeMap, BTreeSet};

use super::{Compiler, unsigned};
use crate::{
    api::bot::{Ask, Branch, BranchCondition, Http, Set},
    bot::{
        compiled::{Accepted, Action, BodyField, Case, Comparison, HeaderValue, HttpCall},
        http::{check_header, split_url},
        reserved::words_of,
        template::Template,
    },
};

impl Compiler<'_> {
    pub(super) fn ask(&mut self, index: usize, ask: &Ask) -> Action {
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
            for (word, position) in words_of(answer) {
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
        } else if let Some(other) = values.insert(word.trim().to_lowercase(), value.to_owned())
            && other != value
        {
            self.fault(index, position, format!("{word:?} is an answer for {other:?} already: keep it in one"));
        }
    }

    pub(super) fn branch(&mut self, index: usize, branch: &Branch) -> Action {
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

    pub(super) fn set(&mut self, index: usize, set: &Set) -> Action {
        let mut values = Vec::with_capacity(set.values.len());
        for assignment in &set.values {
            let at = format!("set.values[{}]", assignment.variable);
            self.set_variable(index, format!("{at}.variable"), &assignment.variable);
            let value = self.value(index, &format!("{at}.value"), &assignment.value);
            values.push((assignment.variable.clone(), value));
        }
        Action::Set { values, next: self.next(index) }
    }

    pub(super) fn http(&mut self, index: usize, http: &Http) -> Option<Action> {
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
            (self.allows)(&origin)?;
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
}
