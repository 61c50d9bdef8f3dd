//! The three ways in which a reconcile can end without success.

use std::time::Duration;

use crate::api::Reason;

/// Why a reconcile did not come to its end. The class decides what happens next.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A person must change something; tried again when the object, or something it refers to, changes.
    #[error("{reason}: {message}")]
    Stalled {
        /// The reason of the condition.
        reason: Reason,
        /// What is wrong and what to do.
        message: String,
    },
    /// Something that is on its way is not there yet.
    #[error("{reason}: {message}")]
    Waiting {
        /// The reason of the condition.
        reason: Reason,
        /// The thing that is waited for, in words.
        message: String,
        /// When to look again, if no event says so before.
        look_again: Duration,
    },
    /// The API server or the network had a fault; tried again with back-off.
    #[error(transparent)]
    Transient(#[from] Transient),
}

/// A passing fault.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Transient {
    /// The API server answered with an error, or not at all.
    #[error("{0}")]
    Api(#[from] kube::Error),
    /// This replica does not hold the leader lease (any more), so it must not write.
    #[error("this replica is not the leader")]
    NotLeader,
    /// The reconcile took too long.
    #[error("the reconcile took longer than {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The reconcile panicked.
    #[error("the reconcile panicked; this is a fault of the operator")]
    Panicked,
    /// A document of ours could not be written as JSON.
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl Error {
    /// A fault that a person must mend.
    pub(crate) fn stalled(reason: Reason, message: impl Into<String>) -> Self {
        Self::Stalled { reason, message: message.into() }
    }

    /// Something is not there yet.
    pub(crate) fn waiting(reason: Reason, message: impl Into<String>, look_again: Duration) -> Self {
        Self::Waiting { reason, message: message.into(), look_again }
    }

    /// The word for metrics.
    pub(crate) const fn class(&self) -> &'static str {
        match self {
            Self::Stalled { .. } => "stalled",
            Self::Waiting { .. } => "waiting",
            Self::Transient(_) => "error",
        }
    }
}

impl Error {
    /// What a status says of it.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Stalled { message, .. } | Self::Waiting { message, .. } => message.clone(),
            Self::Transient(fault) => fault.words(),
        }
    }
}

impl Transient {
    /// What a status says of it.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Api(kube::Error::Api(status)) => {
                format!("the API server answers with status {}: {}", status.code, status.message)
            }
            other => other.to_string(),
        }
    }
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        Self::Transient(Transient::Api(error))
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Transient(Transient::Json(error))
    }
}
