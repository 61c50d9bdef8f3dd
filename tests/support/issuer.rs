//! An issuer of tokens for tests: a fresh P-256 key, its public half as a key set, and signed tokens.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use serde_json::{Value, json};

/// DER of a PKCS #8 P-256 private key up to the 32 bytes of the secret (RFC 5208, RFC 5915 without the public key).
const PKCS8_P256: [u8; 35] = [
    0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01, 0x01, 0x04, 0x20,
];

/// An issuer with one key.
pub(crate) struct TestIssuer {
    /// The `iss` claim.
    pub url: String,
    /// The `kid` of its key.
    pub key_id: String,
    /// The private key.
    pub key: EncodingKey,
}

impl TestIssuer {
    /// An issuer with a fresh key.
    pub(crate) fn new(url: &str) -> Self {
        let mut der = PKCS8_P256.to_vec();
        // Below the curve's order whatever the other bytes are, and not zero.
        der.push(0x7f);
        der.extend(std::iter::repeat_with(|| fastrand::u8(..)).take(31));
        Self { url: url.into(), key_id: format!("{:016x}", fastrand::u64(..)), key: EncodingKey::from_ec_der(&der) }
    }

    /// The public half of its key, as a JSON Web Key Set.
    pub(crate) fn keys(&self) -> Value {
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&self.key, Algorithm::ES256).unwrap()).unwrap();
        jwk["kid"] = json!(self.key_id);
        jwk["use"] = json!("sig");
        json!({ "keys": [jwk] })
    }

    /// A token for `user` (the `sub` claim) and `audience`, good also on a machine whose clock is wrong by two days.
    pub(crate) fn token(&self, user: &str, audience: &str) -> String {
        let (now, days) = (jiff::Timestamp::now().as_second(), 2 * 86_400);
        let (begun, ends) = (now - days, now + days);
        self.sign(&json!({ "iss": self.url, "sub": user, "aud": [audience], "iat": begun, "nbf": begun, "exp": ends }))
    }

    /// A token with exactly these claims.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.key_id.clone()), ..Header::new(Algorithm::ES256) };
        encode(&header, claims, &self.key).unwrap()
    }
}
