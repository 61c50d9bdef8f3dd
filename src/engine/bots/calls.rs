//! Which calls of bots are under way, and what came of them.

use std::collections::HashMap;

use tokio::sync::mpsc::UnboundedSender;

use super::service::ServiceCall;
use crate::{
    bot::{CallResult, Request},
    engine::core::ids::InteractionId,
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
    turn: u32,
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

    /// Whether a call of this interaction was made.
    pub(super) fn knows(&self, interaction: InteractionId) -> bool {
        self.known.contains_key(&interaction)
    }

    /// Whether some have been answered.
    pub(super) fn has_answers(&self) -> bool {
        self.answered > 0
    }

    /// Makes a call.
    pub(super) fn begin(&mut self, interaction: InteractionId, turn: u32, key: String, request: Request) {
        let bytes = u64::from(request.max_response_bytes);
        self.bytes += bytes;
        self.known.insert(interaction, Known { turn, bytes, result: None });
        // Nobody takes it any more only when the process is ending; it is made again after the start.
        let _ = self.outbound.send(ServiceCall { interaction, turn, key, request });
    }

    /// Notes what came of a call.
    pub(super) fn answered(&mut self, interaction: InteractionId, turn: u32, result: CallResult) {
        if let Some(known) = self.known.get_mut(&interaction).filter(|known| known.turn == turn)
            && known.result.replace(result).is_none()
        {
            self.answered += 1;
        }
    }

    /// The answers that are there, each once, with interaction and turn; those that `keeps` names stay.
    pub(super) fn take_answers(
        &mut self,
        keeps: impl Fn(InteractionId, u32) -> bool,
    ) -> Vec<(InteractionId, u32, CallResult)> {
        let is_taken = |id: &InteractionId, known: &mut Known| known.result.is_some() && !keeps(*id, known.turn);
        let taken: Vec<_> = self.known.extract_if(is_taken).collect();
        self.answered -= taken.len();
        self.bytes -= taken.iter().map(|(_, known)| known.bytes).sum::<u64>();
        taken.into_iter().filter_map(|(id, known)| Some((id, known.turn, known.result?))).collect()
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

    #[test]
    fn calls_at_once_are_bounded_by_their_number_and_by_what_they_may_be_answered() {
        for (bytes, most) in [(65_536, 64), (1 << 20, 4), (1, 64)] {
            let (sender, mut begun) = tokio::sync::mpsc::unbounded_channel();
            let mut calls = Calls::new(sender);
            let mut id = 0;
            while calls.has_room() {
                id += 1;
                calls.begin(InteractionId(id), 0, String::new(), request(bytes));
            }
            assert_eq!(begun.len(), most, "of {bytes} bytes");
            assert!(begun.try_recv().is_ok());
            calls.answered(InteractionId(1), 0, CallResult::Failed(CallFailure::TimedOut));
            assert!(!calls.has_room(), "what is answered still takes its room until its turn is taken");
            assert_eq!(calls.take_answers(|_, _| false).len(), 1);
            assert!(calls.has_room());
        }
    }

    #[test]
    fn an_answer_counts_once_and_for_its_own_turn_only() {
        let (sender, _begun) = tokio::sync::mpsc::unbounded_channel();
        let mut calls = Calls::new(sender);
        calls.begin(InteractionId(1), 3, String::new(), request(10));
        let answer = || CallResult::Answered(b"{}".to_vec());
        calls.answered(InteractionId(1), 2, answer());
        calls.answered(InteractionId(2), 3, answer());
        assert!(!calls.has_answers());
        calls.answered(InteractionId(1), 3, answer());
        calls.answered(InteractionId(1), 3, answer());
        assert!(calls.take_answers(|_, _| true).is_empty(), "kept");
        assert_eq!(calls.take_answers(|_, _| false), [(InteractionId(1), 3, answer())]);
        assert!(!calls.has_answers() && !calls.knows(InteractionId(1)));
    }
}
