//! Draws the table of entries: only visible rows, and only columns that fit.

use std::borrow::Cow;

use cache_core::redact::Secrets;
use cache_core::{EntryState, Health, Summary};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::output::columns::{squeeze, wrap};
use crate::output::{columns, human, safe};
use crate::tui::app::App;
use crate::tui::app::rows::Row;
use crate::tui::app::sort::Column;
use crate::tui::focus::Focus;
use crate::tui::layout::regions::Regions;
use crate::tui::view::frame::draw_frame;
use crate::tui::view::text::{left, right};
use crate::tui::view::theme::Theme;

/// From this width of the name on, hosts are shown even if the path is cut.
const HOST_FROM: usize = 60;

/// The mark and a blank.
const MARK: u16 = 2;

/// The columns besides the name, by priority, with their width and the minimum width of the name beside them.
const COLUMNS: [(Column, u16, u16); 7] = [
    (Column::Ttl, 8, 0),
    (Column::State, 10, 10),
    (Column::Size, 8, 20),
    (Column::Age, 7, 22),
    (Column::Status, 7, 34),
    (Column::Method, 7, 38),
    (Column::Service, 13, 40),
];

/// The columns that fit a width, from left to right, with their widths. The name takes the rest.
pub fn columns(width: u16) -> Vec<(Column, u16)> {
    let mut room = width.saturating_sub(MARK);
    let mut columns = Vec::with_capacity(COLUMNS.len() + 1);
    for (column, own, name) in COLUMNS {
        if room < own + 1 + name {
            break;
        }
        room -= own + 1;
        columns.push((column, own));
    }
    columns.push((Column::Name, room));
    columns.sort_unstable();
    columns
}

/// The column at a position of the table head.
pub fn column_at(head: Rect, x: u16) -> Option<Column> {
    let mut from = head.x + MARK;
    columns(head.width).into_iter().find_map(|(column, width)| {
        let range = from..from + width + 1;
        from = range.end;
        range.contains(&x).then_some(column)
    })
}

pub(crate) fn draw(frame: &mut Frame<'_>, regions: &Regions, app: &App, theme: &Theme) {
    if regions.table.is_empty() {
        return;
    }
    let is_focused = app.focus == Focus::Table;
    if regions.is_framed {
        draw_frame(frame, regions.table, title(app, theme), true, is_focused, theme);
    }
    let head = regions.table_head();
    let columns = columns(head.width);
    frame.render_widget(head_line(&columns, app, theme), head);
    let rows = regions.table_rows();
    if app.rows.visible().is_empty() {
        let room = usize::from(rows.width).saturating_sub(2 * usize::from(MARK));
        for (text, row) in nothing(app).iter().flat_map(|text| wrap(text, room)).zip(rows.rows()) {
            frame.render_widget(Line::styled(format!("  {text}"), theme.dim), row);
        }
    }
    for (at, area) in (app.table.offset..).zip(rows.rows()) {
        let Some(row) = app.rows.visible().get(at).and_then(|row| app.rows.get(*row)) else { break };
        let style = match (at == app.table.cursor, is_focused) {
            (true, true) => theme.selected,
            (true, false) => theme.selected_unfocused,
            (false, _) if app.is_in_range(at) => theme.in_range,
            (false, _) => Style::default(),
        };
        let mut line = row_line(row, &columns, app, theme).style(style);
        if style != Style::default() {
            // Not every color can be read on the background of the row.
            line.spans.iter_mut().for_each(|span| span.style.fg = None);
        }
        frame.render_widget(line, area);
    }
}

fn title<'a>(app: &App, theme: &Theme) -> Line<'a> {
    let name = if app.tree.chosen == 0 { "Entries".to_owned() } else { app.tree.path(app.tree.chosen) };
    Line::styled(format!(" {name} "), theme.dim)
}

/// The text of an empty table. An empty fallback does not mean that the configured cache is empty.
fn nothing(app: &App) -> Vec<Cow<'_, str>> {
    let stand_in = app.health.as_ref().filter(|health| health.is_fallback);
    if app.health.is_none() || app.scan.ticket.is_some() && app.rows.is_empty() {
        vec!["Loading…".into()]
    } else if app.rows.is_empty() && app.show_lost().is_some() {
        vec!["Backend unreachable".into()]
    } else if let (true, Some(Health { backend, problem, .. })) = (app.rows.is_empty(), stand_in) {
        let problem = safe::line(problem.as_deref().unwrap_or("The configured backend is unreachable"));
        let backend = safe::line(&backend.to_string()).into_owned();
        vec![
            problem,
            "".into(),
            format!("Using {backend} as a fallback; it is empty.").into(),
            "Reconnecting to the configured backend…".into(),
        ]
    } else if app.rows.is_empty() {
        vec!["The cache is empty".into()]
    } else if let Some(hint) = &app.filter.query.hint {
        vec![format!("No entries match. Did you mean {hint}? Press Esc to clear the filter.").into()]
    } else {
        vec!["No entries match. Press Esc to clear the filter.".into()]
    }
}

fn head_line<'a>(columns: &[(Column, u16)], app: &App, theme: &Theme) -> Line<'a> {
    let sort = app.rows.sort();
    let mut spans = vec![Span::raw(" ".repeat(MARK.into()))];
    for (column, width) in columns {
        let is_sorted = sort.by == *column;
        let name = match column {
            Column::Method => "Method",
            Column::Service => "Service",
            Column::Name => "URL or arguments",
            Column::Status => "Status",
            Column::Size => "Size",
            Column::Age => "Age",
            Column::Ttl => "TTL",
            Column::State => "State",
        };
        let arrow = match (is_sorted, sort.is_reversed) {
            (false, _) => "",
            (true, false) => "↑",
            (true, true) => "↓",
        };
        let text = format!("{name}{arrow}");
        let text = if is_right(*column) { right(&text, (*width).into()) } else { left(&text, (*width).into()) };
        spans.push(Span::styled(text, if is_sorted { theme.heading_sorted } else { theme.heading }));
        spans.push(Span::raw(" "));
    }
    Line::from(spans)
}

fn is_right(column: Column) -> bool {
    matches!(column, Column::Size | Column::Age | Column::Ttl | Column::Status)
}

fn row_line<'a>(row: &'a Row, columns: &[(Column, u16)], app: &App, theme: &Theme) -> Line<'a> {
    let entry = &*row.entry;
    let mut spans = Vec::with_capacity(columns.len() * 3 + 1);
    spans.push(if row.is_marked { Span::styled("● ", theme.mark) } else { Span::raw("  ") });
    for (column, width) in columns {
        let width = usize::from(*width);
        if *column == Column::Name {
            push_name(&mut spans, entry, width, theme);
        } else {
            let (text, style) = cell(*column, entry, app.now, theme);
            let text = if is_right(*column) { right(&text, width) } else { left(&text, width) };
            spans.push(Span::styled(text, style));
        }
        spans.push(Span::raw(" "));
    }
    Line::from(spans)
}

fn cell(column: Column, entry: &Summary, now: f64, theme: &Theme) -> (Cow<'static, str>, Style) {
    let http = entry.http.as_deref();
    match column {
        Column::Method => (
            http.map_or("".into(), |http| safe::line(&Secrets::Masked.text(&http.method)).into_owned().into()),
            theme.dim,
        ),
        Column::Service => (entry.service.name().into(), theme.dim),
        Column::Status => match http {
            Some(http) => (http.status.to_string().into(), status_style(http.status, theme)),
            None => ("".into(), theme.dim),
        },
        Column::Size => (human::bytes(entry.size).into(), theme.dim),
        Column::Age => match entry.age(now) {
            Some(age) => (human::duration(age).into(), theme.dim),
            None => ("".into(), theme.dim),
        },
        Column::Ttl => ttl(entry, now, theme),
        Column::State => state(entry, now, theme),
        Column::Name => ("".into(), theme.text),
    }
}

/// The remaining TTL, colored by urgency.
pub(crate) fn ttl(entry: &Summary, now: f64, theme: &Theme) -> (Cow<'static, str>, Style) {
    match entry.ttl(now) {
        None => (human::ttl(None, entry.is_expiry_unknown()).into(), theme.dim),
        Some(ttl) if ttl <= 0.0 => ("expired".into(), theme.faint),
        Some(ttl) if ttl < 60.0 => (human::duration(ttl).into(), theme.bad),
        Some(ttl) if ttl < 3_600.0 => (human::duration(ttl).into(), theme.note),
        Some(ttl) => (human::duration(ttl).into(), theme.text),
    }
}

/// Freshness, or the state if it is not live.
pub(crate) fn state(entry: &Summary, now: f64, theme: &Theme) -> (Cow<'static, str>, Style) {
    match (entry.state, entry.is_fresh(now)) {
        (EntryState::Live, _) if entry.ttl(now).is_some_and(|ttl| ttl <= 0.0) => ("expired".into(), theme.faint),
        (EntryState::Live, Some(true)) => ("fresh".into(), theme.good),
        (EntryState::Live, Some(false)) => ("stale".into(), theme.note),
        (EntryState::Live, None) => ("live".into(), theme.dim),
        (EntryState::Incomplete | EntryState::Corrupt | EntryState::Orphan, _) => {
            (entry.state.name().into(), theme.bad)
        }
        (EntryState::Deleted, _) => (entry.state.name().into(), theme.faint),
    }
}

pub(crate) fn status_style(status: u16, theme: &Theme) -> Style {
    match status {
        200..=299 => theme.dim,
        300..=399 => theme.key,
        400..=499 => theme.note,
        _ => theme.bad,
    }
}

/// Whether its key is its only name.
fn is_nameless(entry: &Summary) -> bool {
    match (&entry.http, entry.result_key()) {
        (Some(http), _) => http.url.is_empty() && http.title.as_deref().is_none_or(str::is_empty),
        (None, Some(key)) => key.prefix.is_empty() && key.arguments.is_empty(),
        (None, None) => true,
    }
}

/// The name of an entry: the path of its URL, brighter than its host; its title; or the arguments of a result. It is
/// cut in the middle if it does not fit.
fn push_name<'a>(spans: &mut Vec<Span<'a>>, entry: &'a Summary, width: usize, theme: &Theme) {
    let mut room = width;
    let mut push = |text: &str, most: usize, style: Style| {
        let text = squeeze(text, room.min(most)).into_owned();
        room = room.saturating_sub(columns::width(&text));
        if !text.is_empty() {
            spans.push(Span::styled(text, style));
        }
    };
    if is_nameless(entry) {
        push(&safe::key(&entry.id.redis_key(), Secrets::Masked), width, theme.text);
    } else if let Some(http) = &entry.http {
        let url = Secrets::Masked.url(&http.url);
        let url = safe::line(url.split_once("://").map_or(&*url, |(_, rest)| rest));
        let (host, path) = url.split_at(url.find(['/', '?', '#']).unwrap_or(url.len()));
        let title = http.title.as_deref().filter(|title| !title.is_empty());
        let title = title.map(|title| safe::line(&Secrets::Masked.text(title)).into_owned());
        let path = if path == "/" { "" } else { path };
        // On narrow screens no row has the host: the tree shows it, too.
        let has_host = width >= HOST_FROM || path.is_empty() && title.is_none();
        if has_host {
            push(host, width, theme.dim);
        }
        push(path, if title.is_some() { width / 2 } else { width }, theme.text);
        if let Some(title) = &title {
            if has_host || !path.is_empty() {
                push(" ", 1, theme.text);
            }
            push(title, width, theme.strong);
        }
    } else if let Some(key) = entry.result_key() {
        let (prefix, arguments) = (safe::key(key.prefix, Secrets::Masked), safe::key(key.arguments, Secrets::Masked));
        // On narrow screens only the arguments are shown: the tree shows the function, too.
        let left_over = width.saturating_sub(columns::width(&arguments) + 1).max(width / 2);
        push(&prefix, left_over, theme.dim);
        push(" ", 1, theme.dim);
        push(&arguments, width, theme.text);
    }
    spans.push(Span::raw(" ".repeat(room)));
}
