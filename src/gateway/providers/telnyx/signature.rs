//! `telnyx-signature-ed25519`, checked as `webhooks.unwrap` of Telnyx' Python SDK (4.189) checks it.
//!
//! The signature is Ed25519 under the account's key over the time, a bar and the raw body. A call that is five minutes old is not believed.
//! Reference: <https://developers.telnyx.com/development/api-fundamentals/webhooks/receiving-webhooks>.

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::signature::{ED25519, UnparsedPublicKey};

use crate::gateway::providers::{Unverified, WebhookCall, only};

/// The header with the signature.
pub(super) const SIGNATURE_HEADER: &str = "telnyx-signature-ed25519";
/// The header with the time, in seconds since 1970.
const TIMESTAMP_HEADER: &str = "telnyx-timestamp";
/// How far the time may be from ours, in seconds.
const TOLERANCE_SECONDS: u64 = 300;

/// Whether the account with this public key (base64) signed the call.
///
/// # Errors
/// When it did not, or long ago.
pub(super) fn verify(public_key: &str, call: &WebhookCall) -> Result<(), Unverified> {
    let header = |name| only(&call.head.headers, name).ok_or(Unverified::Signature);
    let (signature, time) = (header(SIGNATURE_HEADER)?, header(TIMESTAMP_HEADER)?);
    let seconds: i64 = time.parse().map_err(|_| Unverified::Signature)?;
    if call.received_at.as_second().abs_diff(seconds) > TOLERANCE_SECONDS {
        return Err(Unverified::Stale);
    }
    let decode = |text: &str| BASE64_STANDARD.decode(text).map_err(|_| Unverified::Signature);
    let (public_key, signature) = (decode(public_key)?, decode(signature)?);
    let signed = [time.as_bytes(), b"|", &call.body].concat();
    UnparsedPublicKey::new(&ED25519, public_key).verify(&signed, &signature).map_err(|_| Unverified::Signature)
}
