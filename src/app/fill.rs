//! Filling a stream that is new or has changed from what is stored, behind everything else and without
//! calling anybody.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::translate;
use crate::config::Settings;
use crate::domain::item::ItemId;
use crate::domain::stream::StreamId;
use crate::publish::meet::meets;
use crate::publish::published::Published;
use crate::query::compile::Index;
use crate::query::syntax::Query;
use crate::store::{PageRequest, Registry, Store, StoreError};

/// Items that are read and written at a time: small, so that polls and readers hardly notice.
const BATCH: u32 = 200;
/// How often it is said how far it has come.
const TELL: Duration = Duration::from_secs(5);

/// A stream that is to be filled.
pub(super) struct Fill {
    stream: StreamId,
    name: String,
    query: Query,
    /// Whose tags `tag:` looks at.
    published: Arc<Published>,
}

/// The streams that are to be filled.
pub(super) fn wanted(settings: &Settings, registry: &Registry, published: &Arc<Published>) -> Vec<Fill> {
    translate::streams(settings, registry)
        .filter(|(_, _, fill)| *fill)
        .map(|(stream, id, _)| Fill {
            stream: id,
            name: stream.name.to_string(),
            query: stream.query.clone(),
            published: Arc::clone(published),
        })
        .collect()
}

impl Fill {
    /// Fills it. What is interrupted is begun anew at the next start.
    pub(super) async fn run(self, store: &dyn Store, stop: &CancellationToken) {
        match self.fill(store, stop).await {
            Ok(items) => tracing::info!(stream.name = %self.name, items, "stream filled from what is stored"),
            Err(e) => tracing::error!(stream.name = %self.name, error = %e, "stream could not be filled"),
        }
    }

    async fn fill(&self, store: &dyn Store, stop: &CancellationToken) -> Result<usize, StoreError> {
        let index = Arc::new(Index::new(std::slice::from_ref(&self.query)));
        let (mut before, mut restart, mut filled) = (None, true, 0);
        let (mut looked, mut told) = (0, Instant::now());
        loop {
            let page = store.stream_page(PageRequest { stream: None, limit: BATCH, before }).await?;
            looked += page.items.len();
            let (index, published, items) = (Arc::clone(&index), Arc::clone(&self.published), page.items);
            let met = move || items.iter().filter(|item| meets(item, &index, &published)).map(|item| item.id).collect();
            let ids: Vec<ItemId> =
                tokio::task::spawn_blocking(met).await.map_err(|e| StoreError::Failed(e.to_string()))?;
            filled += ids.len();
            if told.elapsed() >= TELL {
                told = Instant::now();
                let of = store.count_since(None).await?;
                tracing::info!(stream.name = %self.name, looked, of, items = filled, "a stream is being filled");
            }
            before = page.next;
            let done = before.is_none();
            store.fill_stream(self.stream, ids, restart, done).await?;
            restart = false;
            if done || stop.is_cancelled() {
                return Ok(filled);
            }
        }
    }
}
