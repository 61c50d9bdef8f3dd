//! Calls of the carrier.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the carrier calls `<publicUrl>/hooks/inbound` and `<publicUrl>/hooks/status`, with GET or POST. Fields are found by name, in the query or a
/// form, or by JSON pointer (`/message/text`), in a JSON body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpWebhooks {
    /// By what a call is believed. Nothing is read of one that is not.
    pub proof: HttpProof,
    /// Where the fields of a customer's message stand. Absent: there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inbound: Option<HttpInbound>,
    /// Where the fields of a receipt stand. Absent: there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<HttpStatus>,
    /// The body that the carrier takes for "I have it", at most 256 characters: `ACK/Jasmin`. Default empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 256))]
    pub acknowledgement: String,
}

/// By what a call is believed. The Secret's key `webhookSecret` decides; without it no call is believed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.name) == (self.by != 'Basic')")
        .message("name is that of the header or parameter: set it for Header, Query and Hmac, and remove it for Basic"),
    validation = Rule::new("self.by == 'Hmac' || !(has(self.algorithm) || has(self.encoding) || has(self.covers))")
        .message("algorithm, encoding and covers are for Hmac: remove them, or set by to Hmac")
)]
pub struct HttpProof {
    /// `Header`: a header with the secret. `Query`: a parameter of the query with the secret; `{{callback}}` carries it too. Proxies may write it
    /// into their logs. `Basic`: HTTP's own, and the secret is `user:password`. `Hmac`: a header with an HMAC under the secret.
    pub by: HttpProofBy,
    /// Name of the header or the parameter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z0-9_-]+$"))]
    pub name: Option<String>,
    /// Hash of the HMAC. Absent: `Sha256`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<HttpAlgorithm>,
    /// How the header writes it; `sha256=` and the like before it are left aside. Absent: `Hex`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<HttpEncoding>,
    /// What it is computed of. `Body`: the raw body; then nothing but the receipt's token is read from the query. `UrlAndBody`: the public URL as
    /// it was called, with its query, and then the body. Absent: `Body`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covers: Option<HttpCovered>,
}

/// By what a call is believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum HttpProofBy {
    /// A header with the secret.
    #[default]
    Header,
    /// A parameter of the query with the secret.
    Query,
    /// HTTP's own authentication.
    Basic,
    /// A header with an HMAC under the secret.
    Hmac,
}

/// Hash of an HMAC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum HttpAlgorithm {
    /// SHA-1.
    Sha1,
    /// SHA-256.
    #[default]
    Sha256,
    /// SHA-512.
    Sha512,
}

/// How an HMAC is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum HttpEncoding {
    /// Hexadecimal digits.
    #[default]
    Hex,
    /// Base64 with padding.
    Base64,
}

/// What an HMAC is computed of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum HttpCovered {
    /// The raw body.
    #[default]
    Body,
    /// The public URL with its query, and the raw body.
    UrlAndBody,
}

/// Where the fields of a customer's message stand: a name, or a JSON pointer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpInbound {
    /// The customer's number, in international form with or without `+`.
    #[schemars(length(min = 1, max = 128))]
    pub from: String,
    /// Our number, likewise. Where the carrier does not say it, give it the address `<publicUrl>/hooks/inbound?to=%2B15551230001`.
    #[schemars(length(min = 1, max = 128))]
    pub to: String,
    /// The text, in UTF-8.
    #[schemars(length(min = 1, max = 128))]
    pub text: String,
    /// The carrier's id of the message, by which one that comes twice is known. Absent: the same text between the same numbers counts once within
    /// 60 seconds, as long as the gateway runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub id: Option<String>,
}

/// Where the fields of a receipt stand: a name, or a JSON pointer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpStatus {
    /// The message's id: what `send.messageId` finds, or else our `{{id}}`. It may be absent where `{{callback}}` is sent, which names the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub id: Option<String>,
    /// Our number, the sender of the message. It may be absent where `{{callback}}` is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub from: Option<String>,
    /// The word for how far the message came.
    #[schemars(length(min = 1, max = 128))]
    pub state: String,
    /// What the words mean, 1 to 50. Others are no news.
    #[schemars(length(min = 1, max = 50))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["word".into()]))]
    pub states: Vec<HttpState>,
}

/// One of the carrier's words, and how far a message has come with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpState {
    /// The carrier's word or number: `DELIVRD`, `1`. Case matters.
    #[schemars(length(min = 1, max = 64))]
    pub word: String,
    /// How far a message has come with it.
    pub state: HttpDeliveryState,
}

/// How far a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum HttpDeliveryState {
    /// The carrier has it.
    Queued,
    /// It is on its way.
    Sent,
    /// On the customer's phone.
    Delivered,
    /// Not deliverable.
    Failed,
    /// Its validity ran out.
    Expired,
    /// Refused or cancelled.
    Rejected,
}
