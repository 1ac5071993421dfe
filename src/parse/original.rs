//! `feedburner:origLink` and `pheedo:origLink`: the address that a link through a counting service stands for.

use std::collections::{HashMap, HashSet};

use super::Feed;
use crate::domain::item::Entry;

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
