//! What is derived of interactions and agents for a quick look: queue, slots, timers, ranking. It follows every change.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{
    agent::Agent,
    assembly::Assembly,
    clock::ChannelTime,
    ids::{AssemblyId, InteractionId, UserId},
    interaction::{Interaction, Phase},
    ranking::Ranking,
    state::State,
};

/// Whose slots an interaction takes up.
#[derive(Default)]
struct Slots {
    owner: Option<UserId>,
    asked: BTreeSet<UserId>,
}

impl Slots {
    fn of(interaction: &Interaction) -> Self {
        let mut asked = interaction.offer().map(|offer| offer.to.clone()).unwrap_or_default();
        asked.extend(interaction.recipient().map(|(user, _)| user.clone()));
        Self { owner: interaction.owner().cloned(), asked }
    }
}

/// Whether a bot talks to a customer who will enter the queue.
const fn is_before_queue(interaction: &Interaction) -> bool {
    matches!(interaction.phase, Phase::Bot { finished: None, .. })
}

impl State {
    /// Changes an interaction and keeps the indexes right. Nothing happens when it is not open.
    pub(super) fn with_interaction(&mut self, id: InteractionId, change: impl FnOnce(&mut Interaction)) {
        let Some(mut interaction) = self.interactions.remove(&id) else { return };
        self.leave(&interaction);
        let before = Slots::of(&interaction);
        change(&mut interaction);
        self.enter(&interaction);
        let after = Slots::of(&interaction);
        self.interactions.insert(id, interaction);
        self.move_slots(id, &before, &after);
    }

    pub(super) fn put_assembly(&mut self, assembly: Assembly) {
        self.timers.start(assembly.timer());
        self.assemblies.put(assembly);
    }

    pub(super) fn take_assembly(&mut self, id: AssemblyId) -> Option<Assembly> {
        let assembly = self.assemblies.take(id)?;
        self.timers.cancel(assembly.timer());
        Some(assembly)
    }

    pub(super) fn put_interaction(&mut self, interaction: Interaction) {
        let (id, slots) = (interaction.id, Slots::of(&interaction));
        self.enter(&interaction);
        self.interactions.insert(id, interaction);
        self.move_slots(id, &Slots::default(), &slots);
    }

    pub(super) fn remove_interaction(&mut self, id: InteractionId) -> Option<Interaction> {
        let interaction = self.interactions.remove(&id)?;
        self.leave(&interaction);
        self.move_slots(id, &Slots::of(&interaction), &Slots::default());
        Some(interaction)
    }

    fn enter(&mut self, interaction: &Interaction) {
        self.timers.start(interaction.timers(&self.config));
        if let Some(place) = interaction.place() {
            let at = (place, interaction.id);
            if interaction.bot().is_some() {
                self.in_queue_with_bot.insert(at)
            } else if interaction.offer().is_none() {
                self.unoffered.insert(at)
            } else {
                self.offered.insert(at)
            };
            self.handed_over += usize::from(interaction.owner().is_some());
        }
        self.before_queue += usize::from(is_before_queue(interaction));
        self.after_end += usize::from(interaction.finished().is_some());
        if let Some(run) = interaction.bot().filter(|run| run.input().is_some()) {
            let due = if run.calls() { &mut self.calls } else { &mut self.turns };
            due.insert(interaction.id);
        }
    }

    fn leave(&mut self, interaction: &Interaction) {
        self.timers.cancel(interaction.timers(&self.config));
        if let Some(place) = interaction.place() {
            let at = (place, interaction.id);
            self.unoffered.remove(&at);
            self.offered.remove(&at);
            self.in_queue_with_bot.remove(&at);
            self.handed_over -= usize::from(interaction.owner().is_some());
        }
        self.before_queue -= usize::from(is_before_queue(interaction));
        self.after_end -= usize::from(interaction.finished().is_some());
        self.turns.remove(&interaction.id);
        self.calls.remove(&interaction.id);
    }

    /// Changes the agents only who have another slot than before: a thousand may be asked.
    fn move_slots(&mut self, id: InteractionId, before: &Slots, after: &Slots) {
        if before.owner != after.owner {
            self.with_agents(&before.owner, |agent| agent.open.remove(&id));
            self.with_agents(&after.owner, |agent| agent.open.insert(id));
        }
        self.with_agents(before.asked.difference(&after.asked), |agent| agent.offers.remove(&id));
        self.with_agents(after.asked.difference(&before.asked), |agent| agent.offers.insert(id));
    }

    fn with_agents<'a>(&mut self, users: impl IntoIterator<Item = &'a UserId>, change: impl Fn(&mut Agent) -> bool) {
        for user in users {
            self.with_agent(user, |agent| {
                change(agent);
            });
        }
    }

    /// Changes an agent, who is made if they were never seen, and keeps the indexes right.
    pub(super) fn with_agent(&mut self, user: &UserId, change: impl FnOnce(&mut Agent)) {
        let now = self.scalars.clock.at(self.scalars.last);
        let agent = self.agents.entry(user.clone()).or_insert_with(|| Agent::new(user.clone(), now));
        self.timers.cancel(agent.timers());
        change(agent);
        self.timers.start(agent.timers());
        if self.ranking.put(&self.config, agent) {
            self.arrived.insert(user.clone());
        }
    }

    /// A message belongs to an interaction: its idle time begins anew.
    pub(super) fn touch(&mut self, id: InteractionId, at: ChannelTime) {
        let Some(interaction) = self.interactions.get_mut(&id) else { return };
        self.timers.cancel(interaction.timers(&self.config));
        interaction.active_at = at;
        self.timers.start(interaction.timers(&self.config));
    }

    /// What was completed counts for one day; nothing happens while it is still that of the ranking.
    pub(super) fn begin_day(&mut self, now: Timestamp) {
        if !self.ranking.is_of_day(now) {
            self.rank(now);
        }
    }

    /// Puts all timers anew, and all agents.
    pub(super) fn index_anew(&mut self) {
        let interactions = self.interactions.values().flat_map(|interaction| interaction.timers(&self.config));
        let agents = self.agents.values().flat_map(Agent::timers);
        let assemblies = self.assemblies.iter().filter_map(Assembly::timer);
        self.timers = interactions.chain(agents).chain(assemblies).collect();
        self.rank(self.scalars.last);
    }

    pub(super) fn rank(&mut self, now: Timestamp) {
        self.ranking = Ranking::new(&self.config, self.agents.values(), now);
        self.arrived.extend(self.ranking.users().cloned());
    }
}
