//! Pulling the plug: `kill -9` at random moments of ingest and delivery loses nothing and repeats nothing.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::daemon::{Installation, rss, story};
use crate::support::origin::{Origin, Reply};
use crate::support::receiver::{Answer, Receiver};

const SECRET: &[u8] = b"crash-crash-crash-crash-crash-32";
/// `FEEDMILL_KILLS` is how many there are.
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
    let kills = std::env::var("FEEDMILL_KILLS").ok().and_then(|s| s.parse().ok()).unwrap_or(KILLS);
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
    for round in 0..kills {
        if round % 3 == 0 {
            receiver.script([Answer::status(500), Answer::status(200)]);
        }
        let daemon = house.spawn();
        // A page has a thousand stories at the most.
        stories.fetch_add(usize::from(round % kills.div_ceil(KILLS) == 0), Ordering::SeqCst);
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
    println!("{} stories, {} calls, {repeats} of them repeats, {kills} kills", distinct.len(), receiver.calls().len());
    assert_eq!(daemon.stop(), Some(0));
    let check = rusqlite::Connection::open(house.database()).unwrap();
    let verdict: String = check.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}

/// Pulls the plug at the first sync, the second, and so on, until a whole cycle of polling and calling gets through:
/// `cargo test --test it every_sync -- --ignored`. It needs strace, and says so where there is none.
#[test]
#[ignore = "a minute, and strace"]
fn kill_9_at_every_sync_of_a_cycle_loses_nothing_and_enqueues_nothing_twice() {
    if std::process::Command::new("strace").arg("-V").output().is_err() {
        println!("there is no strace here");
        return;
    }
    let titles: Vec<String> = (0..5).map(|n| format!("Peace {n}")).collect();
    let (mut sync, mut repeats) = (0, 0);
    loop {
        sync += 1;
        let (origin, receiver) = (Origin::start(), Receiver::start(&[SECRET]));
        receiver.script([Answer::status(500), Answer::status(200)]);
        let stories: Vec<_> =
            titles.iter().map(|title| story(title, &format!("https://n.example/{title}"), title)).collect();
        origin.route("/f", Reply::ok(rss(&stories)));
        let house = Installation::new(&format!(
            "schedule = \"@hourly\"\nfirst_import = \"notify\"\n[[feed]]\nname = \"f\"\nurl = \"{}\"\n[[stream]]\nname = \
             \"watch\"\nmatch = 'peace'\nnotify = [\"desk\"]\n[[webhook]]\nname = \"desk\"\nurl = \"{}\"\nsecret = \
             \"whsec_Y3Jhc2gtY3Jhc2gtY3Jhc2gtY3Jhc2gtY3Jhc2gtMzI=\"\nallow_networks = [\"127.0.0.0/8\"]\nretry = [\"1s\", \
             \"1s\"]\n",
            origin.url("/f"),
            receiver.url("/")
        ));
        // -D: strace is a grandchild, so what is waited for and stopped is the daemon.
        let inject = format!("inject=fsync,fdatasync:signal=SIGKILL:when={sync}");
        let mut daemon = house.spawn_under(
            "strace",
            &["-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", &inject],
        );
        let begun = std::time::Instant::now();
        let ids = |receiver: &Receiver| receiver.calls().iter().map(|call| call.id.clone()).collect::<HashSet<_>>();
        let through = |receiver: &Receiver| receiver.calls().len() > titles.len();
        while !(daemon.ended() || through(&receiver) && begun.elapsed() > Duration::from_secs(4)) {
            assert!(begun.elapsed() < Duration::from_secs(30), "sync {sync}: {}", daemon.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        let killed = daemon.ended();
        drop(daemon);
        let daemon = house.start();
        daemon.until("every match is received", |_| ids(&receiver).len() >= titles.len());
        daemon.until("every call is settled", |d| d.json("/api/v1/webhooks")["webhooks"][0]["due"] == 0);
        assert_eq!(daemon.json("/all.json")["items"].as_array().unwrap().len(), titles.len(), "sync {sync}");
        assert_eq!(
            daemon.json("/api/v1/deliveries")["deliveries"].as_array().unwrap().len(),
            titles.len(),
            "sync {sync}"
        );
        assert_eq!(ids(&receiver).len(), titles.len(), "one id each, sync {sync}");
        // One was refused on purpose; what is more was in flight.
        repeats += receiver.calls().len() - titles.len() - 1;
        assert_eq!(daemon.stop(), Some(0));
        if !killed {
            println!("{} syncs, {repeats} repeats", sync - 1);
            return;
        }
    }
}
