//! The last line: the progress of a change, a notice, or the keys of the mode.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::output::columns::clip;
use crate::output::{columns, human, safe};
use crate::tui::action::Action;
use crate::tui::app::App;
use crate::tui::app::job::Job;
use crate::tui::focus::{Pane, Screen};
use crate::tui::keymap::Mode;
use crate::tui::view::theme::Theme;

pub(crate) fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let message =
        |text: &str, style| Line::styled(format!(" {}", clip(text, usize::from(area.width).saturating_sub(2))), style);
    let problem = app.filter.problem.as_ref().filter(|_| app.screen == Screen::Browse);
    let line = match (&app.notice, problem, &app.job, app.show_lost()) {
        (Some(notice), ..) => message(&notice.text, if notice.is_error { theme.error } else { theme.good }),
        (None, Some(problem), ..) => message(&safe::line(problem), theme.error),
        (None, None, Some(job), _) => progress(job, theme),
        (None, None, None, Some(reason)) => message(&format!("{}. Reconnecting…", safe::line(reason)), theme.error),
        (None, None, None, None) => hints(app, area.width.into(), theme),
    };
    frame.render_widget(line, area);
}

fn progress<'a>(job: &Job, theme: &Theme) -> Line<'a> {
    const BAR: u64 = 20;
    let filled = (job.done * BAR).checked_div(job.total).unwrap_or(0).min(BAR) as usize;
    let seconds = job.elapsed.as_secs_f64();
    let rate = if seconds > 0.0 { (job.done as f64 / seconds) as u64 } else { 0 };
    let end = if job.is_stopping { "Stopping after the current batch…" } else { "Esc to stop" };
    Line::from(vec![
        Span::styled(format!(" {} ", job.verb), theme.note),
        Span::styled("━".repeat(filled), theme.note),
        Span::styled("─".repeat(BAR as usize - filled), theme.frame),
        Span::styled(
            format!(" {} of {} · {}/s · {end}", human::count(job.done), human::count(job.total), human::count(rate)),
            theme.dim,
        ),
    ])
}

/// An action and its text in the footer.
type Hint = (Action, &'static str);

// The hints of each mode, most important first: hints that do not fit are left out.
const LINE: &[Hint] = &[(Action::Accept, "apply"), (Action::Close, "cancel"), (Action::Down, "down")];

const CONFIRM: &[Hint] = &[(Action::Yes, "yes"), (Action::No, "no")];

const INPUT: &[Hint] = &[(Action::Accept, "confirm"), (Action::No, "cancel")];

const HELP: &[Hint] = &[(Action::Close, "close"), (Action::Down, "down"), (Action::Up, "up")];

const ENRICH: &[Hint] = &[
    (Action::Help, "help"),
    (Action::Quit, "quit"),
    (Action::Run, "enrich"),
    (Action::RunFresh, "enrich (no cache)"),
    (Action::Close, "back"),
    (Action::Search, "search"),
    (Action::Mark, "select"),
    (Action::OpenTouched, "entries"),
    (Action::NextPane, "next pane"),
    (Action::Browse, "browse"),
    (Action::Zoom, "zoom"),
];

const WATCH: &[Hint] = &[
    (Action::Help, "help"),
    (Action::Quit, "quit"),
    (Action::Close, "close"),
    (Action::ReadCommands, "MONITOR"),
    (Action::Down, "older"),
    (Action::Up, "newer"),
];

const TREE: &[Hint] = &[
    (Action::Help, "help"),
    (Action::Quit, "quit"),
    (Action::Filter, "filter"),
    (Action::FlushShown, "flush group"),
    (Action::ChangeTtl, "TTL"),
    (Action::Fold, "fold"),
    (Action::NextPane, "next pane"),
    (Action::Refresh, "refresh"),
];

const INSPECTOR: &[Hint] = &[
    (Action::Help, "help"),
    (Action::Quit, "quit"),
    (Action::Close, "back"),
    (Action::NextTab, "next tab"),
    (Action::Fold, "fold"),
    (Action::NextBodyView, "JSON/text/hex"),
    (Action::Zoom, "zoom"),
    (Action::CopyUrl, "copy URL"),
];

const TABLE: &[Hint] = &[
    (Action::Help, "help"),
    (Action::Quit, "quit"),
    (Action::Filter, "filter"),
    (Action::Open, "open"),
    (Action::Mark, "mark"),
    (Action::Flush, "flush"),
    (Action::FlushShown, "flush all shown"),
    (Action::ChangeTtl, "TTL"),
    (Action::SortNext, "sort"),
    (Action::Refresh, "refresh"),
    (Action::NextPane, "next pane"),
    (Action::Enrich, "enrich"),
    (Action::CopyUrl, "copy URL"),
    (Action::Watch, "watch"),
];

fn hints_of(mode: Mode) -> &'static [Hint] {
    match mode {
        Mode::Filter | Mode::Search => LINE,
        Mode::Confirm => CONFIRM,
        Mode::Input => INPUT,
        Mode::Help => HELP,
        Mode::Enrich => ENRICH,
        Mode::Watch => WATCH,
        Mode::Tree => TREE,
        Mode::Inspector => INSPECTOR,
        Mode::Table | Mode::Browse | Mode::Everywhere => TABLE,
    }
}

fn hints<'a>(app: &App, width: usize, theme: &Theme) -> Line<'a> {
    let mode = app.mode();
    let mut spans = Vec::new();
    let mut room = width;
    for (action, text) in hints_of(mode) {
        let text = match action {
            Action::Run if app.enrich.pane == Pane::Runs => "open",
            _ => text,
        };
        let Some(key) = app.keymap.keys(mode, *action).first() else { continue };
        let needed = columns::width(key) + columns::width(text) + 4;
        if app.options.is_read_only && action.is_change() || needed > room {
            continue;
        }
        room -= needed;
        spans.push(Span::styled(format!(" {key}"), theme.key));
        spans.push(Span::styled(format!(" {text}  "), theme.dim));
    }
    Line::from(spans)
}
