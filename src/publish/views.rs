//! Items made fit to be published: their HTML cleaned at the first publication and kept, their texts beside it.

use futures_util::FutureExt as _;
use url::Url;

use super::render::View;
use crate::domain::item::{Clean, Item};
use crate::sanitize;
use crate::store::{Cleaned, Store, StoreError};

/// HTML that is cleaned in one go. What is clean by then is kept, even if whoever asked was told to come again: who asks for
/// more than can be cleaned in time gets it in the end.
const SLICE_BYTES: usize = 256 << 10;

/// Cleans what is not clean yet, keeps that in the store, and adds the plain texts. The order stays.
///
/// Cleaning runs on the pool for blocking work: a page of a hundred long items takes some ten milliseconds.
///
/// # Errors
/// The work was lost: it panicked, or the runtime is stopping. Clean HTML that could not be kept is no error: it is
/// made again the next time.
pub async fn prepare(store: &dyn Store, items: Vec<Item>) -> Result<Vec<View>, StoreError> {
    let mut views = Vec::with_capacity(items.len());
    let mut items = items.into_iter();
    while items.len() > 0 {
        let work = tokio::task::spawn_blocking(move || {
            let (mut done, mut bytes) = (Vec::with_capacity(items.len()), 0);
            while bytes < SLICE_BYTES
                && let Some(item) = items.next()
            {
                bytes += to_clean_bytes(&item);
                done.push(view(item));
            }
            (done, items)
        });
        let (done, rest) = work.await.map_err(|e| StoreError::Failed(format!("cleaning was cut short: {e}")))?;
        items = rest;
        let (some, made): (Vec<_>, Vec<_>) = done.into_iter().unzip();
        views.extend(some);
        let made: Vec<Cleaned> = made.into_iter().flatten().collect();
        if !made.is_empty() {
            // It is with the writer now. Nobody waits for that: a disk takes longer than all the rest.
            let _ = store.keep_clean(made).now_or_never();
        }
    }
    Ok(views)
}

fn to_clean_bytes(item: &Item) -> usize {
    if item.clean.is_some() {
        return 0;
    }
    [&item.summary, &item.content].into_iter().flatten().map(String::len).sum()
}

fn view(mut item: Item) -> (View, Option<Cleaned>) {
    let (clean, made) = match item.clean.take() {
        Some(clean) => (clean, None),
        None => {
            let clean = clean(&item);
            let made = Cleaned { item: item.id, revision: item.revision, clean: clean.clone() };
            (clean, Some(made))
        }
    };
    let base = base(&item);
    sanitize::media(&mut item.extras.media, base.as_ref());
    let text = |html: &Option<String>| html.as_deref().map(sanitize::text).filter(|text| !text.is_empty());
    let (summary_text, content_text) = (text(&clean.summary), text(&clean.content));
    (View { item, clean, summary_text, content_text }, made)
}

/// What relative links in its HTML hang on.
fn base(item: &Item) -> Option<Url> {
    item.link.as_deref().or(item.source.info.home_url.as_deref()).and_then(|url| Url::parse(url).ok())
}

fn clean(item: &Item) -> Clean {
    let base = base(item);
    let part = |html: &Option<String>| {
        let html = html.as_deref()?;
        Some(sanitize::clean(html, base.as_ref())).filter(|html| !html.is_empty())
    };
    Clean { summary: part(&item.summary), content: part(&item.content) }
}
