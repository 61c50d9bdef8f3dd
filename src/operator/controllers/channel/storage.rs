//! Whether an engine's store is the one that the channel had. Status remembers its id and its number of commits.

use jiff::Timestamp;

use crate::{
    api::{
        ConditionType, Reason, SmsChannel, SmsChannelSpec, condition_of, names,
        sms_channel::EngineStatus as EngineReport,
    },
    operator::{
        controllers::summary,
        observed::context::Context,
        resources::{
            child::{ANNOTATION_NUMBER, Owner},
            volume::{self, Content},
        },
        runtime::{cache::ObjectKey, desired_condition::DesiredCondition, error::Error},
    },
    wire::{
        config::engine::StoreExpectation,
        status::{EngineStatus, StoreStatus},
        store_id,
    },
};

/// What the engine is told about its store: what status remembers of it, else what the engine itself said first, which status
/// remembers from now on.
pub(super) fn expectation(
    channel: &SmsChannel,
    account: Option<&str>,
    said: Option<&EngineStatus>,
) -> StoreExpectation {
    let remembered = channel.status.as_ref().and_then(|status| status.engine.as_ref());
    let remembered = remembered.and_then(|engine| engine.store_id.clone());
    let id = remembered.or_else(|| said.and_then(|said| check_store(channel, account, said).id));
    let accepted_id = summary::annotation(channel, names::ANNOTATION_ACCEPT_STORAGE).map(ToOwned::to_owned);
    StoreExpectation { id, accepted_id, held: was_rolled_back(channel) }
}

fn was_rolled_back(channel: &SmsChannel) -> bool {
    let intact =
        channel.status.as_ref().and_then(|status| condition_of(&status.conditions, ConditionType::StorageIntact));
    intact.is_some_and(|intact| intact.reason == Reason::StorageRolledBack.as_str())
}

/// What a check of the store found: what to say about it, and what to remember of it.
pub(super) struct StoreCheck {
    /// The condition.
    pub desired: DesiredCondition,
    /// Id to remember.
    pub id: Option<String>,
    /// Commits to remember.
    pub commits: Option<i64>,
}

/// Compares the store that the engine has with what status remembers of it.
pub(super) fn check_store(channel: &SmsChannel, account: Option<&str>, said: &EngineStatus) -> StoreCheck {
    let remembered = channel.status.as_ref().and_then(|status| status.engine.clone()).unwrap_or_default();
    let store = &said.store;
    let commits = i64::try_from(store.commits).unwrap_or(i64::MAX);
    let accepted = summary::annotation(channel, names::ANNOTATION_ACCEPT_STORAGE) == Some(store.id.as_str());
    match fault(channel, account, &remembered, store) {
        Some(desired) if !accepted => {
            StoreCheck { desired, id: remembered.store_id, commits: remembered.store_commits }
        }
        Some(_) | None => StoreCheck { desired: room(store), id: Some(store.id.clone()), commits: Some(commits) },
    }
}

/// What to say of a store that is the right one.
fn room(store: &StoreStatus) -> DesiredCondition {
    if store.full {
        return DesiredCondition::no(
            Reason::StorageFull,
            "the volume is full: nothing new is taken, and inbound texts wait in the gateway; enlarge \
             spec.engine.storage.volume.size or shorten retentionDays",
        );
    }
    DesiredCondition::yes(Reason::Intact, "the store is the one that belongs to this channel")
}

fn fault(
    channel: &SmsChannel,
    account: Option<&str>,
    remembered: &EngineReport,
    store: &StoreStatus,
) -> Option<DesiredCondition> {
    let id = &store.id;
    let how = format!("to accept it, set annotation {}: {id}", names::ANNOTATION_ACCEPT_STORAGE);
    if store.number.as_str() != channel.spec.number || account.is_some_and(|account| account != store.account) {
        let message =
            format!("the store {id} belongs to {} of account {}; nothing is sent; {how}", store.number, store.account);
        return Some(DesiredCondition::no(Reason::StorageForeign, message));
    }
    let known = remembered.store_id.as_ref();
    if store_id::is_copy(id) && known.is_none_or(|known| known != id && store_id::origin(known) == store_id::origin(id))
    {
        let message = format!("the store {id} was restored from a backup; nothing is sent by itself; {how}");
        return Some(DesiredCondition::no(Reason::StorageRolledBack, message));
    }
    if let Some(known) = known.filter(|known| *known != id) {
        let message =
            format!("the store is {id} and was {known}: the volume was replaced or lost; nothing is sent; {how}");
        return Some(DesiredCondition::no(Reason::StorageReplaced, message));
    }
    let known = remembered.store_commits.unwrap_or(0);
    if i64::try_from(store.commits).unwrap_or(i64::MAX) < known || was_rolled_back(channel) {
        let message = format!("the store {id} is an older copy of itself; nothing is sent by itself; {how}");
        return Some(DesiredCondition::no(Reason::StorageRolledBack, message));
    }
    None
}

/// Takes the acceptance away when it has done its work, so that it does not accept the next loss too.
///
/// # Errors
/// Faults of the API server.
pub(super) async fn forget_acceptance(context: &Context, channel: &SmsChannel) -> Result<(), Error> {
    if summary::annotation(channel, names::ANNOTATION_ACCEPT_STORAGE).is_none() {
        return Ok(());
    }
    let Some(channel) = context.cluster.channels.get(&ObjectKey::of(channel)) else { return Ok(()) };
    let accepted = summary::annotation(&*channel, names::ANNOTATION_ACCEPT_STORAGE);
    let remembered = channel.status.as_ref().and_then(|status| status.engine.as_ref());
    let remembered = remembered.and_then(|engine| engine.store_id.as_deref());
    let intact = summary::begin(&*channel, Timestamp::now()).is_true(ConditionType::StorageIntact);
    if accepted.is_some() && accepted == remembered && intact {
        let written = context
            .writer
            .remove_annotation("SmsChannel", names::FIELD_MANAGER_CHANNEL, &*channel, names::ANNOTATION_ACCEPT_STORAGE)
            .await?;
        context.cluster.channels.wrote(written);
    }
    Ok(())
}

/// A retained volume is adopted by a channel of the same name and number only.
///
/// # Errors
/// [`Error::Stalled`] when the volume of this name belongs to another number.
pub(super) fn check_volume(context: &Context, owner: &Owner, channel: &SmsChannel) -> Result<(), Error> {
    match volume::foreign_content(&context.cluster.children, owner, content(&channel.spec)) {
        Some(number) => Err(Error::stalled(
            Reason::StorageForeign,
            format!(
                "PersistentVolumeClaim {} holds the conversations of {number}: delete it, or give the channel another name",
                owner.child_name
            ),
        )),
        None => Ok(()),
    }
}

/// To whom the content of the volume belongs.
pub(super) fn content(spec: &SmsChannelSpec) -> Content<'_> {
    Content { annotation: ANNOTATION_NUMBER, value: &spec.number }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{operator::controllers::plan_tests::observed_channel, wire::status::fixture};

    /// What is said of a store, and what is remembered of it, by a channel that remembers this one.
    fn found(remembered: Option<&str>, id: &str) -> (Reason, Option<String>) {
        let mut channel = serde_json::to_value(&*observed_channel(&json!({})).channel).unwrap();
        channel["status"] = json!({"conditions": [], "engine": {"storeId": remembered, "storeCommits": 5}});
        let said = json!({"id": id, "commits": 5, "number": "+15551230001", "account": "simulator", "accepted": true});
        let said = fixture::engine(&json!({"store": said}));
        let checked = check_store(&serde_json::from_value(channel).unwrap(), Some("simulator"), &said);
        (checked.desired.reason, checked.id)
    }

    #[test]
    fn a_restored_copy_is_remembered_only_when_it_was_accepted() {
        let (copy, second) = (store_id::of_copy("0a", "1"), store_id::of_copy("0a", "2"));
        let cases = [
            (None, "0a", Reason::Intact),
            (None, &copy, Reason::StorageRolledBack),
            (Some("0a"), &copy, Reason::StorageRolledBack),
            (Some(&*copy), &second, Reason::StorageRolledBack),
            (Some(&*copy), "0a", Reason::StorageReplaced),
            (Some("0b"), &copy, Reason::StorageReplaced),
            (Some(&*copy), &copy, Reason::Intact),
        ];
        for (remembered, id, reason) in cases {
            let expected = if reason == Reason::Intact { Some(id) } else { remembered };
            assert_eq!(found(remembered, id), (reason, expected.map(ToOwned::to_owned)), "{id} after {remembered:?}");
        }
    }
}
