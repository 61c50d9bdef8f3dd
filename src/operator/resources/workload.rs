//! The children that gateways and engines have in common: account, volume, Service and pod, under Pod Security "restricted".

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    api::{
        names,
        reference::LocalRef,
        resources::{Resources, Scheduling, Volume},
    },
    operator::resources::{
        child::{ANNOTATION_VERSION, Bond, Child, Owner},
        configuration::PartKind,
        kinds::ChildKind,
        volume::Content,
    },
    wire::{config, ports},
};

/// User and group of the pods: nobody in particular, and not root.
const USER: u32 = 65532;
/// Life of the projected token; the kubelet rotates it at four fifths.
const TOKEN_SECONDS: u32 = 86_400;
/// Mode of mounted files: owner and group read.
const READ_ONLY: u32 = 0o440;

/// What a pod is made from, beside its owner.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Workload<'a> {
    /// The object that the pod serves.
    pub owner: &'a Owner,
    /// Subcommand of the binary.
    pub role: &'static str,
    /// Image, the operator's own.
    pub image: &'a str,
    /// Pull policy of the image.
    pub image_pull_policy: &'a str,
    /// Secrets of the owner's namespace with which the image is pulled.
    pub image_pull_secrets: &'a BTreeSet<&'a str>,
    /// Resources.
    pub resources: Option<&'a Resources>,
    pub scheduling: Option<&'a Scheduling>,
    /// Volume.
    pub volume: &'a Volume,
    /// What becomes of the volume.
    pub volume_bond: Bond,
    /// To whom the volume's content belongs.
    pub volume_content: Content<'a>,
    /// Parts of the configuration.
    pub parts: PartKind,
    /// What it shows to others.
    pub secrets: Secrets<'a>,
}

/// The Secrets of a pod, by their names.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Secrets<'a> {
    /// A gateway's credentials at the provider.
    Credentials(&'a str),
    /// What an engine's bots show to services.
    OfBots(&'a [LocalRef]),
}

impl<'a> Secrets<'a> {
    /// Volume, mount path and Secret of each, in an order that does not change with that of the list.
    fn mounted(self) -> Vec<(String, String, &'a str)> {
        match self {
            Self::Credentials(secret) => vec![("credentials".into(), ports::CREDENTIALS_DIR.into(), secret)],
            Self::OfBots(secrets) => {
                let names: BTreeSet<&str> = secrets.iter().map(|secret| secret.name.as_str()).collect();
                let mounted = |(index, name): (usize, &'a str)| {
                    (format!("bot-secret-{index}"), format!("{}/{name}", ports::BOT_SECRETS_DIR), name)
                };
                names.into_iter().enumerate().map(mounted).collect()
            }
        }
    }
}

impl Workload<'_> {
    /// All children but the configuration.
    pub(crate) fn children(&self) -> Vec<Child> {
        vec![self.service_account(), self.volume_claim(), self.service(), self.stateful_set()]
    }

    fn child(&self, kind: ChildKind, body: Value) -> Child {
        Child::new(self.owner, kind, &self.owner.child_name, Bond::Controlled, body)
    }

    fn service_account(&self) -> Child {
        // The pod has a token of its own audience and none for the API server.
        self.child(ChildKind::ServiceAccount, json!({"automountServiceAccountToken": false}))
    }

    fn volume_claim(&self) -> Child {
        let mut spec = json!({
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": self.volume.size}},
        });
        if let Some(class) = &self.volume.class_name {
            spec["storageClassName"] = class.clone().into();
        }
        let content = self.volume_content;
        let body = json!({"spec": spec, "metadata": {"annotations": {content.annotation: content.value}}});
        Child::new(self.owner, ChildKind::PersistentVolumeClaim, &self.owner.child_name, self.volume_bond, body)
    }

    fn service(&self) -> Child {
        // By number: pods of another version may name their ports otherwise until they are rolled out.
        let port = |name: &str, port: u16| json!({"name": name, "port": port, "targetPort": port, "protocol": "TCP"});
        let body = json!({"spec": {
            "type": "ClusterIP",
            "selector": self.owner.selector(),
            // A pod that is not ready says why over its internal API.
            "publishNotReadyAddresses": true,
            "ports": [port("http", ports::PUBLIC), port("internal", ports::INTERNAL)],
        }});
        self.child(ChildKind::Service, body)
    }

    fn stateful_set(&self) -> Child {
        let body = json!({
            "metadata": {"annotations": {ANNOTATION_VERSION: env!("CARGO_PKG_VERSION")}},
            "spec": {
                "replicas": 1,
                "serviceName": self.owner.child_name,
                // With OrderedReady a pod with a bad image is never replaced.
                "podManagementPolicy": "Parallel",
                "revisionHistoryLimit": 3,
                "selector": {"matchLabels": self.owner.selector()},
                "template": {
                    "metadata": {"labels": self.owner.labels()},
                    "spec": self.pod(),
                },
            },
        });
        self.child(ChildKind::StatefulSet, body)
    }

    fn pod(&self) -> Value {
        let mut pod = json!({
            "serviceAccountName": self.owner.child_name,
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "terminationGracePeriodSeconds": 30,
            "securityContext": {
                "runAsNonRoot": true,
                "runAsUser": USER,
                "runAsGroup": USER,
                "fsGroup": USER,
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [self.container()],
            "volumes": self.volumes(),
        });
        if !self.image_pull_secrets.is_empty() {
            pod["imagePullSecrets"] = self.image_pull_secrets.iter().map(|name| json!({"name": name})).collect();
        }
        let Some(scheduling) = self.scheduling else { return pod };
        if !scheduling.node_selector.is_empty() {
            pod["nodeSelector"] = json!(scheduling.node_selector);
        }
        if !scheduling.tolerations.is_empty() {
            pod["tolerations"] = scheduling.tolerations.iter().map(|toleration| json!(toleration.to_core())).collect();
        }
        if let Some(class) = &scheduling.priority_class_name {
            pod["priorityClassName"] = class.clone().into();
        }
        pod
    }

    fn container(&self) -> Value {
        let probe = |path: &str, period: u32, failures: u32| {
            json!({
                "httpGet": {"path": path, "port": "admin"},
                "periodSeconds": period, "failureThreshold": failures, "timeoutSeconds": 3,
            })
        };
        let port = |name: &str, port: u16| json!({"name": name, "containerPort": port, "protocol": "TCP"});
        let resources = self.resources.map_or_else(|| Resources::default().to_core(), Resources::to_core);
        json!({
            "name": self.role,
            "image": self.image,
            "imagePullPolicy": self.image_pull_policy,
            "args": [self.role],
            "ports": [port("http", ports::PUBLIC), port("internal", ports::INTERNAL), port("admin", ports::ADMIN)],
            "resources": resources,
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "runAsNonRoot": true,
                "capabilities": {"drop": ["ALL"]},
            },
            // A large store may take a while to open.
            "startupProbe": probe("/livez", 1, 120),
            "livenessProbe": probe("/livez", 10, 6),
            "readinessProbe": probe("/readyz", 2, 2),
            // The last words of a process that ends go into the condition.
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "volumeMounts": self.mounts(),
        })
    }

    fn mounts(&self) -> Value {
        let mut mounts = vec![
            json!({"name": "config", "mountPath": ports::CONFIG_DIR, "readOnly": true}),
            json!({"name": "token", "mountPath": token_dir(), "readOnly": true}),
            json!({"name": "data", "mountPath": ports::DATA_DIR}),
        ];
        for (volume, path, _) in self.secrets.mounted() {
            mounts.push(json!({"name": volume, "mountPath": path, "readOnly": true}));
        }
        Value::Array(mounts)
    }

    fn volumes(&self) -> Value {
        let file = |key: &str| json!([{"key": key, "path": key}]);
        // Fixed, so that a further part needs no new pod.
        let mut sources = vec![json!({"configMap": {
            "name": self.owner.child_name, "optional": true, "items": file(config::MAIN_DOCUMENT),
        }})];
        sources.extend((0..config::MAX_PARTS).map(|index| {
            json!({"configMap": {
                "name": self.parts.config_map(self.owner, index), "optional": true,
                "items": file(&self.parts.file(index)),
            }})
        }));
        let token = json!({"serviceAccountToken": {
            "audience": names::role_audience(&self.owner.namespace), "expirationSeconds": TOKEN_SECONDS, "path": "token",
        }});
        let mut volumes = vec![
            json!({"name": "config", "projected": {"defaultMode": READ_ONLY, "sources": sources}}),
            json!({"name": "token", "projected": {"defaultMode": READ_ONLY, "sources": [token]}}),
            json!({"name": "data", "persistentVolumeClaim": {"claimName": self.owner.child_name}}),
        ];
        for (volume, _, secret) in self.secrets.mounted() {
            // Optional, so that a Secret that is missing does not hold up the pod; whole, so that the gateway can tell a Secret
            // that is missing from one that lacks a key.
            let source = json!({"secretName": secret, "optional": true, "defaultMode": READ_ONLY});
            volumes.push(json!({"name": volume, "secret": source}));
        }
        Value::Array(volumes)
    }
}

fn token_dir() -> &'static str {
    ports::TOKEN_FILE.rsplit_once('/').map_or(ports::TOKEN_FILE, |(dir, _)| dir)
}
