//! The sanitizer: text from a cache or a network passes it before it is printed on a terminal.
//!
//! Cached text may contain escape sequences that move the cursor, change colors, set the clipboard (OSC 52) or fake a
//! link (OSC 8), and bidirectional controls that reorder it.

use std::borrow::Cow;

use cache_core::redact::Secrets;

/// The text with every control and formatting character made visible, including line breaks and tabs. Characters that
/// make terminals disagree on the width of an emoji are dropped: a line that is wider than measured garbles the screen.
pub fn line(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| displayed(c) == Some(c)) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter_map(displayed).collect())
}

/// The bytes as [`line()`]; those that are not UTF-8 are shown as `\xNN`.
pub fn bytes(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => line(text),
        Err(_) => {
            let mut out = String::with_capacity(bytes.len());
            for chunk in bytes.utf8_chunks() {
                out.push_str(&line(chunk.valid()));
                for byte in chunk.invalid() {
                    out.extend(["\\x", &format!("{byte:02x}")]);
                }
            }
            Cow::Owned(out)
        }
    }
}

/// A Redis key, or a part of one, as [`line()`] without credentials.
pub fn key(key: &[u8], secrets: Secrets) -> String {
    line(&secrets.key_bytes(key)).into_owned()
}

/// The text with its line breaks and tabs kept (tabs as spaces), everything else as [`line()`].
pub fn lines(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    text.split('\n').map(|text| {
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.contains('\t') { Cow::Owned(line(&text.replace('\t', "    ")).into_owned()) } else { line(text) }
    })
}

/// Whether a character is shown as itself and does not affect its neighbors.
pub fn is_harmless(c: char) -> bool {
    !c.is_control() && !is_format(c)
}

/// Invisible characters that change how others are shown: bidirectional controls, joiners that hide text, tags, line
/// and paragraph separators, the byte order mark.
fn is_format(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// How a character is shown; `None`: not at all.
fn displayed(c: char) -> Option<char> {
    Some(match c {
        // The control pictures: U+2400 and on for C0, U+2421 for DEL.
        '\0'..='\u{1f}' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        // Variation selectors, the keycap, and skin tones.
        '\u{fe00}'..='\u{fe0f}' | '\u{20e3}' | '\u{1f3fb}'..='\u{1f3ff}' => return None,
        // A regional indicator without its pair is a letter.
        '\u{1f1e6}'..='\u{1f1ff}' => char::from(b'A' + (c as u32 - 0x1f1e6) as u8),
        c if is_harmless(c) => c,
        _ => '\u{fffd}',
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::columns;
    use proptest::prelude::*;
    use proptest::sample::select;

    #[test]
    fn escape_sequences_become_visible() {
        assert_eq!(line("plain ワンピース"), "plain ワンピース");
        assert_eq!(line("\x1b]52;c;aGk=\x07"), "␛]52;c;aGk=␇");
        assert_eq!(line("a\u{202e}b\u{9b}31m"), "a\u{fffd}b\u{fffd}31m");
        assert_eq!(bytes(b"k\xff\n"), "k\\xff␊");
        assert_eq!(line("❤️ 1️⃣ 🇯🇵 👍🏽"), "❤ 1 JP 👍");
        assert_eq!(lines("a\tb\r\nc\x1b").collect::<Vec<_>>(), ["a    b", "c␛"]);
    }

    /// What each class of characters becomes, at both ends of each range.
    #[test]
    fn every_character_that_affects_a_terminal_is_replaced() {
        let replaced = [
            '\u{80}',
            '\u{90}',
            '\u{9b}',
            '\u{9c}',
            '\u{9d}',
            '\u{9f}',
            '\u{ad}',
            '\u{61c}',
            '\u{180e}',
            '\u{200b}',
            '\u{200c}',
            '\u{200d}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202b}',
            '\u{202c}',
            '\u{202d}',
            '\u{202e}',
            '\u{2060}',
            '\u{2061}',
            '\u{2064}',
            '\u{2065}',
            '\u{2066}',
            '\u{2067}',
            '\u{2068}',
            '\u{2069}',
            '\u{206a}',
            '\u{206f}',
            '\u{feff}',
            '\u{fff9}',
            '\u{fffa}',
            '\u{fffb}',
            '\u{e0000}',
            '\u{e0001}',
            '\u{e0020}',
            '\u{e007f}',
        ];
        for c in replaced {
            assert_eq!(line(&format!("a{c}b")), "a\u{fffd}b", "{:x}", u32::from(c));
            assert!(!is_harmless(c), "{:x}", u32::from(c));
        }
        let pictures = [
            ('\0', "␀"),
            ('\x07', "␇"),
            ('\t', "␉"),
            ('\n', "␊"),
            ('\r', "␍"),
            ('\x1b', "␛"),
            ('\x1f', "␟"),
            ('\x7f', "␡"),
        ];
        for (c, shown) in pictures {
            assert_eq!(line(&c.to_string()), shown);
            assert!(!is_harmless(c));
        }
        for c in ['\u{fe00}', '\u{fe0e}', '\u{fe0f}', '\u{20e3}', '\u{1f3fb}', '\u{1f3ff}'] {
            assert_eq!(line(&c.to_string()), "", "{:x}", u32::from(c));
        }
        for c in ['a', '~', '\u{a0}', '\u{200a}', '\u{2010}', '\u{2027}', '\u{202f}', '\u{2070}', 'ワ', '\u{e0080}'] {
            assert_eq!(line(&c.to_string()), c.to_string(), "{:x}", u32::from(c));
        }
    }

    proptest! {
        #[test]
        fn nothing_that_moves_a_terminal_gets_through(text in any::<String>(), raw in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(line(&text).chars().all(is_harmless));
            prop_assert!(bytes(&raw).chars().all(is_harmless));
            prop_assert!(lines(&text).all(|line| line.chars().all(is_harmless)));
        }

        #[test]
        fn every_terminal_agrees_on_the_width_of_an_emoji(
            parts in proptest::collection::vec(
                select(vec!["a", "ワ", "❤️", "1️⃣", "👨‍👩‍👧", "🇯🇵", "👍🏽", "☁\u{fe0e}", "\u{fe0f}", "\u{200d}", "\u{1f1ef}"]), 0..8),
        ) {
            let shown = line(&parts.concat()).into_owned();
            prop_assert_eq!(columns::width(&shown), shown.chars().map(|c| columns::width(c.encode_utf8(&mut [0; 4]))).sum::<usize>());
        }
    }
}
