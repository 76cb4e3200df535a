//! The help, generated from the bindings.

use crate::tui::app::App;
use crate::tui::keymap::Mode;

/// A line of the help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HelpLine {
    /// The name of a group.
    Heading(&'static str),
    /// Keys and their description.
    Binding {
        /// The keys as text.
        keys: String,
        /// The description.
        text: &'static str,
        /// It is refused in read-only mode.
        is_refused: bool,
    },
    /// Nothing.
    Blank,
}

const GROUPS: [(&str, Mode); 12] = [
    ("Global", Mode::Everywhere),
    ("All panes", Mode::Browse),
    ("Table", Mode::Table),
    ("Tree", Mode::Tree),
    ("Inspector", Mode::Inspector),
    ("Watch", Mode::Watch),
    ("Enrich tab", Mode::Enrich),
    ("Title search", Mode::Search),
    ("Filter", Mode::Filter),
    ("Dialogs", Mode::Confirm),
    ("Text input", Mode::Input),
    ("Help", Mode::Help),
];

/// All lines of the help, beginning with the bindings of this mode.
pub fn lines(app: &App, mode: Mode) -> Vec<HelpLine> {
    let scopes = mode.scopes();
    let mut groups = GROUPS;
    // The sort is stable: all others keep their order.
    groups.sort_by_key(|(_, group)| scopes.iter().position(|scope| scope == group).unwrap_or(scopes.len()));
    let mut lines = Vec::new();
    for (name, mode) in groups {
        if !lines.is_empty() {
            lines.push(HelpLine::Blank);
        }
        lines.push(HelpLine::Heading(name));
        lines.extend(app.keymap.of_mode(mode).map(|(action, keys)| HelpLine::Binding {
            keys: keys.join(" "),
            text: action.help(),
            is_refused: app.options.is_read_only && action.is_change(),
        }));
    }
    lines
}
