//! `feedmill import`: the subscriptions of another reader become feeds of the configuration.

use std::path::PathBuf;

use clap::Args;
use secrecy::ExposeSecret as _;

use super::followed::{self, Followed};
use super::reach::Place;
use super::{Failure, out, parse};
use crate::config::change::Edit;
use crate::config::edit::{self, NewFeed};
use crate::config::opml::{self, List, Outline};
use crate::config::settings::Auth;
use crate::config::{split_auth, web_address};

/// Addresses that are no feeds and are named; the rest is counted.
const MAX_NAMED: usize = 5;

#[derive(Args, Debug)]
pub(super) struct Options {
    /// An OPML file, or - for standard input
    #[arg(value_name = "FILE.opml|-")]
    file: String,
    /// Give each of the feeds this tag too; may be repeated
    #[arg(long = "tag", value_name = "T", value_parser = followed::tag)]
    tags: Vec<String>,
    /// The file to write them into, one that the configuration includes [default: where new feeds are at home]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Say what would be done and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// What becomes of a list.
#[derive(Default)]
struct Sorted {
    new: Vec<NewFeed>,
    followed: usize,
    twice: usize,
    no_address: Vec<String>,
    without_address: usize,
}

pub(super) fn run(options: &Options, place: &Place) -> Result<(), Failure> {
    let settings = place.settings()?;
    let home = followed::home(settings, options.to.as_deref())?;
    let file = if options.file == "-" { "standard input" } else { &options.file };
    let text = opml::decode(&parse::read(&options.file)?);
    let list = opml::read(&text)
        .map_err(|why| Failure::new(format!("{file} cannot be imported: {why}. Nothing was changed.")))?;
    let shapes = place.block_on(followed::shapes(place))?;
    let sorted = sort(list, Followed::new(settings, &shapes), &options.tags);
    if !sorted.new.is_empty() {
        let bar = out::bar(None, "writing the configuration");
        let edit: Edit<'_> = Box::new(|text| edit::add(text, &sorted.new));
        let after = followed::edit(place, &[(home.clone(), edit)], !options.dry_run);
        bar.finish_and_clear();
        if !options.dry_run {
            followed::say_renamed(settings, &after?)?;
        } else {
            after?;
        }
    }
    say(&sorted, file, options.dry_run, &home.display().to_string())?;
    if sorted.new.is_empty() || options.dry_run { Ok(()) } else { followed::tell(place) }
}

fn sort(list: List, mut followed: Followed, tags: &[String]) -> Sorted {
    const HERE: &str = "";
    let mut sorted = Sorted { without_address: list.without_address, ..Sorted::default() };
    let bar = out::bar(Some(list.outlines.len()), "reading the list");
    for outline in list.outlines {
        bar.inc(1);
        let Some(feed) = new_feed(&outline, tags) else {
            sorted.no_address.push(outline.url);
            continue;
        };
        match followed.find(&feed.url) {
            Some(HERE) => sorted.twice += 1,
            Some(_) => sorted.followed += 1,
            None => {
                followed.insert(&feed.url, HERE);
                sorted.new.push(feed);
            }
        }
    }
    bar.finish_and_clear();
    sorted
}

fn new_feed(outline: &Outline, tags: &[String]) -> Option<NewFeed> {
    let (mut url, auth) = split_auth(web_address(&outline.url).ok()?);
    url.set_fragment(None);
    let credentials = match auth {
        Some(Auth::Basic { username, password }) => Some((username, password.expose_secret().to_owned())),
        _ => None,
    };
    let mut all = outline.tags.clone();
    for tag in tags {
        if !all.contains(tag) {
            all.push(tag.clone());
        }
    }
    // A title that is only the address would stand in the way of the feed's own.
    let title = outline.title.clone().filter(|title| *title != outline.url && *title != url.as_str());
    Some(NewFeed { url: url.into(), name: None, title, tags: all, credentials })
}

fn say(sorted: &Sorted, file: &str, dry_run: bool, config: &str) -> Result<(), Failure> {
    if dry_run {
        for feed in &sorted.new {
            let tags = if feed.tags.is_empty() { String::new() } else { format!(" [{}]", feed.tags.join(", ")) };
            let title = feed.title.as_deref().map(|title| format!(" {title}")).unwrap_or_default();
            out::line(&out::printable(&format!("{}{title}{tags}", feed.url)))?;
        }
    }
    let count = sorted.new.len();
    let mut said = match (count, dry_run) {
        (0, _) => format!("{file}: nothing to add"),
        (_, true) => format!("{file}: {} would be added to {config}", feeds(count)),
        (_, false) => format!("{file}: {} added to {config}", feeds(count)),
    };
    for (count, what) in [
        (sorted.followed, "followed already"),
        (sorted.twice, "more than once in the list"),
        (sorted.no_address.len(), "with an address that cannot be a feed's"),
        (sorted.without_address, "without an address"),
    ] {
        if count > 0 {
            said.push_str(&format!(", {count} {what}"));
        }
    }
    out::line(&said)?;
    for address in sorted.no_address.iter().take(MAX_NAMED) {
        let why = web_address(address).err().unwrap_or_default();
        out::line(&format!("  {}: {why}", out::short(&out::printable(&crate::domain::url::mask(address)), 100)))?;
    }
    Ok(())
}

fn feeds(count: usize) -> String {
    if count == 1 { "1 feed".to_owned() } else { format!("{count} feeds") }
}
