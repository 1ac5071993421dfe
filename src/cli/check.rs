//! `feedmill check`: every mistake of the configuration, and the next runs of each schedule.

use std::collections::BTreeMap;

use super::reach::Place;
use super::{Failure, out};
use crate::config::settings::FeedSettings;
use crate::domain::time::{Clock as _, SystemClock, Timestamp};

/// Runs that are shown of each schedule.
const RUNS: usize = 3;

pub(super) fn run(place: &Place) -> Result<(), Failure> {
    let settings = place.settings()?;
    for warning in &settings.warnings {
        out::line(&format!("warning: {warning}"))?;
    }
    for stream in &settings.streams {
        if let Some(reading) = stream.query.reading() {
            out::line(&format!("stream {}: read as {reading}", stream.name))?;
        }
    }
    let now = SystemClock.now();
    let mut schedules: BTreeMap<(String, String), Vec<&FeedSettings>> = BTreeMap::new();
    for feed in settings.feeds.iter().filter(|feed| feed.enabled) {
        let key = (feed.schedule.source().to_owned(), feed.timezone.name().to_owned());
        schedules.entry(key).or_default().push(feed);
    }
    for ((schedule, zone), feeds) in schedules {
        let Some(first) = feeds.first() else { continue };
        let runs = runs(first, now);
        let who = match feeds.as_slice() {
            [feed] => feed.name.to_string(),
            feeds => format!("{} feeds", feeds.len()),
        };
        out::line(&match runs {
            Some(runs) => format!("{schedule} ({zone}), {who}: {}", runs.join(", ")),
            None => format!("{schedule}, {who}: by the usual gap between items, from min_interval to a day"),
        })?;
    }
    out::line(&format!(
        "{} is good: {} feeds, {} streams, {} webhooks",
        settings.path.display(),
        settings.feeds.len(),
        settings.streams.len(),
        settings.webhooks.len()
    ))
}

/// None for a schedule that goes by the feed's history.
fn runs(feed: &FeedSettings, now: Timestamp) -> Option<Vec<String>> {
    let schedule = feed.schedule.schedule()?;
    let next = |after: Timestamp| schedule.next_after(after, feed.timezone);
    Some(std::iter::successors(next(now), |run| next(*run)).take(RUNS).map(Timestamp::rfc3339).collect())
}
