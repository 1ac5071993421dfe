//! What a publisher may send: every limit of the parser, with its name.

/// Largest document, in bytes.
pub const MAX_DOCUMENT_BYTES: usize = 20_000_000;
/// Entries that are taken of one document.
pub const MAX_ENTRIES: usize = 10_000;
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
/// How deep elements are followed by the lenient reader; what is deeper means nothing.
pub(super) const MAX_FOLLOWED: usize = 512;
/// Entities that a document may declare.
pub(super) const MAX_ENTITIES: usize = 1_000;
/// Longest entity, in bytes; a longer one is not put in.
pub(super) const MAX_ENTITY_BYTES: usize = 65_536;
/// What all entities of a document together may expand to, in bytes.
pub(super) const MAX_EXPANSION_BYTES: usize = 1_000_000;
/// Namespace declarations that are in force at once.
pub(super) const MAX_NAMESPACES: usize = 256;
/// Largest document that feed-rs is given, in bytes.
pub(super) const MAX_FIRST_READER_BYTES: usize = 1_000_000;
/// What feed-rs may take for entries and their lists, beside four times the document, in bytes: an entry without anything
/// takes hundreds of times its text.
pub(super) const MAX_FIRST_READER_TAKES: usize = 12_000_000;
/// How much longer the relative addresses of a document may become when they are made absolute, beside twice its own length, in bytes.
pub(super) const MAX_GROWTH_BYTES: usize = 1_000_000;
/// Longest base that relative addresses are resolved against, in bytes.
pub(super) const MAX_BASE_BYTES: usize = 1_024;
/// What the values of a JSON document may take beside four times its own length, in bytes; what is beyond is null.
pub(super) const MAX_VALUES_BYTES: usize = 8_000_000;
/// Media elements that are kept of an entry, and of one of them, each.
pub(super) const MAX_ELEMENTS: usize = 500;
/// How deep media elements are kept.
pub(super) const MAX_NESTED: usize = 8;
/// What the media elements of a document may take beside their texts and three times its length, in bytes.
pub(super) const MAX_MEDIA_BYTES: usize = 4_000_000;
