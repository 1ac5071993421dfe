//! `feedmill feeds`: the health of each feed.

use super::reach::{Place, Source};
use super::{Failure, Listing, out};
use crate::publish::lists::{self, FeedList, Part};

pub(super) fn run(listing: &Listing, place: &Place) -> Result<(), Failure> {
    let list: FeedList = place.block_on(async {
        match place.source().await? {
            Source::Daemon(daemon) => daemon.get(&listing.path("/api/v1/feeds", &[])).await,
            Source::Database(at) => {
                let part = Part { limit: listing.limit, after: listing.after.clone() };
                Ok(lists::feeds(at.store.as_ref(), &at.published, at.now, &part).await.map_err(Failure::from)?)
            }
        }
    })?;
    if listing.json {
        return out::json(&list);
    }
    let rows = list.feeds.iter().map(|feed| {
        vec![
            feed.name.clone(),
            feed.state.as_str().to_owned(),
            feed.items.to_string(),
            out::time(feed.last_success),
            out::time(feed.next_poll),
            feed.error.as_ref().map_or_else(
                || feed.next_poll_reason.clone().unwrap_or_default(),
                |error| out::short(&error.message, 90),
            ),
        ]
    });
    out::table(&["feed", "state", "items", "last success", "next poll", "why"], rows.collect())?;
    for feed in &list.feeds {
        if let Some(known) = &feed.known_by {
            let since = out::time(known.since);
            out::line(&format!(
                "{}: entries are known by their {}, since {since}: {}",
                feed.name,
                known.id.as_str(),
                known.reason
            ))?;
        }
    }
    out::more(list.next.as_deref())
}
