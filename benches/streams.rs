//! From the decision to the offer on the agent's stream, with a thousand agents at work and up to ten thousand customers who wait.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use aldis::wire::ports;
use futures::StreamExt;
use jiff::Timestamp;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::{
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    task::JoinSet,
    time::MissedTickBehavior,
};

use crate::{
    Scale,
    figure::{Figure, quantile},
    inbound::TEXT,
    machine::{Share, Shares},
    page::{Goal, Ratio, Section, table},
    support::{
        engine::{DESK, Engine, GATEWAY, ROLES, answer},
        gateway_fake::FakeGateway,
    },
};

/// One stream is opened after the other: a thousand in 8 s, so that the signs of life that they ask for every 8 s are spread as well.
const OPENED_EVERY: Duration = Duration::from_millis(8);
/// From one offer that is measured to the next.
const PACE: Duration = Duration::from_millis(100);
/// Requests that are under way at once while nothing is measured.
const AT_ONCE: usize = 64;

/// How many there are.
#[derive(Clone, Copy)]
pub struct Size {
    /// Agents, each with an open stream and room for one interaction.
    pub agents: usize,
    /// Customers who wait, from nobody upwards: one measurement after the other with the same engine.
    pub waiting: [u64; 3],
    /// Offers of each measurement; not more than agents.
    pub offers: usize,
}

/// What was measured while so many waited.
#[derive(Default)]
struct Figures {
    /// Milliseconds in the median.
    median: Figure,
    /// Milliseconds within which 99 % came.
    most: Figure,
    longest: Figure,
    /// Part of all cores that the engine took.
    engine: Figure,
    /// And this process, which is all the clients.
    clients: Figure,
}

/// Measures an engine as a process, with the streams of all agents in this one.
pub async fn measure(scale: Scale) -> Section {
    let size = scale.streams;
    let mut all: [Figures; 3] = Default::default();
    for _ in 0..scale.runs {
        let mut desk = Desk::open(size.agents).await;
        for (waiting, figures) in size.waiting.iter().zip(&mut all) {
            desk.have_waiting(*waiting).await;
            desk.measure(*waiting, size.offers, figures).await;
        }
    }
    section(size, &all)
}

fn section(size: Size, all: &[Figures; 3]) -> Section {
    let Size { agents, waiting, offers } = size;
    let goals = waiting.iter().zip(all).map(|(waiting, figures)| {
        let ours = format!(
            "Milliseconds until 99 % of the offers are on the agent's stream, {agents} agents and {waiting} waiting"
        );
        Goal::at_most(ours, 50.0, figures.most.clone())
    });
    let [_, few, many] = all;
    let ratios = vec![Ratio::new(
        format!("Time to the offer in the median, {} waiting", waiting[2]),
        many.median.over(&few.median),
        format!("that with {} waiting", waiting[1]),
    )];
    let rows = waiting.iter().zip(all).map(|(waiting, figures)| {
        let Figures { median, most, longest, engine, clients } = figures;
        std::iter::once(waiting.to_string())
            .chain([median, most, longest, engine, clients].map(ToString::to_string))
            .collect()
    });
    let head = ["waiting", "ms, median", "99 % below", "longest", "engine, part of all cores", "clients"];
    let text = format!(
        "{agents} agents have a stream open, answer each `Beat`, and have room for one interaction. Every {} ms one of them finishes and gets the\n\
         first of those who wait, and a text of a new customer joins the queue, {offers} times; while nobody waits a text goes to an agent who is\n\
         free. From the time of the event, which is before the decision and its commit, until that agent's stream brings it. All streams bring\n\
         all events, and all clients share the processors with the engine.\n\n{}",
        PACE.as_millis(),
        table(&head, rows),
    );
    Section { title: "Agents' streams", ratios, goals: goals.collect(), text }
}

/// An agent's side of the agents' interface.
#[derive(Clone)]
struct Agent {
    client: Client,
    user: String,
    token: Arc<str>,
    /// Base URL of the channel.
    channel: Arc<str>,
}

impl Agent {
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.channel)).bearer_auth(&self.token)
    }

    async fn finish(&self, Given { interaction, epoch, .. }: &Given) {
        let request = self.request(Method::POST, &format!("/interactions/{interaction}/finish"));
        let key = format!("{:032x}", fastrand::u128(..));
        let answer = answer(request.header("Idempotency-Key", key).json(&json!({ "epoch": epoch }))).await;
        assert_eq!(answer.0, 200, "{}", answer.1);
    }
}

/// An interaction that an agent was given.
struct Given {
    agent: usize,
    interaction: Value,
    epoch: Value,
    /// Milliseconds from the event until the stream said so.
    after: f64,
}

/// An engine, its agents, and those who write to it.
struct Desk {
    engine: Engine,
    agents: Vec<Agent>,
    /// The gateway's token.
    token: String,
    /// Customers who wrote so far.
    wrote: u64,
    /// And those of them with whom an agent has finished.
    finished: u64,
    /// What agents have at hand, the oldest first.
    at_work: VecDeque<Given>,
    given: UnboundedReceiver<Given>,
    streams: JoinSet<()>,
    _gateway: FakeGateway,
}

impl Desk {
    /// All agents are there, nobody has written yet.
    async fn open(agents: usize) -> Self {
        let gateway = FakeGateway::start().await;
        let user = |agent| format!("agent-{agent}");
        let engine = Engine::start(&gateway.url, |document| {
            let member = |agent| {
                json!({ "user": user(agent), "position": agent, "penalty": 0, "receive": true, "initiate": true, "maxInteractions": 1 })
            };
            document["campaign"]["members"] = (0..agents).map(member).collect();
        })
        .await;
        let client = Client::new();
        let channel: Arc<str> = format!("http://{}:{}/v1/channels/support", engine.address, ports::PUBLIC).into();
        let agent = |agent| Agent {
            client: client.clone(),
            user: user(agent),
            token: engine.issuer.token(&user(agent), DESK).into(),
            channel: Arc::clone(&channel),
        };
        let agents: Vec<Agent> = (0..agents).map(agent).collect();
        let (tell, given) = mpsc::unbounded_channel();
        let streams = open_streams(&agents, &tell).await;
        let present = futures::stream::iter(&agents).map(async |agent| {
            let request = agent.request(Method::PUT, "/me/presence").json(&json!({ "present": true }));
            assert_eq!(answer(request).await.0, 200);
        });
        present.buffer_unordered(AT_ONCE).collect::<()>().await;
        let token = engine.issuer.token(GATEWAY, ROLES);
        Self {
            engine,
            agents,
            token,
            wrote: 0,
            finished: 0,
            at_work: VecDeque::new(),
            given,
            streams,
            _gateway: gateway,
        }
    }

    /// A new customer writes.
    fn text(&mut self) -> impl Future<Output = ()> + use<> {
        let from = format!("+1555{:07}", self.wrote);
        let taken = self.engine.inbound_as(&self.token, &format!("SM{:032x}", fastrand::u128(..)), &from, TEXT);
        self.wrote += 1;
        async move { assert_eq!(taken.await.0, 200) }
    }

    /// The next that an agent is given.
    async fn next(&mut self) -> Given {
        tokio::select! {
            given = self.given.recv() => given.expect("streams that are open"),
            ended = self.streams.join_next() => panic!("a stream ended: {ended:?}"),
        }
    }

    /// So many wait, and every agent is at work; while nobody waits agents are free.
    async fn have_waiting(&mut self, waiting: u64) {
        if waiting == 0 {
            return;
        }
        let open = self.agents.len() as u64 + waiting;
        let texts: Vec<_> = (self.wrote - self.finished..open).map(|_| self.text()).collect();
        futures::stream::iter(texts).buffer_unordered(AT_ONCE).collect::<()>().await;
        while self.at_work.len() < self.agents.len() {
            let given = self.next().await;
            self.at_work.push_back(given);
        }
    }

    /// Measures offers one after the other; as many wait afterwards as before.
    async fn measure(&mut self, waiting: u64, offers: usize, figures: &mut Figures) {
        let engine = self.engine.role.pid().expect("it runs");
        let processes = [("engine", engine), ("clients", std::process::id())];
        let shares = Shares::begin(processes.map(|(name, pid)| (name.to_owned(), Share::Process(pid))).to_vec());
        let mut pace = tokio::time::interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut took = Vec::new();
        for _ in 0..offers {
            pace.tick().await;
            if waiting > 0 {
                let done = self.at_work.pop_front().expect("everybody has one");
                self.agents[done.agent].finish(&done).await;
                self.finished += 1;
            }
            self.text().await;
            let given = self.next().await;
            took.push(given.after);
            self.at_work.push_back(given);
        }
        let shares = shares.end();
        took.sort_by(f64::total_cmp);
        figures.median.add(quantile(&took, 0.5));
        figures.most.add(quantile(&took, 0.99));
        figures.longest.add(quantile(&took, 1.0));
        figures.engine.add(shares[0].1);
        figures.clients.add(shares[1].1);
    }
}

/// One after the other, each followed from then on.
async fn open_streams(agents: &[Agent], tell: &UnboundedSender<Given>) -> JoinSet<()> {
    let mut streams = JoinSet::new();
    let mut pace = tokio::time::interval(OPENED_EVERY);
    for (number, agent) in agents.iter().enumerate() {
        pace.tick().await;
        let stream = agent.request(Method::GET, "/stream").send().await.expect("a stream");
        let stream = stream.error_for_status().expect("the engine lets agents in");
        streams.spawn(follow(number, agent.clone(), stream, tell.clone()));
    }
    streams
}

/// Answers beats and tells what the agent is given, until the stream ends.
async fn follow(number: usize, agent: Agent, mut stream: reqwest::Response, tell: UnboundedSender<Given>) {
    let (mine, mut buffer) = (format!("\"user\":\"{}\"", agent.user), String::new());
    while let Ok(Some(chunk)) = stream.chunk().await {
        let now = Timestamp::now();
        buffer += std::str::from_utf8(&chunk).expect("ids and names");
        let Some(end) = buffer.rfind("\n\n") else { continue };
        for event in buffer[..end].split("\n\n") {
            if event.starts_with("event: Beat\n") {
                tokio::spawn(agent.request(Method::POST, "/me/beat").send());
            } else if event.starts_with("event: InteractionAssigned\n")
                && event.contains(&mine)
                && tell.send(given(number, event, now)).is_err()
            {
                return;
            }
        }
        buffer.drain(..end + 2);
    }
}

/// What an event says that reached the agent at this time.
fn given(agent: usize, event: &str, now: Timestamp) -> Given {
    let (_, data) = event.split_once("\ndata: ").expect("an event has data");
    let mut data: Value = serde_json::from_str(data).expect("JSON");
    let at: Timestamp = data["at"].as_str().and_then(|at| at.parse().ok()).expect("a time");
    let after = now.duration_since(at).as_secs_f64() * 1000.0;
    Given { agent, interaction: data["interaction"].take(), epoch: data["epoch"].take(), after }
}
