//! Lists of interactions, searched in the order in which they arrived, and one interaction with what was said in it.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params};

use super::{
    Page, Reader,
    messages::{MessageRow, Wanted, customer, newest_messages},
    of_customer::{Next, OfCustomer},
    page_length,
    place::InteractionPlace,
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
    /// With the customer who has this address; none = any.
    pub customer: Option<Sender>,
    /// Closed for this reason; none = any, and those that are open.
    pub close_reason: Option<CloseReason>,
    /// That arrived then or later.
    pub from: Option<Timestamp>,
    /// That arrived before then.
    pub to: Option<Timestamp>,
    /// Newest first, instead of oldest first.
    pub newest_first: bool,
}

/// Rows that are looked at for one page. What is not asked for among them is left out, so that a page may have fewer rows, and others
/// follow.
const LOOKED_AT: u32 = 1000;

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

/// Without its customer, who is looked up when it is asked for: most rows that are looked at may not be.
const INTERACTION: &str =
    "SELECT i.id, i.customer, i.state, i.started_by, i.arrived_at, i.owner, i.epoch, i.waiting_since, i.closed_at, i.close_reason,
           i.offer, i.transfer, i.disposition, i.bot
    FROM interaction i";
const ITS_CUSTOMER: &str = "SELECT address, opted_out FROM customer WHERE id = ?";

/// A page in the making.
struct Search<'s> {
    sql: &'s Connection,
    filter: &'s InteractionFilter,
    limit: usize,
    looked_at: u32,
    page: Page<InteractionRow, InteractionPlace>,
}

impl Search<'_> {
    /// Whether the page has all that it may, and one more is there.
    const fn is_full(&self) -> bool {
        self.page.items.len() == self.limit
    }

    /// Puts a row on the page if it is asked for.
    fn look(&mut self, row: &Row<'_>) -> Result<(), StoreError> {
        let seen = Seen::read(row)?;
        self.page.next = Some(InteractionPlace { at: seen.arrived_at, id: seen.id, message: None });
        if self.filter.wants(&seen) {
            self.page.items.push(read_interaction(self.sql, row, seen)?);
        }
        Ok(())
    }

    /// The page, when nothing follows unless so many were looked at.
    fn end(mut self) -> Page<InteractionRow, InteractionPlace> {
        if self.looked_at < LOOKED_AT {
            self.page.next = None;
        }
        self.page
    }
}

impl Reader {
    /// A page of interactions, after the place to which the last page came. It has fewer rows than it may, though others follow, when many
    /// had to be looked at.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn interactions(
        &self,
        filter: &InteractionFilter,
        after: Option<InteractionPlace>,
        limit: u32,
    ) -> Result<Page<InteractionRow, InteractionPlace>, StoreError> {
        let limit = page_length(limit) as usize;
        let mut connection = self.connection.lock();
        let sql = connection.transaction()?;
        let customer = match &filter.customer {
            Some(address) => match customer(&sql, address)? {
                Some(customer) => Some(customer),
                None => return Ok(Page { items: Vec::new(), next: None }),
            },
            None => None,
        };
        let mut search =
            Search { sql: &sql, filter, limit, looked_at: 0, page: Page { items: Vec::new(), next: None } };
        if let Some(customer) = customer {
            return search_of_customer(search, customer, after);
        }
        let (query, values) = list(filter, after);
        let mut statement = sql.prepare_cached(&query)?;
        let mut rows = statement.query(rusqlite::params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            if search.is_full() {
                return Ok(search.page);
            }
            search.looked_at += 1;
            search.look(row)?;
        }
        Ok(search.end())
    }

    /// An interaction with its messages and notes, all of one instant.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn interaction(&self, id: InteractionId) -> Result<Option<InteractionDetail>, StoreError> {
        let mut connection = self.connection.lock();
        let sql = connection.transaction()?;
        let interaction = sql
            .prepare_cached(&format!("{INTERACTION} WHERE i.id = ?"))?
            .query_row([codec::column(id.0)], |row| {
                Ok(Seen::read(row).and_then(|seen| read_interaction(&sql, row, seen)))
            })
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

impl InteractionFilter {
    fn wants(&self, row: &Seen) -> bool {
        self.state.is_none_or(|state| row.state == state)
            && self.owner.as_ref().is_none_or(|owner| row.owner.as_ref() == Some(owner))
            && self.close_reason.is_none_or(|reason| row.close_reason == Some(reason))
            && self.from.is_none_or(|from| row.arrived_at >= from)
            && self.to.is_none_or(|to| row.arrived_at < to)
    }

    /// Whether only open ones are asked for, of which there are few.
    const fn is_of_open(&self) -> bool {
        matches!(self.state, Some(InteractionState::Bot | InteractionState::Queued | InteractionState::Active))
    }
}

/// Looks through the interactions of one customer, in the order of their ids, which is that of their arrival.
fn search_of_customer(
    mut search: Search<'_>,
    customer: i64,
    after: Option<InteractionPlace>,
) -> Result<Page<InteractionRow, InteractionPlace>, StoreError> {
    let sql = search.sql;
    let mut interactions = OfCustomer::after(sql, customer, search.filter.newest_first, after)?;
    let mut statement = sql.prepare_cached(&format!("{INTERACTION} WHERE i.id = ?"))?;
    while search.looked_at < LOOKED_AT {
        let id = match interactions.next(&mut search.looked_at, LOOKED_AT)? {
            Next::Found(id) => id,
            Next::Stopped { message } => {
                // Before the first one there is no place of an interaction, but one before all.
                let id = InteractionId(if search.filter.newest_first { i64::MAX.cast_unsigned() } else { 0 });
                let before_all = InteractionPlace { at: Timestamp::UNIX_EPOCH, id, message: None };
                let last = search.page.next.or(after).unwrap_or(before_all);
                search.page.next = Some(InteractionPlace { message: Some(message), ..last });
                return Ok(search.page);
            }
            Next::Ended => {
                search.page.next = None;
                return Ok(search.page);
            }
        };
        if search.is_full() {
            return Ok(search.page);
        }
        let mut rows = statement.query([codec::column(id.0)])?;
        if let Some(row) = rows.next()? {
            search.look(row)?;
        }
    }
    Ok(search.page)
}

/// The query that walks through a list in its order, and its values: from an index of which as little as possible is not asked for.
pub(super) fn list(filter: &InteractionFilter, after: Option<InteractionPlace>) -> (String, Vec<Box<dyn ToSql>>) {
    let mut values: Vec<Box<dyn ToSql>> = Vec::new();
    let mut key = |value: Box<dyn ToSql>| values.push(value);
    let walk = match (&filter.owner, filter.state, filter.close_reason) {
        (Some(owner), Some(state), _) if filter.is_of_open() => {
            key(Box::new(owner.as_str().to_owned()));
            key(Box::new(state_name(state)));
            "INDEXED BY interaction_open_by_owner WHERE i.closed_at IS NULL AND i.owner = ? AND i.state = ?"
        }
        (Some(owner), ..) => {
            key(Box::new(owner.as_str().to_owned()));
            "INDEXED BY interaction_by_owner WHERE i.owner = ?"
        }
        (None, Some(state), _) if filter.is_of_open() => {
            key(Box::new(state_name(state)));
            "INDEXED BY interaction_open_by_state WHERE i.closed_at IS NULL AND i.state = ?"
        }
        (None, _, Some(reason)) => {
            key(Box::new(codec::close_reason_name(reason)));
            "INDEXED BY interaction_by_close_reason WHERE i.close_reason = ?"
        }
        (None, _, None) => "INDEXED BY interaction_by_arrival WHERE 1",
    };
    let mut query = format!("{INTERACTION} {walk}");
    let (compare, order) = if filter.newest_first { ("<", "DESC") } else { (">", "ASC") };
    // The few that are open stand in the order of their ids, which is the same.
    if filter.is_of_open() {
        if let Some(after) = after {
            query += &format!(" AND i.id {compare} ?");
            values.push(Box::new(codec::column(after.id.0)));
        }
        query += &format!(" ORDER BY i.id {order} LIMIT {LOOKED_AT}");
        return (query, values);
    }
    let place = after.map(|after| (codec::nanos(after.at), codec::column(after.id.0)));
    let from = filter.from.map_or(i64::MIN, codec::nanos);
    let before = filter.to.map_or(i64::MAX, codec::nanos);
    let (from, to) = match place {
        Some((at, _)) if filter.newest_first => (from, before.saturating_sub(1).min(at)),
        Some((at, _)) => (from.max(at), before.saturating_sub(1)),
        None => (from, before.saturating_sub(1)),
    };
    query += " AND i.arrived_at BETWEEN ? AND ?";
    values.extend([Box::new(from) as Box<dyn ToSql>, Box::new(to)]);
    if let Some((at, id)) = place {
        query += &format!(" AND (i.arrived_at {compare} ? OR i.id {compare} ?)");
        values.extend([Box::new(at) as Box<dyn ToSql>, Box::new(id)]);
    }
    query += &format!(" ORDER BY i.arrived_at {order}, i.id {order} LIMIT {LOOKED_AT}");
    (query, values)
}

const fn state_name(state: InteractionState) -> &'static str {
    match state {
        InteractionState::Bot => "Bot",
        InteractionState::Queued => "Queued",
        InteractionState::Active => "Active",
        InteractionState::Closed => "Closed",
    }
}

/// What a filter asks about, of a row that is looked at.
struct Seen {
    id: InteractionId,
    state: InteractionState,
    arrived_at: Timestamp,
    owner: Option<UserId>,
    close_reason: Option<CloseReason>,
}

impl Seen {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let state = match row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)? {
            "Bot" => InteractionState::Bot,
            "Queued" => InteractionState::Queued,
            "Active" => InteractionState::Active,
            "Closed" => InteractionState::Closed,
            other => return Err(StoreError::Contents(format!("an interaction is {other}"))),
        };
        let reason: Option<String> = row.get(9)?;
        Ok(Self {
            id: InteractionId(codec::id(row.get(0)?)),
            state,
            arrived_at: codec::timestamp(row.get(4)?)?,
            owner: user(row, 5)?,
            close_reason: reason.map(|name| codec::close_reason(&name)).transpose()?,
        })
    }
}

fn read_interaction(sql: &Connection, row: &Row<'_>, seen: Seen) -> Result<InteractionRow, StoreError> {
    let Seen { id, state, arrived_at, owner, close_reason } = seen;
    let transfer: Option<Transfer> = json(row, 11)?;
    let of_transfer = transfer.as_ref().and_then(|transfer| match &transfer.to {
        Recipient::Queue { offer } => offer.clone(),
        Recipient::Agent { .. } => None,
    });
    let customer: i64 = row.get(1)?;
    let (address, opted_out): (String, bool) =
        sql.prepare_cached(ITS_CUSTOMER)?.query_row([customer], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(InteractionRow {
        id,
        customer: CustomerId(codec::id(customer)),
        address: Sender::from(address),
        opted_out,
        state,
        started_by: user(row, 3)?,
        arrived_at,
        owner,
        epoch: Epoch(row.get(6)?),
        waiting_since: instant(row, 7)?,
        closed_at: instant(row, 8)?,
        close_reason,
        disposition: row.get::<_, Option<String>>(12)?.map(DispositionName::from),
        offer: json(row, 10)?.or(of_transfer),
        transfer,
        bot: json(row, 13)?,
    })
}
