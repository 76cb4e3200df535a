//! [`Switch`]: which of the two stores is in use.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::circuit_breaker::CircuitBreaker;
use crate::model::inspection::Health;
use crate::store::layered::fallback::listener_gate::ListenerGate;

/// Which store is in use, and why.
pub(crate) struct Switch {
    /// Open while the second store is in use.
    pub(crate) breaker: CircuitBreaker,
    pub(crate) health: watch::Sender<Health>,
    pub(crate) gates: Mutex<Vec<Arc<ListenerGate>>>,
}

impl Switch {
    pub(crate) fn is_up(&self) -> bool {
        !self.breaker.is_open()
    }

    /// Switches to the second store if `opens` opens the breaker. Breaker and health change within one lock.
    pub(crate) fn use_second(&self, down: Health, opens: impl FnOnce(&CircuitBreaker) -> bool) {
        self.health.send_if_modified(|health| {
            let is_opened = opens(&self.breaker);
            if is_opened {
                self.tell(false);
                tracing::warn!(problem = down.problem, backend = %down.backend, "switched to the fallback backend");
                *health = down;
            }
            is_opened
        });
    }

    pub(crate) fn use_first(&self, up: Health) {
        self.health.send_modify(|health| {
            self.breaker.close();
            self.tell(true);
            tracing::info!(backend = %up.backend, "switched back to the primary backend");
            *health = up;
        });
    }

    fn tell(&self, is_first_in_use: bool) {
        for gate in &*self.gates.lock().unwrap_or_else(PoisonError::into_inner) {
            gate.switch(is_first_in_use);
        }
    }
}
