//! Comments say something, and say it of anybody.

use std::{fs, path::Path};

use regex::Regex;

use crate::sources::rust_files;

/// Lines of all Rust files below these folders that the pattern finds, with their places.
fn lines_with(folders: &[&str], pattern: &Regex) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for file in folders.iter().flat_map(|folder| rust_files(&root.join(folder))) {
        let source = fs::read_to_string(&file).unwrap();
        let lines = source.lines().enumerate().filter(|(_, line)| pattern.is_match(line));
        found.extend(lines.map(|(at, line)| format!("{}:{}: {}", file.display(), at + 1, line.trim())));
    }
    found
}

/// A question word, or "its", and a little more: the name of the field says as much.
fn says_nothing() -> Regex {
    Regex::new(r"^\s*/// (?:Who|Whom|Whose|What|Which|When|Where|Why|How|Its)[a-z ]{0,14}\.$").unwrap()
}

/// People are "they": nobody knows who they are.
fn takes_people_for_men() -> Regex {
    Regex::new(r"(?i)//.*\bh(?:e|is|im|imself)\b").unwrap()
}

#[test]
fn doc_comments_say_more_than_the_name() {
    let found = lines_with(&["src"], &says_nothing());
    assert!(
        found.is_empty(),
        "these say nothing; say what it means, in which unit, or when it is absent, or leave the comment out:\n{}",
        found.join("\n")
    );
}

#[test]
fn people_are_they() {
    let found = lines_with(&["src", "tests", "benches"], &takes_people_for_men());
    assert!(found.is_empty(), "write \"they\":\n{}", found.join("\n"));
}

#[test]
fn what_is_to_be_found_would_be_found() {
    for empty in ["/// Who.", "    /// Its id.", "    /// What became of it."] {
        assert!(says_nothing().is_match(empty), "{empty}");
    }
    for full in ["/// Its place among the requests.", "/// The user who asks.", "// Why."] {
        assert!(!says_nothing().is_match(full), "{full}");
    }
    let pronouns = ["is messages", "e takes them", "im"];
    assert!(pronouns.iter().all(|rest| takes_people_for_men().is_match(&format!("// of h{rest}"))));
    assert!(!takes_people_for_men().is_match("// this is the history of Ana's desk, and hers"));
}
