//! Objects that an earlier version saved stay readable, and nothing of them is lost.

use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};

use aldis::api::{Blocklist, Bot, Campaign, SmsChannel, SmsConnector, provider::Provider};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(yaml_files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn round_trip<K: DeserializeOwned + Serialize + Debug>(path: &Path) {
    let text = fs::read_to_string(path).unwrap();
    let saved: Value = serde_saphyr::from_str(&text).unwrap();
    let object: K = serde_json::from_value(saved.clone()).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(serde_json::to_value(&object).unwrap(), saved, "{}", path.display());
}

#[test]
fn every_saved_object_is_read_and_written_back_as_it_was() {
    let files = yaml_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compat"));
    assert!(files.len() >= 5, "{files:?}");
    for path in files {
        match path.file_stem().and_then(|stem| stem.to_str()).unwrap() {
            "smsconnector" => round_trip::<SmsConnector>(&path),
            "smschannel" => round_trip::<SmsChannel>(&path),
            "campaign" => round_trip::<Campaign>(&path),
            "bot" => round_trip::<Bot>(&path),
            "blocklist" => round_trip::<Blocklist>(&path),
            "providers" => round_trip::<Vec<Provider>>(&path),
            other => panic!("{other} is no kind"),
        }
    }
}

#[test]
fn every_field_of_a_spec_stands_in_a_saved_object() {
    let providers = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compat/v1alpha1/providers.yaml");
    let providers: Vec<Value> = serde_saphyr::from_str(&fs::read_to_string(providers).unwrap()).unwrap();
    let providers: Vec<Value> = providers.into_iter().map(|provider| json!({ "provider": provider })).collect();
    for crd in aldis::api::crd::all() {
        let singular = crd["spec"]["names"]["singular"].as_str().unwrap();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/compat/v1alpha1/{singular}.yaml"));
        let saved: Value = serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let mut missing = Vec::new();
        for part in ["spec", "status"] {
            let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][part];
            // The members of the union stand in a file of their own.
            let all = [&saved[part]].into_iter().chain(providers.iter().filter(|_| singular == "smsconnector"));
            absent(part, schema, &all.collect::<Vec<_>>(), &mut missing);
        }
        // Days that are like the others.
        missing.retain(|path| !path.starts_with("spec.schedule.weekly."));
        assert!(missing.is_empty(), "{singular}: {missing:#?}");
    }
}

/// The fields of `schema` that none of these values has.
fn absent(path: &str, schema: &Value, values: &[&Value], missing: &mut Vec<String>) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let found: Vec<&Value> = values.iter().filter_map(|value| value.get(name)).collect();
        let path = format!("{path}.{name}");
        if found.is_empty() {
            missing.push(path);
        } else if field["items"].is_object() {
            let items: Vec<&Value> = found.into_iter().filter_map(Value::as_array).flatten().collect();
            absent(&format!("{path}[]"), &field["items"], &items, missing);
        } else {
            absent(&path, field, &found, missing);
        }
    }
}
