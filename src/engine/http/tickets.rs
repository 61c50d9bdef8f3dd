//! Tickets with which a browser opens a stream: its `EventSource` sends no headers of the page's, so no token.
//!
//! A ticket stands in a URL, which proxies may log. So it is good once, for a short time, and for a stream of the agent who got it only.

use std::{
    collections::HashMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use super::caller::Agent;

/// How long a ticket is good for.
pub(super) const GOOD_FOR: Duration = Duration::from_secs(30);
/// Tickets of an agent at once: one for each of their streams.
pub(super) const MOST: usize = super::stream_limit::MOST;

/// Random bytes of a ticket.
const BYTES: usize = 32;

/// The tickets that are good. Clones share them; a restart forgets them all.
#[derive(Clone, Default)]
pub(crate) struct Tickets(Arc<Mutex<HashMap<Fingerprint, Issued>>>);

/// What is kept of a ticket. Looking it up takes a time that depends on the fingerprint only, from which nobody finds the ticket.
type Fingerprint = [u8; 32];

/// A ticket that is good.
struct Issued {
    agent: Agent,
    at: Instant,
}

/// The system gives no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes")]
pub(super) struct NoRandomness;

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tickets(..)")
    }
}

impl Tickets {
    /// A new ticket for an agent. One too many takes the place of their oldest.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn issue(&self, agent: Agent, now: Instant) -> Result<String, NoRandomness> {
        let mut bytes = [0; BYTES];
        rustls::crypto::ring::default_provider().secure_random.fill(&mut bytes).map_err(|_| NoRandomness)?;
        let ticket = BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let mut tickets = self.0.lock();
        tickets.retain(|_, issued| issued.is_good(now));
        let theirs = tickets.iter().filter(|(_, issued)| issued.agent.user == agent.user);
        let theirs: Vec<_> = theirs.map(|(fingerprint, issued)| (issued.at, *fingerprint)).collect();
        if theirs.len() >= MOST
            && let Some((_, oldest)) = theirs.iter().min()
        {
            tickets.remove(oldest);
        }
        tickets.insert(fingerprint(&ticket), Issued { agent, at: now });
        Ok(ticket)
    }

    /// The agent who got a ticket, which is good no more. None for one that was used, is too old or was never given out.
    pub(super) fn redeem(&self, ticket: &str, now: Instant) -> Option<Agent> {
        let issued = self.0.lock().remove(&fingerprint(ticket))?;
        issued.is_good(now).then_some(issued.agent)
    }
}

impl Issued {
    fn is_good(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) < GOOD_FOR
    }
}

fn fingerprint(ticket: &str) -> Fingerprint {
    Sha256::digest(ticket).into()
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, time::SystemTime};

    use super::*;

    fn agent(user: &str) -> Agent {
        Agent { user: user.into(), until: SystemTime::UNIX_EPOCH }
    }

    fn user(agent: Option<Agent>) -> Option<String> {
        agent.map(|agent| agent.user.to_string())
    }

    #[test]
    fn a_ticket_is_good_once_for_its_agent_and_for_a_short_time() {
        let (tickets, now) = (Tickets::default(), Instant::now());
        let [first, second, late] = ["ana", "bo", "ana"].map(|user| tickets.issue(agent(user), now).unwrap());
        assert_eq!(user(tickets.redeem(&first, now)).as_deref(), Some("ana"));
        assert_eq!(user(tickets.redeem(&first, now)), None, "once");
        let last_moment = now + GOOD_FOR - Duration::from_millis(1);
        assert_eq!(user(tickets.redeem(&second, last_moment)).as_deref(), Some("bo"));
        assert_eq!(user(tickets.redeem(&late, now + GOOD_FOR)), None);
        for never in ["", "x", &second[1..]] {
            assert_eq!(user(tickets.redeem(never, now)), None, "{never}");
        }
    }

    #[test]
    fn an_agent_has_so_many_and_none_that_is_over() {
        let (tickets, now) = (Tickets::default(), Instant::now());
        let later = |millis| now + Duration::from_millis(millis);
        let others = tickets.issue(agent("bo"), now).unwrap();
        let all: Vec<String> = (0..=MOST as u64).map(|n| tickets.issue(agent("ana"), later(n)).unwrap()).collect();
        assert_eq!(tickets.0.lock().len(), MOST + 1);
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len(), "each is another one");
        assert_eq!(user(tickets.redeem(&all[0], later(20))), None, "the oldest went");
        assert!(all[1..].iter().all(|ticket| tickets.redeem(ticket, later(20)).is_some()));
        assert!(tickets.redeem(&others, now).is_some(), "of nobody else");
        tickets.issue(agent("ana"), now).unwrap();
        tickets.issue(agent("bo"), now + GOOD_FOR).unwrap();
        assert_eq!(tickets.0.lock().len(), 1, "what is over is forgotten");
    }

    #[test]
    fn a_ticket_cannot_be_guessed_and_stands_in_a_url_as_it_is() {
        let ticket = Tickets::default().issue(agent("ana"), Instant::now()).unwrap();
        assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(&ticket).unwrap().len() * 8, 256);
        assert!(ticket.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{ticket}");
    }
}
