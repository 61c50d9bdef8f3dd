//! [`Mount`]: how a gateway or engine comes by its configuration.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, de::DeserializeOwned};

use super::{
    config::{ConfigHash, FORMAT, MAIN_DOCUMENT, MAX_PARTS, Parts, engine, gateway},
    status::{ConfigStatus, RejectedConfig},
};

/// How often the mount is looked at. Watching it would cost an inotify instance, and a node has few.
pub const POLL: std::time::Duration = std::time::Duration::from_secs(1);

/// The link that the kubelet swaps when any file of a projected volume has changed.
const DATA_LINK: &str = "..data";

/// A main document, which lists its parts.
pub trait Document: DeserializeOwned {
    /// One part.
    type Part: DeserializeOwned;

    /// Hashes of the parts that belong to this document.
    fn parts(&self) -> &Parts;
}

impl Document for engine::EngineConfig {
    type Part = engine::BlocklistPart;

    fn parts(&self) -> &Parts {
        &self.parts
    }
}

impl Document for gateway::GatewayConfig {
    type Part = gateway::Routes;

    fn parts(&self) -> &Parts {
        &self.parts
    }
}

/// A main document and all its parts, in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded<D: Document> {
    /// Hash of the main document.
    pub hash: ConfigHash,
    /// The main document.
    pub document: D,
    /// The parts that the main document names.
    pub parts: Vec<D::Part>,
}

/// What a look at the mount found.
#[derive(Debug)]
pub enum Look<T> {
    /// Nothing that was not known before.
    Unchanged,
    /// A new configuration, which is in force from now on.
    New(T),
    /// A new document that cannot be loaded; the one before stays in force.
    Rejected(RejectedConfig),
    /// The main document and the parts beside it do not belong together (yet), or there is no document yet; says what is missing.
    Incomplete(String),
    /// A file is there and could not be read; says which and why. The next look reads it again, whether or not anything has changed.
    Unreadable(String),
}

/// A mounted configuration volume.
#[derive(Debug)]
pub struct Mount {
    dir: PathBuf,
    seen: Option<Fingerprint>,
    status: ConfigStatus,
}

/// What decides whether there is something new: where the link leads, or without a link (a plain directory) the bytes.
#[derive(Debug, PartialEq, Eq)]
enum Fingerprint {
    Link(PathBuf),
    Files(Vec<ConfigHash>),
}

/// The bytes of all documents, read from one snapshot.
struct Snapshot {
    seen: Fingerprint,
    main: Option<Vec<u8>>,
    dir: PathBuf,
}

/// Why documents cannot be loaded.
enum LoadError {
    /// Not yet: a part is missing, or another one than the main document lists.
    Incomplete(String),
    /// Not now: reading one of them failed.
    Unreadable(String),
    /// Never, as they are.
    Invalid(String),
}

impl Mount {
    /// The volume mounted at `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), seen: None, status: ConfigStatus::default() }
    }

    /// What is in force, and what was rejected since.
    pub const fn status(&self) -> &ConfigStatus {
        &self.status
    }

    /// Looks for a new configuration. `build` makes of it what the role works with; its error rejects the document and is shown to
    /// people, so it names the field, what is wrong and what to do.
    pub fn look<D: Document, T, E: std::fmt::Display>(
        &mut self,
        build: impl FnOnce(Loaded<D>) -> Result<T, E>,
    ) -> Look<T> {
        let Snapshot { seen, main, dir } = match self.snapshot() {
            Ok(Some(snapshot)) => snapshot,
            Ok(None) => return Look::Unchanged,
            Err(message) => return Look::Unreadable(message),
        };
        let Some(main) = main else {
            self.seen = Some(seen);
            return Look::Incomplete(format!("no {MAIN_DOCUMENT} in {}", self.dir.display()));
        };
        let hash = ConfigHash::of(&main);
        if self.status.hash == Some(hash) {
            self.seen = Some(seen);
            // Back to what is in force, or another file of the volume changed.
            self.status.rejected = None;
            return Look::Unchanged;
        }
        let built = load::<D>(hash, &main, &dir)
            .and_then(|loaded| build(loaded).map_err(|error| LoadError::Invalid(error.to_string())));
        // What could not be read is no news that was seen: nothing may change before it can be read.
        if !matches!(built, Err(LoadError::Unreadable(_))) {
            self.seen = Some(seen);
        }
        match built {
            Ok(built) => {
                self.status = ConfigStatus { hash: Some(hash), rejected: None };
                Look::New(built)
            }
            Err(LoadError::Incomplete(message)) => Look::Incomplete(message),
            Err(LoadError::Unreadable(message)) => Look::Unreadable(message),
            Err(LoadError::Invalid(message)) => {
                let rejected = RejectedConfig { hash, message };
                self.status.rejected = Some(rejected.clone());
                Look::Rejected(rejected)
            }
        }
    }

    /// The documents, when they differ from those last seen.
    fn snapshot(&self) -> Result<Option<Snapshot>, String> {
        let link = self.dir.join(DATA_LINK);
        match fs::read_link(&link) {
            Ok(target) => {
                let dir = self.dir.join(&target);
                let seen = Fingerprint::Link(target);
                if self.seen.as_ref() == Some(&seen) {
                    return Ok(None);
                }
                Ok(Some(Snapshot { main: read(&dir.join(MAIN_DOCUMENT))?, seen, dir }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.plain_snapshot(),
            Err(error) => Err(unreadable(&link, &error)),
        }
    }

    fn plain_snapshot(&self) -> Result<Option<Snapshot>, String> {
        let main = read(&self.dir.join(MAIN_DOCUMENT))?;
        let mut hashes: Vec<ConfigHash> = main.iter().map(|bytes| ConfigHash::of(bytes)).collect();
        let entries = fs::read_dir(&self.dir).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
        let entries = entries.map_err(|error| unreadable(&self.dir, &error))?;
        let mut names: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
        names.sort();
        for name in names.iter().filter(|name| name.extension().is_some_and(|extension| extension == "json")) {
            hashes.extend(read(name)?.map(|bytes| ConfigHash::of(&bytes)));
        }
        let seen = Fingerprint::Files(hashes);
        Ok((self.seen.as_ref() != Some(&seen)).then(|| Snapshot { seen, main, dir: self.dir.clone() }))
    }
}

/// The bytes of a file that may not be there.
fn read(path: &Path) -> Result<Option<Vec<u8>>, String> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(path, &error)),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    format!("{} cannot be read: {error}", path.display())
}

fn load<D: Document>(hash: ConfigHash, main: &[u8], dir: &Path) -> Result<Loaded<D>, LoadError> {
    let document: D = parse(MAIN_DOCUMENT, main)?;
    if document.parts().len() > MAX_PARTS {
        return Err(LoadError::Invalid(format!(
            "parts: {} are listed, at most {MAX_PARTS} are possible",
            document.parts().len()
        )));
    }
    let mut parts = Vec::with_capacity(document.parts().len());
    for (name, expected) in document.parts() {
        if name.contains('/') {
            return Err(LoadError::Invalid(format!("parts: {name:?} is no file name")));
        }
        let bytes = read(&dir.join(name)).map_err(LoadError::Unreadable)?;
        let bytes = bytes.ok_or_else(|| LoadError::Incomplete(format!("{name} is not there yet")))?;
        let found = ConfigHash::of(&bytes);
        if found != *expected {
            return Err(LoadError::Incomplete(format!(
                "{name} has the hash {}, the document wants {}",
                found.short(),
                expected.short()
            )));
        }
        parts.push(parse(name, &bytes)?);
    }
    Ok(Loaded { hash, document, parts })
}

/// Reads one document, its `format` first: a newer one may mean something else by the same fields.
fn parse<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, LoadError> {
    #[derive(Deserialize)]
    struct Head {
        format: u32,
    }
    let head: Head = serde_json::from_slice(bytes).map_err(|error| LoadError::Invalid(format!("{name}: {error}")))?;
    if head.format == 0 || head.format > FORMAT {
        return Err(LoadError::Invalid(format!(
            "{name}: format: {} is not known, this version reads 1 to {FORMAT}; use a newer image",
            head.format
        )));
    }
    serde_json::from_slice(bytes).map_err(|error| LoadError::Invalid(format!("{name}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::{convert::Infallible, os::unix::fs::symlink};

    #[derive(Debug, PartialEq, Deserialize)]
    struct Main {
        greeting: String,
        #[serde(default)]
        parts: Parts,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Part {
        names: Vec<String>,
    }

    impl Document for Main {
        type Part = Part;

        fn parts(&self) -> &Parts {
            &self.parts
        }
    }

    /// A volume as the kubelet keeps it: a fresh directory for each state and a link that is swapped.
    struct Volume {
        dir: tempfile::TempDir,
        linked: bool,
        version: usize,
    }

    impl Volume {
        fn new(linked: bool) -> Self {
            Self { dir: tempfile::tempdir().unwrap(), linked, version: 0 }
        }

        fn write(&mut self, files: &[(&str, &Value)]) {
            self.version += 1;
            if !self.linked {
                for (name, content) in files {
                    fs::write(self.dir.path().join(name), content.to_string()).unwrap();
                }
                return;
            }
            let name = format!("..v{}", self.version);
            fs::create_dir(self.dir.path().join(&name)).unwrap();
            for (file, content) in files {
                fs::write(self.dir.path().join(&name).join(file), content.to_string()).unwrap();
            }
            symlink(&name, self.dir.path().join("..next")).unwrap();
            fs::rename(self.dir.path().join("..next"), self.dir.path().join(DATA_LINK)).unwrap();
        }
    }

    fn look(mount: &mut Mount) -> Look<Loaded<Main>> {
        mount.look(Ok::<_, Infallible>)
    }

    fn hash(value: &Value) -> ConfigHash {
        ConfigHash::of(value.to_string().as_bytes())
    }

    #[test]
    fn a_configuration_is_taken_over_when_all_its_parts_are_there() {
        for linked in [true, false] {
            let mut volume = Volume::new(linked);
            let mut mount = Mount::new(volume.dir.path());
            assert!(matches!(look(&mut mount), Look::Incomplete(_)), "nothing there yet");

            let (old_part, new_part) =
                (json!({"format": 1, "names": ["ana"]}), json!({"format": 1, "names": ["ana", "bo"]}));
            let main = json!({"format": 1, "greeting": "hi", "later": true, "parts": {"part-0.json": hash(&old_part)}});
            volume.write(&[(MAIN_DOCUMENT, &main)]);
            assert!(matches!(look(&mut mount), Look::Incomplete(message) if message == "part-0.json is not there yet"));
            volume.write(&[(MAIN_DOCUMENT, &main), ("part-0.json", &old_part)]);
            let Look::New(loaded) = look(&mut mount) else { panic!("complete") };
            assert_eq!(
                (loaded.document.greeting.as_str(), loaded.parts),
                ("hi", vec![Part { names: vec!["ana".into()] }])
            );
            assert_eq!(mount.status().hash, Some(hash(&main)));
            assert!(matches!(look(&mut mount), Look::Unchanged));

            // The part is ahead of the main document, then the main document follows.
            volume.write(&[(MAIN_DOCUMENT, &main), ("part-0.json", &new_part)]);
            assert!(
                matches!(look(&mut mount), Look::Unchanged),
                "what is in force was complete when it was taken over"
            );
            let next = json!({"format": 1, "greeting": "hi", "parts": {"part-0.json": hash(&new_part)}});
            volume.write(&[(MAIN_DOCUMENT, &next), ("part-0.json", &old_part)]);
            assert!(
                matches!(look(&mut mount), Look::Incomplete(message) if message.starts_with("part-0.json has the hash "))
            );
            assert_eq!(mount.status().hash, Some(hash(&main)), "the old one stays in force");
            volume.write(&[(MAIN_DOCUMENT, &next), ("part-0.json", &new_part)]);
            assert!(matches!(look(&mut mount), Look::New(loaded) if loaded.parts[0].names.len() == 2));
            assert_eq!(mount.status().hash, Some(hash(&next)));
        }
    }

    #[test]
    fn a_part_that_cannot_be_read_is_read_at_the_next_look() {
        for linked in [true, false] {
            let mut volume = Volume::new(linked);
            let mut mount = Mount::new(volume.dir.path());
            let part = json!({"format": 1, "names": ["ana"]});
            let main = json!({"format": 1, "greeting": "hi", "parts": {"part-0.json": hash(&part)}});
            volume.write(&[(MAIN_DOCUMENT, &main)]);
            let files = if linked { volume.dir.path().join(DATA_LINK) } else { volume.dir.path().to_owned() };
            // A folder in its place gives an error of reading, whoever asks.
            fs::create_dir(files.join("part-0.json")).unwrap();
            for _ in 0..2 {
                let Look::Unreadable(message) = look(&mut mount) else { panic!("{linked}") };
                assert!(message.contains("part-0.json cannot be read: "), "{message}");
            }
            fs::remove_dir(files.join("part-0.json")).unwrap();
            fs::write(files.join("part-0.json"), part.to_string()).unwrap();
            assert!(matches!(look(&mut mount), Look::New(loaded) if loaded.parts.len() == 1), "{linked}");
            assert!(matches!(look(&mut mount), Look::Unchanged));
        }
    }

    #[test]
    fn a_bad_document_is_rejected_with_its_field_and_leaves_the_old_one() {
        let mut volume = Volume::new(true);
        let mut mount = Mount::new(volume.dir.path());
        let good = json!({"format": 1, "greeting": "hi"});
        volume.write(&[(MAIN_DOCUMENT, &good)]);
        assert!(matches!(look(&mut mount), Look::New(_)));

        let cases = [
            (
                json!({"format": 2, "greeting": 7}),
                "config.json: format: 2 is not known, this version reads 1 to 1; use a newer image",
            ),
            (json!({"format": 0, "greeting": "hi"}), "config.json: format: 0 is not known"),
            (json!({"greeting": "hi"}), "config.json: missing field `format`"),
            (json!({"format": 1}), "config.json: missing field `greeting`"),
            (json!({"format": 1, "greeting": "hi", "parts": {"../x": hash(&good)}}), "parts: \"../x\" is no file name"),
            (json!([]), "config.json: "),
        ];
        for (bad, expected) in cases {
            volume.write(&[(MAIN_DOCUMENT, &bad)]);
            let Look::Rejected(rejected) = look(&mut mount) else { panic!("{bad}") };
            assert!(rejected.message.starts_with(expected), "{}", rejected.message);
            assert_eq!(mount.status(), &ConfigStatus { hash: Some(hash(&good)), rejected: Some(rejected) });
            assert!(matches!(look(&mut mount), Look::Unchanged), "said once");
        }

        volume.write(&[(MAIN_DOCUMENT, &json!({"format": 1, "greeting": "rude"}))]);
        let refused = mount.look(|loaded: Loaded<Main>| {
            Err::<(), _>(format!("greeting: {:?} is not allowed", loaded.document.greeting))
        });
        assert!(matches!(refused, Look::Rejected(rejected) if rejected.message == "greeting: \"rude\" is not allowed"));
        volume.write(&[(MAIN_DOCUMENT, &good)]);
        assert!(matches!(look(&mut mount), Look::Unchanged));
        assert_eq!(mount.status(), &ConfigStatus { hash: Some(hash(&good)), rejected: None });
    }
}
