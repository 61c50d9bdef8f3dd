//! What is wrong has its own reason and message, and heals when its cause goes: what a stub says best. Connectors and numbers at
//! real gateways are in `heal`.

use serde_json::{Value, json};

use crate::{desk::Desk, support::testbed::eventually};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_named_and_waited_for() {
    let (desk, _operator) = Desk::with_operator().await;
    desk.apply(&desk.channel("support", "+15551230001", ""));
    let message = desk.until("smschannel/support", "Ready", "False", "ConnectorNotFound");
    assert!(message.contains("connector sim") && message.contains("campaign support"), "{message}");
    desk.until("smschannel/support", "Reconciling", "True", "ConnectorNotFound");
    desk.apply(&desk.connector());
    desk.until("smschannel/support", "ReferencesResolved", "False", "CampaignNotFound");
    desk.apply(&desk.campaign("").replace("{members: []}", "{timeZone: Europe/Atlantis}"));
    desk.until("smschannel/support", "ReferencesResolved", "False", "CampaignInvalid");
    desk.until("campaign/support", "Ready", "False", "TimeZoneUnknown");
    desk.apply(&desk.campaign("").replace("{members: []}", "{timeZone: Europe/Madrid}"));
    desk.wait_ready("smschannel/support");
    desk.wait_ready("campaign/support");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_may_not_run_stalls_its_channel_and_is_named() {
    let (desk, _operator) = Desk::at_work().await;
    desk.apply(&desk.channel("support", "+15551230001", ", automations: {onStart: {name: greeting}}"));
    let message = desk.until("smschannel/support", "ReferencesResolved", "False", "BotNotFound");
    assert!(message.contains("spec.automations.onStart"), "{message}");
    let bot = |step: &str| {
        format!(
            "apiVersion: aldis.dev/v1alpha1\nkind: Bot\nmetadata: {{name: greeting}}\n\
             spec: {{steps: [{step}, {{name: end, handOff: {{}}}}]}}"
        )
    };
    desk.apply(&bot("{name: call, http: {url: 'https://crm.example.com/', onError: end}}"));
    let message = desk.until("smschannel/support", "Stalled", "True", "BotInvalid");
    let named = ["spec.automations.onStart", "bot greeting", "step call, http.url", "--allow-bot-urls"];
    assert!(named.iter().all(|part| message.contains(part)), "{message}");
    assert_eq!(desk.config("sms-support")["strategy"], "LeastRecent", "what ran goes on");
    desk.apply(&bot("{name: hello, say: {text: Hello}}"));
    desk.wait_ready("smschannel/support");
    assert_eq!(desk.config("sms-support")["bots"]["onStart"]["spec"]["steps"][0]["say"]["text"], "Hello");
    desk.apply(&bot("{name: hello, say: {text: Welcome}}"));
    eventually("the edited bot is in force", || {
        let text = desk.config("sms-support")["bots"]["onStart"]["spec"]["steps"][0]["say"]["text"].clone();
        (text == "Welcome").then_some(())
    });
    desk.apply(&desk.channel("support", "+15551230001", ", strategy: Linear"));
    desk.wait_ready("smschannel/support");
    assert_eq!(desk.config("sms-support")["strategy"], "Linear");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_and_what_failed_of_a_bot_reaches_its_status() {
    let (desk, operator) = Desk::at_work().await;
    desk.apply(
        "apiVersion: aldis.dev/v1alpha1\nkind: Bot\nmetadata: {name: greeting}\n\
         spec: {steps: [{name: hello, say: {text: Hello}}, {name: end, handOff: {}}]}",
    );
    desk.apply(&desk.channel("support", "+15551230001", ", automations: {onStart: {name: greeting}}"));
    desk.wait_ready("smschannel/support");
    desk.wait_ready("bot/greeting");
    let version = desk.get("bot/greeting").unwrap()["status"]["version"].clone();
    let (engine, now) = (format!("sms-support.{}", desk.namespace), jiff::Timestamp::now());
    let says = |count: u64, failures: Value| {
        let conversations = json!([{"version": "0a1b2c3d4e5f", "count": 5}, {"version": version, "count": count}]);
        let bots = json!([{"name": "greeting", "conversations": conversations, "failures": failures}]);
        operator.stub.say(&engine, json!({ "bots": bots }));
    };
    says(3, json!([{"step": "hello", "reason": "CallTimedOut", "count": 2, "since": now, "at": now}]));
    let message = desk.until("bot/greeting", "StepsSucceed", "False", "StepsFail");
    assert!(message.contains("hello (CallTimedOut)"), "{message}");
    let status = desk.get("bot/greeting").unwrap()["status"].clone();
    let listed = json!([{"version": version, "count": 3, "channels": 1}, {"version": "0a1b2c3d4e5f", "count": 5, "channels": 1}]);
    assert_eq!((&status["running"], &status["conversations"]), (&json!(8), &listed), "{status}");
    let failure = &status["lastFailures"][0];
    assert_eq!(
        (&failure["step"], &failure["channel"], &failure["count"]),
        (&json!("hello"), &json!("support"), &json!(2))
    );
    desk.wait_ready("bot/greeting");
    let told = desk.kubectl(&["explain", "bot.status.lastFailures.reason"]);
    assert!(told.contains("CallNoSecret") && told.contains("onError"), "{told}");

    says(4, json!([{"step": "hello", "reason": "OfANewerEngine", "count": 1, "since": now, "at": now}]));
    eventually("what a newer engine says is written as far as it is known", || {
        let status = desk.get("bot/greeting").unwrap()["status"].clone();
        (status["running"] == 9 && status["lastFailures"][0]["reason"] == "Other").then_some(())
    });
    says(0, json!([]));
    desk.until("bot/greeting", "StepsSucceed", "True", "NoStepFailed");
    desk.kubectl(&["delete", "smschannel/support"]);
    eventually("its counts go with the channel", || {
        let status = desk.get("bot/greeting").unwrap()["status"].clone();
        (status["running"] == 0 && status["channels"] == json!({"total": 0, "silent": 0})).then_some(())
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn every_strategy_reaches_the_engine_and_how_agents_are_asked() {
    let (desk, _operator) = Desk::at_work().await;
    let cases = [
        ("FewestInteractions", "", json!(null)),
        ("Random", ", offer: {mode: Ask}", json!(30)),
        ("RoundRobin", ", offer: {mode: Ask, timeoutSeconds: 90}", json!(90)),
        ("WeightedRandom", ", offer: {mode: Assign}", json!(null)),
        ("RingAll", ", offer: {mode: Ask}", json!(30)),
        ("LeastRecent", "", json!(null)),
    ];
    for (strategy, offer, timeout) in cases {
        desk.apply(&desk.channel("support", "+15551230001", &format!(", strategy: {strategy}{offer}")));
        desk.wait_ready("smschannel/support");
        let config = desk.config("sms-support");
        assert_eq!((&config["strategy"], &config["offerTimeoutSeconds"]), (&json!(strategy), &timeout));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connector_names_the_numbers_that_it_offers_in_vain() {
    let (desk, operator) = Desk::with_operator().await;
    let (gateway, offered) = (format!("smsc-sim.{}", desk.namespace), ", numbers: [{number: \"+15551230001\"}]");
    let provider = r#"{simulator: {baseUrl: "http://simulator.test:8090", credentialsSecretRef: {name: sim}}}"#;
    let listed = |at_provider: bool, sms_capable: bool| json!({"numbers": [{"number": "+15551230001", "atProvider": at_provider, "smsCapable": sms_capable, "webhook": {"state": "Unchecked"}}]});
    operator.stub.say(&gateway, listed(false, false));
    desk.apply(
        &(desk.connector_of(provider, offered) + &desk.campaign("") + &desk.channel("support", "+15551230001", "")),
    );
    let message = desk.until("smsconnector/sim", "NumbersVerified", "False", "NumbersMissing");
    assert!(message.contains("+15551230001") && message.contains("spec.numbers"), "{message}");
    desk.until("smschannel/support", "NumberValid", "False", "NumberNotAtProvider");
    assert!(desk.get("statefulset/sms-support").is_none(), "nothing runs for a number that is not verified");
    operator.stub.say(&gateway, listed(true, false));
    let message = desk.until("smsconnector/sim", "NumbersVerified", "False", "NumbersNotSmsCapable");
    assert!(message.contains("+15551230001"), "{message}");
    operator.stub.say(&gateway, listed(true, true));
    desk.wait_ready("smsconnector/sim");
    desk.wait_ready("smschannel/support");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_looked_for_when_a_channel_asks_for_it() {
    let (desk, operator) = Desk::with_operator().await;
    let gateway = format!("smsc-sim.{}", desk.namespace);
    operator.stub.say(&gateway, json!({"numbers": []}));
    desk.apply(&desk.whole());
    desk.until("smschannel/support", "NumberValid", "Unknown", "NotCheckedYet");
    eventually("the gateway is told", || (desk.config("smsc-sim")["asked"] == json!(["+15551230001"])).then_some(()));
    eventually("it is waited for", || {
        let (_, _, message) = desk.condition("smschannel/support", "NumberValid")?;
        (message == "connector sim has not looked for +15551230001 at the provider yet").then_some(())
    });
    operator.stub.say(&gateway, json!({"numbers": [{"number": "+15551230001", "atProvider": true, "smsCapable": true, "webhook": {"state": "InSync"}}]}));
    desk.wait_ready("smschannel/support");
    eventually("it has a route", || desk.config("smsc-sim").get("asked").is_none().then_some(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_else_keeps_a_provider_from_being_asked_is_named() {
    let (desk, operator) = Desk::with_operator().await;
    let gateway = format!("smsc-sim.{}", desk.namespace);
    desk.apply(&desk.whole());
    desk.wait_ready("smsconnector/sim");
    let at = "2026-01-01T00:00:00Z";
    let suspended = json!({"credentials": {"state": "Suspended", "checkedAt": at, "message": "closed"}});
    let silent = |trouble: &str| json!({"provider": {"state": "Silent", "checkedAt": at, "trouble": trouble, "message": "HTTP"}});
    let cases = [
        (suspended, "CredentialsValid", "AccountSuspended", "closed"),
        (silent("Fault"), "ProviderReachable", "ProviderError", "spec.provider.simulator.baseUrl"),
        (silent("RateLimited"), "ProviderReachable", "ProviderRateLimited", "see who else uses the account"),
    ];
    for (said, condition, reason, part) in cases {
        operator.stub.say(&gateway, said);
        let message = desk.until("smsconnector/sim", condition, "False", reason);
        assert!(message.contains(part), "{message}");
        desk.until("smsconnector/sim", "Ready", "False", reason);
        if condition != "CredentialsValid" {
            desk.until("smsconnector/sim", "CredentialsValid", "True", "Accepted");
        }
        operator.stub.say(&gateway, json!({}));
        desk.wait_ready("smsconnector/sim");
    }
    for (trouble, reason) in
        [("Fault", "ProviderError"), ("Slow", "ProviderSlow"), ("RateLimited", "ProviderRateLimited")]
    {
        operator.stub.say(&gateway, json!({"numbersError": {"trouble": trouble, "message": "HTTP 500"}}));
        let message = desk.until("smsconnector/sim", "NumbersVerified", "Unknown", reason);
        assert!(message.contains("HTTP 500"), "{message}");
    }
    operator.stub.say(&gateway, json!({}));
    desk.wait_ready("smsconnector/sim");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_not_allowed_is_refused() {
    let (desk, _operator) = Desk::with_operator().await;
    let refused = desk.connector().replace("http://simulator.test:8090", "http://169.254.169.254");
    desk.apply(&refused);
    let message = desk.until("smsconnector/sim", "Ready", "False", "BaseUrlNotAllowed");
    assert!(message.contains("spec.provider.simulator") && message.contains("never allowed"), "{message}");
    desk.apply(&desk.connector());
    desk.wait_ready("smsconnector/sim");
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_of_a_disabled_connector_say_that_nothing_is_sent() {
    let (desk, _operator) = Desk::at_work().await;
    let switch = |object: &str, enabled: bool| {
        desk.kubectl(&["patch", object, "--type=merge", "-p", &json!({"spec": {"enabled": enabled}}).to_string()]);
    };
    switch("smsconnector/sim", false);
    desk.until("smsconnector/sim", "Ready", "True", "Disabled");
    let message = desk.until("smschannel/support", "Ready", "False", "ConnectorDisabled");
    assert!(message.contains("connector sim"), "{message}");
    desk.until("smschannel/support", "Stalled", "True", "ConnectorDisabled");
    assert!(desk.get("statefulset/sms-support").is_some(), "what customers write is taken all the same");
    switch("smschannel/support", false);
    desk.until("smschannel/support", "Ready", "True", "Disabled");
    switch("smschannel/support", true);
    desk.until("smschannel/support", "Ready", "False", "ConnectorDisabled");
    switch("smsconnector/sim", true);
    desk.until("smschannel/support", "Ready", "True", "Available");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_cannot_be_asked_is_unknown() {
    let (desk, operator) = Desk::at_work().await;
    let engine = format!("sms-support.{}", desk.namespace);
    operator.stub.silence(&engine, true);
    desk.until("smschannel/support", "EngineAvailable", "Unknown", "Unreachable");
    desk.until("smschannel/support", "ServiceLevelMet", "Unknown", "MetricsUnavailable");
    operator.stub.silence(&engine, false);
    desk.wait_ready("smschannel/support");
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_and_their_conditions_reach_the_status() {
    let (desk, operator) = Desk::at_work().await;
    let engine = format!("sms-support.{}", desk.namespace);
    let missed = json!({"answered": 30, "answeredInTarget": 15, "abandoned": 0, "abandonedInTarget": 0, "unanswered": 0, "percent": 50});
    operator.stub.say(
        &engine,
        json!({"serviceLevel": missed, "queue": {"waiting": 3, "oldestWaitSeconds": 41}, "inHours": true}),
    );
    desk.until("smschannel/support", "ServiceLevelMet", "False", "BelowObjective");
    desk.until("smschannel/support", "QueueHealthy", "False", "NoAgentAvailable");
    desk.until("smschannel/support", "Ready", "True", "Available");
    eventually("the figures", || {
        let status = desk.get("smschannel/support")?["status"].clone();
        let all = status["queue"]["waiting"] == 3 && status["queue"]["oldestWaitSeconds"] == 50;
        (all && status["serviceLevel"]["percent"] == 50).then_some(())
    });
    eventually("the campaign's sums", || {
        let status = desk.get("campaign/support")?["status"].clone();
        (status["queue"]["waiting"] == 3 && status["serviceLevel"]["answered"] == 30).then_some(())
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn another_store_is_reported_until_a_person_accepts_it() {
    let (desk, operator) = Desk::at_work().await;
    let engine = format!("sms-support.{}", desk.namespace);
    eventually("the store is remembered", || {
        (desk.get("smschannel/support")?["status"]["engine"]["storeId"] == "store-support").then_some(())
    });
    operator.stub.say(&engine, json!({"store": {"id": "another"}}));
    let message = desk.until("smschannel/support", "StorageIntact", "False", "StorageReplaced");
    assert!(message.contains("aldis.dev/accept-storage: another"), "{message}");
    desk.kubectl(&["annotate", "smschannel/support", "aldis.dev/accept-storage=another"]);
    desk.until("smschannel/support", "StorageIntact", "True", "Intact");
    eventually("the acceptance is used up", || {
        let annotations = desk.get("smschannel/support")?["metadata"]["annotations"].clone();
        annotations.get("aldis.dev/accept-storage").is_none().then_some(())
    });
    operator.stub.say(&engine, json!({"store": {"id": "another", "commits": 3}}));
    desk.until("smschannel/support", "StorageIntact", "False", "StorageRolledBack");
    eventually("the engine is told", || (desk.config("sms-support")["store"]["held"] == true).then_some(()));
    desk.kubectl(&["annotate", "smschannel/support", "aldis.dev/accept-storage=another"]);
    desk.until("smschannel/support", "StorageIntact", "True", "Intact");
    eventually("the engine is told", || (desk.config("sms-support")["store"]["held"] == false).then_some(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_clock_and_a_full_volume_are_reported_and_a_person_sets_the_clock() {
    let (desk, operator) = Desk::at_work().await;
    let engine = format!("sms-support.{}", desk.namespace);
    let clock = |ahead: u64, leapt: u64, accept_id: u64| {
        let now = jiff::Timestamp::now();
        json!({"sampledAt": now, "clock": {"aheadSeconds": ahead, "leaptSeconds": leapt, "acceptId": accept_id}})
    };
    operator.stub.say(&engine, clock(0, 0, 1));
    desk.until("smschannel/support", "ClockInSync", "True", "ClockRight");
    operator.stub.say(&engine, clock(0, 86_400, 1));
    desk.until("smschannel/support", "ClockInSync", "False", "ClockLeapt");
    operator.stub.say(&engine, clock(86_400, 86_400, 1));
    let message = desk.until("smschannel/support", "ClockInSync", "False", "ClockBehind");
    assert!(message.contains("aldis.dev/accept-clock: \"1\""), "{message}");
    desk.kubectl(&["annotate", "smschannel/support", "aldis.dev/accept-clock=1"]);
    eventually("the engine is told", || (desk.config("sms-support")["clockAccepted"] == 1).then_some(()));
    operator.stub.say(&engine, clock(0, 0, 2));
    desk.until("smschannel/support", "ClockInSync", "True", "ClockRight");
    eventually("the acceptance is used up", || {
        let annotations = desk.get("smschannel/support")?["metadata"]["annotations"].clone();
        annotations.get("aldis.dev/accept-clock").is_none().then_some(())
    });

    operator.stub.say(&engine, json!({"store": {"full": true}}));
    desk.until("smschannel/support", "StorageIntact", "False", "StorageFull");
    operator.stub.say(&engine, json!({"store": {"full": false}}));
    desk.until("smschannel/support", "StorageIntact", "True", "Intact");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_the_stateful_set_did_not_make_is_neither_asked_nor_believed() {
    let (desk, operator) = Desk::with_operator().await;
    let gateway = format!("smsc-sim.{}", desk.namespace);
    desk.apply("---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: theirs}}\n");
    let uid = desk.get("configmap/theirs").unwrap()["metadata"]["uid"].clone();
    let labels = "{app.kubernetes.io/name: aldis, app.kubernetes.io/instance: smsc-sim, app.kubernetes.io/component: gateway, \
                  app.kubernetes.io/managed-by: aldis, aldis.dev/connector: sim}";
    desk.apply(&format!(
        "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: smsc-sim-0\n  labels: {labels}\n  ownerReferences: [{{apiVersion: v1, kind: \
         ConfigMap, name: theirs, uid: {uid}, controller: true}}]\nspec:\n  containers: [{{name: gateway, image: theirs}}]\n"
    ));
    desk.apply(&desk.whole());
    let message = desk.until("smsconnector/sim", "GatewayAvailable", "False", "NameConflict");
    assert!(message.contains("pod smsc-sim-0 belongs to ConfigMap theirs"), "{message}");
    assert_eq!(operator.stub.asked(&gateway), 0);
    desk.until("smschannel/support", "NumberValid", "Unknown", "NotCheckedYet");
    desk.kubectl(&["delete", "pod", "smsc-sim-0", "--force", "--grace-period=0"]);
    desk.wait_ready("smschannel/support");
    assert!(operator.stub.asked(&gateway) > 0, "the StatefulSet's own is");
}
