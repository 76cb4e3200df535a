//! Text in a field of a fixed width.

use crate::output::columns::{clip, width as columns};

/// The text, right-aligned in a field of this width.
pub(crate) fn right(text: &str, width: usize) -> String {
    let text = clip(text, width);
    format!("{}{text}", " ".repeat(width.saturating_sub(columns(&text))))
}

/// The text, left-aligned in a field of this width.
pub(crate) fn left(text: &str, width: usize) -> String {
    let text = clip(text, width);
    let pad = width.saturating_sub(columns(&text));
    format!("{text}{}", " ".repeat(pad))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_as_wide_as_it_should_be() {
        assert_eq!([left("ワン", 6), left("1️⃣", 3), left("abcd", 3)], ["ワン  ", "1️⃣ ", "ab…"]);
        assert_eq!([right("7", 3), right("❤️❤️", 3), right("abc", 0)], ["  7", "❤️…", ""]);
    }
}
