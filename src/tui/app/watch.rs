//! What others do with the cache, seen for as long as the panel is open.

use std::collections::VecDeque;

use cache_core::{CacheEvent, EventSource, EventTotals, Observation};

use crate::tui::ticket::Ticket;

/// So many of the latest events are kept.
const MAX_RUNS: usize = 1_000;

/// The panel.
#[derive(Debug)]
pub struct Watch {
    /// The request under way, or the last one.
    pub ticket: Ticket,
    /// The source of the events.
    pub source: EventSource,
    /// How far it is.
    pub stage: Environment,
    /// When it began, in Unix seconds.
    pub since: Option<f64>,
    /// What the server's `notify-keyspace-events` was, where that was changed.
    pub was: Option<String>,
    /// What was seen, added up.
    pub sample: EventTotals,
    /// The latest events, newest first.
    pub events: VecDeque<CacheEvent>,
    /// The first event on the screen.
    pub offset: usize,
}

/// How far a watch is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Environment {
    /// It was asked for.
    Beginning,
    /// It is under way.
    Watching,
    /// It is over, since when (whole Unix seconds), and why.
    Over(i64, String),
}

impl Watch {
    /// A watch that was asked for just now.
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

    /// Takes note of what was seen.
    pub fn add(&mut self, seen: Observation) {
        self.sample.add(&seen);
        if let Observation::Event(event) = seen {
            self.events.push_front(event);
            self.events.truncate(MAX_RUNS);
            // Older events that are being read stay on the screen.
            if self.offset > 0 {
                self.offset = (self.offset + 1).min(self.events.len() - 1);
            }
        }
    }
}
