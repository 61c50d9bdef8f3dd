//! Calls that bring several items.

use serde_json::Value;

use super::Malformed;
use crate::wire::delivery::Item;

/// The items that `read` finds in a list. One that cannot be read does not keep the others from their engines.
///
/// # Errors
/// When something of the list cannot be read, and nothing can.
pub(super) fn items(
    list: Vec<Value>,
    read: impl Fn(Value) -> Result<Option<Item>, Malformed>,
) -> Result<Vec<Item>, Malformed> {
    let (mut items, mut wrong) = (Vec::new(), None);
    for value in list {
        match read(value) {
            Ok(item) => items.extend(item),
            Err(error) => {
                tracing::error!(%error, "an item of a webhook cannot be understood");
                wrong = Some(error);
            }
        }
    }
    match wrong {
        Some(error) if items.is_empty() => Err(error),
        Some(_) | None => Ok(items),
    }
}
