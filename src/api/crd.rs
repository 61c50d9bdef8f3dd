//! The CustomResourceDefinitions as they are installed.
//!
//! `kube` derives them; what its derive cannot say is put right here: the default of `status`, whole numbers as whole numbers, defaults
//! that do not repeat those below them, and no `nullable` (Kubernetes then takes `null` for "absent").

use kube::CustomResourceExt;
use serde_json::{Map, Value, json};

use super::{Blocklist, Bot, Campaign, SmsChannel, SmsConnector};

/// The five CustomResourceDefinitions, in the order in which people meet them.
pub fn all() -> Vec<Value> {
    vec![
        finish(&SmsConnector::crd()),
        finish(&Campaign::crd()),
        finish(&SmsChannel::crd()),
        finish(&Bot::crd()),
        finish(&Blocklist::crd()),
    ]
}

#[expect(clippy::expect_used, reason = "a derived definition always serializes; there is no input")]
fn finish(crd: &impl serde::Serialize) -> Value {
    let mut crd = serde_json::to_value(crd).expect("a CustomResourceDefinition serializes");
    let versions = crd.pointer_mut("/spec/versions").and_then(Value::as_array_mut);
    for version in versions.into_iter().flatten() {
        if let Some(root) = version.pointer_mut("/schema/openAPIV3Schema") {
            tidy(root);
        }
        if let Some(Value::Object(status)) = version.pointer_mut("/schema/openAPIV3Schema/properties/status") {
            status.insert("default".into(), json!({"observedGeneration": -1}));
            status.insert("description".into(), "What the operator sees. Written by the operator alone.".into());
        }
        if let Some(Value::Object(spec)) = version.pointer_mut("/schema/openAPIV3Schema/properties/spec") {
            spec.insert("description".into(), "What is wanted.".into());
        }
    }
    crd
}

/// Puts one schema and all below it right.
fn tidy(schema: &mut Value) {
    let Value::Object(schema) = schema else { return };
    schema.remove("nullable");
    if let Some(Value::String(description)) = schema.get_mut("description") {
        *description = joined(description);
    }
    for bound in ["minimum", "maximum"] {
        if let Some(whole) = schema.get(bound).and_then(Value::as_f64).filter(|bound| bound.fract() == 0.0) {
            schema.insert(bound.into(), json!(whole as i64));
        }
    }
    tidy_default(schema);
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.values_mut().for_each(tidy);
    }
    for below in ["items", "additionalProperties"] {
        if let Some(below) = schema.get_mut(below) {
            tidy(below);
        }
    }
}

/// The lines of a paragraph as one; paragraphs stay apart.
fn joined(description: &str) -> String {
    description.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect::<Vec<_>>().join("\n\n")
}

/// An empty list or map is as good as absent. An object's default is `{}`, since the API server then applies those of its fields, unless it
/// says more than they do.
fn tidy_default(schema: &mut Map<String, Value>) {
    match schema.get("default") {
        Some(Value::Array(list)) if list.is_empty() => drop(schema.remove("default")),
        Some(Value::Null) => drop(schema.remove("default")),
        Some(Value::Object(map)) => {
            let below = defaults_below(schema);
            if *map == below {
                let empty_map = !schema.contains_key("properties");
                if empty_map {
                    schema.remove("default");
                } else {
                    schema.insert("default".into(), json!({}));
                }
            }
        }
        _ => {}
    }
}

/// What the defaults of the fields alone make of `{}`, in the form that serde gives it.
fn defaults_below(schema: &Map<String, Value>) -> Map<String, Value> {
    let Some(Value::Object(properties)) = schema.get("properties") else { return Map::new() };
    let default_of = |field: &Value| match field.get("default") {
        None | Some(Value::Null) => None,
        Some(Value::Array(list)) if list.is_empty() => None,
        Some(default) => Some(default.clone()),
    };
    properties.iter().filter_map(|(name, field)| Some((name.clone(), default_of(field)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(path: &str, schema: &Value, visit: &mut impl FnMut(&str, &Map<String, Value>)) {
        let Value::Object(map) = schema else { return };
        visit(path, map);
        if let Some(Value::Object(properties)) = map.get("properties") {
            for (name, field) in properties {
                walk(&format!("{path}.{name}"), field, visit);
            }
        }
        for (below, suffix) in [("items", "[]"), ("additionalProperties", "{}")] {
            if let Some(schema) = map.get(below) {
                walk(&format!("{path}{suffix}"), schema, visit);
            }
        }
    }

    fn every_schema(mut visit: impl FnMut(&str, &Map<String, Value>)) {
        for crd in all() {
            let kind = crd["spec"]["names"]["kind"].as_str().unwrap().to_owned();
            let root = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
            walk(&kind, root, &mut visit);
        }
    }

    #[test]
    fn every_field_has_a_description() {
        let mut without = Vec::new();
        every_schema(|path, schema| {
            let is_scalar_item = path.ends_with("[]") || path.ends_with("{}");
            let described = schema.get("description").and_then(Value::as_str).is_some_and(|text| text.len() > 10);
            if !described && !is_scalar_item {
                without.push(path.to_owned());
            }
        });
        assert!(without.is_empty(), "no description: {without:#?}");
    }

    #[test]
    fn every_list_text_and_number_is_bounded_and_every_list_is_keyed() {
        let mut faults = Vec::new();
        every_schema(|path, schema| {
            let has = |key: &str| schema.contains_key(key);
            let type_ = schema.get("type").and_then(Value::as_str).unwrap_or_default();
            let enumerated = has("enum") || schema.get("format").is_some_and(|format| format == "date-time");
            let fault = match type_ {
                "array" if !has("maxItems") => "maxItems",
                "array"
                    if !matches!(schema.get("x-kubernetes-list-type").and_then(Value::as_str), Some("map" | "set")) =>
                {
                    "list type"
                }
                "string"
                    if !enumerated
                        && !has("maxLength")
                        && !path.ends_with(".apiVersion")
                        && !path.ends_with(".kind") =>
                {
                    "maxLength"
                }
                "object" if has("additionalProperties") && !has("maxProperties") => "maxProperties",
                "number" => "no floats",
                _ => return,
            };
            faults.push(format!("{path}: {fault}"));
        });
        assert!(faults.is_empty(), "{faults:#?}");
    }

    #[test]
    fn nothing_is_nullable_and_bounds_are_whole() {
        let text = serde_json::to_string(&all()).unwrap();
        assert!(!text.contains("nullable"));
        assert!(!text.contains(".0,") && !text.contains(".0}"), "a bound is written as a float");
    }

    #[test]
    fn every_kind_has_a_short_name_that_means_nothing_else() {
        // What kubectl understands without us.
        let mut taken: Vec<String> = [
            "cj", "cm", "crd", "cs", "csr", "deploy", "ds", "ep", "ev", "hpa", "ing", "limits", "netpol", "no", "ns",
            "pc", "pdb", "po", "pv", "pvc", "quota", "rc", "rs", "sa", "sc", "sts", "svc",
        ]
        .map(str::to_owned)
        .into();
        for crd in all() {
            let names = &crd["spec"]["names"];
            let short = names["shortNames"].as_array().map(Vec::as_slice).unwrap_or_default();
            assert!(!short.is_empty(), "{names}");
            for name in short.iter().chain([&names["plural"], &names["singular"]]) {
                let name = name.as_str().unwrap().to_owned();
                assert!(!taken.contains(&name), "{name} of {names}");
                taken.push(name);
            }
        }
    }

    #[test]
    fn a_status_starts_unobserved() {
        for crd in all() {
            let status = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"];
            assert_eq!(status["default"], json!({"observedGeneration": -1}));
        }
    }
}
