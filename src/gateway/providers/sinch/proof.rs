//! By what a webhook of Sinch is believed: `x-sinch-webhook-signature`, checked as `validate_authentication_header` of Sinch's Python SDK
//! (2.3) checks it, or basic authentication.
//!
//! The signature is base64 of HMAC-SHA256 over the raw body, a dot, a nonce, a dot and a time. The time is part of what is signed and not
//! compared with ours, as in the SDK: Sinch comes again for 23 hours, nobody says that it signs again then, and what it is refused for with 403
//! it never brings again. What came before is known by its id.
//!
//! <https://developers.sinch.com/docs/sms/api-reference/sms/webhooks>: Sinch sets up either on request.

use axum::http::HeaderMap;
use base64::{Engine, prelude::BASE64_STANDARD};
use ring::hmac;
use subtle::ConstantTimeEq;

use crate::gateway::{
    credentials::Secret,
    providers::{Unverified, WebhookCall, basic, only},
};

const SIGNATURE_HEADER: &str = "x-sinch-webhook-signature";
const NONCE_HEADER: &str = "x-sinch-webhook-signature-nonce";
const TIMESTAMP_HEADER: &str = "x-sinch-webhook-signature-timestamp";
const ALGORITHM_HEADER: &str = "x-sinch-webhook-signature-algorithm";
/// The only algorithm that there is so far.
const ALGORITHM: &str = "HmacSHA256";

/// What Sinch proves itself by.
#[derive(Debug)]
pub(super) enum Proof {
    /// A signature.
    Signature { secret: Secret },
    /// A user and a password.
    Basic { user: Secret, password: Secret },
}

impl Proof {
    /// Whether there is such a proof, as far as the head says.
    pub(super) fn is_there(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::Signature { .. } => only(headers, SIGNATURE_HEADER).is_some(),
            Self::Basic { user, password } => basic::verify(headers, user, password).is_ok(),
        }
    }

    /// Whether Sinch made the call.
    ///
    /// # Errors
    /// When nothing proves it.
    pub(super) fn verify(&self, call: &WebhookCall) -> Result<(), Unverified> {
        let headers = &call.head.headers;
        match self {
            Self::Signature { secret } if is_signed(secret, headers, &call.body).unwrap_or(false) => Ok(()),
            Self::Signature { .. } => Err(Unverified::Signature),
            Self::Basic { user, password } => basic::verify(headers, user, password),
        }
    }
}

fn is_signed(secret: &Secret, headers: &HeaderMap, body: &[u8]) -> Option<bool> {
    // An algorithm that is not known must fail; Sinch's own SDKs take none for the only one.
    if headers.contains_key(ALGORITHM_HEADER) && only(headers, ALGORITHM_HEADER)? != ALGORITHM {
        return Some(false);
    }
    let (given, nonce) = (only(headers, SIGNATURE_HEADER)?, only(headers, NONCE_HEADER)?);
    let timestamp = only(headers, TIMESTAMP_HEADER)?;
    let signed = [body, b".", nonce.as_bytes(), b".", timestamp.as_bytes()].concat();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes());
    let expected = BASE64_STANDARD.encode(hmac::sign(&key, &signed));
    Some(expected.as_bytes().ct_eq(given.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::{providers::CallHead, public_url::Hook};
    use axum::http::Method;

    fn believed(proof: &Proof, headers: &[(&'static str, &str)]) -> bool {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let claims = proof.is_there(&headers);
        let head = CallHead { hook: Hook::Inbound, method: Method::POST, url: String::new(), query: None, headers };
        let received_at = "2026-01-02T03:04:05Z".parse().unwrap();
        let believed = proof.verify(&WebhookCall { head, body: "{}".into(), received_at }).is_ok();
        assert!(claims || !believed);
        believed
    }

    #[test]
    fn signatures_are_checked() {
        let proof = Proof::Signature { secret: "foo_secret1234".into() };
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"foo_secret1234");
        let signature = BASE64_STANDARD.encode(hmac::sign(&key, b"{}.N1.1634579353"));
        let all = [
            (SIGNATURE_HEADER, signature.as_str()),
            (NONCE_HEADER, "N1"),
            (TIMESTAMP_HEADER, "1634579353"),
            (ALGORITHM_HEADER, "HmacSHA256"),
        ];
        assert!(believed(&proof, &all));
        assert!(believed(&proof, &all[..3]), "the SDK does not ask for the algorithm");
        for changed in 0..4 {
            let mut others = all;
            others[changed].1 = "AAAA";
            assert!(!believed(&proof, &others), "{changed}");
        }
        for absent in 0..3 {
            let others = all.iter().enumerate().filter(|(at, _)| *at != absent).map(|(_, header)| *header);
            assert!(!believed(&proof, &others.collect::<Vec<_>>()), "{absent}");
        }
    }

    #[test]
    fn users_and_passwords_are_compared() {
        let proof = Proof::Basic { user: "sinch".into(), password: "p:w".into() };
        let shown = |scheme: &str, text: &str| format!("{scheme} {}", BASE64_STANDARD.encode(text));
        assert!(believed(&proof, &[("authorization", &shown("Basic", "sinch:p:w"))]));
        assert!(believed(&proof, &[("authorization", &shown("basic", "sinch:p:w"))]));
        for wrong in [shown("Basic", "sinch:p"), shown("Bearer", "sinch:p:w"), shown("Basic", ""), "Basic".into()] {
            assert!(!believed(&proof, &[("authorization", &wrong)]), "{wrong}");
        }
        assert!(!believed(&proof, &[]));
    }
}
