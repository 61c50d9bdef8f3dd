//! What contributors read stays true: links lead somewhere, decisions have their head, commands are targets, the map of the sources is whole.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every Markdown page that is checked in.
fn pages() -> Vec<PathBuf> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() && !matches!(name, ".git" | "target" | "node_modules") {
                collect(&path, found);
            } else if name.ends_with(".md") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    collect(root(), &mut found);
    found
}

/// Text without code: what stands in a fence or between backticks is no link.
fn prose(page: &str) -> String {
    let fence = Regex::new(r"(?ms)^\s*```.*?^\s*```").unwrap();
    let code = Regex::new(r"`[^`\n]*`").unwrap();
    code.replace_all(&fence.replace_all(page, ""), "code").into_owned()
}

/// The names that headings can be linked by.
fn anchors(page: &str) -> BTreeSet<String> {
    let fence = Regex::new(r"(?ms)^\s*```.*?^\s*```").unwrap();
    let without_code = fence.replace_all(page, "").into_owned();
    let headings = without_code.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|heading| {
            let text = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = text.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
            kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
        })
        .collect()
}

/// The targets of links in `page` that lead nowhere, seen from its folder.
fn broken(folder: &Path, page: &str) -> Vec<String> {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let mut broken = Vec::new();
    for found in link.captures_iter(&prose(page)) {
        let target = &found[1];
        if target.starts_with("https://") || target.starts_with("http://") {
            continue;
        }
        let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
        let linked = if path.is_empty() { None } else { Some(folder.join(path)) };
        let exists = linked.as_ref().is_none_or(|linked| linked.exists());
        let anchored = anchor.is_empty()
            || match linked {
                None => anchors(page).contains(anchor),
                Some(linked) => fs::read_to_string(linked).is_ok_and(|text| anchors(&text).contains(anchor)),
            };
        if !exists || !anchored {
            broken.push(target.to_owned());
        }
    }
    broken
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    let mut wrong = Vec::new();
    for page in pages() {
        // The chart's page is written elsewhere from this text; links are relative to that place. A template names what is to come.
        if page.ends_with("src/generate/chart/README.md") || page.ends_with("docs/decisions/template.md") {
            continue;
        }
        let text = fs::read_to_string(&page).unwrap();
        for target in broken(page.parent().unwrap(), &text) {
            wrong.push(format!("{}: {target}", page.strip_prefix(root()).unwrap().display()));
        }
    }
    assert!(wrong.is_empty(), "links that lead nowhere:\n{}", wrong.join("\n"));
}

#[test]
fn a_link_that_leads_nowhere_would_be_seen() {
    let folder = root().join("docs");
    let page = "# Two words\n[a](concepts.md) [b](#two-words) [c](concepts.md#what-is-promised) `[d](code.md)` [e](https://x.example)\n\
                [f](missing.md) [g](#three-words) [h](concepts.md#missing)";
    assert_eq!(broken(&folder, page), ["missing.md", "#three-words", "concepts.md#missing"]);
}

#[test]
fn every_decision_has_a_date_a_status_alternatives_and_a_row() {
    let head = Regex::new(
        r"\A# (\d{4}) .+\n\n- Date: (\d{4}-\d{2}-\d{2})\n- Status: (proposed|accepted(?:; adds to \[\d{4}\]\([a-z0-9-]+\.md\))?|superseded by \[\d{4}\]\([a-z0-9-]+\.md\))\n",
    )
    .unwrap();
    let index = read("docs/decisions/README.md");
    let mut numbers = BTreeSet::new();
    for entry in fs::read_dir(root().join("docs/decisions")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if matches!(name.as_str(), "README.md" | "template.md") {
            continue;
        }
        let page = read(&format!("docs/decisions/{name}"));
        let found = head.captures(&page).unwrap_or_else(|| panic!("{name} does not begin as template.md does"));
        assert!(name.starts_with(&format!("{}-", &found[1])), "{name} has the number {} in its title", &found[1]);
        assert!(numbers.insert(found[1].to_owned()), "{name}: there is another decision {}", &found[1]);
        assert!(page.contains("\n## Alternatives\n\n- "), "{name} names no alternatives");
        let status = found[3].split([' ', ';']).next().unwrap();
        let row = format!("| [{}]({name}) | {} | {status}", &found[1], &found[2]);
        assert!(index.contains(&row), "docs/decisions/README.md has no row that begins with: {row}");
    }
    assert!(!numbers.is_empty());
}

#[test]
fn commands_for_contributors_are_targets() {
    let makefile = read("Makefile");
    let target = Regex::new(r"(?m)^([a-z-]+):").unwrap();
    let targets: BTreeSet<_> = target.captures_iter(&makefile).map(|found| found[1].to_owned()).collect();
    let command = Regex::new(r"(?m)(?:`|^\s*|&& )make((?: --?[a-z-]+)*)((?: [a-z-]+)*)").unwrap();
    for page in
        ["CONTRIBUTING.md", "README.md", "SECURITY.md", ".github/PULL_REQUEST_TEMPLATE.md", "docs/architecture.md"]
    {
        for found in command.captures_iter(&read(page)) {
            for name in found[2].split_whitespace() {
                assert!(targets.contains(name), "{page} names `make {name}`, which is no target");
            }
        }
    }
    for kind in ["unit", "standalone", "apiserver", "cluster"] {
        let example = format!("make {kind} TEST=");
        assert!(
            read("CONTRIBUTING.md").contains(&example),
            "CONTRIBUTING.md does not say how to run one test: {example}"
        );
    }
}

#[test]
fn files_that_the_architecture_names_exist() {
    let page = read("docs/architecture.md");
    let named = Regex::new(r"`((?:src|tests|docs|testbed|engine|gateway|operator|wire)/[a-z0-9_./-]+)`").unwrap();
    for found in named.captures_iter(&page) {
        let name = &found[1];
        let exists = root().join(name).exists() || root().join("src").join(name).exists();
        assert!(exists, "docs/architecture.md names {name}, which is not there");
    }
}

#[test]
fn the_map_of_the_sources_is_whole() {
    let page = read("docs/architecture.md");
    let row = Regex::new(r"(?m)^\| `(src/[a-z0-9_/]+/)` \|.*\|(.*)\|$").unwrap();
    let name = Regex::new(r"`([^`]+)`").unwrap();
    let mut mapped = BTreeSet::new();
    for found in row.captures_iter(&page) {
        mapped.insert(found[1].to_owned());
        for file in name.captures_iter(&found[2]) {
            let path = format!("{}{}", &found[1], &file[1]);
            assert!(root().join(&path).exists(), "docs/architecture.md tells to begin with {path}, which is not there");
        }
    }
    let mut there = BTreeSet::new();
    let folders = |path: &Path| -> Vec<PathBuf> {
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
    };
    for folder in folders(&root().join("src")) {
        for inner in folders(&folder).into_iter().chain([folder]) {
            let relative = inner.strip_prefix(root()).unwrap().display().to_string();
            // What only tests read.
            if !relative.ends_with("/snapshots") {
                there.insert(format!("{relative}/"));
            }
        }
    }
    let missing: Vec<_> = there.difference(&mapped).collect();
    assert!(missing.is_empty(), "docs/architecture.md does not map {missing:?}");
    let gone: Vec<_> = mapped.difference(&there).collect();
    assert!(gone.is_empty(), "docs/architecture.md maps {gone:?}, which are not there");
}
