//! What docs/reference/conditions.md promises is said: a reason that nothing gives would be waited for in vain.

use std::{collections::BTreeSet, fs, path::Path};

use aldis::api::Reason;
use regex::Regex;
use syn::{
    BinOp, ExprBinary, ExprPath, Item, Macro, Pat,
    visit::{self, Visit},
};

use crate::sources::{is_for_tests, rust_files};

/// Collects the reasons that code makes: in expressions, but not where one is compared with another or a pattern.
#[derive(Default)]
struct Said(BTreeSet<String>);

impl Said {
    /// The reasons that a source makes. Tests do not count.
    fn by(source: &str) -> BTreeSet<String> {
        let mut said = Self::default();
        said.visit_file(&syn::parse_file(source).unwrap());
        said.0
    }
}

impl<'ast> Visit<'ast> for Said {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_for_tests(item) {
            visit::visit_item(self, item);
        }
    }

    fn visit_expr_path(&mut self, path: &'ast ExprPath) {
        let names: Vec<_> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if let [.., kind, name] = names.as_slice()
            && kind == "Reason"
        {
            self.0.insert(name.clone());
        }
    }

    fn visit_pat(&mut self, _: &'ast Pat) {}

    fn visit_expr_binary(&mut self, binary: &'ast ExprBinary) {
        if !matches!(binary.op, BinOp::Eq(_) | BinOp::Ne(_)) {
            visit::visit_expr_binary(self, binary);
        }
    }

    /// What a macro is given is not parsed: those that compare are known, and in others each reason counts.
    fn visit_macro(&mut self, call: &'ast Macro) {
        let name = call.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        if name != "matches" && !name.contains("assert") {
            let named = Regex::new(r"\bReason :: ([A-Z][A-Za-z]*)").unwrap();
            let given = call.tokens.to_string();
            self.0.extend(named.captures_iter(&given).map(|found| found[1].to_owned()));
        }
    }
}

#[test]
fn every_reason_is_said_by_something() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let is_test_file = |file: &Path| file.file_name().is_some_and(|name| name.to_string_lossy().ends_with("tests.rs"));
    let files = rust_files(&source).into_iter().filter(|file| !is_test_file(file));
    // Where they are declared, each is named.
    let files = files.filter(|file| !file.starts_with(source.join("api/conditions")));
    let said: BTreeSet<_> = files.flat_map(|file| Said::by(&fs::read_to_string(file).unwrap())).collect();
    let never: Vec<_> = Reason::ALL.iter().map(|reason| reason.as_str()).filter(|name| !said.contains(*name)).collect();
    assert!(never.is_empty(), "nothing says these reasons: take them out, or say them: {never:?}");
}

#[test]
fn a_reason_that_is_only_compared_is_not_said() {
    let compared = [
        "reason == Reason::Paused",
        "Reason::Paused != reason",
        "known.reason == Reason::Paused.as_str()",
        "matches!(reason, Reason::Paused | Reason::Disabled)",
        "match reason { Reason::Paused | api::Reason::Disabled => true, _ => false }",
        "if let Error::Stalled { reason: Reason::Paused, .. } = error {}",
        "assert_eq!(reason, Reason::Paused)",
        "RequeueReason::Paused",
    ];
    for code in compared {
        assert_eq!(Said::by(&format!("fn f() {{ {code}; }}")), BTreeSet::new(), "{code}");
    }
    let said = [
        "DesiredCondition::no(Reason::Paused, words)",
        "match schedule { None => api::Reason::Paused, Some(_) => other }",
        "Paused { reason: Reason::Paused }",
        "if known == Reason::Disabled { Reason::Paused } else { other }",
        "vec![(Reason::Paused, 1)]",
        "publish(Reason::Paused.as_str())",
    ];
    for code in said {
        assert_eq!(Said::by(&format!("fn f() {{ {code}; }}")), BTreeSet::from(["Paused".to_owned()]), "{code}");
    }
    let in_a_test = "#[cfg(test)] mod tests { fn f() { said(Reason::Paused); } }";
    assert_eq!(Said::by(in_a_test), BTreeSet::new());
}
