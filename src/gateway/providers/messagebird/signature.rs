//! `MessageBird-Signature-JWT`, checked as `RequestValidator` of MessageBird's Python SDK (2.2) checks it.
//!
//! A JSON Web Token under the signing key (HMAC with SHA-256, 384 or 512), of MessageBird, with a time from and until which it is good. It holds SHA-256
//! of the address that was called, with its query, and of the body if there is one.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::gateway::providers::{Unverified, WebhookCall, only};

/// The header with the token.
pub(super) const HEADER: &str = "messagebird-signature-jwt";
/// `iss` of every token.
const ISSUER: &str = "MessageBird";
/// How far the clocks may be apart, in seconds.
const LEEWAY_SECONDS: u64 = 1;

#[derive(Deserialize)]
struct Claims {
    /// One text, and not a list of which one fits.
    iss: String,
    url_hash: String,
    #[serde(default)]
    payload_hash: Option<String>,
}

/// Whether the account with this key signed the call.
///
/// # Errors
/// When it did not, or at another time.
pub(super) fn verify(signing_key: &str, call: &WebhookCall) -> Result<(), Unverified> {
    use jsonwebtoken::errors::ErrorKind;
    let token = only(&call.head.headers, HEADER).ok_or(Unverified::Signature)?;
    let mut validation = Validation::new(Algorithm::HS256);
    validation.algorithms = vec![Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
    validation.set_issuer(&[ISSUER]);
    validation.set_required_spec_claims(&["iss", "nbf", "exp"]);
    validation.validate_nbf = true;
    validation.leeway = LEEWAY_SECONDS;
    let key = DecodingKey::from_secret(signing_key.as_bytes());
    let claims = match decode::<Claims>(token, &key, &validation) {
        Ok(decoded) => decoded.claims,
        Err(error) => {
            return Err(match error.kind() {
                ErrorKind::ExpiredSignature | ErrorKind::ImmatureSignature => Unverified::Stale,
                _ => Unverified::Signature,
            });
        }
    };
    let url_fits = hash(call.head.url.as_bytes()).as_bytes().ct_eq(claims.url_hash.as_bytes());
    let body_fits = match claims.payload_hash.filter(|hash| !hash.is_empty()) {
        Some(claimed) if !call.body.is_empty() => hash(&call.body).as_bytes().ct_eq(claimed.as_bytes()).into(),
        None => call.body.is_empty(),
        Some(_) => false,
    };
    if bool::from(url_fits) && body_fits && claims.iss == ISSUER { Ok(()) } else { Err(Unverified::Signature) }
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        gateway::{providers::CallHead, public_url::Hook},
        process::crypto::install_providers,
    };
    use axum::http::{HeaderMap, Method};
    use jiff::Timestamp;
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::{Value, json};

    const URL: &str = "https://sms.example.com/hooks/status?id=M1&status=sent";

    fn verified(claims: &Value, signing_key: &str, url: &str, body: &str) -> Result<(), Unverified> {
        install_providers();
        let token = encode(&Header::default(), claims, &EncodingKey::from_secret(b"key")).unwrap();
        let headers = HeaderMap::from_iter([(HEADER.parse().unwrap(), token.parse().unwrap())]);
        let head = CallHead { hook: Hook::Status, method: Method::GET, url: url.to_owned(), query: None, headers };
        verify(signing_key, &WebhookCall { head, body: body.to_owned().into(), received_at: Timestamp::now() })
    }

    #[test]
    fn only_what_was_signed_and_is_of_this_time_is_believed() {
        let now = Timestamp::now().as_second();
        let claims = |more: Value| {
            let mut claims =
                json!({"iss": "MessageBird", "nbf": now, "exp": now + 60, "url_hash": hash(URL.as_bytes())});
            more.as_object().unwrap().iter().for_each(|(name, value)| claims[name] = value.clone());
            claims
        };
        let with_body = claims(json!({"payload_hash": hash(b"body")}));
        assert_eq!(verified(&claims(json!({})), "key", URL, ""), Ok(()));
        assert_eq!(verified(&with_body, "key", URL, "body"), Ok(()));
        for (claims, key, url, body) in [
            (claims(json!({})), "other", URL, ""),
            (claims(json!({})), "", URL, ""),
            (claims(json!({})), "key", "https://sms.example.com/hooks/status?id=M1&status=delivered", ""),
            (claims(json!({})), "key", URL, "body"),
            (with_body.clone(), "key", URL, "another"),
            (with_body, "key", URL, ""),
            (claims(json!({"iss": "Somebody"})), "key", URL, ""),
            (claims(json!({"iss": ["MessageBird"]})), "key", URL, ""),
            (claims(json!({"url_hash": null})), "key", URL, ""),
            (claims(json!({"exp": null})), "key", URL, ""),
            (claims(json!({"nbf": null})), "key", URL, ""),
        ] {
            assert_eq!(verified(&claims, key, url, body), Err(Unverified::Signature), "{claims} {key} {url} {body}");
        }
        assert_eq!(verified(&claims(json!({"exp": now - 10})), "key", URL, ""), Err(Unverified::Stale));
        assert_eq!(verified(&claims(json!({"nbf": now + 10})), "key", URL, ""), Err(Unverified::Stale));
    }
}
