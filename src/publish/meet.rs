//! Stored items as queries see them: their texts folded and split, and the feeds that carry them.

use super::published::Published;
use crate::domain::item::Item;
use crate::domain::time::Timestamp;
use crate::query::common::Common;
use crate::query::compile::Index;
use crate::query::explain::Verdict;
use crate::query::scan::{Document, FeedTerms, Folded};
use crate::query::syntax::Query;
use crate::query::text::folded;
use crate::sanitize;
use crate::store::Raw;

/// Whether a stored item meets one of the queries of `index`, seen from all the feeds that carry it. Takes as long as
/// reading its HTML: some tens of microseconds.
#[must_use]
pub fn meets(item: &Item, index: &Index, published: &Published) -> bool {
    !met(item, index, published).is_empty()
}

/// The queries of `index` that a stored item meets, by their places in its list.
#[must_use]
pub fn met(item: &Item, index: &Index, published: &Published) -> Vec<usize> {
    seen(item, published, |folded, feeds| index.met(folded, feeds))
}

/// Where a stored item meets a query, or why it does not. `now`: what ages are reckoned to.
#[must_use]
pub fn explain(item: &Item, query: &Query, published: &Published, now: Timestamp) -> Verdict {
    seen(item, published, |folded, feeds| query.explain(folded, feeds, Some(now)))
}

/// Counts the words of stored items.
pub fn count(items: &[Item], published: &Published, common: &mut Common) {
    for item in items {
        seen(item, published, |folded, _| common.count(folded));
    }
}

/// The folded words of an item's texts, joined by spaces: title, summary, content. What the full-text index is given.
#[must_use]
pub fn words(raw: &Raw) -> [String; 3] {
    let html = |html: &Option<String>| html.as_deref().map(|html| folded(&sanitize::text(html))).unwrap_or_default();
    [raw.title.as_deref().map(folded).unwrap_or_default(), html(&raw.summary), html(&raw.content)]
}

fn seen<T>(item: &Item, published: &Published, then: impl FnOnce(&Folded, &[FeedTerms<'_>]) -> T) -> T {
    // The texts are those that the item was matched by when it came: of the HTML as it was, not cleaned.
    let text = |html: &Option<String>| html.as_deref().map(sanitize::text).unwrap_or_default();
    let (summary, content) = (text(&item.summary), text(&item.content));
    let key_is_url = item.key.starts_with("https://") || item.key.starts_with("http://");
    let document = Document {
        title: item.title.as_deref().unwrap_or_default(),
        summary: &summary,
        content: &content,
        authors: item.authors.iter().filter_map(|author| author.name.as_deref()).collect(),
        tags: item.categories.iter().map(|category| category.term.as_str()).collect(),
        url: if key_is_url { &item.key } else { item.link.as_deref().unwrap_or_default() },
        language: item.language.as_deref(),
        types: item.enclosures.iter().filter_map(|enclosure| enclosure.mime_type.as_deref()).collect(),
        date: item.effective_at,
    };
    let tags_of = |name: &str| published.feeds.get(name).map_or(&[][..], |feed| feed.tags.as_ref());
    let terms = |name| FeedTerms { name, tags: tags_of(name) };
    let names = item.sightings.iter().flat_map(|sighting| published.counts_as(&sighting.feed));
    let feeds: Vec<FeedTerms<'_>> = names.map(terms).collect();
    then(&Folded::new(&document), &feeds)
}
