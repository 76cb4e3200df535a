//! Request coalescing (single flight): concurrent misses of a key wait for one fetch, and read its response from the
//! store. A response that is not stored is handed to them, if it is the same for all.
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
use crate::runtime::guarded_store::GuardedStore;
use crate::runtime::outcomes::Outcomes;
use crate::runtime::shared_answer::SharedAnswer;
use crate::runtime::tasks::TaskGroup;

/// The TTL of a lease: the longest delay of other processes if its owner dies.
const LEASE_TTL: Duration = Duration::from_secs(10);

/// The interval of renewals: two may fail before the lease expires.
const LEASE_RENEWAL_INTERVAL: Duration = Duration::from_secs(3);

/// The first pause before the lease of another process is checked again; each later one is twice as long.
const MIN_PAUSE: Duration = Duration::from_millis(10);

const MAX_PAUSE: Duration = Duration::from_millis(100);

/// How long other processes do not wait after a response that could not be stored: each waiter checks within this time.
const UNCACHEABLE_TTL: Duration = Duration::from_millis(500);

/// The longest that a caller waits for other fetches, in all.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// How long callers do not wait after a response that could neither be stored nor shared.
const UNSHARED_TTL: Duration = Duration::from_secs(2);

/// The longest time that an answer is repeated because of its `Retry-After`.
const MAX_REPEATED: Duration = Duration::from_secs(30);

/// The number of callers that wait for one fetch; others fetch independently.
const MAX_WAITERS: usize = 4_096;

/// The number of completed fetches without a stored entry after which a caller stops waiting: the store evicts at once,
/// and callers would run one after the other.
const MAX_FETCHES: u32 = 8;

/// The in-flight fetches. Clones share them.
#[derive(Clone)]
pub(crate) struct SingleFlight(Arc<Shared>);

struct Shared {
    store: Arc<GuardedStore>,
    tasks: TaskGroup,
    /// In-flight fetches by key. An entry is removed when its fetch completes or when its last waiter is dropped.
    table: Mutex<HashMap<String, Weak<InFlight>>>,
    outcomes: Outcomes,
}

/// How a fetch has ended.
enum Landing {
    /// Its response is in the store, or was removed from it.
    Stored,
    NotStored,
    Answered(Arc<SharedAnswer>),
}

/// What to do after a miss.
pub(crate) enum Role {
    /// Fetch for all waiters, after one more lookup: the response may have been stored since the last one.
    Leader(Leader),
    /// Another fetch has completed: look up again.
    Retry,
    /// The answer to the leader's request, which was not stored.
    Answered(Arc<SharedAnswer>),
    /// Fetch independently: the leader's response could not be stored, or the wait timed out. Other callers do not wait
    /// for this fetch.
    Independent,
}

/// How long one caller may still wait for other fetches.
#[derive(Default)]
pub(crate) struct WaitBudget {
    /// Set when the first wait begins.
    deadline: Option<Instant>,
    /// Completed fetches that should have left their response in the store.
    fetches: u32,
    has_waited: bool,
    /// The store does not respond: there are no leases, and waiting works within the process only.
    has_no_store: bool,
}

/// The leader of a fetch that others wait for. If it is dropped before [`Self::complete`], the next waiter becomes the
/// leader.
pub(crate) struct Leader {
    flight: Arc<InFlight>,
    /// The permit of the leader. Dropping it wakes the next waiter, which becomes the leader.
    permit: OwnedSemaphorePermit,
    heartbeat: Heartbeat,
}

/// Renews a lease until this is dropped.
struct Heartbeat {
    stop: oneshot::Sender<()>,
    /// Ends when no renewal is in flight any more.
    stopped: oneshot::Receiver<()>,
}

/// One fetch and its waiters.
struct InFlight {
    shared: Arc<Shared>,
    name: String,
    /// One permit, the leader's. Closed when the fetch has completed.
    permits: Arc<Semaphore>,
    /// Known when the fetch has completed.
    landing: OnceLock<Landing>,
    /// The owner of the lease among all processes.
    owner: Uuid,
    /// The store granted the lease, or may have done so without a reply.
    may_hold_lease: AtomicBool,
}

impl SingleFlight {
    pub(crate) fn new(store: Arc<GuardedStore>, tasks: TaskGroup) -> Self {
        Self(Arc::new(Shared { store, tasks, table: Mutex::default(), outcomes: Outcomes::default() }))
    }

    /// Waits for an in-flight fetch of `name`, or becomes the leader.
    pub(crate) async fn join(&self, name: &str, budget: &mut WaitBudget) -> Role {
        let deadline = budget.deadline();
        match self.0.outcomes.recall(name) {
            Some(Some(answer)) => return Role::Answered(answer),
            Some(None) => return Role::Independent,
            None => {}
        }
        let in_flight = self.in_flight(name);
        if Arc::strong_count(&in_flight) > MAX_WAITERS {
            return Role::Independent;
        }
        let permit = match Arc::clone(&in_flight.permits).try_acquire_owned() {
            Ok(permit) => permit,
            Err(TryAcquireError::Closed) => return in_flight.outcome(budget),
            Err(TryAcquireError::NoPermits) => {
                budget.has_waited = true;
                match tokio::time::timeout_at(deadline, Arc::clone(&in_flight.permits).acquire_owned()).await {
                    Ok(Ok(permit)) => permit,
                    Ok(Err(_)) => return in_flight.outcome(budget),
                    Err(_) => return Role::Independent,
                }
            }
        };
        in_flight.acquire(permit, budget).await
    }

    /// Becomes the leader, unless a fetch of `name` is in flight.
    pub(crate) async fn try_lead(&self, name: &str) -> Option<Leader> {
        let in_flight = self.in_flight(name);
        let permit = Arc::clone(&in_flight.permits).try_acquire_owned().ok()?;
        match in_flight.acquire_lease().await {
            None | Some(LeaseState::Acquired) => Some(in_flight.lead(permit)),
            Some(LeaseState::HeldByOther | LeaseState::Uncacheable) => None,
        }
    }

    fn in_flight(&self, name: &str) -> Arc<InFlight> {
        let mut table = self.0.table();
        if let Some(in_flight) = table.get(name).and_then(Weak::upgrade) {
            return in_flight;
        }
        let in_flight = Arc::new(InFlight {
            shared: Arc::clone(&self.0),
            name: name.to_owned(),
            permits: Arc::new(Semaphore::new(1)),
            landing: OnceLock::new(),
            owner: Uuid::new_v4(),
            may_hold_lease: AtomicBool::new(false),
        });
        table.insert(name.to_owned(), Arc::downgrade(&in_flight));
        in_flight
    }
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, HashMap<String, Weak<InFlight>>> {
        // No code that runs under the lock can panic halfway.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InFlight {
    /// Acquires the lease among all processes, or waits for its owner.
    async fn acquire(self: Arc<Self>, permit: OwnedSemaphorePermit, budget: &mut WaitBudget) -> Role {
        let deadline = budget.deadline();
        let mut pause = MIN_PAUSE;
        if budget.has_no_store {
            return Role::Leader(self.lead(permit));
        }
        loop {
            match self.acquire_lease().await {
                // A store that fails delays no caller.
                None | Some(LeaseState::Acquired) => return Role::Leader(self.lead(permit)),
                Some(LeaseState::Uncacheable) => {
                    self.land_unused(Landing::NotStored);
                    return Role::Independent;
                }
                Some(LeaseState::HeldByOther) if Instant::now() + pause > deadline => return Role::Independent,
                Some(LeaseState::HeldByOther) => {
                    budget.has_waited = true;
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(MAX_PAUSE);
                }
            }
        }
    }

    async fn acquire_lease(&self) -> Option<LeaseState> {
        // Set before the call: the store may grant the lease although the reply is not awaited.
        self.may_hold_lease.store(true, Ordering::Relaxed);
        let name = self.stored_name();
        let lease =
            self.shared.store.call("claim", |store| async move { store.acquire(&name, self.owner, LEASE_TTL).await });
        let lease = lease.await;
        self.may_hold_lease
            .store(!matches!(lease, Some(LeaseState::HeldByOther | LeaseState::Uncacheable)), Ordering::Relaxed);
        lease
    }

    fn lead(self: Arc<Self>, permit: OwnedSemaphorePermit) -> Leader {
        let heartbeat = self.keep_lease();
        Leader { flight: self, permit, heartbeat }
    }

    /// Renews the lease until the returned value is dropped.
    fn keep_lease(self: &Arc<Self>) -> Heartbeat {
        let (stop, ended) = oneshot::channel();
        let (beating, stopped) = oneshot::channel();
        // Weak: the fetch must end when its waiters are dropped.
        let in_flight = Arc::downgrade(self);
        self.shared.tasks.spawn_daemon(async move {
            let _beating: oneshot::Sender<()> = beating;
            let renewals = async {
                loop {
                    tokio::time::sleep(LEASE_RENEWAL_INTERVAL).await;
                    let Some(in_flight) = in_flight.upgrade() else { return };
                    in_flight.acquire_lease().await;
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

    /// Wakes all waiters. Later callers start another fetch.
    fn land_unused(&self, landing: Landing) {
        let _ = self.landing.set(landing);
        self.shared.table().remove(&self.name);
        self.permits.close();
    }

    fn outcome(&self, budget: &mut WaitBudget) -> Role {
        match self.landing.get() {
            None | Some(Landing::NotStored) => Role::Independent,
            Some(Landing::Answered(answer)) => Role::Answered(Arc::clone(answer)),
            Some(Landing::Stored) => {
                budget.fetches += 1;
                Role::Retry
            }
        }
    }

    /// The hash of the name, which may be long and contain secrets.
    fn stored_name(&self) -> String {
        sha256_hex(self.name.as_bytes())
    }
}

impl Drop for InFlight {
    /// The last waiter is gone.
    fn drop(&mut self) {
        let mut table = self.shared.table();
        // Another fetch may have started under the name.
        if table.get(&self.name).is_some_and(|in_flight| in_flight.strong_count() == 0) {
            table.remove(&self.name);
        }
        drop(table);
        // The fetch did not complete: release the lease, so that other processes need not wait until it expires.
        if *self.may_hold_lease.get_mut() {
            let release = release(Arc::clone(&self.shared.store), self.stored_name(), self.owner, None);
            self.shared.tasks.spawn_cleanup(release);
        }
    }
}

impl WaitBudget {
    /// `has_store`: whether the store responds.
    pub(crate) fn new(has_store: bool) -> Self {
        Self { has_no_store: !has_store, ..Self::default() }
    }

    /// Whether the caller waited for another fetch.
    pub(crate) fn has_waited(&self) -> bool {
        self.has_waited
    }

    /// Whether the caller may wait for another fetch.
    ///
    /// An empty lookup after a completed fetch means that the entry was flushed in between: wait again, up to
    /// [`MAX_FETCHES`] times. A response that is stored but unusable (another `Vary`, say) would be unusable after the
    /// next fetch, too: do not wait, or callers would run one after the other.
    pub(crate) fn may_wait_again(&self, has_nothing: bool) -> bool {
        self.fetches == 0 || has_nothing && self.fetches < MAX_FETCHES
    }

    fn deadline(&mut self) -> Instant {
        *self.deadline.get_or_insert_with(|| Instant::now() + MAX_WAIT)
    }
}

impl Leader {
    /// Completes the fetch. The waiters look up its response. If it was removed meanwhile, one of them fetches again
    /// for all; if it cannot be stored, all of them fetch independently.
    pub(crate) async fn complete(self, is_storable: bool) {
        if !is_storable {
            self.flight.shared.outcomes.remember(&self.flight.name, UNSHARED_TTL, None);
        }
        self.land(if is_storable { Landing::Stored } else { Landing::NotStored }).await;
    }

    /// Completes the fetch with an answer that is not stored. With `repeated_for`, it is given for that long.
    pub(crate) async fn answer(self, answer: SharedAnswer, repeated_for: Option<Duration>) {
        let answer = Arc::new(answer);
        if let Some(time) = repeated_for {
            self.flight.shared.outcomes.remember(&self.flight.name, time.min(MAX_REPEATED), Some(Arc::clone(&answer)));
        }
        self.land(Landing::Answered(answer)).await;
    }

    /// Whether others wait for this fetch.
    pub(crate) fn has_waiters(&self) -> bool {
        Arc::strong_count(&self.flight) > 1
    }

    async fn land(self, landing: Landing) {
        let is_storable = matches!(landing, Landing::Stored);
        let Self { flight: in_flight, permit, heartbeat, .. } = self;
        in_flight.land_unused(landing);
        drop(permit);
        // No renewal may follow the release.
        drop(heartbeat.stop);
        let _ = heartbeat.stopped.await;
        // There is no lease without a store.
        if !in_flight.may_hold_lease.load(Ordering::Relaxed) {
            return;
        }
        let uncacheable_for = (!is_storable).then_some(UNCACHEABLE_TTL);
        release(Arc::clone(&in_flight.shared.store), in_flight.stored_name(), in_flight.owner, uncacheable_for).await;
        in_flight.may_hold_lease.store(false, Ordering::Relaxed);
    }
}

/// Releases a lease.
async fn release(store: Arc<GuardedStore>, name: String, owner: Uuid, uncacheable_for: Option<Duration>) {
    store.call("release", |store| async move { store.release(&name, owner, uncacheable_for).await }).await;
}
