//! Events as JSON schemas, made of the types that are stored and sent, so that they say the same.

use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use serde_json::{Map, Value};

use super::{
    core::event::{AgentEvent, ClockEvent, CustomerEvent, EngineEvent, InboundEvent, InteractionEvent, OutboundEvent},
    shown,
};

/// All types of events.
pub(crate) struct EventSchemas {
    /// By what they concern.
    pub(crate) groups: Vec<EventGroup>,
    /// The types that their fields refer to.
    pub(crate) definitions: Map<String, Value>,
}

/// The events that concern one thing.
pub(crate) struct EventGroup {
    /// That thing, in a word.
    pub(crate) name: &'static str,
    /// The sentence that its type has.
    pub(crate) description: String,
    /// In the order in which they are declared.
    pub(crate) events: Vec<EventSchema>,
}

/// One type of event.
pub(crate) struct EventSchema {
    /// The `type` of its events.
    pub(crate) name: String,
    /// Its own fields, without those that every event has.
    pub(crate) schema: Value,
    /// Whether agents' streams carry it.
    pub(crate) is_shown: bool,
}

/// The schemas of all events; `definitions_path` is where references to `definitions` lead.
pub(crate) fn event_schemas(definitions_path: &'static str) -> EventSchemas {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = definitions_path.into();
        settings.meta_schema = None;
    });
    let mut generator = settings.for_serialize().into_generator();
    let groups: [(&str, Schema); 7] = [
        ("Engine", EngineEvent::json_schema(&mut generator)),
        ("Clock", ClockEvent::json_schema(&mut generator)),
        ("Customer", CustomerEvent::json_schema(&mut generator)),
        ("Inbound", InboundEvent::json_schema(&mut generator)),
        ("Interaction", InteractionEvent::json_schema(&mut generator)),
        ("Outbound", OutboundEvent::json_schema(&mut generator)),
        ("Agent", AgentEvent::json_schema(&mut generator)),
    ];
    EventSchemas {
        groups: groups.into_iter().map(|(name, schema)| group(name, &schema)).collect(),
        definitions: generator.take_definitions(true),
    }
}

fn group(name: &'static str, schema: &Schema) -> EventGroup {
    let description = schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    let variants = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    let events = variants.filter_map(|event| {
        let name = event.pointer("/properties/type/const")?.as_str()?;
        let is_shown = shown::TYPES.contains(&name);
        Some(EventSchema { name: name.to_owned(), schema: event.clone(), is_shown })
    });
    EventGroup { name, description, events: events.collect() }
}
