//! Whatever is wrong around a connector and its channel has a reason and a message of its own, and heals without a touch when its
//! cause goes: for each provider and each cause, through the whole chain. Operator, gateways and simulators are the real
//! processes, on a real API server; the other providers are ours, pods and engines are simulated.

mod account;
mod causes;
mod watched;

use std::collections::{BTreeMap, BTreeSet};

use account::{Account, Provider};
use causes::{CAUSES, Cause, Connector, Secret, World};
use k8s_openapi::{ByteString, api::core::v1};
use kube::{
    Api,
    api::{DeleteParams, ObjectMeta, Patch, PatchParams},
};
use tokio::task::block_in_place;
use watched::Watched;

use crate::{
    desk::Desk,
    support::{
        gateway_pod::{GatewayPod, Place},
        operator::{Flags, Operator},
        provider_fake::DIALECTS,
        testbed::Cluster,
    },
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_cause_has_its_reason_and_heals_by_itself_at_every_provider() {
    let reasons: BTreeSet<_> = CAUSES.iter().map(|cause| cause.reason).collect();
    assert_eq!(reasons.len(), CAUSES.len(), "each has its own");
    let all = [Provider::Twilio, Provider::Simulator]
        .into_iter()
        .chain(DIALECTS.iter().map(|dialect| Provider::Other(*dialect)))
        .flat_map(|provider| CAUSES.iter().map(move |cause| (provider, cause)))
        .filter(|(provider, cause)| provider.lists_numbers() || !cause.needs_a_list());
    let opened: Vec<_> =
        all.zip(0..).map(|((provider, cause), nth)| tokio::spawn(Case::open(provider, cause, nth))).collect();
    let mut cases = Vec::new();
    for case in opened {
        cases.push(case.await.unwrap());
    }
    let namespaces: Vec<_> = cases.iter().map(|case| case.desk.namespace.as_str()).collect();
    let base_urls = cases.iter().map(|case| case.account.base_url.clone()).collect();
    let operator = Operator::start(Cluster::apiserver(), &namespaces, Flags { base_urls, ..Flags::default() }).await;
    for case in &cases {
        operator.stub.lead(&format!("smsc-sim.{}", case.desk.namespace), case.place.internal());
    }
    let run: Vec<_> = cases.into_iter().map(|case| (case.name.clone(), tokio::spawn(case.run()))).collect();
    let mut failed = Vec::new();
    for (name, ended) in run {
        if ended.await.is_err() {
            failed.push(name);
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

/// One cause at one provider, in a namespace of its own.
struct Case {
    name: String,
    cause: &'static Cause,
    /// The number of the channel.
    number: String,
    /// A number of the account that nobody asks for.
    spare: String,
    desk: Desk<'static>,
    account: Account,
    world: World,
    /// Where the gateway listens.
    place: Place,
    pod: Option<GatewayPod>,
}

impl Case {
    async fn open(provider: Provider, cause: &'static Cause, nth: u32) -> Self {
        Self {
            name: format!("{provider}: {}", cause.name),
            cause,
            // Twilio's numbers are unique in the world.
            number: format!("+1555777{nth:04}"),
            spare: format!("+1555888{nth:04}"),
            desk: block_in_place(|| Desk::new(Cluster::apiserver())),
            account: Account::open(provider).await,
            world: World::EMPTY,
            place: Place::reserve(),
            pod: None,
        }
    }

    /// The cause is there from the start, and goes; then it comes over a desk that runs, and goes again.
    async fn run(mut self) {
        let (concerned, condition) = self.cause.condition;
        let watch = |object| Watched::new(&self.desk, object, if object == concerned { condition } else { "Ready" });
        let (connector, channel) = (watch("smsconnector/sim"), watch("smschannel/support"));
        let concerned = if concerned == connector.name { &connector } else { &channel };
        let mut ill = World::WELL;
        (self.cause.comes)(&mut ill);

        self.turn_into(ill).await;
        self.apply(&self.desk.channel("support", &self.number, ""));
        self.is_told_by(concerned).await;
        self.turn_into(World::WELL).await;
        is_well(&connector, &channel).await;
        let mut times = 1;
        if self.cause.comes_later {
            self.turn_into(ill).await;
            self.is_told_by(concerned).await;
            self.turn_into(World::WELL).await;
            is_well(&connector, &channel).await;
            times += 1;
        }
        let told = concerned.verdicts().into_iter().filter(|[_, reason]| reason != "NotCheckedYet");
        let wanted = [[self.cause.status, self.cause.reason], ["True", self.well()]].repeat(times);
        assert_eq!(told.collect::<Vec<_>>(), wanted, "{}: and nothing else was ever said", self.name);
    }

    /// The condition's reason when all is well.
    fn well(&self) -> &'static str {
        match self.cause.well {
            "Verified" if !self.account.provider.lists_numbers() => "Declared",
            well => well,
        }
    }

    /// What is said names what is wrong, where, and what to do.
    async fn is_told_by(&self, object: &Watched) {
        let Cause { status, reason, summary, .. } = *self.cause;
        let message = object.until(self.cause.condition.1, status, reason).await;
        let provider = self.account.provider;
        let field = |name: &str| format!("spec.provider.{provider}.{name}");
        for part in self.cause.message {
            let part = part
                .replace("{number}", &self.number)
                .replace("{key}", self.account.deciding_key().0)
                .replace("{url}", &self.account.base_url)
                .replace("{baseUrl}", &field("baseUrl"))
                .replace("{credentialsSecretRef}", &field("credentialsSecretRef"));
            assert!(message.contains(&part), "{}: {part:?} in {message:?}", self.name);
        }
        object.until("Ready", status, reason).await;
        object.until(summary, "True", reason).await;
        let other = if summary == "Stalled" { "Reconciling" } else { "Stalled" };
        assert!(!object.has(other), "{}: {summary}, and not {other}", self.name);
        println!("{}: {reason}: {message}", self.name);
    }

    /// Makes the world so, and changes nothing else.
    async fn turn_into(&mut self, wanted: World) {
        let was = std::mem::replace(&mut self.world, wanted);
        if wanted.number != was.number {
            let own = wanted.number.map(|sms| (self.number.clone(), sms));
            self.account.set_numbers(own.into_iter().chain([(self.spare.clone(), true)]).collect()).await;
        }
        if wanted.secret != was.secret {
            self.put_secret(wanted.secret).await;
        }
        if wanted.slow != was.slow {
            self.account.set_slow(wanted.slow).await;
        }
        if wanted.away != was.away {
            self.account.set_away(wanted.away).await;
        }
        if wanted.connector != was.connector {
            self.put_connector(wanted.connector).await;
        }
        if wanted.taken != was.taken {
            self.take_number(wanted.taken).await;
        }
    }

    async fn put_secret(&self, wanted: Secret) {
        let (key, value) = self.account.deciding_key();
        let data = match wanted {
            Secret::Absent => None,
            Secret::WithoutTheKey => Some(("note", "the key comes later")),
            Secret::Wrong => Some((key, "wrong")),
            Secret::Right => Some((key, value)),
        };
        let others = self.account.other_keys();
        let api: Api<v1::Secret> = Api::namespaced(self.desk.client.clone(), &self.desk.namespace);
        if let Some((key, value)) = data {
            let metadata = ObjectMeta { name: Some("sim".into()), ..ObjectMeta::default() };
            let data: BTreeMap<_, _> = others
                .into_iter()
                .chain([(key, value)])
                .map(|(key, value)| (key.to_owned(), ByteString(value.into())))
                .collect();
            let secret = v1::Secret { metadata, data: Some(data), ..v1::Secret::default() };
            api.patch("sim", &PatchParams::apply("test"), &Patch::Apply(secret)).await.unwrap();
        } else {
            drop(api.delete("sim", &DeleteParams::default()).await);
        }
        // While all is well nobody makes the kubelet look; it does so by itself, some time.
        if let Some(pod) = self.pod.as_ref().filter(|_| wanted != Secret::Right) {
            pod.sync().await;
        }
    }

    async fn put_connector(&mut self, wanted: Connector) {
        let offered = match wanted {
            Connector::OffersAll if !self.account.provider.lists_numbers() => {
                format!(", numbers: [{{number: \"{}\"}}, {{number: \"{}\"}}]", self.number, self.spare)
            }
            Connector::Absent | Connector::OffersAll => String::new(),
            Connector::OffersAnotherNumber => format!(", numbers: [{{number: \"{}\"}}]", self.spare),
        };
        let more = format!("{offered}, checkIntervalSeconds: 5");
        self.apply(&(self.desk.connector_of(&self.account.spec(), &more) + &self.desk.campaign("{user: ana}")));
        if self.pod.is_none() {
            let (client, namespace) = (&self.desk.client, &self.desk.namespace);
            self.pod = Some(GatewayPod::start(client, namespace, "smsc-sim-0", self.place).await);
        }
    }

    async fn take_number(&self, taken: bool) {
        if taken {
            self.apply(&self.desk.channel("first", &self.number, ""));
            let first = Watched::new(&self.desk, "smschannel/first", "Ready");
            first.until("Ready", "True", "Available").await;
        } else {
            self.desk.api("smschannel").delete("first", &DeleteParams::default()).await.unwrap();
        }
    }

    fn apply(&self, yaml: &str) {
        block_in_place(|| self.desk.apply(yaml));
    }
}

/// Nothing is left of what was wrong.
async fn is_well(connector: &Watched, channel: &Watched) {
    for object in [connector, channel] {
        object.until("Ready", "True", "Available").await;
        for summary in ["Stalled", "Reconciling"] {
            assert!(!object.has(summary), "{} is {summary}", object.name);
        }
    }
}
