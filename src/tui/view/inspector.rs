//! Draws the inspector: its tabs and the open page.

use cache_core::redact::{MASK, Secrets};
use cache_core::{Headers, RedisKeyInfo, error_chain};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use crate::output::columns::clip;
use crate::output::columns::skip;
use crate::output::{columns, human, safe};
use crate::tui::app::App;
use crate::tui::app::inspector::Tab;
use crate::tui::app::loadable::Loadable;
use crate::tui::focus::Focus;
use crate::tui::layout::regions::Regions;
use crate::tui::view::frame::draw_frame;
use crate::tui::view::text::{left, right};
use crate::tui::view::theme::Theme;
use crate::tui::view::{body, summary};

/// The number of lines of the open page.
pub fn line_count(app: &App) -> usize {
    match app.inspector.tab {
        Tab::Body => app.inspector.body_lines(),
        Tab::Summary => summary::facts(app).len(),
        Tab::Request | Tab::Response => {
            headers(app).map_or(0, |headers| headers.iter().map(|(_, values)| values.len()).sum::<usize>() + 2)
        }
        Tab::Keys => app.inspector.detail().map_or(0, |detail| detail.inspected.keys.len() + 1),
    }
}

/// The tab at a position of the screen.
pub fn tab_at(app: &App, at: Position) -> Option<Tab> {
    let regions = app.regions();
    let pane = regions.inspector;
    let mut from = pane.x + u16::from(regions.is_framed);
    Tab::ALL.into_iter().find(|tab| {
        let width = tab.name().len() as u16 + 2;
        let area = Rect::new(from, pane.y, width, 1);
        from += width;
        area.contains(at)
    })
}

pub(crate) fn draw(frame: &mut Frame<'_>, regions: &Regions, app: &App, theme: &Theme) {
    if regions.inspector.is_empty() {
        return;
    }
    let inspector = &app.inspector;
    let is_focused = app.focus == Focus::Inspector;
    let tabs = Tab::ALL.into_iter().map(|tab| {
        let style = if tab == inspector.tab { theme.heading_sorted } else { theme.heading };
        Span::styled(format!(" {} ", tab.name()), style)
    });
    let revealed = (app.shown_secrets() == Secrets::Revealed).then(|| Span::styled(" secrets shown ", theme.note));
    let tabs = tabs.chain(revealed);
    draw_frame(frame, regions.inspector, tabs.collect(), regions.is_framed, is_focused, theme);
    let inside = regions.inside(regions.inspector);
    if app.selected().is_none() {
        return;
    }
    if inspector.tab == Tab::Summary {
        return draw_lines(
            frame,
            inside,
            app,
            summary::facts(app).into_iter().map(|fact| fact.line(inside.width, theme)),
        );
    }
    match &inspector.detail {
        Loadable::Ready(Some(detail)) => match inspector.tab {
            Tab::Keys => draw_lines(
                frame,
                inside,
                app,
                keys(&detail.inspected.keys, inside.width, inspector.secrets, theme).into_iter(),
            ),
            Tab::Body => body::draw(frame, inside, regions.inspector, app, theme),
            _ => draw_headers(frame, inside, app, theme),
        },
        Loadable::Ready(None) => draw_message(frame, inside, "This entry no longer exists", theme),
        Loadable::Failed(error) => {
            draw_message(frame, inside, &safe::line(&Secrets::Masked.text(&error_chain(error))), theme);
        }
        Loadable::Loading(_) | Loadable::Idle => draw_message(frame, inside, "…", theme),
    }
}

fn draw_message(frame: &mut Frame<'_>, area: Rect, text: &str, theme: &Theme) {
    frame.render_widget(Line::styled(format!(" {}", clip(text, area.width.into())), theme.dim), area);
}

fn draw_lines<'a>(frame: &mut Frame<'_>, area: Rect, app: &App, lines: impl Iterator<Item = Line<'a>>) {
    for (line, row) in lines.skip(app.inspector.offset).zip(area.rows()) {
        frame.render_widget(line, row);
    }
}

fn headers(app: &App) -> Option<&Headers> {
    let entry = app.inspector.detail()?.inspected.entry.as_ref()?;
    Some(if app.inspector.tab == Tab::Request { &entry.request.headers } else { &entry.response.headers })
}

fn draw_headers(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let entry = app.inspector.detail().and_then(|detail| detail.inspected.entry.as_ref());
    let (Some(entry), Some(headers)) = (entry, headers(app)) else {
        return draw_message(frame, area, "Results have no request or response", theme);
    };
    let secrets = app.inspector.secrets;
    let first = if app.inspector.tab == Tab::Request {
        let url = secrets.url(&entry.request.url);
        Line::from(vec![
            Span::styled(format!(" {} ", safe::line(&secrets.text(&entry.request.method))), theme.key),
            Span::styled(safe::line(skip(&url, app.inspector.shift)).into_owned(), theme.strong),
        ])
    } else {
        let status = entry.response.status_code;
        Line::styled(format!(" {status}"), crate::tui::view::table::status_style(status, theme).patch(theme.strong))
    };
    let names =
        headers.iter().map(|(name, _)| columns::width(&safe::line(&secrets.text(name)))).max().unwrap_or(0).min(28);
    let fields = headers.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
    let fields = fields.map(|(name, value)| {
        let value = secrets.header(name, value);
        let style = if &*value == MASK { theme.faint } else { theme.text };
        Line::from(vec![
            Span::styled(format!(" {}  ", left(&safe::line(&secrets.text(name)), names)), theme.dim),
            Span::styled(safe::line(skip(&value, app.inspector.shift)).into_owned(), style),
        ])
    });
    draw_lines(frame, area, app, [first, Line::default()].into_iter().chain(fields));
}

fn keys<'a>(keys: &[RedisKeyInfo], width: u16, secrets: Secrets, theme: &Theme) -> Vec<Line<'a>> {
    if keys.is_empty() {
        return vec![Line::styled(" No Redis keys (SQLite backend)", theme.dim)];
    }
    let name = usize::from(width).saturating_sub(32).max(12);
    let head = format!(" {} {} {} {}", left("Key", name), left("Type", 8), right("TTL", 8), right("Memory", 10));
    let mut lines = vec![Line::styled(head, theme.heading)];
    lines.extend(keys.iter().map(|key| {
        let ttl = key.ttl.map_or("never".to_owned(), human::duration);
        let memory = key.bytes.map_or("unknown".to_owned(), human::bytes);
        Line::from(vec![
            Span::styled(format!(" {} ", left(&safe::key(&key.key, secrets), name)), theme.text),
            Span::styled(format!("{} ", left(&safe::line(&secrets.text(&key.kind)), 8)), theme.key),
            Span::styled(format!("{} {}", right(&ttl, 8), right(&memory, 10)), theme.dim),
        ])
    }));
    lines
}
