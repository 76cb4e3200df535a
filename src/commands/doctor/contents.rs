//! What is in the cache: anything at all, readable, and bound to expire.

use cache_core::admin::stats::{ServiceTally, Tally};

use super::report::Check;
use crate::output::human::{bytes, count, duration};

pub(super) fn checks(tally: &Tally) -> Vec<Check> {
    let mut checks = vec![entries(tally)];
    checks.extend(ttls(tally));
    for (number, state, meaning) in [
        (tally.corrupt, "corrupt", "cannot be read"),
        (tally.incomplete, "incomplete", "have no whole body: still being written, or cut short"),
        (tally.orphans, "orphan", "belong to no entry"),
    ] {
        if number > 0 {
            let fix = format!("animecache ls --state {state}, then: animecache flush --state {state}");
            checks.push(Check::warn(state, format!("{} {meaning}", count(number)), fix));
        }
    }
    if tally.corrupt + tally.incomplete + tally.orphans == 0 {
        checks.push(Check::ok("integrity", "every entry is whole and every key has an owner"));
    }
    checks
}

fn entries(tally: &Tally) -> Check {
    if tally.http + tally.results == 0 {
        let detail = "nothing is cached here: either nothing was fetched yet, or the pipeline uses another cache";
        return Check::warn("entries", detail, "python run_enrichment.py --title \"Test\" 2>&1 | grep -i cache");
    }
    let (http, results) = (count(tally.http), count(tally.results));
    Check::ok("entries", format!("{http} HTTP, {results} results, {}", bytes(tally.bytes)))
}

fn ttls(tally: &Tally) -> Option<Check> {
    let immortal: u64 = tally.services.values().map(|service| service.without_ttl).sum();
    if immortal > 0 {
        let detail = match immortal {
            1 => "1 entry never expires".to_owned(),
            more => format!("{} entries never expire", count(more)),
        };
        return Some(Check::warn("TTLs", detail, "animecache ttl --no-ttl --set 24h"));
    }
    let spreads = || tally.services.values().filter_map(ServiceTally::ttl);
    let min = spreads().map(|ttl| ttl.min).reduce(f64::min)?;
    let max = spreads().map(|ttl| ttl.max).reduce(f64::max)?;
    Some(Check::ok("TTLs", format!("every entry expires, in {} to {}", duration(min), duration(max))))
}
