//! What the deletion of a connector waits for, as its status says it.

use std::fmt;

/// Begins each message.
const BEGINNING: &str = "the connector is being deleted: ";

/// What the deletion of a connector waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WaitsFor {
    /// Channels use it: these, as a message names them.
    Channels(String),
    /// So many messages wait in its spool.
    Spool(u64),
    /// The gateway does not answer.
    Answer,
}

impl WaitsFor {
    /// The message of `Ready`, with what else is wrong meanwhile.
    pub(super) fn message(&self, hindered: &str) -> String {
        format!("{BEGINNING}{self}{hindered}")
    }

    /// Whether a message of `Ready` says this already, of another count or of other channels at most.
    pub(super) fn is_said_by(&self, message: &str, hindered: &str) -> bool {
        let (before, _, after) = self.words();
        let found = message.strip_prefix(BEGINNING).and_then(|rest| rest.strip_suffix(hindered));
        let found = found.and_then(|rest| rest.strip_prefix(before)?.strip_suffix(after));
        found.is_some_and(|found| match self {
            Self::Channels(_) => !found.is_empty(),
            Self::Spool(_) => found.parse::<u64>().is_ok(),
            Self::Answer => found.is_empty(),
        })
    }

    /// What stands before the names or the count, these, and what stands behind them.
    fn words(&self) -> (&'static str, String, &'static str) {
        match self {
            Self::Channels(named) => ("channels ", named.clone(), " use it: delete them too"),
            Self::Spool(count) => ("", count.to_string(), " messages wait in its spool"),
            Self::Answer => ("the gateway cannot be asked what waits in its spool", String::new(), ""),
        }
    }
}

impl fmt::Display for WaitsFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, what, after) = self.words();
        write!(f, "{before}{what}{after}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_count_and_other_channels_are_no_news_and_everything_else_is() {
        let kinds = [
            [WaitsFor::Channels("a".into()), WaitsFor::Channels("a, b and 3 more".into())],
            [WaitsFor::Spool(0), WaitsFor::Spool(u64::MAX)],
            [WaitsFor::Answer, WaitsFor::Answer],
        ];
        for hindered in ["", "; its gateway cannot be kept as planned: no"] {
            for (at, one) in kinds.iter().enumerate() {
                for (other_at, other) in kinds.iter().enumerate() {
                    let said = one[0].is_said_by(&other[1].message(hindered), hindered);
                    assert_eq!(said, at == other_at, "{one:?} {other:?}");
                }
                assert!(!one[0].is_said_by(&one[1].message("; another cause"), hindered), "{one:?}");
            }
        }
        assert!(!WaitsFor::Spool(7).is_said_by("the connector is being deleted: many messages wait in its spool", ""));
    }
}
