//! One page of a scan: keys by `SCAN`, then their summaries in two pipelines.
//!
//! `SCAN` may return a key twice, and does not group the keys of an entry. A scan remembers the keys it has seen, so
//! that it lists each entry once and knows the orphans at its end.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hash, RandomState};

use futures_util::stream;
use futures_util::stream::{StreamExt, TryStreamExt};
use redis::{Pipeline, RedisResult, Value, cmd};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::clock;
use crate::error::{Error, Result};
use crate::format::redis_key;
use crate::format::redis_key::Name;
use crate::model::entry::{CacheKind, EntryId, EntryState, StorageLayout};
use crate::model::filter::Filter;
use crate::model::glob::Glob;
use crate::model::key::{HTTP_PREFIX, RESULT_PREFIX};
use crate::model::service::ServiceRegistry;
use crate::model::summary::Summary;
use crate::store::inspect::READER_GRACE;
use crate::store::page::{Cursor, Page};
use crate::store::redis::connection::Connection;
use crate::store::redis::driver_error::lacks_right_to_keys;
use crate::store::redis::heads::Item;
use crate::store::redis::listed::Summaries;
use crate::store::redis::{heads, layout, reply};
use crate::store::summarize;

/// State of a scan.
#[derive(Debug)]
pub(crate) struct ScanState {
    /// Pages that were read ahead, so that server, decoding and caller work at the same time.
    ahead: mpsc::Receiver<Result<Batch>>,
    reader: AbortHandle,
    /// Keys in the database when the scan began; `None`: the user lacks permission.
    total: Option<u64>,
    /// Keys under the cache prefixes so far.
    found: u64,
    seen: SeenKeys,
}

impl Drop for ScanState {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// The result of one `SCAN`.
#[derive(Debug)]
struct Batch {
    /// Redis's next cursor; 0: the end.
    next: u64,
    /// Keys under the cache prefixes.
    keys: u64,
    /// Entries and results.
    summaries: Summaries,
    /// Keys that are not entries themselves: parts of entries, and keys of no layout.
    others: Vec<Vec<u8>>,
}

/// The maximum number of pages that are read ahead.
const AHEAD: usize = 2;

/// The number of keys read in one pipeline, and of concurrent pipelines: the server works on some while others are
/// decoded.
const READ: usize = 250;

const MAX_CONCURRENT_READS: usize = 8;

/// Keys seen so far. Only hashes and IDs are stored: there may be millions.
#[derive(Debug, Default)]
struct SeenKeys {
    hasher: RandomState,
    /// Hashes of the entries and results that were listed.
    listed: HashSet<u64>,
    /// Hashes of the keys of the parts (body, mark, index) of listed entries.
    owned: HashSet<u64>,
    /// Parts without a listed entry so far, by the hash of their key.
    waiting: HashMap<u64, Box<[u8]>>,
}

impl SeenKeys {
    /// Whether this entry or key is seen for the first time.
    fn insert(&mut self, id: &(impl Hash + ?Sized)) -> bool {
        self.listed.insert(self.hasher.hash_one(id))
    }

    /// Records an entry, which owns its parts.
    fn own(&mut self, summary: &Summary) {
        let EntryId::Http(layout, id) = summary.id else { return };
        self.owns(layout::stream(layout, id).as_bytes());
        if layout != StorageLayout::Pipeline {
            self.owns(layout::done(layout, id).as_bytes());
        }
        if let Some(http) = &summary.http {
            self.owns(&layout::index(layout, &http.cache_key));
        }
    }

    /// Records a part, which waits for its entry unless that was listed.
    fn part(&mut self, name: Vec<u8>) {
        let hash = self.hasher.hash_one(&name[..]);
        if !self.owned.contains(&hash) {
            self.waiting.insert(hash, name.into());
        }
    }

    fn owns(&mut self, name: &[u8]) {
        let hash = self.hasher.hash_one(name);
        if self.waiting.remove(&hash).is_none() {
            self.owned.insert(hash);
        }
    }
}

/// Reads one page of about `want` keys.
pub(crate) async fn page(
    connection: &Connection,
    services: &ServiceRegistry,
    filter: &Filter,
    progress: Option<Box<ScanState>>,
    want: usize,
) -> Result<Page> {
    let mut progress = match progress {
        Some(progress) => progress,
        None => Box::new(start(connection, services, filter, want).await?),
    };
    // The reader ends only after the batch with the last cursor or an error, after which no batch is requested.
    let Some(batch) = progress.ahead.recv().await else { return Err(Error::CursorExpired) };
    let Batch { next, keys, summaries: Summaries { readable: mut summaries, denied, .. }, others } = batch?;
    progress.found += keys;
    let total = progress.total.unwrap_or(progress.found);
    let mut page = Page { total, denied, keys, ..Page::default() };
    let now = clock::now();
    let seen = &mut progress.seen;
    summaries.retain(|summary| seen.insert(&summary.id));
    if filter.includes_orphans() {
        for summary in &summaries {
            seen.own(summary);
        }
        let mut unknown = Vec::new();
        for name in others {
            match Name::parse(&name) {
                Name::Unknown if seen.insert(&name) => unknown.push(name),
                Name::Unknown => {}
                _ => seen.part(name),
            }
        }
        summaries.extend(orphans(connection, unknown, now).await?);
    }
    if next == 0 {
        page.scanned = total;
        let waiting = std::mem::take(&mut progress.seen.waiting).into_values().map(Vec::from).collect();
        summaries.extend(orphans(connection, without_owner(connection, waiting).await?, now).await?);
    } else {
        page.scanned = progress.total.map_or(total, |total| position(next, total));
        page.next = Some(Cursor::new(progress));
    }
    summaries.retain(|summary| filter.matches(summary, now));
    page.entries = summaries;
    Ok(page)
}

async fn start(connection: &Connection, services: &ServiceRegistry, filter: &Filter, want: usize) -> Result<ScanState> {
    // Only for the progress of the scan: a user without permission for it still gets the list.
    let total = connection.execute("DBSIZE", &cmd("DBSIZE")).await?;
    let total = total.ok().as_ref().and_then(reply::int).map(|total| total.max(0) as u64);
    let (batches, ahead) = mpsc::channel(AHEAD);
    let reader = read_ahead(connection.clone(), services.clone(), pattern(filter), want, batches);
    #[expect(clippy::disallowed_methods, reason = "the task belongs to the cursor and is aborted with it")]
    let reader = tokio::spawn(reader).abort_handle();
    Ok(ScanState { ahead, reader, total, found: 0, seen: SeenKeys::default() })
}

/// Reads page after page until the end, an error, or until the caller drops the scan.
async fn read_ahead(
    connection: Connection,
    services: ServiceRegistry,
    pattern: Vec<u8>,
    want: usize,
    batches: mpsc::Sender<Result<Batch>>,
) {
    let mut names = scan(&connection, 0, &pattern, want).await;
    loop {
        let outcome = async {
            let (next, names) = names?;
            let following =
                async { if next == 0 { Ok((0, Vec::new())) } else { scan(&connection, next, &pattern, want).await } };
            tokio::try_join!(read_batch(&connection, &services, next, names), following)
        };
        let batch = match outcome.await {
            Ok((batch, following)) => {
                names = Ok(following);
                Ok(batch)
            }
            Err(error) => {
                names = Ok((0, Vec::new()));
                Err(error)
            }
        };
        let is_last = batch.as_ref().map_or(true, |batch| batch.next == 0);
        if batches.send(batch).await.is_err() || is_last {
            return;
        }
    }
}

async fn read_batch(
    connection: &Connection,
    services: &ServiceRegistry,
    next: u64,
    names: Vec<Vec<u8>>,
) -> Result<Batch> {
    let mut batch = Batch { next, keys: 0, summaries: Summaries::default(), others: Vec::new() };
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        match Name::parse(&name) {
            Name::Foreign => continue,
            Name::Entry(layout, id) => found.push(Item::Entry(layout, id)),
            Name::Result => found.push(Item::Result(name)),
            _ => batch.others.push(name),
        }
        batch.keys += 1;
    }
    let mut parts = Vec::with_capacity(found.len() / READ + 1);
    while !found.is_empty() {
        parts.push(found.split_off(found.len().saturating_sub(READ)));
    }
    let now = clock::now();
    let reads = stream::iter(parts).map(|part| heads::readable(connection, services, part, now));
    let reads = reads.buffer_unordered(MAX_CONCURRENT_READS);
    batch.summaries = reads.try_fold(Summaries::default(), async |all, part| Ok(all.join(part))).await?;
    Ok(batch)
}

/// The narrowest pattern that matches every key which this filter needs.
fn pattern(filter: &Filter) -> Vec<u8> {
    let (wants_http, wants_results) = (filter.matches_kind(CacheKind::Http), filter.matches_kind(CacheKind::Result));
    match (wants_http, wants_results) {
        (false, _) => {
            let prefix = filter.prefix.as_deref().filter(|prefix| prefix.len() > RESULT_PREFIX.len());
            Glob::prefix(prefix.unwrap_or(format!("{RESULT_PREFIX}:").as_bytes())).as_bytes().to_vec()
        }
        (true, false) if filter.includes_orphans() => format!("{HTTP_PREFIX}:*").into_bytes(),
        (true, false) => format!("{HTTP_PREFIX}:entry:*").into_bytes(),
        // Both prefixes, and little else, in one pattern.
        (true, true) => b"[hr]*_cache:*".to_vec(),
    }
}

async fn scan(connection: &Connection, cursor: u64, pattern: &[u8], want: usize) -> Result<(u64, Vec<Vec<u8>>)> {
    let command = cmd("SCAN").arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(want.max(1)).clone();
    let mut answer = reply::list(connection.query("SCAN", &command).await?).into_iter();
    let next = answer.next().and_then(reply::text).and_then(|text| text.parse().ok()).unwrap_or(0);
    Ok((next, answer.next().map(reply::strings).unwrap_or_default()))
}

/// The approximate number of keys before a cursor. Redis counts cursors up from the highest bit of a table with a size
/// of the next power of two, so the reversed bits give the visited part of the table.
fn position(cursor: u64, total: u64) -> u64 {
    // A table that has grown has more bits: those are the finest, and the last when reversed.
    let bits = total.max(4).next_power_of_two().trailing_zeros().max(64 - cursor.leading_zeros());
    let visited = cursor.reverse_bits() >> (64 - bits);
    let part = visited as f64 / f64::from(bits).exp2();
    ((part * total as f64) as u64).min(total)
}

/// The waiting parts without an existing entry: it may have been stored after its slot was scanned.
pub(crate) async fn without_owner(connection: &Connection, parts: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>> {
    let mut orphans = Vec::new();
    for parts in parts.chunks(1_000) {
        // The members of an index, as a set and as a sorted set: one of the two is the wrong type.
        let mut members = Pipeline::new();
        for part in parts {
            if let Name::Index(..) = Name::parse(part) {
                members.cmd("SMEMBERS").arg(&part[..]);
                members.cmd("ZRANGE").arg(&part[..]).arg(0).arg(-1);
            }
        }
        let mut members = connection.on_readable_entries("SMEMBERS", &mut members).await?.into_iter();
        let mut next = || members.next().unwrap_or(Ok(Value::Nil));
        let entries = |members: Vec<Vec<u8>>| {
            let ids = members.into_iter().filter_map(|id| redis_key::parse_id(&id));
            ids.map(|(layout, id)| layout::entry(layout, id)).collect()
        };
        // `None`: the index may not be read.
        let owners: Vec<Option<Vec<String>>> = parts
            .iter()
            .map(|part| match Name::parse(part) {
                Name::Stream(layout, id) => Some(vec![layout::entry(layout, id)]),
                Name::Done(id) => Some(vec![layout::entry(StorageLayout::Hishel1, id)]),
                Name::Index(..) => {
                    let members = next().or(next());
                    let is_denied = members.as_ref().is_err_and(lacks_right_to_keys);
                    (!is_denied).then(|| entries(members.map(reply::strings).unwrap_or_default()))
                }
                _ => Some(Vec::new()),
            })
            .collect();
        let mut exists = Pipeline::new();
        for owners in owners.iter().flatten().filter(|owners| !owners.is_empty()) {
            exists.cmd("EXISTS").arg(&owners[..]);
        }
        let mut exists = connection.on_readable_entries("EXISTS", &mut exists).await?.into_iter();
        for (part, owners) in parts.iter().zip(&owners) {
            let count = match owners {
                Some(owners) if owners.is_empty() => Some(0),
                Some(_) => exists.next().and_then(RedisResult::ok).and_then(|n| reply::int(&n)),
                None => None,
            };
            if count == Some(0) {
                orphans.push(part.clone());
            }
        }
    }
    Ok(orphans)
}

/// The summaries of orphans that still exist.
async fn orphans(connection: &Connection, keys: Vec<Vec<u8>>, now: f64) -> Result<Vec<Summary>> {
    let mut pipe = Pipeline::new();
    for key in &keys {
        pipe.cmd("PTTL").arg(&key[..]);
    }
    let answers = connection.on_readable_entries("PTTL", &mut pipe).await?;
    let expiry = |answer: RedisResult<Value>| answer.ok().and_then(|pttl| reply::expiry(&pttl, now));
    Ok(keys
        .into_iter()
        .zip(answers)
        .filter_map(|(key, answer)| {
            let problem = match Name::parse(&key) {
                Name::Stream(..) => "body without an entry",
                Name::Done(_) => "end-of-body marker without an entry",
                Name::Index(..) => "index without entries",
                _ => "key of no known layout",
            };
            // It is the body of an entry that was just deleted, and stays for its readers.
            let is_read = |at: f64| at <= now + READER_GRACE.as_secs_f64();
            let expires_at = expiry(answer).filter(|at| !at.is_some_and(is_read))?;
            Some(summarize::from_problem(EntryId::key(key), EntryState::Orphan, expires_at, problem))
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_position_grows_from_nothing_to_everything() {
        // The cursors of a table of 8 buckets, in the order in which Redis visits them.
        let positions = [4, 2, 6, 1, 5, 3, 7].map(|cursor| position(cursor, 8));
        assert_eq!(positions, [1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn any_cursor_of_any_server_has_a_position() {
        for cursor in [1, 1 << 62, 1 << 63, u64::MAX] {
            for total in [0, 1, 8, i64::MAX as u64] {
                assert!(position(cursor, total) <= total, "{cursor} of {total}");
            }
        }
    }
}
