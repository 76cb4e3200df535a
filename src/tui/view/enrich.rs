//! Draws the Enrich tab: titles, services and runs on the left, and one run on the right.

pub(crate) mod run_report;
pub(crate) mod time;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::anime::Anime;
use crate::enrich::history::Run;
use crate::enrich::report::Verdict;
use crate::output::columns::clip;
use crate::output::{columns, human, safe};
use crate::services::SERVICES;
use crate::tui::action::Action;
use crate::tui::app::App;
use crate::tui::app::enrich::{OutcomeView, Place};
use crate::tui::app::loadable::Loadable;
use crate::tui::app::run_report::NAME;
use crate::tui::focus::Pane;
use crate::tui::keymap::Mode;
use crate::tui::layout::regions::Regions;
use crate::tui::view::frame::draw_frame;
use crate::tui::view::text::{left, right};
use crate::tui::view::theme::Theme;

/// Columns to the right of a title, with a blank.
const KIND: usize = 11;

/// With fewer columns, the host of a service is left out.
const HOST: usize = 14;
/// Columns of the result of a run, with a blank; a longer result takes more.
const RESULT: usize = 9;

pub(crate) fn draw(frame: &mut Frame<'_>, regions: &Regions, app: &App, theme: &Theme) {
    draw_search(frame, regions.filter, app, theme);
    let panes = app.enrich_panes();
    draw_titles(frame, panes.titles, regions, app, theme);
    draw_services(frame, panes.services, regions, app, theme);
    draw_runs(frame, panes.runs, regions, app, theme);
    run_report::draw(frame, panes.outcome, regions, app, theme);
}

fn draw_search(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let enrich = &app.enrich;
    let (found, all) = (enrich.found.len(), enrich.titles().len());
    let counts = match &enrich.title_list {
        Loadable::Ready(_) if found == all => format!("{} titles ", human::count(all as u64)),
        Loadable::Ready(_) => format!("{} of {} titles ", human::count(found as u64), human::count(all as u64)),
        _ => String::new(),
    };
    let counts_width = (columns::width(&counts) as u16).min(area.width);
    frame.render_widget(Span::styled(" / ", if enrich.is_searching { theme.title } else { theme.dim }), area);
    if area.width < 3 {
        return;
    }
    let text = Rect { x: area.x + 3, width: area.width.saturating_sub(3 + counts_width + 1), ..area };
    if enrich.is_searching || !enrich.search.is_empty() {
        let mut line = enrich.search.clone();
        line.set_cursor_line_style(theme.strong);
        line.set_style(theme.strong);
        if !enrich.is_searching {
            line.set_cursor_style(theme.strong);
        }
        frame.render_widget(&line, text);
    } else {
        let hint = "Search titles";
        frame.render_widget(Span::styled(clip(hint, text.width.into()), theme.faint), text);
    }
    let at = Rect { x: area.right() - counts_width, width: counts_width, ..area };
    frame.render_widget(Line::from(counts).style(theme.dim).alignment(Alignment::Right), at);
}

/// A list in its frame, with the lines that are on the screen.
fn draw_list<'a>(
    frame: &mut Frame<'_>,
    (pane, area): (Pane, Rect),
    (title, count, place): (&str, usize, Place),
    (regions, app, theme): (&Regions, &App, &Theme),
    line: impl Fn(usize, usize) -> Line<'a>,
) {
    if area.is_empty() {
        return;
    }
    let is_focused = app.enrich.pane == pane && !app.enrich.is_searching;
    let title = Line::styled(format!(" {title} "), theme.dim);
    draw_frame(frame, area, title, regions.is_framed, is_focused, theme);
    for (at, row) in (place.offset..count).zip(regions.inside(area).rows()) {
        let style = match (at == place.cursor, is_focused) {
            (true, true) => theme.selected,
            (true, false) => theme.selected_unfocused,
            (false, _) => theme.text,
        };
        frame.render_widget(line(at, row.width.into()).style(style), row);
    }
}

/// The text of an empty list.
fn draw_messages(frame: &mut Frame<'_>, area: Rect, regions: &Regions, texts: &[(String, Style)]) {
    let texts = texts.iter().zip(regions.inside(area).rows().skip(1));
    for ((text, style), row) in texts {
        let text = clip(text, usize::from(row.width).saturating_sub(2)).into_owned();
        frame.render_widget(Line::styled(format!(" {text}"), *style), row);
    }
}

fn draw_titles(frame: &mut Frame<'_>, area: Rect, regions: &Regions, app: &App, theme: &Theme) {
    let enrich = &app.enrich;
    let list = ("Titles", enrich.found.len(), enrich.title);
    draw_list(frame, (Pane::Titles, area), list, (regions, app, theme), |at, width| {
        enrich
            .found
            .get(at)
            .and_then(|at| enrich.titles().get(*at))
            .map(|anime| title(anime, width, theme))
            .unwrap_or_default()
    });
    let words = match &enrich.title_list {
        Loadable::Idle | Loadable::Loading(_) => vec![("Loading titles…".to_owned(), theme.dim)],
        Loadable::Failed(problem) => {
            vec![("Cannot load titles:".to_owned(), theme.bad), (safe::line(problem).into_owned(), theme.bad)]
        }
        Loadable::Ready(_) if enrich.found.is_empty() => {
            vec![("No titles match".to_owned(), theme.dim)]
        }
        Loadable::Ready(_) => Vec::new(),
    };
    draw_messages(frame, area, regions, &words);
}

fn title<'a>(anime: &Anime, width: usize, theme: &Theme) -> Line<'a> {
    let kind = anime.kind.as_deref().unwrap_or_default();
    let episodes = match anime.episodes {
        Some(0 | 1) => String::new(),
        Some(count) => count.to_string(),
        None => "–".to_owned(),
    };
    let kind = format!("{} {episodes:>4}", clip(&safe::line(kind), 5));
    let room = width.saturating_sub(KIND + 2);
    Line::from(vec![
        Span::raw(" "),
        Span::raw(left(&safe::line(&anime.title), room)),
        Span::styled(right(&kind, KIND), theme.dim),
        Span::raw(" "),
    ])
}

fn draw_services(frame: &mut Frame<'_>, area: Rect, regions: &Regions, app: &App, theme: &Theme) {
    let enrich = &app.enrich;
    let list = ("Services", SERVICES.len(), enrich.service);
    let subject = enrich.subject().ok();
    draw_list(frame, (Pane::Services, area), list, (regions, app, theme), |at, width| {
        let Some(service) = SERVICES.get(at).copied() else { return Line::default() };
        let is_known = subject.is_none_or(|anime| anime.is_at(service));
        let mark =
            if enrich.is_ticked(service) { Span::styled("● ", theme.mark) } else { Span::styled("○ ", theme.dim) };
        let room = width.saturating_sub(NAME + 4);
        let place = if is_known && room < HOST {
            String::new()
        } else if is_known {
            safe::line(enrich.host(service).unwrap_or_default()).into_owned()
        } else {
            "no ID".to_owned()
        };
        let name = left(service.name(), NAME);
        Line::from(vec![
            Span::raw(" "),
            mark,
            if is_known { Span::raw(name) } else { Span::styled(name, theme.dim) },
            Span::styled(right(&place, room), if is_known { theme.dim } else { theme.note }),
            Span::raw(" "),
        ])
    });
}

fn draw_runs(frame: &mut Frame<'_>, area: Rect, regions: &Regions, app: &App, theme: &Theme) {
    let enrich = &app.enrich;
    let list = ("Runs", enrich.run_count(), enrich.run);
    draw_list(frame, (Pane::Runs, area), list, (regions, app, theme), |at, width| match enrich.run_at(at) {
        OutcomeView::Running(running) => {
            let share = format!("{:.0}%", (running.share() * 100.0).floor());
            run_line(("now", &running.title), (&share, theme.note), width, theme)
        }
        OutcomeView::Run(run) => {
            let (result, style) = result(run, theme);
            run_line((&when(run.at, app.now, &app.zone), &run.report.title), (&result, style), width, theme)
        }
        OutcomeView::Nothing => Line::default(),
    });
    if enrich.run_count() > 0 {
        return;
    }
    let words = match &enrich.history {
        Loadable::Idle | Loadable::Loading(_) => vec![("Loading runs…".to_owned(), theme.dim)],
        Loadable::Failed(problem) => vec![(problem.clone(), theme.bad)],
        Loadable::Ready(()) => {
            let key = app.keymap.keys(Mode::Enrich, Action::Run).first().cloned().unwrap_or_default();
            vec![("No runs yet".to_owned(), theme.dim), (format!("Press {key} to start one"), theme.faint)]
        }
    };
    draw_messages(frame, area, regions, &words);
}

fn run_line<'a>((when, title): (&str, &str), (result, style): (&str, Style), width: usize, theme: &Theme) -> Line<'a> {
    let result_width = RESULT.max(columns::width(result) + 1);
    let room = width.saturating_sub(7 + result_width + 2);
    Line::from(vec![
        Span::styled(format!(" {}", left(when, 7)), theme.dim),
        Span::raw(left(&safe::line(title), room)),
        Span::styled(right(result, result_width), style),
        Span::raw(" "),
    ])
}

/// The time for today, the date for other days.
fn when(at: f64, now: f64, zone: &TimeZone) -> String {
    let of = |at: f64| Timestamp::from_second(at as i64).map(|at| at.to_zoned(zone.clone()));
    match (of(at), of(now)) {
        (Ok(at), Ok(now)) if at.date() == now.date() => at.strftime("%H:%M").to_string(),
        (Ok(at), _) => at.strftime("%b %d").to_string(),
        _ => "?".to_owned(),
    }
}

/// The result of a run in a word.
fn result(run: &Run, theme: &Theme) -> (String, Style) {
    match run.report.verdict() {
        Verdict::Failed(failed) => (format!("{failed} failed"), theme.bad),
        Verdict::Different => ("differs".to_owned(), theme.bad),
        Verdict::Incomplete(_) => ("incomplete".to_owned(), theme.bad),
        Verdict::Unverified(_) => ("not cached".to_owned(), theme.bad),
        Verdict::Good if run.report.was_cached() => ("cached".to_owned(), theme.dim),
        Verdict::Good => (run.report.speedup.map_or_else(|| "done".to_owned(), human::times), theme.good),
    }
}
