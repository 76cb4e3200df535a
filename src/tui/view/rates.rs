//! Draws the hit rates below the tree: in total and by service, over three windows.

use cache_core::{Counters, StatsWindow};
use ratatui::Frame;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::output::human;
use crate::tui::app::App;
use crate::tui::app::rates::Rate;
use crate::tui::layout::regions::Regions;
use crate::tui::view::frame::draw_frame;
use crate::tui::view::text::{left, right};
use crate::tui::view::theme::Theme;

/// Columns of a rate with its blanks, on wide and on narrow panes.
const RATE: [usize; 2] = [6, 4];

/// Columns of a number of requests, with a blank.
const REQUESTS: usize = 8;

/// From this width on, name, rates and requests of a service fit; below the other, only the rates.
const WIDE: usize = 38;

const NARROW: usize = 30;

pub(crate) fn draw(frame: &mut Frame<'_>, regions: &Regions, app: &App, theme: &Theme) {
    if regions.rates.is_empty() {
        return;
    }
    let inside = regions.inside(regions.rates);
    let hidden = app.rates.height().saturating_sub(inside.height.into());
    let title = match (app.rates.are_counted(), hidden) {
        (false, _) | (true, 0) => " Hit rate ".to_owned(),
        (true, hidden) => format!(" Hit rate · {hidden} more "),
    };
    draw_frame(frame, regions.rates, Line::styled(title, theme.dim), regions.is_framed, false, theme);
    let width = usize::from(inside.width);
    let has_requests = width >= WIDE;
    let rate_width = RATE[usize::from(width < NARROW)];
    let numbers = rate_width * StatsWindow::ALL.len() + if has_requests { REQUESTS } else { 0 };
    let label = width.saturating_sub(numbers + 1);
    let mut rows = inside.rows();
    if app.rates.are_counted()
        && let Some(row) = rows.next()
    {
        let mut heading = " ".repeat(label + 1);
        heading.extend(StatsWindow::ALL.map(|window| right(window.name(), rate_width)));
        if has_requests {
            heading.push_str(&right("in 24h", REQUESTS));
        }
        frame.render_widget(Line::styled(heading, theme.heading), row);
    }
    let rows: Vec<_> = rows.collect();
    for (rate, row) in app.rates.lines(rows.len()).into_iter().zip(rows) {
        let line =
            match rate {
                Rate::Uncounted(why) => Line::styled(format!(" {why}"), theme.dim),
                Rate::Counted(name, windows) => {
                    let mut spans = vec![Span::styled(format!(" {}", left(name, label)), theme.text)];
                    spans.extend(windows.map(|counts| {
                        Span::styled(right(&percent(counts.hit_rate()), rate_width), tone(&counts, theme))
                    }));
                    if has_requests {
                        let [_, day, _] = windows;
                        spans.push(Span::styled(
                            right(&human::count(day.hits.saturating_add(day.misses)), REQUESTS),
                            theme.dim,
                        ));
                    }
                    Line::from(spans)
                }
            };
        frame.render_widget(line, row);
    }
}

/// A rate in whole percents; `100%` only without misses.
fn percent(rate: Option<f64>) -> String {
    rate.map_or_else(|| "-".to_owned(), |rate| format!("{:.0}%", (rate * 100.0 + 1e-9).floor()))
}

pub(crate) fn tone(counts: &Counters, theme: &Theme) -> Style {
    match counts.hit_rate() {
        None => theme.faint,
        Some(rate) if rate >= 0.8 => theme.good,
        Some(rate) if rate >= 0.5 => theme.note,
        Some(_) => theme.bad,
    }
}
