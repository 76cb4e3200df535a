//! The statistics of the demo: a week of enrichment runs.

use cache_core::{Counters, HourlyCounters, Scope, StatsDelta};

/// One service or prefix: requests of a busy hour, how many in a thousand were hits, microseconds of a look-up, and
/// bytes of a body.
type Load = (Scope, u64, u64, u64, u64);

fn loads() -> Vec<Load> {
    let http = Scope::Http;
    let result = |prefix: &str| Scope::Result(prefix.to_owned());
    vec![
        (http(crate::services::jikan()), 240, 902, 210, 9_000),
        (http(crate::services::anilist()), 90, 871, 260, 14_000),
        (http(crate::services::anidb()), 24, 968, 240, 22_000),
        (http(crate::services::kitsu()), 130, 844, 230, 6_000),
        (http(crate::services::animeschedule()), 28, 613, 190, 2_500),
        (result("anisearch_anime"), 26, 931, 150, 1_800),
        (result("anisearch_characters"), 26, 925, 160, 3_100),
        (result("anisearch_episodes"), 26, 790, 150, 2_700),
        (result("animeplanet_anime"), 24, 917, 150, 2_200),
        (result("animeplanet_characters"), 24, 884, 170, 4_000),
    ]
}

/// A week of runs, every third hour; `now` in Unix seconds.
pub(crate) fn week(now: f64) -> StatsDelta {
    let this_hour = (now / 3_600.0) as i64;
    let mut buckets = Vec::new();
    for ago in (0..168).step_by(3) {
        // The cache was flushed four days ago: more misses after that.
        let learned = if (88..=96).contains(&ago) { 480 } else { 1_000 - ago };
        for (place, (scope, requests, of_thousand, micros, size)) in (0..).zip(loads()) {
            // Runs differ, but the demo is reproducible.
            let requests = requests * (60 + (ago * 37 + place * 11) % 41) / 100;
            let hits = requests * of_thousand * learned / 1_000_000;
            let misses = requests - hits;
            let has_failed = ago == 93;
            let counts = Counters {
                hits,
                misses,
                stores: misses - misses / 9,
                revalidations: misses / 9,
                stale: hits / 60,
                errors: if has_failed { 4 + place } else { 0 },
                waits: misses / 5,
                bytes: hits * size,
                lookup_micros: requests * (micros + ago % 23),
            };
            buckets.push(HourlyCounters { hour: this_hour - ago.cast_signed(), scope, counts });
        }
    }
    StatsDelta::single(buckets)
}
