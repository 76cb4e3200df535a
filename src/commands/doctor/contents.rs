//! What is in the cache: anything at all, readable, and bound to expire.

use cache_core::admin::stats::{ServiceTally, Tally};

use crate::commands::doctor::report::Check;
use crate::output::human;
use crate::output::human::{bytes, count, counted, duration};

pub(crate) fn checks(tally: &Tally) -> Vec<Check> {
    let mut checks = vec![entries(tally)];
    checks.extend(ttls(tally));
    for (number, state, meaning) in [
        (tally.corrupt, "corrupt", "cannot be read"),
        (tally.incomplete, "incomplete", "without a whole body: still being written, or cut short"),
        (tally.orphans, "orphan", "that no entry owns"),
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
    let (http, results) = (count(tally.http), counted(tally.results, "result"));
    Check::ok("entries", format!("{http} HTTP, {results}, {}", bytes(tally.bytes)))
}

fn ttls(tally: &Tally) -> Option<Check> {
    let immortal: u64 = tally.services.values().map(|service| service.without_ttl).sum();
    if immortal > 0 {
        let detail = format!("{} without a TTL", human::entries(immortal));
        return Some(Check::warn("TTLs", detail, "animecache ttl --no-ttl --set 24h"));
    }
    let spreads = || tally.services.values().filter_map(ServiceTally::ttl);
    let min = spreads().map(|ttl| ttl.min).reduce(f64::min)?;
    let max = spreads().map(|ttl| ttl.max).reduce(f64::max)?;
    Some(Check::ok("TTLs", format!("every entry expires, in {} to {}", duration(min), duration(max))))
}
