//! A stream as an Atom 1.0 document (RFC 4287).

use super::xml::Xml;
use super::{Channel, View, media, person_name, sighting_link, sighting_title, text};
use crate::domain::feed::FeedInfo;
use crate::domain::item::Person;

const ATOM: &str = "http://www.w3.org/2005/Atom";
const HISTORY: &str = "http://purl.org/syndication/history/1.0";

/// The stream as Atom 1.0, in the order of `views`.
#[must_use]
pub fn atom(channel: &Channel, views: &[View]) -> String {
    let mut xml = Xml::new();
    let mut spaces = vec![("xmlns", Some(ATOM))];
    spaces.extend(channel.pages.archive.map(|_| ("xmlns:fh", Some(HISTORY))));
    spaces.extend(media::spaces(views));
    xml.within("feed", &spaces, |xml| {
        head(xml, channel);
        for view in views {
            let language = text::language(view.item.language.as_deref());
            xml.within("entry", &[("xml:lang", language)], |xml| entry(xml, view));
        }
    });
    xml.finish()
}

fn head(xml: &mut Xml, channel: &Channel) {
    xml.text("id", &[], &channel.id);
    xml.text("title", &[], text::present(Some(&channel.title)).unwrap_or(&channel.name));
    xml.text("updated", &[], &channel.updated.rfc3339());
    // RFC 4287 4.1.1 wants an author for the feed where not every entry has one.
    xml.within("author", &[], |xml| {
        xml.text("name", &[], text::present(Some(&channel.title)).unwrap_or(&channel.name));
    });
    // Without a version: an upgrade alone changes no document.
    xml.text("generator", &[], "Feedmill");
    let (pages, kind) = (&channel.pages, Some("application/atom+xml"));
    let own = pages.archive.map_or_else(|| channel.document("atom"), |number| channel.archive(number));
    link(xml, "self", &own, kind);
    link(xml, "alternate", &channel.page(), Some("text/html"));
    // RFC 5005 section 4: archives are marked, and say where the present document is.
    if pages.archive.is_some() {
        link(xml, "current", &channel.document("atom"), kind);
        xml.empty("fh:archive", &[]);
    }
    for (rel, number) in [("prev-archive", pages.previous), ("next-archive", pages.next)] {
        if let Some(number) = number {
            link(xml, rel, &channel.archive(number), kind);
        }
    }
}

fn entry(xml: &mut Xml, view: &View) {
    let item = &view.item;
    let link_url = view.link();
    xml.text("id", &[], &item.published_id);
    xml.text("title", &[], &view.title());
    xml.text("updated", &[], &item.updated.rfc3339());
    xml.text("published", &[], &view.published().rfc3339());
    authors(xml, view);
    if let Some(url) = &link_url {
        link(xml, "alternate", url, None);
    }
    links(xml, view);
    for category in &item.categories {
        if let Some(term) = text::present(Some(&category.term)) {
            // RFC 4287 4.2.2.2: a scheme is an IRI; the domain of an RSS category may be any word.
            let scheme = category.scheme.as_deref().filter(|scheme| url::Url::parse(scheme).is_ok());
            xml.empty("category", &[("term", Some(term)), ("scheme", scheme), ("label", category.label.as_deref())]);
        }
    }
    media::write(xml, view);
    xml.text_if("rights", text::present(item.extras.rights.as_deref()));
    if let Some(summary) = view.summary() {
        xml.text("summary", &[("type", Some("html"))], summary);
    }
    match view.content() {
        Some(content) => xml.text("content", &[("type", Some("html"))], content),
        // RFC 4287 4.1.2: an entry without an alternate link must have content.
        None if link_url.is_none() => xml.text("content", &[("type", Some("text"))], &view.title()),
        None => {}
    }
    source(xml, view);
}

/// RFC 4287 4.2.1: authors of the entry, else of its source; many readers do not look into `atom:source`, so
/// they are written out. Where nobody is named it is the source that speaks, not the merged feed.
fn authors(xml: &mut Xml, view: &View) {
    let mut named = false;
    for author in view.authors() {
        named |= person(xml, author);
    }
    if !named {
        xml.within("author", &[], |xml| xml.text("name", &[], view.source_title()));
    }
}

/// Writes somebody, if there is anything to call them by: a name is required (RFC 4287 3.2.1).
fn person(xml: &mut Xml, person: &Person) -> bool {
    let Some(name) = person_name(person) else { return false };
    xml.within("author", &[], |xml| {
        xml.text("name", &[], name);
        xml.text_if("uri", person.uri.as_deref().and_then(text::link).as_deref());
        xml.text_if("email", person.email.as_deref().filter(|email| is_email(email)));
    });
    true
}

/// RFC 4287 3.2.3, loosely: something before an `@` and something after it.
fn is_email(text: &str) -> bool {
    let whole = |part: &str| !part.is_empty() && !part.contains(char::is_whitespace);
    text.split_once('@').is_some_and(|(user, host)| whole(user) && whole(host))
}

fn links(xml: &mut Xml, view: &View) {
    for enclosure in &view.item.enclosures {
        if let Some(url) = text::file_link(&enclosure.url) {
            let length = enclosure.length_bytes.map(|bytes| bytes.to_string());
            let kind = enclosure.mime_type.as_deref().and_then(text::media_type);
            let title = text::present(enclosure.title.as_deref());
            let attributes = [
                ("rel", Some("enclosure")),
                ("href", Some(&*url)),
                ("type", kind),
                ("length", length.as_deref()),
                ("title", title),
            ];
            xml.empty("link", &attributes);
        }
    }
    // RFC 4685 section 4, and RFC 4946.
    if let Some(url) = view.item.extras.comments_url.as_deref().and_then(text::link) {
        link(xml, "replies", &url, Some("text/html"));
    }
    if let Some(url) = view.item.extras.license.as_deref().and_then(text::link) {
        link(xml, "license", &url, None);
    }
    for sighting in view.further() {
        if let Some(url) = sighting_link(sighting) {
            let title = Some(sighting_title(sighting));
            xml.empty("link", &[("rel", Some("via")), ("href", Some(&*url)), ("title", title)]);
        }
    }
}

/// `atom:source` (RFC 4287 4.2.11), last in the entry: readers that match elements by name alone would else
/// take its id and title for the entry's. The one that the entry came with is kept.
fn source(xml: &mut Xml, view: &View) {
    let item = &view.item;
    let own = item.own_source.as_ref().filter(|info| {
        [&info.title, &info.atom_id, &info.home_url].into_iter().any(|field| text::present(field.as_deref()).is_some())
    });
    let info = own.unwrap_or(&item.source.info);
    let feed_url = if own.is_some() { None } else { text::link(&item.source.feed_url) };
    let home_url = info.home_url.as_deref().and_then(text::link);
    // RFC 4287 4.2.6: an id is an IRI; what is none is replaced by the address, which is one.
    let atom_id = info.atom_id.as_deref().filter(|id| url::Url::parse(id).is_ok());
    let id = atom_id.or(feed_url.as_deref()).or(home_url.as_deref());
    let title = match own {
        Some(info) => text::present(info.title.as_deref()).or(home_url.as_deref()).or(id).unwrap_or_default(),
        None => view.source_title(),
    };
    xml.within("source", &[("xml:lang", text::language(info.language.as_deref()))], |xml| {
        xml.text_if("id", id);
        xml.text("title", &[], title);
        xml.text_if("subtitle", text::present(info.description.as_deref()));
        // Required of a feed, so it should be here (4.2.11). A feed that does not say when it changed did so
        // when its item did.
        xml.text("updated", &[], &info.updated.unwrap_or(item.updated).rfc3339());
        if let Some(url) = &feed_url {
            link(xml, "self", url, None);
        }
        if let Some(url) = &home_url {
            link(xml, "alternate", url, None);
        }
        source_rest(xml, info);
    });
}

fn source_rest(xml: &mut Xml, info: &FeedInfo) {
    xml.text_if("icon", info.icon.as_deref().and_then(text::web_link).as_deref());
    for author in &info.authors {
        person(xml, author);
    }
    xml.text_if("rights", text::present(info.rights.as_deref()));
}

fn link(xml: &mut Xml, rel: &'static str, href: &str, kind: Option<&str>) {
    xml.empty("link", &[("rel", Some(rel)), ("type", kind), ("href", Some(href))]);
}
