//! A sorted table of prefixes: which of many a word begins with.

use std::collections::BTreeMap;

const NONE: u32 = u32::MAX;

/// Prefixes in order, each with the longest other one that it begins with.
#[derive(Debug, Default)]
pub(super) struct Prefixes {
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
        let mut rows: Vec<Row> = Vec::with_capacity(terms.len());
        let mut open: Vec<(u32, Box<str>)> = Vec::new();
        for (prefix, term) in terms {
            while open.pop_if(|(_, outer)| !prefix.starts_with(&**outer)).is_some() {}
            let parent = open.last().map_or(NONE, |(row, _)| *row);
            let row = u32::try_from(rows.len()).unwrap_or(NONE);
            open.push((row, prefix.clone()));
            rows.push(Row { head: head(&prefix), prefix, term, parent });
        }
        Self { rows }
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Calls `each` with the term of every prefix of this word, longest first.
    ///
    /// Between a prefix of the word and the word itself stand only texts that begin with that prefix. So the last
    /// row up to the word has every prefix of the word among itself and its parents.
    pub(super) fn of(&self, word: &str, each: &mut impl FnMut(u32)) {
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
