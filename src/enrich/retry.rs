//! Retries of requests after temporary failures.

use std::time::Duration;

use crate::enrich::error::FetchFailure;
use crate::enrich::service_client::ServiceClient;

/// A longer `Retry-After` is not waited for: the request fails.
const MAX_WAIT: Duration = Duration::from_secs(120);

/// The outcome of an attempt, which is retried after each of `waits` while `passes` holds for its failure. A
/// `Retry-After` replaces the wait. Each retry counts as so many `more` requests to the cache.
pub(crate) async fn with_retries<T, F: Future<Output = Result<T, FetchFailure>>>(
    client: &ServiceClient,
    waits: &[Duration],
    passes: fn(&FetchFailure) -> bool,
    more: u64,
    attempt: impl Fn() -> F,
) -> Result<T, FetchFailure> {
    for usual in waits {
        let problem = match attempt().await {
            Err(problem) if passes(&problem) => problem,
            outcome => return outcome,
        };
        let wait = match problem {
            FetchFailure::TooMany(Some(wait)) if wait > MAX_WAIT => return Err(problem),
            FetchFailure::TooMany(Some(wait)) => wait,
            _ => *usual,
        };
        // Only rate limits count as waiting for the service.
        let waiting = too_many(&problem).then(|| client.metrics().start_wait());
        tokio::time::sleep(wait).await;
        drop(waiting);
        client.metrics().expect(more);
    }
    attempt().await
}

/// Whether the service refused because of too many requests.
pub(crate) fn too_many(problem: &FetchFailure) -> bool {
    matches!(problem, FetchFailure::TooMany(_))
}
