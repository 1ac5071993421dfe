//! Which reader: a look over the whole document for all that feed-rs 3.0.0 loses or refuses. What is well-formed, of a version
//! and namespaces that it knows, and made of elements that both readers read alike, goes to feed-rs.
//!
//! A list of what is known, not of what is not: an element that is on none goes to the lenient reader.

mod lists;

use memchr::{memchr, memchr_iter, memchr2, memmem};

use self::lists::bit;

use super::lenient::space::{self, Family};
use super::limits::{MAX_ENTRIES, MAX_FIRST_READER_BYTES, MAX_FIRST_READER_TAKES};

/// How deep a document may nest that goes to feed-rs: it recurses into some elements.
const MAX_NESTING: usize = 32;
/// Attributes of one tag: quick-xml compares each with all before it.
const MAX_ATTRIBUTES: usize = 64;
/// What feed-rs takes for an entry, for an element with a prefix (a file, with its object), and for any other, in bytes: each
/// measured in the list that was just made longer.
const ENTRY_BYTES: usize = 3_000;
const PREFIXED_BYTES: usize = 2_400;
const ELEMENT_BYTES: usize = 800;
/// Namespaces of a document.
const MAX_PREFIXES: usize = 64;

/// How long the document is that begins with its root tag, if feed-rs reads it fully.
pub(super) fn strict(document: &str) -> Option<usize> {
    if document.len() > MAX_FIRST_READER_BYTES {
        return None;
    }
    let mut look = Look {
        bytes: document.as_bytes(),
        at: 0,
        open: Vec::new(),
        inside: 0,
        prefixes: Vec::new(),
        items: 0,
        left: document.len() * 4 + MAX_FIRST_READER_TAKES,
        seen: 0,
        feed: 0,
    };
    loop {
        look.step()?;
        if look.open.is_empty() {
            break;
        }
    }
    // Items may stand behind the root, spelled as they like.
    let behind = look.bytes.get(look.at..)?;
    let mut tags = memchr_iter(b'<', behind).filter_map(|at| behind.get(at + 1));
    (!tags.any(u8::is_ascii_alphabetic)).then_some(look.at)
}

/// Where in a document one is, by what may stand there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Rss,
    Channel,
    Item,
    Feed,
    Entry,
    Person,
    /// Text, and nothing else.
    Leaf,
    /// Something that both readers step over.
    Aside,
}

struct Look<'a> {
    bytes: &'a [u8],
    at: usize,
    open: Vec<(&'a [u8], Place)>,
    /// Where the inside of the tag begins that was opened last.
    inside: usize,
    prefixes: Vec<(&'a [u8], Family)>,
    items: usize,
    /// How much memory feed-rs may still take.
    left: usize,
    /// What the open entry has, and what the feed has.
    seen: u32,
    feed: u32,
}

/// A start tag's attributes that matter.
#[derive(Default)]
struct Said<'a> {
    kind: Option<&'a [u8]>,
    version: Option<&'a [u8]>,
    default: Option<&'a [u8]>,
    /// Whether there is an absolute one.
    href: bool,
    term: bool,
    strange: bool,
}

impl<'a> Look<'a> {
    /// One token; none if the document is for the lenient reader.
    fn step(&mut self) -> Option<()> {
        let rest = self.bytes.get(self.at..)?;
        let found = memchr2(b'<', b'&', rest)?;
        self.at += found;
        let here = rest.get(found..)?;
        let skip = |end: &[u8]| memmem::find(here, end).map(|at| at + end.len());
        match here {
            [b'&', ..] => self.at += reference(here)?,
            [b'<', b'/', name @ ..] => self.close(name)?,
            [b'<', b'!', b'-', b'-', ..] => self.at += skip(b"-->")?,
            [b'<', b'!', b'[', b'C', b'D', b'A', b'T', b'A', b'[', inside @ ..] => {
                let length = skip(b"]]>")?;
                // A section with the start of another in it is one that was not closed, more often than not.
                let inside = inside.get(..length - b"<![CDATA[".len())?;
                if memmem::find(inside, b"<![CDATA[").is_some() {
                    return None;
                }
                self.at += length;
            }
            [b'<', b'?', ..] => self.at += skip(b"?>")?,
            [b'<', byte, ..] if byte.is_ascii_alphabetic() => self.tag(here)?,
            _ => return None,
        }
        Some(())
    }

    fn close(&mut self, name: &[u8]) -> Option<()> {
        let (open, place) = self.open.pop()?;
        if place == Place::Leaf && !self.is_safe(open, self.bytes.get(self.inside..self.at)?) {
            return None;
        }
        let rest = name.strip_prefix(open)?;
        let blank = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        if rest.get(blank) != Some(&b'>') {
            return None;
        }
        self.at += 2 + open.len() + blank + 1;
        self.closed(place)
    }

    /// Whether feed-rs reads what is in an element as the lenient reader does.
    fn is_safe(&self, name: &[u8], inside: &[u8]) -> bool {
        match name {
            // A relative one may lead nowhere, and the guid count instead.
            b"link" if self.open.last().is_some_and(|(_, place)| *place == Place::Item) => {
                let inside = inside.trim_ascii();
                is_web(inside.strip_prefix(b"<![CDATA[").unwrap_or(inside).trim_ascii())
            }
            // feed-rs 3.0.0 panics where the byte beside an e-mail address is inside of a character.
            b"author" | b"managingEditor" | b"webMaster" => {
                memchr(b'&', inside).is_none() && (inside.is_ascii() || memchr(b'@', inside).is_none())
            }
            _ => true,
        }
    }

    /// What an entry must have, once it ends.
    fn closed(&mut self, place: Place) -> Option<()> {
        let entry = matches!(place, Place::Item | Place::Entry);
        self.items += usize::from(entry);
        let whole = place != Place::Item || self.seen & bit::LINK != 0;
        (whole && self.items <= MAX_ENTRIES).then_some(())
    }

    fn tag(&mut self, here: &'a [u8]) -> Option<()> {
        let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/');
        let length = here.get(1..)?.iter().position(ends)?;
        let name = here.get(1..=length)?;
        let mut said = Said::default();
        let (end, closed) = self.attributes(here, 1 + length, &mut said)?;
        let place = self.place_of(name, &said)?;
        self.at += end;
        let mut bytes = if name.contains(&b':') { PREFIXED_BYTES } else { ELEMENT_BYTES };
        if place == Place::Item || place == Place::Entry {
            self.seen = 0;
            bytes = ENTRY_BYTES;
        }
        self.left = self.left.checked_sub(bytes)?;
        if closed {
            return if name == b"link" && place == Place::Leaf && !said.href { None } else { self.closed(place) };
        }
        if self.open.len() == MAX_NESTING {
            return None;
        }
        self.inside = self.at;
        self.open.push((name, place));
        Some(())
    }

    /// Reads attributes as XML has them; none if one is not. Gives the tag's length, and whether it closes itself.
    fn attributes(&mut self, here: &'a [u8], from: usize, said: &mut Said<'a>) -> Option<(usize, bool)> {
        let mut at = from;
        let blank = |at: &mut usize| {
            while here.get(*at).is_some_and(u8::is_ascii_whitespace) {
                *at += 1;
            }
        };
        for _ in 0..MAX_ATTRIBUTES {
            blank(&mut at);
            match here.get(at)? {
                b'>' => return Some((at + 1, false)),
                b'/' => return (here.get(at + 1) == Some(&b'>')).then_some((at + 2, true)),
                _ => {}
            }
            let length = here
                .get(at..)?
                .iter()
                .position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'=' | b'>' | b'<' | b'/'))?;
            let key = here.get(at..at + length)?;
            at += length;
            blank(&mut at);
            if here.get(at) != Some(&b'=') {
                return None;
            }
            at += 1;
            blank(&mut at);
            let quote = *here.get(at).filter(|byte| matches!(byte, b'"' | b'\''))?;
            let length = memchr(quote, here.get(at + 1..)?)?;
            let value = here.get(at + 1..at + 1 + length)?;
            at += length + 2;
            if !here.get(at).is_some_and(|byte| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/')) {
                return None;
            }
            self.attribute(key, value, said)?;
        }
        None
    }

    fn attribute(&mut self, key: &'a [u8], value: &'a [u8], said: &mut Said<'a>) -> Option<()> {
        let mut rest = value;
        while let Some(found) = memchr2(b'<', b'&', rest) {
            let here = rest.get(found..)?;
            rest = here.get(reference(here)?..)?;
        }
        match key {
            b"type" => said.kind = Some(value),
            b"version" => said.version = Some(value),
            b"xmlns" => said.default = Some(value),
            b"href" => said.href = is_web(value.trim_ascii()),
            b"length" if !value.iter().all(u8::is_ascii_digit) => return None,
            b"term" => said.term = true,
            b"mode" | b"src" => said.strange = true,
            // The lenient reader bounds what relative addresses grow to. feed-rs minds the case of names.
            b"xml:base" | b"ispermalink" => return None,
            _ if key.iter().any(u8::is_ascii_uppercase) => return (key == b"isPermaLink").then_some(()),
            _ => {
                if let Some(prefix) = key.strip_prefix(b"xmlns:") {
                    self.declare(prefix, value)?;
                }
            }
        }
        Some(())
    }

    /// A namespace that feed-rs knows by another spelling is lost to it.
    fn declare(&mut self, prefix: &'a [u8], uri: &[u8]) -> Option<()> {
        const KNOWN: [&str; 8] = [
            "http://purl.org/rss/1.0/",
            "http://www.w3.org/2005/Atom",
            "http://purl.org/rss/1.0/modules/content/",
            "http://purl.org/dc/elements/1.1/",
            "http://search.yahoo.com/mrss/",
            "http://www.itunes.com/dtds/podcast-1.0.dtd",
            "https://podcastindex.org/namespace/1.0",
            "http://wellformedweb.org/CommentAPI/",
        ];
        let uri = std::str::from_utf8(uri).ok()?;
        let family = match space::family(uri) {
            family @ (Family::Other | Family::Burner | Family::Rdf) => family,
            // Stays unused in many feeds; used, it is in no list below.
            Family::Xhtml | Family::Rss => Family::Xhtml,
            family if KNOWN.contains(&uri) => family,
            // Dublin Core's terms, a misspelt space: only where it is used.
            _ => Family::Xhtml,
        };
        match self.prefixes.iter().find(|(known, _)| *known == prefix) {
            Some((_, known)) => (*known == family).then_some(()),
            None => {
                self.prefixes.push((prefix, family));
                (self.prefixes.len() <= MAX_PREFIXES).then_some(())
            }
        }
    }
}

/// Whether an address is absolute, and of a host that can be nothing but a name: no number, no port, no punycode.
fn is_web(address: &[u8]) -> bool {
    let Some(rest) = address.strip_prefix(b"https://").or_else(|| address.strip_prefix(b"http://")) else {
        return false;
    };
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#' | b']' | b'<')).unwrap_or(rest.len());
    let host = rest.get(..end).unwrap_or_default();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let last = host.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    host.iter().all(plain) && last.first().is_some_and(u8::is_ascii_alphabetic) && memmem::find(host, b"--").is_none()
}

/// Length of a reference that XML has without a DTD (sections 4.1 and 4.6), to a character that it allows (section 2.2).
fn reference(here: &[u8]) -> Option<usize> {
    let end = here.iter().take(12).position(|byte| *byte == b';')?;
    let name = here.get(1..end)?;
    let known = match name {
        b"amp" | b"lt" | b"gt" | b"quot" | b"apos" => true,
        [b'#', b'x', digits @ ..] => is_character(digits, 16),
        [b'#', digits @ ..] => is_character(digits, 10),
        _ => false,
    };
    known.then_some(end + 1)
}

fn is_character(digits: &[u8], radix: u32) -> bool {
    let code =
        std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|byte| char::from(byte).is_digit(radix)));
    let c = code.and_then(|digits| u32::from_str_radix(digits, radix).ok()).and_then(char::from_u32);
    c.is_some_and(|c| {
        matches!(c, '\t' | '\n' | '\r' | ' '..='\u{7F}' | '\u{A0}'..) && !matches!(c, '\u{FFFE}' | '\u{FFFF}')
    })
}
