//! Fetches in one process, and in processes that share a store of leases; on a paused clock.

use std::collections::HashMap;
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::atomic::AtomicUsize;
use std::task::Poll;

use async_trait::async_trait;

use crate::error::Result;
use crate::runtime::single_flight::*;
use crate::store::stub::Stub;

/// The shared state of several processes: leases only.
#[derive(Default)]
struct Claims {
    /// Owner (`None`: uncacheable) and expiry, by name.
    table: Mutex<HashMap<String, (Option<Uuid>, Instant)>>,
    /// It does not reply.
    is_mute: AtomicBool,
    asked: AtomicUsize,
}

impl Claims {
    fn count(&self) -> usize {
        self.table.lock().unwrap().values().filter(|(_, until)| *until > Instant::now()).count()
    }
}

#[async_trait]
impl Stub for Claims {
    async fn acquire(&self, name: &str, owner: Uuid, time: Duration) -> Result<LeaseState> {
        if self.is_mute.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
        self.asked.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let mut table = self.table.lock().unwrap();
        Ok(match table.get(name) {
            Some((None, until)) if *until > now => LeaseState::Uncacheable,
            Some((Some(other), until)) if *until > now && *other != owner => LeaseState::HeldByOther,
            _ => {
                table.insert(name.to_owned(), (Some(owner), now + time));
                LeaseState::Acquired
            }
        })
    }

    async fn release(&self, name: &str, owner: Uuid, alone: Option<Duration>) -> Result<()> {
        let mut table = self.table.lock().unwrap();
        if table.get(name).is_some_and(|(current, _)| *current == Some(owner)) {
            match alone {
                Some(time) => table.insert(name.to_owned(), (None, Instant::now() + time)),
                None => table.remove(name),
            };
        }
        Ok(())
    }
}

/// One process on the shared leases.
fn process(claims: &Arc<Claims>) -> (SingleFlight, TaskGroup) {
    let tasks = TaskGroup::new();
    let store = Arc::new(GuardedStore::new(Arc::clone(claims) as _, Duration::from_millis(500), tasks.clone()));
    (SingleFlight::new(store, tasks.clone()), tasks)
}

type Boarding<'a> = Pin<Box<dyn Future<Output = (Role, WaitBudget)> + Send + 'a>>;

async fn board(single_flight: &SingleFlight) -> (Role, WaitBudget) {
    let mut waiting = WaitBudget::default();
    (single_flight.join("key", &mut waiting).await, waiting)
}

/// Joins a fetch, and waits.
async fn waiting(single_flight: &SingleFlight) -> Boarding<'_> {
    let mut boarding: Boarding<'_> = Box::pin(board(single_flight));
    poll_fn(|context| {
        assert!(boarding.as_mut().poll(context).is_pending(), "it waits");
        Poll::Ready(())
    })
    .await;
    boarding
}

async fn lead(single_flight: &SingleFlight) -> Leader {
    match board(single_flight).await {
        (Role::Leader(leader), waiting) if !waiting.has_waited() => leader,
        _ => panic!("nobody else fetches it"),
    }
}

async fn led(boarding: Boarding<'_>) -> Leader {
    match boarding.await {
        (Role::Leader(leader), waiting) if waiting.has_waited() => leader,
        _ => panic!("it waits, and leads"),
    }
}

#[tokio::test(start_paused = true)]
async fn waiter_looks_up_again_after_the_leader_stored() {
    let (single_flight, _tasks) = process(&Arc::default());
    let first = lead(&single_flight).await;
    let (a, b) = (waiting(&single_flight).await, waiting(&single_flight).await);
    first.complete(true).await;
    assert!(matches!(a.await, (Role::Retry, _)));
    assert!(matches!(b.await, (Role::Retry, _)));
    assert!(single_flight.0.table().is_empty());
    lead(&single_flight).await;
}

#[tokio::test(start_paused = true)]
async fn waiters_fetch_independently_if_nothing_was_stored() {
    let claims = Arc::default();
    let (single_flight, _tasks) = process(&claims);
    let (elsewhere, _their_tasks) = process(&claims);
    let first = lead(&single_flight).await;
    let (a, b, c) = (waiting(&single_flight).await, waiting(&single_flight).await, waiting(&elsewhere).await);
    let d = waiting(&elsewhere).await;
    let started = Instant::now();
    first.complete(false).await;
    for turn in [a.await, b.await] {
        assert!(matches!(turn, (Role::Independent, _)));
    }
    assert_eq!(started.elapsed(), Duration::ZERO);
    for turn in [c.await, d.await] {
        assert!(matches!(turn, (Role::Independent, _)));
    }
    assert!(started.elapsed() <= MAX_PAUSE);
}

#[tokio::test(start_paused = true)]
async fn dropped_leader_is_replaced_by_one_waiter() {
    let (single_flight, _tasks) = process(&Arc::default());
    let first = lead(&single_flight).await;
    let (a, mut b, c) = (waiting(&single_flight).await, waiting(&single_flight).await, waiting(&single_flight).await);
    drop(first);
    let second = led(a).await;
    poll_fn(|context| {
        assert!(b.as_mut().poll(context).is_pending(), "only one leads");
        Poll::Ready(())
    })
    .await;
    // A waiter that was dropped is skipped.
    drop(b);
    drop(second);
    let third = led(c).await;
    third.complete(true).await;
    assert!(single_flight.0.table().is_empty());
}

#[tokio::test(start_paused = true)]
async fn abandoned_flight_leaves_no_entry_and_no_lease() {
    let claims = Arc::default();
    let (single_flight, tasks) = process(&claims);
    let first = lead(&single_flight).await;
    let a = waiting(&single_flight).await;
    drop(a);
    assert_eq!(claims.count(), 1);
    drop(first);
    assert!(single_flight.0.table().is_empty());
    tasks.close(Duration::from_secs(1)).await;
    assert_eq!(claims.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn other_process_waits_and_finds_it_stored() {
    let claims = Arc::default();
    let ((here, _tasks), (there, _their_tasks)) = (process(&claims), process(&claims));
    let first = lead(&here).await;
    let (a, b) = (waiting(&there).await, waiting(&there).await);
    // Longer than the TTL of a lease, which is renewed meanwhile.
    tokio::time::sleep(LEASE_TTL * 2).await;
    let landed = Instant::now();
    first.complete(true).await;
    let second = led(a).await;
    assert!(landed.elapsed() <= MAX_PAUSE);
    second.complete(true).await;
    assert!(matches!(b.await, (Role::Retry, _)));
    assert_eq!(claims.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn waiter_for_a_dead_process_fetches_independently() {
    let claims = Arc::default();
    let ((here, tasks), (there, _their_tasks)) = (process(&claims), process(&claims));
    let first = lead(&here).await;
    let boarding = waiting(&there).await;
    // The process dies: no lease is renewed or released.
    tasks.end();
    let died = Instant::now();
    let second = led(boarding).await;
    assert!(died.elapsed() <= LEASE_TTL + MAX_PAUSE);
    drop((first, second));
}

#[tokio::test(start_paused = true)]
async fn waits_are_bounded_in_time() {
    let claims = Arc::default();
    let ((here, _tasks), (there, _their_tasks)) = (process(&claims), process(&claims));
    let _first = lead(&here).await;
    let started = Instant::now();
    let (turn, other) = tokio::join!(board(&here), board(&there));
    assert!(matches!((turn, other), ((Role::Independent, _), (Role::Independent, _))));
    assert!(started.elapsed() <= MAX_WAIT);
}

#[tokio::test(start_paused = true)]
async fn waiting_again_does_not_extend_the_deadline() {
    let (single_flight, _tasks) = process(&Arc::default());
    let first = lead(&single_flight).await;
    let (mut waiting, started) = (WaitBudget::default(), Instant::now());
    let landing = async {
        tokio::time::sleep(MAX_WAIT / 2).await;
        first.complete(true).await;
        // It was flushed, and another fetch begins before the waiter has looked up.
        lead(&single_flight).await
    };
    let (turn, _second) = tokio::join!(single_flight.join("key", &mut waiting), landing);
    assert!(matches!(turn, Role::Retry));
    assert!(waiting.may_wait_again(true) && !waiting.may_wait_again(false));
    assert!(matches!(single_flight.join("key", &mut waiting).await, Role::Independent));
    assert_eq!(started.elapsed(), MAX_WAIT);
}

#[tokio::test(start_paused = true)]
async fn unavailable_store_delays_no_caller() {
    let claims = Arc::<Claims>::default();
    claims.is_mute.store(true, Ordering::Relaxed);
    let (single_flight, _tasks) = process(&claims);
    let started = Instant::now();
    let first = lead(&single_flight).await;
    assert!(started.elapsed() <= Duration::from_millis(500));
    let a = waiting(&single_flight).await;
    // Within one process they still wait for each other.
    first.complete(true).await;
    assert!(matches!(a.await, (Role::Retry, _)));
}

#[tokio::test(start_paused = true)]
async fn heartbeat_ends_with_the_leader() {
    let claims = Arc::<Claims>::default();
    let (single_flight, tasks) = process(&claims);
    let first = lead(&single_flight).await;
    first.complete(true).await;
    let asked = claims.asked.load(Ordering::Relaxed);
    // No fetch is in flight any more: closing does not wait.
    let started = Instant::now();
    tasks.close(Duration::from_secs(100)).await;
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert_eq!(claims.asked.load(Ordering::Relaxed), asked);
}

#[tokio::test(start_paused = true)]
async fn waiters_get_an_answer_that_is_not_stored() {
    let (single_flight, _tasks) = process(&Arc::default());
    let answer = || SharedAnswer::Unreachable(crate::transport::error::TransportError::connect("down"));
    let first = lead(&single_flight).await;
    assert!(!first.has_waiters());
    let (a, b) = (waiting(&single_flight).await, waiting(&single_flight).await);
    assert!(first.has_waiters());
    first.answer(answer(), None).await;
    assert!(matches!((a.await, b.await), ((Role::Answered(_), _), (Role::Answered(_), _))));

    // `Retry-After`: the answer of later callers, for a bounded time.
    tokio::time::sleep(UNCACHEABLE_TTL).await;
    lead(&single_flight).await.answer(answer(), Some(Duration::MAX)).await;
    assert!(matches!(board(&single_flight).await, (Role::Answered(_), _)));
    tokio::time::sleep(MAX_REPEATED).await;
    lead(&single_flight).await.complete(true).await;
}

#[tokio::test(start_paused = true)]
async fn later_callers_do_not_wait_after_nothing_was_stored() {
    let (single_flight, _tasks) = process(&Arc::default());
    lead(&single_flight).await.complete(false).await;
    for _ in 0..2 {
        assert!(matches!(board(&single_flight).await, (Role::Independent, _)));
    }
    tokio::time::sleep(UNSHARED_TTL).await;
    lead(&single_flight).await.complete(true).await;
}
