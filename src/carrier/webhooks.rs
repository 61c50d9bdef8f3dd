//! Calls of the carrier: by what they are believed, and where their fields stand.

use std::collections::HashMap;

use serde_json::Value;

use super::{Fault, at_pointer, check_pointer};
use crate::api::provider::{
    HttpAlgorithm, HttpCovered, HttpDeliveryState, HttpEncoding, HttpInbound, HttpProof, HttpProofBy, HttpStatus,
    HttpWebhooks,
};

/// How the carrier calls.
#[derive(Clone, Debug)]
pub struct Webhooks {
    /// By what a call is believed.
    pub proof: Proof,
    /// Where a customer's message stands.
    pub inbound: Option<HttpInbound>,
    /// Where a receipt stands.
    pub receipts: Option<Receipts>,
    /// What the carrier takes for "I have it".
    pub acknowledgement: String,
}

/// By what a call is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A header with the secret.
    Header(String),
    /// A parameter of the query with the secret.
    Query(String),
    /// HTTP's own authentication.
    Basic,
    /// A header with an HMAC.
    Hmac {
        /// The header.
        header: String,
        /// The hash.
        algorithm: HttpAlgorithm,
        /// How the header writes it.
        encoding: HttpEncoding,
        /// What it is computed of.
        covers: HttpCovered,
    },
}

/// Where a receipt stands.
#[derive(Clone, Debug)]
pub struct Receipts {
    fields: HttpStatus,
    states: HashMap<String, HttpDeliveryState>,
}

/// A receipt's fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The message's id.
    pub id: Option<String>,
    /// Our number.
    pub from: Option<String>,
    /// The carrier's word.
    pub word: String,
    /// What it means; none when it is no news.
    pub state: Option<HttpDeliveryState>,
}

/// A customer's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inbound {
    /// The carrier's id.
    pub id: Option<String>,
    /// The customer's number.
    pub from: String,
    /// Our number.
    pub to: String,
    /// The text.
    pub text: String,
}

/// The fields of a call that is believed.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// Parameters of the query and fields of a form.
    pub named: Vec<(String, String)>,
    /// A JSON body; null where there is none.
    pub document: Value,
}

impl Fields {
    /// What stands at a name or a JSON pointer.
    fn get(&self, field: &str) -> Option<String> {
        if field.starts_with('/') {
            return at_pointer(&self.document, field);
        }
        self.named.iter().find(|(name, _)| name == field).map(|(_, value)| value.clone())
    }

    fn present(&self, field: &str) -> Option<String> {
        self.get(field).filter(|value| !value.is_empty())
    }
}

impl Webhooks {
    pub(super) fn new(spec: &HttpWebhooks) -> Result<Self, Fault> {
        let inbound = spec.inbound.clone();
        if let Some(HttpInbound { from, to, text, id }) = &inbound {
            let named = [("from", Some(from)), ("to", Some(to)), ("text", Some(text)), ("id", id.as_ref())];
            check_fields("webhooks.inbound", named)?;
        }
        Ok(Self {
            proof: Proof::new(&spec.proof)?,
            inbound,
            receipts: spec.status.as_ref().map(Receipts::new).transpose()?,
            acknowledgement: spec.acknowledgement.clone(),
        })
    }

    /// A customer's message.
    ///
    /// # Errors
    /// The field that is missing, and where the connector names it.
    pub fn read_inbound(&self, fields: &Fields) -> Result<Inbound, String> {
        let Some(places) = &self.inbound else {
            return Err("webhooks.inbound is not set: nothing says where a message's fields stand".into());
        };
        let missing = |name: &str, field: &str| format!("there is no {field:?} (webhooks.inbound.{name})");
        Ok(Inbound {
            id: places.id.as_ref().map(|id| fields.present(id).ok_or_else(|| missing("id", id))).transpose()?,
            from: fields.present(&places.from).ok_or_else(|| missing("from", &places.from))?,
            to: fields.present(&places.to).ok_or_else(|| missing("to", &places.to))?,
            text: fields.get(&places.text).ok_or_else(|| missing("text", &places.text))?,
        })
    }

    /// A receipt.
    ///
    /// # Errors
    /// The field that is missing, and where the connector names it.
    pub fn read_receipt(&self, fields: &Fields) -> Result<Receipt, String> {
        let Some(Receipts { fields: places, states }) = &self.receipts else {
            return Err("webhooks.status is not set: nothing says where a receipt's fields stand".into());
        };
        let missing = || format!("there is no {:?} (webhooks.status.state)", places.state);
        let word = fields.present(&places.state).ok_or_else(missing)?;
        let find = |place: &Option<String>| place.as_ref().and_then(|field| fields.present(field));
        Ok(Receipt { id: find(&places.id), from: find(&places.from), state: states.get(&word).copied(), word })
    }
}

impl Receipts {
    fn new(spec: &HttpStatus) -> Result<Self, Fault> {
        let HttpStatus { id, from, state, states } = spec;
        check_fields("webhooks.status", [("id", id.as_ref()), ("from", from.as_ref()), ("state", Some(state))])?;
        let states = states.iter().map(|state| (state.word.clone(), state.state)).collect();
        Ok(Self { fields: spec.clone(), states })
    }

    /// Whether a receipt names its message and our number by itself.
    pub(super) fn name_message_and_number(&self) -> bool {
        self.fields.id.is_some() && self.fields.from.is_some()
    }
}

impl Proof {
    fn new(spec: &HttpProof) -> Result<Self, Fault> {
        let name = || {
            let given = spec.name.clone().filter(|name| !name.is_empty());
            given.ok_or_else(|| Fault::new("webhooks.proof.name", "is missing: name the header or the parameter"))
        };
        let own = |name: String| match name.as_str() {
            "t" | "n" => Err(Fault::new(
                "webhooks.proof.name",
                "t and n are parameters of the gateway's own: choose another name",
            )),
            _ => Ok(name),
        };
        Ok(match spec.by {
            HttpProofBy::Header => Self::Header(name()?),
            HttpProofBy::Query => Self::Query(own(name()?)?),
            HttpProofBy::Basic => Self::Basic,
            HttpProofBy::Hmac => Self::Hmac {
                header: name()?,
                algorithm: spec.algorithm.unwrap_or_default(),
                encoding: spec.encoding.unwrap_or_default(),
                covers: spec.covers.unwrap_or_default(),
            },
        })
    }

    /// Whether the query of a call is believed with it.
    pub fn covers_query(&self) -> bool {
        match self {
            Self::Header(_) | Self::Query(_) | Self::Basic => true,
            Self::Hmac { covers, .. } => *covers == HttpCovered::UrlAndBody,
        }
    }
}

fn check_fields<const N: usize>(at: &str, fields: [(&str, Option<&String>); N]) -> Result<(), Fault> {
    for (name, field) in fields {
        if let Some(pointer) = field.filter(|field| field.starts_with('/')) {
            check_pointer(&format!("{at}.{name}"), pointer)?;
        }
    }
    Ok(())
}
