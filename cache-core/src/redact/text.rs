//! Text of any kind: forms, cookies, JSON, HTML, header fields, messages.

use std::borrow::Cow;
use std::ops::Range;

use crate::redact::mask::{MASK, Places};
use crate::redact::url::{is_secret_parameter, user_info};
use crate::redact::{html, json, names, value};

/// The longest name of an assignment.
const MAX_NAME: usize = 128;

/// The longest value that is judged by its look: longer ones by their name only.
const MAX_JUDGED: usize = 256;

/// The longest user information that is looked for.
const MAX_USER_INFO: usize = 1_024;

/// The text with its credentials masked. A text that is nothing but one random word is one.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    let word = text.trim().trim_matches('"');
    if word.len() < MAX_JUDGED && value::is_random(word) { text.replace(word, MASK).into() } else { field(text) }
}

/// The text with its credentials masked.
pub(crate) fn field(text: &str) -> Cow<'_, str> {
    if !text.contains(['=', '@', ':', ' ', '<', '\\']) && !text.contains("eyJ") {
        return text.into();
    }
    let mut places = Places::default();
    json::find_members(text, &mut places);
    json::find_fields(text, &mut places);
    html::find(text, &mut places);
    find_assignments(text, &mut places);
    find_user_info(text, &mut places);
    value::find_tokens(text, &mut places);
    json::find_escaped(text, field, &mut places);
    places.apply(text)
}

/// Adds the values of `name=value`: parameters, form fields, cookies, settings, attributes.
fn find_assignments(text: &str, places: &mut Places) {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(sign) = text[from..].find('=').map(|at| at + from) {
        from = sign + 1;
        let blanks = bytes[..sign].iter().rev().take(2).take_while(|byte| **byte == b' ').count();
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.%+[]$".contains(byte);
        let name = bytes[..sign - blanks].iter().rev().take(MAX_NAME).take_while(|byte| is_part(byte)).count();
        let start = sign - blanks - name;
        let name = &text[start..sign - blanks];
        if name.is_empty() {
            continue;
        }
        let before = start.checked_sub(1).map(|at| bytes[at]);
        let place = value_at(text, sign, before == Some(b';'));
        let name = names::decoded(name);
        let is_parameter = matches!(before, None | Some(b'?' | b'&' | b';' | b'#'));
        let is_secret = match (blanks, is_parameter) {
            (0, true) if place.len() <= MAX_JUDGED => is_secret_parameter(&name, &text[place.clone()], 0, field),
            (0, _) => names::is_secret(&name),
            _ => names::is_certain(&name),
        };
        if is_secret {
            places.add(place.clone());
            from = place.end.max(from);
        }
    }
}

/// The value behind an equals sign. A parameter of a path ends where the query begins.
fn value_at(text: &str, sign: usize, is_after_semicolon: bool) -> Range<usize> {
    let bytes = text.as_bytes();
    let start = sign + 1 + bytes[sign + 1..].iter().take(2).take_while(|byte| **byte == b' ').count();
    let backslashes = bytes[start..].iter().take_while(|byte| **byte == b'\\').count();
    let quote = start + backslashes;
    if matches!(bytes.get(quote), Some(b'"' | b'\'')) {
        let mark = &text[start..=quote];
        let end = text[quote + 1..].find(mark).map_or(text.len(), |at| at + quote + 1);
        return quote + 1..end;
    }
    let is_end = |byte: &u8| byte.is_ascii_whitespace() || b"&;#\"'<>\\".contains(byte);
    let end = bytes[start..].iter().position(is_end).map_or(bytes.len(), |at| at + start);
    let query = text[start..end].find('?').filter(|_| is_after_semicolon);
    start..query.map_or(end, |at| at + start)
}

/// Adds the user information of URLs, with and without a scheme.
pub(crate) fn find_user_info(text: &str, places: &mut Places) {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(slash) = text[from..].find('/').map(|at| at + from) {
        let start = value::run(text, slash, |byte| byte == b'/');
        from = start;
        let has_colon = slash > 0 && bytes[slash - 1] == b':';
        let is_word = slash > 0 && bytes[slash - 1].is_ascii_alphanumeric();
        if start - slash < 2 && !has_colon || is_word {
            continue;
        }
        let is_end = |byte: &u8| byte.is_ascii_whitespace() || b"\"'<>\\".contains(byte);
        let length = bytes[start..].iter().take(MAX_USER_INFO).position(is_end);
        let mut end = length.map_or(bytes.len().min(start + MAX_USER_INFO), |length| start + length);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &text[..slash - usize::from(has_colon)];
        let scheme = before.bytes().rev().take(16).take_while(u8::is_ascii_alphanumeric).count();
        if let Some(length) = user_info(&before[before.len() - scheme..], &text[start..end]) {
            places.add(start..start + length);
            from = start + length;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn secrets_vanish_from_text_of_any_form() {
        for given in [
            r#"{"access_token":"S3CRET","n":1}"#,
            r#"{"access_token":"S3CRET"}"#,
            r#"{"a":{"b":{"Password" : "S3CRET"#,
            r#"{"token": {"a": ["S3CRET", {"b": "S3CRET"}]}, "n": 1}"#,
            r#"{"secret":["S3CRET"]}"#,
            r#"{"cookie":{"value":"S3CRET"}"#,
            r#"{"token":["S3CRET"#,
            r#"{"access\u005ftoken":"S3CRET"}"#,
            r#"{"url":"https://u:S3CRET@h?a=1"}"#,
            r#"{"url":"https:\/\/u:S3CRET@h\/x"}"#,
            r#"{"url":"https://h/?a=1\u0026key=S3CRET"}"#,
            r#"{"body":"{\"token\":\"S3CRET\",\"a\":1}"}"#,
            r#"{"body":"{\"a\":\"{\\\"token\\\":\\\"S3CRET\\\"}\"}"}"#,
            r#"{"token":"a\"S3CRET"}"#,
            r#"{"name":"Authorization","value":"S3CRET"}"#,
            r"{'token': 'S3CRET', 'a': 1}",
            r"{'token': b'S3CRET'}",
            r#"window.x = {token: "S3CRET"}"#,
            "access_token=S3CRET&x=1",
            "x=1&token=S3CRET",
            "user%5Bpassword%5D=S3CRET",
            "session=S3CRET; path=/",
            "password = S3CRET",
            "export API_KEY='S3CRET'",
            "token=\"S3CRET S3CRET\"",
            "{\"a\":1}\n{\"token\":\"S3CRET\"}\n{\"token\":\"S3CRET\"}",
            "<input name=\"csrf_token\" value=\"S3CRET\">",
            "<input value='S3CRET' type=hidden name=csrf_token />",
            "<input value=S3CRET name=csrf_token>",
            "<meta name=\"csrf-token\" content=\"S3CRET\"/>",
            "<access_token>S3CRET</access_token>",
            "<a:session><id>S3CRET</id></a:session>",
            "<password>S3CRET",
            "<string name=\"api_token\">S3CRET</string>",
            "<textarea name=\"secret\">S3CRET</textarea>",
            "<div data-token=\"S3CRET\">",
            "<x password='S3CRET'/>",
            r#"{"html":"<input name=\"csrf_token\" value=\"S3CRET\">"}"#,
            "Authorization: S3CRET",
            "> Cookie: S3CRET\r\n",
            "api-key: S3CRET\nx: 1",
            "failed: Bearer S3CRET",
            "basic S3CRET==",
            "https://u:S3CRET@h/x",
            "//u:S3CRET@h",
            "https:/u:S3CRET@h",
            "redis://:S3/CRET@h:1/0",
            "https://h/x;jsessionid=S3CRET?a=1",
            "see /x?token=S3CRET.",
            "<a href=\"/x?key=S3CRET\">",
            "/x?next=https%3A%2F%2Fh%2F%3Ftoken%3DS3CRET",
        ] {
            let shown = field(given);
            assert!(!shown.contains("S3") && !shown.contains("CRET") && shown.contains(MASK), "{given}: {shown}");
        }
    }

    #[test]
    fn the_rest_of_a_text_stays() {
        for (given, shown) in [
            (r#"{"token":12345678,"n":1}"#, r#"{"token":"***","n":1}"#),
            (r#"{"token":-1.5e3}"#, r#"{"token":"***"}"#),
            (r#"{"token":[1,2],"n":1}"#, r#"{"token":"***","n":1}"#),
            (
                r#"{"token":null,"session":true,"key":"","code":[],"auth":{ }}"#,
                r#"{"token":null,"session":true,"key":"","code":[],"auth":{ }}"#,
            ),
            (r#"{"token":"a]\"}","n":[1]}"#, r#"{"token":"***","n":[1]}"#),
            (r#"{"token":["]"],"n":[1]}"#, r#"{"token":"***","n":[1]}"#),
            (r#"{"b":"{\"token\":\"x\",\"n\":1}","c":2}"#, r#"{"b":"{\"token\":\"***\",\"n\":1}","c":2}"#),
            (r#"{"b":"{\"token\":[1],\"n\":1}","c":2}"#, r#"{"b":"{\"token\":\"***\",\"n\":1}","c":2}"#),
            (
                r#"{"id":248480010225057793,"big":1E5,"b":2,"b":3}"#,
                r#"{"id":248480010225057793,"big":1E5,"b":2,"b":3}"#,
            ),
            (
                r#"{"title":"Cowboy Bebop: The Movie","url":"https:\/\/h\/x?page=2"}"#,
                r#"{"title":"Cowboy Bebop: The Movie","url":"https:\/\/h\/x?page=2"}"#,
            ),
            ("a=1&token=x&b=2", "a=1&token=***&b=2"),
            (
                "<input name=\"q\" value=\"a\"><input name=token value=b>c",
                "<input name=\"q\" value=\"a\"><input name=token value=***>c",
            ),
            ("<a><token>x</token><b>c</b></a>", "<a><token>***</token><b>c</b></a>"),
            ("basic information, key: value, Code: Geass", "basic information, key: value, Code: Geass"),
            ("THE iDOLM@STER // x=1", "THE iDOLM@STER // x=1"),
            ("https://h/x;jsessionid=a?b=1", "https://h/x;jsessionid=***?b=1"),
            ("Re:Zero 2 = good", "Re:Zero 2 = good"),
        ] {
            assert_eq!(field(given), shown, "{given}");
        }
    }

    #[test]
    fn a_random_word_alone_is_masked() {
        assert_eq!(text("82fce6a05e45281a9b1c2d3e4f5a6b7c\n"), "***\n");
        assert_eq!(text("\"82fce6a05e45281a9b1c2d3e4f5a6b7c\""), "\"***\"");
        assert_eq!(text("Cowboy Bebop"), "Cowboy Bebop");
    }

    #[test]
    fn what_is_nested_deep_is_masked_and_takes_no_stack() {
        let deep = format!("{}{{\"token\":\"S3CRET\"}}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(!field(&deep).contains("S3CRET"));
        let unclosed = "{\"token\":[".repeat(100_000);
        assert_eq!(field(&unclosed), "{\"token\":\"***\"");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(any in any::<String>(), tail in "[a-z?&=#;@:/é\"{}<> \\\\\n'\\[]{0,60}") {
            text(&any);
            field(&tail);
            field(&format!("\"token{tail}"));
            field(&format!("<token {tail}"));
        }
    }
}
