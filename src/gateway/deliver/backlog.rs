//! Delivering what waits in the spool, one task per number.
//!
//! A number's rows go one after the other. When many wait, rows of different customers go side by side, or a busy number would never
//! catch up; each customer's stay in order. An item that the engine refuses for its form, or that cannot be read, is parked. One that
//! fails again and again while others are taken is parked too, so that it blocks nobody; parked items are tried again every minute.
//! An engine that is away is asked with one row at a time, and so is one that has no room for anything new: what it takes all the same is
//! brought past the others. What was settled and could not be written down, because the spool's volume is
//! full, is remembered here until it can be.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt, stream};

use super::{Delivery, EndAfterPanic, NotTaken, Turn};
use crate::gateway::{
    settings::Route,
    spool::{Row, Rows, SpoolError},
};

/// Rows that are read at once.
const ROWS: usize = 64;
/// From so many waiting rows on customers go side by side.
const MANY: u64 = 100;
/// So many customers at once.
const SIDE_BY_SIDE: usize = 16;
/// An item that failed so often is suspected.
const SUSPECTED: u32 = 5;
/// Until an engine has answered. It may be busy with its own start.
const DEADLINE: Duration = Duration::from_secs(5);
/// First pause after a failure; doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// What the task of a number remembers.
#[derive(Debug, Default)]
struct Memory {
    /// How often a row failed that may be at fault.
    suspicions: HashMap<i64, u32>,
    /// Rows that the engine has and that are still in the spool.
    undeleted: HashSet<i64>,
    /// Rows that are to be parked, and why.
    unparked: HashMap<i64, String>,
    /// How often in a row the engine was away.
    away: usize,
    /// The engine has no room for anything new, and rows up to this one are nothing that it takes all the same.
    passed: Option<i64>,
}

impl Memory {
    /// Rows that are settled.
    fn settled(&self) -> HashSet<i64> {
        self.undeleted.iter().chain(self.unparked.keys()).copied().collect()
    }
}

/// What came of one look at the rows.
#[derive(Debug, Default)]
struct Round {
    delivered: Vec<i64>,
    /// Rows that will not be taken, or cannot be brought.
    refused: Vec<(i64, String)>,
    /// The first row of each ordering key that was not taken, and whether that may be due to the row.
    failed: Vec<(i64, bool, String)>,
    /// Rows for which the engine has no room.
    no_room: Vec<i64>,
}

impl Round {
    fn and(mut self, other: Self) -> Self {
        self.delivered.extend(other.delivered);
        self.refused.extend(other.refused);
        self.failed.extend(other.failed);
        self.no_room.extend(other.no_room);
        self
    }
}

impl Delivery {
    /// Starts the task of a number, unless there is one.
    pub(super) fn deliver_backlog(&self, number: String) {
        if self.begin(&number) {
            self.0.tasks.spawn(self.clone().deliver_backlog_of(number));
        }
    }

    async fn deliver_backlog_of(self, number: String) {
        let _end = EndAfterPanic { delivery: &self, number: &number };
        let mut memory = Memory::default();
        let mut pause = FIRST_PAUSE;
        loop {
            let progress = match self.deliver_some(&number, &mut memory).await {
                Ok(Some(progress)) => progress,
                Ok(None) => return,
                Err(error) => {
                    tracing::error!(%error, number, "waiting rows cannot be delivered");
                    false
                }
            };
            if progress {
                pause = FIRST_PAUSE;
                if !self.0.shutdown.is_cancelled() {
                    continue;
                }
            }
            let jittered = pause.mul_f64(0.75 + fastrand::f64() / 2.0);
            if self.0.shutdown.run_until_cancelled(tokio::time::sleep(jittered)).await.is_none() {
                return;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One look at the oldest rows. `None`: nothing waits any more, or the route is gone; the task is over.
    async fn deliver_some(&self, number: &str, memory: &mut Memory) -> Result<Option<bool>, SpoolError> {
        let written_down = self.write_down(number, memory).await;
        let Rows { items, unreadable } = self.0.spool.next(number.to_owned(), ROWS, Arc::new(memory.settled())).await?;
        let none_read = items.is_empty() && unreadable.is_empty();
        if none_read {
            // It is tried again, with a pause in between.
            written_down?;
        }
        if self.stop(number, none_read) {
            if self.route(number).is_some() {
                // A route or a row came while the task was ending.
                self.deliver_backlog(number.to_owned());
            }
            return Ok(None);
        }
        let Some(route) = self.route(number).filter(|_| !none_read) else {
            // A row that is just being written, or a route that has just gone: the next look tells.
            return Ok(Some(false));
        };
        let many = self.waiting(number) > MANY;
        let suspected = memory.suspicions.values().any(|count| *count >= SUSPECTED);
        let mut groups = by_ordering_key(items, many || suspected);
        if memory.away > 0 || memory.passed.is_some() {
            // Whether it is back, or has room, one row tells. Not always the same one, which may be what it cannot stand.
            let place = memory.away % groups.len().max(1);
            groups = groups.into_iter().skip(place).take(1).collect();
            groups.iter_mut().for_each(|group| group.truncate(1));
        }
        let mut round = self.post_groups(&route, groups, Turn::InOrder).await;
        let is_away = round.delivered.is_empty() && round.failed.iter().any(|(_, doubtful, _)| !doubtful);
        memory.away = if is_away { memory.away + 1 } else { 0 };
        match (round.no_room.is_empty(), round.delivered.is_empty()) {
            (false, _) => memory.passed = memory.passed.or(Some(0)),
            (true, false) => memory.passed = None,
            // It says no longer that it has no room: which rows it cannot stand, the others tell.
            (true, true) if round.failed.iter().any(|(_, doubtful, _)| *doubtful) => memory.passed = None,
            (true, true) => {}
        }
        round.refused.extend(unreadable);
        let mut progress = self.settle(number, round, memory);
        if let Some(passed) = memory.passed.filter(|_| memory.away == 0) {
            progress |= self.bring_past(number, &route, passed, memory).await?;
        }
        self.write_down(number, memory).await?;
        Ok(Some(progress))
    }

    /// Brings what waits behind the texts for which the engine has no room: receipts, and what changes a customer's consent. Whether
    /// there was any to bring.
    async fn bring_past(
        &self,
        number: &str,
        route: &Route,
        passed: i64,
        memory: &mut Memory,
    ) -> Result<bool, SpoolError> {
        let rows = self.0.spool.next_after(number.to_owned(), passed, ROWS, Arc::new(memory.settled())).await?;
        let Some(last) = rows.last() else { return Ok(false) };
        let groups = by_ordering_key(rows.items, true);
        let round = self.post_groups(route, groups, Turn::Overtaking).await;
        // What it cannot stand is left for later too.
        let all_asked = round.failed.iter().all(|(_, doubtful, _)| *doubtful) && !self.0.shutdown.is_cancelled();
        if all_asked {
            memory.passed = Some(last);
        }
        self.settle(number, round, memory);
        Ok(all_asked)
    }

    /// Posts the groups side by side, the rows of each in order.
    async fn post_groups(&self, route: &Route, groups: Vec<Vec<Row>>, turn: Turn) -> Round {
        let rounds = stream::iter(groups).map(|group| self.post_group(route, group, turn));
        let rounds = rounds.buffer_unordered(SIDE_BY_SIDE);
        rounds.fold(Round::default(), async |all, group| all.and(group)).await
    }

    async fn post_group(&self, route: &Route, rows: Vec<Row>, turn: Turn) -> Round {
        let mut round = Round::default();
        for Row { seq, item } in rows {
            if self.0.shutdown.is_cancelled() {
                break;
            }
            match self.0.engines.post(route, &item, turn, DEADLINE).await {
                Ok(()) => round.delivered.push(seq),
                Err(NotTaken::Refused(reason)) => round.refused.push((seq, reason)),
                Err(NotTaken::NoRoom(_)) => {
                    round.no_room.push(seq);
                    if turn == Turn::InOrder {
                        break;
                    }
                }
                Err(NotTaken::Doubtful(reason)) => {
                    round.failed.push((seq, true, reason));
                    break;
                }
                Err(NotTaken::Unavailable(reason)) => {
                    round.failed.push((seq, false, reason));
                    break;
                }
            }
        }
        round
    }

    /// Notes what came of a round. Whether there was any progress.
    fn settle(&self, number: &str, round: Round, memory: &mut Memory) -> bool {
        let mut parked = round.refused;
        for (seq, doubtful, reason) in round.failed {
            tracing::debug!(number, seq, reason, "the engine did not take a waiting item");
            if !doubtful {
                continue;
            }
            let count = memory.suspicions.entry(seq).or_default();
            *count += 1;
            // Others were taken meanwhile, so it is not the engine.
            if *count > SUSPECTED && !round.delivered.is_empty() {
                parked.push((seq, format!("failed {count} times while others were taken; last: {reason}")));
            }
        }
        let delivered = round.delivered.len() as u64;
        let settled = delivered + parked.len() as u64;
        for seq in round.delivered.iter().chain(parked.iter().map(|(seq, _)| seq)) {
            memory.suspicions.remove(seq);
        }
        for (seq, reason) in &parked {
            tracing::error!(number, seq, reason, "a waiting item is parked");
        }
        self.0.metrics.spooled_delivered(delivered);
        if delivered > 0 {
            self.0.traffic.note(number, delivered);
        }
        memory.undeleted.extend(round.delivered);
        memory.unparked.extend(parked);
        self.less(number, settled);
        settled > 0
    }

    /// Removes and parks what is settled. What cannot be is tried again, and not brought to the engine again meanwhile.
    async fn write_down(&self, number: &str, memory: &mut Memory) -> Result<(), SpoolError> {
        if !memory.undeleted.is_empty() {
            let delivered: Vec<_> = memory.undeleted.iter().copied().collect();
            self.0.spool.delivered(number.to_owned(), delivered).await?;
            memory.undeleted.clear();
        }
        let unparked: Vec<_> = memory.unparked.iter().map(|(seq, reason)| (*seq, reason.clone())).collect();
        for (seq, reason) in unparked {
            self.0.spool.park(number.to_owned(), seq, reason).await?;
            memory.unparked.remove(&seq);
        }
        Ok(())
    }

    fn waiting(&self, number: &str) -> u64 {
        self.0.numbers.lock().get(number).map_or(0, |number| number.waiting)
    }

    /// Ends the task when nothing waits (none was read, none is being written) or the number has no route.
    fn stop(&self, number: &str, none_read: bool) -> bool {
        let routed = self.route(number).is_some();
        let mut numbers = self.0.numbers.lock();
        let Some(state) = numbers.get_mut(number) else { return true };
        let over = !routed || (none_read && state.waiting == 0);
        if over {
            state.taken = false;
        }
        over
    }
}

/// Rows that go one after the other: all of them, or `side_by_side` those of each customer.
fn by_ordering_key(rows: Vec<Row>, side_by_side: bool) -> Vec<Vec<Row>> {
    let mut groups: Vec<Vec<Row>> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for row in rows {
        let key = if side_by_side { row.item.ordering_key().to_owned() } else { String::new() };
        let place = *places.entry(key).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[place].push(row);
    }
    groups
}
