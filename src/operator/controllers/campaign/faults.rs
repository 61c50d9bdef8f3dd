//! What can be wrong with a campaign's spec, each with its place and a remedy.

use std::fmt;

use crate::{
    api::{Reason, campaign::CANNED_REPLIES_BYTES},
    wire::config::InvalidOrigin,
};

/// What is wrong with a campaign's spec.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CampaignFault {
    /// Nobody knows the time zone.
    #[error("spec.timeZone {0:?} is no time zone that IANA knows: write one such as Europe/Madrid or UTC")]
    TimeZone(String),
    /// A range of hours is wrong.
    #[error("spec.schedule.{at}: {range:?} {fault}")]
    Range {
        /// The day or date.
        at: String,
        /// The range as it stands.
        range: String,
        /// What is wrong with it, and what to do.
        fault: &'static str,
    },
    /// A date does not exist.
    #[error("spec.schedule.exceptions: there is no {0}: correct or remove the date")]
    Date(String),
    /// A date stands twice.
    #[error("spec.schedule.exceptions: {0} stands twice: keep one")]
    DateTwice(String),
    /// A user stands twice.
    #[error("spec.members: {0:?} stands twice: keep one")]
    MemberTwice(String),
    /// A supervisor stands twice.
    #[error("spec.supervisors: {0:?} stands twice: keep one")]
    SupervisorTwice(String),
    /// A disposition stands twice.
    #[error("spec.dispositions: {0:?} stands twice: keep one")]
    DispositionTwice(String),
    /// A disposition is asked for, and there is none.
    #[error("spec.dispositionRequired: there is nothing to choose from: add dispositions, or set it to false")]
    NothingToChoose,
    /// A canned reply stands twice.
    #[error("spec.cannedReplies: {0:?} stands twice: keep one")]
    CannedReplyTwice(String),
    /// No agent could send a canned reply.
    #[error("spec.cannedReplies: {shortcut:?} {fault}")]
    CannedReply {
        /// The shortcut, as the campaign writes it.
        shortcut: String,
        /// What is wrong with its text, and what to do.
        fault: String,
    },
    /// The canned replies are too long together.
    #[error(
        "spec.cannedReplies: all together have {bytes} bytes, and {CANNED_REPLIES_BYTES} are possible: shorten or remove some"
    )]
    CannedRepliesTooLong {
        /// In UTF-8, without what JSON adds.
        bytes: usize,
    },
    /// No web page has this origin, or too many have.
    #[error("spec.allowedOrigins: {origin:?} {fault}")]
    Origin {
        /// The origin as it stands.
        origin: String,
        /// What is wrong with it, and what to do.
        fault: InvalidOrigin,
    },
    /// A number of a member is out of its range.
    #[error("spec.members: {field} of {user:?} is {value}: it must be {range}")]
    Member {
        /// The user.
        user: String,
        /// The field.
        field: &'static str,
        value: i32,
        /// The values that it may have, in words.
        range: &'static str,
    },
}

impl CampaignFault {
    /// The reason that conditions show.
    pub(super) const fn reason(&self) -> Reason {
        match self {
            Self::TimeZone(_) => Reason::TimeZoneUnknown,
            Self::Range { .. } | Self::Date(_) | Self::DateTwice(_) => Reason::ScheduleInvalid,
            Self::MemberTwice(_)
            | Self::SupervisorTwice(_)
            | Self::DispositionTwice(_)
            | Self::NothingToChoose
            | Self::CannedReplyTwice(_)
            | Self::CannedReply { .. }
            | Self::CannedRepliesTooLong { .. }
            | Self::Origin { .. }
            | Self::Member { .. } => Reason::InvalidSpec,
        }
    }
}

/// All that is wrong with a campaign; at least one fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CampaignFaults(pub(super) Vec<CampaignFault>);

impl CampaignFaults {
    /// The reason of the first.
    pub(crate) fn reason(&self) -> Reason {
        self.0.first().map_or(Reason::InvalidSpec, CampaignFault::reason)
    }
}

impl fmt::Display for CampaignFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&each.join("; "))
    }
}

impl std::error::Error for CampaignFaults {}
