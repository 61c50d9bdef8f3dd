//! What the operator knows: its caches and what fills them, what pods said, whose tokens are good, who waits for a claim.
//!
//! - [`context`]: all of it, as every reconcile has it at hand;
//! - [`watch`], [`changes`]: fill the caches and say which objects must be looked at again;
//! - [`indexes`]: by what objects are found in the caches;
//! - [`scrape`], [`targets`], [`samples`], [`pod`]: how gateways and engines are;
//! - [`issuers`], [`discovery`]: keys of those who sign tokens;
//! - [`contenders`], [`debounce`], [`throttle`], [`route_writes`]: what waits;
//! - [`rollouts`], [`rollout_slots`]: which pods are being replaced by ones of a new image;
//! - [`bot_faults`]: what is wrong with bots; [`bot_reports`]: what engines said of them;
//! - [`in_force`]: which blocklists the engines have loaded.

pub(super) mod bot_faults;
pub(super) mod bot_reports;
pub(super) mod changes;
pub(super) mod contenders;
pub(super) mod context;
pub(super) mod debounce;
pub(super) mod discovery;
pub(super) mod in_force;
pub(super) mod indexes;
pub(super) mod issuers;
mod key_ring;
pub(super) mod pod;
mod rollout_slots;
pub(super) mod rollouts;
pub(super) mod route_writes;
pub(super) mod samples;
pub(super) mod scrape;
pub(super) mod targets;
pub(super) mod throttle;
pub(super) mod watch;
