//! Hourly counters of hits, misses and other events by service and result prefix.
//!
//! Each process adds its counts to the store in the background.

use std::ops::AddAssign;

use uuid::Uuid;

use crate::model::entry::CacheKind;
use crate::model::service::{ServiceName, ServiceRegistry};

/// How long an hour's counters are kept, in seconds (7 days).
pub const RETENTION: f64 = 7.0 * 86_400.0;

/// An hour, in seconds.
pub(crate) const HOUR: f64 = 3_600.0;

/// The hour of a time in Unix seconds.
pub(crate) fn hour_of(time: f64) -> i64 {
    (time / HOUR).floor() as i64
}

/// When the counters of an hour expire, in Unix seconds.
#[cfg(feature = "redis")]
pub(crate) fn expires_at(hour: i64) -> i64 {
    (hour + 1) * HOUR as i64 + RETENTION as i64
}

/// Service or result prefix that counters belong to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// The HTTP cache of one service.
    Http(ServiceName),
    /// The result cache under one key prefix.
    Result(String),
}

/// The names of the counters, as the input of another macro: [`Counters`] is made of them here, and the atomics in
/// `runtime/stats_cells.rs`.
macro_rules! counters {
    ($define:ident) => {
        $define! {
            /// Responses and results served from the store, without a request to the origin.
            hits,
            /// Responses of the origin, and computed results.
            misses,
            /// Responses or results stored.
            stores,
            /// Stored responses that the origin validated (304): neither hits nor misses.
            revalidations,
            /// Hits that were stale.
            stale,
            /// Store operations that failed or timed out.
            errors,
            /// Requests that waited for another fetch of the same key.
            waits,
            /// Bytes of bodies and values served from the store.
            bytes,
            /// Duration of lookups in microseconds: of hits, misses and revalidations together.
            lookup_micros,
        }
    };
}
pub(crate) use counters;

macro_rules! define_counts {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        /// Counter values.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counters {
            $($(#[doc = $doc])* pub $name: u64,)*
        }

        impl Counters {
            /// Every counter with its name in the store and in JSON.
            pub fn fields(&self) -> [(&'static str, u64); define_counts!(@number $($name)*)] {
                [$((stringify!($name), self.$name)),*]
            }

            /// The counter with this name.
            pub fn field_mut(&mut self, name: &str) -> Option<&mut u64> {
                match name {
                    $(stringify!($name) => Some(&mut self.$name),)*
                    _ => None,
                }
            }
        }

        impl AddAssign for Counters {
            fn add_assign(&mut self, other: Self) {
                $(self.$name = self.$name.saturating_add(other.$name);)*
            }
        }
    };
    (@number) => { 0 };
    (@number $name:ident $($rest:ident)*) => { 1 + define_counts!(@number $($rest)*) };
}

counters!(define_counts);

/// Counters of one hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HourlyCounters {
    /// When the hour began, in hours since the Unix epoch.
    pub hour: i64,
    /// The scope of the counters.
    pub scope: Scope,
    /// The counters.
    pub counts: Counters,
}

/// Counters added by a process in one step. Retries are idempotent: a store ignores a delta unless its number is higher
/// than that of the last delta of the same process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatsDelta {
    /// The process.
    pub process: Uuid,
    /// The sequence number of the delta, from 1 on.
    pub number: u64,
    /// The counters; each hour and scope at most once, the oldest hour first.
    pub buckets: Vec<HourlyCounters>,
}

impl StatsDelta {
    /// The only delta of a process that counts once.
    pub fn single(mut buckets: Vec<HourlyCounters>) -> Self {
        buckets.sort_by_key(|bucket| bucket.hour);
        Self { process: Uuid::new_v4(), number: 1, buckets }
    }
}

/// The share of hits among hits and misses; `None` if there are neither.
pub fn hit_rate(hits: u64, misses: u64) -> Option<f64> {
    let asked = hits.saturating_add(misses);
    (asked > 0).then(|| hits as f64 / asked as f64)
}

impl Counters {
    /// The share of hits among hits and misses; `None` if there are neither.
    pub fn hit_rate(&self) -> Option<f64> {
        hit_rate(self.hits, self.misses)
    }

    /// Mean duration of a lookup, in seconds; `None` if there was none.
    pub fn mean_lookup(&self) -> Option<f64> {
        let asked = self.hits.saturating_add(self.misses).saturating_add(self.revalidations);
        (asked > 0).then(|| self.lookup_micros as f64 / 1e6 / asked as f64)
    }
}

impl std::iter::Sum for Counters {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |mut sum, counts| {
            sum += counts;
            sum
        })
    }
}

impl Scope {
    /// The service of the requests, or of the results under the prefix.
    pub fn service(&self, services: &ServiceRegistry) -> ServiceName {
        match self {
            Self::Http(service) => *service,
            Self::Result(prefix) => services.by_result_prefix(prefix.as_bytes()),
        }
    }

    /// The key prefix of results.
    pub fn prefix(&self) -> Option<&str> {
        match self {
            Self::Http(_) => None,
            Self::Result(prefix) => Some(prefix),
        }
    }

    /// The cache.
    pub fn kind(&self) -> CacheKind {
        match self {
            Self::Http(_) => CacheKind::Http,
            Self::Result(_) => CacheKind::Result,
        }
    }

    /// The name in the store: `http:<service>`, `result:<prefix>`.
    pub fn name(&self) -> String {
        match self {
            Self::Http(service) => format!("http:{service}"),
            Self::Result(prefix) => format!("result:{prefix}"),
        }
    }

    /// The scope of this name; `None` of a service that is not known to this process.
    pub fn from_name(name: &str) -> Option<Self> {
        match name.split_once(':')? {
            ("http", service) => ServiceName::find(service).map(Self::Http),
            ("result", prefix) => Some(Self::Result(prefix.to_owned())),
            _ => None,
        }
    }
}
