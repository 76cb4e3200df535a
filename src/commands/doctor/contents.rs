//! Checks of the entries: there are some, they can be decoded, and they expire.

use cache_core::admin::stats::{ServiceTally, StatsTotals};

use crate::commands::doctor::report::Check;
use crate::output::human;
use crate::output::human::{bytes, count, counted, duration};

pub(crate) fn checks(tally: &StatsTotals) -> Vec<Check> {
    let mut checks = vec![entries(tally)];
    checks.extend(ttls(tally));
    let plural = |number, one, many| if number == 1 { one } else { many };
    for (number, state, meaning) in [
        (tally.corrupt, "corrupt", plural(tally.corrupt, "corrupt entry", "corrupt entries")),
        (
            tally.incomplete,
            "incomplete",
            plural(
                tally.incomplete,
                "incomplete entry (still being written, or interrupted)",
                "incomplete entries (still being written, or interrupted)",
            ),
        ),
        (
            tally.orphans,
            "orphan",
            plural(tally.orphans, "orphan key (belongs to no entry)", "orphan keys (belong to no entry)"),
        ),
    ] {
        if number > 0 {
            let fix = format!("animecache ls --state {state} && animecache flush --state {state}");
            checks.push(Check::warn(state, format!("{} {meaning}", count(number)), fix));
        }
    }
    if tally.corrupt + tally.incomplete + tally.orphans == 0 {
        let detail = "no incomplete or corrupt entries, no orphan keys; the JSON of results and the membership of \
                      entries in indexes were not checked";
        checks.push(Check::ok("integrity", detail));
    }
    checks
}

fn entries(tally: &StatsTotals) -> Check {
    if tally.http + tally.results == 0 {
        let detail = "the cache is empty: nothing has been fetched yet, or the pipeline uses a different cache";
        return Check::warn("entries", detail, "python run_enrichment.py --title \"Test\" 2>&1 | grep -i cache");
    }
    let (responses, results) = (counted(tally.http, "response"), counted(tally.results, "result"));
    Check::ok("entries", format!("{responses}, {results}, {}", bytes(tally.bytes)))
}

fn ttls(tally: &StatsTotals) -> Option<Check> {
    let unknown: u64 = tally.services.values().map(|service| service.with_unknown_ttl).sum();
    if unknown > 0 {
        let detail = format!(
            "the file does not record when {} expire: hishel applies the TTL of its storage",
            human::entries(unknown)
        );
        return Some(Check::note("TTLs", detail));
    }
    let immortal: u64 = tally.services.values().map(|service| service.without_ttl).sum();
    if immortal > 0 {
        let detail = format!("{} never {}", human::entries(immortal), if immortal == 1 { "expires" } else { "expire" });
        return Some(Check::warn("TTLs", detail, "animecache ttl --no-ttl --set 24h"));
    }
    let spreads = || tally.services.values().filter_map(ServiceTally::ttl);
    let min = spreads().map(|ttl| ttl.min).reduce(f64::min)?;
    let max = spreads().map(|ttl| ttl.max).reduce(f64::max)?;
    let (min, max) = (duration(min), duration(max));
    let range = if min == max { min } else { format!("{min} to {max}") };
    Some(Check::ok("TTLs", format!("all entries expire, in {range}")))
}
