//! Checks of the SQLite file, which is the backend or the fallback: present, intact, writable.

use std::path::Path;

use cache_core::{IfMissing, Inspect as _, ServiceRegistry, Sqlite};

use crate::commands::doctor::command_line::quoted;
use crate::commands::doctor::report::Check;
use cache_core::error_chain;

pub(crate) async fn checks(file: &Path, is_asked_for: bool, services: &ServiceRegistry) -> Vec<Check> {
    let mut checks = Vec::new();
    if file.exists() {
        checks.push(opened(file, services).await);
    } else if !is_asked_for {
        let detail =
            format!("{} does not exist; programs that cache create it if Redis is unreachable", file.display());
        checks.push(Check::note("SQLite file", detail));
    }
    checks.push(directory(file));
    checks
}

async fn opened(file: &Path, services: &ServiceRegistry) -> Check {
    let answer = async { Sqlite::open(file, services.clone(), IfMissing::Fail).await?.info().await };
    match answer.await {
        Ok(info) => Check::ok(
            "SQLite file",
            format!("{} is readable (SQLite {})", file.display(), info.version.unwrap_or_default()),
        ),
        Err(error) => {
            let file = file.to_string_lossy();
            let fix = format!("mv {} {}", quoted(&file), quoted(&format!("{file}.broken")));
            Check::fail("SQLite file", error_chain(&error), fix)
        }
    }
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
    match tempfile::tempfile_in(existing) {
        Ok(_) if existing == wanted => Check::ok("SQLite folder", format!("{} is writable", wanted.display())),
        Ok(_) => {
            let detail = format!("{} can be created in {}", wanted.display(), existing.display());
            Check::ok("SQLite folder", detail)
        }
        Err(error) => {
            let detail = format!("{} is not writable: {error}", existing.display());
            Check::warn("SQLite folder", detail, format!("chmod u+w {}", quoted(&existing.to_string_lossy())))
        }
    }
}
