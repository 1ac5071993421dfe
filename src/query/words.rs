//! The words of several texts in one arena, each with its place, its field and where it stands.

use std::ops::Range;

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
    folded: (u32, u32),
    position: u32,
    part: Part,
    /// Whether the folded form is in `other`; else it is in `lower`, where the text itself is in `raw`.
    other: bool,
}

/// Texts that were split once.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// The texts as they stand, a line feed after each.
    raw: String,
    /// The same with ASCII in lower case: the folded form of every ASCII word, in its place.
    lower: String,
    /// The folded forms of the other words, end to end.
    other: String,
    entries: Vec<Entry>,
    /// Where each text begins in `raw`, and its part.
    texts: Vec<(usize, Part)>,
    splitter: Splitter,
}

impl Words {
    /// Room for texts of so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        let bytes = bytes.min(MOST_TEXT);
        let mut words = Self::default();
        words.raw.reserve(bytes);
        words.lower.reserve(bytes);
        words.entries.reserve(bytes / 6);
        words
    }

    /// Adds a text; it is a block of its own. With `breaks`, its line feeds end blocks.
    pub(super) fn add(&mut self, part: Part, text: &str, breaks: bool) {
        let start = self.raw.len();
        let room = MOST_TEXT.saturating_sub(start + 1);
        let text = text.get(..text.floor_char_boundary(room)).unwrap_or_default();
        if text.is_empty() {
            return;
        }
        self.texts.push((start, part));
        self.raw.push_str(text);
        self.raw.push('\n');
        self.lower.push_str(text);
        if let Some(added) = self.lower.get_mut(start..) {
            added.make_ascii_lowercase();
        }
        self.lower.push('\n');
        let (entries, other) = (&mut self.entries, &mut self.other);
        self.splitter.run(text, breaks, &mut |word: Word<'_>| {
            let raw = pair(&(start + word.raw.start..start + word.raw.end));
            let folded = word.folded.map_or(raw, |folded| {
                let at = other.len();
                other.push_str(folded);
                pair(&(at..other.len()))
            });
            entries.push(Entry { raw, folded, position: word.position, part, other: word.folded.is_some() });
        });
        self.splitter.end_block();
    }

    /// How many words there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The folded forms, in order.
    pub(super) fn folded(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| self.folded_of(entry))
    }

    /// A word's folded form.
    pub(super) fn word(&self, index: usize) -> Option<&str> {
        self.entries.get(index).map(|entry| self.folded_of(entry))
    }

    /// A word's position.
    pub(super) fn position(&self, index: usize) -> Option<u32> {
        self.entries.get(index).map(|entry| entry.position)
    }

    /// The part that a word is in.
    pub(super) fn part(&self, index: usize) -> Option<Part> {
        self.entries.get(index).map(|entry| entry.part)
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
        let after = self.texts.partition_point(|(start, _)| *start <= at);
        after.checked_sub(1).map_or(0..0, |text| self.span(text))
    }

    /// Each text with its part and where it stands in [`Self::text`].
    pub(super) fn texts(&self) -> impl Iterator<Item = (Part, Range<usize>)> {
        self.texts.iter().enumerate().map(|(at, (_, part))| (*part, self.span(at)))
    }

    fn span(&self, text: usize) -> Range<usize> {
        let start = self.texts.get(text).map_or(0, |(start, _)| *start);
        let end = self.texts.get(text + 1).map_or(self.raw.len(), |(start, _)| *start);
        start..end.saturating_sub(1).max(start)
    }

    fn folded_of(&self, entry: &Entry) -> &str {
        let source = if entry.other { &self.other } else { &self.lower };
        source.get(wide(entry.folded.0)..wide(entry.folded.1)).unwrap_or_default()
    }
}

fn pair(range: &Range<usize>) -> (u32, u32) {
    // `MOST_TEXT` keeps both below, and folding a character makes at most eleven times its bytes.
    let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    (narrow(range.start), narrow(range.end))
}

fn wide(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_form_place_part_and_bounds() {
        let mut words = Words::with_capacity(10);
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
