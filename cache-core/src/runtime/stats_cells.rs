//! Counters that many tasks add to at once.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::model::stats::{Counts, counters};

macro_rules! define_cells {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        /// [`Counts`] as atomics.
        #[derive(Default)]
        pub(crate) struct Cells {
            $($name: AtomicU64,)*
        }

        impl Cells {
            pub(crate) fn add(&self, counts: &Counts) {
                $(if counts.$name > 0 {
                    self.$name.fetch_add(counts.$name, Ordering::SeqCst);
                })*
            }

            /// Returns what was added since the last call.
            pub(crate) fn take(&self) -> Counts {
                Counts { $($name: self.$name.swap(0, Ordering::SeqCst)),* }
            }
        }
    };
}

counters!(define_cells);
