//! `Campaign`: who answers, and when.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::conditions::{ConditionType, condition_list};
use super::pattern;
use super::sms_channel::{QueueStatus, ServiceLevelStatus};

/// What is wanted of the people who answer.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "aldis.dev",
    version = "v1alpha1",
    kind = "Campaign",
    plural = "campaigns",
    singular = "campaign",
    shortname = "camp",
    category = "aldis",
    namespaced,
    status = "CampaignStatus",
    derive = "PartialEq",
    doc = "Who answers, and when: the members with their position, penalty and limits, the opening hours, and what agents note at the end. Channels belong to a campaign and follow its changes within seconds. Short name `camp`.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether the campaign is valid"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Why it is ready or not"
    ),
    printcolumn(
        name = "Open",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"InHours\")].status",
        description = "Whether the campaign is open now"
    ),
    printcolumn(
        name = "Channels",
        type_ = "integer",
        json_path = ".status.channels.total",
        description = "Channels of the campaign"
    ),
    printcolumn(
        name = "Waiting",
        type_ = "integer",
        json_path = ".status.queue.waiting",
        description = "Interactions that wait for an agent, in all channels"
    ),
    printcolumn(
        name = "SL%",
        type_ = "integer",
        json_path = ".status.serviceLevel.percent",
        description = "Answered in time, in percent, over all channels"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since it was created"
    ),
    printcolumn(
        name = "Zone",
        type_ = "string",
        json_path = ".spec.timeZone",
        priority = 1,
        description = "Time zone of the hours"
    )
)]
#[x_kube(validation = Rule::new("!self.dispositionRequired || (has(self.dispositions) && size(self.dispositions) > 0)")
    .message("dispositionRequired needs something to choose from: add dispositions, or set it to false").field_path(".dispositionRequired"))]
pub struct CampaignSpec {
    /// Whether the campaign's channels work. `false` has the effect of `enabled: false` on each of them. Default `true`.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Time zone of the schedule, by its IANA name: `Europe/Madrid`. Default `UTC`.
    #[serde(default = "utc")]
    #[schemars(length(min = 1, max = 64), regex(pattern = pattern::TIME_ZONE))]
    pub time_zone: String,
    /// When the campaign is open. Absent: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// The agents, at most 1000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["user".into()]))]
    pub members: Vec<Member>,
    /// People who see the agents and what they have, and may give interactions to agents, take them over and close them, whoever has them;
    /// at most 100. They need not be members: who is none is given nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["user".into()]))]
    pub supervisors: Vec<Supervisor>,
    /// What an agent may choose as the outcome when they finish an interaction, at most 500. Those that were chosen stay recorded when they are
    /// removed here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub dispositions: Vec<Disposition>,
    /// Whether an agent must choose a disposition to finish. A supervisor who closes an interaction need not, and what ends by itself has none.
    /// Default `false`.
    #[serde(default)]
    pub disposition_required: bool,
    /// Texts that agents have at hand, by their shortcuts; at most 100, and 64 KiB (in UTF-8) of shortcuts, texts, titles and languages together. The agent's client inserts one into what the agent writes; nothing is sent
    /// by itself, and nothing in a text is replaced: what looks like a variable is the client's business.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["shortcut".into()]))]
    pub canned_replies: Vec<CannedReply>,
    /// Web pages that may use the agents' API of the campaign's channels from the browser: their origins, exactly as browsers send them, at most 20.
    /// `https://desk.example.com`, with its port when that is not 443; or `http://localhost:5173` for a page on the agent's own machine. `*` is
    /// not possible: whoever gets a page of any origin opened could try tokens and tickets there. Agents show their tokens as ever; cookies play no part. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "origins")]
    pub allowed_origins: Vec<String>,
}

impl Campaign {
    /// The conditions of a campaign.
    pub const CONDITIONS: &'static [ConditionType] =
        &[ConditionType::Ready, ConditionType::Reconciling, ConditionType::Stalled, ConditionType::InHours];
}

fn yes() -> bool {
    true
}

fn utc() -> String {
    "UTC".into()
}

/// When the campaign is open, in its time zone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    /// The hours of each day of the week. Absent: open at all hours, but for the exceptions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weekly: Option<Weekly>,
    /// Days that differ: holidays, long evenings; at most 400. They replace the weekly hours of their date.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 400))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["date".into()]))]
    pub exceptions: Vec<Exception>,
}

/// The ranges of one day: its schema, with the rules that every list of ranges has.
macro_rules! day_ranges {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[doc = $doc:literal])+ $day:ident,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            $(
                $(#[doc = $doc])+
                #[serde(default, skip_serializing_if = "Vec::is_empty")]
                #[schemars(schema_with = "ranges")]
                pub $day: Vec<String>,
            )+
        }
    };
}

day_ranges! {
    /// The hours of each day of the week. A day without a range is closed.
    pub struct Weekly {
        /// Hours of Monday: ranges `HH:MM-HH:MM`, at most 8, which do not overlap. `24:00` is the end of the day. A range ends on its own
        /// day: for a night shift write two. None: closed. Example: `["09:00-13:00", "15:00-19:00"]`.
        monday,
        /// Hours of Tuesday, as for Monday.
        tuesday,
        /// Hours of Wednesday, as for Monday.
        wednesday,
        /// Hours of Thursday, as for Monday.
        thursday,
        /// Hours of Friday, as for Monday.
        friday,
        /// Hours of Saturday, as for Monday.
        saturday,
        /// Hours of Sunday, as for Monday.
        sunday,
    }
}

impl Weekly {
    /// The ranges of each day with the day's field name, Monday first.
    pub fn days(&self) -> [(&'static str, &[String]); 7] {
        [
            ("monday", &self.monday),
            ("tuesday", &self.tuesday),
            ("wednesday", &self.wednesday),
            ("thursday", &self.thursday),
            ("friday", &self.friday),
            ("saturday", &self.saturday),
            ("sunday", &self.sunday),
        ]
    }
}

/// A day that differs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Exception {
    /// The date in the campaign's time zone: `2026-12-25`.
    #[schemars(length(max = 10), regex(pattern = pattern::DATE))]
    pub date: String,
    /// Hours of this date, as for a day of the week. None: closed all day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "ranges")]
    pub ranges: Vec<String>,
    /// Why, for people: `Christmas`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub note: Option<String>,
}

/// The schema of a list of ranges: their shape, their order, and that they do not overlap.
fn ranges(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "array",
        "maxItems": 8,
        "x-kubernetes-list-type": "set",
        "x-kubernetes-validations": [{
            "rule": "self.all(a, self.all(b, a == b || a.substring(6) <= b.substring(0, 5) || b.substring(6) <= a.substring(0, 5)))",
            "message": "the ranges of a day overlap: join or separate them",
        }],
        "items": {
            "type": "string",
            "maxLength": 11,
            "pattern": pattern::TIME_RANGE,
            "x-kubernetes-validations": [{
                "rule": "self.substring(0, 5) < self.substring(6)",
                "message": "a range must end after it starts, on the same day: for a night shift write two, as 22:00-24:00 and 00:00-06:00",
            }],
        },
    })
}

/// The schema of a list of origins.
fn origins(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "array",
        "maxItems": 20,
        "x-kubernetes-list-type": "set",
        "items": {
            "type": "string",
            "maxLength": 270,
            "x-kubernetes-validations": [
                {
                    "rule": "!self.contains('*')",
                    "message": "* lets every web page in: name the origins of your agents' pages",
                },
                {
                    "rule": format!("self.contains('*') || self.matches('{}')", pattern::ORIGIN),
                    "message": "write https://host or https://host:port in lower case, as browsers send it, or http://localhost:port",
                },
            ],
        },
    })
}

/// An agent of the campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// The user name as the identity provider gives it, behind its prefix. With the cluster's own accounts:
    /// `system:serviceaccount:default:ana`.
    #[schemars(length(min = 1, max = 256))]
    pub user: String,
    /// Place in the order of strategy `Linear`; 0 to 10000. Lower comes first, equal ones by user name. Default 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = 10000))]
    pub position: i32,
    /// How much later than others this agent is chosen; 0 to 100. Lower comes first. Default 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100))]
    pub penalty: i32,
    /// Whether the agent is given interactions from the queue. Default `true`.
    #[serde(default = "yes")]
    pub receive: bool,
    /// Whether the agent may start interactions with customers. Default `true`.
    #[serde(default = "yes")]
    pub initiate: bool,
    /// Most interactions that the agent has at a time in a channel; 1 to 100. Default 3.
    #[serde(default = "max_interactions")]
    #[schemars(range(min = 1, max = 100))]
    pub max_interactions: i32,
}

fn max_interactions() -> i32 {
    3
}

impl Member {
    /// A member of this user name, with the defaults of everything else.
    pub fn new(user: impl Into<String>) -> Self {
        let user = user.into();
        Self { user, position: 0, penalty: 0, receive: true, initiate: true, max_interactions: max_interactions() }
    }
}

/// A supervisor of the campaign.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Supervisor {
    /// The user name as the identity provider gives it, behind its prefix.
    #[schemars(length(min = 1, max = 256))]
    pub user: String,
}

/// What an agent may note as the outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Disposition {
    /// Name that is recorded, in lower-case letters, digits and dashes: `refund-granted`. Keep it when the path changes.
    #[schemars(length(min = 1, max = 63), regex(pattern = pattern::LABEL))]
    pub name: String,
    /// Where agents find it, with slashes between at most 5 levels: `Billing/Refund/Granted`.
    #[schemars(length(min = 1, max = 256), regex(pattern = r"^[^/]+(/[^/]+){0,4}$"))]
    pub path: String,
}

/// A text that agents have at hand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CannedReply {
    /// What an agent types to find it, in lower-case letters, digits and dashes: `opening-hours`.
    #[schemars(length(min = 1, max = 63), regex(pattern = pattern::LABEL))]
    pub shortcut: String,
    /// The text, at most 1600 characters and 10 segments.
    #[schemars(length(min = 1, max = pattern::TEXT_MAX))]
    pub text: String,
    /// What agents see in a list of them: `Opening hours`. Absent: the shortcut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub title: Option<String>,
    /// The language of the text as BCP 47 writes it, for clients that choose by it: `es`, `pt-BR`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 35), regex(pattern = pattern::LANGUAGE))]
    pub language: Option<String>,
}

/// Bytes of all canned replies of a campaign at most: each of its channels has them in its configuration.
pub const CANNED_REPLIES_BYTES: usize = 64 * 1024;

impl CannedReply {
    /// What it adds to the bytes of all.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let optional = [&self.title, &self.language].into_iter().flatten().map(String::len).sum::<usize>();
        self.shortcut.len() + self.text.len() + optional
    }
}

/// What the operator sees of a campaign.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CampaignStatus {
    /// The generation of the spec that this status speaks of. -1: not looked at yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1))]
    pub observed_generation: Option<i64>,
    /// What is right and wrong: `Ready`, `Reconciling`, `Stalled`, `InHours`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "condition_list")]
    pub conditions: Vec<Condition>,
    /// The channels of the campaign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<ChannelCounts>,
    /// The queues of all channels together; the oldest wait is that of the worst.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueStatus>,
    /// The service level of all channels together: their counts are summed, and the percentages made of the sums.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_level: Option<ServiceLevelStatus>,
    /// The oldest of the channels' samples that are summed here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampled_at: Option<jiff::Timestamp>,
}

/// The channels of a campaign.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChannelCounts {
    /// All channels of the campaign.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub total: i64,
    /// Those that are ready.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub ready: i64,
}
