//! The way to the writer: what can be asked of it, and how the answer comes back.

use std::sync::{
    Arc,
    atomic::{AtomicU8, AtomicUsize, Ordering},
    mpsc,
};

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;

use super::{
    config::Settings,
    core::{
        bot_run::RunTurn,
        command::{Answer, Command, Refusal},
        ids::{AssemblyId, Attempt, Epoch, InteractionId, MessageId, UserId},
        opt_out::{Keyword, OptOut},
        state::State,
    },
    keyword::keyword,
    store::{
        idempotency::{RecordedAnswer, RequestId},
        room::Fill,
    },
};
use crate::{
    bot::CallResult,
    sms::PhoneNumber,
    wire::{inbound::InboundMessage, outbound::SendOutcome, receipt::Receipt},
};

/// Requests from outside that may wait for the writer; above it they are refused, so that memory stays bounded and callers
/// hear of it while they still listen.
const MAX_WAITING: usize = 4096;

/// A customer's message that is to be taken.
#[derive(Debug)]
pub(super) struct InboundRequest {
    /// The message.
    pub message: InboundMessage,
    /// Earlier ones of the customer may wait at the gateway: it is taken only if it changes the customer's consent.
    pub overtakes: bool,
}

/// A customer who opted out elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListedOptOut {
    pub number: PhoneNumber,
    /// When that was, as far as it is known.
    pub at: Option<Timestamp>,
}

/// What is asked, before the store was looked up.
#[derive(Debug)]
pub(super) enum Request {
    /// Needs nothing but the state.
    Command(Command),
    /// A customer's message.
    Inbound(Box<InboundRequest>),
    /// A text is to be waited for no longer, though parts of it are missing.
    PartsTimedOut(AssemblyId),
    /// A delivery receipt.
    Receipt(Receipt),
    /// The gateway's answer to an attempt.
    SendResult { message: MessageId, attempt: Attempt, outcome: SendOutcome },
    /// A supervisor brings along who opted out elsewhere.
    ImportOptOuts {
        user: UserId,
        /// Where the list comes from, in their words.
        source: Arc<str>,
        opt_outs: Vec<ListedOptOut>,
    },
    /// A member writes to a customer first.
    Start {
        user: UserId,
        /// To whom.
        number: PhoneNumber,
        text: Arc<str>,
    },
    /// A message is to be sent once more.
    Resend {
        user: UserId,
        message: MessageId,
        /// The epoch of its interaction.
        epoch: Epoch,
    },
}

impl Request {
    /// Whether it brings something new. What ends something that is open gets through on a full volume, and so does a customer's word
    /// that opts out or in again: the writer looks whether it changes anything.
    fn needs_room(&self, words: &OptOut) -> bool {
        match self {
            Self::Inbound(inbound) => !matches!(keyword(&inbound.message, words), Some(Keyword::Stop | Keyword::Start)),
            Self::Start { .. } | Self::Resend { .. } | Self::ImportOptOuts { .. } => true,
            Self::Command(command) => {
                matches!(
                    command,
                    Command::Reply { .. } | Command::Note { .. } | Command::Transfer { .. } | Command::Assign { .. }
                )
            }
            Self::PartsTimedOut(_) | Self::Receipt(_) | Self::SendResult { .. } => false,
        }
    }
}

/// The core's answer.
pub(super) type Outcome = Result<Answer, Refusal>;

/// Makes an answer what the caller sees of it. It is called by the writer, because the answer is stored with the effects.
pub(super) type Render = fn(&Outcome) -> RecordedAnswer;

/// Who waits for the answer.
#[derive(Debug)]
pub(super) enum Waiting {
    /// Nobody.
    Nobody,
    /// One who asks once.
    Once(oneshot::Sender<Outcome>),
    /// One who may ask again with the same key.
    Keyed { id: RequestId, render: Render, answer: oneshot::Sender<Keyed> },
}

/// The answer to a request with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Keyed {
    /// It was decided now.
    First(RecordedAnswer),
    /// It was decided before; this was the answer.
    Again(RecordedAnswer),
    /// The key belongs to another request.
    KeyReused,
}

/// One thing for the writer to do.
pub(super) enum Job {
    /// Decide and commit.
    Decide { request: Request, waiting: Waiting },
    /// Look at the state after all that was committed before.
    Inspect(Box<dyn FnOnce(&Inspection<'_>) + Send>),
    /// Put another configuration in force.
    Configure(Arc<Settings>),
    /// An agent's stream opened.
    StreamOpened(UserId),
    /// An agent's stream closed.
    StreamClosed(UserId),
    /// The service of a bot answered, or did not.
    BotCalled { interaction: InteractionId, turn: RunTurn, result: CallResult },
    /// Finish what waits and end.
    Stop,
}

/// What can be looked at.
#[derive(Debug)]
pub(super) struct Inspection<'a> {
    /// The state.
    pub state: &'a State,
    /// The time by which it counts.
    pub now: Timestamp,
    /// How far that is ahead of the node's clock; none while they agree.
    pub ahead: Option<SignedDuration>,
    /// Commits of the store.
    pub commits: u64,
}

/// The writer takes no requests: it has too many, or is ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unavailable {
    /// Too many requests wait.
    #[error("{MAX_WAITING} requests wait already")]
    Overloaded,
    /// The volume is full: nothing new is taken.
    #[error("the volume is full; what is open can be finished")]
    Full,
    /// The volume has no room at all: only what frees room is written.
    #[error("the volume has no room left; what is stored can be read")]
    Exhausted,
    /// The engine is ending.
    #[error("the engine is ending")]
    Ending,
}

/// Asks the writer. Clones lead to the same one.
#[derive(Clone, Debug)]
pub(super) struct Handle {
    jobs: mpsc::Sender<Job>,
    waiting: Arc<AtomicUsize>,
    fill: Arc<SharedFill>,
    settings: Arc<ArcSwap<Settings>>,
}

/// The writer's end.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) jobs: mpsc::Receiver<Job>,
    waiting: Arc<AtomicUsize>,
    fill: Arc<SharedFill>,
}

/// How full the volume is, as the writer saw it last.
#[derive(Debug, Default)]
struct SharedFill(AtomicU8);

impl SharedFill {
    fn get(&self) -> Fill {
        match self.0.load(Ordering::Relaxed) {
            0 => Fill::Roomy,
            1 => Fill::Full,
            _ => Fill::Exhausted,
        }
    }

    fn set(&self, fill: Fill) {
        let value = match fill {
            Fill::Roomy => 0,
            Fill::Full => 1,
            Fill::Exhausted => 2,
        };
        self.0.store(value, Ordering::Relaxed);
    }
}

impl Inbox {
    /// How full the volume was when it was last noted.
    pub(super) fn fill(&self) -> Fill {
        self.fill.get()
    }

    /// Notes how full the volume is: what may not be written then is refused.
    pub(super) fn set_fill(&self, fill: Fill) {
        self.fill.set(fill);
    }

    /// Notes that so many requests of others are done.
    pub(super) fn done(&self, requests: usize) {
        self.waiting.fetch_sub(requests, Ordering::Relaxed);
    }
}

impl Job {
    /// As how many requests it counts: those that it would take to ask for the same one by one.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Decide { request: Request::ImportOptOuts { opt_outs, .. }, .. } => opt_outs.len(),
            Self::Decide { .. }
            | Self::Inspect(_)
            | Self::Configure(_)
            | Self::StreamOpened(_)
            | Self::StreamClosed(_)
            | Self::BotCalled { .. }
            | Self::Stop => 1,
        }
    }

    /// Whether it counts against [`MAX_WAITING`]: what others ask for. What the engine itself needs always gets through.
    pub(super) const fn is_asked_for(&self) -> bool {
        match self {
            Self::Decide { waiting, .. } => !matches!(waiting, Waiting::Nobody),
            Self::Inspect(_) => true,
            Self::Configure(_)
            | Self::StreamOpened(_)
            | Self::StreamClosed(_)
            | Self::BotCalled { .. }
            | Self::Stop => false,
        }
    }
}

impl Handle {
    /// A handle and the end that the writer reads.
    pub(super) fn new(settings: Arc<ArcSwap<Settings>>) -> (Self, Inbox) {
        let (sender, receiver) = mpsc::channel();
        let (waiting, fill) = (Arc::new(AtomicUsize::new(0)), Arc::new(SharedFill::default()));
        let handle = Self { jobs: sender, waiting: Arc::clone(&waiting), fill: Arc::clone(&fill), settings };
        (handle, Inbox { jobs: receiver, waiting, fill })
    }

    /// Has a request decided. When this returns the outcome is on the disk.
    ///
    /// # Errors
    /// When the writer takes no requests.
    pub(super) async fn ask(&self, request: Request) -> Result<Outcome, Unavailable> {
        self.check_room(&request)?;
        let (sender, receiver) = oneshot::channel();
        self.enqueue(Job::Decide { request, waiting: Waiting::Once(sender) })?;
        receiver.await.map_err(|_| Unavailable::Ending)
    }

    /// Has a request decided that the caller may repeat. `render` makes the answer that is kept and given again.
    ///
    /// # Errors
    /// When the writer takes no requests.
    pub(super) async fn ask_keyed(
        &self,
        request: Request,
        id: RequestId,
        render: Render,
    ) -> Result<Keyed, Unavailable> {
        self.check_room(&request)?;
        let (sender, receiver) = oneshot::channel();
        self.enqueue(Job::Decide { request, waiting: Waiting::Keyed { id, render, answer: sender } })?;
        receiver.await.map_err(|_| Unavailable::Ending)
    }

    /// Has something done that nobody waits for.
    pub(super) fn tell(&self, request: Request) {
        self.push(Job::Decide { request, waiting: Waiting::Nobody });
    }

    /// Notes what came of a call that a bot's turn goes on with.
    pub(super) fn called(&self, interaction: InteractionId, turn: RunTurn, result: CallResult) {
        self.push(Job::BotCalled { interaction, turn, result });
    }

    /// Looks at the state as it is after everything that was asked before.
    ///
    /// # Errors
    /// When the writer takes no requests.
    pub(super) async fn inspect<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Inspection<'_>) -> T + Send + 'static,
    ) -> Result<T, Unavailable> {
        let (sender, receiver) = oneshot::channel();
        self.enqueue(Job::Inspect(Box::new(move |seen| {
            // The caller may have left meanwhile.
            let _ = sender.send(look(seen));
        })))?;
        receiver.await.map_err(|_| Unavailable::Ending)
    }

    /// Puts another configuration in force.
    pub(super) fn configure(&self, settings: Arc<Settings>) {
        self.push(Job::Configure(settings));
    }

    /// An agent opened a stream: they are online until the last of their guards is dropped.
    pub(super) fn online(&self, user: UserId) -> Online {
        self.push(Job::StreamOpened(user.clone()));
        Online { handle: self.clone(), user }
    }

    /// Has the writer finish what waits, and end.
    pub(super) fn stop(&self) {
        self.push(Job::Stop);
    }

    /// Whether the volume is full.
    pub(super) fn is_full(&self) -> bool {
        self.fill.get() > Fill::Roomy
    }

    fn check_room(&self, request: &Request) -> Result<(), Unavailable> {
        match self.fill.get() {
            Fill::Full if request.needs_room(&self.settings.load().channel.opt_out) => Err(Unavailable::Full),
            Fill::Roomy | Fill::Full => Ok(()),
            Fill::Exhausted => Err(Unavailable::Exhausted),
        }
    }

    fn enqueue(&self, job: Job) -> Result<(), Unavailable> {
        debug_assert!(job.is_asked_for(), "only what others ask for is counted");
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= MAX_WAITING {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(Unavailable::Overloaded);
        }
        self.jobs.send(job).map_err(|_| Unavailable::Ending)
    }

    fn push(&self, job: Job) {
        // The only failure is that the writer has ended. Nothing of this kind outlives it: agents are offline after a start, and
        // attempts and calls without an outcome are asked for again.
        let _ = self.jobs.send(job);
    }
}

/// One open stream of an agent.
#[derive(Debug)]
pub(super) struct Online {
    handle: Handle,
    user: UserId,
}

impl Drop for Online {
    fn drop(&mut self) {
        self.handle.push(Job::StreamClosed(self.user.clone()));
    }
}
