//! By what a call is believed: a secret, or an HMAC under it. All comparisons take the same time wherever two values differ.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;

use crate::{
    carrier::{Algorithm, Covered, Encoding, Proof},
    gateway::providers::{CallHead, MAX_PARAMETERS, Unverified, basic, form, only},
};

/// Whether a call proves that it is the carrier's. Without its `body` as far as the head says: an HMAC is there, of whatever it may be.
///
/// # Errors
/// When the secret is missing, wrong or there twice, or the HMAC does not fit.
pub(super) fn verify(proof: &Proof, secret: &str, head: &CallHead, body: Option<&[u8]>) -> Result<(), Unverified> {
    let is_proved = !secret.is_empty()
        && match proof {
            Proof::Header(name) => only(&head.headers, name).is_some_and(|value| same(value.as_bytes(), secret)),
            Proof::Query(name) => parameter(head, name)?.is_some_and(|value| same(value.as_bytes(), secret)),
            Proof::Basic => basic::shown(&head.headers).is_some_and(|value| same(&value, secret)),
            Proof::Hmac { header, algorithm, encoding, covers } => match (only(&head.headers, header), body) {
                (None, _) => false,
                (Some(_), None) => true,
                (Some(value), Some(body)) => {
                    let url = if *covers == Covered::UrlAndBody { head.url.as_bytes() } else { &[] };
                    decode(value, *algorithm, *encoding)
                        .is_some_and(|tag| is_hmac(*algorithm, secret, [url, body], &tag))
                }
            },
        };
    if is_proved { Ok(()) } else { Err(Unverified::Signature) }
}

fn same(value: &[u8], secret: &str) -> bool {
    value.ct_eq(secret.as_bytes()).into()
}

/// A parameter of the query. One that comes twice is none.
fn parameter(head: &CallHead, name: &str) -> Result<Option<String>, Unverified> {
    let query = head.query.as_deref().unwrap_or_default();
    let parsed = form::parse(query.as_bytes(), MAX_PARAMETERS).ok_or(Unverified::TooManyParameters)?;
    let mut values = parsed.into_iter().filter(|(known, _)| known == name).map(|(_, value)| value);
    Ok(match (values.next(), values.next()) {
        (Some(value), None) => Some(value),
        (_, _) => None,
    })
}

/// The bytes of an HMAC, as a header writes them.
fn decode(value: &str, algorithm: Algorithm, encoding: Encoding) -> Option<Vec<u8>> {
    let prefix = match algorithm {
        Algorithm::Sha1 => "sha1=",
        Algorithm::Sha256 => "sha256=",
        Algorithm::Sha512 => "sha512=",
    };
    let value = value.strip_prefix(prefix).unwrap_or(value);
    match encoding {
        Encoding::Base64 => BASE64_STANDARD.decode(value).ok(),
        Encoding::Hex => {
            let digits: Vec<u32> = value.chars().map(|digit| digit.to_digit(16)).collect::<Option<_>>()?;
            let bytes = digits.chunks(2).map(|pair| match pair {
                [high, low] => u8::try_from(high << 4 | low).ok(),
                _ => None,
            });
            bytes.collect()
        }
    }
}

fn is_hmac(algorithm: Algorithm, secret: &str, parts: [&[u8]; 2], tag: &[u8]) -> bool {
    fn check<M: Mac + KeyInit>(secret: &str, parts: [&[u8]; 2], tag: &[u8]) -> bool {
        let Ok(mut mac) = <M as KeyInit>::new_from_slice(secret.as_bytes()) else { return false };
        parts.iter().for_each(|part| mac.update(part));
        mac.verify_slice(tag).is_ok()
    }
    match algorithm {
        Algorithm::Sha1 => check::<Hmac<Sha1>>(secret, parts, tag),
        Algorithm::Sha256 => check::<Hmac<Sha256>>(secret, parts, tag),
        Algorithm::Sha512 => check::<Hmac<Sha512>>(secret, parts, tag),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::public_url::Hook;
    use axum::http::{HeaderMap, HeaderName, Method};

    const SECRET: &str = "desk:it is secret";
    const URL: &str = "https://sms.example.com/hooks/inbound?a=1";

    fn head(query: &str, headers: &[(&'static str, &str)]) -> CallHead {
        let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        CallHead {
            hook: Hook::Inbound,
            method: Method::POST,
            url: URL.into(),
            query: Some(query.into()),
            headers: headers.fold(HeaderMap::new(), |mut all, (name, value)| {
                all.append(name, value);
                all
            }),
        }
    }

    #[test]
    fn a_secret_is_compared_as_a_whole() {
        let header = Proof::Header("X-Token".into());
        let query = Proof::Query("token".into());
        let basic = format!("Basic {}", BASE64_STANDARD.encode(SECRET));
        let bare = format!("Basic {}", BASE64_STANDARD.encode("desk:"));
        let cases = [
            (&header, head("", &[("x-token", SECRET)]), true),
            (&header, head("", &[("x-token", "desk:it is")]), false),
            (&header, head("", &[("x-token", SECRET), ("x-token", SECRET)]), false),
            (&header, head("token=desk%3Ait+is+secret", &[]), false),
            (&query, head("a=1&token=desk%3Ait+is+secret", &[]), true),
            (&query, head("token=desk%3Ait+is+secret&token=x", &[]), false),
            (&query, head("token=", &[]), false),
            (&query, head("", &[("token", SECRET)]), false),
            (&Proof::Basic, head("", &[("authorization", &basic)]), true),
            (&Proof::Basic, head("", &[("authorization", &basic.to_uppercase())]), false),
            (&Proof::Basic, head("", &[("authorization", &bare)]), false),
            (&Proof::Basic, head("", &[("authorization", SECRET)]), false),
        ];
        for (proof, head, believed) in cases {
            for body in [None, Some(&b"x"[..])] {
                assert_eq!(verify(proof, SECRET, &head, body).is_ok(), believed, "{proof:?} {head:?}");
            }
            assert!(verify(proof, "", &head, None).is_err(), "nothing is believed without a secret");
        }
        let empty = head("token=", &[("x-token", ""), ("authorization", "Basic ")]);
        for proof in [header, query, Proof::Basic] {
            assert!(verify(&proof, "", &empty, None).is_err(), "{proof:?}");
        }
    }

    #[test]
    fn an_hmac_covers_what_it_says() {
        let proof = |algorithm, encoding, covers| Proof::Hmac { header: "x-sign".into(), algorithm, encoding, covers };
        let tag = |text: &str| {
            let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
            mac.update(text.as_bytes());
            mac.finalize().into_bytes()
        };
        let hex = |text: &str| tag(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let body = proof(Algorithm::Sha256, Encoding::Hex, Covered::Body);
        let all = proof(Algorithm::Sha256, Encoding::Base64, Covered::UrlAndBody);
        let of_body = hex("hello");
        let of_all = BASE64_STANDARD.encode(tag(&format!("{URL}hello")));
        let cases = [
            (&body, of_body.clone(), true),
            (&body, of_body.to_uppercase(), true),
            (&body, format!("sha256={of_body}"), true),
            (&body, format!("sha1={of_body}"), false),
            (&body, of_body[..62].to_owned(), false),
            (&body, of_body[..63].to_owned(), false),
            (&body, hex("hallo"), false),
            (&body, of_all.clone(), false),
            (&all, of_all, true),
            (&all, BASE64_STANDARD.encode(tag("hello")), false),
            (&proof(Algorithm::Sha512, Encoding::Hex, Covered::Body), of_body, false),
        ];
        for (proof, value, believed) in cases {
            let head = head("a=1", &[("x-sign", &value)]);
            assert_eq!(verify(proof, SECRET, &head, Some(b"hello")).is_ok(), believed, "{proof:?} {value}");
            assert!(verify(proof, "", &head, Some(b"hello")).is_err());
        }
        assert!(
            verify(&body, SECRET, &head("", &[]), None).is_err(),
            "the body of a call without a header is not read"
        );
    }
}
