//! The elements that both readers read alike, by where they stand.

use memchr::memchr;

use super::{Look, Place, Said};
use crate::parse::lenient::space::Family;

/// What an entry has: a bit each.
pub(super) mod bit {
    pub(in super::super) const TITLE: u32 = 1;
    pub(in super::super) const LINK: u32 = 1 << 1;
    pub(in super::super) const TEXT: u32 = 1 << 2;
    pub(in super::super) const CONTENT: u32 = 1 << 3;
    pub(in super::super) const ID: u32 = 1 << 4;
    pub(in super::super) const DATE: u32 = 1 << 5;
    pub(in super::super) const UPDATED: u32 = 1 << 6;
}

impl<'a> Look<'a> {
    /// What a tag opens, from where one is; none if it is in no list.
    pub(super) fn place_of(&mut self, name: &'a [u8], said: &Said<'a>) -> Option<Place> {
        let Some((_, place)) = self.open.last().copied() else { return root(name, said) };
        if said.default.is_some() {
            return None;
        }
        let (family, local) = match memchr(b':', name) {
            None => (None, name),
            Some(at) => {
                let prefix = name.get(..at)?;
                let family = self.prefixes.iter().find(|(known, _)| *known == prefix).map(|(_, family)| *family)?;
                (Some(family), name.get(at + 1..)?)
            }
        };
        let aside = matches!(family, Some(Family::Other | Family::Burner | Family::Rdf | Family::Wfw));
        if aside && is_lost(local) {
            return None;
        }
        match place {
            Place::Leaf => None,
            Place::Aside | Place::Person => {
                (!matches!(local, b"item" | b"entry" | b"channel" | b"feed" | b"rss")).then_some(Place::Aside)
            }
            _ if aside => (!matches!(local, b"item" | b"entry")).then_some(Place::Aside),
            Place::Rss => {
                (family.is_none() && local == b"channel" && self.once(true, 1 << 31)).then_some(Place::Channel)
            }
            Place::Channel => self.channel(family, local, said),
            Place::Item => self.item(family, local, said),
            Place::Feed => self.feed(family, local, said),
            Place::Entry => self.entry(family, local, said),
        }
    }

    /// Whether something is there for the first time.
    fn once(&mut self, feed: bool, bits: u32) -> bool {
        let seen = if feed { &mut self.feed } else { &mut self.seen };
        let new = *seen & bits == 0;
        *seen |= bits;
        new
    }

    fn channel(&mut self, family: Option<Family>, local: &[u8], said: &Said<'_>) -> Option<Place> {
        let place = match (family, local) {
            (None, b"item") => Place::Item,
            (None, b"title") => self.once(true, bit::TITLE).then_some(Place::Leaf)?,
            (None, b"link") => (!said.href && self.once(true, bit::LINK)).then_some(Place::Leaf)?,
            (None, b"description") => self.once(true, bit::TEXT).then_some(Place::Leaf)?,
            (None, b"pubDate") => self.once(true, bit::DATE).then_some(Place::Leaf)?,
            (None, b"lastBuildDate") => self.once(true, bit::UPDATED).then_some(Place::Leaf)?,
            (
                None,
                b"language" | b"copyright" | b"category" | b"generator" | b"docs" | b"managingEditor" | b"webMaster"
                | b"rating",
            ) => Place::Leaf,
            (None, b"image" | b"cloud" | b"textInput") => Place::Aside,
            (Some(Family::Atom), b"link") => said.href.then_some(Place::Leaf)?,
            (Some(Family::Itunes | Family::Podcast | Family::Media), _) => Place::Aside,
            _ => return None,
        };
        Some(place)
    }

    fn item(&mut self, family: Option<Family>, local: &[u8], said: &Said<'_>) -> Option<Place> {
        let single = match (family, local) {
            (None, b"title") => bit::TITLE,
            (None, b"link") if !said.href => bit::LINK,
            (None, b"description") => bit::TEXT,
            (None, b"guid") => bit::ID,
            (None, b"pubDate") | (Some(Family::Dc), b"date") => bit::DATE,
            (Some(Family::Content), b"encoded") => bit::CONTENT,
            (None, b"author" | b"category" | b"comments" | b"source" | b"enclosure")
            | (Some(Family::Dc), b"creator") => return Some(Place::Leaf),
            _ => return None,
        };
        self.once(false, single).then_some(Place::Leaf)
    }

    fn feed(&mut self, family: Option<Family>, local: &[u8], said: &Said<'_>) -> Option<Place> {
        let place = match (family, local) {
            (None, b"entry") => Place::Entry,
            (None, b"title") => (self.once(true, bit::TITLE) && is_known_text(said)).then_some(Place::Leaf)?,
            (None, b"subtitle" | b"rights") => is_known_text(said).then_some(Place::Leaf)?,
            (None, b"id") => self.once(true, bit::ID).then_some(Place::Leaf)?,
            (None, b"updated") => self.once(true, bit::UPDATED).then_some(Place::Leaf)?,
            (None, b"link") => said.href.then_some(Place::Leaf)?,
            (None, b"category" | b"generator" | b"icon" | b"logo") => Place::Leaf,
            (None, b"author" | b"contributor") => Place::Person,
            (Some(Family::Media), _) => Place::Aside,
            _ => return None,
        };
        Some(place)
    }

    fn entry(&mut self, family: Option<Family>, local: &[u8], said: &Said<'_>) -> Option<Place> {
        let single = match (family, local) {
            (None, b"title") => bit::TITLE,
            (None, b"summary") => bit::TEXT,
            (None, b"content") => bit::CONTENT,
            (None, b"id") => bit::ID,
            (None, b"published") => bit::DATE,
            (None, b"updated") => bit::UPDATED,
            (None, b"link") => return said.href.then_some(Place::Leaf),
            (None, b"category") => return said.term.then_some(Place::Leaf),
            (None, b"rights") => return is_known_text(said).then_some(Place::Leaf),
            (None, b"author" | b"contributor") => return Some(Place::Person),
            _ => return None,
        };
        let texts = bit::TITLE | bit::TEXT | bit::CONTENT;
        (self.once(false, single) && (single & texts == 0 || is_known_text(said))).then_some(Place::Leaf)
    }
}

/// What feed-rs drops and is wanted: original links, and the syndication module, which has no family of its own.
fn is_lost(local: &[u8]) -> bool {
    [&b"origLink"[..], b"updatePeriod", b"updateFrequency"].iter().any(|name| local.eq_ignore_ascii_case(name))
}

/// Text types that both readers read alike: feed-rs writes XHTML's `<br/>` as two tags, which are two breaks.
fn is_known_text(said: &Said<'_>) -> bool {
    !said.strange && matches!(said.kind, None | Some(b"text" | b"html"))
}

fn root(name: &[u8], said: &Said<'_>) -> Option<Place> {
    match name {
        b"rss" if said.default.is_none() && matches!(said.version, Some(b"2.0" | b"0.91" | b"0.92")) => {
            Some(Place::Rss)
        }
        b"feed" if said.default == Some(b"http://www.w3.org/2005/Atom") => Some(Place::Feed),
        _ => None,
    }
}
