//! Timestamps of runs.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// `2026-11-22 22:09`.
pub(crate) fn format_timestamp(at: f64, zone: &TimeZone) -> String {
    let at = Timestamp::from_second(at as i64).map(|at| at.to_zoned(zone.clone()));
    at.map_or_else(|_| "invalid".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M").to_string())
}
