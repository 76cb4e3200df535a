//! `enrich --out`: what each service brought, as files.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;
use tempfile::NamedTempFile;

use crate::enrich::progress::Progress;

/// Makes the directory, and sees to it that files can be made in it, before anything is fetched for them.
pub(crate) fn prepare(directory: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(directory).with_context(|| format!("cannot create directory {}", directory.display()))?;
    draft(directory).with_context(|| format!("cannot create a file in {}", directory.display()))?;
    Ok(())
}

/// Writes a file for each service that brought something.
pub(crate) fn write(directory: &Path, progress: &Progress) -> anyhow::Result<()> {
    for of in &progress.services {
        if let Some(value) = of.cold.value() {
            let file = directory.join(format!("{}.json", of.service.name()));
            write_whole(directory, &file, value).with_context(|| format!("cannot write {}", file.display()))?;
        }
    }
    Ok(())
}

/// All of the file or nothing: a reader never sees half of it.
fn write_whole(directory: &Path, file: &Path, value: &Value) -> anyhow::Result<()> {
    let mut draft = draft(directory)?;
    serde_json::to_writer_pretty(&mut draft, value)?;
    draft.write_all(b"\n")?;
    draft.persist(file)?;
    Ok(())
}

/// A file that is gone unless it is kept.
fn draft(directory: &Path) -> std::io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(".enrich-").permissions(readable()).tempfile_in(directory)
}

/// As any file that is written, the user's mask applied: drafts are private otherwise.
fn readable() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o666)
}
