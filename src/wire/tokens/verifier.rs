//! [`Verifier`].

use std::{
    collections::HashMap,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    errors::ErrorKind,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use parking_lot::Mutex;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::wire::config::issuers::{Issuer, key_set};

/// How far clocks may be apart.
const LEEWAY_SECONDS: u64 = 30;
/// Tokens longer than this are refused unread; real ones have 1 to 4 kB.
const MAX_TOKEN_BYTES: usize = 12 * 1024;
/// Tokens whose verdict is remembered.
const MAX_REMEMBERED: usize = 4096;

/// Who showed a token.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// The `iss` claim.
    pub issuer: String,
    /// The user's name: the issuer's prefix and the value of its user claim.
    pub user: String,
}

/// Why a token is not accepted. The caller of an HTTP interface learns no more than this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// There is no `Authorization: Bearer`.
    #[error("no token; send it as Authorization: Bearer <token>")]
    Missing,
    /// It is no signed JWT of a kind that is accepted (RS256 or ES256).
    #[error("not a token signed with RS256 or ES256")]
    Malformed,
    /// Nobody trusted issued it.
    #[error("its issuer (iss) is not trusted here")]
    UnknownIssuer,
    /// No key of the issuer signed it.
    #[error("its signature is not by a key of its issuer")]
    Signature,
    /// It is meant for others.
    #[error("it is meant for another audience (aud)")]
    Audience,
    /// It is later than `exp` allows.
    #[error("it has expired (exp)")]
    Expired,
    /// Its time has not come.
    #[error("it is not valid yet (nbf)")]
    NotYetValid,
    /// The claim that names the user is missing, empty, or an e-mail address that nobody verified.
    #[error("it does not name a user")]
    NoUser,
}

/// An issuer's keys are not a JSON Web Key Set.
#[derive(Debug, thiserror::Error)]
#[error("keys of issuer {issuer}: expected a JSON Web Key Set, an object with a list \"keys\"")]
pub struct InvalidKeys {
    issuer: String,
}

/// Checks tokens offline against the issuers of a configuration: signature, issuer, audience, time.
///
/// Verdicts on good tokens are remembered until the token expires; a new configuration makes a new verifier, so that a key
/// that was withdrawn counts no more.
pub struct Verifier {
    issuers: Vec<Trusted>,
    remembered: Mutex<HashMap<[u8; 32], Remembered>>,
}

struct Trusted {
    issuer: String,
    user_claim: String,
    user_prefix: String,
    audience: String,
    keys: Vec<Key>,
}

struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

#[derive(Clone)]
struct Remembered {
    identity: Arc<Identity>,
    until: SystemTime,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.issuers.iter().map(|trusted| (&trusted.issuer, &trusted.audience, trusted.keys.len())))
            .finish()
    }
}

/// The token of an `Authorization` header.
///
/// # Errors
/// [`TokenError::Missing`] when there is none or of another scheme.
pub fn bearer(headers: &axum::http::HeaderMap) -> Result<&str, TokenError> {
    let value = headers
        .get(axum::http::header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .ok_or(TokenError::Missing)?;
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => Ok(token.trim()),
        _ => Err(TokenError::Missing),
    }
}

impl Verifier {
    /// A verifier that trusts these issuers. Keys of other kinds than RSA and P-256 are left out, as RFC 7517 asks.
    ///
    /// # Errors
    /// When an issuer's `keys` are no key set.
    pub fn new(issuers: &[Issuer]) -> Result<Self, InvalidKeys> {
        let issuers = issuers.iter().map(Trusted::new).collect::<Result<_, _>>()?;
        Ok(Self { issuers, remembered: Mutex::default() })
    }

    /// Who showed `token`.
    ///
    /// # Errors
    /// When it is not a good token of a trusted issuer for its audience.
    pub fn verify(&self, token: &str) -> Result<Arc<Identity>, TokenError> {
        self.verify_until(token).map(|(identity, _)| identity)
    }

    /// Who showed `token`, and when the token expires: for what goes on longer than one request.
    ///
    /// # Errors
    /// As [`Verifier::verify`].
    pub fn verify_until(&self, token: &str) -> Result<(Arc<Identity>, SystemTime), TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Malformed);
        }
        let digest: [u8; 32] = Sha256::digest(token).into();
        if let Some(verdict) = self.recall(&digest) {
            return Ok(verdict);
        }
        let (identity, until) = self.check(token)?;
        let identity = Arc::new(identity);
        self.remember(digest, Remembered { identity: Arc::clone(&identity), until });
        Ok((identity, until))
    }

    fn recall(&self, digest: &[u8; 32]) -> Option<(Arc<Identity>, SystemTime)> {
        let mut remembered = self.remembered.lock();
        let found = remembered.get(digest)?;
        if found.until > SystemTime::now() {
            return Some((Arc::clone(&found.identity), found.until));
        }
        remembered.remove(digest);
        None
    }

    fn remember(&self, digest: [u8; 32], verdict: Remembered) {
        let mut remembered = self.remembered.lock();
        if remembered.len() >= MAX_REMEMBERED {
            remembered.clear();
        }
        remembered.insert(digest, verdict);
    }

    fn check(&self, token: &str) -> Result<(Identity, SystemTime), TokenError> {
        let header = decode_header(token).map_err(|_| TokenError::Malformed)?;
        if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256) {
            return Err(TokenError::Malformed);
        }
        let claimed: Map<String, Value> =
            jsonwebtoken::dangerous::insecure_decode_claims(token).map_err(|_| TokenError::Malformed)?;
        let issuer = claimed.get("iss").and_then(Value::as_str).ok_or(TokenError::UnknownIssuer)?;
        // The same issuer may be trusted for several audiences, each with its own claim and prefix.
        let mut verdict = Err(TokenError::UnknownIssuer);
        for trusted in self.issuers.iter().filter(|trusted| trusted.issuer == issuer) {
            verdict = trusted.check(token, header.alg, header.kid.as_deref());
            if verdict.is_ok() {
                break;
            }
        }
        verdict
    }
}

impl Trusted {
    fn new(issuer: &Issuer) -> Result<Self, InvalidKeys> {
        let keys = key_set(&issuer.keys).ok_or_else(|| InvalidKeys { issuer: issuer.issuer.clone() })?;
        Ok(Self {
            issuer: issuer.issuer.clone(),
            audience: issuer.audience.clone(),
            user_claim: issuer.user_claim.clone(),
            user_prefix: issuer.user_prefix.clone(),
            keys: keys.iter().filter_map(Key::new).collect(),
        })
    }

    fn check(
        &self,
        token: &str,
        algorithm: Algorithm,
        key_id: Option<&str>,
    ) -> Result<(Identity, SystemTime), TokenError> {
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["iss", "aud", "exp"]);
        let fits = |key: &&Key| key.algorithm == algorithm && (key_id.is_none() || key.id.as_deref() == key_id);
        for key in self.keys.iter().filter(fits) {
            match decode::<Map<String, Value>>(token, &key.key, &validation) {
                Ok(data) => return self.identity(&data.claims),
                Err(error) => match error.kind() {
                    ErrorKind::ExpiredSignature => return Err(TokenError::Expired),
                    ErrorKind::ImmatureSignature => return Err(TokenError::NotYetValid),
                    ErrorKind::InvalidAudience => return Err(TokenError::Audience),
                    ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => return Err(TokenError::Audience),
                    ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) => {
                        return Err(TokenError::Malformed);
                    }
                    // The library's own list may grow; whatever else is wrong, this key did not sign a good token.
                    _ => {}
                },
            }
        }
        Err(TokenError::Signature)
    }

    fn identity(&self, claims: &Map<String, Value>) -> Result<(Identity, SystemTime), TokenError> {
        let user = claims
            .get(&self.user_claim)
            .and_then(Value::as_str)
            .filter(|user| !user.is_empty())
            .ok_or(TokenError::NoUser)?;
        // As the API server does: an address that its issuer does not vouch for names nobody.
        if self.user_claim == "email"
            && claims.get("email_verified").is_some_and(|verified| verified != &Value::Bool(true))
        {
            return Err(TokenError::NoUser);
        }
        let expires = claims.get("exp").and_then(Value::as_f64).ok_or(TokenError::Malformed)?;
        let expires = Duration::try_from_secs_f64(expires).map_err(|_| TokenError::Malformed)?;
        let until = SystemTime::UNIX_EPOCH.checked_add(expires).ok_or(TokenError::Malformed)?;
        Ok((Identity { issuer: self.issuer.clone(), user: format!("{}{user}", self.user_prefix) }, until))
    }
}

impl Key {
    /// The algorithm follows from the key, never from the token: a public key cannot be taken for an HMAC secret.
    fn new(jwk: &Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(jwk.clone()).ok()?;
        if matches!(jwk.common.public_key_use, Some(PublicKeyUse::Encryption | PublicKeyUse::Other(_))) {
            return None;
        }
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => Algorithm::RS256,
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => Algorithm::ES256,
            // Symmetric keys, other curves, and whatever the library learns later.
            _ => return None,
        };
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        Some(Self { id: jwk.common.key_id, algorithm, key })
    }
}

#[cfg(test)]
#[path = "verifier_tests.rs"]
mod tests;
