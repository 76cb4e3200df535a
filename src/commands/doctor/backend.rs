//! Checks of the backend: reachable, latency, version, memory limit and eviction.

use std::time::Instant;

use cache_core::{BackendKind, Capabilities, Error, MemoryLimit, ServerInfo, ServerRole};

use crate::commands::doctor::command_line::quoted;
use crate::commands::doctor::report::Check;
use crate::commands::session::OpenCache;
use crate::output::human::{bytes, count, elapsed};
use cache_core::error_chain;

/// Above this share of the memory limit, writes are about to fail or entries to be evicted.
const NEARLY_FULL: f64 = 0.9;

pub(crate) async fn checks(cache: &OpenCache) -> Vec<Check> {
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
    match cache.store.info().await {
        Ok(info) => {
            checks.push(version(&info));
            if let Some(server) = &info.server {
                checks.push(Check::note("database", server.database.to_string()));
                checks.push(role(server));
                checks.extend(rights(server));
                checks.push(memory(&info, &backend.location));
            } else {
                checks.push(Check::note("size", info.memory_bytes.map_or("unknown".to_owned(), bytes)));
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
fn role(server: &Capabilities) -> Check {
    let primary = match &server.role {
        Some(ServerRole::Replica { primary: Some(primary), .. }) => primary.as_str(),
        _ => "HOST:PORT",
    };
    if let Some(reason) = server.incomplete_reason().or_else(|| server.read_only_reason()) {
        let detail = format!("{reason}: nothing can be stored, flushed or changed here");
        return Check::warn("role", detail, format!("export REDIS_CACHE_URL=redis://{primary}/{}", server.database));
    }
    match (&server.writes_refused, &server.role) {
        (Some(reason), _) => {
            Check::fail("role", format!("all writes are refused: {reason}"), "redis-cli INFO persistence")
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

fn memory(info: &ServerInfo, location: &str) -> Check {
    let (Some(memory), Some(limit)) = (info.memory_bytes, &info.limit) else {
        return Check::note("memory", "unknown: this user may not ask (INFO)");
    };
    let used = bytes(memory);
    let MemoryLimit::Limited { bytes: limit, policy } = limit else {
        return Check::ok("memory", format!("{used} used, no maxmemory limit"));
    };
    let detail = format!("{used} of {} used, maxmemory-policy {policy}", bytes(*limit));
    let is_nearly_full = memory as f64 > *limit as f64 * NEARLY_FULL;
    if policy.starts_with("allkeys-") {
        // Entry, body and index are three keys: evicted one by one, they leave hollow entries behind.
        let detail = format!("{detail}: the server may evict the body of an entry but keep its metadata");
        Check::warn(
            "memory",
            detail,
            format!("redis-cli -u {} CONFIG SET maxmemory-policy volatile-ttl", quoted(location)),
        )
    } else if is_nearly_full {
        Check::warn("memory", format!("{detail}: almost full"), "animecache flush --idle-for 12h")
    } else {
        Check::ok("memory", detail)
    }
}

/// The error of opening the cache, with a hint.
pub(crate) fn unreachable(error: &Error) -> Check {
    let detail = error_chain(error);
    let lower = detail.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let backend = match error {
        Error::Unavailable { backend, .. }
        | Error::Timeout { backend, .. }
        | Error::Refused { backend, .. }
        | Error::Missing { backend } => Some(backend),
        _ => None,
    };
    match backend.map(|backend| (backend.kind, &*backend.location)) {
        Some((BackendKind::Redis, _)) if says(&["noauth", "wrongpass", "authentication"]) => {
            Check::fail("Redis", detail, "export REDIS_CACHE_URL=redis://USER:PASSWORD@HOST:6379/0")
        }
        Some((BackendKind::Redis, location)) if says(&["loading"]) => {
            let fix =
                format!("wait until Redis has loaded its data; see redis-cli -u {} INFO persistence", quoted(location));
            Check::fail("Redis", detail, fix)
        }
        Some((BackendKind::Redis, _)) if says(&["db index", "switch database"]) => {
            Check::fail("Redis", detail, "export REDIS_CACHE_URL=redis://HOST:6379/0")
        }
        Some((BackendKind::Redis, _)) => {
            let fix = "docker compose -f assets/compose.yaml up -d redis, or: export HTTP_CACHE_STORAGE=sqlite";
            Check::fail("Redis", detail, fix)
        }
        Some((_, location)) if matches!(error, Error::Missing { .. }) => {
            Check::fail("SQLite", format!("{location} does not exist"), "animecache doctor --sqlite PATH")
        }
        Some(_) => Check::fail("SQLite", detail, "animecache doctor --sqlite PATH"),
        None => Check::fail("cache", detail, "correct the setting reported above"),
    }
}
