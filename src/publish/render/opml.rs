//! What is followed, as OPML 2.0: feeds in a folder of their first tag, and all their tags as categories.

use std::collections::BTreeMap;

use super::text;
use super::xml::Xml;
use crate::domain::shape::FeedShape;
use crate::domain::time::Timestamp;

/// The feeds as OPML 2.0. `updated`: when the list last changed.
#[must_use]
pub fn opml(title: &str, feeds: &[FeedShape], updated: Timestamp) -> String {
    document(title, feeds, ("dateModified", updated))
}

/// The same as a document of its own, made at `created`.
#[must_use]
pub fn opml_export(title: &str, feeds: &[FeedShape], created: Timestamp) -> String {
    document(title, feeds, ("dateCreated", created))
}

/// One stream, for readers that take a file.
#[must_use]
pub fn stream_opml(title: &str, page: &str, atom: &str, updated: Timestamp) -> String {
    let mut xml = Xml::new();
    xml.within("opml", &[("version", Some("2.0"))], |xml| {
        xml.within("head", &[], |xml| {
            xml.text("title", &[], title);
            xml.text("dateModified", &[], &updated.rfc822());
        });
        xml.within("body", &[], |xml| {
            let names = [("type", Some("rss")), ("text", Some(title)), ("title", Some(title))];
            xml.empty("outline", &[&names[..], &[("xmlUrl", Some(atom)), ("htmlUrl", Some(page))]].concat());
        });
    });
    xml.finish()
}

fn document(title: &str, feeds: &[FeedShape], (when, at): (&'static str, Timestamp)) -> String {
    let mut folders: BTreeMap<Option<&str>, Vec<&FeedShape>> = BTreeMap::new();
    for feed in feeds {
        let folder = feed.tags.iter().find_map(|tag| text::present(Some(tag)));
        folders.entry(folder).or_default().push(feed);
    }
    let mut xml = Xml::new();
    xml.within("opml", &[("version", Some("2.0"))], |xml| {
        xml.within("head", &[], |xml| {
            xml.text("title", &[], title);
            xml.text(when, &[], &at.rfc822());
            xml.text("docs", &[], "https://opml.org/spec2.opml");
        });
        xml.within("body", &[], |xml| {
            for (folder, feeds) in &folders {
                match folder {
                    Some(tag) => xml.within("outline", &[("text", Some(tag)), ("title", Some(tag))], |xml| {
                        feeds.iter().for_each(|feed| outline(xml, feed));
                    }),
                    None => feeds.iter().for_each(|feed| outline(xml, feed)),
                }
            }
        });
    });
    xml.finish()
}

/// OPML 2.0, subscription lists: `type`, `text` and `xmlUrl` are required; `category` is a list with commas.
fn outline(xml: &mut Xml, feed: &FeedShape) {
    let title = text::present(feed.title.as_deref()).unwrap_or(&feed.name);
    let tags: Vec<String> = feed.tags.iter().map(|tag| tag.replace(',', " ")).collect();
    let category = Some(tags.join(",")).filter(|tags| !tags.is_empty());
    let home = feed.home_page_url.as_deref().and_then(text::web_link);
    let attributes = [
        ("type", Some("rss")),
        ("text", Some(title)),
        ("title", Some(title)),
        ("xmlUrl", Some(feed.url.as_str())),
        ("htmlUrl", home.as_deref()),
        ("category", category.as_deref()),
    ];
    xml.empty("outline", &attributes);
}
