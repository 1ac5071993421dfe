//! A query as it was read: its source, its tree, and what is to be said about it.

use std::ops::Range;
use std::sync::Arc;

use super::compile::Index;
use super::grammar;
use super::moment::When;
use super::pattern::Pattern;

/// Bytes that a query may have.
pub const MAX_LENGTH: usize = 10_000;
/// Brackets that may be open at once.
pub const MAX_DEPTH: u32 = 50;
/// Words that a phrase may have.
pub const MAX_PHRASE: usize = 256;
/// The largest N in `NEAR/N`: less than the distance between two blocks.
pub const MAX_NEAR: u32 = 15;

/// A query that was read. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    pub(super) inner: Arc<Parsed>,
}

impl std::hash::Hash for Query {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.inner.source.hash(state);
    }
}

#[derive(PartialEq, Eq, Debug)]
pub(super) struct Parsed {
    pub(super) source: Box<str>,
    pub(super) root: Node,
    /// How many atoms of text there are; their ids are below.
    pub(super) atoms: u32,
    pub(super) notes: Option<Box<Notes>>,
}

/// What is to be said of a query; of most there is nothing.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Notes {
    pub(super) reading: Option<String>,
    pub(super) warnings: Vec<String>,
}

/// A clause of a query, and where it stands in the source.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Node {
    pub(super) at: Span,
    pub(super) kind: NodeKind,
}

#[derive(PartialEq, Eq, Debug)]
pub(super) enum NodeKind {
    /// `*`
    Everything,
    And(Box<[Node]>),
    Or(Box<[Node]>),
    Not(Box<Node>),
    Near(Box<Near>),
    Text(TextAtom),
    /// A feed's name, with `*` for any text.
    Feed(Box<str>),
    /// A host in lower case, IDNA.
    Site(Box<str>),
    /// A language tag in lower case.
    Language(Box<str>),
    /// A media type in lower case; `audio/` for `audio/*`.
    Type(Box<str>),
    /// The item's date.
    When(When),
    /// A regular expression.
    Pattern(Box<Pattern>),
}

impl Node {
    /// As [`Self::touch`], but only at what a clause points to.
    pub(super) fn begin(&self) -> usize {
        match &self.kind {
            NodeKind::And(nodes) | NodeKind::Or(nodes) => nodes.first().map_or(0, |node| node.at.range().start),
            NodeKind::Text(_) => self.touch(),
            _ => 0,
        }
    }

    /// Looks at the words of a clause, and gives a number that is of no use. See [`super::scan`]: it brings memory near.
    pub(super) fn touch(&self) -> usize {
        match &self.kind {
            NodeKind::And(nodes) | NodeKind::Or(nodes) => nodes.iter().map(Self::touch).fold(0, usize::wrapping_add),
            NodeKind::Text(atom) => atom.words.joined.bytes().next().map_or(0, usize::from),
            _ => 0,
        }
    }
}

/// `a NEAR/5 b NEAR/3 c`: each operand but the first with its N; the same occurrence of `b` is near both.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Near {
    pub(super) first: Node,
    pub(super) rest: Box<[(u32, Node)]>,
}

/// Words one after the other. Small, for it stands in its node: what is looked at together lies together.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct TextAtom {
    /// Its number in the query.
    pub(super) id: u32,
    pub(super) field: Field,
    /// At least one.
    pub(super) words: Phrase,
    /// Whether the last word is only how a word begins.
    pub(super) prefix: bool,
    /// What the text itself must be; of most atoms nothing.
    pub(super) raw: Option<Box<Raw>>,
}

/// What the text itself must be, where its folded words do not say all.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Raw {
    /// `=`: character by character.
    Exact(Exact),
    /// Symbols must stand before or after a word.
    Symbols(Box<[Symbols]>),
}

/// Folded words, end to end with a space after each but the last: with many queries, every allocation counts.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Phrase {
    joined: Box<str>,
    count: u32,
}

impl Phrase {
    /// From words joined by spaces.
    pub(super) fn new(joined: &str) -> Self {
        let count = joined.split(' ').count();
        Self { joined: joined.into(), count: u32::try_from(count).unwrap_or(u32::MAX) }
    }

    /// How many words there are.
    pub(super) fn len(&self) -> usize {
        usize::try_from(self.count).unwrap_or(usize::MAX)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.joined.split(' ')
    }

    /// The only one, if there is one.
    pub(super) fn only(&self) -> Option<&str> {
        (self.count == 1).then_some(&*self.joined)
    }
}

/// A text that must stand there as it is written.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Exact {
    pub(super) before: Box<str>,
    /// From the first word to the last.
    pub(super) body: Box<str>,
    pub(super) after: Box<str>,
}

/// Symbols at the edges of a word.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Symbols {
    /// Which word of the atom.
    pub(super) word: usize,
    pub(super) before: Box<str>,
    pub(super) after: Box<str>,
}

/// Bytes of the source, from and to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    pub(super) fn new(range: &Range<usize>) -> Self {
        // A query has at most MAX_LENGTH bytes.
        let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self { start: narrow(range.start), end: narrow(range.end) }
    }

    pub(super) fn range(self) -> Range<usize> {
        let wide = |at: u32| usize::try_from(at).unwrap_or(usize::MAX);
        wide(self.start)..wide(self.end)
    }
}

/// Where a term looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Field {
    /// Title, summary and content.
    Any,
    Title,
    Body,
    Author,
    Tag,
    Feed,
    Site,
    Url,
    Language,
    Type,
    Before,
    After,
    Age,
}

impl Field {
    /// Whether words are looked for in it; else its values are whole.
    pub(super) fn is_text(self) -> bool {
        matches!(self, Self::Any | Self::Title | Self::Body | Self::Author | Self::Tag | Self::Url)
    }
}

/// Why a query is wrong.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// A sentence that names the cause.
    pub message: String,
    /// Where in the text, in bytes.
    pub at: Range<usize>,
    /// What would be right.
    pub hint: Option<String>,
}

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// A sentence and the place: nothing in a query is ignored in silence.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        grammar::read(text).map(|parsed| Self { inner: Arc::new(parsed) })
    }

    /// The query that everything meets.
    #[must_use]
    pub fn everything() -> Self {
        let root = Node { at: Span::new(&(0..1)), kind: NodeKind::Everything };
        let parsed = Parsed { source: "*".into(), root, atoms: 0, notes: None };
        Self { inner: Arc::new(parsed) }
    }

    /// Whether it is that one: `*`, or nothing at all.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        matches!(self.inner.root.kind, NodeKind::Everything)
    }

    /// The text that it was read from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.inner.source
    }

    /// Its bracketed reading, where AND and OR are mixed without brackets.
    #[must_use]
    pub fn reading(&self) -> Option<String> {
        self.inner.notes.as_ref()?.reading.clone()
    }

    /// What is legal but looks like a mistake, a sentence each: `and` in lower case …
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.inner.notes.as_ref().map_or_else(Vec::new, |notes| notes.warnings.clone());
        if self.inner.has_pattern() && Index::new(std::slice::from_ref(self)).everywhere() > 0 {
            warnings.push(
                "No whole word must stand where this regular expression matches, so it is tried on every item. A word \
                 beside it, or \\b around one in it, makes it cheap."
                    .to_owned(),
            );
        }
        warnings
    }

    /// Whether what it means depends on the names or tags of feeds: whether it has a `feed:` or a `tag:`.
    #[must_use]
    pub fn looks_at_feeds(&self) -> bool {
        self.inner.root.any(&mut |node| match &node.kind {
            NodeKind::Feed(_) => true,
            NodeKind::Text(atom) => atom.field == Field::Tag,
            NodeKind::Pattern(pattern) => pattern.field == Field::Tag,
            _ => false,
        })
    }
}

impl Parsed {
    /// Whether it has a regular expression.
    pub(super) fn has_pattern(&self) -> bool {
        self.root.any(&mut |node| matches!(node.kind, NodeKind::Pattern(_)))
    }

    /// Whether it looks at the item's date.
    pub(super) fn has_date(&self) -> bool {
        self.root.any(&mut |node| matches!(node.kind, NodeKind::When(When::Before(_) | When::From(_))))
    }
}

impl Node {
    /// Whether one of its clauses, or itself, is so.
    pub(super) fn any<'a>(&'a self, is: &mut impl FnMut(&'a Node) -> bool) -> bool {
        is(self)
            || match &self.kind {
                NodeKind::And(nodes) | NodeKind::Or(nodes) => nodes.iter().any(|node| node.any(is)),
                NodeKind::Not(node) => node.any(is),
                NodeKind::Near(near) => near.operands().any(|node| node.any(is)),
                _ => false,
            }
    }
}

impl Near {
    pub(super) fn operands(&self) -> impl Iterator<Item = &Node> {
        std::iter::once(&self.first).chain(self.rest.iter().map(|(_, node)| node))
    }
}
