//! `feedmill reload`: tells the running daemon to read its configuration again, and waits for the verdict.

use std::time::Duration;

use bytes::Bytes;
use hyper::Method;

use super::client::Client;
use super::reach::Place;
use super::{Failure, out};

/// A large configuration is read in a second or so; queries are compiled anew.
const PATIENCE: Duration = Duration::from_secs(80);

pub(super) fn run(place: &Place) -> Result<(), Failure> {
    place.block_on(async {
        let Some(daemon) = place.daemon().await? else {
            return Err(Failure::new("no daemon is running for this configuration; there is nothing to reload."));
        };
        out::line(&verdict(daemon).await?)
    })
}

/// Has the daemon read its configuration again; what it says if it took it.
pub(super) async fn verdict(daemon: Client) -> Result<String, Failure> {
    let body = daemon.ask(Method::POST, "/api/v1/reload", Bytes::new(), PATIENCE).await?;
    let verdict: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    Ok(verdict.get("message").and_then(serde_json::Value::as_str).unwrap_or("reloaded").to_owned())
}
