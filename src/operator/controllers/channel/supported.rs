//! Fields that this version does not carry out yet. They are refused, never ignored.

use crate::{
    api::{Reason, SmsChannelSpec},
    operator::runtime::error::Error,
};

/// Checks that every such field has its default.
///
/// # Errors
/// [`Error::Stalled`] with `NotSupportedYet`, naming the fields.
pub(super) fn check(spec: &SmsChannelSpec) -> Result<(), Error> {
    let fields = unsupported(spec);
    if fields.is_empty() {
        return Ok(());
    }
    let message = format!("this version does not carry out {} yet: remove what is set there", fields.join(", "));
    Err(Error::stalled(Reason::NotSupportedYet, message))
}

fn unsupported(spec: &SmsChannelSpec) -> Vec<String> {
    let bots = spec.automations.iter().flat_map(|bots| bots.bots());
    bots.map(|(bot, _)| format!("spec.automations.{bot}")).collect()
}

#[cfg(test)]
mod tests {
    use kube::CustomResourceExt as _;
    use serde_json::{Value, json};

    use super::*;
    use crate::api::SmsChannel;

    fn spec(change: Value) -> SmsChannelSpec {
        let mut spec = json!({"campaignRef": {"name": "c"}, "connectorRef": {"name": "s"}, "number": "+15551230001"});
        if let (Some(spec), Some(change)) = (spec.as_object_mut(), change.as_object()) {
            spec.extend(change.clone());
        }
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn defaults_never_stall() {
        assert!(check(&spec(json!({}))).is_ok());
        assert!(
            check(&spec(
                json!({"strategy": "RingAll", "offer": {"mode": "Ask"}, "automations": {}, "optOut": {"answeredBy": "Provider"}})
            ))
            .is_ok()
        );
    }

    #[test]
    fn the_example_of_the_reference_page_is_carried_out() {
        let example = include_str!("../../../../examples/reference/smschannel.yaml");
        let channel: SmsChannel = serde_saphyr::from_str(example).unwrap();
        check(&channel.spec).unwrap();
    }

    #[test]
    fn each_field_that_is_not_carried_out_is_named() {
        let cases = [
            (json!({"automations": {"onStart": {"name": "b"}}}), "spec.automations.onStart"),
            (json!({"automations": {"onEnd": {"name": "b"}}}), "spec.automations.onEnd"),
        ];
        for (change, field) in cases {
            let Err(Error::Stalled { reason: Reason::NotSupportedYet, message }) = check(&spec(change)) else {
                panic!("{field} is not refused")
            };
            assert!(message.contains(field), "{message}");
            assert!(description(field).contains("Not carried out yet"), "{field} does not say so in its documentation");
        }
    }

    /// What `kubectl explain` says of the field that `path` begins with.
    fn description(path: &str) -> String {
        let path = path.split(' ').next().unwrap();
        let definition = serde_json::to_value(SmsChannel::crd()).unwrap();
        let mut schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        let mut said = String::new();
        for name in path.split('.') {
            schema = &schema["properties"][name];
            said += schema["description"].as_str().unwrap_or_default();
        }
        said
    }
}
