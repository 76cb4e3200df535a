//! [`should_renew`]: whether a hit renews a TTL.

/// A TTL is renewed only if it changes by at least this; seconds. A key that is read all the time is not written all
/// the time.
const MIN_RENEWAL: f64 = 1.0;

/// Whether an expiry at `expires_at` (`None`: never) is to be changed to `until`; Unix seconds.
pub(crate) fn should_renew(expires_at: Option<f64>, until: f64) -> bool {
    expires_at.is_none_or(|at| (until - at).abs() >= MIN_RENEWAL)
}
