//! Pulling the plug: `kill -9` at random moments of ingest and delivery loses nothing and repeats nothing.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::daemon::{Installation, rss, story};
use crate::support::origin::{Origin, Reply};
use crate::support::receiver::{Answer, Receiver};

const SECRET: &[u8] = b"crash-crash-crash-crash-crash-32";
const KILLS: usize = 50;
const FEEDS: usize = 8;

/// A small generator with a seed that is printed: a run can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

fn document(feed: usize, stories: usize) -> String {
    // Every third story is carried by two feeds.
    let items: Vec<_> = (0..stories)
        .rev()
        .map(|n| {
            let home = if n % 3 == 0 { feed / 2 * 2 } else { feed };
            let link = format!("https://site{home}.example/2026/story-{n}?utm_source=f{feed}");
            story(&format!("Peace {n} of {home}"), &link, &format!("{feed}-{n}"))
        })
        .collect();
    rss(&items)
}

#[test]
fn kill_9_at_fifty_random_moments_loses_nothing_and_repeats_nothing() {
    let seed = std::env::var("FEEDMILL_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(0x5eed_2026);
    println!("seed {seed} (FEEDMILL_SEED repeats it)");
    let mut dice = Dice(seed);
    let (origin, receiver) = (Origin::start(), Receiver::start(&[SECRET]));
    let stories = Arc::new(AtomicUsize::new(1));
    let mut config =
        "schedule = \"@every 1s\"\nspread = false\nmin_interval = \"1s\"\nper_host = 8\nbackoff = \"1s\"\n\
                      first_import = \"notify\"\n"
            .to_owned();
    for feed in 0..FEEDS {
        let stories = Arc::clone(&stories);
        origin.answer(&format!("/{feed}"), move |_| Reply::ok(document(feed, stories.load(Ordering::SeqCst))));
        config.push_str(&format!("[[feed]]\nname = \"f{feed}\"\nurl = \"{}\"\n", origin.url(&format!("/{feed}"))));
    }
    config.push_str(&format!(
        "[[stream]]\nname = \"watch\"\nlimit = 1000\nmatch = 'peace'\nnotify = [\"desk\"]\n[[stream]]\nname = \"all\"\nlimit = \
         1000\n[[webhook]]\nname = \"desk\"\nurl = \"{}\"\nsecret = \
         \"whsec_Y3Jhc2gtY3Jhc2gtY3Jhc2gtY3Jhc2gtY3Jhc2gtMzI=\"\nallow_networks = [\"127.0.0.0/8\"]\nretry = [\"1s\", \
         \"1s\", \"1s\", \"1s\", \"1s\", \"1s\"]\nconcurrency = 4\n",
        receiver.url("/")
    ));
    let house = Installation::new(&config);
    for round in 0..KILLS {
        if round % 3 == 0 {
            receiver.script([Answer::status(500), Answer::status(200)]);
        }
        let daemon = house.spawn();
        stories.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(20 + dice.below(350)));
        daemon.kill();
    }
    let total = stories.load(Ordering::SeqCst);
    let distinct: HashSet<(usize, usize)> = (0..FEEDS)
        .flat_map(|feed| (0..total).map(move |n| (if n % 3 == 0 { feed / 2 * 2 } else { feed }, n)))
        .collect();

    let daemon = house.start();
    daemon.until("every story is there", |d| d.json("/all.json")["items"].as_array().unwrap().len() >= distinct.len());
    daemon.until("every call is settled", |d| d.json("/api/v1/webhooks")["webhooks"][0]["due"] == 0);
    let items = daemon.json("/all.json")["items"].as_array().unwrap().clone();
    let urls: HashSet<_> = items.iter().map(|item| item["url"].as_str().unwrap().to_owned()).collect();
    let ids: HashSet<_> = items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!((items.len(), urls.len(), ids.len()), (distinct.len(), distinct.len(), distinct.len()));
    let watched = daemon.json("/watch.json")["items"].as_array().unwrap().len();
    assert_eq!(watched, distinct.len());

    let mut by_item: HashMap<String, HashSet<String>> = HashMap::new();
    for call in receiver.calls() {
        assert_eq!(call.accepted, [true]);
        let body: serde_json::Value = serde_json::from_slice(&call.body).unwrap();
        by_item.entry(body["data"]["item"]["url"].as_str().unwrap().to_owned()).or_default().insert(call.id);
    }
    assert_eq!(by_item.len(), distinct.len(), "each match was received");
    assert!(by_item.values().all(|ids| ids.len() == 1), "under one id");
    let repeats = receiver.calls().len() - by_item.len();
    println!("{} stories, {} calls, {repeats} of them repeats, {KILLS} kills", distinct.len(), receiver.calls().len());
    assert_eq!(daemon.stop(), Some(0));
    let check = rusqlite::Connection::open(house.database()).unwrap();
    let verdict: String = check.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}
