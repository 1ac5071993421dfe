//! `[webhooks]` and `[[webhook]]`.

use std::time::Duration;

use super::feed::web_address;
use super::headers;
use super::secret;
use super::section::{Section, Value};
use super::settings::{ContentForm, WebhookSecret, WebhookSettings};
use super::units;
use ipnet::IpNet;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);
/// No call takes longer than this.
const LONGEST: Duration = Duration::from_secs(300);
/// Attempts in a schedule.
const MAX_RETRIES: usize = 50;
/// Secrets that are valid at a time.
const MAX_SECRETS: usize = 5;

/// What a webhook has unless it says otherwise.
#[derive(Clone)]
pub(super) struct Defaults {
    retry: Vec<Duration>,
    timeout: Duration,
    concurrency: usize,
}

impl Defaults {
    /// Those of a configuration that says nothing: the schedule of Standard Webhooks, some 75 hours.
    pub(super) fn shipped() -> Self {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 3600;
        let retry = [5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];
        Self {
            retry: retry.into_iter().map(Duration::from_secs).collect(),
            timeout: Duration::from_secs(20),
            concurrency: 4,
        }
    }

    pub(super) fn refined(&self, section: &Section<'_>) -> Self {
        let concurrency = section.count("concurrency", 1..=1000).and_then(|n| usize::try_from(n).ok());
        Self {
            retry: retry(section).unwrap_or_else(|| self.retry.clone()),
            timeout: section.duration("timeout", SECOND..=LONGEST).unwrap_or(self.timeout),
            concurrency: concurrency.unwrap_or(self.concurrency),
        }
    }
}

fn retry(section: &Section<'_>) -> Option<Vec<Duration>> {
    let values = section.list("retry", false)?;
    if values.len() > MAX_RETRIES {
        return section.value("retry")?.refuse(format!("`retry` has more than {MAX_RETRIES} waits."), None);
    }
    Some(values.into_iter().filter_map(|value| value.duration(&(SECOND..=DAY * 7))).collect())
}

/// A list of networks.
pub(super) fn networks<'a>(section: &Section<'a>, key: &'a str) -> Vec<IpNet> {
    let read = |value: Value<'_>| match units::network(value.text()?) {
        Ok(network) => Some(network),
        Err(why) => value.refuse(format!("`{key}` cannot have this: {why}."), None),
    };
    section.list(key, false).unwrap_or_default().into_iter().filter_map(read).collect()
}

/// Reads a `[[webhook]]`.
pub(super) fn read(section: &Section<'_>, defaults: &Defaults) -> Option<WebhookSettings> {
    let missing = |key: &str, hint: &str| {
        section.mistake(section.at(), format!("This webhook has no `{key}`."), Some(hint.to_owned()));
    };
    let refined = defaults.refined(section);
    let (on_new, on_updated) = events(section);
    let headers = headers::read(section, headers::WEBHOOK_REFUSED).unwrap_or_default();
    let content = section.choice("content", &[("text", ContentForm::Text), ("html", ContentForm::Html)]);
    let allow_networks = networks(section, "allow_networks");
    format(section);
    let name = section.value("name");
    if name.is_none() {
        missing("name", "name = \"desk\"");
    }
    let url = section.value("url");
    if url.is_none() {
        missing("url", "url = \"https://…\"");
    }
    let secrets = section.list("secret", true);
    if secrets.is_none() {
        missing("secret", "every call is signed: secret = { env = \"DESK_SECRET\" }");
    }
    let url = url.and_then(|value| address(&value));
    let secrets = secrets.map(|values| keys(section, &values));
    let name = name.and_then(|value| value.name());
    Some(WebhookSettings {
        name: name?,
        url: url?,
        secrets: secrets?,
        headers,
        content: content.unwrap_or(ContentForm::Text),
        on_new,
        on_updated,
        allow_networks,
        retry: refined.retry,
        timeout: refined.timeout,
        concurrency: refined.concurrency,
    })
}

fn address(value: &Value<'_>) -> Option<url::Url> {
    match web_address(value.text()?) {
        Ok(url) if url.username().is_empty() && url.password().is_none() => Some(url),
        Ok(_) => value.refuse(
            "A webhook's URL cannot have credentials.",
            Some("headers = { Authorization = { env = \"…\" } }".to_owned()),
        ),
        Err(why) => value.refuse(format!("`url` cannot be called: {why}."), None),
    }
}

fn keys(section: &Section<'_>, values: &[Value<'_>]) -> Vec<WebhookSecret> {
    if values.is_empty() || values.len() > MAX_SECRETS {
        let at = section.value("secret").map_or_else(|| section.at(), |value| value.at);
        section.mistake(at, format!("A webhook has from 1 to {MAX_SECRETS} secrets at a time."), None);
    }
    values.iter().filter_map(secret::signing_key).collect()
}

fn events(section: &Section<'_>) -> (bool, bool) {
    let Some(values) = section.list("events", false) else { return (true, false) };
    let words = [("new", (true, false)), ("updated", (false, true))];
    let chosen = values.iter().filter_map(|value| value.choice(&words));
    let both = chosen.fold((false, false), |(new, updated), (n, u)| (new || n, updated || u));
    if values.is_empty() {
        let at = section.value("events").map_or_else(|| section.at(), |value| value.at);
        section.mistake(at, "A webhook without events is never called.", Some("events = [\"new\"]".to_owned()));
    }
    both
}

fn format(section: &Section<'_>) {
    let Some(value) = section.value("format") else { return };
    let words = [("standard", true), ("slack", false), ("discord", false), ("ntfy", false), ("template", false)];
    if value.choice(&words) == Some(false) {
        let named = value.text().unwrap_or_default();
        value.refuse::<()>(
            format!("The format \"{named}\" is not built yet in this version."),
            Some("\"standard\"".to_owned()),
        );
    }
}
