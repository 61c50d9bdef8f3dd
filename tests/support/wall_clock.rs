//! A wall clock that is wrong, for a process under test: a library that is preloaded into it, made with the C compiler that Rust
//! links with. The process itself knows nothing of it.

use std::{os::unix::fs::FileExt, process::Command};

use jiff::SignedDuration;
use tempfile::TempDir;

/// A wall clock that can be set while the process runs.
pub struct WallClock(TempDir);

impl WallClock {
    /// A clock that is right.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/clock.c");
        let library = dir.path().join("clock.so");
        let made =
            Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(library).arg(source).status().unwrap();
        assert!(made.success(), "the C compiler made no library");
        let clock = Self(dir);
        std::fs::write(clock.0.path().join("wrong-by"), 0i64.to_ne_bytes()).unwrap();
        clock
    }

    /// Makes it wrong by so much from now on.
    pub fn set_wrong_by(&self, by: SignedDuration) {
        let file = std::fs::File::options().write(true).open(self.0.path().join("wrong-by")).unwrap();
        let nanos = i64::try_from(by.as_nanos()).unwrap();
        file.write_all_at(&nanos.to_ne_bytes(), 0).unwrap();
    }

    /// What a process that has this clock is started with.
    pub fn environment(&self) -> Vec<(String, String)> {
        let path = |name: &str| self.0.path().join(name).to_str().unwrap().to_owned();
        vec![("LD_PRELOAD".into(), path("clock.so")), ("ALDIS_TEST_CLOCK".into(), path("wrong-by"))]
    }
}
