//! Claims that were lost, or taken by somebody else meanwhile.

use serde_json::json;

use super::{World, stateful_set};

impl World {
    /// The one Lease that claims a number.
    fn lease(&self) -> Option<String> {
        self.api.objects("/leases/").into_iter().map(|(path, _)| path).next()
    }

    fn holder(&self) -> Option<String> {
        let lease = self.api.get(&self.lease()?)?;
        lease["spec"]["holderIdentity"].as_str().map(ToOwned::to_owned)
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
