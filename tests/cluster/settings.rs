//! The sixteen settings of an SMS channel: each is changed by `kubectl apply` on a channel that works, and as soon as its status says that this is
//! in force, a conversation shows it. Before, one shows how it was. Rosa's conversation goes on all the time, and nothing is lost.
//!
//! | setting | field | step |
//! |---|---|---|
//! | Campaign | `campaignRef` | [`campaign`] |
//! | Connector, as it is set up | `SmsConnector` | [`connector_at_work`] |
//! | Status | `enabled` | [`status`] |
//! | Connector | `connectorRef` | [`another_connector_and_number`] |
//! | Phone number | `number` | [`another_connector_and_number`] |
//! | Strategy | `strategy` | [`strategy`] |
//! | Service level | `serviceLevel.targetSeconds` | [`service_level`] |
//! | Max interactions | `maxQueued` | [`max_interactions`] |
//! | Max transfer time | `maxTransferSeconds` | [`max_transfer_time`] |
//! | Max time in queue | `maxQueueSeconds` | [`max_time_in_queue`] |
//! | Out of hours | `outOfHours.message` | [`out_of_hours`] |
//! | Inbound blacklist | `blocklist.inbound` | [`inbound_blocklist`] |
//! | Outbound blacklist | `blocklist.outbound` | [`outbound_blocklist`] |
//! | Bot on start | `automations.onStart` | [`bot_on_start`] |
//! | Bot on end | `automations.onEnd` | [`bot_on_end`] |
//! | Bot after wait timeout | `automations.onQueueTimeout` | [`bot_on_queue_timeout`] |

use aldis::simulator::{Entry, Event};
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    live::Live,
    live_changes::{CLOSED, FULL},
};
use crate::support::{desk::Desk, engine::sqlite, process::eventually};

const PEST: &str = "+15559890001";
const SECOND_NUMBER: &str = "+15551230003";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_setting_of_a_live_channel_shows_in_the_next_conversation() {
    let mut live = Live::new().await;
    a_second_channel_waits_for_its_connector(&live).await;
    blocklist_and_bots_that_nobody_uses(&live);

    status(&mut live).await;
    campaign(&mut live).await;
    strategy(&mut live).await;
    service_level(&mut live).await;
    max_transfer_time(&mut live).await;
    inbound_blocklist(&mut live).await;
    outbound_blocklist(&mut live).await;
    out_of_hours(&mut live).await;
    let greeted = bot_on_start(&mut live).await;
    bot_on_end(&mut live, &greeted).await;
    max_interactions(&mut live).await;
    max_time_in_queue(&mut live).await;
    bot_on_queue_timeout(&mut live).await;
    connector_at_work(&mut live).await;
    live.nothing_is_lost().await;
    another_connector_and_number(&mut live).await;
}

/// What a later step names is there, and binds nobody yet.
fn blocklist_and_bots_that_nobody_uses(live: &Live) {
    let example = |name: &str| -> Value {
        let file = format!("{}/examples/bots/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
        serde_saphyr::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
    };
    live.quickstart.apply(&[
        json!({
            "apiVersion": "aldis.dev/v1alpha1", "kind": "Blocklist", "metadata": {"name": "spam"},
            "spec": {"entries": [{"number": PEST, "reason": "Spam"}]},
        }),
        example("greeting"),
        example("survey-on-end"),
        example("apology-on-queue-timeout"),
    ]);
}

/// Disabled: nothing is answered, and nobody begins anything. What the customer of an open interaction writes is kept with it.
async fn status(live: &mut Live) {
    live.queued().await;
    live.put("channel", |spec| spec["enabled"] = json!(false)).await;
    live.quickstart.until("smschannel/support", "Ready", "True", "Disabled").await;
    let (stranger, outcome) = live.stranger_writes().await;
    assert_eq!(outcome, "Disabled");
    assert_eq!(live.rosa_asks("Are you still there?").await, "Disabled");
    let (another, refused) = (live.stranger(), (409, json!("urn:aldis:problem:disabled")));
    let kind = |(status, problem): (u16, Value)| (status, problem["type"].clone());
    assert_eq!(kind(live.try_answer_rosa("Yes").await), refused);
    assert_eq!(kind(live.ana_starts(&another).await), refused);

    live.edit(|spec| spec["enabled"] = json!(true)).await;
    assert_eq!(live.writes(&stranger, "And now?").await, "Queued");
    live.ana_answers(&stranger).await;
}

/// In the other campaign Bo comes before Ana.
async fn campaign(live: &mut Live) {
    let stranger = live.queued().await;
    assert_eq!(live.owner(&stranger).await, "ana");
    let members = [live.member("bo", 1), live.member("ana", 2)];
    live.quickstart.apply(&[json!({
        "apiVersion": "aldis.dev/v1alpha1", "kind": "Campaign", "metadata": {"name": "evening"},
        "spec": {"timeZone": "Europe/Madrid", "members": members},
    })]);
    live.edit(|spec| spec["campaignRef"]["name"] = json!("evening")).await;
    let stranger = live.queued().await;
    assert_eq!(live.owner(&stranger).await, "bo");

    live.edit(|spec| spec["campaignRef"]["name"] = json!("support")).await;
    let stranger = live.queued().await;
    assert_eq!(live.owner(&stranger).await, "ana");
}

/// The first by position each time; then in turn, which goes on behind Ana.
async fn strategy(live: &mut Live) {
    assert_eq!(owners(live, 2).await, ["ana", "ana"]);
    live.edit(|spec| spec["strategy"] = json!("RoundRobin")).await;
    assert_eq!(owners(live, 3).await, ["bo", "ana", "bo"]);
    live.edit(|spec| spec["strategy"] = json!("Linear")).await;
    assert_eq!(owners(live, 2).await, ["ana", "ana"]);
}

/// Who gets so many strangers, one after the other.
async fn owners(live: &mut Live, strangers: usize) -> Vec<String> {
    let mut owners = Vec::new();
    for _ in 0..strangers {
        let stranger = live.queued().await;
        owners.push(live.owner(&stranger).await);
    }
    owners
}

/// Who waits longer than the target is answered all the same, and counts as late.
async fn service_level(live: &mut Live) {
    let (answered, in_target) = counted(live).await;
    let stranger = live.queued().await;
    live.ana_answers(&stranger).await;
    assert_eq!(counted(live).await, (answered + 1, in_target + 1));

    let late = live.queued().await;
    live.edit(|spec| spec["serviceLevel"]["targetSeconds"] = json!(1)).await;
    let arrived: Timestamp = live.last_of(&late).await["waitingSince"].as_str().unwrap().parse().unwrap();
    eventually("the target is over", || async {
        let waited = Timestamp::now().duration_since(arrived);
        if waited > SignedDuration::from_millis(1100) { Ok(()) } else { Err(waited) }
    })
    .await;
    live.ana_answers(&late).await;
    assert_eq!(counted(live).await, (answered + 2, in_target + 1));
    eventually("kubectl shows it", || async {
        let level = live.quickstart.field("smschannel/support", ".status.serviceLevel");
        let level: Value = serde_json::from_str(&level).unwrap();
        let shown = (level["answered"].as_u64(), level["answeredInTarget"].as_u64());
        if shown == (Some(answered + 2), Some(in_target + 1)) { Ok(()) } else { Err(level) }
    })
    .await;
}

/// How many were answered, and how many of them in time.
async fn counted(live: &Live) -> (u64, u64) {
    let level = live.running.ana.get("/statistics").await["serviceLevel"].clone();
    (level["answered"].as_u64().unwrap(), level["answeredInTarget"].as_u64().unwrap())
}

/// What nobody takes in time is Ana's again. A transfer that began before the edit has no end, as it had none.
async fn max_transfer_time(live: &mut Live) {
    let old = transferred_to_bo(live).await;
    live.edit(|spec| spec["maxTransferSeconds"] = json!(1)).await;
    let new = transferred_to_bo(live).await;
    assert_eq!(live.event("TransferEnded", "interaction", &new["id"]).await["reason"], "TimedOut");
    let customer = |interaction: &Value| interaction["customer"].as_str().unwrap().to_owned();
    live.ana_answers(&customer(&new)).await;
    assert_eq!(live.last_of(&customer(&new)).await["transfer"], Value::Null);

    let old = live.interaction(old["id"].as_u64().unwrap()).await;
    assert_eq!(old["transfer"]["to"]["agent"], json!(live.user("bo")), "it goes on");
    let (id, offer) = (&old["id"], &old["transfer"]["offer"]);
    let (bo, path) = (live.bo.clone(), format!("/interactions/{id}/accept"));
    let (status, accepted) = bo.post(&path, &format!("accept {id}"), &json!({ "offer": offer })).await;
    assert_eq!(status, 200, "{accepted}");
    let taken = bo.given(&customer(&old)).await;
    live.answer(&bo, &taken).await;
}

/// A stranger's interaction, which Ana hands over to Bo.
async fn transferred_to_bo(live: &mut Live) -> Value {
    let stranger = live.queued().await;
    let interaction = live.running.ana.given(&stranger).await;
    let (path, key) = (format!("/interactions/{}/transfer", interaction["id"]), format!("transfer {stranger}"));
    let body = json!({"epoch": interaction["epoch"], "to": {"agent": live.user("bo")}});
    let (status, transferred) = live.running.ana.post(&path, &key, &body).await;
    assert_eq!(status, 200, "{transferred}");
    interaction
}

async fn inbound_blocklist(live: &mut Live) {
    assert_eq!(live.writes(PEST, "Buy this!").await, "Queued");
    live.ana_finishes(PEST).await;
    live.edit(|spec| spec["blocklist"]["inbound"] = json!(true)).await;
    assert_eq!(live.writes(PEST, "Buy that!").await, "Blocked");
    assert_eq!(live.last_of(PEST).await["state"], "Closed", "nobody has it");
    live.queued().await;
}

async fn outbound_blocklist(live: &mut Live) {
    let (status, started) = live.ana_starts(PEST).await;
    assert_eq!(status, 201, "{started}");
    live.ana_finishes(PEST).await;
    live.edit(|spec| spec["blocklist"]["outbound"] = json!(true)).await;
    let (status, refused) = live.ana_starts(PEST).await;
    assert_eq!((status, &refused["type"]), (409, &json!("urn:aldis:problem:blocked")));
    let stranger = live.stranger();
    let (status, started) = live.ana_starts(&stranger).await;
    assert_eq!(status, 201, "{started}");
}

/// The campaign is closed, and the text to those who write meanwhile is another one.
async fn out_of_hours(live: &mut Live) {
    live.edit_file("campaign", |spec| spec["schedule"] = json!({"weekly": {}})).await;
    hears_out_of_hours(live, CLOSED).await;
    live.edit(|spec| spec["outOfHours"]["message"] = json!("We open at nine.")).await;
    hears_out_of_hours(live, "We open at nine.").await;
    live.edit_file("campaign", |spec| drop(spec.as_object_mut().unwrap().remove("schedule"))).await;
    live.queued().await;
}

/// This is all that a stranger hears.
async fn hears_out_of_hours(live: &mut Live, text: &str) {
    let (stranger, outcome) = live.stranger_writes().await;
    assert_eq!(outcome, "OutOfHours");
    live.hears(&stranger, text).await;
    let messages = live.running.ana.messages(&stranger).await;
    assert_eq!(messages.last().unwrap()["text"], text);
    assert_eq!(messages.len(), 2, "{messages:?}");
}

/// A bot asks for the topic, and Ana has it before the conversation. Gives the customer.
async fn bot_on_start(live: &mut Live) -> String {
    let straight = live.queued().await;
    assert_eq!(live.owner(&straight).await, "ana");
    live.edit(|spec| spec["automations"] = json!({"onStart": {"name": "greeting"}})).await;
    let (stranger, outcome) = live.stranger_writes().await;
    assert_eq!(outcome, "Bot");
    live.hears(&stranger, "Hello. Somebody is here from nine to six, Monday to Friday.").await;
    live.hears(&stranger, "What is it about? 1) an order 2) an invoice 3) something else").await;
    live.writes(&stranger, "1").await;
    live.hears(&stranger, "Thank you. Somebody will be with you shortly.").await;
    live.ana_answers(&stranger).await;
    assert_eq!(note(&live.last_of(&stranger).await), "Topic: order");
    stranger
}

/// What a bot noted last.
fn note(interaction: &Value) -> &str {
    let notes = interaction["notes"].as_array().unwrap();
    notes.last().unwrap_or_else(|| panic!("a note: {interaction}"))["text"].as_str().unwrap().trim()
}

/// Without a bot an interaction is closed when Ana finishes it, and nothing is sent; then the survey follows.
async fn bot_on_end(live: &mut Live, before: &str) {
    live.ana_finishes(before).await;
    let finished = live.last_of(before).await;
    assert_eq!((&finished["state"], &finished["closeReason"]), (&json!("Closed"), &json!("Finished")));
    live.edit(|spec| spec["automations"] = json!({"onEnd": {"name": "survey-on-end"}})).await;
    let stranger = live.queued().await;
    live.ana_answers(&stranger).await;
    live.ana_finishes(&stranger).await;
    live.hears(&stranger, "How did we do, from 1 (bad) to 5 (good)?").await;
    live.writes(&stranger, "5").await;
    live.hears(&stranger, "Thank you!").await;
    let finished = live.closed(&stranger).await;
    assert_eq!((&finished["closeReason"], note(&finished)), (&json!("Finished"), "Mark: 5"));
}

/// While nobody takes anything, any number may wait; then no more than two, until there is room.
async fn max_interactions(live: &mut Live) {
    live.take_interactions(false).await;
    let waiting = [live.queued().await, live.queued().await, live.queued().await];
    live.edit(|spec| spec["maxQueued"] = json!(2)).await;
    let (rejected, outcome) = live.stranger_writes().await;
    assert_eq!(outcome, "QueueFull");
    live.hears(&rejected, FULL).await;

    live.take_interactions(true).await;
    for customer in &waiting {
        live.ana_answers(customer).await;
    }
    assert_eq!(live.writes(&rejected, "And now?").await, "Queued");
    live.ana_answers(&rejected).await;
}

/// Who waits for too long has timed out, once, and waits on where nothing else is set.
async fn max_time_in_queue(live: &mut Live) {
    live.take_interactions(false).await;
    let stranger = live.queued().await;
    let id = live.last_of(&stranger).await["id"].clone();
    live.edit(|spec| spec["maxQueueSeconds"] = json!(1)).await;
    live.event("QueueTimedOut", "interaction", &id).await;
    assert_eq!(live.last_of(&stranger).await["state"], "Queued");
    live.take_interactions(true).await;
    live.ana_answers(&stranger).await;
}

/// As before, and a bot apologizes to who has waited for too long.
async fn bot_on_queue_timeout(live: &mut Live) {
    live.edit(|spec| spec["automations"] = json!({"onQueueTimeout": {"name": "apology-on-queue-timeout"}})).await;
    live.take_interactions(false).await;
    let stranger = live.queued().await;
    let sorry = "Sorry that this takes so long. Shall we call you tomorrow instead? Write YES, or NO to wait on.";
    live.hears(&stranger, sorry).await;
    live.writes(&stranger, "yes").await;
    live.hears(&stranger, &format!("We will call {stranger} tomorrow morning.")).await;
    let closed = live.closed(&stranger).await;
    assert_eq!((&closed["closeReason"], note(&closed)), (&json!("QueueTimeout"), "Wants to be called"));
    live.take_interactions(true).await;
}

/// A connector that is disabled sends nothing, takes what customers write, and sends what waited when it is enabled again.
async fn connector_at_work(live: &mut Live) {
    let connector = |enabled: bool| move |object: &mut Value| object["spec"]["enabled"] = json!(enabled);
    live.quickstart.change("connector", connector(false));
    live.quickstart.apply_file("connector");
    live.quickstart.until("smsconnector/simulator", "Ready", "True", "Disabled").await;
    live.quickstart.until("smschannel/support", "Ready", "False", "ConnectorDisabled").await;
    live.rosa_asks("Do you hear me?").await;
    let answer = "Yes, but you do not hear me yet.";
    let message = live.ana_answers_rosa(answer).await;
    eventually("the gateway does not send it", || async {
        let attempts = format!("SELECT outcome FROM attempt WHERE message = {message}");
        let attempts = sqlite(&live.quickstart.store(), &attempts);
        if attempts.iter().any(|attempt| attempt["outcome"] == "NotSent") { Ok(()) } else { Err(attempts) }
    })
    .await;
    let ledger = live.running.carrier.ledger().await;
    let is_sent = |entry: &Entry| matches!(&entry.event, Event::ApiRequest { text: Some(text), .. } if text == answer);
    assert!(!ledger.iter().any(is_sent), "the provider was not asked");

    live.quickstart.change("connector", connector(true));
    live.quickstart.apply_file("connector");
    live.quickstart.until("smschannel/support", "Ready", "True", "Available").await;
    live.rosa_has(answer).await;
    live.rosa_goes_on().await;
}

/// A channel with another number of another connector is there before that connector, and says that it waits.
async fn a_second_channel_waits_for_its_connector(live: &Live) {
    live.quickstart.apply(&[json!({
        "apiVersion": "aldis.dev/v1alpha1", "kind": "SmsChannel", "metadata": {"name": "second"},
        "spec": {"campaignRef": {"name": "support"}, "connectorRef": {"name": "other"}, "number": SECOND_NUMBER},
    })]);
    live.quickstart.until("smschannel/second", "Ready", "False", "ConnectorNotFound").await;
    let namespace = &live.quickstart.namespace;
    let gateway = format!("http://smsc-other.{namespace}:8080");
    let account = json!({
        "tokens": ["another token"],
        "numbers": [{"number": SECOND_NUMBER, "webhookUrl": format!("{gateway}/hooks/inbound")}],
    });
    live.running.carrier.control(Method::PUT, "/control/accounts/other", &account).await;
    live.quickstart.apply(&[
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "other"},
            "stringData": {"token": "another token"},
        }),
        json!({
            "apiVersion": "aldis.dev/v1alpha1", "kind": "SmsConnector", "metadata": {"name": "other"},
            "spec": {
                "provider": {"simulator": {
                    "baseUrl": format!("http://aldis-simulator.{namespace}:8090"), "account": "other",
                    "credentialsSecretRef": {"name": "other"},
                }},
                "webhook": {"publicUrl": gateway},
            },
        }),
    ]);
}

/// A channel keeps connector and number, as conversations belong to their number. Another channel has the others, and its conversations are there.
async fn another_connector_and_number(live: &mut Live) {
    for (field, value, reason) in [
        ("connectorRef", json!({"name": "other"}), "connectorRef cannot change"),
        ("number", json!(SECOND_NUMBER), "number cannot change"),
    ] {
        let mut kept = Value::Null;
        live.quickstart.change("channel", |channel| kept = std::mem::replace(&mut channel["spec"][field], value));
        let refused = live.quickstart.try_apply_file("channel").refused();
        assert!(refused.contains(reason) && refused.contains("create a new SmsChannel"), "{refused}");
        live.quickstart.change("channel", |channel| channel["spec"][field] = kept);
    }
    live.quickstart.wait_until_ready(&["smsconnector/other", "smschannel/second"]);
    let engine = live.quickstart.cluster.forward(&live.quickstart.namespace, "sms-second", 8080);
    let ana = Desk::new(&engine.url(), "second", &live.quickstart.token("ana"));
    let _online = ana.be_online();
    ana.set_presence(true).await;
    let (stranger, carrier) = (live.stranger(), &live.running.carrier);
    carrier.customer_writes(&stranger, SECOND_NUMBER, "Is this your new number?").await;
    let interaction = ana.given(&stranger).await;
    let (status, replied) = ana.reply(&interaction, "Yes, it is.").await;
    assert_eq!(status, 202, "{replied}");
    carrier.until_delivered(&stranger, "Yes, it is.").await;
    let ledger = carrier.ledger().await;
    let sent_by = ledger.iter().find_map(|entry| match &entry.event {
        Event::ApiRequest { account, message: Some(message), text: Some(text), .. } if text == "Yes, it is." => {
            Some((account.as_deref(), message.from.as_str()))
        }
        _ => None,
    });
    assert_eq!(sent_by, Some((Some("other"), SECOND_NUMBER)));
    assert!(live.running.ana.messages(&stranger).await.is_empty(), "the first channel knows nothing of it");
    live.rosa_goes_on().await;
    live.rosas_conversation_is_whole().await;
}
