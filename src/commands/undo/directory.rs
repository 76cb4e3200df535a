//! The directory of undo files: private, and bounded in time and size. Secrets are in the files as they are in the cache.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::BufReader;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use cache_core::admin::archive::ArchiveReader;
use cache_core::clock;
use uuid::Uuid;

use crate::commands::state_directory::state_directory;

/// Files are kept so long, and this many bytes together.
const KEEP: Duration = Duration::from_secs(7 * 86_400);
const TOTAL: u64 = 5 << 30;

const SUFFIX: &str = ".jsonl.gz";

/// The directory of undo files.
pub(crate) struct UndoDirectory(PathBuf);

/// A file in it.
pub(crate) struct UndoFile {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    /// Seconds since it was written.
    age: f64,
}

impl UndoDirectory {
    /// The directory of the user. `demo`: the directory of a temporary cache, which is deleted with it.
    pub(crate) fn new(demo: Option<&Path>) -> anyhow::Result<Self> {
        if let Some(demo) = demo {
            return Ok(Self(demo.join("undo")));
        }
        let state = state_directory().context("no home directory for undo files")?;
        Ok(Self(state.join("undo")))
    }

    /// Creates a file that only this user can read, and removes old ones.
    pub(crate) fn create(&self) -> anyhow::Result<(File, PathBuf)> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.0)
            .with_context(|| format!("cannot create {}", self.0.display()))?;
        self.prune()?;
        let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        let unique = Uuid::new_v4().simple().to_string();
        let path = self.0.join(format!("{time}-{}{SUFFIX}", &unique[..8]));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("cannot create {}", path.display()))?;
        Ok((file, path))
    }

    /// The files, the newest first.
    pub(crate) fn files(&self) -> anyhow::Result<Vec<UndoFile>> {
        let entries = match std::fs::read_dir(&self.0) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.with_context(|| format!("cannot read {}", self.0.display()))?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry?;
            if !entry.file_name().to_string_lossy().ends_with(SUFFIX) {
                continue;
            }
            let metadata = entry.metadata()?;
            let age = metadata.modified()?.elapsed().unwrap_or_default().as_secs_f64();
            files.push(UndoFile { path: entry.path(), bytes: metadata.len(), age });
        }
        files.sort_by(|a, b| b.path.cmp(&a.path));
        Ok(files)
    }

    /// Removes files that are too old, and the oldest of those that are too large together. Returns how many.
    pub(crate) fn prune(&self) -> anyhow::Result<u64> {
        let (mut total, mut removed) = (0, 0);
        for file in self.files()? {
            total += file.bytes;
            if file.age > KEEP.as_secs_f64() || total > TOTAL {
                std::fs::remove_file(&file.path).with_context(|| format!("cannot remove {}", file.path.display()))?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

/// Opens an undo file.
pub(crate) fn open(path: &Path) -> anyhow::Result<ArchiveReader<BufReader<File>>> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    ArchiveReader::new(BufReader::new(file)).with_context(|| format!("cannot read {}", path.display()))
}

/// A time since which an entry would have expired.
pub(crate) fn is_over(expires_at: Option<f64>) -> bool {
    expires_at.is_some_and(|at| at <= clock::now())
}
