//! The report of `enrich` as text.

use std::fmt::Write as _;

use crate::commands::enrich::progress::names;
use crate::enrich::mode::Mode;
use crate::enrich::progress::EnrichPlan;
use crate::enrich::report::{EnrichReport, PassReport, ServiceReport};
use crate::output::human::{bytes, count, counted, latency};
use crate::output::style::Style;
use crate::output::{human, safe};

/// URLs that are not cached, at most so many.
const MAX_MISSING: usize = 5;

pub(crate) fn text(plan: &EnrichPlan, report: &EnrichReport, style: Style) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut out, plan, report, style);
    out
}

fn write(out: &mut String, plan: &EnrichPlan, report: &EnrichReport, style: Style) -> std::fmt::Result {
    let anime = &plan.anime;
    let episodes = anime.episodes.map(|number| counted(number, "episode"));
    let facts: Vec<_> = [anime.kind.clone(), episodes, anime.status.clone()].into_iter().flatten().collect();
    writeln!(out, "{}  {}\n", style.bold(&safe::line(&report.title)), style.dim(&safe::line(&facts.join(", "))))?;
    let [cold, warm] = names(plan.mode).map(str::to_uppercase);
    let heading = format!(
        "  {:<13}  {:>8}  {:>6}  {:>9}  {cold:>9}  {warm:>9}  {:>9}  IDENTICAL",
        "SERVICE", "REQUESTS", "HITS", "BYTES", "SPEEDUP"
    );
    writeln!(out, "{}", style.bold(&heading))?;
    for service in &report.services {
        row(out, service, style)?;
    }
    overall(out, report, style)?;
    remarks(out, plan, report, style)
}

fn row(out: &mut String, service: &ServiceReport, style: Style) -> std::fmt::Result {
    let (cold, warm) = (service.cold, service.warm);
    // The only pass, if there is one.
    let (view, last) = (if cold.requests > 0 { cold } else { warm.unwrap_or(cold) }, warm.unwrap_or(cold));
    writeln!(
        out,
        "  {:<13}  {:>8}  {:>6}  {:>9}  {:>9}  {:>9}  {:>9}  {}",
        service.service.name(),
        count(view.requests),
        count(last.hits),
        bytes(view.bytes),
        latency(Some(cold.seconds).filter(|seconds| *seconds > 0.0)),
        latency(warm.map(|pass| pass.seconds)),
        speedup(service.displayed_speedup()),
        identical(service.identical, style),
    )?;
    // If the service failed, the error names what is missing.
    if service.ok && !service.missing.is_empty() {
        let missing = counted(service.missing.len() as u64, "request");
        writeln!(out, "    {}", style.warn(&format!("{missing} not cached:")))?;
        for missing in service.missing.iter().take(MAX_MISSING) {
            writeln!(out, "      {}", safe::line(missing))?;
        }
        if service.missing.len() > MAX_MISSING {
            writeln!(out, "      … (use --json to list all)")?;
        }
    }
    for warning in service.warnings() {
        writeln!(out, "    {}", style.warn(&safe::line(&warning)))?;
    }
    if let Some(error) = &service.error {
        writeln!(out, "    {}", style.bad(&safe::line(error)))?;
    }
    if let Some(difference) = &service.difference {
        writeln!(out, "    {}", style.warn(&safe::line(difference)))?;
    }
    Ok(())
}

fn overall(out: &mut String, report: &EnrichReport, style: Style) -> std::fmt::Result {
    let sum = |of: fn(&ServiceReport) -> u64| count(report.services.iter().map(of).sum());
    let line = format!(
        "  {:<13}  {:>8}  {:>6}  {:>9}  {:>9}  {:>9}  {:>9}  ",
        "total",
        sum(|service| service.cold.requests),
        sum(|service| service.warm.unwrap_or(service.cold).hits),
        bytes(report.services.iter().map(|service| service.cold.bytes).sum()),
        latency(Some(report.cold_seconds).filter(|seconds| *seconds > 0.0)),
        latency(report.warm_seconds),
        speedup(report.displayed_speedup()),
    );
    writeln!(out, "{}{}", style.bold(&line), identical(report.identical, style))
}

/// Remarks below the table.
fn remarks(out: &mut String, plan: &EnrichPlan, report: &EnrichReport, style: Style) -> std::fmt::Result {
    let not_asked: Vec<_> =
        plan.services.iter().filter(|service| !plan.anime.is_at(**service)).map(|service| service.name()).collect();
    let waited: f64 = report.services.iter().map(|service| service.cold.waited).fold(0.0, f64::max);
    let were_warm = report.services.iter().filter(|of| of.was_cached()).count();
    let were_shared = report.services.iter().any(ServiceReport::is_shared);
    let mut remarks = Vec::new();
    if !not_asked.is_empty() {
        remarks.push(format!("Skipped (no ID): {}", not_asked.join(", ")));
    }
    if plan.mode == Mode::Usual && were_warm > 0 {
        let which = if were_warm == report.services.len() { "all" } else { "in part" };
        remarks.push(format!("Already cached ({which}): use --fresh for a cold pass"));
    }
    if plan.mode == Mode::Usual && were_shared {
        remarks.push("Some requests waited for another program that was fetching the same data".to_owned());
    }
    if waited >= 0.1 {
        remarks.push(format!("Waited {} for rate limits", latency(Some(waited))));
    }
    let is_too_long = |pass: &PassReport| pass.seconds >= plan.timeout.as_secs_f64();
    let is_out_of_time =
        |of: &ServiceReport| !of.ok && (is_too_long(&of.cold) || of.warm.as_ref().is_some_and(is_too_long));
    if report.services.iter().any(is_out_of_time) {
        remarks.push("Use --timeout to allow more time for each service".to_owned());
    }
    if !remarks.is_empty() {
        writeln!(out)?;
    }
    for remark in remarks {
        writeln!(out, "  {}", style.dim(&remark))?;
    }
    if report.interrupted {
        let note = if plan.mode.stores() { "Interrupted: responses fetched so far are cached" } else { "Interrupted" };
        writeln!(out, "\n{}", style.warn(note))?;
    }
    Ok(())
}

fn speedup(times: Option<f64>) -> String {
    times.map_or_else(|| "-".to_owned(), human::times)
}

fn identical(is_identical: Option<bool>, style: Style) -> String {
    match is_identical {
        None => style.dim("-"),
        Some(true) => style.good("yes"),
        Some(false) => style.bad("no"),
    }
}

#[cfg(test)]
mod tests {
    use cache_core::ServiceName;

    use super::*;
    use crate::anime::{Anime, Ids};
    use crate::enrich::metrics::Gap;
    use crate::enrich::progress::SERVICE_TIMEOUT;
    use crate::output::style::ColorChoice;
    use crate::services;

    fn service(service: ServiceName, cold: PassReport, warm: Option<PassReport>) -> ServiceReport {
        ServiceReport {
            service,
            strategy: "http".to_owned(),
            ok: warm.is_some(),
            error: None,
            cold,
            warm,
            speedup: warm.map(|warm| cold.seconds / warm.seconds),
            identical: warm.map(|_| true),
            difference: None,
            missing: Vec::new(),
            incomplete: Vec::new(),
            keys: Vec::new(),
        }
    }

    #[test]
    fn each_service_has_a_row_with_what_went_wrong_under_it() {
        let cold = PassReport {
            seconds: 5.2,
            requests: 34,
            upstream: 34,
            bytes: 14_438,
            waited: 3.4,
            ..PassReport::default()
        };
        let warm = PassReport { seconds: 0.0104, hits: 34, upstream: 0, waited: 0.0, ..cold };
        let gap = Gap { part: "episode 6".to_owned(), problem: "HTTP status 500".to_owned() };
        let jikan = ServiceReport { incomplete: vec![gap], ..service(services::jikan(), cold, Some(warm)) };
        let cold =
            PassReport { seconds: 0.75, requests: 1_200, upstream: 1_200, bytes: 3_072_000, ..PassReport::default() };
        let warm = PassReport { seconds: 0.25, hits: 1_200, ..cold };
        let difference = Some("/episodes/3/title: \"a\", then \"\u{1b}[2J\"".to_owned());
        let kitsu =
            ServiceReport { identical: Some(false), difference, ..service(services::kitsu(), cold, Some(warm)) };
        let cold = PassReport { seconds: 0.7, requests: 1, upstream: 1, bytes: 21, ..PassReport::default() };
        let anidb = ServiceReport { error: Some("Banned".to_owned()), ..service(services::anidb(), cold, None) };
        let report = EnrichReport {
            title: "Cowboy\u{7} Bebop".to_owned(),
            ids: Ids::default(),
            services: vec![jikan, kitsu, anidb],
            cold_seconds: 5.2,
            warm_seconds: Some(0.25),
            speedup: Some(20.8),
            identical: Some(false),
            interrupted: false,
        };
        let plan = EnrichPlan {
            anime: Anime {
                title: report.title.clone(),
                kind: Some("TV".to_owned()),
                episodes: Some(26),
                ids: Ids { mal: Some(1), anidb: Some(23), kitsu: Some("1".to_owned()), ..Ids::default() },
                ..Anime::default()
            },
            services: vec![services::jikan(), services::kitsu(), services::anidb(), services::anisearch()],
            mode: Mode::Usual,
            timeout: SERVICE_TIMEOUT,
        };
        insta::assert_snapshot!(text(&plan, &report, Style::new(ColorChoice::Never)), @r#"
        Cowboy␇ Bebop  TV, 26 episodes

          SERVICE        REQUESTS    HITS      BYTES       COLD       WARM    SPEEDUP  IDENTICAL
          jikan                34      34   14.1 KiB      5.2 s    10.4 ms       500x  yes
            1 part missing: episode 6 (HTTP status 500)
          kitsu             1,200   1,200    2.9 MiB   750.0 ms   250.0 ms       3.0x  no
            /episodes/3/title: "a", then "␛[2J"
          anidb                 1       0       21 B   700.0 ms          -          -  -
            Banned
          total             1,235   1,234    2.9 MiB      5.2 s   250.0 ms        21x  no

          Skipped (no ID): anisearch
          Waited 3.4 s for rate limits
        "#);
    }
}
