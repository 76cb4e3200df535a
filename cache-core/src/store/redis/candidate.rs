//! A candidate: an entry that a lookup read, before it is known to be live.

use std::sync::Arc;

use bytes::Bytes;

use crate::format::msgpack::Done;
use crate::model::entry::{Entry, EntryId, StorageLayout};
use crate::model::key::CacheKey;
use crate::model::stored::StoredResponse;
use crate::store::redis::heads::StoredHead;
use crate::store::redis::layout::{COMPLETE, GRACE};

/// An entry under the cache key, in any state.
pub(crate) struct Candidate {
    pub(crate) head: StoredHead,
    /// Elements of the body, markers included.
    pub(crate) count: u64,
    /// The last element, if it is short.
    pub(crate) last: Option<Vec<u8>>,
    /// All elements joined, if they are short.
    pub(crate) body: Option<Bytes>,
    pub(crate) is_refreshed: bool,
    /// The entry, if its head was decoded before.
    pub(crate) known: Option<Arc<CachedEntry>>,
}

/// The verified state of a candidate besides the response.
pub(crate) struct Verification {
    pub(crate) is_refreshed: bool,
    pub(crate) has_short_body: bool,
    pub(crate) known: Arc<CachedEntry>,
    /// The end mark of layout D.
    pub(crate) done: Option<Done>,
}

impl Candidate {
    pub(crate) fn into_live(mut self, key: &CacheKey, now: f64) -> Option<(StoredResponse, Verification)> {
        // hishel keeps its keys longer than the entry is valid.
        let grace = if self.head.layout == StorageLayout::Pipeline { 0.0 } else { GRACE };
        let mut expires_at = self.head.expires_at.map(|at| at - grace);
        let known = match self.known {
            Some(known) => known,
            None => {
                let mut entry = self.head.entry().ok()?;
                if self.head.layout == StorageLayout::Hishel1 {
                    let by_entry = entry.request.extra.ttl().zip(entry.created_at).map(|(ttl, at)| at + ttl);
                    expires_at = [expires_at, by_entry].into_iter().flatten().reduce(f64::min);
                }
                entry.request.extra.clear_storage_ttl();
                Arc::new(CachedEntry { data: std::mem::take(&mut self.head.data), entry: Arc::new(entry) })
            }
        };
        let is_whole = match self.head.layout {
            StorageLayout::Hishel2 => self.head.done.as_ref().is_some_and(|done| done.chunk_count == self.count),
            StorageLayout::Hishel1 => self.head.is_done && self.last.is_some_and(|last| last.is_empty()),
            _ => self.last.as_deref() == Some(COMPLETE),
        };
        let entry = &known.entry;
        let is_live = is_whole && !entry.is_deleted() && expires_at.is_none_or(|at| at > now);
        let found = (is_live && entry.cache_key == *key).then(|| StoredResponse {
            id: EntryId::Http(self.head.layout, entry.id),
            entry: Arc::clone(entry),
            expires_at,
            body: self.body.clone(),
        })?;
        let has_short_body = is_short(self.count, self.body.as_ref());
        Some((found, Verification { is_refreshed: self.is_refreshed, has_short_body, known, done: self.head.done }))
    }
}

/// Longer bodies are streamed and not returned with the lookup; bytes.
const MAX_BODY_BYTES: usize = 1 << 20;

/// The number of elements that are read before their length is known. Elements of the longest body have 128 KiB in this
/// crate's layout, and less in others.
pub(crate) const MAX_ELEMENTS: u64 = 9;

/// A decoded entry and its encoded head: the same head is the same entry.
#[derive(Debug)]
pub(crate) struct CachedEntry {
    pub(crate) data: Vec<u8>,
    pub(crate) entry: Arc<Entry>,
}

impl PartialEq for CachedEntry {
    fn eq(&self, other: &Self) -> bool {
        self.data == other.data
    }
}

/// Whether a body with this number of elements, markers included, is short, if that is known.
pub(crate) fn is_short(count: u64, body: Option<&Bytes>) -> bool {
    count <= MAX_ELEMENTS && body.is_none_or(|body| body.len() <= MAX_BODY_BYTES)
}
