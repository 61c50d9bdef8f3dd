//! The documents of examples/quickstart, rewritten for a namespace.

use serde_json::Value;

/// The files, in the order of the kustomization.
pub const FILES: [&str; 6] = ["secret", "simulator", "agent", "connector", "campaign", "channel"];

/// A file's documents, as they are for `namespace` and `image`.
pub fn documents(file: &str, namespace: &str, image: &str) -> Vec<Value> {
    let path = format!("{}/examples/quickstart/{file}.yaml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path)
        .expect("a file of the quickstart")
        .replace(".default:", &format!(".{namespace}:"))
        .replace("serviceaccount:default:", &format!("serviceaccount:{namespace}:"))
        .replace("image: aldis:0.1.0", &format!("image: {image}"));
    text.split("\n---\n").map(|document| serde_saphyr::from_str(document).expect("YAML")).collect()
}
