//! Generations of keys, in memory.

use std::collections::HashMap;

use crate::model::generation::Generation;

/// The number of keys whose generations are kept. With more, every generation changes.
const MAX_KEYS: usize = 10_000;

#[derive(Default)]
pub(crate) struct Generations {
    last: u64,
    all: u64,
    /// The generation of a key that is not in the map.
    floor: u64,
    of_keys: HashMap<Vec<u8>, u64>,
}

impl Generations {
    pub(crate) fn of(&self, key: &[u8]) -> Generation {
        Generation { all: self.all, key: self.of_keys.get(key).copied().unwrap_or(self.floor) }
    }

    /// Raises the generation of a key; `None`: of all keys.
    pub(crate) fn raise(&mut self, key: Option<&[u8]>) {
        self.last += 1;
        let Some(key) = key else {
            self.all = self.last;
            return;
        };
        if self.of_keys.len() >= MAX_KEYS {
            self.of_keys.clear();
            self.floor = self.last;
        }
        self.of_keys.insert(key.to_vec(), self.last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raised_generation_never_returns() {
        let mut generations = Generations::default();
        let before = generations.of(b"a");
        generations.raise(Some(b"a"));
        let raised = generations.of(b"a");
        assert_ne!(raised, before);
        for number in 0..=MAX_KEYS {
            generations.raise(Some(number.to_string().as_bytes()));
        }
        assert!(generations.of_keys.len() <= MAX_KEYS);
        assert!(generations.of(b"a") != raised && generations.of(b"a") != before);
        let before = generations.of(b"b");
        generations.raise(None);
        assert_ne!(generations.of(b"b"), before);
    }
}
