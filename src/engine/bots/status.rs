//! What the operator is told of the bots: how many conversations run with each version, and which steps failed.

use std::{cmp::Reverse, collections::BTreeMap};

use crate::{
    api::bot::{LISTED_FAILURES, LISTED_VERSIONS},
    engine::{
        core::{bot_run::Bots, ids::BotName, state::State},
        store::read::BotFailureRow,
    },
    wire::bot_status::{BotStatus, ConversationsStatus, FailureStatus, TOLD_BOTS},
};

/// The bots that the channel names, then those with which conversations still run; as many as are told.
pub(in crate::engine) fn status(state: &State, failures: &[BotFailureRow]) -> Vec<BotStatus> {
    let mut running: BTreeMap<BotName, Vec<ConversationsStatus>> = BTreeMap::new();
    for ((bot, version), count) in state.conversations_with_bots() {
        running.entry(bot).or_default().push(ConversationsStatus { version: version.as_str().to_owned(), count });
    }
    let named = named(&state.config().bots);
    let mut bots = named.clone();
    let mut others: Vec<_> = running.iter().filter(|(bot, _)| !named.contains(bot)).collect();
    others.sort_by_key(|(_, conversations)| Reverse(sum(conversations)));
    bots.extend(others.into_iter().map(|(bot, _)| bot));
    bots.truncate(TOLD_BOTS);
    let told = |bot: &BotName| bot_status(bot, running.get(bot).cloned().unwrap_or_default(), failures);
    bots.into_iter().map(told).collect()
}

/// Each once.
fn named(bots: &Bots) -> Vec<&BotName> {
    let mut named = Vec::new();
    for bot in [&bots.on_start, &bots.on_queue_timeout, &bots.on_end].into_iter().flatten() {
        if !named.contains(&&bot.name) {
            named.push(&bot.name);
        }
    }
    named
}

fn bot_status(bot: &BotName, mut conversations: Vec<ConversationsStatus>, failures: &[BotFailureRow]) -> BotStatus {
    conversations.sort_by_key(|one| Reverse(one.count));
    let more = conversations.split_off(conversations.len().min(LISTED_VERSIONS));
    let failures = failures.iter().filter(|failure| failure.bot == *bot).take(LISTED_FAILURES);
    BotStatus {
        name: bot.as_str().to_owned(),
        conversations,
        more_conversations: sum(&more),
        failures: failures.map(failure).collect(),
    }
}

fn failure(row: &BotFailureRow) -> FailureStatus {
    // Parts of seconds are of no use to anybody.
    let whole = |at: jiff::Timestamp| jiff::Timestamp::from_second(at.as_second()).unwrap_or(at);
    FailureStatus {
        step: row.step.clone(),
        reason: row.reason,
        count: row.count,
        since: whole(row.since),
        at: whole(row.at),
    }
}

fn sum(conversations: &[ConversationsStatus]) -> u64 {
    conversations.iter().map(|one| one.count).sum()
}
