//! Credentials: files in a mounted Secret, one per key, read again when they change.

use std::{collections::BTreeMap, fmt, fs, io, path::Path};

/// A value that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(String);

impl Secret {
    /// The value itself.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// The keys of a Secret that are there and not empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Credentials(BTreeMap<String, Secret>);

impl Credentials {
    /// Whether there is no key at all.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads every file of `dir`. A directory that is not there is a Secret that is not there: no keys.
    ///
    /// White space around a value is not part of it: files and `kubectl create secret --from-file` often end in a line feed.
    ///
    /// # Errors
    /// When something that is there cannot be read.
    pub(super) fn read(dir: &Path) -> io::Result<Self> {
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        let mut found = BTreeMap::new();
        for entry in entries {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            // The kubelet keeps its own links and directories beside the keys: `..data`, `..2026_…`.
            if name.starts_with('.') || !fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_file()) {
                continue;
            }
            let value = match fs::read_to_string(entry.path()) {
                Ok(value) => value,
                // A value that is no text is no credential; a file that was just replaced is seen next time.
                Err(error) if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::NotFound) => continue,
                Err(error) => return Err(error),
            };
            if !value.trim().is_empty() {
                found.insert(name, Secret::from(value.trim()));
            }
        }
        Ok(Self(found))
    }

    /// The values of keys of which none may be missing.
    ///
    /// # Errors
    /// Those that are.
    pub(super) fn require<const N: usize>(&self, keys: [&str; N]) -> Result<[Secret; N], Vec<String>> {
        let missing: Vec<_> =
            keys.iter().filter(|key| !self.0.contains_key(**key)).map(|key| (*key).to_owned()).collect();
        if missing.is_empty() { Ok(keys.map(|key| self.0[key].clone())) } else { Err(missing) }
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Secret> {
        self.0.get(key)
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Credentials {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.into_iter().map(|(key, value)| (key.to_owned(), Secret::from(value))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn files_of_a_mounted_secret_are_read() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Credentials::read(&dir.path().join("absent")).unwrap(), Credentials::default());
        // As the kubelet lays them out.
        let version = dir.path().join("..2026_11_22");
        fs::create_dir(&version).unwrap();
        symlink("..2026_11_22", dir.path().join("..data")).unwrap();
        for (key, value) in [("authToken", "abc\n"), ("previousAuthToken", " \n"), ("apiKeySid", "SK1")] {
            fs::write(version.join(key), value).unwrap();
            symlink(format!("..data/{key}"), dir.path().join(key)).unwrap();
        }
        fs::write(version.join("binary"), [0xff]).unwrap();
        symlink("..data/binary", dir.path().join("binary")).unwrap();
        symlink("..data/gone", dir.path().join("gone")).unwrap();
        assert_eq!(
            Credentials::read(dir.path()).unwrap(),
            Credentials::from([("authToken", "abc"), ("apiKeySid", "SK1")])
        );
    }

    #[test]
    fn secrets_are_not_printed() {
        let printed = format!("{:?}", Credentials::from([("authToken", "hunter2")]));
        assert!(!printed.contains("hunter2"), "{printed}");
    }
}
