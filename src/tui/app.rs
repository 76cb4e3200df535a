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

use cache_core::{BackendId, Error, Health, Summary};
use jiff::tz::TimeZone;
use ratatui::layout::Size;
use tui_textarea::TextArea;

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

/// The table's own state.
#[derive(Debug, Default)]
pub struct Table {
    /// The selected row's place among those shown.
    pub cursor: usize,
    /// The first row on the screen.
    pub offset: usize,
    /// Where a range began.
    pub anchor: Option<RowId>,
    /// The selected row. `None` before the first movement: then the first row is selected, whichever it is.
    pub pinned: Option<RowId>,
}

/// The filter line.
#[derive(Debug, Default)]
pub struct FilterLine {
    /// The text, and its cursor.
    pub text: TextArea<'static>,
    /// What it says; the last that could be understood.
    pub query: Query,
    /// What is wrong with the text as it is.
    pub problem: Option<String>,
    /// Keys go to it.
    pub is_active: bool,
    /// The search of bodies under way.
    pub search: Option<Ticket>,
}

/// The progress of the scan.
#[derive(Debug, Default)]
pub struct Scan {
    /// The request under way.
    pub ticket: Option<Ticket>,
    /// About how many keys were looked at.
    pub scanned: u64,
    /// Of about so many.
    pub total: u64,
    /// A scan has completed once.
    pub is_complete: bool,
}

/// Printed after the terminal is restored, if a change was under way when the dashboard was left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExitSummary {
    /// What was done, safe to show.
    pub text: String,
    /// All that was requested was done.
    pub is_complete: bool,
}

/// A line for the user.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// The text, safe to show.
    pub text: String,
    /// It is about a failure.
    pub is_error: bool,
    /// Since when; Unix seconds.
    pub since: f64,
}

/// The state of the dashboard.
pub struct App {
    /// Unix seconds.
    pub now: f64,
    /// The time zone that times are shown in.
    pub zone: TimeZone,
    /// The screen.
    pub size: Size,
    /// How it was started.
    pub options: Options,
    /// The bindings.
    pub keymap: Keymap,
    /// The tab that is shown.
    pub screen: Screen,
    /// Which pane keys go to.
    pub focus: Focus,
    /// The health of the store; `None`: it is still being opened.
    pub health: Option<Health>,
    /// When the health is checked next.
    pub next_health_check: f64,
    /// The health check under way.
    pub health_ticket: Option<Ticket>,
    /// The progress of the scan.
    pub scan: Scan,
    /// What was listed.
    pub rows: Rows,
    /// The same, as a tree.
    pub tree: Tree,
    /// The hit rates.
    pub rates: Rates,
    /// The table's own state.
    pub table: Table,
    /// The filter line.
    pub filter: FilterLine,
    /// The inspector.
    pub inspector: Inspector,
    /// The watch, while its panel is open.
    pub watch: Option<Watch>,
    /// The Enrich tab.
    pub enrich: Enrich,
    /// What stands in front of everything else.
    pub dialog: Option<Dialog>,
    /// A change under way.
    pub job: Option<Job>,
    /// A line for the user, until the next key; one that is no failure, for some seconds.
    pub notice: Option<Notice>,
    /// Leave as soon as the change under way has stopped.
    pub is_leaving: bool,
    /// The summary of that change.
    pub exit_summary: Option<ExitSummary>,
    /// Why the dashboard cannot go on.
    pub failure: Option<Failure>,
    tickets: u64,
}

/// Why the dashboard cannot go on.
#[derive(Debug)]
pub enum Failure {
    /// The store could not be opened.
    Opening(Error),
    /// A task panicked.
    Crash,
}

impl App {
    /// The state before anything has happened.
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
            tickets: 0,
        }
    }

    /// What keys mean now.
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

    /// Where everything is on the screen.
    pub fn regions(&self) -> Regions {
        regions(self.size, self.focus, self.inspector.extent(), self.rates.height())
    }

    /// Where everything of the Enrich tab is.
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

    /// Why the store is unreachable, unless a fallback is in use.
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

    /// The selected entry.
    pub fn selected_entry(&self) -> Option<&Summary> {
        Some(&self.selected()?.entry)
    }

    /// Whether a place among the rows shown lies in the range being chosen.
    pub fn is_in_range(&self, at: usize) -> bool {
        self.table.anchor.and_then(|row| self.rows.position(row)).is_some_and(|anchor| {
            let (first, last) = (anchor.min(self.table.cursor), anchor.max(self.table.cursor));
            (first..=last).contains(&at)
        })
    }

    /// Whether the table shows everything that is in the cache, as far as it was listed.
    pub fn shows_everything(&self) -> bool {
        self.filter.query.is_everything() && self.tree.chosen == tree::ROOT
    }

    /// Shows what the filter line and the tree say.
    pub fn choose_rows(&mut self) {
        if self.filter.query.filter.dead_schemas {
            self.filter.query.filter.newest_schemas = self.tree.newest_schemas();
        }
        self.rows.choose(Choice { query: &self.filter.query, tree: &self.tree, now: self.now });
        self.settle_cursor();
    }

    /// Keeps the selected row under the cursor and in its line of the screen, after rows came, went or moved.
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

    /// Scrolls as little as needed to have the cursor on the screen.
    pub fn keep_cursor_on_screen(&mut self) {
        let height = self.regions().table_rows().height.max(1).into();
        let Table { cursor, offset, .. } = &mut self.table;
        let last_offset = self.rows.visible().len().saturating_sub(height);
        *offset = (*offset).clamp((*cursor + 1).saturating_sub(height), *cursor).min(last_offset);
    }

    /// Takes the summary to print at exit, also of a change that has not ended.
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
