//! `feedmill log`: the running daemon logs at another level, until its next reload.

use bytes::Bytes;
use clap::Args;
use hyper::Method;

use super::client::READING;
use super::reach::Place;
use super::{Failure, out};
use crate::publish::serve::control::{LogReport, LogRequest};

#[derive(Args, Debug)]
pub(super) struct Options {
    /// error, warn, info, debug, trace, or by module: `info,feedmill::deliver=debug`
    #[arg(value_name = "LEVEL")]
    level: String,
    /// Print the body of the API route
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options, place: &Place) -> Result<(), Failure> {
    let asked = LogRequest { level: options.level.clone() };
    let body = serde_json::to_vec(&asked).map_err(|e| Failure::new(e.to_string()))?;
    let report: LogReport = place.block_on(async {
        let Some(daemon) = place.daemon().await? else {
            return Err(Failure::new("no daemon is running for this configuration; set [log] level in it."));
        };
        let answer = daemon.ask(Method::POST, "/api/v1/log", Bytes::from(body), READING).await?;
        serde_json::from_slice(&answer).map_err(|e| Failure::new(e.to_string()))
    })?;
    if options.json {
        return out::json(&report);
    }
    out::line(&format!("it logs at `{}` until the next reload", report.level))
}
