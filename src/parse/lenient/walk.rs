//! The way through a document: what is open, where entries begin and end, which elements mean something where they stand.

use std::borrow::Cow;

use url::Url;

use super::entry::{About, Bases, Draft};
use super::field::{Fields, Raw, Reach, Reader};
use super::log::Log;
use super::refs::{Entities, Place as At};
use super::scan::{Scanner, Tag, Token, local, lower};
use super::space::{Family, Spaces};
use crate::domain::item::Entry;
use crate::parse::limits::{MAX_ENTRIES, MAX_FOLLOWED, MAX_GROWTH_BYTES, MAX_MEDIA_BYTES};

/// What an open element is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// A root, a channel, or a wrapper around items.
    Feed,
    /// An item or entry.
    Entry,
    /// The feed that an entry came from.
    Source,
    /// Something else: nothing in it means anything, but for items.
    Foreign,
}

#[derive(Clone, Copy, Debug)]
struct Open<'a> {
    name: &'a str,
    place: Place,
}

/// Reads along a document and keeps what it says.
pub(super) struct Walk<'a> {
    pub(super) scanner: Scanner<'a>,
    pub(super) fields: Fields<'a>,
    pub(super) spaces: Spaces<'a>,
    pub(super) bases: Bases<'a>,
    pub(super) entities: Entities,
    pub(super) log: Log,
    stack: Vec<Open<'a>>,
    /// Whether the root was opened; what follows its end is looked through for items only.
    begun: bool,
    /// Whether there was anything that may hold entries.
    pub(super) channel: bool,
    /// Whether the document ended inside of an entry.
    pub(super) cut: bool,
    full: bool,
    /// How much longer than written the addresses of the document may still become, in bytes.
    pub(super) growth: usize,
    /// What elements that are passed on may still take beside their texts, in bytes.
    pub(super) room: usize,
    pub(super) about: About,
    pub(super) source: Option<About>,
    pub(super) draft: Option<Box<Draft>>,
    /// The entries, and the original link of each.
    pub(super) entries: Vec<Entry>,
    pub(super) originals: Vec<Option<String>>,
    unclosed: Unclosed,
}

/// Elements that were found to have no end tag, so that it is not looked for again and again.
#[derive(Debug, Default)]
struct Unclosed {
    count: usize,
    to: usize,
}

/// How far the end of an element is looked for that means nothing, in bytes.
const MAX_LOOK: usize = 65_536;
/// How many times in the same stretch it may be missing.
const MAX_MISSES: usize = 16;
/// How many open elements an end tag may close at once, unless it is that of an entry or a feed.
const MAX_CLOSED: usize = 16;

/// Elements of HTML that have no end tag.
const VOID: [&str; 13] =
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "meta", "param", "source", "track", "wbr"];

impl<'a> Walk<'a> {
    pub(super) fn new(text: &'a str, at: usize, base: Option<&'a Url>, entities: Entities, log: Log) -> Self {
        let root = lower(local(
            text.get(at + 1..)
                .unwrap_or_default()
                .split(|c: char| !c.is_alphanumeric() && c != ':')
                .next()
                .unwrap_or_default(),
        ));
        let family = if matches!(&*root, "feed" | "entry") { Family::Atom } else { Family::Rss };
        Self {
            scanner: Scanner::new(text, at),
            fields: Fields::default(),
            spaces: Spaces::new(family),
            bases: Bases::new(base),
            entities,
            log,
            stack: Vec::new(),
            begun: false,
            channel: false,
            cut: false,
            full: false,
            growth: text.len() * 2 + MAX_GROWTH_BYTES,
            room: text.len() * 3 + MAX_MEDIA_BYTES,
            about: About::default(),
            source: None,
            draft: None,
            entries: Vec::new(),
            originals: Vec::new(),
            unclosed: Unclosed::default(),
        }
    }

    /// Walks to the end.
    pub(super) fn run(&mut self) {
        loop {
            let at = self.scanner.at;
            match self.scanner.next(None) {
                Some(Token::Open(tag)) => self.open(tag, at),
                Some(Token::Close(name)) => self.close(name, at),
                Some(_) => {}
                None => break,
            }
            if self.full {
                let what = format!("The document has more than {MAX_ENTRIES} entries; the rest was left out.");
                self.log.once(at, what);
                return;
            }
        }
        if let Some(draft) = self.draft.take() {
            self.log.note(self.scanner.at, "The document ends inside of an entry.");
            self.cut = true;
            let (entry, original) = draft.finish();
            if entry.guid.is_some() || entry.link.is_some() {
                self.entries.push(entry);
                self.originals.push(original);
            }
        } else if !self.stack.is_empty() {
            self.log.note(self.scanner.at, "The document ends before its root does.");
        }
    }

    fn place(&self) -> Option<Place> {
        self.stack.last().map(|open| open.place)
    }

    fn open(&mut self, tag: Tag<'a>, at: usize) {
        if tag.broken {
            self.log.note(at, "A tag has no end; it was ended where the next one begins.");
        }
        let depth = self.stack.len() + 1;
        if depth > MAX_FOLLOWED {
            return;
        }
        self.spaces.enter(&tag, depth);
        if let Some(base) = tag.raw("xml:base") {
            let base = self.entities.decode(base, at, At::Address, &mut self.log);
            self.bases.enter(&base, depth);
        }
        let (family, guessed) = self.spaces.of(tag.name);
        if guessed && family != Family::Other {
            self.log.note(at, "A prefix was never declared; it was read as what it usually means.");
        }
        let name = lower(tag.local());
        self.element(tag, family, &name, at);
        self.forget();
    }

    /// Forgets what was declared by elements that are closed.
    fn forget(&mut self) {
        self.spaces.leave(self.stack.len());
        self.bases.leave(self.stack.len());
    }

    fn element(&mut self, tag: Tag<'a>, family: Family, name: &str, at: usize) {
        let core = matches!(family, Family::Rss | Family::Atom);
        match name {
            "item" | "entry" if core => return self.begin_entry(tag, at),
            "rss" | "rdf" | "feed" | "channel" if core || family == Family::Rdf => {
                if !self.begun || !self.stack.is_empty() || name == "channel" {
                    self.leave_entry(at);
                    if name == "rss" && !self.begun && tag.raw("version").is_none() {
                        self.log.note(at, "The root <rss> has no version; it was read as 2.0.");
                    }
                    self.begun = true;
                    self.channel |= name != "rss";
                    self.feed_attributes(&tag, at);
                    self.push(tag, Place::Feed);
                }
                return;
            }
            "items" if core && self.draft.is_none() => return self.push(tag, Place::Feed),
            _ => {}
        }
        let known = match self.place() {
            Some(Place::Feed | Place::Source) => self.feed_element(tag, family, name, at),
            Some(Place::Entry) => self.entry_element(tag, family, name, at),
            Some(Place::Foreign) => {
                self.push(tag, Place::Foreign);
                true
            }
            None => true,
        };
        if !known && self.is_closed(&tag) {
            self.push(tag, Place::Foreign);
        }
    }

    pub(super) fn push(&mut self, tag: Tag<'a>, place: Place) {
        if !tag.closed {
            self.stack.push(Open { name: tag.name, place });
        }
    }

    /// Whether an element that means nothing has an end tag before the entry that it stands in ends. One that has none is
    /// stepped over: what follows it would be lost in it.
    fn is_closed(&mut self, tag: &Tag<'a>) -> bool {
        let from = self.scanner.at;
        if tag.closed || VOID.contains(&&*lower(tag.name)) {
            return false;
        }
        if self.unclosed.count >= MAX_MISSES && from < self.unclosed.to {
            return false;
        }
        let text = self.scanner.text();
        let look = text.as_bytes().get(from..text.len().min(from + MAX_LOOK)).unwrap_or_default();
        let mut to = from + look.len();
        for at in memchr::memmem::find_iter(look, b"</") {
            let name = look.get(at + 2..).unwrap_or_default();
            let length = name.iter().position(|byte| byte.is_ascii_whitespace() || *byte == b'>').unwrap_or(name.len());
            let name = name.get(..length).unwrap_or_default();
            if name.eq_ignore_ascii_case(tag.name.as_bytes()) {
                return true;
            }
            if [&b"item"[..], b"entry", b"channel", b"feed"].iter().any(|end| name.eq_ignore_ascii_case(end)) {
                to = from + at;
                break;
            }
        }
        if to == from + look.len() && to < text.len() {
            return true;
        }
        if from >= self.unclosed.to {
            self.unclosed = Unclosed { count: 0, to };
        }
        self.unclosed.count += 1;
        self.log.note(from, "An element has no end tag; it was stepped over.");
        false
    }

    fn begin_entry(&mut self, tag: Tag<'a>, at: usize) {
        self.leave_entry(at);
        (self.begun, self.channel) = (true, true);
        if self.entries.len() >= MAX_ENTRIES {
            self.full = true;
            return;
        }
        let mut draft = Box::new(Draft { permanent: true, ..Draft::default() });
        self.entry_attributes(&mut draft, &tag, at);
        self.draft = Some(draft);
        if tag.closed {
            self.end_entry();
        } else {
            self.push(tag, Place::Entry);
        }
    }

    /// Ends an entry that is open and has no end tag.
    fn leave_entry(&mut self, at: usize) {
        if let Some(depth) = self.stack.iter().rposition(|open| open.place == Place::Entry) {
            self.log.note(at, "An entry has no end tag; it was ended where the next one begins.");
            self.close_to(depth);
        }
    }

    fn end_entry(&mut self) {
        let Some(draft) = self.draft.take() else { return };
        let (entry, original) = draft.finish();
        self.entries.push(entry);
        self.originals.push(original);
    }

    fn close(&mut self, name: &str, at: usize) {
        let whole = |open: &Open<'_>| open.name.eq_ignore_ascii_case(name);
        let near = self.stack.len().saturating_sub(MAX_CLOSED);
        let recent = self.stack.get(near..).unwrap_or_default();
        let mut found = recent.iter().rposition(whole).map(|at| near + at);
        if found.is_none() && matches!(&*lower(local(name)), "item" | "entry" | "channel" | "rss" | "feed" | "rdf") {
            let same = |open: &Open<'_>| {
                matches!(open.place, Place::Feed | Place::Entry) && local(open.name).eq_ignore_ascii_case(local(name))
            };
            found = self.stack.iter().rposition(same);
        }
        match found {
            Some(depth) => self.close_to(depth),
            None if self.begun && !self.stack.is_empty() => {
                self.log.note(at, "An end tag closes nothing that is open.");
            }
            None => {}
        }
    }

    /// Closes all that is open down to `depth`.
    fn close_to(&mut self, depth: usize) {
        while self.stack.len() > depth {
            match self.stack.pop().map(|open| open.place) {
                Some(Place::Entry) => self.end_entry(),
                Some(Place::Source) => {
                    let source = self.source.take().map(About::finish);
                    if let Some(draft) = &mut self.draft {
                        draft.source = draft.source.take().or(source);
                    }
                }
                _ => {}
            }
        }
        self.forget();
    }

    /// The inside of a field.
    pub(super) fn inside(&mut self, tag: &Tag<'a>, reach: Reach) -> Raw<'a> {
        self.fields.read(&mut self.scanner, tag, reach, &mut self.log)
    }

    pub(super) fn reader(&mut self) -> Reader<'_> {
        Reader { entities: &mut self.entities, log: &mut self.log }
    }

    /// An attribute's value.
    pub(super) fn attribute(&mut self, tag: &Tag<'a>, name: &str, at: usize) -> Option<Cow<'a, str>> {
        self.reader().attribute(tag, name, at)
    }
}
