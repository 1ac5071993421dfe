//! What was mended, listed up to a limit for each kind and counted beyond it.

use crate::parse::Repair;
use crate::parse::limits::MAX_LISTED_REPAIRS;

/// The repairs of a document.
#[derive(Debug, Default)]
pub(super) struct Log {
    list: Vec<Repair>,
    counts: Vec<(&'static str, usize)>,
}

impl Log {
    /// Notes one; `what` is a sentence and the kind as well.
    pub(super) fn note(&mut self, at: usize, what: &'static str) {
        let count = match self.counts.iter_mut().find(|(kind, _)| *kind == what) {
            Some((_, count)) => {
                *count += 1;
                *count
            }
            None => {
                self.counts.push((what, 1));
                1
            }
        };
        if count <= MAX_LISTED_REPAIRS {
            self.list.push(Repair::new(at, what));
        }
    }

    /// Notes one that happens once, in words of its own.
    pub(super) fn once(&mut self, at: usize, what: String) {
        self.list.push(Repair::new(at, what));
    }

    /// All of them in the order of the document, with a sentence for those that were only counted.
    pub(super) fn into_list(mut self, end: usize) -> Vec<Repair> {
        self.list.sort_by_key(|repair| repair.at);
        for (what, count) in self.counts {
            if count > MAX_LISTED_REPAIRS {
                self.list.push(Repair::new(end, format!("{count} times in all: {what}")));
            }
        }
        self.list
    }
}
