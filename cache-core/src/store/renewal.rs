//! When a hit is worth a write that renews a TTL.

/// A lookup renews nothing that would gain, or lose, less than this; seconds. A key that is read all the time is not
/// written all the time.
const MIN_RENEWAL: f64 = 1.0;

/// Whether what expires at `expires_at` (`None`: never) is to expire at `until` instead; Unix seconds.
pub(crate) fn should_renew(expires_at: Option<f64>, until: f64) -> bool {
    expires_at.is_none_or(|at| (until - at).abs() >= MIN_RENEWAL)
}
