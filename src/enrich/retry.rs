//! Asking again what a service had no time for.

use std::time::Duration;

use crate::enrich::error::Problem;
use crate::enrich::service_client::Way;

/// A service that wants to be left alone for longer has said no.
const LONGEST: Duration = Duration::from_secs(120);

/// What an attempt brings, made again after each of `waits` while the problem is one that passes. Where the service says
/// when to come back, that is when. Each attempt after the first is so many `more` requests of the cache.
pub(crate) async fn retried<T, F: Future<Output = Result<T, Problem>>>(
    way: &Way,
    waits: &[Duration],
    passes: fn(&Problem) -> bool,
    more: u64,
    attempt: impl Fn() -> F,
) -> Result<T, Problem> {
    for usual in waits {
        let problem = match attempt().await {
            Err(problem) if passes(&problem) => problem,
            outcome => return outcome,
        };
        let wait = match problem {
            Problem::TooMany(Some(wait)) if wait > LONGEST => return Err(problem),
            Problem::TooMany(Some(wait)) => wait,
            _ => *usual,
        };
        // What had another reason is not what the service allows.
        let waiting = too_many(&problem).then(|| way.meter().waiting());
        tokio::time::sleep(wait).await;
        drop(waiting);
        way.meter().expect(more);
    }
    attempt().await
}

/// Whether a service was asked too often.
pub(crate) fn too_many(problem: &Problem) -> bool {
    matches!(problem, Problem::TooMany(_))
}
