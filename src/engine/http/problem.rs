//! Failures as they are answered: RFC 9457 problem documents.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};

use crate::{
    engine::{core::command::Refusal, inbox::Unavailable},
    wire::{
        problem::{Problem, STORAGE_FULL},
        tokens::TokenError,
    },
};

/// Title of the problem that says so.
const STORAGE_FULL_TITLE: &str = "The engine has no room for anything new";

/// A problem that is answered instead of what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// The document.
    pub problem: Problem,
    /// Seconds after which to try again: our own faults only.
    pub retry_after: Option<u32>,
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self { problem, retry_after: None }
    }
}

impl Failure {
    /// 400: the request is wrong in a way that no field of its body stands for.
    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Problem::new(400, "bad-request", "The request is not as it should be").detail(detail).into()
    }

    /// 422: a field of the body, the path or the query has a value that it must not have.
    pub(super) fn invalid(field: &str, detail: impl Into<String>) -> Self {
        Problem::new(422, "invalid-field", "A field has a value that it must not have")
            .field(field)
            .detail(detail)
            .into()
    }

    /// 404.
    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Problem::new(404, "not-found", "There is no such thing").detail(detail).into()
    }

    /// 421: the channel is another engine's.
    pub(super) fn misdirected(channel: &str) -> Self {
        Problem::new(421, "misdirected", "This engine does not hold the channel")
            .detail(format!("The engine of {channel:?} has an address of its own: the Service sms-<channel>."))
            .into()
    }

    /// 403.
    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Problem::new(403, "forbidden", "This caller may not do this").detail(detail).into()
    }

    /// 405.
    pub(super) fn method_not_allowed() -> Self {
        Problem::new(405, "method-not-allowed", "The path does not take this method").into()
    }

    /// 503: a fault of ours that passes; the caller should try again.
    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        let problem = Problem::new(503, "unavailable", "The engine cannot answer right now").detail(detail);
        Self { problem, retry_after: Some(1) }
    }
}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        Problem::new(401, "unauthorized", "The token is not accepted").detail(error.to_string()).into()
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.problem.into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<Unavailable> for Failure {
    fn from(unavailable: Unavailable) -> Self {
        let detail = sentence(&unavailable.to_string());
        match unavailable {
            Unavailable::Full => {
                let problem = Problem::new(503, STORAGE_FULL, STORAGE_FULL_TITLE).detail(detail);
                Self { problem, retry_after: Some(5) }
            }
            Unavailable::Exhausted => {
                let problem =
                    Problem::new(503, "storage-exhausted", "The engine has no room for anything").detail(detail);
                Self { problem, retry_after: Some(5) }
            }
            Unavailable::Overloaded | Unavailable::Ending => Self::unavailable(detail),
        }
    }
}

/// The problem that a refusal of the core is answered with.
pub(super) fn of_refusal(refusal: &Refusal) -> Problem {
    let (status, reason, title, field) = match refusal {
        Refusal::NotOpen(_) => (404, "not-open", "There is no such open interaction", None),
        Refusal::StaleEpoch { .. } => (409, "stale-epoch", "The interaction has changed hands", Some("/epoch")),
        Refusal::OfferOver(_) => (409, "offer-over", "The offer is over", Some("/offer")),
        Refusal::NotOwner => (409, "not-owner", "The interaction is somebody else's or nobody's", None),
        Refusal::NotAMember(_) => (403, "not-a-member", "Only members of the campaign may do this", None),
        Refusal::MayNotInitiate(_) => (403, "may-not-initiate", "The member may not start interactions", None),
        Refusal::AtCapacity { .. } => (409, "at-capacity", "The agent has no room for another interaction", None),
        Refusal::NotASupervisor(_) => (403, "not-a-supervisor", "Only supervisors of the campaign may do this", None),
        Refusal::AlreadyTheirs(_) => (409, "already-theirs", "The agent has the interaction", Some("/to/agent")),
        Refusal::NoStream => (409, "no-stream", "Who takes an interaction over must be online", None),
        Refusal::DispositionMissing => (422, "disposition-missing", "A disposition is asked for", Some("/disposition")),
        Refusal::NoSuchDisposition(_) => {
            (422, "no-such-disposition", "There is no such disposition", Some("/disposition"))
        }
        Refusal::InTransfer => (409, "in-transfer", "The interaction is being transferred", None),
        Refusal::NotInTransfer => (409, "not-in-transfer", "The interaction is not being transferred", None),
        Refusal::TransferToOneself => (422, "transfer-to-oneself", "The agent has the interaction", Some("/to/agent")),
        Refusal::NoSuchMember(_) => (422, "no-such-member", "There is no such member", Some("/to/agent")),
        Refusal::AgentOffline(_) => (409, "agent-offline", "The agent is offline", Some("/to/agent")),
        Refusal::AgentNotPresent(_) => (409, "agent-not-present", "The agent takes no interactions", Some("/to/agent")),
        Refusal::MayNotReceive(_) => (409, "may-not-receive", "The member is given no interactions", Some("/to/agent")),
        Refusal::Disabled => (409, "disabled", "Channel or campaign is disabled", None),
        Refusal::OptedOut => (409, "opted-out", "The customer has opted out", None),
        Refusal::Blocked => (409, "blocked", "The number is on a blocklist", None),
        Refusal::CannotReceive => (409, "cannot-receive", "The customer cannot receive messages", None),
        Refusal::AlreadyOpen(_) => (409, "already-open", "The customer has an open interaction", None),
        Refusal::NoRoom => (503, STORAGE_FULL, STORAGE_FULL_TITLE, None),
        Refusal::EmptyText => (422, "empty-text", "There is nothing to send", Some("/text")),
        Refusal::TextTooLong { .. } => (422, "text-too-long", "The text is too long to be sent", Some("/text")),
        Refusal::NoSuchMessage(_) => (404, "not-found", "There is no such thing", None),
        Refusal::NotResendable(_) => (409, "not-resendable", "The message cannot be sent once more", None),
        Refusal::NotUnknown { .. } => (409, "not-unknown", "It is known what came of the message", None),
        Refusal::OptOutInFuture { .. } => (422, "opt-out-in-future", "Nobody opts out in the future", None),
        Refusal::NotWaiting { .. } => (409, "not-waiting", "The message does not wait for this", None),
        Refusal::NotHydrated(_) => (500, "internal", "A fault of the engine", None),
    };
    let problem = Problem::new(status, reason, title).detail(sentence(&refusal.to_string()));
    match (field, refusal) {
        (_, Refusal::OptOutInFuture { index, .. }) => problem.field(format!("/optOuts/{index}/optedOutAt")),
        (Some(field), _) => problem.field(field),
        (None, _) => problem,
    }
}

/// Errors begin in lower case, details are sentences.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}
