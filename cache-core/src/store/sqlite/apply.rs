//! Changing entries that still are what they were, in one transaction.

use std::sync::Arc;

use crate::clock;
use crate::model::change::{Applied, Change, ExpiryChange, Target};
use crate::model::entry::EntryId;
use crate::model::summary::Summary;
use crate::store::sqlite::database::Database;
use crate::store::sqlite::delete::remove_from;
use crate::store::sqlite::failure::Failure;
use crate::store::sqlite::rows::{Depth, Reader};
use crate::store::sqlite::{rows, scan, write};

/// Changes the entries that are what they were, and counts the others.
pub(crate) fn apply(database: &mut Database, change: Change, targets: &[Target]) -> Result<Applied, Failure> {
    let services = Arc::clone(&database.services);
    let (transaction, layout) = database.change()?;
    let now = clock::now();
    let reader = Reader { connection: &transaction, layout, services: &services, now };
    let mut applied = Applied::default();
    for Target { id, was } in targets {
        let Some(found) = summary(&reader, id)? else {
            applied.gone += 1;
            continue;
        };
        if !was.is_of(&found) {
            applied.changed_meanwhile += 1;
            continue;
        }
        let changed = match change {
            Change::Remove => remove_from(&transaction, layout, std::slice::from_ref(id))?,
            Change::Expire(how) => {
                let expires_at = match (how, found.expires_at) {
                    (ExpiryChange::Set(ttl), _) => Some(now + ttl.as_secs_f64()),
                    (ExpiryChange::Persist, _) => None,
                    (ExpiryChange::Extend(by), Some(at)) => Some(at.max(now) + by.as_secs_f64()),
                    (ExpiryChange::Extend(_), None) => {
                        applied.unchanged += 1;
                        continue;
                    }
                };
                write::expire_one(&reader, &transaction, id, expires_at)?
            }
        };
        applied.entries += changed;
        applied.gone += 1 - changed.min(1);
    }
    if change == Change::Remove {
        applied.keys = applied.entries;
    }
    transaction.commit()?;
    Ok(applied)
}

/// What an entry is now.
fn summary(reader: &Reader<'_>, id: &EntryId) -> Result<Option<Summary>, Failure> {
    let key = match id {
        EntryId::Http(layout, id) if *layout == reader.layout => {
            return Ok(reader.entry(*id, Depth::Summary)?.map(|found| found.summary));
        }
        EntryId::Http(..) => return Ok(None),
        EntryId::Key(key) => key,
    };
    if let Some(rowid) = rows::row_of(key) {
        let found = reader.entries("e.rowid = ?1", rowid, 1, Depth::Summary)?.pop();
        return Ok(found.map(|found| found.summary).filter(|summary| summary.id == *id));
    }
    if rows::orphan_of(key).is_some() {
        // Whether it belongs to an entry now is for the deletion to decide.
        return Ok(Some(scan::orphan(id.clone(), 0)));
    }
    scan::result_under(reader, key)
}
