//! Applying a change in small steps, each in an order that needs no transaction over several keys.

use redis::Pipeline;

use crate::error::Result;
use crate::model::change::{Applied, Change, Target};
use crate::model::entry::EntryId;
use crate::model::stored::RemoveStats;
use crate::store::inspect::READER_GRACE;
use crate::store::redis::commands::millis;
use crate::store::redis::connection::Connection;
use crate::store::redis::{expire, found, remove, reply};

/// The number of entries of one step: other clients wait for no longer.
const STEP: usize = 100;

/// Changes the entries that are what they were, and counts the others.
pub(crate) async fn apply(connection: &Connection, change: Change, targets: &[Target]) -> Result<Applied> {
    let mut applied = Applied::default();
    for targets in targets.chunks(STEP) {
        let found = found::read(connection, targets, &mut applied).await?;
        match change {
            Change::Remove => remove::remove_step(connection, found, &mut applied).await?,
            Change::Expire(how) => expire::expire_step(connection, found, how, &mut applied).await?,
        }
    }
    Ok(applied)
}

/// Deletes entries whatever they are; their bodies expire when readers that have found them are done.
pub(crate) async fn remove(connection: &Connection, ids: &[EntryId]) -> Result<RemoveStats> {
    let targets: Vec<_> = ids.iter().cloned().map(Target::any).collect();
    let Applied { entries, mut keys, bodies, .. } = apply(connection, Change::Remove, &targets).await?;
    let mut pipe = Pipeline::with_capacity(bodies.len());
    for body in remove::body_keys(&bodies) {
        pipe.cmd("PEXPIRE").arg(body).arg(millis(READER_GRACE));
    }
    for answer in connection.on_entries(remove::DELETING, &mut pipe).await? {
        keys += answer.ok().as_ref().and_then(reply::int).unwrap_or(0) as u64;
    }
    Ok(RemoveStats { entries, keys })
}
