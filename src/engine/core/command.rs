//! What can be asked of a channel, and what it answers.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

pub use super::refusal::Refusal;
use super::{
    bot_run::RunTurn,
    delivery::{DeliveryState, MessageStatus, ParkedReceipt, SendOutcome},
    event::{Event, InboundOutcome, Purpose},
    ids::{AssemblyId, Attempt, CustomerId, DispositionName, Epoch, InteractionId, MessageId, NoteId, OfferId, UserId},
    opt_out::Keyword,
};
use crate::{
    bot::{CallResult, CompiledBot, Given, Values},
    sms::{Part, PhoneNumber, Sender},
};

/// A customer as a command names them.
///
/// The state knows no numbers, so the shell looks the sender up in its store, inside the transaction that will also write this
/// command's decision, and hydrates the customer's row ([`State::hydrate_customer`](super::state::State::hydrate_customer))
/// before the command is executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact<A> {
    /// The address: a [`Sender`] for one who writes, a [`PhoneNumber`] for one who is written to.
    pub address: A,
    /// The customer with this address; none = not known yet.
    pub customer: Option<CustomerId>,
}

/// What can be asked of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The engine runs. The first command after the state was loaded: nobody is online yet.
    Started {
        /// The first id of this life of the store ([`first_of_life`](super::ids::first_of_life)).
        ids_from: u64,
        /// How far the clock went ahead meanwhile, when that is more than an engine is usually away.
        leapt: Option<SignedDuration>,
    },
    /// The clock went ahead at once. Time follows it, timers do not.
    ClockLeapt {
        /// By so much.
        by: SignedDuration,
    },
    /// A person says that the clock is right: time is what it says, also when that is earlier, and a leap is confirmed.
    SetClock {
        /// The time that is right.
        to: Timestamp,
    },
    /// Another configuration is in force (already set by [`State::set_config`](super::state::State::set_config)).
    ConfigChanged {
        /// Its hash, for the audit.
        hash: String,
    },
    /// A person accepted storage that was swapped or restored.
    StorageAccepted,
    /// Nothing but time: do what is due.
    Tick,
    /// A customer's message came in.
    Inbound(Inbound),
    /// The other parts of a text did not come in time: the shell brings what [`State::parts_due`](super::state::State::parts_due) asks for.
    PartsTimedOut(TimedOutParts),
    /// The gateway answered an attempt to send.
    SendResult(SendResult),
    /// A receipt came in.
    Receipt(Receipt),
    /// The agent's first stream opened. Repeating it changes nothing.
    AgentOnline {
        /// The agent whose stream it is.
        user: UserId,
    },
    /// The agent's last stream closed.
    AgentOffline {
        /// The agent whose stream it was.
        user: UserId,
    },
    /// The agent says whether they take interactions.
    SetPresence {
        /// The agent who says so.
        user: UserId,
        /// Whether they do.
        present: bool,
    },
    /// The agent takes an interaction that they are offered.
    Accept {
        /// The agent; refused unless the offer runs and goes to them.
        user: UserId,
        /// The interaction that they are offered.
        interaction: InteractionId,
        /// The offer that they know.
        offer: OfferId,
    },
    /// The agent does not take an interaction that they are offered.
    Decline {
        /// The agent; refused unless the offer runs and goes to them.
        user: UserId,
        /// The interaction that they are offered.
        interaction: InteractionId,
        /// The offer that they know.
        offer: OfferId,
    },
    /// The owner answers the customer.
    Reply {
        /// The agent who replies; refused unless they own the interaction.
        user: UserId,
        /// The interaction that they reply in.
        interaction: InteractionId,
        /// The epoch that they know.
        epoch: Epoch,
        /// The reply's text.
        text: Arc<str>,
    },
    /// The owner, or a supervisor, has a message sent once more of which nobody knows whether it was sent.
    Resend {
        /// Who asks; refused unless they own the interaction or are a supervisor.
        user: UserId,
        /// The message.
        message: MessageId,
        /// The epoch of its interaction that they know.
        epoch: Epoch,
        /// What the store has of it; none = there is no such message to a customer.
        sent: Option<SentMessage>,
    },
    /// The owner hands the interaction over. It stays theirs until somebody has taken it.
    Transfer {
        /// The agent who hands it over; refused unless they own it.
        user: UserId,
        /// The interaction.
        interaction: InteractionId,
        /// The epoch that they know.
        epoch: Epoch,
        /// To whom.
        to: TransferTo,
    },
    /// The owner takes back what nobody has taken yet.
    CancelTransfer {
        /// The agent who hands it over.
        user: UserId,
        /// The interaction.
        interaction: InteractionId,
        /// The epoch that they know.
        epoch: Epoch,
    },
    /// A supervisor gives an interaction to an agent, or takes it over.
    Assign {
        /// The supervisor.
        user: UserId,
        /// The interaction, whoever has it.
        interaction: InteractionId,
        /// The epoch that they know.
        epoch: Epoch,
        /// The agent, or the supervisor themselves, who gets it.
        to: UserId,
    },
    /// A supervisor ends an interaction.
    Close {
        /// The supervisor.
        user: UserId,
        /// The interaction that ends, whoever has it.
        interaction: InteractionId,
        /// The epoch that they know.
        epoch: Epoch,
        /// Its outcome, as the supervisor says; refused unless the campaign has it.
        disposition: Option<DispositionName>,
    },
    /// A bot takes its turn: the shell brings what [`State::bot_turns`](super::state::State::bot_turns) asks for.
    BotTurn(Box<BotTurn>),
    /// The owner ends the interaction.
    Finish {
        /// The agent who ends it; refused unless they own it.
        user: UserId,
        /// The interaction that ends.
        interaction: InteractionId,
        /// The epoch that they know.
        epoch: Epoch,
        /// Its outcome, as the agent says; refused unless the campaign has it, and when it must be there and is not.
        disposition: Option<DispositionName>,
    },
    /// A member writes a note that the customer does not see. Any member may, in any open interaction.
    Note {
        /// The member who notes it.
        user: UserId,
        /// The interaction that it is about.
        interaction: InteractionId,
        /// The epoch that they know, if they act as the owner.
        epoch: Option<Epoch>,
        /// The note's text.
        text: Arc<str>,
    },
    /// A supervisor brings along who opted out elsewhere. All of them are opted out, or none.
    ImportOptOuts {
        /// The supervisor.
        user: UserId,
        /// Where the list comes from, in their words.
        source: Arc<str>,
        /// The list.
        opt_outs: Vec<ImportedOptOut>,
    },
    /// A member writes to a customer first.
    Start {
        /// The member who writes.
        user: UserId,
        /// To whom.
        contact: Contact<PhoneNumber>,
        /// The first message's text.
        text: Arc<str>,
    },
}

/// A customer who opted out elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedOptOut {
    /// The customer.
    pub contact: Contact<PhoneNumber>,
    /// When they opted out there; none = not known.
    pub at: Option<Timestamp>,
}

/// What a bot needs for a turn, beyond the open things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BotTurn {
    /// The interaction that it runs in.
    pub interaction: InteractionId,
    /// The turn that is due.
    pub turn: RunTurn,
    /// The version that it keeps to; none = it is not there any more.
    pub bot: Option<Arc<CompiledBot>>,
    /// The variables that it has set.
    pub values: Values,
    /// What it may say or must read.
    pub texts: BotTexts,
    /// What came of the call that its turn goes on with; none when it goes on with something else.
    pub called: Option<CallResult>,
}

/// Texts that no state and no event has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BotTexts {
    /// The customer's number.
    pub customer_number: String,
    /// The channel's name.
    pub channel_name: String,
    /// The channel's number.
    pub channel_number: String,
    /// The campaign's name.
    pub campaign_name: String,
    /// The customer's first text in the interaction; empty when there was none.
    pub first_message: String,
    /// The text that is the customer's answer; empty when there is none.
    pub answer: String,
}

impl BotTexts {
    /// What is always there for a bot that runs in this interaction.
    pub fn given(&self, interaction: InteractionId, is_open: bool) -> Given<'_> {
        Given {
            customer_number: &self.customer_number,
            channel_name: &self.channel_name,
            channel_number: &self.channel_number,
            campaign_name: &self.campaign_name,
            interaction_id: interaction.to_string(),
            message_text: &self.first_message,
            is_open,
        }
    }
}

/// To whom an agent hands an interaction over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransferTo {
    /// To this agent, who is asked.
    Agent(UserId),
    /// To the queue of the channel: to whom the strategy names.
    Queue,
}

/// A customer's message, as it is handed to the core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inbound {
    /// The customer who wrote it.
    pub contact: Contact<Sender>,
    /// The text, without what the provider's protocol put around it.
    pub text: Arc<str>,
    /// What is written down behind the text, and is none of the customer's words: files that came with it.
    pub note: Option<Arc<str>>,
    /// When the gateway received it. It may have waited there since.
    pub received_at: Timestamp,
    /// It is a part of a long text.
    pub part: Option<Box<ArrivedPart>>,
    /// The message that the provider's id of this one already stands for, when the shell's table of provider ids has it. The shell
    /// looks inside its transaction, after it wrote the earlier decisions of the same batch.
    pub duplicate_of: Option<MessageId>,
    /// Set when the provider says that it took the message as an opt-out word and answered it itself.
    pub provider_keyword: Option<Keyword>,
    /// Earlier messages of the customer may wait at the gateway, which had no room for them here: this one is taken only if it changes the
    /// customer's consent.
    pub overtakes: bool,
    /// It came before the text with which the customer opted out, and is delivered late: it does not opt them in again.
    pub before_opt_out: bool,
}

/// Parts that the gateway received so far from each other are of two texts.
const APART: SignedDuration = SignedDuration::from_hours(1);

/// What there is of a part, and of those that came before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrivedPart {
    /// Which part of which text of the customer.
    pub part: Part,
    /// The part that the provider's id of this one already stands for, while its text is waited for.
    pub repeats: Option<(AssemblyId, u8)>,
    /// What is kept of the text.
    pub kept: Vec<KeptPart>,
    /// How many of the provider's ids stand for these: more than there are where parts came again.
    pub ids: u32,
}

impl ArrivedPart {
    /// Whether what is kept is of an earlier text: the device has come to the same reference again. The gateway's times say so also when the
    /// channel's own stood still.
    pub fn is_of_another_text(&self, received_at: Timestamp) -> bool {
        self.kept.iter().any(|kept| received_at.duration_since(kept.received_at).abs() > APART)
    }

    /// When the gateway received the first part of the text, as far as it is there.
    pub fn begun_at(&self, received_at: Timestamp) -> Timestamp {
        if self.is_of_another_text(received_at) {
            return received_at;
        }
        self.kept.iter().map(|kept| kept.received_at).fold(received_at, Timestamp::min)
    }
}

/// A part that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptPart {
    /// Which part of its text.
    pub sequence: u8,
    /// What it has of the text.
    pub text: Arc<str>,
    /// What is written down behind the text.
    pub note: Option<Arc<str>>,
    /// When the gateway received it.
    pub received_at: Timestamp,
}

/// A text that is waited for no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedOutParts {
    /// What it is called in events and state.
    pub assembly: AssemblyId,
    /// The customer who wrote it.
    pub contact: Contact<Sender>,
    /// What is there of it.
    pub kept: Vec<KeptPart>,
}

/// The gateway's answer to an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendResult {
    /// The message that was attempted.
    pub message: MessageId,
    /// Which attempt; an answer to an older one is refused.
    pub attempt: Attempt,
    /// The gateway's answer.
    pub outcome: SendOutcome,
    /// Receipts that came earlier and were parked under one of the accepted provider ids. The shell deletes their rows when it
    /// writes this decision.
    pub parked: Vec<ParkedReceipt>,
}

/// A receipt, as it is handed to the core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The provider's id of the message.
    pub provider_message_id: String,
    /// The message it belongs to, found by its token or else by the provider's id; none = park it.
    pub message: Option<KnownMessage>,
    /// The attempt that its token names; none = it has none.
    pub attempt: Option<Attempt>,
    /// The provider's state of the message.
    pub state: DeliveryState,
}

/// What the store knows of an outbound message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownMessage {
    /// The message's id.
    pub message: MessageId,
    /// To whom.
    pub customer: CustomerId,
    /// The state that it is in before this decision.
    pub status: MessageStatus,
    /// The last attempt before the newest one, or before the one that is to come; none = it was never sent once more.
    pub resent_after: Option<Attempt>,
}

/// What the store has of an outbound message that may be sent once more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentMessage {
    /// The address that it goes to.
    pub to: Sender,
    /// The interaction that it belongs to.
    pub interaction: Option<InteractionId>,
    /// Why the engine sent it.
    pub purpose: Purpose,
    /// How many messages it takes on the air.
    pub segments: u32,
    /// The last attempt.
    pub attempt: Attempt,
    /// The state that it is in before this decision.
    pub status: MessageStatus,
}

/// What a command leads to. The shell writes events and contents in one transaction, and only then gives the answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// What happened, in order. May be there even when the answer is a refusal: a blocked attempt is recorded.
    pub events: Vec<Event>,
    /// What the events name and must not hold.
    pub contents: Vec<Content>,
    /// The answer to who asked.
    pub answer: Result<Answer, Refusal>,
}

/// Texts and numbers that belong to ids in the events of the same decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The address of a new customer.
    Customer {
        /// The new customer.
        customer: CustomerId,
        /// Their address.
        sender: Sender,
    },
    /// The text of a new message, inbound or outbound.
    Message {
        /// The new message.
        message: MessageId,
        /// The message's text.
        text: Arc<str>,
    },
    /// A part of a text, which waits for the others.
    Part {
        /// The text.
        assembly: AssemblyId,
        /// The part.
        part: KeptPart,
    },
    /// The text of a new note.
    Note {
        /// The new note.
        note: NoteId,
        /// The note's text.
        text: Arc<str>,
    },
    /// The variables of a bot that goes on later.
    BotValues {
        /// The interaction that it runs in.
        interaction: InteractionId,
        /// The variables.
        values: Values,
    },
    /// A customer who had opted out before did so once more, as an import says, or while the volume is full and nothing else of it is kept.
    OptOutRepeated {
        /// The customer who opted out once more.
        customer: CustomerId,
        /// When the gateway received the text, or when the import says.
        received_at: Timestamp,
    },
    /// Opt-outs that a supervisor imported.
    OptOutImport {
        /// The supervisor.
        user: UserId,
        /// Where the list comes from, in their words.
        source: Arc<str>,
        /// Numbers on the list.
        listed: u32,
        /// Of these, customers who were not opted out before.
        opted_out: u32,
    },
    /// A number on a blocklist that an agent wanted to write to.
    BlockedStart {
        /// The agent who tried to write.
        user: UserId,
        /// To whom.
        number: PhoneNumber,
    },
    /// A receipt whose message is not known yet.
    ParkedReceipt {
        /// The provider's id of the message.
        provider_message_id: String,
        /// The receipt.
        receipt: ParkedReceipt,
    },
}

/// What a command leads to for who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done; there is nothing to say about it.
    Done,
    /// The inbound message is recorded.
    Inbound {
        /// Its id; that of the first one for a duplicate.
        message: MessageId,
        /// What became of it; none = a duplicate.
        outcome: Option<InboundOutcome>,
    },
    /// The part is kept until the others are there.
    PartKept,
    /// The part is there already.
    PartRepeated,
    /// The customer had opted out before. Of the inbound message only its time is recorded, since the volume is full.
    OptedOutBefore,
    /// The interaction is the agent's.
    Accepted {
        /// The interaction's epoch; later commands show it.
        epoch: Epoch,
    },
    /// The reply will be sent.
    Replied {
        /// The id of the message that will be sent.
        message: MessageId,
    },
    /// The message will be sent once more.
    Resent {
        /// The attempt that comes.
        attempt: Attempt,
    },
    /// All of a list are opted out.
    OptOutsImported {
        /// How many of them were not before.
        opted_out: u32,
        /// How many of them were.
        before: u32,
    },
    /// The note is taken.
    Noted {
        /// The note's id.
        note: NoteId,
    },
    /// The interaction is open and its first message will be sent.
    Started {
        /// The interaction.
        interaction: InteractionId,
        /// The interaction's epoch; later commands show it.
        epoch: Epoch,
        /// The first message.
        message: MessageId,
    },
    /// What became of a receipt.
    Receipt(ReceiptAnswer),
}

/// What became of a receipt. It is recorded in any case; the gateway must not send it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptAnswer {
    /// The message moved forward.
    Applied,
    /// The message is further already.
    Ignored,
    /// Its message is not known yet; it waits.
    Parked,
}
