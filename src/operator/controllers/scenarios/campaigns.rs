//! A campaign sums what its channels say.

use std::time::Duration;

use super::{World, path};
use crate::operator::{
    observed::changes::{self, TOGETHER},
    runtime::cache::ObjectKey,
};

#[tokio::test]
async fn an_edit_of_a_channel_is_worked_on_before_its_campaign_sums_again() {
    let world = World::at_work().await;
    let (channel, campaigns) = (ObjectKey::new("shop", "support"), &world.context.queues.campaigns);
    let before = world.context.cluster.channels.get(&channel).unwrap();
    world.edit(&path("smschannels", "support"), |channel| channel["metadata"]["generation"] = 2.into());
    let after = world.context.cluster.channels.get(&channel).unwrap();
    changes::depends_on_channel(&world.context, Some(&before), Some(&after));
    assert_eq!(campaigns.depth(), 0, "with thousands of channels its sums would keep the edit waiting");
    let summed = tokio::time::timeout(TOGETHER + Duration::from_secs(5), campaigns.pop()).await;
    assert_eq!(summed, Ok(ObjectKey::new("shop", "support")));
}
