//! The report of `stats` as text.

use std::fmt::Write as _;

use cache_core::{Counters, Scope, StatsWindow};

use crate::commands::stats::report::StatsReport;
use crate::output::columns::clip;
use crate::output::human;
use crate::output::human::{bytes, count, counted, latency, maybe_duration, share};
use crate::output::safe;
use crate::output::style::Style;

/// Why the statistics of a server are not a hit rate.
const UNCOUNTED: &str =
    "not available: no program has recorded hits in this cache, and Redis's own counters include all clients";

pub(crate) fn text(report: &StatsReport, style: Style) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut out, report, style);
    out
}

fn write(out: &mut String, report: &StatsReport, style: Style) -> std::fmt::Result {
    let backend = &report.backend;
    let name = if backend.kind == "redis" { "Redis" } else { "SQLite" };
    write!(out, "{} {}", style.bold(name), safe::line(&backend.location))?;
    let used = backend.memory_bytes.map(bytes);
    let size = match (backend.kind, used, backend.free_bytes) {
        (_, None, _) => "memory unknown".to_owned(),
        ("redis", Some(used), _) => format!("{used} memory used"),
        (_, Some(used), Some(free)) if free > 0 => format!("file size {used}, {} of it free", bytes(free)),
        (_, Some(used), _) => format!("file size {used}"),
    };
    let version = backend.version.as_deref().unwrap_or("unknown");
    write!(out, "{}", style.dim(&format!("  version {}, {size}", safe::line(version))))?;
    let stands_in = if backend.fallback { style.warn("  (fallback: Redis is unreachable)") } else { String::new() };
    writeln!(out, "{stands_in}\n")?;

    let entries = &report.entries;
    let live = format!("{}, {}", counted(entries.http, "response"), counted(entries.result, "result"));
    writeln!(out, "  {}  {live}", style.dim("entries "))?;
    writeln!(out, "  {}  {} in {}", style.dim("size    "), bytes(report.bytes), counted(report.keys, "key"))?;
    let unwell: Vec<String> = [
        (entries.incomplete, "incomplete"),
        (entries.deleted, "deleted"),
        (entries.corrupt, "corrupt"),
        (entries.denied, "not readable by this user"),
        (entries.orphan_keys, if entries.orphan_keys == 1 { "orphan key" } else { "orphan keys" }),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, name)| format!("{} {name}", count(number)))
    .collect();
    if !unwell.is_empty() {
        writeln!(out, "  {}  {}", style.dim("other   "), style.warn(&unwell.join(", ")))?;
    }
    if let (Some(hits), Some(misses)) = (report.hits, report.misses) {
        let rate = report.hit_rate.map_or_else(|| "no lookups yet".to_owned(), |rate| share(Some(rate)));
        let all = counted(hits.saturating_add(misses), "lookup");
        let of = format!("({} of {all} in the last {})", count(hits), report.chosen.name());
        writeln!(out, "  {}  {rate} {}", style.dim("hit rate"), style.dim(&of))?;
    } else if let Some(reason) = &report.counted.unavailable {
        let reason = format!("not available: {}", safe::line(reason));
        writeln!(out, "  {}  {}", style.dim("hit rate"), style.warn(&reason))?;
    } else if report.server.is_some() {
        writeln!(out, "  {}  {}", style.dim("hit rate"), style.dim(UNCOUNTED))?;
    }
    if !report.services.is_empty() {
        table(out, report, style)?;
    }
    if report.hit_source == "counters" {
        hits(out, report, style)?;
    }
    Ok(())
}

fn table(out: &mut String, report: &StatsReport, style: Style) -> std::fmt::Result {
    let heading = format!(
        "  {:<13}  {:<6}  {:>9}  {:>9}  {:>9}  {:>10}  {:>9}  {:>7}",
        "SERVICE", "KIND", "ENTRIES", "BYTES", "TTL MIN", "TTL MEDIAN", "TTL MAX", "NO TTL"
    );
    writeln!(out, "\n{}", style.bold(&heading))?;
    for service in &report.services {
        writeln!(
            out,
            "  {:<13}  {:<6}  {:>9}  {:>9}  {:>9}  {:>10}  {:>9}  {:>7}",
            service.service,
            service.kind,
            count(service.entries),
            bytes(service.bytes),
            maybe_duration(service.ttl.min),
            maybe_duration(service.ttl.median),
            maybe_duration(service.ttl.max),
            if service.ttl.none == 0 { "-".to_owned() } else { count(service.ttl.none) },
        )?;
    }
    let unknown: u64 = report.services.iter().map(|service| service.ttl.unknown).sum();
    if unknown > 0 {
        let text = format!("TTL of {} unknown: the file does not record it", human::entries(unknown));
        writeln!(out, "  {}", style.dim(&text))?;
    }
    Ok(())
}

/// Statistics of the caches by service and by function: hit rates of every window, and counts of the selected one.
fn hits(out: &mut String, report: &StatsReport, style: Style) -> std::fmt::Result {
    let heading = format!(
        "  {:<24}  {:<6}  {:>7}  {:>7}  {:>7}  {:>9}  {:>9}  {:>6}  {:>10}",
        "SERVICE OR FUNCTION", "KIND", "1H", "24H", "7D", "HITS", "MISSES", "ERRORS", "AVG LOOKUP"
    );
    writeln!(out, "\n{}", style.bold(&heading))?;
    let windows = StatsWindow::ALL.map(|window| report.counted.within(window, report.now));
    let chosen = &windows[report.chosen as usize];
    // The longest window has every scope of the others.
    let [.., week] = &windows;
    for scope in week.keys() {
        let [hour, day, week] = windows.each_ref().map(|window| share(window.get(scope).and_then(Counters::hit_rate)));
        let counts = chosen.get(scope).copied().unwrap_or_default();
        let name = match scope {
            Scope::Http(service) => service.name().into(),
            Scope::Result(prefix) => safe::line(prefix),
        };
        writeln!(
            out,
            "  {:<24}  {:<6}  {hour:>7}  {day:>7}  {week:>7}  {:>9}  {:>9}  {:>6}  {:>10}",
            clip(&name, 24),
            scope.kind().name(),
            count(counts.hits),
            count(counts.misses),
            if counts.errors == 0 { "-".to_owned() } else { count(counts.errors) },
            latency(counts.mean_lookup()),
        )?;
    }
    Ok(())
}
