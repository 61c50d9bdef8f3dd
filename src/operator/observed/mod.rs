//! What the operator knows: its caches and what fills them, what pods said, whose tokens are good, who waits for a claim.
//!
//! - [`context`]: all of it, as every reconcile has it at hand;
//! - [`watch`]: fills the caches and says which objects must be looked at again;
//! - [`scrape`], [`targets`], [`samples`], [`pod`]: how gateways and engines are;
//! - [`issuers`], [`discovery`]: keys of those who sign tokens;
//! - [`contenders`], [`debounce`]: what waits.

pub mod contenders;
pub mod context;
pub mod debounce;
pub mod discovery;
pub mod issuers;
mod key_ring;
pub mod pod;
pub mod samples;
pub mod scrape;
pub mod targets;
pub mod watch;
