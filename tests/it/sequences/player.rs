//! Plays a table of sequences in lock-step between one origin, one daemon and one receiver.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::language::{ANY, Sequence, Want, Wish};
use crate::support::daemon::{Daemon, Installation};
use crate::support::origin::{Origin, Reply};
use crate::support::receiver::Receiver;

const SECRET: &[u8] = b"sequences-sequences-sequences-32";
const SECRET_TEXT: &str = "whsec_c2VxdWVuY2VzLXNlcXVlbmNlcy1zZXF1ZW5jZXMtMzI=";

/// How long a stream may lag behind the store.
const LAG: Duration = Duration::from_secs(5);

/// Plays them all, then panics with everything that was not as wanted.
pub(super) fn play(sequences: Vec<Sequence>) {
    let mut stage = Stage::new(&sequences);
    let mut players: Vec<Player> =
        sequences.into_iter().enumerate().map(|(n, sequence)| Player::new(n, sequence)).collect();
    let longest = players.iter().map(|player| player.sequence.steps.len()).max().unwrap_or_default();
    for step in 0..longest {
        let mut polled = Vec::new();
        for player in players.iter_mut().filter(|player| step < player.sequence.steps.len()) {
            player.set(step, &stage.origin);
            polled.extend(player.polled());
        }
        stage.poll(&polled);
        stage.settle();
        let items = stage.items();
        for player in players.iter_mut().filter(|player| step < player.sequence.steps.len()) {
            let scene = Scene {
                items: items.get(&player.number).cloned().unwrap_or_default(),
                calls: stage.calls.get(&player.number).cloned().unwrap_or_default(),
            };
            let ids = scene.ids();
            let stream = stage.stream(&player.number, &ids);
            player.judge(step, &scene, &stream);
        }
    }
    let count = players.len();
    let failed: Vec<String> = players.iter().filter_map(Player::verdict).collect();
    let log = stage.daemon.log();
    let troubles: Vec<&str> = log.lines().filter(|line| line.contains("ERROR") || line.contains("panicked")).collect();
    assert_eq!(stage.daemon.stop(), Some(0));
    assert!(troubles.is_empty(), "the daemon complained:\n{}", troubles.join("\n"));
    assert!(failed.is_empty(), "{} of {count} sequences failed:\n\n{}", failed.len(), failed.join("\n"));
}

/// The number that all names of a sequence begin with.
fn number(n: usize) -> String {
    format!("s{n:03}")
}

/// Placeholders replaced by what is this sequence's own.
fn own(number: &str, text: &str) -> String {
    let digits = number.trim_start_matches('s');
    text.replace("{h}", &format!("https://s{digits}.example"))
        .replace("{x}", &format!("https://x{digits}.example"))
        .replace("{n}", digits)
}

/// The programs.
struct Stage {
    origin: Origin,
    receiver: Receiver,
    house: Installation,
    daemon: Daemon,
    heard: usize,
    calls: HashMap<String, Vec<Call>>,
}

/// A webhook call.
#[derive(Clone)]
struct Call {
    kind: String,
    id: String,
    title: String,
}

impl Stage {
    fn new(sequences: &[Sequence]) -> Self {
        let (origin, receiver) = (Origin::start(), Receiver::start(&[SECRET]));
        // Nothing is due by itself while this runs, and one feed is asked after the other: the order is ours.
        let mut config = "schedule = \"@every 1000h\"\nspread = false\nper_host = 1\nbackoff = \"20h\"\n\
                          first_import = \"notify\"\n"
            .to_owned();
        for (n, sequence) in sequences.iter().enumerate() {
            let number = number(n);
            for (feed, lines) in &sequence.feeds {
                let url = origin.url(&format!("/{number}/{feed}"));
                config.push_str(&format!(
                    "[[feed]]\nname = \"{number}-{feed}\"\nurl = \"{url}\"\ntags = [\"{number}\"]\n{lines}\n"
                ));
            }
            config.push_str(&format!(
                "[[stream]]\nname = \"{number}\"\nmatch = 'tag:{number}'\nnotify = [\"desk\"]\nlimit = 1000\n"
            ));
        }
        config.push_str(&format!(
            "[[webhook]]\nname = \"desk\"\nurl = \"{}\"\nsecret = \"{SECRET_TEXT}\"\nevents = [\"new\", \"updated\"]\n\
             allow_networks = [\"127.0.0.0/8\"]\nconcurrency = 8\n",
            receiver.url("/hook")
        ));
        let house = Installation::new(&config);
        let check = house.run(&["check"]);
        let complaint = String::from_utf8_lossy(&check.stderr).into_owned();
        assert!(check.status.success(), "the configuration was refused:\n{complaint}");
        let daemon = house.start();
        // A daemon polls new feeds when it starts. There is no document yet, so that is a failure and not the
        // first import; afterwards feeds are polled when we say so and at no other time.
        let stage = Self { origin, receiver, house, daemon, heard: 0, calls: HashMap::new() };
        stage.house.run(&["poll"]);
        stage.daemon.until("all feeds were tried", |daemon| {
            let feeds = daemon.json("/api/v1/feeds?limit=1000");
            feeds["feeds"].as_array().unwrap().iter().all(|feed| feed["last_attempt"].is_string())
        });
        stage
    }

    /// Polls these by hand, each once.
    fn poll(&self, names: &[String]) {
        let mut words = vec!["poll", "--json"];
        words.extend(names.iter().map(String::as_str));
        let output = self.house.run(&words);
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("poll: {}\n{}", String::from_utf8_lossy(&output.stderr), self.daemon.log()));
        let feeds = report["feeds"].as_array().unwrap();
        assert_eq!(feeds.len(), names.len(), "{report:#}");
        for feed in feeds {
            assert!(matches!(feed["outcome"].as_str(), Some("loaded" | "failed")), "{feed:#}");
        }
    }

    /// Waits until nothing is owed to the webhook, and hears what came.
    fn settle(&mut self) {
        self.daemon.until("the outbox is empty", |daemon| daemon.json("/api/v1/webhooks")["webhooks"][0]["due"] == 0);
        let calls = self.receiver.calls();
        for call in &calls[self.heard..] {
            assert_eq!(call.accepted, [true], "the signature does not fit");
            let body: Value = serde_json::from_slice(&call.body).unwrap();
            let item = &body["data"]["item"];
            let stream = body["data"]["streams"][0].as_str().unwrap_or_default();
            self.calls.entry(stream.to_owned()).or_default().push(Call {
                kind: text(&body["type"]),
                id: text(&item["id"]),
                title: text(&item["title"]),
            });
        }
        self.heard = calls.len();
    }

    /// All that is stored, by sequence.
    fn items(&self) -> HashMap<String, Vec<Value>> {
        let mut out: HashMap<String, Vec<Value>> = HashMap::new();
        let mut path = "/api/v1/items?limit=1000".to_owned();
        loop {
            let page = self.daemon.json(&path);
            for item in page["items"].as_array().unwrap() {
                let feed = text(&item["_feedmill"]["source"]["name"]);
                let number = feed.split('-').next().unwrap_or_default();
                out.entry(number.to_owned()).or_default().push(item.clone());
            }
            let Some(next) = page["next"].as_str() else { return out };
            path = format!("/api/v1/items?limit=1000&after={next}");
        }
    }

    /// The ids in a sequence's published stream, once they are those that are stored, or after a while.
    fn stream(&self, number: &str, stored: &[String]) -> Vec<String> {
        let begun = Instant::now();
        loop {
            let document = self.daemon.json(&format!("/{number}.json"));
            let mut ids: Vec<String> =
                document["items"].as_array().unwrap().iter().map(|item| text(&item["id"])).collect();
            ids.sort();
            if ids == stored || begun.elapsed() > LAG {
                return ids;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What there is of one sequence after a step.
struct Scene {
    items: Vec<Value>,
    calls: Vec<Call>,
}

impl Scene {
    /// Sorted.
    fn ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = self.items.iter().map(|item| text(&item["id"])).collect();
        ids.sort();
        ids
    }

    fn titles(&self) -> Vec<String> {
        let mut titles: Vec<String> = self.items.iter().map(|item| text(&item["title"])).collect();
        titles.sort();
        titles
    }

    fn named(&self, title: &str) -> Vec<&Value> {
        self.items.iter().filter(|item| item["title"].as_str() == Some(title)).collect()
    }

    fn called(&self, kind: &str) -> Vec<&Call> {
        self.calls.iter().filter(|call| call.kind == kind).collect()
    }
}

/// One sequence, as it is played.
struct Player {
    number: String,
    sequence: Sequence,
    /// Feeds that have a document, by name with number, and what they say.
    on_air: BTreeMap<&'static str, usize>,
    /// Ids by the number of the item.
    ids: BTreeMap<u64, String>,
    /// Ids by titles that stories have or had; the latest holds.
    titled: HashMap<String, String>,
    failures: Vec<String>,
}

impl Player {
    fn new(n: usize, sequence: Sequence) -> Self {
        Self {
            number: number(n),
            sequence,
            on_air: BTreeMap::new(),
            ids: BTreeMap::new(),
            titled: HashMap::new(),
            failures: Vec::new(),
        }
    }

    /// Puts the documents of a step, and those that remain, on the air.
    fn set(&mut self, step: usize, origin: &Origin) {
        for (feed, _) in &self.sequence.steps[step].0 {
            self.on_air.insert(feed, step);
        }
        for (feed, set_in) in &self.on_air {
            let documents = &self.sequence.steps[*set_in].0;
            let (_, document) = documents.iter().find(|(name, _)| name == feed).unwrap();
            let body = own(&self.number, &document.render(step));
            origin.route(&format!("/{}/{feed}", self.number), Reply::ok(body));
        }
    }

    fn polled(&self) -> impl Iterator<Item = String> {
        self.on_air.keys().map(|feed| format!("{}-{feed}", self.number))
    }

    fn judge(&mut self, step: usize, scene: &Scene, stream: &[String]) {
        let want = self.sequence.steps[step].1.clone();
        let mut wrong = self.always(scene, stream);
        wrong.extend(self.counts(&want, scene));
        wrong.extend(want.rest.iter().filter_map(|wish| self.wish(wish, scene)));
        self.failures.extend(wrong.into_iter().map(|what| format!("    load {}: {what}", step + 1)));
        for item in &scene.items {
            self.ids.insert(item["_feedmill"]["item"].as_u64().unwrap_or_default(), text(&item["id"]));
            self.titled.insert(text(&item["title"]), text(&item["id"]));
        }
    }

    /// What is wanted of every sequence.
    fn always(&self, scene: &Scene, stream: &[String]) -> Vec<String> {
        let mut wrong = Vec::new();
        let ids = scene.ids();
        let set: BTreeSet<&String> = ids.iter().collect();
        if set.len() != ids.len() {
            wrong.push(format!("an id stands twice: {ids:?}"));
        }
        if stream != ids {
            wrong.push(format!("the stream holds {stream:?}, the store {ids:?}"));
        }
        for (item, id) in &self.ids {
            match scene.items.iter().find(|now| now["_feedmill"]["item"].as_u64() == Some(*item)) {
                Some(now) if now["id"].as_str() == Some(id) => {}
                Some(now) => wrong.push(format!("item {item} was published as {id}, and is now {}", now["id"])),
                None => wrong.push(format!("{id}, item {item}, was published and is gone")),
            }
        }
        for item in &scene.items {
            for sighting in item["_feedmill"]["sightings"].as_array().into_iter().flatten() {
                let feed = text(&sighting["feed"]);
                if !feed.starts_with(&format!("{}-", self.number)) {
                    wrong.push(format!("{} is also in {feed}", item["title"]));
                }
            }
        }
        let mut told = BTreeSet::new();
        for call in scene.called("item.new") {
            if !told.insert(&call.id) {
                wrong.push(format!("`{}` was called as new twice", call.title));
            }
        }
        wrong
    }

    fn counts(&self, want: &Want, scene: &Scene) -> Vec<String> {
        let mut wrong = Vec::new();
        if want.items != ANY && scene.items.len() != want.items {
            wrong.push(format!(
                "wanted {} items, there are {}: {}",
                want.items,
                scene.items.len(),
                brief(&scene.titles())
            ));
        }
        for (kind, wanted) in [("item.new", want.new), ("item.updated", want.updated)] {
            let called = scene.called(kind);
            if wanted != ANY && called.len() != wanted {
                let titles: Vec<String> = called.iter().map(|call| call.title.clone()).collect();
                wrong.push(format!("wanted {wanted} calls {kind}, {} came: {}", called.len(), brief(&titles)));
            }
        }
        wrong
    }

    fn wish(&self, wish: &Wish, scene: &Scene) -> Option<String> {
        let (title, wanted, came) = match wish {
            Wish::Titles(titles) => {
                let wanted: Vec<String> = titles.iter().map(|title| own(&self.number, title)).collect();
                let came = scene.titles();
                return (wanted != came).then(|| format!("wanted the titles {wanted:?}, there are {came:?}"));
            }
            Wish::Revision(title, n) => (
                title,
                format!("revision {n}"),
                self.each(title, scene, |item| format!("revision {}", item["_feedmill"]["revision"])),
            ),
            Wish::Link(title, link) => {
                let wanted = link.as_ref().map_or("no link".to_owned(), |link| own(&self.number, link));
                (title, wanted, self.each(title, scene, |item| item["url"].as_str().unwrap_or("no link").to_owned()))
            }
            Wish::SeenIn(title, feeds) => (
                title,
                format!("in {feeds:?}"),
                self.each(title, scene, |item| {
                    let seen: BTreeSet<String> = item["_feedmill"]["sightings"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .map(|sighting| self.letter(&sighting["feed"]))
                        .collect();
                    format!("in {seen:?}").replace('{', "[").replace('}', "]")
                }),
            ),
            Wish::MainFeed(title, feed) => (
                title,
                format!("from {feed}"),
                self.each(title, scene, |item| format!("from {}", self.letter(&item["_feedmill"]["source"]["name"]))),
            ),
            Wish::Says(title, part) => (
                title,
                part.clone(),
                self.each(title, scene, |item| {
                    let says = text(&item["content_text"]) + &text(&item["content_html"]);
                    if says.contains(part.as_str()) { part.clone() } else { says.chars().take(60).collect() }
                }),
            ),
            Wish::Same(title, former) => {
                let Some(id) = self.titled.get(former) else { return Some(format!("there was no `{former}`")) };
                (title, id.clone(), self.each(title, scene, |item| text(&item["id"])))
            }
        };
        let fits = came.len() == 1 && came[0] == wanted;
        (!fits).then(|| format!("`{title}`: wanted {wanted}, came {came:?}"))
    }

    fn letter(&self, feed: &Value) -> String {
        text(feed).trim_start_matches(&format!("{}-", self.number)).to_owned()
    }

    /// Something of each item with this title: there should be one.
    fn each(&self, title: &str, scene: &Scene, of: impl Fn(&Value) -> String) -> Vec<String> {
        scene.named(&own(&self.number, title)).into_iter().map(of).collect()
    }

    fn verdict(&self) -> Option<String> {
        let failed = !self.failures.is_empty();
        failed.then(|| format!("{} {}\n{}", self.number, self.sequence.name, self.failures.join("\n")))
    }
}

/// The first few of many.
fn brief(texts: &[String]) -> String {
    let shown = texts.iter().take(12).map(|text| format!("`{text}`")).collect::<Vec<_>>().join(", ");
    if texts.len() > 12 { format!("{shown} … {} in all", texts.len()) } else { shown }
}
