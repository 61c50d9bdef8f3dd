//! [`ConfigHash`].

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// SHA-256 of a document's bytes, as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ConfigHash([u8; 32]);

/// A string that is not 64 lower-case hex digits.
#[derive(Debug, thiserror::Error)]
#[error("a configuration hash is 64 lower-case hex digits, not {0:?}")]
pub struct InvalidConfigHash(String);

impl ConfigHash {
    /// Hash of a document.
    pub fn of(document: &[u8]) -> Self {
        Self(Sha256::digest(document).into())
    }

    /// The first 12 digits: enough for people and for annotations.
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }
}

impl fmt::Display for ConfigHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ConfigHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConfigHash({self})")
    }
}

impl From<ConfigHash> for String {
    fn from(hash: ConfigHash) -> Self {
        hash.to_string()
    }
}

impl TryFrom<String> for ConfigHash {
    type Error = InvalidConfigHash;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let mut hash = [0; 32];
        if text.len() != 64 {
            return Err(InvalidConfigHash(text));
        }
        for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            match (digit(pair[0]), digit(pair[1])) {
                (Some(high), Some(low)) => *byte = high << 4 | low,
                _ => return Err(InvalidConfigHash(text)),
            }
        }
        Ok(Self(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_survives_its_text_form() {
        let hash = ConfigHash::of(b"aldis");
        assert_eq!(ConfigHash::try_from(hash.to_string()).unwrap(), hash);
        assert_eq!(hash.short().len(), 12);
    }

    #[test]
    fn other_text_is_refused() {
        for text in ["", "abc", &"A".repeat(64), &"é".repeat(32)] {
            assert!(ConfigHash::try_from(text.to_owned()).is_err(), "{text:?}");
        }
    }
}
