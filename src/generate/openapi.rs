//! The OpenAPI document of the agents' HTTP interface.

use super::File;
use crate::engine;

/// The generated files.
pub(super) fn files() -> Vec<File> {
    let content = format!("{:#}\n", engine::http::openapi());
    vec![File { path: "docs/openapi/engine.json".into(), content }]
}
