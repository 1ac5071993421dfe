//! A stream as an RSS 2.0 document, as the RSS Advisory Board's profile would have it.

use super::xml::Xml;
use super::{Channel, View, media, person_name, sighting_link, sighting_title, text};

const NAMESPACES: [(&str, Option<&str>); 4] = [
    ("version", Some("2.0")),
    ("xmlns:atom", Some("http://www.w3.org/2005/Atom")),
    ("xmlns:content", Some("http://purl.org/rss/1.0/modules/content/")),
    ("xmlns:dc", Some("http://purl.org/dc/elements/1.1/")),
];
const LICENSES: (&str, Option<&str>) =
    ("xmlns:creativeCommons", Some("http://backend.userland.com/creativeCommonsRssModule"));

/// The stream as RSS 2.0, in the order of `views`.
#[must_use]
pub fn rss(channel: &Channel, views: &[View]) -> String {
    let mut xml = Xml::new();
    let mut spaces = NAMESPACES.to_vec();
    spaces.extend(media::spaces(views));
    spaces.extend(views.iter().any(|view| view.item.extras.license.is_some()).then_some(LICENSES));
    xml.within("rss", &spaces, |xml| {
        xml.within("channel", &[], |xml| {
            head(xml, channel);
            for view in views {
                xml.within("item", &[], |xml| item(xml, view));
            }
        });
    });
    xml.finish()
}

fn head(xml: &mut Xml, channel: &Channel) {
    let title = text::present(Some(&channel.title)).unwrap_or(&channel.name);
    xml.hex_text("title", title);
    xml.text("link", &[], &channel.page());
    xml.hex_text("description", title);
    let address = channel.document("rss");
    let attributes = [("rel", Some("self")), ("type", Some("application/rss+xml")), ("href", Some(&*address))];
    xml.empty("atom:link", &attributes);
    xml.text("lastBuildDate", &[], &channel.updated.rfc822());
    xml.text("generator", &[], "Feedmill");
    xml.text("docs", &[], "https://www.rssboard.org/rss-specification");
    if channel.ttl_minutes > 0 {
        xml.text("ttl", &[], &channel.ttl_minutes.to_string());
    }
}

/// No `atom:updated`: there are readers that take it for the date of the story when `pubDate` is there as well.
fn item(xml: &mut Xml, view: &View) {
    let item = &view.item;
    xml.hex_text("title", &view.title());
    xml.text_if("link", view.link().as_deref());
    guid(xml, view);
    xml.text("pubDate", &[], &view.published().rfc822());
    // The profile keeps `author` for addresses; names go into `dc:creator`, one for each.
    for name in view.authors().iter().filter_map(person_name) {
        xml.text("dc:creator", &[], name);
    }
    xml.text_if("dc:language", text::language(item.language.as_deref()));
    for category in &item.categories {
        if let Some(term) = text::present(Some(&category.term)) {
            let shown = text::present(category.label.as_deref()).filter(|_| category.scheme.is_none()).unwrap_or(term);
            xml.text("category", &[("domain", category.scheme.as_deref())], shown);
        }
    }
    // The profile: `description` before `content:encoded`, for readers that keep the last one they find.
    xml.text_if("description", view.summary());
    xml.text_if("content:encoded", view.content());
    xml.text_if("comments", item.extras.comments_url.as_deref().and_then(text::link).as_deref());
    xml.text_if("dc:rights", text::present(item.extras.rights.as_deref()));
    xml.text_if("creativeCommons:license", item.extras.license.as_deref().and_then(text::link).as_deref());
    enclosures(xml, view);
    media::write(xml, view);
    for sighting in view.further() {
        if let Some(url) = sighting_link(sighting) {
            let title = Some(sighting_title(sighting));
            xml.empty("atom:link", &[("rel", Some("via")), ("href", Some(&*url)), ("title", title)]);
        }
    }
    if let Some(url) = text::link(&item.source.feed_url) {
        xml.text("source", &[("url", Some(&url))], view.source_title());
    }
}

/// The id as it is everywhere. Without `isPermaLink="false"` a reader takes it for a URL to open (RSS 2.0, guid).
fn guid(xml: &mut Xml, view: &View) {
    let id = view.item.published_id.as_str();
    let web = id.starts_with("http://") || id.starts_with("https://");
    let permalink = web && view.item.link.as_deref() == Some(id);
    xml.text("guid", &[("isPermaLink", Some(if permalink { "true" } else { "false" }))], id);
}

/// The profile: one `enclosure` an item, its URL http(s), all three attributes required, and 0 for a length
/// that is not known. The others are `media:content`.
fn enclosures(xml: &mut Xml, view: &View) {
    let enclosures = &view.item.enclosures;
    let first = enclosures.iter().position(|enclosure| text::web_link(&enclosure.url).is_some());
    for (index, enclosure) in enclosures.iter().enumerate() {
        let Some(url) = text::file_link(&enclosure.url) else { continue };
        let kind = enclosure.mime_type.as_deref().and_then(text::media_type);
        let length = enclosure.length_bytes.map(|bytes| bytes.to_string());
        if Some(index) == first {
            let length = length.as_deref().unwrap_or("0");
            let kind = kind.unwrap_or("application/octet-stream");
            xml.empty("enclosure", &[("url", Some(&*url)), ("length", Some(length)), ("type", Some(kind))]);
        } else if !media::names(view, &enclosure.url) {
            let (size, plays) = (length.as_deref(), enclosure.duration_s.map(|seconds| seconds.to_string()));
            let attributes = [("url", Some(&*url)), ("fileSize", size), ("type", kind), ("duration", plays.as_deref())];
            xml.empty("media:content", &attributes);
        }
    }
}
