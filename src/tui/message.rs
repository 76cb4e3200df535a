//! Messages: input, time and responses. Nothing else changes the state.

use std::time::Duration;

use cache_core::admin::flush::FlushReport;
use cache_core::admin::ttl;
use cache_core::{EntryId, Error, Health, Observation, Page};
use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::layout::Size;

use crate::enrich::history::Run;
use crate::tui::app::detail::Detail;
use crate::tui::app::enrich::{ServiceTally, TitleList};
use crate::tui::app::rates::RateTable;
use crate::tui::ticket::Ticket;

/// Something that happened.
#[derive(Debug)]
pub enum Message {
    /// A key was pressed.
    Key(KeyEvent),
    /// The mouse was clicked or its wheel turned.
    Mouse(MouseEvent),
    /// Text was pasted.
    Paste(String),
    /// The terminal has this size now.
    Resized(Size),
    /// It is this time now, in Unix seconds.
    Tick(f64),
    /// Another storage answers from now on, or the same one again.
    Health(Health),
    /// The process was asked to end, or its terminal is gone.
    Terminated,
    /// A request goes on.
    Progress(Ticket, EnrichProgress),
    /// A request has ended.
    Done(Ticket, Outcome),
}

/// Progress of a request.
#[derive(Debug)]
pub enum EnrichProgress {
    /// One more page of the scan.
    Page(Page),
    /// Entries whose body matches.
    Found(Vec<EntryId>),
    /// How many entries of a change are done, and the time since its start.
    Work { done: u64, total: u64, elapsed: Duration },
    /// An update of a watch.
    Watch(WatchUpdate),
    /// The progress of each service of an enrichment.
    Enriching(Vec<ServiceTally>),
}

/// An update of a watch.
#[derive(Debug)]
pub enum WatchUpdate {
    /// It began at this time (Unix seconds); `was` is the old value of `notify-keyspace-events` if it was changed.
    Started { since: f64, was: Option<String> },
    /// The events since the last update.
    Observed(Vec<Observation>),
}

/// How a request ended. Errors are shared, since the state keeps them.
#[derive(Debug)]
pub enum Outcome {
    /// The store is open, or why it is not.
    Opened(Result<Health, Error>),
    /// The scan came to its end, or why it did not.
    Scanned(Result<(), Error>),
    /// All bodies were searched, or why not.
    Searched(Result<(), Error>),
    /// An entry with its body; `None`: it is gone.
    Loaded(Result<Option<Box<Detail>>, Error>),
    /// What a flush did, and how long it took.
    Flushed(FlushReport, Duration),
    /// What a change of TTLs did.
    TtlChanged(ttl::TtlReport),
    /// The statistics of hits and misses.
    Counted(Result<RateTable, Error>),
    /// A watch has ended, or why it failed; `false`: the storage cannot be watched.
    Watched(Result<bool, Error>),
    /// What an enrichment came to, and why it is not among the runs that the store keeps.
    Enriched(Box<Run>, Option<Error>),
    /// The titles that can be enriched, or why they could not be loaded.
    TitlesLoaded(Result<TitleList, String>),
    /// The recent runs.
    Runs(Result<Vec<Run>, Error>),
    /// How the store is.
    Health(Health),
    /// The task panicked; the terminal has been restored already.
    Crashed,
}

impl Message {
    /// Whether it takes a noticeable part of a frame's time: a frame handles only one such message.
    pub fn is_heavy(&self) -> bool {
        matches!(self, Self::Progress(_, EnrichProgress::Page(_)))
    }
}
