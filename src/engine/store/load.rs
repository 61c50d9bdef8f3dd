//! Start-up: the rows of what is open.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use jiff::Timestamp;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Row, Statement};
use serde::de::DeserializeOwned;

use super::{codec, error::StoreError, recent::Recent};
use crate::engine::core::{
    agent::{self, Agent, Completed, Missed},
    assembly::Assembly,
    clock::ChannelTime,
    customer::{Customer, LastAgent, MetBots},
    event::Origin,
    figures::AgentCounts,
    ids::{AssemblyId, Attempt, CustomerId, Epoch, InteractionId, MessageId, OfferId, UserId},
    interaction::{Interaction, Phase, Place},
    outbox::Outbound,
    state::{OpenRows, Sample, Scalars},
};

/// Customers with their open interaction, where a condition holds.
macro_rules! customers {
    ($condition:literal) => {
        concat!(
            "SELECT c.id, c.can_receive, c.opted_out, c.out_of_hours_text_at, c.queue_full_text_at, c.last_agent, c.last_ended_at,
                    (SELECT i.id FROM interaction i WHERE i.customer = c.id AND i.closed_at IS NULL),
                    c.met_bots_since, c.met_bots
             FROM customer c ",
            $condition
        )
    };
}

/// Those whom something open concerns. CROSS JOIN holds SQLite to beginning with the outbox, which is short.
const CONCERNED: &str = customers!(
    "WHERE c.id IN (SELECT customer FROM interaction WHERE state IN ('Opened', 'Bot', 'Queued', 'Active') AND closed_at IS NULL
                    UNION SELECT m.customer FROM outbox o CROSS JOIN message m ON m.id = o.message)
     ORDER BY c.id"
);
const BY_ADDRESS: &str = customers!("WHERE c.id = (SELECT customer FROM customer_by_address WHERE address = ?)");
const BY_ID: &str = customers!("WHERE c.id = ?");

/// The last activity of an interaction is that of its row or of its newest message.
const INTERACTIONS: &str =
    "SELECT id, customer, started_by, arrived_at, state, at_head, place_at, owner, epoch, waiting_since,
           max(active_at, coalesce((SELECT m.own_at
                                    FROM message_of_customer k CROSS JOIN message m ON m.id = k.message
                                    WHERE k.customer = interaction.customer AND k.message >= interaction.first_message
                                      AND m.interaction = interaction.id
                                    ORDER BY k.message DESC LIMIT 1), 0)),
           queued_at, offers, offer, accepted, asked_in_vain, previous_agent, queued_own_at, queue_timed_out, transfer,
           bot, finished, priority, unreplied_since, owned_since
    FROM interaction WHERE state IN ('Opened', 'Bot', 'Queued', 'Active') AND closed_at IS NULL ORDER BY id";
/// The same of messages that wait for the look-ups.
const RECENT_ACTIVITY: &str = "SELECT interaction, max(own_at) FROM message
    WHERE id > (SELECT indexed FROM store WHERE one = 1) AND interaction IS NOT NULL AND own_at IS NOT NULL GROUP BY interaction";

const AGENTS: &str = "SELECT user, present, last_finish, last_assigned, completed_on, completed, missed, missed_at FROM agent ORDER BY user";

const OUTBOX: &str = "SELECT o.message, m.customer, m.interaction, m.purpose, m.user, m.segments, o.attempt,
           o.sending_until, o.receipt_status, o.receipt_class,
           EXISTS (SELECT 1 FROM attempt a WHERE a.message = o.message AND a.outcome = 'Unknown')
    FROM outbox o CROSS JOIN message m ON m.id = o.message ORDER BY o.message";

const SAMPLES: &str = "SELECT interaction, at, result, in_target FROM sample WHERE at >= ? ORDER BY at, id";

const ASSEMBLIES: &str = "SELECT id, customer, reference, total, ends_at, timed_out FROM assembly ORDER BY id";
const SEQUENCES: &str = "SELECT assembly, sequence, bytes FROM part WHERE text IS NOT NULL";

pub(super) fn open_rows(sql: &Connection, samples_since: Timestamp) -> Result<OpenRows, StoreError> {
    Ok(OpenRows {
        scalars: scalars(sql)?,
        customers: open_customers(sql)?,
        interactions: interactions(sql)?,
        agents: agents(sql)?,
        outbox: outbox(sql)?,
        assemblies: assemblies(sql)?,
        samples: samples(sql, samples_since)?,
        worked_today: worked_today(sql)?,
    })
}

/// Runs a query and reads every row.
pub(super) fn all<T>(
    sql: &Connection,
    query: &str,
    params: impl rusqlite::Params,
    read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = sql.prepare_cached(query)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

fn scalars(sql: &Connection) -> Result<Scalars, StoreError> {
    let json: String = sql.query_row("SELECT scalars FROM store", [], |row| row.get(0))?;
    serde_json::from_str(&json).map_err(|error| StoreError::Contents(format!("store.scalars: {error}")))
}

fn open_customers(sql: &Connection) -> Result<Vec<Customer>, StoreError> {
    all(sql, CONCERNED, [], read_customer)
}

/// Finds customers by their addresses, one after the other.
pub(super) struct ByAddress<'sql> {
    sql: &'sql Connection,
    by_address: CachedStatement<'sql>,
    recent: &'sql Recent,
}

impl<'sql> ByAddress<'sql> {
    pub(super) fn new(sql: &'sql Connection, recent: &'sql Recent) -> Result<Self, StoreError> {
        Ok(Self { sql, by_address: sql.prepare_cached(BY_ADDRESS)?, recent })
    }

    /// The customer with this address.
    pub(super) fn find(&mut self, address: &str) -> Result<Option<Customer>, StoreError> {
        match self.recent.customer(address) {
            Some(recent) => customer(self.sql, recent),
            None => one_customer(&mut self.by_address, address),
        }
    }
}

/// The customer with this id.
pub(super) fn customer(sql: &Connection, id: CustomerId) -> Result<Option<Customer>, StoreError> {
    one_customer(&mut *sql.prepare_cached(BY_ID)?, codec::column(id.0))
}

fn one_customer(statement: &mut Statement<'_>, key: impl rusqlite::ToSql) -> Result<Option<Customer>, StoreError> {
    statement.query_row([key], |row| Ok(read_customer(row))).optional()?.transpose()
}

fn read_customer(row: &Row<'_>) -> Result<Customer, StoreError> {
    Ok(Customer {
        id: CustomerId(codec::id(row.get(0)?)),
        can_receive: row.get(1)?,
        opted_out: row.get(2)?,
        out_of_hours_text_at: instant(row, 3)?,
        queue_full_text_at: instant(row, 4)?,
        last_agent: last_agent(row)?,
        met_bots: met_bots(row)?,
        open: row.get::<_, Option<i64>>(7)?.map(|id| InteractionId(codec::id(id))),
    })
}

fn met_bots(row: &Row<'_>) -> Result<Option<MetBots>, StoreError> {
    let count = row.get(9)?;
    Ok(instant(row, 8)?.map(|since| MetBots { since, count }))
}

fn last_agent(row: &Row<'_>) -> Result<Option<LastAgent>, StoreError> {
    let ended_at = ChannelTime::from(codec::timestamp(row.get(6)?)?);
    Ok(user(row, 5)?.map(|user| LastAgent { user, ended_at }))
}

fn interactions(sql: &Connection) -> Result<Vec<Interaction>, StoreError> {
    let recent = all(sql, RECENT_ACTIVITY, [], |row| {
        Ok((InteractionId(codec::id(row.get(0)?)), ChannelTime::from(codec::timestamp(row.get(1)?)?)))
    })?;
    let recent: HashMap<_, _> = recent.into_iter().collect();
    let mut open = interactions_by_row(sql)?;
    for interaction in &mut open {
        if let Some(at) = recent.get(&interaction.id) {
            interaction.active_at = interaction.active_at.max(*at);
        }
    }
    Ok(open)
}

fn interactions_by_row(sql: &Connection) -> Result<Vec<Interaction>, StoreError> {
    all(sql, INTERACTIONS, [], |row| {
        Ok(Interaction {
            id: InteractionId(codec::id(row.get(0)?)),
            customer: CustomerId(codec::id(row.get(1)?)),
            origin: user(row, 2)?.map_or(Origin::Customer, |user| Origin::Agent { user }),
            arrived_at: codec::timestamp(row.get(3)?)?,
            phase: read_phase(row)?,
            epoch: Epoch(row.get(8)?),
            waiting_since: instant(row, 9)?,
            unreplied_since: instant(row, 23)?,
            owned_since: instant(row, 24)?,
            active_at: ChannelTime::from(codec::timestamp(row.get(10)?)?),
            offers: codec::id(row.get(12)?),
            accepted: row.get::<_, Option<i64>>(14)?.map(|id| OfferId(codec::id(id))),
            asked_in_vain: json(row, 15)?.unwrap_or_default(),
            previous_agent: user(row, 16)?,
            queue_timed_out: row.get(18)?,
            priority: row.get(22)?,
        })
    })
}

fn read_phase(row: &Row<'_>) -> Result<Phase, StoreError> {
    let (state, at_head): (String, bool) = (row.get(4)?, row.get(5)?);
    match (state.as_str(), instant(row, 6)?.zip(instant(row, 17)?), user(row, 7)?) {
        ("Opened", None, None) => Ok(Phase::Opened),
        ("Bot", None, None) => {
            let run = json(row, 20)?.ok_or_else(|| StoreError::Contents("an interaction is with no bot".into()))?;
            Ok(Phase::Bot { run, finished: json(row, 21)? })
        }
        ("Queued", Some((at, own_since)), None) => {
            let rank = Reverse(row.get(22)?);
            let place = if at_head { Place::Head(rank, at) } else { Place::Tail(rank, at) };
            let (since, own_since) = (instant(row, 11)?.unwrap_or(at), own_since.into());
            Ok(Phase::Queued { place, since, own_since, offer: json(row, 13)?, bot: json(row, 20)? })
        }
        ("Active", None, Some(owner)) => Ok(Phase::Active { owner, transfer: json(row, 19)? }),
        (state, place, owner) => {
            Err(StoreError::Contents(format!("an interaction is {state} at {place:?} with {owner:?}")))
        }
    }
}

fn agents(sql: &Connection) -> Result<Vec<Agent>, StoreError> {
    all(sql, AGENTS, [], |row| {
        let count = row.get(5)?;
        let on: Option<String> = row.get(4)?;
        let on = on.map(|on| codec::date(&on)).transpose()?;
        let (missed, missed_at) = (row.get(6)?, instant(row, 7)?);
        Ok(Agent {
            user: UserId::from(row.get::<_, String>(0)?),
            present: row.get(1)?,
            last_finish: instant(row, 2)?,
            last_assigned: instant(row, 3)?,
            completed: on.map(|on| Completed { on, count }),
            missed: missed_at.map(|at| Missed { count: missed, at: ChannelTime::from(at) }),
            connection: agent::Connection::default(),
            open: BTreeSet::new(),
            offers: BTreeSet::new(),
        })
    })
}

fn worked_today(sql: &Connection) -> Result<BTreeMap<UserId, AgentCounts>, StoreError> {
    let rows = all(sql, "SELECT user, counts FROM agent_today", [], |row| {
        let counts = json(row, 1)?.ok_or_else(|| StoreError::Contents("an agent's day is empty".into()))?;
        Ok((UserId::from(row.get::<_, String>(0)?), counts))
    })?;
    Ok(rows.into_iter().collect())
}

fn outbox(sql: &Connection) -> Result<Vec<Outbound>, StoreError> {
    all(sql, OUTBOX, [], |row| {
        let reached: Option<String> = row.get(8)?;
        let class: Option<String> = row.get(9)?;
        Ok(Outbound {
            message: MessageId(codec::id(row.get(0)?)),
            customer: CustomerId(codec::id(row.get(1)?)),
            interaction: row.get::<_, Option<i64>>(2)?.map(|id| InteractionId(codec::id(id))),
            purpose: codec::purpose(&row.get::<_, String>(3)?, row.get(4)?)?,
            segments: row.get(5)?,
            attempt: Attempt(row.get(6)?),
            sending_until: instant(row, 7)?,
            reached: reached.map(|name| codec::status(&name, class.as_deref())).transpose()?,
            resend: row.get(10)?,
        })
    })
}

/// The texts of which not all parts are there.
fn assemblies(sql: &Connection) -> Result<Vec<Assembly>, StoreError> {
    let mut there: BTreeMap<AssemblyId, (BTreeSet<u8>, u64)> = BTreeMap::new();
    for (assembly, sequence, bytes) in
        all(sql, SEQUENCES, [], |row| Ok((AssemblyId(codec::id(row.get(0)?)), row.get(1)?, codec::id(row.get(2)?))))?
    {
        let (sequences, sum) = there.entry(assembly).or_default();
        sequences.insert(sequence);
        *sum += bytes;
    }
    all(sql, ASSEMBLIES, [], |row| {
        let id = AssemblyId(codec::id(row.get(0)?));
        let (sequences, bytes) = there.get(&id).cloned().unwrap_or_default();
        Ok(Assembly {
            id,
            customer: CustomerId(codec::id(row.get(1)?)),
            reference: row.get(2)?,
            total: row.get(3)?,
            sequences,
            bytes,
            ends_at: ChannelTime::from(codec::timestamp(row.get(4)?)?),
            timed_out: row.get(5)?,
        })
    })
}

/// The samples since an instant, in the order in which they came.
pub(super) fn samples(sql: &Connection, since: Timestamp) -> Result<Vec<Sample>, StoreError> {
    all(sql, SAMPLES, [codec::nanos(since)], |row| {
        Ok(Sample {
            interaction: InteractionId(codec::id(row.get(0)?)),
            at: codec::timestamp(row.get(1)?)?,
            result: codec::sample_result(&row.get::<_, String>(2)?)?,
            in_target: row.get(3)?,
        })
    })
}

pub(super) fn instant(row: &Row<'_>, column: usize) -> Result<Option<Timestamp>, StoreError> {
    row.get::<_, Option<i64>>(column)?.map(codec::timestamp).transpose()
}

/// What a column has as JSON.
pub(super) fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<Option<T>, StoreError> {
    let text: Option<String> = row.get(column)?;
    let read = text.map(|text| serde_json::from_str(&text)).transpose();
    read.map_err(|error| StoreError::Contents(format!("column {column}: {error}")))
}

pub(super) fn user(row: &Row<'_>, column: usize) -> Result<Option<UserId>, StoreError> {
    Ok(row.get::<_, Option<String>>(column)?.map(UserId::from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::store::schema;

    /// The start takes as long as there is much open, however much is stored.
    #[test]
    fn loading_walks_through_no_table_that_grows() {
        let mut sql = Connection::open_in_memory().unwrap();
        let tx = sql.transaction().unwrap();
        schema::migrate(&tx).unwrap();
        tx.commit().unwrap();
        for query in [CONCERNED, INTERACTIONS, RECENT_ACTIVITY, OUTBOX, SAMPLES, BY_ADDRESS, BY_ID] {
            let mut plan = sql.prepare(&format!("EXPLAIN QUERY PLAN {query}")).unwrap();
            let parameters = plan.parameter_count();
            let values = rusqlite::params_from_iter(vec![0; parameters]);
            let steps = plan.query_map(values, |row| row.get::<_, String>(3)).unwrap();
            for step in steps.map(Result::unwrap) {
                assert!(!step.starts_with("SCAN") || step == "SCAN o", "{step} in {query}");
                // A customer may have any number of closed interactions.
                assert!(!step.contains(" interaction ") || step.contains("interaction_open_by"), "{step} in {query}");
                assert!(!step.contains(" i ") || step.contains("interaction_open_by_customer"), "{step} in {query}");
            }
        }
    }
}
