//! What it means when the API server refuses a request of the operator.

use std::time::Duration;

use kube::core::Status;

use crate::{
    api::Reason,
    operator::{
        resources::{
            kinds::ChildKind,
            policy::{OWN_POLICIES, POLICY_OF_BASE_URLS, POLICY_OF_BOT_SECRETS, POLICY_OF_CREDENTIALS},
        },
        runtime::error::{Error, Transient},
    },
};

/// The API server sees a connector or channel a moment after it was written, and its policies with it.
const POLICIES_FOLLOW: Duration = Duration::from_secs(2);

/// Classifies an error of the API server: what will be refused again and again needs a person; the rest passes.
pub(crate) fn classify(error: kube::Error) -> Error {
    match &error {
        kube::Error::Api(status) => refusal(status).unwrap_or(Error::Transient(Transient::Api(error))),
        _ => Error::Transient(Transient::Api(error)),
    }
}

fn refusal(status: &Status) -> Option<Error> {
    let words = status.message.as_str();
    if let Some(policy) = policy(words) {
        return Some(by_policy(status, policy));
    }
    if status.is_forbidden() {
        return match words {
            // Nothing can be created in a namespace that is going.
            _ if words.contains("being terminated") => None,
            _ if words.contains("exceeded quota: ") => Some(Error::stalled(
                Reason::QuotaExceeded,
                format!("{words}; raise the quota of the namespace, or delete what is not needed"),
            )),
            _ if words.contains("pvc must support resize") => Some(Error::stalled(Reason::VolumeCannotGrow, words)),
            _ if words.contains("denied the request") => Some(Error::stalled(Reason::RefusedByPolicy, words)),
            _ => Some(Error::stalled(Reason::Forbidden, words)),
        };
    }
    status.is_invalid().then(|| Error::stalled(Reason::InvalidSpec, words))
}

/// The ValidatingAdmissionPolicy that refused. It may use any code: 422 when it names none.
fn policy(words: &str) -> Option<&str> {
    let (_, name) = words.split_once("ValidatingAdmissionPolicy '")?;
    let (name, rest) = name.split_once('\'')?;
    rest.contains(" denied request: ").then_some(name)
}

fn by_policy(status: &Status, policy: &str) -> Error {
    let words = status.message.split_once(" denied request: ").map_or(status.message.as_str(), |(_, words)| words);
    let refused = format!("admission policy {policy} refused {}: {words}", object(status));
    if [POLICY_OF_CREDENTIALS, POLICY_OF_BOT_SECRETS, POLICY_OF_BASE_URLS].contains(&policy) {
        return Error::waiting(Reason::Progressing, format!("{refused}; it is tried again"), POLICIES_FOLLOW);
    }
    let advice = if policy.starts_with(OWN_POLICIES) {
        "the chart and the operator's image must be of one version: upgrade both together"
    } else {
        "the platform team must let the operator's objects pass"
    };
    Error::stalled(Reason::RefusedByPolicy, format!("{refused}; {advice}"))
}

/// What was refused, by kind and name.
fn object(status: &Status) -> String {
    let Some(details) = &status.details else { return "an object".into() };
    let child = ChildKind::ALL.iter().map(|kind| kind.row()).find(|row| row.plural == details.kind);
    format!("{} {}", child.map_or(details.kind.as_str(), |row| row.kind), details.name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const CANNOT_GROW: &str = "persistentvolumeclaims \"smsc-sim\" is forbidden: only dynamically provisioned pvc can be resized and \
                               the storageclass that provisions the pvc must support resize";

    /// As the API server answers. `resource` is the plural.
    fn answer(code: u16, reason: &str, resource: &str, message: &str) -> Error {
        let status = json!({
            "status": "Failure", "code": code, "reason": reason, "message": message,
            "details": {"group": "", "kind": resource, "name": "smsc-sim"},
        });
        classify(kube::Error::Api(serde_json::from_value(status).unwrap()))
    }

    fn denied(policy: &str, words: &str) -> Error {
        let message = format!(
            "statefulsets.apps \"smsc-sim\" is forbidden: ValidatingAdmissionPolicy '{policy}' with binding '{policy}' \
             denied request: {words}"
        );
        answer(422, "Invalid", "statefulsets", &message)
    }

    #[test]
    fn each_refusal_has_its_reason_and_says_what_to_do() {
        let cases = [
            (
                denied("aldis-operator-workloads", "pods of the operator run the operator's image and nothing else"),
                Reason::RefusedByPolicy,
                "admission policy aldis-operator-workloads refused StatefulSet smsc-sim: pods of the operator run the \
                 operator's image and nothing else; the chart and the operator's image must be of one version: upgrade \
                 both together",
            ),
            (
                denied("company-labels", "label team is missing"),
                Reason::RefusedByPolicy,
                "admission policy company-labels refused StatefulSet smsc-sim: label team is missing; the platform team \
                 must let the operator's objects pass",
            ),
            (
                answer(
                    403,
                    "Forbidden",
                    "statefulsets",
                    "admission webhook \"labels.example.com\" denied the request: label team is missing",
                ),
                Reason::RefusedByPolicy,
                "admission webhook \"labels.example.com\" denied the request: label team is missing",
            ),
            (
                answer(
                    403,
                    "Forbidden",
                    "persistentvolumeclaims",
                    "persistentvolumeclaims \"smsc-sim\" is forbidden: exceeded quota: few, requested: \
                     persistentvolumeclaims=1, used: persistentvolumeclaims=2, limited: persistentvolumeclaims=2",
                ),
                Reason::QuotaExceeded,
                "persistentvolumeclaims \"smsc-sim\" is forbidden: exceeded quota: few, requested: \
                 persistentvolumeclaims=1, used: persistentvolumeclaims=2, limited: persistentvolumeclaims=2; raise the \
                 quota of the namespace, or delete what is not needed",
            ),
            (answer(403, "Forbidden", "persistentvolumeclaims", CANNOT_GROW), Reason::VolumeCannotGrow, CANNOT_GROW),
            (
                answer(
                    403,
                    "Forbidden",
                    "services",
                    "services is forbidden: User \"system:serviceaccount:aldis-system:aldis-operator\" cannot create \
                     resource \"services\" in API group \"\" in the namespace \"desk\"",
                ),
                Reason::Forbidden,
                "services is forbidden: User \"system:serviceaccount:aldis-system:aldis-operator\" cannot create resource \
                 \"services\" in API group \"\" in the namespace \"desk\"",
            ),
            (
                answer(
                    422,
                    "Invalid",
                    "statefulsets",
                    "StatefulSet.apps \"smsc-sim\" is invalid: \
                     spec.template.spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal \
                     to cpu limit of 1",
                ),
                Reason::InvalidSpec,
                "StatefulSet.apps \"smsc-sim\" is invalid: spec.template.spec.containers[0].resources.requests: Invalid \
                 value: \"2\": must be less than or equal to cpu limit of 1",
            ),
        ];
        for (error, expected, words) in cases {
            let Error::Stalled { reason, message } = error else { panic!("{error:?}") };
            assert_eq!((reason, message.as_str()), (expected, words));
        }
    }

    #[test]
    fn a_policy_that_has_not_seen_the_connector_yet_is_waited_for() {
        let unseen =
            "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction";
        for words in [unseen, "a gateway mounts the Secret that its SmsConnector names and no other"] {
            let error = denied("aldis-operator-credentials", words);
            let Error::Waiting { reason, message, .. } = error else { panic!("{error:?}") };
            assert_eq!(reason, Reason::Progressing);
            assert!(message.contains("StatefulSet smsc-sim") && message.contains(words), "{message}");
        }
    }

    #[test]
    fn what_passes_by_itself_is_transient() {
        let terminating = "services \"smsc-sim\" is forbidden: unable to create new content in namespace desk because it is \
                           being terminated";
        for (code, reason, message) in [
            (403, "Forbidden", terminating),
            (409, "Conflict", "the object has been modified"),
            (500, "InternalError", "etcdserver: request timed out"),
            (429, "TooManyRequests", "too many requests"),
        ] {
            let error = answer(code, reason, "services", message);
            assert!(matches!(error, Error::Transient(_)), "{error:?}");
        }
    }
}
