//! The keys of one issuer, put together from several answers.
//!
//! Replicas of an API server or of an identity provider may list different keys while one is being rotated. Taking each answer for the
//! whole set would rewrite every configuration of the cluster with each of them.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::wire::config::issuers::key_set;

/// A key that no answer has held for so long is trusted no more.
pub(super) const KEPT: Duration = Duration::from_secs(600);

/// Keys by their own text, with the time at which an answer last held them.
#[derive(Clone, Debug, Default)]
pub(super) struct KeyRing(BTreeMap<String, (Value, Instant)>);

impl KeyRing {
    /// Adds the keys of an answer, and drops those that none has held for [`KEPT`].
    pub(super) fn add(&mut self, answer: &Value, now: Instant) {
        for key in key_set(answer).unwrap_or_default() {
            let id = key.get("kid").and_then(Value::as_str).unwrap_or_default();
            self.0.insert(format!("{id} {key}"), (key.clone(), now));
        }
        self.0.retain(|_, (_, seen)| now.saturating_duration_since(*seen) < KEPT);
    }

    /// All keys as a JSON Web Key Set, in an order that no answer changes.
    pub(super) fn key_set(&self) -> Value {
        json!({"keys": self.0.values().map(|(key, _)| key).collect::<Vec<_>>()})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(ids: &[&str]) -> Value {
        json!({"keys": ids.iter().map(|id| json!({"kty": "RSA", "kid": id})).collect::<Vec<_>>()})
    }

    #[test]
    fn the_order_of_an_answer_does_not_matter() {
        let now = Instant::now();
        let (mut one, mut other) = (KeyRing::default(), KeyRing::default());
        one.add(&keys(&["b", "a"]), now);
        other.add(&keys(&["a", "b"]), now);
        assert_eq!(one.key_set(), other.key_set());
    }

    #[test]
    fn answers_that_differ_in_turn_make_one_set() {
        let start = Instant::now();
        let mut ring = KeyRing::default();
        ring.add(&keys(&["a"]), start);
        ring.add(&keys(&["a", "b"]), start + Duration::from_secs(60));
        let both = ring.key_set();
        for round in 2..20 {
            ring.add(&keys(if round % 2 == 0 { &["a"] } else { &["a", "b"] }), start + Duration::from_secs(60 * round));
            assert_eq!(ring.key_set(), both, "nothing is to be rewritten");
        }
    }

    #[test]
    fn a_withdrawn_key_is_trusted_no_more_after_a_while() {
        let start = Instant::now();
        let mut ring = KeyRing::default();
        ring.add(&keys(&["old", "new"]), start);
        ring.add(&keys(&["new"]), start + KEPT - Duration::from_secs(1));
        assert_eq!(ring.key_set(), keys(&["new", "old"]));
        ring.add(&keys(&["new"]), start + KEPT);
        assert_eq!(ring.key_set(), keys(&["new"]));
    }
}
