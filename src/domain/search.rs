//! What a full-text index can say of a query: which items may meet it, and how well each does.

/// A condition that every item meets which meets a query; one that is met need not meet the query.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Narrow {
    /// Nothing is known: any item.
    Any,
    /// These words stand in it.
    Phrase(Phrase),
    /// All of these; at least two.
    All(Vec<Narrow>),
    /// At least one of these; at least two.
    OneOf(Vec<Narrow>),
}

/// Words one after the other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Phrase {
    /// Where.
    pub within: Within,
    /// Folded, with a space between each two.
    pub words: Box<str>,
    /// Whether the last word is only how a word begins.
    pub prefix: bool,
}

/// The texts of an item that are looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Within {
    /// Title, summary and content.
    Anywhere,
    /// The title.
    Title,
    /// Summary and content.
    Body,
}

impl Narrow {
    /// All of them.
    #[must_use]
    pub fn all(parts: impl Iterator<Item = Self>) -> Self {
        let mut parts: Vec<Self> = parts.filter(|part| *part != Self::Any).collect();
        match parts.len() {
            0 => Self::Any,
            1 => parts.swap_remove(0),
            _ => Self::All(parts),
        }
    }

    /// At least one of them.
    #[must_use]
    pub fn one_of(parts: impl Iterator<Item = Self>) -> Self {
        let mut parts: Vec<Self> = parts.collect();
        match parts.len() {
            _ if parts.contains(&Self::Any) => Self::Any,
            0 => Self::Any,
            1 => parts.swap_remove(0),
            _ => Self::OneOf(parts),
        }
    }

    /// Its phrases, in order.
    #[must_use]
    pub fn phrases(&self) -> Vec<&Phrase> {
        match self {
            Self::Any => Vec::new(),
            Self::Phrase(phrase) => vec![phrase],
            Self::All(parts) | Self::OneOf(parts) => parts.iter().flat_map(Self::phrases).collect(),
        }
    }
}

/// How much more a word counts in the title, and in the summary, than in the content.
pub const WEIGHTS: [f64; 3] = [8.0, 2.0, 1.0];

/// What scores hang on besides the item itself.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Statistics {
    /// Items in the index.
    pub items: u64,
    /// Words of all of them.
    pub words: u64,
    /// For each phrase of the query, how many items have it.
    pub hits: Vec<u64>,
}

impl Statistics {
    /// How well an item meets a query that has these phrases, by its folded texts: title, summary, content. BM25 as
    /// SQLite's FTS5 reckons it, so that what is not in the index yet is ranked among what is.
    #[must_use]
    pub fn score(&self, phrases: &[&Phrase], texts: &[String; 3]) -> f64 {
        const K1: f64 = 1.2;
        const B: f64 = 0.75;
        let items = wide(self.items.max(1));
        let length: usize = texts.iter().map(|text| text.split(' ').filter(|word| !word.is_empty()).count()).sum();
        let mean = (wide(self.words) / items).max(1.0);
        let own = K1 * (1.0 - B + B * wide(length as u64) / mean);
        let hits = self.hits.iter().copied().chain(std::iter::repeat(0));
        let each = phrases.iter().zip(hits).map(|(phrase, hits)| {
            let rarity = ((items - wide(hits) + 0.5) / (wide(hits) + 0.5)).ln().max(1e-6);
            let often: f64 = phrase.counts(texts).iter().zip(WEIGHTS).map(|(n, weight)| wide(*n) * weight).sum();
            rarity * often * (K1 + 1.0) / (often + own)
        });
        each.sum()
    }
}

impl Phrase {
    /// How often it stands in each of the folded texts.
    fn counts(&self, texts: &[String; 3]) -> [u64; 3] {
        let looks = match self.within {
            Within::Anywhere => [true; 3],
            Within::Title => [true, false, false],
            Within::Body => [false, true, true],
        };
        let mut counts = [0; 3];
        for ((count, text), looks) in counts.iter_mut().zip(texts).zip(looks) {
            if looks {
                *count = text
                    .match_indices(&*self.words)
                    .filter(|(at, _)| {
                        let (before, after) = (text.get(..*at), text.get(at + self.words.len()..));
                        before.is_some_and(|t| t.is_empty() || t.ends_with(' '))
                            && (self.prefix || after.is_some_and(|t| t.is_empty() || t.starts_with(' ')))
                    })
                    .count() as u64;
            }
        }
        counts
    }
}

#[allow(clippy::cast_precision_loss, reason = "a score is no account: 53 bits are more than enough")]
fn wide(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phrase(words: &str, prefix: bool) -> Narrow {
        Narrow::Phrase(Phrase { within: Within::Anywhere, words: words.into(), prefix })
    }

    #[test]
    fn what_says_nothing_goes_from_an_and_and_opens_an_or() {
        let a = || phrase("a", false);
        assert_eq!(Narrow::all([Narrow::Any, a()].into_iter()), a());
        assert_eq!(Narrow::all([Narrow::Any].into_iter()), Narrow::Any);
        assert_eq!(Narrow::one_of([a(), Narrow::Any].into_iter()), Narrow::Any);
        let two = Narrow::one_of([a(), phrase("b c", true)].into_iter());
        assert_eq!(two.phrases().len(), 2);
    }

    #[test]
    fn whole_words_are_counted_and_beginnings_where_they_are_asked_for() {
        let texts = ["peace peaceful a peace".to_owned(), String::new(), "peace a peace".to_owned()];
        let count = |words: &str, prefix, within| Phrase { within, words: words.into(), prefix }.counts(&texts);
        assert_eq!(count("peace", false, Within::Anywhere), [2, 0, 2]);
        assert_eq!(count("peace", true, Within::Anywhere), [3, 0, 2]);
        assert_eq!(count("peace a", false, Within::Anywhere), [0, 0, 1]);
        assert_eq!(count("a peace", false, Within::Title), [1, 0, 0]);
        assert_eq!(count("peace", false, Within::Body), [0, 0, 2]);
    }
}
