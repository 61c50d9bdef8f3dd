//! A number at a provider is one channel's in the whole cluster: two namespaces with the same account of Twilio.

use std::net::SocketAddr;

use serde_json::json;

use super::{
    installed::installed,
    outside,
    quickstart::{NUMBER, Quickstart},
};
use crate::support::{
    desk::Desk,
    process::eventually,
    testbed::Forward,
    twilio_fake::{ACCOUNT, TOKEN, TwilioFake, call_webhook, number},
};

const MIA: &str = "+15559870001";
const CONNECTOR: &str = "smsconnector/twilio";
const CHANNEL: &str = "smschannel/support";

/// A Twilio that pods reach, under an address that the operator allows.
struct Twilio {
    fake: TwilioFake,
    base_url: String,
    _relay: Forward,
}

impl Twilio {
    async fn start() -> Self {
        let (installed, fake) = (installed(), TwilioFake::start().await);
        fake.account(|account| account.numbers.push(number(NUMBER, true, "")));
        let (cluster, namespace) = (&installed.cluster, installed.namespace());
        let host: SocketAddr = fake.url.trim_start_matches("http://").parse().unwrap();
        // Of the addresses that the operator allows, the one that a simulator would have.
        let relay = outside::serve(cluster, &namespace, "aldis-simulator", 8090, host.port());
        Self { fake, base_url: format!("http://aldis-simulator.{namespace}:8090"), _relay: relay }
    }

    /// A desk in a namespace of its own, with the account's credentials.
    fn desk(&self) -> Quickstart {
        let mut desk = Quickstart::new();
        let (namespace, base_url) = (desk.namespace.clone(), &self.base_url);
        desk.change("secret", |secret| secret["stringData"] = json!({"authToken": TOKEN}));
        desk.change("connector", |connector| {
            connector["metadata"]["name"] = json!("twilio");
            connector["spec"] = json!({
                "provider": {"twilio": {
                    "accountSid": ACCOUNT, "credentialsSecretRef": {"name": "simulator"}, "baseUrl": base_url,
                }},
                "webhook": {"publicUrl": public_url(&namespace), "management": "Ignore"},
            });
        });
        desk.change("channel", |channel| channel["spec"]["connectorRef"]["name"] = json!("twilio"));
        for file in ["secret", "agent", "connector", "campaign", "channel"] {
            desk.apply_file(file);
        }
        desk
    }

    /// Mia writes to the gateway of a desk, and Ana there answers her; gives the texts of their conversation.
    async fn converse(&self, at: &Quickstart, question: &str, answer: &str) -> Vec<String> {
        let forward = |service: &str| at.cluster.forward(&at.namespace, service, 8080);
        let (hooks, engine) = (forward("smsc-twilio"), forward("sms-support"));
        let ana = Desk::new(&engine.url(), "support", &at.token("ana"));
        let _stream = ana.watch(drop);
        ana.set_presence(true).await;
        let form = [("MessageSid", question), ("To", NUMBER), ("From", MIA), ("Body", question)];
        let gateway = format!("127.0.0.1:{}", hooks.port());
        let called =
            call_webhook(&reqwest::Client::new(), &gateway, &public_url(&at.namespace), "/hooks/inbound", &form).await;
        assert_eq!(called.unwrap().0, 200);
        let interaction = ana.given(MIA).await;
        let (status, replied) = ana.reply(&interaction, answer).await;
        assert_eq!(status, 202, "{replied}");
        eventually("Twilio has the answer", || async {
            let sent = self.fake.account(|account| account.sent.clone());
            let is_answer = |pair: &(String, String)| pair.0 == "Body" && pair.1 == answer;
            if sent.iter().any(|sent| sent.form.iter().any(is_answer)) { Ok(()) } else { Err(sent) }
        })
        .await;
        let texts = ana.messages(MIA).await.into_iter().map(|message| message["text"].as_str().unwrap().to_owned());
        texts.collect()
    }
}

fn public_url(namespace: &str) -> String {
    format!("https://sms.example.com/{namespace}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_providers_number_is_one_namespaces_until_it_lets_go() {
    let twilio = Twilio::start().await;
    let holder = twilio.desk();
    holder.wait_until_ready(&[CONNECTOR, CHANNEL]);
    let waiting = twilio.desk();
    waiting.wait_until_ready(&[CONNECTOR]);
    let message = waiting.until(CHANNEL, "NumberClaimed", "False", "HeldByOther").await;
    assert!(message.contains("another namespace"), "{message}");
    waiting.until(CHANNEL, "Ready", "False", "HeldByOther").await;
    does_not_learn_of(&waiting, &holder);
    // Never two engines for one number.
    let pods = waiting.cluster.kubectl(&["get", "pods", "-n", &waiting.namespace, "-o", "name"]).ok();
    assert_eq!(pods, "pod/smsc-twilio-0\n");
    let texts = twilio.converse(&holder, "Who are you?", "The holder.").await;
    assert_eq!(texts, ["Who are you?", "The holder."]);

    holder.delete(CHANNEL);
    waiting.wait_until_ready(&[CONNECTOR, CHANNEL]);
    waiting.until(CHANNEL, "NumberClaimed", "True", "Claimed").await;
    let texts = twilio.converse(&waiting, "And you?", "I took over.").await;
    assert_eq!(texts, ["And you?", "I took over."], "conversations stay where they were");
    does_not_learn_of(&waiting, &holder);
}

/// Whatever may be read in the one namespace, objects and logs, does not name the other.
fn does_not_learn_of(one: &Quickstart, other: &Quickstart) {
    for what in [
        &["get", "aldis,events,statefulsets,pods,configmaps,services", "-o", "yaml"][..],
        &["logs", "-l", "app.kubernetes.io/name=aldis", "--all-pods", "--tail=-1"],
    ] {
        let said = one.cluster.kubectl(&[&["-n", &one.namespace], what].concat()).ok();
        assert!(!said.is_empty() && !said.contains(&other.namespace), "{said}");
    }
}
