//! Leases: one row each, with the time at which it ends by itself. Of a row without an owner nothing can be shared.

use std::time::Duration;

use rusqlite::{OptionalExtension as _, Transaction};
use uuid::Uuid;

use crate::clock;
use crate::model::stored::LeaseState;
use crate::store::sqlite::database::Database;
use crate::store::sqlite::failure::{Failure, is_locked};
use crate::store::sqlite::schema::BUSY_TIMEOUT;

/// How long a lease waits for another program's lock. A duplicate fetch costs less than a caller that waits.
const LOCK_TIMEOUT: Duration = Duration::from_millis(50);

/// The owner of a lease; `None`: it has none.
type Owner = Option<Vec<u8>>;

pub(crate) fn acquire(database: &mut Database, name: &str, owner: Uuid, ttl: Duration) -> Result<LeaseState, Failure> {
    let acquired = briefly(database, |database| {
        let (change, _) = database.change()?;
        let now = clock::now();
        let state = match holder(&change, name, now)? {
            Some(Some(current)) if current != owner.as_bytes() => LeaseState::HeldByOther,
            Some(None) => LeaseState::Uncacheable,
            Some(Some(_)) | None => {
                set(&change, name, Some(owner), now + ttl.as_secs_f64())?;
                change.commit()?;
                LeaseState::Acquired
            }
        };
        Ok(state)
    });
    match acquired {
        Err(Failure::Sqlite(error)) if is_locked(&error) => Ok(LeaseState::Acquired),
        acquired => acquired,
    }
}

pub(crate) fn release(
    database: &mut Database,
    name: &str,
    owner: Uuid,
    uncacheable_for: Option<Duration>,
) -> Result<(), Failure> {
    briefly(database, |database| {
        let (change, _) = database.change()?;
        let now = clock::now();
        if holder(&change, name, now)?.flatten().as_deref() != Some(&owner.as_bytes()[..]) {
            return Ok(());
        }
        match uncacheable_for {
            Some(time) => set(&change, name, None, now + time.as_secs_f64())?,
            None => {
                change.prepare_cached("DELETE FROM animecache_leases WHERE name = ?1")?.execute([name.as_bytes()])?;
            }
        }
        Ok(change.commit()?)
    })
}

/// The owner of a lease that has not ended.
fn holder(change: &Transaction<'_>, name: &str, now: f64) -> Result<Option<Owner>, Failure> {
    let mut statement =
        change.prepare_cached("SELECT owner FROM animecache_leases WHERE name = ?1 AND expires_at > ?2")?;
    Ok(statement.query_row((name.as_bytes(), now), |row| row.get(0)).optional()?)
}

fn set(change: &Transaction<'_>, name: &str, owner: Option<Uuid>, expires_at: f64) -> Result<(), Failure> {
    change
        .prepare_cached("REPLACE INTO animecache_leases (name, owner, expires_at) VALUES (?1, ?2, ?3)")?
        .execute((name.as_bytes(), owner.map(Uuid::into_bytes), expires_at))?;
    Ok(())
}

fn briefly<T>(database: &mut Database, call: impl FnOnce(&mut Database) -> Result<T, Failure>) -> Result<T, Failure> {
    database.connection.busy_timeout(LOCK_TIMEOUT)?;
    let outcome = call(database);
    database.connection.busy_timeout(BUSY_TIMEOUT)?;
    outcome
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::model::service::ServiceRegistry;
    use crate::store::sqlite::if_missing::IfMissing;
    use crate::store::sqlite::store::Sqlite;
    use crate::store::traits::LeaseStore as _;

    #[tokio::test]
    async fn a_lease_is_shared_and_does_not_wait_for_a_lock() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("http_cache.db");
        let open = || Sqlite::open(&file, ServiceRegistry::default(), IfMissing::Create);
        let (one, other) = (open().await.unwrap(), open().await.unwrap());
        let (owner, minute) = (Uuid::new_v4(), Duration::from_secs(60));
        assert_eq!(one.acquire("a", owner, minute).await.unwrap(), LeaseState::Acquired);
        assert_eq!(other.acquire("a", Uuid::new_v4(), minute).await.unwrap(), LeaseState::HeldByOther);

        let writer = rusqlite::Connection::open(&file).unwrap();
        writer.execute_batch("BEGIN IMMEDIATE").unwrap();
        let begun = Instant::now();
        assert_eq!(other.acquire("a", Uuid::new_v4(), minute).await.unwrap(), LeaseState::Acquired);
        assert!(begun.elapsed() < BUSY_TIMEOUT / 2, "{:?}", begun.elapsed());
    }
}
