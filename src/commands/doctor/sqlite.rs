//! Checks of the SQLite file, which is the backend or the fallback: present, intact, writable.

use std::io::Write as _;
use std::path::Path;

use cache_core::{Error, IfMissing, ServiceRegistry, Sqlite};

use crate::commands::doctor::command_line::quoted;
use crate::commands::doctor::report::{Check, Status};
use cache_core::error_chain;

/// What is written to prove that a file system takes data; bytes.
static PROOF: [u8; 65_536] = [0; 65_536];

pub(crate) async fn checks(file: &Path, is_asked_for: bool, services: &ServiceRegistry) -> Vec<Check> {
    let mut checks = Vec::new();
    if file.exists() {
        checks.push(opened(file, services).await);
        checks.extend(writable(file));
    } else if !is_asked_for {
        let detail =
            format!("{} does not exist; programs that cache create it if Redis is unreachable", file.display());
        checks.push(Check::note("SQLite file", detail));
    }
    checks.push(directory(file));
    checks
}

async fn opened(file: &Path, services: &ServiceRegistry) -> Check {
    let check = async { Sqlite::open(file, services.clone(), IfMissing::Fail).await?.quick_check().await };
    match check.await {
        Ok(None) => Check::ok("SQLite file", format!("PRAGMA quick_check found no damage in {}", file.display())),
        Ok(Some(damage)) => {
            let detail = format!("{} is damaged (PRAGMA quick_check): {damage}", file.display());
            Check::finding(Status::Fail, "SQLite file", detail, Some(recover(file)))
        }
        Err(error) => failure(&error, file),
    }
}

fn recover(file: &Path) -> String {
    format!("sqlite3 {} .recover", quoted(file))
}

/// A hint that fits the cause: an intact file, or one of another program, must not be moved out of the way.
fn failure(error: &Error, file: &Path) -> Check {
    let detail = error_chain(error);
    let says = |words: &[&str]| words.iter().any(|word| detail.contains(word));
    let parent = file.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    let (means, fix) = if says(&["not a cache database"]) {
        (": it belongs to another program; name another file with --sqlite", None)
    } else if says(&["not a database", "malformed"]) {
        ("", Some(recover(file)))
    } else if says(&["disk I/O", "is full", "disk is full"]) {
        ("", Some(format!("df -h {}", quoted(parent))))
    } else if says(&["unable to open", "readonly", "read-only", "permission"]) {
        ("", Some(format!("ls -ld {} {}", quoted(parent), quoted(file))))
    } else {
        ("", None)
    };
    Check::finding(Status::Fail, "SQLite file", format!("{detail}{means}"), fix)
}

/// A finding if this user may read the file but not write it.
fn writable(file: &Path) -> Option<Check> {
    let error = std::fs::OpenOptions::new().append(true).open(file).err()?;
    let detail = format!("{} cannot be written: {error}", file.display());
    Some(Check::finding(Status::Warn, "SQLite file", detail, Some(format!("ls -l {}", quoted(file)))))
}

/// Whether files can be created beside the database, as its journal is. Permissions are not enough: the file system may
/// be full or mounted read-only.
fn directory(file: &Path) -> Check {
    let wanted = match file.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    // The pipeline creates missing directories.
    let existing = wanted.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("."));
    let proof = tempfile::tempfile_in(existing).and_then(|mut proof| {
        proof.write_all(&PROOF)?;
        proof.sync_all()
    });
    match proof {
        Ok(()) if existing == wanted => Check::ok("SQLite folder", format!("{} is writable", wanted.display())),
        Ok(()) => {
            let detail = format!("{} can be created in {}", wanted.display(), existing.display());
            Check::ok("SQLite folder", detail)
        }
        Err(error) => {
            let detail = format!("{} is not writable: {error}", existing.display());
            let shown = quoted(existing);
            let fix = match error.kind() {
                std::io::ErrorKind::StorageFull => Some(format!("df -h {shown}")),
                std::io::ErrorKind::PermissionDenied => Some(format!("ls -ld {shown}")),
                // No permission makes a read-only mount writable.
                _ => None,
            };
            Check::finding(Status::Warn, "SQLite folder", detail, fix)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cache_core::{BackendId, BackendKind, RefusalScope};

    #[test]
    fn only_a_damaged_file_is_to_be_recovered() {
        let fix = |source: &'static str| {
            let backend = BackendId { kind: BackendKind::Sqlite, location: "d/c.db".into() };
            let (operation, scope) = ("opening the file", RefusalScope::All);
            let error = Error::Refused { backend, operation, scope, source: source.into() };
            serde_json::to_value(failure(&error, Path::new("d/c.db"))).unwrap()["fix"].as_str().map(ToOwned::to_owned)
        };
        for (source, expected) in [
            ("file is not a database", Some("sqlite3 d/c.db .recover")),
            ("database disk image is malformed", Some("sqlite3 d/c.db .recover")),
            ("disk I/O error: Error code 4874", Some("df -h d")),
            ("database or disk is full", Some("df -h d")),
            ("unable to open database file", Some("ls -ld d d/c.db")),
            ("attempt to write a readonly database", Some("ls -ld d d/c.db")),
            ("not a cache database: table 'entries' not found", None),
            ("database is locked", None),
        ] {
            assert_eq!(fix(source).as_deref(), expected, "{source}");
        }
    }
}
