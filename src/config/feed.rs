//! `[[feed]]` and `[[subscriptions]]`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::headers;
use super::keys::Table;
use super::opml::{self, List, Outline};
use super::secret;
use super::section::{Section, Value};
use super::server;
use super::settings::{Auth, FeedSettings, Keep, Origin};
use super::source::{MAX_FILE_BYTES, read_bytes};
use crate::domain::feed::{Dedupe, IdPolicy};
use crate::domain::name::Name;
use crate::identity::canonical;
use crate::schedule::cron::{Schedule, Timing};

const YEAR: Duration = Duration::from_secs(366 * 86_400);
const SECOND: Duration = Duration::from_secs(1);
/// No poll takes longer than this.
const LONGEST: Duration = Duration::from_secs(300);
const MAX_BODY: u64 = 100_000_000;

/// `[feed.identity] id`.
const ID: &[(&str, Option<IdPolicy>)] = &[
    ("auto", None),
    ("guid", Some(IdPolicy::Guid)),
    ("link", Some(IdPolicy::Link)),
    ("content", Some(IdPolicy::Content)),
];
/// `[feed.identity] dedupe`.
const DEDUPE: &[(&str, Dedupe)] = &[("global", Dedupe::Global), ("feed", Dedupe::Feed), ("off", Dedupe::Off)];

/// What a feed has unless it says otherwise.
#[derive(Clone)]
pub(super) struct Defaults {
    pub(super) schedule: Timing,
    pub(super) timezone: Tz,
    pub(super) spread: bool,
    pub(super) min_interval: Duration,
    pub(super) keep: Keep,
    pub(super) first_import_notifies: bool,
    pub(super) timeout: Duration,
    pub(super) max_body_bytes: u64,
    pub(super) enabled: bool,
    pub(super) tags: Vec<String>,
    pub(super) user_agent: Option<String>,
    pub(super) auth: Option<Auth>,
    pub(super) headers: BTreeMap<String, SecretString>,
    pub(super) cookies: Option<SecretString>,
    pub(super) keep_parameters: Vec<String>,
    pub(super) drop_parameters: Vec<String>,
    pub(super) id_policy: Option<IdPolicy>,
    pub(super) dedupe: Dedupe,
}

impl Defaults {
    /// Those of a configuration that says nothing. `None` cannot happen: the schedule is ours.
    pub(super) fn shipped() -> Option<Self> {
        Some(Self {
            schedule: Timing::Cron(Schedule::parse("0 * * * *").ok()?),
            timezone: Tz::UTC,
            spread: true,
            min_interval: Duration::from_secs(900),
            keep: Keep::Forever,
            first_import_notifies: false,
            timeout: Duration::from_secs(30),
            max_body_bytes: 10_000_000,
            enabled: true,
            tags: Vec::new(),
            user_agent: None,
            auth: None,
            headers: BTreeMap::new(),
            cookies: None,
            keep_parameters: Vec::new(),
            drop_parameters: Vec::new(),
            id_policy: None,
            dedupe: Dedupe::default(),
        })
    }

    /// What the keys of a section make of these. In `[poll]` they are the defaults of all.
    pub(super) fn refined(&self, section: &Section<'_>) -> Self {
        let identity = section.inner("identity", Table::FeedIdentity);
        let parameters = |key| identity.as_ref().and_then(|section| parameters(section, key));
        let own = section.value("schedule").map(|value| schedule(&value));
        let spread = section.flag("spread");
        Self {
            // A feed's own schedule is exact unless it says otherwise; [poll] sets the default for both, and a list
            // of subscriptions is not polled all at once.
            spread: spread.unwrap_or(self.spread && (own.is_none() || section.table != Table::Feed)),
            schedule: own.flatten().unwrap_or_else(|| self.schedule.clone()),
            timezone: section.parsed("timezone", zone).unwrap_or(self.timezone),
            min_interval: section.duration("min_interval", SECOND..=YEAR).unwrap_or(self.min_interval),
            keep: server::keep(section).unwrap_or(self.keep),
            first_import_notifies: section
                .choice("first_import", &[("quiet", false), ("notify", true)])
                .unwrap_or(self.first_import_notifies),
            timeout: section.duration("timeout", SECOND..=LONGEST).unwrap_or(self.timeout),
            max_body_bytes: section.size("max_body", 1000..=MAX_BODY).unwrap_or(self.max_body_bytes),
            enabled: section.flag("enabled").unwrap_or(self.enabled),
            tags: self.tags.iter().cloned().chain(tags(section)).collect(),
            user_agent: section
                .value("user_agent")
                .and_then(|v| headers::value(&v))
                .or_else(|| self.user_agent.clone()),
            auth: auth(section).or_else(|| self.auth.clone()),
            headers: headers::read(section, headers::FEED_REFUSED).unwrap_or_else(|| self.headers.clone()),
            cookies: section.value("cookies").and_then(|value| secret::read(&value)).or_else(|| self.cookies.clone()),
            keep_parameters: parameters("keep").unwrap_or_else(|| self.keep_parameters.clone()),
            drop_parameters: parameters("drop").unwrap_or_else(|| self.drop_parameters.clone()),
            id_policy: identity.as_ref().and_then(|section| section.choice("id", ID)).unwrap_or(self.id_policy),
            dedupe: identity.as_ref().and_then(|section| section.choice("dedupe", DEDUPE)).unwrap_or(self.dedupe),
        }
    }
}

fn zone(text: &str) -> Result<Tz, String> {
    text.parse::<Tz>().map_err(|_| {
        let near = super::keys::nearest(text, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()));
        near.map_or_else(
            || "it is no IANA time zone such as Europe/Berlin".to_owned(),
            |near| format!("there is no such time zone; did you mean \"{near}\"?"),
        )
    })
}

fn schedule(value: &Value<'_>) -> Option<Timing> {
    let text = value.text()?;
    if text.trim() == "auto" {
        return Some(Timing::Auto);
    }
    match Schedule::parse(text) {
        Ok(schedule) => Some(Timing::Cron(schedule)),
        Err(e) => value.refuse_inner(&e.at, format!("The schedule is wrong: {}.", e.message), e.hint),
    }
}

/// Names of parameters; `name*` is a beginning.
fn parameters<'a>(section: &Section<'a>, key: &'a str) -> Option<Vec<String>> {
    let name = |value: Value<'_>| {
        let text = value.text()?.trim();
        match canonical::check_name(text) {
            Ok(()) => Some(text.to_owned()),
            Err(why) => value.refuse(why, Some("for example \"ref\", or \"ref_*\" for all that begin so".to_owned())),
        }
    };
    Some(section.list(key, true)?.into_iter().filter_map(name).collect())
}

fn tags(section: &Section<'_>) -> Vec<String> {
    let values = section.list("tags", false).unwrap_or_default();
    let tag = |value: Value<'_>| {
        let text = value.text()?.trim();
        let fits = !text.is_empty() && text.len() <= 100 && !text.chars().any(char::is_control);
        if fits { Some(text.to_owned()) } else { value.refuse("A tag is a short word or two.", None) }
    };
    values.into_iter().filter_map(tag).collect()
}

fn auth(section: &Section<'_>) -> Option<Auth> {
    let bearer = section.value("bearer");
    let (user, password) = (section.value("username"), section.value("password"));
    match (bearer, user, password) {
        (None, None, None) => None,
        (Some(bearer), None, None) => secret::read(&bearer).map(Auth::Bearer),
        (None, Some(user), password) => {
            let username = user.text()?.to_owned();
            let password = password.map_or_else(|| Some(SecretString::default()), |value| secret::read(&value))?;
            if username.contains(':') {
                return user.refuse("A user name cannot have a colon (RFC 7617 2).", None);
            }
            Some(Auth::Basic { username, password })
        }
        (None, None, Some(password)) => password.refuse("There is a password without a `username`.", None),
        (Some(bearer), ..) => bearer.refuse("A feed has either `bearer` or `username` and `password`.", None),
    }
}

/// A feed that was read, its name still to be settled.
pub(super) struct Draft {
    name: Option<Name>,
    settings: FeedSettings,
    /// Where its URL and its name stand; `None` for one of a list.
    url_at: Option<(usize, Range<usize>)>,
    name_at: Option<Range<usize>>,
}

/// Reads a `[[feed]]`. `file` is the place of its source in the list of files.
pub(super) fn read(section: &Section<'_>, defaults: &Defaults, file: usize) -> Option<Draft> {
    let refined = defaults.refined(section);
    let name = section.value("name");
    let name_at = name.as_ref().map(|value| value.at.clone());
    let wrong_name = name.as_ref().is_some_and(|value| value.name().is_none());
    let name = name.filter(|_| !wrong_name).and_then(|value| Name::parse(value.text()?));
    let Some(url) = section.value("url") else {
        section.mistake(section.at(), "This feed has no `url`.", Some("url = \"https://…\"".to_owned()));
        return None;
    };
    let address = url.text()?;
    let (address, inside) = match web_address(address) {
        Ok(address) => split_auth(address),
        Err(why) => return url.refuse(format!("`url` cannot be a feed: {why}."), None),
    };
    if inside.is_some() && refined.auth.is_some() {
        return url
            .refuse("The feed has credentials in its URL and beside it.", Some("take them out of the URL".to_owned()));
    }
    let title = section.text("title").map(str::to_owned);
    let origin = Origin::Table(section.source.path.as_path().into());
    let settings = settle(address, title, refined, inside, origin);
    Some(Draft { name, settings, url_at: Some((file, url.at)), name_at })
}

fn settle(url: Url, title: Option<String>, from: Defaults, inside: Option<Auth>, origin: Origin) -> FeedSettings {
    FeedSettings {
        origin,
        name: derived(&url),
        url,
        title,
        tags: from.tags,
        enabled: from.enabled,
        schedule: from.schedule,
        timezone: from.timezone,
        spread: from.spread,
        min_interval: from.min_interval,
        keep: from.keep,
        first_import_notifies: from.first_import_notifies,
        timeout: from.timeout,
        max_body_bytes: from.max_body_bytes,
        user_agent: from.user_agent,
        auth: inside.or(from.auth),
        headers: from.headers,
        cookies: from.cookies,
        keep_parameters: from.keep_parameters,
        drop_parameters: from.drop_parameters,
        id_policy: from.id_policy,
        dedupe: from.dedupe,
    }
}

/// An http or https URL.
///
/// # Errors
/// A part of a sentence that says why it is none.
pub fn web_address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text.trim()).map_err(|e| e.to_string())?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(format!("{other}: is neither http nor https")),
    }
}

/// Takes credentials out of a URL: it is shown, they are not.
#[must_use]
pub fn split_auth(mut url: Url) -> (Url, Option<Auth>) {
    if url.username().is_empty() && url.password().is_none() {
        return (url, None);
    }
    let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let auth =
        Auth::Basic { username: decode(url.username()), password: decode(url.password().unwrap_or_default()).into() };
    // Both work for every http and https URL.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    (url, Some(auth))
}

/// Reads a `[[subscriptions]]`.
pub(super) fn subscriptions(section: &Section<'_>, defaults: &Defaults, drafts: &mut Vec<Draft>) -> Option<()> {
    let refined = defaults.refined(section);
    let Some(value) = section.value("opml") else {
        section.mistake(
            section.at(),
            "These subscriptions have no `opml`.",
            Some("opml = \"subscriptions.opml\"".to_owned()),
        );
        return None;
    };
    let path = section.source.folder().join(value.text()?);
    let list = match read_bytes(&path, MAX_FILE_BYTES) {
        Ok((bytes, _)) => opml::read(&opml::decode(&bytes)),
        Err(why) => return value.refuse(why, None),
    };
    let outlines = match list {
        Ok(List { outlines, .. }) => outlines,
        Err(why) => return value.refuse(format!("{} cannot be read: {why}.", path.display()), None),
    };
    let origin = Origin::List(path.as_path().into());
    for Outline { url, title, tags } in outlines {
        match web_address(&url) {
            Ok(address) => {
                let (address, inside) = split_auth(address);
                let mut from = refined.clone();
                from.tags.extend(tags);
                let settings = settle(address, title, from, inside, origin.clone());
                drafts.push(Draft { name: None, settings, url_at: None, name_at: None });
            }
            Err(why) => {
                let shown = super::source::quoted(&url);
                value.refuse::<()>(format!("{}: {shown} cannot be a feed: {why}.", path.display()), None);
            }
        }
    }
    Some(())
}

/// Names all feeds, and says which names and URLs stand twice. `sections` finds the file of a draft.
pub(super) fn finish(drafts: Vec<Draft>, complain: impl Fn(usize, Range<usize>, String)) -> Vec<Arc<FeedSettings>> {
    let mut drafts = once_each(drafts, &complain);
    let mut named: HashSet<Name> = HashSet::new();
    for draft in &drafts {
        if let (Some(name), Some((file, _)), Some(at)) = (&draft.name, &draft.url_at, &draft.name_at)
            && !named.insert(name.clone())
        {
            complain(*file, at.clone(), format!("There is another feed named `{name}`."));
        }
    }
    let derived: Vec<Name> = drafts.iter().map(|draft| draft.settings.name.clone()).collect();
    let unnamed = |draft: &Draft| draft.name.is_none();
    // Six digits of the hash tell a few apart; among a hundred thousand some still meet, and get more.
    for digits in [6, 16] {
        let wanted = counted(drafts.iter().filter(|draft| unnamed(draft)).map(|draft| &draft.settings.name));
        for (draft, plain) in drafts.iter_mut().zip(&derived).filter(|(draft, _)| unnamed(draft)) {
            let name = &draft.settings.name;
            if wanted.get(name).is_some_and(|count| *count > 1) || named.contains(name) {
                draft.settings.name = with_hash(plain, &draft.settings.url, digits);
            }
        }
    }
    for draft in &mut drafts {
        if let Some(name) = draft.name.take() {
            draft.settings.name = name;
        }
    }
    drafts.into_iter().map(|draft| Arc::new(draft.settings)).collect()
}

/// A URL stands once: one that is written out wins over one of a list.
fn once_each(mut drafts: Vec<Draft>, complain: &impl Fn(usize, Range<usize>, String)) -> Vec<Draft> {
    let mut seen: HashSet<Url> = HashSet::new();
    for draft in &drafts {
        if let Some((file, at)) = &draft.url_at
            && !seen.insert(draft.settings.url.clone())
        {
            complain(*file, at.clone(), "There is another feed with this URL.".to_owned());
        }
    }
    drafts.retain(|draft| draft.url_at.is_some() || seen.insert(draft.settings.url.clone()));
    drafts
}

/// Host and path words.
fn derived(url: &Url) -> Name {
    let host = url.host_str().unwrap_or_default();
    let host = host.strip_prefix("www.").unwrap_or(host);
    Name::slug(&format!("{host}{}", url.path()))
}

fn with_hash(name: &Name, url: &Url, digits: usize) -> Name {
    let mut text: String = name.as_str().chars().take(62 - digits).collect();
    text.push('-');
    for byte in Sha256::digest(url.as_str().as_bytes()).iter().take(digits / 2) {
        let _ = write!(text, "{byte:02x}");
    }
    Name::slug(&text)
}

fn counted<'a>(names: impl Iterator<Item = &'a Name>) -> HashMap<Name, usize> {
    let mut counts = HashMap::new();
    for name in names {
        *counts.entry(name.clone()).or_default() += 1;
    }
    counts
}
