//! State shared by processes: leases, counters, and rate limits.

use std::time::Duration;

use cache_core::{Counters, HourlyCounters, Scope, StatsDelta, StatsSnapshot};
use cache_core::{Error, LeaseState, ServiceName, clock};
use uuid::Uuid;

use crate::samples::{DAY, eventually};
use crate::stores::{Raw, Subject};

/// How long counters are kept, in seconds.
const SEVEN_DAYS: f64 = 7.0 * 86_400.0;

/// Long enough to outlive a test.
const LONG: Duration = Duration::from_secs(60);

/// The expected state of a lease that another owner holds: in-memory storages grant it to all.
fn blocked(s: &Subject) -> LeaseState {
    match &s.raw {
        Raw::None => LeaseState::Acquired,
        #[cfg(any(feature = "redis", feature = "sqlite"))]
        _ => LeaseState::HeldByOther,
    }
}

pub async fn a_lease_has_one_owner(s: Subject) {
    let (one, other) = (Uuid::new_v4(), Uuid::new_v4());
    assert_eq!(s.store.acquire("a", one, LONG).await.unwrap(), LeaseState::Acquired);
    assert_eq!(s.store.acquire("a", other, LONG).await.unwrap(), blocked(&s));
    assert_eq!(s.store.acquire("a", one, LONG).await.unwrap(), LeaseState::Acquired);
    assert_eq!(s.store.acquire("b", other, LONG).await.unwrap(), LeaseState::Acquired);

    // Only the owner can release it.
    s.store.release("a", other, None).await.unwrap();
    assert_eq!(s.store.acquire("a", other, LONG).await.unwrap(), blocked(&s));
    s.store.release("a", one, None).await.unwrap();
    assert_eq!(s.store.acquire("a", other, LONG).await.unwrap(), LeaseState::Acquired);
    assert_eq!(s.store.acquire("a", one, LONG).await.unwrap(), blocked(&s));
}

pub async fn of_concurrent_acquires_one_succeeds(s: Subject) {
    let claims = (0..20).map(|_| s.store.acquire("a", Uuid::new_v4(), LONG));
    let outcomes = futures_util::future::join_all(claims).await;
    let granted = outcomes.iter().filter(|outcome| *outcome.as_ref().unwrap() == LeaseState::Acquired).count();
    assert_eq!(granted, if blocked(&s) == LeaseState::HeldByOther { 1 } else { 20 });
}

pub async fn a_lease_expires_unless_extended(s: Subject) {
    let (one, other) = (Uuid::new_v4(), Uuid::new_v4());
    let short = Duration::from_millis(200);
    assert_eq!(s.store.acquire("left", one, short).await.unwrap(), LeaseState::Acquired);
    eventually(async || s.store.acquire("left", other, LONG).await.unwrap() == LeaseState::Acquired).await;
    // The first owner is too late, and cannot release the lease of the second.
    assert_eq!(s.store.acquire("left", one, LONG).await.unwrap(), blocked(&s));
    s.store.release("left", one, None).await.unwrap();
    assert_eq!(s.store.acquire("left", Uuid::new_v4(), LONG).await.unwrap(), blocked(&s));

    // Acquired again, it has the TTL of this call, not of the first one.
    assert_eq!(s.store.acquire("renewed", one, short).await.unwrap(), LeaseState::Acquired);
    assert_eq!(s.store.acquire("renewed", one, LONG).await.unwrap(), LeaseState::Acquired);
    tokio::time::sleep(2 * short).await;
    assert_eq!(s.store.acquire("renewed", other, LONG).await.unwrap(), blocked(&s));
}

pub async fn an_uncacheable_lease_stays_so_for_its_time(s: Subject) {
    let (one, other) = (Uuid::new_v4(), Uuid::new_v4());
    let alone = if blocked(&s) == LeaseState::HeldByOther { LeaseState::Uncacheable } else { LeaseState::Acquired };
    assert_eq!(s.store.acquire("a", one, LONG).await.unwrap(), LeaseState::Acquired);
    s.store.release("a", other, Some(LONG)).await.unwrap();
    assert_eq!(s.store.acquire("a", other, LONG).await.unwrap(), blocked(&s));
    s.store.release("a", one, Some(LONG)).await.unwrap();
    for owner in [one, other, Uuid::new_v4()] {
        assert_eq!(s.store.acquire("a", owner, LONG).await.unwrap(), alone);
    }
    // It has no owner, so it cannot be released.
    s.store.release("a", one, None).await.unwrap();
    assert_eq!(s.store.acquire("a", one, LONG).await.unwrap(), alone);

    assert_eq!(s.store.acquire("b", one, LONG).await.unwrap(), LeaseState::Acquired);
    s.store.release("b", one, Some(Duration::from_millis(200))).await.unwrap();
    eventually(async || s.store.acquire("b", other, LONG).await.unwrap() == LeaseState::Acquired).await;
}

fn bucket(hour: i64, scope: &Scope, counts: Counters) -> HourlyCounters {
    HourlyCounters { hour, scope: scope.clone(), counts }
}

fn sorted(counted: StatsSnapshot) -> Vec<HourlyCounters> {
    let mut buckets = counted.hours;
    buckets.sort_by_key(|bucket| (bucket.hour, bucket.scope.clone()));
    buckets
}

pub async fn stats_of_two_processes_add_up(s: Subject) {
    let hour = (clock::now() / 3_600.0) as i64;
    let jikan = Scope::Http(ServiceName::new("jikan"));
    let results = Scope::Result("p: of:any \u{1b}[31mkind, 鍵".into());
    let once = Counters { hits: 3, misses: 1, stores: 1, bytes: 5 << 30, lookup_micros: 77, ..Counters::default() };
    let all = Counters { revalidations: 1, stale: 2, errors: 3, waits: 4, ..once };
    assert_eq!(s.store.stats(0.0).await.unwrap(), StatsSnapshot::default());
    let adding = (0..10).map(|_| {
        let buckets = vec![bucket(hour, &jikan, once), bucket(hour, &results, all), bucket(hour - 1, &jikan, once)];
        let store = &s.store;
        async move { store.add_stats(&StatsDelta::single(buckets)).await }
    });
    for outcome in futures_util::future::join_all(adding).await {
        outcome.unwrap();
    }

    let sum = |counts: Counters| std::iter::repeat_n(counts, 10).sum::<Counters>();
    let expected =
        [bucket(hour - 1, &jikan, sum(once)), bucket(hour, &jikan, sum(once)), bucket(hour, &results, sum(all))];
    assert_eq!(sorted(s.store.stats(clock::now() - DAY.as_secs_f64()).await.unwrap()), expected);
    assert_eq!(sorted(s.store.stats(hour as f64 * 3_600.0).await.unwrap()), expected[1..]);
    let none_yet = s.store.stats((hour + 1) as f64 * 3_600.0).await.unwrap();
    assert_eq!(none_yet.hours, []);
    assert_eq!(none_yet.ever, [(jikan, [once; 20].into_iter().sum()), (results, sum(all))].into());
}

pub async fn a_delta_is_added_once(s: Subject) {
    let hour = (clock::now() / 3_600.0) as i64;
    let scope = Scope::Http(ServiceName::new("anidb"));
    let hits = Counters { hits: 1, ..Counters::default() };
    let processes = [Uuid::new_v4(), Uuid::new_v4()];
    for number in [1, 1, 2, 1, 2] {
        for process in processes {
            let buckets = vec![bucket(hour - 1, &scope, hits), bucket(hour, &scope, hits)];
            s.store.add_stats(&StatsDelta { process, number, buckets }).await.unwrap();
        }
    }
    s.store.add_stats(&StatsDelta { process: processes[0], number: 3, buckets: Vec::new() }).await.unwrap();
    let counted = s.store.stats(clock::now() - SEVEN_DAYS).await.unwrap();
    let sum = [hits; 4].into_iter().sum::<Counters>();
    assert_eq!(counted.ever[&scope].hits, 8);
    assert_eq!(sorted(counted), [bucket(hour - 1, &scope, sum), bucket(hour, &scope, sum)]);
}

pub async fn stats_are_kept_for_seven_days(s: Subject) {
    let hour = (clock::now() / 3_600.0) as i64;
    let scope = Scope::Http(ServiceName::new("kitsu"));
    let hits = Counters { hits: 1, ..Counters::default() };
    let kept = SEVEN_DAYS as i64 / 3_600;
    s.store.add_stats(&StatsDelta::single(vec![bucket(hour - kept - 2, &scope, hits)])).await.unwrap();
    let buckets = vec![bucket(hour - kept + 1, &scope, hits), bucket(hour, &scope, hits)];
    s.store.add_stats(&StatsDelta::single(buckets)).await.unwrap();
    let since = clock::now() - 2.0 * SEVEN_DAYS;
    let expected = [bucket(hour - kept + 1, &scope, hits), bucket(hour, &scope, hits)];
    assert_eq!(sorted(s.store.stats(since).await.unwrap()), expected);
}

pub async fn a_damaged_counter_affects_no_other(s: Subject) {
    let hour = (clock::now() / 3_600.0) as i64;
    let expected = [bucket(
        hour,
        &Scope::Http(ServiceName::new("jikan")),
        Counters { hits: u64::MAX >> 1, ..Counters::default() },
    )];
    s.store.add_stats(&StatsDelta::single(expected.to_vec())).await.unwrap();
    match &s.raw {
        Raw::None => {}
        #[cfg(feature = "sqlite")]
        Raw::Sqlite(file) => {
            let rows = format!(
                "INSERT INTO animecache_counters (hour, name, field, value) VALUES
                     ({hour}, 'http:kitsu', 'hits', 'many'), ({hour}, 'http:kitsu', 'misses', -1),
                     ({hour}, 'http:kitsu', 'stores', 1e300), ({hour}, x'ff', 'hits', 1), ('now', 'http:kitsu', 'hits', 1)"
            );
            rusqlite::Connection::open(file).unwrap().execute_batch(&rows).unwrap();
        }
        #[cfg(feature = "redis")]
        Raw::Redis(url) => {
            let mut connection = redis::Client::open(url.as_str()).unwrap().get_connection().unwrap();
            let mut set = redis::cmd("HSET");
            set.arg(format!("animecache:{{counters}}:{hour}"));
            set.arg(&["http:kitsu:hits", "many", "http:kitsu:misses", "-1", "http:kitsu:stores", "1e300"]);
            set.arg(b"\xff").arg("1").exec(&mut connection).unwrap();
        }
    }
    assert_eq!(s.store.stats(0.0).await.unwrap().hours, expected);
}

pub async fn stats_are_not_listed_as_entries(s: Subject) {
    let hits = Counters { hits: 1, ..Counters::default() };
    let hour = (clock::now() / 3_600.0) as i64;
    s.store
        .add_stats(&StatsDelta::single(vec![bucket(hour, &Scope::Http(ServiceName::new("jikan")), hits)]))
        .await
        .unwrap();
    s.store.acquire("http:GET:abc", Uuid::new_v4(), LONG).await.unwrap();
    assert_eq!(crate::samples::list(&s.store, &cache_core::Filter::default(), 100).await, []);
}

/// A server without scripts rejects operations that need them.
async fn reserved(s: &Subject, name: &str, limit: &str, longest: Duration) -> Option<Duration> {
    match s.store.acquire_slot(name, &limit.parse().unwrap(), longest).await {
        Ok(wait) => Some(wait),
        Err(Error::Unsupported(_)) if s.runs_no_scripts() => None,
        Err(error) => panic!("{error}"),
    }
}

/// Whether a wait has this length in seconds, within the duration of the test itself.
fn is_wait(wait: Duration, seconds: f64) -> bool {
    (seconds - 5.0..=seconds).contains(&wait.as_secs_f64())
}

pub async fn slots_respect_every_quota(s: Subject) {
    let mut waits = Vec::new();
    for _ in 0..10 {
        let Some(wait) = reserved(&s, "api.example", "3/100s,6/1000s", DAY).await else { return };
        waits.push(wait);
    }
    let expected = [0.0, 0.0, 0.0, 100.0, 100.0, 100.0, 1_000.0, 1_000.0, 1_000.0, 1_100.0];
    assert!(waits.iter().zip(expected).all(|(wait, seconds)| is_wait(*wait, seconds)), "{waits:?}");
    assert_eq!(reserved(&s, "api.other", "1/100s", DAY).await.unwrap(), Duration::ZERO);
}

pub async fn slots_are_acquired_one_by_one(s: Subject) {
    let asking = (0..20).map(|_| reserved(&s, "api.example", "1/100s", DAY));
    let mut waits: Vec<_> = futures_util::future::join_all(asking).await.into_iter().flatten().collect();
    waits.sort();
    assert!(waits.len() == if s.runs_no_scripts() { 0 } else { 20 });
    assert!(waits.iter().zip(0..).all(|(wait, place)| is_wait(*wait, f64::from(place) * 100.0)), "{waits:?}");
}

pub async fn a_slot_beyond_the_maximum_wait_is_not_taken(s: Subject) {
    let minute = Duration::from_secs(60);
    for (longest, seconds) in [(minute, 0.0), (minute, 100.0), (minute, 100.0), (DAY, 100.0), (minute, 200.0)] {
        let Some(wait) = reserved(&s, "api.example", "1/100s", longest).await else { return };
        assert!(is_wait(wait, seconds), "{wait:?} is not {seconds}");
    }
}

pub async fn a_blocked_rate_limit_has_no_slot(s: Subject) {
    for seconds in [500, 900, 600] {
        match s.store.block("api.example", Duration::from_secs(seconds)).await {
            Err(Error::Unsupported(_)) if s.runs_no_scripts() => return,
            outcome => outcome.unwrap(),
        }
    }
    for seconds in [900.0, 1_000.0] {
        let wait = reserved(&s, "api.example", "1/100s", DAY).await.unwrap();
        assert!(is_wait(wait, seconds), "{wait:?} is not {seconds}");
    }
    assert_eq!(reserved(&s, "api.other", "1/100s", DAY).await.unwrap(), Duration::ZERO);

    s.store.block("api.third", Duration::from_millis(50)).await.unwrap();
    eventually(async || reserved(&s, "api.third", "1/1ms", Duration::ZERO).await == Some(Duration::ZERO)).await;
}

pub async fn rate_limits_are_not_listed_as_entries(s: Subject) {
    reserved(&s, "api.example", "1/100s", DAY).await;
    assert_eq!(crate::samples::list(&s.store, &cache_core::Filter::default(), 100).await, []);
}
