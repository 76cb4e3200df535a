//! Dialogs: questions, input and help, which take the keys while open.

use cache_core::EventSource;
use tui_textarea::TextArea;

use crate::enrich::progress::EnrichPlan;
use crate::tui::app::job::{AfterJob, Listed};
use crate::tui::effect::Effect;
use crate::tui::keymap::Mode;
use crate::tui::ticket::Ticket;

/// Facts in a dialog: names and values.
pub type Facts = Vec<(String, String)>;

/// A dialog.
#[derive(Debug)]
pub enum Dialog {
    /// A question.
    Confirm(Box<Confirm>),
    /// The input of a new TTL.
    Ttl(Box<Ttl>),
    /// The result of a change that was not completed: shown until closed.
    Failure {
        /// The title: `The flush failed`.
        title: &'static str,
        /// The reason, the finished part, and the backend.
        facts: Facts,
    },
    /// The keys.
    Help {
        /// The mode in which it was opened.
        mode: Mode,
        /// The first line on the screen.
        offset: usize,
    },
}

/// A question with a pending effect, which only a confirmation starts.
#[derive(Debug)]
pub struct Confirm {
    /// The question: `Flush 12 entries?`
    pub title: String,
    /// Its facts, the most important first.
    pub facts: Facts,
    /// So many of the facts must be on the screen, or no answer counts.
    pub essential: usize,
    /// Answers count: the question has been on the screen while no key was pressed.
    pub is_answerable: bool,
    /// The text to type, if yes is not enough.
    pub word: Option<String>,
    /// The input.
    pub typed: TextArea<'static>,
    /// The label of yes: `flush`.
    pub verb: &'static str,
    /// The notice after no.
    pub refusal: &'static str,
    /// The pending effect.
    pub pending: PendingEffect,
}

/// The pending effect of a question.
#[derive(Debug)]
pub enum PendingEffect {
    /// A change: the effect, its verb, its size, and its follow-up for the rows.
    Change(Box<Effect>, (&'static str, u64, AfterJob)),
    /// An enrichment, which sends requests to the services.
    Enrich(Box<EnrichPlan>),
    /// A watch that changes a setting of the server or slows it down.
    Watch(Ticket, EventSource),
}

/// The input of a new TTL.
#[derive(Debug)]
pub struct Ttl {
    /// The selected entries with their expiries.
    pub entries: Vec<Listed>,
    /// Their description.
    pub name: String,
    /// Its facts, the most important first.
    pub facts: Facts,
    /// So many of the facts must be on the screen, or no answer counts.
    pub essential: usize,
    /// Enter counts: the input has been on the screen while no key was pressed.
    pub is_answerable: bool,
    /// The input: `12h`, `+2h`, `never`.
    pub text: TextArea<'static>,
    /// The TTL and its end that the input would set.
    pub preview: Option<String>,
    /// The error in the input.
    pub problem: Option<String>,
}

impl Dialog {
    /// Whether answers do not count yet.
    pub fn awaits_quiet(&self) -> bool {
        match self {
            Self::Confirm(confirm) => !confirm.is_answerable,
            Self::Ttl(ttl) => !ttl.is_answerable,
            Self::Failure { .. } | Self::Help { .. } => false,
        }
    }

    /// Lets answers count from now on.
    pub fn accept_answers(&mut self) {
        match self {
            Self::Confirm(confirm) => confirm.is_answerable = true,
            Self::Ttl(ttl) => ttl.is_answerable = true,
            Self::Failure { .. } | Self::Help { .. } => {}
        }
    }

    /// The mode of the keys.
    pub fn mode(&self) -> Mode {
        match self {
            Self::Confirm(confirm) if confirm.word.is_none() => Mode::Confirm,
            Self::Confirm(_) | Self::Ttl(_) => Mode::Input,
            Self::Failure { .. } | Self::Help { .. } => Mode::Help,
        }
    }
}
