//! Counters for concurrent updates.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::model::stats::{Counters, counters};

macro_rules! define_cells {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        /// [`Counters`] as atomics.
        #[derive(Default)]
        pub(crate) struct CounterCells {
            $($name: AtomicU64,)*
        }

        impl CounterCells {
            pub(crate) fn add(&self, counts: &Counters) {
                $(if counts.$name > 0 {
                    self.$name.fetch_add(counts.$name, Ordering::SeqCst);
                })*
            }

            /// Returns the counts since the last call.
            pub(crate) fn take(&self) -> Counters {
                Counters { $($name: self.$name.swap(0, Ordering::SeqCst)),* }
            }
        }
    };
}

counters!(define_cells);
