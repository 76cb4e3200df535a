//! The lines of a run report: the table, all problems, and the durations of both passes to scale.

use crate::enrich::history::Run;
use crate::enrich::report::{PassReport, ServiceReport};
use crate::output::columns::wrap;
use crate::output::safe;

/// A line of the report.
#[derive(Clone, Debug, PartialEq)]
pub enum ReportLine {
    /// The names of the columns.
    Columns,
    /// One service, by its index in the report.
    Service(usize),
    /// The totals.
    All,
    /// A remark.
    Note(String),
    /// A problem of a service: its first line, and the others.
    Problem(&'static str, String),
    More(String),
    /// The duration of a pass over one service, relative to the longest.
    Bar {
        name: &'static str,
        is_warm: bool,
        seconds: f64,
        share: f64,
    },
    Blank,
}

/// The columns for text in a pane that is `inside` columns wide within its frame.
pub fn width(inside: u16) -> usize {
    usize::from(inside).saturating_sub(2)
}

/// All lines of a run, wrapped to a width in columns.
pub fn lines(run: &Run, width: usize) -> Vec<ReportLine> {
    let report = &run.report;
    let mut lines = vec![ReportLine::Columns];
    lines.extend((0..report.services.len()).map(ReportLine::Service));
    lines.push(ReportLine::All);
    let notes = notes(&report.services);
    if !notes.is_empty() {
        lines.push(ReportLine::Blank);
        lines.extend(notes.iter().flat_map(|note| wrap(note, width)).map(ReportLine::Note));
    }
    for service in &report.services {
        let name = service.service.name();
        let problems = [&service.error, &service.difference].into_iter().flatten().cloned();
        for problem in problems.chain(service.warnings()) {
            let mut texts =
                safe::lines(&problem).flat_map(|text| wrap(&text, width.saturating_sub(NAME))).collect::<Vec<_>>();
            lines.push(ReportLine::Blank);
            lines.push(ReportLine::Problem(name, if texts.is_empty() { String::new() } else { texts.remove(0) }));
            lines.extend(texts.into_iter().map(ReportLine::More));
        }
    }
    lines.extend(bars(&report.services));
    lines
}

/// Width of the name of a service, with a blank.
pub const NAME: usize = 14;

fn notes(services: &[ServiceReport]) -> Vec<String> {
    let mut notes = Vec::new();
    let cold = services.iter().filter(|service| service.ok);
    if cold.clone().next().is_some() && cold.clone().all(ServiceReport::was_cached) {
        notes.push("The cold pass was served from the cache; press f to run without the cache.".to_owned());
    }
    // All services run at once: their waits overlap and have no sum.
    let longest = services.iter().max_by(|a, b| a.cold.waited.total_cmp(&b.cold.waited));
    if let Some(ServiceReport { service, cold, .. }) = longest.filter(|longest| longest.cold.waited >= 0.1) {
        notes.push(format!("Longest rate limit wait in the cold pass: {service}, {:.1} s", cold.waited));
    }
    notes
}

/// Both passes of each service that has both, scaled to the available width.
fn bars(services: &[ServiceReport]) -> Vec<ReportLine> {
    let both: Vec<(&ServiceReport, &PassReport)> =
        services.iter().filter_map(|service| Some((service, service.warm.as_ref()?))).collect();
    let longest = both.iter().map(|(service, warm)| service.cold.seconds.max(warm.seconds)).fold(0.0, f64::max);
    if longest <= 0.0 {
        return Vec::new();
    }
    let bar = |name, is_warm, seconds: f64| ReportLine::Bar { name, is_warm, seconds, share: seconds / longest };
    let of = |(service, warm): (&ServiceReport, &PassReport)| {
        [bar(service.service.name(), false, service.cold.seconds), bar("", true, warm.seconds)]
    };
    std::iter::once(ReportLine::Blank).chain(both.into_iter().flat_map(of)).collect()
}
