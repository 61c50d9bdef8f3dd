//! The chart and the examples, with the real helm and kubectl. Nothing runs here: the nodes are simulated.

use crate::support::{
    process::OPERATORS_ALLOCATOR,
    testbed::{Cluster, Output},
};
use serde_json::{Value, json};

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/aldis");
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
const NAMESPACE: &str = "aldis-system";

/// helm with the chart, as release `aldis`.
fn helm(cluster: &Cluster, command: &str, arguments: &[&str]) -> Output {
    let mut all = vec![command, "aldis", CHART, "--namespace", NAMESPACE];
    all.extend(arguments);
    cluster.helm(&all)
}

/// One field of an object, as kubectl's jsonpath says it.
fn field(cluster: &Cluster, object: &str, path: &str) -> String {
    cluster.kubectl(&["get", "-n", NAMESPACE, object, "-o", &format!("jsonpath={{{path}}}")]).ok()
}

/// Documents as `helm template` prints them.
fn documents(rendered: &str) -> Vec<Value> {
    let split = rendered.split("\n---\n").map(|document| serde_saphyr::from_str(document).unwrap());
    split.filter(|document: &Value| document.is_object()).collect()
}

/// One of these documents.
fn find(documents: &[Value], kind: &str, name: &str) -> Value {
    let found = documents.iter().find(|found| found["kind"] == kind && found["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} {name}")).clone()
}

#[test]
fn the_release_is_installed_upgraded_and_uninstalled_and_leaves_what_is_the_users() {
    let cluster = Cluster::start("kwok", &[]);
    cluster.kubectl(&["create", "namespace", NAMESPACE]).ok();
    // Whatever is not restricted is refused, so the pods that become ready are.
    let restricted = "pod-security.kubernetes.io/enforce=restricted";
    cluster.kubectl(&["label", "namespace", NAMESPACE, "default", restricted]).ok();

    let notes = helm(&cluster, "install", &["--wait", "--timeout=120s"]).ok();
    assert!(notes.contains("manages all namespaces"), "{notes}");
    assert_eq!(field(&cluster, "deployment/aldis-operator", ".status.readyReplicas"), "2");
    assert_eq!(field(&cluster, "pdb/aldis-operator", ".status.expectedPods"), "2");

    // The kinds are there, and the examples are accepted as they stand, misspelt fields being errors.
    for example in ["quickstart", "twilio"] {
        let folder = format!("{EXAMPLES}/{example}");
        cluster.kubectl(&["apply", "-k", &folder, "--dry-run=server", "--validate=strict"]).ok();
    }
    let bots = format!("{EXAMPLES}/bots");
    cluster.kubectl(&["apply", "-f", &bots, "--dry-run=server", "--validate=strict"]).ok();
    cluster.kubectl(&["apply", "-k", &format!("{EXAMPLES}/quickstart"), "--validate=strict"]).ok();
    cluster.kubectl(&["rollout", "status", "deployment/aldis-simulator", "--timeout=120s"]).ok();

    let issuer = "agentIssuers[0].issuer=https://id.example.com,agentIssuers[0].audience=desk,\
                  agentIssuers[0].userClaim=email,agentIssuers[0].userPrefix=oidc:";
    let arguments = ["--wait", "--timeout=120s", "--set", "replicas=3", "--set", issuer];
    helm(&cluster, "upgrade", &arguments).ok();
    assert_eq!(field(&cluster, "deployment/aldis-operator", ".status.updatedReplicas"), "3");
    let issuers = field(&cluster, "configmap/aldis-operator-agent-issuers", ".data.issuers\\.json");
    assert_eq!(serde_json::from_str::<Value>(&issuers).unwrap()[0]["userPrefix"], "oidc:");

    cluster.helm(&["uninstall", "aldis", "--namespace", NAMESPACE, "--wait"]).ok();
    cluster.kubectl(&["get", "-n", NAMESPACE, "deployment/aldis-operator"]).refused();
    assert_eq!(cluster.kubectl(&["get", "crd", "-o", "name"]).ok().matches("aldis.dev").count(), 5);
    let left = cluster.kubectl(&["get", "aldis", "-n", "default", "-o", "name"]).ok();
    assert_eq!(
        left.lines().collect::<Vec<_>>(),
        ["campaign.aldis.dev/support", "smschannel.aldis.dev/support", "smsconnector.aldis.dev/simulator"]
    );
    // A new release takes the definitions over.
    helm(&cluster, "install", &["--wait", "--timeout=120s"]).ok();
}

#[test]
fn the_operators_account_has_no_verb_on_secrets() {
    let cluster = Cluster::apiserver();
    let rendered = helm(cluster, "template", &["--set", "crds.enabled=false"]).ok();
    let rights: Vec<Value> = documents(&rendered)
        .into_iter()
        .filter(|document| matches!(document["kind"].as_str(), Some("ClusterRole" | "Role")))
        .filter(|document| document["metadata"]["name"].as_str().is_some_and(|name| name.starts_with("aldis-operator")))
        .flat_map(|document| document["rules"].as_array().cloned().unwrap_or_default())
        .collect();
    assert!(!rights.is_empty());
    let text = serde_json::to_string(&rights).unwrap();
    assert!(!text.contains("secrets") && !text.contains('*'), "{text}");
}

#[test]
fn the_definitions_in_the_chart_are_those_of_the_repository() {
    let cluster = Cluster::apiserver();
    let rendered = documents(&helm(cluster, "template", &[]).ok());
    let definitions: Vec<&Value> =
        rendered.iter().filter(|document| document["kind"] == "CustomResourceDefinition").collect();
    assert_eq!(definitions.len(), 5);
    for definition in definitions {
        assert_eq!(definition["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
        let plural = definition["spec"]["names"]["plural"].as_str().unwrap();
        let path = format!("{}/crds/aldis.dev_{plural}.yaml", env!("CARGO_MANIFEST_DIR"));
        let own: Value = serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(definition["spec"], own["spec"], "{plural}");
    }
    let without = helm(cluster, "template", &["--set", "crds.enabled=false"]).ok();
    assert!(!without.contains("CustomResourceDefinition"));
}

#[test]
fn values_that_cannot_be_are_refused_by_name() {
    let cluster = Cluster::apiserver();
    let cases = [
        ("replica=3", "replica"),
        ("replicas=0", "/replicas"),
        ("image.pullPolicy=Sometimes", "/image/pullPolicy"),
        ("allowBaseUrls={http://simulator:8090/}", "/allowBaseUrls/0"),
        ("watchNamespaces={Upper}", "/watchNamespaces/0"),
        ("agentIssuers[0].issuer=https://id.example.com", "/agentIssuers/0"),
        ("accounts[0].provider=twilio,accounts[0].account=AC1", "/accounts/0"),
        ("providerBaseUrls={https://proxy.example.com/v1}", "/providerBaseUrls/0"),
        ("image.digest=sha256:12", "/image/digest"),
        ("imagePullSecrets={registry}", "/imagePullSecrets/0"),
        ("imagePullSecrets[0].name=a\\,b", "/imagePullSecrets/0/name"),
        ("imagePullSecrets[0].name=a,imagePullSecrets[1].name=a", "/imagePullSecrets"),
        ("accounts[0].provider=Twilio,accounts[0].account=AC1,accounts[0].namespaces={shop}", "/accounts/0/provider"),
        ("allowBaseUrls={http://a\\,b}", "/allowBaseUrls/0"),
        ("rolloutBudget=null", "rolloutBudget"),
        ("networkPolicy=null", "networkPolicy"),
        ("admissionPolicy.enabled=null", "admissionPolicy"),
        ("image.pullPolicy=null", "image"),
    ];
    for (value, named) in cases {
        let error = helm(cluster, "template", &["--set", value]).refused();
        assert!(error.contains(named), "{value}: {error}");
    }
}

#[test]
fn secrets_for_pulling_reach_the_operators_pods_the_operator_and_its_policy() {
    let cluster = Cluster::apiserver();
    let rendered = |arguments: &[&str]| documents(&helm(cluster, "template", arguments).ok());
    let told = |documents: &[Value]| {
        let pod = find(documents, "Deployment", "aldis-operator")["spec"]["template"]["spec"].clone();
        let variables = pod["containers"][0]["env"].as_array().unwrap().clone();
        let variable = variables.into_iter().find(|variable| variable["name"] == "ALDIS_IMAGE_PULL_SECRETS");
        let policy = find(documents, "ConfigMap", "aldis-operator-policy")["data"]["imagePullSecrets"].clone();
        (pod["imagePullSecrets"].clone(), variable.map(|variable| variable["value"].clone()), policy)
    };
    assert_eq!(told(&rendered(&[])), (Value::Null, None, json!("")));
    let two = rendered(&["--set", "imagePullSecrets[0].name=registry,imagePullSecrets[1].name=mirror"]);
    let names = json!("registry,mirror");
    assert_eq!(told(&two), (json!([{"name": "registry"}, {"name": "mirror"}]), Some(names.clone()), names));
}

/// Tests and benchmarks start the operator without the chart, and judge what it takes.
#[test]
fn the_operators_allocator_is_told_what_the_tests_tell_it() {
    let documents = documents(&helm(Cluster::apiserver(), "template", &[]).ok());
    let deployment = find(&documents, "Deployment", "aldis-operator");
    let variables = &deployment["spec"]["template"]["spec"]["containers"][0]["env"];
    let (name, value) = OPERATORS_ALLOCATOR;
    assert!(variables.as_array().unwrap().contains(&json!({"name": name, "value": value})), "{variables}");
}

#[test]
fn what_is_switched_off_is_not_made() {
    let cluster = Cluster::apiserver();
    let kinds = |arguments: &[&str]| {
        let rendered = helm(cluster, "template", arguments).ok();
        documents(&rendered)
            .iter()
            .map(|document| {
                format!("{}/{}", document["kind"].as_str().unwrap(), document["metadata"]["name"].as_str().unwrap())
            })
            .collect::<Vec<_>>()
    };
    let all = kinds(&["--set", "networkPolicy.namespaces={shop,desk}"]);
    assert_eq!(all.iter().filter(|name| name.starts_with("NetworkPolicy/")).count(), 1 + 2 * 2);
    let theirs = kinds(&["--set", "networkPolicy.enabled=false,networkPolicy.namespaces={shop}"]);
    assert_eq!(
        theirs.iter().filter(|name| name.starts_with("NetworkPolicy/")).count(),
        2,
        "the operator's alone is off"
    );
    assert!(all.contains(&"PodDisruptionBudget/aldis-operator".into()));
    let few = kinds(&[
        "--set",
        "networkPolicy.enabled=false,podDisruptionBudget.enabled=false,admissionPolicy.enabled=false",
    ]);
    for kind in ["NetworkPolicy", "PodDisruptionBudget", "ValidatingAdmissionPolicy"] {
        assert!(!few.iter().any(|name| name.starts_with(kind)), "{few:?}");
    }
    assert!(!kinds(&["--set", "replicas=1"]).iter().any(|name| name.starts_with("PodDisruptionBudget")));
}

#[test]
fn helm_finds_nothing_to_complain_of() {
    let linted = Cluster::apiserver().helm(&["lint", "--strict", CHART]).ok();
    assert!(linted.contains("0 chart(s) failed"), "{linted}");
}
