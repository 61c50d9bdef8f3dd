//! The end of a backup, behind the database: whether it is whole, and as it was written. SQLite does not read it, so that every program that opens databases
//! opens a backup, too.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// Begins it, with the version of this form.
const MARK: &str = "aldis-backup-1";
/// Its length in bytes: mark, length of the database and its digest, with a blank between them and a line's end.
pub(super) const LENGTH: usize = MARK.len() + 1 + 20 + 1 + 64 + 1;

/// The end of a backup whose database has so many bytes and this digest.
pub(super) fn of(bytes: u64, digest: Sha256) -> String {
    format!("{MARK} {bytes:020} {}\n", hex(digest))
}

/// A digest as people compare it.
pub(super) fn hex(digest: Sha256) -> String {
    digest.finalize().iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_one_length_however_long_the_database_is() {
        for bytes in [0, 4096, u64::MAX] {
            assert_eq!(of(bytes, Sha256::new()).len(), LENGTH, "{bytes}");
        }
    }
}
