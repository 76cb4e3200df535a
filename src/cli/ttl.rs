//! New TTLs, as the command line and the dashboard read them.

use std::time::Duration;

use cache_core::ExpiryChange;

use crate::cli::selectors::duration;

/// A shorter TTL deletes an entry before it can be used: it is confirmed as a flush.
pub const MIN_USABLE: Duration = Duration::from_secs(60);

/// A TTL of at least a second: Redis deletes entries with a TTL of zero.
pub fn lifetime(text: &str) -> Result<Duration, String> {
    let lifetime = duration(text)?;
    if lifetime < Duration::from_secs(1) {
        return Err("must be at least 1s; to delete entries, flush them".to_owned());
    }
    Ok(lifetime)
}

/// Parses `12h`, `+2h` or `never`.
pub fn parse_change(text: &str) -> Result<ExpiryChange, String> {
    let text = text.trim();
    match text.strip_prefix('+') {
        Some(more) => lifetime(more.trim()).map(ExpiryChange::Extend),
        None if text == "never" => Ok(ExpiryChange::Persist),
        None => lifetime(text).map(ExpiryChange::Set),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("12h", Some(ExpiryChange::Set(Duration::from_secs(43_200))))]
    #[case(" 1s ", Some(ExpiryChange::Set(Duration::from_secs(1))))]
    #[case("+2h", Some(ExpiryChange::Extend(Duration::from_secs(7_200))))]
    #[case("never", Some(ExpiryChange::Persist))]
    #[case("1ms", None)]
    #[case("0s", None)]
    #[case("+0s", None)]
    #[case("-5m", None)]
    #[case("", None)]
    fn a_new_ttl_is_at_least_a_second(#[case] text: &str, #[case] expected: Option<ExpiryChange>) {
        assert_eq!(parse_change(text).ok(), expected);
    }
}
