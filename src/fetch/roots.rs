//! Whether those whom the system trusts are still the same.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Looks are this far apart at the least: a dozen calls to the system are not free.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How the files looked that clients read the system's certificates from. A client reads them once and remembers whom it
/// has met (a resumed session is not checked again), so whoever keeps clients that speak TLS asks this before each use, and
/// forgets them when the files have changed.
#[derive(Debug, Default)]
pub struct Roots {
    looked: Option<Instant>,
    seen: Vec<Look>,
}

#[derive(PartialEq, Eq, Debug)]
struct Look {
    path: PathBuf,
    inode: u64,
    modified: (i64, i64),
    size_bytes: u64,
}

impl Roots {
    /// Whether they are not as they were when this was asked before; at the first time they are not.
    pub fn changed(&mut self) -> bool {
        if self.looked.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return false;
        }
        self.looked = Some(Instant::now());
        let now = look();
        let changed = now != self.seen;
        self.seen = now;
        changed
    }
}

/// The bundle and the folders that there are. A folder has another date once a file enters or leaves it; one that is written
/// over within a folder is not seen.
fn look() -> Vec<Look> {
    // The same places, in the same order, as where they are read: `SSL_CERT_FILE`, `SSL_CERT_DIR`, or what is usual.
    let places = openssl_probe::probe();
    places.cert_file.iter().chain(&places.cert_dir).filter_map(|path| Look::at(path)).collect()
}

impl Look {
    fn at(path: &Path) -> Option<Self> {
        let meta = std::fs::metadata(path).ok()?;
        let modified = (meta.mtime(), meta.mtime_nsec());
        Some(Self { path: path.to_owned(), inode: meta.ino(), modified, size_bytes: meta.size() })
    }
}
