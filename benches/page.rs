//! The page that is written.

use std::{fmt::Write as _, path::PathBuf};

use crate::figure::Figure;

/// Around the summary of a section, so that it is found again when only other sections are measured anew.
const SUMMARY: [&str; 2] = ["<!-- summary -->\n", "<!-- end of summary -->\n"];

/// What one measurement found.
pub struct Section {
    /// Its heading.
    pub title: &'static str,
    /// Rows of the summary that compare.
    pub ratios: Vec<Ratio>,
    /// Rows of the summary that have a goal.
    pub goals: Vec<Goal>,
    /// What was done, and the tables, in Markdown.
    pub text: String,
}

/// A figure of ours divided by somebody else's.
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

/// A figure that has a limit.
pub struct Goal {
    /// What of ours, with its unit.
    ours: String,
    limit: Limit,
    measured: Figure,
}

enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

impl Goal {
    /// The less, the better.
    pub fn at_most(ours: impl Into<String>, limit: f64, measured: impl Into<Figure>) -> Self {
        Self { ours: ours.into(), limit: Limit::AtMost(limit), measured: measured.into() }
    }

    /// The more, the better.
    pub fn at_least(ours: impl Into<String>, limit: f64, measured: impl Into<Figure>) -> Self {
        Self { ours: ours.into(), limit: Limit::AtLeast(limit), measured: measured.into() }
    }

    fn row(&self) -> Vec<String> {
        let median = self.measured.median();
        let (limit, is_met) = match self.limit {
            Limit::AtMost(limit) => (format!("at most {limit}"), median <= limit),
            Limit::AtLeast(limit) => (format!("at least {limit}"), median >= limit),
        };
        let met = if is_met { "yes" } else { "no" };
        vec![self.ours.clone(), limit, self.measured.to_string(), met.to_owned()]
    }
}

/// All sections.
pub struct Page {
    machine: String,
    is_written: bool,
    sections: Vec<Section>,
}

impl Page {
    /// A page about this machine, which is shown only or written too.
    pub fn new(machine: String, is_written: bool) -> Self {
        println!("{machine}");
        Self { machine, is_written, sections: Vec::new() }
    }

    /// Takes a section, and shows and writes it at once: a later row that fails takes nothing away.
    pub fn add(&mut self, section: Section) {
        println!("\n## {}\n\n{}\n{}", section.title, summary(&section), section.text);
        self.sections.push(section);
        if self.is_written {
            self.write();
        }
    }

    /// Puts the sections into `docs/benchmarks.md`; those that were not measured stay as they are.
    fn write(&self) {
        let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/benchmarks.md"));
        let before = std::fs::read_to_string(&path).unwrap_or_default();
        let page = self.over(&before);
        std::fs::write(&path, page).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        println!("written to docs/benchmarks.md");
    }

    fn over(&self, before: &str) -> String {
        let mut sections = sections_of(before);
        for section in &self.sections {
            let [begin, end] = SUMMARY;
            let body = format!(
                "{}\n\n{begin}{}{end}\n{}",
                self.machine,
                summary(section),
                section.text.trim_end().to_owned() + "\n"
            );
            match sections.iter_mut().find(|(title, _)| title == section.title) {
                Some((_, known)) => *known = body,
                None => sections.push((section.title.to_owned(), body)),
            }
        }
        let mut page = "# Benchmarks\n\n\
             Written by `make bench`. Where a row has several runs, the figure is their median, with the least and the greatest in brackets. Runs of ours and\n\
             of what stands beside it take turns where one does not wait for minutes, on the same machine, which client, server and all else share. Ratios\n\
             carry over to another machine, figures do not.\n\n## In short\n"
            .to_owned();
        for (title, body) in &sections {
            if let Some(summary) = between(body, SUMMARY) {
                let anchor = title.to_lowercase().replace(' ', "-").replace('\'', "");
                write!(page, "\n[{title}](#{anchor}):\n\n{summary}").expect("memory takes it");
            }
        }
        for (title, body) in &sections {
            write!(page, "\n## {title}\n\n{body}").expect("memory takes it");
        }
        page
    }
}

/// Title and body of each section but the one that sums up.
fn sections_of(page: &str) -> Vec<(String, String)> {
    let parts = page.split("\n## ").skip(1).filter_map(|part| part.split_once("\n\n"));
    let parts = parts.filter(|(title, _)| *title != "In short");
    parts.map(|(title, body)| (title.to_owned(), format!("{}\n", body.trim_end()))).collect()
}

fn between<'a>(text: &'a str, [begin, end]: [&str; 2]) -> Option<&'a str> {
    text.split_once(begin)?.1.split_once(end).map(|(between, _)| between)
}

fn summary(section: &Section) -> String {
    let mut tables = Vec::new();
    if !section.goals.is_empty() {
        tables.push(table(&["", "goal", "measured", "met"], section.goals.iter().map(Goal::row)));
    }
    if !section.ratios.is_empty() {
        let rows = section.ratios.iter();
        let rows = rows.map(|Ratio { ours, ratio, beside }| vec![ours.clone(), ratio.to_string(), beside.clone()]);
        tables.push(table(&["", "ratio", "beside"], rows));
    }
    tables.join("\n")
}

/// A table in Markdown.
pub fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut table = line(head.iter().map(|&cell| cell.to_owned()).collect());
    table += &format!("|{}\n", "---|".repeat(head.len()));
    table.extend(rows.into_iter().map(line));
    table
}
