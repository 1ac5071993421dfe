//! The words that sequences are written in. See the parent module.

use std::fmt::Write as _;
use std::sync::LazyLock;
use std::time::Duration;

use feedmill::domain::time::{Clock as _, SystemClock, Timestamp};

/// No wish about this count.
pub(super) const ANY: usize = usize::MAX;

/// The day that is called 150. Fixed for the run: a date must not move between two loads by itself.
static TODAY: LazyLock<Timestamp> = LazyLock::new(|| Timestamp::from_secs(SystemClock.now().as_secs()));

/// Loads of feeds, and what is wanted after each.
pub(super) struct Sequence {
    pub(super) name: &'static str,
    /// Feeds by name, and lines of configuration for each.
    pub(super) feeds: Vec<(&'static str, String)>,
    pub(super) steps: Vec<(Vec<(&'static str, Document)>, Want)>,
}

impl Sequence {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, feeds: Vec::new(), steps: Vec::new() }
    }

    /// Lines for a `[[feed]]`.
    pub(super) fn feed(mut self, name: &'static str, config: &str) -> Self {
        self.feeds.push((name, config.to_owned()));
        self
    }

    /// One step.
    pub(super) fn load(mut self, documents: impl Into<Load>, want: Want) -> Self {
        let Load(documents) = documents.into();
        for (feed, _) in &documents {
            if !self.feeds.iter().any(|(known, _)| known == feed) {
                self.feeds.push((feed, String::new()));
            }
        }
        self.feeds.sort();
        self.steps.push((documents, want));
        self
    }
}

/// What feeds say from now on.
pub(super) struct Load(Vec<(&'static str, Document)>);

impl<const N: usize> From<[E; N]> for Load {
    fn from(entries: [E; N]) -> Self {
        Self(vec![("a", rss(entries))])
    }
}

impl From<Vec<E>> for Load {
    fn from(entries: Vec<E>) -> Self {
        Self(vec![("a", rss(entries))])
    }
}

impl From<Document> for Load {
    fn from(document: Document) -> Self {
        Self(vec![("a", document)])
    }
}

impl<const N: usize> From<[(&'static str, Document); N]> for Load {
    fn from(documents: [(&'static str, Document); N]) -> Self {
        Self(documents.into())
    }
}

/// A form of documents.
#[derive(Clone, Copy)]
enum Form {
    Rss,
    Atom,
    Broken,
}

/// What a feed says.
#[derive(Clone)]
pub(super) struct Document {
    form: Form,
    home: String,
    entries: Vec<E>,
}

/// An RSS document.
pub(super) fn rss(entries: impl IntoIterator<Item = E>) -> Document {
    Document { form: Form::Rss, home: "{h}/".to_owned(), entries: entries.into_iter().collect() }
}

/// An Atom document.
pub(super) fn atom(entries: impl IntoIterator<Item = E>) -> Document {
    Document { form: Form::Atom, ..rss(entries) }
}

/// An error page that says 200.
pub(super) fn broken() -> Document {
    Document { form: Form::Broken, ..rss([]) }
}

impl Document {
    /// The site's page.
    pub(super) fn home(mut self, url: &str) -> Self {
        url.clone_into(&mut self.home);
        self
    }

    /// The bytes. `load` makes those of each load others, so that none is taken for unchanged at first sight.
    pub(super) fn render(&self, load: usize) -> String {
        let (home, entries) = (escape(&self.home), &self.entries);
        match self.form {
            Form::Broken => format!("<!doctype html><title>Sorry {load}</title><p>We are back soon."),
            Form::Rss => {
                let rows: String = entries.iter().map(E::rss).collect();
                format!(
                    "<rss version=\"2.0\" xmlns:feedburner=\"http://rssnamespace.org/feedburner/ext/1.0\"><channel>\
                     <title>Feed</title><link>{home}</link><!-- {load} -->\n{rows}</channel></rss>"
                )
            }
            Form::Atom => {
                let rows: String = entries.iter().map(E::atom).collect();
                format!(
                    "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>Feed</title><id>urn:feed:{{n}}</id>\
                     <link href=\"{home}\"/><!-- {load} -->\n{rows}</feed>"
                )
            }
        }
    }
}

/// An entry of a document. What is `None` is not in it.
#[derive(Clone)]
pub(super) struct E {
    guid: Option<String>,
    permalink: Option<bool>,
    link: Option<String>,
    title: Option<String>,
    html: Option<String>,
    published: Option<When>,
    updated: Option<i64>,
    enclosure: Option<String>,
    orig_link: Option<String>,
}

#[derive(Clone)]
enum When {
    Day(i64),
    Text(String),
}

/// An entry with everything; guid, link and text follow from the title.
pub(super) fn e(title: &str) -> E {
    let slug = title.to_lowercase().replace(' ', "-");
    E {
        guid: Some(format!("g-{slug}")),
        permalink: Some(false),
        link: Some(format!("{{h}}/{slug}")),
        title: Some(title.to_owned()),
        html: Some(words(title, 60)),
        published: Some(When::Day(1)),
        updated: None,
        enclosure: None,
        orig_link: None,
    }
}

/// So many entries: `stem 1` … Document order: the newest first, `stem n` published on day `first_day + n - 1`.
pub(super) fn many(stem: &str, count: i64, first_day: i64) -> Vec<E> {
    (1..=count).rev().map(|n| e(&format!("{stem} {n}")).on(first_day + n - 1)).collect()
}

/// Each entry changed.
pub(super) fn each(entries: Vec<E>, change: impl Fn(E) -> E) -> Vec<E> {
    entries.into_iter().map(change).collect()
}

/// Lists of entries as one.
pub(super) fn together<const N: usize>(lists: [Vec<E>; N]) -> Vec<E> {
    lists.into_iter().flatten().collect()
}

impl E {
    pub(super) fn guid(mut self, guid: &str) -> Self {
        self.guid = Some(guid.to_owned());
        self
    }

    pub(super) fn no_guid(mut self) -> Self {
        self.guid = None;
        self
    }

    /// A guid that is a permalink by its own word; in Atom there is no such thing.
    pub(super) fn permalink(mut self, guid: &str) -> Self {
        self.permalink = Some(true);
        self.guid(guid)
    }

    pub(super) fn link(mut self, link: &str) -> Self {
        self.link = Some(link.to_owned());
        self
    }

    pub(super) fn no_link(mut self) -> Self {
        self.link = None;
        self
    }

    pub(super) fn title(mut self, title: &str) -> Self {
        self.title = Some(title.to_owned());
        self
    }

    pub(super) fn no_title(mut self) -> Self {
        self.title = None;
        self
    }

    /// Sixty words that follow from this seed.
    pub(super) fn text(self, seed: &str) -> Self {
        let text = words(seed, 60);
        self.html(&text)
    }

    /// The description, as HTML.
    pub(super) fn html(mut self, html: &str) -> Self {
        self.html = Some(html.to_owned());
        self
    }

    pub(super) fn no_text(mut self) -> Self {
        self.html = None;
        self
    }

    /// Published on this day.
    pub(super) fn on(mut self, day: i64) -> Self {
        self.published = Some(When::Day(day));
        self
    }

    /// Published at what this says.
    pub(super) fn date(mut self, text: &str) -> Self {
        self.published = Some(When::Text(text.to_owned()));
        self
    }

    pub(super) fn no_date(mut self) -> Self {
        self.published = None;
        self
    }

    /// `atom:updated`.
    pub(super) fn updated(mut self, day: i64) -> Self {
        self.updated = Some(day);
        self
    }

    pub(super) fn enclosure(mut self, url: &str) -> Self {
        self.enclosure = Some(url.to_owned());
        self
    }

    /// `feedburner:origLink`.
    pub(super) fn orig_link(mut self, url: &str) -> Self {
        self.orig_link = Some(url.to_owned());
        self
    }

    /// Other hosts in guid and link: `from` becomes `to`.
    pub(super) fn moved(mut self, from: &str, to: &str) -> Self {
        self.guid = self.guid.map(|guid| guid.replace(from, to));
        self.link = self.link.map(|link| link.replace(from, to));
        self
    }

    fn rss(&self) -> String {
        let mut out = String::from("<item>");
        element(&mut out, "title", self.title.as_deref());
        element(&mut out, "link", self.link.as_deref());
        if let Some(guid) = &self.guid {
            let permalink = self.permalink.map(|is| format!(" isPermaLink=\"{is}\"")).unwrap_or_default();
            let _ = write!(out, "<guid{permalink}>{}</guid>", escape(guid));
        }
        element(&mut out, "description", self.html.as_deref());
        let date = self.published.as_ref().map(|when| when.write(Timestamp::rfc822));
        element(&mut out, "pubDate", date.as_deref());
        element(&mut out, "feedburner:origLink", self.orig_link.as_deref());
        if let Some(url) = &self.enclosure {
            let _ = write!(out, "<enclosure url=\"{}\" type=\"audio/mpeg\" length=\"1000\"/>", escape(url));
        }
        out + "</item>\n"
    }

    fn atom(&self) -> String {
        let mut out = String::from("<entry>");
        element(&mut out, "title", self.title.as_deref());
        element(&mut out, "id", self.guid.as_deref());
        if let Some(link) = &self.link {
            let _ = write!(out, "<link href=\"{}\"/>", escape(link));
        }
        if let Some(html) = &self.html {
            let _ = write!(out, "<content type=\"html\">{}</content>", escape(html));
        }
        let date = self.published.as_ref().map(|when| when.write(Timestamp::rfc3339));
        element(&mut out, "published", date.as_deref());
        element(&mut out, "updated", self.updated.map(|day| on_day(day).rfc3339()).as_deref());
        out + "</entry>\n"
    }
}

impl When {
    fn write(&self, form: fn(Timestamp) -> String) -> String {
        match self {
            Self::Day(day) => form(on_day(*day)),
            Self::Text(text) => text.clone(),
        }
    }
}

fn on_day(day: i64) -> Timestamp {
    const DAY: u64 = 24 * 3600;
    let span = |days: i64| Duration::from_secs(DAY * days.unsigned_abs());
    if day < 150 { TODAY.minus(span(150 - day)) } else { TODAY.plus(span(day - 150)) }
}

fn element(out: &mut String, name: &str, text: Option<&str>) {
    if let Some(text) = text {
        let _ = write!(out, "<{name}>{}</{name}>", escape(text));
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// So many words; others for another seed.
pub(super) fn words(seed: &str, count: usize) -> String {
    const WORDS: [&str; 32] = [
        "harbour", "council", "winter", "engine", "letter", "garden", "signal", "bridge", "market", "silver", "paper",
        "window", "river", "button", "memory", "island", "copper", "ladder", "record", "cotton", "village", "kernel",
        "thunder", "mirror", "pocket", "orange", "planet", "candle", "tunnel", "museum", "falcon", "meadow",
    ];
    let mut state =
        seed.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    let mut out = String::from("On");
    for _ in 1..count {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = usize::try_from(state >> 59).unwrap();
        let _ = write!(out, " {}", WORDS[at]);
    }
    out + "."
}

/// What is wanted after a step.
#[derive(Clone)]
pub(super) struct Want {
    pub(super) items: usize,
    pub(super) new: usize,
    pub(super) updated: usize,
    pub(super) rest: Vec<Wish>,
}

/// What is wanted of one story, by its title, or of all.
#[derive(Clone)]
pub(super) enum Wish {
    Titles(Vec<String>),
    Revision(String, u64),
    Link(String, Option<String>),
    SeenIn(String, Vec<String>),
    MainFeed(String, String),
    Says(String, String),
    Same(String, String),
}

/// Items in the store, calls about new ones, calls about updated ones: all since the sequence began.
pub(super) fn want(items: usize, new: usize, updated: usize) -> Want {
    Want { items, new, updated, rest: Vec::new() }
}

impl Want {
    fn and(mut self, wish: Wish) -> Self {
        self.rest.push(wish);
        self
    }

    /// All titles, in any order.
    pub(super) fn titles<const N: usize>(self, titles: [&str; N]) -> Self {
        let mut titles: Vec<String> = titles.iter().map(|&title| title.to_owned()).collect();
        titles.sort();
        self.and(Wish::Titles(titles))
    }

    pub(super) fn revision(self, title: &str, revision: u64) -> Self {
        self.and(Wish::Revision(title.to_owned(), revision))
    }

    pub(super) fn link(self, title: &str, link: &str) -> Self {
        self.and(Wish::Link(title.to_owned(), Some(link.to_owned())))
    }

    pub(super) fn no_link(self, title: &str) -> Self {
        self.and(Wish::Link(title.to_owned(), None))
    }

    /// The feeds that carried it.
    pub(super) fn seen_in<const N: usize>(self, title: &str, feeds: [&str; N]) -> Self {
        self.and(Wish::SeenIn(title.to_owned(), feeds.iter().map(|&feed| feed.to_owned()).collect()))
    }

    /// The feed that it is published from.
    pub(super) fn main_feed(self, title: &str, feed: &str) -> Self {
        self.and(Wish::MainFeed(title.to_owned(), feed.to_owned()))
    }

    /// A part of its text.
    pub(super) fn says(self, title: &str, part: &str) -> Self {
        self.and(Wish::Says(title.to_owned(), part.to_owned()))
    }

    /// The story that has this title has the id of the one that had that title.
    pub(super) fn same(self, title: &str, former: &str) -> Self {
        self.and(Wish::Same(title.to_owned(), former.to_owned()))
    }
}
