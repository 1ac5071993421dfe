//! `feedmill export`: what is followed, for other readers.

use std::collections::HashMap;
use std::io::Write as _;

use clap::Args;

use super::reach::Place;
use super::{Failure, complain, followed};
use crate::config::settings::{Access, FeedSettings};
use crate::domain::feed::Health;
use crate::domain::shape::FeedShape;
use crate::domain::time::{Clock as _, SystemClock};
use crate::publish::render;

#[derive(Args, Debug)]
pub(super) struct Options {
    /// Only feeds with this tag
    #[arg(long, value_name = "T")]
    tag: Option<String>,
}

pub(super) fn run(options: &Options, place: &Place) -> Result<(), Failure> {
    let settings = place.settings()?;
    let shapes = place.block_on(followed::shapes(place))?;
    let known: HashMap<&str, &FeedShape> = shapes.iter().map(|shape| (shape.url.as_str(), shape)).collect();
    let wanted = |feed: &&FeedSettings| options.tag.as_ref().is_none_or(|tag| feed.tags.contains(tag));
    let feeds: Vec<&FeedSettings> = settings.feeds.iter().filter(wanted).collect();
    if let Some(tag) = options.tag.as_ref().filter(|_| feeds.is_empty()) {
        return Err(Failure::new(format!("No feed has the tag `{tag}`; nothing was exported.")));
    }
    let secret = |access: &Access| access.auth.is_some() || access.cookies.is_some() || !access.headers.is_empty();
    let secret = feeds.iter().filter(|feed| secret(&feed.access)).count();
    let rows: Vec<FeedShape> = feeds.into_iter().map(|feed| row(feed, known.get(feed.url.as_str()).copied())).collect();
    let document = render::opml_export(&settings.server.title, &rows, SystemClock.now());
    std::io::stdout().lock().write_all(document.as_bytes())?;
    if secret > 0 {
        complain(&format!("{secret} of these feeds need credentials, which are not in the list."));
    }
    Ok(())
}

/// What the configuration says, and what the feed itself said where that says nothing.
fn row(feed: &FeedSettings, known: Option<&FeedShape>) -> FeedShape {
    let own = |get: fn(&FeedShape) -> Option<String>| known.and_then(get);
    FeedShape {
        name: feed.name.to_string(),
        title: feed.title.as_deref().map(str::to_owned).or_else(|| own(|shape| shape.title.clone())),
        url: feed.url.to_string(),
        current_url: feed.url.to_string(),
        home_page_url: own(|shape| shape.home_page_url.clone()),
        tags: feed.tags.to_vec(),
        state: Health::Ok,
        last_success: None,
        last_attempt: None,
        next_poll: None,
        next_poll_reason: None,
        items: 0,
        errors_in_row: 0,
        error: None,
        known_by: None,
        redirects: Vec::new(),
        merged: None,
    }
}
