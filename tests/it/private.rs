//! Private feeds: nobody hears of them, their addresses or their stories, but who has a token.

use serde_json::Value;

use crate::events::Listener;
use crate::support::daemon::{Daemon, Installation, rss, story};
use crate::support::origin::{Origin, Reply};
use crate::support::receiver::Receiver;

const SECRET: &[u8] = b"main-job-main-job-main-job-main!";
const SECRET_TEXT: &str = "whsec_bWFpbi1qb2ItbWFpbi1qb2ItbWFpbi1qb2ItbWFpbiE=";
const ADMIN: [(&str, &str); 1] = [("Authorization", "Bearer s3cret-s3cret-s3cret")];
const TOKEN: &str = "token=a-token-of-more-than-16";

/// What the private feed is known by: its name, its address, its title, and what it alone says.
const MARKS: [&str; 5] = ["hush", "Hushed", "inner words", "guid-of-theirs", "only-there"];

fn open(titles: &[(&str, &str)]) -> Reply {
    let stories: Vec<_> =
        titles.iter().map(|(title, place)| story(title, &format!("https://n.example/{place}"), title)).collect();
    Reply::ok(rss(&stories))
}

/// One story of its own, and two that a public feed carries, too.
fn hushed() -> Reply {
    let item = |n: u32, title: &str, place: &str| {
        format!(
            "<item><title>{title}</title><link>https://n.example/{place}</link><guid>https://hush.example/guid-of-theirs/{n}</guid>\
             <pubDate>Mon, 02 Mar 2026 10:0{n}:00 GMT</pubDate><description>inner words of {title}</description></item>"
        )
    };
    let items = [
        item(1, "Peace that is Hushed", "only-there"),
        item(2, "Peace for both", "both"),
        item(3, "Peace later", "later"),
    ];
    Reply::ok(format!(
        "<rss version=\"2.0\"><channel><title>Hushed news</title><link>https://hush.example/</link>{}</channel></rss>",
        items.concat()
    ))
}

struct House {
    house: Installation,
    origin: Origin,
    receiver: Receiver,
}

/// `both` came to the public feed first; `later` will come to the private one first.
fn house(private: bool) -> House {
    let (origin, receiver) = (Origin::start(), Receiver::start(&[SECRET]));
    origin.route("/open", open(&[("Peace for both", "both")]));
    origin.route("/hush", hushed());
    let hook = |name: &str| {
        format!(
            "[[webhook]]\nname = \"{name}\"\nurl = \"{}\"\nsecret = \"{SECRET_TEXT}\"\nallow_networks = [\"127.0.0.0/8\"]\n",
            receiver.url(&format!("/{name}"))
        )
    };
    let rest = format!(
        "schedule = \"@yearly\"\nspread = false\nmin_interval = \"1s\"\nfirst_import = \"notify\"\n\
         [[feed]]\nname = \"open\"\nurl = \"{}\"\n[[feed]]\nname = \"hush\"\nurl = \"{}\"\nprivate = {private}\nenabled = false\n\
         [[stream]]\nname = \"all\"\nnotify = [\"anybody\"]\n\
         [[stream]]\nname = \"peace\"\nmatch = 'peace'\nnotify = [\"anybody\"]\n\
         [[stream]]\nname = \"mine\"\nmatch = 'peace'\ntoken = \"a-token-of-more-than-16\"\nnotify = [\"me\"]\n{}{}",
        origin.url("/open"),
        origin.url("/hush"),
        hook("anybody"),
        hook("me"),
    );
    let house = Installation::new("");
    house.serve_with("admin_token = \"s3cret-s3cret-s3cret\"", &rest);
    House { house, origin, receiver }
}

impl House {
    /// First the public feed is asked, then the private one.
    fn start(&self) -> Daemon {
        let daemon = self.house.start();
        daemon.until("the public feed was asked", |d| titles(d, "/all.json") == ["Peace for both"]);
        let shown = |daemon: &Daemon| {
            ["/all.atom", "/all.json", "/peace.atom", "/peace.json"].map(|path| (path, daemon.get(path).text()))
        };
        let before = shown(&daemon);
        // Documents have dates of whole seconds: what moves them now is to be seen.
        std::thread::sleep(std::time::Duration::from_millis(1100));
        let text = std::fs::read_to_string(self.house.config()).unwrap().replace("enabled = false\n", "");
        std::fs::write(self.house.config(), &text).unwrap();
        assert!(self.house.run(&["reload"]).status.success());
        daemon.until("the private feed was asked", |d| titles(d, &format!("/mine.json?{TOKEN}")).len() == 3);
        let is_private = text.contains("private = true");
        assert_eq!(shown(&daemon) == before, is_private, "what it does moves no date of what others see");
        let stories = format!("<dt>Stories</dt><dd>{}</dd>", if is_private { 1 } else { 3 });
        assert!(daemon.get("/status").text().contains(&stories), "{stories}");
        daemon
    }
}

fn titles(daemon: &Daemon, path: &str) -> Vec<String> {
    let list = daemon.json(path);
    let items = list["items"].as_array().unwrap();
    let mut titles: Vec<String> = items.iter().map(|item| item["title"].as_str().unwrap().to_owned()).collect();
    titles.sort();
    titles
}

/// Everything that can be asked without a token.
fn addresses(daemon: &Daemon) -> Vec<String> {
    let mut all: Vec<String> = [
        "/",
        "/peace",
        "/all.atom",
        "/all.rss",
        "/all.json",
        "/peace.atom",
        "/peace.rss",
        "/peace.json",
        "/feeds",
        "/feeds.opml",
        "/peace/subscribe",
        "/peace/subscribe.opml",
        "/peace/archive/1.atom",
        "/status",
        "/metrics",
        "/readyz",
        "/robots.txt",
        "/search?q=peace",
        "/search?q=hushed",
        "/search?q=inner",
        "/search.atom?q=peace",
        "/search.rss?q=peace",
        "/search.json?q=feed:hush",
        "/search?q=feed:hush&order=date",
        "/api/v1/feeds",
        "/api/v1/items",
        "/api/v1/items?q=peace",
        "/api/v1/items?q=peace&order=score",
        "/api/v1/items?stream=peace",
        "/api/v1/streams",
        "/api/v1/webhooks",
        "/api/v1/deliveries",
        "/api/v1/merges",
        "/api/v1/matches?q=peace",
        "/api/v1/matches?q=feed:hush",
        "/api/v1/explain?url=https://n.example/both",
        "/api/v1/openapi.json",
    ]
    .map(str::to_owned)
    .to_vec();
    for item in 1..=4 {
        all.extend([
            format!("/item/{item}"),
            format!("/api/v1/items/{item}"),
            format!("/api/v1/matches?q=peace&item={item}"),
        ]);
    }
    let calls = daemon.request("GET", "/api/v1/deliveries?limit=1000", &ADMIN);
    let calls: Value = serde_json::from_slice(&calls.body).unwrap();
    for call in calls["deliveries"].as_array().unwrap() {
        all.push(format!("/api/v1/deliveries/{}", call["id"].as_str().unwrap()));
    }
    all
}

/// Nobody hears of it.
fn hidden(daemon: &Daemon) {
    for path in addresses(daemon) {
        let answer = daemon.get(&path).text();
        // What was asked is said again.
        let answer = answer.replace("feed:hush", "").replace("feed%3Ahush", "");
        let answer = if path.contains("q=hushed") { answer.replace("hushed", "") } else { answer };
        for mark in MARKS {
            assert!(!answer.contains(mark), "{path} has {mark}:\n{answer}");
        }
    }
    for given in ["https://n.example/only-there", "https://hush.example/guid-of-theirs/1"] {
        assert_eq!(daemon.get(&format!("/api/v1/explain?url={given}")).status, 404, "{given}");
    }
    let (mut listener, _) = Listener::open_with(daemon, "/events", &[("Last-Event-ID", "0")]);
    listener.next().unwrap();
    let first = listener.next().unwrap().data;
    assert!(first.contains("Peace for both") && MARKS.iter().all(|mark| !first.contains(mark)), "{first}");
}

#[test]
fn nothing_of_a_private_feed_goes_out_without_a_token_and_all_of_it_with_one() {
    let House { house, origin, receiver } = house(true);
    let house = House { house, origin, receiver };
    let daemon = house.start();
    assert_eq!(titles(&daemon, "/all.json"), ["Peace for both"]);
    assert_eq!(titles(&daemon, "/peace.json"), ["Peace for both"]);
    hidden(&daemon);

    // Who has the token of a stream gets all that is in it, once.
    let mine = daemon.get(&format!("/mine.atom?{TOKEN}")).text();
    for mark in ["Peace that is Hushed", "inner words of Peace later", "Hushed news", "Peace for both"] {
        assert!(mine.contains(mark), "{mark}: {mine}");
    }
    assert!(!mine.contains("guid-of-theirs"), "an id stays when the story is everybody's");
    assert_eq!(mine.matches("<entry>").count(), 3);
    let (mut listener, _) =
        Listener::open_with(&daemon, &format!("/events?stream=mine&{TOKEN}"), &[("Last-Event-ID", "0")]);
    let heard: String = std::iter::from_fn(|| listener.next()).take(4).map(|event| event.data).collect();
    assert!(heard.contains("Peace that is Hushed"), "{heard}");

    // So does the operator, by the token and on the machine.
    for path in [
        "/api/v1/feeds",
        "/status",
        "/search?q=hushed",
        "/search.json?q=hushed",
        "/api/v1/items?q=feed:hush",
        "/feeds.opml",
    ] {
        let answer = daemon.get_with(path, &ADMIN).text();
        assert!(answer.contains("hush") && answer.contains("Hushed"), "{path}: {answer}");
        assert!(daemon.get_with(path, &[("Authorization", "Bearer wrong")]).text().find("Hushed").is_none(), "{path}");
    }
    for command in [&["feeds"][..], &["items"], &["explain", "https://n.example/only-there"], &["search", "inner"]] {
        let told = house.house.run(command);
        assert!(String::from_utf8_lossy(&told.stdout).to_lowercase().contains("hush"), "{command:?}: {told:?}");
    }

    // Each webhook hears what its streams show.
    let heard = |path: &str| -> Vec<String> {
        let calls = house.receiver.calls();
        let bodies = calls
            .iter()
            .filter(|call| call.line.contains(path))
            .map(|call| String::from_utf8_lossy(&call.body).into_owned());
        bodies.collect()
    };
    daemon.until("the calls", |_| heard("/me").len() == 3 && !heard("/anybody").is_empty());
    assert_eq!(heard("/anybody").len(), 1, "{:?}", heard("/anybody"));
    assert!(heard("/anybody").concat().contains("Peace for both"));

    // A story that a public feed brings, too, is everybody's from then on: as that feed has it, new for those who had not heard of it.
    house.origin.route("/open", open(&[("Peace for both", "both"), ("Peace later", "later")]));
    assert!(house.house.run(&["poll", "open"]).status.success());
    assert_eq!(titles(&daemon, "/all.json"), ["Peace for both", "Peace later"]);
    assert_eq!(titles(&daemon, "/peace.json"), ["Peace for both", "Peace later"]);
    daemon.until("the call", |_| heard("/anybody").len() == 2);
    hidden(&daemon);
    for body in heard("/anybody") {
        assert!(MARKS.iter().all(|mark| !body.contains(mark)), "{body}");
    }
    assert_eq!(titles(&daemon, &format!("/mine.json?{TOKEN}")).len(), 3, "and no story is there twice");
    assert_eq!(heard("/me").len(), 3, "nor told twice");

    // It stays so when the feed is followed no more, and over a restart.
    let text = std::fs::read_to_string(house.house.config()).unwrap();
    let (before, rest) = text.split_once("[[feed]]\nname = \"hush\"").unwrap();
    let (_, after) = rest.split_once("[[stream]]").unwrap();
    std::fs::write(house.house.config(), format!("{before}[[stream]]{after}")).unwrap();
    assert_eq!(daemon.stop(), Some(0));
    let daemon = house.house.start();
    assert_eq!(titles(&daemon, "/all.json"), ["Peace for both", "Peace later"]);
    hidden(&daemon);
}

#[test]
fn a_feed_that_becomes_private_is_seen_no_more_at_once_and_one_that_is_so_no_longer_is() {
    let house = house(false);
    let daemon = house.start();
    assert_eq!(titles(&daemon, "/all.json").len(), 3);
    let text = std::fs::read_to_string(house.house.config()).unwrap();
    for (private, shown) in [(true, 1), (false, 3)] {
        std::fs::write(house.house.config(), text.replace("private = false", &format!("private = {private}"))).unwrap();
        assert!(house.house.run(&["reload"]).status.success());
        assert_eq!(titles(&daemon, "/all.json").len(), shown, "private = {private}");
        assert_eq!(titles(&daemon, "/peace.json").len(), shown, "private = {private}");
        assert_eq!(titles(&daemon, &format!("/mine.json?{TOKEN}")).len(), 3);
        assert_eq!(daemon.get("/feeds").text().contains("Hushed news"), !private);
    }
}
