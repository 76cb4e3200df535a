//! What is told when what was waited for has not come.

use std::sync::Arc;

use crate::model::event::EventKind;
use crate::store::redis::events::interpreter::{JOINED_WITHIN, Miss, ONE_ACT, Recogniser, SERVICE_AWAITED, TOGETHER};

impl Recogniser {
    /// Gives up waiting for what has not come by now.
    pub(crate) fn tick(&mut self, now: f64) {
        let mut misses = Vec::new();
        let known = &self.known;
        self.lookups.retain(|key, lookups| {
            let over = lookups.open.iter().take_while(|at| now - **at > ONE_ACT).count();
            lookups.misses.extend(lookups.open.drain(..over).map(|at| Miss { at, is_told: false }));
            lookups.unite_misses();
            let patience = if known.contains_key(key) { ONE_ACT } else { SERVICE_AWAITED };
            for miss in lookups.misses.iter_mut().filter(|miss| !miss.is_told && now - miss.at > patience) {
                miss.is_told = true;
                misses.push((miss.at, key.clone()));
            }
            // Those told are kept as long: the TTL of the index may still be asked for.
            lookups.misses.retain(|miss| now - miss.at <= SERVICE_AWAITED);
            !lookups.open.is_empty() || !lookups.misses.is_empty() || now - lookups.last <= TOGETHER
        });
        for (at, key) in misses {
            self.tell_miss(at, key);
        }
        let mut changed = Vec::new();
        self.writes.retain(|_, write| {
            let patience = if write.is_joined || write.facts.is_deleted { ONE_ACT } else { JOINED_WITHIN };
            let is_over = now - write.at > patience;
            if is_over && !write.is_joined {
                changed.push((write.at, Arc::clone(&write.facts)));
            }
            !is_over
        });
        for (at, facts) in changed {
            self.tell(at, if facts.is_deleted { EventKind::Remove } else { EventKind::Refresh }, &facts);
        }
        let over = self.result_reads.iter().take_while(|(_, at)| now - *at > TOGETHER).count();
        for (key, at) in self.result_reads.drain(..over).collect::<Vec<_>>() {
            self.tell_result(at, EventKind::Hit, key);
        }
        self.used.retain(|_, at| now - *at <= ONE_ACT);
        self.leaders.retain(|_, (_, at)| now - *at <= ONE_ACT);
        self.left.retain(|_, at| now - *at <= ONE_ACT);
        self.result_writes.retain(|_, at| now - *at <= ONE_ACT);
    }

    /// Whether [`Self::tick`] has something to wait for.
    pub(crate) fn is_waiting(&self) -> bool {
        !(self.lookups.is_empty() && self.writes.is_empty() && self.result_reads.is_empty())
    }

    /// Tells what is understood by now; nothing more will come. What was asked just now may still have been answered.
    pub(crate) fn finish(&mut self, now: f64) {
        for (key, lookups) in std::mem::take(&mut self.lookups) {
            let untold = lookups.misses.into_iter().filter(|miss| !miss.is_told).map(|miss| miss.at);
            for at in untold.chain(lookups.open.into_iter().filter(|at| now - at > TOGETHER)) {
                self.tell_miss(at, key.clone());
            }
        }
        for (key, at) in std::mem::take(&mut self.result_reads) {
            self.tell_result(at, EventKind::Hit, key);
        }
        for write in std::mem::take(&mut self.writes).into_values() {
            if write.facts.is_deleted && !write.is_joined {
                self.tell(write.at, EventKind::Remove, &write.facts);
            }
        }
    }
}
