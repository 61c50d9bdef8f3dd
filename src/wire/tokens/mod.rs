//! Tokens: how a role knows who calls it ([`Verifier`]), and what it shows to others ([`TokenFile`]).

mod file;
mod verifier;

pub use file::{TokenFile, TokenFileError};
pub use verifier::{Identity, InvalidKeys, TokenError, Verifier, bearer};
