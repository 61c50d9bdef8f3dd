//! Who calls the provider API.

use super::config::AccountConfig;
use subtle::ConstantTimeEq;

/// The tokens of an account, the signing one first. A token file that cannot be read holds none.
pub(super) fn tokens(account: &AccountConfig) -> Vec<String> {
    let file = account.token_file.as_ref().and_then(|path| std::fs::read_to_string(path).ok());
    let from_file = file.map(|content| content.trim().to_owned()).filter(|token| !token.is_empty());
    from_file.into_iter().chain(account.tokens.iter().cloned()).collect()
}

/// The account whose token stands in an `Authorization` header.
pub(super) fn authenticate<'a>(
    accounts: impl IntoIterator<Item = &'a AccountConfig>,
    authorization: Option<&str>,
) -> Option<&'a AccountConfig> {
    let (scheme, token) = authorization?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let has_it = |account: &&AccountConfig| {
        tokens(account).iter().any(|known| bool::from(known.as_bytes().ct_eq(token.trim().as_bytes())))
    };
    accounts.into_iter().find(has_it)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_token_says_whose_request_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        let account = |account: &str, tokens: &[&str]| AccountConfig {
            account: account.into(),
            tokens: tokens.iter().map(ToString::to_string).collect(),
            token_file: None,
            numbers: Vec::new(),
        };
        let mounted = AccountConfig { token_file: Some(file.clone()), ..account("mounted", &["old"]) };
        let accounts = [account("plain", &["one", "two"]), mounted];
        let who = |header: &str| authenticate(&accounts, Some(header)).map(|account| account.account.as_str());

        assert_eq!(who("Bearer two"), Some("plain"));
        assert_eq!(who("bearer one"), Some("plain"));
        for wrong in ["Bearer three", "Bearer ", "Bearer", "Basic one", "", "one"] {
            assert_eq!(who(wrong), None, "{wrong:?}");
        }
        assert_eq!(authenticate(&accounts, None).map(|account| &account.account), None);

        assert_eq!(who("Bearer new"), None, "the file is not there yet");
        fs::write(&file, "new\n").unwrap();
        assert_eq!(who("Bearer new"), Some("mounted"));
        assert_eq!(who("Bearer old"), Some("mounted"));
        assert_eq!(tokens(&accounts[1]), ["new", "old"], "the file's token signs");
        fs::write(&file, "\n").unwrap();
        assert_eq!(who("Bearer "), None, "an empty file is no token");
    }
}
