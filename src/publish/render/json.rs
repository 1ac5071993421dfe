//! A stream as a JSON Feed 1.1 document.

use serde::Serialize;

use super::{Channel, View, text};
use crate::domain::shape::ItemShape;
use crate::domain::time::Timestamp;

/// The members in the order in which they are written: `version` first.
#[derive(Serialize)]
struct Document<'a> {
    version: &'static str,
    title: &'a str,
    home_page_url: String,
    feed_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_url: Option<String>,
    #[serde(rename = "_feedmill")]
    feedmill: Extension<'a>,
    items: Vec<ItemShape>,
}

/// What Atom says of a feed and JSON Feed has no place for.
#[derive(Serialize)]
struct Extension<'a> {
    stream: &'a str,
    id: &'a str,
    updated: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl_minutes: Option<u32>,
}

/// The stream as JSON Feed 1.1, in the order of `views`.
#[must_use]
pub fn json(channel: &Channel, views: &[View]) -> String {
    let document = Document {
        version: "https://jsonfeed.org/version/1.1",
        title: text::present(Some(&channel.title)).unwrap_or(&channel.name),
        home_page_url: channel.page(),
        feed_url: channel.document("json"),
        next_url: channel.pages.older.as_ref().map(|older| channel.document("json") + older),
        feedmill: Extension {
            stream: &channel.name,
            id: &channel.id,
            updated: channel.updated,
            ttl_minutes: Some(channel.ttl_minutes).filter(|minutes| *minutes > 0),
        },
        items: views.iter().map(shape).collect(),
    };
    // It has no map with keys that are no strings, the one thing that serde_json refuses.
    serde_json::to_string(&document).unwrap_or_default()
}

/// The item's shape, held to what the other two formats publish: links that do no harm, no date in the
/// future, nothing that is there but blank.
fn shape(view: &View) -> ItemShape {
    let texts = [&view.summary_text, &view.content_text].map(|text| text::present(text.as_deref()).map(str::to_owned));
    let [summary_text, content_text] = texts;
    let mut shape = ItemShape::new(&view.item, &view.clean, summary_text, content_text);
    shape.date_published = view.published();
    shape.title = shape.title.filter(|title| text::present(Some(title)).is_some());
    shape.content_html = shape.content_html.filter(|html| text::present(Some(html)).is_some());
    // JSON Feed 1.1, items: one of content_html and content_text is required, and an empty one shows nothing.
    shape.content_text = shape
        .content_text
        .filter(|text| text::present(Some(text)).is_some())
        .or_else(|| shape.content_html.is_none().then(|| view.title()));
    shape.url = view.link();
    shape.image = shape.image.as_deref().and_then(text::web_link);
    shape.language = text::language(shape.language.as_deref()).map(str::to_owned);
    shape.tags.retain(|tag| text::present(Some(tag)).is_some());
    shape.authors.retain(|author| text::present(Some(&author.name)).is_some());
    for author in &mut shape.authors {
        author.url = author.url.as_deref().and_then(text::link);
    }
    let extras = &mut shape.feedmill.extras;
    for address in [&mut extras.comments_url, &mut extras.license] {
        *address = address.as_deref().and_then(text::link);
    }
    shape.attachments.retain_mut(|attachment| match text::file_link(&attachment.url) {
        Some(url) => {
            attachment.url = url;
            let kind = text::media_type(&attachment.mime_type).unwrap_or("application/octet-stream");
            attachment.mime_type = kind.to_owned();
            true
        }
        None => false,
    });
    shape
}
