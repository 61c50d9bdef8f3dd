//! How the simulator signs the webhooks that it calls.
//!
//! The header [`HEADER`] is `t=<unix seconds>,v1=<hex>`, the hex being the HMAC-SHA256 under the account's token over
//! `<t>.<url>.<body>`: the public URL exactly as configured, query included, and the raw bytes of the body. During a
//! rotation of the token the header may carry several `v1`; one that fits is enough.

use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;
use std::fmt::Write;
use subtle::ConstantTimeEq;

/// The header that carries the signature.
pub const HEADER: &str = "x-aldis-simulator-signature";

/// How far the signature's time may be from the receiver's clock, either way.
pub const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// Most `v1` values that are tried: the token, the one before it, and room for one more.
const MAX_VALUES: usize = 3;

/// Why a webhook is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is no token to check with; nothing can be believed then.
    #[error("there is no token to check the signature with")]
    NoToken,
    /// The header is missing or not of the form described above.
    #[error("the header {HEADER} is missing or is not of the form t=<unix seconds>,v1=<hex>")]
    Malformed,
    /// The time is too far from now.
    #[error("the signature's time is more than five minutes from now")]
    Expired,
    /// It was made with another token, for another URL, or over another body.
    #[error("the signature does not fit the token, the public URL and the body")]
    Mismatch,
}

/// The value of [`HEADER`] for one webhook call.
pub fn sign(token: &str, at: Timestamp, url: &str, body: &[u8]) -> String {
    let seconds = at.as_second().to_string();
    let mut header = format!("t={seconds},v1=");
    for byte in digest(token, &seconds, url, body) {
        // Writing to a String cannot fail.
        let _ = write!(header, "{byte:02x}");
    }
    header
}

/// Checks a webhook call.
///
/// * `header`: the value of [`HEADER`], if the request has one.
/// * `url`: the public URL as configured at the provider, with the query as it came; never built from `Host`.
/// * `body`: the raw bytes.
///
/// # Errors
/// Why the call is not believed. It fails closed: an empty token believes nothing.
pub fn verify(token: &str, header: Option<&str>, url: &str, body: &[u8], now: Timestamp) -> Result<(), SignatureError> {
    if token.is_empty() {
        return Err(SignatureError::NoToken);
    }
    let (seconds, values) = parse(header.unwrap_or_default()).ok_or(SignatureError::Malformed)?;
    let at = seconds.parse().ok().and_then(|s| Timestamp::from_second(s).ok()).ok_or(SignatureError::Malformed)?;
    if now.duration_since(at).abs() > TOLERANCE {
        return Err(SignatureError::Expired);
    }
    let wanted = digest(token, seconds, url, body);
    let fits = values.iter().fold(subtle::Choice::from(0), |fits, value| fits | value.ct_eq(&wanted));
    if bool::from(fits) { Ok(()) } else { Err(SignatureError::Mismatch) }
}

fn digest(token: &str, seconds: &str, url: &str, body: &[u8]) -> [u8; 32] {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(token.as_bytes()).expect("any length is a key");
    for piece in [seconds.as_bytes(), b".", url.as_bytes(), b".", body] {
        mac.update(piece);
    }
    mac.finalize().into_bytes().into()
}

/// The time as written, and the digests. Unknown keys are passed over, so that a `v2` can be added beside.
fn parse(header: &str) -> Option<(&str, Vec<[u8; 32]>)> {
    let mut seconds = None;
    let mut values = Vec::new();
    for pair in header.split(',') {
        match pair.trim().split_once('=')? {
            ("t", _) if seconds.is_some() => return None,
            ("t", t) => seconds = Some(t),
            ("v1", hex) if values.len() < MAX_VALUES => values.push(digest_from_hex(hex)?),
            ("v1", _) => return None,
            _ => {}
        }
    }
    // The time is signed as written, so only the plain form is taken: no sign, no leading zero.
    let seconds = seconds.filter(|t| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit()) && !t.starts_with('0'))?;
    (!values.is_empty()).then_some((seconds, values))
}

fn digest_from_hex(hex: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    if pairs.len() != digest.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
        let nibble = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok());
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "it is a secret";
    const URL: &str = "https://sms.example.com/desk/hooks/status?t=abc";
    const BODY: &[u8] = br#"{"id":"SM1"}"#;

    fn now() -> Timestamp {
        Timestamp::from_second(1_700_000_000).unwrap()
    }

    fn signed() -> String {
        sign(TOKEN, now(), URL, BODY)
    }

    #[test]
    fn a_signature_is_what_openssl_computes() {
        // printf '1700000000.https://sms.example.com/desk/hooks/status?t=abc.{"id":"SM1"}' |
        //   openssl dgst -sha256 -hmac 'it is a secret'
        assert_eq!(signed(), "t=1700000000,v1=8b55ccca9a30d5df3669c9e4f870c463c5038e6a26e82561a6816a9900a716fa");
    }

    #[test]
    fn what_was_signed_is_believed() {
        assert_eq!(verify(TOKEN, Some(&signed()), URL, BODY, now()), Ok(()));
        let rotating = format!("{},v1={}", sign("the new token", now(), URL, BODY), &signed()[16..]);
        assert_eq!(verify(TOKEN, Some(&rotating), URL, BODY, now()), Ok(()));
        let future = format!("{},v2=abc", signed());
        assert_eq!(verify(TOKEN, Some(&future), URL, BODY, now()), Ok(()));
    }

    #[test]
    fn anything_else_is_not() {
        use SignatureError::{Malformed, Mismatch, NoToken};
        let good = signed();
        let hex = &good[16..];
        assert_eq!(verify("", Some(&good), URL, BODY, now()), Err(NoToken));
        assert_eq!(verify("another token", Some(&good), URL, BODY, now()), Err(Mismatch));
        assert_eq!(
            verify(TOKEN, Some(&good), "https://sms.example.com/desk/hooks/status?t=abd", BODY, now()),
            Err(Mismatch)
        );
        assert_eq!(verify(TOKEN, Some(&good), URL, br#"{"id":"SM2"}"#, now()), Err(Mismatch));
        assert_eq!(verify(TOKEN, Some(&format!("t=1700000001,v1={hex}")), URL, BODY, now()), Err(Mismatch));
        assert_eq!(verify(TOKEN, None, URL, BODY, now()), Err(Malformed));
        for header in [
            String::new(),
            "t=1700000000".into(),
            format!("v1={hex}"),
            format!("t=,v1={hex}"),
            format!("t=-5,v1={hex}"),
            format!("t=01700000000,v1={hex}"),
            format!("t=1700000000,t=1700000000,v1={hex}"),
            format!("t=99999999999999999999,v1={hex}"),
            format!("t=1700000000,v1={}", &hex[1..]),
            format!("t=1700000000,v1={hex}00"),
            format!("t=1700000000,v1=zz{}", &hex[2..]),
            format!("t=1700000000,v1={hex},v1={hex},v1={hex},v1={hex}"),
            format!("t=1700000000,v1={hex},nonsense"),
        ] {
            assert_eq!(verify(TOKEN, Some(&header), URL, BODY, now()), Err(Malformed), "{header}");
        }
    }

    #[test]
    fn a_signature_is_good_for_five_minutes_either_way() {
        for seconds in [-301_i64, -300, 0, 300, 301] {
            let then = now() + SignedDuration::from_secs(seconds);
            let expected = if seconds.abs() > 300 { Err(SignatureError::Expired) } else { Ok(()) };
            assert_eq!(verify(TOKEN, Some(&signed()), URL, BODY, then), expected, "{seconds} s");
        }
    }
}
