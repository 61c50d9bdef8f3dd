//! The crate's own sources, for tests that read them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use syn::{Attribute, Expr, Item};

/// All Rust files below a folder.
pub fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// Whether an item is compiled for tests only.
pub fn is_for_tests(item: &Item) -> bool {
    let attributes = match item {
        Item::Mod(module) => module.attrs.as_slice(),
        Item::Fn(function) => function.attrs.as_slice(),
        Item::Impl(block) => block.attrs.as_slice(),
        Item::Use(imports) => imports.attrs.as_slice(),
        _ => &[],
    };
    attributes.iter().any(is_test_condition)
}

fn is_test_condition(attribute: &Attribute) -> bool {
    let is_test = |condition: Expr| matches!(condition, Expr::Path(path) if path.path.is_ident("test"));
    attribute.path().is_ident("cfg") && attribute.parse_args::<Expr>().is_ok_and(is_test)
}
