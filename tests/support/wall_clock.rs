//! A wall clock that is wrong, for a process under test: a library that is preloaded into it, made with the C compiler that Rust
//! links with. The process itself knows nothing of it.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use jiff::SignedDuration;
use tempfile::NamedTempFile;

/// A wall clock that can be set while the process runs. The file says by how much it is wrong.
pub struct WallClock(NamedTempFile);

impl WallClock {
    /// A clock that is right.
    pub fn new() -> Self {
        let clock = Self(NamedTempFile::new().unwrap());
        clock.set_wrong_by(SignedDuration::ZERO);
        clock
    }

    /// Makes it wrong by so much from now on.
    pub fn set_wrong_by(&self, by: SignedDuration) {
        let file = File::options().write(true).open(self.0.path()).unwrap();
        let nanos = i64::try_from(by.as_nanos()).unwrap();
        file.write_all_at(&nanos.to_ne_bytes(), 0).unwrap();
    }

    /// What a process that has this clock is started with.
    pub fn environment(&self) -> Vec<(String, String)> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        vec![("LD_PRELOAD".into(), text(library())), ("ALDIS_TEST_CLOCK".into(), text(self.0.path()))]
    }
}

/// The library, compiled once by each test binary.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("clock.so");
        // Other binaries may use the present one.
        let new = path.with_extension(format!("{}.so", std::process::id()));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/clock.c");
        let made = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&new).arg(source).status().unwrap();
        assert!(made.success(), "the C compiler made no library");
        fs::rename(&new, &path).unwrap();
        path
    })
}
