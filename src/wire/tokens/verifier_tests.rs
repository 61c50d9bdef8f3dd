//! Every way in which a token can be bad, and the good ones beside them.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{EncodingKey, Header, encode, jwk::Jwk};
use rsa::{
    RsaPrivateKey,
    pkcs1::{EncodeRsaPrivateKey, EncodeRsaPublicKey},
};
use serde_json::json;

use super::*;

#[path = "../../../tests/support/issuer.rs"]
mod issuer;
use issuer::TestIssuer;

const AUDIENCE: &str = "aldis:shop";

fn issuer() -> TestIssuer {
    crate::process::crypto::install_providers();
    TestIssuer::new("https://issuer.example")
}

fn trust(test: &TestIssuer) -> Issuer {
    Issuer {
        issuer: test.url.clone(),
        audience: AUDIENCE.into(),
        user_claim: "sub".into(),
        user_prefix: String::new(),
        keys: test.keys(),
    }
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// Good claims, with some replaced; `null` takes one away.
fn claims(changes: Value) -> Value {
    let mut claims = json!({
        "iss": "https://issuer.example", "sub": "ana", "aud": AUDIENCE, "exp": now() + 600, "nbf": now() - 1, "email": "ana@example.com",
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

#[test]
fn claims_decide() {
    let test = issuer();
    let verifier = Verifier::new(&[trust(&test)]).unwrap();
    let cases = [
        (json!({}), Ok("ana")),
        (json!({ "aud": ["other", AUDIENCE] }), Ok("ana")),
        (json!({ "nbf": null }), Ok("ana")),
        (json!({ "exp": now() - 10 }), Ok("ana")),
        (json!({ "nbf": now() + 10 }), Ok("ana")),
        (json!({ "aud": "aldis:other" }), Err(TokenError::Audience)),
        (json!({ "aud": "aldis:shop2" }), Err(TokenError::Audience)),
        (json!({ "aud": [] }), Err(TokenError::Audience)),
        (json!({ "aud": null }), Err(TokenError::Audience)),
        (json!({ "exp": now() - 60 }), Err(TokenError::Expired)),
        (json!({ "exp": null }), Err(TokenError::Malformed)),
        (json!({ "exp": "tomorrow" }), Err(TokenError::Malformed)),
        (json!({ "nbf": now() + 60 }), Err(TokenError::NotYetValid)),
        (json!({ "nbf": "tomorrow" }), Err(TokenError::Malformed)),
        (json!({ "iss": "https://other.example" }), Err(TokenError::UnknownIssuer)),
        (json!({ "iss": ["https://issuer.example"] }), Err(TokenError::UnknownIssuer)),
        (json!({ "iss": null }), Err(TokenError::UnknownIssuer)),
        (json!({ "sub": null }), Err(TokenError::NoUser)),
        (json!({ "sub": "" }), Err(TokenError::NoUser)),
        (json!({ "sub": 7 }), Err(TokenError::NoUser)),
    ];
    for (changes, expected) in cases {
        let verdict = verifier.verify(&test.sign(&claims(changes.clone()))).map(|identity| identity.user.clone());
        assert_eq!(verdict, expected.map(str::to_owned), "{changes}");
    }
}

#[test]
fn only_the_issuers_keys_count() {
    let test = issuer();
    let stranger = TestIssuer { key_id: test.key_id.clone(), ..issuer() };
    let verifier = Verifier::new(&[trust(&test)]).unwrap();
    assert_eq!(
        verifier.verify(&stranger.sign(&claims(json!({})))),
        Err(TokenError::Signature),
        "same key id, other key"
    );
    let renamed = TestIssuer { key_id: "unknown".into(), ..issuer() };
    assert_eq!(verifier.verify(&renamed.sign(&claims(json!({})))), Err(TokenError::Signature), "unknown key id");

    let token = test.sign(&claims(json!({})));
    let (rest, signature) = token.rsplit_once('.').unwrap();
    let (header, _) = rest.split_once('.').unwrap();
    let forged = BASE64_URL_SAFE_NO_PAD.encode(claims(json!({ "sub": "boss" })).to_string());
    assert_eq!(
        verifier.verify(&format!("{header}.{forged}.{signature}")),
        Err(TokenError::Signature),
        "changed claims"
    );
    assert_eq!(verifier.verify(&format!("{rest}.")), Err(TokenError::Signature), "no signature");
    for text in ["", "a", "a.b", "a.b.c", "....", &"x".repeat(MAX_TOKEN_BYTES + 1), rest] {
        assert_eq!(verifier.verify(text), Err(TokenError::Malformed), "{text:.20}");
    }
}

#[test]
fn unsigned_tokens_and_public_keys_as_secrets_are_refused() {
    crate::process::crypto::install_providers();
    let private = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap();
    let key = EncodingKey::from_rsa_der(private.to_pkcs1_der().unwrap().as_bytes());
    let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&key, Algorithm::RS256).unwrap()).unwrap();
    jwk["kid"] = json!("rsa");
    let keys = json!({ "keys": [
        { "kty": "oct", "kid": "secret", "k": BASE64_URL_SAFE_NO_PAD.encode("hunter2") },
        { "kty": "future", "kid": "unknown kinds are left out" },
        jwk,
    ] });
    let trusted = Issuer { keys, ..trust(&issuer()) };
    let verifier = Verifier::new(&[trusted]).unwrap();
    let header = |algorithm, kid: &str| Header { kid: Some(kid.into()), ..Header::new(algorithm) };
    let good = claims(json!({}));

    let token = encode(&header(Algorithm::RS256, "rsa"), &good, &key).unwrap();
    assert_eq!(verifier.verify(&token).unwrap().user, "ana");
    let without_id = encode(&Header::new(Algorithm::RS256), &good, &key).unwrap();
    assert_eq!(verifier.verify(&without_id).unwrap().user, "ana");
    let other_hash = encode(&header(Algorithm::RS512, "rsa"), &good, &key).unwrap();
    assert_eq!(verifier.verify(&other_hash), Err(TokenError::Malformed));

    let public = private.to_public_key();
    let modulus = BASE64_URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
    let der = public.to_pkcs1_der().unwrap().as_bytes().to_vec();
    let pem = public.to_pkcs1_pem(rsa::pkcs8::LineEnding::LF).unwrap().into_bytes();
    for (kid, secret) in [("rsa", der), ("rsa", pem), ("rsa", modulus), ("secret", b"hunter2".to_vec())] {
        let token = encode(&header(Algorithm::HS256, kid), &good, &EncodingKey::from_secret(&secret)).unwrap();
        assert_eq!(verifier.verify(&token), Err(TokenError::Malformed), "HS256 with {kid}");
    }

    for algorithm in ["none", "None", "NONE", ""] {
        let header = BASE64_URL_SAFE_NO_PAD.encode(json!({ "alg": algorithm, "typ": "JWT", "kid": "rsa" }).to_string());
        let body = BASE64_URL_SAFE_NO_PAD.encode(good.to_string());
        for signature in ["", token.rsplit_once('.').unwrap().1] {
            assert_eq!(
                verifier.verify(&format!("{header}.{body}.{signature}")),
                Err(TokenError::Malformed),
                "alg {algorithm:?}"
            );
        }
    }
}

#[test]
fn prefixes_and_claims_keep_issuers_apart() {
    let (cluster, company) = (issuer(), TestIssuer::new("https://company.example"));
    let company_trust = Issuer {
        audience: "desk".into(),
        user_claim: "email".into(),
        user_prefix: "company:".into(),
        ..trust(&company)
    };
    let desk = Issuer { audience: "aldis-desk:shop".into(), ..trust(&cluster) };
    let verifier = Verifier::new(&[trust(&cluster), desk, company_trust]).unwrap();
    let company_claims = |changes: Value| {
        let mut all = json!({ "iss": company.url, "aud": "desk" });
        all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        claims(all)
    };

    assert_eq!(verifier.verify(&cluster.token("ana", "aldis-desk:shop")).unwrap().user, "ana");
    assert_eq!(verifier.verify(&company.sign(&company_claims(json!({})))).unwrap().user, "company:ana@example.com");
    let verified = company.sign(&company_claims(json!({ "email_verified": true })));
    assert_eq!(verifier.verify(&verified).unwrap().user, "company:ana@example.com");
    let unverified = company.sign(&company_claims(json!({ "email_verified": false })));
    assert_eq!(verifier.verify(&unverified), Err(TokenError::NoUser));
    let posing = company.sign(&claims(json!({ "aud": "aldis-desk:shop" })));
    assert_eq!(verifier.verify(&posing), Err(TokenError::Signature), "one issuer speaks in another's name");
}

#[test]
fn keys_that_are_no_key_set_are_named() {
    let broken = Issuer { keys: json!([]), ..trust(&issuer()) };
    let error = Verifier::new(&[broken]).unwrap_err().to_string();
    assert!(error.contains("keys of issuer https://issuer.example"), "{error}");
}

#[test]
fn the_token_is_taken_from_the_authorization_header() {
    let cases = [
        (Some("Bearer abc"), Ok("abc")),
        (Some("bearer  abc "), Ok("abc")),
        (Some("Basic abc"), Err(TokenError::Missing)),
        (Some("Bearer"), Err(TokenError::Missing)),
        (Some("Bearer "), Err(TokenError::Missing)),
        (None, Err(TokenError::Missing)),
    ];
    for (value, expected) in cases {
        let mut headers = axum::http::HeaderMap::new();
        if let Some(value) = value {
            headers.insert("authorization", value.parse().unwrap());
        }
        assert_eq!(bearer(&headers), expected, "{value:?}");
    }
}
