//! Colors of the output, if enabled and supported.

use std::io::IsTerminal;

use clap::ValueEnum;

/// When to use color. The values have no comments: clap would print each on a line of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    #[default]
    Auto,
    Always,
    Never,
}

/// The colors of standard output.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    is_on: bool,
}

impl Style {
    /// The style by the flag, the environment and standard output.
    pub fn new(choice: ColorChoice) -> Self {
        Self { is_on: is_wanted(choice, &std::io::stdout()) }
    }

    /// Headings and names.
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Less important text.
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// Good.
    pub fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// A warning.
    pub fn warn(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// An error.
    pub fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.is_on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Whether to color a stream.
pub fn is_wanted(choice: ColorChoice, out: &impl IsTerminal) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            let is_refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
            !is_refused && !is_dumb && out.is_terminal()
        }
    }
}
