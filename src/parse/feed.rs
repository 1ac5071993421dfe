//! feed-rs' model to ours. What feed-rs makes up (ids, copied dates) is taken out again.

use feed_rs::model;
use url::Url;

use super::limits::{MAX_BODY_BYTES, MAX_ID_BYTES, MAX_LIST};
use super::{Feed, plain};
use crate::domain::feed::FeedInfo;
use crate::domain::item::{Category, Enclosure, Entry, Extras, Person};
use crate::domain::time::Timestamp;

/// Stands where a document has no id. U+FFFE cannot be in a document that is read: XML forbids it.
pub(super) const NO_ID: &str = "\u{FFFE}";

/// Maps a document that feed-rs read.
pub(super) fn map(feed: model::Feed, base: Option<&Url>) -> Feed {
    let atom = feed.feed_type == model::FeedType::Atom;
    let entries = feed.entries.into_iter().map(|entry| map_entry(entry, atom, base)).collect();
    let info = FeedInfo {
        title: feed.title.and_then(|text| title(&text, atom)),
        description: feed.description.and_then(|text| title(&text, atom)),
        home_url: home(&feed.links, base),
        atom_id: id(&feed.id).filter(|_| atom),
        icon: feed.icon.or(feed.logo).and_then(|image| plain::url(&image.uri, base)),
        language: feed.language.and_then(|text| plain::filled(plain::line(&text))),
        rights: feed.rights.and_then(|text| title(&text, atom)),
        // RSS 2.0: lastBuildDate, else the channel's pubDate.
        updated: feed.updated.or(feed.published).map(Timestamp::from_chrono),
        authors: people(feed.authors),
    };
    Feed { info, entries, ..Feed::default() }
}

fn map_entry(entry: model::Entry, atom: bool, base: Option<&Url>) -> Entry {
    let guid = id(&entry.id);
    let enclosures = enclosures(&entry.links, &entry.media, base);
    let link = link(&entry.links, base)
        .or_else(|| plain::guid_url(guid.as_deref()))
        .or_else(|| enclosures.first().map(|enclosure| enclosure.url.clone()));
    let published = entry.published.map(Timestamp::from_chrono);
    // feed-rs copies the date of an RSS item to where it has none.
    let updated = entry.updated.map(Timestamp::from_chrono).filter(|updated| atom || Some(*updated) != published);
    let content = entry
        .content
        .and_then(|content| content.body.and_then(|text| body(&text, content.content_type.as_str(), atom)));
    let summary = entry.summary.and_then(|text| body(&text.content, text.content_type.as_str(), atom));
    let extras = extras(&entry.links, entry.rights.and_then(|text| title(&text, atom)), base);
    Entry {
        proxy_link: None,
        title: entry.title.and_then(|text| title(&text, atom)),
        summary,
        content,
        published,
        updated,
        authors: people(entry.authors),
        categories: categories(entry.categories),
        image: image(&enclosures),
        language: entry.language.and_then(|text| plain::filled(plain::line(&text))),
        source: None,
        extras: Extras { comments_url: extras.comments_url.filter(|url| link.as_ref() != Some(url)), ..extras },
        link,
        guid,
        enclosures,
    }
}

/// Licence (RFC 4946), rights, and where it is talked about (RSS 2.0; RFC 4685 section 4).
fn extras(links: &[model::Link], rights: Option<String>, base: Option<&Url>) -> Extras {
    let is =
        |link: &model::Link, name: &str| link.rel.as_deref().is_some_and(|rel| rel.trim().eq_ignore_ascii_case(name));
    let address = |link: &model::Link| plain::url(&link.href, base);
    let spoken = |link: &&model::Link| {
        link.target == Some(model::LinkTarget::Comments) || (is(link, "replies") && is_html(link))
    };
    Extras {
        comments_url: links.iter().find(spoken).and_then(address),
        license: links.iter().find(|link| is(link, "license")).and_then(address),
        rights,
        ..Extras::default()
    }
}

fn id(id: &str) -> Option<String> {
    let trimmed = id.trim();
    (trimmed != NO_ID && !trimmed.is_empty() && trimmed.len() <= MAX_ID_BYTES).then(|| trimmed.to_owned())
}

/// Only Atom says what its texts are; RSS never does, and means HTML.
fn title(text: &model::Text, atom: bool) -> Option<String> {
    if atom && text.content_type.as_str() == "text/plain" {
        plain::plain_title(&text.content)
    } else {
        plain::title(&text.content)
    }
}

/// A summary or content as HTML source.
fn body(text: &str, media_type: &str, atom: bool) -> Option<String> {
    let text = plain::modern(plain::cut(text.trim(), MAX_BODY_BYTES));
    let escaped = atom && media_type.starts_with("text/") && !matches!(media_type, "text/html" | "text/xml");
    plain::filled(if escaped { plain::escape(&text) } else { text.into_owned() })
}

/// Whether a relation is "alternate": none, the word, or its IANA address (RFC 4287 4.2.7.2).
fn is_alternate(link: &model::Link) -> bool {
    let rel = link.rel.as_deref().map_or("", str::trim);
    rel.is_empty()
        || rel.eq_ignore_ascii_case("alternate")
        || rel.eq_ignore_ascii_case("http://www.iana.org/assignments/relation/alternate")
}

fn is_html(link: &model::Link) -> bool {
    link.media_type.as_deref().is_none_or(|media_type| {
        let media_type = media_type.trim().to_ascii_lowercase();
        media_type.is_empty() || media_type.starts_with("text/html") || media_type.starts_with("application/xhtml+xml")
    })
}

/// The first alternate that is a page, else the first alternate. Links to comments have a target of their own.
fn link(links: &[model::Link], base: Option<&Url>) -> Option<String> {
    let alternates = || links.iter().filter(|link| is_alternate(link) && link.target.is_none());
    let usable = |link: &model::Link| plain::url(&link.href, base);
    alternates().filter(|link| is_html(link)).find_map(usable).or_else(|| alternates().find_map(usable))
}

/// The site's page: RSS' own `<link>` has no relation and goes before an `atom:link`.
fn home(links: &[model::Link], base: Option<&Url>) -> Option<String> {
    let bare = links.iter().filter(|link| link.rel.is_none()).find_map(|link| plain::url(&link.href, base));
    bare.or_else(|| link(links, base))
}

fn people(people: Vec<model::Person>) -> Vec<Person> {
    let mut kept: Vec<Person> = Vec::new();
    for person in people.into_iter().take(MAX_LIST) {
        let email = person.email.map(|text| plain::line(&text));
        let email = email.map(|text| text.trim_start_matches("mailto:").to_owned()).and_then(plain::filled);
        let name = person.name.and_then(|text| name(&text));
        let uri = person.uri.and_then(|text| plain::url(&text, None));
        let person = Person { name, email, uri };
        if (person.name.is_some() || person.email.is_some()) && !kept.contains(&person) {
            kept.push(person);
        }
    }
    kept
}

/// A name without the brackets that RSS puts around it: `joe@example.org (Joe)`.
fn name(text: &str) -> Option<String> {
    let line = plain::line(text);
    let bare = line.trim_matches(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '[' | ']' | '"'));
    let inner = bare.strip_prefix('(').and_then(|bare| bare.strip_suffix(')')).unwrap_or(bare);
    plain::filled(inner.trim().to_owned())
}

fn categories(categories: Vec<model::Category>) -> Vec<Category> {
    let mut kept: Vec<Category> = Vec::new();
    for category in categories.into_iter().take(MAX_LIST) {
        let filled = |text: String| plain::filled(plain::line(&text));
        let Some(term) = filled(category.term) else { continue };
        let category =
            Category { term, scheme: category.scheme.and_then(filled), label: category.label.and_then(filled) };
        if !kept.contains(&category) {
            kept.push(category);
        }
    }
    kept
}

fn enclosures(links: &[model::Link], media: &[model::MediaObject], base: Option<&Url>) -> Vec<Enclosure> {
    let enclosing = links.iter().filter(|link| {
        link.rel
            .as_deref()
            .is_some_and(|rel| rel.rsplit('/').next().is_some_and(|rel| rel.eq_ignore_ascii_case("enclosure")))
    });
    let linked = enclosing.filter_map(|link| {
        Some(Enclosure {
            url: plain::url(&link.href, base)?,
            mime_type: link.media_type.as_deref().and_then(|text| plain::filled(plain::line(text))),
            length_bytes: link.length.filter(|length| *length > 0),
            duration_s: None,
            title: link.title.as_deref().and_then(plain::plain_title),
        })
    });
    let attached = media.iter().flat_map(|object| &object.content).filter_map(|content| {
        Some(Enclosure {
            url: plain::url(content.url.as_ref()?.as_str(), base)?,
            mime_type: content.content_type.as_ref().map(ToString::to_string),
            length_bytes: content.size.filter(|length| *length > 0),
            ..Enclosure::default()
        })
    });
    plain::once_each(linked.chain(attached))
}

/// An attached picture.
fn image(files: &[Enclosure]) -> Option<String> {
    let picture = |file: &&Enclosure| file.mime_type.as_deref().is_some_and(|kind| kind.starts_with("image/"));
    files.iter().find(picture).map(|file| file.url.clone())
}
