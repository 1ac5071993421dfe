//! Publishers and a receiver of calls, each in a mood of its own, who remember what they said and heard.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use standardwebhooks::Webhook;

use super::Dice;
use crate::support::daemon::{rss, story};
use crate::support::origin::{Origin, Reply, Request};

pub(crate) const FEEDS: usize = 8;
/// Stories that a feed lists.
const LISTED: usize = 150;
/// What is there before: it fills what the daemon keeps in memory of its database, so that growth is none of that.
const BEFORE: usize = 3000;
pub(crate) const SECRET: &[u8] = b"soak-soak-soak-soak-soak-soak-32";

/// What the next requests are answered with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mood {
    Well,
    /// 500, 503, 404 …
    Status(u16),
    /// The same, with `Retry-After`, in seconds of the fast clock.
    Held(u16, u32),
    /// Not what was asked for.
    Garbage,
    /// The connection ends in the middle of the answer.
    Cut,
    /// The connection ends without an answer; a call was heard.
    Lost,
    /// A piece now and then, for longer than anybody waits.
    Drip,
    /// The whole answer, later than anybody waits.
    Late,
    Hang,
    /// An answer without end.
    Endless,
    /// The feed has moved, and is there; for a call that is a failure.
    Moved(u16),
}

const ILL: [Mood; 13] = [
    Mood::Moved(301),
    Mood::Moved(302),
    Mood::Status(500),
    Mood::Status(404),
    Mood::Held(503, 30),
    Mood::Held(429, 90),
    Mood::Garbage,
    Mood::Cut,
    Mood::Lost,
    Mood::Drip,
    Mood::Late,
    Mood::Hang,
    Mood::Endless,
];

/// A story as its publisher knows it.
#[derive(Clone, Debug)]
pub(crate) struct Truth {
    /// Its address, without what each feed adds for its own statistics.
    pub(crate) url: String,
    pub(crate) feed: usize,
    /// A second feed has it, too.
    pub(crate) shared: bool,
    /// It is in the stream that calls the webhook.
    pub(crate) called: bool,
}

/// A call that was heard.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) id: String,
    pub(crate) url: String,
    /// It was answered with 200, whole and at once.
    pub(crate) answered: bool,
    pub(crate) signed: bool,
}

#[derive(Default)]
struct Feed {
    /// Newest last: title, link, guid.
    stories: Vec<(String, String, String)>,
    mood: Option<Mood>,
    version: u64,
}

#[derive(Default)]
struct State {
    feeds: Vec<Feed>,
    desk: Option<Mood>,
    truth: Vec<Truth>,
    heard: Vec<Heard>,
}

pub(crate) struct World {
    origin: Origin,
    state: Arc<Mutex<State>>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub(crate) fn start() -> Self {
        let origin = Origin::start();
        let state = State { feeds: (0..FEEDS).map(|_| Feed::default()).collect(), ..State::default() };
        let state = Arc::new(Mutex::new(state));
        for feed in 0..FEEDS {
            let (here, there) = (Arc::clone(&state), Arc::clone(&state));
            origin.answer(&format!("/{feed}"), move |request| {
                let feed = &lock(&here).feeds[feed];
                in_mood(feed.mood, document(feed, request), request)
            });
            origin.answer(&format!("/moved/{feed}"), move |request| document(&lock(&there).feeds[feed], request));
        }
        let long = "some words of a story that happened before all this ".repeat(20);
        let url = |n: usize| format!("https://before.example/{n}");
        let old: Vec<_> = (0..BEFORE).map(|n| story(&format!("War {n} {long}"), &url(n), &n.to_string())).collect();
        let known = |n| Truth { url: url(n), feed: FEEDS, shared: false, called: false };
        lock(&state).truth.extend((0..BEFORE).map(known));
        let old = Reply::ok(rss(&old)).header("ETag", "\"old\"");
        origin.answer("/before", move |request| {
            if request.header("if-none-match").is_some() { Reply::status(304) } else { old.clone() }
        });
        let shared = Arc::clone(&state);
        origin.answer("/desk", move |request| heard(&mut lock(&shared), request));
        Self { origin, state }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        self.origin.url(path)
    }

    /// A story more, in one feed or in two.
    pub(crate) fn publish(&self, dice: &mut Dice) {
        let mut state = lock(&self.state);
        let (n, feed) = (state.truth.len(), dice.pick(FEEDS));
        let (shared, called) = (n.is_multiple_of(5), n.is_multiple_of(2));
        let url = format!("https://site{}.example/2026/story-{n}", feed / 2);
        let title = format!("{} {n}", if called { "Peace" } else { "War" });
        for other in [feed, feed ^ 1].into_iter().take(if shared { 2 } else { 1 }) {
            let entry = story(&title, &format!("{url}?utm_source=f{other}"), &format!("{other}-{n}"));
            let feed = &mut state.feeds[other];
            feed.stories.push(entry);
            feed.version += 1;
            let gone = feed.stories.len().saturating_sub(LISTED);
            feed.stories.drain(..gone);
        }
        state.truth.push(Truth { url, feed, shared, called });
    }

    /// An entry that was listed before has another title; what it is found by stays.
    pub(crate) fn edit(&self, dice: &mut Dice) {
        let mut state = lock(&self.state);
        let feed = &mut state.feeds[dice.pick(FEEDS)];
        if feed.stories.is_empty() {
            return;
        }
        let at = feed.stories.len() - 1 - dice.pick(feed.stories.len().min(20));
        feed.stories[at].0.push_str(", edited");
        feed.version += 1;
    }

    /// One feed or the receiver falls ill, or all that are get well.
    pub(crate) fn change_moods(&self, dice: &mut Dice) -> String {
        let mut state = lock(&self.state);
        let ill = ILL[dice.pick(ILL.len())];
        match dice.pick(4) {
            0 => {
                state.feeds.iter_mut().for_each(|feed| feed.mood = None);
                state.desk = None;
                "all are well".to_owned()
            }
            1 => {
                state.desk = Some(ill);
                format!("the receiver: {ill:?}")
            }
            _ => {
                let feed = dice.pick(FEEDS);
                state.feeds[feed].mood = Some(ill);
                format!("feed {feed}: {ill:?}")
            }
        }
    }

    pub(crate) fn heal(&self) {
        let mut state = lock(&self.state);
        state.feeds.iter_mut().for_each(|feed| feed.mood = None);
        state.desk = None;
        drop(state);
        self.cut();
    }

    /// Every connection ends, whatever it is at.
    pub(crate) fn cut(&self) {
        self.origin.cut_all();
    }

    pub(crate) fn truth(&self) -> Vec<Truth> {
        lock(&self.state).truth.clone()
    }

    /// The calls, by the story that each was about.
    pub(crate) fn heard(&self) -> HashMap<String, Vec<Heard>> {
        let mut by_story: HashMap<String, Vec<Heard>> = HashMap::new();
        for call in lock(&self.state).heard.iter().cloned() {
            by_story.entry(call.url.clone()).or_default().push(call);
        }
        by_story
    }
}

/// Without what a feed adds to its links.
pub(crate) fn bare(url: &str) -> String {
    url.split('?').next().unwrap_or_default().to_owned()
}

fn document(feed: &Feed, request: &Request) -> Reply {
    let etag = format!("\"{}\"", feed.version);
    if request.text("if-none-match").as_ref() == Some(&etag) {
        return Reply::status(304).header("ETag", etag);
    }
    let newest_first: Vec<_> = feed.stories.iter().rev().cloned().collect();
    Reply::ok(rss(&newest_first)).header("ETag", etag)
}

fn in_mood(mood: Option<Mood>, well: Reply, request: &Request) -> Reply {
    match mood.unwrap_or(Mood::Well) {
        Mood::Well => well,
        Mood::Status(status) => Reply::status(status),
        Mood::Held(status, seconds) => Reply::status(status).header("Retry-After", seconds.to_string()),
        Mood::Garbage => Reply::ok(b"\x1f\x8b<rss><channel><item></rss>\xff\xfe".to_vec()),
        Mood::Cut => well.cut_after(300),
        Mood::Lost => Reply::raw(""),
        Mood::Drip => well.trickle(20, Duration::from_millis(100)),
        Mood::Late => well.after(Duration::from_secs(2)),
        Mood::Hang => Reply::hang(),
        Mood::Moved(status) => Reply::redirect(status, format!("/moved{}", request.path())),
        Mood::Endless => Reply::ok("").until_close().endless(vec![b' '; 10_000]),
    }
}

fn heard(state: &mut State, request: &Request) -> Reply {
    let mood = state.desk;
    let field = |name| request.text(name).unwrap_or_default();
    let (id, timestamp) = (field("webhook-id"), field("webhook-timestamp").parse().unwrap_or_default());
    // Not `verify`: that compares the time with the true clock.
    let expected = Webhook::from_bytes(SECRET.to_vec()).unwrap().sign(&id, timestamp, &request.body).unwrap();
    let signed = field("webhook-signature") == expected;
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap_or_default();
    state.heard.push(Heard {
        id,
        url: bare(body["data"]["item"]["url"].as_str().unwrap_or_default()),
        answered: mood.is_none(),
        signed,
    });
    in_mood(mood, Reply::ok("heard"), request)
}
