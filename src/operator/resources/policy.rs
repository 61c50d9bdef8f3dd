//! The admission policies that bind the operator's account to its own objects, from the table of children.
//!
//! Rights say only which kinds the operator may write, and whoever may create a StatefulSet in a namespace can mount any Secret
//! of it. The policies say what the objects must look like. What differs between installations (`account`, `image`,
//! `imagePullSecrets`) stands in a ConfigMap that they read, so that they are the same everywhere.

use serde_json::{Value, json};

use crate::{
    api::{
        GROUP, VERSION, names,
        provider::{DefaultBaseUrl, FACTS, Facts},
    },
    operator::resources::kinds::{ChildKind, Row},
};

/// Begins the name of each policy; also the name of the operator's ServiceAccount.
const NAME: &str = "aldis-operator";
/// Begins the name of each policy, and of no other's.
pub(crate) const OWN_POLICIES: &str = "aldis-operator-";
/// The policy that looks at a connector before it lets the connector's gateway pass.
pub(crate) const POLICY_OF_CREDENTIALS: &str = "aldis-operator-credentials";
/// The policy that looks at a channel before it lets the Secrets of its engine pass.
pub(crate) const POLICY_OF_BOT_SECRETS: &str = "aldis-operator-bot-secrets";
/// The policy that compares where a gateway sends credentials with what its connector says.
pub(crate) const POLICY_OF_BASE_URLS: &str = "aldis-operator-base-urls";
/// Longest life of a token that the operator asks for itself, in seconds.
pub(crate) const OPERATOR_TOKEN_SECONDS: u32 = 3600;
/// ConfigMap with `account`, `image`, and the names of `imagePullSecrets` with commas between them.
const PARAMETERS: &str = "aldis-operator-policy";
/// Namespace of the default installation; the chart puts its own in its place.
const NAMESPACE: &str = "aldis-system";

/// The policies and their bindings.
pub fn policy() -> Vec<Value> {
    [
        children(),
        service_accounts(),
        services(),
        workloads(),
        pods(),
        tokens(),
        own_kinds(),
        credentials(),
        bot_secrets(),
        base_urls(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A rule and what is said when it is broken.
type Check = (String, &'static str);

/// Policy and binding with the installation's ConfigMap as parameter, for requests of the operator's account.
fn bound_to_account(suffix: &str, rules: Vec<Value>, checks: Vec<Check>) -> Vec<Value> {
    let name = format!("{OWN_POLICIES}{suffix}");
    let policy = json!({
        "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": rules},
        "matchConditions": [{"name": "operator", "expression": "request.userInfo.username == params.data.account"}],
        "validations": validations(checks),
    });
    // Missing parameters are judged before the account is looked at: `Deny` would refuse everybody's objects of these kinds.
    // The operator cannot take the parameters away, since they do not bear a child's name.
    let parameters = json!({"name": PARAMETERS, "namespace": NAMESPACE, "parameterNotFoundAction": "Allow"});
    with_binding(&name, policy, parameters)
}

fn with_binding(name: &str, policy: Value, parameters: Value) -> Vec<Value> {
    let object = |kind: &str, spec: Value| {
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind,
            "metadata": {"name": name}, "spec": spec,
        })
    };
    let binding = json!({"policyName": name, "validationActions": ["Deny"], "paramRef": parameters});
    vec![object("ValidatingAdmissionPolicy", policy), object("ValidatingAdmissionPolicyBinding", binding)]
}

fn validations(checks: Vec<Check>) -> Value {
    checks.into_iter().map(|(expression, message)| json!({"expression": expression, "message": message})).collect()
}

fn rule(row: Row, operations: &[&str]) -> Value {
    json!({
        "apiGroups": [row.group], "apiVersions": [row.version], "operations": operations, "resources": [row.plural],
    })
}

/// Every child: its name and labels, whom it belongs to, and what its kind must not have.
fn children() -> Vec<Value> {
    let rules = ChildKind::ALL.iter().map(|kind| rule(kind.row(), &["CREATE", "UPDATE", "DELETE"])).collect();
    let labelled = |object: &str| {
        format!(
            "has({object}.metadata.labels) && '{label}' in {object}.metadata.labels && {object}.metadata.labels['{label}'] == '{value}'",
            label = names::LABEL_MANAGED_BY,
            value = names::MANAGED_BY
        )
    };
    let owned = format!(
        "object == null || !has(object.metadata.ownerReferences) || object.metadata.ownerReferences.all(o, \
         !has(o.controller) || !o.controller || (o.apiVersion == '{GROUP}/{VERSION}' && o.kind in ['SmsConnector', 'SmsChannel']))"
    );
    let checks = vec![
        (
            "request.name.startsWith('sms-') || request.name.startsWith('smsc-')".into(),
            "the operator may write objects named sms-… and smsc-… only",
        ),
        (
            format!("object == null || ({})", labelled("object")),
            "the operator may write objects only that carry its label",
        ),
        (
            format!("object != null || ({})", labelled("oldObject")),
            "the operator may delete objects only that carry its label",
        ),
        (owned, "what the operator makes belongs to an SmsConnector or SmsChannel"),
    ];
    bound_to_account("children", rules, checks)
}

/// ServiceAccounts: identities of pods, and nothing that they could use against the API server.
fn service_accounts() -> Vec<Value> {
    let bare = "has(object.automountServiceAccountToken) && !object.automountServiceAccountToken && !has(object.secrets) \
                && !has(object.imagePullSecrets)";
    let checks = vec![(bare.to_owned(), "ServiceAccounts of the operator have no Secrets and mount no token")];
    bound_to_account("serviceaccounts", vec![rule(ChildKind::ServiceAccount.row(), &["CREATE", "UPDATE"])], checks)
}

/// Services: internal, and no way to another pod.
fn services() -> Vec<Value> {
    let internal = format!(
        "object.spec.type == 'ClusterIP' && !has(object.spec.externalIPs) && \
         object.spec.selector['{}'] == object.metadata.name",
        names::LABEL_INSTANCE
    );
    let checks = vec![(internal, "Services of the operator are internal and select the pod of their own name")];
    bound_to_account("services", vec![rule(ChildKind::Service.row(), &["CREATE", "UPDATE"])], checks)
}

/// StatefulSets: only the operator's image, under an account of its own, with volumes of its own.
fn workloads() -> Vec<Value> {
    let pod = "object.spec.template.spec";
    let absent = [
        "initContainers",
        "ephemeralContainers",
        "hostNetwork",
        "hostPID",
        "hostIPC",
        "hostUsers",
        "nodeName",
        "runtimeClassName",
        "shareProcessNamespace",
        "hostAliases",
    ];
    let absent = absent.map(|field| format!("!has({pod}.{field})")).join(" && ");
    let container = format!("{pod}.containers.all(c, ");
    let security = "has(c.securityContext) && !has(c.securityContext.privileged) && c.securityContext.allowPrivilegeEscalation == false \
                    && c.securityContext.readOnlyRootFilesystem && c.securityContext.runAsNonRoot \
                    && c.securityContext.capabilities.drop == ['ALL'] && !has(c.securityContext.capabilities.add)";
    let own_name = "(n == object.metadata.name || n.startsWith(object.metadata.name + '.'))";
    let projected = format!(
        "v.projected.sources.all(s, has(s.configMap) ? [s.configMap.name].all(n, {own_name}) : \
         has(s.serviceAccountToken) && s.serviceAccountToken.audience == 'aldis:' + object.metadata.namespace)"
    );
    let volumes = format!(
        "{pod}.volumes.all(v, has(v.projected) ? {projected} : has(v.persistentVolumeClaim) ? \
         v.persistentVolumeClaim.claimName == object.metadata.name : \
         has(v.secret) && (object.metadata.name.startsWith('smsc-') ? v.name == 'credentials' : \
         object.metadata.labels['{}'] == 'engine'))",
        names::LABEL_COMPONENT
    );
    let checks = vec![
        (
            format!("size({pod}.containers) == 1 && {container}c.image == params.data.image)"),
            "pods of the operator run the operator's image and nothing else",
        ),
        (
            format!("{pod}.serviceAccountName == object.metadata.name && {pod}.automountServiceAccountToken == false"),
            "pods of the operator run under the ServiceAccount of their own name and mount no token for the API server",
        ),
        (absent, "pods of the operator have no further containers and no part of the node"),
        (
            format!(
                "!has({pod}.imagePullSecrets) || (has(params.data.imagePullSecrets) && {pod}.imagePullSecrets.all(s, \
                 has(s.name) && s.name in params.data.imagePullSecrets.split(',')))"
            ),
            "pods of the operator pull their image with the installation's imagePullSecrets and no other",
        ),
        (
            format!("{container}{security} && !has(c.env) && !has(c.envFrom) && !has(c.command) && !has(c.lifecycle))"),
            "pods of the operator are restricted and take nothing from their environment",
        ),
        (
            format!(
                "{container}c.args == [object.metadata.name.startsWith('smsc-') ? 'gateway' : 'engine'] && \
                 (!has(c.ports) || c.ports.all(p, !has(p.hostPort))))"
            ),
            "pods of the operator run the role that their name says, on ports of their own",
        ),
        (
            volumes,
            "pods of the operator mount their own configuration, token and volume, a gateway its credentials, and an engine the Secrets of its bots",
        ),
        ("!has(object.spec.volumeClaimTemplates)".into(), "volumes of the operator are claims of their own"),
    ];
    bound_to_account("workloads", vec![rule(ChildKind::StatefulSet.row(), &["CREATE", "UPDATE"])], checks)
}

/// Pods: one annotation, nothing else.
fn pods() -> Vec<Value> {
    let row = Row { group: "", version: "v1", kind: "Pod", plural: "pods" };
    let label = names::LABEL_MANAGED_BY;
    let annotation = names::ANNOTATION_CONFIG_NUDGE;
    let same = |field: &str| {
        format!(
            "has(object.metadata.{field}) == has(oldObject.metadata.{field}) && (!has(object.metadata.{field}) || object.metadata.{field} == oldObject.metadata.{field})"
        )
    };
    let annotations = format!(
        "(!has(object.metadata.annotations) || object.metadata.annotations.all(k, k == '{annotation}' || \
         (has(oldObject.metadata.annotations) && k in oldObject.metadata.annotations && oldObject.metadata.annotations[k] == object.metadata.annotations[k]))) \
         && (!has(oldObject.metadata.annotations) || oldObject.metadata.annotations.all(k, k == '{annotation}' || \
         (has(object.metadata.annotations) && k in object.metadata.annotations)))"
    );
    let checks = vec![
        (
            format!(
                "has(oldObject.metadata.labels) && '{label}' in oldObject.metadata.labels && oldObject.metadata.labels['{label}'] == '{}'",
                names::MANAGED_BY
            ),
            "the operator may touch pods of its own only",
        ),
        (
            [&same("labels"), &same("ownerReferences"), &same("finalizers"), "object.spec == oldObject.spec"]
                .join(" && "),
            "the operator may change nothing of a pod but one annotation",
        ),
        (annotations, "the operator may change one annotation of a pod only"),
    ];
    bound_to_account("pods", vec![rule(row, &["UPDATE"])], checks)
}

/// Tokens of the operator itself: for one namespace's gateways and engines, and for an hour at most. Without this, whoever holds the
/// operator's account could make tokens for any audience that last for years.
fn tokens() -> Vec<Value> {
    let row = Row { group: "", version: "v1", kind: "TokenRequest", plural: "serviceaccounts/token" };
    let checks = vec![
        (
            "has(object.spec.audiences) && size(object.spec.audiences) == 1 && \
             object.spec.audiences[0].matches('^aldis:[a-z0-9]([-a-z0-9]*[a-z0-9])?$')"
                .into(),
            "tokens of the operator are for the gateways and engines of one namespace",
        ),
        (
            format!(
                "has(object.spec.expirationSeconds) && object.spec.expirationSeconds <= {}",
                OPERATOR_TOKEN_SECONDS
            ),
            "tokens of the operator last an hour at most",
        ),
    ];
    bound_to_account("tokens", vec![rule(row, &["CREATE"])], checks)
}

/// Our own kinds: finalizers and annotations, never what people wrote.
fn own_kinds() -> Vec<Value> {
    let row = Row { group: GROUP, version: VERSION, kind: "", plural: "*" };
    let checks = vec![("object.spec == oldObject.spec".into(), "the operator does not change what people wrote")];
    bound_to_account("kinds", vec![rule(row, &["UPDATE"])], checks)
}

/// A gateway sends its credentials to the address that its configuration names: the one that its connector names.
fn base_urls() -> Vec<Value> {
    let row = ChildKind::ConfigMap.row();
    let config = "object.data['config.json']";
    let base_url = of_the_provider(|facts, member| match facts.default_base_url {
        DefaultBaseUrl::None => format!("{member}.baseUrl"),
        DefaultBaseUrl::Fixed(url) => format!("(has({member}.baseUrl) ? {member}.baseUrl : '{url}')"),
        DefaultBaseUrl::With { before, field, after } => {
            format!("(has({member}.baseUrl) ? {member}.baseUrl : '{before}' + {member}.{field} + '{after}')")
        }
    });
    // Written once, without the slash at its end.
    let matches = format!(
        "object.metadata.name != 'smsc-' + params.metadata.name || ({config}.split('\"baseUrl\":').size() == 2 && \
         [{config}.split('\"baseUrl\":\"')].all(parts, parts.size() == 2 && parts[1].indexOf('\"') >= 0 && \
         parts[1].substring(0, parts[1].indexOf('\"')) == {base_url}.replace('/', ' ').trim().replace(' ', '/')))"
    );
    let policy = json!({
        "paramKind": {"apiVersion": format!("{GROUP}/{VERSION}"), "kind": "SmsConnector"},
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [rule(row, &["CREATE", "UPDATE"])],
            "objectSelector": {"matchLabels": {names::LABEL_MANAGED_BY: names::MANAGED_BY}},
        },
        "matchConditions": [
            operator_account(),
            {"name": "gateway", "expression": "object.metadata.name.startsWith('smsc-') && has(object.data) && 'config.json' in object.data"},
        ],
        "validations": validations(vec![
            (matches, "a gateway sends credentials to the baseUrl of its SmsConnector and to no other"),
        ]),
    });
    with_binding(POLICY_OF_BASE_URLS, policy, json!({"selector": {}, "parameterNotFoundAction": "Deny"}))
}

/// A value of the member of `spec.provider` that is set, in CEL. A connector with none has the empty text, which fits nothing.
fn of_the_provider(value: impl Fn(&Facts, &str) -> String) -> String {
    let choice = FACTS.iter().rev().fold("''".to_owned(), |otherwise, facts| {
        let member = format!("params.spec.provider.{}", facts.member);
        format!("has({member}) ? {} : {otherwise}", value(facts, &member))
    });
    format!("({choice})")
}

/// Requests of an account that bears the operator's name: policies whose parameters are connectors cannot read which one it is.
fn operator_account() -> Value {
    json!({
        "name": "operator",
        "expression": format!("request.userInfo.username.startsWith('system:serviceaccount:') && request.userInfo.username.endsWith(':{NAME}')"),
    })
}

/// A gateway mounts exactly the Secret that its connector names. The parameters are the connectors of the namespace; without
/// one, no Secret can be mounted there at all.
///
/// Each connector is asked by itself, so that no rule can say that one of this name is there. Who names an owner that is not
/// there has the garbage collector take the gateway away again, which is why the owner must bear the gateway's name.
fn credentials() -> Vec<Value> {
    let pod = "object.spec.template.spec";
    let secret = of_the_provider(|_, member| format!("{member}.credentialsSecretRef.name"));
    let matches = format!(
        "object.metadata.name != 'smsc-' + params.metadata.name || \
         {pod}.volumes.filter(v, has(v.secret)).all(v, v.secret.secretName == {secret})"
    );
    // Of engines another policy speaks.
    let owned = "object.metadata.name.startsWith('sms-') || (has(object.metadata.ownerReferences) && \
                 object.metadata.ownerReferences.exists(o, has(o.controller) && o.controller && \
                 o.kind == 'SmsConnector' && object.metadata.name == 'smsc-' + o.name))";
    let policy = json!({
        "paramKind": {"apiVersion": format!("{GROUP}/{VERSION}"), "kind": "SmsConnector"},
        "failurePolicy": "Fail",
        // Others' StatefulSets are left alone, also where no connector is; the operator may write none without its label.
        "matchConstraints": {
            "resourceRules": [rule(ChildKind::StatefulSet.row(), &["CREATE", "UPDATE"])],
            "objectSelector": {"matchLabels": {names::LABEL_MANAGED_BY: names::MANAGED_BY}},
        },
        "matchConditions": [
            operator_account(),
            {"name": "secrets", "expression": format!("has({pod}.volumes) && {pod}.volumes.exists(v, has(v.secret))")},
        ],
        "validations": validations(vec![
            (matches, "a gateway mounts the Secret that its SmsConnector names and no other"),
            (owned.into(), "a gateway that mounts a Secret belongs to the SmsConnector of its name"),
        ]),
    });
    with_binding(POLICY_OF_CREDENTIALS, policy, json!({"selector": {}, "parameterNotFoundAction": "Deny"}))
}

/// An engine mounts the Secrets only that its channel lists for its bots. As with gateways, each channel is asked by itself.
fn bot_secrets() -> Vec<Value> {
    let pod = "object.spec.template.spec";
    let matches = format!(
        "object.metadata.name != 'sms-' + params.metadata.name || {pod}.volumes.filter(v, has(v.secret)).all(v, \
         has(params.spec.engine) && has(params.spec.engine.botSecrets) && \
         params.spec.engine.botSecrets.exists(s, s.name == v.secret.secretName))"
    );
    let owned = "object.metadata.name.startsWith('smsc-') || (has(object.metadata.ownerReferences) && \
                 object.metadata.ownerReferences.exists(o, has(o.controller) && o.controller && \
                 o.kind == 'SmsChannel' && object.metadata.name == 'sms-' + o.name))";
    let policy = json!({
        "paramKind": {"apiVersion": format!("{GROUP}/{VERSION}"), "kind": "SmsChannel"},
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [rule(ChildKind::StatefulSet.row(), &["CREATE", "UPDATE"])],
            // Gateways do not match: in a namespace without channels nothing would. No engine without the label mounts a Secret.
            "objectSelector": {"matchLabels": {names::LABEL_MANAGED_BY: names::MANAGED_BY, names::LABEL_COMPONENT: names::COMPONENT_ENGINE}},
        },
        "matchConditions": [
            operator_account(),
            {
                "name": "secrets",
                "expression": format!(
                    "!object.metadata.name.startsWith('smsc-') && has({pod}.volumes) && {pod}.volumes.exists(v, has(v.secret))"
                ),
            },
        ],
        "validations": validations(vec![
            (matches, "an engine mounts the Secrets that its SmsChannel lists and no other"),
            (owned.into(), "an engine that mounts a Secret belongs to the SmsChannel of its name"),
        ]),
    });
    with_binding(POLICY_OF_BOT_SECRETS, policy, json!({"selector": {}, "parameterNotFoundAction": "Deny"}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_has_its_binding() {
        let all = policy();
        let named = |kind: &str| -> Vec<String> {
            let of_kind = all.iter().filter(|object| object["kind"] == kind);
            of_kind.map(|object| object["metadata"]["name"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(named("ValidatingAdmissionPolicy"), named("ValidatingAdmissionPolicyBinding"));
        assert_eq!(named("ValidatingAdmissionPolicy").len(), 10);
    }

    #[test]
    fn every_child_kind_is_bound() {
        let text = children()[0].to_string();
        for kind in ChildKind::ALL {
            assert!(text.contains(&format!("\"{}\"", kind.row().plural)), "{kind:?}");
        }
    }
}
