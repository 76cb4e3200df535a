//! Names of the services that the program has sources for, and lists of names.

use std::sync::LazyLock;

use cache_core::ServiceName;

use crate::services::table::table;

/// The services of an enrichment, in the order in which they are called.
pub static SERVICES: LazyLock<Vec<ServiceName>> = LazyLock::new(|| {
    let mut rows: Vec<_> = table().rows().filter_map(|row| Some((row.enrich_order?, row.name))).collect();
    rows.sort_unstable();
    rows.into_iter().map(|(_, name)| name).collect()
});

/// Every service in the order of the table, and then `other`.
pub fn all() -> impl Iterator<Item = ServiceName> {
    table().rows().map(|row| row.name).chain([ServiceName::OTHER])
}

/// The service of this name.
pub fn from_name(name: &str) -> Option<ServiceName> {
    all().find(|service| service.name() == name)
}

macro_rules! names {
    ($($name:ident)*) => {$(
        /// The service of this name.
        pub fn $name() -> ServiceName {
            static NAME: LazyLock<ServiceName> = LazyLock::new(|| {
                // The table is read first: it sets the order of the names.
                let _ = table();
                ServiceName::new(stringify!($name))
            });
            *NAME
        }
    )*};
}

names!(jikan anilist anidb kitsu animeschedule anime_planet anisearch);
