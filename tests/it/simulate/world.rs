//! Publishers with true stories, and feeds that tell of them, well or badly.

use std::fmt::Write as _;

use feedmill::domain::item::{Entry, Person};
use feedmill::domain::time::Timestamp;
use feedmill::identity::prepare::Texts;

use super::script::{Op, Rng, What};

/// The feeds: three publishers' own, a planet that carries their stories, and a link blog.
pub(super) const FEEDS: usize = 5;
pub(super) const PLANET: usize = 3;
pub(super) const BLOG: usize = 4;

/// One true story: its place in [`World::stories`] is its identity.
#[derive(Clone)]
pub(super) struct Story {
    pub(super) feed: usize,
    n: usize,
    pub(super) title: String,
    pub(super) text: String,
    date: i64,
    /// Edits of its own address and guid.
    slug: u32,
    guid: u32,
    /// What it links to instead of a page of its own: a link blog's.
    page: Option<String>,
}

/// How a feed writes its guids.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Guids {
    Url,
    Urn,
    Permalink,
    Missing,
    Constant,
    Position,
    FromTheEnd,
    Reused,
    Random,
}

pub(super) const GUIDS: [Guids; 9] = [
    Guids::Url,
    Guids::Urn,
    Guids::Permalink,
    Guids::Missing,
    Guids::Constant,
    Guids::Position,
    Guids::FromTheEnd,
    Guids::Reused,
    Guids::Random,
];

/// How it writes its links.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Links {
    Own,
    Tracked,
    /// An unknown parameter, another one at each load.
    Broken,
    /// The first one stands at the address of today, until the next one comes.
    Today,
    Home,
    Page,
    Fragment,
    /// Through a proxy that names the original, and one that does not.
    Proxy,
    /// One proxy for all.
    OneProxy,
    Opaque,
    Missing,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Dates {
    Own,
    Missing,
    Now,
    Jitter,
    Future,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Words {
    Full,
    Short,
    Missing,
}

/// A feed and its habits.
#[derive(Clone)]
pub(super) struct Feed {
    /// What is in its window, in document order.
    pub(super) window: Vec<usize>,
    pub(super) guids: Guids,
    pub(super) links: Links,
    pub(super) dates: Dates,
    pub(super) texts: Words,
    pub(super) titles: bool,
    /// Its site: another number, another name.
    host: u32,
    http: bool,
    www: bool,
    path: u32,
    scheme: u32,
    shift: i64,
    told: usize,
    /// Documents that it served before.
    pub(super) docs: Vec<Document>,
}

/// What a feed says at one load: entries, their plain texts, and which story each tells in truth.
pub(super) type Document = Vec<(Entry, Texts, usize)>;

#[derive(Clone)]
pub(super) struct World {
    pub(super) stories: Vec<Story>,
    pub(super) feeds: Vec<Feed>,
    pub(super) now: Timestamp,
}

const DAY: i64 = 86_400_000;
const MINUTE: i64 = 60_000;

impl World {
    /// A world before the first load. In a `wild` one some feeds are bad from the beginning.
    pub(super) fn new(rng: &mut Rng, wild: bool) -> Self {
        let feed = Feed {
            window: Vec::new(),
            guids: Guids::Urn,
            links: Links::Own,
            dates: Dates::Own,
            texts: Words::Full,
            titles: true,
            host: 0,
            http: false,
            www: false,
            path: 0,
            scheme: 0,
            shift: 0,
            told: 0,
            docs: Vec::new(),
        };
        let now = Timestamp::parse_rfc3339("2026-03-01T12:00:00Z").unwrap();
        let mut world = Self { stories: Vec::new(), feeds: vec![feed; FEEDS], now };
        for index in 0..FEEDS {
            world.feeds[index].guids = rng.pick(&[Guids::Url, Guids::Urn, Guids::Permalink]);
            if wild && rng.chance(50) {
                world.misbehave(index, What::Guids, rng);
            }
            if wild && rng.chance(35) {
                world.misbehave(index, What::Links, rng);
            }
            if index != PLANET {
                for _ in 0..rng.below(9) {
                    let ago = i64::try_from(rng.below(40)).unwrap() * DAY;
                    world.publish(index, ago, rng);
                }
            }
        }
        world
    }

    /// Time goes by.
    pub(super) fn wait(&mut self, minutes: usize) {
        self.now = Timestamp::from_ms(self.now.as_ms() + i64::try_from(minutes).unwrap() * MINUTE);
    }

    fn publish(&mut self, feed: usize, ago: i64, rng: &mut Rng) -> usize {
        let id = self.stories.len();
        let n = self.feeds[feed].told;
        self.feeds[feed].told += 1;
        let text = words(rng, 60);
        let date = (self.now.as_ms() - ago) / 1000 * 1000;
        let page = (feed == BLOG && rng.chance(70)).then(|| match rng.below(3) {
            0 if id > 0 => {
                let about = rng.below(id);
                self.address(about)
            }
            _ => format!("https://report.example/{}", rng.below(4)),
        });
        let title = format!("{} {} {n}", words(rng, 2), ["alpha", "beta", "gamma", "planet", "blog"][feed]);
        self.stories.push(Story { feed, n, title, text, date, slug: 0, guid: 0, page });
        let window = &mut self.feeds[feed].window;
        window.insert(if ago > 0 { window.len() } else { 0 }, id);
        id
    }

    /// A feed of so many stories and nothing else.
    pub(super) fn only(&mut self, feed: usize, count: usize, guids: Guids, links: Links) {
        self.feeds[feed].window.clear();
        for n in 0..count {
            self.publish(feed, i64::try_from(n).unwrap() * DAY, &mut Rng(u64::try_from(n).unwrap()));
        }
        (self.feeds[feed].guids, self.feeds[feed].links) = (guids, links);
    }

    fn site(&self, feed: usize) -> String {
        let it = &self.feeds[feed];
        let (scheme, www) = (if it.http { "http" } else { "https" }, if it.www { "www." } else { "" });
        format!("{scheme}://{www}s{feed}-{}.example", it.host)
    }

    /// The home page that a feed names.
    pub(super) fn home(&self, feed: usize) -> String {
        format!("{}/", self.site(feed))
    }

    /// The true address of a story.
    pub(super) fn address(&self, story: usize) -> String {
        let it = &self.stories[story];
        if let Some(page) = &it.page {
            return page.clone();
        }
        let path = match self.feeds[it.feed].path {
            0 => String::new(),
            n => format!("/v{n}"),
        };
        format!("{}{path}/story-{}-{}", self.site(it.feed), it.n, it.slug)
    }

    /// Another address that leads to a story: a proxy's.
    pub(super) fn proxy(&self, story: usize) -> String {
        format!("https://feedproxy.google.com/~r/s/~3/code{story}x{}", self.stories[story].slug)
    }

    /// One step of the world itself. Loads and what the store does by itself are not its business.
    pub(super) fn step(&mut self, op: Op) {
        let mut rng = Rng(op.seed);
        let feed = op.feed;
        let own = self.feeds[feed].window.first().copied().filter(|_| feed != PLANET);
        let one = own.map(|_| self.feeds[feed].window[rng.below(self.feeds[feed].window.len())]);
        match (op.what, one) {
            (What::Publish, _) if feed != PLANET => {
                for _ in 0..1 + rng.below(3) {
                    self.publish(feed, 0, &mut rng);
                }
            }
            (What::Series, _) if feed != PLANET => {
                let id = self.publish(feed, 0, &mut rng);
                self.stories[id].title = format!("Open thread {feed}");
                if rng.chance(50) {
                    self.stories[id].text = format!("Talk about anything, number {feed}. {}", words(&mut Rng(7), 60));
                }
            }
            (What::Twins, _) if feed != PLANET => {
                let (one, other) = (self.publish(feed, 0, &mut rng), self.publish(feed, 0, &mut rng));
                let Story { title, text, .. } = self.stories[one].clone();
                let twin = &mut self.stories[other];
                (twin.title, twin.text, twin.page) = (title, text, None);
                self.stories[one].page = None;
            }
            (What::Backlog, _) if feed != PLANET => {
                for day in 0..6 + rng.below(10) {
                    self.publish(feed, (100 + i64::try_from(day).unwrap()) * DAY, &mut rng);
                }
            }
            (What::Carry | What::Publish, _) if feed == PLANET => self.carry(&mut rng),
            (What::Drop, _) => {
                let window = &mut self.feeds[feed].window;
                let left = window.len().saturating_sub(1 + rng.below(3));
                window.truncate(left);
            }
            (What::Title, Some(id)) => self.stories[id].title = format!("{} {id}", words(&mut rng, 3)),
            (What::Text, Some(id)) => self.stories[id].text = words(&mut rng, 60),
            (What::Rewrite, Some(id)) => {
                self.stories[id].title = format!("{} {id}", words(&mut rng, 3));
                self.stories[id].text = words(&mut rng, 60);
            }
            (What::Space, Some(id)) => self.stories[id].text = self.stories[id].text.replacen(' ', "\n  ", 2),
            (What::Slug, Some(id)) => self.stories[id].slug += 1,
            (What::Guid, Some(id)) => self.stories[id].guid += 1,
            (What::Move, Some(id)) => {
                self.stories[id].slug += 1;
                self.stories[id].guid += 1;
            }
            (What::Migrate, _) => self.migrate(feed, &mut rng),
            (What::Shuffle, Some(_)) => {
                let window = &mut self.feeds[feed].window;
                let (a, b) = (rng.below(window.len()), rng.below(window.len()));
                window.swap(a, b);
            }
            (What::Guids | What::Links | What::Dates | What::Texts | What::Titles, _) => {
                self.misbehave(feed, op.what, &mut rng);
            }
            _ => {}
        }
        self.feeds[feed].window.truncate(25);
    }

    fn carry(&mut self, rng: &mut Rng) {
        for _ in 0..1 + rng.below(3) {
            let from = rng.below(PLANET);
            let Some(id) = self.feeds[from].window.first().copied() else { continue };
            let window = &mut self.feeds[PLANET].window;
            if !window.contains(&id) {
                window.insert(0, id);
            }
        }
    }

    fn migrate(&mut self, feed: usize, rng: &mut Rng) {
        let it = &mut self.feeds[feed];
        match rng.below(6) {
            0 => it.http = !it.http,
            1 => it.www = !it.www,
            2 => it.host += 1,
            3 => it.path += 1,
            4 => it.scheme += 1,
            _ => {
                it.host += 1;
                it.scheme += 1;
                it.shift += DAY * i64::try_from(rng.below(2)).unwrap();
            }
        }
    }

    fn misbehave(&mut self, feed: usize, how: What, rng: &mut Rng) {
        use Links as L;
        let it = &mut self.feeds[feed];
        match how {
            What::Guids => {
                it.guids = rng.pick(&GUIDS);
            }
            What::Links => {
                it.links = rng.pick(&[
                    L::Own,
                    L::Own,
                    L::Tracked,
                    L::Broken,
                    L::Today,
                    L::Today,
                    L::Home,
                    L::Page,
                    L::Fragment,
                    L::Proxy,
                    L::OneProxy,
                    L::Opaque,
                    L::Missing,
                ]);
            }
            What::Dates => {
                it.dates = rng.pick(&[Dates::Own, Dates::Missing, Dates::Now, Dates::Jitter, Dates::Future]);
            }
            What::Texts => it.texts = rng.pick(&[Words::Full, Words::Full, Words::Short, Words::Missing]),
            _ => it.titles = rng.chance(60),
        }
    }

    /// What a feed says now.
    pub(super) fn document(&mut self, op: Op) -> Document {
        let mut rng = Rng(op.seed ^ 1);
        let window = self.feeds[op.feed].window.clone();
        let count = window.len();
        let mut document: Document =
            window.iter().enumerate().map(|(at, id)| self.entry(op.feed, *id, (at, count), &mut rng)).collect();
        if op.what == What::Doubled && count > 0 {
            for _ in 0..1 + rng.below(2) {
                let again = document[rng.below(count)].clone();
                document.insert(rng.below(document.len()), again);
            }
        }
        document
    }

    fn entry(&self, feed: usize, id: usize, place: (usize, usize), rng: &mut Rng) -> (Entry, Texts, usize) {
        let (it, story) = (&self.feeds[feed], &self.stories[id]);
        let carried = story.feed != feed;
        let (link, proxy_link) = self.link(feed, id, rng);
        let text = match it.texts {
            Words::Full if !carried => story.text.clone(),
            Words::Full | Words::Short => story.text.split(' ').take(12).collect::<Vec<_>>().join(" "),
            Words::Missing => String::new(),
        };
        let title = if carried && it.shift % 2 == 0 { format!("Planet: {}", story.title) } else { story.title.clone() };
        let now = self.now.as_ms();
        let published = match it.dates {
            Dates::Own => Some(story.date + it.shift),
            Dates::Missing => None,
            Dates::Now => Some(now),
            Dates::Jitter => Some(story.date + i64::try_from(rng.below(50)).unwrap() * MINUTE),
            Dates::Future => Some(story.date + 400 * DAY),
        };
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        let entry = Entry {
            guid: self.guid(feed, id, place, rng),
            link,
            proxy_link,
            title: it.titles.then_some(title),
            content: some(text.clone()),
            published: published.map(Timestamp::from_ms),
            // Identity does not look at authors: the truth is kept there.
            authors: vec![Person { name: Some(format!("story {id}")), ..Person::default() }],
            ..Entry::default()
        };
        (entry, (String::new(), text), id)
    }

    fn link(&self, feed: usize, id: usize, rng: &mut Rng) -> (Option<String>, Option<String>) {
        let address = self.address(id);
        match self.feeds[feed].links {
            Links::Own => (Some(address), None),
            Links::Tracked => (Some(format!("{address}?utm_source=x{}&fbclid={}", rng.below(99), rng.next())), None),
            Links::Broken => (Some(format!("{address}?cb={}", rng.next())), None),
            Links::Today if self.feeds[feed].window.first() == Some(&id) => {
                (Some(format!("{}today", self.home(feed))), None)
            }
            Links::Today => (Some(address), None),
            Links::Home => (Some(self.home(feed)), None),
            Links::Page => (Some(format!("{}news", self.home(feed))), None),
            Links::Fragment => (Some(format!("{}log#v{}.{id}", self.home(feed), self.stories[id].slug)), None),
            Links::Proxy => (Some(address), Some(self.proxy(id))),
            Links::OneProxy => (Some(address), Some(format!("{}blog", self.home(feed)))),
            Links::Opaque => (Some(self.proxy(id)), None),
            Links::Missing => (None, None),
        }
    }

    fn guid(&self, feed: usize, id: usize, (at, count): (usize, usize), rng: &mut Rng) -> Option<String> {
        let (it, story) = (&self.feeds[feed], &self.stories[id]);
        let version = format!("{}.{}", it.scheme, story.guid);
        Some(match it.guids {
            Guids::Url => format!("{}/?p={id}&v={version}", self.site(feed)),
            Guids::Urn => format!("urn:{feed}:{id}:{version}"),
            Guids::Permalink => self.address(id),
            Guids::Missing => return None,
            Guids::Constant => "latest".to_owned(),
            Guids::Position => at.to_string(),
            Guids::FromTheEnd => (count - at).to_string(),
            Guids::Reused => (story.n % 7).to_string(),
            Guids::Random => format!("{:x}", rng.next()),
        })
    }
}

/// So many words.
fn words(rng: &mut Rng, count: usize) -> String {
    let mut out = String::new();
    for n in 0..count {
        let _ = write!(out, "{}{:03x}", if n == 0 { "" } else { " " }, rng.below(4096));
    }
    out
}
