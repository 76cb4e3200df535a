//! Checks of the backend: reachable, latency, version, memory limit and eviction.

use std::time::Instant;

use cache_core::{BackendKind, Error, RedisUrl, ServerInfo};

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
            checks.push(Check::ok("version", info.version.clone()));
            if backend.kind == BackendKind::Redis {
                checks.push(Check::note("database", database(&backend.location)));
                checks.push(memory(&info, &backend.location));
            } else {
                checks.push(Check::note("size", bytes(info.memory_bytes)));
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

/// The database that the URL names.
fn database(location: &str) -> String {
    RedisUrl::new(location).database().map_or_else(|| "unknown".to_owned(), |number| number.to_string())
}

fn memory(info: &ServerInfo, location: &str) -> Check {
    let used = bytes(info.memory_bytes);
    let Some((limit, policy)) = &info.limit else {
        return Check::ok("memory", format!("{used} used, no maxmemory limit"));
    };
    let detail = format!("{used} of {} used, maxmemory-policy {policy}", bytes(*limit));
    let is_nearly_full = info.memory_bytes as f64 > *limit as f64 * NEARLY_FULL;
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
