//! The engine's configuration: the mounted document, checked, in the form that the core and the shell work with.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    num::{NonZeroU32, NonZeroU64},
    sync::Arc,
};

use jiff::{SignedDuration, civil, tz::TimeZone};

use super::core::{
    blocklist::{Blocklist, Direction, Entry},
    bot_run::{BotRef, Bots},
    config::{self, ChannelConfig, Member, Members, OfferMode, RateLimit, ServiceLevelGoal, Strategy},
    ids::{BotVersion, UserId},
    opt_out::{AnsweredBy, Keyword, OptOut, Texts},
    schedule::{Schedule, TimeRange},
};
use crate::{
    api::BotSpec,
    bot::{self, CompiledBot},
    sms::PhoneNumber,
    wire::{
        config::{
            ConfigHash, Origin,
            engine::{self as document, EngineConfig, GatewayPeer, StoreExpectation},
        },
        mount::Loaded,
        store_id,
        tokens::Verifier,
    },
};

/// Everything that a configuration decides.
#[derive(Debug)]
pub struct Settings {
    /// Hash of the main document.
    pub hash: ConfigHash,
    /// The channel's name, as paths and metrics have it. It never changes.
    pub channel_name: String,
    /// What the core works with.
    pub channel: Arc<ChannelConfig>,
    /// The channel's number. It never changes.
    pub number: PhoneNumber,
    /// The gateway that carries the messages.
    pub gateway: GatewayPeer,
    /// `maxQueued` as it is reported; 0 = no maximum.
    pub max_queued: u32,
    /// Days that closed interactions and their messages are kept.
    pub retention_days: u32,
    /// The campaign's name.
    pub campaign_name: String,
    /// The bots that conversations begin with, by their versions: as they are declared, and without faults.
    pub bots: BTreeMap<BotVersion, (BotSpec, Arc<CompiledBot>)>,
    /// What agents may choose as the outcome of an interaction, in the order in which they are shown.
    pub dispositions: Vec<document::Disposition>,
    /// Texts that agents have at hand, in the order in which they are shown.
    pub canned_replies: Vec<document::CannedReply>,
    /// Web pages of other origins that may use the agents' API.
    pub allowed_origins: BTreeSet<Origin>,
    /// What the operator knows of the store.
    pub store: StoreExpectation,
    /// The setting of the clock that a person asks for, counted from 1.
    pub clock_accepted: Option<u64>,
    /// Checks the tokens of gateway and operator.
    pub roles: Verifier,
    /// The operator, as its tokens name it.
    pub operator_user: String,
    /// Checks the tokens of agents.
    pub agents: Verifier,
}

/// A document that cannot be put in force.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct ConfigError {
    /// The field at fault, as it is written in the document.
    pub field: String,
    /// What is wrong and what to do.
    pub problem: String,
}

impl ConfigError {
    /// A fault of a field.
    pub(super) fn new(field: impl Into<String>, problem: impl Display) -> Self {
        Self { field: field.into(), problem: problem.to_string() }
    }
}

impl Settings {
    /// Checks a document and its parts.
    ///
    /// # Errors
    /// When a field has a value that it must not have; the error names it.
    pub fn new(loaded: Loaded<EngineConfig>) -> Result<Self, ConfigError> {
        let Loaded { hash, document, parts } = loaded;
        let channel = channel(&document, parts.into_iter().flat_map(|part| part.entries))?;
        let bots = bots(&document.bots)?;
        let roles = Verifier::new(&document.role_issuers).map_err(|error| ConfigError::new("roleIssuers", error))?;
        let agents = Verifier::new(&document.agent_issuers).map_err(|error| ConfigError::new("agentIssuers", error))?;
        check_gateway(&document.gateway)?;
        Ok(Self {
            hash,
            channel_name: document.channel.name,
            channel: Arc::new(ChannelConfig { bots: bots.named, ..channel }),
            number: document.number,
            gateway: document.gateway,
            max_queued: document.max_queued,
            retention_days: at_least_one("retentionDays", document.retention_days)?.get(),
            dispositions: document.campaign.dispositions,
            canned_replies: document.campaign.canned_replies,
            allowed_origins: document.campaign.allowed_origins.into_iter().collect(),
            campaign_name: document.campaign.name,
            bots: bots.compiled,
            store: document.store,
            clock_accepted: document.clock_accepted,
            roles,
            operator_user: document.operator_user,
            agents,
        })
    }

    /// Whether anything may be sent from the store with this id.
    pub fn accepts_store(&self, id: &str) -> bool {
        self.expects_store(id) || self.store.accepted_id.as_deref() == Some(id)
    }

    /// Whether it may be only because a person accepted it.
    pub fn accepts_only_by_hand(&self, id: &str) -> bool {
        !self.expects_store(id) && self.accepts_store(id)
    }

    fn expects_store(&self, id: &str) -> bool {
        // A restored copy is never the first that a channel has: somebody knows what was sent after the backup.
        !self.store.held && self.store.id.as_deref().map_or(!store_id::is_copy(id), |expected| expected == id)
    }

    /// Whether this user is a member of the campaign or a supervisor.
    pub fn serves(&self, user: &str) -> bool {
        self.channel.serves(&UserId::from(user))
    }

    /// Whether this user is a supervisor of the campaign.
    pub fn supervises(&self, user: &str) -> bool {
        self.channel.supervisors.contains(&UserId::from(user))
    }

    /// The campaign's member who is this user.
    pub fn member(&self, user: &str) -> Option<&Member> {
        self.channel.members.get(&UserId::from(user))
    }
}

fn check_gateway(gateway: &GatewayPeer) -> Result<(), ConfigError> {
    match reqwest::Url::parse(&gateway.url) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(()),
        Ok(_) => Err(ConfigError::new("gateway.url", format!("{:?} is no http or https URL", gateway.url))),
        Err(error) => Err(ConfigError::new("gateway.url", format!("{:?}: {error}", gateway.url))),
    }
}

fn channel(
    document: &EngineConfig,
    entries: impl Iterator<Item = document::BlocklistEntry>,
) -> Result<ChannelConfig, ConfigError> {
    Ok(ChannelConfig {
        enabled: document.enabled && document.campaign.enabled && !document.draining,
        schedule: schedule(&document.campaign)?,
        strategy: match document.strategy {
            document::Strategy::LeastRecent => Strategy::LeastRecent,
            document::Strategy::FewestInteractions => Strategy::FewestInteractions,
            document::Strategy::Random => Strategy::Random,
            document::Strategy::Linear => Strategy::Linear,
            document::Strategy::RoundRobin => Strategy::RoundRobin,
            document::Strategy::RingAll => Strategy::RingAll,
            document::Strategy::WeightedRandom => Strategy::WeightedRandom,
        },
        offer: offer(document)?,
        members: members(&document.campaign.members)?,
        supervisors: document.campaign.supervisors.iter().map(|user| user.as_str().into()).collect(),
        dispositions: document.campaign.dispositions.iter().map(|it| it.name.as_str().into()).collect(),
        disposition_required: document.campaign.disposition_required,
        max_queued: NonZeroU32::new(document.max_queued),
        max_queue: seconds_or_none(document.max_queue_seconds),
        max_transfer: seconds_or_none(document.max_transfer_seconds),
        queue_full_message: text("queueFullMessage", document.queue_full_message.as_ref())?,
        out_of_hours_message: text("outOfHoursMessage", document.out_of_hours_message.as_ref())?,
        bots: Bots::default(),
        blocklist: Blocklist::new(document.blocklist.inbound, document.blocklist.outbound, entries.map(entry)),
        opt_out: opt_out(&document.opt_out)?,
        service_level: ServiceLevelGoal {
            target: seconds("serviceLevel.targetSeconds", document.service_level.target_seconds)?,
            window: seconds("serviceLevel.windowSeconds", document.service_level.window_seconds)?,
            answered_by: match document.service_level.answered_by {
                document::AnsweredBy::Reply => config::AnsweredBy::Reply,
                document::AnsweredBy::Accept => config::AnsweredBy::Accept,
            },
        },
        session_idle: seconds("sessionIdleSeconds", document.session_idle_seconds)?,
        session_reopen: seconds_or_none(document.session_reopen_seconds),
        per_number: RateLimit {
            segments: at_least_one("perNumberLimit.segments", document.per_number_limit.segments)?,
            per_seconds: NonZeroU64::from(at_least_one(
                "perNumberLimit.perSeconds",
                document.per_number_limit.per_seconds,
            )?),
        },
    })
}

/// The bots of a document.
#[derive(Default)]
struct CheckedBots {
    named: Bots,
    compiled: BTreeMap<BotVersion, (BotSpec, Arc<CompiledBot>)>,
}

fn bots(document: &document::Bots) -> Result<CheckedBots, ConfigError> {
    let mut checked = CheckedBots::default();
    let document::Bots { on_start, on_queue_timeout, on_end } = document;
    checked.named.on_start = checked.add("bots.onStart", on_start.as_ref())?;
    checked.named.on_queue_timeout = checked.add("bots.onQueueTimeout", on_queue_timeout.as_ref())?;
    checked.named.on_end = checked.add("bots.onEnd", on_end.as_ref())?;
    Ok(checked)
}

impl CheckedBots {
    fn add(&mut self, field: &str, bot: Option<&document::Bot>) -> Result<Option<BotRef>, ConfigError> {
        let Some(bot) = bot else { return Ok(None) };
        // The operator looks where a bot may call.
        let compiled = bot::compile(&bot.spec, &|_| Ok(())).map_err(|faults| {
            let first = faults.first().map(ToString::to_string).unwrap_or_default();
            ConfigError::new(field, format!("{} has faults: {first}", bot.name))
        })?;
        let version = BotVersion::from(compiled.version());
        self.compiled.insert(version.clone(), (bot.spec.clone(), Arc::new(compiled)));
        Ok(Some(BotRef { name: bot.name.as_str().into(), version }))
    }
}

fn offer(document: &EngineConfig) -> Result<OfferMode, ConfigError> {
    match (document.offer_timeout_seconds, document.strategy) {
        (Some(seconds), _) => Ok(OfferMode::Ask { timeout_seconds: at_least_one("offerTimeoutSeconds", seconds)? }),
        (None, document::Strategy::RingAll) => {
            Err(ConfigError::new("offerTimeoutSeconds", "is missing; strategy RingAll asks the agents"))
        }
        (None, _) => Ok(OfferMode::Assign),
    }
}

fn at_least_one(field: &str, value: u32) -> Result<NonZeroU32, ConfigError> {
    NonZeroU32::new(value).ok_or_else(|| ConfigError::new(field, "must be at least 1"))
}

fn seconds(field: &str, value: u32) -> Result<SignedDuration, ConfigError> {
    at_least_one(field, value).map(|seconds| SignedDuration::from_secs(i64::from(seconds.get())))
}

/// 0 stands for none.
fn seconds_or_none(value: u32) -> Option<SignedDuration> {
    (value > 0).then(|| SignedDuration::from_secs(i64::from(value)))
}

/// A text that is sent by itself. An empty one would be an empty message.
fn text(field: &str, value: Option<&String>) -> Result<Option<String>, ConfigError> {
    match value {
        Some(text) if text.trim().is_empty() => Err(ConfigError::new(field, "is empty; leave it out to send nothing")),
        Some(text) => Ok(Some(text.clone())),
        None => Ok(None),
    }
}

fn schedule(campaign: &document::Campaign) -> Result<Schedule, ConfigError> {
    let zone = TimeZone::get(&campaign.time_zone).map_err(|error| {
        ConfigError::new(
            "campaign.timeZone",
            format!("{:?} is no IANA time zone such as Europe/Madrid ({error})", campaign.time_zone),
        )
    })?;
    let Some(hours) = &campaign.schedule else { return Ok(Schedule::new(zone, None, BTreeMap::new())) };
    let weekly = hours
        .weekly
        .iter()
        .map(|(day, ranges)| Ok((weekday(*day), time_ranges(&format!("campaign.schedule.weekly.{day:?}"), ranges)?)))
        .collect::<Result<Vec<_>, _>>()?;
    let exceptions = hours
        .exceptions
        .iter()
        .map(|(date, ranges)| Ok((*date, time_ranges(&format!("campaign.schedule.exceptions.{date}"), ranges)?)))
        .collect::<Result<BTreeMap<_, _>, _>>()?;
    Ok(Schedule::new(zone, Some(weekly), exceptions))
}

const fn weekday(day: document::Weekday) -> civil::Weekday {
    match day {
        document::Weekday::Monday => civil::Weekday::Monday,
        document::Weekday::Tuesday => civil::Weekday::Tuesday,
        document::Weekday::Wednesday => civil::Weekday::Wednesday,
        document::Weekday::Thursday => civil::Weekday::Thursday,
        document::Weekday::Friday => civil::Weekday::Friday,
        document::Weekday::Saturday => civil::Weekday::Saturday,
        document::Weekday::Sunday => civil::Weekday::Sunday,
    }
}

fn time_ranges(field: &str, ranges: &[document::TimeRange]) -> Result<Vec<TimeRange>, ConfigError> {
    ranges
        .iter()
        .map(|range| TimeRange::new(range.from_minute, range.to_minute).map_err(|error| ConfigError::new(field, error)))
        .collect()
}

fn members(members: &[document::Member]) -> Result<Members, ConfigError> {
    for (index, member) in members.iter().enumerate() {
        let field = |name: &str| format!("campaign.members[{index}].{name}");
        if member.user.is_empty() {
            return Err(ConfigError::new(field("user"), "is empty"));
        }
        if members[..index].iter().any(|other| other.user == member.user) {
            return Err(ConfigError::new(field("user"), format!("{:?} is listed twice", member.user)));
        }
        if member.penalty > 100 {
            return Err(ConfigError::new(field("penalty"), format!("{} is above 100", member.penalty)));
        }
    }
    let member = |member: &document::Member| Member {
        user: UserId::from(member.user.as_str()),
        position: member.position,
        penalty: member.penalty,
        receive: member.receive,
        initiate: member.initiate,
        max_interactions: member.max_interactions,
    };
    Ok(members.iter().map(member).collect())
}

fn entry(entry: document::BlocklistEntry) -> Entry {
    Entry {
        number: entry.number,
        direction: match entry.direction {
            document::BlockDirection::Inbound => Direction::Inbound,
            document::BlockDirection::Outbound => Direction::Outbound,
            document::BlockDirection::Both => Direction::Both,
        },
        expires_at: entry.expires_at,
    }
}

fn opt_out(opt_out: &document::OptOut) -> Result<OptOut, ConfigError> {
    let answered_by = match opt_out.answered_by {
        document::OptOutAnsweredBy::Aldis => AnsweredBy::Aldis,
        document::OptOutAnsweredBy::Provider => AnsweredBy::Provider,
    };
    if opt_out.stop_keywords.is_empty() {
        return Err(ConfigError::new("optOut.stopKeywords", "is empty; customers must have a way to opt out"));
    }
    let said = |field: &str, value: &String| {
        if value.trim().is_empty() { Err(ConfigError::new(field, "is empty")) } else { Ok(value.clone()) }
    };
    let texts = Texts {
        stopped: said("optOut.stoppedMessage", &opt_out.stopped_message)?,
        started: said("optOut.startedMessage", &opt_out.started_message)?,
        help: said("optOut.helpMessage", &opt_out.help_message)?,
    };
    let sets = [
        (Keyword::Stop, &opt_out.stop_keywords),
        (Keyword::Help, &opt_out.help_keywords),
        (Keyword::Start, &opt_out.start_keywords),
    ];
    let words = sets.iter().flat_map(|(keyword, words)| words.iter().map(|word| (*keyword, word.as_str())));
    Ok(OptOut::new(answered_by, words, texts))
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
