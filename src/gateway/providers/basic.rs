//! Webhooks that are called with a user name and a password (RFC 7617), for providers that sign nothing.
//!
//! This proves who calls, and neither what is said nor when: whoever reads one call can make others. So the public URL must be `https`.

use axum::http::{HeaderMap, header::AUTHORIZATION};
use base64::{Engine, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Unverified, only};
use crate::gateway::credentials::Secret;

/// Whether they are these.
///
/// # Errors
/// When there are none, or others.
pub(super) fn verify(headers: &HeaderMap, user: &Secret, password: &Secret) -> Result<(), Unverified> {
    let claimed = shown(headers).ok_or(Unverified::Signature)?;
    let wanted = format!("{}:{}", user.reveal(), password.reveal());
    // Digests are of one length, so that the comparison does not tell how long the password is.
    let (claimed, wanted) = (Sha256::digest(claimed), Sha256::digest(wanted));
    if claimed.as_slice().ct_eq(wanted.as_slice()).into() { Ok(()) } else { Err(Unverified::Signature) }
}

/// User name and password as they are shown, with a colon between. The scheme is written in any case.
pub(super) fn shown(headers: &HeaderMap) -> Option<Vec<u8>> {
    let (scheme, shown) = only(headers, AUTHORIZATION.as_str())?.split_once(' ')?;
    let decoded = BASE64_STANDARD.decode(shown.trim_start_matches(' ')).ok()?;
    scheme.eq_ignore_ascii_case("Basic").then_some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_user_and_password_are_believed() {
        // A colon in the password is part of it.
        let (user, password) = (Secret::from("aldis"), Secret::from("a:b c"));
        let basic = |text: &str| format!("Basic {}", BASE64_STANDARD.encode(text));
        let good = basic("aldis:a:b c");
        let cases = [
            (good.clone(), true),
            (good.replace("Basic ", "bASIC  "), true),
            (good.replace("Basic", "Bearer"), false),
            (good.replace(' ', ""), false),
            (format!("{good} "), false),
            (format!("{good}="), false),
            (good[..good.len() - 1].to_owned(), false),
            (basic("aldis:a:b"), false),
            (basic("aldis:a:b C"), false),
            (basic("Aldis:a:b c"), false),
            (basic("aldis"), false),
            (basic(""), false),
            ("Basic ".into(), false),
            ("Basic".into(), false),
            (String::new(), false),
        ];
        for (header, good) in cases {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, header.parse().unwrap())]);
            assert_eq!(verify(&headers, &user, &password).is_ok(), good, "{header:?}");
        }
        assert!(verify(&HeaderMap::new(), &user, &password).is_err());
        let mut twice = HeaderMap::new();
        for _ in 0..2 {
            twice.append(AUTHORIZATION, good.parse().unwrap());
        }
        assert!(verify(&twice, &user, &password).is_err());
    }
}
