//! What the gateway finds out about credentials, numbers and webhooks, and that it sees by itself when a cause has gone.

use std::time::Duration;

use aldis::{
    simulator::{Config, Simulator},
    wire::status::{
        CredentialsStatus, GatewayStatus, NumberStatus, ProviderStatus, Trouble, Unanswered, WebhookStatus,
    },
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::{
    gateway::{ENGINE, Gateway, NUMBER, PUBLIC_URL, request},
    process::eventually,
    twilio_fake::{TOKEN, TwilioFake, number},
};

const HOOK: &str = "https://sms.example.com/desk/hooks/inbound";

fn is_valid(status: &GatewayStatus) -> bool {
    matches!(status.credentials, CredentialsStatus::Valid { .. })
        && matches!(status.provider, ProviderStatus::Answers { .. })
        && status.numbers_error.is_none()
        && status.numbers_listed_at.is_some()
}

/// Whether the provider cannot be asked, in this way.
fn is_silent(status: &GatewayStatus, so: Trouble) -> bool {
    matches!(&status.provider, ProviderStatus::Silent { why: Unanswered { trouble, .. }, .. } if *trouble == so)
}

fn listed<'a>(status: &'a GatewayStatus, number: &str) -> &'a NumberStatus {
    status
        .numbers
        .iter()
        .find(|listed| listed.number.as_str() == number)
        .unwrap_or_else(|| panic!("{number} in {status:#?}"))
}

async fn twilio() -> (TwilioFake, Gateway) {
    let twilio = TwilioFake::start().await;
    twilio.account(|account| account.numbers.push(number(NUMBER, true, HOOK)));
    let gateway = Gateway::start(twilio.provider(), &[("authToken", TOKEN)]).await;
    gateway.until("is valid", is_valid).await;
    (twilio, gateway)
}

#[tokio::test]
async fn twilios_credentials_are_judged_and_heal() {
    let (twilio, gateway) = twilio().await;
    let invalid = |status: &GatewayStatus, words: &str| matches!(&status.credentials, CredentialsStatus::Invalid { message, .. } if message.contains(words));
    let missing = |status: &GatewayStatus, wanted: &[&str]| matches!(&status.credentials, CredentialsStatus::Missing { keys, .. } if keys == wanted);

    gateway.credentials(&[("authToken", "wrong")]);
    gateway.until("refuses a wrong token", |status| invalid(status, "Twilio error 20003")).await;
    gateway.credentials(&[]);
    gateway.until("misses the Secret", |status| missing(status, &["authToken"])).await;
    gateway.credentials(&[("authToken", TOKEN), ("apiKeySid", "SK1")]);
    gateway.until("misses half a key", |status| missing(status, &["apiKeySecret"])).await;
    gateway.credentials(&[("authToken", TOKEN), ("apiKeySid", "SK1"), ("apiKeySecret", "secret")]);
    gateway.until("refuses an unknown API key", |status| invalid(status, "Twilio error 20003")).await;
    twilio.account(|account| account.api_key = Some(("SK1".into(), "secret".into())));
    gateway.until("is valid again", is_valid).await;

    twilio.account(|account| account.status = "suspended".into());
    gateway.until("sees a suspension", |status| matches!(&status.credentials, CredentialsStatus::Suspended { message, .. } if message == "the account is suspended")).await;
    twilio.account(|account| account.status = "active".into());
    gateway.until("is valid again", is_valid).await;
}

#[tokio::test]
async fn a_provider_that_is_away_broken_or_slow_is_told_apart() {
    let (twilio, mut gateway) = twilio().await;
    for (answer, why) in [(503, Trouble::Fault), (429, Trouble::RateLimited)] {
        twilio.account(|account| account.broken = Some(answer));
        let status = gateway.until(&format!("sees {why:?}"), |status| is_silent(status, why)).await;
        assert!(status.numbers_listed_at.is_some(), "what was listed before stays");
        assert!(matches!(status.credentials, CredentialsStatus::Valid { .. }), "the credentials are as good as before");
        twilio.account(|account| account.broken = None);
        gateway.until("is valid again", is_valid).await;
    }

    twilio.account(|account| account.delay = Duration::from_secs(30));
    gateway.until("sees slowness", |status| is_silent(status, Trouble::Slow)).await;
    twilio.account(|account| account.delay = Duration::ZERO);
    gateway.until("is valid again", is_valid).await;

    gateway.configure("/provider/baseUrl", json!("http://127.0.0.1:9")).await;
    let status = gateway.until("cannot reach it", |status| is_silent(status, Trouble::Unreachable)).await;
    assert_eq!(status.credentials, CredentialsStatus::Unchecked, "nobody there has judged them");
    gateway.configure("/provider/baseUrl", json!(twilio.url)).await;
    gateway.until("is valid again", is_valid).await;
}

#[tokio::test]
async fn an_outage_that_stops_sending_is_looked_at_at_once() {
    let (twilio, mut gateway) = twilio().await;
    gateway.configure("/checkIntervalSeconds", json!(86_400)).await;
    gateway.route(NUMBER, "http://127.0.0.1:9", ENGINE).await;
    gateway.until("is valid", is_valid).await;
    for (answer, why) in [(503, Trouble::Fault), (429, Trouble::RateLimited)] {
        twilio.account(|account| account.broken = Some(answer));
        // The account may still pause because of the answer before.
        eventually("a message stops the account", || async {
            gateway.send(ENGINE, &request(answer.into(), fastrand::u32(1..), "Hello")).await.unwrap();
            let status = gateway.status().await.unwrap();
            if is_silent(&status, why) { Ok(()) } else { Err(status.provider) }
        })
        .await;
        twilio.account(|account| account.broken = None);
        gateway.until("is well again long before a day is over", is_valid).await;
    }
}

#[tokio::test]
async fn a_list_of_numbers_that_cannot_be_had_says_why() {
    let (twilio, gateway) = twilio().await;
    for (answer, why) in [(503, Trouble::Fault), (429, Trouble::RateLimited)] {
        twilio.account(|account| account.lists_broken = Some(answer));
        let says_why = |status: &GatewayStatus| status.numbers_error.as_ref().is_some_and(|error| error.trouble == why);
        let status = gateway.until(&format!("sees {why:?}"), says_why).await;
        assert!(matches!(status.provider, ProviderStatus::Answers { .. }), "the account itself could be asked for");
        assert!(matches!(status.credentials, CredentialsStatus::Valid { .. }));
        assert_eq!(listed(&status, NUMBER).webhook, WebhookStatus::InSync, "what was listed before stays");
        twilio.account(|account| account.lists_broken = None);
        gateway.until("is valid again", is_valid).await;
    }
}

/// Nothing is read for a stranger: the answer comes although the body never does.
#[tokio::test]
async fn a_stranger_is_refused_before_the_body_is_read() {
    let (_twilio, gateway) = twilio().await;
    let address = gateway.internal.trim_start_matches("http://").to_owned();
    let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    let head = "POST /internal/messages HTTP/1.1\r\nhost: a\r\nauthorization: Bearer x\r\ncontent-length: 1000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 401");
}

#[tokio::test]
async fn numbers_are_listed_page_by_page() {
    let (twilio, mut gateway) = twilio().await;
    twilio.account(|account| {
        account.numbers = (0..7).map(|at| number(&format!("+1555124000{at}"), at != 3, "")).collect();
        account.short_codes = vec![json!({"short_code": "72345", "sms_url": HOOK, "sms_method": "POST"})];
    });
    let all = gateway.until("has all pages", |status| status.numbers.len() == 7).await;
    assert!(all.numbers.iter().all(|number| number.at_provider));
    let incapable: Vec<_> =
        all.numbers.iter().filter(|number| !number.sms_capable).map(|n| n.number.to_string()).collect();
    assert_eq!(incapable, ["+15551240003"]);

    // Offered numbers are reported whether they are there or not; short codes are looked for when one is offered.
    gateway.configure("/numbers", json!(["+15551240000", "+15551249999", "US:72345", "US:99999"])).await;
    let status = gateway.until("looks for the offered ones", |status| {
        status.numbers.len() == 10
            && status.numbers.iter().any(|number| number.number.as_str() == "US:72345" && number.at_provider)
    });
    let status = status.await;
    assert!(!listed(&status, "+15551249999").at_provider);
    assert!(!listed(&status, "US:99999").at_provider);
    assert_eq!(listed(&status, "US:72345").webhook, WebhookStatus::InSync);

    // A routed number that is not at the provider (any more).
    gateway.route("+15551248888", "http://127.0.0.1:9", ENGINE).await;
    let status = gateway.until("reports the routed one", |status| status.numbers.len() == 11).await;
    assert!(!listed(&status, "+15551248888").at_provider);
    twilio.account(|account| account.numbers.push(number("+15551248888", true, "")));
    gateway.until("finds it later", |status| listed(status, "+15551248888").sms_capable).await;
}

#[tokio::test]
async fn a_number_that_a_channel_asks_for_is_looked_for_at_once_and_soon_again() {
    let (twilio, mut gateway) = twilio().await;
    gateway.configure("/checkIntervalSeconds", json!(86_400)).await;
    let asked = ["+15551249999", "US:72345"];
    gateway.configure("/asked", json!(asked)).await;
    let there = |status: &GatewayStatus, is: bool| {
        asked.iter().all(|asked| status.numbers.iter().any(|n| n.number.as_str() == *asked && n.at_provider == is))
    };
    gateway.until("misses both", |status| there(status, false)).await;
    twilio.account(|account| {
        account.numbers.push(number(asked[0], true, ""));
        account.short_codes.push(json!({"short_code": "72345", "sms_url": "", "sms_method": "POST"}));
    });
    gateway.until("finds both long before a day is over", |status| there(status, true)).await;
}

#[tokio::test]
async fn webhooks_are_compared() {
    let (twilio, mut gateway) = twilio().await;
    let set = |url: &str, method: &str, application: &str| {
        twilio.account(|account| {
            account.numbers[0]["sms_url"] = json!(url);
            account.numbers[0]["sms_method"] = json!(method);
            account.numbers[0]["sms_application_sid"] = json!(application);
        });
    };
    let differs = |found: &str| WebhookStatus::Differs { found: found.into() };
    let cases = [
        (("", "POST", ""), WebhookStatus::Unset),
        (("https://demo.example/x?secret=1", "POST", ""), differs("POST https://demo.example/x")),
        ((HOOK, "GET", ""), differs("GET https://sms.example.com/desk/hooks/inbound")),
        ((HOOK, "POST", "AP1"), differs("TwiML application AP1")),
        (("https://sms.example.com/desk/hooks/inbound#rc=3", "POST", ""), WebhookStatus::InSync),
    ];
    for ((url, method, application), expected) in cases {
        set(url, method, application);
        gateway.until(&format!("sees {expected:?}"), |status| listed(status, NUMBER).webhook == expected).await;
    }
    gateway.configure("/webhook", json!({"publicUrl": PUBLIC_URL, "management": "Ignore"})).await;
    assert_eq!(listed(&gateway.status().await.unwrap(), NUMBER).webhook, WebhookStatus::Unchecked);
}

#[tokio::test]
async fn a_configuration_that_cannot_be_loaded_leaves_the_old_one() {
    let (_twilio, gateway) = twilio().await;
    let before = gateway.status().await.unwrap().config.hash;
    let path = gateway.path("config/config.json");
    let good = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, good.replace(PUBLIC_URL, "no url")).unwrap();
    let status = gateway.until("rejects it", |status| status.config.rejected.is_some()).await;
    assert_eq!(status.config.hash, before);
    let message = status.config.rejected.unwrap().message;
    assert!(message.contains("webhook.publicUrl \"no url\" is not a URL"), "{message}");
    std::fs::write(&path, good).unwrap();
    gateway.until("forgets it", |status| status.config.rejected.is_none()).await;
}

#[tokio::test]
async fn only_the_operator_sees_the_status() {
    let (_twilio, gateway) = twilio().await;
    let url = format!("{}/internal/status", gateway.internal);
    let ask = |token: Option<String>| {
        let request = reqwest::Client::new().get(&url);
        async move {
            let request = match token {
                Some(token) => request.bearer_auth(token),
                None => request,
            };
            request.send().await.unwrap().status().as_u16()
        }
    };
    assert_eq!(ask(None).await, 401);
    assert_eq!(ask(Some(gateway.issuer.token(ENGINE, crate::support::gateway::AUDIENCE))).await, 403);
    assert_eq!(ask(Some(gateway.issuer.token(crate::support::gateway::OPERATOR, "aldis:other"))).await, 401);
    let ready = reqwest::get(format!("{}/readyz", gateway.admin)).await.unwrap();
    assert_eq!(ready.status().as_u16(), 200);
}

/// A simulator with one account, that can be changed by starting another at the same place.
async fn simulator(listener: TcpListener, accounts: Value) -> DropGuard {
    let config = Config::from_yaml(&json!({"accounts": accounts}).to_string()).unwrap();
    let simulator = Simulator::new(config, None).unwrap();
    let shutdown = CancellationToken::new();
    let ended = shutdown.clone();
    tokio::spawn(async move { simulator.serve(listener, ended).await });
    shutdown.drop_guard()
}

fn account(token: &str, numbers: Value) -> Value {
    json!([{"account": "demo", "tokens": [token], "numbers": numbers}])
}

#[tokio::test]
async fn the_simulators_credentials_and_numbers_are_judged_and_heal() {
    aldis::process::crypto::install_providers();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let rebind = || async {
        for _ in 0..200 {
            if let Ok(listener) = TcpListener::bind(address).await {
                return listener;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{address} is still taken");
    };
    let numbers = json!([{"number": NUMBER, "webhookUrl": HOOK}, {"number": "US:72345", "smsCapable": false}]);
    let first = simulator(listener, account("good", numbers.clone())).await;
    let provider =
        |account: &str| json!({"kind": "simulator", "account": account, "baseUrl": format!("http://{address}")});
    let mut gateway = Gateway::start(provider("demo"), &[]).await;
    let missing = |status: &GatewayStatus| matches!(&status.credentials, CredentialsStatus::Missing { keys, .. } if keys == &["token"]);
    gateway.until("misses the token", missing).await;
    gateway.credentials(&[("token", "wrong")]);
    gateway.until("refuses it", |status| matches!(&status.credentials, CredentialsStatus::Invalid { .. })).await;
    gateway.credentials(&[("token", "good")]);
    let status = gateway.until("is valid", is_valid).await;
    assert_eq!(listed(&status, NUMBER).webhook, WebhookStatus::InSync);
    assert!(listed(&status, NUMBER).sms_capable && !listed(&status, "US:72345").sms_capable);

    gateway.configure("/provider", provider("another")).await;
    gateway
        .until("sees whose token it is", |status| {
            matches!(&status.credentials, CredentialsStatus::Invalid { message, .. } if message.contains("belongs to the account \"demo\""))
        })
        .await;
    gateway.configure("/provider", provider("demo")).await;
    gateway.until("is valid again", is_valid).await;

    drop(first);
    gateway.until("cannot reach it", |status| is_silent(status, Trouble::Unreachable)).await;
    let _second = simulator(rebind().await, account("good", json!([]))).await;
    let status =
        gateway.until("sees that the numbers have gone", |status| is_valid(status) && status.numbers.is_empty()).await;
    assert!(status.numbers_error.is_none());
}
