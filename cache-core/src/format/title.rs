//! A title guessed from the beginning of a JSON body, for display in lists.

/// Returns the first text under a `title` or `name`, even if the JSON is truncated.
pub(crate) fn title(text: &str) -> Option<String> {
    ["\"title\"", "\"canonicalTitle\"", "\"name\""].into_iter().find_map(|field| {
        let (_, rest) = text.split_once(field)?;
        let rest = rest.trim_start().strip_prefix(':')?.trim_start();
        // An object of titles (`{"romaji": "…"}`) counts by its first member.
        let value = rest
            .strip_prefix('{')
            .map_or(Some(rest), |members| members.split_once(':').map(|(_, value)| value.trim_start()))?;
        let end = closing_quote(value.strip_prefix('"')?)?;
        serde_json::from_str(&value[..end + 2]).ok()
    })
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|b| {
        let closes = b == b'"' && !escaped;
        escaped = b == b'\\' && !escaped;
        closes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn title_is_found_in_truncated_json() {
        assert_eq!(
            title(r#"{"data":{"Media":{"id":1,"title":{"romaji":"Cowboy \"Bebop\"","eng"#).as_deref(),
            Some("Cowboy \"Bebop\"")
        );
        assert_eq!(title(r#"{"title": "One Piece"}"#).as_deref(), Some("One Piece"));
        assert_eq!(title(r#"{"title": null, "name": "x"}"#).as_deref(), Some("x"));
        assert_eq!(title(r#"{"title": "cut o"#), None);
        assert_eq!(title(""), None);
    }
}
