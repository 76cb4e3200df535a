//! One fetch for many: who misses a key while somebody fetches it waits, and finds it in the store.
//!
//! Within a process through a table of flights, across processes through claims in the store, which expire when their
//! holder dies.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, oneshot};
use tokio::time::Instant;
use uuid::Uuid;

use crate::format::hex::sha256_hex;
use crate::model::stored::LeaseState;
use crate::runtime::guarded_store::Graceful;
use crate::runtime::tasks::Tasks;

/// How long a claim stands without being renewed: the longest that a holder's death holds others up.
const CLAIM: Duration = Duration::from_secs(10);

/// How often a claim is renewed: one lost renewal does no harm.
const RENEWAL: Duration = Duration::from_secs(3);

/// The first pause before another process's claim is looked at again; each later one is twice as long.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// How long other processes are told not to wait: until each of those that wait has looked once.
const ALONE: Duration = Duration::from_millis(500);

/// Nobody waits longer for another's fetch, however alive that is, nor for several of them together.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Who finds nothing stored after so many fetches of others waits for no other: the store keeps nothing, as a full one
/// that evicts at once, and each would wait for all who are before him.
const MOST_FETCHES: u32 = 8;

/// The fetches under way. Clones share them.
#[derive(Clone)]
pub(crate) struct Flights(Arc<Shared>);

struct Shared {
    store: Arc<Graceful>,
    tasks: Tasks,
    /// By name; each takes itself out when it landed or nobody is aboard any more.
    table: Mutex<HashMap<String, Weak<Flight>>>,
}

/// What to do about a key that was missed.
pub(crate) enum Turn {
    /// Fetch it, after one more look into the store: somebody may have stored it since the caller looked.
    Lead(Lead),
    /// Somebody else's fetch has ended: look into the store again.
    LookAgain,
    /// Fetch it, and let nobody wait: its response cannot be stored, or the wait was too long.
    Alone,
}

/// One caller's waiting for the fetches of others.
#[derive(Default)]
pub(crate) struct Waiting {
    /// Of all his waiting; set when it begins.
    deadline: Option<Instant>,
    /// How many fetches ended whose response he was to find in the store.
    fetches: u32,
    has_waited: bool,
}

/// A fetch that others wait for. Dropped before it landed, the next of them leads.
pub(crate) struct Lead {
    flight: Arc<Flight>,
    /// Whoever has it leads; the next one in line gets it when it is dropped.
    seat: OwnedSemaphorePermit,
    heartbeat: Heartbeat,
}

/// Renews a claim until this is dropped.
struct Heartbeat {
    stop: oneshot::Sender<()>,
    /// Ends when no renewal is under way any more.
    stopped: oneshot::Receiver<()>,
}

/// One fetch and those who wait for it.
struct Flight {
    shared: Arc<Shared>,
    name: String,
    /// Of one permit: the lead's. Closed when the flight has landed.
    seat: Arc<Semaphore>,
    /// Known when the flight has landed.
    is_storable: OnceLock<bool>,
    /// Who holds the claim among all processes.
    holder: Uuid,
    /// The store granted the claim, or may have done so without our hearing of it.
    may_be_claimed: AtomicBool,
}

impl Flights {
    pub(crate) fn new(store: Arc<Graceful>, tasks: Tasks) -> Self {
        Self(Arc::new(Shared { store, tasks, table: Mutex::default() }))
    }

    /// Waits for whoever fetches `name` already, or leads.
    pub(crate) async fn board(&self, name: &str, waiting: &mut Waiting) -> Turn {
        let deadline = waiting.deadline();
        let flight = self.flight(name);
        let seat = match Arc::clone(&flight.seat).try_acquire_owned() {
            Ok(seat) => seat,
            Err(TryAcquireError::Closed) => return flight.outcome(waiting),
            Err(TryAcquireError::NoPermits) => {
                waiting.has_waited = true;
                match tokio::time::timeout_at(deadline, Arc::clone(&flight.seat).acquire_owned()).await {
                    Ok(Ok(seat)) => seat,
                    Ok(Err(_)) => return flight.outcome(waiting),
                    Err(_) => return Turn::Alone,
                }
            }
        };
        flight.claim(seat, waiting).await
    }

    /// Leads, unless somebody fetches `name` already.
    pub(crate) async fn lead_if_free(&self, name: &str) -> Option<Lead> {
        let flight = self.flight(name);
        let seat = Arc::clone(&flight.seat).try_acquire_owned().ok()?;
        match flight.ask_for_claim().await {
            None | Some(LeaseState::Acquired) => Some(flight.lead(seat)),
            Some(LeaseState::HeldByOther | LeaseState::Uncacheable) => None,
        }
    }

    fn flight(&self, name: &str) -> Arc<Flight> {
        let mut table = self.0.table();
        if let Some(flight) = table.get(name).and_then(Weak::upgrade) {
            return flight;
        }
        let flight = Arc::new(Flight {
            shared: Arc::clone(&self.0),
            name: name.to_owned(),
            seat: Arc::new(Semaphore::new(1)),
            is_storable: OnceLock::new(),
            holder: Uuid::new_v4(),
            may_be_claimed: AtomicBool::new(false),
        });
        table.insert(name.to_owned(), Arc::downgrade(&flight));
        flight
    }
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, HashMap<String, Weak<Flight>>> {
        // Nothing is called while it is locked that could panic halfway.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    /// Claims the name among all processes, or waits for the one that has it.
    async fn claim(self: Arc<Self>, seat: OwnedSemaphorePermit, waiting: &mut Waiting) -> Turn {
        let deadline = waiting.deadline();
        let mut pause = SHORTEST_PAUSE;
        loop {
            match self.ask_for_claim().await {
                // A store that does not answer holds nobody up.
                None | Some(LeaseState::Acquired) => return Turn::Lead(self.lead(seat)),
                Some(LeaseState::Uncacheable) => {
                    self.end(false);
                    return Turn::Alone;
                }
                Some(LeaseState::HeldByOther) if Instant::now() + pause > deadline => return Turn::Alone,
                Some(LeaseState::HeldByOther) => {
                    waiting.has_waited = true;
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn ask_for_claim(&self) -> Option<LeaseState> {
        // Set first: a claim that we stop waiting for may be granted all the same.
        self.may_be_claimed.store(true, Ordering::Relaxed);
        let name = self.stored_name();
        let claim =
            self.shared.store.ask("claim", |store| async move { store.acquire(&name, self.holder, CLAIM).await });
        let claim = claim.await;
        self.may_be_claimed
            .store(!matches!(claim, Some(LeaseState::HeldByOther | LeaseState::Uncacheable)), Ordering::Relaxed);
        claim
    }

    fn lead(self: Arc<Self>, seat: OwnedSemaphorePermit) -> Lead {
        let heartbeat = self.keep_claimed();
        Lead { flight: self, seat, heartbeat }
    }

    /// Renews the claim until what this returns is dropped.
    fn keep_claimed(self: &Arc<Self>) -> Heartbeat {
        let (stop, ended) = oneshot::channel();
        let (beating, stopped) = oneshot::channel();
        // Were it to hold the flight, the flight would not end with those aboard.
        let flight = Arc::downgrade(self);
        self.shared.tasks.spawn_endless(async move {
            let _beating: oneshot::Sender<()> = beating;
            let renewals = async {
                loop {
                    tokio::time::sleep(RENEWAL).await;
                    let Some(flight) = flight.upgrade() else { return };
                    flight.ask_for_claim().await;
                }
            };
            tokio::select! {
                biased;
                _ = ended => {}
                () = renewals => {}
            }
        });
        Heartbeat { stop, stopped }
    }

    /// Wakes all who wait. Who comes from now on starts another flight.
    fn end(&self, is_storable: bool) {
        let _ = self.is_storable.set(is_storable);
        self.shared.table().remove(&self.name);
        self.seat.close();
    }

    fn outcome(&self, waiting: &mut Waiting) -> Turn {
        if !self.is_storable.get().is_some_and(|is_storable| *is_storable) {
            return Turn::Alone;
        }
        waiting.fetches += 1;
        Turn::LookAgain
    }

    /// Names may be long and hold secrets; the store only has to tell them apart.
    fn stored_name(&self) -> String {
        sha256_hex(self.name.as_bytes())
    }
}

impl Drop for Flight {
    /// Nobody is aboard any more.
    fn drop(&mut self) {
        let mut table = self.shared.table();
        // Another flight may have started under the name.
        if table.get(&self.name).is_some_and(|flight| flight.strong_count() == 0) {
            table.remove(&self.name);
        }
        drop(table);
        // It ended without landing: whoever waits elsewhere need not wait for the claim to expire.
        if *self.may_be_claimed.get_mut() {
            let release = release(Arc::clone(&self.shared.store), self.stored_name(), self.holder, None);
            self.shared.tasks.give_back(release);
        }
    }
}

impl Waiting {
    /// Whether he waited for another's fetch. (Counts as a wait, once.)
    pub(crate) fn has_waited(&self) -> bool {
        self.has_waited
    }

    /// Whether he may wait for another's fetch, by what the store has under his key.
    ///
    /// Where it has nothing after a fetch that he waited for, that was flushed before he looked, and one of those who
    /// waited fetches for all of them again. What it has and is of no use to him would be so after the next fetch, too:
    /// each would wait for all who are before him.
    pub(crate) fn may_go_on(&self, has_nothing: bool) -> bool {
        self.fetches == 0 || has_nothing && self.fetches < MOST_FETCHES
    }

    fn deadline(&mut self) -> Instant {
        *self.deadline.get_or_insert_with(|| Instant::now() + LONGEST_WAIT)
    }
}

impl Lead {
    /// The fetch has ended. Those who wait look for its response in the store, and where somebody has removed that, one
    /// of them fetches it again for all; where it cannot be stored, they go on by themselves, all at once.
    pub(crate) async fn land(self, is_storable: bool) {
        let Self { flight, seat, heartbeat, .. } = self;
        flight.end(is_storable);
        drop(seat);
        // No renewal may come behind the release.
        drop(heartbeat.stop);
        let _ = heartbeat.stopped.await;
        let alone = (!is_storable).then_some(ALONE);
        release(Arc::clone(&flight.shared.store), flight.stored_name(), flight.holder, alone).await;
        flight.may_be_claimed.store(false, Ordering::Relaxed);
    }
}

/// Gives a claim back.
async fn release(store: Arc<Graceful>, name: String, holder: Uuid, alone: Option<Duration>) {
    store.ask("release", |store| async move { store.release(&name, holder, alone).await }).await;
}
