//! Who may sign tokens: written by the operator, which refreshes the keys; checked offline by gateway and engine.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One issuer of tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Issuer {
    /// The `iss` claim, exactly.
    pub issuer: String,
    /// The `aud` claim must contain it.
    pub audience: String,
    /// The claim that names the user (`sub` for the cluster itself).
    pub user_claim: String,
    /// Put before the claim's value to make the user's name, so that issuers cannot name each other's users.
    /// Empty for the cluster itself only.
    #[serde(default)]
    pub user_prefix: String,
    /// The issuer's keys, as a JSON Web Key Set.
    pub keys: Value,
}

/// The keys of a JSON Web Key Set; none when it is something else.
pub fn key_set(document: &Value) -> Option<&[Value]> {
    document.get("keys").and_then(Value::as_array).map(Vec::as_slice)
}
