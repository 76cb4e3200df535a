//! What is never shown unasked: credentials in header fields and in URLs.

use std::borrow::Cow;

/// What stands in for a secret.
pub const MASK: &str = "***";

/// Query parameters whose value is a credential, besides those that [`is_secret_name`] finds.
const PARAMETERS: [&str; 3] = ["key", "apikey", "auth"];

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
        ] {
            assert_eq!(url(given), shown);
        }
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
            url(&text);
            url(&tail);
        }
    }
}
