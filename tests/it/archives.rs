//! A reader that was away catches up by the archives (RFC 5005 section 4), while stories go on coming in.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};

use crate::support::daemon::{Daemon, Installation};
use crate::support::origin::{Origin, Reply};
use crate::valid::atom;

/// Stories by number; every third one is dated years back.
fn document(numbers: &[u32]) -> String {
    let items: String = numbers
        .iter()
        .map(|n| {
            let year = if n % 3 == 0 { 2001 } else { 2025 };
            format!(
                "<item><title>Story {n}</title><link>https://tale.example/{n}</link>\
                 <guid>https://tale.example/{n}</guid><pubDate>{:02} Mar {year} 10:{:02}:00 GMT</pubDate></item>",
                n % 28 + 1,
                n % 60
            )
        })
        .collect();
    format!("<rss version=\"2.0\"><channel><title>Tales</title>{items}</channel></rss>")
}

/// What a client of RFC 5005 keeps: ids with the documents that it read.
#[derive(Default)]
struct Client {
    ids: HashSet<String>,
    archives: BTreeMap<String, String>,
    next: Option<String>,
}

fn between(text: &str, from: &str, to: &str) -> Vec<String> {
    text.split(from).skip(1).filter_map(|rest| Some(rest.split_once(to)?.0.to_owned())).collect()
}

fn link(text: &str, rel: &str) -> Option<String> {
    let tag = between(text, "<link ", "/>").into_iter().find(|tag| tag.contains(&format!("rel=\"{rel}\"")))?;
    let url = between(&tag, "href=\"", "\"").remove(0);
    let path = url.split_once("://").unwrap().1;
    Some(path[path.find('/').unwrap()..].to_owned())
}

fn ids(text: &str) -> HashSet<String> {
    // The entry's own id is its first.
    let entry = |entry: String| between(&entry, "<id>", "</id>").remove(0);
    between(text, "<entry", "</entry>").into_iter().map(entry).collect()
}

impl Client {
    /// Reads the present document.
    fn read(&mut self, daemon: &Daemon, path: &str) {
        let text = daemon.get(path).text();
        assert!(!text.contains("fh:archive"), "the present one is no archive");
        assert_eq!(link(&text, "self").as_deref(), Some(path));
        assert_eq!(atom(&text).0.0, Vec::<String>::new(), "{path}");
        self.ids.extend(ids(&text));
        self.next = link(&text, "prev-archive");
    }

    /// Follows one link, until a document is there that it has. False: it is through.
    fn step(&mut self, daemon: &Daemon, current: &str) -> bool {
        let Some(path) = self.next.take().filter(|path| !self.archives.contains_key(path)) else { return false };
        let answer = daemon.get(&path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let text = answer.text();
        assert!(
            text.contains("<fh:archive/>") && text.contains("xmlns:fh=\"http://purl.org/syndication/history/1.0\"")
        );
        assert_eq!(atom(&text).0.0, Vec::<String>::new(), "{path}");
        assert_eq!(link(&text, "self").as_deref(), Some(path.as_str()));
        assert_eq!(link(&text, "current").as_deref(), Some(current));
        self.ids.extend(ids(&text));
        self.next = link(&text, "prev-archive");
        self.archives.insert(path, text);
        true
    }
}

#[test]
fn a_client_that_walks_the_archives_while_polling_goes_on_gets_every_story_under_one_id() {
    let origin = Origin::start();
    let served = Arc::new(Mutex::new((1..=130).collect::<Vec<u32>>()));
    let shown = Arc::clone(&served);
    origin.answer("/feed", move |_| Reply::ok(document(&shown.lock().unwrap())));
    let house = Installation::new(&format!(
        "schedule = \"@every 1h\"\nspread = false\n[[feed]]\nname = \"tales\"\nurl = \"{}\"\n[[stream]]\nname = \"all\"\n\
         limit = 10\n[[stream]]\nname = \"watch\"\nmatch = 'story'\nlimit = 10\n[[stream]]\nname = \"shared\"\n\
         match = 'story'\nmax_per_feed = 5\n",
        origin.url("/feed")
    ));
    let daemon = house.start();
    daemon.until("the feed was polled", |d| ids(&d.get("/watch.atom").text()).len() >= 10);
    let mut clients = [("/all.atom", Client::default()), ("/watch.atom", Client::default())];
    for (path, client) in &mut clients {
        client.read(&daemon, path);
        assert_eq!(client.next.as_deref(), Some(&*format!("{}/archive/2.atom", path.trim_end_matches(".atom"))));
        assert!(client.step(&daemon, path));
    }
    let more = |from: u32, upto: u32| {
        *served.lock().unwrap() = (from..=upto).collect();
        let polled = house.run(&["poll"]);
        assert!(polled.status.success(), "{}", String::from_utf8_lossy(&polled.stderr));
    };
    // Between any two steps of the client stories come in, and pages are filled.
    more(131, 175);
    for (path, client) in &mut clients {
        assert!(client.step(&daemon, path));
        assert!(!client.step(&daemon, path), "the first archive has none before it");
    }
    more(176, 230);
    for (path, client) in &mut clients {
        client.read(&daemon, path);
        while client.step(&daemon, path) {}
        let all: HashSet<String> = (1..=230).map(|n| format!("https://tale.example/{n}")).collect();
        assert_eq!(client.ids, all, "{path}");
        assert_eq!(client.archives.len(), 4);
    }
    more(231, 300);
    assert_eq!(daemon.stop(), Some(0));
    let daemon = house.start();
    for (path, client) in &clients {
        for (archive, text) in &client.archives {
            let now = daemon.get(archive).text();
            // The set is frozen; only the last one has learnt of one that follows.
            assert_eq!(ids(&now), ids(text), "{archive}");
            let without =
                |text: &str| text.lines().filter(|l| !l.contains("next-archive")).collect::<Vec<_>>().join("\n");
            assert_eq!(without(&now), without(text), "{archive}");
        }
        let base = path.trim_end_matches(".atom");
        assert_eq!(daemon.get(&format!("{base}/archive/6.atom")).status, 200);
        for wrong in ["0.atom", "7.atom", "01.atom", "1.rss", "x.atom"] {
            assert_eq!(daemon.get(&format!("{base}/archive/{wrong}")).status, 404, "{wrong}");
        }
    }
    let shared = daemon.get("/shared.atom").text();
    assert_eq!((ids(&shared).len(), link(&shared, "prev-archive")), (5, None), "what leaves out has no archives");
    assert_eq!(daemon.get("/shared/archive/1.atom").status, 404);
    assert_eq!(daemon.stop(), Some(0));
}
