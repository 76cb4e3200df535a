//! Checks of the backend: reachable, latency, version, memory limit and eviction.

use std::time::Instant;

use cache_core::{BackendKind, Capabilities, Error, MemoryLimit, ServerInfo, ServerRole};

use crate::commands::doctor::command_line::{quoted, redis_cli};
use crate::commands::doctor::report::{Check, Status};
use crate::commands::doctor::trial;
use crate::commands::session::OpenCache;
use crate::output::human::{bytes, count, elapsed};
use cache_core::error_chain;

/// Frees memory by deleting what expires soon, of both kinds.
const FREE: &str = "animecache flush --ttl-under 1h";

/// Above this share of the memory limit, writes are about to fail or entries to be evicted.
const NEARLY_FULL: f64 = 0.9;

pub(crate) async fn checks(cache: &OpenCache, is_read_only: bool) -> Vec<Check> {
    let backend = cache.store.id();
    let name = if backend.kind == BackendKind::Redis { "Redis" } else { "SQLite" };
    let started = Instant::now();
    let health = cache.store.health().await;
    let took = started.elapsed();
    if let Some(problem) = health.problem {
        return vec![Check::fail(name, problem, "animecache -v ls --limit 1")];
    }
    let detail = format!("connected to {} in {}", backend.location, elapsed(took));
    let mut checks = vec![Check::ok(name, detail)];
    if backend.kind == BackendKind::Redis {
        // Before the server is examined: the trial learns what is refused.
        checks.push(trial::check(&*cache.store, is_read_only).await);
    }
    match cache.store.info().await {
        Ok(info) => {
            checks.push(version(&info));
            if let Some(server) = &info.server {
                checks.push(Check::note("database", server.database.to_string()));
                checks.push(role(server, &backend.location));
                checks.extend(rights(server));
                checks.push(memory(&info));
            } else {
                checks.push(size(&info, &backend.location));
            }
            if let Some(keys) = info.keys {
                checks.push(Check::note(
                    "keys",
                    format!("{} in the database, including keys of other applications", count(keys)),
                ));
            }
        }
        Err(error) => checks.push(Check::warn("version", error_chain(&error), advice(&error))),
    }
    checks
}

/// The size of the file. Free space of a file that another program created is not given back by a flush.
fn size(info: &ServerInfo, location: &str) -> Check {
    let size = info.memory_bytes.map_or("unknown".to_owned(), bytes);
    match info.free_bytes {
        Some(free) if free > 0 => {
            let vacuum = format!("sqlite3 {} VACUUM", quoted(location));
            let detail = format!("{size}, {} of it free for new entries; {vacuum} gives it back", bytes(free));
            Check::note("size", detail)
        }
        _ => Check::note("size", size),
    }
}

/// The hint if one command failed but others work.
pub(crate) fn advice(error: &Error) -> String {
    match error {
        Error::Refused { operation, .. } if operation.bytes().all(|b| b.is_ascii_uppercase()) => {
            format!("grant the Redis user permission for {operation}: redis-cli ACL SETUSER USER +{operation}")
        }
        _ => "animecache -v ls --limit 1".to_owned(),
    }
}

fn version(info: &ServerInfo) -> Check {
    let product = info.server.as_ref().and_then(|server| server.product.as_deref());
    match (&info.version, product) {
        (Some(version), Some(product)) => Check::ok("version", format!("{product} {version}")),
        (Some(version), None) => Check::ok("version", version.clone()),
        (None, _) => Check::note("version", "unknown: this user may not ask (INFO)"),
    }
}

/// Whether the server takes changes, and has all entries.
fn role(server: &Capabilities, location: &str) -> Check {
    let primary = match &server.role {
        Some(ServerRole::Replica { primary: Some(primary), .. }) => Some(primary.as_str()),
        _ => None,
    };
    if let Some(reason) = server.incomplete_reason().or_else(|| server.read_only_reason()) {
        let detail = format!("{reason}: nothing can be stored, flushed or changed here");
        let fix = primary.map(|primary| format!("export REDIS_CACHE_URL=redis://{primary}/{}", server.database));
        return Check::finding(Status::Warn, "role", detail, fix);
    }
    match (&server.writes_refused, &server.role) {
        (Some(reason), _) => {
            let fix = redis_cli(location, "INFO persistence");
            Check::fail("role", format!("all writes are refused: {reason}"), fix)
        }
        (None, Some(role)) => Check::ok("role", role.name()),
        (None, None) => Check::note("role", "unknown: this user may not ask (INFO)"),
    }
}

/// What was refused while connecting and examining.
fn rights(server: &Capabilities) -> Option<Check> {
    let missing: Vec<&str> =
        server.refused.keys().map(|name| &**name).filter(|name| !name.starts_with("CLIENT")).collect();
    if missing.is_empty() {
        return None;
    }
    let commands: Vec<String> = missing
        .iter()
        .filter(|name| name.bytes().all(|letter| letter.is_ascii_uppercase() || letter == b' '))
        .map(|name| format!("+{}", name.to_lowercase().replace(' ', "|")))
        .collect();
    let detail = format!("refused to this user: {}", missing.join(", "));
    Some(if commands.is_empty() {
        Check::note("rights", detail)
    } else {
        Check::warn("rights", detail, format!("redis-cli ACL SETUSER USER {}", commands.join(" ")))
    })
}

/// Entries that could not be read.
pub(crate) fn denied(entries: u64) -> Option<Check> {
    (entries > 0).then(|| {
        let detail = format!("entries that this user lacks permission to read: {}", count(entries));
        Check::warn("rights", detail, "redis-cli ACL SETUSER USER '~hishel_cache:*' '~result_cache:*' '~animecache:*'")
    })
}

fn memory(info: &ServerInfo) -> Check {
    let (Some(memory), Some(limit)) = (info.memory_bytes, &info.limit) else {
        return Check::note("memory", "unknown: this user may not ask (INFO)");
    };
    let used = bytes(memory);
    let MemoryLimit::Limited { bytes: limit, policy } = limit else {
        return Check::ok("memory", format!("{used} used, no maxmemory limit"));
    };
    let detail = format!("{used} of {} used, maxmemory-policy {policy}", bytes(*limit));
    let share = memory as f64 / *limit as f64;
    if policy != "noeviction" {
        // Entry, body and index are three keys, all of which have a TTL: evicted one by one, they leave hollow entries
        // behind. Another policy would change the server for all of its users.
        let detail = format!(
            "{detail}: the server evicts keys one by one, and may evict the body of an entry but keep its metadata; \
             raise maxmemory, or use a server of its own for the cache"
        );
        Check::finding(Status::Warn, "memory", detail, None)
    } else if share >= 1.0 {
        Check::fail("memory", format!("{detail}: nothing can be stored"), FREE)
    } else if share > NEARLY_FULL {
        Check::warn("memory", format!("{detail}: almost full"), FREE)
    } else {
        Check::ok("memory", detail)
    }
}
