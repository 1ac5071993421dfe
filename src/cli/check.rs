//! `feedmill check`: every mistake of the configuration, and the next runs of each schedule.

use std::collections::BTreeMap;
use std::path::Path;

use clap::Args;
use serde::Serialize;

use super::reach::Place;
use super::{Failure, out};
use crate::config::settings::FeedSettings;
use crate::config::{self, Mistakes, Settings};
use crate::domain::time::{Clock as _, SystemClock, Timestamp};
use crate::query::syntax::Query;

/// Runs that are shown of each schedule.
const RUNS: usize = 3;

#[derive(Args, Debug)]
pub(super) struct Options {
    /// Print what was found as JSON, the mistakes too
    #[arg(long)]
    json: bool,
}

/// What was found, for programs.
#[derive(Serialize)]
struct Report<'a> {
    ok: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mistakes: Vec<Found<'a>>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    warnings: &'a [String],
    feeds: usize,
    streams: usize,
    webhooks: usize,
}

/// A mistake.
#[derive(Serialize)]
struct Found<'a> {
    file: &'a Path,
    line: usize,
    column: usize,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

pub(super) fn run(options: &Options, place: &Place) -> Result<(), Failure> {
    if options.json { report(place) } else { show(place.settings()?) }
}

fn report(place: &Place) -> Result<(), Failure> {
    match config::load(&place.path()?, &place.environment) {
        Ok(Settings { feeds, streams, webhooks, warnings, .. }) => out::json(&Report {
            ok: true,
            mistakes: Vec::new(),
            warnings: &warnings,
            feeds: feeds.len(),
            streams: streams.len(),
            webhooks: webhooks.len(),
        }),
        Err(Mistakes { mistakes }) => {
            let found = mistakes.iter().map(|mistake| Found {
                file: &mistake.file,
                line: mistake.line,
                column: mistake.column,
                message: &mistake.message,
                hint: mistake.hint.as_deref(),
            });
            let mistakes = found.collect();
            out::json(&Report { ok: false, mistakes, warnings: &[], feeds: 0, streams: 0, webhooks: 0 })?;
            Err(Failure::config(""))
        }
    }
}

fn show(settings: &Settings) -> Result<(), Failure> {
    for warning in &settings.warnings {
        out::line(&format!("warning: {warning}"))?;
    }
    // The first feed of each, for a list of subscriptions has one for all.
    let mut ignored: BTreeMap<&str, &FeedSettings> = BTreeMap::new();
    for feed in &settings.feeds {
        if let Some(query) = &feed.terms.ignore {
            ignored.entry(query.source()).or_insert(feed);
        }
    }
    let streams = settings.streams.iter().map(|stream| (format!("stream {}", stream.name), Some(&stream.query)));
    let ignored = ignored.values().map(|feed| (format!("ignore of feed {}", feed.name), feed.terms.ignore.as_ref()));
    for (whose, query) in ignored.clone() {
        for warning in query.map(Query::warnings).unwrap_or_default() {
            out::line(&format!("warning: {whose}: {warning}"))?;
        }
    }
    for (whose, query) in streams.chain(ignored) {
        if let Some(reading) = query.and_then(Query::reading) {
            out::line(&format!("{whose}: read as {reading}"))?;
        }
    }
    let now = SystemClock.now();
    let mut schedules: BTreeMap<(String, String), Vec<&FeedSettings>> = BTreeMap::new();
    for feed in settings.feeds.iter().filter(|feed| feed.terms.enabled) {
        let key = (feed.terms.schedule.source().to_owned(), feed.terms.timezone.name().to_owned());
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
    let with = match settings.included.files.len() {
        0 => String::new(),
        1 => " with 1 included file".to_owned(),
        count => format!(" with {count} included files"),
    };
    out::line(&format!(
        "{}{with} is good: {} feeds, {} streams, {} webhooks",
        settings.path.display(),
        settings.feeds.len(),
        settings.streams.len(),
        settings.webhooks.len()
    ))
}

/// None for a schedule that goes by the feed's history.
fn runs(feed: &FeedSettings, now: Timestamp) -> Option<Vec<String>> {
    let schedule = feed.terms.schedule.schedule()?;
    let next = |after: Timestamp| schedule.next_after(after, feed.terms.timezone);
    Some(std::iter::successors(next(now), |run| next(*run)).take(RUNS).map(Timestamp::rfc3339).collect())
}
