//! How common words are in what is stored, for queries hang on their rarest words.

use std::sync::Arc;

use super::fill::aside;
use crate::config::Settings;
use crate::publish::meet::count;
use crate::publish::published::Published;
use crate::query::common::Common;
use crate::store::{PageRequest, Store, StoreError};

/// A few queries cost next to nothing, wherever they hang.
const MANY: usize = 100;
/// The newest items are looked at, so many at a time, so many times: some 60 ms of a start.
const PAGE: u32 = 200;
const PAGES: usize = 5;

/// Counts the words of the newest items, if there are queries enough to be worth it.
pub(super) async fn common(
    store: &dyn Store,
    settings: &Settings,
    published: &Arc<Published>,
) -> Result<Common, StoreError> {
    let (mut common, mut before) = (Common::default(), None);
    if settings.streams.len() < MANY {
        return Ok(common);
    }
    for _ in 0..PAGES {
        let page = store.stream_page(PageRequest { stream: None, limit: PAGE, before }).await?;
        before = page.next;
        let published = Arc::clone(published);
        common = aside(move || {
            count(&page.items, &published, &mut common);
            common
        })
        .await?;
        if before.is_none() {
            break;
        }
    }
    Ok(common)
}
