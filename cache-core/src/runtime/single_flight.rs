//! Request coalescing (single flight): concurrent misses of a key wait for one fetch, and read its response from the
//! store.
//!
//! Within a process through a table of in-flight fetches, across processes through leases in the store, which expire if
//! their owner dies.

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

/// The TTL of a lease: so long the death of its owner delays others at most.
const CLAIM: Duration = Duration::from_secs(10);

/// The interval of renewals: two may fail before the lease expires.
const RENEWAL: Duration = Duration::from_secs(3);

/// The first pause before the lease of another process is checked again; each later one is twice as long.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// How long other processes do not wait after a response that could not be stored: each waiter checks within this time.
const ALONE: Duration = Duration::from_millis(500);

/// The longest that a caller waits for other fetches, in all.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A caller that finds nothing stored after so many other fetches does not wait any more: the store evicts at once, and
/// callers would run one after the other.
const MOST_FETCHES: u32 = 8;

/// The in-flight fetches. Clones share them.
#[derive(Clone)]
pub(crate) struct Flights(Arc<Shared>);

struct Shared {
    store: Arc<Graceful>,
    tasks: Tasks,
    /// In-flight fetches by key. An entry is removed when its fetch completes or when its last waiter is dropped.
    table: Mutex<HashMap<String, Weak<Flight>>>,
}

/// What to do after a miss.
pub(crate) enum Turn {
    /// Fetch for all waiters, after one more lookup: the response may have been stored since the last one.
    Lead(Lead),
    /// Another fetch has completed: look up again.
    LookAgain,
    /// Fetch independently: the leader's response could not be stored, or the wait timed out. Other callers do not wait
    /// for this fetch.
    Alone,
}

/// How long one caller may still wait for other fetches.
#[derive(Default)]
pub(crate) struct Waiting {
    /// Set when the first wait begins.
    deadline: Option<Instant>,
    /// Completed fetches whose response was to be found in the store.
    fetches: u32,
    has_waited: bool,
}

/// The leader of a fetch that others wait for. If it is dropped before [`Self::land`], the next waiter becomes the
/// leader.
pub(crate) struct Lead {
    flight: Arc<Flight>,
    /// Its owner is the leader; dropped, it goes to the next waiter.
    seat: OwnedSemaphorePermit,
    heartbeat: Heartbeat,
}

/// Renews a lease until this is dropped.
struct Heartbeat {
    stop: oneshot::Sender<()>,
    /// Ends when no renewal is in flight any more.
    stopped: oneshot::Receiver<()>,
}

/// One fetch and its waiters.
struct Flight {
    shared: Arc<Shared>,
    name: String,
    /// One permit, the leader's. Closed when the fetch has completed.
    seat: Arc<Semaphore>,
    /// Known when the fetch has completed.
    is_storable: OnceLock<bool>,
    /// The owner of the lease among all processes.
    holder: Uuid,
    /// The store granted the lease, or may have done so without a reply.
    may_be_claimed: AtomicBool,
}

impl Flights {
    pub(crate) fn new(store: Arc<Graceful>, tasks: Tasks) -> Self {
        Self(Arc::new(Shared { store, tasks, table: Mutex::default() }))
    }

    /// Waits for an in-flight fetch of `name`, or becomes the leader.
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

    /// Becomes the leader, unless a fetch of `name` is in flight.
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
        // No code that runs under the lock can panic halfway.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    /// Acquires the lease among all processes, or waits for its owner.
    async fn claim(self: Arc<Self>, seat: OwnedSemaphorePermit, waiting: &mut Waiting) -> Turn {
        let deadline = waiting.deadline();
        let mut pause = SHORTEST_PAUSE;
        loop {
            match self.ask_for_claim().await {
                // A store that fails delays no caller.
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
        // Set first: the store may grant a lease whose reply is not awaited.
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

    /// Renews the lease until the returned value is dropped.
    fn keep_claimed(self: &Arc<Self>) -> Heartbeat {
        let (stop, ended) = oneshot::channel();
        let (beating, stopped) = oneshot::channel();
        // Weak: the flight must end when its waiters are dropped.
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

    /// Wakes all waiters. Later callers start another flight.
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

    /// The hash of the name, which may be long and contain secrets.
    fn stored_name(&self) -> String {
        sha256_hex(self.name.as_bytes())
    }
}

impl Drop for Flight {
    /// The last waiter is gone.
    fn drop(&mut self) {
        let mut table = self.shared.table();
        // Another flight may have started under the name.
        if table.get(&self.name).is_some_and(|flight| flight.strong_count() == 0) {
            table.remove(&self.name);
        }
        drop(table);
        // It did not complete: other processes need not wait until the lease expires.
        if *self.may_be_claimed.get_mut() {
            let release = release(Arc::clone(&self.shared.store), self.stored_name(), self.holder, None);
            self.shared.tasks.give_back(release);
        }
    }
}

impl Waiting {
    /// Whether the caller waited for another fetch.
    pub(crate) fn has_waited(&self) -> bool {
        self.has_waited
    }

    /// Whether the caller may wait for another fetch.
    ///
    /// An empty lookup after a completed fetch means that the entry was flushed in between: wait again, up to
    /// [`MOST_FETCHES`] times. A response that is stored but unusable (another `Vary`, say) would be unusable after the
    /// next fetch, too: do not wait, or callers would run one after the other.
    pub(crate) fn may_go_on(&self, has_nothing: bool) -> bool {
        self.fetches == 0 || has_nothing && self.fetches < MOST_FETCHES
    }

    fn deadline(&mut self) -> Instant {
        *self.deadline.get_or_insert_with(|| Instant::now() + LONGEST_WAIT)
    }
}

impl Lead {
    /// The fetch has completed. The waiters look its response up, and if it was removed meanwhile, one of them fetches
    /// again for all; if it cannot be stored, they all fetch independently.
    pub(crate) async fn land(self, is_storable: bool) {
        let Self { flight, seat, heartbeat, .. } = self;
        flight.end(is_storable);
        drop(seat);
        // No renewal may follow the release.
        drop(heartbeat.stop);
        let _ = heartbeat.stopped.await;
        let alone = (!is_storable).then_some(ALONE);
        release(Arc::clone(&flight.shared.store), flight.stored_name(), flight.holder, alone).await;
        flight.may_be_claimed.store(false, Ordering::Relaxed);
    }
}

/// Releases a lease.
async fn release(store: Arc<Graceful>, name: String, holder: Uuid, alone: Option<Duration>) {
    store.ask("release", |store| async move { store.release(&name, holder, alone).await }).await;
}
