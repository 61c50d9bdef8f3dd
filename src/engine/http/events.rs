//! What the stream sends, as schemas of the OpenAPI document: made of the types that are sent, so that they say the same.

use serde_json::{Map, Value, json};

use crate::engine::{core::event::EVENT_VERSION, event_schemas::event_schemas};

/// The schema of what the stream sends as the `data` of an event of the channel.
const STREAM_EVENT: &str = "StreamEvent";
/// The schemas of what it sends of its own accord.
const OWN: [&str; 3] = ["StreamOpened", "StreamBeat", "StreamEnded"];

/// Adds the schemas of events to the document, and says at the stream's path that it sends them.
pub(super) fn describe(document: &mut Value) {
    if let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas") {
        for (name, schema) in schemas_of_events() {
            // Some are there already: other answers have them as well.
            schemas.entry(name).or_insert(schema);
        }
    }
    let stream = "/paths/~1v1~1channels~1{channel}~1stream/get/responses/200/content/text~1event-stream/schema";
    if let Some(schema) = document.pointer_mut(stream) {
        let any: Vec<Value> = [STREAM_EVENT].into_iter().chain(OWN).map(reference).collect();
        *schema = json!({
            "description": "The `data` of each server-sent event: of `Opened` and `Reset` a StreamOpened, of `Beat` a StreamBeat, of `Ended` a StreamEnded, and of every other one a \
                            StreamEvent, whose `type` is the event's name. Ignore names that you do not know: later versions add some.",
            "anyOf": any,
        });
    }
}

fn schemas_of_events() -> Map<String, Value> {
    let described = event_schemas("/components/schemas");
    let mut schemas = described.definitions;
    let (mut union, mut mapping) = (Vec::new(), Map::new());
    for event in described.groups.into_iter().flat_map(|group| group.events).filter(|event| event.is_shown) {
        let name = event.name;
        let component = format!("{name}Event");
        union.push(reference(&component));
        mapping.insert(name, reference(&component)["$ref"].clone());
        schemas.insert(component, with_whole_forms(with_head(event.schema)));
    }
    let description =
        "Something that happened on the channel, by its `type`. It has ids; what they stand for is read by them.";
    let discriminator = json!({ "propertyName": "type", "mapping": mapping });
    let stream_event = json!({ "description": description, "oneOf": union, "discriminator": discriminator });
    schemas.insert(STREAM_EVENT.to_owned(), stream_event);
    schemas
}

/// What every event has beside what is its own.
fn with_head(mut event: Value) -> Value {
    let at = json!({ "description": "When it happened.", "type": "string", "format": "date-time" });
    let version =
        json!({ "description": "The version of the event's form.", "type": "integer", "const": EVENT_VERSION });
    event["properties"]["type"]["description"] = "The event's type, and its name on the stream.".into();
    for (name, schema) in [("at", at), ("v", version)] {
        event["properties"][name] = schema;
        if let Some(Value::Array(required)) = event.get_mut("required") {
            required.push(name.into());
        }
    }
    event
}

/// An event of several forms has in each of them what all have: a reader of one form needs no other part.
fn with_whole_forms(mut event: Value) -> Value {
    let Some(mut forms) = event.get_mut("oneOf").and_then(Value::as_array_mut).map(std::mem::take) else {
        return event;
    };
    let (shared, required) = (event["properties"].take(), event["required"].take());
    for form in &mut forms {
        for (name, schema) in shared.as_object().into_iter().flatten() {
            form["properties"][name] = schema.clone();
        }
        if let (Some(Value::Array(of_form)), Some(of_all)) = (form.get_mut("required"), required.as_array()) {
            of_form.extend(of_all.iter().cloned());
        }
    }
    json!({ "description": event["description"], "oneOf": forms })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::engine::{core::event::Event, http::openapi::openapi, shown};

    /// At least one event of every type, as it is stored.
    const EVENTS: &str = concat!(
        include_str!("../core/fixtures/events-v1.jsonl"),
        include_str!("../core/fixtures/events-v1-later.jsonl")
    );

    /// Whether a value is as a schema says, and has nothing of which it says nothing.
    fn fits(schema: &Value, value: &Value, document: &Value) -> bool {
        if let Some(reference) = schema["$ref"].as_str() {
            return fits(document.pointer(&reference[1..]).expect("the schema is there"), value, document);
        }
        let types = match &schema["type"] {
            Value::String(name) => vec![name.as_str()],
            Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let is_type = |name: &&str| match *name {
            "string" => value.is_string(),
            "integer" => value.is_u64() || value.is_i64(),
            "boolean" => value.is_boolean(),
            "object" => value.is_object(),
            "array" => value.is_array(),
            "null" => value.is_null(),
            other => panic!("{other} is no type that events have"),
        };
        let said: Vec<&str> = ["$ref", "type", "const", "enum", "oneOf", "anyOf"]
            .into_iter()
            .filter(|key| !schema[key].is_null())
            .collect();
        let one_of =
            |key: &str| schema[key].as_array().is_none_or(|any| any.iter().any(|schema| fits(schema, value, document)));
        let items = value.as_array().into_iter().flatten();
        let fields = value.as_object().into_iter().flatten();
        let has_fields = schema["properties"].is_object();
        !said.is_empty()
            && (types.is_empty() || types.iter().any(is_type))
            && (schema["const"].is_null() || schema["const"] == *value)
            && schema["enum"].as_array().is_none_or(|values| values.contains(value))
            && one_of("oneOf")
            && one_of("anyOf")
            && items.into_iter().all(|item| fits(&schema["items"], item, document))
            && fields.into_iter().all(|(name, field)| !has_fields || fits(&schema["properties"][name], field, document))
            && schema["required"]
                .as_array()
                .into_iter()
                .flatten()
                .all(|name| value.get(name.as_str().unwrap()).is_some())
    }

    #[test]
    fn what_is_sent_is_as_the_document_says_and_nothing_else_is() {
        let document = openapi();
        let schemas = &document["components"]["schemas"];
        let mut sent_types = BTreeSet::new();
        for line in EVENTS.lines() {
            let event = Event::from_json(serde_json::from_str(line).unwrap()).unwrap();
            let mut sent = Vec::new();
            shown::encode(7, &event, &mut sent);
            let schema = &schemas[format!("{}Event", event.name())];
            assert_eq!(sent.is_empty(), schema.is_null(), "{line}");
            let Some(data) = std::str::from_utf8(&sent).unwrap().lines().find_map(|line| line.strip_prefix("data: "))
            else {
                continue;
            };
            let data: Value = serde_json::from_str(data).unwrap();
            assert!(fits(schema, &data, &document), "{data} is not as {schema} says");
            let mut other = data.clone();
            other["surprise"] = json!(1);
            assert!(!fits(schema, &other, &document), "nothing may be added to {data}");
            sent_types.insert(event.name());
        }
        let said: BTreeSet<&str> = schemas["StreamEvent"]["discriminator"]["mapping"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(said, sent_types);
        assert_eq!(schemas["StreamEvent"]["oneOf"].as_array().unwrap().len(), said.len());
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn references<'d>(value: &'d Value, found: &mut BTreeSet<&'d str>) {
            match value {
                Value::Object(fields) => {
                    found.extend(fields.get("$ref").and_then(Value::as_str));
                    fields.values().for_each(|field| references(field, found));
                }
                Value::Array(items) => items.iter().for_each(|item| references(item, found)),
                _ => {}
            }
        }
        let document = openapi();
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        let stream = [STREAM_EVENT].into_iter().chain(OWN).map(|name| format!("#/components/schemas/{name}"));
        assert!(stream.into_iter().all(|name| found.contains(name.as_str())), "the stream says what it sends");
        let lost: Vec<_> = found.into_iter().filter(|name| document.pointer(&name[1..]).is_none()).collect();
        assert_eq!(lost, [""; 0]);
    }
}
