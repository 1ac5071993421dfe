//! What `doctor` asks of the network: names of hosts, and whether the receivers of webhooks can be reached.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::net::TcpStream;
use url::Host;

use super::Check;
use crate::config::Settings;
use crate::config::settings::{FeedSettings, WebhookSettings};
use crate::domain::reach::Proxy;
use crate::fetch::guard::Guard;

/// Hosts whose names are looked up, and receivers that are called.
const HOSTS: usize = 20;
/// How long a name server may take.
const RESOLVING: Duration = Duration::from_secs(5);
/// How long a connection may take.
const CONNECTING: Duration = Duration::from_secs(5);

/// Whether the names of some hosts can be resolved.
pub(super) async fn names(settings: &Settings) -> Check {
    let name = "network";
    // A proxy looks names up elsewhere.
    let here = |feed: &&FeedSettings| !feed.access.reach.proxy.as_ref().is_some_and(Proxy::resolves_names);
    let feeds = settings.feeds.iter().filter(|feed| feed.terms.enabled).filter(here);
    let feeds = feeds.map(|feed| feed.url.url());
    let urls = feeds.chain(settings.webhooks.iter().map(|webhook| &webhook.url));
    let hosts: BTreeSet<String> = urls
        .filter_map(|url| match url.host()? {
            Host::Domain(name) => Some(name.to_owned()),
            Host::Ipv4(_) | Host::Ipv6(_) => None,
        })
        .collect();
    let asked: Vec<&str> = hosts.iter().map(String::as_str).take(HOSTS).collect();
    let answers = futures_util::future::join_all(asked.iter().map(|host| async move {
        let looked_up = tokio::time::timeout(RESOLVING, tokio::net::lookup_host((*host, 443))).await;
        looked_up.is_ok_and(|found| found.is_ok_and(|mut addresses| addresses.next().is_some()))
    }))
    .await;
    let lost: Vec<&str> = asked.iter().zip(&answers).filter(|(_, found)| !**found).map(|(host, _)| *host).collect();
    match (asked.len(), lost.len()) {
        (0, _) => Check::ok(name, "No name has to be looked up."),
        (all, 0) => Check::ok(name, format!("The names of {all} hosts were found.")),
        (all, lost) if lost == all => Check::problem(
            name,
            format!("None of {all} hosts was found by its name."),
            Some("see that the network is up, and what /etc/resolv.conf says"),
        ),
        _ => Check::warning(name, format!("Not found: {}.", lost.join(", ")), "see whether these feeds have moved"),
    }
}

/// Whether somebody listens where webhooks go. Nothing is sent: a call is made by `feedmill webhooks test`.
pub(super) async fn webhooks(settings: &Settings) -> Option<Check> {
    let name = "webhooks";
    let asked: Vec<&WebhookSettings> = settings.webhooks.iter().map(AsRef::as_ref).take(HOSTS).collect();
    if asked.is_empty() {
        return None;
    }
    let answers = futures_util::future::join_all(asked.iter().map(|webhook| connect(webhook))).await;
    let lost: Vec<String> = asked
        .iter()
        .zip(answers)
        .filter_map(|(webhook, answer)| Some(format!("`{}` ({})", webhook.name, answer.err()?.trim_end_matches('.'))))
        .collect();
    if lost.is_empty() {
        return Some(Check::ok(name, format!("The receivers of {} webhooks take connections.", asked.len())));
    }
    let said = format!("Cannot be reached: {}.", lost.join(", "));
    Some(Check::warning(name, said, "calls are kept and repeated; `feedmill webhooks test NAME` says more"))
}

async fn connect(webhook: &WebhookSettings) -> Result<(), String> {
    let (Some(host), Some(port)) = (webhook.url.host(), webhook.url.port_or_known_default()) else { return Ok(()) };
    let guard = Guard::new(webhook.allow_networks.clone());
    guard.check_url(&webhook.url)?;
    let place = match &webhook.reach.proxy {
        Some(proxy) => {
            guard.check_through(&webhook.url, proxy)?;
            proxy.place()
        }
        None => format!("{host}:{port}"),
    };
    let connecting = async {
        let found: Vec<_> = tokio::net::lookup_host(&place).await.map_err(|e| e.to_string())?.collect();
        // As calls do it: what is private and not allowed is not connected to. Where a proxy is, is the operator's to say.
        let chosen = match webhook.reach.proxy {
            Some(_) => found,
            None => guard.choose(&host.to_string(), found).map_err(|refused| refused.to_string())?,
        };
        TcpStream::connect(chosen.as_slice()).await.map(|_| ()).map_err(|e| e.to_string())
    };
    let connected = tokio::time::timeout(CONNECTING, connecting).await;
    connected.unwrap_or_else(|_| Err(format!("no answer within {} s", CONNECTING.as_secs())))
}
