//! An object as it is stored: JSON that is ready to be sent.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use axum::body::Bytes;
use serde_json::{Map, Value, json};

/// Namespace and name.
pub type Key = (String, String);

/// How much of an object is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Whole,
    Metadata,
}

/// One version of an object.
pub struct Object {
    pub key: Key,
    pub uid: String,
    pub labels: BTreeMap<String, String>,
    whole: Bytes,
    metadata: Range<usize>,
}

impl Object {
    /// Takes a whole object whose metadata is complete.
    pub fn new(value: &Value) -> Arc<Self> {
        let meta = &value["metadata"];
        let text = |field: &str| meta[field].as_str().unwrap_or_default().to_owned();
        let labels = meta["labels"].as_object().into_iter().flatten();
        let labels = labels.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()));
        let mut whole =
            format!(r#"{{"apiVersion":{},"kind":{},"metadata":"#, value["apiVersion"], value["kind"]).into_bytes();
        let begin = whole.len();
        serde_json::to_writer(&mut whole, meta).expect("memory takes it");
        let metadata = begin..whole.len();
        for (name, value) in value.as_object().into_iter().flatten() {
            if !matches!(name.as_str(), "apiVersion" | "kind" | "metadata") {
                whole.extend_from_slice(format!(",\"{name}\":").as_bytes());
                serde_json::to_writer(&mut whole, value).expect("memory takes it");
            }
        }
        whole.push(b'}');
        Arc::new(Self {
            key: (text("namespace"), text("name")),
            uid: text("uid"),
            labels: labels.collect(),
            whole: whole.into(),
            metadata,
        })
    }

    /// As a value, to be changed.
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.whole).expect("our own JSON")
    }

    /// As an answer by itself.
    pub fn alone(&self, form: Form) -> Bytes {
        match form {
            Form::Whole => self.whole.clone(),
            Form::Metadata => {
                let mut text = Vec::with_capacity(self.metadata.len() + 100);
                self.append(&mut text, form);
                text.into()
            }
        }
    }

    /// Appended to a list or an event.
    pub fn append(&self, to: &mut Vec<u8>, form: Form) {
        match form {
            Form::Whole => to.extend_from_slice(&self.whole),
            Form::Metadata => {
                to.extend_from_slice(br#"{"apiVersion":"meta.k8s.io/v1","kind":"PartialObjectMetadata","metadata":"#);
                to.extend_from_slice(&self.whole[self.metadata.clone()]);
                to.push(b'}');
            }
        }
    }
}

/// Notes who wrote these fields, as `managedFields` do: a good part of what a real API server sends.
pub fn note_writer(metadata: &mut Map<String, Value>, written: &Value, manager: &str, operation: &str, now: &str) {
    let mut fields = written.clone();
    if let Some(top) = fields.as_object_mut() {
        top.retain(|name, _| !matches!(name.as_str(), "apiVersion" | "kind"));
    }
    if let Some(meta) = fields["metadata"].as_object_mut() {
        meta.retain(|name, _| matches!(name.as_str(), "labels" | "annotations" | "ownerReferences" | "finalizers"));
    }
    let entry = json!({
        "manager": manager, "operation": operation, "apiVersion": written["apiVersion"], "time": now, "fieldsType": "FieldsV1",
        "fieldsV1": fields_of(&fields),
    });
    let known = metadata.entry("managedFields").or_insert_with(|| json!([]));
    if let Some(entries) = known.as_array_mut() {
        entries.retain(|entry| entry["manager"] != manager || entry["operation"] != operation);
        entries.push(entry);
    }
}

fn fields_of(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (format!("f:{name}"), fields_of(value))).collect(),
        Value::Array(elements) => {
            let keyed = elements.iter().filter_map(|element| Some((element.get("name")?, element)));
            keyed.map(|(name, element)| (format!("k:{}", json!({ "name": name })), fields_of(element))).collect()
        }
        _ => json!({}),
    }
}

impl Object {
    /// Whether its metadata name an owner by `mark`, a piece of JSON.
    pub fn is_owned_by(&self, mark: &str) -> bool {
        let metadata = String::from_utf8_lossy(&self.whole[self.metadata.clone()]);
        metadata
            .find("\"ownerReferences\"")
            .is_some_and(|at| metadata[at..].split_once(']').is_some_and(|(owners, _)| owners.contains(mark)))
    }
}
