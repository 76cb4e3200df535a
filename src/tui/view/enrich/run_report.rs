//! Draws a run: the progress of each service, or the report with both passes and all problems.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::enrich::history::Run;
use crate::enrich::metrics::PassMetrics;
use crate::enrich::report::{PassReport, ServiceReport};
use crate::output::columns::clip;
use crate::output::columns::wrap;
use crate::output::{human, safe};
use crate::tui::app::enrich::{OutcomeView, PassTally, Running, ServiceTally, share_of};
use crate::tui::app::run_report::{NAME, ReportLine as Part};
use crate::tui::app::{App, run_report};
use crate::tui::focus::Pane;
use crate::tui::layout::regions::Regions;
use crate::tui::view::enrich::time::format_timestamp;
use crate::tui::view::frame::draw_frame;
use crate::tui::view::text::{left, right};
use crate::tui::view::theme::Theme;

/// Columns of the duration of a pass, of hits and of bytes, each with a blank.
const TIME: usize = 10;

const HITS: usize = 9;

const BYTES: usize = 10;

pub(crate) fn draw(frame: &mut Frame<'_>, area: Rect, regions: &Regions, app: &App, theme: &Theme) {
    if area.is_empty() {
        return;
    }
    let is_focused = app.enrich.pane == Pane::Outcome;
    let shown = app.enrich.outcome_view();
    let title = match shown {
        OutcomeView::Nothing => " Run ".to_owned(),
        OutcomeView::Running(Running { title, .. }) => format!(" {} ", safe::line(title)),
        OutcomeView::Run(run) => {
            format!(" {} · {} ", safe::line(&run.report.title), format_timestamp(run.at, &app.zone))
        }
    };
    let title = clip(&title, usize::from(area.width).saturating_sub(4)).into_owned();
    draw_frame(frame, area, Line::styled(title, theme.heading_sorted), regions.is_framed, is_focused, theme);
    let width = run_report::width(regions.inside(area).width);
    let lines: Vec<Line<'_>> = match shown {
        OutcomeView::Nothing => idle(width, theme),
        OutcomeView::Running(running) => live(running, app.now, width, regions.inside(area).height.into(), theme),
        OutcomeView::Run(run) => {
            let parts = run_report::lines(run, width);
            parts.iter().skip(app.enrich.outcome_offset).map(|part| line(part, run, width, theme)).collect()
        }
    };
    for (line, row) in lines.into_iter().zip(regions.inside(area).rows()) {
        frame.render_widget(line, Rect { x: row.x + row.width.min(1), width: row.width.saturating_sub(2), ..row });
    }
}

/// Before the first run.
fn idle<'a>(width: usize, theme: &Theme) -> Vec<Line<'a>> {
    let texts = [
        "An enrichment run fetches everything about the title from the selected services through the cache, twice.",
        "",
        "The cold pass contacts the services and respects their rate limits. The warm pass must be served from the cache \
         alone and return identical data.",
    ];
    texts.iter().flat_map(|text| wrap(text, width)).map(|text| Line::styled(text, theme.dim)).collect()
}

fn live<'a>(running: &Running, now: f64, width: usize, height: usize, theme: &Theme) -> Vec<Line<'a>> {
    let pass = if running.is_warm() { "Warm pass" } else { "Cold pass" };
    let mut lines = vec![
        Line::from(vec![
            Span::styled(pass, theme.strong),
            Span::styled(format!(" · {} · Esc to cancel", human::duration(running.time(now).as_secs_f64())), theme.dim),
        ]),
        Line::default(),
    ];
    let facts_width = HITS + BYTES + TIME + 4;
    let has_facts = width >= NAME + HITS + TIME + facts_width + 8;
    let has_room_below = NAME + facts_width <= width && lines.len() + 2 * running.services.len() <= height;
    for of in &running.services {
        lines.push(service(of, width, has_facts, theme));
        if !has_facts && has_room_below {
            let indent = " ".repeat(NAME);
            lines.push(Line::styled(indent + &facts(&of.latest().tally).concat(), theme.dim));
        }
    }
    lines
}

/// The metrics of a service so far: hits, bytes and waiting.
fn facts(tally: &PassMetrics) -> [String; 3] {
    [
        right(&format!("{} hits", human::count(tally.hits)), HITS),
        right(&human::bytes(tally.bytes), BYTES),
        right(&waited(tally.waited.as_secs_f64()), TIME + 4),
    ]
}

fn service<'a>(of: &ServiceTally, width: usize, has_facts: bool, theme: &Theme) -> Line<'a> {
    let PassTally { tally, time, is_ok } = of.latest();
    let (state, style) = match is_ok {
        Some(true) => (human::latency(time.map(|time| time.as_secs_f64())), theme.good),
        Some(false) => ("failed".to_owned(), theme.bad),
        None if tally.is_waiting => ("waiting".to_owned(), theme.note),
        None => ("fetching".to_owned(), theme.dim),
    };
    let requests = right(&format!("{}/{}", human::count(tally.requests), human::count(tally.expected)), HITS);
    let facts = if has_facts { facts(tally) } else { Default::default() };
    let fixed = NAME + HITS + TIME + facts.iter().map(String::len).sum::<usize>();
    let room = width.saturating_sub(fixed).min(40);
    let filled = ((share_of(tally) * room as f64) as usize).min(room);
    let mut spans = vec![
        Span::styled(left(of.service.name(), NAME), theme.text),
        Span::styled("━".repeat(filled), if of.is_warm() { theme.good } else { theme.note }),
        Span::styled("─".repeat(room - filled), theme.frame),
        Span::styled(requests, theme.text),
    ];
    spans.extend(facts.map(|fact| Span::styled(fact, theme.dim)));
    spans.push(Span::styled(right(&state, TIME), style));
    Line::from(spans)
}

fn waited(seconds: f64) -> String {
    if seconds < 0.05 { String::new() } else { format!("waited {seconds:.1} s") }
}

fn line<'a>(part: &Part, run: &Run, width: usize, theme: &Theme) -> Line<'a> {
    let report = &run.report;
    match part {
        Part::Blank => Line::default(),
        Part::Columns => Line::styled(
            row(width, "Service", ["Requests", "Size", "Cold", "Hits", "Warm", "Speedup", "Data"]),
            theme.heading,
        ),
        Part::Service(at) => {
            report.services.get(*at).map(|service| service_lines(service, width, theme)).unwrap_or_default()
        }
        Part::All => {
            let sum =
                |pick: fn(&PassReport) -> u64| report.services.iter().map(|service| pick(&service.cold)).sum::<u64>();
            let cells = [
                human::count(sum(|pass| pass.requests)),
                human::bytes(sum(|pass| pass.bytes)),
                cold(report.cold_seconds, report.was_cached()),
                hits(&report.services.iter().filter_map(|service| service.warm).collect::<Vec<_>>()),
                human::latency(report.warm_seconds),
                report.displayed_speedup().map_or_else(|| "-".to_owned(), human::times),
            ];
            spans(width, "Total", cells, report.identical, theme, true)
        }
        Part::Note(text) => Line::styled(text.clone(), theme.note),
        Part::Problem(name, text) => Line::from(vec![
            Span::styled(left(name, run_report::NAME), theme.bad),
            Span::styled(text.clone(), theme.text),
        ]),
        Part::More(text) => Line::from(vec![Span::raw(" ".repeat(NAME)), Span::styled(text.clone(), theme.text)]),
        Part::Bar { name, is_warm, seconds, share } => {
            let room = width.saturating_sub(NAME + TIME + 1);
            let filled = ((share * room as f64).round() as usize).clamp(1, room.max(1));
            let style = if *is_warm { theme.good } else { theme.note };
            Line::from(vec![
                Span::styled(left(name, NAME), theme.text),
                Span::styled(if *is_warm && filled == 1 { "╸".to_owned() } else { "━".repeat(filled) }, style),
                Span::styled(format!(" {}", human::latency(Some(*seconds))), theme.dim),
            ])
        }
    }
}

fn service_lines<'a>(service: &ServiceReport, width: usize, theme: &Theme) -> Line<'a> {
    let PassReport { requests, bytes, .. } = service.cold;
    let cells = [
        human::count(requests),
        human::bytes(bytes),
        cold(service.cold.seconds, service.was_cached()),
        hits(service.warm.as_slice()),
        human::latency(service.warm.map(|pass| pass.seconds)),
        match service.displayed_speedup() {
            Some(speedup) => human::times(speedup),
            None => if service.ok { "-" } else { "failed" }.to_owned(),
        },
    ];
    let is_same = service.identical;
    spans(width, service.service.name(), cells, is_same, theme, service.ok)
}

/// The duration of the cold pass. If everything was cached already, there was no cold pass.
fn cold(seconds: f64, was_cached: bool) -> String {
    if was_cached { "cached".to_owned() } else { human::latency(Some(seconds)) }
}

/// `26/26`: hits and requests.
fn hits(passes: &[PassReport]) -> String {
    if passes.is_empty() {
        return "-".to_owned();
    }
    let sum = |pick: fn(&PassReport) -> u64| human::count(passes.iter().map(pick).sum());
    format!("{}/{}", sum(|pass| pass.hits), sum(|pass| pass.requests))
}

fn spans<'a>(
    width: usize,
    name: &str,
    [asked, bytes, cold, hits, warm, speedup]: [String; 6],
    is_same: Option<bool>,
    theme: &Theme,
    is_ok: bool,
) -> Line<'a> {
    let (same, style) = match is_same {
        None => ("-", theme.dim),
        Some(true) => ("same", theme.good),
        Some(false) => ("differs", theme.bad),
    };
    let styles = [
        if name == "Total" { theme.strong } else { theme.text },
        theme.dim,
        theme.dim,
        theme.note,
        theme.dim,
        theme.good,
        if is_ok { theme.strong } else { theme.bad },
        style,
    ];
    let texts = [&asked, &bytes, &cold, &hits, &warm, &speedup, same];
    let name = left(name, NAME);
    let cells = std::iter::once(name).chain(cells(width, texts)).zip(visible(width, styles));
    Line::from(cells.map(|(text, style)| Span::styled(text, style)).collect::<Vec<_>>())
}

fn row(width: usize, name: &str, texts: [&str; 7]) -> String {
    std::iter::once(left(name, NAME)).chain(cells(width, texts)).collect()
}

/// The widths of the columns after the name; less important columns are left out if they do not fit.
fn widths(width: usize) -> [usize; 7] {
    let all = [9, BYTES, TIME, HITS, TIME, 10, 8];
    let fits = |widths: [usize; 7]| NAME + widths.iter().sum::<usize>() <= width;
    let narrower = [all, [0, BYTES, TIME, HITS, TIME, 10, 9], [0, 0, TIME, HITS, TIME, 10, 9], [0, 0, 9, 0, 9, 8, 8]];
    narrower.into_iter().find(|widths| fits(*widths)).unwrap_or([0, 0, 0, 0, 0, 9, 8])
}

fn cells(width: usize, texts: [&str; 7]) -> impl Iterator<Item = String> {
    let cells = widths(width).into_iter().zip(texts).filter(|(width, _)| *width > 0);
    cells.map(|(width, text)| right(text, width)).collect::<Vec<_>>().into_iter()
}

/// The styles of the shown columns, beginning with the name.
fn visible<T: Copy>(width: usize, styles: [T; 8]) -> impl Iterator<Item = T> {
    let is_shown = [NAME].into_iter().chain(widths(width));
    is_shown.zip(styles).filter(|(width, _)| *width > 0).map(|(_, style)| style).collect::<Vec<_>>().into_iter()
}
