//! Opt-out: the words by which customers leave and come back, and the texts that answer them.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::pattern;

/// How STOP, START and HELP are treated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.answeredBy == 'Aldis' || !has(self.messages)")
    .message("with answeredBy Provider the provider's texts go out: remove messages, or set answeredBy to Aldis").field_path(".messages"))]
pub struct OptOut {
    /// Who confirms STOP and START and answers HELP. `Aldis`: the engine, once. `Provider`: the provider does (Twilio's Advanced
    /// Opt-Out, for example), and the engine says nothing. Default `Aldis`.
    #[serde(default)]
    pub answered_by: OptOutAnsweredBy,
    /// Words of your own beside the usual ones, which count in any case. Upper and lower case, spaces and punctuation do not count in what
    /// customers write. A word that would stand in two sets is refused by the condition `Ready`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keywords: Option<OptOutKeywords>,
    /// Texts of your own instead of the usual ones. A text that you leave out is the usual one, in English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<OptOutMessages>,
}

/// Who answers STOP, START and HELP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum OptOutAnsweredBy {
    /// The engine.
    #[default]
    Aldis,
    /// The provider.
    Provider,
}

/// Words of your own beside the usual ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(!has(self.stop) || ((!has(self.start) || !self.stop.exists(w, w in self.start)) && (!has(self.help) || !self.stop.exists(w, w in self.help)))) && (!has(self.start) || !has(self.help) || !self.start.exists(w, w in self.help))")
    .message("a word stands in two of stop, start and help: keep it in one"))]
pub struct OptOutKeywords {
    /// Words that opt a customer out, beside the usual ones (STOP, STOPALL, UNSUBSCRIBE, CANCEL, END, QUIT, REVOKE, OPTOUT, OPT OUT).
    /// At most 32 words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 32), inner(length(min = 1, max = 32), regex(pattern = pattern::KEYWORD)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub stop: Vec<String>,
    /// Words that opt a customer in again, beside the usual ones (START, UNSTOP). At most 32 words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 32), inner(length(min = 1, max = 32), regex(pattern = pattern::KEYWORD)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub start: Vec<String>,
    /// Words that ask for help, beside the usual ones (HELP, INFO). At most 32 words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 32), inner(length(min = 1, max = 32), regex(pattern = pattern::KEYWORD)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub help: Vec<String>,
}

/// The words that opt a customer out when a channel says nothing else: 47 CFR 64.1200(a)(10) and what carriers add.
pub const STOP_WORDS: &[&str] =
    &["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT", "OPT OUT"];
/// The words that opt a customer in again when a channel says nothing else.
pub const START_WORDS: &[&str] = &["START", "UNSTOP"];
/// The words that ask for help when a channel says nothing else.
pub const HELP_WORDS: &[&str] = &["HELP", "INFO"];

/// Texts of your own instead of the usual ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct OptOutMessages {
    /// Confirms an opt-out: the last text that the customer gets. At most 320 characters, no advertising.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 320))]
    pub stopped: Option<String>,
    /// Confirms that the customer is in again. At most 320 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 320))]
    pub started: Option<String>,
    /// Answers HELP: who you are, how to reach you, how to stop. At most 320 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 320))]
    pub help: Option<String>,
}
