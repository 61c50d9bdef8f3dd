//! Calls to the carrier.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A path behind `baseUrl`.
const PATH: &str = "^/[^?#\\s]*$";

/// How a message is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!(has(self.form) || has(self.json)) || self.method == 'Post'")
        .message("form and json are sent with method Post only: remove them, or change method"),
    validation = Rule::new("!(has(self.form) && has(self.json))")
        .message("a call has one body: set form or json, not both")
)]
pub struct HttpSend {
    /// Method. Default `Post`.
    #[serde(default)]
    pub method: HttpMethod,
    /// Path behind `baseUrl`, at most 512 characters. `{{from}}`, `{{to}}`, their digits and `{{id}}` may stand in it.
    #[schemars(length(min = 1, max = 512), regex(pattern = PATH))]
    pub path: String,
    /// Parameters of the query, at most 30.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 30))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub query: Vec<HttpField>,
    /// Headers, at most 20; not `{{text}}`. The gateway itself sets `Host`, `Content-Type`, `Content-Length`, `Connection` and
    /// `Transfer-Encoding`, and `Authorization` with `authentication: Basic`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 20))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub headers: Vec<HttpField>,
    /// Fields of a form that is the body, at most 30.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 30))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub form: Vec<HttpField>,
    /// A JSON document that is the body, at most 4096 characters. Placeholders stand inside of its strings:
    /// `{"to": ["{{to}}"], "body": "{{text}}"}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub json: Option<String>,
    /// What answers mean, at most 30; the first that fits decides. Where none fits: 2xx is taken, unless one of them means `Accepted`, then nobody
    /// knows; 401 and 403 speak of the credentials, 404 and 405 of the address, 429 of a limit; other 4xx are refusals; of 5xx nobody knows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 30))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub answers: Vec<HttpAnswer>,
    /// Where the carrier's id of the message stands in an answer. Absent: it gives none, and `{{id}}` is the message's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<HttpMessageId>,
}

/// A call by which the carrier says whether the credentials are good: a GET.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpCheck {
    /// Path behind `baseUrl`, at most 512 characters, without placeholders.
    #[schemars(length(min = 1, max = 512), regex(pattern = PATH))]
    pub path: String,
    /// Parameters of the query, at most 30. `{{secret.KEY}}` is the only placeholder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 30))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub query: Vec<HttpField>,
    /// Headers, at most 20. `{{secret.KEY}}` is the only placeholder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 20))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub headers: Vec<HttpField>,
    /// What answers mean, at most 30; the first that fits decides: `Accepted` (they are good), `Credentials` (they are not), `Account` (the
    /// carrier does not serve it), `RateLimited`; others are faults of the carrier. Where none fits: 2xx is good, unless one of them means `Accepted`;
    /// 401 and 403 are not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 30))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub answers: Vec<HttpAnswer>,
}

/// An HTTP method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum HttpMethod {
    /// Without a body.
    Get,
    /// With a form or JSON, or an empty body.
    #[default]
    Post,
}

/// A parameter, header or field of a form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpField {
    /// Name of the parameter, header or field, 1 to 64 characters.
    #[schemars(length(min = 1, max = 64))]
    pub name: String,
    /// Its value, at most 1024 characters, with placeholders.
    #[schemars(length(max = 1024))]
    pub value: String,
}

impl HttpField {
    /// Whether the name can be that of a header.
    pub fn has_name_of_header(&self) -> bool {
        !self.name.is_empty() && self.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    }
}

/// What an answer means. Both conditions must hold if both are set; without any it fits every answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpAnswer {
    /// A name, in lower-case letters, digits and dashes. People see it where a message failed.
    #[schemars(length(min = 1, max = 63), regex(pattern = crate::api::pattern::LABEL))]
    pub name: String,
    /// Its HTTP status is one of these, at most 20. Absent: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 20), inner(range(min = 100, max = 599)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub statuses: Vec<i32>,
    /// Its body matches this regular expression somewhere (RE2 syntax, linear time), in its first 64 KiB. Absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub body: Option<String>,
    /// What such an answer means for the message, or in `check` for the credentials.
    pub means: HttpMeaning,
}

/// What an answer means for the message. Say that nothing was sent only where the carrier documents it: such a message is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum HttpMeaning {
    /// The carrier took it.
    Accepted,
    /// Not taken: too many at once. Sent again later.
    RateLimited,
    /// Not taken: the credentials are refused. Sent again when they are right.
    Credentials,
    /// Not taken: a passing fault. Sent again later.
    Temporary,
    /// Refused: the customer's number is not valid or cannot receive texts.
    InvalidNumber,
    /// Refused: the customer opted out at the carrier. They are on the channel's opt-out list from then on.
    OptedOut,
    /// Refused: our number may not send.
    Sender,
    /// Refused: the account may not send (credit, suspension).
    Account,
    /// Refused: spam or policy.
    Filtered,
    /// Refused: the text or the request.
    InvalidMessage,
    /// Refused for another reason.
    Failed,
    /// Nobody knows whether it was taken. It is not sent again by itself.
    Unknown,
}

/// Where the carrier's id of the message stands in the answer to a message that it took. An answer without it leaves the message `Unknown`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.pointer) != has(self.pattern)")
    .message("set exactly one of pointer and pattern"))]
pub struct HttpMessageId {
    /// A JSON pointer (RFC 6901) to a string or number: `/messages/0/id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = "^/"))]
    pub pointer: Option<String>,
    /// A regular expression (RE2 syntax); its first group is the id, or all of it without a group: `^OK: (\S+)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub pattern: Option<String>,
}
