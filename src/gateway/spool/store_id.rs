//! [`StoreId`]: what an engine calls its store, no longer than a row of the ledger may be.

use rusqlite::{ToSql, types::ToSqlOutput};

/// Longest id, in characters.
const MOST: usize = 64;

/// The id of an engine's store: 1 to 64 letters and digits of ASCII and hyphens. Engines make them of 128 random bits in hex.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StoreId(String);

/// An id that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {MOST} characters, each of them A-Z, a-z, 0-9 or -")]
pub(crate) struct InvalidStoreId;

impl TryFrom<&str> for StoreId {
    type Error = InvalidStoreId;

    fn try_from(id: &str) -> Result<Self, InvalidStoreId> {
        let fits =
            (1..=MOST).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        fits.then(|| Self(id.to_owned())).ok_or(InvalidStoreId)
    }
}

impl ToSql for StoreId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_short_and_plain() {
        for good in ["s", "store-1", &"aZ09".repeat(16)] {
            assert!(StoreId::try_from(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a/b", "\u{e4}", &"a".repeat(65)] {
            assert_eq!(StoreId::try_from(bad), Err(InvalidStoreId), "{bad}");
        }
    }
}
