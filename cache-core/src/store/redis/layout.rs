//! Key names in Redis: those of the three layouts, and those of this crate under `animecache:`. `lookup.lua` writes
//! three of them itself, and `format/redis_key.rs` reads them back. Braces in a name keep the keys of one script together
//! in a cluster.

use std::time::Duration;

use uuid::Uuid;

use crate::model::entry::StorageLayout;
use crate::model::key::{CacheKey, HTTP_PREFIX};

/// The last element of a complete body in layout A.
pub(crate) const COMPLETE: &[u8] = b"__STREAM_COMPLETE__";

/// Layouts B and D keep their keys this many seconds longer than the entry is valid.
pub(crate) const GRACE: f64 = 180.0;

/// The lease of a fetch.
pub(crate) fn lease(name: &str) -> String {
    format!("animecache:claim:{name}")
}

/// The last slots of a rate limit.
pub(crate) fn slots(name: &str) -> String {
    format!("animecache:limit:{{{name}}}")
}

/// The time until which a rate limit is blocked.
pub(crate) fn block(name: &str) -> String {
    slots(name) + ":held"
}

/// The counters of all hours together.
pub(crate) const STATS_EVER: &str = "animecache:{counters}:ever";

/// The counters of one hour.
pub(crate) fn stats(hour: i64) -> String {
    format!("animecache:{{counters}}:{hour}")
}

/// The text of a script with key names: `@ENTRY@`, `@STREAM@` and `@DONE@` stand for the part before an ID,
/// `@COMPLETE@` for the last element of a complete body.
pub(crate) fn named(script: &str) -> String {
    let complete = String::from_utf8_lossy(COMPLETE);
    let prefix = |name| format!("{HTTP_PREFIX}:{name}:");
    (script.replace("@ENTRY@", &prefix(ENTRY)).replace("@STREAM@", &prefix(STREAM)))
        .replace("@DONE@", &prefix(DONE))
        .replace("@COMPLETE@", &complete)
}

pub(crate) const ENTRY: &str = "entry";

pub(crate) const STREAM: &str = "stream";

const DONE: &str = "stream_done";

/// The key that holds the head of an entry.
pub(crate) fn entry(layout: StorageLayout, id: Uuid) -> String {
    part(ENTRY, layout, id)
}

/// The list of the body's chunks.
pub(crate) fn stream(layout: StorageLayout, id: Uuid) -> String {
    part(STREAM, layout, id)
}

/// Layouts B and D: the key that marks the body as complete.
pub(crate) fn done(layout: StorageLayout, id: Uuid) -> String {
    part(DONE, layout, id)
}

fn part(name: &str, layout: StorageLayout, id: Uuid) -> String {
    format!("{HTTP_PREFIX}:{name}:{}", layout.id_text(id))
}

/// Every key that belongs to one entry only: all but its index.
pub(crate) fn parts(layout: StorageLayout, id: Uuid) -> Vec<String> {
    let mut parts = vec![entry(layout, id), stream(layout, id)];
    if layout != StorageLayout::Pipeline {
        parts.push(done(layout, id));
    }
    parts
}

/// The TTL of an entry's keys: hishel's own layouts keep them longer than the entry is valid.
pub(crate) fn retention(layout: StorageLayout, ttl: Option<Duration>) -> Option<Duration> {
    let grace = if layout == StorageLayout::Pipeline { 0.0 } else { GRACE };
    ttl.map(|ttl| ttl.saturating_add(Duration::from_secs_f64(grace)))
}

/// The key of the IDs stored under a cache key: a set, or a sorted set in layout D.
pub(crate) fn index(layout: StorageLayout, key: &CacheKey) -> Vec<u8> {
    match layout {
        StorageLayout::Hishel1 | StorageLayout::Hishel2 => [HTTP_PREFIX.as_bytes(), b":idx:", key.as_bytes()].concat(),
        _ => format!("{HTTP_PREFIX}:key_index:{}", hex::encode(key.as_bytes())).into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::redis_key::Name;

    #[test]
    fn key_names_round_trip() {
        let id = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        let key = CacheKey::new(*b"GET:\xff:x");
        for layout in [StorageLayout::Pipeline, StorageLayout::Hishel1] {
            assert_eq!(Name::parse(entry(layout, id).as_bytes()), Name::Entry(layout, id));
            assert_eq!(Name::parse(stream(layout, id).as_bytes()), Name::Stream(layout, id));
            assert_eq!(Name::parse(&index(layout, &key)), Name::Index(layout, key.clone()));
        }
        assert_eq!(Name::parse(done(StorageLayout::Hishel1, id).as_bytes()), Name::Done(id));
        for unknown in ["hishel_cache:", "hishel_cache:entry:x", "hishel_cache:entry:0123456789ABCDEF0123456789ABCDEF"]
        {
            assert_eq!(Name::parse(unknown.as_bytes()), Name::Unknown);
        }
        assert_eq!(Name::parse(b"result_cache:x:\xff"), Name::Result);
        for foreign in ["hishel_cachet:entry:x", "hishel_cache", "result_cache", "other"] {
            assert_eq!(Name::parse(foreign.as_bytes()), Name::Foreign);
        }
    }
}
