//! Kubernetes Events: on transitions only, with the reason of the condition.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{
    Client, Resource,
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use parking_lot::Mutex;
use tracing::debug;

use crate::api::{ConditionType, Reason};

/// Longest note that the API server takes, in bytes.
const NOTE: usize = 1000;

/// Reasons that come and go with every start and every change.
const PASSING: [Reason; 4] = [Reason::Starting, Reason::Applying, Reason::Progressing, Reason::NotCheckedYet];

/// Reasons that pass by themselves when objects are applied together: they come in any order.
const ARRIVING: [Reason; 3] = [Reason::CampaignNotFound, Reason::ConnectorNotFound, Reason::BotNotFound];
/// Nobody is warned of them for so long after the object was created.
const ARRIVAL: Duration = Duration::from_secs(10);

/// A recorder remembers the Events of six minutes, to count one that comes again, and walks through all of them at each new one. So it
/// publishes this many, and then another one takes its place.
const OF_A_RECORDER: u32 = 256;

/// Publishes Events.
pub(crate) struct Events {
    client: Client,
    reporter: Reporter,
    /// The recorder at work, and how many Events it has published.
    recorder: Mutex<(Recorder, u32)>,
}

impl Events {
    /// Events of this replica.
    pub(crate) fn new(client: Client, identity: &str) -> Self {
        let reporter = Reporter { controller: "aldis.dev/operator".into(), instance: Some(identity.to_owned()) };
        let recorder = Mutex::new((Recorder::new(client.clone(), reporter.clone()), 0));
        Self { client, reporter, recorder }
    }

    fn recorder(&self) -> Recorder {
        let mut current = self.recorder.lock();
        if current.1 >= OF_A_RECORDER {
            *current = (Recorder::new(self.client.clone(), self.reporter.clone()), 0);
        }
        current.1 += 1;
        current.0.clone()
    }

    /// Publishes one Event. An Event that is lost is lost: status tells the same.
    pub(crate) async fn publish<K: Resource<DynamicType = ()>>(
        &self,
        about: &K,
        warning: bool,
        reason: &str,
        note: &str,
    ) {
        let mut note = note.to_owned();
        if note.len() > NOTE {
            let end = (0..=NOTE).rev().find(|end| note.is_char_boundary(*end)).unwrap_or(0);
            note.truncate(end);
        }
        let event = Event {
            type_: if warning { EventType::Warning } else { EventType::Normal },
            reason: reason.to_owned(),
            note: Some(note),
            action: "Reconcile".into(),
            secondary: None,
        };
        if let Err(error) = self.recorder().publish(&event, &about.object_ref(&())).await {
            debug!(%error, reason, "the event was not taken");
        }
    }

    /// Publishes what changed between two lists of conditions.
    pub(crate) async fn transitions<K: Resource<DynamicType = ()>>(
        &self,
        about: &K,
        old: &[Condition],
        new: &[Condition],
    ) {
        let created = about.meta().creation_timestamp.as_ref().map(|created| created.0);
        for condition in transitions(old, new) {
            let warning = is_warning(condition, created, Timestamp::now());
            self.publish(about, warning, &condition.reason, &condition.message).await;
        }
    }

    /// Publishes that something of ours was put right.
    pub(crate) async fn repaired<K: Resource<DynamicType = ()>>(&self, about: &K, what: &[String]) {
        for child in what {
            let note = format!("{child} had been changed by somebody else and was put right");
            self.publish(about, false, Reason::Repaired.as_str(), &note).await;
        }
    }
}

/// The conditions whose status or reason is news for people. Hours come and go, and progress is in Ready; that all is well for the first
/// time is said once, by Ready.
fn transitions<'a>(old: &[Condition], new: &'a [Condition]) -> Vec<&'a Condition> {
    let silent =
        [ConditionType::Reconciling, ConditionType::Stalled, ConditionType::InHours, ConditionType::ConfigApplied];
    new.iter()
        .filter(|condition| !silent.iter().any(|silent| silent.as_str() == condition.type_))
        .filter(|condition| condition.status != "Unknown")
        .filter(|condition| !PASSING.iter().any(|passing| passing.as_str() == condition.reason))
        .filter(|condition| {
            let before = old.iter().find(|before| before.type_ == condition.type_);
            let is_known = before.is_some_and(|before| before.status != "Unknown");
            let is_same =
                before.is_some_and(|before| (&before.status, &before.reason) == (&condition.status, &condition.reason));
            let is_said = is_known || condition.status == "False" || condition.type_ == ConditionType::Ready.as_str();
            is_said && !is_same
        })
        .collect()
}

fn is_warning(condition: &Condition, created: Option<Timestamp>, now: Timestamp) -> bool {
    let is_new =
        created.is_some_and(|created| Duration::try_from(now.duration_since(created)).unwrap_or_default() < ARRIVAL);
    let arrives = is_new && ARRIVING.iter().any(|arriving| arriving.as_str() == condition.reason);
    condition.status != "True" && !arrives
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{ConditionStatus, Conditions};

    fn list_of(type_: ConditionType, status: ConditionStatus, reason: Reason) -> Vec<Condition> {
        let mut conditions = Conditions::from_status(&[], 1, jiff::Timestamp::UNIX_EPOCH);
        conditions.set(type_, status, reason, "");
        conditions.into_list()
    }

    fn list(status: ConditionStatus, reason: Reason) -> Vec<Condition> {
        list_of(ConditionType::CredentialsValid, status, reason)
    }

    #[test]
    fn that_all_is_well_for_the_first_time_is_said_by_ready_alone() {
        let first = |type_, status, reason| transitions(&[], &list_of(type_, status, reason)).len();
        assert_eq!(first(ConditionType::CredentialsValid, ConditionStatus::True, Reason::Accepted), 0);
        assert_eq!(first(ConditionType::CredentialsValid, ConditionStatus::False, Reason::SecretMissing), 1);
        assert_eq!(first(ConditionType::Ready, ConditionStatus::True, Reason::Available), 1);
        let unknown = list(ConditionStatus::Unknown, Reason::ProviderError);
        assert_eq!(transitions(&unknown, &list(ConditionStatus::True, Reason::Accepted)).len(), 0);
    }

    #[test]
    fn an_unchanged_condition_is_no_event() {
        let old = list(ConditionStatus::False, Reason::SecretMissing);
        assert!(transitions(&old, &old).is_empty());
        assert_eq!(transitions(&old, &list(ConditionStatus::True, Reason::Accepted)).len(), 1);
        assert_eq!(transitions(&old, &list(ConditionStatus::False, Reason::SecretKeyMissing)).len(), 1);
    }

    #[test]
    fn nobody_is_warned_at_once_of_what_arrives_with_the_object() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let cases = [
            (Reason::ConnectorNotFound, 1, false),
            (Reason::CampaignNotFound, 9, false),
            (Reason::ConnectorNotFound, 10, true),
            (Reason::SecretMissing, 1, true),
        ];
        for (reason, age, warns) in cases {
            let conditions = list(ConditionStatus::False, reason);
            assert_eq!(is_warning(&conditions[0], Some(at(100)), at(100 + age)), warns, "{reason} after {age} s");
        }
        assert!(is_warning(&list(ConditionStatus::False, Reason::ConnectorNotFound)[0], None, at(100)));
        assert!(!is_warning(&list(ConditionStatus::True, Reason::Accepted)[0], Some(at(0)), at(100)));
    }
}
