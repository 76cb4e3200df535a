//! Conversion of field values between bytes (HTTP) and text (the stored form).
//!
//! Valid UTF-8 is stored unchanged, as in hishel. Any other byte is stored as the private-use character `U+EF00` plus
//! the byte (`U+EF80` to `U+EFFF`). Where one of those characters was sent itself, its three bytes are stored that way,
//! so that the conversion is reversible.

use std::borrow::Cow;

/// The first byte of the UTF-8 of these private-use characters: without it there is nothing to replace.
const LEAD: u8 = 0xee;

/// The text that a value is stored as.
pub(crate) fn to_text(value: &[u8]) -> String {
    if !value.contains(&LEAD)
        && let Ok(text) = std::str::from_utf8(value)
    {
        return text.to_owned();
    }
    let mut text = String::with_capacity(value.len());
    for chunk in value.utf8_chunks() {
        for character in chunk.valid().chars() {
            if from_stand_in(character).is_some() {
                let mut bytes = [0; 4];
                text.extend(character.encode_utf8(&mut bytes).bytes().map(escaped));
            } else {
                text.push(character);
            }
        }
        text.extend(chunk.invalid().iter().copied().map(escaped));
    }
    text
}

/// The value of a stored text.
pub(crate) fn to_bytes(text: &str) -> Cow<'_, [u8]> {
    if !text.as_bytes().contains(&LEAD) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut value = Vec::with_capacity(text.len());
    for character in text.chars() {
        match from_stand_in(character) {
            Some(byte) => value.push(byte),
            None => value.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Cow::Owned(value)
}

fn escaped(byte: u8) -> char {
    char::from_u32(0xef00 + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn from_stand_in(character: char) -> Option<u8> {
    matches!(character, '\u{ef80}'..='\u{efff}').then_some(character as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn utf_8_is_its_own_text_and_other_bytes_stand_for_themselves() {
        assert_eq!(to_text("café".as_bytes()), "café");
        assert_eq!(to_text(b"caf\xe9"), "caf\u{efe9}");
        assert_eq!(to_text("\u{efe9}".as_bytes()), "\u{efee}\u{efbf}\u{efa9}");
        assert_eq!(&*to_bytes("caf\u{efe9}"), b"caf\xe9");
    }

    proptest! {
        #[test]
        fn every_value_comes_back_to_the_byte(value in proptest::collection::vec(any::<u8>(), 0..40)) {
            let text = to_text(&value);
            prop_assert_eq!(&*to_bytes(&text), &value[..]);
        }

        #[test]
        fn stand_ins_that_were_sent_come_back_as_they_were(value in "[a\u{ee00}-\u{efff}\u{e000}é]{0,12}") {
            let text = to_text(value.as_bytes());
            prop_assert_eq!(&*to_bytes(&text), value.as_bytes());
        }

        #[test]
        fn text_without_stand_ins_is_kept(value in "[^\u{ef80}-\u{efff}]{0,40}") {
            prop_assert_eq!(to_text(value.as_bytes()), value);
        }
    }
}
