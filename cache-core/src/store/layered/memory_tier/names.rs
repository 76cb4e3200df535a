//! [`EntryNames`]: the cache key of each entry in memory, for as long as a response with it is there.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use crate::model::key::CacheKey;
use crate::model::stored::StoredResponse;

/// Invalidations name the entry. Responses that replace each other share its name, so the uses are counted.
#[derive(Default)]
pub(crate) struct EntryNames(Mutex<HashMap<Uuid, (CacheKey, usize)>>);

impl EntryNames {
    pub(crate) fn add(&self, key: &CacheKey, found: &[StoredResponse]) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for found in found {
            names.entry(found.entry.id).or_insert_with(|| (key.clone(), 0)).1 += 1;
        }
    }

    pub(crate) fn release(&self, found: &[StoredResponse]) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for found in found {
            if let Some((_, uses)) = names.get_mut(&found.entry.id) {
                *uses -= 1;
                if *uses == 0 {
                    names.remove(&found.entry.id);
                }
            }
        }
    }

    pub(crate) fn get(&self, id: Uuid) -> Option<CacheKey> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&id).map(|(key, _)| key.clone())
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
