//! `docs/reference/events.md`: every type of event, when it happens, its fields, and whether agents' streams carry it.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::File;
use super::reference::{HEADER, cell, text};
use crate::engine::{
    core::event::EVENT_VERSION,
    event_schemas::{EventSchema, event_schemas},
};

/// References to definitions begin so.
const DEFINED: &str = "#/";

const INTRODUCTION: &str = "\
# Events

An engine stores what happens on its channel as events, in the order in which it happened, in the same transaction as what they change. Agents' streams (`GET /v1/channels/{channel}/stream`) carry those that mean
something to an agent; the others are the engine's own bookkeeping. Events hold ids and states, never a text or a customer's number: what an id stands for is read by it. [States](states.md) has the events that move an interaction.

- An event is one JSON object: its `type`, the fields below, `at` (the engine's time at the decision) and `v`, the version of the form.
";

const VERSIONS: &str = "\
- A field *may be absent*: it says nothing then, or the event was written by a version of Aldis that did not have it. A field that is added later is such a field, and ones that are there keep their meaning.
- Ignore types and fields that you do not know: later versions add some. A stored event of a newer version than the engine's is refused when the engine starts.
- On the stream each event has a number, its `id`. A stream that is opened again with `Last-Event-ID` goes on after it. `Opened`, `Reset`, `Beat` and `Ended` are of the stream itself and stored nowhere; the
  [OpenAPI document](../openapi/engine.json) has their form, and a schema for each event of the stream.
- Events are kept as long as closed interactions: `engine.storage.retentionDays`.
";

pub(super) fn file() -> File {
    let schemas = event_schemas(DEFINED);
    let mut page = format!(
        "{HEADER}{INTRODUCTION}- The version in which events are written now is {EVENT_VERSION}. Older ones are read for ever.\n{VERSIONS}"
    );
    page += "\n## All types\n\n| type | happens when | on the stream |\n|---|---|---|\n";
    for event in schemas.groups.iter().flat_map(|group| &group.events) {
        let on_stream = if event.is_shown { "yes" } else { "no" };
        let name = &event.name;
        let what = cell(text(&event.schema, "description"));
        let _ = writeln!(page, "| [{name}](#{}) | {what} | {on_stream} |", name.to_lowercase());
    }
    for group in &schemas.groups {
        let _ = write!(page, "\n## {} events\n\n{}\n", group.name, group.description);
        group.events.iter().for_each(|event| section(&mut page, event));
    }
    values(&mut page, &schemas.definitions);
    File { path: "docs/reference/events.md".into(), content: page }
}

fn section(page: &mut String, event: &EventSchema) {
    let on_stream = if event.is_shown { "On agents' streams." } else { "Not on agents' streams." };
    let _ = write!(page, "\n### {}\n\n{} {on_stream}\n", event.name, text(&event.schema, "description"));
    fields(page, &event.schema);
}

/// A table of the fields, those of several forms after those that all have. Nothing when there are none but the type.
fn fields(page: &mut String, schema: &Value) {
    let mut rows = String::new();
    rows_of(&mut rows, schema, "");
    for form in ["oneOf", "anyOf"].into_iter().filter_map(|key| schema[key].as_array()).flatten() {
        rows_of(&mut rows, form, &tag(form).map(|tag| format!(" ({tag})")).unwrap_or_default());
    }
    if !rows.is_empty() {
        let _ = write!(page, "\n| field | value | says |\n|---|---|---|\n{rows}");
    }
}

/// What tells a form from others: the field with one value.
fn tag(form: &Value) -> Option<String> {
    let mut fields = form["properties"].as_object()?.iter();
    fields.find_map(|(name, field)| Some(format!("`{name}: {}`", field["const"].as_str()?)))
}

fn rows_of(rows: &mut String, schema: &Value, of: &str) {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten().filter(|(name, _)| *name != "type") {
        let absent = if required.contains(&name.as_str()) { "" } else { "; may be absent" };
        // Of the field that tells the forms apart, the form itself says what it means.
        let (of, says) = if field["const"].is_string() {
            ("", text(schema, "description"))
        } else {
            (of, text(field, "description"))
        };
        let _ = writeln!(rows, "| `{name}`{of} | {}{absent} | {} |", value_of(field), cell(&one_line(says)));
    }
}

/// The type of a field, in a few words; what is defined below is linked.
fn value_of(field: &Value) -> String {
    if let Some(reference) = field["$ref"].as_str() {
        let name = reference.trim_start_matches(DEFINED);
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(any) = field["anyOf"].as_array() {
        return any.iter().map(value_of).collect::<Vec<_>>().join(" or ");
    }
    if let Some(value) = field["const"].as_str() {
        return format!("`{value}`");
    }
    let names: Vec<&str> = match &field["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let words = names.into_iter().map(|name| match (name, text(field, "format")) {
        ("array", _) => format!("list of {}", value_of(&field["items"])),
        ("string", "date-time") => "time".to_owned(),
        ("string", "date") => "date".to_owned(),
        ("null", _) => "`null`".to_owned(),
        (other, _) => other.to_owned(),
    });
    words.collect::<Vec<_>>().join(" or ")
}

/// What fields refer to.
fn values(page: &mut String, definitions: &Map<String, Value>) {
    *page += "\n## Values\n\nWhat the fields refer to.\n";
    for (name, schema) in definitions {
        let _ = write!(page, "\n### {name}\n\n{}\n", one_line(text(schema, "description")));
        let choices = choices(schema);
        if choices.is_empty() {
            match value_of(schema).as_str() {
                "" | "object" => {}
                simple => {
                    let _ = write!(page, "\nIn JSON: {simple}.\n");
                }
            }
            fields(page, schema);
        } else {
            *page += "\n| value | means |\n|---|---|\n";
            for (value, means) in choices {
                let _ = writeln!(page, "| {value} | {} |", cell(&one_line(means)));
            }
        }
    }
}

/// The values of an enumeration, with what they mean; empty for anything else.
fn choices(schema: &Value) -> Vec<(String, &str)> {
    let named = schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let named = named.map(|name| (format!("`{name}`"), ""));
    let forms = schema["oneOf"].as_array().into_iter().flatten();
    let forms = forms.filter_map(|form| Some((choice(form)?, text(form, "description"))));
    named.chain(forms).collect()
}

/// One value of an enumeration: a name, or an object with one field that has the name.
fn choice(form: &Value) -> Option<String> {
    if let Some(name) = form["const"].as_str() {
        return Some(format!("`{name}`"));
    }
    let mut fields = form["properties"].as_object().filter(|_| form["additionalProperties"] == false)?.iter();
    fields.next().map(|(name, field)| format!("an object with `{name}`: {}", value_of(field)))
}

/// Lines of a comment are no lines of a table.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_every_event_and_value_has_a_type_and_a_meaning() {
        let page = file().content;
        let rows = page.lines().filter(|line| line.starts_with("| `") || line.starts_with("| ["));
        let mut count = 0;
        for row in rows {
            let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
            assert!(cells.iter().all(|cell| !cell.is_empty()), "{row}");
            count += 1;
        }
        assert!(count > 200, "{count}");
    }

    #[test]
    fn a_row_says_what_may_be_absent_and_which_form_has_it() {
        let page = file().content;
        assert!(page.contains("| [InteractionClosed](#interactionclosed) | An interaction ended. | yes |\n"), "{page}");
        assert!(page.contains("| [AttemptStarted](#attemptstarted) |") && page.contains(" | no |\n"));
        assert!(page.contains("| `completedOn` | date or `null`; may be absent | "), "{page}");
        assert!(page.contains("| `since` (`by: Import`) | time | "), "{page}");
        assert!(page.contains("| `Idle` | No message for too long. |\n"), "{page}");
    }
}
