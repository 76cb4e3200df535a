//! TODO

use futures_util::TryStreamExt as _;

/// A look-up renews nothing that would gain, or lose, less than this; seconds. What is asked for all the time is not
/// written all the time.
const WORTH_RENEWING: f64 = 1.0;

/// Whether what expires then (`None`: never) is to expire at `until` instead; Unix seconds.
pub(crate) fn is_worth_renewing(expires_at: Option<f64>, until: f64) -> bool {
    expires_at.is_none_or(|at| (until - at).abs() >= WORTH_RENEWING)
}
