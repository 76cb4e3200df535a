//! `enrich --out`: the data of each service, as files.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;
use tempfile::NamedTempFile;

use crate::enrich::progress::EnrichProgress;

/// Creates the directory, and checks that it is writable before anything is fetched.
pub(crate) fn prepare(directory: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(directory).with_context(|| format!("cannot create directory {}", directory.display()))?;
    draft(directory).with_context(|| format!("cannot create a file in {}", directory.display()))?;
    Ok(())
}

/// Writes a file for each service that returned data.
pub(crate) fn write(directory: &Path, progress: &EnrichProgress) -> anyhow::Result<()> {
    for of in &progress.services {
        if let Some(value) = of.cold.value() {
            let file = directory.join(format!("{}.json", of.service.name()));
            write_atomically(directory, &file, value).with_context(|| format!("cannot write {}", file.display()))?;
        }
    }
    Ok(())
}

/// Writes a file atomically.
fn write_atomically(directory: &Path, file: &Path, value: &Value) -> anyhow::Result<()> {
    let mut draft = draft(directory)?;
    serde_json::to_writer_pretty(&mut draft, value)?;
    draft.write_all(b"\n")?;
    draft.persist(file)?;
    Ok(())
}

/// A temporary file.
fn draft(directory: &Path) -> std::io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(".enrich-").permissions(readable()).tempfile_in(directory)
}

/// The usual mode of files, before the umask: temporary files are private otherwise.
fn readable() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o666)
}
