//! The width of text on a terminal, and cutting text to a width.
//!
//! Measured by grapheme cluster, as the screen is filled: the width of `1️⃣` is not the sum of the widths of its
//! characters.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

/// The width of a text in columns.
pub fn width(text: &str) -> usize {
    if text.is_ascii() { text.width() } else { clusters(text).map(|(_, columns)| columns).sum() }
}

/// Grapheme clusters with their widths.
pub fn clusters(text: &str) -> impl Iterator<Item = (&str, usize)> {
    text.graphemes(true).map(|cluster| (cluster, cluster.width()))
}

/// The text in at most so many columns; `…` replaces the cut end.
pub fn clip(text: &str, columns: usize) -> Cow<'_, str> {
    // A text has at most as many columns as bytes: most texts need no measuring.
    if text.len() <= columns || width(text) <= columns {
        return Cow::Borrowed(text);
    }
    if columns == 0 {
        return Cow::Borrowed("");
    }
    Cow::Owned(format!("{}…", start(text, columns - 1)))
}

/// The text in at most so many columns; `…` replaces the cut middle. More is left of the end than of the start: names
/// with the same start differ at their ends.
pub fn squeeze(text: &str, columns: usize) -> Cow<'_, str> {
    if text.len() <= columns || width(text) <= columns {
        return Cow::Borrowed(text);
    }
    if columns == 0 {
        return Cow::Borrowed("");
    }
    let head = start(text, (columns - 1) / 3);
    let tail = skip(text, width(text) - (columns - 1 - width(head)));
    Cow::Owned(format!("{head}…{tail}"))
}

/// The text from a column on.
pub fn skip(text: &str, columns: usize) -> &str {
    let mut passed = 0;
    let skipped = clusters(text).take_while(|(_, width)| {
        let is_before = passed < columns;
        passed += width;
        is_before
    });
    &text[skipped.map(|(cluster, _)| cluster.len()).sum()..]
}

/// Splits a text at blanks into lines of at most so many columns; longer words are split anywhere.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(8);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_inclusive(' ') {
        let width = width(word.trim_end());
        if used > 0 && used + width > columns && width <= columns {
            lines.push(String::new());
            used = 0;
        }
        for (cluster, width) in clusters(word) {
            if used + width > columns {
                if cluster == " " {
                    continue;
                }
                lines.push(String::new());
                used = 0;
            }
            if let Some(line) = lines.last_mut() {
                line.push_str(cluster);
            }
            used += width;
        }
    }
    lines
}

/// The longest start that fits.
fn start(text: &str, columns: usize) -> &str {
    let mut used = 0;
    let fitting = clusters(text).take_while(|(_, width)| {
        used += width;
        used <= columns
    });
    &text[..fitting.map(|(cluster, _)| cluster.len()).sum()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::select;

    #[test]
    fn a_text_is_cut_by_columns() {
        assert_eq!([clip("plain", 5), clip("plain", 4), clip("plain", 0)], ["plain", "pla…", ""]);
        assert_eq!([clip("ワンピース", 10), clip("ワンピース", 6)], ["ワンピース", "ワン…"]);
        assert_eq!([clip("❤️❤️❤️", 6), clip("❤️❤️❤️", 5), clip("1️⃣2️⃣3️⃣", 4)], ["❤️❤️❤️", "❤️❤️…", "1️⃣…"]);
        assert_eq!([skip("abcdef", 2), skip("ab", 5), skip("❤️❤️a", 4)], ["cdef", "", "a"]);
    }

    #[test]
    fn names_that_begin_alike_keep_their_ends() {
        let of = |number: u32| format!("/httpapi?request=anime&client=enrich&clientver=1&protover=1&aid={number}");
        assert_eq!(squeeze(&of(23), 28), "/httpapi?…&protover=1&aid=23");
        assert_eq!([squeeze("/v4/anime/1/full", 16), squeeze("ワンピース", 6)], ["/v4/anime/1/full", "…ース"]);
        assert_eq!([squeeze("abc", 2), squeeze("abc", 1), squeeze("abc", 0)], ["…c", "…", ""]);
    }

    #[test]
    fn long_texts_are_wrapped_at_blanks_and_lose_nothing() {
        assert_eq!(wrap("status 503 from the server", 10), ["status 503", "from the ", "server"]);
        assert_eq!(wrap("abcdefghijklmno p", 10), ["abcdefghij", "klmno p"]);
        assert_eq!(wrap("ワンピース ワン", 8), ["ワンピー", "ス ワン"]);
        assert_eq!(wrap("", 10), [""]);
    }

    proptest! {
        #[test]
        fn what_is_cut_fits_whatever_shows_as_one(
            parts in proptest::collection::vec(
                select(vec!["a", "ワ", "❤️", "1️⃣", "👨‍👩‍👧", "🇯🇵", "👍🏽", "e\u{301}", "لا", "\u{fe0f}", "\u{200d}", "\u{1f1ef}"]), 0..8),
            columns in 0..20_usize,
        ) {
            let text = parts.concat();
            let clipped = clip(&text, columns);
            prop_assert!(width(&clipped) <= columns);
            prop_assert_eq!(clipped == text, width(&text) <= columns);
            prop_assert!(text.ends_with(skip(&text, columns)));
            let squeezed = squeeze(&text, columns);
            prop_assert!(width(&squeezed) <= columns);
            prop_assert_eq!(squeezed == text, width(&text) <= columns);
        }
    }
}
