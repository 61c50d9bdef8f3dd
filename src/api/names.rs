//! Names that are fixed for ever: of child objects, labels, annotations, the finalizer, audiences and field managers.

use super::sms_channel::SmsChannel;
use super::sms_connector::SmsConnector;
use kube::ResourceExt;

/// The longest metadata.name of a connector or channel. With a prefix and a StatefulSet's suffixes it still fits a label.
pub const NAME_MAX: usize = 45;

/// Annotation on one of our objects: the value `disabled` pauses its reconciliation.
pub const ANNOTATION_RECONCILE: &str = "aldis.dev/reconcile";
/// The value of [`ANNOTATION_RECONCILE`] that pauses.
pub const RECONCILE_DISABLED: &str = "disabled";
/// Annotation on a connector or channel: a new value makes its pod read configuration and credentials again at once.
pub const ANNOTATION_RELOAD: &str = "aldis.dev/reload";
/// Annotation on a channel: the store id that a person accepts although it is not the one that the channel had.
pub const ANNOTATION_ACCEPT_STORAGE: &str = "aldis.dev/accept-storage";
/// Annotation on a channel: a person says that the clock of the engine's node is right. The value is the number that the condition names.
pub const ANNOTATION_ACCEPT_CLOCK: &str = "aldis.dev/accept-clock";
/// Annotation on a pod: a new value makes the kubelet refresh the mounted configuration. It is the only thing that the operator patches on pods.
pub const ANNOTATION_CONFIG_NUDGE: &str = "aldis.dev/config";
/// Annotation on a connector that is being deleted: the value `skip` lets it go at once, whatever its channels and its spool still hold.
pub const ANNOTATION_DRAIN: &str = "aldis.dev/drain";
/// The value of [`ANNOTATION_DRAIN`] that does not wait.
pub const DRAIN_SKIP: &str = "skip";
/// Finalizer of a channel: intake stops and the outbox is sent before the engine goes. Of a connector: its channels go and its spool
/// empties before the gateway goes.
pub const FINALIZER_DRAIN: &str = "aldis.dev/drain";

/// Standard label: who manages a child object.
pub const LABEL_MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The value of [`LABEL_MANAGED_BY`].
pub const MANAGED_BY: &str = "aldis";
/// Standard label: the application that a child belongs to.
pub const LABEL_NAME: &str = "app.kubernetes.io/name";
/// Standard label: the instance, which is the child's own name (`sms-<channel>`, `smsc-<connector>`).
pub const LABEL_INSTANCE: &str = "app.kubernetes.io/instance";
/// Standard label: the role, [`COMPONENT_ENGINE`] or [`COMPONENT_GATEWAY`].
pub const LABEL_COMPONENT: &str = "app.kubernetes.io/component";
/// The component label of what a channel owns.
pub const COMPONENT_ENGINE: &str = "engine";
/// The component label of what a connector owns.
pub const COMPONENT_GATEWAY: &str = "gateway";
/// Label on a child: the name of the channel that owns it.
pub const LABEL_CHANNEL: &str = "aldis.dev/channel";
/// Label on a child: the name of the connector that owns it.
pub const LABEL_CONNECTOR: &str = "aldis.dev/connector";

/// Field manager of everything that the operator applies for connectors.
pub const FIELD_MANAGER_CONNECTOR: &str = "aldis/smsconnector";
/// Field manager of everything that the operator applies for channels.
pub const FIELD_MANAGER_CHANNEL: &str = "aldis/smschannel";
/// Field manager of the status of campaigns.
pub const FIELD_MANAGER_CAMPAIGN: &str = "aldis/campaign";
/// Field manager of the status of bots.
pub const FIELD_MANAGER_BOT: &str = "aldis/bot";
/// Field manager of the status of blocklists.
pub const FIELD_MANAGER_BLOCKLIST: &str = "aldis/blocklist";

/// The name of what a channel owns: `sms-<channel>`.
pub fn channel_child(channel: &str) -> String {
    format!("sms-{channel}")
}

/// The name of what a connector owns: `smsc-<connector>`.
pub fn connector_child(connector: &str) -> String {
    format!("smsc-{connector}")
}

/// The name of one further part of a child's configuration: `sms-<channel>.blocklist-0`, `smsc-<connector>.routes-3`.
pub fn part(child: &str, part: &str, index: usize) -> String {
    format!("{child}.{part}-{index}")
}

/// The audience of the tokens that roles show each other in a namespace.
pub fn role_audience(namespace: &str) -> String {
    format!("aldis:{namespace}")
}

/// The audience of the tokens that agents of a namespace show, when the cluster itself vouches for them.
pub fn desk_audience(namespace: &str) -> String {
    format!("aldis-desk:{namespace}")
}

/// The user name by which Kubernetes knows a ServiceAccount.
pub fn service_account_user(namespace: &str, name: &str) -> String {
    format!("system:serviceaccount:{namespace}:{name}")
}

impl SmsChannel {
    /// The name of everything that this channel owns.
    pub fn child_name(&self) -> String {
        channel_child(&self.name_any())
    }
}

impl SmsConnector {
    /// The name of everything that this connector owns.
    pub fn child_name(&self) -> String {
        connector_child(&self.name_any())
    }
}

/// True when the annotation [`ANNOTATION_RECONCILE`] pauses this object.
pub fn is_paused(object: &impl ResourceExt) -> bool {
    object.annotations().get(ANNOTATION_RECONCILE).is_some_and(|value| value == RECONCILE_DISABLED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_names_fit_a_label() {
        let longest = "x".repeat(NAME_MAX);
        // A StatefulSet's revision label is its name, a dash and ten characters; a label value holds 63.
        assert!(connector_child(&longest).len() + 1 + 10 <= 63);
        assert!(channel_child(&longest).len() + 1 + 10 <= 63);
    }

    #[test]
    fn audiences_hold_the_namespace() {
        assert_eq!(role_audience("shop"), "aldis:shop");
        assert_eq!(desk_audience("shop"), "aldis-desk:shop");
        assert_eq!(part("sms-a", "blocklist", 0), "sms-a.blocklist-0");
    }
}
