//! The words of several texts in one arena, each with its place, its field and where it stands.

use std::ops::Range;

use super::filter::{eight, word_key};
use super::text::{Splitter, Word};

/// Bytes of text that are looked at in one item; what is beyond is not searched. Keeps every offset and position
/// within 32 bits. Far above what a feed's body may be.
pub(super) const MOST_TEXT: usize = 1 << 27;

/// What part of an item a text is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    Title,
    Summary,
    Content,
    Author,
    Tag,
    Url,
}

impl Part {
    /// The name under which a match in it is reported.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Summary => "summary",
            Self::Content => "content",
            Self::Author => "author",
            Self::Tag => "tag",
            Self::Url => "url",
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    raw: (u32, u32),
    position: u32,
    /// Which of the others it is; [`PLAIN`]: its folded form is in `lower`, where the text itself is in `raw`.
    other: u32,
}

const PLAIN: u32 = u32::MAX;

/// One of the texts.
#[derive(Clone, Copy, Debug)]
struct Text {
    part: Part,
    /// Where it begins in `raw`, and among the words.
    start: usize,
    first: usize,
}

/// Texts that were split once.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// The texts as they stand, a line feed after each.
    raw: String,
    /// The same with ASCII in lower case: the folded form of every ASCII word, in its place.
    lower: String,
    /// The folded forms of the other words, end to end, and where each ends.
    others: String,
    ends: Vec<u32>,
    entries: Vec<Entry>,
    /// The key of each word.
    keys: Vec<u32>,
    texts: Vec<Text>,
    splitter: Splitter,
}

impl Words {
    /// Makes room for texts of so many bytes instead.
    pub(super) fn clear(&mut self, bytes: usize) {
        let bytes = bytes.min(MOST_TEXT);
        self.raw.clear();
        self.lower.clear();
        self.others.clear();
        self.ends.clear();
        self.entries.clear();
        self.keys.clear();
        self.texts.clear();
        self.splitter.begin();
        self.raw.reserve(bytes);
        self.lower.reserve(bytes);
        self.entries.reserve(bytes / 5);
        self.keys.reserve(bytes / 5);
    }

    /// Adds a text; it is a block of its own. With `breaks`, its line feeds end blocks.
    pub(super) fn add(&mut self, part: Part, text: &str, breaks: bool) {
        let start = self.raw.len();
        let room = MOST_TEXT.saturating_sub(start + 1);
        let text = text.get(..text.floor_char_boundary(room)).unwrap_or_default();
        if text.is_empty() {
            return;
        }
        self.texts.push(Text { part, start, first: self.entries.len() });
        self.raw.push_str(text);
        self.raw.push('\n');
        self.lower.push_str(text);
        if let Some(added) = self.lower.get_mut(start..) {
            added.make_ascii_lowercase();
        }
        self.lower.push('\n');
        let (first, first_other) = (self.entries.len(), self.ends.len());
        let Self { others, ends, entries, .. } = self;
        self.splitter.run(text, breaks, &mut |word: Word<'_>| {
            let raw = (narrow(start + word.raw.start), narrow(start + word.raw.end));
            let mut other = PLAIN;
            if let Some(folded) = word.folded {
                other = narrow(ends.len());
                others.push_str(folded);
                ends.push(narrow(others.len()));
            }
            entries.push(Entry { raw, position: word.position, other });
        });
        self.add_keys(first, first_other);
        self.splitter.end_block();
    }

    /// Hashes the words from one on. By themselves, for then many are on their way at a time.
    fn add_keys(&mut self, first: usize, first_other: usize) {
        let mut keys = std::mem::take(&mut self.keys);
        let entries = self.entries.get(first..).unwrap_or_default();
        if first_other == self.ends.len() {
            let lower = self.lower.as_bytes();
            keys.extend(entries.iter().map(|entry| {
                let (start, end) = (wide(entry.raw.0), wide(entry.raw.1));
                word_key(lower.get(start..).unwrap_or_default(), end - start)
            }));
        } else {
            let folded = entries.iter().map(|entry| self.folded_of(entry).as_bytes());
            keys.extend(folded.map(|word| word_key(word, word.len())));
        }
        self.keys = keys;
    }

    /// The folded forms, in order.
    pub(super) fn folded(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| self.folded_of(entry))
    }

    /// Calls `each` with the places of words of so many bytes at least, up to 64 at a time; a few shorter ones may be among them.
    pub(super) fn of_length(&self, least: u32, each: &mut impl FnMut(&[u32])) {
        for (block, start) in self.entries.chunks(64).zip((0..).step_by(64)) {
            let (mut places, mut count) = ([0; 64], 0);
            for (entry, at) in block.iter().zip(start..) {
                // A slot is written whether the word is one or not: that costs less than to foresee it wrongly.
                if let Some(slot) = places.get_mut(count & 63) {
                    *slot = at;
                }
                count += usize::from((entry.raw.1 - entry.raw.0 >= least) | (entry.other != PLAIN));
            }
            each(places.get(..count).unwrap_or_default());
        }
    }

    /// The first four bytes of a word; of a shorter one with what stands behind it.
    pub(super) fn head(&self, index: u32) -> u64 {
        let Some(entry) = self.entries.get(wide(index)) else { return 0 };
        let (text, start) = match entry.other {
            PLAIN => (&self.lower, wide(entry.raw.0)),
            other => (&self.others, self.other(other).start),
        };
        let rest = text.as_bytes().get(start..).unwrap_or_default();
        rest.first_chunk().map_or_else(|| eight(rest), |four| u64::from(u32::from_le_bytes(*four)))
    }

    /// A word's folded form.
    pub(super) fn word(&self, index: usize) -> Option<&str> {
        self.entries.get(index).map(|entry| self.folded_of(entry))
    }

    /// The key of each.
    pub(super) fn keys(&self) -> &[u32] {
        &self.keys
    }

    /// The key of a word.
    pub(super) fn key(&self, index: u32) -> Option<u32> {
        self.keys.get(wide(index)).copied()
    }

    /// A word's position.
    pub(super) fn position(&self, index: usize) -> Option<u32> {
        self.entries.get(index).map(|entry| entry.position)
    }

    /// The part that a word is in.
    pub(super) fn part(&self, index: usize) -> Option<Part> {
        let after = self.texts.partition_point(|text| text.first <= index);
        self.texts.get(after.checked_sub(1)?).map(|text| text.part).filter(|_| index < self.entries.len())
    }

    /// Where the words from the first to the last stand in [`Self::text`].
    pub(super) fn raw(&self, first: usize, last: usize) -> Option<Range<usize>> {
        let (first, last) = (self.entries.get(first)?, self.entries.get(last)?);
        Some(wide(first.raw.0)..wide(last.raw.1.max(first.raw.1)))
    }

    /// All texts, end to end.
    pub(super) fn text(&self) -> &str {
        &self.raw
    }

    /// The bounds of the text that a place is in, without the line feed after it.
    pub(super) fn bounds(&self, at: usize) -> Range<usize> {
        let after = self.texts.partition_point(|text| text.start <= at);
        after.checked_sub(1).map_or(0..0, |text| self.span(text))
    }

    /// Each text with its part and where it stands in [`Self::text`].
    pub(super) fn texts(&self) -> impl Iterator<Item = (Part, Range<usize>)> {
        self.texts.iter().enumerate().map(|(at, text)| (text.part, self.span(at)))
    }

    fn span(&self, text: usize) -> Range<usize> {
        let start = self.texts.get(text).map_or(0, |text| text.start);
        let end = self.texts.get(text + 1).map_or(self.raw.len(), |text| text.start);
        start..end.saturating_sub(1).max(start)
    }

    fn folded_of(&self, entry: &Entry) -> &str {
        if entry.other == PLAIN {
            return self.lower.get(wide(entry.raw.0)..wide(entry.raw.1)).unwrap_or_default();
        }
        self.others.get(self.other(entry.other)).unwrap_or_default()
    }

    /// Where one of the other words stands.
    fn other(&self, other: u32) -> Range<usize> {
        let end = |other: usize| self.ends.get(other).map_or(0, |end| wide(*end));
        let other = wide(other);
        other.checked_sub(1).map_or(0, end)..end(other)
    }
}

/// `MOST_TEXT` keeps places within 32 bits, and folding a character makes at most eleven times its bytes.
fn narrow(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn wide(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_form_place_part_and_bounds() {
        let mut words = Words::default();
        words.clear(10);
        words.add(Part::Title, "Große WELT", true);
        words.add(Part::Summary, "", true);
        words.add(Part::Tag, "US\npolitics", false);
        assert_eq!(words.folded().collect::<Vec<_>>(), ["grosse", "welt", "us", "politics"]);
        let positions: Vec<_> = (0..9).filter_map(|i| words.position(i)).collect();
        assert_eq!(positions, [0, 1, 18, 19]);
        assert_eq!(words.part(2), Some(Part::Tag));
        assert_eq!(words.raw(0, 1).map(|r| &words.text()[r]), Some("Große WELT"));
        let tag = words.raw(3, 3).unwrap();
        assert_eq!(&words.text()[words.bounds(tag.start)], "US\npolitics");
        assert_eq!(words.word(4), None);
    }
}
