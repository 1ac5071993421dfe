//! Power cuts. A process that dies leaves the kernel's pages behind; without power only what was synced is there, and any part of
//! what was written since, in any order, torn at the sectors of the disk. The writes of a whole cycle are recorded and disks
//! are made of them as such a cut could have left them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::time::{Duration, Instant};

use feedmill::store::sqlite::{Access, Options, Sqlite};
use rusqlite::Connection;

use crate::support::daemon::{Daemon, Installation, http, rss, story};
use crate::support::origin::{Origin, Reply};
use crate::support::receiver::{Answer, Receiver};

const SECRET: &[u8] = b"crash-crash-crash-crash-crash-32";
/// What a disk writes whole.
const SECTOR: usize = 512;
const FILES: [&str; 2] = ["feedmill.db", "feedmill.db-wal"];

/// What was done to one of the files.
enum What {
    Write {
        at: usize,
        bytes: Vec<u8>,
    },
    Truncate(usize),
    Unlink,
    /// It was asked for at the operation with this number; all that was done before is on the disk.
    Synced(usize),
}

struct Op {
    file: usize,
    what: What,
}

/// What was recorded: what happened to the files, and which call was sent after how many operations.
#[derive(Default)]
struct Record {
    ops: Vec<Op>,
    sent: Vec<(usize, String)>,
}

/// What a database says that must not be lost, and what must be true of it in itself.
#[derive(Default)]
struct Contents {
    stories: BTreeSet<String>,
    owed: BTreeSet<String>,
    settled: BTreeSet<String>,
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).unwrap()
    }
}

fn document(stories: usize) -> String {
    let long = "word ".repeat(150);
    let items: Vec<_> = (0..stories)
        .rev()
        .map(|n| story(&format!("Peace {n} {long}"), &format!("https://n.example/{n}"), &n.to_string()))
        .collect();
    rss(&items)
}

/// `cargo test --test it -- --ignored power`: `FEEDMILL_IMAGES` disks (100), by `FEEDMILL_SEED`.
#[test]
#[ignore = "half a minute, and strace"]
fn after_a_power_cut_the_database_is_in_order_and_has_all_that_was_synced() {
    if std::process::Command::new("strace").arg("-V").output().is_err() {
        println!("there is no strace here");
        return;
    }
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("FEEDMILL_SEED").unwrap_or(0x5eed_2026);
    let images = number("FEEDMILL_IMAGES").unwrap_or(100);
    println!("seed {seed} (FEEDMILL_SEED repeats it)");
    let (origin, receiver) = (Origin::start(), Receiver::start(&[SECRET]));
    let house = Installation::new(&format!(
        "schedule = \"@every 2s\"\nspread = false\nmin_interval = \"1s\"\nfirst_import = \"notify\"\n[[feed]]\nname = \"f\"\nurl = \
         \"{}\"\n[[stream]]\nname = \"watch\"\nmatch = 'peace'\nnotify = [\"desk\"]\n[[stream]]\nname = \"all\"\nlimit = 1000\n\
         [[webhook]]\nname = \"desk\"\nurl = \"{}\"\nsecret = \"whsec_Y3Jhc2gtY3Jhc2gtY3Jhc2gtY3Jhc2gtY3Jhc2gtMzI=\"\n\
         allow_networks = [\"127.0.0.0/8\"]\nretry = [\"1s\", \"1s\", \"1s\"]\n",
        origin.url("/f"),
        receiver.url("/")
    ));
    origin.route("/f", Reply::ok(document(1)));
    assert!(house.run(&["poll"]).status.success());
    let before = std::fs::read(house.database()).unwrap();
    let record = record(&house, &origin, &receiver);
    let syncs = record.ops.iter().filter(|op| matches!(op.what, What::Synced(_))).count();
    println!("{} operations, {syncs} syncs, {} calls", record.ops.len(), record.sent.len());
    assert!(record.ops.iter().any(|op| op.file == 0), "the log was written into the file, too");

    sends_follow_syncs(&record, &before);
    let mut dice = Dice(seed);
    for n in 0..images {
        let cut = 1 + dice.below(record.ops.len());
        let synced = looked_at(&record, &before, cut, &mut || Part::None);
        let luck = dice.below(11);
        let there = looked_at(&record, &before, cut, &mut || match dice.below(10) {
            roll if roll >= luck => Part::None,
            0 | 1 => Part::Torn(u64::try_from(dice.below(usize::MAX)).unwrap()),
            _ => Part::Whole,
        });
        for (what, synced, there) in [
            ("stories", &synced.stories, &there.stories),
            ("calls that are owed", &synced.owed, &there.owed),
            ("calls that are settled", &synced.settled, &there.settled),
        ] {
            let lost: Vec<_> = synced.difference(there).collect();
            assert!(
                lost.is_empty(),
                "image {n}, cut after {cut} operations: {what} that were synced are lost: {lost:?}"
            );
        }
    }
    goes_on(&record, &before, &house, &origin, &receiver);
}

/// Runs the daemon through a start, two loads, their calls and a stop.
fn record(house: &Installation, origin: &Origin, receiver: &Receiver) -> Record {
    let trace = house.dir().join("trace");
    let calls = "trace=pwrite64,fsync,fdatasync,ftruncate,unlink,unlinkat,sendto,writev";
    let args = ["-D", "-f", "-qq", "-y", "-xx", "-s", "1000000", "-e", calls, "-o", trace.to_str().unwrap()];
    let daemon = house.spawn_under("strace", &args);
    daemon.until("it has started", |d| http(d.address(), "GET", "/healthz", &[]).is_some());
    for stories in [60, 100] {
        if stories == 100 {
            receiver.script([Answer::status(500), Answer::status(500), Answer::status(200)]);
        }
        origin.route("/f", Reply::ok(document(stories)));
        settled(&daemon, receiver, stories);
    }
    assert_eq!(daemon.stop(), Some(0));
    // The tracer writes the last lines after the daemon has gone.
    let begun = Instant::now();
    loop {
        let text = std::fs::read_to_string(&trace).unwrap();
        if text.contains("exited with 0") || begun.elapsed() > Duration::from_secs(5) {
            return read(&text);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn settled(daemon: &Daemon, receiver: &Receiver, stories: usize) {
    daemon.until("every story is called about", |_| {
        receiver.calls().iter().map(|call| call.id.clone()).collect::<BTreeSet<_>>().len() >= stories
    });
    daemon.until("every call is settled", |d| d.json("/api/v1/webhooks")["webhooks"][0]["due"] == 0);
}

/// What strace wrote: a line a call, or two where another thread came between.
fn read(trace: &str) -> Record {
    let mut record = Record::default();
    let mut pending: HashMap<&str, (usize, usize)> = HashMap::new();
    for line in trace.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if rest.starts_with("<... fsync resumed>") || rest.starts_with("<... fdatasync resumed>") {
            if let Some((file, asked)) = pending.remove(thread).filter(|_| rest.ends_with("= 0")) {
                record.ops.push(Op { file, what: What::Synced(asked) });
            }
            continue;
        }
        let Some((call, args)) = rest.split_once('(') else { continue };
        match call {
            "sendto" | "writev" => {
                let sent = String::from_utf8_lossy(&unhex(args)).into_owned();
                let id = sent.split("webhook-id: ").nth(1).and_then(|rest| rest.split("\r\n").next());
                record.sent.extend(id.map(|id| (record.ops.len(), id.to_owned())));
                continue;
            }
            _ => {}
        }
        let Some(file) = file_of(args) else { continue };
        let numbers = || args.rsplit_once(')').map_or(args, |(before, _)| before).replace(" <unfinished ...>", "");
        let last = || numbers().rsplit(", ").next().unwrap().trim().parse::<usize>().unwrap();
        match call {
            "pwrite64" => record.ops.push(Op { file, what: What::Write { at: last(), bytes: unhex(args) } }),
            "ftruncate" => record.ops.push(Op { file, what: What::Truncate(last()) }),
            "unlink" | "unlinkat" => record.ops.push(Op { file, what: What::Unlink }),
            _ if rest.ends_with("<unfinished ...>") => {
                pending.insert(thread, (file, record.ops.len()));
            }
            _ if rest.ends_with("= 0") => {
                let asked = record.ops.len();
                record.ops.push(Op { file, what: What::Synced(asked) });
            }
            _ => {}
        }
    }
    record
}

/// `7</a/feedmill.db-wal>`, or a path in hexadecimal.
fn file_of(args: &str) -> Option<usize> {
    let path = match args.split_once('<').filter(|(number, _)| number.bytes().all(|b| b.is_ascii_digit())) {
        Some((_, rest)) => rest.split('>').next()?.to_owned(),
        None => String::from_utf8(unhex(args)).ok()?,
    };
    let decoded = if path.starts_with("\\x") { String::from_utf8(unhex(&format!("\"{path}\""))).ok()? } else { path };
    FILES.iter().position(|name| Path::new(&decoded).file_name().is_some_and(|file| file == *name))
}

/// The strings of a line, one after the other.
fn unhex(args: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for text in args.split('"').skip(1).step_by(2) {
        out.extend(text.split("\\x").skip(1).map(|two| u8::from_str_radix(&two[..2], 16).unwrap()));
    }
    out
}

/// How much of an operation that was not synced the disk has.
enum Part {
    None,
    Whole,
    /// Some of its sectors, by the bits.
    Torn(u64),
}

/// Makes the files as they may be after a cut behind so many operations.
fn image(record: &Record, before: &[u8], cut: usize, folder: &Path, part: &mut dyn FnMut() -> Part) {
    let ops = &record.ops[..cut];
    let mut files = [Some(before.to_vec()), None];
    for (file, contents) in files.iter_mut().enumerate() {
        let synced = ops.iter().rev().find_map(|op| match op.what {
            What::Synced(asked) if op.file == file => Some(asked),
            _ => None,
        });
        for (at, op) in ops.iter().enumerate().filter(|(_, op)| op.file == file) {
            let part = if at < synced.unwrap_or(0) { Part::Whole } else { part() };
            apply(&op.what, &part, contents);
        }
    }
    for (name, contents) in FILES.iter().zip(files) {
        let path = folder.join(name);
        let _ = std::fs::remove_file(&path);
        let _ = std::fs::remove_file(folder.join("feedmill.db-shm"));
        if let Some(contents) = contents {
            std::fs::write(path, contents).unwrap();
        }
    }
}

/// The same in a folder of its own, opened.
fn looked_at(record: &Record, before: &[u8], cut: usize, part: &mut dyn FnMut() -> Part) -> Contents {
    let folder = tempfile::TempDir::new().unwrap();
    image(record, before, cut, folder.path(), part);
    contents(&folder.path().join(FILES[0]))
}

fn apply(what: &What, part: &Part, file: &mut Option<Vec<u8>>) {
    match (what, part) {
        (What::Synced(_), _) | (_, Part::None) => {}
        (What::Unlink, _) => *file = None,
        (What::Truncate(length), _) => file.get_or_insert_default().resize(*length, 0),
        (What::Write { at, bytes }, part) => {
            let file = file.get_or_insert_default();
            if file.len() < at + bytes.len() {
                file.resize(at + bytes.len(), 0);
            }
            let mut from = 0;
            while from < bytes.len() {
                // To the end of the sector that this byte is in.
                let to = (from + SECTOR - (at + from) % SECTOR).min(bytes.len());
                let kept = match part {
                    Part::Torn(bits) => bits >> ((at + from) / SECTOR % 64) & 1 == 1,
                    _ => true,
                };
                if kept {
                    file[at + from..at + to].copy_from_slice(&bytes[from..to]);
                }
                from = to;
            }
        }
    }
}

/// Opens it as the daemon does, checks, and looks.
fn contents(path: &Path) -> Contents {
    let options = Options { access: Access::Own, check: true, tagging: "example.org,2026-01-01".to_owned() };
    drop(Sqlite::open(path, &options).unwrap_or_else(|error| panic!("{error}")));
    let db = Connection::open(path).unwrap();
    let one = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let verdict: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    assert_eq!(one("SELECT count(*) FROM pragma_foreign_key_check"), 0);
    assert_eq!(one("SELECT count(*) FROM item"), one("SELECT count(*) FROM delivery"), "each story is owed a call");
    let orphans = "SELECT count(*) FROM delivery d WHERE NOT EXISTS (SELECT 1 FROM delivery_event e JOIN event v ON v.id = e.event_id \
                   JOIN item i ON i.id = v.item_id WHERE e.delivery_id = d.id)";
    assert_eq!(one(orphans), 0, "no call without its story");
    let all = |sql: &str| {
        let mut read = db.prepare(sql).unwrap();
        read.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    Contents {
        stories: all("SELECT link FROM item"),
        owed: all("SELECT message_id FROM delivery"),
        settled: all("SELECT message_id FROM delivery WHERE state = 'succeeded'"),
    }
}

/// Nobody was called about what a cut could still have undone.
fn sends_follow_syncs(record: &Record, before: &[u8]) {
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, id) in &record.sent {
        first.entry(id).or_insert(*at);
    }
    assert_eq!(first.len(), 100, "every call was seen");
    for (id, at) in first {
        let owed = looked_at(record, before, at, &mut || Part::None).owed;
        assert!(owed.contains(id), "{id} was sent before it was safe");
    }
}

/// From the worst disks on, the daemon itself does what is left to do.
fn goes_on(record: &Record, before: &[u8], house: &Installation, origin: &Origin, receiver: &Receiver) {
    for share in [3, 5, 8] {
        image(record, before, record.ops.len() * share / 10, house.dir(), &mut || Part::None);
        origin.route("/f", Reply::ok(document(100)));
        let daemon = house.start();
        daemon.until("every story is there", |d| {
            d.json("/all.json")["items"].as_array().is_some_and(|items| items.len() == 100)
        });
        settled(&daemon, receiver, 100);
        let ids: BTreeSet<_> = receiver.calls().into_iter().map(|call| call.id).collect();
        assert_eq!(ids.len(), 100, "a call that comes again has the id that it had");
        daemon.kill();
    }
}
