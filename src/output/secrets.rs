//! Masks credentials in header fields, URLs, keys of results and JSON, by the one table of secret names.

use std::borrow::Cow;

use serde_json::Value;

use crate::output::safe;

/// A Redis key as text without control characters; credentials are masked unless `reveal` is set.
pub fn displayed_key(key: &[u8], reveal: bool) -> String {
    let key = safe::bytes(key);
    if reveal { key.into_owned() } else { self::key(&key).into_owned() }
}

/// Replaces a secret.
pub const MASK: &str = "***";

/// Query parameters with a credential as value, in addition to those of [`is_secret_name`].
const PARAMETERS: [&str; 5] = ["key", "auth", "pass", "sig", "signature"];

/// Whether a header field or parameter of this name holds a credential.
pub fn is_secret_name(name: &str) -> bool {
    // Called for every parameter of every listed URL: nothing is allocated.
    let is = |word: &str| name.eq_ignore_ascii_case(word);
    let contains =
        |word: &str| name.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()));
    ["authorization", "proxy-authorization", "cookie", "set-cookie"].into_iter().any(is)
        || ["token", "secret", "api-key", "api_key", "apikey", "password"].into_iter().any(contains)
}

/// The value of a header field with its credentials masked.
pub fn header<'a>(name: &str, value: &'a str) -> Cow<'a, str> {
    if is_secret_name(name) { MASK.into() } else { field(value) }
}

/// The URL with its user information and the credentials among its parameters replaced by [`MASK`].
pub fn redact_url(url: &str) -> Cow<'_, str> {
    let host = url.find("://").map_or(0, |at| at + 3);
    match user_info(&url[host..]) {
        Some(end) => [&url[..host], MASK, &parameters(&url[host + end..])].concat().into(),
        None => parameters(url),
    }
}

/// The end of the user information in a URL.
fn user_info(url: &str) -> Option<usize> {
    let authority = url.find(['/', '?', '#']).unwrap_or(url.len());
    url[..authority].rfind('@')
}

/// The URL, or a part of one, with the credentials among its parameters masked.
fn parameters(url: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut kept = 0;
    let query = url.find(['?', '#']).map_or(url.len(), |at| at + 1);
    let mut start = query;
    for parameter in url[query..].split(['&', ';', '#']) {
        if let Some((name, value)) = parameter.split_once('=')
            && !value.is_empty()
            && is_secret_parameter(name)
        {
            out.push_str(&url[kept..=start + name.len()]);
            out.push_str(MASK);
            kept = start + parameter.len();
        }
        start += parameter.len() + 1;
    }
    if kept == 0 {
        return Cow::Borrowed(url);
    }
    out.push_str(&url[kept..]);
    Cow::Owned(out)
}

/// The value of a header field with the credentials in its URLs masked.
pub fn field(value: &str) -> Cow<'_, str> {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '\'' | ',');
    let is_url = |piece: &str| piece.contains("://") || piece.contains('?');
    let masked = |piece: &str| if is_url(piece) { redact_url(piece).into_owned() } else { piece.to_owned() };
    if !is_url(value) {
        return Cow::Borrowed(value);
    }
    value
        .split_inclusive(is_end)
        .map(|piece| match piece.char_indices().next_back() {
            Some((at, end)) if is_end(end) => masked(&piece[..at]) + &piece[at..],
            _ => masked(piece),
        })
        .collect()
}

/// The key of a result, or its arguments, with credentials among the arguments masked.
pub fn key(key: &str) -> Cow<'_, str> {
    if !key.contains(['=', '@', '"']) {
        return Cow::Borrowed(key);
    }
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let key = without_secret_members(&without_user_info(key));
    let mut parts: Vec<Cow<'_, str>> = Vec::new();
    let mut last_name = "";
    let mut is_hidden = false;
    for part in key.split(':') {
        let named = part.split_once('=').filter(|(name, _)| is_name(name));
        // A secret may contain colons and end with Base64 padding: only the next argument ends it. Named arguments come
        // last, sorted.
        let is_next = |(name, value): (&str, &str)| name > last_name && !value.trim_matches('=').is_empty();
        if is_hidden && !named.is_some_and(is_next) {
            continue;
        }
        last_name = named.map_or(last_name, |(name, _)| name);
        let shown = match named {
            Some((name, value)) if !value.is_empty() && is_secret_parameter(name) => format!("{name}={MASK}").into(),
            _ => parameters(part),
        };
        is_hidden = matches!(&shown, Cow::Owned(masked) if masked.ends_with(MASK));
        parts.push(shown);
    }
    Cow::Owned(parts.join(":"))
}

/// The text with the user information of every URL masked.
fn without_user_info(text: &str) -> String {
    let mut pieces = text.split("://");
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for url in pieces {
        out.push_str("://");
        match user_info(url) {
            Some(end) => out.extend([MASK, &url[end..]]),
            None => out.push_str(url),
        }
    }
    out
}

/// The text with JSON members that have a secret name masked.
fn without_secret_members(text: &str) -> String {
    let is_open = |piece: &str| piece.bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 1;
    let mut pieces: Vec<String> = Vec::new();
    for piece in text.split('"') {
        match pieces.last_mut().filter(|last| is_open(last)) {
            Some(last) => last.extend(["\"", piece]),
            None => pieces.push(piece.to_owned()),
        }
    }
    for at in 2..pieces.len() {
        if pieces[at - 1].trim() == ":" && is_secret_name(&pieces[at - 2]) {
            MASK.clone_into(&mut pieces[at]);
        }
    }
    pieces.join("\"")
}

/// Masks the strings of members that have a secret name.
pub fn mask_members(json: &mut Value) {
    match json {
        Value::Array(items) => items.iter_mut().for_each(mask_members),
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if !text.is_empty() && is_secret_name(name) => MASK.clone_into(text),
                    member => mask_members(member),
                }
            }
        }
        _ => {}
    }
}

fn is_secret_parameter(name: &str) -> bool {
    // `k%65y` is `key` too.
    let decoded = name.contains('%').then(|| url::form_urlencoded::parse(name.as_bytes()).next()).flatten();
    let name = decoded.as_ref().map_or(name, |(name, _)| name);
    is_secret_name(name) || PARAMETERS.iter().any(|known| name.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn credentials_in_urls_are_masked_and_nothing_else() {
        for (given, shown) in [
            ("https://api.jikan.moe/v4/anime?q=a&page=2", "https://api.jikan.moe/v4/anime?q=a&page=2"),
            ("https://u:p@host/x", "https://***@host/x"),
            ("https://host/x?Token=abc&q=1", "https://host/x?Token=***&q=1"),
            ("https://host/x?q=1&api_key=abc#f", "https://host/x?q=1&api_key=***#f"),
            ("https://host?key=a&access_token=b", "https://host?key=***&access_token=***"),
            ("https://host/x?key=&monkey=2", "https://host/x?key=&monkey=2"),
            ("https://host/x?k%65y=a#access_token=b", "https://host/x?k%65y=***#access_token=***"),
            ("https://host/x#token=b", "https://host/x#token=***"),
            ("no url?password=1", "no url?password=***"),
            ("https://host/x?sig=a&design=b", "https://host/x?sig=***&design=b"),
            ("https://host/x?pass=a&bypass=b", "https://host/x?pass=***&bypass=b"),
        ] {
            assert_eq!(redact_url(given), shown);
        }
    }

    #[test]
    fn urls_in_header_fields_are_masked_and_the_rest_is_as_it_was() {
        for (given, shown) in [
            ("text/html; charset=utf-8", "text/html; charset=utf-8"),
            ("/next?token=abc", "/next?token=***"),
            ("<https://h/a?token=abc&p=2>; rel=\"next\", <b>", "<https://h/a?token=***&p=2>; rel=\"next\", <b>"),
            ("see https://u:p@h/x?a=1 me@h", "see https://***@h/x?a=1 me@h"),
        ] {
            assert_eq!(field(given), shown);
        }
    }

    #[test]
    fn what_a_function_was_called_with_is_masked_by_its_name() {
        for (given, shown) in [
            ("result_cache:p:82fce6a05e45281a:18878:page=2", "result_cache:p:82fce6a05e45281a:18878:page=2"),
            ("result_cache:tok:1:access_token=S3:CRET:page=2", "result_cache:tok:1:access_token=***:page=2"),
            ("result_cache:p:https://h/x?token=S3CRET&a=b", "result_cache:p:https://h/x?token=***&a=b"),
            (
                "result_cache:p:82fce6a05e45281a:THE iDOLM@STER:page=2",
                "result_cache:p:82fce6a05e45281a:THE iDOLM@STER:page=2",
            ),
            ("result_cache:f:1:https://user:S3:CRET@host/x", "result_cache:f:1:https://***@host/x"),
            ("https://token@host/x:url=ftp://u:p@host:page=2", "https://***@host/x:url=ftp://***@host:page=2"),
            ("f:https://h:80/x?token=123456:ABC-DEF", "f:https://h:80/x?token=***"),
            ("f:x?token=1:23&a=b:page=2", "f:x?token=***:page=2"),
            ("f:q=/x?token=1:23:a=b:url=c", "f:q=/x?token=***:url=c"),
            ("f:token=user:cGFzcw==", "f:token=***"),
            ("f:token=user:zGFzcw==:url=x", "f:token=***:url=x"),
            ("f:x?token=user:cGFzcw=", "f:x?token=***"),
            ("a=b=c:api_key=", "a=b=c:api_key="),
            (
                r#"f:say "hi:{"Authorization": "Bearer \"S3:CR=ET", "id": "5"}:page=2"#,
                r#"f:say "hi:{"Authorization": "***", "id": "5"}:page=2"#,
            ),
            (r#"f:headers={"a": "\\", "cookie":"S3CRET"}"#, r#"f:headers={"a": "\\", "cookie":"***"}"#),
        ] {
            assert_eq!(key(given), shown);
        }
    }

    #[test]
    fn names_that_are_encoded_again_and_again_are_read_once() {
        let url = format!("https://host/x?k%{}65y=a&k%65y=b", "25".repeat(200_000));
        assert_eq!(super::redact_url(&url), format!("{}***", url.strip_suffix('b').unwrap()));
    }

    #[test]
    fn members_that_are_credentials_are_masked_wherever_they_are() {
        let mut json = serde_json::json!({"data": [{"access_token": "a", "tokens": 5}], "Password": "b", "title": "c"});
        mask_members(&mut json);
        assert_eq!(
            json,
            serde_json::json!({"data": [{"access_token": "***", "tokens": 5}], "Password": "***", "title": "c"})
        );
    }

    #[test]
    fn names_of_credentials_are_known_in_any_case() {
        for name in ["Authorization", "set-cookie", "X-Api-Key", "x-csrf-token", "client_secret"] {
            assert!(is_secret_name(name), "{name}");
        }
        assert!(!is_secret_name("content-type"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>(), tail in "[a-z?&=#;@:/é]{0,40}") {
            for text in [&text, &tail] {
                redact_url(text);
                field(text);
                key(text);
            }
        }
    }
}
