//! Removals that must happen: an invalidation that is lost would leave an outdated response in use.
//!
//! A removal that the store does not confirm is repeated until it does. Until then, what it concerns counts as not
//! stored.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::error::{Error, error_chain};
use crate::model::entry::EntryId;
use crate::model::key::CacheKey;
use crate::model::stored::StoredResponse;
use crate::runtime::guarded_store::GuardedStore;
use crate::runtime::tasks::TaskGroup;

/// The number of keys with outstanding removals. Beyond it, removals are attempted once.
const MAX_KEYS: usize = 10_000;

/// The first pause before outstanding removals are repeated; each later one is twice as long.
const MIN_PAUSE: Duration = Duration::from_millis(100);

const MAX_PAUSE: Duration = Duration::from_secs(5);

/// The outstanding removals. Clones share them.
#[derive(Clone)]
pub(crate) struct Removals(Arc<Shared>);

struct Shared {
    store: Arc<GuardedStore>,
    tasks: TaskGroup,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    outstanding: HashMap<CacheKey, Outstanding>,
    is_repeating: bool,
}

/// What is to be removed under one key.
#[derive(Clone, Default)]
struct Outstanding {
    /// Everything, and what is being fetched.
    is_whole: bool,
    ids: Vec<EntryId>,
    /// The store refused for good.
    is_refused: bool,
}

impl Removals {
    pub(crate) fn new(store: Arc<GuardedStore>, tasks: TaskGroup) -> Self {
        Self(Arc::new(Shared { store, tasks, state: Mutex::default() }))
    }

    /// Removes everything under a key; what is being fetched is not stored.
    pub(crate) async fn invalidate(&self, store: GuardedStore, key: CacheKey) {
        self.begin(store, key, Outstanding { is_whole: true, ..Outstanding::default() }).await;
    }

    /// Removes entries under a key.
    pub(crate) async fn remove(&self, store: GuardedStore, key: &CacheKey, ids: Vec<EntryId>) {
        if !ids.is_empty() {
            self.begin(store, key.clone(), Outstanding { ids, ..Outstanding::default() }).await;
        }
    }

    /// Leaves out what counts as not stored.
    pub(crate) fn retain(&self, key: &CacheKey, found: &mut Vec<StoredResponse>) {
        if let Some(outstanding) = self.0.state().outstanding.get(key) {
            found.retain(|found| !outstanding.is_whole && !outstanding.ids.contains(&found.id));
        }
    }

    /// Attempts a removal, in a task: a caller that goes away does not end it.
    async fn begin(&self, store: GuardedStore, key: CacheKey, removal: Outstanding) {
        self.0.add(&key, &removal);
        let (done, attempted) = oneshot::channel();
        let shared = Arc::clone(&self.0);
        self.0.tasks.spawn(async move {
            if !shared.carry_out(&store, &key, removal).await {
                shared.repeat();
            }
            let _: Result<(), ()> = done.send(());
        });
        let _ = attempted.await;
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // No code that runs under the lock can panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, key: &CacheKey, removal: &Outstanding) {
        let outstanding = &mut self.state().outstanding;
        if outstanding.len() >= MAX_KEYS && !outstanding.contains_key(key) {
            tracing::error!(%key, "too many outstanding removals: this one is attempted once");
            return;
        }
        let known = outstanding.entry(key.clone()).or_default();
        known.is_whole |= removal.is_whole;
        known.ids.extend_from_slice(&removal.ids);
        known.is_refused = false;
    }

    /// Whether the store responded. What was removed is not outstanding any more.
    async fn carry_out(&self, store: &GuardedStore, key: &CacheKey, removal: Outstanding) -> bool {
        let Outstanding { is_whole, ids, .. } = &removal;
        let outcome = store.call("remove", |store| async move {
            let outcome = if *is_whole { store.invalidate(key).await } else { store.remove(ids).await.map(drop) };
            match outcome {
                Err(Error::Missing { .. }) | Ok(()) => Ok(true),
                Err(error) if error.is_temporary() => Err(error),
                Err(error) => {
                    tracing::warn!(%key, error = error_chain(&error), "a response that is outdated cannot be removed");
                    Ok(false)
                }
            }
        });
        let outcome = outcome.await;
        let mut state = self.state();
        let Some(known) = state.outstanding.get_mut(key) else { return outcome.is_some() };
        match outcome {
            None => return false,
            Some(false) => known.is_refused = true,
            Some(true) => {
                known.is_whole &= !is_whole;
                known.ids.retain(|id| !ids.contains(id));
                if !known.is_whole && known.ids.is_empty() {
                    state.outstanding.remove(key);
                }
            }
        }
        true
    }

    /// Repeats the outstanding removals until none is left.
    fn repeat(self: &Arc<Self>) {
        if std::mem::replace(&mut self.state().is_repeating, true) {
            return;
        }
        // Weak: the task must end with the cache.
        let shared = Arc::downgrade(self);
        self.tasks.spawn_daemon(async move {
            let mut pause = MIN_PAUSE;
            loop {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(MAX_PAUSE);
                let Some(shared) = shared.upgrade() else { return };
                if shared.carry_out_all().await {
                    return;
                }
            }
        });
    }

    /// Whether none is left.
    async fn carry_out_all(&self) -> bool {
        loop {
            let next = {
                let mut state = self.state();
                let next = state.outstanding.iter().find(|(_, outstanding)| !outstanding.is_refused);
                let next = next.map(|(key, outstanding)| (key.clone(), outstanding.clone()));
                state.is_repeating = next.is_some();
                next
            };
            let Some((key, removal)) = next else { return true };
            if !self.carry_out(&self.store, &key, removal).await {
                return false;
            }
        }
    }
}
