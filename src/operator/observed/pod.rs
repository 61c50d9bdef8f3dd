//! What the pod of a gateway or engine says about itself through Kubernetes, and together with its own answers.

use std::{net::IpAddr, sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodCondition};
use kube::ResourceExt;

use crate::{
    api::{ConditionStatus, Reason},
    operator::{
        observed::{context::Context, samples::Sampled},
        resources::{
            child::{Owner, controller_uid},
            kinds::ChildKind,
        },
        runtime::{cache::ObjectKey, desired_condition::DesiredCondition, index::Term},
    },
};

/// Who has the place of an owner's pod.
#[derive(Default)]
pub(crate) struct Place {
    /// The owner's own pod.
    pub pod: Option<Arc<Pod>>,
    /// That somebody else's pod has the place of the one that the owner's StatefulSet shall make.
    pub taken: Option<DesiredCondition>,
}

/// The pod `<child>-0` of an owner, if the owner's StatefulSet has made it. Whoever may make pods in the namespace can make one of that
/// name with those labels, and whoever may change the Service can lead it elsewhere: neither is asked.
pub(crate) fn of(context: &Context, owner: &Owner) -> Option<Arc<Pod>> {
    place(context, owner).pod
}

/// The pod `<child>-0`, whoever's it is.
pub(crate) fn place(context: &Context, owner: &Owner) -> Place {
    let key = ObjectKey::new(&owner.namespace, format!("{}-0", owner.child_name));
    let Some(pod) = context.cluster.pods.get(&key) else { return Place::default() };
    let set = set_of(context, owner);
    if set.is_some() && controller_uid(&*pod) == set.as_deref() {
        Place { pod: Some(pod), taken: None }
    } else {
        Place { pod: None, taken: taken(&pod, owner) }
    }
}

/// UID of the owner's StatefulSet.
fn set_of(context: &Context, owner: &Owner) -> Option<String> {
    let (sets, key) =
        (context.cluster.children.of(ChildKind::StatefulSet), ObjectKey::new(&owner.namespace, &owner.child_name));
    let is_owned =
        sets.has(&Term::Controller(owner.uid.clone()), &key) || sets.get(&key).is_some_and(|set| owner.owns(&set));
    sets.uid(&key).filter(|uid| is_owned && !uid.is_empty())
}

fn taken(pod: &Pod, owner: &Owner) -> Option<DesiredCondition> {
    // One of a StatefulSet before this one ends by itself, and one without a controller is adopted.
    let controller = pod.owner_references().iter().find(|reference| reference.controller == Some(true))?;
    (controller.kind != "StatefulSet").then(|| {
        let (name, kind, child) = (pod.name_any(), &controller.kind, &owner.child_name);
        let message =
            format!("pod {name} belongs to {kind} {} and not to StatefulSet {child}: delete it", controller.name);
        DesiredCondition::no(Reason::NameConflict, message)
    })
}

/// Where the pod listens. An address that no pod has (of the node itself, or of its link) is none: whoever may write the status of pods
/// must not send the operator there.
pub(crate) fn address(pod: &Pod) -> Option<IpAddr> {
    let text = pod.status.as_ref()?.pod_ip.as_deref()?;
    let address: IpAddr = text.parse().ok()?;
    let is_local = match address {
        IpAddr::V4(address) => address.is_link_local() || address.is_broadcast(),
        IpAddr::V6(address) => address.is_unicast_link_local() || address.to_ipv4_mapped().is_some(),
    };
    (!is_local && !address.is_loopback() && !address.is_unspecified() && !address.is_multicast()).then_some(address)
}

/// Whether the pod runs, by Kubernetes and by its own answers. None: nobody has asked it yet since this operator started, so
/// what was said before stands.
pub(crate) fn availability<T>(pod: Option<&Pod>, seen: &Sampled<T>) -> Option<DesiredCondition> {
    let by_kubernetes = readiness(pod);
    if by_kubernetes.status != ConditionStatus::True {
        return Some(by_kubernetes);
    }
    match seen {
        Sampled::Answered(_) => Some(by_kubernetes),
        Sampled::Unreachable { message, .. } => Some(DesiredCondition::unknown(
            Reason::Unreachable,
            format!("the pod runs, but the operator cannot read its status: {message}"),
        )),
        Sampled::Never => None,
    }
}

/// Whether the pod works, by Kubernetes.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    readiness(Some(pod)).status == ConditionStatus::True
}

/// How soon the pod is to be asked: one that runs and has not been heard yet has somebody waiting for its word.
pub(crate) fn asked_within<T>(pod: Option<&Pod>, seen: &Sampled<T>, first: Duration, interval: Duration) -> Duration {
    let is_waited_for = matches!(seen, Sampled::Never) && readiness(pod).status == ConditionStatus::True;
    if is_waited_for { first.min(interval) } else { interval }
}

/// Whether the pod runs, by Kubernetes.
fn readiness(pod: Option<&Pod>) -> DesiredCondition {
    let Some(pod) = pod else {
        return DesiredCondition::no(Reason::Starting, "the pod is being made");
    };
    let status = pod.status.clone().unwrap_or_default();
    let condition = |type_: &str| status.conditions.iter().flatten().find(|condition| condition.type_ == type_);
    let containers = status.container_statuses.clone().unwrap_or_default();
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default();
    let ready = condition("Ready");
    if status.reason.as_deref() == Some("NodeLost") || is_node_silent(ready, &containers) {
        return DesiredCondition::no(
            Reason::NodeLost,
            format!("node {node} does not answer; it comes back with the node"),
        );
    }
    if pod.metadata.deletion_timestamp.is_some() {
        return DesiredCondition::no(Reason::Starting, "the pod is being replaced");
    }
    if ready.is_some_and(|ready| ready.status == "True") {
        return DesiredCondition::yes(Reason::Running, "the pod runs and answers");
    }
    if let Some(scheduled) = condition("PodScheduled").filter(|scheduled| scheduled.status == "False") {
        return unscheduled(scheduled);
    }
    containers.iter().find_map(trouble).unwrap_or_else(|| DesiredCondition::no(Reason::Starting, "the pod starts"))
}

/// The node controller calls a pod not ready when its node is silent; the containers' last word was that they are.
fn is_node_silent(ready: Option<&PodCondition>, containers: &[ContainerStatus]) -> bool {
    ready.is_some_and(|ready| ready.status != "True")
        && !containers.is_empty()
        && containers.iter().all(|container| container.ready)
}

fn unscheduled(condition: &PodCondition) -> DesiredCondition {
    let message = condition.message.clone().unwrap_or_default();
    let lower = message.to_lowercase();
    if lower.contains("persistentvolumeclaim") || lower.contains("persistent volume") {
        DesiredCondition::no(Reason::VolumePending, format!("the pod waits for its volume: {message}"))
    } else {
        DesiredCondition::no(Reason::Unschedulable, format!("no node takes the pod: {message}"))
    }
}

fn trouble(container: &ContainerStatus) -> Option<DesiredCondition> {
    let state = container.state.as_ref()?;
    let last_words = || {
        let last = container.last_state.as_ref().and_then(|state| state.terminated.as_ref())?;
        let message = last.message.clone().or_else(|| last.reason.clone()).unwrap_or_default();
        Some(format!("exit code {}: {message}", last.exit_code))
    };
    if let Some(waiting) = &state.waiting {
        let reason = waiting.reason.as_deref().unwrap_or_default();
        let message = waiting.message.clone().unwrap_or_default();
        return match reason {
            "ImagePullBackOff" | "ErrImagePull" | "InvalidImageName" | "ErrImageNeverPull" | "ImageInspectError" => {
                Some(DesiredCondition::no(Reason::ImageUnavailable, format!("{reason}: image {}", container.image)))
            }
            "CrashLoopBackOff" => {
                let words = last_words().unwrap_or(message);
                Some(DesiredCondition::no(Reason::Crashing, format!("the container ends again and again; {words}")))
            }
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
                Some(DesiredCondition::no(Reason::Crashing, format!("{reason}: {message}")))
            }
            _ => None,
        };
    }
    state.terminated.as_ref().map(|ended| {
        let message = ended.message.clone().or_else(|| ended.reason.clone()).unwrap_or_default();
        DesiredCondition::no(
            Reason::Crashing,
            format!("the container ended with exit code {}: {message}", ended.exit_code),
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(status: Value) -> Pod {
        serde_json::from_value(
            json!({"metadata": {"name": "p"}, "spec": {"nodeName": "n1", "containers": []}, "status": status}),
        )
        .unwrap()
    }

    fn waiting(reason: &str) -> Value {
        json!({"containerStatuses": [{
            "name": "engine", "image": "aldis:1", "imageID": "", "ready": false, "restartCount": 4,
            "state": {"waiting": {"reason": reason, "message": "m"}},
        }]})
    }

    #[test]
    fn each_trouble_has_its_reason() {
        let unschedulable = |message: &str| json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]});
        let silent_node = json!({
            "conditions": [{"type": "Ready", "status": "False"}],
            "containerStatuses": [{"name": "engine", "image": "a", "imageID": "", "ready": true, "restartCount": 0}],
        });
        let cases = [
            (waiting("ImagePullBackOff"), Reason::ImageUnavailable),
            (waiting("ErrImagePull"), Reason::ImageUnavailable),
            (waiting("CrashLoopBackOff"), Reason::Crashing),
            (waiting("CreateContainerConfigError"), Reason::Crashing),
            (waiting("ContainerCreating"), Reason::Starting),
            (unschedulable("0/1 nodes are available: Insufficient memory."), Reason::Unschedulable),
            (unschedulable("pod has unbound immediate PersistentVolumeClaims"), Reason::VolumePending),
            (silent_node, Reason::NodeLost),
            (json!({"reason": "NodeLost"}), Reason::NodeLost),
            (json!({}), Reason::Starting),
            (json!({"conditions": [{"type": "Ready", "status": "True"}]}), Reason::Running),
        ];
        for (status, reason) in cases {
            assert_eq!(readiness(Some(&pod(status.clone()))).reason, reason, "{status}");
        }
        assert_eq!(readiness(None).reason, Reason::Starting);
    }

    #[test]
    fn a_pod_is_asked_at_addresses_that_pods_have_only() {
        let found = |ip: &str| address(&pod(json!({"podIP": ip})));
        for ip in ["10.244.0.7", "192.168.1.2", "2001:db8::7", "fd00::7"] {
            assert_eq!(found(ip), Some(ip.parse().unwrap()));
        }
        for ip in [
            "127.0.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "224.0.0.1",
            "::1",
            "fe80::1",
            "::ffff:169.254.169.254",
            "metadata",
            "",
        ] {
            assert_eq!(found(ip), None, "{ip}");
        }
        assert_eq!(address(&pod(json!({}))), None);
    }

    #[test]
    fn a_pod_that_has_just_become_ready_is_asked_at_once() {
        let running = pod(json!({"conditions": [{"type": "Ready", "status": "True"}]}));
        let interval = Duration::from_secs(5);
        let within = |pod: Option<&Pod>, seen: &Sampled<()>| asked_within(pod, seen, Duration::ZERO, interval);
        assert_eq!(within(Some(&running), &Sampled::Never), Duration::ZERO);
        assert_eq!(within(Some(&running), &Sampled::Answered(Arc::new(()))), interval);
        assert_eq!(within(Some(&pod(json!({}))), &Sampled::Never), interval);
        assert_eq!(within(None, &Sampled::Never), interval);
    }

    #[test]
    fn a_pod_that_runs_but_does_not_answer_is_unknown_and_not_false() {
        let running = pod(json!({"conditions": [{"type": "Ready", "status": "True"}]}));
        let seen: Sampled<()> = Sampled::Unreachable { message: "timeout".into(), last: None };
        let desired = availability(Some(&running), &seen).unwrap();
        assert_eq!((desired.status, desired.reason), (ConditionStatus::Unknown, Reason::Unreachable));
        assert_eq!(availability::<()>(Some(&running), &Sampled::Never), None);
        assert_eq!(availability::<()>(None, &Sampled::Never).unwrap().reason, Reason::Starting);
    }
}
