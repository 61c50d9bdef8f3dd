//! How long it takes to give an interaction to one of ten agents, and to one of a thousand.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aldis::engine::core::{
    command::{Command, Contact, Inbound},
    config::{ChannelConfig, Member, Members, Strategy},
    ids::{CustomerId, UserId},
    state::State,
};

use crate::{
    Scale,
    figure::Figure,
    page::{Goal, Ratio, Section, table},
    support::channel::{config, number},
};

const MEMBERS: [u32; 2] = [10, 1000];
const STRATEGIES: [Strategy; 6] = [
    Strategy::LeastRecent,
    Strategy::FewestInteractions,
    Strategy::Random,
    Strategy::Linear,
    Strategy::RoundRobin,
    Strategy::WeightedRandom,
];

/// Measures the state machine in this process, without a store.
pub fn measure(scale: Scale) -> Section {
    let mut figures = STRATEGIES.map(|strategy| (strategy, MEMBERS.map(|_| Figure::default())));
    for _ in 0..scale.runs {
        for (strategy, figures) in &mut figures {
            for (members, figure) in MEMBERS.into_iter().zip(figures) {
                figure.add(Desk::new(*strategy, members).micros(scale.each / 4));
            }
        }
    }
    let name = |strategy: &Strategy| format!("{strategy:?}: an interaction given to one of 1,000 agents and finished");
    let ratio = |figures: &[Figure; 2]| figures[1].over(&figures[0]);
    let goals = figures
        .iter()
        .map(|(strategy, figures)| Goal::at_most(format!("{}, beside one of 10", name(strategy)), 2.0, ratio(figures)));
    let ratios =
        figures.iter().map(|(strategy, figures)| Ratio::new(name(strategy), ratio(figures), "the same with 10 agents"));
    let rows = figures.iter().map(|(strategy, figures)| {
        vec![format!("`{strategy:?}`"), ratio(figures).to_string(), figures[0].to_string(), figures[1].to_string()]
    });
    let text = format!(
        "The state machine alone, in one process and one thread, without a store: a customer writes, the strategy chooses one of the agents, who are all\n\
         available and have penalties from 0 to 9, and the agent finishes the interaction.\n\n{}",
        table(&["strategy", "ratio", "10 agents, µs", "1,000 agents, µs"], rows),
    );
    Section { title: "Choosing an agent", ratios: ratios.collect(), goals: goals.collect(), text }
}

/// A channel whose agents have nothing to do.
struct Desk {
    state: State,
    now: jiff::Timestamp,
    customer: Option<CustomerId>,
}

impl Desk {
    fn new(strategy: Strategy, members: u32) -> Self {
        let member = |nth: u32| Member {
            user: UserId::from(format!("oidc:agent-{nth}@example.com")),
            position: nth,
            penalty: nth % 10,
            receive: true,
            initiate: true,
            max_interactions: 3,
        };
        let members: Members = (0..members).map(member).collect();
        let users: Vec<UserId> = members.iter().map(|member| member.user.clone()).collect();
        let config = ChannelConfig { strategy, members, ..config() };
        let now = "2026-11-22T14:27:31Z".parse().expect("a time");
        let mut desk = Self { state: State::new(Arc::new(config)), now, customer: None };
        desk.execute(&Command::Started { ids_from: 1, leapt: None });
        for user in users {
            desk.execute(&Command::AgentOnline { user: user.clone() });
            desk.execute(&Command::SetPresence { user, present: true });
        }
        desk
    }

    fn execute(&mut self, command: &Command) {
        self.now += Duration::from_millis(1);
        let decision = self.state.execute(command, self.now);
        assert!(decision.answer.is_ok(), "{command:?}: {decision:?}");
    }

    /// The customer writes, and who gets it finishes it.
    fn turn(&mut self) {
        self.execute(&Command::Inbound(Inbound {
            contact: Contact { address: number(1).into(), customer: self.customer },
            text: "TEXT".into(),
            note: None,
            received_at: self.now,
            part: None,
            duplicate_of: None,
            provider_keyword: None,
            overtakes: false,
            before_opt_out: false,
        }));
        let open = self.state.interactions().next().expect("it is open");
        let (interaction, epoch, customer) = (open.id, open.epoch, open.customer);
        let user = open.owner().expect("somebody was available").clone();
        self.customer = Some(customer);
        self.execute(&Command::Finish { user, interaction, epoch, disposition: None });
        // What the window keeps would grow.
        self.state.replace_samples([]);
    }

    /// How long a turn takes.
    fn micros(mut self, each: Duration) -> f64 {
        const AT_ONCE: u32 = 500;
        for _ in 0..AT_ONCE {
            self.turn();
        }
        let (begun, mut turns) = (Instant::now(), 0);
        while begun.elapsed() < each {
            for _ in 0..AT_ONCE {
                self.turn();
            }
            turns += AT_ONCE;
        }
        begun.elapsed().as_secs_f64() * 1_000_000.0 / f64::from(turns)
    }
}
