//! The kinds that people write, and what the operator answers in their status.
//!
//! Group `aldis.dev`, version `v1alpha1`. This module knows nobody else and does no I/O. The documentation of a field is what
//! `kubectl explain` shows.

#![allow(clippy::duplicated_attributes, reason = "each printed column names its type: no duplicates")]
#![allow(
    unreachable_pub,
    reason = "the derived schema with rules repeats each struct inside a function, where nobody reaches it"
)]

pub mod blocklist;
pub mod bot;
pub mod campaign;
pub mod conditions;
pub mod crd;
pub mod names;
mod pattern;
pub mod provider;
pub mod reference;
pub mod resources;
pub mod sms_channel;
pub mod sms_connector;

pub use blocklist::{Blocklist, BlocklistSpec, BlocklistStatus};
pub use bot::{Bot, BotSpec, BotStatus};
pub use campaign::{Campaign, CampaignSpec, CampaignStatus};
pub use conditions::{ConditionStatus, ConditionType, Conditions, Reason, condition_of};
pub use sms_channel::{SmsChannel, SmsChannelSpec, SmsChannelStatus};
pub use sms_connector::{SmsConnector, SmsConnectorSpec, SmsConnectorStatus};

/// The API group of every kind.
pub const GROUP: &str = "aldis.dev";
/// The version of every kind.
pub const VERSION: &str = "v1alpha1";
