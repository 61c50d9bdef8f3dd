//! Which calls of bots are under way, and what came of them.

use std::collections::HashMap;

use tokio::sync::mpsc::UnboundedSender;

use super::service::ServiceCall;
use crate::{
    bot::{CallResult, Request},
    engine::core::{bot_run::RunTurn, ids::InteractionId},
};

/// Calls at once.
const MAX_AT_ONCE: usize = 64;
/// Bytes that the answers of all calls at once may take before no further one begins.
const MAX_BYTES: u64 = 4 << 20;

/// The calls of one life of the engine.
#[derive(Debug)]
pub(super) struct Calls {
    outbound: UnboundedSender<ServiceCall>,
    known: HashMap<InteractionId, Known>,
    /// What the answers of all known calls may take.
    bytes: u64,
    answered: usize,
}

/// A call that was made and whose turn is not taken.
#[derive(Debug)]
struct Known {
    turn: RunTurn,
    bytes: u64,
    /// None while it is under way.
    result: Option<CallResult>,
}

impl Calls {
    pub(super) fn new(outbound: UnboundedSender<ServiceCall>) -> Self {
        Self { outbound, known: HashMap::new(), bytes: 0, answered: 0 }
    }

    /// Whether another one may begin.
    pub(super) fn has_room(&self) -> bool {
        self.known.len() < MAX_AT_ONCE && self.bytes < MAX_BYTES
    }

    /// Whether the call of this turn was made.
    pub(super) fn knows(&self, interaction: InteractionId, turn: RunTurn) -> bool {
        self.known.get(&interaction).is_some_and(|known| known.turn == turn)
    }

    /// Whether some have been answered.
    pub(super) fn has_answers(&self) -> bool {
        self.answered > 0
    }

    /// Makes a call. Nobody waits any more for that of an earlier run of the interaction.
    pub(super) fn begin(&mut self, interaction: InteractionId, turn: RunTurn, key: String, request: Request) {
        let bytes = u64::from(request.max_response_bytes);
        self.bytes += bytes;
        if let Some(old) = self.known.insert(interaction, Known { turn, bytes, result: None }) {
            self.bytes -= old.bytes;
            self.answered -= usize::from(old.result.is_some());
        }
        // Nobody takes it any more only when the process is ending; it is made again after the start.
        let _ = self.outbound.send(ServiceCall { interaction, turn, key, request });
    }

    /// Notes what came of a call.
    pub(super) fn answered(&mut self, interaction: InteractionId, turn: RunTurn, result: CallResult) {
        if let Some(known) = self.known.get_mut(&interaction).filter(|known| known.turn == turn)
            && known.result.replace(result).is_none()
        {
            self.answered += 1;
        }
    }

    /// One of the answers that are there, each once, with interaction and turn; those that `keeps` names stay.
    pub(super) fn take_answer(
        &mut self,
        keeps: impl Fn(InteractionId, RunTurn) -> bool,
    ) -> Option<(InteractionId, RunTurn, CallResult)> {
        let is_taken = |(id, known): &(&InteractionId, &Known)| known.result.is_some() && !keeps(**id, known.turn);
        let id = *self.known.iter().find(is_taken)?.0;
        let known = self.known.remove(&id)?;
        self.answered -= 1;
        self.bytes -= known.bytes;
        Some((id, known.turn, known.result?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{api::bot::HttpMethod, bot::CallFailure};

    fn request(max_response_bytes: u32) -> Request {
        Request {
            method: HttpMethod::Get,
            origin: "https://crm.example.com".into(),
            path: "/".into(),
            headers: Vec::new(),
            body: None,
            reads_body: true,
            timeout_seconds: 5,
            max_response_bytes,
        }
    }

    /// A turn of the run that began in this second.
    fn turn(begun_at: i64, turn: u32) -> RunTurn {
        RunTurn { begun_at: jiff::Timestamp::from_second(begun_at).unwrap(), turn }
    }

    #[test]
    fn calls_at_once_are_bounded_by_their_number_and_by_what_they_may_be_answered() {
        for (bytes, most) in [(65_536, 64), (1 << 20, 4), (1, 64)] {
            let (sender, mut begun) = tokio::sync::mpsc::unbounded_channel();
            let mut calls = Calls::new(sender);
            let mut id = 0;
            while calls.has_room() {
                id += 1;
                calls.begin(InteractionId(id), turn(1, 0), String::new(), request(bytes));
            }
            assert_eq!(begun.len(), most, "of {bytes} bytes");
            assert!(begun.try_recv().is_ok());
            calls.answered(InteractionId(1), turn(1, 0), CallResult::Failed(CallFailure::TimedOut));
            assert!(!calls.has_room(), "what is answered still takes its room until its turn is taken");
            assert!(calls.take_answer(|_, _| false).is_some());
            assert!(calls.has_room());
        }
    }

    #[test]
    fn an_answer_counts_once_and_for_its_own_turn_only() {
        let (sender, _begun) = tokio::sync::mpsc::unbounded_channel();
        let mut calls = Calls::new(sender);
        calls.begin(InteractionId(1), turn(1, 3), String::new(), request(10));
        let answer = || CallResult::Answered(b"{}".to_vec());
        for (id, other) in [(1, turn(1, 2)), (1, turn(2, 3)), (2, turn(1, 3))] {
            calls.answered(InteractionId(id), other, answer());
            assert!(!calls.has_answers(), "{id} {other:?}");
        }
        calls.answered(InteractionId(1), turn(1, 3), answer());
        calls.answered(InteractionId(1), turn(1, 3), answer());
        assert_eq!(calls.take_answer(|_, _| true), None, "kept");
        assert_eq!(calls.take_answer(|_, _| false), Some((InteractionId(1), turn(1, 3), answer())));
        assert!(!calls.has_answers() && !calls.knows(InteractionId(1), turn(1, 3)));
    }

    #[test]
    fn a_call_of_an_earlier_run_answers_no_step_of_a_later_one() {
        let (sender, mut begun) = tokio::sync::mpsc::unbounded_channel();
        let mut calls = Calls::new(sender);
        let (id, first, second) = (InteractionId(1), turn(1, 1), turn(2, 1));
        for is_answered in [false, true] {
            calls.begin(id, first, String::new(), request(10));
            if is_answered {
                calls.answered(id, first, CallResult::Answered(b"old".to_vec()));
            }
            assert!(!calls.knows(id, second), "its own call is made");
            calls.begin(id, second, String::new(), request(10));
            assert_eq!((begun.try_recv().unwrap().turn, begun.try_recv().unwrap().turn), (first, second));
            calls.answered(id, first, CallResult::Answered(b"old".to_vec()));
            assert!(!calls.has_answers());
            calls.answered(id, second, CallResult::Answered(b"new".to_vec()));
            assert_eq!(calls.take_answer(|_, _| false), Some((id, second, CallResult::Answered(b"new".to_vec()))));
            assert_eq!((calls.bytes, calls.answered), (0, 0));
        }
    }
}
