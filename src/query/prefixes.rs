//! A sorted table of prefixes: which of many a word begins with.

use std::collections::BTreeMap;

use super::filter::{Heads, eight};
use super::words::Words;

const NONE: u32 = u32::MAX;

/// Prefixes in order, each with the longest other one that it begins with.
#[derive(Debug, Default)]
pub(super) struct Prefixes {
    /// Most words end at the first, and most of the others at the second.
    heads: Heads<4>,
    longer: Heads<8>,
    /// The bytes of the shortest one.
    shortest: u32,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    /// The first bytes of `prefix`: most comparisons end there, without a look at the text itself.
    head: u64,
    prefix: Box<str>,
    term: u32,
    /// The row of the longest shorter prefix of `prefix`.
    parent: u32,
}

impl Prefixes {
    /// Makes the table.
    pub(super) fn new(terms: BTreeMap<Box<str>, u32>) -> Self {
        let (heads, longer) = (Heads::new(terms.keys()), Heads::new(terms.keys()));
        let shortest = terms.keys().map(|prefix| prefix.len()).min().unwrap_or(0);
        let mut rows: Vec<Row> = Vec::with_capacity(terms.len());
        let mut open: Vec<(u32, Box<str>)> = Vec::new();
        for (prefix, term) in terms {
            while open.pop_if(|(_, outer)| !prefix.starts_with(&**outer)).is_some() {}
            let parent = open.last().map_or(NONE, |(row, _)| *row);
            let row = u32::try_from(rows.len()).unwrap_or(NONE);
            open.push((row, prefix.clone()));
            rows.push(Row { head: head(&prefix), prefix, term, parent });
        }
        Self { heads, longer, shortest: u32::try_from(shortest).unwrap_or(0), rows }
    }

    /// Calls `each` with the term of every prefix of every word, and where the word stands.
    pub(super) fn of_all(&self, words: &Words, each: &mut impl FnMut(u32, u32)) {
        if self.rows.is_empty() {
            return;
        }
        words.of_length(self.shortest, &mut |places| {
            let mut known = self.heads.of(places.iter().map(|at| words.head(*at)));
            while known != 0 {
                let place = usize::try_from(known.trailing_zeros()).ok().and_then(|place| places.get(place)).copied();
                known &= known - 1;
                let Some(at) = place else { continue };
                let word = usize::try_from(at).ok().and_then(|at| words.word(at)).unwrap_or_default();
                self.of(word, &mut |term| each(term, at));
            }
        });
    }

    /// Calls `each` with the term of every prefix of this word, longest first.
    ///
    /// Between a prefix of the word and the word itself stand only texts that begin with that prefix. So the last
    /// row up to the word has every prefix of the word among itself and its parents.
    pub(super) fn of(&self, word: &str, each: &mut impl FnMut(u32)) {
        if !self.longer.may_begin(eight(word.as_bytes())) {
            return;
        }
        let start = head(word);
        let after = self.rows.partition_point(|row| row.head < start || (row.head == start && *row.prefix <= *word));
        let mut at = after.checked_sub(1);
        while let Some(row) = at.and_then(|at| self.rows.get(at)) {
            if word.starts_with(&*row.prefix) {
                each(row.term);
            }
            at = usize::try_from(row.parent).ok();
        }
    }
}

/// Eight bytes in the order of texts.
fn head(text: &str) -> u64 {
    match text.as_bytes().first_chunk::<8>() {
        Some(bytes) => u64::from_be_bytes(*bytes),
        None => {
            let key = text.bytes().fold(0_u64, |key, byte| key << 8 | u64::from(byte));
            if text.is_empty() { 0 } else { key << (64 - 8 * text.len()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_prefix_of_a_word_is_found_and_nothing_else(
            prefixes in proptest::collection::btree_set("[ab]{1,10}", 0..20),
            word in "[abc]{0,12}",
        ) {
            let terms = prefixes.iter().zip(0..).map(|(p, i)| (p.as_str().into(), i)).collect();
            let mut found = Vec::new();
            Prefixes::new(terms).of(&word, &mut |term| found.push(term));
            found.sort_unstable();
            let want: Vec<u32> =
                prefixes.iter().zip(0..).filter(|(p, _)| word.starts_with(p.as_str())).map(|(_, i)| i).collect();
            prop_assert_eq!(found, want);
        }
    }
}
