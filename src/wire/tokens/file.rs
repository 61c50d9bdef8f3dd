//! [`TokenFile`].

use std::{
    fs, io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use parking_lot::Mutex;

/// The file is read again at least this often, whatever its metadata says.
const REREAD: Duration = Duration::from_secs(60);

/// The pod's projected ServiceAccount token. The kubelet replaces it well before it expires.
#[derive(Clone, Debug)]
pub struct TokenFile(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    read: Mutex<Option<Read>>,
}

#[derive(Debug)]
struct Read {
    token: Arc<str>,
    modified: SystemTime,
    at: Instant,
}

/// The token cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the token file {path} {problem}")]
pub struct TokenFileError {
    path: PathBuf,
    problem: Problem,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("is empty")]
    Empty,
}

impl TokenFile {
    /// The token in the file at `path`; it need not be there yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Inner { path: path.into(), read: Mutex::default() }))
    }

    /// The token as it is now; reads the file when it has changed.
    ///
    /// # Errors
    /// When there is no file, or nothing in it.
    pub fn current(&self) -> Result<Arc<str>, TokenFileError> {
        self.0.current().map_err(|problem| TokenFileError { path: self.0.path.clone(), problem })
    }
}

impl Inner {
    fn current(&self) -> Result<Arc<str>, Problem> {
        let modified = fs::metadata(&self.path)?.modified()?;
        let mut read = self.read.lock();
        match &*read {
            Some(read) if read.modified == modified && read.at.elapsed() < REREAD => Ok(Arc::clone(&read.token)),
            _ => {
                let token: Arc<str> = fs::read_to_string(&self.path)?.trim().into();
                if token.is_empty() {
                    return Err(Problem::Empty);
                }
                *read = Some(Read { token: Arc::clone(&token), modified, at: Instant::now() });
                Ok(token)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_replaced_token_is_seen_at_once() {
        let dir = tempfile::tempdir().unwrap();
        // As the kubelet does it: the file is a link into a directory that is swapped.
        let (link, old, new) = (dir.path().join("token"), dir.path().join("old"), dir.path().join("new"));
        fs::write(&old, "first\n").unwrap();
        symlink(&old, &link).unwrap();
        let file = TokenFile::new(&link);
        assert_eq!(&*file.current().unwrap(), "first");

        fs::write(&new, "second").unwrap();
        fs::File::options()
            .write(true)
            .open(&new)
            .unwrap()
            .set_modified(SystemTime::now() + Duration::from_secs(1))
            .unwrap();
        let swap = dir.path().join("swap");
        symlink(&new, &swap).unwrap();
        fs::rename(&swap, &link).unwrap();
        assert_eq!(&*file.current().unwrap(), "second");
    }

    #[test]
    fn a_missing_or_empty_token_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let file = TokenFile::new(&path);
        let error = file.current().unwrap_err().to_string();
        assert!(error.contains("token cannot be read") && error.contains(path.to_str().unwrap()), "{error}");
        fs::write(&path, "\n").unwrap();
        assert!(file.current().unwrap_err().to_string().ends_with("token is empty"));
    }
}
