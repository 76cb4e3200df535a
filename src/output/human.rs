//! Numbers, sizes, durations and timestamps for people.

use std::time::Duration;

/// `1.2 MiB`; whole bytes below 1 KiB.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 || value >= 99.95 {
        format!("{value:.0} {}", UNITS[unit])
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 entry`, `1,234 entries`.
pub fn entries(number: u64) -> String {
    format!("{} {}", count(number), if number == 1 { "entry" } else { "entries" })
}

/// A number, or a dash if it is unknown.
pub fn maybe_count(number: Option<u64>) -> String {
    number.map_or_else(|| "-".to_owned(), count)
}

/// `1,512x`; one decimal below ten.
pub fn times(times: f64) -> String {
    if times < 9.95 { format!("{times:.1}x") } else { format!("{}x", count(times.round() as u64)) }
}

/// `1 key`, `1,234 keys`.
pub fn counted(number: u64, what: &str) -> String {
    format!("{} {what}{}", count(number), if number == 1 { "" } else { "s" })
}

/// Two largest units, `23h 59m`, `4m 07s`, `12s`; never more than 7 columns.
pub fn duration(seconds: f64) -> String {
    let total = seconds.max(0.0) as u64;
    let (days, hours, minutes, seconds) = (total / 86_400, total / 3_600 % 24, total / 60 % 60, total % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {seconds:02}s"),
        (0, _, _) => format!("{hours}h {minutes:02}m"),
        (1..=99, _, _) => format!("{days}d {hours:02}h"),
        _ => format!("{days}d"),
    }
}

/// A number of seconds, or a dash if there is none.
pub fn maybe_duration(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| "-".to_owned(), duration)
}

/// The remaining TTL of an entry.
pub fn ttl(seconds: Option<f64>, is_unknown: bool) -> String {
    match seconds {
        Some(seconds) => duration(seconds),
        None if is_unknown => "unknown".to_owned(),
        None => "never".to_owned(),
    }
}

/// A share as `81.6%`, or a dash if there is none; `100%` only if nothing is missing.
pub fn share(part: Option<f64>) -> String {
    match part {
        None => "-".to_owned(),
        Some(part) if part >= 1.0 => "100%".to_owned(),
        // The small term corrects the rounding of decimal fractions.
        Some(part) => format!("{:.1}%", (part * 1e3 + 1e-9).floor() / 10.0),
    }
}

/// A short time, `84 µs`, `1.2 ms` or `3.4 s`.
pub fn elapsed(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds < 999.5e-6 => format!("{:.0} µs", seconds * 1e6),
        seconds if seconds < 0.9995 => format!("{:.1} ms", seconds * 1e3),
        seconds => format!("{seconds:.1} s"),
    }
}

/// A number of seconds as [`elapsed()`], or a dash if there is none.
pub fn latency(seconds: Option<f64>) -> String {
    seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).map_or_else(|| "-".to_owned(), elapsed)
}

/// `2026-11-22 22:09:14`, local time.
pub fn format_timestamp(unix_seconds: f64) -> String {
    local(unix_seconds, "%Y-%m-%d %H:%M:%S")
}

/// `22:09:14`, local time.
pub fn time_of_day(unix_seconds: f64) -> String {
    local(unix_seconds, "%H:%M:%S")
}

fn local(unix_seconds: f64, format: &str) -> String {
    jiff::SignedDuration::try_from_secs_f64(unix_seconds).and_then(jiff::Timestamp::from_duration).map_or_else(
        |_| "invalid".to_owned(),
        |at| at.to_zoned(jiff::tz::TimeZone::system()).strftime(format).to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [bytes(0), bytes(999), bytes(1536), bytes(300_000), bytes(5 << 30)],
            ["0 B", "999 B", "1.5 KiB", "293 KiB", "5.0 GiB"]
        );
        assert_eq!([entries(1), entries(1234)], ["1 entry", "1,234 entries"]);
        assert_eq!([times(0.94), times(9.96), times(1_511.7)], ["0.9x", "10x", "1,512x"]);
        assert_eq!([count(7), count(1234), count(1_234_567)], ["7", "1,234", "1,234,567"]);
        assert_eq!(
            [None, Some(0.0), Some(0.816), Some(0.9999), Some(1.0)].map(share),
            ["-", "0.0%", "81.6%", "99.9%", "100%"]
        );
        assert_eq!(
            [None, Some(8.4e-5), Some(0.9996e-3), Some(0.25), Some(3.44)].map(latency),
            ["-", "84 µs", "1.0 ms", "250.0 ms", "3.4 s"]
        );
        assert_eq!(
            [0.4, 59.9, 247.0, 86_399.0, 90_000.0, 1e9].map(duration),
            ["0s", "59s", "4m 07s", "23h 59m", "1d 01h", "11574d"]
        );
        assert_eq!([0, 1, 1_234].map(|number| counted(number, "key")), ["0 keys", "1 key", "1,234 keys"]);
    }
}
