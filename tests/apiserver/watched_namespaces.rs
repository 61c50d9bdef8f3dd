//! An operator that looks after some namespaces only has no rights in the others, and needs none: each kind is watched per namespace.

use crate::{
    desk::Desk,
    support::{
        operator::{ACCOUNT, Flags, Operator},
        testbed::{Cluster, eventually},
    },
};

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/aldis");
const SYSTEM: &str = "aldis-system";

fn may(cluster: &Cluster, verb: &str, resource: &str, whereabouts: &[&str]) -> bool {
    let account = format!("--as={ACCOUNT}");
    let mut arguments = vec!["auth", "can-i", verb, resource, &account];
    arguments.extend(whereabouts);
    cluster.kubectl(&arguments).stdout.trim() == "yes"
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_of_some_namespaces_has_rights_in_these_only() {
    let cluster = Cluster::start("kwok", &[]);
    crate::support::kinds::install(&cluster);
    let (one, other, outside) = (Desk::new(&cluster), Desk::new(&cluster), Desk::new(&cluster));
    let watched = [one.namespace.as_str(), other.namespace.as_str()];
    let namespaces = format!("watchNamespaces={{{}}}", watched.join(","));
    let values = "crds.enabled=false,image.repository=aldis,image.tag=test";
    let arguments =
        ["install", "aldis", CHART, "-n", SYSTEM, "--create-namespace", "--set", values, "--set", &namespaces];
    cluster.helm(&arguments).ok();

    let _operator = Operator::start_as_itself(&cluster, &watched, Flags::default()).await;
    for desk in [&one, &other, &outside] {
        desk.apply(&desk.whole());
    }
    for desk in [&one, &other] {
        desk.wait_ready("smsconnector/sim");
        desk.wait_ready("smschannel/support");
    }
    // What happens in one of them is seen: the child is put right.
    one.kubectl(&["delete", "service/sms-support"]);
    eventually("the Service is made again", || one.get("service/sms-support"));

    let channel = outside.get("smschannel/support").unwrap();
    assert!(channel["status"]["observedGeneration"] == -1, "nobody has looked at it: {channel}");
    assert!(outside.get("statefulset/sms-support").is_none());
    for (verb, resource) in
        [("list", "configmaps"), ("create", "statefulsets"), ("get", "smschannels"), ("watch", "pods")]
    {
        for namespace in watched {
            assert!(may(&cluster, verb, resource, &["-n", namespace]), "{verb} {resource} in {namespace}");
        }
        for whereabouts in [&["-A"][..], &["-n", &outside.namespace], &["-n", "kube-system"]] {
            assert!(!may(&cluster, verb, resource, whereabouts), "{verb} {resource} {whereabouts:?}");
        }
    }
}
