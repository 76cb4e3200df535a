//! Messages to the dashboard: input, time and responses. Only messages change the state.

use std::time::Duration;

use cache_core::admin::apply::Report;
use cache_core::{EntryId, Error, Health, Observation, Page};
use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::layout::Size;

use crate::enrich::history::Run;
use crate::exit::Exit;
use crate::tui::app::detail::Detail;
use crate::tui::app::enrich::{ServiceTally, TitleList};
use crate::tui::app::rates::RateTable;
use crate::tui::ticket::Ticket;

/// A message.
#[derive(Debug)]
pub enum Message {
    /// A key was pressed.
    Key(KeyEvent),
    /// The mouse was clicked or its wheel turned.
    Mouse(MouseEvent),
    /// Text was pasted.
    Paste(String),
    /// The terminal was resized.
    Resized(Size),
    /// The terminal has a light background, or a dark one.
    Background { is_light: bool },
    /// The clock advanced to this time, in Unix seconds.
    Tick(f64),
    /// The backend in use changed, or is reachable again.
    Health(Health),
    /// No key was pressed for a moment since the open dialog is on the screen: its answers count from now on.
    Quiet,
    /// The process received a signal to exit, or its terminal was closed; with the exit code for that.
    Terminated(Exit),
    /// A task or thread panicked.
    Panicked,
    /// Progress of a request.
    Progress(Ticket, EnrichProgress),
    /// A request has ended.
    Done(Ticket, Outcome),
}

/// Progress of a request.
#[derive(Debug)]
pub enum EnrichProgress {
    /// One more page of the scan.
    Page(Page),
    /// Entries with a matching body.
    Found(Vec<EntryId>),
    /// The number of changed entries, and the time since the start.
    Work { done: u64, total: u64, elapsed: Duration },
    /// An update of a watch.
    Watch(WatchUpdate),
    /// The progress of each service of an enrichment.
    Enriching(Vec<ServiceTally>),
}

/// An update of a watch.
#[derive(Debug)]
pub enum WatchUpdate {
    /// The watch started at this time (Unix seconds); `was` is the old value of `notify-keyspace-events` if it was
    /// changed.
    Started { since: f64, was: Option<String> },
    /// The events since the last update.
    Observed(Vec<Observation>),
}

/// The outcome of a request. Errors are shared, because the state keeps them.
#[derive(Debug)]
pub enum Outcome {
    /// The store was opened, or the error.
    Opened(Result<Health, Error>),
    /// The scan completed, or the error.
    Scanned(Result<(), Error>),
    /// All bodies were searched, or the error.
    Searched(Result<u64, Error>),
    /// An entry with its body; `None`: it was deleted.
    Loaded(Result<Option<Box<Detail>>, Error>),
    /// The report of a flush, and its duration.
    Flushed(Report, Duration),
    /// The report of a TTL change.
    TtlChanged(Report),
    /// The statistics of hits and misses.
    Counted(Result<RateTable, Error>),
    /// A watch ended, or its error; `false`: the backend does not support watching.
    Watched(Result<bool, Error>),
    /// The report of an enrichment, and the error if it could not be stored in the history.
    Enriched(Box<Run>, Option<Error>),
    /// The titles that can be enriched, or the error.
    TitlesLoaded(Result<TitleList, String>),
    /// The recent runs.
    Runs(Result<Vec<Run>, Error>),
    /// The health of the store.
    Health(Health),
}

impl Message {
    /// Whether it is typed, pasted or clicked.
    pub fn is_input(&self) -> bool {
        matches!(self, Self::Key(_) | Self::Mouse(_) | Self::Paste(_))
    }

    /// Whether handling takes a noticeable part of the time of a frame: a frame handles only one such message.
    pub fn is_heavy(&self) -> bool {
        matches!(self, Self::Progress(_, EnrichProgress::Page(_)))
    }
}
