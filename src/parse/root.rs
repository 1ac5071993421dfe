//! What a document is: the kind by its root, the root's tag made readable for feed-rs.

use std::borrow::Cow;

use url::Url;

use super::depth::start_tag;
use super::limits::MAX_JUNK_BYTES;
use super::{ParseError, Repair};

/// What a document is, with the offset where it begins.
#[derive(Debug, PartialEq)]
pub(super) enum Kind {
    /// RSS, RDF or Atom: the offset of the root tag.
    Xml(usize),
    /// JSON: the offset of its first brace.
    Json(usize),
    /// A web page.
    Page,
    /// Something else, as a sentence.
    Other(String),
}

/// Finds out what `text` is. The prolog is left behind with all that it declares: the text is decoded already, and feed-rs
/// expands no entity.
pub(super) fn kind(text: &str, repairs: &mut Vec<Repair>) -> Kind {
    let mut at = text.len() - text.trim_start_matches(is_space).len();
    let mut page = false;
    loop {
        let here = text.get(at..).unwrap_or_default();
        let skip = match here.as_bytes() {
            [] => return Kind::Other(ended(at)),
            [b'{', ..] => return Kind::Json(at),
            [b'<', b'?', ..] => here.find('>').map(|end| end + 1),
            [b'<', b'!', b'-', b'-', ..] => here.find("-->").map(|end| end + 3),
            [b'<', b'!', ..] => {
                page |= is_html_doctype(here);
                match doctype(here) {
                    None => return by_element(text, at, repairs),
                    length => length,
                }
            }
            // Some feeds begin with the DOCTYPE of a page, and pages with anything: the root decides.
            _ => match by_element(text, at, repairs) {
                Kind::Other(_) if page => return Kind::Page,
                kind => return kind,
            },
        };
        let Some(skip) = skip else { return Kind::Other("The document ends inside of its prolog.".to_owned()) };
        let rest = here.get(skip..).unwrap_or_default();
        at = text.len() - rest.trim_start_matches(is_space).len();
    }
}

fn is_space(c: char) -> bool {
    c.is_whitespace() || c == '\u{FEFF}'
}

fn ended(at: usize) -> String {
    if at == 0 { "The document is empty." } else { "The document has no root element." }.to_owned()
}

fn is_html_doctype(here: &str) -> bool {
    let mut words = here.split(|c: char| c.is_whitespace() || c == '>');
    let doctype = words.next().is_some_and(|word| word.eq_ignore_ascii_case("<!doctype"));
    doctype && words.find(|word| !word.is_empty()).is_some_and(|word| word.eq_ignore_ascii_case("html"))
}

/// Length of a DOCTYPE, with its internal subset; none if it does not end.
fn doctype(here: &str) -> Option<usize> {
    let (mut inner, mut quote) = (0_usize, None);
    for (at, byte) in here.bytes().enumerate() {
        match (quote, byte) {
            (Some(open), byte) if open == byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'[') => inner += 1,
            (None, b']') => inner = inner.saturating_sub(1),
            (None, b'>') if inner == 0 => return Some(at + 1),
            _ => {}
        }
    }
    None
}

fn by_element(text: &str, at: usize, repairs: &mut Vec<Repair>) -> Kind {
    let here = text.get(at..).unwrap_or_default();
    let name = local_name(here);
    match name.to_ascii_lowercase().as_str() {
        "rss" | "feed" | "rdf" | "entry" => return Kind::Xml(at),
        "html" | "head" | "body" => return Kind::Page,
        "opml" => return Kind::Other("This is an OPML list of feeds, not a feed.".to_owned()),
        "urlset" | "sitemapindex" => return Kind::Other("This is a sitemap, not a feed.".to_owned()),
        "svg" => return Kind::Other("This is an SVG picture, not a feed.".to_owned()),
        "envelope" => return Kind::Other("This is a SOAP message, not a feed.".to_owned()),
        _ => {}
    }
    if let Some(found) = find_root(here) {
        repairs.push(Repair::new(at, format!("{found} bytes before the feed's root were skipped.")));
        return Kind::Xml(at + found);
    }
    Kind::Other(match name {
        "" => "The document is neither XML nor JSON.".to_owned(),
        name => format!("The root element is <{}>; that is no feed.", name.chars().take(40).collect::<String>()),
    })
}

/// The local name of the tag at the start of `here`, or nothing if there is none.
fn local_name(here: &str) -> &str {
    let Some(rest) = here.strip_prefix('<') else { return "" };
    let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '>' | '/' | '<' | '='));
    let name = end.and_then(|end| rest.get(..end)).unwrap_or_default();
    let name = name.rsplit(':').next().unwrap_or_default();
    if name.starts_with(|c: char| c.is_alphabetic() || c == '_') { name } else { "" }
}

/// Offset of a feed's root behind junk, such as a warning of the publisher's program.
fn find_root(text: &str) -> Option<usize> {
    let mut at = 0;
    while at < MAX_JUNK_BYTES {
        let found = at + text.get(at..)?.find('<')?;
        let here = text.get(found..)?;
        if here.starts_with("<!--") {
            at = found + here.find("-->")? + 3;
            continue;
        }
        if matches!(local_name(here), "rss" | "feed" | "RDF") {
            return Some(found);
        }
        at = found + 1;
    }
    None
}

/// The root's tag as feed-rs reads it, and what follows. feed-rs 3.0.0 knows few versions and compares namespaces byte for
/// byte; a feed with another spelling would lose all its entries.
pub(super) fn tag<'a>(text: &'a str, at: usize, repairs: &mut Vec<Repair>) -> (Cow<'a, str>, &'a str) {
    let here = text.get(at..).unwrap_or_default();
    let (length, closed) = start_tag(here);
    let (tag, rest) = here.split_at_checked(length).unwrap_or((here, ""));
    let name = tag.get(1..).and_then(|tag| tag.split(|c: char| c.is_whitespace() || matches!(c, '>' | '/')).next());
    let name = name.unwrap_or_default();
    let inner = tag.get(1 + name.len()..tag.len().saturating_sub(1 + usize::from(closed))).unwrap_or_default();
    let local = local_name(tag);
    let mut changes = Changes { at, list: Vec::new() };
    let mut attributes = Vec::new();
    let mut version = false;
    for (key, value) in Attributes(inner) {
        version |= key == "version";
        if let Some(value) = changes.attribute(local, key, value) {
            attributes.push((key, value));
        }
    }
    if local == "rss" && !version {
        changes.push("The root <rss> has no version; it was read as 2.0.".to_owned());
        attributes.push(("version", Cow::Borrowed("2.0")));
    }
    if changes.list.is_empty() {
        return (Cow::Borrowed(tag), rest);
    }
    repairs.append(&mut changes.list);
    let mut made = format!("<{name}");
    for (key, value) in attributes {
        let quote = if value.contains('"') { '\'' } else { '"' };
        made.extend([" ", key, "="]);
        made.push(quote);
        made.push_str(&value);
        made.push(quote);
    }
    made.push_str(if closed { "/>" } else { ">" });
    (Cow::Owned(made), rest)
}

/// What is changed in the root's tag.
struct Changes {
    at: usize,
    list: Vec<Repair>,
}

impl Changes {
    fn push(&mut self, what: String) {
        self.list.push(Repair::new(self.at, what));
    }

    /// The value that `key` is given, or none to leave it out.
    fn attribute<'a>(&mut self, root: &str, key: &str, value: &'a str) -> Option<Cow<'a, str>> {
        let unknown = |value: &str| !matches!(value, "2.0" | "" | "0.91" | "0.92");
        if root == "rss" && key == "version" && unknown(value) {
            self.push(format!("The version \u{201c}{value}\u{201d} of RSS was read as 2.0."));
            return Some(Cow::Borrowed("2.0"));
        }
        if key == "xml:base" && !is_base(value) {
            self.push(format!("The base \u{201c}{value}\u{201d} is no URL; it was left out."));
            return None;
        }
        if key == "xmlns" && root == "rss" && value != RSS {
            self.push(format!("The namespace \u{201c}{value}\u{201d} of the root was left out."));
            return None;
        }
        let declares = key == "xmlns" || key.starts_with("xmlns:");
        if let Some(known) = family(value).filter(|known| declares && *known != value) {
            self.push(format!("The namespace \u{201c}{value}\u{201d} was read as \u{201c}{known}\u{201d}."));
            return Some(Cow::Borrowed(known));
        }
        Some(Cow::Borrowed(value))
    }
}

fn is_base(value: &str) -> bool {
    matches!(Url::parse(value), Ok(_) | Err(url::ParseError::RelativeUrlWithoutBase))
}

const RSS: &str = "http://purl.org/rss/1.0/";
const ATOM: &str = "http://www.w3.org/2005/Atom";

/// Namespaces in the spelling that feed-rs knows, by their spelling without scheme, `www.`, case and closing `/` or `#`.
const FAMILIES: [(&str, &str); 17] = [
    ("w3.org/2005/atom", ATOM),
    ("purl.org/atom/ns", ATOM),
    ("purl.org/rss/1.0", RSS),
    ("my.netscape.com/rdf/simple/0.9", RSS),
    ("channel.netscape.com/rdf/simple/0.9", RSS),
    ("my.netscape.com/publish/formats/rss-0.91.dtd", RSS),
    ("backend.userland.com/rss", RSS),
    ("backend.userland.com/rss2", RSS),
    ("backend.userland.com/rss092", RSS),
    ("purl.org/rss/1.0/modules/content", "http://purl.org/rss/1.0/modules/content/"),
    ("purl.org/dc/elements/1.1", "http://purl.org/dc/elements/1.1/"),
    ("purl.org/dc/elements/1.0", "http://purl.org/dc/elements/1.1/"),
    ("search.yahoo.com/mrss", "http://search.yahoo.com/mrss/"),
    ("itunes.com/dtds/podcast-1.0.dtd", "http://www.itunes.com/dtds/podcast-1.0.dtd"),
    ("itunes.com/dtds/podcast-1.0", "http://www.itunes.com/dtds/podcast-1.0.dtd"),
    ("podcastindex.org/namespace/1.0", "https://podcastindex.org/namespace/1.0"),
    ("wellformedweb.org/commentapi", "http://wellformedweb.org/CommentAPI/"),
];

fn family(uri: &str) -> Option<&'static str> {
    let folded = uri.trim().to_ascii_lowercase();
    let bare = folded.strip_prefix("http://").or_else(|| folded.strip_prefix("https://")).unwrap_or(&folded);
    let bare = bare.strip_prefix("www.").unwrap_or(bare).trim_end_matches(['/', '#']);
    FAMILIES.iter().find(|(key, _)| *key == bare).map(|(_, known)| *known)
}

/// The attributes of a tag's inside, values as written.
struct Attributes<'a>(&'a str);

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let (key, rest) = self.0.split_once('=')?;
        let key = key.split_whitespace().next_back()?;
        let rest = rest.trim_start();
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (value, rest) = match quote {
            Some(quote) => rest.get(1..)?.split_once(quote)?,
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        self.0 = rest;
        Some((key, value))
    }
}

/// What a document is that looks like JSON and is no JSON Feed.
pub(super) fn not_json_feed(why: &str) -> ParseError {
    ParseError::new(format!("The document is JSON, but no JSON Feed: {why}"))
}
