//! Which pods are asked for their status.

use std::time::Duration;

use crate::operator::runtime::{cache::ObjectKey, queue::Queue};

/// Whom to ask.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// The gateway of a connector.
    Gateway(ObjectKey),
    /// The engine of a channel.
    Engine(ObjectKey),
}

/// Which pods are asked, and when next.
#[derive(Default)]
pub struct Targets(Queue<Target>);

impl Targets {
    /// Asks this pod from now on.
    pub fn watch(&self, target: Target, within: Duration) {
        self.0.add_after(target, within);
    }

    /// The next one whose time has come.
    pub async fn take(&self) -> Target {
        self.0.take().await
    }

    /// It was asked; when to ask again, none = not any more.
    pub fn done(&self, target: &Target, again: Option<Duration>) {
        self.0.done(target, again);
    }
}
