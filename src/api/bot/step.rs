//! The steps of a bot.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::pattern::{self, TEXT_MAX};
use crate::api::reference::SecretKeyRef;

/// One thing that the bot does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.say), has(self.ask), has(self.branch), has(self.set), has(self.inHours), has(self.http), has(self.handOff), has(self.finish)].filter(x, x).size() == 1")
        .message("a step does exactly one thing: set one of say, ask, branch, set, inHours, http, handOff, finish"),
    validation = Rule::new("!has(self.next) || !(has(self.branch) || has(self.inHours) || has(self.handOff) || has(self.finish))")
        .message("next has no meaning here: branch and inHours name their own steps, handOff and finish end the bot; remove next").field_path(".next")
)]
pub struct Step {
    /// Name of the step, in lower-case letters, digits and dashes: `ask-order`.
    #[schemars(length(min = 1, max = 63), regex(pattern = pattern::LABEL))]
    pub name: String,
    /// Sends a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub say: Option<Say>,
    /// Sends a text and waits for the customer's answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<Ask>,
    /// Goes on at the step of the first case that holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<Branch>,
    /// Sets variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<Set>,
    /// Goes on by whether the campaign is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_hours: Option<InHours>,
    /// Calls a service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<Http>,
    /// Ends the bot: the interaction goes to the queue, or goes on waiting there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hand_off: Option<HandOff>,
    /// Ends the bot and closes the interaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish: Option<Finish>,
    /// Name of the step that follows, after `say`, `ask`, `set` and `http`. Absent: the step below in the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = pattern::LABEL))]
    pub next: Option<String>,
}

/// Sends a text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Say {
    /// The text, at most 1600 characters. `{{ variable }}` stands for a variable's value; parts of one are reached by dots:
    /// `{{ order.items.0.name }}`. Always there: `customer.number`, `channel.name`, `channel.number`, `campaign.name`, `interaction.id`,
    /// `message.text` (the customer's first message).
    #[schemars(length(min = 1, max = TEXT_MAX))]
    pub text: String,
}

/// Sends a text and waits for the customer's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!(has(self.answers) && has(self.matches))")
    .message("set answers or matches, not both"))]
pub struct Ask {
    /// The question, at most 1600 characters; `{{ variable }}` as in `say`.
    #[schemars(length(min = 1, max = TEXT_MAX))]
    pub text: String,
    /// Name of the variable that gets the answer.
    #[schemars(length(min = 1, max = 63), regex(pattern = pattern::VARIABLE))]
    pub into: String,
    /// The answers that are accepted, at most 50. Absent: any text. Opt-out words are never answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 50))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["value".into()]))]
    pub answers: Vec<Answer>,
    /// A regular expression (RE2 syntax) that the whole answer must match, for example `[0-9]{6}`. It takes linear time: no look-around, no
    /// back-references.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub matches: Option<String>,
    /// How often the question is put before `onInvalid`; 1 to 10. Default 3.
    #[serde(default = "attempts")]
    #[schemars(range(min = 1, max = 10))]
    pub attempts: i32,
    /// Text before the question when it is put again; `{{ variable }}` as in `say`. Absent: the question alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = TEXT_MAX))]
    pub invalid_text: Option<String>,
    /// Step to go on at when no attempt gave an accepted answer. Absent: the bot has failed (on start: to the queue; else it finishes).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = pattern::LABEL))]
    pub on_invalid: Option<String>,
    /// Seconds to wait for an answer; 10 to 86400. Absent: the bot's `idleSeconds`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 86400))]
    pub timeout_seconds: Option<i32>,
    /// Step to go on at when no answer came in time. Absent: the bot's `idleMessage`, and it has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = pattern::LABEL))]
    pub on_timeout: Option<String>,
}

fn attempts() -> i32 {
    3
}

/// An answer that is accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// What the variable gets, and what the customer may write: `1`. Case and blanks at the ends do not matter.
    #[schemars(length(min = 1, max = 64))]
    pub value: String,
    /// What the customer may write as well: `sales`, `ventas`; at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(min = 1, max = 64)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub synonyms: Vec<String>,
}

/// Goes on at the step of the first case that holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Branch {
    /// The cases in the order they are tried, 1 to 20.
    #[schemars(length(min = 1, max = 20))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub cases: Vec<BranchCase>,
    /// Step to go on at when no case holds.
    #[schemars(length(min = 1, max = 63), regex(pattern = pattern::LABEL))]
    pub otherwise: String,
}

/// A case of a branch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BranchCase {
    /// Name of the case, in lower-case letters, digits and dashes.
    #[schemars(length(min = 1, max = 63), regex(pattern = pattern::LABEL))]
    pub name: String,
    /// What must hold, all of it; 1 to 8 variables.
    #[schemars(length(min = 1, max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["variable".into()]))]
    pub when: Vec<Condition>,
    /// Step to go on at.
    #[schemars(length(min = 1, max = 63), regex(pattern = pattern::LABEL))]
    pub next: String,
}

/// What must hold of one variable. Several comparisons must all hold. A variable that is absent fulfils none but `present: false`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.equals) || has(self.oneOf) || has(self.matches) || has(self.present) || has(self.lessThan) || has(self.greaterThan)")
    .message("compare the variable with something: set equals, oneOf, matches, present, lessThan or greaterThan"))]
pub struct Condition {
    /// The variable, or a part of one by dots: `order.status`.
    #[schemars(length(min = 1, max = 128), regex(pattern = pattern::VARIABLE_PATH))]
    pub variable: String,
    /// The text is this one. Case matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub equals: Option<String>,
    /// The text is one of these, at most 50. Case matters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 50), inner(length(max = 256)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub one_of: Vec<String>,
    /// The text matches this regular expression somewhere (RE2 syntax, linear time); `^` and `$` bind it to the ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub matches: Option<String>,
    /// The variable has a value that is not empty (`true`), or has none (`false`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub present: Option<bool>,
    /// The text is a whole number below this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub less_than: Option<i64>,
    /// The text is a whole number above this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub greater_than: Option<i64>,
}

/// Sets variables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Set {
    /// The variables, 1 to 20, set in this order.
    #[schemars(length(min = 1, max = 20))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["variable".into()]))]
    pub values: Vec<Assignment>,
}

/// A variable and its value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Assignment {
    /// Name of the variable.
    #[schemars(length(min = 1, max = 63), regex(pattern = pattern::VARIABLE))]
    pub variable: String,
    /// The text, at most 1600 characters; `{{ variable }}` as in `say`.
    #[schemars(length(max = TEXT_MAX))]
    pub value: String,
}

/// Goes on by whether the campaign is open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct InHours {
    /// Step to go on at when the campaign is open.
    #[schemars(length(min = 1, max = 63), regex(pattern = pattern::LABEL))]
    pub open: String,
    /// Step to go on at when it is closed.
    #[schemars(length(min = 1, max = 63), regex(pattern = pattern::LABEL))]
    pub closed: String,
}

/// Calls a service. A call may be made more than once, when the service is not reached, or the engine starts anew in the middle: each run of the
/// step carries an `Idempotency-Key` header of its own, the same in all its calls. Redirects are not followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.json) || self.method in ['POST', 'PUT', 'PATCH']")
    .message("json is sent with POST, PUT and PATCH only: remove json, or change method").field_path(".json"))]
pub struct Http {
    /// Method. Default `GET`.
    #[serde(default)]
    pub method: HttpMethod,
    /// Address, at most 1024 characters; its scheme, host and port must be on the operator's list of allowed addresses.
    /// `{{ variable }}` may stand in path and query and is percent-encoded: `https://crm.example.com/orders/{{ order }}`. With a variable in the path
    /// that is absent or empty the call fails.
    #[schemars(length(min = 1, max = 1024), regex(pattern = r"^https?://"))]
    pub url: String,
    /// Headers, at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub headers: Vec<Header>,
    /// Fields of the JSON object that is sent as body, at most 50. Absent: no body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 50))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["field".into()]))]
    pub json: Vec<JsonField>,
    /// Variable that gets the answer's JSON. Absent: the answer is not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = pattern::VARIABLE))]
    pub into: Option<String>,
    /// Seconds that the call may take in all; 1 to 30. Default 5.
    #[serde(default = "http_timeout")]
    #[schemars(range(min = 1, max = 30))]
    pub timeout_seconds: i32,
    /// Bytes that the answer may have; 1 to 1048576. Default 65536.
    #[serde(default = "http_max_bytes")]
    #[schemars(range(min = 1, max = 1048576))]
    pub max_response_bytes: i32,
    /// Step to go on at when the call fails: no answer in time, a status that is not 2xx, too long an answer or no JSON where `into` asks for
    /// it, or a Secret that is not there.
    #[schemars(length(min = 1, max = 63), regex(pattern = pattern::LABEL))]
    pub on_error: String,
}

fn http_timeout() -> i32 {
    5
}

fn http_max_bytes() -> i32 {
    65536
}

/// An HTTP method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    /// Reads.
    #[default]
    Get,
    /// Makes.
    Post,
    /// Replaces.
    Put,
    /// Changes.
    Patch,
    /// Deletes.
    Delete,
}

impl HttpMethod {
    /// Whether a call with it carries a body.
    pub const fn has_body(self) -> bool {
        match self {
            Self::Post | Self::Put | Self::Patch => true,
            Self::Get | Self::Delete => false,
        }
    }
}

/// A header of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.value) != has(self.secretKeyRef)")
    .message("set exactly one of value and secretKeyRef"))]
pub struct Header {
    /// Name of the header, in letters, digits and dashes. `Host`, `Content-Length`, `Content-Type`, `Idempotency-Key` and
    /// `Transfer-Encoding` are set by the engine.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9-]+$"))]
    pub name: String,
    /// The value, at most 1024 characters; `{{ variable }}` as in `say`. Line breaks and other control characters become blanks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub value: Option<String>,
    /// The key of a Secret that holds the whole value: `Bearer …`. Each channel that names the bot must list the Secret in
    /// `spec.engine.botSecrets`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<SecretKeyRef>,
}

/// A field of the JSON object that is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct JsonField {
    /// Name of the field.
    #[schemars(length(min = 1, max = 128))]
    pub field: String,
    /// The text, at most 1600 characters; `{{ variable }}` as in `say`. It is sent as a string, with JSON's own quoting.
    #[schemars(length(max = TEXT_MAX))]
    pub value: String,
}

/// Ends the bot: the interaction goes to the queue, or goes on waiting there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HandOff {
    /// Place in the queue: higher comes first, equal ones by arrival; 0 to 9. Default 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = 9))]
    pub priority: i32,
    /// A note that the agent sees, at most 1600 characters; `{{ variable }}` as in `say`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = TEXT_MAX))]
    pub note: Option<String>,
}

/// Ends the bot and closes the interaction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finish {
    /// A note that is kept with the interaction, at most 1600 characters; `{{ variable }}` as in `say`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = TEXT_MAX))]
    pub note: Option<String>,
}
