//! Waiting until a store that failed responds again.

use std::time::Duration;

use crate::store::traits::Backend;

/// The pause before the first probe; each later one is twice as long.
const MIN_PAUSE: Duration = Duration::from_millis(250);

const MAX_PAUSE: Duration = Duration::from_secs(10);

/// Timeout of a probe that has to connect first, or to detect a dead connection.
pub(crate) const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a store must respond in a row to count as stable, one [`STABLE_PAUSE`] apart.
const STABLE_PROBES: u32 = 4;

const STABLE_PAUSE: Duration = Duration::from_millis(500);

/// Returns when the store has responded within `timeout` for some time.
pub(crate) async fn wait_until_stable<S: Backend + ?Sized>(store: &S, timeout: Option<Duration>) {
    'unstable: loop {
        wait_until_healthy(store, timeout).await;
        for _ in 0..STABLE_PROBES {
            tokio::time::sleep(STABLE_PAUSE).await;
            if !is_healthy(store, timeout).await {
                continue 'unstable;
            }
        }
        return;
    }
}

/// Returns when the store responds within `timeout` again.
pub(crate) async fn wait_until_healthy<S: Backend + ?Sized>(store: &S, timeout: Option<Duration>) {
    let mut pause = MIN_PAUSE;
    loop {
        tokio::time::sleep(pause).await;
        if is_healthy(store, timeout).await {
            return;
        }
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

async fn is_healthy<S: Backend + ?Sized>(store: &S, timeout: Option<Duration>) -> bool {
    let is_reachable = responds_within(store, PROBE_TIMEOUT).await;
    match timeout {
        Some(timeout) => is_reachable && responds_within(store, timeout).await,
        None => is_reachable,
    }
}

/// Whether the store responds, and says that it is well.
pub(crate) async fn responds_within<S: Backend + ?Sized>(store: &S, limit: Duration) -> bool {
    // A fallback reports the problem of its first store while the second one responds.
    tokio::time::timeout(limit, store.health()).await.is_ok_and(|health| health.problem.is_none() || health.is_fallback)
}
