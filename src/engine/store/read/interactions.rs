//! Lists of interactions, and one interaction with what was said in it.

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Row, ToSql, params};

use super::{
    Page, Reader,
    messages::{MessageRow, Wanted, newest_messages},
    page, page_length,
};
use crate::{
    engine::{
        core::{
            bot_run::BotRun,
            event::CloseReason,
            ids::{BotName, CustomerId, DispositionName, Epoch, InteractionId, NoteId, UserId},
            offer::Offer,
            transfer::{Recipient, Transfer},
        },
        store::{
            codec,
            error::StoreError,
            load::{all, instant, json, user},
        },
    },
    sms::Sender,
};

/// Messages, and notes, that come with an interaction at most: the newest. Older messages are found with their customer.
pub const WITH_INTERACTION: u32 = 500;

/// Where an interaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InteractionState {
    /// A bot talks to the customer.
    Bot,
    /// It waits for an agent.
    Queued,
    /// An agent has it.
    Active,
    /// It ended.
    Closed,
}

/// Which interactions are asked for, and in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InteractionFilter {
    /// In this state; none = any.
    pub state: Option<InteractionState>,
    /// Of this owner (the last one, for closed ones); none = any.
    pub owner: Option<UserId>,
    /// Newest first, instead of oldest first.
    pub newest_first: bool,
}

/// An interaction as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InteractionRow {
    /// The interaction's id.
    pub id: InteractionId,
    /// With whom.
    pub customer: CustomerId,
    /// Their address.
    pub address: Sender,
    /// Whether they have opted out by now.
    pub opted_out: bool,
    /// The state in force.
    pub state: InteractionState,
    /// The agent who wrote first; none = the customer did.
    pub started_by: Option<UserId>,
    /// When the engine took its first message.
    pub arrived_at: Timestamp,
    /// Who has it, or had it when it was closed.
    pub owner: Option<UserId>,
    /// Counts its owners.
    pub epoch: Epoch,
    /// Since when the customer waits for the first reply.
    pub waiting_since: Option<Timestamp>,
    /// None while it is open.
    pub closed_at: Option<Timestamp>,
    /// None while it is open.
    pub close_reason: Option<CloseReason>,
    /// Its outcome, as its owner or a supervisor said when they ended it.
    pub disposition: Option<DispositionName>,
    /// The agents who are asked, while it stands in the queue and some are.
    pub offer: Option<Offer>,
    /// Its owner hands it over.
    pub transfer: Option<Transfer>,
    /// The bot that runs in it.
    pub bot: Option<BotRun>,
}

/// An interaction with what was said in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InteractionDetail {
    /// The interaction.
    pub interaction: InteractionRow,
    /// Its newest messages, oldest first.
    pub messages: Vec<MessageRow>,
    /// Its newest notes, oldest first.
    pub notes: Vec<NoteRow>,
}

/// A note as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteRow {
    /// The note's id.
    pub id: NoteId,
    /// The member who wrote it; none = a bot did.
    pub user: Option<UserId>,
    /// The bot that left it.
    pub bot: Option<BotName>,
    /// When it was written.
    pub at: Timestamp,
    /// The note's text.
    pub text: String,
}

const INTERACTION: &str =
    "SELECT i.id, i.customer, c.address, c.opted_out, i.state, i.started_by, i.arrived_at, i.owner,
           i.epoch, i.waiting_since, i.closed_at, i.close_reason, i.offer, i.transfer, i.disposition, i.bot
    FROM interaction i";
const WITH_CUSTOMER: &str = "CROSS JOIN customer c ON c.id = i.customer";

impl Reader {
    /// A page of interactions, after the one that the last page ended with.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn interactions(
        &self,
        filter: &InteractionFilter,
        after: Option<InteractionId>,
        limit: u32,
    ) -> Result<Page<InteractionRow, InteractionId>, StoreError> {
        let limit = page_length(limit);
        let (query, values) = list(filter, after, limit + 1);
        let rows = all(&self.connection.lock(), &query, rusqlite::params_from_iter(values), read_interaction)?;
        Ok(page(rows, limit, |row| row.id))
    }

    /// An interaction with its messages and notes, all of one instant.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn interaction(&self, id: InteractionId) -> Result<Option<InteractionDetail>, StoreError> {
        let mut connection = self.connection.lock();
        let sql = connection.transaction()?;
        let interaction = sql
            .prepare_cached(&format!("{INTERACTION} {WITH_CUSTOMER} WHERE i.id = ?"))?
            .query_row([codec::column(id.0)], |row| Ok(read_interaction(row)))
            .optional()?
            .transpose()?;
        let Some(interaction) = interaction else { return Ok(None) };
        let (first, last): (i64, Option<i64>) = sql
            .prepare_cached("SELECT first_message, last_message FROM interaction WHERE id = ?")?
            .query_row([codec::column(id.0)], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let wanted = Wanted {
            customer: codec::column(interaction.customer.0),
            interaction: Some(codec::column(id.0)),
            first,
            last: last.unwrap_or(i64::MAX),
            limit: WITH_INTERACTION,
        };
        let mut messages = newest_messages(&sql, &wanted)?;
        messages.reverse();
        let newest = "SELECT id, user, at, text, bot FROM note WHERE interaction = ? ORDER BY id DESC LIMIT ?";
        let mut notes = all(&sql, newest, params![codec::column(id.0), WITH_INTERACTION], |row| {
            Ok(NoteRow {
                id: NoteId(codec::id(row.get(0)?)),
                user: user(row, 1)?.filter(|user| !user.as_str().is_empty()),
                bot: row.get::<_, Option<String>>(4)?.map(BotName::from),
                at: codec::timestamp(row.get(2)?)?,
                text: row.get(3)?,
            })
        })?;
        notes.reverse();
        Ok(Some(InteractionDetail { interaction, messages, notes }))
    }
}

/// The query of a list, and its values.
pub(super) fn list(
    filter: &InteractionFilter,
    after: Option<InteractionId>,
    limit: u32,
) -> (String, Vec<Box<dyn ToSql>>) {
    let (compare, order) = if filter.newest_first { ("<", "DESC") } else { (">", "ASC") };
    let mut query = format!("{INTERACTION} {} {WITH_CUSTOMER} WHERE 1", index(filter));
    let mut values: Vec<Box<dyn ToSql>> = Vec::new();
    if let Some(state) = filter.state {
        query += match state {
            InteractionState::Bot | InteractionState::Queued | InteractionState::Active => {
                " AND i.closed_at IS NULL AND i.state = ?"
            }
            InteractionState::Closed => " AND i.state = ?",
        };
        values.push(Box::new(state_name(state)));
    }
    if let Some(owner) = &filter.owner {
        query += " AND i.owner = ?";
        values.push(Box::new(owner.as_str().to_owned()));
    }
    if let Some(after) = after {
        query += &format!(" AND i.id {compare} ?");
        values.push(Box::new(codec::column(after.0)));
    }
    query += &format!(" ORDER BY i.id {order} LIMIT ?");
    values.push(Box::new(limit));
    (query, values)
}

/// The index that a list is read from, in its order: as long as the list, however much is stored.
const fn index(filter: &InteractionFilter) -> &'static str {
    match (filter.owner.is_some(), filter.state) {
        (true, Some(InteractionState::Bot | InteractionState::Queued | InteractionState::Active)) => {
            "INDEXED BY interaction_open_by_owner"
        }
        (true, Some(InteractionState::Closed) | None) => "INDEXED BY interaction_by_owner",
        (false, Some(InteractionState::Bot | InteractionState::Queued | InteractionState::Active)) => {
            "INDEXED BY interaction_open_by_state"
        }
        (false, Some(InteractionState::Closed) | None) => "NOT INDEXED",
    }
}

const fn state_name(state: InteractionState) -> &'static str {
    match state {
        InteractionState::Bot => "Bot",
        InteractionState::Queued => "Queued",
        InteractionState::Active => "Active",
        InteractionState::Closed => "Closed",
    }
}

fn read_interaction(row: &Row<'_>) -> Result<InteractionRow, StoreError> {
    let state = match row.get::<_, String>(4)?.as_str() {
        "Bot" => InteractionState::Bot,
        "Queued" => InteractionState::Queued,
        "Active" => InteractionState::Active,
        "Closed" => InteractionState::Closed,
        other => return Err(StoreError::Contents(format!("an interaction is {other}"))),
    };
    let reason: Option<String> = row.get(11)?;
    let transfer: Option<Transfer> = json(row, 13)?;
    let of_transfer = transfer.as_ref().and_then(|transfer| match &transfer.to {
        Recipient::Queue { offer } => offer.clone(),
        Recipient::Agent { .. } => None,
    });
    Ok(InteractionRow {
        id: InteractionId(codec::id(row.get(0)?)),
        customer: CustomerId(codec::id(row.get(1)?)),
        address: Sender::from(row.get::<_, String>(2)?),
        opted_out: row.get(3)?,
        state,
        started_by: user(row, 5)?,
        arrived_at: codec::timestamp(row.get(6)?)?,
        owner: user(row, 7)?,
        epoch: Epoch(row.get(8)?),
        waiting_since: instant(row, 9)?,
        closed_at: instant(row, 10)?,
        close_reason: reason.map(|name| codec::close_reason(&name)).transpose()?,
        disposition: row.get::<_, Option<String>>(14)?.map(DispositionName::from),
        offer: json(row, 12)?.or(of_transfer),
        transfer,
        bot: json(row, 15)?,
    })
}
