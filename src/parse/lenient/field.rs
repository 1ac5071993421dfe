//! An element that holds text: where it ends, and its text as HTML source or plain.
//!
//! What is inside is collected up to the element's own end tag, whatever its tags balance to: that alone repairs `<br>`, `<p>`,
//! `<img>` and all HTML that is crossed or not closed. Where the end tag is missing, the next element that belongs beside it ends it.

use std::borrow::Cow;

use memchr::memmem;

use super::log::Log;
use super::refs::{Entities, Place};
use super::scan::{Scanner, Tag, Token, local, lower, prefix};

/// The inside of an element, as written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Raw<'a> {
    pub(super) text: &'a str,
    /// Where it stands.
    pub(super) at: usize,
    /// Whether it has tags.
    pub(super) tags: bool,
    /// Whether it has CDATA sections, comments or the like.
    pub(super) parts: bool,
}

/// Whether an element may hold what looks like other elements of a feed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reach {
    /// A line of text: the next field ends it.
    Line,
    /// HTML, or elements of its own: only its end tag ends it, if there is one.
    Body,
}

/// Elements that stand beside each other in an item or a channel.
const SIBLINGS: [&str; 37] = [
    "abstract",
    "author",
    "category",
    "comments",
    "content",
    "contributor",
    "copyright",
    "created",
    "creator",
    "date",
    "description",
    "docs",
    "enclosure",
    "encoded",
    "entry",
    "generator",
    "guid",
    "id",
    "image",
    "issued",
    "item",
    "language",
    "lastbuilddate",
    "link",
    "managingeditor",
    "modified",
    "pubdate",
    "published",
    "source",
    "subject",
    "subtitle",
    "summary",
    "tagline",
    "title",
    "ttl",
    "updated",
    "webmaster",
];

/// Elements that no field can hold: they end all that is open inside of an entry.
fn is_entry(name: &str) -> bool {
    matches!(&*lower(local(name)), "item" | "entry")
}

fn is_boundary(name: &str) -> bool {
    matches!(&*lower(local(name)), "item" | "entry" | "channel" | "feed" | "rss" | "rdf")
}

/// Finds fields' ends. Where a name is known not to be closed up to some place, it is not looked for again.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    open_to: Vec<(&'a str, usize)>,
}

/// How many names are remembered; they are those of fields, which are few.
const MAX_REMEMBERED: usize = 64;

impl<'a> Fields<'a> {
    /// The inside of the element whose start tag was just read; the scanner is put behind its end.
    pub(super) fn read(&mut self, scanner: &mut Scanner<'a>, tag: &Tag<'a>, reach: Reach, log: &mut Log) -> Raw<'a> {
        let start = scanner.at;
        let mut raw = Raw { text: "", at: start, tags: false, parts: false };
        if tag.closed {
            return raw;
        }
        let known = self.open_to.iter().any(|(name, end)| *name == tag.name && start < *end);
        let eager = known || reach == Reach::Line;
        // What is open inside, of the same name and of any; where it would end if it has no end tag.
        let (mut same, mut inner, mut feeds, mut candidate) = (0_usize, 0_usize, 0_usize, None::<(usize, usize)>);
        let (end, next) = loop {
            let here = scanner.at;
            let Some(token) = scanner.next(Some(tag.name)) else { break candidate.unwrap_or((here, here)) };
            match token {
                Token::Text(text) => {
                    if text.starts_with('<') {
                        log.note(here, "A bare \u{201c}<\u{201d} was read as text.");
                    }
                }
                Token::CData(_) | Token::Other => raw.parts = true,
                Token::Close(name) if is_same(name, tag.name) => {
                    if same == 0 {
                        raw.text = scanner.slice(start, here);
                        return raw;
                    }
                    same -= 1;
                }
                // RDF stands in pictures and licences as well.
                Token::Close(name) if is_boundary(name) && feeds > 0 => feeds -= 1,
                Token::Close(name) if is_boundary(name) => break candidate.unwrap_or((here, here)),
                Token::Close(name) => {
                    let beside = eager && is_sibling(name, tag.name);
                    if inner == 0 && candidate.is_none() && (beside || looks_like(name, tag.name)) {
                        candidate = Some((here, scanner.at));
                    }
                    inner = inner.saturating_sub(1);
                }
                Token::Open(inside) if is_entry(inside.name) => break candidate.unwrap_or((here, here)),
                Token::Open(inside) => {
                    if candidate.is_none() && is_sibling(inside.name, tag.name) {
                        candidate = Some((here, here));
                    }
                    raw.tags = true;
                    if !inside.closed {
                        inner += 1;
                        feeds += usize::from(is_boundary(inside.name));
                        same += usize::from(is_same(inside.name, tag.name));
                    }
                }
            }
            if let (true, Some(found)) = (eager, candidate) {
                break found;
            }
        };
        if !known && reach == Reach::Body && self.open_to.len() < MAX_REMEMBERED {
            self.open_to.retain(|(name, _)| *name != tag.name);
            self.open_to.push((tag.name, scanner.at.max(end)));
        }
        log.note(start, "An element has no end tag; it was closed where the next one begins.");
        scanner.at = next;
        raw.text = scanner.slice(start, end);
        raw.tags = raw.text.contains('<');
        raw.parts |= raw.text.contains("<!");
        raw
    }
}

fn is_same(name: &str, open: &str) -> bool {
    name.eq_ignore_ascii_case(open)
        || (local(name).eq_ignore_ascii_case(local(open))
            && (prefix(name).is_empty() != prefix(open).is_empty())
            && !is_html(name))
}

/// Names that HTML has as well.
fn is_html(name: &str) -> bool {
    matches!(&*lower(name), "title" | "link" | "summary" | "source" | "image" | "content")
}

fn is_sibling(name: &str, open: &str) -> bool {
    SIBLINGS.binary_search(&&*lower(local(name))).is_ok()
        && (!prefix(name).eq_ignore_ascii_case("media") || prefix(open) == "media")
        && !matches!(prefix(name), "svg" | "html" | "xhtml")
}

/// A misspelt end tag: letters of the name in another order, one more or one less.
fn looks_like(name: &str, open: &str) -> bool {
    let (name, open) = (lower(local(name)), lower(local(open)));
    if name.len() < 3 || name.len().abs_diff(open.len()) > 2 || SIBLINGS.binary_search(&&*name).is_ok() {
        return false;
    }
    strsim::damerau_levenshtein(&name, &open) <= 2
}

/// How a field's inside is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// Its text, references decoded; tags that stand in it stay tags.
    Decoded,
    /// Markup of its own (Atom's xhtml): references stay, CDATA is text.
    Markup,
    /// Text in which tags were never meant: references decoded and tags kept as source, or as markup where there are more tags
    /// than escaped ones.
    Either,
}

/// What a field's inside is read with.
pub(super) struct Reader<'l> {
    pub(super) entities: &'l mut Entities,
    pub(super) log: &'l mut Log,
}

impl Reader<'_> {
    /// The inside as a text: of plain text, or HTML source.
    pub(super) fn text<'a>(&mut self, raw: &Raw<'a>, form: Form, place: Place) -> Cow<'a, str> {
        if !raw.tags && !raw.parts {
            return match form {
                Form::Markup => Cow::Borrowed(raw.text),
                _ => self.entities.decode(raw.text, raw.at, place, self.log),
            };
        }
        let decode = match form {
            Form::Decoded => true,
            Form::Markup => false,
            Form::Either => !raw.tags || more_escaped(raw.text),
        };
        // A single CDATA section needs no copy.
        if let Some(only) = only_section(raw.text).filter(|_| form != Form::Markup) {
            return Cow::Borrowed(only);
        }
        let mut scanner = Scanner::new(raw.text, 0);
        let mut made = String::with_capacity(raw.text.len());
        loop {
            let here = scanner.at;
            let Some(token) = scanner.next(None) else {
                made.push_str(raw.text.get(here..).unwrap_or_default());
                break;
            };
            match token {
                Token::Text(text) if decode => {
                    made.push_str(&self.entities.decode(text, raw.at + here, place, self.log));
                }
                Token::Text(text) => made.push_str(text),
                Token::CData(text) if form == Form::Markup => escape(text, &mut made),
                Token::CData(text) => made.push_str(text),
                Token::Open(tag) if prefix(tag.name).is_empty() => made.push_str(scanner.slice(here, scanner.at)),
                Token::Open(tag) => {
                    let end = if tag.closed { "/>" } else { ">" };
                    for piece in ["<", tag.local(), tag.inside, end] {
                        made.push_str(piece);
                    }
                }
                Token::Close(name) => {
                    for piece in ["</", local(name), ">"] {
                        made.push_str(piece);
                    }
                }
                Token::Other => {}
            }
        }
        Cow::Owned(made)
    }

    /// An attribute's value.
    pub(super) fn attribute<'a>(&mut self, tag: &Tag<'a>, name: &str, at: usize) -> Option<Cow<'a, str>> {
        tag.raw(name).map(|raw| self.entities.decode(raw, at, Place::Address, self.log))
    }
}

/// The inside of the only CDATA section, where there is nothing else.
fn only_section(text: &str) -> Option<&str> {
    let inside = text.trim_ascii().strip_prefix("<![CDATA[")?.strip_suffix("]]>")?;
    (!inside.contains("]]>")).then_some(inside)
}

fn more_escaped(text: &str) -> bool {
    let escaped = memmem::find_iter(text.as_bytes(), b"&lt;").count();
    escaped > 0 && escaped >= memchr::memchr_iter(b'<', text.as_bytes()).count()
}

fn escape(text: &str, made: &mut String) {
    for c in text.chars() {
        match c {
            '&' => made.push_str("&amp;"),
            '<' => made.push_str("&lt;"),
            '>' => made.push_str("&gt;"),
            c => made.push(c),
        }
    }
}
