//! The watch panel: cache events while the panel is open.

use std::collections::VecDeque;

use cache_core::{CacheEvent, EventSource, EventTotals, Observation};

use crate::tui::ticket::Ticket;

/// The number of latest events to keep.
const MAX_RUNS: usize = 1_000;

/// The panel.
#[derive(Debug)]
pub struct Watch {
    /// The current or last request.
    pub ticket: Ticket,
    /// The source of the events.
    pub source: EventSource,
    /// Its status.
    pub stage: Environment,
    /// The start, in Unix seconds.
    pub since: Option<f64>,
    /// The old value of `notify-keyspace-events`, if that was changed.
    pub was: Option<String>,
    /// The totals of the events.
    pub sample: EventTotals,
    /// The latest events, newest first.
    pub events: VecDeque<CacheEvent>,
    /// The first event on the screen.
    pub offset: usize,
}

/// The status of a watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Environment {
    /// It is starting.
    Beginning,
    /// It is running.
    Watching,
    /// It ended: the time (whole Unix seconds) and the reason.
    Over(i64, String),
}

impl Watch {
    /// A watch that is starting.
    pub fn new(ticket: Ticket, source: EventSource) -> Self {
        Self {
            ticket,
            source,
            stage: Environment::Beginning,
            since: None,
            was: None,
            sample: EventTotals::default(),
            events: VecDeque::new(),
            offset: 0,
        }
    }

    /// Adds events.
    pub fn add(&mut self, seen: Observation) {
        self.sample.add(&seen);
        if let Observation::Event(event) = seen {
            self.events.push_front(event);
            self.events.truncate(MAX_RUNS);
            // A scrolled list keeps its older events on the screen.
            if self.offset > 0 {
                self.offset = (self.offset + 1).min(self.events.len() - 1);
            }
        }
    }
}
