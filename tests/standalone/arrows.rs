//! Which part of the crate may know which: the arrows point one way.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use regex::Regex;

use crate::sources::rust_files;

/// Each room, and the rooms that it may name. A file belongs to the longest room that is a prefix of its path.
const ROOMS: &[(&str, &[&str])] = &[
    ("api", &[]),
    ("hours", &[]),
    ("sms", &[]),
    ("process", &[]),
    ("admin", &["process"]),
    ("wire", &["api", "process", "sms"]),
    ("engine::core", &["hours", "sms", "wire::config"]),
    ("engine", &["admin", "engine::core", "process", "sms", "wire"]),
    ("gateway", &["admin", "process", "sms", "wire"]),
    ("operator::runtime", &["api", "process"]),
    ("operator::resources", &["api", "operator::runtime", "sms", "wire"]),
    ("operator::observed", &["api", "operator::resources", "operator::runtime", "process", "sms", "wire"]),
    (
        "operator::controllers",
        &["api", "hours", "operator::observed", "operator::resources", "operator::runtime", "sms", "wire"],
    ),
    (
        "operator",
        &[
            "admin",
            "api",
            "operator::controllers",
            "operator::observed",
            "operator::resources",
            "operator::runtime",
            "process",
        ],
    ),
    ("simulator", &["admin", "process", "sms", "wire"]),
    ("generate", &["api", "engine", "operator"]),
];

/// `crate::a::b…` as they stand in code.
fn named_paths(source: &str) -> BTreeSet<String> {
    let comment = Regex::new(r"(?m)//.*$").unwrap();
    let path = Regex::new(r"\bcrate::([a-z_0-9]+(?:::[a-z_0-9]+)*)(?:$|[^:a-z_0-9]|::[^a-z_0-9{])").unwrap();
    let group = Regex::new(r"\bcrate::((?:[a-z_0-9]+::)*)\{([^;]*)\}").unwrap();
    let code = comment.replace_all(source, "");
    let mut named: BTreeSet<_> = path.captures_iter(&code).map(|found| found[1].to_owned()).collect();
    for found in group.captures_iter(&code) {
        add_branches(found[1].trim_end_matches("::"), &found[2], &mut named);
    }
    named
}

/// Each path of a use tree: `a::{b, c}, d` names `a::b`, `a::c` and `d`. Types and constants count as the module that has them.
fn add_branches(prefix: &str, tree: &str, named: &mut BTreeSet<String>) {
    for branch in branches(tree) {
        let (path, inner) = match branch.split_once('{') {
            Some((path, inner)) => (path, inner.strip_suffix('}')),
            None => (branch, None),
        };
        let modules =
            path.split("::").map(str::trim).take_while(|name| name.starts_with(|c: char| c.is_ascii_lowercase()));
        let modules = modules.filter(|name| !name.starts_with("self"));
        let module = (!prefix.is_empty()).then_some(prefix).into_iter().chain(modules).collect::<Vec<_>>().join("::");
        match inner {
            Some(inner) => add_branches(&module, inner, named),
            None => {
                named.insert(module);
            }
        }
    }
}

/// The parts of a use tree that commas outside of its braces separate.
fn branches(tree: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    let outer = move |character: char| {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        character == ',' && depth == 0
    };
    tree.split(outer).map(str::trim).filter(|branch| !branch.is_empty())
}

/// `src/engine/core/inbound.rs` is `engine::core::inbound`.
fn module_of(source: &Path, file: &Path) -> String {
    let relative = file.strip_prefix(source).unwrap().with_extension("");
    let names: Vec<_> = relative.iter().map(|name| name.to_str().unwrap()).filter(|name| *name != "mod").collect();
    names.join("::")
}

fn within(module: &str, room: &str) -> bool {
    module == room || module.strip_prefix(room).is_some_and(|rest| rest.starts_with("::"))
}

fn room_of(module: &str) -> Option<&'static (&'static str, &'static [&'static str])> {
    ROOMS.iter().filter(|(room, _)| within(module, room)).max_by_key(|(room, _)| room.len())
}

#[test]
fn the_parts_know_only_whom_they_may() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = BTreeMap::new();
    for file in rust_files(&source) {
        let module = module_of(&source, &file);
        if module == "main" || module == "lib" {
            continue;
        }
        let Some((room, may)) = room_of(&module) else {
            panic!("{module} is in no room: give it one in this test and say whom it may know");
        };
        for named in named_paths(&fs::read_to_string(&file).unwrap()) {
            let own = room_of(&named).is_some_and(|(other, _)| other == room);
            if !own && !may.iter().any(|allowed| within(&named, allowed)) {
                wrong.entry(module.clone()).or_insert_with(Vec::new).push(named);
            }
        }
    }
    assert!(wrong.is_empty(), "these name parts that they may not know: {wrong:#?}");
}

#[test]
fn an_arrow_the_wrong_way_would_be_seen() {
    let source = "use crate::{gateway::spool, sms::{self, gsm7::{encode, Text}}};\nuse crate::wire::{config, status::Code};\n// crate::operator\nfn f() { crate::engine::core::x() }";
    let named = named_paths(source);
    for expected in
        ["gateway::spool", "sms", "sms::gsm7", "sms::gsm7::encode", "wire::config", "wire::status", "engine::core::x"]
    {
        assert!(named.contains(expected), "{expected} is not in {named:?}");
    }
    assert!(!named.iter().any(|name| name.starts_with("operator") || name == "wire"), "{named:?}");
}

#[test]
fn a_module_with_a_folder_is_its_mod_file() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = rust_files(&source);
    let folders: BTreeSet<_> = files.iter().filter_map(|file| file.parent()).collect();
    let beside: Vec<_> =
        folders.iter().map(|folder| folder.with_extension("rs")).filter(|file| file.exists()).collect();
    assert!(beside.is_empty(), "{beside:?} stand beside a folder of the same name: move them to its mod.rs");
}

/// Another database can stand behind a store as long as nobody else names this one.
#[test]
fn only_the_stores_know_their_database() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let database = Regex::new(r"\brusqlite\b").unwrap();
    let files = rust_files(&source);
    let knowing = files.iter().filter(|file| database.is_match(&fs::read_to_string(file).unwrap()));
    let knowing: Vec<_> = knowing.map(|file| module_of(&source, file)).collect();
    assert!(!knowing.is_empty());
    let stores = ["engine::store", "gateway::spool"];
    let others: Vec<_> = knowing.iter().filter(|module| !stores.iter().any(|store| within(module, store))).collect();
    assert!(others.is_empty(), "{others:?} name the database");
}

#[test]
fn the_core_has_no_clock_and_no_io() {
    let core = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/engine/core");
    let forbidden = [
        "std::fs",
        "std::net",
        "std::thread",
        "std::time::Instant",
        "SystemTime",
        "Timestamp::now",
        "Zoned::now",
        "tokio",
        "reqwest",
    ];
    for file in rust_files(&core) {
        let source = fs::read_to_string(&file).unwrap();
        for word in forbidden {
            assert!(!source.contains(word), "{} names {word}", file.display());
        }
    }
}

/// The modules beside a file that it names with `super::`, in code that is no test.
fn siblings(source: &str) -> BTreeSet<String> {
    let comment = Regex::new(r"(?m)//.*$").unwrap();
    let path = Regex::new(r"\bsuper::([a-z_0-9]+)").unwrap();
    let group = Regex::new(r"\bsuper::\{([^;]*)\};").unwrap();
    let code = comment.replace_all(source, "");
    let code = code.split("#[cfg(test)]").next().unwrap();
    let mut named: BTreeSet<_> = path.captures_iter(code).map(|found| found[1].to_owned()).collect();
    for found in group.captures_iter(code) {
        add_branches("", &found[1], &mut named);
    }
    named.into_iter().map(|path| path.split("::").next().unwrap().to_owned()).collect()
}

/// What is left of a graph when whoever names nobody in it is taken away, again and again: the circles, and what leads to them.
fn circles(mut named: BTreeMap<String, BTreeSet<String>>) -> BTreeMap<String, BTreeSet<String>> {
    loop {
        let (before, left): (_, BTreeSet<_>) = (named.len(), named.keys().cloned().collect());
        named.retain(|_, of| of.iter().any(|other| left.contains(other)));
        if named.len() == before {
            return named;
        }
    }
}

#[test]
fn the_files_of_the_state_machine_import_in_no_circle() {
    let core = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/engine/core");
    let files = rust_files(&core).into_iter().map(|file| (module_of(&core, &file), file));
    let named = files
        .filter(|(module, _)| !module.is_empty() && !module.contains("::") && module != "tests")
        .map(|(module, file)| (module, siblings(&fs::read_to_string(file).unwrap())))
        .collect();
    let found = circles(named);
    assert!(found.is_empty(), "these are in circles, or lead to them: {found:#?}");
}

#[test]
fn a_circle_would_be_seen() {
    let state = "use super::{ids::Id, strategy::{is_available, Choice}};\n// super::queue";
    let strategy = "fn f() { super::state::x() }";
    let ids = "#[cfg(test)]\nmod tests { use super::strategy; }";
    let named = [("state", state), ("strategy", strategy), ("ids", ids), ("queue", "use super::state;")];
    let found = circles(named.map(|(module, source)| (module.to_owned(), siblings(source))).into());
    assert_eq!(found.into_keys().collect::<Vec<_>>(), ["queue", "state", "strategy"]);
}
