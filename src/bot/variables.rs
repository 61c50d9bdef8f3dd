//! Which variables a bot can read.

use std::collections::BTreeMap;

use super::template::check_path;
use crate::api::BotSpec;

/// What is always there.
const GIVEN: [&str; 6] =
    ["customer.number", "channel.name", "channel.number", "campaign.name", "interaction.id", "message.text"];

/// What a variable holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Holds {
    /// A text, which has no parts.
    Text,
    /// The answer of a service, which may have parts.
    Json,
}

/// The variables that the steps of a bot set.
pub(super) struct Variables<'a>(BTreeMap<&'a str, Holds>);

impl<'a> Variables<'a> {
    /// Collects what the steps set.
    pub(super) fn of(spec: &'a BotSpec) -> Self {
        let mut variables = BTreeMap::new();
        let mut add = |name: &'a str, holds: Holds| {
            variables.entry(name).and_modify(|known: &mut Holds| *known = holds.max(*known)).or_insert(holds);
        };
        for step in &spec.steps {
            if let Some(ask) = &step.ask {
                add(&ask.into, Holds::Text);
            }
            for assignment in step.set.iter().flat_map(|set| &set.values) {
                add(&assignment.variable, Holds::Text);
            }
            if let Some(into) = step.http.as_ref().and_then(|http| http.into.as_deref()) {
                add(into, Holds::Json);
            }
        }
        Self(variables)
    }

    /// Whether a path can ever have a value.
    ///
    /// # Errors
    /// Why not, and what to do.
    pub(super) fn check_read(&self, path: &str) -> Result<(), String> {
        check_path(path)?;
        if GIVEN.contains(&path) {
            return Ok(());
        }
        let (root, part) = path.split_once('.').map_or((path, None), |(root, part)| (root, Some(part)));
        if is_given_root(root) {
            return Err(format!("there is no {path}: always there are {}", GIVEN.join(", ")));
        }
        match (self.0.get(root), part) {
            (None, _) => {
                Err(format!("no step sets {root}, so that it would always be empty: set it, or correct the name"))
            }
            (Some(Holds::Text), Some(_)) => Err(format!("{root} is a text and has no parts: only what http reads has")),
            (Some(_), _) => Ok(()),
        }
    }
}

/// Whether a step may set a variable of this name.
///
/// # Errors
/// Why not, and what to do.
pub(super) fn check_set(name: &str) -> Result<(), String> {
    check_path(name)?;
    if name.contains('.') {
        return Err(format!("{name} has parts: a step sets a whole variable"));
    }
    if is_given_root(name) {
        return Err(format!("{name} is always there and cannot be set: choose another name"));
    }
    Ok(())
}

fn is_given_root(name: &str) -> bool {
    GIVEN.iter().any(|given| given.split_once('.').is_some_and(|(root, _)| root == name))
}
