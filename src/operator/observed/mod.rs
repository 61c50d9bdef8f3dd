//! What the operator knows: its caches and what fills them, what pods said, whose tokens are good, who waits for a claim.
//!
//! - [`context`]: all of it, as every reconcile has it at hand;
//! - [`watch`], [`changes`]: fill the caches and say which objects must be looked at again;
//! - [`indexes`]: by what objects are found in the caches;
//! - [`scrape`], [`targets`], [`samples`], [`pod`]: how gateways and engines are;
//! - [`issuers`], [`discovery`]: keys of those who sign tokens;
//! - [`contenders`], [`debounce`], [`throttle`]: what waits;
//! - [`in_force`]: which blocklists the engines have loaded.

pub mod changes;
pub mod contenders;
pub mod context;
pub mod debounce;
pub mod discovery;
pub mod in_force;
pub mod indexes;
pub mod issuers;
mod key_ring;
pub mod pod;
pub mod samples;
pub mod scrape;
pub mod targets;
pub mod throttle;
pub mod watch;
