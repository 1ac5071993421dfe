//! `feedmill feeds`: the health of each feed; of those that are named, all that is known.

use clap::Args;

use super::reach::{Place, Source};
use super::{Failure, Listing, out};
use crate::domain::shape::FeedShape;
use crate::publish::lists::{self, FeedList, MAX_LIMIT, Part};

#[derive(Args, Debug)]
pub(super) struct Options {
    /// The feeds; none: all, as a table
    names: Vec<String>,
    #[command(flatten)]
    listing: Listing,
}

pub(super) fn run(options: &Options, place: &Place) -> Result<(), Failure> {
    let Options { names, listing } = options;
    if !names.is_empty() {
        return named(names, listing.json, place);
    }
    let list = place.block_on(async { page(place.source().await?, listing).await })?;
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
            if feed.errors_in_row > 0 { feed.errors_in_row.to_string() } else { String::new() },
            feed.error.as_ref().map_or_else(
                || feed.next_poll_reason.clone().unwrap_or_default(),
                |error| out::short(&error.message, 90),
            ),
        ]
    });
    out::table(&["feed", "state", "items", "last success", "next poll", "errors", "why"], rows.collect())?;
    for feed in &list.feeds {
        for note in known_by(feed).into_iter().chain(merged(feed)) {
            out::line(&out::printable(&format!("{}: {note}", feed.name)))?;
        }
    }
    out::more(list.next.as_deref())
}

async fn page(source: Source, listing: &Listing) -> Result<FeedList, Failure> {
    match source {
        Source::Daemon(daemon) => daemon.get(&listing.path("/api/v1/feeds", &[])).await,
        Source::Database(at) => {
            let part = Part { limit: listing.limit, after: listing.after.clone() };
            Ok(lists::feeds(at.store.as_ref(), &at.published, at.now, &part).await.map_err(Failure::from)?)
        }
    }
}

/// All that is known of some feeds.
fn named(names: &[String], json: bool, place: &Place) -> Result<(), Failure> {
    let all = place.block_on(async {
        let mut listing = Listing { json, limit: MAX_LIMIT, after: None };
        let mut all: Vec<FeedShape> = Vec::new();
        loop {
            let list = page(place.source().await?, &listing).await?;
            all.extend(list.feeds);
            listing.after = list.next;
            if listing.after.is_none() {
                return Ok(all);
            }
        }
    })?;
    let find = |name: &String| {
        let unknown = || Failure::new(format!("there is no feed `{name}`. `feedmill feeds` lists them."));
        all.iter().find(|feed| feed.name == *name).cloned().ok_or_else(unknown)
    };
    let feeds: Vec<FeedShape> = names.iter().map(find).collect::<Result<_, _>>()?;
    if json {
        return out::json(&FeedList { feeds, next: None });
    }
    feeds.iter().try_for_each(|feed| facts(feed).iter().try_for_each(|line| out::line(&out::printable(line))))
}

fn facts(feed: &FeedShape) -> Vec<String> {
    let mut lines = vec![format!("{}: {}", feed.name, feed.state.as_str())];
    let mut fact = |name: &str, value: String| lines.push(format!("  {name:<13} {value}"));
    fact("url", feed.url.clone());
    if feed.current_url != feed.url {
        fact("asked at", feed.current_url.clone());
    }
    fact("last success", out::time(feed.last_success));
    fact("last attempt", out::time(feed.last_attempt));
    let reason = feed.next_poll_reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    fact("next poll", format!("{}{reason}", out::time(feed.next_poll)));
    if let Some(error) = &feed.error {
        fact("errors", format!("{} in a row; the last: {}", feed.errors_in_row, error.message));
    }
    fact("items", feed.items.to_string());
    for note in known_by(feed).into_iter().chain(merged(feed)) {
        fact("note", note);
    }
    for step in &feed.redirects {
        fact("redirect", format!("{}: {}", out::time(Some(step.at)), step.words()));
    }
    lines
}

fn known_by(feed: &FeedShape) -> Option<String> {
    let known = feed.known_by.as_ref()?;
    let since = out::time(known.since);
    Some(format!("entries are known by their {}, since {since}: {}", known.id.as_str(), known.reason))
}

fn merged(feed: &FeedShape) -> Option<String> {
    let merged = feed.merged.as_ref()?;
    Some(format!("merged into {} since {}: both led to one address", merged.into, out::time(Some(merged.since))))
}
