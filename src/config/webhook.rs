//! `[webhooks]` and `[[webhook]]`.

use std::sync::Arc;
use std::time::Duration;

use super::feed::web_address;
use super::headers;
use super::reach;
use super::secret;
use super::section::{Section, Value};
use super::settings::{ContentForm, WebhookSecret, WebhookSettings};
use super::source::read_bytes;
use super::units;
use crate::message::{Format, Template, template};
use ipnet::IpNet;
use secrecy::ExposeSecret as _;
use url::Url;

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
    pause_after: Duration,
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
            pause_after: DAY * 5,
        }
    }

    pub(super) fn refined(&self, section: &Section<'_>) -> Self {
        let concurrency = section.count("concurrency", 1..=1000).and_then(|n| usize::try_from(n).ok());
        Self {
            retry: retry(section).unwrap_or_else(|| self.retry.clone()),
            timeout: section.duration("timeout", SECOND..=LONGEST).unwrap_or(self.timeout),
            concurrency: concurrency.unwrap_or(self.concurrency),
            // For all of them; a webhook has no such key of its own.
            pause_after: section.duration("pause_after", SECOND..=DAY * 365).unwrap_or(self.pause_after),
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
    let ordering = section.choice("ordering", &[("none", false), ("strict", true)]);
    let max_rate = section.parsed("max_rate", units::rate);
    let reach = reach::refined(section, &Arc::default());
    let format = format(section);
    let name = section.value("name");
    if name.is_none() {
        missing("name", "name = \"desk\"");
    }
    let url = section.value("url");
    if url.is_none() {
        missing("url", "url = \"https://…\"");
    }
    let secrets = section.list("secret", true);
    if secrets.is_none() && matches!(format, Format::Standard) {
        missing("secret", "every call is signed: secret = { env = \"DESK_SECRET\" }");
    }
    let url = url.and_then(|value| published(format, &value, address(&value)?));
    // Chats look at no signature; whoever gives a secret gets one all the same.
    let secrets = secrets.map_or_else(Vec::new, |values| keys(section, &values));
    let name = name.and_then(|value| value.name());
    let (format, url) = url?;
    Some(WebhookSettings {
        name: name?,
        url,
        format,
        secrets,
        headers,
        content: content.unwrap_or(ContentForm::Text),
        on_new,
        on_updated,
        allow_networks,
        retry: refined.retry,
        timeout: refined.timeout,
        concurrency: refined.concurrency,
        pause_after: refined.pause_after,
        strict: ordering.unwrap_or(false),
        max_rate,
        reach,
    })
}

/// With chats the address is the secret, so it is read like one.
fn address(value: &Value<'_>) -> Option<Url> {
    match web_address(secret::read(value)?.expose_secret()) {
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

/// The form of the calls, and the address that goes with it.
fn format(section: &Section<'_>) -> Format {
    let words = [("standard", 0), ("slack", 1), ("discord", 2), ("ntfy", 3), ("template", 4)];
    let chosen = section.choice("format", &words).unwrap_or(0);
    let template = section.value("template");
    if let (Some(value), true) = (&template, chosen != 4) {
        value.refuse::<()>("A template is used with its format only.", Some("format = \"template\"".to_owned()));
    }
    match chosen {
        1 => Format::Slack,
        2 => Format::Discord,
        3 => Format::Ntfy { topic: String::new() },
        4 => match template {
            Some(value) => read_template(section, &value).unwrap_or_default(),
            None => {
                let at = section.value("format").map_or_else(|| section.at(), |value| value.at);
                section.mistake(
                    at,
                    "The format \"template\" needs a `template`.",
                    Some("template = \"teams\", or a file of your own".to_owned()),
                );
                Format::Standard
            }
        },
        _ => Format::Standard,
    }
}

/// A template is read, compiled and tried with the configuration: what is wrong with it is found now.
fn read_template(section: &Section<'_>, value: &Value<'_>) -> Option<Format> {
    let named = value.text()?;
    let path = section.source.folder().join(named);
    let file = || {
        read_bytes(&path, template::MAX_SOURCE_BYTES)
            .and_then(|(bytes, _)| String::from_utf8(bytes).map_err(|_| format!("{} is no text.", path.display())))
    };
    let text = match template::shipped(named).map_or_else(file, |source| Ok(source.to_owned())) {
        Ok(text) => text,
        Err(why) => {
            return value.refuse(why, Some("a file, or one of \"teams\", \"matrix\", \"cloudevents\"".to_owned()));
        }
    };
    match Template::new(named, &text) {
        Ok(template) => Some(Format::Template(Arc::new(template))),
        Err(mistake) => value.refuse(format!("`template`: {mistake}."), None),
    }
}

/// ntfy takes JSON at its root: the topic of the address goes into the message.
fn published(format: Format, url: &Value<'_>, address: Url) -> Option<(Format, Url)> {
    if !matches!(format, Format::Ntfy { .. }) {
        return Some((format, address));
    }
    let (root, topic) = address.path().trim_end_matches('/').rsplit_once('/').unwrap_or_default();
    let (root, topic) = (format!("{root}/"), topic.to_owned());
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if topic.is_empty() || topic.len() > 64 || !topic.chars().all(good) {
        return url.refuse("An ntfy address ends in a topic.", Some("url = \"https://ntfy.sh/my-topic\"".to_owned()));
    }
    let mut address = address;
    address.set_path(&root);
    Some((Format::Ntfy { topic }, address))
}
