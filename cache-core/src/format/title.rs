//! TODO

/// What a JSON answer is about: the first text under a `title` or `name`, found even where the JSON is cut off.
pub fn title(start_of_json: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(start_of_json);
    ["\"title\"", "\"canonicalTitle\"", "\"name\""].into_iter().find_map(|field| {
        let (_, rest) = text.split_once(field)?;
        let rest = rest.trim_start().strip_prefix(':')?.trim_start();
        // An object such as `{"romaji": "…"}`: its first member that is a text.
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
