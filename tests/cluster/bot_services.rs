//! A bot asks a service from an engine's pod: examples/bots/order-status, with a service outside of the cluster.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::{
    installed::BOTS_SERVICE,
    kills::{ENGINE, signal},
    load::desk,
    outside,
    quickstart::{NUMBER, Quickstart, Running},
};
use crate::support::{
    process::eventually,
    service_fake::{FakeService, Said},
};

const MIA: &str = "+15559870001";
const TOM: &str = "+15559870002";
const CHANNEL: &str = "smschannel/support";
const NUMBER_PLEASE: &str = "What is the number of your order? It begins with A.";
const ANYTHING: &str = "Anything else? Write it, and somebody answers you. If not, you need do nothing.";

/// The example, with its service at another address, and more patience with it.
fn order_status(origin: &str) -> Value {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/bots/order-status.yaml");
    let text = std::fs::read_to_string(file).unwrap().replace("https://orders.example.com", origin);
    // Time enough to kill an engine that waits for the answer.
    serde_saphyr::from_str(&text.replace("timeoutSeconds: 5\n", "timeoutSeconds: 30\n")).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_asks_a_service_what_a_customer_wants_to_know() {
    let mut quickstart = Quickstart::new();
    let service = FakeService::start_at(Ipv4Addr::LOCALHOST.into()).await;
    let _relay = outside::serve(&quickstart.cluster, &quickstart.namespace, BOTS_SERVICE, 8090, service.port);
    quickstart.apply(&[json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "orders-api"},
        "stringData": {"authorization": "Bearer of-the-orders"},
    })]);
    quickstart.change("channel", |channel| channel["spec"]["engine"] = json!({"botSecrets": [{"name": "orders-api"}]}));
    let (mut quickstart, running) = desk(quickstart).await;
    let _online = running.ana.be_online();

    // The example's own address is not on the list of this operator.
    quickstart
        .change("channel", |channel| channel["spec"]["automations"] = json!({"onStart": {"name": "order-status"}}));
    quickstart.apply_file("channel");
    quickstart.apply(&[order_status("https://orders.example.com")]);
    let message = quickstart.until(CHANNEL, "Ready", "False", "BotInvalid").await;
    assert!(message.contains("is not on the operator's list"), "{message}");
    let allowed = format!("http://{BOTS_SERVICE}.{}:8090", quickstart.namespace);
    quickstart.put_in_force(|quickstart| quickstart.apply(&[order_status(&allowed)])).await;

    mia_learns_of_her_order(&running, &service).await;
    tom_hears_that_it_cannot_be_seen(&running, &service).await;
    an_engine_that_died_asks_again(&quickstart, &running, &service).await;
}

/// A customer begins, and answers with the number of an order.
async fn orders(running: &Running, customer: &str, order: &str) {
    running.carrier.customer_writes(customer, NUMBER, "Where is it?").await;
    running.carrier.until_delivered(customer, NUMBER_PLEASE).await;
    running.carrier.customer_writes(customer, NUMBER, order).await;
}

/// Waits until Ana has the customer; gives what the bot noted, and what its steps led to.
async fn handed_over(running: &Running, customer: &str) -> (String, Vec<Value>) {
    let given = running.ana.given(customer).await;
    let note = given["notes"][0]["text"].as_str().unwrap_or_else(|| panic!("{given}")).trim().to_owned();
    let trace = running.ana.get(&format!("/interactions/{}/bot", given["id"])).await;
    let steps = trace["items"][0]["steps"].as_array().unwrap().clone();
    (note, steps)
}

async fn mia_learns_of_her_order(running: &Running, service: &FakeService) {
    service.says([Said::Body(r#"{"id": "A1234", "state": "sent", "arrives": "Friday"}"#)]);
    orders(running, MIA, "A1234").await;
    running.carrier.until_delivered(MIA, "Order A1234 is on its way and arrives on Friday.").await;
    running.carrier.until_delivered(MIA, ANYTHING).await;
    running.carrier.customer_writes(MIA, NUMBER, "To the neighbour, please").await;
    assert_eq!(handed_over(running, MIA).await.0, "Order A1234: sent To the neighbour, please");
    let asked = service.asked();
    let [asked] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(asked.target(), "GET /v1/orders/A1234");
    assert_eq!(asked.header("authorization"), Some("Bearer of-the-orders"), "the Secret's key");
}

async fn tom_hears_that_it_cannot_be_seen(running: &Running, service: &FakeService) {
    service.says([Said::Status("404 Not Found", "")]);
    orders(running, TOM, "A9999").await;
    running.carrier.until_delivered(TOM, "We cannot see order A9999 at the moment. Somebody will look for you.").await;
    let (note, steps) = handed_over(running, TOM).await;
    assert_eq!(note, "Order A9999:");
    assert!(steps.iter().any(|step| step["failure"] == "Status"), "{steps:?}");
}

/// The service does not answer, and the engine dies while it waits. The next process asks once more, under the same key.
async fn an_engine_that_died_asks_again(quickstart: &Quickstart, running: &Running, service: &FakeService) {
    let before = service.asked().len();
    service.says([Said::Nothing, Said::Body(r#"{"id": "A5678", "state": "paid"}"#)]);
    let eva = "+15559870003";
    orders(running, eva, "A5678").await;
    eventually("the service is asked", || async {
        let asked = service.asked().len();
        if asked > before { Ok(()) } else { Err(asked) }
    })
    .await;
    signal(quickstart, ENGINE, "-KILL");
    running.carrier.until_delivered(eva, "Order A5678 is being packed.").await;
    let asked = service.asked().split_off(before);
    let keys: Vec<_> = asked.iter().map(|asked| asked.header("idempotency-key").unwrap()).collect();
    assert!(asked.len() >= 2 && keys.iter().all(|key| *key == keys[0]), "{asked:?}");
}
