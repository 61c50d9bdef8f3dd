//! Everything that is generated and checked in: one list of files, written or compared.

mod chart;
mod conditions;
mod crds;
mod events;
mod lifecycle;
mod openapi;
mod operator;
mod providers;
mod reference;
mod yaml;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What can be generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// The CustomResourceDefinitions: `crds/` and `charts/aldis/generated/crds/`.
    Crds,
    /// What the operator's account may do: `charts/aldis/generated/rbac.yaml`.
    Rbac,
    /// The admission policy that binds the operator's account.
    Policy,
    /// The OpenAPI document of the engine's HTTP interface.
    Openapi,
    /// The reference pages: `docs/reference/`.
    Docs,
    /// The page of the chart: `charts/aldis/README.md`.
    Chart,
}

impl Part {
    const ALL: [Part; 6] = [Part::Crds, Part::Rbac, Part::Policy, Part::Openapi, Part::Docs, Part::Chart];

    /// The files of this part. A part without a source yet has none.
    pub fn files(self) -> Vec<File> {
        match self {
            Part::Crds => crds::files(),
            Part::Rbac => operator::rbac(),
            Part::Policy => operator::policy(),
            Part::Openapi => openapi::files(),
            Part::Docs => reference::files()
                .into_iter()
                .chain([conditions::file(), events::file(), lifecycle::file(), providers::file()])
                .collect(),
            Part::Chart => vec![chart::file()],
        }
    }

    /// The folders in which generated files with this ending may be left over.
    fn owned_folders(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Part::Crds => &[("crds", "yaml"), ("charts/aldis/generated/crds", "yaml")],
            Part::Docs => &[("docs/reference", "md")],
            Part::Openapi => &[("docs/openapi", "json")],
            Part::Rbac | Part::Policy | Part::Chart => &[],
        }
    }
}

/// A generated file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Path from the root of the repository.
    pub path: PathBuf,
    /// The whole file, as it must stand in the repository.
    pub content: String,
}

/// A difference between what is generated and what is checked in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The file is not there.
    Missing(PathBuf),
    /// The file holds something else from this line on, counted from 1.
    Changed(PathBuf, usize),
    /// The file is not generated any more.
    LeftOver(PathBuf),
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing(path) => write!(f, "{} is missing", path.display()),
            Self::Changed(path, line) => write!(f, "{} differs from line {line} on", path.display()),
            Self::LeftOver(path) => write!(f, "{} is not generated any more", path.display()),
        }
    }
}

/// Writes what is checked in, or compares it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to generate; everything if nothing is named.
    #[arg(value_enum)]
    pub parts: Vec<Part>,
    /// Compare with what is there instead of writing it; any difference is an error.
    #[arg(long)]
    pub check: bool,
    /// Root of the repository.
    #[arg(long, default_value = ".")]
    pub root: PathBuf,
}

/// Why nothing was generated.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// What is checked in is not what is generated.
    #[error("{}\nrun `aldis generate` and check the result in", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Differences(Vec<Difference>),
}

/// Carries out `aldis generate`.
pub fn run(args: &Args) -> Result<(), GenerateError> {
    let parts = if args.parts.is_empty() { &Part::ALL[..] } else { &args.parts };
    if args.check {
        let differences = differences(&args.root, parts)?;
        return if differences.is_empty() { Ok(()) } else { Err(GenerateError::Differences(differences)) };
    }
    for part in parts {
        for file in part.files() {
            write(&args.root.join(&file.path), &file.content)?;
        }
        for path in left_over(&args.root, *part)? {
            let path = args.root.join(path);
            fs::remove_file(&path).map_err(|source| GenerateError::File { path, source })?;
        }
    }
    Ok(())
}

/// Compares what these parts generate with what is under `root`.
pub fn differences(root: &Path, parts: &[Part]) -> Result<Vec<Difference>, GenerateError> {
    let mut differences = Vec::new();
    for part in parts {
        for file in part.files() {
            let path = root.join(&file.path);
            match fs::read_to_string(&path) {
                Ok(found) if found == file.content => {}
                Ok(found) => differences.push(Difference::Changed(file.path, first_difference(&found, &file.content))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    differences.push(Difference::Missing(file.path))
                }
                Err(source) => return Err(GenerateError::File { path, source }),
            }
        }
        differences.extend(left_over(root, *part)?.into_iter().map(Difference::LeftOver));
    }
    Ok(differences)
}

/// What stands in the first line of every generated file.
const MARK: &str = "Generated by `aldis generate";

/// Pages that people write may stand beside generated ones: only what says that it was generated is ours. JSON cannot say so.
fn is_ours(path: &Path) -> bool {
    let is_json = path.extension().is_some_and(|ending| ending == "json");
    is_json || fs::read_to_string(path).is_ok_and(|content| is_marked(&content))
}

fn is_marked(content: &str) -> bool {
    content.lines().next().is_some_and(|line| line.contains(MARK))
}

fn first_difference(found: &str, generated: &str) -> usize {
    let same = found.lines().zip(generated.lines()).take_while(|(found, generated)| found == generated).count();
    same + 1
}

fn left_over(root: &Path, part: Part) -> Result<Vec<PathBuf>, GenerateError> {
    let generated: Vec<PathBuf> = part.files().into_iter().map(|file| file.path).collect();
    let mut left = Vec::new();
    for (folder, ending) in part.owned_folders() {
        let entries = match fs::read_dir(root.join(folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(GenerateError::File { path: folder.into(), source }),
        };
        for entry in entries {
            let entry = entry.map_err(|source| GenerateError::File { path: folder.into(), source })?;
            let path = Path::new(folder).join(entry.file_name());
            let has_ending = path.extension().is_some_and(|found| found == *ending);
            if has_ending && !generated.contains(&path) && is_ours(&entry.path()) {
                left.push(path);
            }
        }
    }
    left.sort();
    Ok(left)
}

fn write(path: &Path, content: &str) -> Result<(), GenerateError> {
    let fail = |source| GenerateError::File { path: path.into(), source };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(fail)?;
    }
    // An unchanged file keeps its time, so that nothing is built again for it.
    if fs::read_to_string(path).is_ok_and(|found| found == content) {
        return Ok(());
    }
    fs::write(path, content).map_err(fail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_generated_file_says_so_in_its_first_line() {
        let files = Part::ALL.into_iter().flat_map(Part::files);
        for file in files.filter(|file| file.path.extension().is_some_and(|ending| ending != "json")) {
            assert!(is_marked(&file.content), "{}", file.path.display());
        }
    }

    #[test]
    fn what_was_written_has_no_differences_and_what_was_touched_has() {
        let root = tempfile::tempdir().unwrap();
        run(&Args { parts: vec![], check: false, root: root.path().into() }).unwrap();
        assert_eq!(differences(root.path(), &Part::ALL).unwrap(), []);

        let file = root.path().join("crds/aldis.dev_bots.yaml");
        let changed = fs::read_to_string(&file).unwrap().replacen("plural: bots", "plural: robots", 1);
        fs::write(&file, &changed).unwrap();
        fs::remove_file(root.path().join("docs/reference/bot.md")).unwrap();
        fs::write(root.path().join("docs/reference/old.md"), format!("<!-- {MARK} docs`. -->\nold")).unwrap();
        fs::write(root.path().join("docs/reference/written-by-hand.md"), "# By hand").unwrap();
        let found = differences(root.path(), &Part::ALL).unwrap();
        assert!(
            matches!(&found[0], Difference::Changed(path, line) if path.ends_with("aldis.dev_bots.yaml") && *line > 1)
        );
        assert_eq!(found[1], Difference::Missing("docs/reference/bot.md".into()));
        assert_eq!(found[2], Difference::LeftOver("docs/reference/old.md".into()));

        let error = run(&Args { parts: vec![], check: true, root: root.path().into() }).unwrap_err();
        assert!(error.to_string().contains("docs/reference/bot.md is missing"), "{error}");
        run(&Args { parts: vec![], check: false, root: root.path().into() }).unwrap();
        assert_eq!(differences(root.path(), &Part::ALL).unwrap(), []);
        assert!(root.path().join("docs/reference/written-by-hand.md").exists());
    }
}
