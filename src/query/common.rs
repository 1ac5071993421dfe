//! How common words are, counted in a sample of what is stored.

use std::collections::HashMap;

use super::compile::by_length;
use super::scan::Folded;

/// A smaller sample says nothing.
const LEAST: u64 = 100;

/// In how many items of a sample each word is.
#[derive(Debug, Default)]
pub struct Common {
    items: u64,
    /// With the item that it was last seen in, so that one counts once.
    words: HashMap<Box<str>, (u64, u64)>,
}

impl Common {
    /// Counts the words of an item.
    pub fn count(&mut self, item: &Folded) {
        self.items += 1;
        for word in item.words().folded() {
            match self.words.get_mut(word) {
                Some((_, last)) if *last == self.items => {}
                Some((items, last)) => (*items, *last) = (*items + 1, self.items),
                None => {
                    self.words.insert(word.into(), (1, self.items));
                }
            }
        }
    }

    /// In how many of 16,384 items a folded word is likely to be. What was not met is rare, the longer the rarer.
    #[must_use]
    pub fn frequency(&self, word: &str) -> u64 {
        if self.items < LEAST {
            return by_length(word);
        }
        match self.words.get(word) {
            Some((items, _)) => (items << 14) / self.items,
            None => by_length(word).min((1 << 13) / self.items),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::scan::Document;
    use super::*;

    fn counted(texts: &[&str]) -> Common {
        let mut common = Common::default();
        for text in texts {
            common.count(&Folded::new(&Document { title: text, content: text, ..Document::default() }));
        }
        common
    }

    #[test]
    fn a_word_counts_once_an_item_and_what_was_not_met_is_rarer_than_what_was() {
        let texts: Vec<&str> = (0..200).map(|n| if n % 2 == 0 { "The THE yeti" } else { "the" }).collect();
        let common = counted(&texts);
        assert_eq!([common.frequency("the"), common.frequency("yeti")], [1 << 14, 1 << 13]);
        let once = counted(&[&["rare"; 1][..], &["the"; 199][..]].concat());
        assert!(once.frequency("a") < once.frequency("rare"));
    }

    #[test]
    fn of_a_few_items_nothing_is_concluded() {
        let common = counted(&["international"; 20]);
        assert!(common.frequency("international") < common.frequency("yeti"));
    }
}
