//! [`ListenerGate`]: invalidations reach a listener only while the store that sends them is in use.
//!
//! Otherwise a listener would keep answers of the second store, whose changes are not reported.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::invalidation::InvalidationListener;

/// A listener of the first store, which counts as disconnected while the second is in use.
pub(crate) struct ListenerGate {
    listener: Arc<dyn InvalidationListener>,
    state: Mutex<State>,
}

struct State {
    is_first_in_use: bool,
    tracking: Tracking,
}

/// What the first store said last.
#[derive(Clone, Copy)]
enum Tracking {
    Connected,
    Disconnected,
    Unsupported,
}

impl ListenerGate {
    pub(crate) fn new(listener: Arc<dyn InvalidationListener>, is_first_in_use: bool) -> Self {
        Self { listener, state: Mutex::new(State { is_first_in_use, tracking: Tracking::Disconnected }) }
    }

    /// Tells the listener which store is in use.
    pub(crate) fn switch(&self, is_first_in_use: bool) {
        let mut state = self.state();
        state.is_first_in_use = is_first_in_use;
        self.tell(&state);
    }

    fn set(&self, tracking: Tracking) {
        let mut state = self.state();
        state.tracking = tracking;
        self.tell(&state);
    }

    fn tell(&self, state: &State) {
        match state.tracking {
            Tracking::Connected if state.is_first_in_use => self.listener.on_connected(),
            Tracking::Unsupported if state.is_first_in_use => self.listener.on_unsupported(),
            _ => self.listener.on_disconnected(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InvalidationListener for ListenerGate {
    fn on_connected(&self) {
        self.set(Tracking::Connected);
    }

    fn on_disconnected(&self) {
        self.set(Tracking::Disconnected);
    }

    fn on_unsupported(&self) {
        self.set(Tracking::Unsupported);
    }

    fn on_invalidate(&self, key: &[u8]) {
        self.listener.on_invalidate(key);
    }

    fn on_invalidate_all(&self) {
        self.listener.on_invalidate_all();
    }
}
