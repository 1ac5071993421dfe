//! A month in an hour: the real daemon by a clock that runs a hundred times as fast, among publishers and a receiver who fall ill,
//! operators, readers, sleeping machines, full disks and power cuts. At the end three sets must agree: what was published, what is
//! stored and served, and what was called about.
//!
//! `cargo test --test it -- --ignored soak`; `FEEDMILL_SOAK_SECONDS` is how long (an hour), `FEEDMILL_SEED` repeats the faults in
//! their order. What else happens at the same moment is up to the machine.

#![allow(clippy::print_stdout, reason = "says what was done, and what it came to")]

mod clock;
mod follow;
mod world;

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

use self::clock::Clock;
use self::follow::Followers;
use self::world::{FEEDS, World, bare};
use crate::support::daemon::{Daemon, Installation, PATIENCE, http};

/// How much faster the clock is.
const RATE: i64 = 100;
/// Calls at a time to the receiver.
const CONCURRENCY: usize = 4;
/// The feed whose stories are not kept for long.
const FORGETFUL: usize = FEEDS - 1;

/// A small generator with a seed that is printed.
pub(crate) struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn pick(&mut self, most: usize) -> usize {
        usize::try_from(self.roll() % most as u64).unwrap()
    }

    fn pause(&mut self, most_ms: usize) {
        std::thread::sleep(Duration::from_millis(20 + self.pick(most_ms) as u64));
    }
}

/// What was done to the daemon.
#[derive(Default, Debug)]
struct Done {
    kills: usize,
    stops: usize,
    sleeps: usize,
    steps: usize,
    full_disks: usize,
    locks: usize,
    reloads: usize,
    refused: usize,
    backups: usize,
    slow_clients: usize,
    moods: usize,
}

struct Soak {
    clock: Clock,
    house: Installation,
    world: World,
    dice: Dice,
    done: Done,
    daemon: Option<Daemon>,
    /// Of the last backup, in stories.
    backed_up: i64,
}

/// What the daemon takes at a moment.
#[derive(Clone, Copy)]
struct Taken {
    rss_kb: u64,
    files: u64,
}

#[test]
#[ignore = "an hour, or FEEDMILL_SOAK_SECONDS; a compiler for C"]
fn soak_a_month_in_an_hour_loses_nothing_repeats_nothing_and_leaks_nothing() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("FEEDMILL_SEED").unwrap_or_else(|| u64::from(std::process::id()) * 0x9e37_79b9 + 1);
    let length = Duration::from_secs(number("FEEDMILL_SOAK_SECONDS").unwrap_or(3600));
    println!("seed {seed} (FEEDMILL_SEED repeats it), {} s", length.as_secs());
    let world = World::start();
    let house = Installation::new(&configuration(&world, true, "*/10 * * * *"));
    let Some(clock) = Clock::new(house.dir(), RATE) else {
        println!("there is no compiler here");
        return;
    };
    // By the true clock: it takes longer than a fast minute.
    assert!(house.run(&["poll"]).status.success());
    let dice = Dice(seed);
    let mut soak = Soak { clock, house, world, dice, done: Done::default(), daemon: None, backed_up: 0 };
    soak.start();
    let followers = Followers::start(soak.house.address);
    // First with deaths, then one long life, for what is taken and not given back.
    let begun = Instant::now();
    while begun.elapsed() < length / 2 {
        soak.live(true);
    }
    soak.stop();
    soak.start();
    let mut taken = Vec::new();
    while begun.elapsed() < length {
        soak.live(false);
        taken.push(soak.taken());
    }
    println!("{:?}", soak.done);
    soak.settle();
    let followed = followers.end();
    soak.check(&followed);
    let taken = no_more_than_before(&taken);
    println!("{taken}");
}

fn configuration(world: &World, extra: bool, schedule: &str) -> String {
    without(world, None, extra, schedule)
}

/// The same, and one feed is not followed.
fn without(world: &World, absent: Option<usize>, extra: bool, schedule: &str) -> String {
    let mut text = format!(
        "schedule = \"{schedule}\"\nmin_interval = \"1m\"\nper_host = 8\ntimeout = \"60s\"\nbackoff = \"5m\"\nfirst_import = \
         \"notify\"\n"
    );
    for feed in (0..FEEDS).filter(|feed| absent != Some(*feed)) {
        let keep = if feed == FORGETFUL { "keep = \"1d\"\n" } else { "" };
        let _ = write!(text, "[[feed]]\nname = \"f{feed}\"\nurl = \"{}\"\n{keep}", world.url(&format!("/{feed}")));
    }
    let _ = write!(text, "[[feed]]\nname = \"before\"\nurl = \"{}\"\n", world.url("/before"));
    if extra {
        text.push_str("[[stream]]\nname = \"extra\"\nmatch = 'war'\n");
    }
    let retry = format!("\"5s\", \"5m\", \"10m\"{}", ", \"15m\"".repeat(30));
    let _ = write!(
        text,
        "[[stream]]\nname = \"watch\"\nmatch = 'peace'\nnotify = [\"desk\"]\n[[stream]]\nname = \"all\"\nlimit = 300\n[[webhook]]\nname \
         = \"desk\"\nurl = \"{}\"\nsecret = \"whsec_c29hay1zb2FrLXNvYWstc29hay1zb2FrLXNvYWstMzI=\"\nallow_networks = \
         [\"127.0.0.0/8\"]\nretry = [{retry}]\ntimeout = \"60s\"\nconcurrency = {CONCURRENCY}\n",
        world.url("/desk")
    );
    text
}

impl Soak {
    fn start(&mut self) {
        let variables = self.clock.environment().map(|(name, value)| format!("{name}={value}"));
        let mut args: Vec<&str> = variables.iter().map(String::as_str).collect();
        args.extend(["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"]);
        self.daemon = Some(self.house.spawn_under("env", &args));
        self.healthy();
    }

    fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().unwrap()
    }

    fn stop(&mut self) {
        let daemon = self.daemon.take().unwrap();
        daemon.signal("CONT");
        assert_eq!(daemon.stop(), Some(0), "{}", self.log());
    }

    /// The end of the log.
    fn log(&self) -> String {
        let log = std::fs::read(self.house.dir().join("daemon.log")).unwrap_or_default();
        String::from_utf8_lossy(&log[log.len().saturating_sub(8000)..]).into_owned()
    }

    /// It lives, and answers.
    fn healthy(&mut self) {
        let begun = Instant::now();
        while http(self.house.address, "GET", "/healthz", &[]).is_none_or(|answer| answer.status != 200) {
            assert!(!self.daemon.as_mut().unwrap().ended(), "it has ended:\n{}", self.log());
            assert!(begun.elapsed() < PATIENCE, "it does not answer:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// A command, by the same clock.
    fn command(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_feedmill"));
        command.env_clear().env("HOME", self.house.dir()).envs(self.clock.environment());
        command.arg("--config").arg(self.house.config()).args(args).output().unwrap()
    }

    /// A little news, and one fault.
    fn live(&mut self, deaths: bool) {
        for _ in 0..=self.dice.pick(2) {
            self.world.publish(&mut self.dice);
        }
        if self.dice.pick(4) == 0 {
            self.world.edit(&mut self.dice);
        }
        let fault = self.dice.pick(if deaths { 13 } else { 11 });
        match fault {
            0..=3 => {
                self.done.moods += 1;
                self.world.change_moods(&mut self.dice);
            }
            4 => self.world.cut(),
            5 => self.sleep(),
            6 => self.set_clock(),
            7 => self.fill_the_disk(),
            8 => self.reload(),
            9 => self.look_in(),
            10 => self.hold_the_database(),
            11 => {
                self.done.kills += 1;
                self.daemon.take().unwrap().kill();
                self.start();
            }
            _ => {
                self.done.stops += 1;
                self.stop();
                self.start();
            }
        }
        self.dice.pause(1500);
        self.healthy();
    }

    /// The machine sleeps: nothing runs, and only the wall clock goes on.
    fn sleep(&mut self) {
        self.done.sleeps += 1;
        self.daemon().signal("STOP");
        self.dice.pause(400);
        let hours = 1 + self.dice.pick(12);
        self.clock.step(i64::try_from(hours).unwrap() * 3600);
        self.daemon().signal("CONT");
    }

    fn set_clock(&mut self) {
        self.done.steps += 1;
        const YEAR: i64 = 365 * 86_400;
        let seconds = [-3600, 3600, -600, 6 * 3600, -86_400, 86_400, 0][self.dice.pick(7)];
        if seconds == 0 {
            // A clock without a battery, until somebody tells it the time.
            let ahead = [YEAR, -YEAR][self.dice.pick(2)];
            self.clock.step(ahead);
            self.dice.pause(1500);
            self.clock.step(-ahead);
            return;
        }
        self.clock.step(seconds);
    }

    fn fill_the_disk(&mut self) {
        self.done.full_disks += 1;
        let pid = self.daemon().pid().to_string();
        let limit = |size: &str| {
            let set = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={size}:unlimited")]).status();
            assert!(set.unwrap().success());
        };
        limit(["32768", "4096", "200000"][self.dice.pick(3)]);
        self.dice.pause(1500);
        limit("unlimited");
    }

    fn hold_the_database(&mut self) {
        self.done.locks += 1;
        let other = rusqlite::Connection::open(self.house.database()).unwrap();
        let begun = ["BEGIN EXCLUSIVE", "BEGIN IMMEDIATE"][self.dice.pick(2)];
        if other.execute_batch(begun).is_ok() {
            self.dice.pause(600);
            other.execute_batch("ROLLBACK").unwrap();
        }
    }

    fn reload(&mut self) {
        let good = self.dice.pick(3) > 0;
        let schedule = ["*/10 * * * *", "@every 5m", "7,27,47 * * * *"][self.dice.pick(3)];
        let absent = (self.dice.pick(4) == 0).then(|| self.dice.pick(FEEDS));
        let text = without(&self.world, absent, self.dice.pick(2) == 0, schedule);
        let broken = text.replace("notify = [\"desk\"]", "notify = [\"nobody\"]");
        self.house.configure(if good { &text } else { &broken });
        self.done.reloads += 1;
        self.done.refused += usize::from(!good);
        if self.dice.pick(2) == 0 {
            (0..=self.dice.pick(20)).for_each(|_| self.daemon().signal("HUP"));
        } else {
            let asked = self.command(&["reload"]);
            assert_eq!(asked.status.success(), good, "{}{}", String::from_utf8_lossy(&asked.stderr), self.log());
        }
        // Whoever starts it anew finds a good one.
        if !good {
            self.dice.pause(300);
            self.house.configure(&text);
        }
    }

    /// A backup, or clients who take all the time in the world.
    fn look_in(&mut self) {
        if self.dice.pick(2) == 0 {
            self.back_up();
            return;
        }
        self.done.slow_clients += 1;
        // Not even descriptors are left for them, now and then.
        let few = self.dice.pick(2) == 0;
        let pid = self.daemon().pid().to_string();
        let limit = |soft: &str| {
            let set = Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={soft}:")]).status();
            assert!(set.unwrap().success());
        };
        if few {
            limit("50");
        }
        let clients: Vec<TcpStream> = (0..100).filter_map(|_| TcpStream::connect(self.house.address).ok()).collect();
        for mut client in &clients {
            let _ = client.write_all(b"GET /all.json HTTP/1.1\r\nHos");
        }
        self.dice.pause(800);
        if few {
            limit("1024");
        }
    }

    fn back_up(&mut self) {
        self.done.backups += 1;
        let copy = self.house.dir().join("copy.db");
        let made = self.command(&["backup", copy.to_str().unwrap()]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let stored = sound(&copy);
        let known: HashSet<String> = self.world.truth().into_iter().map(|story| story.url).collect();
        assert!(stored.iter().all(|url| known.contains(url)));
        std::fs::remove_file(copy).unwrap();
        let stored = i64::try_from(stored.len()).unwrap();
        self.backed_up = stored;
    }

    fn taken(&self) -> Taken {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.daemon().pid())).unwrap();
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let rss_kb = rss.trim().trim_end_matches(" kB").parse().unwrap();
        Taken { rss_kb, files: self.daemon().open_files() as u64 }
    }

    /// Everybody is well again: what is still to be done is done.
    fn settle(&mut self) {
        self.world.heal();
        self.house.configure(&configuration(&self.world, true, "*/10 * * * *"));
        assert!(self.command(&["reload"]).status.success(), "{}", self.log());
        let begun = Instant::now();
        let wait = |what: &str, holds: &mut dyn FnMut(&Self) -> Result<(), String>| {
            while let Err(left) = holds(self) {
                assert!(begun.elapsed() < PATIENCE * 4, "{what}: {left}\n{}", self.log());
                std::thread::sleep(Duration::from_millis(200));
            }
        };
        wait("every feed is polled", &mut |soak| {
            let polled = soak.command(&["poll", "--json"]);
            let report: Value = serde_json::from_slice(&polled.stdout).unwrap_or_default();
            let feeds = report["feeds"].as_array().cloned().unwrap_or_default();
            let good = feeds.iter().filter(|feed| feed["error"].is_null() && feed["outcome"] != "skipped").count();
            if good == FEEDS + 1 { Ok(()) } else { Err(report.to_string()) }
        });
        wait("every call is settled", &mut |soak| {
            let hooks = soak.json("/api/v1/webhooks").ok_or("no answer")?;
            let desk = &hooks["webhooks"][0];
            if desk["due"] == 0 && desk["failed"] == 0 && desk["state"] == "active" {
                Ok(())
            } else {
                Err(desk.to_string())
            }
        });
    }

    fn json(&self, path: &str) -> Option<Value> {
        let answer = http(self.house.address, "GET", path, &[])?;
        serde_json::from_slice(&answer.body).ok()
    }

    /// A stream and what leads on from it: the stories' addresses, each once, with their ids.
    fn walk(&self, stream: &str) -> HashMap<String, String> {
        let (mut found, mut path) = (HashMap::new(), format!("/{stream}.json"));
        loop {
            // Some seconds of the fast clock are soon over: what took too long is asked for again.
            let begun = Instant::now();
            let page = loop {
                if let Some(page) = self.json(&path).filter(|page| page["items"].is_array()) {
                    break page;
                }
                assert!(begun.elapsed() < PATIENCE, "{path}: no answer\n{}", self.log());
            };
            for item in page["items"].as_array().unwrap() {
                let url = bare(item["url"].as_str().unwrap());
                let id = item["id"].as_str().unwrap().to_owned();
                if let Some(before) = found.insert(url.clone(), id.clone()) {
                    assert_eq!(before, id, "{url} is there twice");
                }
            }
            let Some(next) = page["next_url"].as_str() else { return found };
            path = format!("/{}", next.splitn(4, '/').nth(3).unwrap());
        }
    }

    fn check(&mut self, followed: &follow::Followed) {
        let truth = self.world.truth();
        let all = self.walk("all");
        for (what, there, wanted) in [
            ("all", &all, truth.iter().collect::<Vec<_>>()),
            ("watch", &self.walk("watch"), truth.iter().filter(|story| story.called).collect()),
        ] {
            let known: HashSet<&String> = wanted.iter().map(|story| &story.url).collect();
            let phantoms: Vec<_> = there.keys().filter(|url| !known.contains(url)).collect();
            // What the forgetful feed brought first may have gone before the other one had it, too.
            let forgotten =
                |story: &world::Truth| story.feed == FORGETFUL || story.shared && story.feed / 2 == FORGETFUL / 2;
            let kept = wanted.iter().filter(|story| !forgotten(story));
            let lost: Vec<_> = kept.filter(|story| !there.contains_key(&story.url)).collect();
            println!("{what}: {} of {} stories", there.len(), wanted.len());
            assert!(phantoms.is_empty() && lost.is_empty(), "{what}: lost {lost:?}, phantoms {phantoms:?}");
        }
        for (url, id) in &followed.ids {
            assert!(all.get(url).is_none_or(|now| now == id), "{url} had another id");
        }
        assert!(followed.problems.is_empty(), "{:?}", followed.problems);
        self.check_calls(&truth);
        let unheard: Vec<_> =
            truth.iter().filter(|story| story.called && !followed.heard.contains_key(&story.url)).collect();
        assert!(unheard.is_empty(), "whoever followed /events has not heard of {unheard:?}");
        println!("{} documents and {} events were read", followed.documents, followed.events);
        self.stop();
        sound(&self.house.database());
        let log = std::fs::read_to_string(self.house.dir().join("daemon.log")).unwrap();
        assert!(!log.contains("panicked"), "{}", log.split("panicked").nth(1).unwrap());
    }

    fn check_calls(&self, truth: &[world::Truth]) {
        let heard = self.world.heard();
        let wanted: HashSet<&String> = truth.iter().filter(|story| story.called).map(|story| &story.url).collect();
        let phantoms: Vec<_> = heard.keys().filter(|url| !wanted.contains(url)).collect();
        let lost: Vec<_> = wanted.iter().filter(|url| !heard.contains_key(**url)).collect();
        assert!(phantoms.is_empty() && lost.is_empty(), "calls: lost {lost:?}, phantoms {phantoms:?}");
        let mut repeats = 0;
        for (url, calls) in &heard {
            assert!(calls.iter().all(|call| call.signed), "{url}: not signed");
            assert!(calls.iter().all(|call| call.id == calls[0].id), "{url}: called under several ids: {calls:?}");
            repeats += calls.iter().filter(|call| call.answered).count().saturating_sub(1);
        }
        let done = &self.done;
        // What was answered and could not be written down before the end, or while the disk was full or the database held.
        let excuses = done.kills + done.stops + done.sleeps + done.full_disks + done.locks;
        let calls: usize = heard.values().map(Vec::len).sum();
        println!("{} stories were called about, {calls} calls, {repeats} repeats after an answer", heard.len());
        assert!(repeats <= excuses * CONCURRENCY, "{repeats} repeats, {done:?}");
    }
}

/// A database that is in order, and the stories in it.
fn sound(path: &Path) -> HashSet<String> {
    let db = rusqlite::Connection::open(path).unwrap();
    let verdict: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    let broken: i64 = db.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
    assert_eq!(broken, 0);
    let mut read = db.prepare("SELECT link FROM item").unwrap();
    let urls = read.query_map([], |row| row.get::<_, String>(0)).unwrap();
    urls.map(|url| bare(&url.unwrap())).collect()
}

/// Compares the first third with the last one, after a quarter for warming up.
fn no_more_than_before(taken: &[Taken]) -> String {
    let warm = &taken[taken.len() / 4..];
    let third = (warm.len() / 3).max(1);
    let median = |part: &[Taken], of: fn(&Taken) -> u64| {
        let mut values: Vec<u64> = part.iter().map(of).collect();
        values.sort_unstable();
        values[values.len() / 2]
    };
    let (first, last) = (&warm[..third], &warm[warm.len() - third..]);
    let rss = [first, last].map(|part| median(part, |taken| taken.rss_kb));
    let files = [first, last].map(|part| median(part, |taken| taken.files));
    let course: Vec<u64> =
        taken.chunks(taken.len().div_ceil(8).max(1)).map(|part| median(part, |taken| taken.rss_kb)).collect();
    let said = format!(
        "memory {} kB, then {} kB (in eighths {course:?}); descriptors {}, then {}",
        rss[0], rss[1], files[0], files[1]
    );
    assert!(rss[1] <= rss[0] + rss[0] / 10 + 4096, "{said}");
    assert!(files[1] <= files[0] + 8, "{said}");
    said
}
