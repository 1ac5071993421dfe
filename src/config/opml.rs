//! Subscriptions of another reader: OPML 1 and 2, also as sloppy as readers write them. Folders become tags,
//! `category` too.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// Folders within folders, and outlines: more is no list of subscriptions.
const MAX_DEPTH: usize = 64;
const MAX_OUTLINES: usize = 200_000;
/// Characters of a tag and of a title; what is longer is cut.
const MAX_TAG: usize = 63;
const MAX_TITLE: usize = 300;
/// Where an XML declaration may end, in bytes.
const MAX_DECLARATION: usize = 200;

/// What a list holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct List {
    /// The subscriptions, in order; one that stands twice is here twice.
    pub outlines: Vec<Outline>,
    /// Outlines that say they are a feed and have no address.
    pub without_address: usize,
}

/// One subscription.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outline {
    /// Its address, as written.
    pub url: String,
    /// Its title, on one line.
    pub title: Option<String>,
    /// The names of its folders, from the outermost on, and its categories, as short lower-case words.
    pub tags: Vec<String>,
}

/// The text of a document: by its byte order mark, else as UTF-8 if that is what it is, else by its XML declaration,
/// else by a guess.
#[must_use]
pub fn decode(bytes: &[u8]) -> String {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return encoding.decode_without_bom_handling(bytes.get(mark..).unwrap_or_default()).0.into_owned();
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.to_owned();
    }
    let declared = declared(bytes).filter(|encoding| *encoding != UTF_8);
    let encoding = declared.unwrap_or_else(|| {
        let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
        detector.feed(bytes, true);
        detector.guess(None, Utf8Detection::Deny)
    });
    encoding.decode_without_bom_handling(bytes).0.into_owned()
}

/// The encoding that an XML declaration names.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let head: String = bytes.iter().take(MAX_DECLARATION).map(|byte| char::from(*byte)).collect();
    let declaration = head.trim_start().strip_prefix("<?xml")?.split('>').next()?.to_owned();
    let value = declaration.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let label = value.strip_prefix(['"', '\'']).unwrap_or(value);
    Encoding::for_label(label.split(['"', '\'', '?', ' ']).next()?.as_bytes())
}

/// Reads a list. The error says why it is none.
///
/// # Errors
/// A part of a sentence: it is no OPML, it is cut off, or it is beyond all bounds.
pub fn read(text: &str) -> Result<List, String> {
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let config = reader.config_mut();
    // What is closed crosswise, or closed twice, still says which feeds there are.
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    let mut reading = Reading::default();
    loop {
        let event =
            reader.read_event().map_err(|e| format!("it is no XML: {e} at byte {}", reader.error_position()))?;
        match event {
            Event::Start(tag) if is(&tag, "opml") => reading.root = true,
            Event::Start(tag) if is(&tag, "outline") => reading.open(&tag)?,
            Event::Empty(tag) if is(&tag, "outline") => {
                reading.outline(&tag);
            }
            Event::End(tag) if local(tag.name().as_ref()).eq_ignore_ascii_case("outline") => reading.close(),
            Event::Eof => break,
            _ => {}
        }
        if reading.list.outlines.len() > MAX_OUTLINES || reading.open.len() > MAX_OUTLINES {
            return Err(format!("it has more than {MAX_OUTLINES} subscriptions"));
        }
    }
    if reading.root || !reading.list.outlines.is_empty() { Ok(reading.list) } else { Err("it is no OPML".to_owned()) }
}

#[derive(Default)]
struct Reading {
    list: List,
    root: bool,
    /// Each outline that is open: whether it is a folder with a name.
    open: Vec<bool>,
    /// The names of those folders.
    folders: Vec<String>,
}

impl Reading {
    fn open(&mut self, tag: &BytesStart<'_>) -> Result<(), String> {
        let folder = self.outline(tag);
        self.open.push(folder.is_some());
        self.folders.extend(folder);
        // Feeds that are never closed are no folders, however many.
        if self.folders.len() > MAX_DEPTH {
            return Err(format!("its folders are nested deeper than {MAX_DEPTH}"));
        }
        Ok(())
    }

    fn close(&mut self) {
        if self.open.pop() == Some(true) {
            self.folders.pop();
        }
    }

    /// Adds a subscription; gives the folder's tag for one that is a folder.
    fn outline(&mut self, tag: &BytesStart<'_>) -> Option<String> {
        let facts = Facts::of(tag);
        let title = facts.title.or(facts.text);
        let is_feed = facts.kind.as_deref().is_some_and(|kind| matches!(kind, "rss" | "atom" | "feed"));
        // `url` is where a link or another list leads (OPML 2.0, `type`), unless the outline says that it is a feed,
        // or says nothing.
        let plain = facts.url.filter(|_| is_feed || facts.kind.is_none());
        let Some(url) = facts.xml_url.or(plain) else {
            self.list.without_address += usize::from(is_feed);
            return title.filter(|_| !is_feed).map(|title| tag_of(&title)).filter(|tag| !tag.is_empty());
        };
        let mut tags: Vec<String> = Vec::new();
        let category = facts.category.unwrap_or_default();
        for tag in self.folders.iter().cloned().chain(category.split([',', '/']).map(tag_of)) {
            if !tag.is_empty() && !tags.contains(&tag) && tags.len() < MAX_DEPTH {
                tags.push(tag);
            }
        }
        let title = title.map(|title| title.chars().take(MAX_TITLE).collect());
        self.list.outlines.push(Outline { url, title, tags });
        None
    }
}

/// What an outline says of itself.
#[derive(Default)]
struct Facts {
    xml_url: Option<String>,
    url: Option<String>,
    title: Option<String>,
    text: Option<String>,
    category: Option<String>,
    kind: Option<String>,
}

impl Facts {
    fn of(tag: &BytesStart<'_>) -> Self {
        let mut facts = Self::default();
        // As HTML has them: quotes may be missing, names may repeat. One that cannot be read is passed over.
        for attribute in tag.html_attributes().with_checks(false).flatten() {
            let value = Some(one_line(&unescaped(&attribute.value))).filter(|value| !value.is_empty());
            let slot = match local(attribute.key.as_ref()).to_ascii_lowercase().as_str() {
                "xmlurl" => &mut facts.xml_url,
                "url" => &mut facts.url,
                "title" => &mut facts.title,
                "text" => &mut facts.text,
                "category" => &mut facts.category,
                "type" => &mut facts.kind,
                _ => continue,
            };
            *slot = slot.take().or(value);
        }
        facts.kind = facts.kind.map(|kind| kind.to_ascii_lowercase());
        facts
    }
}

fn is(tag: &BytesStart<'_>, name: &str) -> bool {
    local(tag.name().as_ref()).eq_ignore_ascii_case(name)
}

/// A name without its prefix.
fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// A short lower-case word: letters and digits of any script, what is between them one hyphen.
fn tag_of(text: &str) -> String {
    let mut tag = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        if tag.chars().count() == MAX_TAG {
            break;
        }
        if c.is_alphanumeric() {
            tag.push(c);
        } else if !tag.is_empty() && !tag.ends_with('-') {
            tag.push('-');
        }
    }
    tag.truncate(tag.trim_end_matches('-').len());
    tag
}

/// References decoded once. A bare `&` is common in addresses; it means itself.
fn unescaped(text: &str) -> Cow<'_, str> {
    const LONGEST: usize = 10;
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, here) = rest.split_at(at);
        out.push_str(before);
        let end = here.bytes().take(LONGEST).position(|byte| byte == b';');
        let name = end.and_then(|end| here.get(1..end));
        let length = match name.and_then(character).zip(end) {
            Some((c, end)) => {
                out.push(c);
                end + 1
            }
            None => {
                out.push('&');
                1
            }
        };
        rest = here.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn character(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let hex = number.strip_prefix(['x', 'X']);
        let code = hex.map_or_else(|| number.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok());
        return code.and_then(char::from_u32);
    }
    let known = [("amp", '&'), ("lt", '<'), ("gt", '>'), ("quot", '"'), ("apos", '\''), ("nbsp", ' ')];
    known.iter().find(|(known, _)| *known == name).map(|(_, c)| *c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<(String, String, String)> {
        let row = |outline: Outline| (outline.url, outline.title.unwrap_or_default(), outline.tags.join(" "));
        read(text).unwrap().outlines.into_iter().map(row).collect()
    }

    #[test]
    fn folders_and_categories_become_tags() {
        let text = r#"<?xml version="1.0"?><opml version="2.0"><head><title>x</title></head><body>
            <outline text="World News"><outline type="rss" text="A &amp; B" xmlUrl="https://a.example/rss"/>
              <outline text="Press"><outline title="C" xmlUrl=" https://c.example/rss "/></outline></outline>
            <outline text="D" xmlUrl="https://d.example/rss?a=1&b=2" category="/Tech,ops"/><outline text="empty"/></body></opml>"#;
        let all = read(text).unwrap().outlines;
        let tags: Vec<_> = all.iter().map(|outline| outline.tags.join(" ")).collect();
        assert_eq!(tags, ["world-news", "world-news press", "tech ops"]);
        assert_eq!(all[2].url, "https://d.example/rss?a=1&b=2");
        assert_eq!((all[0].title.as_deref(), all[1].url.as_str()), (Some("A & B"), "https://c.example/rss"));
    }

    #[test]
    fn a_sloppy_list_is_read_for_what_it_means() {
        let one = |url: &str, title: &str, tags: &str| vec![(url.to_owned(), title.to_owned(), tags.to_owned())];
        let plain = one("https://a.example/f", "A", "");
        for (text, expected) in [
            ("<opml><body><outline TEXT='A' XMLURL='https://a.example/f'/></body></opml>", plain.clone()),
            ("<OPML><BODY><OUTLINE Text='A' xmlURL='https://a.example/f'/></BODY></OPML>", plain.clone()),
            ("<opml><outline text=A xmlUrl=https://a.example/f></opml>", plain.clone()),
            ("<opml><outline text=A type=rss url='https://a.example/f'/></opml>", plain.clone()),
            ("<opml><outline text='A' url='https://a.example/f'/></opml>", plain.clone()),
            ("<body><outline text='A' xmlUrl='https://a.example/f'/></body>", plain.clone()),
            ("\u{feff}<outline text='A' xmlUrl='https://a.example/f'/>", plain.clone()),
            ("<opml><body><body><outline text='A' xmlUrl='https://a.example/f'/></body></opml></body>", plain.clone()),
            ("<opml><outline text='A' text='B' xmlUrl='https://a.example/f' broken/></opml>", plain.clone()),
            ("<opml><title>R&D & more</title><outline text='A' xmlUrl='https://a.example/f'/></opml>", plain.clone()),
            ("<opml><outline text='A\n' xmlUrl='\nhttps://a.example/f '/></outline></outline></opml>", plain),
            (
                "<opml><outline text='x' xmlUrl='https://a.example/?a=1&b=2&amp;c=3&#38;d=4&e'/></opml>",
                one("https://a.example/?a=1&b=2&c=3&d=4&e", "x", ""),
            ),
            (
                "<opml><outline text='Café Ünï/Два'><outline xmlUrl='https://a.example/f' category='Два,,/'/></outline></opml>",
                one("https://a.example/f", "", "café-ünï-два два"),
            ),
            ("<opml><outline text='A' type='link' url='https://a.example/'/></opml>", vec![]),
            ("<opml><outline text='!!'><outline text='x'/></outline></opml>", vec![]),
        ] {
            assert_eq!(rows(text), expected, "{text}");
        }
        assert_eq!(
            read("<opml><outline type='rss' text='A'/><outline text='folder'/></opml>").unwrap().without_address,
            1
        );
    }

    #[test]
    fn feeds_that_are_never_closed_are_no_folders() {
        let text = format!("<opml>{}</opml>", "<outline text='a' xmlUrl='https://a.example/'>".repeat(5000));
        let list = read(&text).unwrap();
        assert_eq!(list.outlines.len(), 5000);
        assert!(list.outlines.iter().all(|outline| outline.tags.is_empty()));
    }

    #[test]
    fn what_is_no_opml_is_refused() {
        let deep = "<outline text='a'>".repeat(100);
        for bad in ["", "<html/>", "<opml><body><outline xmlUrl=", "no xml", &"<outline>".repeat(100), &deep] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_list_is_decoded_by_its_mark_its_declaration_or_a_guess() {
        let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><opml><outline text='Caf\xe9'/>";
        assert!(decode(latin).contains("Café"));
        assert!(decode(b"<opml><outline text='Caf\xe9 cr\xe8me'/>").contains("Café crème"));
        assert!(decode("<?xml version='1.0' encoding='ISO-8859-1'?>Café".as_bytes()).contains("Café"));
        assert_eq!(decode("\u{feff}<opml/>".as_bytes()), "<opml/>");
        let wide: Vec<u8> = [0xff, 0xfe].into_iter().chain("<ä>".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert_eq!(decode(&wide), "<ä>");
    }
}
