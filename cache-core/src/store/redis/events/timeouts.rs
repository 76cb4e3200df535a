//! Events that follow from an expected signal that did not come.

use std::sync::Arc;

use crate::model::event::EventKind;
use crate::store::redis::events::pending::{
    ACTION_WINDOW, JOIN_TIMEOUT, LOOKUP_WINDOW, Miss, Pending, SERVICE_TIMEOUT,
};

/// Ends operations that have been pending for too long.
pub(crate) fn tick(pending: &mut Pending, now: f64) {
    let mut misses = Vec::new();
    let known = &pending.known;
    pending.lookups.retain(|key, lookups| {
        let over = lookups.open.iter().take_while(|at| now - **at > ACTION_WINDOW).count();
        lookups.misses.extend(lookups.open.drain(..over).map(|at| Miss { at, is_reported: false }));
        lookups.merge_misses();
        let timeout = if known.contains_key(key) { ACTION_WINDOW } else { SERVICE_TIMEOUT };
        for miss in lookups.misses.iter_mut().filter(|miss| !miss.is_reported && now - miss.at > timeout) {
            miss.is_reported = true;
            misses.push((miss.at, key.clone()));
        }
        // Reported misses are kept as long: the TTL of the index may still be read.
        lookups.misses.retain(|miss| now - miss.at <= SERVICE_TIMEOUT);
        !lookups.open.is_empty() || !lookups.misses.is_empty() || now - lookups.last <= LOOKUP_WINDOW
    });
    for (at, key) in misses {
        pending.emit_miss(at, key);
    }
    let mut changed = Vec::new();
    pending.writes.retain(|_, write| {
        let timeout = if write.is_joined || write.facts.is_deleted { ACTION_WINDOW } else { JOIN_TIMEOUT };
        let is_over = now - write.at > timeout;
        if is_over && !write.is_joined {
            changed.push((write.at, Arc::clone(&write.facts)));
        }
        !is_over
    });
    for (at, facts) in changed {
        pending.emit(at, if facts.is_deleted { EventKind::Remove } else { EventKind::Refresh }, &facts);
    }
    let over = pending.result_reads.iter().take_while(|(_, at)| now - *at > LOOKUP_WINDOW).count();
    for (key, at) in pending.result_reads.drain(..over).collect::<Vec<_>>() {
        pending.emit_result(at, EventKind::Hit, key);
    }
    pending.used.retain(|_, at| now - *at <= ACTION_WINDOW);
    pending.leaders.retain(|_, (_, at)| now - *at <= ACTION_WINDOW);
    pending.left.retain(|_, at| now - *at <= ACTION_WINDOW);
    pending.result_writes.retain(|_, at| now - *at <= ACTION_WINDOW);
}

/// Whether [`tick`] has an operation to time out.
pub(crate) fn is_waiting(pending: &Pending) -> bool {
    !(pending.lookups.is_empty() && pending.writes.is_empty() && pending.result_reads.is_empty())
}

/// Reports all pending operations; no more signals will come. A recent lookup may still have been a hit.
pub(crate) fn finish(pending: &mut Pending, now: f64) {
    for (key, lookups) in std::mem::take(&mut pending.lookups) {
        let unreported = lookups.misses.into_iter().filter(|miss| !miss.is_reported).map(|miss| miss.at);
        for at in unreported.chain(lookups.open.into_iter().filter(|at| now - at > LOOKUP_WINDOW)) {
            pending.emit_miss(at, key.clone());
        }
    }
    for (key, at) in std::mem::take(&mut pending.result_reads) {
        pending.emit_result(at, EventKind::Hit, key);
    }
    for write in std::mem::take(&mut pending.writes).into_values() {
        if write.facts.is_deleted && !write.is_joined {
            pending.emit(write.at, EventKind::Remove, &write.facts);
        }
    }
}
