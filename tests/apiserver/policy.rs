//! The operator's rights and the policies that bind its account, as the chart installs them: enough for its work, and for
//! nothing else. Whatever is refused here is what the operator itself made, changed in one thing only.

use serde_json::{Value, json};

use crate::{
    admission::{as_made, differences_are_refused, make, refusal, refused, with},
    desk::Desk,
    support::{
        operator::{ACCOUNT, Flags, Operator, settled},
        testbed::{Cluster, eventually},
    },
};

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/aldis");
const SYSTEM: &str = "aldis-system";

/// An API server with the chart on it. The Deployment's pods are simulated, so another operator does the work.
fn bound_cluster() -> Cluster {
    let cluster = Cluster::start("kwok", &[]);
    crate::support::kinds::install(&cluster);
    install(&cluster, "test", &["mirror", "registry"]);
    cluster
}

/// Installs or upgrades the chart with a tag of the image and the Secrets with which it is pulled.
fn install(cluster: &Cluster, tag: &str, secrets: &[&str]) {
    let secrets: Vec<_> = secrets.iter().map(|name| json!({"name": name})).collect();
    let values = json!({
        "crds": {"enabled": false}, "image": {"repository": "aldis", "tag": tag}, "imagePullSecrets": secrets,
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), values.to_string()).unwrap();
    let file = file.path().to_str().unwrap();
    // What a test patched in the meantime is the chart's again.
    let release = ["upgrade", "--install", "aldis", CHART, "-n", SYSTEM, "--create-namespace", "--force-conflicts"];
    cluster.helm(&[&release[..], &["--values", file]].concat()).ok();
}

/// Settings of an operator that the chart with this tag and these Secrets brings.
fn flags(tag: &str, secrets: &[&str]) -> Flags {
    let more = vec![format!("--image-pull-secrets={}", secrets.join(","))];
    Flags { image: format!("aldis:{tag}"), more, ..Flags::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_does_its_work_with_its_own_rights_and_no_more() {
    let cluster = bound_cluster();
    let desk = Desk::new(&cluster);
    let watched = [desk.namespace.as_str()];
    let operator = Operator::start_as_itself(&cluster, &watched, flags("test", &["mirror", "registry"])).await;
    desk.apply(&desk.whole());
    desk.wait_ready("smschannel/support");
    desk.wait_ready("smsconnector/sim");

    for namespace in [desk.namespace.as_str(), SYSTEM, "kube-system"] {
        its_rights_have_no_secrets_and_no_wildcard(&cluster, namespace);
    }
    an_operator_of_another_version_is_told_and_goes_on_when_it_fits_again(&desk);
    secrets_for_pulling_that_others_add_are_taken_out(&desk);
    a_pod_is_changed_in_one_annotation_only(&desk);
    what_people_wrote_stays(&desk);

    drop(operator);
    install(&cluster, "next", &["registry"]);
    let operator = Operator::start_as_itself(&cluster, &watched, flags("next", &["registry"])).await;
    image_and_secrets_for_pulling_change_in_one_write(&desk, &operator).await;

    drop(operator);
    let made = Made::take_away(&desk);
    a_foreign_name_or_label_is_refused(&desk, &made);
    a_gateway_is_as_the_operator_makes_it(&desk, &made);
    the_image_is_pulled_with_the_secrets_of_the_installation_and_no_other(&desk, &made);
    an_engine_sees_no_credentials(&desk, &made);
    accounts_and_services_lead_nowhere_else(&desk, &made);
    a_secret_is_mounted_only_where_a_connector_names_it(&desk, &made);
    a_gateway_is_led_to_the_address_that_its_connector_names(&desk, &made);
    a_token_of_the_operator_is_short_and_for_one_namespace(&cluster);
    deleting_is_for_its_own(&desk);
    others_are_not_bound(&cluster);
}

/// As in a chart that was upgraded without the operator: the spec is not at fault.
fn an_operator_of_another_version_is_told_and_goes_on_when_it_fits_again(desk: &Desk<'_>) {
    let expect_image = |image: &str| {
        let patch = json!({"data": {"image": image}}).to_string();
        desk.cluster
            .kubectl(&["patch", "configmap/aldis-operator-policy", "-n", SYSTEM, "--type=merge", "-p", &patch])
            .ok();
    };
    expect_image("aldis:newer");
    desk.apply(&desk.channel("support", "+15551230001", ", engine: {resources: {requests: {cpu: 20m}}}"));
    let message = desk.until("smschannel/support", "Stalled", "True", "RefusedByPolicy");
    assert_eq!(
        message,
        "admission policy aldis-operator-workloads refused StatefulSet sms-support: pods of the operator run the operator's \
         image and nothing else; the chart and the operator's image must be of one version: upgrade both together"
    );
    expect_image("aldis:test");
    desk.wait_ready("smschannel/support");
}

/// Image and Secrets of a StatefulSet's pods.
fn pulled(desk: &Desk<'_>, set: &str) -> (Value, Value) {
    let pod = desk.get(&format!("statefulset/{set}")).unwrap()["spec"]["template"]["spec"].clone();
    (pod["containers"][0]["image"].clone(), pod["imagePullSecrets"].clone())
}

fn secrets_for_pulling_that_others_add_are_taken_out(desk: &Desk<'_>) {
    let ours = json!([{"name": "mirror"}, {"name": "registry"}]);
    for set in ["smsc-sim", "sms-support"] {
        assert_eq!(pulled(desk, set), (json!("aldis:test"), ours.clone()), "{set}");
        let theirs = r#"{"spec":{"template":{"spec":{"imagePullSecrets":[{"name":"theirs"}]}}}}"#;
        desk.kubectl(&["patch", &format!("statefulset/{set}"), "--type=strategic", "-p", theirs]);
        eventually("the Secret of others is taken out", || (pulled(desk, set).1 == ours).then_some(()));
    }
    desk.wait_ready("smschannel/support");
}

/// The policies refuse the former image as well as the former Secret, so neither can be changed before the other.
async fn image_and_secrets_for_pulling_change_in_one_write(desk: &Desk<'_>, operator: &Operator) {
    for set in ["smsc-sim", "sms-support"] {
        let expected = (json!("aldis:next"), json!([{"name": "registry"}]));
        eventually("the new image", || (pulled(desk, set) == expected).then_some(()));
        let writes = settled(async || operator.proxy.writes()).await;
        let of_this: Vec<_> =
            writes.iter().filter(|write| write.path.ends_with(&format!("/statefulsets/{set}"))).collect();
        assert_eq!(of_this.len(), 1, "{of_this:?}");
    }
    desk.wait_ready("smschannel/support");
    desk.wait_ready("smsconnector/sim");
}

/// Not where no connector is, and not when the policies' parameters are gone either.
fn others_are_not_bound(cluster: &Cluster) {
    let elsewhere = cluster.namespace("elsewhere");
    let theirs = |name: &str| {
        let labels = json!({"app": name});
        let template =
            json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": "it", "image": "theirs"}]}});
        json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name, "namespace": elsewhere},
            "spec": {"serviceName": name, "selector": {"matchLabels": labels}, "template": template},
        })
    };
    cluster.apply(&theirs("before").to_string()).ok();
    cluster.kubectl(&["delete", "configmap/aldis-operator-policy", "-n", SYSTEM]).ok();
    cluster.apply(&theirs("after").to_string()).ok();
}

fn its_rights_have_no_secrets_and_no_wildcard(cluster: &Cluster, namespace: &str) {
    let account = format!("--as={ACCOUNT}");
    let rights = cluster.kubectl(&["auth", "can-i", "--list", &account, "-n", namespace]).ok();
    assert!(rights.contains("statefulsets.apps") && rights.contains("smschannels.aldis.dev"), "{rights}");
    // Paths that everybody may read begin with a slash; neither kinds nor verbs may be "all".
    let is_everything = |word: &str| word.starts_with('*') || word == "[*]" || word.contains(".*");
    for line in rights.lines() {
        assert!(!line.contains("secret") && !line.split_whitespace().any(is_everything), "{namespace}: {line}");
    }
    for verb in ["get", "list", "watch", "create", "update", "patch", "delete"] {
        let said = cluster.kubectl(&["auth", "can-i", verb, "secrets", &account, "-n", namespace]);
        assert_eq!(said.stdout.trim(), "no", "{verb}");
    }
    let said = cluster.kubectl(&["auth", "can-i", "list", "configmaps", &account, "-n", namespace]);
    assert_eq!(said.stdout.trim(), "yes");
}

/// What the operator made, as it would make it again.
struct Made {
    gateway: Value,
    engine: Value,
    account: Value,
    config: Value,
    service: Value,
}

impl Made {
    /// Takes it away, so that making it again is the control.
    fn take_away(desk: &Desk<'_>) -> Self {
        let take = |what: &str| {
            let object = desk.get(what).unwrap_or_else(|| panic!("no {what}"));
            desk.kubectl(&["delete", what]);
            as_made(object)
        };
        Self {
            gateway: take("statefulset/smsc-sim"),
            engine: take("statefulset/sms-support"),
            account: take("serviceaccount/smsc-sim"),
            config: take("configmap/smsc-sim"),
            service: take("service/smsc-sim"),
        }
    }
}

fn a_foreign_name_or_label_is_refused(desk: &Desk<'_>, made: &Made) {
    const NAME: &str = "the operator may write objects named sms-… and smsc-… only";
    const LABEL: &str = "the operator may write objects only that carry its label";
    const OWNER: &str = "what the operator makes belongs to an SmsConnector or SmsChannel";
    let owner =
        |kind: &str| json!([{"apiVersion": "apps/v1", "kind": kind, "name": "x", "uid": "x", "controller": true}]);
    for control in [&made.account, &made.config] {
        differences_are_refused(
            desk.cluster,
            control,
            vec![
                refused("name", "/metadata/name", json!("database"), NAME),
                refused("no labels", "/metadata/labels", json!({}), LABEL),
                refused("label", "/metadata/labels", json!({"app.kubernetes.io/managed-by": "somebody"}), LABEL),
                refused("owner", "/metadata/ownerReferences", owner("Deployment"), OWNER),
            ],
        );
    }
}

fn a_gateway_is_as_the_operator_makes_it(desk: &Desk<'_>, made: &Made) {
    const IMAGE: &str = "pods of the operator run the operator's image and nothing else";
    const ACCOUNT: &str =
        "pods of the operator run under the ServiceAccount of their own name and mount no token for the API server";
    const NODE: &str = "pods of the operator have no further containers and no part of the node";
    const RESTRICTED: &str = "pods of the operator are restricted and take nothing from their environment";
    const ROLE: &str = "pods of the operator run the role that their name says, on ports of their own";
    const VOLUMES: &str = "pods of the operator mount their own configuration, token and volume, a gateway its credentials, and an engine the Secrets of its bots";
    const CLAIMS: &str = "volumes of the operator are claims of their own";
    let gateway = &made.gateway;
    let container = &gateway["spec"]["template"]["spec"]["containers"][0];
    let second = with(container, "/name", json!("second"));
    let mut first = second.clone();
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        first.as_object_mut().unwrap().remove(probe);
    }
    let security = |field: &str, value: Value| with(&container["securityContext"], field, value);
    let privileged = with(&security("/privileged", json!(true)), "/allowPrivilegeEscalation", json!(true));
    let secret = json!({"name": "database", "key": "password"});
    let variable = json!([{"name": "A", "valueFrom": {"secretKeyRef": secret}}]);
    let volume = |source: &str, value: Value| json!({"name": "further", source: value});
    let projected = |source: Value| volume("projected", json!({"sources": [source]}));
    let audience = "https://kubernetes.default.svc";
    let token = json!({"serviceAccountToken": {"path": "token", "audience": audience}});
    let claim = json!({
        "metadata": {"name": "further"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    });
    let port = json!({"name": "further", "containerPort": 7000, "hostPort": 7000});
    differences_are_refused(
        desk.cluster,
        gateway,
        vec![
            refused("image", "/spec/template/spec/containers/0/image", json!("miner:1"), IMAGE),
            refused("container", "/spec/template/spec/containers/-", second, IMAGE),
            refused("first container", "/spec/template/spec/initContainers", json!([first]), NODE),
            refused("account", "/spec/template/spec/serviceAccountName", json!("admin"), ACCOUNT),
            refused("token", "/spec/template/spec/automountServiceAccountToken", json!(true), ACCOUNT),
            refused("network", "/spec/template/spec/hostNetwork", json!(true), NODE),
            refused("processes", "/spec/template/spec/hostPID", json!(true), NODE),
            refused("node", "/spec/template/spec/nodeName", json!("node-0"), NODE),
            refused("privileged", "/spec/template/spec/containers/0/securityContext", privileged, RESTRICTED),
            refused("root", "/spec/template/spec/containers/0/securityContext/runAsNonRoot", json!(false), RESTRICTED),
            refused(
                "capability",
                "/spec/template/spec/containers/0/securityContext/capabilities",
                json!({"drop": ["ALL"], "add": ["NET_RAW"]}),
                RESTRICTED,
            ),
            refused("command", "/spec/template/spec/containers/0/command", json!(["sh"]), RESTRICTED),
            refused("Secret as a variable", "/spec/template/spec/containers/0/env", variable, RESTRICTED),
            refused(
                "Secret as variables",
                "/spec/template/spec/containers/0/envFrom",
                json!([{"secretRef": {"name": "database"}}]),
                RESTRICTED,
            ),
            refused("role", "/spec/template/spec/containers/0/args", json!(["operator"]), ROLE),
            refused("port of the node", "/spec/template/spec/containers/0/ports/-", port, ROLE),
            refused("path", "/spec/template/spec/volumes/-", volume("hostPath", json!({"path": "/"})), VOLUMES),
            refused(
                "Secret besides",
                "/spec/template/spec/volumes/-",
                volume("secret", json!({"secretName": "sim"})),
                VOLUMES,
            ),
            refused(
                "Secret in a projection",
                "/spec/template/spec/volumes/-",
                projected(json!({"secret": {"name": "sim"}})),
                VOLUMES,
            ),
            refused(
                "configuration of another",
                "/spec/template/spec/volumes/-",
                projected(json!({"configMap": {"name": "sms-support"}})),
                VOLUMES,
            ),
            refused("token for the API server", "/spec/template/spec/volumes/-", projected(token), VOLUMES),
            refused(
                "volume of another",
                "/spec/template/spec/volumes/-",
                volume("persistentVolumeClaim", json!({"claimName": "sms-support"})),
                VOLUMES,
            ),
            refused("claim template", "/spec/volumeClaimTemplates", json!([claim]), CLAIMS),
        ],
    );
}

fn the_image_is_pulled_with_the_secrets_of_the_installation_and_no_other(desk: &Desk<'_>, made: &Made) {
    const SECRETS: &str = "pods of the operator pull their image with the installation's imagePullSecrets and no other";
    const FIELD: &str = "/spec/template/spec/imagePullSecrets";
    for set in [&made.gateway, &made.engine] {
        assert_eq!(set.pointer(FIELD), Some(&json!([{"name": "registry"}])));
        make(desk.cluster, &with(set, FIELD, json!([]))).ok();
        differences_are_refused(
            desk.cluster,
            set,
            vec![
                refused("another", FIELD, json!([{"name": "database"}]), SECRETS),
                refused(
                    "another besides",
                    "/spec/template/spec/imagePullSecrets/-",
                    json!({"name": "database"}),
                    SECRETS,
                ),
                refused("one of before", FIELD, json!([{"name": "mirror"}]), SECRETS),
                refused("part of a name", FIELD, json!([{"name": "regis"}]), SECRETS),
            ],
        );
    }
    // An installation without any.
    let patch = json!({"data": {"imagePullSecrets": ""}}).to_string();
    desk.cluster
        .kubectl(&["patch", "configmap/aldis-operator-policy", "-n", SYSTEM, "--type=merge", "-p", &patch])
        .ok();
    let without = with(&made.engine, FIELD, json!([]));
    differences_are_refused(
        desk.cluster,
        &without,
        vec![refused("any", FIELD, json!([{"name": "registry"}]), SECRETS)],
    );
    install(desk.cluster, "next", &["registry"]);
}

fn an_engine_sees_no_credentials(desk: &Desk<'_>, made: &Made) {
    const LISTED: &str = "an engine mounts the Secrets that its SmsChannel lists and no other";
    let credentials = json!({"name": "credentials", "secret": {"secretName": "sim"}});
    let of_bots = json!({"name": "bot-secret-0", "secret": {"secretName": "sim"}});
    let cases = vec![
        refused("credentials", "/spec/template/spec/volumes/-", credentials, LISTED),
        refused("a Secret that the channel does not list", "/spec/template/spec/volumes/-", of_bots.clone(), LISTED),
    ];
    differences_are_refused(desk.cluster, &made.engine, cases);

    // Without its label the engine would not be asked about what its channel lists.
    const VOLUMES: &str = "pods of the operator mount their own configuration, token and volume, a gateway its credentials, and an engine the Secrets of its bots";
    let mounting = with(&made.engine, "/spec/template/spec/volumes/-", of_bots);
    let labels = json!({"app.kubernetes.io/managed-by": "aldis", "app.kubernetes.io/component": "gateway"});
    let unlabelled = make(desk.cluster, &with(&mounting, "/metadata/labels", labels));
    assert_eq!(refusal("a Secret of an engine without its label", unlabelled), VOLUMES);
}

fn accounts_and_services_lead_nowhere_else(desk: &Desk<'_>, made: &Made) {
    const ACCOUNT: &str = "ServiceAccounts of the operator have no Secrets and mount no token";
    const SERVICE: &str = "Services of the operator are internal and select the pod of their own name";
    let secrets = json!([{"name": "database"}]);
    differences_are_refused(
        desk.cluster,
        &made.account,
        vec![
            refused("token", "/automountServiceAccountToken", json!(true), ACCOUNT),
            refused("Secrets", "/secrets", secrets.clone(), ACCOUNT),
            refused("Secrets of registries", "/imagePullSecrets", secrets, ACCOUNT),
        ],
    );
    let selector = json!({"app.kubernetes.io/instance": "payments"});
    differences_are_refused(
        desk.cluster,
        &made.service,
        vec![
            refused("pods of another", "/spec/selector", selector, SERVICE),
            refused("port of the node", "/spec/type", json!("NodePort"), SERVICE),
            refused("address", "/spec/externalIPs", json!(["203.0.113.1"]), SERVICE),
        ],
    );
}

fn a_secret_is_mounted_only_where_a_connector_names_it(desk: &Desk<'_>, made: &Made) {
    const NAMED: &str = "a gateway mounts the Secret that its SmsConnector names and no other";
    const OWNED: &str = "a gateway that mounts a Secret belongs to the SmsConnector of its name";
    let volumes = made.gateway["spec"]["template"]["spec"]["volumes"].as_array().unwrap();
    let position =
        volumes.iter().position(|volume| volume["name"] == "credentials").expect("a gateway has credentials");
    let secret = format!("/spec/template/spec/volumes/{position}/secret/secretName");
    let mounting = |gateway: &Value, name: &str| make(desk.cluster, &with(gateway, &secret, json!(name)));

    mounting(&made.gateway, "sim").ok();
    assert_eq!(refusal("another Secret", mounting(&made.gateway, "database")), NAMED);
    let unnamed = made.gateway.to_string().replace("smsc-sim", "smsc-other");
    let unnamed: Value = serde_json::from_str(&unnamed).unwrap();
    assert_eq!(refusal("the name of no connector", mounting(&unnamed, "sim")), OWNED);

    // The same in another namespace, whose connector names another Secret; before there is one, none at all.
    let other = Desk::new(desk.cluster);
    let moved = made.gateway.to_string().replace(&desk.namespace, &other.namespace);
    let moved: Value = serde_json::from_str(&moved).unwrap();
    let said = mounting(&moved, "sim").refused();
    assert!(said.contains("no params found for policy binding with `Deny` parameterNotFoundAction"), "{said}");
    other.apply(&other.connector().replace("{name: sim}", "{name: theirs}"));
    eventually("the policy knows the connector of the other namespace", || {
        mounting(&moved, "theirs").success.then_some(())
    });
    assert_eq!(refusal("a Secret in another namespace", mounting(&moved, "sim")), NAMED);
}

fn a_gateway_is_led_to_the_address_that_its_connector_names(desk: &Desk<'_>, made: &Made) {
    const NAMED: &str = "a gateway sends credentials to the baseUrl of its SmsConnector and to no other";
    let text = made.config["data"]["config.json"].as_str().unwrap();
    let config = |text: String| json!(text);
    let elsewhere = text.replace("http://simulator.test:8090", "http://thief.test:8090");
    assert_ne!(elsewhere, text);
    let twice = text.replacen('{', r#"{"baseUrl":"http://thief.test:8090","#, 1);
    differences_are_refused(
        desk.cluster,
        &made.config,
        vec![
            refused("another address", "/data/config.json", config(elsewhere), NAMED),
            refused("a second address", "/data/config.json", config(twice), NAMED),
        ],
    );
}

fn a_token_of_the_operator_is_short_and_for_one_namespace(cluster: &Cluster) {
    const AUDIENCE: &str = "tokens of the operator are for the gateways and engines of one namespace";
    const LIFETIME: &str = "tokens of the operator last an hour at most";
    let token = |audience: &str, duration: &str| {
        let (audience, duration) = (format!("--audience={audience}"), format!("--duration={duration}"));
        let account = "aldis-operator";
        cluster.kubectl(&["create", "token", account, "-n", SYSTEM, "--as", ACCOUNT, &audience, &duration])
    };
    token("aldis:default", "1h").ok();
    let unnamed =
        cluster.kubectl(&["create", "token", "aldis-operator", "-n", SYSTEM, "--as", ACCOUNT, "--duration=1h"]);
    assert_eq!(refusal("one for the API server, which is what no audience means", unnamed), AUDIENCE);
    for audience in ["https://kubernetes.default.svc", "vault", "aldis:", "aldis:default,vault"] {
        assert_eq!(refusal(audience, token(audience, "1h")), AUDIENCE, "{audience}");
    }
    assert_eq!(refusal("a year", token("aldis:default", "8760h")), LIFETIME);
}

fn a_pod_is_changed_in_one_annotation_only(desk: &Desk<'_>) {
    const OWN: &str = "the operator may touch pods of its own only";
    const NOTHING: &str = "the operator may change nothing of a pod but one annotation";
    const ANNOTATION: &str = "the operator may change one annotation of a pod only";
    let patch = |pod: &str, patch: Value| {
        let patch = patch.to_string();
        desk.cluster.kubectl(&[
            "patch",
            "pod",
            pod,
            "-n",
            &desk.namespace,
            "--as",
            ACCOUNT,
            "--dry-run=server",
            "-p",
            &patch,
        ])
    };
    let nudge = json!({"metadata": {"annotations": {"aldis.dev/config": "x"}}});
    eventually("the gateway's pod", || desk.get("pod/smsc-sim-0").map(drop));
    desk.kubectl(&["run", "theirs-0", "--image=theirs"]);
    patch("smsc-sim-0", nudge.clone()).ok();
    assert_eq!(refusal("a foreign pod", patch("theirs-0", nudge)), OWN);
    for (what, change, message) in [
        ("annotation", json!({"metadata": {"annotations": {"other": "x"}}}), ANNOTATION),
        ("label", json!({"metadata": {"labels": {"other": "x"}}}), NOTHING),
        ("finalizer", json!({"metadata": {"finalizers": ["example.com/stay"]}}), NOTHING),
        ("deadline", json!({"spec": {"activeDeadlineSeconds": 1}}), NOTHING),
        ("image", json!({"spec": {"containers": [{"name": "gateway", "image": "miner:1"}]}}), NOTHING),
    ] {
        assert_eq!(refusal(what, patch("smsc-sim-0", change)), message, "{what}");
    }
}

fn what_people_wrote_stays(desk: &Desk<'_>) {
    let patch = |patch: &str| {
        let arguments = ["patch", "smschannel/support", "-n", &desk.namespace, "--as", ACCOUNT, "--dry-run=server"];
        desk.cluster.kubectl(&[&arguments[..], &["--type=merge", "-p", patch]].concat())
    };
    patch(r#"{"metadata":{"annotations":{"aldis.dev/test":"x"}}}"#).ok();
    let said = refusal("a field of the spec", patch(r#"{"spec":{"enabled":false}}"#));
    assert_eq!(said, "the operator does not change what people wrote");
}

fn deleting_is_for_its_own(desk: &Desk<'_>) {
    let delete = |object: &str| {
        let arguments = ["delete", object, "-n", &desk.namespace, "--as", ACCOUNT, "--dry-run=server"];
        desk.cluster.kubectl(&arguments)
    };
    desk.kubectl(&["create", "configmap", "sms-theirs"]);
    delete("configmap/sms-support").ok();
    assert_eq!(
        refusal("a foreign label", delete("configmap/sms-theirs")),
        "the operator may delete objects only that carry its label"
    );
    assert_eq!(
        refusal("a foreign name", delete("configmap/kube-root-ca.crt")),
        "the operator may write objects named sms-… and smsc-… only"
    );
}
