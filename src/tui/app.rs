//! The state of the dashboard. Only `update` changes it, and `view` only reads it.

pub mod body;
pub mod detail;
pub mod dialog;
pub mod enrich;
pub mod inspector;
pub mod job;
pub mod json;
pub mod loadable;
pub mod query;
pub mod rates;
pub mod rows;
pub mod run_report;
pub mod sort;
pub mod tree;
pub mod watch;

use cache_core::redact::Secrets;
use cache_core::{BackendId, Error, Health, Summary};
use jiff::tz::TimeZone;
use ratatui::layout::Size;
use tui_textarea::TextArea;

use crate::exit::Exit;
use crate::output::{human, safe};
use crate::tui::app::dialog::Dialog;
use crate::tui::app::enrich::Enrich;
use crate::tui::app::inspector::Inspector;
use crate::tui::app::job::{AfterJob, Job};
use crate::tui::app::query::Query;
use crate::tui::app::rates::Rates;
use crate::tui::app::rows::{Choice, Row, RowId, Rows};
use crate::tui::app::tree::Tree;
use crate::tui::app::watch::Watch;
use crate::tui::focus::{Focus, Screen};
use crate::tui::keymap::{Keymap, Mode};
use crate::tui::layout::enrich::Panes;
use crate::tui::layout::regions;
use crate::tui::layout::regions::Regions;
use crate::tui::options::Options;
use crate::tui::ticket::Ticket;

/// Seconds between a known change of the cache and the next listing.
const SOON: f64 = 5.0;

/// Seconds between two listings.
const RESCAN_INTERVAL: f64 = 60.0;

/// The least pause between two listings, as a multiple of the duration of one.
const RESCAN_PAUSE: f64 = 20.0;

/// The state of the table.
#[derive(Debug, Default)]
pub struct Table {
    /// The position of the selected row among the shown rows.
    pub cursor: usize,
    /// The first row on the screen.
    pub offset: usize,
    /// The start of a range.
    pub anchor: Option<RowId>,
    /// The selected row. `None` before the first movement: the first row is selected then.
    pub pinned: Option<RowId>,
}

/// The filter line.
#[derive(Debug, Default)]
pub struct FilterLine {
    /// The text, and its cursor.
    pub text: TextArea<'static>,
    /// The last valid query.
    pub query: Query,
    /// The error in the current text.
    pub problem: Option<String>,
    /// It has the focus.
    pub is_active: bool,
    /// The running search of bodies.
    pub search: Option<Ticket>,
}

/// The progress of the scan.
#[derive(Debug, Default)]
pub struct Scan {
    /// The current request.
    pub ticket: Option<Ticket>,
    /// The approximate number of scanned keys.
    pub scanned: u64,
    /// The approximate total.
    pub total: u64,
    /// A scan has completed once.
    pub is_complete: bool,
    /// When the current scan began, in Unix seconds.
    pub began: f64,
    /// How long the last complete scan took, in seconds.
    pub took: f64,
    /// When the last complete scan began: what is shown is at least so old. Unix seconds.
    pub listed_at: Option<f64>,
    /// Entries are known to have changed since.
    pub is_outdated: bool,
}

impl Scan {
    /// Whether it is time to list the entries again: soon after a known change, else from time to time, but never for
    /// more than a small part of the time.
    pub fn is_due(&self, now: f64) -> bool {
        let interval = if self.is_outdated { SOON } else { RESCAN_INTERVAL };
        let interval = interval.max(self.took * RESCAN_PAUSE);
        self.ticket.is_none() && self.listed_at.is_some_and(|at| now - at >= self.took + interval)
    }
}

/// Printed after the terminal is restored, if a change was running when the dashboard was left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExitSummary {
    /// The text, without control characters.
    pub text: String,
    /// The change was completed.
    pub is_complete: bool,
}

/// A notice for the user.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// The text, without control characters.
    pub text: String,
    /// It is an error.
    pub is_error: bool,
    /// Unix seconds of its start.
    pub since: f64,
}

/// The state of the dashboard.
pub struct App {
    /// Unix seconds.
    pub now: f64,
    /// The time zone of shown times.
    pub zone: TimeZone,
    /// The area of the screen.
    pub size: Size,
    /// The start options.
    pub options: Options,
    /// The bindings.
    pub keymap: Keymap,
    /// The open tab.
    pub screen: Screen,
    /// The pane with the focus.
    pub focus: Focus,
    /// The health of the store; `None`: it is still being opened.
    pub health: Option<Health>,
    /// The time of the next health check.
    pub next_health_check: f64,
    /// The current health check.
    pub health_ticket: Option<Ticket>,
    /// The progress of the scan.
    pub scan: Scan,
    /// The listed entries.
    pub rows: Rows,
    /// The listed entries as a tree.
    pub tree: Tree,
    /// The hit rates.
    pub rates: Rates,
    /// The state of the table.
    pub table: Table,
    /// The filter line.
    pub filter: FilterLine,
    /// The inspector.
    pub inspector: Inspector,
    /// The watch, while its panel is open.
    pub watch: Option<Watch>,
    /// The Enrich tab.
    pub enrich: Enrich,
    /// The open dialog.
    pub dialog: Option<Dialog>,
    /// The running change.
    pub job: Option<Job>,
    /// A notice for the user, shown until the next key; if it is not an error, for some seconds at most.
    pub notice: Option<Notice>,
    /// Leave after the running change has stopped.
    pub is_leaving: bool,
    /// The summary of that change.
    pub exit_summary: Option<ExitSummary>,
    /// The error that ends the dashboard.
    pub failure: Option<Failure>,
    /// The exit code of the signal that ends the dashboard.
    pub signal: Option<Exit>,
    tickets: u64,
}

/// The error that ends the dashboard.
#[derive(Debug)]
pub enum Failure {
    /// The store could not be opened.
    Opening(Error),
    /// A task panicked.
    Crash,
}

impl App {
    /// The initial state.
    pub fn new(options: Options, keymap: Keymap, size: Size, zone: TimeZone, now: f64) -> Self {
        Self {
            now,
            zone,
            size,
            options,
            keymap,
            screen: Screen::default(),
            focus: Focus::default(),
            health: None,
            next_health_check: now,
            health_ticket: None,
            scan: Scan::default(),
            rows: Rows::default(),
            tree: Tree::default(),
            rates: Rates::default(),
            table: Table::default(),
            filter: FilterLine::default(),
            inspector: Inspector::default(),
            watch: None,
            enrich: Enrich::default(),
            dialog: None,
            job: None,
            notice: None,
            is_leaving: false,
            exit_summary: None,
            failure: None,
            signal: None,
            tickets: 0,
        }
    }

    /// The mode of the keys.
    pub fn mode(&self) -> Mode {
        match (&self.dialog, self.filter.is_active, self.focus) {
            (Some(dialog), ..) => dialog.mode(),
            (None, ..) if self.screen == Screen::Enrich => {
                if self.enrich.is_searching {
                    Mode::Search
                } else {
                    Mode::Enrich
                }
            }
            (None, ..) if self.watch.is_some() => Mode::Watch,
            (None, true, _) => Mode::Filter,
            (None, false, Focus::Tree) => Mode::Tree,
            (None, false, Focus::Table) => Mode::Table,
            (None, false, Focus::Inspector) => Mode::Inspector,
        }
    }

    /// The layout of the screen.
    pub fn regions(&self) -> Regions {
        regions(self.size, self.focus, self.inspector.extent(), self.rates.height())
    }

    /// The layout of the Enrich tab.
    pub fn enrich_panes(&self) -> Panes {
        crate::tui::layout::enrich::panes(&self.regions(), self.enrich.pane, self.enrich.is_zoomed)
    }

    /// A new ticket.
    pub fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    /// The store in use, once it is open.
    pub fn backend(&self) -> Option<&BackendId> {
        self.health.as_ref().map(|health| &health.backend)
    }

    /// The error of an unreachable store, unless a fallback is in use.
    pub fn show_lost(&self) -> Option<&str> {
        self.health.as_ref().filter(|health| !health.is_fallback)?.problem.as_deref()
    }

    /// The number of the selected row.
    pub fn selected_row(&self) -> Option<RowId> {
        self.rows.visible().get(self.table.cursor).copied()
    }

    /// The selected row.
    pub fn selected(&self) -> Option<&Row> {
        self.rows.get(self.selected_row()?)
    }

    /// Whether the credentials of the selected entry are shown.
    pub fn shown_secrets(&self) -> Secrets {
        let is_subject = self.selected_entry().is_some_and(|entry| self.inspector.subject.as_ref() == Some(&entry.id));
        if is_subject { self.inspector.secrets } else { Secrets::Masked }
    }

    /// The selected entry.
    pub fn selected_entry(&self) -> Option<&Summary> {
        Some(&self.selected()?.entry)
    }

    /// Whether a position among the shown rows lies in the range being selected.
    pub fn is_in_range(&self, at: usize) -> bool {
        self.table.anchor.and_then(|row| self.rows.position(row)).is_some_and(|anchor| {
            let (first, last) = (anchor.min(self.table.cursor), anchor.max(self.table.cursor));
            (first..=last).contains(&at)
        })
    }

    /// Shows the rows that match the filter line and the tree.
    pub fn choose_rows(&mut self) {
        if self.filter.query.filter.dead_schemas {
            self.filter.query.filter.newest_schemas = self.tree.newest_schemas();
        }
        self.rows.choose(Choice { query: &self.filter.query, tree: &self.tree, now: self.now });
        self.settle_cursor();
    }

    /// Keeps the selected row under the cursor and on its line of the screen after rows were added, removed or moved.
    pub fn settle_cursor(&mut self) {
        let count = self.rows.visible().len();
        if let Some(held) = self.table.pinned {
            match self.rows.position(held) {
                Some(at) => {
                    self.table.offset = (self.table.offset + at).saturating_sub(self.table.cursor);
                    self.table.cursor = at;
                }
                None => self.table.pinned = None,
            }
        }
        self.table.cursor = self.table.cursor.min(count.saturating_sub(1));
        self.keep_cursor_on_screen();
    }

    /// Scrolls until the cursor is on the screen.
    pub fn keep_cursor_on_screen(&mut self) {
        let height = self.regions().table_rows().height.max(1).into();
        let Table { cursor, offset, .. } = &mut self.table;
        let last_offset = self.rows.visible().len().saturating_sub(height);
        *offset = (*offset).clamp((*cursor + 1).saturating_sub(height), *cursor).min(last_offset);
    }

    /// Takes the summary to print at exit, also of an unfinished change.
    pub fn take_exit_summary(&mut self) -> Option<ExitSummary> {
        let unfinished = |Job { done, total, on, then, .. }: Job| ExitSummary {
            text: format!(
                "Interrupted: {} or more of {} {} ({})",
                human::count(done),
                human::entries(total),
                if matches!(then, AfterJob::Drop(_)) { "deleted" } else { "changed" },
                safe::line(&on.to_string())
            ),
            is_complete: false,
        };
        self.exit_summary.take().or_else(|| self.job.take().map(unfinished))
    }

    /// Shows a notice.
    pub fn show_notice(&mut self, text: impl Into<String>) {
        self.notice(&text.into(), false);
    }

    /// Shows an error.
    pub fn show_error(&mut self, text: impl Into<String>) {
        self.notice(&text.into(), true);
    }

    fn notice(&mut self, text: &str, is_error: bool) {
        let text = safe::line(text).into_owned();
        self.notice = Some(Notice { text, is_error, since: self.now });
    }
}
