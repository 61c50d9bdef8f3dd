//! Which part of the crate may know which: the arrows point one way.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use regex::Regex;
use syn::{
    Ident, Item, Macro, UseTree,
    visit::{self, Visit},
};

use crate::sources::{is_for_tests, rust_files};

/// Each room, and the rooms that it may name. A file belongs to the longest room that is a prefix of its path.
const ROOMS: &[(&str, &[&str])] = &[
    ("api", &[]),
    ("bot", &["api", "sms"]),
    ("carrier", &["api", "sms"]),
    ("hours", &[]),
    ("sms", &[]),
    ("process", &[]),
    ("admin", &["process"]),
    ("wire", &["api", "process", "sms"]),
    ("engine::core", &["bot", "hours", "sms", "wire::config"]),
    ("engine", &["admin", "api", "bot", "engine::core", "process", "sms", "wire"]),
    ("gateway", &["admin", "carrier", "process", "sms", "wire"]),
    ("operator::runtime", &["api", "process"]),
    ("operator::resources", &["api", "operator::runtime", "sms", "wire"]),
    ("operator::observed", &["api", "operator::resources", "operator::runtime", "process", "sms", "wire"]),
    (
        "operator::controllers",
        &[
            "api",
            "bot",
            "carrier",
            "hours",
            "operator::observed",
            "operator::resources",
            "operator::runtime",
            "sms",
            "wire",
        ],
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

/// What files name, by their modules.
struct Code {
    files: BTreeMap<String, Named>,
}

impl Code {
    fn new<S: AsRef<str>>(files: impl IntoIterator<Item = (String, S)>) -> Self {
        let named = |(module, source): (String, S)| (module.clone(), Named::by(&module, source.as_ref()));
        Self { files: files.into_iter().map(named).collect() }
    }

    fn has_children(&self, folder: &str) -> bool {
        self.files.keys().any(|module| module != folder && within(module, folder))
    }

    /// Which files of a folder name which others of it. A folder in it counts as one file, and what the folder re-exports as of the file
    /// that has it. What is for tests only is left out.
    fn graph(&self, folder: &str) -> BTreeMap<String, BTreeSet<String>> {
        let child = |path: &[String]| {
            let path = path.join("::");
            let rest = path.strip_prefix(folder)?.strip_prefix("::")?;
            Some(rest.split("::").next()?.to_owned())
        };
        let re_exported: BTreeMap<_, _> =
            self.files[folder].imported.iter().filter_map(|(name, path)| Some((name.clone(), child(path)?))).collect();
        let mut graph = BTreeMap::<_, BTreeSet<_>>::new();
        for (module, file) in &self.files {
            let names: Vec<_> = module.split("::").map(ToOwned::to_owned).collect();
            let Some(own) = child(&names).filter(|_| within(module, folder)) else { continue };
            if self.is_for_tests(module) {
                continue;
            }
            let named = file.paths.iter().filter_map(|path| child(path));
            let named = named.map(|name| re_exported.get(&name).cloned().unwrap_or(name)).filter(|name| *name != own);
            graph.entry(own.clone()).or_default().extend(named);
        }
        graph
    }

    /// Whether the module, or one that it is in, is declared for tests only.
    fn is_for_tests(&self, module: &str) -> bool {
        let names: Vec<_> = module.split("::").collect();
        (1..names.len()).any(|depth| {
            let outer = self.files.get(&names[..depth].join("::"));
            outer.is_some_and(|outer| outer.for_tests.contains(names[depth]))
        })
    }
}

/// What a file names.
#[derive(Default)]
struct Named {
    /// The module that is being read.
    module: Vec<String>,
    /// Paths from the root of the crate.
    paths: BTreeSet<Vec<String>>,
    /// What the file itself imports, by the name that it has there.
    imported: BTreeMap<String, Vec<String>>,
    /// Modules that it declares for tests only.
    for_tests: BTreeSet<String>,
}

impl Named {
    fn by(module: &str, source: &str) -> Self {
        let module = module.split("::").map(ToOwned::to_owned).collect();
        let mut named = Self { module, ..Self::default() };
        named.visit_file(&syn::parse_file(source).unwrap());
        named
    }

    /// The path from the root of the crate. One that does not begin with a keyword begins with a module of the file.
    fn resolved(&self, names: &[String]) -> Vec<String> {
        let mut path = if names[0] == "crate" { Vec::new() } else { self.module.clone() };
        for name in names {
            match name.as_str() {
                "crate" | "self" => {}
                "super" => drop(path.pop()),
                _ => path.push(name.clone()),
            }
        }
        path
    }

    fn import(&mut self, before: &[String], tree: &UseTree) {
        let with = |name: &Ident| [before, &[name.to_string()]].concat();
        let (path, name) = match tree {
            UseTree::Path(path) => return self.import(&with(&path.ident), &path.tree),
            UseTree::Group(group) => return group.items.iter().for_each(|tree| self.import(before, tree)),
            UseTree::Glob(_) => (before.to_vec(), None),
            UseTree::Name(name) => (with(&name.ident), Some(&name.ident)),
            UseTree::Rename(rename) => (with(&rename.ident), Some(&rename.rename)),
        };
        let path = self.resolved(&path);
        if let Some(name) = name {
            self.imported.insert(name.to_string(), path.clone());
        }
        self.paths.insert(path);
    }
}

impl<'ast> Visit<'ast> for Named {
    fn visit_item(&mut self, item: &'ast Item) {
        match item {
            Item::Mod(module) if is_for_tests(item) => drop(self.for_tests.insert(module.ident.to_string())),
            Item::Mod(module) => {
                self.module.push(module.ident.to_string());
                visit::visit_item_mod(self, module);
                self.module.pop();
            }
            Item::Use(imports) if !is_for_tests(item) => self.import(&[], &imports.tree),
            _ if is_for_tests(item) => {}
            _ => visit::visit_item(self, item),
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if ["crate", "self", "super"].contains(&names[0].as_str()) {
            self.paths.insert(self.resolved(&names));
        }
        visit::visit_path(self, path);
    }

    /// What a macro is given is not parsed.
    fn visit_macro(&mut self, call: &'ast Macro) {
        let path = Regex::new(r"\b(?:crate|super)(?: :: [A-Za-z_0-9]+)+").unwrap();
        for found in path.find_iter(&call.tokens.to_string()) {
            let names: Vec<_> = found.as_str().split(" :: ").map(ToOwned::to_owned).collect();
            self.paths.insert(self.resolved(&names));
        }
    }
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
fn the_files_of_a_folder_import_in_no_circle() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = rust_files(&source).into_iter().map(|file| (module_of(&source, &file), file));
    let code = Code::new(files.map(|(module, file)| (module, fs::read_to_string(file).unwrap())));
    let folders: Vec<_> = code.files.keys().filter(|module| code.has_children(module)).collect();
    assert!(folders.len() > 10, "{folders:?}");
    let found = folders.into_iter().map(|folder| (folder, circles(code.graph(folder))));
    let found: BTreeMap<_, _> = found.filter(|(_, found)| !found.is_empty()).collect();
    assert!(found.is_empty(), "these are in circles, or lead to them: {found:#?}");
}

#[test]
fn a_circle_would_be_seen() {
    let files = [
        ("room", "mod ids; mod state; mod strategy; mod queue; #[cfg(test)] mod scenes; pub use ids::Id;"),
        ("room::state", "use super::{ids::Number, strategy::{is_available, Choice}};\n// super::queue"),
        ("room::strategy", "mod inner;"),
        ("room::strategy::inner", "fn f() { println!(\"{}\", crate::room::state::x()) }"),
        ("room::ids", "#[cfg(test)]\nmod tests { use super::super::strategy; }"),
        ("room::scenes", "use super::{ids, scenes};"),
        ("room::queue", "use super::{Id, state::State};"),
        ("room::last", "use super::Id;"),
    ];
    let code = Code::new(files.map(|(module, source)| (module.to_owned(), source)));
    let found = circles(code.graph("room"));
    assert_eq!(found.into_keys().collect::<Vec<_>>(), ["queue", "state", "strategy"]);
    assert_eq!(code.graph("room")["last"], ["ids".to_owned()].into(), "through what the folder re-exports");
    assert!(!code.graph("room").contains_key("scenes"), "tests may know everything");
}
