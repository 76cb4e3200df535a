//! Rate limits: one row for each of the last slots, and one for the time until which slots are blocked.

use std::time::Duration;

use rusqlite::{OptionalExtension as _, Transaction};

use crate::clock;
use crate::model::rate_limit::{RateLimit, RequestLog};
use crate::store::sqlite::database::Database;
use crate::store::sqlite::failure::Failure;

pub(crate) fn acquire_slot(
    database: &mut Database,
    name: &str,
    limit: &RateLimit,
    max_wait: Duration,
) -> Result<Duration, Failure> {
    // Other callers wait here: the clock is read after the lock is taken.
    let (change, _) = database.change()?;
    let now = clock::now();
    let mut turns = RequestLog { blocked_until: blocked_until(&change, name)?.unwrap_or(0.0), ..RequestLog::default() };
    // No caller gets a later slot: such a row was written by a clock that has been set back.
    let latest = now + (max_wait + limit.max_period()).as_secs_f64();
    let mut statement = change
        .prepare_cached("SELECT at FROM animecache_turns WHERE name = ?1 AND NOT is_hold AND at <= ?2 ORDER BY at")?;
    for at in statement.query_map((name, latest), |row| row.get(0))? {
        turns.slots.push_back(at?);
    }
    drop(statement);
    let at = turns.next(limit, now);
    let wait = Duration::try_from_secs_f64(at - now).unwrap_or(Duration::MAX);
    if wait <= max_wait {
        let forgotten = now - limit.max_period().as_secs_f64();
        change
            .prepare_cached("DELETE FROM animecache_turns WHERE name = ?1 AND at < ?2")?
            .execute((name, forgotten))?;
        change
            .prepare_cached("INSERT INTO animecache_turns (name, at, is_hold) VALUES (?1, ?2, FALSE)")?
            .execute((name, at))?;
        change.commit()?;
    }
    Ok(wait)
}

pub(crate) fn block(database: &mut Database, name: &str, time: Duration) -> Result<(), Failure> {
    let (change, _) = database.change()?;
    let until = clock::now() + time.as_secs_f64();
    if blocked_until(&change, name)?.is_none_or(|at| at < until) {
        change.prepare_cached("DELETE FROM animecache_turns WHERE name = ?1 AND is_hold")?.execute([name])?;
        change
            .prepare_cached("INSERT INTO animecache_turns (name, at, is_hold) VALUES (?1, ?2, TRUE)")?
            .execute((name, until))?;
        change.commit()?;
    }
    Ok(())
}

fn blocked_until(change: &Transaction<'_>, name: &str) -> Result<Option<f64>, Failure> {
    let mut statement = change.prepare_cached("SELECT at FROM animecache_turns WHERE name = ?1 AND is_hold")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::service::ServiceRegistry;
    use crate::store::sqlite::if_missing::IfMissing;
    use crate::store::sqlite::store::Sqlite;
    use crate::store::traits::RateLimitStore as _;

    #[tokio::test]
    async fn a_slot_far_in_the_future_is_ignored() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("http_cache.db");
        let store = Sqlite::open(&file, ServiceRegistry::default(), IfMissing::Create).await.unwrap();
        let (limit, max_wait) = ("1/1m".parse().unwrap(), Duration::from_secs(200));
        assert_eq!(store.acquire_slot("host", &limit, max_wait).await.unwrap(), Duration::ZERO);
        let other = rusqlite::Connection::open(&file).unwrap();
        other.execute("UPDATE animecache_turns SET at = at + 7200", []).unwrap();
        assert_eq!(store.acquire_slot("host", &limit, max_wait).await.unwrap(), Duration::ZERO);
        assert!(store.acquire_slot("host", &limit, max_wait).await.unwrap() > Duration::from_secs(50));
    }
}
