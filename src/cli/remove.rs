//! `feedmill remove`: takes feeds out of the configuration.

use std::collections::BTreeMap;
use std::path::Path;

use clap::Args;

use super::reach::Place;
use super::{Failure, followed, out};
use crate::config::change::Edit;
use crate::config::settings::{FeedSettings, Origin};
use crate::config::{self, Settings, edit};
use crate::domain::address::Address;
use crate::domain::shape::{EditShape, EditedShape};

#[derive(Args, Debug)]
pub(super) struct Options {
    /// Names of feeds, as `feedmill feeds` lists them
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options, place: &Place) -> Result<(), Failure> {
    let settings = place.settings()?;
    let mut names = options.names.clone();
    names.sort();
    names.dedup();
    let feeds = names.iter().map(|name| find(settings, name)).collect::<Vec<_>>();
    let wrong: Vec<&str> = feeds.iter().filter_map(|feed| feed.as_ref().err()).map(String::as_str).collect();
    if !wrong.is_empty() {
        return Err(Failure::new(format!("{} Nothing was removed.", wrong.join(" "))));
    }
    // In one order of files, so that two commands never wait for one another.
    let mut files: BTreeMap<&Path, Vec<&FeedSettings>> = BTreeMap::new();
    for (feed, file) in feeds.into_iter().flatten() {
        files.entry(file).or_default().push(feed);
    }
    let edits: Vec<_> = files.iter().map(|(file, feeds)| (file.to_path_buf(), without(feeds))).collect();
    let after = followed::edit(place, &edits, true)?;
    let removed = |(file, feeds): (&&Path, &Vec<&FeedSettings>)| -> Vec<EditedShape> {
        let shape = |feed: &&FeedSettings| EditedShape {
            name: feed.name.to_string(),
            url: feed.url.to_string(),
            title: None,
            tags: Vec::new(),
            entries: None,
            file: file.display().to_string(),
        };
        feeds.iter().map(shape).collect()
    };
    let done = EditShape {
        count: names.len(),
        dry_run: false,
        feeds: files.iter().flat_map(removed).collect(),
        renamed: followed::renamed(settings, &after),
        left_out: None,
        daemon: None,
    };
    followed::finish(done, true, options.json, place, say)
}

fn say(done: &EditShape) -> Result<(), Failure> {
    for feed in &done.feeds {
        out::line(&format!("removed {} ({}) from {}", feed.name, feed.url, feed.file))?;
    }
    followed::say_renamed(&done.renamed)?;
    out::line("what was stored of it stays; it is only asked no more")
}

fn without(feeds: &[&FeedSettings]) -> Edit<'static> {
    let urls: Vec<Address> = feeds.iter().map(|feed| feed.url.clone()).collect();
    Box::new(move |text| urls.iter().try_fold(text.to_owned(), |text, url| edit::remove(&text, url.url())))
}

/// The feed and its file, or a sentence.
fn find<'a>(settings: &'a Settings, name: &str) -> Result<(&'a FeedSettings, &'a Path), String> {
    let Some(feed) = settings.feeds.iter().find(|feed| feed.name.as_str() == name) else {
        let name = out::printable(name);
        return Err(match config::nearest_feed(settings, &name) {
            Some(near) => format!("There is no feed `{name}`; did you mean `{near}`?"),
            None => format!("There is no feed `{name}`; `feedmill feeds` lists them."),
        });
    };
    match &feed.terms.origin {
        Origin::Table(file) => Ok((feed, file)),
        Origin::List(list) => {
            Err(format!("`{name}` stands in {}, a list of [[subscriptions]]; take it out there.", list.display()))
        }
    }
}
