//! Values that are credentials by their look, whatever their name.

use crate::redact::mask::Places;

/// The shortest run of letters and digits that may be random.
const MIN_RANDOM: usize = 16;

/// Authentication schemes (RFC 9110, 11.1) whose credentials follow in the same value.
const SCHEMES: [&str; 9] =
    ["bearer", "basic", "digest", "token", "apikey", "dpop", "negotiate", "hmac", "aws4-hmac-sha256"];

/// Whether a whole value looks like a credential: random, a JWT, `Bearer …`, `user:password@…`.
pub(crate) fn is_credential(value: &str) -> bool {
    let value = value.trim();
    let scheme = value.split_once(' ').map(|(scheme, _)| scheme);
    if scheme.is_some_and(|scheme| SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known))) {
        return true;
    }
    let has_password = value.split_once('@').is_some_and(|(user, _)| {
        user.contains(':') && !user.contains("://") && !user.contains(|c: char| c.is_whitespace() || c == '/')
    });
    has_password || is_random(value)
}

/// Whether a value is one word of letters and digits that looks random, or a UUID.
pub(crate) fn is_random(value: &str) -> bool {
    let value = value.trim_matches(['"', '\'']);
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_+/=.~".contains(&byte);
    value.len() >= MIN_RANDOM
        && value.bytes().all(is_part)
        && (is_uuid(value) || value.split(|c: char| !c.is_ascii_alphanumeric()).any(is_random_run))
}

/// Letters and digits that change between lower case, upper case and digits about as often as random ones.
fn is_random_run(run: &str) -> bool {
    if run.len() < MIN_RANDOM {
        return false;
    }
    let kind = |byte: u8| (byte.is_ascii_digit(), byte.is_ascii_uppercase());
    let changes = run.as_bytes().windows(2).filter(|pair| kind(pair[0]) != kind(pair[1])).count();
    let has_digit = run.bytes().any(|byte| byte.is_ascii_digit());
    // Words in CamelCase change at both ends of each word: twice in five letters.
    changes * 4 >= run.len() && (has_digit || changes * 2 >= run.len())
}

fn is_uuid(value: &str) -> bool {
    value.len() == 36 && uuid::Uuid::try_parse(value).is_ok()
}

/// Adds the JSON Web Tokens of a text, and what follows `Bearer` or `Basic`.
pub(crate) fn find_tokens(text: &str, places: &mut Places) {
    for (at, _) in text.match_indices("eyJ") {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let is_start = text[..at].bytes().next_back().is_none_or(|byte| !is_part(byte));
        let end = run(text, at, is_part);
        if is_start && text[at..end].trim_end_matches('.').contains('.') && end - at >= MIN_RANDOM {
            places.add(at..end);
        }
    }
    for (at, space) in text.match_indices(' ') {
        let before = &text.as_bytes()[at.saturating_sub(6)..at];
        let is_scheme = [&b"bearer"[..], b"basic"].into_iter().any(|scheme| {
            before.len() >= scheme.len() && before[before.len() - scheme.len()..].eq_ignore_ascii_case(scheme)
        });
        if is_scheme {
            let start = run(text, at + space.len(), |byte| byte == b' ');
            let end = run(text, start, |byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte));
            // `Basic information` is prose, and `Basic realm="x"` a challenge.
            let is_challenge = text[..end].ends_with('=') && text[end..].starts_with('"');
            if !is_challenge
                && text[start..end].bytes().skip(1).any(|byte| !byte.is_ascii_lowercase() && !b"-./".contains(&byte))
            {
                places.add(start..end);
            }
        }
    }
}

/// The end of the bytes from `at` on that are such parts. All of them must be ASCII.
pub(crate) fn run(text: &str, at: usize, is_part: impl Fn(u8) -> bool) -> usize {
    at + text.as_bytes()[at..].iter().take_while(|byte| is_part(**byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_known_by_their_look() {
        for value in [
            "Bearer abc",
            "basic dTpw",
            "Digest username=\"me\"",
            "me:S3CRET@host",
            "82fce6a05e45281a9b1c2d3e4f5a6b7c",
            "0c8fd1e2-1a0e-4c7e-9a53-9d1a7e7b5b11",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
            "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
            "AKIAIOSFODNN7EXAMPLE1A2B",
        ] {
            assert!(is_credential(value), "{value}");
        }
        for value in [
            "text/html; charset=utf-8",
            "fullmetal-alchemist-brotherhood",
            "sword-art-online-2",
            "20240101T000000Z",
            "SomeLongNameInCamelCase",
            "W/\"5d\"",
            "1700000000000000000",
            "me@example.org",
            "https://host/a:b@c",
        ] {
            assert!(!is_credential(value), "{value}");
        }
    }
}
