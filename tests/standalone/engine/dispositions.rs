//! What agents say about the outcome of an interaction.

use serde_json::{Value, json};

use super::MIA;
use crate::support::{engine::Engine, gateway_fake::FakeGateway};

#[tokio::test]
async fn a_disposition_is_chosen_recorded_and_kept_when_the_campaign_has_it_no_more() {
    let gateway = FakeGateway::start().await;
    let of_campaign = json!([{ "name": "sold", "path": "Sales/Sold" }, { "name": "lost", "path": "Sales/Lost" }]);
    let mut engine = Engine::start(&gateway.url, |document| {
        document["campaign"]["dispositions"] = of_campaign.clone();
        document["campaign"]["dispositionRequired"] = json!(true);
    })
    .await;
    let below = |path: &str| format!("/v1/channels/support{path}");
    let listed = engine.get("ana", &below("/dispositions")).await;
    assert_eq!(listed, json!({ "items": of_campaign, "required": true }));

    let (status, started) =
        engine.post("ana", &below("/interactions"), json!({ "number": MIA, "text": "Hello" })).await;
    assert_eq!(status, 201, "{started}");
    let interaction = below(&format!("/interactions/{}", started["interaction"]));
    let finish = format!("{interaction}/finish");
    let cases = [(json!(null), "disposition-missing"), (json!("won"), "no-such-disposition")];
    for (disposition, reason) in cases {
        let (status, problem) = engine.post("ana", &finish, json!({ "epoch": 1, "disposition": disposition })).await;
        assert_eq!((status, &problem["field"]), (422, &json!("/disposition")), "{problem}");
        assert_eq!(problem["type"], format!("urn:aldis:problem:{reason}"));
    }
    assert_eq!(engine.post("ana", &finish, json!({ "epoch": 1, "disposition": "sold" })).await.0, 200);
    let shown = |seen: Value| (seen["state"].clone(), seen["disposition"].clone());
    assert_eq!(shown(engine.get("ana", &interaction).await), (json!("Closed"), json!("sold")));

    engine
        .configure(|document| {
            document["campaign"]["dispositions"] = json!([]);
            document["campaign"]["dispositionRequired"] = json!(false);
        })
        .await;
    engine.crash().await;
    assert_eq!(shown(engine.get("ana", &interaction).await), (json!("Closed"), json!("sold")));
}
