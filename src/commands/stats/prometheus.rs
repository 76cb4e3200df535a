//! `stats` in the text exposition format of Prometheus, version 0.0.4.

use std::fmt::Write as _;

use cache_core::{Counters, Scope};

use crate::commands::stats::report::{ServiceReport, StatsReport};
use crate::output::safe;
use crate::services;

/// Labels and a value.
type Sample = (Vec<(&'static str, String)>, f64);

/// A metric with its help text and its samples.
struct Metric {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    samples: Vec<Sample>,
}

pub(crate) fn text(report: &StatsReport) -> String {
    let mut out = String::new();
    for metric in metrics(report).iter().filter(|metric| !metric.samples.is_empty()) {
        // Writing to a String cannot fail.
        let _ = write(&mut out, metric);
    }
    out
}

fn metrics(report: &StatsReport) -> Vec<Metric> {
    let parts = [backend(report), entries(report), services(report), server(report), counters(report)];
    parts.into_iter().flatten().collect()
}

fn gauge(name: &'static str, help: &'static str, samples: Vec<Sample>) -> Metric {
    Metric { name, kind: "gauge", help, samples }
}

fn backend(report: &StatsReport) -> Vec<Metric> {
    let backend = &report.backend;
    vec![
        gauge(
            "animecache_backend_info",
            "Backend in use; always 1.",
            vec![(
                vec![
                    ("kind", backend.kind.to_owned()),
                    ("location", backend.location.clone()),
                    ("version", backend.version.clone().unwrap_or_default()),
                    ("product", backend.product.clone().unwrap_or_default()),
                    ("mode", backend.mode.unwrap_or_default().to_owned()),
                    ("role", backend.role.unwrap_or_default().to_owned()),
                ],
                1.0,
            )],
        ),
        gauge(
            "animecache_backend_fallback",
            "Whether SQLite is used because Redis is unreachable.",
            vec![(Vec::new(), f64::from(u8::from(backend.fallback)))],
        ),
        gauge(
            "animecache_backend_memory_bytes",
            "Memory used by the server, or size of the SQLite file.",
            backend.memory_bytes.map(|bytes| (Vec::new(), bytes as f64)).into_iter().collect(),
        ),
    ]
}

fn entries(report: &StatsReport) -> Vec<Metric> {
    let entries = &report.entries;
    let states = [
        ("http", "live", entries.http),
        ("result", "live", entries.result),
        ("any", "incomplete", entries.incomplete),
        ("any", "deleted", entries.deleted),
        ("any", "corrupt", entries.corrupt),
        ("any", "orphan", entries.orphan_keys),
    ];
    vec![
        gauge(
            "animecache_entries",
            "Number of entries by kind and state.",
            states
                .into_iter()
                .map(|(kind, state, value)| {
                    (vec![("kind", kind.to_owned()), ("state", state.to_owned())], value as f64)
                })
                .collect(),
        ),
        gauge(
            "animecache_entries_denied",
            "Number of entries that this user may not read.",
            vec![(Vec::new(), entries.denied as f64)],
        ),
        gauge("animecache_keys", "Number of keys that belong to the cache.", vec![(Vec::new(), report.keys as f64)]),
        gauge("animecache_bytes", "Size of all bodies and values.", vec![(Vec::new(), report.bytes as f64)]),
    ]
}

fn services(report: &StatsReport) -> Vec<Metric> {
    let by_service = |value: fn(&ServiceReport) -> f64| {
        report
            .services
            .iter()
            .map(|service| {
                (vec![("service", service.service.to_owned()), ("kind", service.kind.to_owned())], value(service))
            })
            .collect()
    };
    vec![
        gauge(
            "animecache_service_entries",
            "Number of live entries by service.",
            by_service(|service| service.entries as f64),
        ),
        gauge(
            "animecache_service_bytes",
            "Size of live entries by service.",
            by_service(|service| service.bytes as f64),
        ),
        gauge(
            "animecache_service_entries_without_ttl",
            "Number of live entries without a TTL by service.",
            by_service(|service| service.ttl.none as f64),
        ),
        gauge(
            "animecache_service_entries_with_unknown_ttl",
            "Number of live entries whose expiry is not recorded by service.",
            by_service(|service| service.ttl.unknown as f64),
        ),
        gauge("animecache_service_ttl_seconds", "Remaining TTL of entries by service.", ttls(report)),
    ]
}

fn server(report: &StatsReport) -> Vec<Metric> {
    let counter = |name, help, value: Option<u64>| Metric {
        name,
        kind: "counter",
        help,
        samples: value.map(|value| (Vec::new(), value as f64)).into_iter().collect(),
    };
    vec![
        counter(
            "animecache_server_hits_total",
            "keyspace_hits of the server since its start (all clients).",
            report.server.map(|(hits, _)| hits),
        ),
        counter(
            "animecache_server_misses_total",
            "keyspace_misses of the server since its start (all clients).",
            report.server.map(|(_, misses)| misses),
        ),
    ]
}

/// Totals of all time, which only grow: Prometheus computes rates itself.
fn counters(report: &StatsReport) -> Vec<Metric> {
    type Value = fn(&Counters) -> f64;
    let metrics: [(&'static str, &'static str, Value); 9] = [
        ("animecache_hits_total", "Requests served from the cache without contacting the origin.", |c| c.hits as f64),
        ("animecache_misses_total", "Requests served by the origin or by calling the function.", |c| c.misses as f64),
        ("animecache_stores_total", "Responses or results stored.", |c| c.stores as f64),
        ("animecache_revalidations_total", "Stored responses validated by the origin.", |c| c.revalidations as f64),
        ("animecache_stale_hits_total", "Hits served stale.", |c| c.stale as f64),
        ("animecache_store_errors_total", "Backend operations that failed or timed out.", |c| c.errors as f64),
        ("animecache_waits_total", "Requests that waited for a concurrent fetch of the same key.", |c| c.waits as f64),
        ("animecache_served_bytes_total", "Bytes of bodies and values served from the cache.", |c| c.bytes as f64),
        ("animecache_lookup_seconds_total", "Total time spent on lookups.", |c| c.lookup_micros as f64 / 1e6),
    ];
    let metric = |(name, help, value): (&'static str, &'static str, Value)| Metric {
        name,
        kind: "counter",
        help,
        samples: report.counted.ever.iter().map(|(scope, counts)| (labels(scope), value(counts))).collect(),
    };
    metrics.into_iter().map(metric).collect()
}

fn labels(scope: &Scope) -> Vec<(&'static str, String)> {
    let mut labels =
        vec![("service", scope.service(services::registry()).to_string()), ("kind", scope.kind().name().to_owned())];
    if let Scope::Result(prefix) = scope {
        labels.push(("prefix", prefix.clone()));
    }
    labels
}

fn ttls(report: &StatsReport) -> Vec<Sample> {
    let mut samples = Vec::new();
    for service in &report.services {
        let ttl = &service.ttl;
        for (stat, value) in [("min", ttl.min), ("median", ttl.median), ("max", ttl.max)] {
            if let Some(value) = value {
                let labels = [("service", service.service), ("kind", service.kind), ("stat", stat)];
                samples.push((labels.map(|(name, value)| (name, value.to_owned())).to_vec(), value));
            }
        }
    }
    samples
}

fn write(out: &mut String, metric: &Metric) -> std::fmt::Result {
    let Metric { name, kind, help, samples } = metric;
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}")?;
    for (labels, value) in samples {
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        writeln!(out, "{name}{labels} {value}")?;
    }
    Ok(())
}

/// A label value without control characters, with backslash and quote escaped.
fn escaped(value: &str) -> String {
    safe::line(value).replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_cannot_move_a_terminal() {
        let mut out = String::new();
        let samples = vec![(vec![("location", "a\"b\\c\n\x1b[2J".to_owned())], 1.0)];
        write(&mut out, &Metric { name: "animecache_x", kind: "gauge", help: "X.", samples }).unwrap();
        assert_eq!(
            out,
            "# HELP animecache_x X.\n# TYPE animecache_x gauge\nanimecache_x{location=\"a\\\"b\\\\c␊␛[2J\"} 1\n"
        );
    }
}
