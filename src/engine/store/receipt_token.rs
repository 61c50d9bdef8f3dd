//! Tokens in status callback URLs: `<messageId>-<attempt>.<hmac>`. Those that older versions made name no attempt: `<messageId>.<hmac>`.
//!
//! A receipt that carries one settles its message even when the provider's answer to the sending was lost. Nobody can make one
//! for another message without the key, which is made at the store's first start and never leaves it.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::engine::core::ids::{Attempt, MessageId};

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

    /// The token of an attempt to send a message: HMAC-SHA256 over what stands before the point, base64url without padding.
    pub fn token(&self, message: MessageId, attempt: Attempt) -> String {
        let named = name(message, attempt);
        let tag = self.over(&named).finalize().into_bytes();
        format!("{named}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    /// The message and the attempt that a token names, if the token is ours; attempt 0 when it is of a version that named none. Compared in
    /// constant time.
    pub fn verify(&self, token: &str) -> Option<(MessageId, Attempt)> {
        let (named, tag) = token.split_once('.')?;
        let (id, attempt) = named.split_once('-').unwrap_or((named, "0"));
        let (message, attempt) = (MessageId(id.parse().ok()?), Attempt(attempt.parse().ok()?));
        // One attempt has one token: "+7" and "07" parse, but are not what we wrote.
        if name(message, attempt) != named {
            return None;
        }
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        self.over(named).verify_slice(&tag).ok()?;
        Some((message, attempt))
    }

    fn over(&self, named: &str) -> Hmac<Sha256> {
        self.keyed.clone().chain_update(named)
    }
}

/// What a token names. No attempt is the 0th.
fn name(message: MessageId, attempt: Attempt) -> String {
    if attempt == Attempt::default() { message.to_string() } else { format!("{message}-{}", attempt.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_its_message_and_attempt_and_only_with_our_key() {
        let ours = ReceiptTokens::new(&[7; KEY_LENGTH]);
        let named = (MessageId(42), Attempt(3));
        let token = ours.token(named.0, named.1);
        assert_eq!(ours.verify(&token), Some(named));
        assert_eq!(ReceiptTokens::new(&[8; KEY_LENGTH]).verify(&token), None);
        let tag = token.strip_prefix("42-3.").unwrap();
        for forged in [
            format!("43-3.{tag}"),
            format!("42-4.{tag}"),
            format!("42.{tag}"),
            format!("42-0.{tag}"),
            format!("042-3.{tag}"),
            format!("+42-3.{tag}"),
            format!("42-03.{tag}"),
            format!("42-3-3.{tag}"),
            format!("42-.{tag}"),
            format!("42-3.{tag}="),
            format!("42-3.{}", &tag[1..]),
            format!("42-3.{}", tag.to_lowercase()),
            "42-3.".to_owned(),
            "42-3".to_owned(),
            "42.".to_owned(),
            "42".to_owned(),
            format!(".{tag}"),
            String::new(),
        ] {
            assert_eq!(ours.verify(&forged), None, "{forged}");
        }
    }

    /// Expected values from `printf 42 | openssl dgst -sha256 -mac HMAC -macopt hexkey:0707…` in base64url: a token that was
    /// given to a provider stays good in later versions.
    #[test]
    fn tokens_stay_the_same_over_versions() {
        let ours = ReceiptTokens::new(&[7; KEY_LENGTH]);
        let without_attempt = "42.w3XFCL4JwtdZXYI8F4gzkYwVUn0AxuSkK7_xGRTXUMY";
        assert_eq!(ours.verify(without_attempt), Some((MessageId(42), Attempt(0))));
        assert_eq!(ours.token(MessageId(42), Attempt(3)), "42-3.hh7lRBYX7bYQrKqV6uV08YqjdVszNYyXJHEnAFl23wk");
    }
}
