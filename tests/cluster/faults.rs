//! What is wrong is reported by name, and heals without a touch when the cause goes. A sample; the whole table runs against the API
//! server alone.

use reqwest::Method;
use serde_json::{Value, json};

use super::quickstart::{FILES, NUMBER, Quickstart};
use crate::support::process::eventually;

const CONNECTOR: &str = "smsconnector/simulator";
const CHANNEL: &str = "smschannel/support";

impl Quickstart {
    /// Waits until a condition has this status and reason; gives its message.
    pub(super) async fn until(&self, object: &str, type_: &str, status: &str, reason: &str) -> String {
        eventually(&format!("{object} says {type_}={status}, {reason}"), || async {
            let [is, because, message] = self.condition(object, type_);
            if (is.as_str(), because.as_str()) == (status, reason) { Ok(message) } else { Err([is, because, message]) }
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_have_a_name_and_heal() {
    let mut quickstart = Quickstart::new();
    quickstart.change("connector", |connector| connector["spec"]["checkIntervalSeconds"] = json!(5));
    for file in FILES.iter().filter(|file| **file != "secret") {
        quickstart.apply_file(file);
    }
    let message = quickstart.until(CONNECTOR, "CredentialsValid", "False", "SecretMissing").await;
    assert!(message.contains("Secret simulator") && message.contains("token"), "{message}");
    quickstart.until(CHANNEL, "NumberValid", "Unknown", "NotCheckedYet").await;
    quickstart.apply_file("secret");
    let running = quickstart.running().await;

    let account = |tokens: Value| json!({"tokens": tokens, "numbers": [{"number": NUMBER}]});
    let path = "/control/accounts/simulator";
    running.carrier.control(Method::PUT, path, &account(json!(["another token"]))).await;
    let message = quickstart.until(CONNECTOR, "CredentialsValid", "False", "CredentialsRejected").await;
    assert!(message.contains("Secret simulator"), "{message}");
    quickstart.until(CONNECTOR, "Ready", "False", "CredentialsRejected").await;
    running.carrier.control(Method::PUT, path, &account(json!(["only-for-trying"]))).await;
    quickstart.until(CONNECTOR, "CredentialsValid", "True", "Accepted").await;

    let number = format!("{path}/numbers/{NUMBER}");
    running.carrier.control(Method::PUT, &number, &json!({"smsCapable": false})).await;
    let message = quickstart.until(CHANNEL, "NumberValid", "False", "NumberNotSmsCapable").await;
    assert!(message.contains(NUMBER), "{message}");
    running.carrier.control(Method::DELETE, &number, &Value::Null).await;
    let message = quickstart.until(CHANNEL, "NumberValid", "False", "NumberNotAtProvider").await;
    assert!(message.contains(NUMBER), "{message}");
    running.carrier.control(Method::PUT, &number, &json!({"smsCapable": true})).await;
    quickstart.until(CHANNEL, "NumberValid", "True", "Verified").await;

    // A simulator that starts anew has what its ConfigMap says.
    let scale = |replicas: &str| {
        let replicas = format!("--replicas={replicas}");
        let arguments = ["scale", "-n", &quickstart.namespace, "deployment/aldis-simulator", &replicas];
        quickstart.cluster.kubectl(&arguments).ok();
    };
    scale("0");
    quickstart.until(CONNECTOR, "ProviderReachable", "False", "ProviderUnreachable").await;
    scale("1");
    quickstart.until(CONNECTOR, "ProviderReachable", "True", "Reachable").await;
    quickstart.wait_until_ready(&[CONNECTOR, CHANNEL]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_that_another_channel_holds_is_taken_over_when_it_is_free() {
    let mut quickstart = Quickstart::new();
    quickstart.apply_all();
    quickstart.wait_until_ready(&[CHANNEL]);
    quickstart.change("channel", |channel| channel["metadata"]["name"] = json!("second"));
    quickstart.apply_file("channel");
    let second = "smschannel/second";
    let message = quickstart.until(second, "NumberClaimed", "False", "HeldByOther").await;
    assert!(message.contains("support"), "inside the namespace the holder is named: {message}");
    quickstart.delete(CHANNEL);
    quickstart.wait_until_ready(&[second]);
}
