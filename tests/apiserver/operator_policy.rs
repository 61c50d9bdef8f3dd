//! The operator's rights and the policies that bind its account: enough for its work, and for nothing else.

use serde_json::{Value, json};

use crate::{
    desk::Desk,
    support::{
        operator::{ACCOUNT, Operator},
        testbed::{Cluster, eventually},
    },
};

/// An API server with the operator's account as the chart makes it.
fn bound_cluster() -> Cluster {
    let cluster = Cluster::start("kwok", &[]);
    crate::support::kinds::install(&cluster);
    cluster.kubectl(&["create", "namespace", "aldis-system"]).ok();
    cluster.kubectl(&["create", "serviceaccount", "aldis-operator", "-n", "aldis-system"]).ok();
    let parameters = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "aldis-operator-policy", "namespace": "aldis-system"},
        "data": {"account": ACCOUNT, "namespace": "aldis-system", "image": "aldis:test"},
    });
    cluster.apply(&parameters.to_string()).ok();
    for part in ["rbac", "policy"] {
        let path = format!("{}/charts/aldis/generated/{part}.yaml", env!("CARGO_MANIFEST_DIR"));
        cluster.apply(&std::fs::read_to_string(path).unwrap()).ok();
    }
    let account = "--serviceaccount=aldis-system:aldis-operator";
    cluster.kubectl(&["create", "clusterrolebinding", "aldis-operator", "--clusterrole=aldis-operator", account]).ok();
    cluster
        .kubectl(&["create", "rolebinding", "aldis-operator", "-n", "aldis-system", "--role=aldis-operator", account])
        .ok();
    cluster
}

/// What the API server says to the operator's account that applies this; nothing is stored.
fn try_apply(cluster: &Cluster, object: &Value) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("object.json");
    std::fs::write(&file, object.to_string()).unwrap();
    let file = file.to_string_lossy().into_owned();
    let output = cluster.kubectl(&["create", "--dry-run=server", "--as", ACCOUNT, "-f", &file]);
    if output.success { Ok(()) } else { Err(output.stderr) }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_does_its_work_with_its_own_rights_and_no_more() {
    let cluster = bound_cluster();
    let desk = Desk::new(&cluster);
    let operator = Operator::start_as_itself(&cluster, &[&desk.namespace]).await;
    desk.apply(&desk.whole());
    desk.wait_ready("smschannel/support");
    desk.wait_ready("smsconnector/sim");

    let rights = cluster.kubectl(&["auth", "can-i", "--list", "--as", ACCOUNT, "-n", &desk.namespace]).ok();
    assert!(rights.contains("statefulsets.apps") && !rights.contains("secrets"), "{rights}");

    // A template as the operator itself applies it, under the names of others.
    let mut template = desk.get("statefulset/smsc-sim").unwrap();
    let metadata = template["metadata"].as_object_mut().unwrap();
    for field in ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"] {
        metadata.remove(field);
    }
    template.as_object_mut().unwrap().remove("status");
    let control = with(&template, "/metadata/name", json!("smsc-other"));
    let control = Value::String(control.to_string().replace("smsc-sim", "smsc-other"));
    let control: Value = serde_json::from_str(control.as_str().unwrap()).unwrap();
    eventually("the policies are in force, and let this through", || try_apply(&cluster, &control).ok());

    let pod = "/spec/template/spec";
    let elsewhere = cluster.namespace("elsewhere");
    let text = control.to_string().replace(&desk.namespace, &elsewhere);
    let elsewhere: Value = serde_json::from_str(&text).unwrap();
    let secret = json!({"name": "credentials", "secret": {"secretName": "somebody-elses"}});
    let own_name = serde_json::from_str(&control.to_string().replace("smsc-other", "smsc-sim")).unwrap();
    let refusals = [
        ("image", with(&control, &format!("{pod}/containers/0/image"), json!("miner:1")), "run the operator's image"),
        (
            "account",
            with(&control, &format!("{pod}/serviceAccountName"), json!("admin")),
            "ServiceAccount of their own name",
        ),
        ("token", with(&control, &format!("{pod}/automountServiceAccountToken"), json!(true)), "mount no token"),
        ("host", with(&control, &format!("{pod}/hostNetwork"), json!(true)), "no part of the node"),
        (
            "environment",
            with(&control, &format!("{pod}/containers/0/env"), json!([{"name": "A", "value": "b"}])),
            "nothing from their environment",
        ),
        (
            "command",
            with(&control, &format!("{pod}/containers/0/command"), json!(["sh"])),
            "nothing from their environment",
        ),
        (
            "path of the node",
            with(&control, &format!("{pod}/volumes/0"), json!({"name": "config", "hostPath": {"path": "/"}})),
            "mount their own",
        ),
        ("Secret where no connector is", elsewhere, "no params found"),
        (
            "Secret of another name",
            with(&own_name, &format!("{pod}/volumes/3"), secret),
            "the Secret that its SmsConnector names",
        ),
    ];
    for (what, object, message) in refusals {
        let said = try_apply(&cluster, &object).expect_err(what);
        assert!(said.contains(message), "{what}: {said}");
    }

    let map = |name: &str, manager: &str| {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": desk.namespace, "labels": {"app.kubernetes.io/managed-by": manager}},
        })
    };
    try_apply(&cluster, &map("sms-a", "aldis")).unwrap();
    let said = try_apply(&cluster, &map("database", "aldis")).expect_err("another name");
    assert!(said.contains("named sms-… and smsc-… only"), "{said}");
    let said = try_apply(&cluster, &map("sms-a", "somebody")).expect_err("no label");
    assert!(said.contains("carry its label"), "{said}");

    let service = |selector: &str| {
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "sms-a", "namespace": desk.namespace, "labels": {"app.kubernetes.io/managed-by": "aldis"}},
            "spec": {"selector": {"app.kubernetes.io/instance": selector}, "ports": [{"port": 1}]},
        })
    };
    try_apply(&cluster, &service("sms-a")).unwrap();
    let said = try_apply(&cluster, &service("payments")).expect_err("a Service of another pod");
    assert!(said.contains("select the pod of their own name"), "{said}");

    let patch = |patch: &str| {
        let name = "smsc-sim-0";
        cluster.kubectl(&[
            "patch",
            "pod",
            name,
            "-n",
            &desk.namespace,
            "--as",
            ACCOUNT,
            "--dry-run=server",
            "--type=merge",
            "-p",
            patch,
        ])
    };
    patch(r#"{"metadata":{"annotations":{"aldis.dev/config":"x"}}}"#).ok();
    for refused in [
        r#"{"metadata":{"annotations":{"other":"x"}}}"#,
        r#"{"metadata":{"labels":{"other":"x"}}}"#,
        r#"{"spec":{"activeDeadlineSeconds":1}}"#,
    ] {
        let said = patch(refused).refused();
        assert!(said.contains("one annotation"), "{said}");
    }
    let other = r#"{"spec":{"enabled":false}}"#;
    let said = cluster
        .kubectl(&["patch", "smschannel/support", "-n", &desk.namespace, "--as", ACCOUNT, "--type=merge", "-p", other])
        .refused();
    assert!(said.contains("does not change what people wrote"), "{said}");
    // Others are not bound.
    cluster.kubectl(&["run", "theirs", "--image=theirs", "-n", &desk.namespace]).ok();
    assert!(operator.log().contains("leading"));
}

fn with(object: &Value, pointer: &str, value: Value) -> Value {
    let mut object = object.clone();
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    let parent = object.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}"));
    match parent {
        Value::Array(list) => list[field.parse::<usize>().unwrap()] = value,
        parent => parent[field] = value,
    }
    object
}
