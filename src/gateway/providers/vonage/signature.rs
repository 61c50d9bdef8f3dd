//! `sig`, checked as `Auth.check_signature` of Vonage's Python SDK (vonage-http-client 1.5) checks it, and for "MD5 hash", which that SDK does not
//! know, as `Client\Signature` of the PHP SDK does.
//!
//! What is signed: all parameters but `sig`, sorted by name, each as `&name=value` with `&` and `=` in the value replaced by `_`. "MD5 hash" is
//! MD5 over that and the secret, the others are HMAC under the secret; hexadecimal digits in either case.
//! Reference: <https://developer.vonage.com/en/getting-started/concepts/signing-messages>.

use std::{collections::BTreeMap, fmt::Write as _};

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use md5::{Digest, Md5};
use serde::Deserialize;
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;

use super::parameters::{Parameters, SIGNATURE};
use crate::gateway::providers::Unverified;

/// The parameter with the time, in seconds since 1970.
const TIMESTAMP: &str = "timestamp";
/// How far the time may be ahead of ours, in seconds: what Vonage's Java SDK allows.
const AHEAD_SECONDS: i64 = 300;
/// How old a call may be, in seconds. Vonage brings a message again for 24 hours, and does not say that the time is then another one. A call that is
/// brought twice does no harm: its message is known by its id.
const AGE_SECONDS: i64 = 24 * 3600 + AHEAD_SECONDS;

/// How an account's webhooks are signed: `signatureMethod` of the connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Method {
    Md5Hash,
    HmacMd5,
    HmacSha1,
    HmacSha256,
    HmacSha512,
}

/// Whether the account with this secret signed the parameters.
///
/// # Errors
/// When it did not, or too long ago.
pub(super) fn verify(
    method: Method,
    secret: &str,
    parameters: &Parameters,
    received_at: Timestamp,
) -> Result<(), Unverified> {
    let mut sorted = BTreeMap::new();
    for (name, value) in &parameters.0 {
        // A name that comes twice has no one value. One with these characters could pass for two parameters: only values are protected.
        if name.contains(['&', '=']) || sorted.insert(name.as_str(), value.as_str()).is_some() {
            return Err(Unverified::Signature);
        }
    }
    let given = sorted.remove(SIGNATURE).ok_or(Unverified::Signature)?.to_ascii_lowercase();
    let expected = sign(method, secret, &sorted);
    if !bool::from(expected.as_bytes().ct_eq(given.as_bytes())) {
        return Err(Unverified::Signature);
    }
    let seconds: i64 = sorted.get(TIMESTAMP).and_then(|time| time.parse().ok()).ok_or(Unverified::Signature)?;
    let age = received_at.as_second().saturating_sub(seconds);
    if (-AHEAD_SECONDS..=AGE_SECONDS).contains(&age) { Ok(()) } else { Err(Unverified::Stale) }
}

fn sign(method: Method, secret: &str, sorted: &BTreeMap<&str, &str>) -> String {
    let signed: String =
        sorted.iter().map(|(name, value)| format!("&{name}={}", value.replace(['&', '='], "_"))).collect();
    match method {
        Method::Md5Hash => hex(&Md5::new().chain_update(&signed).chain_update(secret).finalize()),
        Method::HmacMd5 => mac::<Hmac<Md5>>(secret, &signed),
        Method::HmacSha1 => mac::<Hmac<Sha1>>(secret, &signed),
        Method::HmacSha256 => mac::<Hmac<Sha256>>(secret, &signed),
        Method::HmacSha512 => mac::<Hmac<Sha512>>(secret, &signed),
    }
}

fn mac<M: Mac + KeyInit>(secret: &str, signed: &str) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = <M as KeyInit>::new_from_slice(secret.as_bytes()).expect("any length is a key");
    mac.update(signed.as_bytes());
    hex(&mac.finalize().into_bytes())
}

fn hex(digest: &[u8]) -> String {
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: i64 = 1_700_000_000;
    /// By Python's hashlib and hmac over `&messageId=M1&text=a_b_c é&timestamp=1700000000`.
    const SIGNED: [(Method, &str); 5] = [
        (Method::Md5Hash, "2ff84064a598c9740492911263275bbb"),
        (Method::HmacMd5, "76c93fe0bc310552a1341eafb3c12f3f"),
        (Method::HmacSha1, "717195cea8e31acab22480e7c4bd4c5d033dd8f3"),
        (Method::HmacSha256, "c09ffd4ff62ed8297bb5eaf236829b4929545bff12bf4136fbef91232101ac93"),
        (
            Method::HmacSha512,
            "d5abab1deb45b7c89849d887d853b906100f2ea5955ebedfdaa9219f164e5c72656508294458d250a87a801674bcb98c411c1f9097f3a363b9361665f4be3fa5",
        ),
    ];

    fn verified(method: Method, pairs: &[(&str, &str)], at: i64) -> Result<(), Unverified> {
        let owned = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        verify(method, "secret", &Parameters(owned), Timestamp::from_second(at).unwrap())
    }

    #[test]
    fn each_method_is_known() {
        for (method, sig) in SIGNED {
            let capitals = sig.to_uppercase();
            for sig in [sig, &capitals] {
                let pairs = [("text", "a&b=c é"), ("sig", sig), ("timestamp", "1700000000"), ("messageId", "M1")];
                assert_eq!(verified(method, &pairs, AT), Ok(()), "{method:?}");
            }
            for (other, sig) in SIGNED.into_iter().filter(|(other, _)| *other != method) {
                let pairs = [("text", "a&b=c é"), ("sig", sig), ("timestamp", "1700000000"), ("messageId", "M1")];
                assert_eq!(verified(method, &pairs, AT), Err(Unverified::Signature), "{method:?} by {other:?}");
            }
        }
    }

    #[test]
    fn only_what_was_signed_is_believed() {
        let (method, sig) = SIGNED[3];
        let good = [("messageId", "M1"), ("sig", sig), ("text", "a&b=c é"), ("timestamp", "1700000000")];
        assert_eq!(verified(method, &good, AT), Ok(()));
        for at in 0..good.len() {
            let without: Vec<_> = good.iter().copied().enumerate().filter(|(nth, _)| *nth != at).collect();
            let without: Vec<_> = without.into_iter().map(|(_, pair)| pair).collect();
            assert_eq!(verified(method, &without, AT), Err(Unverified::Signature), "without {}", good[at].0);
            let mut twice = good.to_vec();
            twice.push(good[at]);
            assert_eq!(verified(method, &twice, AT), Err(Unverified::Signature), "{} twice", good[at].0);
        }
        // The same text is signed, but the name is not one that Vonage uses.
        let joined = [("messageId=M1&text", "a&b=c é"), ("sig", sig), ("timestamp", "1700000000")];
        assert_eq!(verified(method, &joined, AT), Err(Unverified::Signature));
        assert_eq!(verified(method, &[], AT), Err(Unverified::Signature));
    }

    #[test]
    fn a_call_is_good_for_as_long_as_vonage_repeats_it() {
        let (method, sig) = SIGNED[3];
        let pairs = [("messageId", "M1"), ("sig", sig), ("text", "a&b=c é"), ("timestamp", "1700000000")];
        let cases = [
            (AT - 300, Ok(())),
            (AT - 301, Err(Unverified::Stale)),
            (AT + 24 * 3600, Ok(())),
            (AT + 24 * 3600 + 301, Err(Unverified::Stale)),
        ];
        for (at, verdict) in cases {
            assert_eq!(verified(method, &pairs, at), verdict, "{}", at - AT);
        }
    }
}
