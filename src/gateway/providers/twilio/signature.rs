//! `X-Twilio-Signature`, checked as `RequestValidator` of Twilio's Python SDK (9.13) checks it.
//!
//! The signature is base64 of an HMAC over the URL, followed for form bodies by each distinct name and value in order. The URL is tried
//! with and without its port, since Twilio signs either. A body that is no form is bound by `bodySHA256` in the query.
//! Reference: <https://www.twilio.com/docs/usage/webhooks/webhooks-security>.

use std::{borrow::Cow, collections::BTreeSet};

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::gateway::providers::form;

/// The header with the signature.
pub(crate) const SIGNATURE_HEADER: &str = "x-twilio-signature";
/// The header that names another algorithm than HMAC-SHA1: `key=…,algorithm=…`.
pub(super) const SETTINGS_HEADER: &str = "x-twilio-webhooks-signature-settings";
/// The query parameter with the hash of a body that is no form.
const BODY_HASH: &str = "bodySHA256";

/// The body of a webhook, as far as the signature is concerned.
#[derive(Clone, Copy, Debug)]
pub(super) enum SignedBody<'a> {
    /// Names and values of a form: the signature covers them.
    Form(&'a [(String, String)]),
    /// Anything else: `bodySHA256` covers it.
    Raw(&'a [u8]),
}

/// One webhook, as far as the signature is concerned.
#[derive(Clone, Copy, Debug)]
pub(super) struct SignedRequest<'a> {
    /// The public URL that Twilio called, with the query as it came.
    pub url: &'a str,
    /// The body.
    pub body: SignedBody<'a>,
    /// Value of [`SIGNATURE_HEADER`].
    pub signature: &'a str,
    /// Value of [`SETTINGS_HEADER`], if there is one.
    pub settings: Option<&'a str>,
}

#[derive(Clone, Copy)]
enum Algorithm {
    HmacSha1,
    HmacSha256,
}

impl SignedRequest<'_> {
    /// Whether one of `tokens` signed the request. No token, no belief.
    pub(super) fn signed_by<'t>(&self, tokens: impl IntoIterator<Item = &'t str>) -> bool {
        let Some(algorithm) = algorithm(self.settings) else { return false };
        let Some((body_fits, parameters)) = self.parameters() else { return false };
        let urls = [without_port(self.url), with_port(self.url)];
        // Every token and form of the URL is tried, so that the time tells nothing.
        let mut signed = Choice::from(0);
        for token in tokens.into_iter().filter(|token| !token.is_empty()) {
            for url in &urls {
                let expected = compute(token, url, &parameters, algorithm);
                signed |= expected.as_bytes().ct_eq(self.signature.as_bytes());
            }
        }
        bool::from(signed & body_fits)
    }

    /// Whether the hash in the URL fits the body, and the parameters that are signed. `None`: a body that nothing covers.
    fn parameters(&self) -> Option<(Choice, BTreeSet<(&str, &str)>)> {
        let body = match self.body {
            SignedBody::Form(pairs) => {
                let parameters = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                return Some((Choice::from(1), parameters));
            }
            SignedBody::Raw(body) => body,
        };
        match body_hash(self.url) {
            Some(claimed) => Some((hex(&Sha256::digest(body)).as_bytes().ct_eq(claimed.as_bytes()), BTreeSet::new())),
            None if body.is_empty() => Some((Choice::from(1), BTreeSet::new())),
            None => None,
        }
    }
}

/// The algorithm that the settings name; `None` for one that is not known, which must fail.
fn algorithm(settings: Option<&str>) -> Option<Algorithm> {
    let named = settings
        .unwrap_or_default()
        .split(',')
        .filter_map(|part| part.split_once('='))
        .find(|(name, value)| name.trim() == "algorithm" && !value.trim().is_empty());
    match named.map(|(_, value)| value.trim().to_uppercase()).as_deref() {
        None | Some("HMAC_SHA1") => Some(Algorithm::HmacSha1),
        Some("HMAC_SHA256") => Some(Algorithm::HmacSha256),
        Some(_) => None,
    }
}

fn compute(token: &str, url: &str, parameters: &BTreeSet<(&str, &str)>, algorithm: Algorithm) -> String {
    let pieces = || std::iter::once(url).chain(parameters.iter().flat_map(|(name, value)| [*name, *value]));
    match algorithm {
        Algorithm::HmacSha1 => BASE64_STANDARD.encode(mac::<Hmac<Sha1>>(token, pieces())),
        Algorithm::HmacSha256 => BASE64_STANDARD.encode(mac::<Hmac<Sha256>>(token, pieces())),
    }
}

fn mac<'a, M: Mac + KeyInit>(token: &str, pieces: impl Iterator<Item = &'a str>) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = <M as KeyInit>::new_from_slice(token.as_bytes()).expect("any length is a key");
    pieces.for_each(|piece| mac.update(piece.as_bytes()));
    mac.finalize().into_bytes().to_vec()
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The first value of `bodySHA256` in the query that is not blank.
fn body_hash(url: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    form::find(query.as_bytes(), BODY_HASH)
}

/// A URL in three parts: up to and with `//`, host and port, the rest. The public URL is checked when it is configured.
fn split(url: &str) -> (&str, &str, &str) {
    let host = url.find("://").map_or(0, |at| at + 3);
    let rest = url[host..].find(['/', '?', '#']).map_or(url.len(), |at| host + at);
    // A query that is there but empty is not signed.
    let end =
        if url[rest..].ends_with('?') && url[rest..].matches('?').count() == 1 { url.len() - 1 } else { url.len() };
    (&url[..host], &url[host..rest], &url[rest..end])
}

/// The port that stands in the URL; Twilio's validator takes port 0 for none.
fn port(host: &str) -> Option<u16> {
    let after_brackets = host.rsplit_once(']').map_or(host, |(_, after)| after);
    after_brackets.split_once(':').and_then(|(_, port)| port.parse().ok()).filter(|port| *port != 0)
}

fn without_port(url: &str) -> Cow<'_, str> {
    let (scheme, host, rest) = split(url);
    match port(host) {
        // Like the SDK: of an IPv6 address that has a port only the part before its first colon is left, so these are
        // accepted with their port only.
        Some(_) => format!("{scheme}{}{rest}", host.split(':').next().unwrap_or_default()).into(),
        None => format!("{scheme}{host}{rest}").into(),
    }
}

fn with_port(url: &str) -> Cow<'_, str> {
    let (scheme, host, rest) = split(url);
    match port(host) {
        Some(_) => format!("{scheme}{host}{rest}").into(),
        None if scheme == "https://" => format!("{scheme}{host}:443{rest}").into(),
        None => format!("{scheme}{host}:80{rest}").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "12345";

    fn form(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn signed(url: &str, body: SignedBody<'_>, signature: &str, settings: Option<&str>) -> bool {
        SignedRequest { url, body, signature, settings }.signed_by([TOKEN])
    }

    #[test]
    fn twilios_own_example_is_believed() {
        // From Twilio's documentation of webhook security.
        let pairs = form(&[
            ("CallSid", "CA1234567890ABCDE"),
            ("Caller", "+14158675309"),
            ("Digits", "1234"),
            ("From", "+14158675309"),
            ("To", "+18005551212"),
        ]);
        let body = SignedBody::Form(&pairs);
        let signature = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
        assert!(signed("https://mycompany.com/myapp.php?foo=1&bar=2", body, signature, None));
        assert!(!signed("https://mycompany.com/myapp.php?bar=2&foo=1", body, signature, None));
        assert!(!signed("https://mycompany.com/myapp.php?foo=1&bar=2", body, "", None));
        assert!(!signed("https://mycompany.com/myapp.php?foo=1&bar=2", body, signature, Some("algorithm=HMAC_SHA256")));
        assert!(!signed("https://mycompany.com/myapp.php?foo=1&bar=2", body, signature, Some("algorithm=NONE")));
    }

    #[test]
    fn without_a_token_nothing_is_believed() {
        let parameters = BTreeSet::new();
        let url = "https://sms.example.com/hooks/inbound";
        let signature = compute("", url, &parameters, Algorithm::HmacSha1);
        let request = SignedRequest { url, body: SignedBody::Form(&[]), signature: &signature, settings: None };
        assert!(!request.signed_by([]));
        assert!(!request.signed_by([""]));
    }

    #[test]
    fn either_token_is_good_during_a_rotation() {
        let url = "https://sms.example.com/hooks/inbound";
        let signature = compute("old", url, &BTreeSet::new(), Algorithm::HmacSha1);
        let request = SignedRequest { url, body: SignedBody::Form(&[]), signature: &signature, settings: None };
        assert!(request.signed_by(["new", "old"]));
        assert!(!request.signed_by(["new"]));
    }

    #[test]
    fn a_raw_body_is_bound_by_its_hash() {
        let hash = hex(&Sha256::digest(b"{}"));
        let url = format!("https://sms.example.com/hooks/inbound?bodySHA256={hash}");
        let signature = compute(TOKEN, &url, &BTreeSet::new(), Algorithm::HmacSha1);
        assert!(signed(&url, SignedBody::Raw(b"{}"), &signature, None));
        assert!(!signed(&url, SignedBody::Raw(b"{ }"), &signature, None));
        let bare = "https://sms.example.com/hooks/inbound";
        let signature = compute(TOKEN, bare, &BTreeSet::new(), Algorithm::HmacSha1);
        assert!(!signed(bare, SignedBody::Raw(b"{}"), &signature, None), "nothing covers this body");
        assert!(signed(bare, SignedBody::Raw(b""), &signature, None));
    }

    #[test]
    fn the_url_counts_with_and_without_its_port() {
        let cases = [
            ("https://a.example/x", "https://a.example/x", "https://a.example:443/x"),
            ("http://a.example/x?q=1", "http://a.example/x?q=1", "http://a.example:80/x?q=1"),
            ("https://a.example:8443/x", "https://a.example/x", "https://a.example:8443/x"),
            ("https://a.example/x?", "https://a.example/x", "https://a.example:443/x"),
        ];
        for (url, without, with) in cases {
            assert_eq!((&*without_port(url), &*with_port(url)), (without, with), "{url}");
        }
    }
}
