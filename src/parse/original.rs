//! `feedburner:origLink` and `pheedo:origLink`: the address that a link through a counting service stands for. feed-rs drops
//! them, so a document that has any is read once more for these alone.

use std::collections::{HashMap, HashSet};

use quick_xml::events::Event;
use quick_xml::name::ResolveResult;
use quick_xml::{NsReader, XmlVersion};

use super::limits::{MAX_ENTRIES, MAX_URL_BYTES};
use super::{Feed, plain};
use crate::domain::item::Entry;

/// Words that a namespace, or a prefix that was never declared, must have: the two services spelled theirs in several ways.
const SERVICES: [&str; 2] = ["feedburner", "pheedo"];

/// Gives entries the links that their document says are the original ones. Where the entries cannot be told apart, nothing
/// is changed.
pub(super) fn put(feed: &mut Feed, document: &str) {
    if memchr::memmem::find(document.as_bytes(), b"origLink").is_none() {
        return;
    }
    let Some(links) = read(document).filter(|links| links.len() == feed.entries.len()) else { return };
    apply(feed, links);
}

/// Gives each entry the original link that belongs to it.
pub(super) fn apply(feed: &mut Feed, links: Vec<Option<String>>) {
    if links.iter().all(Option::is_none) {
        return;
    }
    // One original for entries that link to different pages is the site's own address, or a template's.
    let mut first: HashMap<&str, &Option<String>> = HashMap::new();
    let mut shared: HashSet<String> = HashSet::new();
    for (entry, link) in feed.entries.iter().zip(&links) {
        if let Some(link) = link
            && *first.entry(link).or_insert(&entry.link) != &entry.link
        {
            shared.insert(link.clone());
        }
    }
    for (entry, link) in feed.entries.iter_mut().zip(links) {
        if let Some(link) = link.filter(|link| !shared.contains(link)) {
            replace(entry, link);
        }
    }
}

fn replace(entry: &mut Entry, link: String) {
    if entry.link.as_ref() == Some(&link) {
        return;
    }
    let old = entry.link.replace(link);
    // An attached file stands in for a link that is not there; it is no other address of the page.
    let file = |old: &String| entry.enclosures.iter().any(|enclosure| enclosure.url == *old);
    entry.proxy_link = old.filter(|old| !file(old));
}

/// The first original link of each entry, in document order. `None`: the document cannot be read to its end.
fn read(document: &str) -> Option<Vec<Option<String>>> {
    let mut reader = NsReader::from_str(document);
    reader.config_mut().trim_markup_names_in_closing_tags = true;
    let mut links: Vec<Option<String>> = Vec::new();
    // Depth of the entry that is open, and the text of its original link.
    let (mut depth, mut entry, mut text) = (0_usize, None::<usize>, None::<String>);
    loop {
        let (space, event) = reader.read_resolved_event().ok()?;
        let service = match space {
            ResolveResult::Bound(space) => is_service(space.as_ref()),
            ResolveResult::Unknown(prefix) => is_service(&prefix),
            ResolveResult::Unbound => false,
        };
        match event {
            Event::Start(tag) => {
                depth += 1;
                let name = tag.local_name();
                match entry {
                    None if is_entry(name.as_ref()) => {
                        entry = Some(depth);
                        links.push(None);
                        if links.len() > MAX_ENTRIES {
                            return None;
                        }
                    }
                    Some(at) if service && depth == at + 1 && name.as_ref() == "origLink" => {
                        text = links.last().is_some_and(Option::is_none).then(String::new);
                    }
                    _ => {}
                }
            }
            Event::Empty(tag) if entry.is_none() && is_entry(tag.local_name().as_ref()) => links.push(None),
            Event::End(_) => {
                if let (Some(read), Some(last)) = (text.take(), links.last_mut()) {
                    *last = web(&read);
                }
                if entry == Some(depth) {
                    entry = None;
                }
                depth = depth.checked_sub(1)?;
            }
            Event::Text(more) => add(&mut text, &more.xml_content(XmlVersion::Implicit1_0)),
            Event::CData(more) => add(&mut text, &more.xml_content(XmlVersion::Implicit1_0)),
            Event::GeneralRef(reference) => {
                let named = || quick_xml::escape::resolve_predefined_entity(&reference).map(str::to_owned);
                let meant = reference.resolve_char_ref().ok()?.map(String::from).or_else(named);
                add(&mut text, meant.as_deref().unwrap_or_default());
            }
            Event::Eof => break,
            _ => {}
        }
    }
    Some(links)
}

fn add(text: &mut Option<String>, more: &str) {
    if let Some(text) = text.as_mut().filter(|text| text.len() <= MAX_URL_BYTES) {
        text.push_str(more);
    }
}

fn is_entry(name: &str) -> bool {
    matches!(name, "item" | "entry")
}

fn is_service(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SERVICES.iter().any(|service| name.contains(service))
}

/// An original is an absolute address on the web; anything else is a slip of the service.
fn web(text: &str) -> Option<String> {
    plain::url(text, None).filter(|url| url.starts_with("http://") || url.starts_with("https://"))
}
