//! `feedmill reload`: tells the running daemon to read its configuration again, and waits for the verdict.

use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use hyper::Method;

use super::client::Client;
use super::reach::Place;
use super::{Failure, out};
use crate::publish::serve::control::{FillReport, ReloadReport};

/// A large configuration is read in a second or so; queries are compiled anew.
const PATIENCE: Duration = Duration::from_secs(80);
/// How often it is asked how far streams are filled.
const LOOK: Duration = Duration::from_millis(200);

#[derive(Args, Debug)]
pub(super) struct Options {
    /// Print the body of the API route
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options, place: &Place) -> Result<(), Failure> {
    let report: ReloadReport = place.block_on(async {
        let Some(daemon) = place.daemon().await? else {
            return Err(Failure::new("no daemon is running for this configuration; there is nothing to reload."));
        };
        ask(daemon).await
    })?;
    if options.json {
        return out::json(&report);
    }
    for warning in &report.warnings {
        out::line(&format!("warning: {warning}"))?;
    }
    out::line(&report.message)?;
    if report.filling.is_empty() { Ok(()) } else { place.block_on(follow(place)) }
}

/// How far the daemon is with the streams that it fills, on a terminal. It goes on if nobody looks.
async fn follow(place: &Place) -> Result<(), Failure> {
    let bar = out::bar(Some(1), "filling streams");
    while !bar.is_hidden() {
        let Ok(Some(daemon)) = place.daemon().await else { break };
        let Ok(fill @ FillReport { streams: 1.., .. }) = daemon.get("/api/v1/fill").await else { break };
        bar.set_length(fill.of.max(1));
        bar.set_position(fill.looked);
        tokio::time::sleep(LOOK).await;
    }
    bar.finish_and_clear();
    Ok(())
}

/// Has the daemon read its configuration again; what it says if it took it.
pub(super) async fn ask(daemon: Client) -> Result<ReloadReport, Failure> {
    let body = daemon.ask(Method::POST, "/api/v1/reload", Bytes::new(), PATIENCE).await?;
    serde_json::from_slice(&body).map_err(|e| Failure::new(e.to_string()))
}
