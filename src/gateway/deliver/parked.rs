//! Parked items are brought again from time to time: each number's in order, apart from those of other numbers.

use std::{collections::HashSet, time::Duration};

use futures::{StreamExt, stream::FuturesUnordered};
use tokio::{sync::Semaphore, time::MissedTickBehavior};

use super::{Delivery, NotTaken, Turn};
use crate::gateway::spool::{Row, SpoolError};

/// Between two rounds.
const PERIOD: Duration = Duration::from_secs(60);
/// Numbers whose items are brought at once.
const SIDE_BY_SIDE: usize = 16;
/// So many items of a number are brought before others have their turn.
const ROWS: usize = 64;
/// Until an engine has answered.
const DEADLINE: Duration = Duration::from_secs(2);

impl Delivery {
    /// Brings parked items again. A number whose engine takes its time for each is not waited for: it is left out of further rounds until
    /// it is through.
    pub(super) async fn retry_parked_items(self) {
        let (turns, mut under_way, mut numbers) =
            (Semaphore::new(SIDE_BY_SIDE), HashSet::new(), FuturesUnordered::new());
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.0.shutdown.cancelled() => break,
                _ = ticks.tick() => {
                    for number in self.numbers_with_parked() {
                        if under_way.insert(number.clone()) {
                            numbers.push(self.retry_parked_of(number, &turns));
                        }
                    }
                }
                Some(number) = numbers.next() => drop(under_way.remove(&number)),
            }
        }
        // What is under way ends with its present item.
        while numbers.next().await.is_some() {}
    }

    fn numbers_with_parked(&self) -> Vec<String> {
        let numbers = self.0.spool.tally().numbers.into_iter();
        numbers.filter(|(_, counts)| counts.parked > 0).map(|(number, _)| number).collect()
    }

    /// Brings the parked items of a number, in turns with other numbers. Returns the number.
    async fn retry_parked_of(&self, number: String, turns: &Semaphore) -> String {
        let mut after = 0;
        loop {
            let _turn = turns.acquire().await;
            match self.retry_some_parked(&number, after).await {
                Ok(Some(last)) => after = last,
                Ok(None) => return number,
                Err(error) => {
                    tracing::error!(%error, number, "parked items cannot be tried again");
                    return number;
                }
            }
        }
    }

    /// Brings the items after `after`. Returns the last that was looked at; none when there is no more to do for this number now.
    async fn retry_some_parked(&self, number: &str, after: i64) -> Result<Option<i64>, SpoolError> {
        let rows = self.0.spool.parked_after(number.to_owned(), after, ROWS).await?;
        let last = rows.last();
        for Row { seq, item } in rows.items {
            let Some(route) = self.route(number).filter(|_| !self.0.shutdown.is_cancelled()) else { return Ok(None) };
            match self.0.engines.post(&route, &item, Turn::InOrder, DEADLINE).await {
                Ok(()) => {
                    tracing::info!(number, seq, "the engine has taken a parked item");
                    self.0.spool.delivered(number.to_owned(), vec![seq]).await?;
                }
                Err(NotTaken::Unavailable(_) | NotTaken::NoRoom(_)) => return Ok(None),
                Err(NotTaken::Doubtful(_) | NotTaken::Refused(_)) => {}
            }
        }
        Ok(last)
    }
}
