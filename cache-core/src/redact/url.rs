//! URLs: user information, path parameters, query and fragment.

use std::borrow::Cow;

use crate::redact::mask::{MaskText, Places};
use crate::redact::{names, value};

/// Parameters whose values look random without being secret.
const PLAIN_PARAMETERS: [&str; 4] = ["id", "ids", "q", "etag"];

/// Encodings within encodings that are looked into.
const MAX_DEPTH: u8 = 3;

/// The URL with its credentials masked.
pub(crate) fn url(url: &str, field: MaskText) -> Cow<'_, str> {
    nested(url, 0, field)
}

/// The text with the credentials among its parameters masked; it has no user information.
pub(crate) fn parameters(text: &str, field: MaskText) -> Cow<'_, str> {
    let mut places = Places::default();
    find_parameters(text, 0, field, &mut places);
    places.apply(text)
}

fn nested(url: &str, depth: u8, field: MaskText) -> Cow<'_, str> {
    // Most URLs of long lists have neither.
    if !url.contains(['@', '=']) && !url.contains("eyJ") {
        return url.into();
    }
    let mut places = Places::default();
    let host = authority(url);
    if let Some(host) = host
        && let Some(end) = user_info(&url[..host], &url[host..])
    {
        places.add(host..host + end);
    }
    find_parameters(url, depth, field, &mut places);
    value::find_tokens(url, &mut places);
    places.apply(url)
}

/// Where the authority of a URL begins. The scheme may be missing, or a slash after it, by mistake.
fn authority(url: &str) -> Option<usize> {
    let scheme = value::run(url, 0, |byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let after = if url[scheme..].starts_with(":/") { scheme + 1 } else { 0 };
    let slashes = value::run(url, after, |byte| byte == b'/') - after;
    (after > 0 || slashes != 1).then_some(after + slashes)
}

/// The end of the user information at the start of `rest`, the URL after `scheme` and `://`.
pub(crate) fn user_info(scheme: &str, rest: &str) -> Option<usize> {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let is_web = scheme.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http")) || scheme.len() < 4;
    let query = rest[end..].find('?').map_or(rest.len(), |at| at + end);
    if let Some(at) = rest[..if is_web { end } else { query }].rfind('@') {
        return Some(at);
    }
    // A password may contain these characters by mistake; then what precedes them is no host and port.
    let port = rest[..end].rsplit_once(':').map_or("", |(_, port)| port);
    let is_host = port.bytes().all(|byte| byte.is_ascii_digit()) || rest[..end].ends_with(']');
    if is_host { None } else { rest.rfind('@') }
}

/// Adds the secret values among the parameters of the path, the query and the fragment.
fn find_parameters(url: &str, depth: u8, field: MaskText, places: &mut Places) {
    let start = url.find(['?', '#', ';']).map_or(0, |at| at + 1);
    let query = url.find(['?', '#']).unwrap_or(url.len());
    let mut at = start;
    let mut is_hidden = false;
    for parameter in url[start..].split(['&', ';', '#']) {
        let here = at..at + parameter.len();
        at = here.end + 1;
        let separator = here.start.checked_sub(1).map(|before| url.as_bytes()[before]);
        let Some((name, _)) = parameter.split_once('=') else {
            // A secret may contain a semicolon.
            if is_hidden && separator == Some(b';') {
                places.add(here.start - 1..here.end);
            }
            continue;
        };
        let from = here.start + name.len() + 1;
        // A parameter of the path ends where the query begins.
        let until = if here.start <= query && query < here.end && from <= query { query } else { here.end };
        let name = name.rsplit(['?', '/']).next().unwrap_or(name);
        is_hidden = is_secret_parameter(name, &url[from..until], depth, field);
        if is_hidden {
            places.add(from..until);
        }
        if until < here.end {
            find_query_start(url, until, here.end, depth, field, places);
        }
    }
}

/// The first parameter of the query, behind one of the path.
fn find_query_start(url: &str, query: usize, end: usize, depth: u8, field: MaskText, places: &mut Places) {
    if let Some((name, given)) = url[query + 1..end].split_once('=')
        && is_secret_parameter(name, given, depth, field)
    {
        places.add(end - given.len()..end);
    }
}

/// Whether the value of a parameter is a secret: by its name, by its look, or by what is encoded in it, of which `field`
/// masks what is no URL.
pub(crate) fn is_secret_parameter(name: &str, given: &str, depth: u8, field: MaskText) -> bool {
    if given.is_empty() {
        return false;
    }
    let name = names::decoded(name);
    if names::is_secret(&name) {
        return true;
    }
    if !PLAIN_PARAMETERS.contains(&&*name) && value::is_random(given) {
        return true;
    }
    if depth < MAX_DEPTH && (given.contains('%') || given.contains("//") || given.contains('{')) {
        let decoded = names::decoded(given);
        let is_url = !decoded.contains(['{', '"', ' ']);
        let masked = if is_url { nested(&decoded, depth + 1, field) } else { field(&decoded) };
        return *masked != *decoded;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn url(url: &str) -> Cow<'_, str> {
        super::url(url, crate::redact::text::field)
    }

    #[test]
    fn credentials_in_urls_are_masked_and_nothing_else() {
        for (given, shown) in [
            ("https://api.example/v4/anime?q=a&page=2", "https://api.example/v4/anime?q=a&page=2"),
            ("https://u:p@host/x", "https://***@host/x"),
            ("https://u@host/x", "https://***@host/x"),
            ("https://host/@user/x?a=b@c", "https://host/@user/x?a=b@c"),
            ("https://host/x?Token=abc&q=1", "https://host/x?Token=***&q=1"),
            ("https://host/x?q=1&api_key=abc#f", "https://host/x?q=1&api_key=***#f"),
            ("https://host?key=a&access_token=b", "https://host?key=***&access_token=***"),
            ("https://host/x?key=&monkey=2", "https://host/x?key=&monkey=2"),
            ("https://host/x?k%65y=a#access_token=b", "https://host/x?k%65y=***#access_token=***"),
            ("https://host/x#token=b", "https://host/x#token=***"),
            ("https://host/#/cb?key=b", "https://host/#/cb?key=***"),
            ("no url?password=1", "no url?password=***"),
            ("https://host/x?sig=a&design=b", "https://host/x?sig=***&design=b"),
            ("https://host/x?pass=a&bypass=b", "https://host/x?pass=***&bypass=b"),
            ("https://host/x;jsessionid=A1?q=1", "https://host/x;jsessionid=***?q=1"),
            ("https://host/x;v=1?key=a&q=1", "https://host/x;v=1?key=***&q=1"),
            ("https://host/x?token=a;b&q=1", "https://host/x?token=***&q=1"),
            ("https://host/x?k=82fce6a05e45281a9b1c2d3e4f5a6b7c", "https://host/x?k=***"),
            ("https://host/x?next=https%3A%2F%2Fh%2F%3Ftoken%3DS3", "https://host/x?next=***"),
            ("https://host/x?next=https://u:p@h/", "https://host/x?next=***"),
            ("https://host/x?next=https%3A%2F%2Fh%2F", "https://host/x?next=https%3A%2F%2Fh%2F"),
            ("//u:p@host/x", "//***@host/x"),
            ("https:/u:p@host/x", "https:/***@host/x"),
            ("/a@b/c", "/a@b/c"),
            ("https://h/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln/x", "https://h/***/x"),
        ] {
            assert_eq!(url(given), shown, "{given}");
        }
    }

    #[test]
    fn passwords_of_redis_urls_are_masked() {
        for (given, shown) in [
            ("redis://localhost:6379/0", "redis://localhost:6379/0"),
            ("redis://:hunter2@localhost/0", "redis://***@localhost/0"),
            ("rediss://me:hunter2@host:1/0?x=1", "rediss://***@host:1/0?x=1"),
            ("redis://me:p@ss/w:rd@host", "redis://***@host"),
            ("redis://:pa/ss@host:1/0", "redis://***@host:1/0"),
            ("redis://me:12/34@host", "redis://***@host"),
            (":hunter2@localhost:6379", "***@localhost:6379"),
            ("unix:///run/redis.sock?db=1&password=hunter2&x=1", "unix:///run/redis.sock?db=1&password=***&x=1"),
            ("unix:///run/redis.sock?pass=hunter2&pass=hunter3", "unix:///run/redis.sock?pass=***&pass=***"),
            ("redis://h/0?PASSWORD=x@y&token=y", "redis://h/0?PASSWORD=***&token=***"),
        ] {
            assert_eq!(url(given), shown, "{given}");
        }
    }

    #[test]
    fn names_encoded_again_and_again_are_read_once() {
        let given = format!("https://host/x?k%{}65y=a&k%65y=b", "25".repeat(200_000));
        assert_eq!(url(&given), format!("{}***", given.strip_suffix('b').unwrap()));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>(), tail in "[a-z?&=#;@:/%é]{0,40}") {
            url(&text);
            url(&tail);
        }
    }
}
