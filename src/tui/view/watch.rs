//! Draws the watch panel: the sample, hit rates by service, and the latest events.

use cache_core::{CacheEvent, CacheKind, EventCounts, EventKind, EventSource, ServiceName};
use jiff::Timestamp;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::output::columns::clip;
use crate::output::event::{service, what};
use crate::output::{human, safe};
use crate::tui::action::Action;
use crate::tui::app::App;
use crate::tui::app::watch::{Environment, Watch};
use crate::tui::keymap::Mode;
use crate::tui::layout::regions::Regions;
use crate::tui::view::frame::draw_frame;
use crate::tui::view::text::{left, right};
use crate::tui::view::theme::Theme;

/// The minimum number of shown events.
const EVENTS: u16 = 3;

pub(crate) fn draw(frame: &mut Frame<'_>, regions: &Regions, app: &App, theme: &Theme) {
    let Some(watch) = &app.watch else { return };
    let title = Line::styled(" Watch ", theme.heading_sorted);
    frame.render_widget(ratatui::widgets::Clear, regions.panes);
    draw_frame(frame, regions.panes, title, regions.is_framed, true, theme);
    let inside = regions.inside(regions.panes);
    let mut lines = about(app, watch, theme);
    lines.push(Line::default());
    lines.extend(rates(watch, theme));
    lines.push(Line::default());
    // On a small screen, events have priority over the last services.
    lines.truncate(usize::from(inside.height.saturating_sub(EVENTS)));
    let room = usize::from(inside.height).saturating_sub(lines.len());
    let events = watch.events.iter().skip(watch.offset).take(room);
    lines.extend(events.map(|event| line(event, app, inside.width, theme)));
    for (line, row) in lines.into_iter().zip(inside.rows()) {
        frame.render_widget(line, Rect { x: row.x + 1, width: row.width.saturating_sub(2), ..row });
    }
}

/// The description of the sample.
fn about<'a>(app: &App, watch: &Watch, theme: &Theme) -> Vec<Line<'a>> {
    let (source, blind) = match watch.source {
        EventSource::Notifications { .. } => ("keyspace notifications", "result hits not visible"),
        EventSource::Commands { .. } => ("MONITOR", "expirations and evictions not visible"),
    };
    let until = match watch.stage {
        Environment::Over(at, _) => at as f64,
        _ => app.now,
    };
    let sample = match (watch.since, &watch.stage) {
        (Some(since), _) => {
            let (began, length) = (time(app, since), human::duration(until - since));
            format!("Since {began} ({length}), by {source}; {blind}")
        }
        (None, Environment::Over(..)) => "Not watching".to_owned(),
        (None, _) => "Starting…".to_owned(),
    };
    let mut lines = vec![Line::styled(sample, theme.strong)];
    let mut second = Vec::new();
    match &watch.stage {
        Environment::Over(_, reason) => {
            let key = app.keymap.keys(Mode::Watch, Action::ReadCommands).first().cloned().unwrap_or_default();
            second.push(Span::styled(format!("Stopped: {reason}."), theme.note));
            second.push(Span::styled(format!(" Press {key} to use MONITOR for 10 s."), theme.dim));
        }
        _ => second.push(match &watch.was {
            Some(was) => {
                let text =
                    format!("notify-keyspace-events was changed from {:?} and will be restored", safe::line(was));
                Span::styled(text, theme.note)
            }
            None => Span::styled("Server settings unchanged", theme.dim),
        }),
    }
    if watch.sample.gaps > 0 {
        let unseen = watch.sample.unseen.as_secs_f64();
        second.push(Span::styled(
            format!("; disconnected {} ({unseen:.1} s)", human::counted(watch.sample.gaps, "time")),
            theme.bad,
        ));
    }
    if watch.sample.lost > 0 {
        second.push(Span::styled(format!("; {} events dropped", human::count(watch.sample.lost)), theme.bad));
    }
    lines.push(Line::from(second));
    lines
}

fn rates<'a>(watch: &Watch, theme: &Theme) -> Vec<Line<'a>> {
    if watch.sample.counts.is_empty() {
        let text = if watch.since.is_some() { "No events yet" } else { "" };
        return vec![Line::styled(text, theme.dim)];
    }
    let heading = row(
        "Service",
        "Kind",
        ["Hit rate", "Hits", "Misses", "Stores", "Expired", "Evicted", "Deleted"].map(str::to_owned),
    );
    let mut lines = vec![Line::styled(heading, theme.heading)];
    let of = |((service, cache), happened): (&(Option<ServiceName>, CacheKind), &EventCounts)| {
        rate(watch.source, *service, *cache, happened, theme)
    };
    lines.extend(watch.sample.counts.iter().map(of));
    lines
}

fn rate<'a>(
    source: EventSource,
    of: Option<ServiceName>,
    cache: CacheKind,
    happened: &EventCounts,
    theme: &Theme,
) -> Line<'a> {
    let number = |kind| human::maybe_count(source.can_observe(kind, cache).then(|| happened.get(kind)));
    let rate = happened.hit_rate().filter(|_| source.can_observe(EventKind::Hit, cache));
    let numbers = [
        human::share(rate),
        number(EventKind::Hit),
        number(EventKind::Miss),
        number(EventKind::Store),
        number(EventKind::Expire),
        number(EventKind::Evict),
        number(EventKind::Remove),
    ];
    Line::styled(row(service(of), cache.name(), numbers), theme.text)
}

/// As wide as the panel on a screen of 80 columns.
fn row(service: &str, kind: &str, [rate, numbers @ ..]: [String; 7]) -> String {
    let numbers = numbers.map(|number| right(&number, 8)).concat();
    format!("{} {}{}{numbers}", left(service, 13), left(kind, 6), right(&rate, 8))
}

fn line<'a>(event: &CacheEvent, app: &App, width: u16, theme: &Theme) -> Line<'a> {
    let what = what(event);
    let room = usize::from(width).saturating_sub(41);
    Line::from(vec![
        Span::styled(left(&time(app, event.at), 9), theme.dim),
        Span::styled(left(event.kind.name(), 8), style(event.kind, theme)),
        Span::styled(left(service(event.service), 14), theme.text),
        Span::styled(left(event.cache.name(), 7), theme.dim),
        Span::styled(clip(&what, room).into_owned(), theme.text),
    ])
}

fn style(kind: EventKind, theme: &Theme) -> Style {
    match kind {
        EventKind::Hit => theme.good,
        EventKind::Miss => theme.note,
        EventKind::Store => theme.strong,
        EventKind::Evict => theme.bad,
        EventKind::Refresh | EventKind::Expire | EventKind::Remove => theme.dim,
    }
}

fn time(app: &App, at: f64) -> String {
    Timestamp::from_second(at as i64)
        .map_or_else(|_| "invalid".to_owned(), |at| at.to_zoned(app.zone.clone()).strftime("%H:%M:%S").to_string())
}
