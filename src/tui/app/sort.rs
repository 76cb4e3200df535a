//! The order of the table.

use std::cmp::Ordering;

use cache_core::{EntryId, Summary};

/// A column to sort by, in the order of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    /// The method of the request.
    Method,
    /// The service of the entry.
    Service,
    /// URL or arguments.
    Name,
    /// The status of the response.
    Status,
    /// Bytes of the body.
    Size,
    /// RFC 9111 age.
    Age,
    /// Seconds until it expires.
    Ttl,
    /// Freshness, or the state if it is not live.
    State,
}

impl Column {
    /// All columns, from left to right.
    pub const ALL: [Self; 8] =
        [Self::Method, Self::Service, Self::Name, Self::Status, Self::Size, Self::Age, Self::Ttl, Self::State];
}

/// The column and the direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// The column.
    pub by: Column,
    /// Descending.
    pub is_reversed: bool,
}

impl Default for Sort {
    fn default() -> Self {
        Self { by: Column::Name, is_reversed: false }
    }
}

/// The first key of comparison. Stored beside the rows: comparing entries would follow four pointers into cold memory.
/// Long enough to distinguish most names of one host.
pub type Rank = [u8; 40];

impl Sort {
    /// The rank of an entry: the number of the column, then the beginning of the name.
    pub fn rank(self, entry: &Summary) -> Rank {
        let mut rank = [0; 40];
        let number = (self.by != Column::Name).then(|| self.number(entry).to_be_bytes());
        let number = number.as_ref().map_or(&[][..], |bytes| &bytes[..]);
        for (to, from) in rank.iter_mut().zip(number.iter().chain(name(entry))) {
            *to = *from;
        }
        rank
    }

    /// The order of two entries of the same rank: by whole name and id.
    pub fn break_tie(self, a: &Summary, b: &Summary) -> Ordering {
        let order = name(a).cmp(name(b)).then_with(|| a.id.cmp(&b.id));
        if self.is_reversed { order.reverse() } else { order }
    }

    /// Times are compared, not ages: their order does not change with the clock.
    fn number(self, entry: &Summary) -> u64 {
        let http = entry.http.as_deref();
        match self.by {
            Column::Service => u64::from(entry.service.place()),
            Column::Status => http.map_or(0, |http| u64::from(http.status)),
            Column::Size => entry.size,
            // Youngest first; unknown age last.
            Column::Age => entry.age(0.0).map_or(u64::MAX, |_| {
                let initial = http.map_or(0.0, |http| http.freshness.initial_age);
                !ordered(entry.created_at.unwrap_or(0.0) - initial)
            }),
            // Entries that never expire last.
            Column::Ttl => entry.expires_at.map_or(u64::MAX, ordered),
            Column::State => (entry.state as u64) << 33 | u64::from(lifetime(entry)),
            Column::Method => {
                let mut start = [0; 8];
                for (to, from) in start.iter_mut().zip(http.map_or("", |http| &*http.method).bytes()) {
                    *to = from;
                }
                u64::from_be_bytes(start)
            }
            Column::Name => 0,
        }
    }
}

/// A number in the order of time.
fn ordered(time: f64) -> u64 {
    let bits = time.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// The freshness lifetime in whole seconds: unlike freshness, it does not change with the clock.
fn lifetime(entry: &Summary) -> u32 {
    entry.http.as_deref().and_then(|http| http.freshness.lifetime).unwrap_or(0.0) as u32
}

/// The sort key of the name column: the URL without its scheme, or the key of a result without the common prefix.
pub fn name(entry: &Summary) -> &[u8] {
    match (&entry.http, &entry.id) {
        (Some(http), _) => http.url.split_once("://").map_or(&*http.url, |(_, rest)| rest).as_bytes(),
        (None, EntryId::Key(key)) => key.strip_prefix(b"result_cache:").unwrap_or(key),
        (None, EntryId::Http(..)) => b"",
    }
}
