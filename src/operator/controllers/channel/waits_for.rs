//! What the deletion of a channel waits for, as its status says it.

use std::fmt;

/// Begins each message.
const BEGINNING: &str = "the channel is being deleted: ";

/// What the deletion of a channel waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WaitsFor {
    /// The intake has ended; so many messages wait to be sent.
    Outbox(u64),
    /// The intake has not ended; so many messages wait to be sent.
    Intake(u64),
    /// The engine does not answer.
    Answer,
    /// The intake cannot be stopped, for this cause.
    Stop(String),
    /// The engine ends.
    End,
    /// The engine cannot be ended, for this cause.
    EndRefused(String),
    /// The engine should have ended. A node that is dead never says that its pods have.
    Node {
        /// The engine's pod.
        pod: String,
        namespace: String,
        node: String,
    },
}

impl WaitsFor {
    /// The message of `Ready`.
    pub(super) fn message(&self) -> String {
        format!("{BEGINNING}{self}")
    }

    /// Whether a message of `Ready` says this already, of another count at most.
    pub(super) fn is_said_by(&self, message: &str) -> bool {
        let (before, count, after) = self.words();
        let found =
            message.strip_prefix(BEGINNING).and_then(|rest| rest.strip_prefix(before.as_str())?.strip_suffix(after));
        found.is_some_and(|found| match count {
            Some(_) => found.parse::<u64>().is_ok(),
            None => found.is_empty(),
        })
    }

    /// What stands before the count, the count, and what stands behind it.
    fn words(&self) -> (String, Option<u64>, &'static str) {
        match self {
            Self::Outbox(count) => (String::new(), Some(*count), " messages wait to be sent"),
            Self::Intake(count) => {
                let before = "the engine has not stopped taking messages yet, and ".to_owned();
                (before, Some(*count), " wait to be sent")
            }
            Self::Answer => ("the engine cannot be asked what waits to be sent".into(), None, ""),
            Self::Stop(cause) => (format!("the engine cannot be told to take nothing new: {cause}"), None, ""),
            Self::End => ("the engine ends".into(), None, ""),
            Self::EndRefused(cause) => (format!("the engine cannot be ended: {cause}"), None, ""),
            Self::Node { pod, namespace, node } => {
                let all = format!(
                    "pod {pod} does not end: node {node} does not say that it has; bring the node back, or make sure that it is off and \
                     then run kubectl delete pod {pod} -n {namespace} --force --grace-period=0"
                );
                (all, None, "")
            }
        }
    }
}

impl fmt::Display for WaitsFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, count, after) = self.words();
        f.write_str(&before)?;
        if let Some(count) = count {
            write!(f, "{count}")?;
        }
        f.write_str(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(node: &str) -> WaitsFor {
        WaitsFor::Node { pod: "sms-desk1-0".into(), namespace: "shop".into(), node: node.into() }
    }

    #[test]
    fn another_count_of_the_same_is_no_news_and_everything_else_is() {
        let all = [
            WaitsFor::Outbox(12),
            WaitsFor::Intake(12),
            WaitsFor::Answer,
            WaitsFor::Stop("no".into()),
            WaitsFor::Stop("not yet".into()),
            WaitsFor::End,
            WaitsFor::EndRefused("no".into()),
            node("node-7"),
            // Only the digits of names differ.
            node("node-8"),
        ];
        for (at, one) in all.iter().enumerate() {
            for (other_at, other) in all.iter().enumerate() {
                assert_eq!(one.is_said_by(&other.message()), at == other_at, "{one:?} {other:?}");
            }
        }
        assert!(WaitsFor::Outbox(0).is_said_by(&WaitsFor::Outbox(u64::MAX).message()));
        assert!(WaitsFor::Intake(7).is_said_by(&WaitsFor::Intake(8).message()));
        assert!(!WaitsFor::Outbox(7).is_said_by("the channel is being deleted: many messages wait to be sent"));
    }

    #[test]
    fn a_message_says_what_to_do() {
        let message = node("node-7").message();
        let remedy = "kubectl delete pod sms-desk1-0 -n shop --force --grace-period=0";
        assert!(message.starts_with("the channel is being deleted: ") && message.contains(remedy), "{message}");
        assert_eq!(WaitsFor::Outbox(2).message(), "the channel is being deleted: 2 messages wait to be sent");
    }
}
