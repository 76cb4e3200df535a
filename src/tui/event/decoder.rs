//! Turns the bytes of a terminal into keys, mouse events and pastes. Sequences are read whole before anything is a key:
//! a late response of the terminal to another program must not press keys, nor must a paste.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use vte::{Params, Parser, Perform};

use crate::tui::message::Message;

const ESC: u8 = 0x1b;

/// After Esc without more it was the key, not the start of a sequence.
const ESC_TIMEOUT: Duration = Duration::from_millis(50);

/// After so long without more, a sequence is given up.
const SEQUENCE_TIMEOUT: Duration = Duration::from_millis(250);

/// After so long without more, a paste has ended without its end mark.
const PASTE_TIMEOUT: Duration = Duration::from_secs(2);

/// The most bytes of a paste or of another sequence.
const MAX_SEQUENCE: usize = 1 << 20;

/// Decodes input.
#[derive(Default)]
pub(crate) struct Decoder {
    parser: Parser,
    keys: Keys,
    last: u8,
    /// Bytes since the last event.
    pending: usize,
}

impl Decoder {
    /// The events of more bytes.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> Vec<Message> {
        for &byte in bytes {
            if byte == ESC && self.last == ESC && self.keys.paste.is_none() {
                self.keys.press(KeyCode::Esc, KeyModifiers::NONE);
            }
            let before = self.keys.events.len();
            self.parser.advance(&mut self.keys, &[byte]);
            self.last = byte;
            self.pending = if self.keys.events.len() > before { 0 } else { self.pending + 1 };
            if self.pending > MAX_SEQUENCE {
                self.reset();
            }
        }
        std::mem::take(&mut self.keys.events)
    }

    /// The longest wait for more bytes, after which [`Self::give_up`] has to be called; `None`: nothing is pending.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        match (self.pending, &self.keys.paste) {
            (0, _) => None,
            (_, Some(_)) => Some(PASTE_TIMEOUT),
            (_, None) if self.last == ESC => Some(ESC_TIMEOUT),
            (_, None) => Some(SEQUENCE_TIMEOUT),
        }
    }

    /// No more bytes came: the events of what is pending.
    pub(crate) fn give_up(&mut self) -> Vec<Message> {
        if self.last == ESC && self.keys.paste.is_none() {
            self.keys.press(KeyCode::Esc, KeyModifiers::NONE);
        }
        self.reset();
        std::mem::take(&mut self.keys.events)
    }

    fn reset(&mut self) {
        self.keys.end_paste();
        self.keys = Keys { events: std::mem::take(&mut self.keys.events), ..Keys::default() };
        (self.parser, self.last, self.pending) = (Parser::new(), 0, 0);
    }
}

/// Collects the events of the parser.
#[derive(Default)]
struct Keys {
    events: Vec<Message>,
    /// The text since the start of a bracketed paste.
    paste: Option<String>,
    /// The next character names a key (SS3).
    is_ss3: bool,
    /// So many characters belong to the sequence before them.
    skipped: usize,
}

impl Keys {
    fn press(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        self.events.push(Message::Key(KeyEvent::new(code, modifiers)));
    }

    fn press_character(&mut self, character: char, modifiers: KeyModifiers) {
        let shift = if character.is_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
        self.press(KeyCode::Char(character), modifiers | shift);
    }

    fn end_paste(&mut self) {
        self.events.extend(self.paste.take().map(Message::Paste));
    }

    /// A mouse report in the SGR encoding. Only clicks and the wheel matter.
    fn report_mouse(&mut self, params: &[u16], is_release: bool) {
        let &[button, column, row] = params else { return };
        let kind = match (button & 0b0100_0011, button & 0b0010_0000 != 0 || is_release) {
            (0, false) => MouseEventKind::Down(MouseButton::Left),
            (1, false) => MouseEventKind::Down(MouseButton::Middle),
            (2, false) => MouseEventKind::Down(MouseButton::Right),
            (0x40, _) => MouseEventKind::ScrollUp,
            (0x41, _) => MouseEventKind::ScrollDown,
            _ => return,
        };
        let (column, row) = (column.saturating_sub(1), row.saturating_sub(1));
        self.events.push(Message::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
    }
}

/// The key of the last character of a CSI or SS3 sequence.
fn named(character: char) -> Option<KeyCode> {
    Some(match character {
        'A' => KeyCode::Up,
        'B' => KeyCode::Down,
        'C' => KeyCode::Right,
        'D' => KeyCode::Left,
        'H' => KeyCode::Home,
        'F' => KeyCode::End,
        'M' => KeyCode::Enter,
        _ => return None,
    })
}

/// The key of a sequence that ends with `~`.
fn numbered(number: u16) -> Option<KeyCode> {
    Some(match number {
        1 | 7 => KeyCode::Home,
        2 => KeyCode::Insert,
        3 => KeyCode::Delete,
        4 | 8 => KeyCode::End,
        5 => KeyCode::PageUp,
        6 => KeyCode::PageDown,
        _ => return None,
    })
}

/// The modifiers as xterm numbers them.
fn modifiers(params: &[u16]) -> KeyModifiers {
    let mask = params.get(1).map_or(0, |number| number.saturating_sub(1));
    let each = [(1, KeyModifiers::SHIFT), (2, KeyModifiers::ALT), (4, KeyModifiers::CONTROL)];
    each.into_iter().filter(|(bit, _)| mask & bit != 0).map(|(_, modifier)| modifier).collect()
}

/// Whether a color is light: `rgb:ffff/ffff/ffff`, with one to four digits each.
fn is_light(color: &[u8]) -> Option<bool> {
    let text = std::str::from_utf8(color).ok()?.strip_prefix("rgb:")?;
    let share = |digits: &str| {
        let most = 16_u32.checked_pow(digits.len().try_into().ok()?)? - 1;
        Some(f64::from(u32::from_str_radix(digits, 16).ok()?) / f64::from(most))
    };
    let shares: Vec<f64> = text.split('/').map(share).collect::<Option<_>>()?;
    let [red, green, blue] = shares[..] else { return None };
    Some(0.299 * red + 0.587 * green + 0.114 * blue > 0.5)
}

impl Perform for Keys {
    fn print(&mut self, character: char) {
        if let Some(paste) = &mut self.paste {
            paste.push(character);
        } else if self.skipped > 0 {
            self.skipped -= 1;
        } else if std::mem::take(&mut self.is_ss3) {
            if let Some(key) = named(character) {
                self.press(key, KeyModifiers::NONE);
            }
        } else {
            match character {
                '\u{7f}' => self.press(KeyCode::Backspace, KeyModifiers::NONE),
                // Invalid UTF-8.
                char::REPLACEMENT_CHARACTER => {}
                _ => self.press_character(character, KeyModifiers::NONE),
            }
        }
    }

    fn execute(&mut self, byte: u8) {
        if let Some(paste) = &mut self.paste {
            if byte != 0x03 {
                paste.push(char::from(byte));
                return;
            }
            // Terminals send no Ctrl-C within a paste: its end mark is missing.
            self.end_paste();
        }
        match byte {
            b'\r' => self.press(KeyCode::Enter, KeyModifiers::NONE),
            b'\t' => self.press(KeyCode::Tab, KeyModifiers::NONE),
            0 => self.press(KeyCode::Char(' '), KeyModifiers::CONTROL),
            1..=26 => self.press(KeyCode::Char(char::from(byte - 1 + b'a')), KeyModifiers::CONTROL),
            0x1c..=0x1f => self.press(KeyCode::Char(char::from(byte - 0x1c + b'4')), KeyModifiers::CONTROL),
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], _: bool, action: char) {
        let params: Vec<u16> = params.iter().map(|param| param[0]).collect();
        match (intermediates, action, params[..].first()) {
            ([], '~', Some(201)) => self.end_paste(),
            _ if self.paste.is_some() => {}
            ([], '~', Some(200)) => self.paste = Some(String::new()),
            ([], '~', Some(number)) => {
                if let Some(key) = numbered(*number) {
                    self.press(key, modifiers(&params));
                }
            }
            ([b'<'], 'M' | 'm', _) => self.report_mouse(&params, action == 'm'),
            // A mouse report in the oldest encoding, and a function key of the Linux console.
            ([], 'M', _) if params.len() < 3 => self.skipped = 3,
            ([], '[', _) => self.skipped = 1,
            ([], 'Z', _) => self.press(KeyCode::BackTab, KeyModifiers::SHIFT),
            ([], 'A'..='H', _) => {
                if let Some(key) = named(action) {
                    self.press(key, modifiers(&params));
                }
            }
            _ => {}
        }
    }

    fn osc_dispatch(&mut self, params: &[&[u8]], _: bool) {
        if let [b"11", color] = params
            && let Some(is_light) = is_light(color)
        {
            self.events.push(Message::Background { is_light });
        }
    }

    fn esc_dispatch(&mut self, intermediates: &[u8], _: bool, byte: u8) {
        match byte {
            _ if self.paste.is_some() || !intermediates.is_empty() => {}
            // The end of a string.
            b'\\' => {}
            b'O' => self.is_ss3 = true,
            _ => self.press_character(char::from(byte), KeyModifiers::ALT),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// The events as text: characters, names of keys, `[text]` for a paste.
    fn decode(chunks: &[&[u8]]) -> String {
        let mut decoder = Decoder::default();
        let events: Vec<_> = chunks.iter().flat_map(|chunk| decoder.advance(chunk)).collect();
        text(&events)
    }

    fn text(events: &[Message]) -> String {
        let name = |event: &Message| match event {
            Message::Key(KeyEvent { code: KeyCode::Char(character), modifiers, .. }) => {
                let modifiers = *modifiers - KeyModifiers::SHIFT;
                if modifiers.is_empty() { character.to_string() } else { format!("<{modifiers}-{character}>") }
            }
            Message::Key(KeyEvent { code, modifiers, .. }) if modifiers.is_empty() => format!("<{code}>"),
            Message::Key(KeyEvent { code, modifiers, .. }) => format!("<{modifiers}-{code}>"),
            Message::Paste(text) => format!("[{text}]"),
            Message::Mouse(MouseEvent { kind, column, row, .. }) => format!("<{kind:?} {column},{row}>"),
            Message::Background { .. } => String::new(),
            other => panic!("{other:?}"),
        };
        events.iter().map(name).collect()
    }

    #[rstest]
    #[case::osc_until_bell(b"a\x1b]11;rgb:ffff/ffff/ffff\x07b")]
    #[case::osc_until_st(b"a\x1b]11;rgb:ffff/ffff/ffff\x1b\\b")]
    #[case::dcs(b"a\x1bP>|xterm(390)\x1b\\b")]
    #[case::apc(b"a\x1b_Gi=31;OK dy\x1b\\b")]
    #[case::pm(b"a\x1b^dy\x1b\\b")]
    #[case::sos(b"a\x1bXdy\x1b\\b")]
    #[case::device_attributes(b"a\x1b[?62;22cb")]
    #[case::cursor_position(b"a\x1b[12;40Rb")]
    #[case::focus(b"a\x1b[I\x1b[Ob")]
    #[case::mouse_in_the_oldest_encoding(b"a\x1b[M dyb")]
    #[case::function_key_of_the_linux_console(b"a\x1b[[Ab")]
    #[case::bytes_that_are_not_utf_8(b"a\xff\xc3b")]
    fn sequences_press_no_key(#[case] bytes: &[u8]) {
        assert_eq!(decode(&[bytes]), "ab");
        let bytewise: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(decode(&bytewise), "ab");
    }

    #[rstest]
    #[case(b"aZ\xc3\xa9\xe3\x83\xaf\r\t\x7f", "aZéワ<Enter><Tab><Backspace>")]
    #[case(b"\x03\x0c\x1a", "<Control-c><Control-l><Control-z>")]
    #[case(b"\x1b[A\x1b[B\x1bOC\x1b[1;2B\x1b[Z", "<Up><Down><Right><Shift-Down><Shift-Back Tab>")]
    #[case(b"\x1b[H\x1b[4~\x1b[5~\x1b[6~\x1b[3~", "<Home><End><Page Up><Page Down><Del>")]
    #[case(b"\x1bx\x1b\x1b[A", "<Alt-x><Esc><Up>")]
    #[case(b"\x1b[<0;5;3M\x1b[<0;5;3m\x1b[<64;1;1M\x1b[<32;2;2M", "<Down(Left) 4,2><ScrollUp 0,0>")]
    #[case(b"\x1b[200~two\rlines \x1b[A\x1b[201~x", "[two\rlines ]x")]
    fn keys_are_told_apart(#[case] bytes: &[u8], #[case] expected: &str) {
        assert_eq!(decode(&[bytes]), expected);
    }

    #[rstest]
    #[case(b"\x1b]11;rgb:ffff/ffff/ffff\x1b\\", Some(true))]
    #[case(b"\x1b]11;rgb:fd/f6/e3\x07", Some(true))]
    #[case(b"\x1b]11;rgb:1e1e/1e1e/1e1e\x07", Some(false))]
    #[case(b"\x1b]11;rgb:x/1e/1e\x07", None)]
    #[case(b"\x1b]11;rgb:///\x07", None)]
    #[case(b"\x1b]10;rgb:00/00/00\x07", None)]
    fn the_background_is_read(#[case] bytes: &[u8], #[case] expected: Option<bool>) {
        let events = Decoder::default().advance(bytes);
        let read = events
            .iter()
            .find_map(|event| if let Message::Background { is_light } = event { Some(*is_light) } else { None });
        assert_eq!(read, expected);
    }

    #[test]
    fn esc_alone_is_a_key_after_a_moment() {
        let mut decoder = Decoder::default();
        assert_eq!(text(&decoder.advance(b"\x1b")), "");
        assert_eq!(decoder.timeout(), Some(ESC_TIMEOUT));
        assert_eq!(text(&decoder.give_up()), "<Esc>");
        assert_eq!(decoder.timeout(), None);
    }

    #[test]
    fn an_unfinished_paste_ends_by_time_length_or_ctrl_c() {
        let mut decoder = Decoder::default();
        assert_eq!(text(&decoder.advance(b"\x1b[200~dy")), "");
        assert_eq!(decoder.timeout(), Some(PASTE_TIMEOUT));
        assert_eq!(text(&decoder.give_up()), "[dy]");
        assert_eq!(text(&decoder.advance(b"q")), "q");
        assert_eq!(text(&decoder.advance(b"\x1b[200~dy\x03")), "[dy]<Control-c>");
        let events = decoder.advance(&[b"\x1b[200~", &vec![b'x'; MAX_SEQUENCE + 100][..]].concat());
        assert!(matches!(&events[..], [Message::Paste(text), ..] if text.len() <= MAX_SEQUENCE), "{}", events.len());
    }

    #[test]
    fn an_unfinished_string_swallows_no_later_keys() {
        let mut decoder = Decoder::default();
        assert_eq!(text(&decoder.advance(b"\x1b]11;rgb:ff")), "");
        assert_eq!(decoder.timeout(), Some(SEQUENCE_TIMEOUT));
        assert_eq!(text(&decoder.give_up()), "");
        assert_eq!(text(&decoder.advance(b"q")), "q");
    }
}
