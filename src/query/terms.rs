//! The words that queries hang on: which term a folded word is.

use super::filter::Bits;

const EMPTY: u32 = u32::MAX;

/// A table by the keys of words. The words themselves are not kept: two of one key share a term, and the evaluation tells them
/// apart.
#[derive(Debug, Default)]
pub(super) struct Terms {
    /// Most words are no term, and end here: some kilobytes that stay near.
    known: Bits,
    /// A power of two of them, at most two thirds in use: the key, and the term.
    slots: Vec<(u32, u32)>,
    used: usize,
}

impl Terms {
    /// The term of a key.
    pub(super) fn get(&self, key: u32) -> Option<u32> {
        if !self.known.has(key) {
            return None;
        }
        self.slots.get(self.find(key)?).map(|(_, term)| *term).filter(|term| *term != EMPTY)
    }

    /// Calls `each` with those of many keys that have a term: where they stand, and the term. First which may, 64 at a time and
    /// without a branch: what a processor cannot foresee costs it more than the look-up.
    pub(super) fn of(&self, keys: &[u32], each: &mut impl FnMut(u32, u32)) {
        for (block, start) in keys.chunks(64).zip((0..).step_by(64)) {
            let mut known = block.iter().rev().fold(0_u64, |bits, key| bits << 1 | u64::from(self.known.has(*key)));
            while known != 0 {
                let at = known.trailing_zeros();
                known &= known - 1;
                let key = usize::try_from(at).ok().and_then(|at| block.get(at)).copied().unwrap_or_default();
                if let Some(term) = self.get(key) {
                    each(start + at, term);
                }
            }
        }
    }

    /// The term of a key; `fresh`, if it had none. It is found once the table is [finished](Self::finish).
    pub(super) fn get_or_insert(&mut self, key: u32, fresh: u32) -> u32 {
        if (self.used + 1) * 3 > self.slots.len() * 2 {
            self.grow();
        }
        let Some(slot) = self.find(key).and_then(|slot| self.slots.get_mut(slot)) else { return fresh };
        if slot.1 == EMPTY {
            *slot = (key, fresh);
            self.used += 1;
        }
        slot.1
    }

    /// Nothing is added any more.
    pub(super) fn finish(&mut self) {
        self.known = Bits::new(self.used);
        for (key, _) in self.slots.iter().filter(|(_, term)| *term != EMPTY) {
            self.known.add(*key);
        }
    }

    /// The place of a key, or where it would be.
    fn find(&self, key: u32) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = usize::try_from(key).unwrap_or(0) & mask;
        while self.slots.get(at).is_some_and(|(own, term)| *term != EMPTY && *own != key) {
            at = (at + 1) & mask;
        }
        Some(at)
    }

    fn grow(&mut self) {
        let bigger = (self.slots.len() * 2).max(16);
        let old = std::mem::replace(&mut self.slots, vec![(0, EMPTY); bigger]);
        for (key, term) in old.into_iter().filter(|(_, term)| *term != EMPTY) {
            if let Some(slot) = self.find(key).and_then(|slot| self.slots.get_mut(slot)) {
                *slot = (key, term);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::filter::word_key;
    use super::*;

    #[test]
    fn a_word_has_the_term_that_it_was_given_first() {
        let key = |n: u32| {
            let word = format!("w{n}{}", "x".repeat(usize::try_from(n % 23).unwrap()));
            word_key(word.as_bytes(), word.len())
        };
        let mut terms = Terms::default();
        assert_eq!(terms.get(key(1)), None);
        let given = (0..10_000).filter(|n| terms.get_or_insert(key(*n), *n) == *n).count();
        terms.finish();
        let kept = (0..10_000).filter(|n| terms.get(key(*n)) == Some(*n)).count();
        // Two of ten thousand may share their 32 bits.
        assert!(given > 9_990 && kept > 9_990, "{given} {kept}");
        assert_ne!(terms.get_or_insert(key(77), 99_999), 99_999);
        assert!((10_000..20_000).filter(|n| terms.get(key(*n)).is_some()).count() < 10);
    }
}
