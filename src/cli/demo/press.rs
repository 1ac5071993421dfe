//! The demo's publisher: what its four feeds hold at a given moment. Invented stories, in three dialects.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{StatusCode, header};
use sha2::{Digest as _, Sha256};

use super::server::{Request, Response};
use crate::domain::time::Timestamp;

/// A feed of the demo.
pub(super) struct Feed {
    pub(super) name: &'static str,
    pub(super) file: &'static str,
    pub(super) tag: &'static str,
}

/// The four feeds: an agency, two that carry its stories under addresses of their own, and a blog that fails
/// now and then.
pub(super) const FEEDS: &[Feed] = &[
    Feed { name: "wire", file: "wire.rss", tag: "agency" },
    Feed { name: "gazette", file: "gazette.atom", tag: "press" },
    Feed { name: "radar", file: "radar.json", tag: "press" },
    Feed { name: "notes", file: "notes.rss", tag: "blog" },
];

const STORIES: &[(&str, &str)] = &[
    (
        "Harbour bridge opens to cyclists",
        "The old bridge over the harbour basin is open again, two lanes of it for bicycles.",
    ),
    (
        "Night train returns after eleven years",
        "The first sleeper left on time; half of its berths were sold within a day.",
    ),
    ("Council votes for a longer library day", "From March the main library stays open until ten in the evening."),
    (
        "Ferries run every ten minutes from Monday",
        "Three new ferries take over the line; the old ones go to the museum.",
    ),
    ("Orchard finds an apple thought lost", "A single tree behind the mill bears a sort that was last seen in 1931."),
    ("Tide gauge rebuilt on its first stone", "The tide gauge at the pier measures again, on the stone of 1858."),
    ("School kitchen cooks with solar heat", "Mirrors on the roof boil two hundred litres of soup an hour."),
    ("Lighthouse keeper hands over the key", "After forty winters the light is watched from the harbour office."),
    ("Chess club meets on the slow tram", "Line 6 takes long enough for a game, and has tables."),
    (
        "Harbour seals counted for the first time",
        "Divers and a choir of volunteers counted 212 seals in the outer harbour.",
    ),
    ("Bakery sells yesterday's bread first", "What is left at six costs half, and is gone by half past."),
    ("Ferry crew rescues a drifting piano", "It still played, if only the upper octaves."),
    ("Old mill grinds on wind again", "Its sails turned for the first time since the storm of 1990."),
    ("Observatory opens its dome on clear Fridays", "Bring a coat: the dome is as cold as the sky."),
];

const NOTES: &[(&str, &str)] = &[
    ("Why I still write a weblog", "Because a feed reader is the quietest room that I know."),
    ("A harbour walk with a notebook", "Eleven kinds of rope, four kinds of knot, one heron."),
    ("Repairing a radio from 1962", "Two capacitors and a great deal of dust."),
    ("What the ferry timetable leaves out", "That the last one waits if you run."),
];

/// Stories that are there from the beginning, and seconds between later ones.
const AT_FIRST: usize = 4;
const EVERY_SECS: u64 = 3;
/// When the third story is corrected.
const EDIT_SECS: u64 = 10;

#[derive(Clone)]
pub(super) struct Press {
    begun: Instant,
    epoch: Timestamp,
    asked: Arc<AtomicU32>,
}

/// A story as one feed tells it.
struct Story {
    n: usize,
    title: String,
    text: &'static str,
    link: String,
    published: Timestamp,
}

impl Press {
    pub(super) fn new(begun: Instant) -> Self {
        Self { begun, epoch: Timestamp::from_secs(1_767_225_600), asked: Arc::default() }
    }

    pub(super) fn answer(&self, request: &Request) -> Response {
        let secs = self.begun.elapsed().as_secs();
        let (kind, body) = match request.uri().path() {
            "/wire.rss" => ("application/rss+xml", rss("The Wire", &self.stories(secs, "wire"))),
            "/gazette.atom" => ("application/atom+xml", atom("The Gazette", &self.stories(secs, "gazette"))),
            "/radar.json" => ("application/feed+json", json("Radar", &self.stories(secs, "radar"))),
            "/notes.rss" => {
                if self.asked.fetch_add(1, Ordering::Relaxed) % 4 == 2 {
                    return plain(StatusCode::SERVICE_UNAVAILABLE);
                }
                ("application/rss+xml", rss("Notes from the quay", &self.notes(secs)))
            }
            _ => return plain(StatusCode::NOT_FOUND),
        };
        let tag: String = Sha256::digest(body.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let tag = format!("\"{tag}\"");
        let known =
            request.headers().get(header::IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == tag.as_bytes());
        let response = hyper::Response::builder().header(header::ETAG, &tag).header(header::CONTENT_TYPE, kind);
        let response = if known {
            response.status(StatusCode::NOT_MODIFIED).body(Full::default())
        } else {
            response.body(Full::new(Bytes::from(body)))
        };
        response.unwrap_or_else(|_| plain(StatusCode::INTERNAL_SERVER_ERROR))
    }

    /// The agency has every story; the gazette each second one, as AMP pages; the radar two of three, under
    /// plain http and www.
    fn stories(&self, secs: u64, feed: &str) -> Vec<Story> {
        let shown = AT_FIRST + usize::try_from(secs / EVERY_SECS).unwrap_or(usize::MAX);
        let carried = |n: usize| match feed {
            "gazette" => n.is_multiple_of(2),
            "radar" => n % 3 != 1,
            _ => true,
        };
        let stories = STORIES.iter().enumerate().take(shown).filter(|(n, _)| carried(*n));
        stories.rev().map(|(n, (title, text))| self.story(n, title, text, secs, feed)).collect()
    }

    fn story(&self, n: usize, title: &str, text: &'static str, secs: u64, feed: &str) -> Story {
        let slug = slug(title);
        let link = match feed {
            "gazette" => format!("https://news.example/2026/{slug}/amp"),
            "radar" => format!("http://www.news.example/2026/{slug}/"),
            _ => format!("https://news.example/2026/{slug}?utm_source=wire&utm_medium=rss"),
        };
        let edited = n == 2 && secs >= EDIT_SECS && feed == "wire";
        let title = if edited { format!("{title}, from April") } else { title.to_owned() };
        Story { n, title, text, link, published: self.published(n) }
    }

    fn notes(&self, secs: u64) -> Vec<Story> {
        let shown = 1 + usize::try_from(secs / (EVERY_SECS * 2)).unwrap_or(usize::MAX);
        let notes = NOTES.iter().enumerate().take(shown).rev();
        notes
            .map(|(n, (title, text))| {
                let link = format!("https://notes.example/2026/{}", slug(title));
                Story { n, title: (*title).to_owned(), text, link, published: self.published(n) }
            })
            .collect()
    }

    fn published(&self, n: usize) -> Timestamp {
        self.epoch.plus(std::time::Duration::from_secs(3600 * u64::try_from(n).unwrap_or(0)))
    }
}

fn slug(title: &str) -> String {
    crate::domain::name::Name::slug(title).to_string()
}

fn plain(status: StatusCode) -> Response {
    let mut response = Response::new(Full::<Bytes>::default());
    *response.status_mut() = status;
    response
}

/// The stories have no character that XML would want escaped but the `&` of their links.
fn xml(text: &str) -> String {
    text.replace('&', "&amp;")
}

fn rss(title: &str, stories: &[Story]) -> String {
    let mut out = format!(
        "<?xml version=\"1.0\"?>\n<rss version=\"2.0\"><channel><title>{title}</title><link>https://news.example/</link>"
    );
    for Story { n, title, text, link, published } in stories {
        let (link, date) = (xml(link), published.rfc822());
        let _ = writeln!(
            out,
            "<item><title>{title}</title><link>{link}</link><guid isPermaLink=\"false\">item-{n}</guid>\
             <pubDate>{date}</pubDate><description>{text}</description></item>"
        );
    }
    out + "</channel></rss>\n"
}

fn atom(title: &str, stories: &[Story]) -> String {
    let latest = stories.first().map(|story| story.published).unwrap_or_default();
    let mut out = format!(
        "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>{title}</title><id>tag:gazette.example,2026:feed</id>\
         <updated>{latest}</updated><author><name>{title}</name></author>"
    );
    for Story { n, title, text, link, published } in stories {
        let _ = writeln!(
            out,
            "<entry><title>{title}</title><id>tag:gazette.example,2026:{n}</id><link href=\"{}\"/>\
             <updated>{published}</updated><published>{published}</published>\
             <content type=\"html\">&lt;p&gt;{text}&lt;/p&gt;</content></entry>",
            xml(link)
        );
    }
    out + "</feed>\n"
}

fn json(title: &str, stories: &[Story]) -> String {
    let items: Vec<_> = stories
        .iter()
        .map(|Story { n, title, text, link, published }| {
            serde_json::json!({
                "id": format!("{n}"), "url": link, "title": title,
                "content_html": format!("<p>{text}</p>"), "date_published": published
            })
        })
        .collect();
    let feed = serde_json::json!({ "version": "https://jsonfeed.org/version/1.1", "title": title, "items": items });
    feed.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::canonical::Rules;

    #[test]
    fn one_story_has_three_addresses_and_one_key() {
        let press = Press::new(Instant::now());
        let keys: std::collections::HashSet<_> = ["wire", "gazette", "radar"]
            .iter()
            .map(|feed| {
                let stories = press.stories(0, feed);
                Rules::default().key(&stories.last().unwrap().link).unwrap()
            })
            .collect();
        assert_eq!(keys.len(), 1, "{keys:?}");
    }

    #[test]
    fn new_stories_come_and_one_is_edited() {
        let press = Press::new(Instant::now());
        assert_eq!(press.stories(0, "wire").len(), AT_FIRST);
        assert_eq!(press.stories(EVERY_SECS * 2, "wire").len(), AT_FIRST + 2);
        let title = |secs| press.stories(secs, "wire").iter().find(|s| s.n == 2).unwrap().title.clone();
        assert_ne!(title(0), title(EDIT_SECS));
    }
}
