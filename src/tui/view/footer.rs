//! The last line: a change under way, a notice, or what keys do here.

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
    let told =
        |text: &str, style| Line::styled(format!(" {}", clip(text, usize::from(area.width).saturating_sub(2))), style);
    let problem = app.filter.problem.as_ref().filter(|_| app.screen == Screen::Browse);
    let line = match (&app.notice, problem, &app.job, app.lost()) {
        (Some(notice), ..) => told(&notice.text, if notice.is_error { theme.error } else { theme.good }),
        (None, Some(problem), ..) => told(&safe::line(problem), theme.error),
        (None, None, Some(job), _) => progress(job, theme),
        (None, None, None, Some(reason)) => told(&format!("{}. Reconnecting…", safe::line(reason)), theme.error),
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

/// The actions worth a hint, most wanted first.
fn wanted(mode: Mode) -> &'static [(Action, &'static str)] {
    match mode {
        Mode::Filter | Mode::Search => &[(Action::Accept, "apply"), (Action::Close, "cancel"), (Action::Down, "down")],
        Mode::Confirm => &[(Action::Yes, "yes"), (Action::No, "no")],
        Mode::Input => &[(Action::Accept, "confirm"), (Action::No, "cancel")],
        Mode::Help => &[(Action::Close, "close"), (Action::Down, "down"), (Action::Up, "up")],
        Mode::Enrich => &[
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
        ],
        Mode::Watch => &[
            (Action::Help, "help"),
            (Action::Quit, "quit"),
            (Action::Close, "close"),
            (Action::ReadCommands, "MONITOR"),
            (Action::Down, "older"),
            (Action::Up, "newer"),
        ],
        Mode::Tree => &[
            (Action::Help, "help"),
            (Action::Quit, "quit"),
            (Action::Filter, "filter"),
            (Action::FlushShown, "flush group"),
            (Action::ChangeTtl, "TTL"),
            (Action::Fold, "fold"),
            (Action::NextPane, "next pane"),
            (Action::Refresh, "refresh"),
        ],
        Mode::Inspector => &[
            (Action::Help, "help"),
            (Action::Quit, "quit"),
            (Action::Close, "back"),
            (Action::NextTab, "next tab"),
            (Action::Fold, "fold"),
            (Action::NextBodyView, "JSON/text/hex"),
            (Action::Zoom, "zoom"),
            (Action::CopyUrl, "copy URL"),
        ],
        _ => &[
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
        ],
    }
}

fn hints<'a>(app: &App, width: usize, theme: &Theme) -> Line<'a> {
    let mode = app.mode();
    let mut spans = Vec::new();
    let mut room = width;
    for (action, text) in wanted(mode) {
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
