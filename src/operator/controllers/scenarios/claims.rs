//! Claims that were lost, or taken by somebody else meanwhile.

use serde_json::json;

use super::{World, stateful_set};

impl World {
    /// The one Lease that claims a number.
    fn lease(&self) -> Option<String> {
        self.api.objects("/leases/").into_iter().map(|(path, _)| path).next()
    }

}

#[tokio::test]
async fn a_lease_without_its_label_is_still_the_claim() {
    let world = World::at_work().await;
    let lease = world.lease().unwrap();
    world.edit(&lease, |lease| lease["metadata"]["labels"] = json!({}));
    world.reconcile_channel("support").await.unwrap();
    world.expect("smschannels", "support", "NumberClaimed", "True", "Claimed");
}
