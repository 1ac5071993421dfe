//! `feedmill items`: what is stored, newest first.

use clap::Args;

use super::reach::{Place, Source};
use super::{Failure, Listing, out};
use crate::publish::items::{self, ItemList, Params};

#[derive(Args, Debug)]
pub(super) struct Options {
    #[command(flatten)]
    listing: Listing,
    /// Only what this query meets
    #[arg(value_name = "QUERY")]
    query: Vec<String>,
}

pub(super) fn run(options: &Options, place: &Place) -> Result<(), Failure> {
    let (listing, query) = (&options.listing, options.query.join(" "));
    let list: ItemList = place.block_on(async {
        match place.source().await? {
            Source::Daemon(daemon) => daemon.get(&listing.path("/api/v1/items", &[("q", &query)])).await,
            Source::Database(at) => {
                let params = Params {
                    query: Some(query.clone()),
                    after: listing.after.clone(),
                    limit: listing.limit,
                    ..Params::default()
                };
                Ok(items::list(at.store.as_ref(), &at.edition(), &params).await.map_err(Failure::from)?)
            }
        }
    })?;
    if listing.json {
        return out::json(&list);
    }
    let rows = list.items.iter().map(|item| {
        let also = item.feedmill.sightings.len().saturating_sub(1);
        let source = &item.feedmill.source.name;
        vec![
            out::time(Some(item.date_published)),
            if also == 0 { source.clone() } else { format!("{source} +{also}") },
            out::short(item.title.as_deref().or(item.content_text.as_deref()).unwrap_or_default(), 80),
            item.url.clone().unwrap_or_default(),
        ]
    });
    out::table(&["published", "feed", "title", "link"], rows.collect())?;
    out::more(list.next.as_deref())
}
