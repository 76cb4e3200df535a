//! What stands in front of everything else and takes the keys.

use cache_core::{EntryId, EventSource};
use tui_textarea::TextArea;

use crate::tui::app::job::AfterJob;
use crate::tui::effect::Effect;
use crate::tui::keymap::Mode;
use crate::tui::ticket::Ticket;

/// What a dialog is about: names and values.
pub type Facts = Vec<(String, String)>;

/// A dialog.
#[derive(Debug)]
pub enum Dialog {
    /// A question that releases what it holds when confirmed.
    Confirm(Box<Confirm>),
    /// A new TTL is asked for.
    Ttl(Box<Ttl>),
    /// The result of a change that was not completed: shown until closed.
    Failure {
        /// What went wrong: `The flush failed`.
        title: &'static str,
        /// Why it ended, what was done, and on which storage.
        facts: Facts,
    },
    /// The keys.
    Help {
        /// Where it was asked for.
        mode: Mode,
        /// The first line on the screen.
        offset: usize,
    },
}

/// A question that releases what it holds when confirmed. Nothing else can release it.
#[derive(Debug)]
pub struct Confirm {
    /// What is asked: `Flush 12 entries?`
    pub title: String,
    /// What it is about.
    pub facts: Facts,
    /// What has to be typed, where yes is not enough.
    pub word: Option<String>,
    /// What was typed.
    pub typed: TextArea<'static>,
    /// What yes does, in a word or two: `flush`.
    pub verb: &'static str,
    /// What is said when the answer is no.
    pub refusal: &'static str,
    /// What it holds.
    pub pending: PendingEffect,
}

/// What a question holds back.
#[derive(Debug)]
pub enum PendingEffect {
    /// A change: the effect, how it is called while it is under way, its size, and what it means for the rows.
    Change(Box<Effect>, (&'static str, u64, AfterJob)),
    /// A watch that changes a setting of the server, or costs it much.
    Watch(Ticket, EventSource),
}

/// A new TTL is asked for.
#[derive(Debug)]
pub struct Ttl {
    /// For these entries.
    pub entries: Vec<EntryId>,
    /// Which these are, in words.
    pub name: String,
    /// They are all that is in the cache.
    pub is_everything: bool,
    /// What it is about.
    pub facts: Facts,
    /// What was typed: `12h`, `+2h`, `never`.
    pub text: TextArea<'static>,
    /// What is wrong with it.
    pub problem: Option<String>,
}

impl Dialog {
    /// What keys mean in it.
    pub fn mode(&self) -> Mode {
        match self {
            Self::Confirm(confirm) if confirm.word.is_none() => Mode::Confirm,
            Self::Confirm(_) | Self::Ttl(_) => Mode::Input,
            Self::Failure { .. } | Self::Help { .. } => Mode::Help,
        }
    }
}
