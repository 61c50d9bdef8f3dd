//! Tokens in status callback URLs: `<messageId>.<hmac>`.
//!
//! A receipt that carries one settles its message even when the provider's answer to the sending was lost. Nobody can make one
//! for another message without the key, which is made at the store's first start and never leaves it.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::engine::core::ids::MessageId;

/// Length of the key in bytes: that of the hash's output, which RFC 2104 recommends.
pub const KEY_LENGTH: usize = 32;

/// Makes and checks receipt tokens.
#[derive(Clone)]
pub struct ReceiptTokens {
    keyed: Hmac<Sha256>,
}

impl fmt::Debug for ReceiptTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReceiptTokens(..)")
    }
}

impl ReceiptTokens {
    /// Tokens under this key.
    pub fn new(key: &[u8; KEY_LENGTH]) -> Self {
        // HMAC fills a short key with zeros to the hash's block.
        let mut block = [0; 64];
        block[..KEY_LENGTH].copy_from_slice(key);
        Self { keyed: Hmac::new(&block.into()) }
    }

    /// The token of a message: HMAC-SHA256 over the id's decimal digits, base64url without padding.
    pub fn token(&self, message: MessageId) -> String {
        let tag = self.over(message).finalize().into_bytes();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    /// The message that a token names, if the token is ours. Compared in constant time.
    pub fn verify(&self, token: &str) -> Option<MessageId> {
        let (id, tag) = token.split_once('.')?;
        let message = MessageId(id.parse().ok()?);
        // One message has one token: "+7" and "07" parse, but are not what we wrote.
        if message.to_string() != id {
            return None;
        }
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        self.over(message).verify_slice(&tag).ok()?;
        Some(message)
    }

    fn over(&self, message: MessageId) -> Hmac<Sha256> {
        self.keyed.clone().chain_update(message.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_its_message_and_only_with_our_key() {
        let ours = ReceiptTokens::new(&[7; KEY_LENGTH]);
        let token = ours.token(MessageId(42));
        assert_eq!(ours.verify(&token), Some(MessageId(42)));
        assert_eq!(ReceiptTokens::new(&[8; KEY_LENGTH]).verify(&token), None);
        let tag = token.strip_prefix("42.").unwrap();
        for forged in [
            format!("43.{tag}"),
            format!("042.{tag}"),
            format!("+42.{tag}"),
            format!("42.{tag}="),
            format!("42.{}", &tag[1..]),
            format!("42.{}", tag.to_lowercase()),
            "42.".to_owned(),
            "42".to_owned(),
            format!(".{tag}"),
            String::new(),
        ] {
            assert_eq!(ours.verify(&forged), None, "{forged}");
        }
    }

    /// Expected value from `printf 42 | openssl dgst -sha256 -mac HMAC -macopt hexkey:0707…` in base64url: a token that was
    /// given to a provider stays good in later versions.
    #[test]
    fn tokens_stay_the_same_over_versions() {
        let token = ReceiptTokens::new(&[7; KEY_LENGTH]).token(MessageId(42));
        assert_eq!(token, "42.w3XFCL4JwtdZXYI8F4gzkYwVUn0AxuSkK7_xGRTXUMY");
    }
}
