//! What `add`, `remove`, `import` and `export` share: which feeds are followed already, the edit of the
//! configuration, and the word to the daemon.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::reach::{Place, Source};
use super::{Failure, Listing, out, reload};
use crate::config::change::{self, ChangeError, Edit};
use crate::config::settings::FeedSettings;
use crate::config::{Environment, Settings, include};
use crate::domain::shape::{EditShape, FeedShape, RenamedShape};
use crate::identity::canonical::Rules;
use crate::publish::lists::{self, FeedList, MAX_LIMIT};

/// The feeds that are followed, by what their addresses come down to: with http or https, `www.` or not, a slash
/// more or less, an address is the same one.
pub(super) struct Followed {
    rules: Rules,
    names: HashMap<String, String>,
}

impl Followed {
    /// Those of the configuration, and where the store knows that they moved to.
    pub(super) fn new(settings: &Settings, shapes: &[FeedShape]) -> Self {
        let mut followed = Self { rules: settings.rules.clone(), names: HashMap::new() };
        let by_url: HashMap<&str, &FeedShape> = shapes.iter().map(|shape| (shape.url.as_str(), shape)).collect();
        for feed in &settings.feeds {
            followed.insert(feed.url.as_str(), feed.name.as_str());
        }
        for feed in &settings.feeds {
            if let Some(shape) = by_url.get(feed.url.as_str()) {
                followed.insert(&shape.current_url, feed.name.as_str());
            }
        }
        followed
    }

    /// The name of the feed that has this address.
    pub(super) fn find(&self, url: &str) -> Option<&str> {
        self.names.get(&self.key(url)).map(String::as_str)
    }

    /// Counts an address as followed; false if it was already.
    pub(super) fn insert(&mut self, url: &str, name: &str) -> bool {
        let key = self.key(url);
        let new = !self.names.contains_key(&key);
        self.names.entry(key).or_insert_with(|| name.to_owned());
        new
    }

    fn key(&self, url: &str) -> String {
        // A fragment is not asked for (RFC 9110 7.1).
        let url = url.split('#').next().unwrap_or(url);
        self.rules.key(url).unwrap_or_else(|| url.to_owned())
    }
}

/// What is known of the feeds: from the daemon, else from the database; nothing where neither is there yet.
pub(super) async fn shapes(place: &Place) -> Result<Vec<FeedShape>, Failure> {
    if place.daemon().await?.is_none() && !place.settings()?.storage.database.exists() {
        return Ok(Vec::new());
    }
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let listing = Listing { json: true, limit: MAX_LIMIT, after };
        let list: FeedList = match place.source().await? {
            Source::Daemon(daemon) => daemon.get(&listing.path("/api/v1/feeds", &[])).await?,
            Source::Database(at) => return Ok(lists::all_feeds(at.store.as_ref(), &at.published, at.now).await?),
        };
        all.extend(list.feeds);
        after = list.next;
        if after.is_none() {
            return Ok(all);
        }
    }
}

/// The file that new feeds are written into: the one that was named, or where new feeds are at home.
pub(super) fn home(settings: &Settings, to: Option<&Path>) -> Result<PathBuf, Failure> {
    to.map_or_else(|| Ok(include::home(settings)), |file| include::named(settings, file).map_err(Failure::new))
}

/// Edits the configuration, or only tries it; gives what it then means.
pub(super) fn edit(place: &Place, edits: &[(PathBuf, Edit<'_>)], write: bool) -> Result<Settings, Failure> {
    let environment: &Environment = &place.environment;
    Ok(change::apply(&place.settings()?.path, environment, edits, write)?)
}

/// A derived name that two feeds would share gets a suffix in both: the feeds that are called otherwise now.
pub(super) fn renamed(before: &Settings, after: &Settings) -> Vec<RenamedShape> {
    let names: HashMap<&str, &str> = after.feeds.iter().map(|feed| (feed.url.as_str(), feed.name.as_str())).collect();
    let other = |feed: &FeedSettings| {
        let name = names.get(feed.url.as_str()).filter(|name| **name != feed.name.as_str())?;
        Some(RenamedShape { from: feed.name.to_string(), to: (*name).to_owned() })
    };
    before.feeds.iter().filter_map(other).collect()
}

/// Says how feeds are called from now on.
pub(super) fn say_renamed(renamed: &[RenamedShape]) -> Result<(), Failure> {
    for RenamedShape { from, to } in renamed {
        out::line(&format!(
            "{from} is called {to} from now on: two names that are derived from addresses would be the same, or are no more. \
             Queries that say feed:{from} need the new one; a `name` in its [[feed]] keeps the old one."
        ))?;
    }
    Ok(())
}

/// Has the daemon take up what was written, if that is wanted, and says what was done: as JSON, or by `say`, which is
/// followed by what the daemon said.
pub(super) fn finish(
    mut done: EditShape,
    tell: bool,
    json: bool,
    place: &Place,
    say: impl FnOnce(&EditShape) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if !json {
        say(&done)?;
    }
    let told = if tell { place.block_on(take_up(place)) } else { Ok(None) };
    let (said, failure) = told.map_or_else(|failure| (None, Some(failure)), |said| (said, None));
    done.daemon = said;
    if json {
        out::json(&done)?;
    } else if tell && failure.is_none() {
        match &done.daemon {
            Some(said) => out::line(&format!("the daemon has taken it up: {said}"))?,
            None => out::line("no daemon is running for this configuration; it takes effect at the next start")?,
        }
    }
    failure.map_or(Ok(()), Err)
}

/// What the daemon says to what was written; none where none runs.
async fn take_up(place: &Place) -> Result<Option<String>, Failure> {
    let Some(daemon) = place.daemon().await? else { return Ok(None) };
    match reload::ask(daemon).await {
        Ok(report) => Ok(Some(report.message)),
        Err(failure) => {
            Err(Failure::new(format!("The configuration is written, but the daemon did not take it up. {failure}")))
        }
    }
}

/// A tag as it may be typed.
pub(super) fn tag(text: &str) -> Result<String, String> {
    let text = text.trim();
    let fits = !text.is_empty() && text.len() <= 100 && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err("a tag is a short word or two".to_owned()) }
}

impl From<ChangeError> for Failure {
    fn from(error: ChangeError) -> Self {
        Self::new(error.to_string())
    }
}
