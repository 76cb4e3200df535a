//! What is never shown unasked: credentials in header fields, in URLs, in keys of results and in JSON.

use std::borrow::Cow;

use serde_json::Value;

/// What stands in for a secret.
pub const MASK: &str = "***";

/// Query parameters whose value is a credential, besides those that [`is_secret_name`] finds.
const PARAMETERS: [&str; 4] = ["key", "auth", "sig", "signature"];

/// Whether a header field or parameter of this name holds a credential.
pub fn is_secret_name(name: &str) -> bool {
    // Every parameter of every URL in a list comes here: nothing is allocated.
    let is = |word: &str| name.eq_ignore_ascii_case(word);
    let contains =
        |word: &str| name.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()));
    ["authorization", "proxy-authorization", "cookie", "set-cookie"].into_iter().any(is)
        || ["token", "secret", "api-key", "api_key", "apikey", "password"].into_iter().any(contains)
}

/// The URL with the password in front of its host and the credentials among its parameters replaced by [`MASK`].
pub fn url(url: &str) -> Cow<'_, str> {
    let host = url.find("://").map_or(0, |at| at + 3);
    let path = url[host..].find(['/', '?', '#']).map_or(url.len(), |at| at + host);
    let mut out = String::new();
    let mut kept = 0;
    if let Some(at) = url[host..path].rfind('@').map(|at| at + host) {
        out.push_str(&url[..host]);
        out.push_str(MASK);
        kept = at;
    }
    let query = url[path..].find(['?', '#']).map_or(url.len(), |at| at + path + 1);
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

/// The value of a header field with the credentials masked that are in its URLs.
pub fn field(value: &str) -> Cow<'_, str> {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '\'' | ',');
    let is_url = |piece: &str| piece.contains("://") || piece.contains('?');
    let masked = |piece: &str| if is_url(piece) { url(piece).into_owned() } else { piece.to_owned() };
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

/// A key of a result, or the arguments in one, with the credentials masked that the function was called with.
pub fn key(key: &str) -> Cow<'_, str> {
    if !key.contains('=') {
        return Cow::Borrowed(key);
    }
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let mut parts: Vec<Cow<'_, str>> = Vec::new();
    let mut is_hidden = false;
    for part in key.split(':') {
        match part.split_once('=').filter(|(name, _)| is_name(name)) {
            Some((name, value)) => {
                is_hidden = !value.is_empty() && is_secret_parameter(name);
                parts.push(if is_hidden { format!("{name}={MASK}").into() } else { part.into() });
            }
            // Arguments by name come last: this is more of the value of one, in which there was a colon.
            None if is_hidden => {}
            None => parts.push(url(part)),
        }
    }
    Cow::Owned(parts.join(":"))
}

/// Masks the texts of members that are named as credentials are.
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
    if name.contains('%')
        && let Some((plain, _)) = url::form_urlencoded::parse(name.as_bytes()).next()
        && plain != name
    {
        return is_secret_parameter(&plain);
    }
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
        ] {
            assert_eq!(url(given), shown);
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
            ("a=b=c:api_key=", "a=b=c:api_key="),
        ] {
            assert_eq!(key(given), shown);
        }
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
                url(text);
                field(text);
                key(text);
            }
        }
    }
}
