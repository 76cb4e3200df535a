//! The one way from text to a [`Duration`]: total, with a largest value.

use std::time::Duration;

/// The largest duration that a text may mean: 100 years. Adding a few of them to a time cannot overflow.
pub const MAX_DURATION: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Reads a duration in the format of [humantime](https://docs.rs/humantime), for example `24h` or `1h 30m`. A number
/// needs a unit: a bare `7` could be seconds as well as days.
///
/// # Errors
/// The expected format, as the end of a sentence.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    match humantime::parse_duration(text) {
        Ok(duration) if duration <= MAX_DURATION => Ok(duration),
        Ok(_) => Err("expected a duration of at most 100 years".to_owned()),
        Err(_) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err(format!("expected a duration with a unit, such as {text}s, {text}m or {text}h"))
        }
        Err(_) => Err("expected a duration such as 6h, 90m or '2d 12h'".to_owned()),
    }
}

/// Reads a number of seconds, which may have a fraction; `None`: it is no such number, is negative, or is more than
/// [`MAX_DURATION`].
pub fn parse_seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok().filter(|duration| *duration <= MAX_DURATION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_needs_a_unit_and_has_a_maximum() {
        for (text, seconds) in [("24h", 86_400.0), (" 1h 30m ", 5_400.0), ("1ms", 0.001), ("0s", 0.0)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
        for (text, expected) in [
            ("3600", "3600s"),
            ("", "such as 6h"),
            ("soon", "such as 6h"),
            ("-1h", "such as 6h"),
            ("5000000000y", "at most 100 years"),
            ("99999999999999999999999h", "such as 6h"),
        ] {
            assert!(parse_duration(text).is_err_and(|error| error.contains(expected)), "{text}");
        }
    }

    #[test]
    fn seconds_that_are_no_time_are_none() {
        assert_eq!(parse_seconds(" 2.5 "), Some(Duration::from_millis(2_500)));
        assert_eq!(parse_seconds("1e3"), Some(Duration::from_secs(1_000)));
        for text in ["", "-1", "1e12", "1e19", "1e400", "inf", "nan", "NaN", "1h", "0x10"] {
            assert_eq!(parse_seconds(text), None, "{text}");
        }
    }
}
