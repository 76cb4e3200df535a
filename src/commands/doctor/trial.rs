//! A trial of what a cache does: a value is stored, read and deleted. A server can respond, and still do none of these.

use std::time::Duration;

use cache_core::{EntryId, Error, Inspect, error_chain};

use crate::commands::doctor::command_line::redis_cli;
use crate::commands::doctor::report::{Check, Status};

/// A result that no function has.
const KEY: &str = "result_cache:animecache_doctor:trial";

/// Long enough for a slow server, and short if the deletion fails.
const TTL: Duration = Duration::from_secs(10);

pub(crate) async fn check(store: &dyn Inspect, is_read_only: bool) -> Check {
    if is_read_only {
        return Check::note("writes", "not tried: --read-only");
    }
    match trial(store).await {
        Ok(true) => Check::ok("writes", "a value was stored, read and deleted"),
        Ok(false) => {
            let detail = "a value was stored, and was gone when it was read: the server may evict keys at once";
            Check::finding(Status::Fail, "writes", detail, None)
        }
        Err(error) => failure(&error, &store.id().location),
    }
}

async fn trial(store: &dyn Inspect) -> cache_core::Result<bool> {
    store.set(KEY, "1".into(), TTL).await?;
    let is_there = store.get(KEY).await?.is_some();
    store.remove(&[EntryId::key(KEY.as_bytes())]).await?;
    Ok(is_there)
}

fn failure(error: &Error, location: &str) -> Check {
    let detail = error_chain(error);
    let says = |word: &str| detail.contains(word);
    let fix = if says("OOM") {
        Some("animecache flush --ttl-under 1h".to_owned())
    } else if says("MISCONF") {
        Some(redis_cli(location, "INFO persistence"))
    } else {
        None
    };
    let means = if says("NOPERM") || says("no permissions") {
        ": this user may not store, flush or change entries"
    } else {
        ": nothing can be stored now"
    };
    Check::finding(Status::Fail, "writes", format!("{detail}{means}"), fix)
}
