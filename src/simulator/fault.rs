//! Faults on demand: what goes wrong, where, and how often.

use crate::wire::simulator::ProblemClass;
use serde::{Deserialize, Serialize};

/// Most faults that are kept at once.
const MAX_FAULTS: usize = 1000;

/// Where a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Route {
    /// `GET /v1/account`.
    Account,
    /// `GET /v1/numbers`.
    Numbers,
    /// `POST /v1/messages`.
    Messages,
    /// A message on its way to the handset, after it was accepted.
    Delivery,
    /// The webhook that posts a customer's message.
    Inbound,
    /// The webhook that posts a receipt.
    Receipts,
}

/// How a request, a delivery or a webhook is made to go wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Action {
    /// It happens later. Every route.
    Delay {
        /// By how much.
        millis: u64,
    },
    /// The request is taken, but answered later: a receipt may come before the answer. Provider API.
    DelayAnswer {
        /// By how much.
        millis: u64,
    },
    /// The request is not taken and answered with this status: 429 or 500 to 599. Provider API.
    Status {
        /// The HTTP status.
        status: u16,
        /// `Retry-After`, with 429 and 503.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_seconds: Option<u32>,
    },
    /// The request is refused for this reason; on the way to the handset: the message ends as `Failed`. Provider API, `Delivery`.
    Refuse {
        /// The reason.
        class: ProblemClass,
    },
    /// The connection is cut before the request is taken. Provider API.
    DropRequest,
    /// The request is taken, but the connection is cut instead of the answer; for a webhook: it is posted, but its
    /// answer counts as lost, so that it is posted again. Provider API, webhooks.
    DropAnswer,
    /// The webhook is posted this many times more, all at once. Webhooks.
    Duplicate {
        /// How many times more.
        copies: u32,
    },
    /// The webhook is posted after the next one of the same customer and number, or of the same message. Webhooks.
    Reorder,
    /// The webhook waits until the fault is removed. Webhooks.
    Hold,
    /// The webhook is never posted. Webhooks.
    Lose,
    /// The webhook is signed with a wrong token. Webhooks.
    WrongSignature,
}

impl Action {
    /// The routes that have what this action changes.
    const fn routes(&self) -> &'static [Route] {
        use Route::{Account, Delivery, Inbound, Messages, Numbers, Receipts};
        match self {
            Self::Delay { .. } => &[Account, Numbers, Messages, Delivery, Inbound, Receipts],
            Self::DelayAnswer { .. } | Self::Status { .. } | Self::DropRequest => &[Account, Numbers, Messages],
            Self::Refuse { .. } => &[Account, Numbers, Messages, Delivery],
            Self::DropAnswer => &[Account, Numbers, Messages, Inbound, Receipts],
            Self::Duplicate { .. } | Self::Reorder | Self::Hold | Self::Lose | Self::WrongSignature => {
                &[Inbound, Receipts]
            }
        }
    }

    /// Whether it strikes each try of a webhook, and not the webhook once.
    const fn strikes_each_try(&self) -> bool {
        match self {
            Self::Delay { .. } | Self::DropAnswer | Self::WrongSignature => true,
            Self::DelayAnswer { .. }
            | Self::Status { .. }
            | Self::Refuse { .. }
            | Self::DropRequest
            | Self::Duplicate { .. }
            | Self::Reorder
            | Self::Hold
            | Self::Lose => false,
        }
    }
}

/// A fault as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultRequest {
    /// The route on which it strikes.
    pub route: Route,
    /// How it makes things go wrong.
    pub action: Action,
    /// How often; without it, until the fault is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// How many pass unharmed before.
    #[serde(default)]
    pub skip: u32,
    /// Only what is from or to this number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
}

/// Why a fault cannot be had.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// It makes no sense there.
    #[error("the action {action:?} cannot happen at the route {route:?}")]
    Unsuitable {
        /// The route asked for.
        route: Route,
        /// The action asked for.
        action: Action,
    },
    /// A status that is no fault of the server and no rate limit.
    #[error("status {0} cannot be asked for; only 429 and 500 to 599 can")]
    Status(u16),
    /// There are too many.
    #[error("there are {MAX_FAULTS} faults already; remove some")]
    TooMany,
}

/// A fault in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InjectedFault {
    /// Counts from 1; a fault is removed by it.
    pub id: u64,
    /// The request that made it.
    #[serde(flatten)]
    pub request: FaultRequest,
    /// How often it struck. Spent faults stay listed until they are removed.
    pub struck: u32,
    /// How many passed unharmed so far.
    #[serde(skip)]
    passed: u32,
}

impl InjectedFault {
    fn meets(&self, route: Route, numbers: [&str; 2]) -> bool {
        let spent = self.request.count.is_some_and(|count| self.struck >= count);
        let number = self.request.number.as_deref();
        !spent && self.request.route == route && number.is_none_or(|number| numbers.contains(&number))
    }
}

/// All faults.
#[derive(Debug, Default)]
pub(super) struct InjectedFaults {
    next: u64,
    faults: Vec<InjectedFault>,
}

/// When in the life of a webhook faults are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// Anything but a webhook: once.
    Request,
    /// When the webhook's turn comes.
    Turn,
    /// At each try.
    Try,
}

impl InjectedFaults {
    pub(super) fn add(&mut self, request: FaultRequest) -> Result<InjectedFault, FaultError> {
        if !request.action.routes().contains(&request.route) {
            return Err(FaultError::Unsuitable { route: request.route, action: request.action });
        }
        if let Action::Status { status, .. } = request.action
            && status != 429
            && !(500..600).contains(&status)
        {
            return Err(FaultError::Status(status));
        }
        if self.faults.len() >= MAX_FAULTS {
            return Err(FaultError::TooMany);
        }
        self.next += 1;
        let fault = InjectedFault { id: self.next, request, struck: 0, passed: 0 };
        self.faults.push(fault.clone());
        Ok(fault)
    }

    /// The faults that strike now, in the order in which they were asked for; each counts as having struck.
    pub(super) fn strike(&mut self, route: Route, moment: Moment, numbers: [&str; 2]) -> Vec<(u64, Action)> {
        let mut striking = Vec::new();
        for fault in self.faults.iter_mut().filter(|fault| fault.meets(route, numbers)) {
            let timely = match moment {
                Moment::Request => true,
                Moment::Turn => !fault.request.action.strikes_each_try(),
                Moment::Try => fault.request.action.strikes_each_try(),
            };
            if !timely {
                continue;
            }
            if fault.passed < fault.request.skip {
                fault.passed += 1;
                continue;
            }
            fault.struck += 1;
            striking.push((fault.id, fault.request.action.clone()));
        }
        striking
    }

    pub(super) fn list(&self) -> &[InjectedFault] {
        &self.faults
    }

    pub(super) fn exists(&self, id: u64) -> bool {
        self.faults.iter().any(|fault| fault.id == id)
    }

    /// Removes one, or all. Says how many there were.
    pub(super) fn remove(&mut self, id: Option<u64>) -> usize {
        let before = self.faults.len();
        self.faults.retain(|fault| id.is_some_and(|id| fault.id != id));
        before - self.faults.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(json: &str) -> FaultRequest {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_fault_strikes_where_and_as_often_as_asked() {
        let mut faults = InjectedFaults::default();
        let asked = r#"{"route": "Messages", "action": "DropAnswer", "count": 2, "skip": 1, "number": "+15559870001"}"#;
        faults.add(request(asked)).unwrap();
        let mut strike = |route, to| faults.strike(route, Moment::Request, ["+15551230001", to]).len();
        assert_eq!(strike(Route::Account, "+15559870001"), 0, "another route");
        assert_eq!(strike(Route::Messages, "+15559870002"), 0, "another number");
        assert_eq!(strike(Route::Messages, "+15559870001"), 0, "skipped");
        assert_eq!(strike(Route::Messages, "+15559870001"), 1);
        assert_eq!(strike(Route::Messages, "+15559870001"), 1);
        assert_eq!(strike(Route::Messages, "+15559870001"), 0, "spent");
        assert_eq!(faults.list()[0].struck, 2);
        assert_eq!((faults.remove(Some(7)), faults.remove(None)), (0, 1));
    }

    #[test]
    fn a_webhook_meets_each_fault_at_its_moment() {
        let mut faults = InjectedFaults::default();
        for action in [r#"{"Delay": {"millis": 5}}"#, r#"{"Duplicate": {"copies": 2}}"#, "\"Hold\"", "\"DropAnswer\""] {
            faults.add(request(&format!(r#"{{"route": "Inbound", "action": {action}}}"#))).unwrap();
        }
        let mut strike = |moment| {
            faults.strike(Route::Inbound, moment, ["", ""]).into_iter().map(|(_, action)| action).collect::<Vec<_>>()
        };
        assert_eq!(strike(Moment::Turn), [Action::Duplicate { copies: 2 }, Action::Hold]);
        assert_eq!(strike(Moment::Try), [Action::Delay { millis: 5 }, Action::DropAnswer]);
    }

    #[test]
    fn what_cannot_happen_is_refused() {
        let mut faults = InjectedFaults::default();
        let mut error = |json| faults.add(request(json)).unwrap_err().to_string();
        assert_eq!(
            error(r#"{"route": "Messages", "action": "Hold"}"#),
            "the action Hold cannot happen at the route Messages"
        );
        assert_eq!(
            error(r#"{"route": "Account", "action": {"Status": {"status": 404}}}"#),
            "status 404 cannot be asked for; only 429 and 500 to 599 can"
        );
        let typo =
            serde_json::from_str::<FaultRequest>(r#"{"route": "Messages", "action": "DropAnswer", "counts": 1}"#);
        assert!(typo.unwrap_err().to_string().contains("counts"));
    }
}
