//! The page that is written.

use std::{fmt::Write as _, path::Path};

use crate::figure::Figure;

/// What one measurement found.
pub struct Section {
    /// Its heading.
    pub title: &'static str,
    /// Rows of the summary.
    pub ratios: Vec<Ratio>,
    /// What was done, and the tables, in Markdown.
    pub text: String,
}

/// A row of the summary.
pub struct Ratio {
    /// What of ours.
    pub ours: String,
    /// Divided by …
    pub ratio: Figure,
    /// … of what else.
    pub beside: String,
}

impl Ratio {
    /// A row of the summary.
    pub fn new(ours: impl Into<String>, ratio: Figure, beside: impl Into<String>) -> Self {
        Self { ours: ours.into(), ratio, beside: beside.into() }
    }
}

/// All sections.
pub struct Page {
    machine: String,
    sections: Vec<Section>,
}

impl Page {
    /// A page about this machine.
    pub fn new(machine: String) -> Self {
        println!("{machine}");
        Self { machine, sections: Vec::new() }
    }

    /// Takes a section, and shows it at once.
    pub fn add(&mut self, section: Section) {
        println!("\n## {}\n\n{}\n{}", section.title, summary([&section]), section.text);
        self.sections.push(section);
    }

    /// Writes `docs/benchmarks.md`.
    pub fn write(&self) {
        let mut page = format!(
            "# Benchmarks\n\n\
             Written by `make bench`. Every figure is the median of its runs, with the least and the greatest in brackets; runs of ours and of what\n\
             stands beside it take turns where one does not wait for minutes, on the same machine, which client, engine and all else share. Ratios carry over to another machine, figures\n\
             do not.\n\n{}\n\n## In short\n\n{}",
            self.machine,
            summary(&self.sections),
        );
        for section in &self.sections {
            write!(page, "\n## {}\n\n{}", section.title, section.text).expect("memory takes it");
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/benchmarks.md");
        std::fs::write(&path, page).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        println!("\nwritten to docs/benchmarks.md");
    }
}

fn summary<'a>(sections: impl IntoIterator<Item = &'a Section>) -> String {
    let rows = sections.into_iter().flat_map(|section| &section.ratios);
    let rows = rows.map(|Ratio { ours, ratio, beside }| vec![ours.clone(), ratio.to_string(), beside.clone()]);
    table(&["", "ratio", "beside"], rows)
}

/// A table in Markdown.
pub fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut table = line(head.iter().map(|&cell| cell.to_owned()).collect());
    table += &format!("|{}\n", "---|".repeat(head.len()));
    table.extend(rows.into_iter().map(line));
    table
}
