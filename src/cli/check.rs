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
        let runs: Vec<String> = runs(first, now).into_iter().map(Timestamp::rfc3339).collect();
        let who = match feeds.as_slice() {
            [feed] => feed.name.to_string(),
            feeds => format!("{} feeds", feeds.len()),
        };
        out::line(&format!("{schedule} ({zone}), {who}: {}", runs.join(", ")))?;
    }
    out::line(&format!(
        "{} is good: {} feeds, {} streams, {} webhooks",
        settings.path.display(),
        settings.feeds.len(),
        settings.streams.len(),
        settings.webhooks.len()
    ))
}

fn runs(feed: &FeedSettings, now: Timestamp) -> Vec<Timestamp> {
    std::iter::successors(feed.schedule.next_after(now, feed.timezone), |run| {
        feed.schedule.next_after(*run, feed.timezone)
    })
    .take(RUNS)
    .collect()
}
