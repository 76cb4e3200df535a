//! An entry that a lookup read, before it is known to be live and complete.

use std::sync::Arc;

use bytes::Bytes;

use crate::model::entry::{Entry, EntryId, Layout};
use crate::model::key::CacheKey;
use crate::model::stored::StoredResponse;
use crate::store::redis::heads::Heads;
use crate::store::redis::layout::{COMPLETE, GRACE};

/// What the server says of one entry under the cache key, whatever its state.
pub(crate) struct Candidate {
    pub(crate) heads: Heads,
    /// Elements of the body, markers included.
    pub(crate) count: u64,
    /// The last of them, where it is short.
    pub(crate) last: Option<Vec<u8>>,
    /// All of them joined, where that is short.
    pub(crate) body: Option<Bytes>,
    pub(crate) is_refreshed: bool,
    /// The entry, where its head was decoded before.
    pub(crate) known: Option<Arc<Known>>,
}

/// What is known of a candidate besides the response.
pub(crate) struct Seen {
    pub(crate) is_refreshed: bool,
    pub(crate) has_short_body: bool,
    pub(crate) known: Arc<Known>,
}

impl Candidate {
    pub(crate) fn live(self, key: &CacheKey, now: f64) -> Option<(StoredResponse, Seen)> {
        // hishel keeps its keys longer than the entry counts.
        let grace = if self.heads.layout == Layout::Pipeline { 0.0 } else { GRACE };
        let mut expires_at = self.heads.expires_at.map(|at| at - grace);
        let known = match self.known {
            Some(known) => known,
            None => {
                let mut entry = self.heads.entry().ok()?;
                if self.heads.layout == Layout::Hishel1 {
                    let by_entry = entry.request.extra.ttl().zip(entry.created_at).map(|(ttl, at)| at + ttl);
                    expires_at = [expires_at, by_entry].into_iter().flatten().reduce(f64::min);
                }
                entry.request.extra.take_kept();
                Arc::new(Known { data: self.heads.data, entry: Arc::new(entry) })
            }
        };
        let is_whole = match self.heads.layout {
            Layout::Hishel2 => self.heads.done.as_ref().is_some_and(|done| done.chunk_count == self.count),
            Layout::Hishel1 => self.heads.is_done && self.last.is_some_and(|last| last.is_empty()),
            _ => self.last.as_deref() == Some(COMPLETE),
        };
        let entry = &known.entry;
        let is_live = is_whole && !entry.is_deleted() && expires_at.is_none_or(|at| at > now);
        let found = (is_live && entry.cache_key == *key).then(|| StoredResponse {
            id: EntryId::Http(self.heads.layout, entry.id),
            entry: Arc::clone(entry),
            expires_at,
            body: self.body.clone(),
        })?;
        let has_short_body = is_short(self.count, self.body.as_ref());
        Some((found, Seen { is_refreshed: self.is_refreshed, has_short_body, known }))
    }
}

/// Longer bodies do not come along, for they are better streamed; bytes.
const LONGEST_BODY: usize = 1 << 20;

/// The elements that are read before their length is known. Of the longest body ours have 128 KiB, others' have less.
pub(crate) const FEW_ELEMENTS: u64 = 9;

/// An entry and the head that it was decoded from: the same head is the same entry.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) data: Vec<u8>,
    pub(crate) entry: Arc<Entry>,
}

impl PartialEq for Known {
    fn eq(&self, other: &Self) -> bool {
        self.data == other.data
    }
}

/// Whether a body of so many elements, markers included, is short, as far as that is known.
pub(crate) fn is_short(count: u64, body: Option<&Bytes>) -> bool {
    count <= FEW_ELEMENTS && body.is_none_or(|body| body.len() <= LONGEST_BODY)
}
