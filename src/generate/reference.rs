//! `docs/reference/`: a page for each kind, from its schema.

use std::fmt::Write as _;

use serde_json::Value;

use super::File;
use crate::api::crd;
use crate::api::{Blocklist, Bot, Campaign, ConditionType, SmsChannel, SmsConnector};

pub(super) fn files() -> Vec<File> {
    crd::all().iter().map(file).collect()
}

/// What a page has beside the schema: an example that tests apply, and the conditions.
fn companion(kind: &str) -> (&'static str, &'static [ConditionType]) {
    match kind {
        "SmsConnector" => (include_str!("../../examples/reference/smsconnector.yaml"), SmsConnector::CONDITIONS),
        "SmsChannel" => (include_str!("../../examples/reference/smschannel.yaml"), SmsChannel::CONDITIONS),
        "Campaign" => (include_str!("../../examples/reference/campaign.yaml"), Campaign::CONDITIONS),
        "Bot" => (include_str!("../../examples/reference/bot.yaml"), Bot::CONDITIONS),
        "Blocklist" => (include_str!("../../examples/reference/blocklist.yaml"), Blocklist::CONDITIONS),
        other => unreachable!("no example for kind {other}"),
    }
}

fn file(crd: &Value) -> File {
    let kind = text(&crd["spec"]["names"], "kind");
    let path = format!("docs/reference/{}.md", text(&crd["spec"]["names"], "singular"));
    let version = &crd["spec"]["versions"][0];
    let schema = &version["schema"]["openAPIV3Schema"];
    let (example, conditions) = companion(kind);
    let mut page = format!("# {kind}\n\n{}\n\n", text(schema, "description"));
    page += &names(crd);
    let _ = write!(page, "\n## Example\n\n```yaml\n{example}```\n");
    page += "\n## Spec\n\n`[]` is an item of a list. In bold: must be given.\n\n| field | value | what it does |\n|---|---|---|\n";
    rows(&mut page, "", &schema["properties"]["spec"]);
    page += &rules(schema);
    page += &columns(version);
    page += "\n## Conditions\n\n| type | means |\n|---|---|\n";
    for type_ in conditions {
        let _ = writeln!(page, "| `{type_}` | {} |", cell(&type_.description()));
    }
    page += "\nTheir [reasons](conditions.md#reasons) are a closed set.\n";
    page += "\n## Status\n\n| field | value | what it says |\n|---|---|---|\n";
    rows(&mut page, "", &schema["properties"]["status"]);
    File { path: path.into(), content: page }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn names(crd: &Value) -> String {
    let names = &crd["spec"]["names"];
    let version = text(&crd["spec"]["versions"][0], "name");
    let short = names["shortNames"].as_array().and_then(|short| short.first()).and_then(Value::as_str);
    let short = short.map(|short| format!(", short name `{short}`")).unwrap_or_default();
    let singular = text(names, "singular");
    format!(
        "`apiVersion: {}/{version}`, namespaced{short}, category `aldis`. On the command line: `kubectl explain {singular}.spec`.\n",
        text(&crd["spec"], "group")
    )
}

/// A row for each field below this schema, in the order of the alphabet.
fn rows(page: &mut String, path: &str, schema: &Value) {
    let Some(properties) = schema["properties"].as_object() else { return };
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in properties {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let shown = if required.contains(&name.as_str()) { format!("**`{path}`**") } else { format!("`{path}`") };
        let _ = writeln!(page, "| {shown} | {} | {} |", value_of(field), cell(text(field, "description")));
        if path == "conditions" {
            continue;
        }
        rows(page, &path, field);
        rows(page, &format!("{path}[]"), &field["items"]);
    }
}

/// Type, bounds and default of a field, in a few words.
fn value_of(field: &Value) -> String {
    let mut words = vec![type_of(field)];
    let bounds = |low: &str, high: &str| match (field[low].as_i64(), field[high].as_i64()) {
        (Some(low), Some(high)) if low == high => Some(format!("{low}")),
        (Some(low), Some(high)) => Some(format!("{low} to {high}")),
        (None, Some(high)) => Some(format!("at most {high}")),
        (Some(low), None) if low > 0 => Some(format!("at least {low}")),
        (Some(_) | None, None) => None,
    };
    words.extend(bounds("minimum", "maximum"));
    words.extend(bounds("minLength", "maxLength").map(|bounds| format!("{bounds} characters")));
    words.extend(bounds("minItems", "maxItems").map(|bounds| format!("{bounds} items")));
    match &field["default"] {
        Value::Null | Value::Object(_) => {}
        Value::String(default) if default.is_empty() => {}
        Value::String(default) => words.push(format!("default `{default}`")),
        default => words.push(format!("default `{default}`")),
    }
    words.join(", ")
}

fn type_of(field: &Value) -> String {
    if let Some(members) = field["enum"].as_array() {
        return members
            .iter()
            .filter_map(Value::as_str)
            .map(|member| format!("`{member}`"))
            .collect::<Vec<_>>()
            .join(" or ");
    }
    if field["x-kubernetes-int-or-string"] == true {
        return "integer or string".into();
    }
    match text(field, "type") {
        "array" if text(&field["items"], "type") == "string" => "list of strings".into(),
        "array" => {
            let keys: Vec<String> = field["x-kubernetes-list-map-keys"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(|key| format!("`{key}`"))
                .collect();
            format!("list by {}", keys.join(", "))
        }
        "string" if text(field, "format") == "date-time" => "time".into(),
        "object" if field.get("additionalProperties").is_some() => "map of strings".into(),
        other => other.into(),
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// What the API server refuses beyond types and bounds.
fn rules(schema: &Value) -> String {
    let mut found = Vec::new();
    collect_rules("", schema, &mut found);
    if found.is_empty() {
        return String::new();
    }
    let mut section =
        "\n## Rules\n\nThe API server refuses what breaks one of these.\n\n| where | rule |\n|---|---|\n".to_owned();
    for (path, message) in found {
        let _ =
            writeln!(section, "| `{}` | {} |", if path.is_empty() { "metadata.name" } else { &path }, cell(&message));
    }
    section
}

fn collect_rules(path: &str, schema: &Value, found: &mut Vec<(String, String)>) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        found.push((path.to_owned(), text(rule, "message").to_owned()));
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        collect_rules(&path, field, found);
    }
    if schema["items"].is_object() {
        collect_rules(&format!("{path}[]"), &schema["items"], found);
    }
}

fn columns(version: &Value) -> String {
    let mut section = "\n## Columns of `kubectl get`\n\n| column | says |\n|---|---|\n".to_owned();
    for column in version["additionalPrinterColumns"].as_array().into_iter().flatten() {
        let wide = if column["priority"].as_i64().unwrap_or_default() > 0 { " (with `-o wide`)" } else { "" };
        let name = text(column, "name").to_uppercase();
        let _ = writeln!(section, "| {name} | {}{wide} |", cell(text(column, "description")));
    }
    section
}
