//! `stats` for people.

use std::fmt::Write as _;

use super::report::Report;
use crate::output::human::{bytes, count, maybe_duration};
use crate::output::safe;
use crate::output::style::Style;

pub(super) fn text(report: &Report, style: Style) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut out, report, style);
    out
}

fn write(out: &mut String, report: &Report, style: Style) -> std::fmt::Result {
    let backend = &report.backend;
    let name = if backend.kind == "redis" { "Redis" } else { "SQLite" };
    write!(out, "{} {}", style.bold(name), safe::line(&backend.location))?;
    write!(
        out,
        "{}",
        style.dim(&format!("  version {}, {}", safe::line(&backend.version), bytes(backend.memory_bytes)))
    )?;
    let stands_in = if backend.fallback { style.warn("  (Redis cannot be reached)") } else { String::new() };
    writeln!(out, "{stands_in}\n")?;

    let entries = &report.entries;
    let live = format!("{} HTTP, {} results", count(entries.http), count(entries.result));
    writeln!(out, "  {}  {live}", style.dim("entries"))?;
    writeln!(out, "  {}  {} in {} keys", style.dim("stored "), bytes(report.bytes), count(report.keys))?;
    let unwell: Vec<String> = [
        (entries.incomplete, "incomplete"),
        (entries.deleted, "deleted"),
        (entries.corrupt, "corrupt"),
        (entries.orphan_keys, "without an owner"),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, name)| format!("{} {name}", count(number)))
    .collect();
    if !unwell.is_empty() {
        writeln!(out, "  {}  {}", style.dim("besides"), style.warn(&unwell.join(", ")))?;
    }
    if let (Some(hits), Some(misses)) = (report.hits, report.misses) {
        let rate = report.hit_rate.map_or_else(|| "none yet".to_owned(), |rate| format!("{:.1} %", rate * 100.0));
        let of =
            format!("({} of {}) of everything this server answers since its start", count(hits), count(hits + misses));
        writeln!(out, "  {}  {rate} {}", style.dim("hits   "), style.dim(&of))?;
    }
    if report.services.is_empty() {
        return Ok(());
    }

    let heading = format!(
        "  {:<13}  {:<6}  {:>9}  {:>9}  {:>9}  {:>9}  {:>9}  {:>7}",
        "SERVICE", "KIND", "ENTRIES", "BYTES", "TTL MIN", "MEDIAN", "MAX", "NO TTL"
    );
    writeln!(out, "\n{}", style.bold(&heading))?;
    for service in &report.services {
        writeln!(
            out,
            "  {:<13}  {:<6}  {:>9}  {:>9}  {:>9}  {:>9}  {:>9}  {:>7}",
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
    Ok(())
}
