//! Claims that were lost, or taken by somebody else meanwhile.

use std::fs;

use serde_json::{Value, json};

use super::{NUMBER, World, stateful_set};
use crate::operator::{controllers::plan_tests::settings, runtime::api_fake::ApiFake};

impl World {
    /// The one Lease that claims a number.
    fn lease(&self) -> Option<String> {
        self.api.objects("/leases/").into_iter().map(|(path, _)| path).next()
    }

    fn holder(&self) -> Option<String> {
        let lease = self.api.get(&self.lease()?)?;
        lease["spec"]["holderIdentity"].as_str().map(ToOwned::to_owned)
    }

    /// Channel `forged` of namespace `mallory` says that it has the number of this account, and has what looks like an engine.
    fn forge_holder(&self, provider: &Value) {
        let ours = |plural: &str, name: &str| format!("/apis/aldis.dev/v1alpha1/namespaces/mallory/{plural}/{name}");
        let connector = json!({"apiVersion": "aldis.dev/v1alpha1", "kind": "SmsConnector", "metadata": {"name": "sim"},
            "spec": {"provider": provider, "webhook": {"publicUrl": "https://sms.example.com/mallory"}}});
        self.api.put::<Value>(&ours("smsconnectors", "sim"), connector);
        let claimed = json!({"type": "NumberClaimed", "status": "True", "reason": "Claimed", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z"});
        let channel = json!({"apiVersion": "aldis.dev/v1alpha1", "kind": "SmsChannel", "metadata": {"name": "forged"},
            "spec": {"campaignRef": {"name": "support"}, "connectorRef": {"name": "sim"}, "number": NUMBER},
            "status": {"conditions": [claimed]}});
        let channel: Value = self.api.put(&ours("smschannels", "forged"), channel);
        let owner = json!([{"apiVersion": "aldis.dev/v1alpha1", "kind": "SmsChannel", "name": "forged",
            "controller": true, "uid": channel["metadata"]["uid"]}]);
        let set = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {
            "name": "sms-forged", "labels": {"app.kubernetes.io/managed-by": "aldis"}, "ownerReferences": owner}});
        self.api.put::<Value>("/apis/apps/v1/namespaces/mallory/statefulsets/sms-forged", set);
        self.relist();
    }

    fn lose_claims(&self) {
        self.api.remove(&self.lease().unwrap());
        self.relist();
    }
}

#[tokio::test]
async fn a_contender_yields_to_a_channel_that_runs_although_its_claim_is_lost() {
    let world = World::at_work().await;
    world.channel("sales");
    world.lose_claims();
    world.reconcile_channel("sales").await.unwrap();
    let message = world.expect("smschannels", "sales", "NumberClaimed", "False", "HeldByOther");
    assert!(message.contains("channel support"), "{message}");
    assert_eq!(world.holder(), None);
    // The one that runs gets its claim again.
    world.reconcile_channel("support").await.unwrap();
    assert!(world.holder().unwrap().starts_with("shop/support/"));
    world.expect("smschannels", "support", "Ready", "True", "Available");
}

#[tokio::test]
async fn a_claim_that_nobody_runs_for_is_free() {
    let world = World::at_work().await;
    world.channel("sales");
    world.lose_claims();
    world.api.remove(&stateful_set("sms-support"));
    world.relist();
    world.reconcile_channel("sales").await.unwrap();
    assert!(world.holder().unwrap().starts_with("shop/sales/"));
}

#[tokio::test]
async fn an_engine_that_runs_is_kept_when_another_channel_got_its_number() {
    let world = World::at_work().await;
    world.channel("sales");
    let uid = world.get("smschannels", "sales")["metadata"]["uid"].as_str().unwrap().to_owned();
    let lease = world.lease().unwrap();
    world.edit(&lease, |lease| lease["spec"]["holderIdentity"] = format!("shop/sales/{uid}").into());
    for _ in 0..2 {
        world.reconcile_channel("support").await.unwrap();
        let message = world.expect("smschannels", "support", "NumberClaimed", "False", "ClaimLost");
        assert!(message.contains("channel sales") && message.contains("delete"), "{message}");
        world.expect("smschannels", "support", "Stalled", "True", "ClaimLost");
        assert!(world.api.get(&stateful_set("sms-support")).is_some(), "nothing that runs is pruned");
    }
    // A person decides: the other one is deleted, and its claim with it.
    world.lose_claims();
    world.edit(&super::path("smschannels", "sales"), |sales| sales["status"] = json!({}));
    world.reconcile_channel("support").await.unwrap();
    world.expect("smschannels", "support", "Ready", "True", "Available");
}

#[tokio::test]
async fn a_lease_without_its_label_is_still_the_claim() {
    let world = World::at_work().await;
    let lease = world.lease().unwrap();
    world.edit(&lease, |lease| lease["metadata"]["labels"] = json!({}));
    world.reconcile_channel("support").await.unwrap();
    world.expect("smschannels", "support", "NumberClaimed", "True", "Claimed");
}

#[tokio::test]
async fn a_status_holds_no_number_of_an_account_that_its_namespace_may_not_use() {
    let account = "AC00000000000000000000000000000001";
    let provider = json!({"twilio": {"accountSid": account, "credentialsSecretRef": {"name": "twilio"}}});
    for (namespaces, is_free) in [(json!(["shop"]), true), (json!(["shop", "mallory"]), false)] {
        let file = tempfile::NamedTempFile::new().unwrap();
        let bound = json!([{"provider": "twilio", "account": account, "namespaces": namespaces}]);
        fs::write(file.path(), bound.to_string()).unwrap();
        let mut settings = settings();
        settings.accounts = Some(file.path().into());
        let world = World::with(ApiFake::default(), settings);
        let webhook = json!({"publicUrl": "https://sms.example.com/twilio"});
        world.put("smsconnectors", "sim", json!({"provider": provider, "webhook": webhook}));
        world.put("campaigns", "support", json!({"members": [{"user": "ana"}]}));
        world.gateway_says(json!({}));
        world.forge_holder(&provider);
        world.channel("support");
        world.reconcile_channel("support").await.unwrap();
        let holder = world.holder();
        assert_eq!(holder.is_some_and(|holder| holder.starts_with("shop/support/")), is_free, "{namespaces}");
        if !is_free {
            world.expect("smschannels", "support", "NumberClaimed", "False", "HeldByOther");
        }
    }
}
