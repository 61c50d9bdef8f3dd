//! What is checked in is what is generated.

use std::path::Path;

use aldis::generate::{Part, differences};

#[test]
fn nothing_that_is_checked_in_differs_from_what_is_generated() {
    let parts = [Part::Crds, Part::Rbac, Part::Policy, Part::Openapi, Part::Docs];
    let differences = differences(Path::new(env!("CARGO_MANIFEST_DIR")), &parts).unwrap();
    let report: Vec<String> = differences.iter().map(ToString::to_string).collect();
    assert!(report.is_empty(), "run `aldis generate` and check the result in:\n{}", report.join("\n"));
}
