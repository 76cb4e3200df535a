//! How a change is confirmed: that follows from the entries it affects, not from the key that selected them.

use crate::output::human;
use crate::tui::app::App;

/// What a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// A setting of the server that is restored, a load on it that ends, or requests to services.
    Passing,
    /// So many entries, which may be all there are.
    Entries { count: usize, is_everything: bool },
}

impl Weight {
    /// The weight of a change of so many listed entries.
    pub(crate) fn of_entries(app: &App, count: usize) -> Self {
        Self::Entries { count, is_everything: count >= app.rows.len() }
    }

    /// The text to type; `None`: the key of yes is enough.
    pub(crate) fn word(self) -> Option<String> {
        match self {
            Self::Passing | Self::Entries { count: 1, is_everything: false } => None,
            Self::Entries { count, .. } => Some(count.to_string()),
        }
    }

    /// `this entry`, `12 entries`, `ALL 24 entries`.
    pub(crate) fn object(self) -> String {
        match self {
            Self::Passing | Self::Entries { count: 1, .. } => "this entry".to_owned(),
            Self::Entries { count, is_everything } => {
                format!("{}{}", if is_everything { "ALL " } else { "" }, human::entries(count as u64))
            }
        }
    }
}
