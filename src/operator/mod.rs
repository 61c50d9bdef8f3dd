//! The operator: keeps gateways and engines as the objects declare them, and says in status how they are.
//!
//! - [`controllers`]: one folder per kind, from an object to its children and its status;
//! - [`resources`]: from a plan to objects in the cluster;
//! - [`observed`]: what is known of the cluster and of the pods;
//! - [`runtime`]: what every controller runs on;
//! - [`run`]: the process.

mod controllers;
mod observed;
mod resources;
mod run;
mod runtime;

pub use resources::{kinds::ChildKind, policy::policy, rbac::rbac};
pub use run::{RunError, run};
pub use runtime::settings::Settings;
