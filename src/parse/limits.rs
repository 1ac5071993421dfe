//! What a publisher may send: every limit of the parser, with its name.

/// Largest document, in bytes. feed-rs takes some 29 bytes of memory for each byte of the worst input.
pub const MAX_DOCUMENT_BYTES: usize = 20_000_000;
/// Entries that are taken of one document.
pub const MAX_ENTRIES: usize = 10_000;
/// How deep elements may nest.
pub const MAX_DEPTH: usize = 256;
/// How deep those may nest that feed-rs recurses into (`media:group`, `media:content`, `itunes:category`): a stack that overflows
/// cannot be caught, and some 200 levels fill 2 MB in a debug build.
pub(super) const MAX_RECURSION: usize = 16;
/// Comparisons of attributes in a document: quick-xml compares each of a tag with all before it.
pub(super) const MAX_COMPARISONS: usize = 50_000_000;
/// Longest title, name, term or other one-line text, in bytes; longer ones are cut.
pub(super) const MAX_LINE_BYTES: usize = 65_536;
/// Longest summary or content, in bytes; longer ones are cut.
pub(super) const MAX_BODY_BYTES: usize = 4_000_000;
/// Longest guid, in bytes. A longer one is dropped: cut, two could become the same.
pub(super) const MAX_ID_BYTES: usize = 8_192;
/// Longest URL, in bytes; longer ones are dropped.
pub(super) const MAX_URL_BYTES: usize = 8_192;
/// Persons, categories and enclosures of an entry or feed, each.
pub(super) const MAX_LIST: usize = 200;
/// How far junk before the root is skipped, in bytes.
pub(super) const MAX_JUNK_BYTES: usize = 65_536;
/// Repairs of one kind that are listed one by one; the rest is counted.
pub(super) const MAX_LISTED_REPAIRS: usize = 20;
