//! `feedmill import`: the subscriptions of another reader become feeds of the configuration.

use std::collections::HashMap;
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
use crate::config::{Settings, split_auth, web_address};
use crate::domain::shape::{EditShape, EditedShape, LeftOutShape, WrongShape};
use crate::domain::url::mask;

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
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

/// What becomes of a list.
#[derive(Default)]
struct Sorted {
    new: Vec<NewFeed>,
    left_out: LeftOutShape,
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
    let any = !sorted.new.is_empty();
    let mut after = None;
    if any {
        let bar = out::bar(None, "writing the configuration");
        let edit: Edit<'_> = Box::new(|text| edit::add(text, &sorted.new));
        let tried = followed::edit(place, &[(home.clone(), edit)], !options.dry_run);
        bar.finish_and_clear();
        after = Some(tried?);
    }
    let renamed = after.as_ref().filter(|_| !options.dry_run).map(|after| followed::renamed(settings, after));
    let done = EditShape {
        count: sorted.new.len(),
        dry_run: options.dry_run,
        feeds: added(sorted.new, after.as_ref(), &home.display().to_string()),
        renamed: renamed.unwrap_or_default(),
        left_out: Some(sorted.left_out),
        daemon: None,
    };
    let say = |done: &EditShape| say(done, file, &home.display().to_string());
    followed::finish(done, any && !options.dry_run, options.json, place, say)
}

/// With the names that the configuration gives them.
fn added(new: Vec<NewFeed>, after: Option<&Settings>, file: &str) -> Vec<EditedShape> {
    let feeds = after.into_iter().flat_map(|after| &after.feeds);
    let names: HashMap<&str, &str> = feeds.map(|feed| (feed.url.as_str(), feed.name.as_str())).collect();
    let shape = |feed: NewFeed| EditedShape {
        name: names.get(feed.url.as_str()).map(|name| (*name).to_owned()).unwrap_or_default(),
        url: feed.url,
        title: feed.title,
        tags: feed.tags,
        entries: None,
        file: file.to_owned(),
    };
    new.into_iter().map(shape).collect()
}

fn sort(list: List, mut followed: Followed, tags: &[String]) -> Sorted {
    const HERE: &str = "";
    let mut sorted = Sorted::default();
    let left_out = &mut sorted.left_out;
    left_out.without_address = list.without_address;
    let bar = out::bar(Some(list.outlines.len()), "reading the list");
    for outline in list.outlines {
        bar.inc(1);
        let Some(feed) = new_feed(&outline, tags) else {
            left_out.wrong_count += 1;
            if left_out.wrong.len() < MAX_NAMED {
                let reason = web_address(&outline.url).err().unwrap_or_default();
                left_out.wrong.push(WrongShape { address: mask(&outline.url), reason });
            }
            continue;
        };
        match followed.find(&feed.url) {
            Some(HERE) => left_out.twice += 1,
            Some(_) => left_out.followed += 1,
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

fn say(done: &EditShape, file: &str, config: &str) -> Result<(), Failure> {
    followed::say_renamed(&done.renamed)?;
    for feed in done.feeds.iter().filter(|_| done.dry_run) {
        let tags = if feed.tags.is_empty() { String::new() } else { format!(" [{}]", feed.tags.join(", ")) };
        let title = feed.title.as_deref().map(|title| format!(" {title}")).unwrap_or_default();
        out::line(&out::printable(&format!("{}{title}{tags}", feed.url)))?;
    }
    let mut said = match (done.count, done.dry_run) {
        (0, _) => format!("{file}: nothing to add"),
        (count, true) => format!("{file}: {} would be added to {config}", feeds(count)),
        (count, false) => format!("{file}: {} added to {config}", feeds(count)),
    };
    let Some(left_out) = &done.left_out else { return out::line(&said) };
    for (count, what) in [
        (left_out.followed, "followed already"),
        (left_out.twice, "more than once in the list"),
        (left_out.wrong_count, "with an address that cannot be a feed's"),
        (left_out.without_address, "without an address"),
    ] {
        if count > 0 {
            said.push_str(&format!(", {count} {what}"));
        }
    }
    out::line(&said)?;
    for WrongShape { address, reason } in &left_out.wrong {
        out::line(&format!("  {}: {reason}", out::short(&out::printable(address), 100)))?;
    }
    Ok(())
}

fn feeds(count: usize) -> String {
    if count == 1 { "1 feed".to_owned() } else { format!("{count} feeds") }
}
