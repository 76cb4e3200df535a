//! Text made to fit.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The text, cut to a width in columns; `…` tells that it was cut.
pub(super) fn fit(text: &str, width: usize) -> Cow<'_, str> {
    // A text has at most as many columns as bytes: most are known to fit without being measured.
    if text.len() <= width || text.width() <= width {
        return Cow::Borrowed(text);
    }
    let mut cut = String::new();
    let mut room = width.saturating_sub(1);
    for character in text.chars() {
        let columns = character.width().unwrap_or(0);
        if columns > room {
            break;
        }
        room -= columns;
        cut.push(character);
    }
    if width > 0 {
        cut.push('…');
    }
    Cow::Owned(cut)
}

/// The text from a column on.
pub(super) fn skip(text: &str, columns: usize) -> &str {
    let mut passed = 0;
    for (at, character) in text.char_indices() {
        if passed >= columns {
            return &text[at..];
        }
        passed += character.width().unwrap_or(0);
    }
    ""
}

/// The text in a field of this width, at its right end.
pub(super) fn right(text: &str, width: usize) -> String {
    let text = fit(text, width);
    format!("{}{text}", " ".repeat(width - text.width()))
}

/// The text in a field of this width, at its left end.
pub(super) fn left(text: &str, width: usize) -> String {
    let text = fit(text, width);
    let pad = width - text.width();
    format!("{text}{}", " ".repeat(pad))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_by_column() {
        assert_eq!(fit("abc", 3), "abc");
        assert_eq!(fit("abcd", 3), "ab…");
        assert_eq!(fit("ワンピース", 6), "ワン…");
        assert_eq!(left("ワン", 6), "ワン  ");
        assert_eq!(right("7", 3), "  7");
        assert_eq!((fit("abc", 0), left("abc", 0)), ("".into(), String::new()));
        assert_eq!((skip("abcdef", 2), skip("ab", 5)), ("cdef", ""));
    }
}
