//! Which namespaces may use which provider accounts, where the platform team says so.
//!
//! The gateway that proves an account's credentials runs in the tenant's namespace, where the tenant can put something else in its
//! place. Binding accounts to namespaces takes that way from everybody but the account's own tenants.

use std::path::Path;

use serde::Deserialize;

/// One account, and who may use it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Binding {
    /// Member of `spec.provider`, such as `twilio`.
    provider: String,
    /// The account, or `*` for every account of the provider that is not listed by itself.
    account: String,
    /// Namespaces whose connectors may name it.
    namespaces: Vec<String>,
}

/// The list of accounts cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidAccounts {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file is not a list of accounts.
    #[error("{path} is not a list of accounts: {source}")]
    Parse {
        /// The file.
        path: String,
        /// The place in the file, and what is wrong there.
        source: serde_json::Error,
    },
}

/// Which namespaces may use which accounts. Without a list, every namespace may use every account whose credentials it has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accounts(Vec<Binding>);

impl Accounts {
    /// Reads the list from a JSON file.
    ///
    /// # Errors
    /// When the file cannot be read or holds something else.
    pub(crate) fn read(path: &Path) -> Result<Self, InvalidAccounts> {
        let shown = path.display().to_string();
        let text = std::fs::read(path).map_err(|source| InvalidAccounts::Read { path: shown.clone(), source })?;
        serde_json::from_slice(&text).map(Self).map_err(|source| InvalidAccounts::Parse { path: shown, source })
    }

    /// Says why a namespace must not use an account.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what to do.
    pub(crate) fn check(&self, provider: &str, account: &str, namespace: &str) -> Result<(), String> {
        let of = |name: &str| {
            self.0.iter().filter(move |bound| bound.provider == provider && bound.account == name).collect()
        };
        let mut bindings: Vec<&Binding> = of(account);
        if bindings.is_empty() {
            bindings = of("*");
        }
        let allowed = |bound: &&Binding| bound.namespaces.iter().any(|known| known == namespace);
        if bindings.is_empty() || bindings.iter().any(allowed) {
            return Ok(());
        }
        Err(format!(
            "account {account} of {provider} is not bound to namespace {namespace}: ask the platform team to add the namespace \
             (operator setting accounts)"
        ))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn accounts(list: Value) -> Accounts {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), list.to_string()).unwrap();
        Accounts::read(file.path()).unwrap()
    }

    #[test]
    fn a_bound_account_is_used_by_its_namespaces_only() {
        let bound = json!({"provider": "twilio", "account": "AC1", "namespaces": ["sales", "support"]});
        let others = json!({"provider": "twilio", "account": "*", "namespaces": ["lab"]});
        let cases = [
            (json!([]), "AC1", "mallory", true),
            (json!([bound]), "AC1", "support", true),
            (json!([bound]), "AC1", "mallory", false),
            (json!([bound]), "AC2", "mallory", true),
            (json!([bound, others]), "AC2", "mallory", false),
            (json!([bound, others]), "AC2", "lab", true),
            (json!([bound, others]), "AC1", "lab", false),
        ];
        for (list, account, namespace, expected) in cases {
            let answer = accounts(list.clone()).check("twilio", account, namespace);
            assert_eq!(answer.is_ok(), expected, "{list} {account} {namespace}: {answer:?}");
        }
        let answer = accounts(json!([bound])).check("simulator", "AC1", "mallory");
        assert_eq!(answer, Ok(()), "an account of the same name at another provider is another one");
    }

    #[test]
    fn a_list_with_an_unknown_field_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), r#"[{"provider": "twilio", "account": "AC1", "namespace": "a"}]"#).unwrap();
        let error = Accounts::read(file.path()).unwrap_err().to_string();
        assert!(error.contains("namespace") && error.contains("is not a list of accounts"), "{error}");
    }
}
