//! Redis-style glob patterns for keys and URLs: `*`, `?`, `[a-c]`, `[^a]`, and `\` before any of them.
//!
//! Patterns have the same meaning on every backend.

use crate::error::{Error, Result};

/// A glob pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(Vec<u8>);

impl Glob {
    /// Parses a pattern.
    ///
    /// # Errors
    /// An unclosed `[`, a reversed range (`[z-a]`), or a `\` at the end.
    pub fn new(pattern: &str) -> Result<Self> {
        let bytes = pattern.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            match bytes[at] {
                b'\\' if at + 1 == bytes.len() => {
                    return Err(Error::Config(r"trailing backslash in pattern; use \\ to match a backslash".into()));
                }
                b'\\' => at += 2,
                b'[' => match class_end(bytes, at) {
                    Some(end) => {
                        if let Some((low, high)) = backward_range(&bytes[at + 1..end - 1]) {
                            let range = format!("{}-{}", char::from(low), char::from(high));
                            return Err(Error::Config(format!("invalid range in pattern: {range}")));
                        }
                        at = end;
                    }
                    None => {
                        return Err(Error::Config(r"unclosed [ in pattern; use \[ to match a bracket".into()));
                    }
                },
                _ => at += 1,
            }
        }
        Ok(Self(bytes.to_vec()))
    }

    /// The pattern that matches every text with this prefix; special characters are escaped.
    pub fn prefix(prefix: &[u8]) -> Self {
        let mut pattern = Vec::with_capacity(prefix.len() + 1);
        for b in prefix {
            if matches!(b, b'*' | b'?' | b'[' | b']' | b'\\' | b'^' | b'-') {
                pattern.push(b'\\');
            }
            pattern.push(*b);
        }
        pattern.push(b'*');
        Self(pattern)
    }

    /// The pattern as Redis takes it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether the whole text matches.
    pub fn matches(&self, text: &[u8]) -> bool {
        let pattern = &self.0;
        let (mut p, mut t) = (0, 0);
        // Where to resume if the part after the last `*` does not match: one byte further.
        let mut retry: Option<(usize, usize)> = None;
        loop {
            if p < pattern.len() && pattern[p] == b'*' {
                retry = Some((p + 1, t));
                p += 1;
            } else if p == pattern.len() && t == text.len() {
                return true;
            } else if p < pattern.len()
                && t < text.len()
                && let Some(next) = step(pattern, p, text[t])
            {
                p = next;
                t += 1;
            } else if let Some((star, from)) = retry
                && from < text.len()
            {
                retry = Some((star, from + 1));
                p = star;
                t = from + 1;
            } else {
                return false;
            }
        }
    }
}

/// The position after the element at `p`, if that element matches the byte.
fn step(pattern: &[u8], p: usize, byte: u8) -> Option<usize> {
    match pattern[p] {
        b'?' => Some(p + 1),
        b'\\' if p + 1 < pattern.len() => (pattern[p + 1] == byte).then_some(p + 2),
        b'[' => {
            let end = class_end(pattern, p)?;
            class_matches(&pattern[p + 1..end - 1], byte).then_some(end)
        }
        other => (other == byte).then_some(p + 1),
    }
}

/// The index after the `]` that closes the class opened at `at`.
fn class_end(pattern: &[u8], at: usize) -> Option<usize> {
    let mut i = at + 1;
    while i < pattern.len() {
        match pattern[i] {
            b'\\' => i += 2,
            b']' => return Some(i + 1),
            _ => i += 1,
        }
    }
    None
}

/// A reversed range in a class, such as `z-a`. Redis would swap its ends.
fn backward_range(class: &[u8]) -> Option<(u8, u8)> {
    let mut class = class.strip_prefix(b"^").unwrap_or(class);
    loop {
        class = match class {
            [b'\\', _, rest @ ..] => rest,
            [low, b'-', high, ..] if low > high => return Some((*low, *high)),
            [_, b'-', _, rest @ ..] | [_, rest @ ..] => rest,
            [] => return None,
        };
    }
}

fn class_matches(class: &[u8], byte: u8) -> bool {
    let (is_negated, class) = match class {
        [b'^', rest @ ..] => (true, rest),
        _ => (false, class),
    };
    let mut i = 0;
    let mut is_in = false;
    while i < class.len() {
        match &class[i..] {
            [b'\\', escaped, ..] => {
                is_in |= *escaped == byte;
                i += 2;
            }
            [low, b'-', high, ..] => {
                is_in |= (*low..=*high).contains(&byte);
                i += 3;
            }
            [one, ..] => {
                is_in |= *one == byte;
                i += 1;
            }
            [] => break,
        }
    }
    is_in != is_negated
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_mean_what_redis_means_by_them() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*c", "abc", true),
            ("a*c", "abcd", false),
            ("a*b*c", "a_b_b_c", true),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h[ae]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-c]llo", "hbllo", true),
            ("h\\[a]", "h[a]", true),
            ("h\\*", "hx", false),
            ("https://*/titles/*", "https://api.example.com/v4/titles/1", true),
        ] {
            assert_eq!(Glob::new(pattern).unwrap().matches(text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_broken_pattern_is_refused() {
        assert!(Glob::new("h[a").is_err());
        assert!(Glob::new("h\\").is_err());
        assert!(Glob::new("h[^xc-a]").is_err());
        assert!(Glob::new("h\\[a").is_ok());
        assert!(Glob::new("h[\\c-a-]").is_ok());
    }

    proptest! {
        #[test]
        fn an_escaped_prefix_matches_exactly_what_begins_with_it(
            prefix in proptest::collection::vec(any::<u8>(), 0..12),
            rest in proptest::collection::vec(any::<u8>(), 0..12),
            other in proptest::collection::vec(any::<u8>(), 0..12),
        ) {
            let glob = Glob::prefix(&prefix);
            let with_prefix = [&prefix[..], &rest].concat();
            prop_assert!(glob.matches(&with_prefix));
            prop_assert_eq!(glob.matches(&other), other.starts_with(&prefix));
        }

        #[test]
        fn any_pattern_and_any_text_give_an_answer(pattern in ".{0,16}", text in ".{0,32}") {
            if let Ok(glob) = Glob::new(&pattern) {
                glob.matches(text.as_bytes());
            }
        }
    }
}
