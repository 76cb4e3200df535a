//! A few colours, where they are wanted and can be shown.

use std::io::IsTerminal as _;

use crate::args::ColorChoice;

/// Whether and how to colour standard output.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    is_on: bool,
}

impl Style {
    /// What the flag, `NO_COLOR` and standard output say together.
    pub fn new(choice: ColorChoice) -> Self {
        let is_on = match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && std::io::stdout().is_terminal()
            }
        };
        Self { is_on }
    }

    /// Headings and names.
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// What is there but matters less.
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// As it should be.
    pub fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Worth a look.
    pub fn warn(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// Wrong.
    pub fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.is_on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
