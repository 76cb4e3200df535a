//! Changing TTLs of entries that still are what they were.
//!
//! A body outlives its head, and an index its entries: what is raised begins with them, what is lowered ends with them.

use std::sync::LazyLock;
use std::time::Duration;

use redis::{Pipeline, RedisResult};

use crate::clock;
use crate::error::Result;
use crate::model::change::{Applied, ExpiryChange};
use crate::model::entry::{EntryId, StorageLayout};
use crate::store::redis::commands::{MAX_MILLIS, millis, set_expiry};
use crate::store::redis::connection::Connection;
use crate::store::redis::found::{Found, KeyChange, change_heads, run_each};
use crate::store::redis::script::Script;
use crate::store::redis::touch::{end_indexes, outlives, pexpire};
use crate::store::redis::{layout, reply};

/// `KEYS`: a body or an index; `ARGV`: the milliseconds that it lives for at least (empty: for ever).
static RAISE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "the script that extends bodies and indexes",
        "local left = redis.call('PTTL', KEYS[1])
         if left < 0 then return 0 end
         if ARGV[1] == '' then return redis.call('PERSIST', KEYS[1]) end
         if left < tonumber(ARGV[1]) then return redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
         return 0",
    )
});

/// Changes the TTLs of entries.
pub(crate) async fn expire_step(
    connection: &Connection,
    found: Vec<Found>,
    how: ExpiryChange,
    applied: &mut Applied,
) -> Result<()> {
    let is_hishels = |found: &Found| matches!(found.id, EntryId::Http(layout, _) if layout != StorageLayout::Pipeline);
    let (hishels, found): (Vec<_>, Vec<_>) = found.into_iter().partition(is_hishels);
    rewrite(connection, &hishels, how, applied).await?;
    let (raised, lowered): (Vec<_>, Vec<_>) = found.into_iter().partition(|found| match how {
        ExpiryChange::Set(ttl) => outlives(Some(ttl), found.left),
        ExpiryChange::Extend(_) | ExpiryChange::Persist => true,
    });
    let until = |found: &Found| match how {
        ExpiryChange::Set(ttl) => Some(millis(ttl)),
        ExpiryChange::Extend(by) => Some(found.left.max(0).saturating_add(millis(by)).min(MAX_MILLIS)),
        ExpiryChange::Persist => None,
    };
    raise(connection, raised.iter().map(|found| (found, until(found))).collect()).await?;
    let outcomes = change_heads(connection, &raised, how.into()).await?;
    if matches!(how, ExpiryChange::Extend(_)) {
        // A hit may have renewed an entry in between: its body must outlive what the head has now.
        raise(connection, heads_left(connection, &raised).await?).await?;
    }
    count(&raised, &outcomes, applied);

    let outcomes = change_heads(connection, &lowered, how.into()).await?;
    count(&lowered, &outcomes, applied);
    let is_done = |(found, outcome): (Found, KeyChange)| (outcome == KeyChange::Done).then_some(found);
    let lowered: Vec<_> = lowered.into_iter().zip(outcomes).filter_map(is_done).collect();
    raise(
        connection,
        lowered.iter().map(|found| (found, until(found))).filter(|(found, _)| found.member.is_some()).collect(),
    )
    .await?;
    if let ExpiryChange::Set(ttl) = how {
        let mut pipe = Pipeline::new();
        for body in lowered.iter().filter_map(body) {
            set_expiry(&mut pipe, &body, Some(ttl));
        }
        connection.on_entries(CHANGING, &mut pipe).await?;
        let ids: Vec<_> = raised.into_iter().chain(lowered).map(|found| found.id).collect();
        end_indexes(connection, &ids).await?;
    }
    Ok(())
}

const CHANGING: &str = "changing TTLs";

/// hishel's own layouts keep the expiry inside the entry as well.
async fn rewrite(connection: &Connection, found: &[Found], how: ExpiryChange, applied: &mut Applied) -> Result<()> {
    let mut set = async |ids: &[EntryId], ttl: Option<Duration>| {
        let touched = pexpire(connection, ids, ttl).await?;
        if ttl.is_some() {
            end_indexes(connection, ids).await?;
        }
        applied.entries += touched;
        applied.gone += ids.len() as u64 - touched;
        Ok(())
    };
    if let ExpiryChange::Extend(by) = how {
        let mut unchanged = 0;
        for found in found {
            match found.expires_at {
                None => unchanged += 1,
                Some(at) => {
                    let left = Duration::try_from_secs_f64(at - clock::now()).unwrap_or_default();
                    set(std::slice::from_ref(&found.id), Some(left.saturating_add(by))).await?;
                }
            }
        }
        applied.unchanged += unchanged;
        return Ok(());
    }
    let ids: Vec<_> = found.iter().map(|found| found.id.clone()).collect();
    set(&ids, if let ExpiryChange::Set(ttl) = how { Some(ttl) } else { None }).await
}

fn count(found: &[Found], outcomes: &[KeyChange], applied: &mut Applied) {
    debug_assert_eq!(found.len(), outcomes.len());
    for outcome in outcomes {
        *match outcome {
            KeyChange::Done => &mut applied.entries,
            KeyChange::Changed => &mut applied.changed_meanwhile,
            KeyChange::Gone => &mut applied.gone,
            KeyChange::HasNoTtl => &mut applied.unchanged,
        } += 1;
    }
}

fn body(found: &Found) -> Option<Vec<u8>> {
    match found.id {
        EntryId::Http(layout, id) => Some(layout::stream(layout, id).into_bytes()),
        EntryId::Key(_) => None,
    }
}

/// Lets the bodies and indexes of entries live for at least as many milliseconds (`None`: for ever).
async fn raise(connection: &Connection, entries: Vec<(&Found, Option<i64>)>) -> Result<()> {
    let text = |left: Option<i64>| left.map_or_else(Vec::new, |left| left.to_string().into_bytes());
    let calls: Vec<_> = entries
        .into_iter()
        .flat_map(|(found, left)| {
            let index = found.member.as_ref().map(|member| member.index.clone());
            [index, body(found)].into_iter().flatten().map(move |key| (key, left))
        })
        .collect();
    if calls.is_empty() {
        return Ok(());
    }
    let scripted: Vec<_> = calls.iter().map(|(key, left)| (key.clone(), vec![text(*left)])).collect();
    if run_each(connection, &RAISE, &scripted).await?.is_some() {
        return Ok(());
    }
    let mut pipe = Pipeline::with_capacity(calls.len());
    for (key, _) in &calls {
        pipe.cmd("PTTL").arg(key);
    }
    let lefts = connection.on_entries("PTTL", &mut pipe).await?;
    let mut pipe = Pipeline::new();
    for ((key, wanted), left) in calls.iter().zip(lefts) {
        let wanted = wanted.map(|wanted| Duration::from_millis(wanted.unsigned_abs()));
        if outlives(wanted, left.ok().as_ref().and_then(reply::int).unwrap_or(-2)) {
            set_expiry(&mut pipe, key, wanted);
        }
    }
    connection.on_entries(CHANGING, &mut pipe).await.map(drop)
}

/// The milliseconds that heads have now.
async fn heads_left<'a>(connection: &Connection, found: &'a [Found]) -> Result<Vec<(&'a Found, Option<i64>)>> {
    let mut pipe = Pipeline::with_capacity(found.len());
    for found in found {
        pipe.cmd("PTTL").arg(&*found.id.redis_key());
    }
    let lefts = connection.on_entries("PTTL", &mut pipe).await?.into_iter().map(RedisResult::ok);
    Ok(found
        .iter()
        .zip(lefts)
        .filter_map(|(found, left)| Some((found, left.as_ref().and_then(reply::int).filter(|left| *left >= 0)?)))
        .map(|(found, left)| (found, Some(left)))
        .collect())
}
