//! Which pods are asked for their status, and when next. Those that do not answer wait in a queue of their own, with workers of their
//! own, so that a zone that is lost stretches nobody else's interval.

use std::{collections::HashSet, time::Duration};

use parking_lot::Mutex;

use crate::operator::runtime::{cache::ObjectKey, queue::Queue};

/// A gateway or an engine that is asked for its status.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Target {
    /// The gateway of a connector.
    Gateway(ObjectKey),
    /// The engine of a channel.
    Engine(ObjectKey),
}

/// Whether a pod answered when it was asked last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// It did, or was never asked.
    Answering,
    /// It did not.
    Silent,
}

/// What follows an answer, or none, for the next question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// There is nobody to ask any more.
    Never,
    /// After this, as one of this class.
    After(Duration, Class),
}

/// Which pods are asked, and when next.
#[derive(Default)]
pub(crate) struct Targets {
    answering: Queue<Target>,
    silent: Queue<Target>,
    /// The members of the second queue.
    are_silent: Mutex<HashSet<Target>>,
}

impl Targets {
    /// Asks this pod from now on.
    pub(crate) fn watch(&self, target: Target, within: Duration) {
        self.queue(self.class(&target)).add_after(target, within);
    }

    /// The next one of a class whose time has come.
    pub(crate) async fn pop(&self, class: Class) -> Target {
        loop {
            let target = self.queue(class).pop().await;
            if self.class(&target) == class {
                return target;
            }
            // It has changed its queue since it was put into this one.
            self.queue(class).done(&target, None);
        }
    }

    /// It was asked as one of `class`.
    pub(crate) fn done(&self, target: &Target, class: Class, next: Next) {
        match next {
            Next::After(after, now) if now == class => self.queue(class).done(target, Some(after)),
            Next::After(after, now) => {
                let mut silent = self.are_silent.lock();
                match now {
                    Class::Silent => silent.insert(target.clone()),
                    Class::Answering => silent.remove(target),
                };
                drop(silent);
                self.queue(class).done(target, None);
                self.queue(now).add_after(target.clone(), after);
            }
            Next::Never => {
                self.are_silent.lock().remove(target);
                self.queue(class).done(target, None);
            }
        }
    }

    fn class(&self, target: &Target) -> Class {
        if self.are_silent.lock().contains(target) { Class::Silent } else { Class::Answering }
    }

    const fn queue(&self, class: Class) -> &Queue<Target> {
        match class {
            Class::Answering => &self.answering,
            Class::Silent => &self.silent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn a_silent_pod_takes_no_turn_of_those_that_answer() {
        let targets = Targets::default();
        let pod = |name: &str| Target::Engine(ObjectKey::new("n", name));
        targets.watch(pod("a"), Duration::ZERO);
        let a = targets.pop(Class::Answering).await;
        // Somebody wants it asked while it is being asked.
        targets.watch(a.clone(), Duration::ZERO);
        targets.done(&a, Class::Answering, Next::After(SOON, Class::Silent));
        targets.watch(pod("b"), SOON * 2);
        assert_eq!(targets.pop(Class::Answering).await, pod("b"));
        assert_eq!(targets.pop(Class::Silent).await, a);
        targets.done(&a, Class::Silent, Next::After(SOON, Class::Answering));
        assert_eq!(targets.pop(Class::Answering).await, a, "it is back");
        targets.done(&a, Class::Answering, Next::Never);
        assert!(tokio::time::timeout(SOON * 9, targets.pop(Class::Answering)).await.is_err());
    }
}
