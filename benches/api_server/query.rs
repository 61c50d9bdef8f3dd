//! What a request asks for: which kind, which objects, in which form.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, Uri};

use super::object::{Form, Object};

/// A path of the API, taken apart.
#[derive(Debug)]
pub struct Place {
    /// `v1/pods`, `apps/v1/statefulsets`.
    pub kind: String,
    pub namespace: Option<String>,
    pub name: Option<String>,
    pub subresource: Option<String>,
}

impl Place {
    /// None for a path that is none of an object or a list.
    pub fn of(path: &str) -> Option<Self> {
        let mut parts = path.trim_matches('/').split('/');
        let version = match parts.next()? {
            "api" => parts.next()?.to_owned(),
            "apis" => format!("{}/{}", parts.next()?, parts.next()?),
            _ => return None,
        };
        let rest: Vec<&str> = parts.collect();
        let (namespace, rest) = match rest.as_slice() {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some((*namespace).to_owned()), rest),
            rest => (None, rest),
        };
        let mut rest = rest.iter().map(|part| (*part).to_owned());
        let kind = format!("{version}/{}", rest.next()?);
        Some(Self { kind, namespace, name: rest.next(), subresource: rest.next() })
    }
}

/// The parameters of a list or a watch.
pub struct Query(BTreeMap<String, String>);

impl Query {
    pub fn of(uri: &Uri) -> Self {
        let pairs = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        Self(pairs.map(|(name, value)| (name.to_owned(), decoded(value))).collect())
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub fn is_true(&self, name: &str) -> bool {
        matches!(self.get(name), Some("true" | "1"))
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().unwrap_or(b'0'), rest.next().unwrap_or(b'0')];
                u8::from_str_radix(&String::from_utf8_lossy(&digits), 16).unwrap_or(b'?')
            }
            byte => byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Form of the answer, by the header `Accept`.
pub fn form(headers: &HeaderMap) -> Form {
    let accept = headers.get("accept").and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accept.contains("as=PartialObjectMetadata") { Form::Metadata } else { Form::Whole }
}

/// Which objects of a kind are asked for.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    namespace: Option<String>,
    name: Option<String>,
    labels: Vec<Term>,
}

#[derive(Clone, Debug)]
enum Term {
    Is(String, String),
    IsNot(String, String),
    Exists(String),
}

impl Filter {
    pub fn of(namespace: Option<String>, query: &Query) -> Self {
        let terms = query.get("labelSelector").unwrap_or_default().split(',').filter(|term| !term.is_empty());
        let fields = query.get("fieldSelector").unwrap_or_default().split(',').filter_map(|term| term.split_once('='));
        let field = |name: &str| {
            let found = fields.clone().find(|(field, _)| *field == name);
            found.map(|(_, value)| value.trim_start_matches('=').to_owned())
        };
        let namespace = namespace.or_else(|| field("metadata.namespace"));
        Self { namespace, name: field("metadata.name"), labels: terms.map(term).collect() }
    }

    pub fn holds(&self, object: &Object) -> bool {
        let (namespace, name) = &object.key;
        self.namespace.as_ref().is_none_or(|wanted| wanted == namespace)
            && self.name.as_ref().is_none_or(|wanted| wanted == name)
            && self.labels.iter().all(|term| match term {
                Term::Is(label, value) => object.labels.get(label) == Some(value),
                Term::IsNot(label, value) => object.labels.get(label) != Some(value),
                Term::Exists(label) => object.labels.contains_key(label),
            })
    }
}

fn term(text: &str) -> Term {
    let parts = |at: &str| {
        text.split_once(at).map(|(label, value)| (label.to_owned(), value.trim_start_matches('=').to_owned()))
    };
    if let Some((label, value)) = parts("!=") {
        return Term::IsNot(label, value);
    }
    parts("=").map_or_else(|| Term::Exists(text.to_owned()), |(label, value)| Term::Is(label, value))
}
