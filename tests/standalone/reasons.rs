//! What docs/reference/conditions.md promises is said: a reason that nothing gives would be waited for in vain.

use std::{collections::BTreeSet, fs, path::Path};

use aldis::api::Reason;
use regex::Regex;

use crate::sources::rust_files;

/// The reasons that code outside of their declaration names. Tests do not count.
fn said() -> BTreeSet<String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let named = Regex::new(r"\bReason::([A-Z][A-Za-z]*)").unwrap();
    let mut said = BTreeSet::new();
    for file in rust_files(&source) {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap();
        if file.starts_with(source.join("api/conditions")) || name.ends_with("tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        said.extend(named.captures_iter(code).map(|found| found[1].to_owned()));
    }
    said
}

#[test]
fn every_reason_is_said_by_something() {
    let said = said();
    let never: Vec<_> = Reason::ALL.iter().map(|reason| reason.as_str()).filter(|name| !said.contains(*name)).collect();
    assert!(never.is_empty(), "nothing says these reasons: take them out, or say them: {never:?}");
}
