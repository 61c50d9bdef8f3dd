//! A command, what was due before it, and what follows from it.

use jiff::Timestamp;

use super::{
    apply::apply,
    command::{Command, Decision},
    decide::decide,
    due::due,
    event::{ClockEvent, Event},
    state::State,
};

impl State {
    /// Executes a command: first what was due before it, then the command, then what follows from it. All of it is applied and
    /// returned as one decision, to be committed in one transaction.
    ///
    /// After the commit the runtime answers, and hands every message of [`in_flight`](Self::in_flight) that it has not handed over
    /// yet to the gateway.
    pub fn execute(&mut self, command: &Command, now: Timestamp) -> Decision {
        let mut events = Vec::new();
        // Until the engine runs nobody is online or away, so nothing can be due for it; a leap of the clock makes nothing due. Under another
        // configuration nothing is given before those who are members no more have lost what they had.
        if !matches!(command, Command::Started { .. } | Command::ClockLeapt { .. } | Command::ConfigChanged { .. }) {
            self.do_what_is_due(now, &mut events);
        }
        let decision = decide(self, command, now);
        for event in decision.events {
            apply(self, &event);
            events.push(event);
        }
        // What follows a clock that was set back follows at the time that it was set to.
        let now = if let Command::SetClock { to } = command { *to } else { now };
        self.do_what_is_due(now, &mut events);
        Decision { events, ..decision }
    }

    fn do_what_is_due(&mut self, now: Timestamp, events: &mut Vec<Event>) {
        let at = now.max(self.scalars.last);
        self.begin_day(at);
        if let Some(on) = self.begins(at) {
            let event = Event { at, what: ClockEvent::DayBegan { on }.into() };
            apply(self, &event);
            events.push(event);
        }
        loop {
            let step = due(self, now);
            if step.is_empty() {
                self.arrived.clear();
                return;
            }
            for event in step {
                apply(self, &event);
                events.push(event);
            }
        }
    }
}
