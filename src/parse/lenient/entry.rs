//! An entry while its elements come in, and what becomes of it.

use url::Url;

use super::person;
use crate::domain::feed::FeedInfo;
use crate::domain::item::{Category, Enclosure, Entry, Extras, Person};
use crate::domain::time::Timestamp;
use crate::parse::cadence::Said;
use crate::parse::limits::{MAX_BASE_BYTES, MAX_ID_BYTES, MAX_LIST};
use crate::parse::plain;

/// Something of which a document may have several: the one of the lowest rank counts, and the first of that.
#[derive(Debug)]
pub(super) struct Best<T>(Option<(u8, T)>);

impl<T> Default for Best<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Best<T> {
    pub(super) fn offer(&mut self, rank: u8, value: Option<T>) {
        if let Some(value) = value
            && self.0.as_ref().is_none_or(|(known, _)| rank < *known)
        {
            self.0 = Some((rank, value));
        }
    }

    pub(super) fn take(self) -> Option<T> {
        self.0.map(|(_, value)| value)
    }

    /// The same, but of those of a rank the last one counts: dates are corrected by what follows.
    pub(super) fn revise(&mut self, rank: u8, value: Option<T>) {
        if let Some(value) = value
            && self.0.as_ref().is_none_or(|(known, _)| rank <= *known)
        {
            self.0 = Some((rank, value));
        }
    }
}

/// A link, its address absolute already.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) url: String,
    pub(super) rel: String,
    pub(super) kind: Option<String>,
    pub(super) length: Option<u64>,
    pub(super) title: Option<String>,
}

impl Link {
    /// RFC 4287 4.2.7.2: no relation, the word, or its IANA address.
    pub(super) fn is_alternate(&self) -> bool {
        self.rel.is_empty() || last_part(&self.rel).eq_ignore_ascii_case("alternate")
    }

    fn is_enclosure(&self) -> bool {
        self.rel.rsplit('/').next().is_some_and(|rel| rel.eq_ignore_ascii_case("enclosure"))
    }

    fn is_html(&self) -> bool {
        self.kind.as_deref().is_none_or(|kind| {
            let kind = kind.trim().to_ascii_lowercase();
            kind.is_empty() || kind.starts_with("text/html") || kind.starts_with("application/xhtml+xml")
        })
    }
}

/// A relation, or the word that its IANA address ends with.
fn last_part(rel: &str) -> &str {
    let bare = rel.strip_prefix("http://").or_else(|| rel.strip_prefix("https://")).unwrap_or(rel);
    let bare = bare.strip_prefix("www.").unwrap_or(bare);
    match bare.strip_prefix("iana.org/assignments/") {
        Some(path) => path.rsplit('/').next().unwrap_or(path),
        None => rel,
    }
}

/// The first alternate that is a page, else the first alternate.
pub(super) fn page(links: &[Link]) -> Option<String> {
    let mut alternates = links.iter().filter(|link| link.is_alternate());
    let first = alternates.clone().next();
    alternates.find(|link| link.is_html()).or(first).map(|link| link.url.clone())
}

/// An entry that is being read.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) title: Best<String>,
    pub(super) guid: Best<String>,
    /// `isPermaLink` is not false.
    pub(super) permanent: bool,
    /// RSS' own link, which goes before all others.
    pub(super) link: Best<String>,
    pub(super) links: Vec<Link>,
    pub(super) original: Option<String>,
    pub(super) summary: Best<String>,
    pub(super) content: Best<String>,
    /// Stands in for a summary where there is no text at all.
    pub(super) described: Best<String>,
    pub(super) published: Best<Timestamp>,
    pub(super) updated: Best<Timestamp>,
    /// `dc:date`, which is either.
    pub(super) date: Option<Timestamp>,
    /// RSS' `summary`, beside which its description is the content.
    pub(super) short: Option<String>,
    pub(super) authors: Vec<Person>,
    pub(super) credits: Vec<Person>,
    pub(super) categories: Vec<Category>,
    /// Attached files, and those of a media group.
    pub(super) files: Vec<Enclosure>,
    pub(super) image: Best<String>,
    pub(super) language: Option<String>,
    pub(super) source: Option<FeedInfo>,
    /// How long the main file plays, by iTunes.
    pub(super) duration_s: Option<u64>,
    pub(super) extras: Extras,
    /// How many elements there were for them.
    pub(super) elements: usize,
}

impl Draft {
    pub(super) fn file(&mut self, file: Option<Enclosure>) {
        self.files.extend(file.filter(|_| self.files.len() < MAX_LIST));
    }

    pub(super) fn category(&mut self, category: Category) {
        if self.categories.len() < MAX_LIST && !self.categories.contains(&category) {
            self.categories.push(category);
        }
    }

    /// The entry, and the original link that it names.
    pub(super) fn finish(self) -> (Entry, Option<String>) {
        let guid = self.guid.take();
        let extras = extras(self.extras, &self.links);
        let enclosures = enclosures(&self.links, self.files, self.duration_s);
        let link = self.link.take().or_else(|| page(&self.links));
        let permanent = || plain::guid_url(guid.as_deref()).filter(|_| self.permanent);
        let link = link.or_else(permanent).or_else(|| enclosures.first().map(|enclosure| enclosure.url.clone()));
        let (mut published, mut updated) = (self.published.take(), self.updated.take());
        match published {
            Some(_) => updated = updated.or(self.date),
            None => published = self.date,
        }
        let (mut summary, mut content) = (self.summary.take(), self.content.take());
        if self.short.is_some() {
            content = content.or(summary.take());
            summary = self.short;
        }
        let picture = || {
            enclosures
                .iter()
                .find(|file| file.mime_type.as_deref().is_some_and(|kind| kind.starts_with("image/")))
                .map(|file| file.url.clone())
        };
        let extras = Extras { comments_url: extras.comments_url.filter(|url| link.as_ref() != Some(url)), ..extras };
        let entry = Entry {
            image: self.image.take().or_else(picture),
            guid,
            link,
            proxy_link: None,
            title: self.title.take(),
            summary: summary.or_else(|| self.described.take()),
            content,
            published,
            updated,
            authors: person::distinct(if self.authors.is_empty() { self.credits } else { self.authors }),
            categories: self.categories,
            enclosures,
            language: self.language,
            source: self.source,
            extras,
        };
        (entry, self.original)
    }
}

fn enclosures(links: &[Link], files: Vec<Enclosure>, duration_s: Option<u64>) -> Vec<Enclosure> {
    let linked = links.iter().filter(|link| link.is_enclosure()).map(|link| Enclosure {
        url: link.url.clone(),
        mime_type: link.kind.clone(),
        length_bytes: link.length,
        duration_s: None,
        title: link.title.clone(),
    });
    let mut all = plain::once_each(linked.chain(files));
    // iTunes speaks of the one file of its episode.
    let plays = |file: &&mut Enclosure| file.mime_type.as_deref().is_none_or(|kind| !kind.starts_with("image/"));
    if let Some(file) = all.iter_mut().find(plays) {
        file.duration_s = file.duration_s.or(duration_s);
    }
    all
}

/// What links say beside elements: the licence (RFC 4946), and where it is talked about (RFC 4685 section 4).
fn extras(mut extras: Extras, links: &[Link]) -> Extras {
    extras.media.shrink_to_fit();
    let of = |rel: &str, page: bool| {
        let mut all = links.iter().filter(|link| link.rel.eq_ignore_ascii_case(rel));
        all.find(|link| !page || link.is_html()).map(|link| link.url.clone())
    };
    extras.license = extras.license.take().or_else(|| of("license", false));
    extras.comments_url = extras.comments_url.take().or_else(|| of("replies", true));
    extras
}

/// An id as written, trimmed; one that is too long is none.
pub(super) fn id(text: &str) -> Option<String> {
    let trimmed = text.trim();
    (!trimmed.is_empty() && trimmed.len() <= MAX_ID_BYTES).then(|| trimmed.to_owned())
}

/// A positive size; a fraction is cut off.
pub(super) fn size(text: &str) -> Option<u64> {
    text.trim().split('.').next().and_then(|whole| whole.parse().ok()).filter(|size| *size > 0)
}

/// What a feed says of itself, while its elements come in.
#[derive(Debug, Default)]
pub(super) struct About {
    pub(super) title: Best<String>,
    pub(super) description: Best<String>,
    pub(super) link: Best<String>,
    pub(super) links: Vec<Link>,
    pub(super) id: Best<String>,
    pub(super) icon: Best<String>,
    pub(super) language: Best<String>,
    pub(super) rights: Best<String>,
    pub(super) updated: Best<Timestamp>,
    pub(super) authors: Vec<Person>,
    pub(super) cadence: Said,
}

impl About {
    pub(super) fn finish(self) -> FeedInfo {
        FeedInfo {
            title: self.title.take(),
            description: self.description.take(),
            home_url: self.link.take().or_else(|| page(&self.links)),
            atom_id: self.id.take(),
            icon: self.icon.take(),
            language: self.language.take(),
            rights: self.rights.take(),
            updated: self.updated.take(),
            authors: person::distinct(self.authors),
        }
    }
}

/// Bases of relative addresses: the nearest valid `xml:base` counts, an invalid one is not there.
#[derive(Debug)]
pub(super) struct Bases<'a> {
    document: Option<&'a Url>,
    list: Vec<(usize, Url)>,
}

impl<'a> Bases<'a> {
    pub(super) fn new(document: Option<&'a Url>) -> Self {
        Self { document, list: Vec::new() }
    }

    pub(super) fn nearest(&self) -> Option<&Url> {
        self.list.last().map(|(_, url)| url).or(self.document)
    }

    pub(super) fn enter(&mut self, base: &str, depth: usize) {
        let base = base.trim();
        let url = match (Url::parse(base), self.nearest()) {
            (Ok(url), _) => Some(url),
            (Err(url::ParseError::RelativeUrlWithoutBase), Some(outer)) => outer.join(base).ok(),
            _ => None,
        };
        if let Some(url) = url.filter(|url| !url.cannot_be_a_base() && url.as_str().len() <= MAX_BASE_BYTES) {
            self.list.push((depth, url));
        }
    }

    pub(super) fn leave(&mut self, depth: usize) {
        while self.list.last().is_some_and(|(declared, _)| *declared > depth) {
            self.list.pop();
        }
    }
}
