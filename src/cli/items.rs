//! `feedmill items`: what is stored, newest first; which stories were found to be one, and parting them.

use std::time::Duration;

use bytes::Bytes;
use clap::{Args, Subcommand};
use hyper::Method;

use super::reach::{Place, Source};
use super::{Failure, Listing, out};
use crate::domain::stream::TermHit;
use crate::domain::time::{Clock as _, SystemClock};
use crate::publish::items::{self, ItemList, Params, Sorting};
use crate::publish::merges::{self, MergeList, UnmergeReport};
use crate::store::sqlite::{Access, Options as Opening, Sqlite};
use crate::store::{Store as _, StoreError};

/// One small transaction, behind those that wait.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Options {
    #[command(flatten)]
    listing: Listing,
    /// Only what this query meets; `--` goes before one that begins with `merges` or `unmerge`
    #[arg(value_name = "QUERY")]
    query: Vec<String>,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Show which stories were found to be one, newest first: when, why, and by which number they can be parted
    Merges {
        /// Only those that this item took part in
        #[arg(value_name = "ITEM")]
        item: Option<i64>,
        /// Print the body of the API route
        #[arg(long)]
        json: bool,
        /// At most so many, 1 to 1000
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
    /// Part two stories that were made one. They stay apart, and nobody is called about it
    Unmerge {
        /// The number of the absorbed item (`feedmill items merges` shows it), or of the kept one if it absorbed one only
        #[arg(value_name = "ITEM")]
        item: i64,
        /// Print the body of the API route
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(options: &Options, place: &Place) -> Result<(), Failure> {
    match &options.action {
        Some(Action::Merges { item, json, limit }) => merges(*item, *json, *limit, place),
        Some(Action::Unmerge { item, json }) => unmerge(*item, *json, place),
        None => list(options, place),
    }
}

fn merges(item: Option<i64>, json: bool, limit: u32, place: &Place) -> Result<(), Failure> {
    let list: MergeList = place.block_on(async {
        match place.source().await? {
            Source::Daemon(daemon) => {
                let one = item.map(|item| format!("&item={item}")).unwrap_or_default();
                daemon.get(&format!("/api/v1/merges?limit={limit}{one}")).await
            }
            Source::Database(at) => Ok(merges::list(at.store.as_ref(), item, limit).await?),
        }
    })?;
    if json {
        return out::json(&list);
    }
    let rows = list.merges.iter().map(|merge| {
        vec![
            merge.absorbed.to_string(),
            merge.item.to_string(),
            out::time(Some(merge.at)),
            merge.reason.clone(),
            merge.undone_at.map_or_else(String::new, |at| out::time(Some(at))),
            out::short(merge.title.as_deref().unwrap_or_default(), 60),
            merge.absorbed_url.clone().unwrap_or_default(),
            merge.url.clone().unwrap_or_default(),
        ]
    });
    out::table(&["absorbed", "into", "when", "why", "parted", "title", "link", "link of the kept one"], rows.collect())
}

fn unmerge(item: i64, json: bool, place: &Place) -> Result<(), Failure> {
    let report: UnmergeReport = place.block_on(async {
        if let Some(daemon) = place.daemon().await? {
            let path = format!("/api/v1/items/{item}/unmerge");
            let body = daemon.ask(Method::POST, &path, Bytes::new(), PATIENCE).await?;
            return serde_json::from_slice(&body).map_err(|e| Failure::new(e.to_string()));
        }
        let path = &place.settings()?.storage.database;
        if !path.exists() {
            return Err(StoreError::Missing { path: path.display().to_string() }.into());
        }
        let options = Opening { access: Access::Own, check: false, tagging: String::new() };
        let store = Sqlite::open(path, &options)?;
        let done = merges::unmerge(&store, item, SystemClock.now()).await;
        store.close().await?;
        done.map_err(|e| Failure::new(e.to_string()))
    })?;
    if json {
        return out::json(&report);
    }
    out::line(&format!("item {} stands by itself again, apart from item {}", report.item, report.from))
}

fn list(options: &Options, place: &Place) -> Result<(), Failure> {
    show(&options.listing, &options.query.join(" "), Sorting::Newest, place)
}

/// Asks for items and prints them, newest or best first.
pub(super) fn show(listing: &Listing, query: &str, sorting: Sorting, place: &Place) -> Result<(), Failure> {
    let list: ItemList = place.block_on(async {
        match place.source().await? {
            Source::Daemon(daemon) => {
                let order = if sorting == Sorting::Best { "score" } else { "" };
                daemon.get(&listing.path("/api/v1/items", &[("q", query), ("order", order)])).await
            }
            Source::Database(at) => {
                let params = Params {
                    query: Some(query.to_owned()),
                    after: listing.after.clone(),
                    limit: listing.limit,
                    sorting,
                    ..Params::default()
                };
                Ok(items::list(at.store.as_ref(), &at.edition(), &params, at.now).await.map_err(Failure::from)?)
            }
        }
    })?;
    if listing.json {
        return out::json(&list);
    }
    let is_found = list.items.iter().any(|item| !item.snippets.is_empty());
    let rows = list.items.iter().map(|item| {
        let also = item.feedmill.sightings.len().saturating_sub(1);
        let source = &item.feedmill.source.name;
        let mut row = vec![
            out::time(Some(item.date_published)),
            if also == 0 { source.clone() } else { format!("{source} +{also}") },
            out::short(item.title.as_deref().or(item.content_text.as_deref()).unwrap_or_default(), 80),
        ];
        row.extend(is_found.then(|| around(&item.snippets)));
        row.push(item.url.clone().unwrap_or_default());
        row
    });
    let head: &[&str] = match is_found {
        true => &["published", "feed", "title", "found", "link"],
        false => &["published", "feed", "title", "link"],
    };
    out::table(head, rows.collect())?;
    if list.partial {
        out::line("only the latest was looked at: more words, or rarer ones, find the rest")?;
    }
    out::more(list.next.as_deref())
}

/// Where it was found: the first place outside of the title, which is shown anyway.
fn around(snippets: &[TermHit]) -> String {
    let outside = snippets.iter().find(|passage| passage.field != "title");
    outside.or(snippets.first()).map_or_else(String::new, |passage| out::marked(passage, 60))
}
