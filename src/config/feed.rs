//! `[[feed]]` and `[[subscriptions]]`.

use std::borrow::Borrow;
use std::fmt::Write as _;
use std::hash::Hash;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use foldhash::{HashSet, HashSetExt as _};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::headers;
use super::keys::Table;
use super::opml::{self, List, Outline};
use super::reach;
use super::secret;
use super::section::{Section, Value};
use super::server;
use super::settings::{Access, Auth, FeedSettings, Keep, Origin, Terms};
use super::source::{MAX_FILE_BYTES, read_bytes};
use crate::domain::address::Address;
use crate::domain::feed::{Dedupe, IdPolicy};
use crate::domain::name::Name;
use crate::identity::canonical;
use crate::query::syntax::Query;
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

/// What says nothing of how a feed is followed.
const PLAIN: &[&str] = &["url", "name", "title", "tags"];

/// What a feed has unless it says otherwise.
#[derive(Clone)]
pub(super) struct Defaults {
    tags: Vec<String>,
    terms: Arc<Terms>,
    pub(super) access: Arc<Access>,
}

impl Defaults {
    /// Those of a configuration that says nothing. `None` cannot happen: the schedule is ours.
    pub(super) fn shipped(keep: Keep) -> Option<Self> {
        let terms = Terms {
            // Each feed has its own.
            origin: Origin::Table(Path::new("").into()),
            schedule: Timing::Cron(Schedule::parse("0 * * * *").ok()?),
            timezone: Tz::UTC,
            spread: true,
            min_interval: Duration::from_secs(900),
            keep,
            first_import_notifies: false,
            timeout: Duration::from_secs(30),
            max_body_bytes: 10_000_000,
            enabled: true,
            private: false,
            keep_parameters: Vec::new(),
            drop_parameters: Vec::new(),
            id_policy: None,
            dedupe: Dedupe::default(),
            ignore: None,
        };
        Some(Self { tags: Vec::new(), terms: terms.into(), access: Arc::default() })
    }

    /// Those of feeds that are written there.
    pub(super) fn of(&self, origin: Origin) -> Self {
        Self { terms: Arc::new(Terms { origin, ..self.terms.as_ref().clone() }), ..self.clone() }
    }

    /// What the keys of a section make of these. In `[poll]` they are the defaults of all.
    pub(super) fn refined(&self, section: &Section<'_>) -> Self {
        let tags = self.tags.iter().cloned().chain(tags(section)).collect();
        // Most feeds of a long list.
        if section.has_only(PLAIN) {
            return Self { tags, ..self.clone() };
        }
        let terms = refined_terms(&self.terms, section).into();
        Self { tags, terms, access: refined_access(&self.access, section) }
    }
}

fn refined_terms(from: &Terms, section: &Section<'_>) -> Terms {
    let identity = section.inner("identity", Table::FeedIdentity);
    let parameters = |key| identity.as_ref().and_then(|section| parameters(section, key));
    let own = section.value("schedule").map(|value| schedule(&value));
    let spread = section.flag("spread");
    Terms {
        origin: from.origin.clone(),
        // A feed's own schedule is exact unless it says otherwise; [poll] sets the default for both, and a list
        // of subscriptions is not polled all at once.
        spread: spread.unwrap_or(from.spread && (own.is_none() || section.table != Table::Feed)),
        schedule: own.flatten().unwrap_or_else(|| from.schedule.clone()),
        timezone: section.parsed("timezone", zone).unwrap_or(from.timezone),
        min_interval: section.duration("min_interval", SECOND..=YEAR).unwrap_or(from.min_interval),
        keep: server::keep(section).unwrap_or(from.keep),
        first_import_notifies: section
            .choice("first_import", &[("quiet", false), ("notify", true)])
            .unwrap_or(from.first_import_notifies),
        timeout: section.duration("timeout", SECOND..=LONGEST).unwrap_or(from.timeout),
        max_body_bytes: section.size("max_body", 1000..=MAX_BODY).unwrap_or(from.max_body_bytes),
        enabled: section.flag("enabled").unwrap_or(from.enabled),
        private: section.flag("private").unwrap_or(from.private),
        keep_parameters: parameters("keep").unwrap_or_else(|| from.keep_parameters.clone()),
        drop_parameters: parameters("drop").unwrap_or_else(|| from.drop_parameters.clone()),
        id_policy: identity.as_ref().and_then(|section| section.choice("id", ID)).unwrap_or(from.id_policy),
        dedupe: identity.as_ref().and_then(|section| section.choice("dedupe", DEDUPE)).unwrap_or(from.dedupe),
        ignore: section.value("ignore").map_or_else(|| from.ignore.clone(), |value| ignore(&value)),
    }
}

/// The query of what is not kept.
fn ignore(value: &Value<'_>) -> Option<Query> {
    let text = value.text()?;
    let read = Query::parse(text).and_then(|query| query.stream_age().map(|age| (query, age)));
    match read {
        Ok((_, Some(_))) => value.refuse(
            "`ignore` cannot look at ages: an entry is judged when it comes.",
            Some("use `before:` with a date".to_owned()),
        ),
        Ok((query, None)) if query.is_everything() => {
            value.refuse("This `ignore` would keep nothing.", Some("enabled = false".to_owned()))
        }
        Ok((query, None)) => Some(query),
        Err(e) => value.refuse_inner(&e.at, format!("`ignore` cannot be read: {}", e.message), e.hint),
    }
}

fn refined_access(from: &Arc<Access>, section: &Section<'_>) -> Arc<Access> {
    let user_agent = section.value("user_agent").and_then(|v| headers::value(&v));
    let auth = auth(section);
    let headers = headers::read(section, headers::FEED_REFUSED);
    let cookies = section.value("cookies").and_then(|value| secret::read(&value));
    let reach = reach::refined(section, &from.reach);
    let nothing = user_agent.is_none() && auth.is_none() && headers.is_none() && cookies.is_none();
    if nothing && Arc::ptr_eq(&reach, &from.reach) {
        return Arc::clone(from);
    }
    Arc::new(Access {
        user_agent: user_agent.or_else(|| from.user_agent.clone()),
        auth: auth.or_else(|| from.auth.clone()),
        headers: headers.unwrap_or_else(|| from.headers.clone()),
        cookies: cookies.or_else(|| from.cookies.clone()),
        reach,
    })
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

/// The feeds that were read. Of tags and terms that are equal, one is kept.
#[derive(Default)]
pub(super) struct Drafts {
    feeds: Vec<FeedSettings>,
    /// Where each stands, in the same order.
    places: Vec<Place>,
    tags: HashSet<Arc<[String]>>,
    terms: HashSet<Arc<Terms>>,
}

/// Where a feed stands.
struct Place {
    /// The place of its file in the list of files, and of its URL there; `None` for one of a list.
    url: Option<(usize, Range<usize>)>,
    /// Of its name; `None` if it was given none.
    name: Option<Range<usize>>,
}

impl Drafts {
    /// One that is called by its host and path until its name is settled, if it has none.
    fn add(
        &mut self,
        (url, name): (Url, Option<Name>),
        title: Option<&str>,
        from: Defaults,
        inside: Option<Auth>,
        place: Place,
    ) {
        let access = match inside {
            None => from.access,
            auth => Arc::new(Access { auth, ..from.access.as_ref().clone() }),
        };
        let before = self.feeds.last().map(|feed| &feed.terms).filter(|terms| Arc::ptr_eq(terms, &from.terms));
        let terms = before.cloned().unwrap_or_else(|| one_of(&mut self.terms, from.terms));
        self.feeds.push(FeedSettings {
            name: name.unwrap_or_else(|| derived(&url)),
            url: url.into(),
            title: title.map(Into::into),
            tags: one_of(&mut self.tags, from.tags),
            terms,
            access,
        });
        self.places.push(place);
    }
}

/// The one that is known already, if it is equal.
fn one_of<T: Eq + Hash + ?Sized>(known: &mut HashSet<Arc<T>>, new: impl Borrow<T> + Into<Arc<T>>) -> Arc<T> {
    if let Some(one) = known.get(new.borrow()) {
        return Arc::clone(one);
    }
    let new = new.into();
    known.insert(Arc::clone(&new));
    new
}

/// Reads a `[[feed]]`; `defaults` are those of its file. `file` is the place of its source in the list of files.
pub(super) fn read(section: &Section<'_>, defaults: &Defaults, file: usize, drafts: &mut Drafts) -> Option<()> {
    let refined = defaults.refined(section);
    let name = section.value("name");
    // Of a wrong one is complained where it is asked for.
    let name = name.and_then(|value| value.name().map(|name| (name, value.at)));
    let (name, name_at) = name.unzip();
    let Some(url) = section.value("url") else {
        section.mistake(section.at(), "This feed has no `url`.", Some("url = \"https://…\"".to_owned()));
        return None;
    };
    let address = url.text()?;
    let (address, inside) = match web_address(address) {
        Ok(address) => split_auth(address),
        Err(why) => return url.refuse(format!("`url` cannot be a feed: {why}."), None),
    };
    if inside.is_some() && refined.access.auth.is_some() {
        return url
            .refuse("The feed has credentials in its URL and beside it.", Some("take them out of the URL".to_owned()));
    }
    let place = Place { url: Some((file, url.at)), name: name_at };
    drafts.add((address, name), section.text("title"), refined, inside, place);
    Some(())
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
pub(super) fn subscriptions(section: &Section<'_>, defaults: &Defaults, drafts: &mut Drafts) -> Option<()> {
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
    let refined = refined.of(Origin::List(path.as_path().into()));
    for Outline { url, title, tags } in outlines {
        match web_address(&url) {
            Ok(address) => {
                let (address, inside) = split_auth(address);
                let mut from = refined.clone();
                from.tags.extend(tags);
                let place = Place { url: None, name: None };
                drafts.add((address, None), title.as_deref(), from, inside, place);
            }
            Err(why) => {
                let shown = super::source::quoted(&url);
                value.refuse::<()>(format!("{}: {shown} cannot be a feed: {why}.", path.display()), None);
            }
        }
    }
    Some(())
}

/// Names all feeds, and says which names and URLs stand twice, by the number of the file and the place in it.
pub(super) fn finish(drafts: Drafts, complain: impl Fn(usize, Range<usize>, String)) -> Vec<FeedSettings> {
    let Drafts { mut feeds, mut places, .. } = drafts;
    once_each(&mut feeds, &mut places, &complain);
    let mut named: HashSet<Name> = HashSet::new();
    for (feed, place) in feeds.iter().zip(&places) {
        if let (Some((file, _)), Some(at)) = (&place.url, &place.name)
            && !named.insert(feed.name.clone())
        {
            complain(*file, at.clone(), format!("There is another feed named `{}`.", feed.name));
        }
    }
    let unnamed = feeds.iter_mut().zip(&places).filter(|(_, place)| place.name.is_none());
    let mut unnamed: Vec<&mut FeedSettings> = unnamed.map(|(feed, _)| feed).collect();
    let plain: Vec<Name> = unnamed.iter().map(|feed| feed.name.clone()).collect();
    // Six digits of the hash tell a few apart; among a hundred thousand some still meet, and get more.
    for digits in [6, 16] {
        let contested = contested(unnamed.iter().map(|feed| &feed.name), &named);
        if contested.is_empty() {
            break;
        }
        for (feed, plain) in unnamed.iter_mut().zip(&plain) {
            if contested.contains(&feed.name) {
                feed.name = with_hash(plain, &feed.url, digits);
            }
        }
    }
    feeds
}

/// Those of the names that stand twice, or that a feed was given.
fn contested<'a>(names: impl ExactSizeIterator<Item = &'a Name>, given: &HashSet<Name>) -> HashSet<Name> {
    let mut seen: HashSet<&Name> = HashSet::with_capacity(names.len());
    names.filter(|name| given.contains(name) || !seen.insert(name)).cloned().collect()
}

/// A URL stands once: one that is written out wins over one of a list.
fn once_each(feeds: &mut Vec<FeedSettings>, places: &mut Vec<Place>, complain: &impl Fn(usize, Range<usize>, String)) {
    let mut seen: HashSet<&Address> = HashSet::with_capacity(feeds.len());
    for (feed, place) in feeds.iter().zip(&*places) {
        if let Some((file, at)) = &place.url
            && !seen.insert(&feed.url)
        {
            complain(*file, at.clone(), "There is another feed with this URL.".to_owned());
        }
    }
    let both = feeds.iter().zip(&*places);
    let stays: Vec<bool> = both.map(|(feed, place)| place.url.is_some() || seen.insert(&feed.url)).collect();
    let mut next = stays.iter();
    feeds.retain(|_| next.next() == Some(&true));
    let mut next = stays.iter();
    places.retain(|_| next.next() == Some(&true));
}

/// Host and path words.
fn derived(url: &Url) -> Name {
    let host = url.host_str().unwrap_or_default();
    let host = host.strip_prefix("www.").unwrap_or(host);
    Name::slug(&[host, url.path()].concat())
}

fn with_hash(name: &Name, url: &Address, digits: usize) -> Name {
    let mut text: String = name.as_str().chars().take(62 - digits).collect();
    text.push('-');
    for byte in Sha256::digest(url.as_str().as_bytes()).iter().take(digits / 2) {
        let _ = write!(text, "{byte:02x}");
    }
    Name::slug(&text)
}
