//! `[server]`, `[storage]`, `[poll]`, `[log]`: the tables that stand once.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use url::{Host, Url};

use super::feed::web_address;
use super::section::{Section, Value};
use super::settings::{Keep, Log, LogFormat, Poll, Server, Storage};
use super::{Environment, headers, secret, units, webhook};
use crate::domain::reach::Reach;

/// The database's name, unless another one is given.
pub(super) const DATABASE: &str = "feedmill.db";
const LISTEN: &str = "127.0.0.1:7878";
const TITLE: &str = "My news";
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
const MB: u64 = 1_000_000;

/// The title of a configuration that gives none.
pub(super) fn title(section: Option<&Section<'_>>) -> String {
    section.and_then(|section| section.text("title")).unwrap_or(TITLE).to_owned()
}

/// `[server]`.
pub(super) fn server(section: Option<&Section<'_>>) -> Option<Server> {
    let shipped: SocketAddr = LISTEN.parse().ok()?;
    let listen = section.and_then(|section| section.list("listen", true));
    let listen = match listen {
        Some(values) => values.iter().filter_map(address).collect(),
        None => vec![shipped],
    };
    let mut first = listen.first().copied().unwrap_or(shipped);
    if first.ip().is_unspecified() {
        first.set_ip(shipped.ip()); // nobody can follow a link to "all addresses"
    }
    let public_url = section.and_then(public_url);
    let token = |key: &'static str| section.and_then(|section| secret::token(&section.value(key)?));
    Some(Server {
        private_listen: section.and_then(|section| address(&section.value("private_listen")?)),
        // Without one, links lead to where it listens.
        public_url: public_url.or_else(|| Url::parse(&format!("http://{first}/")).ok())?,
        listen,
        title: title(section),
        admin_token: token("admin_token"),
        read_token: token("read_token"),
        hosts: section.and_then(|section| section.list("hosts", true)).map(|hosts| names(&hosts)),
        trusted_proxies: section.map(|section| webhook::networks(section, "trusted_proxies")).unwrap_or_default(),
        max_connections: section
            .and_then(|section| section.count("max_connections", 1..=100_000))
            .and_then(|n| usize::try_from(n).ok())
            .unwrap_or(1024),
    })
}

fn address(value: &Value<'_>) -> Option<SocketAddr> {
    let text = value.text()?;
    text.parse().ok().or_else(|| {
        let hint = format!("an address and a port, for example \"{LISTEN}\" or \"[::1]:7878\"");
        value.refuse(format!("`{}` cannot be \"{}\".", value.key, super::source::quoted(text)), Some(hint))
    })
}

fn public_url(section: &Section<'_>) -> Option<Url> {
    let value = section.value("public_url")?;
    match web_address(value.text()?) {
        Ok(url) if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() => {
            value.refuse("`public_url` is scheme, host and path, no more.", None)
        }
        Ok(mut url) => {
            if !url.path().ends_with('/') {
                url.set_path(&format!("{}/", url.path()));
            }
            Some(url)
        }
        Err(why) => value.refuse(format!("`public_url` cannot be read: {why}."), None),
    }
}

/// Where the database is: relative to the state folder.
pub(super) fn database(config: &Path, name: &str, environment: &Environment) -> PathBuf {
    let beside = config.parent().unwrap_or(Path::new("")).to_path_buf();
    let packaged = config.starts_with("/etc/feedmill").then(|| PathBuf::from("/var/lib/feedmill"));
    // systemd gives a list; ours has one entry.
    let given = environment
        .path("STATE_DIRECTORY")
        .and_then(|list| list.to_str().and_then(|list| list.split(':').next()).map(PathBuf::from));
    given.or(packaged).unwrap_or(beside).join(name)
}

/// `[storage]`.
pub(super) fn storage(section: Option<&Section<'_>>, config: &Path, environment: &Environment) -> Storage {
    let name = section.and_then(|section| section.text("database")).unwrap_or(DATABASE);
    Storage {
        database: database(config, name, environment),
        keep: section.and_then(keep).unwrap_or_default(),
        max_bytes: section.and_then(|section| section.size("max_size", MB..=100_000_000 * MB)),
    }
}

/// `keep`: a time, or "forever".
pub(super) fn keep(section: &Section<'_>) -> Option<Keep> {
    let value = section.value("keep")?;
    let text = value.text()?;
    if text == "forever" {
        return Some(Keep::Forever);
    }
    if let Err(why) = units::duration(text) {
        let hint = "for example \"90d\"; \"forever\" switches it off".to_owned();
        return value.refuse(format!("`keep` is no time: {why}."), Some(hint));
    }
    value.duration(&(HOUR..=100 * 366 * DAY)).map(Keep::For)
}

/// `[poll]`: what holds for all feeds together.
pub(super) fn poll(section: Option<&Section<'_>>, reach: Arc<Reach>) -> Poll {
    let count = |key: &'static str, most: u64, default: usize| {
        let read = section.and_then(|section| section.count(key, 1..=most));
        read.and_then(|n| usize::try_from(n).ok()).unwrap_or(default)
    };
    let backoff = section.and_then(|section| section.duration("backoff", SECOND..=DAY));
    let memory = section.and_then(|section| section.size("memory", 1_000_000..=64_000_000_000));
    let allow_networks: Vec<IpNet> =
        section.map(|section| webhook::networks(section, "allow_networks")).unwrap_or_default();
    Poll {
        concurrency: count("concurrency", 10_000, 64),
        per_host: count("per_host", 1000, 1),
        backoff: backoff.unwrap_or(Duration::from_secs(900)),
        memory_bytes: memory.unwrap_or(64_000_000),
        contact: section.and_then(contact),
        allow_networks,
        reach,
    }
}

/// It stands in a comment of the User-Agent (RFC 9110 10.1.5), where brackets would end it.
fn contact(section: &Section<'_>) -> Option<String> {
    let value = section.value("contact")?;
    let text = headers::value(&value)?;
    if text.contains(['(', ')', '\\']) {
        return value
            .refuse("`contact` cannot have brackets or backslashes.", Some("a URL or a mail address".to_owned()));
    }
    Some(text)
}

/// `[identity] resolve`.
pub(super) fn short_hosts(section: &Section<'_>) -> Vec<String> {
    names(&section.list("resolve", true).unwrap_or_default())
}

fn names(values: &[Value<'_>]) -> Vec<String> {
    let mut hosts: Vec<String> = values.iter().filter_map(host).collect();
    hosts.sort_unstable();
    hosts.dedup();
    hosts
}

/// A host as URLs have it: lower case, IDNA (RFC 5891), without the dot at the end.
fn host(value: &Value<'_>) -> Option<String> {
    let text = value.text()?.trim();
    let host = match Host::parse(text.trim_end_matches('.')) {
        // All below it would count: a single label could be all of `com`.
        Ok(Host::Domain(name)) if name.contains('.') || name == "localhost" => name,
        Ok(host @ (Host::Ipv4(_) | Host::Ipv6(_))) => host.to_string(),
        _ => {
            let message = format!("`{}` is no host name.", super::source::quoted(text));
            return value
                .refuse(message, Some("a name without scheme, port and path, for example \"t.co\"".to_owned()));
        }
    };
    Some(host)
}

/// `[log]`.
pub(super) fn log(section: Option<&Section<'_>>) -> Log {
    let formats = [
        ("auto", LogFormat::Auto),
        ("text", LogFormat::Text),
        ("json", LogFormat::Json),
        ("journald", LogFormat::Journald),
    ];
    Log {
        level: section.and_then(|section| section.text("level")).unwrap_or("info").to_owned(),
        format: section.and_then(|section| section.choice("format", &formats)).unwrap_or(LogFormat::Auto),
    }
}
