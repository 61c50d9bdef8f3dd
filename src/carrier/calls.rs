//! Calls to the carrier: what is written into them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    Fault,
    answers::{Answers, MessageId},
    template::{Place, Placeholder, Template, Values, encoded},
};
use crate::api::provider::{HttpCheck, HttpField, HttpMethod, HttpSend};

/// Headers that the gateway sets itself.
const OWN_HEADERS: [&str; 5] = ["host", "content-type", "content-length", "connection", "transfer-encoding"];

/// How a message is sent.
#[derive(Clone, Debug)]
pub struct Send {
    /// Whether the method is POST.
    pub is_post: bool,
    call: Call,
    body: Content,
    /// What the answers to a message mean.
    pub answers: Answers,
    /// Where the carrier's id of the message stands.
    pub message_id: Option<MessageId>,
}

/// How the carrier is asked about the credentials.
#[derive(Clone, Debug)]
pub struct Check {
    call: Call,
    /// What the answers to the question mean.
    pub answers: Answers,
}

/// Path, query and headers.
#[derive(Clone, Debug)]
pub struct Call {
    path: Template,
    query: Vec<(String, Template)>,
    headers: Vec<(String, Template)>,
}

#[derive(Clone, Debug)]
enum Content {
    Empty,
    Form(Vec<(String, Template)>),
    Json(Json),
}

/// JSON whose strings are templates.
#[derive(Clone, Debug)]
enum Json {
    Text(Template),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
    Other(Value),
}

/// A body, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// None.
    Empty,
    /// `application/x-www-form-urlencoded`.
    Form(String),
    /// `application/json`.
    Json(String),
}

impl Send {
    pub(super) fn new(spec: &HttpSend) -> Result<Self, Fault> {
        let body = match &spec.json {
            Some(text) => {
                let document: Value = serde_json::from_str(text)
                    .map_err(|error| Fault::new("send.json", format!("is no JSON document: {error}")))?;
                Content::Json(Json::new(&document)?)
            }
            None if spec.form.is_empty() => Content::Empty,
            None => Content::Form(fields("send.form", &spec.form, Place::Field)?),
        };
        Ok(Self {
            is_post: spec.method == HttpMethod::Post,
            call: Call::new(
                "send",
                (&spec.path, Place::Path),
                (&spec.query, Place::Field),
                (&spec.headers, Place::Header),
            )?,
            body,
            answers: Answers::new("send.answers", &spec.answers)?,
            message_id: spec.message_id.as_ref().map(MessageId::new).transpose()?,
        })
    }

    /// Path, query and headers.
    pub fn call(&self) -> &Call {
        &self.call
    }

    /// The body.
    pub fn body(&self, values: &Values<'_>) -> Body {
        match &self.body {
            Content::Empty => Body::Empty,
            Content::Form(fields) => Body::Form(pairs(fields, values)),
            Content::Json(document) => Body::Json(document.fill(values).to_string()),
        }
    }

    fn placeholders(&self) -> Vec<&Placeholder> {
        let mut found = self.call.placeholders();
        match &self.body {
            Content::Empty => {}
            Content::Form(fields) => found.extend(fields.iter().flat_map(|(_, value)| value.placeholders())),
            Content::Json(document) => document.collect(&mut found),
        }
        found
    }

    /// Whether the carrier is told where receipts go.
    pub(super) fn says_callback(&self) -> bool {
        self.placeholders().contains(&&Placeholder::Callback)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = String> {
        keys(&self.placeholders()).into_iter()
    }
}

impl Check {
    pub(super) fn new(spec: &HttpCheck) -> Result<Self, Fault> {
        Ok(Self {
            call: Call::new(
                "check",
                (&spec.path, Place::Fixed),
                (&spec.query, Place::Check),
                (&spec.headers, Place::Check),
            )?,
            answers: Answers::new("check.answers", &spec.answers)?,
        })
    }

    /// Path, query and headers.
    pub fn call(&self) -> &Call {
        &self.call
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = String> {
        keys(&self.call.placeholders()).into_iter()
    }
}

impl Call {
    fn new(
        call: &str,
        (path, in_path): (&str, Place),
        (query, in_query): (&[HttpField], Place),
        (headers, in_headers): (&[HttpField], Place),
    ) -> Result<Self, Fault> {
        let at = |field: &str| format!("{call}.{field}");
        // A segment of dots would lead above baseUrl; a backslash is a slash to many.
        if path.split('/').any(leads_elsewhere) || path.contains(['\\', '?', '#']) {
            return Err(Fault::new(
                at("path"),
                "write it as /messages/send, without ? and #, and without . and .. between slashes",
            ));
        }
        for header in headers {
            let at = format!("{call}.headers[{}]", header.name);
            if !header.has_name_of_header() {
                return Err(Fault::new(at, "the name of a header has letters, digits and dashes only"));
            }
            if OWN_HEADERS.contains(&header.name.to_ascii_lowercase().as_str()) {
                return Err(Fault::new(at, "the gateway sets this header itself: remove it"));
            }
        }
        Ok(Self {
            path: Template::parse(&at("path"), path, in_path)?,
            query: fields(&at("query"), query, in_query)?,
            headers: fields(&at("headers"), headers, in_headers)?,
        })
    }

    /// The address behind `base_url`.
    pub fn url(&self, base_url: &str, values: &Values<'_>) -> String {
        let path = self.path.fill_with(values, encoded);
        let query = pairs(&self.query, values);
        if query.is_empty() { format!("{base_url}{path}") } else { format!("{base_url}{path}?{query}") }
    }

    /// Names and values of its headers.
    pub fn headers(&self, values: &Values<'_>) -> impl Iterator<Item = (&str, String)> {
        self.headers.iter().map(move |(name, value)| (name.as_str(), value.fill(values)))
    }

    fn placeholders(&self) -> Vec<&Placeholder> {
        let fields = self.query.iter().chain(&self.headers).map(|(_, value)| value);
        [&self.path].into_iter().chain(fields).flat_map(Template::placeholders).collect()
    }
}

/// Whether a URL drops this segment, or the one before it: a dot may be written as an escape.
fn leads_elsewhere(segment: &str) -> bool {
    matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
}

impl Json {
    fn new(document: &Value) -> Result<Self, Fault> {
        Ok(match document {
            Value::String(text) => Self::Text(Template::parse("send.json", text, Place::Field)?),
            Value::Array(items) => Self::List(items.iter().map(Self::new).collect::<Result<_, _>>()?),
            Value::Object(members) => {
                let member = |(name, value): (&String, &Value)| Ok((name.clone(), Self::new(value)?));
                Self::Object(members.iter().map(member).collect::<Result<_, Fault>>()?)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Self::Other(document.clone()),
        })
    }

    fn fill(&self, values: &Values<'_>) -> Value {
        match self {
            Self::Text(template) => Value::String(template.fill(values)),
            Self::List(items) => items.iter().map(|item| item.fill(values)).collect(),
            Self::Object(members) => {
                Value::Object(members.iter().map(|(name, value)| (name.clone(), value.fill(values))).collect())
            }
            Self::Other(value) => value.clone(),
        }
    }

    fn collect<'a>(&'a self, found: &mut Vec<&'a Placeholder>) {
        match self {
            Self::Text(template) => found.extend(template.placeholders()),
            Self::List(items) => items.iter().for_each(|item| item.collect(found)),
            Self::Object(members) => members.iter().for_each(|(_, value)| value.collect(found)),
            Self::Other(_) => {}
        }
    }
}

fn fields(list: &str, fields: &[HttpField], place: Place) -> Result<Vec<(String, Template)>, Fault> {
    let field = |field: &HttpField| {
        let at = format!("{list}[{}].value", field.name);
        Ok((field.name.clone(), Template::parse(&at, &field.value, place)?))
    };
    fields.iter().map(field).collect()
}

/// `name=value&…`, as it stands in a query or a form.
fn pairs(fields: &[(String, Template)], values: &Values<'_>) -> String {
    let pair = |(name, value): &(String, Template)| format!("{}={}", encoded(name), encoded(&value.fill(values)));
    fields.iter().map(pair).collect::<Vec<_>>().join("&")
}

fn keys(placeholders: &[&Placeholder]) -> BTreeSet<String> {
    let key = |placeholder: &&Placeholder| match placeholder {
        Placeholder::Secret(key) => Some(key.clone()),
        Placeholder::From
        | Placeholder::FromDigits
        | Placeholder::To
        | Placeholder::ToDigits
        | Placeholder::Text
        | Placeholder::Id
        | Placeholder::Callback
        | Placeholder::Coding => None,
    };
    placeholders.iter().filter_map(key).collect()
}
