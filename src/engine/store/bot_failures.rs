//! Which steps of bots failed, how often and when last. It is counted as it happens, so that nobody looks through the history for it.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{Transaction, codec, error::CommitError};
use crate::{
    api::bot::{LISTED_FAILURES, StepFailureReason},
    bot::{CallFailure, Taken},
    engine::core::{event::BotEndReason, ids::BotName},
};

impl Transaction<'_> {
    /// Counts the calls of services that failed among the steps that a bot took.
    pub(super) fn count_failed_calls(&self, bot: &BotName, taken: &[Taken], at: Timestamp) -> Result<(), CommitError> {
        for Taken { step, failure, .. } in taken {
            if let Some(failure) = failure {
                count(&self.sql, bot, step, of_call(*failure), at)?;
            }
        }
        Ok(())
    }

    /// Counts the end of a bot, if it failed.
    pub(super) fn count_failure(
        &self,
        bot: &BotName,
        reason: BotEndReason,
        step: Option<&str>,
        at: Timestamp,
    ) -> Result<(), CommitError> {
        of_end(reason).map_or(Ok(()), |reason| count(&self.sql, bot, step.unwrap_or_default(), reason, at))
    }
}

fn count(
    sql: &Connection,
    bot: &BotName,
    step: &str,
    reason: StepFailureReason,
    at: Timestamp,
) -> Result<(), CommitError> {
    let count: i64 = sql
        .prepare_cached(
            "INSERT INTO bot_failure (bot, step, reason, count, since, at) VALUES (?1, ?2, ?3, 1, ?4, ?4)
             ON CONFLICT (bot, step, reason) DO UPDATE SET count = count + 1, at = excluded.at
             RETURNING count",
        )?
        .query_row(params![bot.as_str(), step, codec::step_failure_name(reason), codec::nanos(at)], |row| row.get(0))?;
    if count == 1 {
        // Those that nobody is told of any more.
        sql.prepare_cached(
            "DELETE FROM bot_failure WHERE id IN
                (SELECT id FROM bot_failure WHERE bot = ? ORDER BY at DESC, id DESC LIMIT -1 OFFSET ?)",
        )?
        .execute(params![bot.as_str(), i64::try_from(LISTED_FAILURES).unwrap_or(i64::MAX)])?;
    }
    Ok(())
}

const fn of_call(failure: CallFailure) -> StepFailureReason {
    match failure {
        CallFailure::TimedOut => StepFailureReason::CallTimedOut,
        CallFailure::Unreachable => StepFailureReason::CallUnreachable,
        CallFailure::Status => StepFailureReason::CallStatus,
        CallFailure::TooLong => StepFailureReason::CallTooLong,
        CallFailure::NotJson => StepFailureReason::CallNotJson,
        CallFailure::Address => StepFailureReason::CallAddress,
        CallFailure::NoSecret => StepFailureReason::CallNoSecret,
    }
}

/// None: it did not fail.
const fn of_end(reason: BotEndReason) -> Option<StepFailureReason> {
    Some(match reason {
        BotEndReason::NoAnswer => StepFailureReason::NoAnswer,
        BotEndReason::TimedOut => StepFailureReason::TimedOut,
        BotEndReason::TooManyVariables => StepFailureReason::TooManyVariables,
        BotEndReason::TooManyTurns => StepFailureReason::TooManyTurns,
        BotEndReason::Lost => StepFailureReason::Lost,
        BotEndReason::HandedOff
        | BotEndReason::Finished
        | BotEndReason::OptedOut
        | BotEndReason::Assigned
        | BotEndReason::Closed => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::store::{clock_set, schema};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn store() -> Connection {
        let mut sql = Connection::open_in_memory().unwrap();
        let tx = sql.transaction().unwrap();
        schema::migrate(&tx).unwrap();
        tx.commit().unwrap();
        sql
    }

    fn fails(sql: &Connection, bot: &str, step: &str, second: i64) {
        count(sql, &bot.into(), step, StepFailureReason::CallStatus, at(second)).unwrap();
    }

    /// Step, how often, since when and when last, in seconds; the last one first.
    fn counted(sql: &Connection, bot: &str) -> Vec<(String, i64, i64, i64)> {
        let query =
            "SELECT step, count, since / 1000000000, at / 1000000000 FROM bot_failure WHERE bot = ? ORDER BY at DESC";
        let mut statement = sql.prepare(query).unwrap();
        let rows = statement.query_map([bot], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    #[test]
    fn the_last_twenty_of_a_bot_are_kept_with_how_often_and_since_when() {
        let sql = store();
        fails(&sql, "other", "look-up", 1);
        for second in 0..30 {
            fails(&sql, "greeting", &format!("step-{second}"), second);
        }
        fails(&sql, "greeting", "step-12", 40);
        let counted_of_greeting = counted(&sql, "greeting");
        assert_eq!(counted_of_greeting.len(), 20);
        assert_eq!(counted_of_greeting[0], ("step-12".to_owned(), 2, 12, 40));
        assert_eq!(counted_of_greeting[19].0, "step-10", "older ones are forgotten");
        assert_eq!(counted(&sql, "other").len(), 1, "each bot for itself");
    }

    #[test]
    fn a_clock_that_is_set_back_takes_them_with_it() {
        let sql = store();
        fails(&sql, "greeting", "before", 100);
        fails(&sql, "greeting", "around", 90);
        fails(&sql, "greeting", "around", 500);
        fails(&sql, "greeting", "after", 400);
        fails(&sql, "greeting", "soon", 190);
        fails(&sql, "greeting", "soon", 250);
        clock_set::write(&sql, at(200), at(600)).unwrap();
        let expected = [("soon", 2, 190, 190), ("around", 2, 90, 100), ("before", 1, 100, 100), ("after", 1, 0, 0)];
        let mut found = counted(&sql, "greeting");
        found.sort_by_key(|(step, ..)| expected.iter().position(|(known, ..)| known == step));
        assert_eq!(found, expected.map(|(step, count, since, at)| (step.to_owned(), count, since, at)));
    }
}
