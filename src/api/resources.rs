//! Resources, scheduling and storage of the pods that the operator makes. Small types of our own: the core types are unbounded.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as CoreQuantity;
use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

use super::pattern;

/// An amount of CPU or memory. YAML may give a whole number or text (`1`, `"100m"`, `"64Mi"`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Quantity(pub String);

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(i64),
            Text(String),
        }
        Ok(Self(match Written::deserialize(deserializer)? {
            Written::Number(number) => number.to_string(),
            Written::Text(text) => text,
        }))
    }
}

impl JsonSchema for Quantity {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"x-kubernetes-int-or-string": true, "pattern": pattern::QUANTITY, "maxLength": 20})
    }
}

/// CPU and memory of the pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// What the pod is promised. Absent: 10m CPU and 32Mi memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<Amounts>,
    /// What the pod may use at most. Absent: 256Mi memory and no limit of CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Amounts>,
}

/// An amount of CPU, of memory, or of both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Amounts {
    /// CPU in cores: `1`, `"250m"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Quantity>,
    /// Memory in bytes: `"64Mi"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quantity>,
}

impl Amounts {
    fn to_core(&self) -> BTreeMap<String, CoreQuantity> {
        let named = [("cpu", &self.cpu), ("memory", &self.memory)];
        named
            .into_iter()
            .filter_map(|(name, amount)| Some((name.into(), CoreQuantity(amount.as_ref()?.0.clone()))))
            .collect()
    }
}

impl Resources {
    /// The core type, with the defaults that the fields document where something is absent.
    pub fn to_core(&self) -> core::ResourceRequirements {
        let amounts = |cpu: Option<&str>, memory: &str| Amounts {
            cpu: cpu.map(|cpu| Quantity(cpu.into())),
            memory: Some(Quantity(memory.into())),
        };
        let requests = self.requests.clone().unwrap_or_else(|| amounts(Some("10m"), "32Mi"));
        let limits = self.limits.clone().unwrap_or_else(|| amounts(None, "256Mi"));
        core::ResourceRequirements {
            requests: Some(requests.to_core()),
            limits: Some(limits.to_core()),
            ..Default::default()
        }
    }
}

/// Where the pod may run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Scheduling {
    /// Labels that a node must have, at most 16. Example: `{topology.kubernetes.io/zone: eu-west-1a}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16, "additionalProperties" = {"type": "string", "maxLength": 63}))]
    pub node_selector: BTreeMap<String, String>,
    /// Taints of nodes that the pod puts up with, at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["key".into(), "value".into(), "effect".into()]))]
    pub tolerations: Vec<Toleration>,
    /// PriorityClass of the pod. Absent: the cluster's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = pattern::OBJECT_NAME))]
    pub priority_class_name: Option<String>,
}

/// One taint that the pod puts up with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.operator == 'Equal' || self.value == ''")
    .message("operator Exists takes no value: remove value, or set operator to Equal").field_path(".value"))]
pub struct Toleration {
    /// Key of the taint.
    #[schemars(length(min = 1, max = 316))]
    pub key: String,
    /// `Equal`: the taint's value must be `value`. `Exists`: any value will do.
    #[serde(default)]
    pub operator: TolerationOperator,
    /// Value of the taint, with operator `Equal`.
    #[serde(default)]
    #[schemars(length(max = 63))]
    pub value: String,
    /// Effect of the taint.
    pub effect: TaintEffect,
    /// Seconds that the pod stays on a node that gets the taint, with effect `NoExecute`; 0 to 86400. Absent: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86400))]
    pub toleration_seconds: Option<i64>,
}

/// How a toleration compares the taint's value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum TolerationOperator {
    /// The value must be the same.
    #[default]
    Equal,
    /// Any value will do.
    Exists,
}

/// What a taint does to pods that do not tolerate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum TaintEffect {
    /// No new pod starts there.
    NoSchedule,
    /// New pods start elsewhere if they can.
    PreferNoSchedule,
    /// Running pods are evicted.
    NoExecute,
}

impl Toleration {
    /// The core type.
    pub fn to_core(&self) -> core::Toleration {
        core::Toleration {
            key: Some(self.key.clone()),
            operator: Some(
                match self.operator {
                    TolerationOperator::Equal => "Equal",
                    TolerationOperator::Exists => "Exists",
                }
                .into(),
            ),
            value: (self.operator == TolerationOperator::Equal).then(|| self.value.clone()),
            effect: Some(
                match self.effect {
                    TaintEffect::NoSchedule => "NoSchedule",
                    TaintEffect::PreferNoSchedule => "PreferNoSchedule",
                    TaintEffect::NoExecute => "NoExecute",
                }
                .into(),
            ),
            toleration_seconds: self.toleration_seconds,
        }
    }
}

/// A volume that the operator makes and keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.className) == has(oldSelf.className) && (!has(self.className) || self.className == oldSelf.className)")
    .message("className cannot change: a volume stays in its storage class").field_path(".className"))]
pub struct Volume {
    /// Size of the volume. It can grow, if the storage class can, and never shrinks; a size that the volume was not given can be taken
    /// back. Default `1Gi`.
    #[serde(default = "one_gibibyte")]
    #[schemars(length(min = 1, max = 20), regex(pattern = pattern::STORAGE_SIZE))]
    pub size: String,
    /// StorageClass of the volume. Absent: the cluster's default. It cannot change later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = pattern::OBJECT_NAME))]
    pub class_name: Option<String>,
}

fn one_gibibyte() -> String {
    "1Gi".into()
}

impl Default for Volume {
    fn default() -> Self {
        Self { size: one_gibibyte(), class_name: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_may_be_written_as_a_number() {
        let amounts: Amounts = serde_json::from_str(r#"{"cpu": 1, "memory": "64Mi"}"#).unwrap();
        assert_eq!(amounts.cpu, Some(Quantity("1".into())));
        assert_eq!(serde_json::to_string(&amounts).unwrap(), r#"{"cpu":"1","memory":"64Mi"}"#);
    }

    #[test]
    fn absent_resources_become_the_documented_defaults() {
        let core = Resources::default().to_core();
        assert_eq!(core.requests.unwrap()["cpu"], CoreQuantity("10m".into()));
        assert_eq!(core.limits.unwrap().keys().collect::<Vec<_>>(), ["memory"]);
    }
}
