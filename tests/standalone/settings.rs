//! docs/settings.md has every field of a channel and its campaign, with the values that the reference has, and says of each what people ask.

use std::{collections::BTreeMap, fs, path::Path};

use regex::Regex;

const PAGE: &str = "docs/settings.md";

/// What is said of each setting.
const LABELS: [&str; 5] = ["Value", "Left out", "An edit", "With others", "Seen"];

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The fields of a kind's spec that have a value of their own, as the reference page gives it. That page is made of the schema.
fn fields(reference: &str) -> BTreeMap<String, String> {
    let spec = reference.split_once("\n## Spec\n").expect("a spec").1;
    let spec = spec.split("\n## ").next().unwrap();
    let row = Regex::new(r"(?m)^\| (?:\*\*)?`([^`]+)`(?:\*\*)? \| (.+?) \| ").unwrap();
    let all: BTreeMap<_, _> = row.captures_iter(spec).map(|found| (found[1].to_owned(), found[2].to_owned())).collect();
    let has_fields = |path: &str| {
        let below = all.range(path.to_owned()..).skip(1).take_while(|(other, _)| other.starts_with(path));
        let mut below = below.map(|(other, _)| &other[path.len()..]);
        below.any(|rest| rest.starts_with('.') || rest.starts_with("[]"))
    };
    all.iter().filter(|(path, _)| !has_fields(path)).map(|(path, value)| (path.clone(), value.clone())).collect()
}

/// A setting, or some, as the page has them.
struct Entry {
    /// What the heading or the first cell names.
    names: Vec<String>,
    /// What is said of the value.
    value: String,
    /// What of [`LABELS`] is missing; a row of a table need not say all.
    missing: Vec<&'static str>,
}

/// The entries of a part of the page: sections with a field in their heading, and rows that begin with one.
fn entries(part: &str) -> Vec<Entry> {
    let name = Regex::new(r"`([^`]+)`").unwrap();
    let names = |text: &str| name.captures_iter(text).map(|found| found[1].to_owned()).collect();
    let mut found = Vec::new();
    for section in part.split("\n### ").skip(1) {
        let (heading, text) = section.split_once('\n').unwrap_or((section, ""));
        if !heading.contains('`') {
            for row in text.lines().filter(|line| line.starts_with("| `")) {
                let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
                found.push(Entry {
                    names: names(cells[0]),
                    value: cells[1].trim_matches('–').to_owned(),
                    missing: Vec::new(),
                });
            }
            continue;
        }
        let line = |label: &str| {
            let begin = format!("- **{label}");
            let line = text.lines().find(|line| line.starts_with(&begin))?;
            line.split_once(":** ").map(|(_, said)| said).filter(|said| !said.trim().is_empty())
        };
        let missing = LABELS.into_iter().filter(|label| line(label).is_none()).collect();
        found.push(Entry { names: names(heading), value: line("Value").unwrap_or_default().to_owned(), missing });
    }
    found
}

/// Whether a name in the page stands for a field: `a.*` for all below, `a` for the reference `a.name`.
fn stands_for(name: &str, field: &str) -> bool {
    match name.strip_suffix(".*") {
        Some(above) => field.strip_prefix(above).is_some_and(|rest| rest.starts_with('.')),
        None => field == name || field.strip_suffix(".name") == Some(name),
    }
}

/// What is wrong with a part of the page.
fn faults(part: &str, fields: &BTreeMap<String, String>) -> Vec<String> {
    let entries = entries(part);
    let mut faults = Vec::new();
    for (field, value) in fields {
        let said: Vec<_> =
            entries.iter().filter(|entry| entry.names.iter().any(|name| stands_for(name, field))).collect();
        match said[..] {
            [entry] if entry.value.is_empty() || entry.value.contains(value.as_str()) => {}
            [entry] => faults.push(format!("{field}: {value:?} is not in {:?}", entry.value)),
            [] => faults.push(format!("{field} is missing")),
            _ => faults.push(format!("{field} stands more than once")),
        }
    }
    for entry in &entries {
        for name in entry.names.iter().filter(|name| !fields.keys().any(|field| stands_for(name, field))) {
            faults.push(format!("{name} is no field"));
        }
        faults.extend(entry.missing.iter().map(|label| format!("{:?} does not say {label:?}", entry.names)));
    }
    faults
}

/// The part of the page under a heading of the second level.
fn part<'p>(page: &'p str, heading: &str) -> &'p str {
    let begin = format!("\n## {heading}\n");
    page.split_once(&begin).unwrap_or_else(|| panic!("{PAGE} has no part {heading}")).1.split("\n## ").next().unwrap()
}

#[test]
fn every_field_of_a_channel_and_its_campaign_stands_there_with_its_value() {
    let page = read(PAGE);
    for (kind, reference) in
        [("SmsChannel", "docs/reference/smschannel.md"), ("Campaign", "docs/reference/campaign.md")]
    {
        let fields = fields(&read(reference));
        assert!(fields.len() > 20, "{reference}: {fields:?}");
        let faults = faults(part(&page, kind), &fields);
        assert!(faults.is_empty(), "{PAGE}, {kind}:\n{}", faults.join("\n"));
    }
}

#[test]
fn what_is_missing_or_wrong_would_be_seen() {
    let reference = "\n## Spec\n\n| field | value | what it does |\n|---|---|---|\n| `most` | integer, default `0` | Most. |\n\
                     | `most.of` | string | Not a field of it. |\n| **`ref`** | object | One. |\n| **`ref.name`** | string | Its name. |\n\
                     | `list` | list by `a` | Many. |\n| `list[].a` | string | One. |\n| `mode` | `A` or `B` | Which. |\n\n## Status\n| `x` | y | z |\n";
    let fields = fields(reference);
    let named: Vec<_> = fields.keys().map(String::as_str).collect();
    assert_eq!(named, ["list[].a", "mode", "most.of", "ref.name"]);
    let whole = |value: &str| {
        format!("- **Value:** {value}\n- **Left out:** a.\n- **An edit:** b.\n- **With others:** c.\n- **Seen:** d.\n")
    };
    let good = format!(
        "\n### Ref: `ref`\n\n{}\n### Mode: `mode`\n\n{}\n### Others\n\n| `most.of` | string | x |\n| `list[].*` | – | x |\n",
        whole("string."),
        whole("`A` or `B`.")
    );
    assert_eq!(faults(&good, &fields), Vec::<String>::new());
    let cases = [
        (good.replace("### Mode: `mode`", "### Mode: `other`"), "mode is missing"),
        (good.replace("`A` or `B`.", "`A`."), "mode: \"`A` or `B`\" is not in"),
        (good.replacen("- **An edit:** b.", "", 1), "[\"ref\"] does not say \"An edit\""),
        (good.replace("`most.of` | string", "`most.of` | integer"), "most.of: \"string\" is not in"),
        (good.clone() + "| `mode` | `A` or `B` | x |\n", "mode stands more than once"),
        (good.clone() + "| `gone` | string | x |\n", "gone is no field"),
    ];
    for (page, expected) in cases {
        let faults = faults(&page, &fields);
        assert!(faults.iter().any(|fault| fault.starts_with(expected)), "{expected} in {faults:?}");
    }
}
