//! A clock that runs a hundred times as fast, for a daemon and for the commands that talk to it, and that can be set.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// The C library's clocks and waits, replaced (`clock.c`).
pub(crate) struct Clock {
    library: PathBuf,
    file: PathBuf,
    shared: File,
    step_ns: i64,
}

impl Clock {
    /// Made and kept in `dir`. `None`: there is no compiler here.
    #[allow(clippy::disallowed_methods, reason = "the fast clock begins where the true one is")]
    pub(crate) fn new(dir: &Path, rate: i64) -> Option<Self> {
        let (library, file) = (dir.join("clock.so"), dir.join("clock"));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/soak/clock.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o"]).arg(&library).arg(source);
        let made = compiler.output().ok()?;
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let wall = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap();
        let shared = File::create(&file).unwrap();
        let whole: Vec<u8> = [rate, 0, wall, 0].iter().flat_map(|value: &i64| value.to_ne_bytes()).collect();
        shared.write_all_at(&whole, 0).unwrap();
        Some(Self { library, file, shared, step_ns: 0 })
    }

    /// What a process needs in its environment to live by it.
    pub(crate) fn environment(&self) -> [(&str, &str); 2] {
        [("LD_PRELOAD", self.library.to_str().unwrap()), ("SOAK_CLOCK", self.file.to_str().unwrap())]
    }

    /// Sets the wall clock, and nothing else, on or back.
    pub(crate) fn step(&mut self, seconds: i64) {
        self.step_ns += seconds * 1_000_000_000;
        self.shared.write_all_at(&self.step_ns.to_ne_bytes(), 24).unwrap();
    }
}
