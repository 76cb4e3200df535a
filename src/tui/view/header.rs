//! The first two lines: backend, progress of the scan, and filter line.

use ratatui::Frame;
use ratatui::layout::{Alignment, Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use crate::output::columns::clip;
use crate::output::{columns, human, safe};
use crate::tui::app::App;
use crate::tui::focus::Screen;
use crate::tui::view::theme::Theme;

/// The minimum width of the backend: enough for its kind and the beginning of its address.
const LOCATION: usize = 16;

pub(crate) fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let parts = Parts::new(app);
    let room = usize::from(area.width).saturating_sub(parts.width());
    let mut spans = vec![Span::styled(parts.name, theme.title)];
    for (screen, label) in parts.tabs {
        spans.push(Span::styled(label, if screen == app.screen { theme.tab_open } else { theme.tab }));
    }
    spans.push(Span::raw(" "));
    spans.push(Span::styled(clip(&location(app), room).into_owned(), theme.location));
    for (badge, style) in parts.badges {
        spans.push(Span::raw(" "));
        spans.push(Span::styled(badge, style(theme)));
    }
    frame.render_widget(Line::from(spans), area);
    let width = (columns::width(&parts.progress) as u16).min(area.width);
    let right = Rect { x: area.right() - width, width, ..area };
    Line::from(Span::styled(parts.progress, theme.dim)).render(right, frame.buffer_mut());
}

/// A colored word.
type Badge = (&'static str, fn(&Theme) -> Style);

/// The parts of the first line besides the backend that fit.
struct Parts {
    /// The program name before the tabs; left out on small screens.
    name: &'static str,
    /// From left to right.
    tabs: Vec<(Screen, String)>,
    badges: Vec<Badge>,
    /// The progress of the scan.
    progress: String,
}

impl Parts {
    /// Drops parts until the rest fits: first the progress, then the tab that is not open. Backend and badges stay,
    /// because they identify the cache and whether it may be changed.
    fn new(app: &App) -> Self {
        let width = usize::from(app.size.width);
        let mut parts = Self {
            name: if width >= 60 { " animecache " } else { " " },
            tabs: tabs(app).into(),
            badges: badges(app),
            progress: format!("  {} ", scanned(app)),
        };
        // The age of the listing says more than its counts, and the whole location more than those.
        if parts.width() + LOCATION.max(columns::width(&location(app))) > width && app.scan.ticket.is_none() {
            parts.progress = listed(app).map(|age| format!("  {age} ")).unwrap_or_default();
        }
        if parts.width() + LOCATION > width {
            parts.progress.clear();
        }
        if parts.width() + LOCATION > width {
            parts.tabs.retain(|(screen, _)| *screen == app.screen);
        }
        parts
    }

    /// The width of all parts, with a blank before the backend and before each badge.
    fn width(&self) -> usize {
        let tabs: usize = self.tabs.iter().map(|(_, label)| label.len()).sum();
        let badges: usize = self.badges.iter().map(|(text, _)| text.len() + 1).sum();
        self.name.len() + tabs + 1 + badges + columns::width(&self.progress)
    }
}

/// The tabs with their labels. The label of a running enrichment has its progress.
fn tabs(app: &App) -> [(Screen, String); 2] {
    let enrich = match &app.enrich.running {
        Some(running) => format!(" Enrich {:.0}% ", (running.share() * 100.0).floor()),
        None => " Enrich ".to_owned(),
    };
    [(Screen::Browse, " Browse ".to_owned()), (Screen::Enrich, enrich)]
}

/// The tab at a position of the screen.
pub fn screen_at(app: &App, at: Position) -> Option<Screen> {
    let header = app.regions().header;
    let parts = Parts::new(app);
    let mut from = header.x + parts.name.len() as u16;
    parts.tabs.into_iter().find_map(|(screen, label)| {
        let area = Rect::new(from, header.y, label.len() as u16, header.height);
        from = area.right();
        area.contains(at).then_some(screen)
    })
}

fn location(app: &App) -> String {
    match app.backend() {
        Some(backend) => safe::line(&backend.to_string()).into_owned(),
        None => "Opening the cache…".to_owned(),
    }
}

fn badges(app: &App) -> Vec<Badge> {
    let is_fallback = app.health.as_ref().is_some_and(|health| health.is_fallback);
    let server = app.health.as_ref().and_then(|health| health.server.as_deref());
    let memory = app.rates.memory_share();
    let badges: [(bool, Badge); 7] = [
        (memory >= 1.0, (" FULL ", |theme| theme.badge_lost)),
        ((0.9..1.0).contains(&memory), (" 90% FULL ", |theme| theme.badge_fallback)),
        (server.is_some_and(|server| server.write_problem().is_some()), (" NO WRITES ", |theme| theme.badge_lost)),
        (app.show_lost().is_some(), (" DISCONNECTED ", |theme| theme.badge_lost)),
        (is_fallback, (" FALLBACK ", |theme| theme.badge_fallback)),
        (app.options.is_read_only, (" READ-ONLY ", |theme| theme.badge_read_only)),
        (app.options.is_demo, (" DEMO ", |theme| theme.badge_demo)),
    ];
    badges.into_iter().filter(|(is_shown, _)| *is_shown).map(|(_, badge)| badge).collect()
}

fn scanned(app: &App) -> String {
    let scan = &app.scan;
    let counts = format!("scanned {} of ~{}", human::count(scan.scanned), human::count(scan.total.max(scan.scanned)));
    if scan.ticket.is_some() && scan.total > 0 {
        format!("{counts} {:>3}%", (scan.scanned * 100 / scan.total).min(100))
    } else {
        listed(app).map_or_else(|| counts.clone(), |age| format!("{counts} · {age}"))
    }
}

/// How old the listing is: `now`, `3m ago`.
fn listed(app: &App) -> Option<String> {
    Some(match (app.now - app.scan.listed_at?) as u64 {
        0..10 => "now".to_owned(),
        seconds @ 10..60 => format!("{seconds}s ago"),
        seconds @ 60..3_600 => format!("{}m ago", seconds / 60),
        seconds => format!("{}h ago", seconds / 3_600),
    })
}

pub(crate) fn draw_filter(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let filter = &app.filter;
    let counts = counts(app);
    let counts_width = (columns::width(&counts) as u16 + 1).min(area.width);
    let prompt = if filter.is_active { theme.title } else { theme.dim };
    frame.render_widget(Span::styled(" / ", prompt), area);
    let mut text = Rect { x: area.x + 3, width: area.width.saturating_sub(3 + counts_width + 2), ..area };
    if area.width < 3 {
        return;
    }
    if let Some(touched) = &filter.query.touched {
        let chip = format!(" {} ", clip(&format!("run: {}", touched.name), usize::from(text.width / 2)));
        let width = (columns::width(&chip) as u16 + 1).min(text.width);
        frame.render_widget(Span::styled(chip, theme.badge_demo), Rect { width: width.saturating_sub(1), ..text });
        text = Rect { x: text.x + width, width: text.width - width, ..text };
    }
    if filter.is_active || !filter.text.is_empty() {
        let mut line = filter.text.clone();
        // The footer shows the problem, if there is room.
        let style = if filter.problem.is_some() { theme.bad } else { theme.strong };
        line.set_cursor_line_style(style);
        line.set_style(style);
        if !filter.is_active {
            line.set_cursor_style(style);
        }
        frame.render_widget(&line, text);
    } else {
        let hint = "Filter: words or selectors, e.g. service:jikan status:4xx ttl-under:1h";
        frame.render_widget(Span::styled(clip(hint, text.width.into()), theme.faint), text);
    }
    let right = Rect { x: area.right() - counts_width, width: counts_width, ..area };
    frame.render_widget(Line::from(counts).style(theme.dim).alignment(Alignment::Left), right);
}

fn counts(app: &App) -> String {
    let rows = &app.rows;
    let (shown, all) = (rows.visible().len(), rows.len());
    let entries = if shown == all {
        human::entries(all as u64)
    } else {
        format!("{} of {} entries", human::count(shown as u64), human::count(all as u64))
    };
    let bytes = human::bytes(rows.visible_bytes());
    match rows.marked() {
        _ if app.filter.search.is_some() => format!("searching bodies… {entries} · {bytes}"),
        0 => format!("{entries} · {bytes}"),
        marked => format!("{} marked · {entries} · {bytes}", human::count(marked as u64)),
    }
}
