//! Everything that may change the [`App`](super::app::App); nothing else does.

use std::time::Duration;

use cache_core::admin::flush::Report;
use cache_core::admin::ttl;
use cache_core::{EntryId, Error, Health, Page, Seen};
use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::layout::Size;

use crate::enrich::history::Run;
use crate::tui::app::detail::Detail;
use crate::tui::app::enrich::{ServiceTally, TitleList};
use crate::tui::app::rates::Tally;
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
    Progress(Ticket, Progress),
    /// A request has ended.
    Done(Ticket, Outcome),
}

/// News of a request that goes on.
#[derive(Debug)]
pub enum Progress {
    /// One more page of the scan.
    Page(Page),
    /// Entries whose body matches.
    Found(Vec<EntryId>),
    /// So many of so many entries were dealt with, this long after the start.
    Work { done: u64, total: u64, elapsed: Duration },
    /// Of a watch.
    Watch(WatchUpdate),
    /// How far each service of an enrichment is.
    Enriching(Vec<ServiceTally>),
}

/// What a watch reports.
#[derive(Debug)]
pub enum WatchUpdate {
    /// It began at this time (Unix seconds); what the server's `notify-keyspace-events` was, where it was changed.
    Began { since: f64, was: Option<String> },
    /// What was seen since the last report.
    Seen(Vec<Seen>),
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
    Flushed(Report, Duration),
    /// What a change of TTLs did.
    TtlChanged(ttl::Report),
    /// What the store can tell of hits and misses.
    Counted(Result<Tally, Error>),
    /// A watch is over, or why it could not be; `false`: the storage cannot be watched.
    Watched(Result<bool, Error>),
    /// What an enrichment came to, and why it is not among the runs that the store keeps.
    Enriched(Box<Run>, Option<Error>),
    /// What can be enriched, or why that is not known.
    TitlesLoaded(Result<TitleList, String>),
    /// The enrichments of late.
    Runs(Result<Vec<Run>, Error>),
    /// How the store is.
    Health(Health),
    /// The task panicked; the terminal has been given back already.
    Crashed,
}

impl Message {
    /// Whether it takes a noticeable part of a frame's time, so that one frame should not hold several.
    pub fn is_heavy(&self) -> bool {
        matches!(self, Self::Progress(_, Progress::Page(_)))
    }
}
