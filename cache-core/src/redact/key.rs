//! Keys: arguments of results by their names, URLs in cache keys, and cache keys in hexadecimal.

use std::borrow::Cow;

use crate::redact::mask::{MASK, Places};
use crate::redact::url::{is_secret_parameter, parameters, user_info};
use crate::redact::{json, text, value};

/// The part of a key before a cache key in hexadecimal.
const HEX: &str = ":key_index:";

/// The key with the credentials among its arguments masked.
pub(crate) fn key(key: &str) -> Cow<'_, str> {
    if let Some((before, hex)) = key.split_once(HEX) {
        let pairs = hex.as_bytes().chunks(2).map_while(|pair| std::str::from_utf8(pair).ok());
        let cache_key: Vec<u8> = pairs.map_while(|pair| u8::from_str_radix(pair, 16).ok()).collect();
        let cache_key = String::from_utf8_lossy(&cache_key);
        let is_plain = arguments(&cache_key) == cache_key;
        return if is_plain { key.into() } else { format!("{before}{HEX}{MASK}").into() };
    }
    arguments(key)
}

fn arguments(key: &str) -> Cow<'_, str> {
    if !key.contains(['=', '@', '"', ' ']) && !key.contains("eyJ") {
        return Cow::Borrowed(key);
    }
    let mut places = Places::default();
    json::find_members(key, &mut places);
    value::find_tokens(key, &mut places);
    text::find_user_info(key, &mut places);
    let key = without_user_info(&places.apply(key));
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let mut parts: Vec<Cow<'_, str>> = Vec::new();
    let mut last_name = "";
    let mut is_hidden = false;
    for part in key.split(':') {
        // A text may be quoted.
        let named = part.trim_start_matches('"').split_once('=').filter(|(name, _)| is_name(name));
        // A secret may contain colons and end with Base64 padding: only the next argument ends it. Named arguments come
        // last, sorted.
        let is_next = |(name, value): (&str, &str)| name > last_name && !value.trim_matches('=').is_empty();
        if is_hidden && !named.is_some_and(is_next) {
            continue;
        }
        last_name = named.map_or(last_name, |(name, _)| name);
        let shown = match named {
            Some((name, given)) if is_secret_parameter(name, given, 0, text::field) => format!("{name}={MASK}").into(),
            _ => parameters(part, text::field),
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
    for rest in pieces {
        let scheme = out.rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        let end = user_info(scheme, rest);
        out.push_str("://");
        match end {
            Some(end) => out.extend([MASK, &rest[end..]]),
            None => out.push_str(rest),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn arguments_are_masked_by_their_names() {
        for (given, shown) in [
            ("result_cache:p:82fce6a05e45281a:18878:page=2", "result_cache:p:82fce6a05e45281a:18878:page=2"),
            ("result_cache:tok:1:access_token=S3:CRET:page=2", "result_cache:tok:1:access_token=***:page=2"),
            ("result_cache:p:https://h/x?token=S3CRET&a=b", "result_cache:p:https://h/x?token=***&a=b"),
            (
                "result_cache:p:82fce6a05e45281a:THE iDOLM@STER:page=2",
                "result_cache:p:82fce6a05e45281a:THE iDOLM@STER:page=2",
            ),
            ("result_cache:p:82fce6a05e45281a:iDOLM@STER", "result_cache:p:82fce6a05e45281a:iDOLM@STER"),
            ("result_cache:f:1:https://user:S3:CRET@host/x", "result_cache:f:1:https://***@host/x"),
            ("https://token@host/x:url=ftp://u:p@host:page=2", "https://***@host/x:url=ftp://***@host:page=2"),
            ("//u:S3CRET@h/x", "//***@h/x"),
            ("https:/u:S3CRET@h/x", "https:/***@h/x"),
            ("f:https://h:80/x?token=123456:ABC-DEF", "f:https://h:80/x?token=***"),
            ("f:x?token=1:23&a=b:page=2", "f:x?token=***:page=2"),
            ("f:q=/x?token=1:23:a=b:url=c", "f:q=/x?token=***:url=c"),
            ("f:token=user:cGFzcw==", "f:token=***"),
            ("f:token=user:zGFzcw==:url=x", "f:token=***:url=x"),
            ("f:x?token=user:cGFzcw=", "f:x?token=***"),
            ("a=b=c:api_key=", "a=b=c:api_key="),
            ("result_cache:f:1:session=S3CRET:q=a", "result_cache:f:1:session=***"),
            (r#"f:"token=S3CRET":"a=b":1"#, "f:token=***"),
            (r#"f:"a=b":"x?token=S3CRET""#, r#"f:"a=b":"x?token=***"#),
            (r#"f:"https://u:S3CRET@h/x":9"#, r#"f:"https://***@h/x":9"#),
            (r#"f:token="S3CRET""#, "f:token=***"),
            (
                r#"f:say "hi:{"Authorization": "Bearer \"S3:CR=ET", "id": "5"}:page=2"#,
                r#"f:say "hi:{"Authorization": "***", "id": "5"}:page=2"#,
            ),
            (r#"f:headers={"a": "\\", "cookie":"S3CRET"}"#, r#"f:headers={"a": "\\", "cookie":"***"}"#),
            ("hishel_cache:key_index:687474703a2f2f612f31", "hishel_cache:key_index:687474703a2f2f612f31"),
            ("hishel_cache:key_index:687474703a2f2f613f6b65793d31", "hishel_cache:key_index:***"),
        ] {
            assert_eq!(key(given), shown, "{given}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>(), tail in "[a-z?&=#;@:/é\"{}]{0,40}") {
            key(&text);
            key(&tail);
        }
    }
}
