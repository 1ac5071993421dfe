//! `feedmill poll`: polls now, once, with a progress bar and a table of what happened.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use hyper::Method;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::reach::Place;
use super::{Failure, out};
use crate::app::{self, Deaf};
use crate::domain::feed::FeedId;
use crate::domain::name::Name;
use crate::domain::time::{Clock as _, SystemClock};
use crate::publish::serve::control::{PollOutcome, PollReport, PollRequest, PollShape};
use crate::store::Store;

/// Many feeds of one slow host come one after the other.
const PATIENCE: Duration = Duration::from_secs(4 * 3600);

#[derive(Args, Debug)]
pub(super) struct Options {
    /// Names of feeds; without any, all of them
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Print the body of the API route
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options, place: &Place) -> Result<(), Failure> {
    let names = Some(options.names.clone()).filter(|names| !names.is_empty());
    let report = place.block_on(async {
        let Some(daemon) = place.daemon().await? else { return directly(names, place).await };
        let body = serde_json::to_vec(&PollRequest { feeds: names }).map_err(|e| Failure::new(e.to_string()))?;
        let bar = out::bar(None, "polling");
        let answer = daemon.ask(Method::POST, "/api/v1/poll", Bytes::from(body), PATIENCE).await;
        bar.finish_and_clear();
        serde_json::from_slice(&answer?).map_err(|e| Failure::new(e.to_string()))
    })?;
    show(&report, options.json)?;
    let failed = report.feeds.iter().filter(|feed| feed.outcome == PollOutcome::Failed).count();
    if failed > 0 && failed == report.feeds.len() {
        return Err(Failure::new("no feed could be polled; the table says why."));
    }
    Ok(())
}

fn show(report: &PollReport, json: bool) -> Result<(), Failure> {
    if json {
        return out::json(report);
    }
    let rows = report.feeds.iter().map(|feed| {
        let count = |n: u32| if n == 0 { String::new() } else { n.to_string() };
        vec![
            feed.name.clone(),
            word(feed.outcome).to_owned(),
            count(feed.new),
            count(feed.changed),
            count(feed.sighted),
            format!("{} ms", feed.duration_ms),
            out::short(feed.error.as_deref().unwrap_or_default(), 100),
        ]
    });
    out::table(&["feed", "outcome", "new", "changed", "seen again", "took", "why"], rows.collect())?;
    let total = |of: fn(&PollShape) -> u32| report.feeds.iter().map(of).sum::<u32>();
    out::line(&format!(
        "{} feeds: {} new items, {} changed, {} seen again",
        report.count,
        total(|feed| feed.new),
        total(|feed| feed.changed),
        total(|feed| feed.sighted)
    ))
}

fn word(outcome: PollOutcome) -> &'static str {
    match outcome {
        PollOutcome::Loaded => "loaded",
        PollOutcome::NotModified => "not modified",
        PollOutcome::Failed => "failed",
        PollOutcome::Gone => "gone",
        PollOutcome::Skipped => "not asked",
    }
}

/// Without a daemon: the same stages and limits, on the database itself. Deliveries that it owes go out when
/// a daemon runs.
async fn directly(names: Option<Vec<String>>, place: &Place) -> Result<PollReport, Failure> {
    let settings = place.settings()?;
    let clock = Arc::new(SystemClock);
    let store: Arc<dyn Store> = Arc::new(app::open_store(settings, false, clock.now())?);
    let (poller, feeds) = app::poll_once(settings, Arc::clone(&store), clock, Arc::new(Deaf)).await?;
    let wanted = wanted(names, feeds)?;
    let bar = out::bar(Some(wanted.len()), "");
    let mut polled = Vec::with_capacity(wanted.len());
    let mut reports = poller.poll_now(wanted);
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let running = tasks.spawn(Arc::clone(&poller).run(stop.clone(), tasks.clone(), None));
    let told = bar.clone();
    // In a task: each report would wake the thread from the outside if it was waited for here.
    let heard = tasks.spawn(async move {
        while let Some(report) = reports.recv().await {
            if !told.is_hidden() {
                told.inc(1);
                told.set_message(report.name.to_string());
            }
            polled.push(app::poll_shape(report));
        }
        polled
    });
    let mut polled = heard.await.map_err(|e| Failure::new(e.to_string()))?;
    bar.finish_and_clear();
    stop.cancel();
    running.await.map_err(|e| Failure::new(e.to_string()))?;
    tasks.close();
    tasks.wait().await;
    store.close().await?;
    polled.sort_unstable_by(|a: &PollShape, b| a.name.cmp(&b.name));
    Ok(PollReport { count: polled.len(), feeds: polled })
}

/// Those that were named, else all that are asked on their own.
fn wanted(names: Option<Vec<String>>, feeds: Vec<(Name, FeedId, bool)>) -> Result<Vec<FeedId>, Failure> {
    let Some(names) = names else {
        return Ok(feeds.into_iter().filter(|(_, _, own)| *own).map(|(_, id, _)| id).collect());
    };
    let known: HashMap<&str, FeedId> = feeds.iter().map(|(name, id, _)| (name.as_str(), *id)).collect();
    let find = |name: &String| {
        let unknown =
            || Failure::new(format!("there is no feed `{name}`, or it is switched off. `feedmill feeds` lists them."));
        known.get(name.as_str()).copied().ok_or_else(unknown)
    };
    names.iter().map(find).collect()
}
