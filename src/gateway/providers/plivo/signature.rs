//! `X-Plivo-Signature-V3` and `X-Plivo-Signature-V2`, checked as `validate_v3_signature` and `validate_signature` of Plivo's Python SDK (4.63)
//! check them.
//!
//! V3 is base64 of HMAC-SHA256 over the URL, the sorted parameters of its query and of the form, and a nonce. V2 is the same over the URL
//! without its query, and the nonce: it covers neither query nor body. Plivo's documentation of messages names V2
//! (<https://www.plivo.com/docs/messaging/concepts/signature-validation>), and its calls were seen with V3, so both are checked. Where a
//! call has any signature of V3, V2 counts for nothing: it would be the weaker proof of the same call.
//!
//! `…-Ma-…` is the same under the token of the main account, which is ours unless the account is a subaccount. Of what is in any of these
//! headers, one signature under one of our tokens is enough.

use axum::http::HeaderMap;
use base64::{Engine, prelude::BASE64_STANDARD};
use ring::hmac;
use subtle::{Choice, ConstantTimeEq};

use crate::gateway::providers::{MAX_PARAMETERS, Unverified, WebhookCall, form, only};

/// Headers with signatures of version 3: one or more each, with commas between them.
const V3: [&str; 2] = ["x-plivo-signature-v3", "x-plivo-signature-ma-v3"];
const V3_NONCE: &str = "x-plivo-signature-v3-nonce";
/// Headers with a signature of version 2.
const V2: [&str; 2] = ["x-plivo-signature-v2", "x-plivo-signature-ma-v2"];
const V2_NONCE: &str = "x-plivo-signature-v2-nonce";

/// Whether there is any signature.
pub(super) fn is_there(headers: &HeaderMap) -> bool {
    V3.iter().chain(&V2).any(|name| headers.contains_key(*name))
}

/// Whether the account with one of these tokens signed the call.
///
/// # Errors
/// When there is no signature, or one that none of the tokens makes.
pub(super) fn verify<'t>(tokens: impl Iterator<Item = &'t str>, call: &WebhookCall) -> Result<(), Unverified> {
    let headers = &call.head.headers;
    let nonce = |name| only(headers, name).ok_or(Unverified::Signature);
    let (text, given): (_, Vec<&str>) = if V3.iter().any(|name| headers.contains_key(*name)) {
        let given = V3.iter().filter_map(|name| only(headers, name)).flat_map(|given| given.split(','));
        (format!("{}.{}", signed_by_v3(call)?, nonce(V3_NONCE)?), given.collect())
    } else {
        let given = V2.iter().filter_map(|name| only(headers, name));
        (format!("{}{}", without_query(&call.head.url), nonce(V2_NONCE)?), given.collect())
    };
    // Every token and signature is tried, so that the time tells nothing.
    let mut signed = Choice::from(0);
    for token in tokens {
        let key = hmac::Key::new(hmac::HMAC_SHA256, token.as_bytes());
        let expected = BASE64_STANDARD.encode(hmac::sign(&key, text.as_bytes()));
        for given in &given {
            signed |= expected.as_bytes().ct_eq(given.as_bytes());
        }
    }
    if bool::from(signed) { Ok(()) } else { Err(Unverified::Signature) }
}

fn without_query(url: &str) -> &str {
    url.split('?').next().unwrap_or_default()
}

/// What V3 signs of a POST, but for the nonce: `URL`, `?` and the query unless both query and form are empty, `.` when neither is, the form.
fn signed_by_v3(call: &WebhookCall) -> Result<String, Unverified> {
    let query = sorted(call.head.query.as_deref().unwrap_or_default().as_bytes())?;
    let form = sorted(&call.body)?;
    let query: Vec<_> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let query = query.join("&");
    let url = without_query(&call.head.url);
    let question = if query.is_empty() && form.is_empty() { "" } else { "?" };
    let stop = if query.is_empty() || form.is_empty() { "" } else { "." };
    let form: String = form.iter().flat_map(|(name, value)| [name.as_str(), value]).collect();
    Ok(format!("{url}{question}{query}{stop}{form}"))
}

/// The parameters by name, those of one name by value.
fn sorted(parameters: &[u8]) -> Result<Vec<(String, String)>, Unverified> {
    let mut sorted = form::parse(parameters, MAX_PARAMETERS).ok_or(Unverified::TooManyParameters)?;
    sorted.sort();
    Ok(sorted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::{providers::CallHead, public_url::Hook};
    use axum::http::Method;

    const TOKEN: &str = "s3cret";
    const URL: &str = "https://sms.example.com/hooks/inbound";

    fn call(query: Option<&str>, body: &str, headers: &[(&'static str, String)]) -> WebhookCall {
        let url = query.map_or_else(|| URL.to_owned(), |query| format!("{URL}?{query}"));
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let head =
            CallHead { hook: Hook::Inbound, method: Method::POST, url, query: query.map(str::to_owned), headers };
        WebhookCall { head, body: body.to_owned().into(), received_at: "2026-01-02T03:04:05Z".parse().unwrap() }
    }

    fn sign(text: &str) -> String {
        BASE64_STANDARD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, TOKEN.as_bytes()), text.as_bytes()))
    }

    fn believed(query: Option<&str>, body: &str, headers: &[(&'static str, String)]) -> bool {
        verify([TOKEN].into_iter(), &call(query, body, headers)).is_ok()
    }

    #[test]
    fn v3_covers_the_url_the_query_and_the_form() {
        let cases = [
            (None, "", format!("{URL}.7")),
            (Some(""), "", format!("{URL}.7")),
            (Some("t=1.a&n=%2B1"), "", format!("{URL}?n=+1&t=1.a.7")),
            (None, "To=2&From=1&Text=", format!("{URL}?From1TextTo2.7")),
            (Some("t=1"), "b=2&a=%C3%A9&a=1", format!("{URL}?t=1.a1a\u{e9}b2.7")),
        ];
        for (query, body, text) in cases {
            let headers = |signature: String| [("x-plivo-signature-v3", signature), (V3_NONCE, "7".into())];
            assert!(believed(query, body, &headers(sign(&text))), "{text}");
            assert!(believed(query, body, &headers(format!("AAAA,{}", sign(&text)))), "{text}");
            assert!(!believed(query, "x=1", &headers(sign(&text))), "{text}");
            assert!(!believed(query, body, &headers(sign(&format!("{text}7")))), "{text}");
            assert!(!believed(query, body, &[("x-plivo-signature-v3", sign(&text))]), "no nonce: {text}");
        }
    }

    #[test]
    fn the_main_accounts_signature_counts_if_its_token_is_ours() {
        let ours = sign(&format!("{URL}?a1.7"));
        let headers = |main: &str| {
            [
                ("x-plivo-signature-v3", "AAAA".into()),
                ("x-plivo-signature-ma-v3", main.to_owned()),
                (V3_NONCE, "7".into()),
            ]
        };
        assert!(believed(None, "a=1", &headers(&ours)));
        assert!(!believed(None, "a=1", &headers("BBBB")));
    }

    #[test]
    fn v2_counts_only_where_there_is_no_v3() {
        let v2 = [("x-plivo-signature-v2", sign(&format!("{URL}7"))), (V2_NONCE, "7".into())];
        assert!(believed(Some("t=1"), "a=1", &v2));
        let with_v3 = [&v2[..], &[("x-plivo-signature-ma-v3", "AAAA".into()), (V3_NONCE, "7".into())]].concat();
        assert!(!believed(Some("t=1"), "a=1", &with_v3));
        assert!(!believed(None, "", &[]));
    }

    #[test]
    fn the_previous_token_counts_during_a_rotation_and_none_is_no_token() {
        let headers = [("x-plivo-signature-v2", sign(&format!("{URL}7"))), (V2_NONCE, "7".into())];
        let call = call(None, "", &headers);
        assert_eq!(verify(["new", TOKEN].into_iter(), &call), Ok(()));
        assert_eq!(verify(["new"].into_iter(), &call), Err(Unverified::Signature));
        assert_eq!(verify(std::iter::empty(), &call), Err(Unverified::Signature));
    }
}
