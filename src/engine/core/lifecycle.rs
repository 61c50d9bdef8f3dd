//! The stages of an interaction, and every way from one to another: what the reference pages show. Nothing is decided by it; tests hold it
//! against what random histories do.

use super::{
    event::CloseReason,
    interaction::{Interaction, Phase},
    transfer::{Recipient, Transfer},
};

use self::{Cause as By, Stage as At};

/// Where an interaction is, as finely as rules tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// A bot talks to the customer before the queue.
    BotOnStart,
    /// It waits, and nobody is asked about it.
    Queued,
    /// It waits, and agents are asked whether they take it.
    Offered,
    /// It waits, and a bot talks to the customer because that takes too long.
    BotOnQueueTimeout,
    /// An agent has it.
    Active,
    /// An agent has it and hands it over to another one by name, who is asked.
    TransferToAgent,
    /// An agent has it and hands it over to the queue; nobody is asked about it.
    TransferToQueue,
    /// An agent has it and hands it over to the queue, and others are asked whether they take it.
    TransferOffered,
    /// Its agent has finished it, and a bot talks to the customer.
    BotOnEnd,
    /// It has ended.
    Closed,
}

impl Stage {
    /// All, in the order of an interaction's way.
    pub const ALL: [Self; 10] = [
        At::BotOnStart,
        At::Queued,
        At::Offered,
        At::BotOnQueueTimeout,
        At::Active,
        At::TransferToAgent,
        At::TransferToQueue,
        At::TransferOffered,
        At::BotOnEnd,
        At::Closed,
    ];

    /// The stages in which an agent hands an interaction over.
    pub const TRANSFERS: [Self; 3] = [At::TransferToAgent, At::TransferToQueue, At::TransferOffered];

    /// What it means, in a sentence.
    pub const fn description(self) -> &'static str {
        match self {
            At::BotOnStart => "A bot (`automations.onStart`) talks to the customer before the queue. Nobody has it.",
            At::Queued => "It waits for an agent, and nobody is asked about it.",
            At::Offered => "It waits, and agents are asked whether they take it (`offer.mode: Ask`).",
            At::BotOnQueueTimeout => {
                "It keeps its place in the queue, and a bot (`automations.onQueueTimeout`) talks to the customer. It is given and offered to nobody."
            }
            At::Active => "An agent has it.",
            At::TransferToAgent => "An agent has it and hands it over to another one by name, who is asked.",
            At::TransferToQueue => "An agent has it and hands it over to the queue. Nobody is asked about it yet.",
            At::TransferOffered => {
                "An agent has it and hands it over to the queue, and others are asked whether they take it."
            }
            At::BotOnEnd => {
                "Its agent has finished it, and a bot (`automations.onEnd`) talks to the customer. Nobody has it."
            }
            At::Closed => "It has ended. A later text of the customer begins another interaction.",
        }
    }

    /// The `state` that the agents' API gives it, and what more it says.
    pub const fn in_api(self) -> &'static str {
        match self {
            At::BotOnStart => "`Bot`; `GET …/bot` says `OnStart`",
            At::Queued => "`Queued`",
            At::Offered => "`Queued` with `offer`",
            At::BotOnQueueTimeout => "`Queued` with `bot`",
            At::Active => "`Active`",
            At::TransferToAgent => "`Active` with `transfer` and its `offer`",
            At::TransferToQueue => "`Active` with `transfer`",
            At::TransferOffered => "`Active` with `transfer` and `offer`",
            At::BotOnEnd => "`Bot`; `GET …/bot` says `OnEnd`",
            At::Closed => "`Closed` with `closeReason`",
        }
    }
}

impl Interaction {
    /// Where it is; none between the first event of a decision and the one that says it.
    pub const fn stage(&self) -> Option<Stage> {
        Some(match &self.phase {
            Phase::Opened => return None,
            Phase::Bot { finished: None, .. } => At::BotOnStart,
            Phase::Bot { finished: Some(_), .. } => At::BotOnEnd,
            Phase::Queued { bot: Some(_), .. } => At::BotOnQueueTimeout,
            Phase::Queued { offer: Some(_), .. } => At::Offered,
            Phase::Queued { .. } => At::Queued,
            Phase::Active { transfer: None, .. } => At::Active,
            Phase::Active { transfer: Some(Transfer { to, .. }), .. } => match to {
                Recipient::Agent { .. } => At::TransferToAgent,
                Recipient::Queue { offer: None } => At::TransferToQueue,
                Recipient::Queue { offer: Some(_) } => At::TransferOffered,
            },
        })
    }
}

/// What makes an interaction go from one stage to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// A customer's text, an opt-out word included.
    Text,
    /// The provider says that the customer has opted out.
    Provider,
    /// A supervisor imports opt-outs.
    Import,
    /// An agent writes first.
    Start,
    /// An agent accepts.
    Accept,
    /// An agent declines.
    Decline,
    /// An agent hands it over.
    Transfer,
    /// Its agent takes it back.
    CancelTransfer,
    /// Its agent finishes it.
    Finish,
    /// An agent says that they take no interactions.
    NotPresent,
    /// A supervisor gives it to somebody, or takes it over.
    Assign,
    /// A supervisor closes it.
    Close,
    /// A bot takes its turn.
    BotTurn,
    /// Somebody is no member any more.
    Members,
    /// The strategy chooses an agent.
    Strategy,
    /// Nobody has answered an offer in time.
    OfferTimedOut,
    /// Somebody has been offline for 30 seconds.
    OffersAway,
    /// Its agent has been offline for 300 seconds.
    AgentAway,
    /// Nobody has taken it within `maxTransferSeconds`.
    TransferTimedOut,
    /// It has waited for `maxQueueSeconds`.
    QueueTimedOut,
    /// Nobody has written for `session.idleSeconds`.
    Idle,
}

impl Cause {
    /// What it is, in a few words.
    pub const fn description(self) -> &'static str {
        match self {
            By::Text => "a text of the customer",
            By::Provider => "the provider: the customer has opted out there",
            By::Import => "`POST …/opt-outs`",
            By::Start => "`POST …/interactions`",
            By::Accept => "`POST …/accept`",
            By::Decline => "`POST …/decline`",
            By::Transfer => "`POST …/transfer`",
            By::CancelTransfer => "`POST …/cancel-transfer`",
            By::Finish => "`POST …/finish`",
            By::NotPresent => "`PUT …/me/presence`",
            By::Assign => "`POST …/assign`",
            By::Close => "`POST …/close`",
            By::BotTurn => "a turn of the bot",
            By::Members => "a member is removed",
            By::Strategy => "the strategy",
            By::OfferTimedOut => "`offer.timeoutSeconds` are over",
            By::OffersAway => "who is asked is offline for 30 seconds",
            By::AgentAway => "its agent is offline for 300 seconds",
            By::TransferTimedOut => "`maxTransferSeconds` are over",
            By::QueueTimedOut => "`maxQueueSeconds` are over",
            By::Idle => "`session.idleSeconds` are over",
        }
    }
}

/// One way from a stage to another, or from one agent to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Where it was; none = it begins.
    pub from: Option<Stage>,
    /// The stage that it is in from then on.
    pub to: Stage,
    /// The name of the event that says so.
    pub event: &'static str,
    /// What that event gives as the reason, when the interaction ends.
    pub reason: Option<CloseReason>,
    /// What may make it happen.
    pub causes: &'static [Cause],
}

const fn way(from: Stage, to: Stage, event: &'static str, causes: &'static [Cause]) -> Transition {
    Transition { from: Some(from), to, event, reason: None, causes }
}

const fn end(from: Stage, reason: CloseReason, causes: &'static [Cause]) -> Transition {
    Transition { from: Some(from), to: At::Closed, event: "InteractionClosed", reason: Some(reason), causes }
}

const OPT_OUT: &[Cause] = &[By::Text, By::Provider, By::Import];
/// Those who are asked may be asked no more.
const WITHDRAWN: &[Cause] = &[By::NotPresent, By::Members, By::OfferTimedOut, By::OffersAway];
const OWNER_GONE: &[Cause] = &[By::AgentAway, By::Members];

/// Every transition. One that leads from a stage to the same is to another agent.
pub const TRANSITIONS: &[Transition] = &[
    Transition { from: None, to: At::BotOnStart, event: "BotStarted", reason: None, causes: &[By::Text] },
    Transition { from: None, to: At::Queued, event: "InteractionQueued", reason: None, causes: &[By::Text] },
    Transition { from: None, to: At::Active, event: "InteractionAssigned", reason: None, causes: &[By::Start] },
    Transition {
        from: None,
        to: At::Closed,
        event: "InteractionClosed",
        reason: Some(CloseReason::OutOfHours),
        causes: &[By::Text],
    },
    way(At::BotOnStart, At::Queued, "InteractionQueued", &[By::BotTurn]),
    way(At::BotOnStart, At::Active, "InteractionAssigned", &[By::Assign]),
    end(At::BotOnStart, CloseReason::BotFinished, &[By::BotTurn]),
    end(At::BotOnStart, CloseReason::OptedOut, OPT_OUT),
    end(At::BotOnStart, CloseReason::BySupervisor, &[By::Close]),
    way(At::Queued, At::Offered, "InteractionOffered", &[By::Strategy]),
    way(At::Queued, At::Active, "InteractionAssigned", &[By::Strategy, By::Assign]),
    way(At::Queued, At::BotOnQueueTimeout, "BotStarted", &[By::QueueTimedOut]),
    end(At::Queued, CloseReason::OptedOut, OPT_OUT),
    end(At::Queued, CloseReason::BySupervisor, &[By::Close]),
    way(At::Offered, At::Active, "InteractionAssigned", &[By::Accept, By::Assign]),
    way(At::Offered, At::Queued, "OfferDeclined", &[By::Decline]),
    way(At::Offered, At::Queued, "OfferWithdrawn", WITHDRAWN),
    end(At::Offered, CloseReason::OptedOut, OPT_OUT),
    end(At::Offered, CloseReason::BySupervisor, &[By::Close]),
    way(At::BotOnQueueTimeout, At::Queued, "BotEnded", &[By::BotTurn]),
    way(At::BotOnQueueTimeout, At::Active, "InteractionAssigned", &[By::Assign]),
    end(At::BotOnQueueTimeout, CloseReason::QueueTimeout, &[By::BotTurn]),
    end(At::BotOnQueueTimeout, CloseReason::OptedOut, OPT_OUT),
    end(At::BotOnQueueTimeout, CloseReason::BySupervisor, &[By::Close]),
    way(At::Active, At::Active, "InteractionAssigned", &[By::Assign]),
    way(At::Active, At::TransferToAgent, "TransferStarted", &[By::Transfer]),
    way(At::Active, At::TransferToQueue, "TransferStarted", &[By::Transfer]),
    way(At::Active, At::Queued, "InteractionRequeued", OWNER_GONE),
    way(At::Active, At::BotOnEnd, "BotStarted", &[By::Finish]),
    end(At::Active, CloseReason::Finished, &[By::Finish]),
    end(At::Active, CloseReason::Idle, &[By::Idle]),
    end(At::Active, CloseReason::BySupervisor, &[By::Close]),
    way(At::TransferToAgent, At::Active, "InteractionAssigned", &[By::Accept, By::Assign]),
    way(
        At::TransferToAgent,
        At::Active,
        "TransferEnded",
        &[
            By::CancelTransfer,
            By::Decline,
            By::NotPresent,
            By::Members,
            By::TransferTimedOut,
            By::OfferTimedOut,
            By::OffersAway,
        ],
    ),
    way(At::TransferToAgent, At::Queued, "InteractionRequeued", OWNER_GONE),
    way(At::TransferToAgent, At::BotOnEnd, "BotStarted", &[By::Finish]),
    end(At::TransferToAgent, CloseReason::Finished, &[By::Finish]),
    end(At::TransferToAgent, CloseReason::Idle, &[By::Idle]),
    end(At::TransferToAgent, CloseReason::BySupervisor, &[By::Close]),
    way(At::TransferToQueue, At::TransferOffered, "InteractionOffered", &[By::Strategy]),
    way(At::TransferToQueue, At::Active, "InteractionAssigned", &[By::Strategy, By::Assign]),
    way(At::TransferToQueue, At::Active, "TransferEnded", &[By::CancelTransfer, By::TransferTimedOut]),
    way(At::TransferToQueue, At::Queued, "InteractionRequeued", OWNER_GONE),
    way(At::TransferToQueue, At::BotOnEnd, "BotStarted", &[By::Finish]),
    end(At::TransferToQueue, CloseReason::Finished, &[By::Finish]),
    end(At::TransferToQueue, CloseReason::Idle, &[By::Idle]),
    end(At::TransferToQueue, CloseReason::BySupervisor, &[By::Close]),
    way(At::TransferOffered, At::TransferToQueue, "OfferDeclined", &[By::Decline]),
    way(At::TransferOffered, At::TransferToQueue, "OfferWithdrawn", WITHDRAWN),
    way(At::TransferOffered, At::Active, "InteractionAssigned", &[By::Accept, By::Assign]),
    way(At::TransferOffered, At::Active, "TransferEnded", &[By::CancelTransfer, By::TransferTimedOut]),
    way(At::TransferOffered, At::Queued, "InteractionRequeued", OWNER_GONE),
    way(At::TransferOffered, At::BotOnEnd, "BotStarted", &[By::Finish]),
    end(At::TransferOffered, CloseReason::Finished, &[By::Finish]),
    end(At::TransferOffered, CloseReason::Idle, &[By::Idle]),
    end(At::TransferOffered, CloseReason::BySupervisor, &[By::Close]),
    way(At::BotOnEnd, At::Queued, "InteractionQueued", &[By::BotTurn]),
    way(At::BotOnEnd, At::Active, "InteractionAssigned", &[By::Assign]),
    end(At::BotOnEnd, CloseReason::Finished, &[By::BotTurn]),
    end(At::BotOnEnd, CloseReason::OptedOut, OPT_OUT),
    end(At::BotOnEnd, CloseReason::BySupervisor, &[By::Close]),
];
