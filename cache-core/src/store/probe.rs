//! Waiting for a store that does not answer to be back.

use std::time::Duration;

use crate::store::traits::Store;

/// The first pause before a store is asked whether it is back; each later one is twice as long.
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);

const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How long a store may take that has to connect first, or to find out that its connection is dead.
const LONGEST_PROBE: Duration = Duration::from_secs(5);

/// Ends when the store answers within `patience` again.
pub(crate) async fn recovered(store: &dyn Store, patience: Option<Duration>) {
    let mut pause = SHORTEST_PAUSE;
    loop {
        tokio::time::sleep(pause).await;
        if answers(store, patience).await {
            return;
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn answers(store: &dyn Store, patience: Option<Duration>) -> bool {
    let is_there = is_well_within(store, LONGEST_PROBE).await;
    match patience {
        Some(patience) => is_there && is_well_within(store, patience).await,
        None => is_there,
    }
}

async fn is_well_within(store: &dyn Store, limit: Duration) -> bool {
    // With a fallback it is the second store that answers.
    tokio::time::timeout(limit, store.health()).await.is_ok_and(|health| health.problem.is_none() || health.is_fallback)
}
