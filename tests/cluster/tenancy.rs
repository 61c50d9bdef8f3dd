//! A namespace is the trust boundary: what is of one is worthless in another, tried with real tokens on real pods.

use aldis::{
    api::{SmsChannel, names},
    simulator::Event,
    wire::{
        ports,
        simulator::{InboundMessage, signature},
    },
};
use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams},
};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::{
    installed::OPERATOR_NAMESPACE,
    quickstart::{NUMBER, Quickstart, Running},
};
use crate::support::testbed::Forward;

const MIA: &str = "+15559870001";
const ENGINE: (&str, &str) = ("sms-support-0", "engine");
const GATEWAY: (&str, &str) = ("smsc-simulator-0", "gateway");

/// A namespace with a desk that works, and relays to the internal APIs of its pods.
struct Tenant {
    quickstart: Quickstart,
    running: Running,
    /// The account's token at the carrier.
    secret: &'static str,
    desk: Forward,
    engine: Forward,
    gateway: Forward,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_namespaces_cannot_use_what_is_the_others() {
    let (ours, theirs) = tenants().await;
    for (home, other) in [(&ours, &theirs), (&theirs, &ours)] {
        agents_sit_at_the_desks_of_their_own_namespace_only(home, other).await;
        roles_are_heard_in_their_own_namespace_only(home, other).await;
        webhooks_are_believed_by_the_own_secret_only(home, other).await;
        an_administrator_of_the_other_namespace_reaches_neither_channels_nor_claims(home, other).await;
    }
    a_connector_serves_its_own_namespace_only(&ours).await;
    the_same_number_of_a_simulator_is_each_ones_own(&ours, &theirs);
    every_pod_is_restricted(&ours);
}

async fn tenants() -> (Tenant, Tenant) {
    let prepare = |secret: &'static str| {
        let mut quickstart = Quickstart::new();
        quickstart.change("secret", |object| object["stringData"]["token"] = json!(secret));
        quickstart.apply_all();
        (quickstart, secret)
    };
    let (ours, theirs) = (prepare("our secret"), prepare("their secret"));
    (Tenant::of(ours).await, Tenant::of(theirs).await)
}

impl Tenant {
    async fn of((quickstart, secret): (Quickstart, &'static str)) -> Self {
        let running = quickstart.running().await;
        let forward = |service: &str, port| quickstart.cluster.forward(&quickstart.namespace, service, port);
        let (engine, gateway) = (forward("sms-support", ports::INTERNAL), forward("smsc-simulator", ports::INTERNAL));
        let desk = forward("sms-support", ports::PUBLIC);
        Self { quickstart, running, secret, desk, engine, gateway }
    }

    fn namespace(&self) -> &str {
        &self.quickstart.namespace
    }

    /// A token of one of its ServiceAccounts, as whoever may ask for tokens in a namespace gets it, for any audience.
    fn token(&self, account: &str, audience: &str) -> Option<String> {
        token(self, account, self.namespace(), &["--audience", audience])
    }

    /// The token that a pod shows to the other roles.
    fn mounted(&self, (pod, container): (&str, &str)) -> Option<String> {
        let pids = self.quickstart.cluster.pids(self.namespace(), pod, container);
        let file = format!("/proc/{}/root{}", pids.first().expect("a process"), ports::TOKEN_FILE);
        Some(std::fs::read_to_string(file).unwrap())
    }

    /// What the internal APIs say to a token: the engine to a customer's message and to the question how it is, the gateway to an
    /// attempt to send and to the same question.
    async fn doors(&self, token: Option<&str>, id: usize) -> [String; 4] {
        let now = jiff::Timestamp::now();
        let message = json!({
            "providerMessageId": format!("tenancy-{id}"), "to": NUMBER, "from": MIA, "text": "hello", "receivedAt": now,
        });
        let attempt = json!({
            "storeId": "tenancy", "messageId": id, "attempt": 1, "askedBefore": false, "beginWithinMillis": 60_000, "sentAt": now,
            "from": NUMBER, "to": MIA, "text": "hello", "segments": 1, "receiptToken": "tenancy",
        });
        let client = reqwest::Client::new();
        let post = |port: &Forward, path: &str, body| client.post(format!("{}{path}", port.url())).json(body);
        let get = |port: &Forward, path: &str| client.get(format!("{}{path}", port.url()));
        let of_channel = |pattern| ports::of_channel(pattern, "support");
        [
            said(post(&self.engine, &of_channel(ports::INBOUND_PATH), &message), token).await,
            said(get(&self.engine, &of_channel(ports::CHANNEL_STATUS_PATH)), token).await,
            said(post(&self.gateway, ports::MESSAGES_PATH, &attempt), token).await,
            said(get(&self.gateway, ports::STATUS_PATH), token).await,
        ]
    }
}

/// `kubectl create token`.
fn token(tenant: &Tenant, account: &str, namespace: &str, audience: &[&str]) -> Option<String> {
    let said = tenant.quickstart.cluster.kubectl(&[&["create", "token", account, "-n", namespace], audience].concat());
    Some(said.ok().trim().to_owned())
}

/// The header and claims of one token with the signature of another.
fn spliced(one: Option<&str>, other: Option<&str>) -> Option<String> {
    let (claims, _) = one?.rsplit_once('.')?;
    let (_, signature) = other?.rsplit_once('.')?;
    Some(format!("{claims}.{signature}"))
}

/// What is answered: the outcome or why not, in short.
async fn said(request: RequestBuilder, token: Option<&str>) -> String {
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    let response = request.send().await.unwrap();
    let (status, body): (_, Value) = (response.status(), response.json().await.unwrap());
    let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
    match status {
        StatusCode::OK if body["outcome"] == "NotSent" => format!("NotSent, {}", text("reason")),
        StatusCode::OK => "200".into(),
        _ => format!("{}: {}", status.as_u16(), text("detail")),
    }
}

const AUDIENCE: &str = "401: it is meant for another audience (aud)";

async fn agents_sit_at_the_desks_of_their_own_namespace_only(home: &Tenant, other: &Tenant) {
    let (here, there) = (names::desk_audience(home.namespace()), names::desk_audience(other.namespace()));
    let roles = names::role_audience(home.namespace());
    let ana = |of: &Tenant| names::service_account_user(of.namespace(), "ana");
    let stranger = names::service_account_user(home.namespace(), "default");
    let not_a_member = |user: &str| {
        format!(
            "403: {user} is not a member of this channel's campaign; add the user to the Campaign's members or supervisors."
        )
    };
    let forged = spliced(home.token("ana", &here).as_deref(), other.token("ana", &there).as_deref());
    let cases = [
        ("Ana of here", home.token("ana", &here), "200".to_owned()),
        ("Ana of there, as she sits at her own desk", other.token("ana", &there), AUDIENCE.into()),
        ("Ana of there, with a token for this desk", other.token("ana", &here), not_a_member(&ana(other))),
        ("Ana of here, with a token for their desk", home.token("ana", &there), AUDIENCE.into()),
        ("Ana of here, with a token for roles", home.token("ana", &roles), AUDIENCE.into()),
        ("Ana of here, with a token for the API server", token(home, "ana", home.namespace(), &[]), AUDIENCE.into()),
        ("somebody of here who is no member", home.token("default", &here), not_a_member(&stranger)),
        ("this gateway", home.mounted(GATEWAY), AUDIENCE.into()),
        ("a forger", forged, "401: its signature is not by a key of its issuer".into()),
        ("garbage", Some("garbage".into()), "401: not a token signed with RS256 or ES256".into()),
        ("nobody", None, "401: no token; send it as Authorization: Bearer <token>".into()),
    ];
    for (who, token, expected) in cases {
        let me = reqwest::Client::new().get(format!("{}/v1/me", home.desk.url()));
        assert_eq!(said(me, token.as_deref()).await, expected, "{who}, at {}", home.namespace());
    }
}

async fn roles_are_heard_in_their_own_namespace_only(home: &Tenant, other: &Tenant) {
    let (here, there) = (names::role_audience(home.namespace()), names::role_audience(other.namespace()));
    let operator = |audience: &[&str]| token(home, "aldis-operator", OPERATOR_NAMESPACE, audience);
    let before = home.seen().await;
    let nobody = "401: no token; send it as Authorization: Bearer <token>";
    // To a gateway, somebody known who has no route may be an engine whose route is still under way.
    let shut = ["403", "403", "NotSent, NotRouted", "403"];
    let cases = [
        ("this gateway", home.mounted(GATEWAY), ["200", "403", "NotSent, NotRouted", "403"]),
        ("this engine", home.mounted(ENGINE), ["403", "403", "200", "403"]),
        (
            "the operator, as it asks here",
            operator(&["--audience", &here]),
            ["403", "200", "NotSent, NotRouted", "200"],
        ),
        ("their gateway", other.mounted(GATEWAY), [AUDIENCE; 4]),
        ("their engine", other.mounted(ENGINE), [AUDIENCE; 4]),
        ("the operator, as it asks there", operator(&["--audience", &there]), [AUDIENCE; 4]),
        ("the operator, as it talks to the API server", operator(&[]), [AUDIENCE; 4]),
        ("their gateway, with a token for here", other.token("smsc-simulator", &here), shut),
        ("their engine, with a token for here", other.token("sms-support", &here), shut),
        ("Ana of here, with a token for roles", home.token("ana", &here), shut),
        ("nobody", None, [nobody; 4]),
    ];
    for (id, (who, token, expected)) in cases.into_iter().enumerate() {
        let doors = home.doors(token.as_deref(), id).await;
        // Whom exactly a 403 names does not matter.
        let doors = doors.map(|said| if said.starts_with("403: ") { "403".to_owned() } else { said });
        assert_eq!(doors, expected, "{who}, at {}", home.namespace());
    }
    let after = home.seen().await;
    assert_eq!(after, before.map(|count| count + 1), "one message came in, and one went out");
}

impl Tenant {
    /// How many texts the desk has of Mia, and how many the carrier was given.
    async fn seen(&self) -> [usize; 2] {
        let given = self.running.carrier.ledger().await;
        let given = given.iter().filter(|entry| matches!(entry.event, Event::ApiRequest { text: Some(_), .. }));
        [self.running.ana.messages(MIA).await.len(), given.count()]
    }
}

async fn webhooks_are_believed_by_the_own_secret_only(home: &Tenant, other: &Tenant) {
    let public_url = format!("http://smsc-simulator.{}:8080{}", home.namespace(), ports::HOOK_INBOUND_PATH);
    let at = jiff::Timestamp::now();
    let message = InboundMessage {
        id: "signed".into(),
        account: "simulator".into(),
        from: MIA.into(),
        to: NUMBER.into(),
        text: "It is me.".into(),
        received_at: at,
        part: None,
    };
    let message = serde_json::to_string(&message).unwrap();
    for (secret, expected) in [(other.secret, StatusCode::FORBIDDEN), (home.secret, StatusCode::NO_CONTENT)] {
        let signed = signature::sign(secret, at, &public_url, message.as_bytes());
        let called = reqwest::Client::new()
            .post(format!("{}{}", home.running.hooks.url(), ports::HOOK_INBOUND_PATH))
            .header(signature::HEADER, signed)
            .header("content-type", "application/json")
            .body(message.clone())
            .send();
        assert_eq!(called.await.unwrap().status(), expected, "by {secret}, at {}", home.namespace());
    }
}

async fn an_administrator_of_the_other_namespace_reaches_neither_channels_nor_claims(home: &Tenant, other: &Tenant) {
    let account = format!("--serviceaccount={}:ana", other.namespace());
    let arguments = ["create", "rolebinding", "-n", other.namespace(), "ana", "--clusterrole=admin", &account];
    other.quickstart.cluster.kubectl(&arguments).ok();
    let mut config = home.quickstart.cluster.client_config().await;
    let token = token(other, "ana", other.namespace(), &[]).map(Into::into);
    config.auth_info = kube::config::AuthInfo { token, ..Default::default() };
    let client = Client::try_from(config).unwrap();

    let channels = |namespace| Api::<SmsChannel>::namespaced(client.clone(), namespace);
    assert_eq!(channels(other.namespace()).list(&ListParams::default()).await.unwrap().items.len(), 1);
    let leases = Api::<Lease>::namespaced(client.clone(), OPERATOR_NAMESPACE);
    let refused = [
        channels(home.namespace()).list(&ListParams::default()).await.err(),
        channels(home.namespace()).delete("support", &DeleteParams::default().dry_run()).await.err(),
        leases.list(&ListParams::default()).await.err(),
        leases.delete("any", &DeleteParams::default().dry_run()).await.err(),
    ];
    for refused in refused {
        assert!(matches!(&refused, Some(kube::Error::Api(status)) if status.code == 403), "{refused:?}");
    }
}

/// A channel finds connectors of its own namespace only, and no reference can name another.
async fn a_connector_serves_its_own_namespace_only(ours: &Tenant) {
    let mut guest = Quickstart::new();
    for file in ["agent", "campaign", "channel"] {
        guest.apply_file(file);
    }
    let message = guest.until("smschannel/support", "ReferencesResolved", "False", "ConnectorNotFound").await;
    assert_eq!(message, "connector simulator does not exist in this namespace");
    guest.until("smschannel/support", "Ready", "False", "ConnectorNotFound").await;
    let routes = ours.quickstart.field("configmap/smsc-simulator.routes-0", ".data");
    assert!(routes.contains(ours.namespace()) && !routes.contains(&guest.namespace), "{routes}");

    guest.change("channel", |channel| channel["spec"]["connectorRef"]["namespace"] = json!(ours.namespace()));
    let refused = guest.try_apply_file("channel").refused();
    assert!(refused.contains("unknown field") && refused.contains("connectorRef"), "{refused}");
}

/// Nobody can say whose a number of a simulator is, so both have it.
fn the_same_number_of_a_simulator_is_each_ones_own(ours: &Tenant, theirs: &Tenant) {
    for tenant in [ours, theirs] {
        let [status, reason, _] = tenant.quickstart.condition("smschannel/support", "NumberClaimed");
        assert_eq!([&*status, &*reason], ["True", "Claimed"], "{}", tenant.namespace());
    }
}

/// The namespaces refuse whatever is not restricted, so the pods that run there are; a control shows that they do.
fn every_pod_is_restricted(ours: &Tenant) {
    let cluster = &ours.quickstart.cluster;
    let ordinary = |namespace: &str| {
        cluster.kubectl(&["run", "ordinary", "-n", namespace, "--image=localhost/testbed/pause:1", "--dry-run=server"])
    };
    ordinary("default").ok();
    let namespaces = [
        (ours.namespace(), &["sms-support-", "smsc-simulator-", "aldis-simulator-"][..]),
        (OPERATOR_NAMESPACE, &["aldis-operator-"]),
    ];
    for (namespace, expected) in namespaces {
        let refused = ordinary(namespace).refused();
        assert!(refused.contains("violates PodSecurity \"restricted:latest\""), "{refused}");
        let names = "jsonpath={.items[?(@.status.phase==\"Running\")].metadata.name}";
        let pods = cluster.kubectl(&["get", "pods", "-n", namespace, "-o", names]).ok();
        for name in expected {
            assert!(pods.contains(name), "{name} in {namespace}: {pods}");
        }
    }
}
