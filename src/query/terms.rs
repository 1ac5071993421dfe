//! The whole words of all queries: which term a folded word is.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

const EMPTY: u32 = u32::MAX;

/// A table by a hash with a secret. The words themselves are not kept: two that share 32 bits of it and a place share a
/// term, and the evaluation tells them apart.
#[derive(Debug, Default)]
pub(super) struct Terms {
    /// A power of two of them, at most two thirds in use: part of the hash, and the term.
    slots: Vec<(u32, u32)>,
    used: usize,
    hasher: RandomState,
}

impl Terms {
    /// The term of a word.
    pub(super) fn get(&self, word: &str) -> Option<u32> {
        let slot = self.find(self.hasher.hash_one(word))?;
        self.slots.get(slot).map(|(_, term)| *term).filter(|term| *term != EMPTY)
    }

    /// The term of a word; `fresh`, if it had none.
    pub(super) fn get_or_insert(&mut self, word: &str, fresh: u32) -> u32 {
        if (self.used + 1) * 3 > self.slots.len() * 2 {
            self.grow();
        }
        let hash = self.hasher.hash_one(word);
        let Some(slot) = self.find(hash).and_then(|slot| self.slots.get_mut(slot)) else { return fresh };
        if slot.1 == EMPTY {
            *slot = (tag(hash), fresh);
            self.used += 1;
        }
        slot.1
    }

    /// The place of a hash, or where it would be.
    fn find(&self, hash: u64) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = place(hash) & mask;
        while self.slots.get(at).is_some_and(|(own, term)| *term != EMPTY && *own != tag(hash)) {
            at = (at + 1) & mask;
        }
        Some(at)
    }

    fn grow(&mut self) {
        let bigger = (self.slots.len() * 2).max(16);
        let old = std::mem::replace(&mut self.slots, vec![(0, EMPTY); bigger]);
        for (tag, term) in old.into_iter().filter(|(_, term)| *term != EMPTY) {
            // The tag is the whole of what is known of the hash.
            if let Some(slot) = self.find(u64::from(tag)).and_then(|slot| self.slots.get_mut(slot)) {
                *slot = (tag, term);
            }
        }
    }
}

fn tag(hash: u64) -> u32 {
    u32::try_from(hash & u64::from(u32::MAX)).unwrap_or(0)
}

fn place(hash: u64) -> usize {
    usize::try_from(tag(hash)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_the_term_that_it_was_given_first() {
        let mut terms = Terms::default();
        assert_eq!(terms.get("w1"), None);
        let given = (0..10_000).filter(|n| terms.get_or_insert(&format!("w{n}"), *n) == *n).count();
        let kept = (0..10_000).filter(|n| terms.get(&format!("w{n}")) == Some(*n)).count();
        // Two of ten thousand may share their 32 bits.
        assert!(given > 9_990 && kept > 9_990, "{given} {kept}");
        assert_ne!(terms.get_or_insert("w77", 99_999), 99_999);
    }
}
