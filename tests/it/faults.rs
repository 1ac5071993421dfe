//! Faults by name: stops under load, restarts in a backoff, documents that bring the process down, signals before it is
//! ready, files that are copied, mixed, cut or taken away while it works.

use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use feedmill::store::sqlite::{Access, Options, Sqlite};
use rusqlite::Connection;

use crate::support::daemon::{Daemon, Installation, PATIENCE, rss, story};
use crate::support::origin::{Origin, Reply};
use crate::support::receiver::{Answer, Call, Receiver};

const SECRET: &[u8] = b"crash-crash-crash-crash-crash-32";

fn document(from: usize, to: usize, words: usize) -> String {
    let long = "word ".repeat(words);
    let items: Vec<_> = (from..to)
        .rev()
        .map(|n| story(&format!("Peace {n} {long}"), &format!("https://n.example/{n}"), &n.to_string()))
        .collect();
    rss(&items)
}

/// A feed of which every story is a call.
fn calling(origin: &Origin, receiver: &Receiver, webhook: &str) -> Installation {
    Installation::new(&format!(
        "schedule = \"@hourly\"\nfirst_import = \"notify\"\n[[feed]]\nname = \"f\"\nurl = \"{}\"\n[[stream]]\nname = \
         \"watch\"\nmatch = 'peace'\nnotify = [\"desk\"]\n[[stream]]\nname = \"all\"\nlimit = 1000\n[[webhook]]\nname = \
         \"desk\"\nurl = \"{}\"\nsecret = \"whsec_Y3Jhc2gtY3Jhc2gtY3Jhc2gtY3Jhc2gtY3Jhc2gtMzI=\"\nallow_networks = \
         [\"127.0.0.0/8\"]\n{webhook}",
        origin.url("/f"),
        receiver.url("/")
    ))
}

fn sound(path: &Path) -> Connection {
    let db = Connection::open(path).unwrap();
    let verdict: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    db
}

fn number(db: &Connection, sql: &str) -> i64 {
    db.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Clients whose answer was begun get all of it, calls in flight are finished or given back.
fn stop_under_load(answer: Answer, opens: bool) {
    let (origin, receiver) = (Origin::start(), Receiver::start(&[SECRET]));
    origin.route("/f", Reply::ok(document(0, 2, 4000)));
    let house = calling(&origin, &receiver, "");
    // A webhook with none under way may always have one: so many are at it at a time.
    let config = std::fs::read_to_string(house.config()).unwrap();
    let (before, hook) = config.split_at(config.find("[[webhook]]").unwrap());
    let names: Vec<String> = (0..100).map(|n| format!("\"h{n}\"")).collect();
    let hooks: String = (0..100).map(|n| hook.replace("\"desk\"", &format!("\"h{n}\"\nconcurrency = 1"))).collect();
    std::fs::write(house.config(), before.replace("\"desk\"", &names.join(", ")) + &hooks).unwrap();
    receiver.script([answer]);
    let mut daemon = house.start();
    daemon.until("a hundred calls are in flight", |_| receiver.calls().len() == 100);
    let mut clients: Vec<TcpStream> = (0..500).map(|_| TcpStream::connect(house.address).unwrap()).collect();
    for (n, client) in clients.iter_mut().enumerate() {
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!("GET /all.atom HTTP/1.1\r\nHost: {}\r\n", house.address);
        // Every fifth says no more than that.
        client.write_all(head.as_bytes()).unwrap();
        if n % 5 != 0 {
            client.write_all(b"\r\n").unwrap();
        }
    }
    let mut begun = Vec::new();
    for (_, mut client) in clients.into_iter().enumerate().filter(|(n, _)| n % 5 != 0) {
        let mut first = [0; 15];
        client.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.1 200 OK");
        begun.push(client);
    }
    daemon.signal("TERM");
    if opens {
        daemon.until("it stops", |d| d.log().contains("stopping"));
        receiver.open_gate();
    }
    let expected = http_length(&mut begun[0]);
    for client in &mut begun[1..] {
        assert_eq!(http_length(client), expected, "a whole answer");
    }
    assert_eq!(daemon.wait(), Some(0), "{}", daemon.log());
    assert!(!house.dir().join("feedmill.db-wal").exists(), "the log is written into the file");
    let db = sound(&house.database());
    assert_eq!(number(&db, "SELECT count(*) FROM delivery"), 200);
    let owed = number(&db, "SELECT count(*) FROM delivery WHERE state = 'pending' AND lease_token IS NULL");
    assert_eq!(owed, if opens { 100 } else { 200 }, "finished, or given back");
    drop(db);
    receiver.script([Answer::status(200)]);
    let daemon = house.start();
    let ids = || receiver.calls().iter().map(|call| call.id.clone()).collect::<std::collections::BTreeSet<_>>();
    daemon.until("every story was told", |_| ids().len() == 200);
    if opens {
        assert_eq!(receiver.calls().len(), 200, "none twice");
    }
    assert_eq!(daemon.stop(), Some(0));
}

/// The length of the rest of an answer, which has to be as long as its head says.
fn http_length(client: &mut TcpStream) -> usize {
    let mut bytes = Vec::new();
    let mut piece = [0; 65536];
    loop {
        let text = String::from_utf8_lossy(&bytes);
        let whole = text.find("\r\n\r\n").map(|end| {
            let head = text[..end].to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            (end + 4, length.expect("it has a length"))
        });
        if let Some((head, length)) = whole
            && bytes.len() >= head + length
        {
            return length;
        }
        let read = client.read(&mut piece).unwrap();
        assert!(read > 0, "cut after {} bytes", bytes.len());
        bytes.extend_from_slice(&piece[..read]);
    }
}

#[test]
fn a_stop_with_500_clients_and_100_calls_in_flight_answers_and_delivers_what_was_begun() {
    stop_under_load(Answer::Gate, true);
}

#[test]
#[ignore = "twenty seconds: the whole of the drain"]
fn a_stop_gives_back_100_calls_that_are_not_answered() {
    stop_under_load(Answer::Hang, false);
}

#[test]
fn ten_restarts_in_a_backoff_change_no_count_and_no_time_and_ask_nobody() {
    let (origin, receiver) = (Origin::start(), Receiver::start(&[SECRET]));
    origin.route("/f", Reply::ok(document(0, 1, 1)));
    origin.route("/broken", Reply::status(500));
    let house = calling(&origin, &receiver, "retry = [\"1h\", \"2h\"]\n");
    let config = std::fs::read_to_string(house.config()).unwrap();
    let broken =
        format!("[[feed]]\nname = \"broken\"\nurl = \"{}\"\n[[stream]]\nname = \"watch\"", origin.url("/broken"));
    std::fs::write(house.config(), config.replace("[[stream]]\nname = \"watch\"", &broken)).unwrap();
    receiver.script([Answer::status(500)]);
    let told = |d: &Daemon| {
        let delivery = d.json("/api/v1/deliveries")["deliveries"][0].clone();
        let feeds = d.json("/api/v1/feeds")["feeds"].clone();
        let feed = feeds.as_array().unwrap().iter().find(|feed| feed["name"] == "broken").cloned();
        let feed = feed.unwrap_or_default();
        (
            delivery["attempts"].clone(),
            delivery["next_attempt"].clone(),
            feed["errors_in_row"].clone(),
            feed["next_poll"].clone(),
        )
    };
    let mut before = None;
    for restart in 0..=10 {
        let daemon = house.start();
        daemon.until("both failed once", |d| told(d).0 == 1 && told(d).2 == 1);
        let now = told(&daemon);
        assert!(now.1.is_string() && now.3.is_string(), "{now:?}");
        assert_eq!(*before.get_or_insert_with(|| now.clone()), now, "restart {restart}");
        if restart % 2 == 0 {
            assert_eq!(daemon.stop(), Some(0));
        } else {
            daemon.kill();
        }
    }
    assert_eq!((receiver.calls().len(), origin.requests("/broken").len()), (1, 1));
}

#[test]
fn a_document_whose_reading_ends_the_daemon_three_times_is_held_and_the_others_are_served() {
    let origin = Origin::everywhere();
    origin.route("/good", Reply::ok(document(0, 3, 1)));
    // In the way that a document with an endless loop or a blown stack would have it, reading takes long enough to be the
    // last thing that is done.
    origin.route("/bad", Reply::ok(document(0, 3_000, 250)));
    let house = Installation::new(&format!(
        "schedule = \"@hourly\"\n[[feed]]\nname = \"bad\"\nurl = \"{}\"\n[[feed]]\nname = \"good\"\nurl = \"{}\"\n",
        origin.url("/bad"),
        origin.url_at(2, "/good")
    ));
    let reading = house.dir().join("feedmill.db.reading");
    let begun = |_: &Daemon| {
        let rows = std::fs::read(&reading).unwrap_or_default();
        rows.chunks_exact(24).find(|row| row[0] == 1).map_or(0, |row| row[16])
    };
    for time in 1..=3 {
        let daemon = house.start();
        daemon.until("its document is being read", |d| begun(d) == time);
        daemon.kill();
    }
    let daemon = house.start();
    daemon.until("it is held, and the other is not", |d| {
        d.log().contains("Feedmill ended 3 times while it read this feed's document")
            && d.json("/all.json")["items"].as_array().unwrap().len() == 3
    });
    let feeds = daemon.json("/api/v1/feeds");
    let bad = feeds["feeds"].as_array().unwrap().iter().find(|feed| feed["name"] == "bad").unwrap();
    assert_eq!((&bad["error"]["kind"], &bad["errors_in_row"]), (&"parse".into(), &1.into()), "{bad}");
    assert_eq!(daemon.stop(), Some(0));
}

/// Whether a process has a handler for a signal.
fn heeds(pid: u32, signal: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0").trim();
    u64::from_str_radix(caught, 16).unwrap_or(0) >> (signal - 1) & 1 == 1
}

#[test]
fn a_signal_that_comes_while_it_starts_is_heeded_and_ends_it_in_order_or_not_at_all() {
    let feeds: String =
        (0..3000).map(|n| format!("[[feed]]\nurl = \"https://n{n}.example/f\"\nenabled = false\n")).collect();
    let house = Installation::new(&feeds);
    let daemon = house.spawn();
    let begun = Instant::now();
    while !heeds(daemon.pid(), 1) {
        assert!(begun.elapsed() < PATIENCE);
    }
    // Long before it is ready: each of them would end a process that does not heed it.
    for _ in 0..20 {
        daemon.signal("HUP");
    }
    daemon.until("it is ready", |d| d.log().contains("ready"));
    daemon.until("it has reloaded", |d| d.log().contains("configuration reloaded"));
    assert_eq!(daemon.stop(), Some(0));
    let mut early = house.spawn();
    let begun = Instant::now();
    while !heeds(early.pid(), 15) {
        assert!(begun.elapsed() < PATIENCE);
    }
    early.signal("TERM");
    assert_eq!(early.wait(), Some(0), "{}", early.log());
    drop(sound(&house.database()));
    assert_eq!(house.start().stop(), Some(0));
}

fn strace() -> bool {
    Command::new("strace").arg("-V").output().is_ok()
}

/// `cargo test --test it faults -- --ignored`.
#[test]
#[ignore = "twenty seconds, and strace"]
fn a_slow_upgrade_asks_for_time_survives_a_hangup_and_ends_when_it_is_told_to() {
    if !strace() {
        println!("there is no strace here");
        return;
    }
    let house = Installation::new("");
    crate::upgrade::old(&house.database(), 1, 300);
    let ear = UnixDatagram::bind(house.dir().join("notify")).unwrap();
    ear.set_read_timeout(Some(PATIENCE)).unwrap();
    let notify = format!("NOTIFY_SOCKET={}", house.dir().join("notify").display());
    let slow = "inject=fsync,fdatasync:delay_enter=25000000:when=3";
    let mut daemon = house.spawn_under(
        "strace",
        &["-D", "-I2", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", slow, "-E", &notify],
    );
    let mut heard = String::new();
    while !heard.contains("EXTEND_TIMEOUT_USEC=60000000") || !heard.contains("STATUS=opening the database") {
        let mut bytes = [0; 4096];
        let length = ear.recv(&mut bytes).expect("it asks for time");
        heard.push_str(&String::from_utf8_lossy(&bytes[..length]));
    }
    assert!(!heard.contains("READY=1"), "{heard}");
    daemon.signal("HUP");
    daemon.signal("TERM");
    assert_eq!(daemon.wait(), Some(0), "{}", daemon.log());
    assert!(daemon.log().contains("bringing the database up to date"), "{}", daemon.log());
    let db = sound(&house.database());
    assert_eq!(number(&db, "PRAGMA user_version"), number(&db, "SELECT max(version) FROM migration"), "never between");
    drop(db);
    assert_eq!(house.start().stop(), Some(0));
    assert_eq!(number(&sound(&house.database()), "SELECT count(*) FROM item"), 300);
}

#[test]
#[ignore = "half a minute, and strace"]
fn reads_and_writes_that_signals_interrupt_are_done_again() {
    if !strace() {
        println!("there is no strace here");
        return;
    }
    let (origin, receiver) = (Origin::start(), Receiver::start(&[SECRET]));
    origin.route("/f", Reply::ok(document(0, 40, 300)));
    let house = calling(&origin, &receiver, "");
    let daemon = house.spawn_under(
        "strace",
        &[
            "-D",
            "-I2",
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            "trace=pread64,pwrite64",
            "-e",
            "inject=pread64,pwrite64:error=EINTR:when=20+3",
        ],
    );
    daemon.until("every story was told", |_| receiver.calls().len() == 40);
    assert!(!daemon.log().contains("ERROR"), "{}", daemon.log());
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(number(&sound(&house.database()), "SELECT count(*) FROM item"), 40);
}

#[test]
fn what_the_log_had_is_fetched_again_after_it_was_deleted_and_called_about_again() {
    for (gone, lost) in [(&["-wal"][..], true), (&["-shm"], false), (&["-wal", "-shm"], true)] {
        let (origin, receiver) = (Origin::start(), Receiver::start(&[SECRET]));
        origin.route("/f", Reply::ok(document(0, 3, 1)));
        let house = calling(&origin, &receiver, "");
        assert!(house.run(&["poll"]).status.success());
        let settled = |daemon: &Daemon, calls: usize| {
            daemon.until("every call is settled", |d| {
                d.json("/api/v1/webhooks")["webhooks"][0]["due"] == 0 && receiver.calls().len() >= calls
            });
        };
        let daemon = house.start();
        origin.route("/f", Reply::ok(document(0, 9, 1)));
        assert!(house.run(&["poll"]).status.success());
        settled(&daemon, 9);
        daemon.kill();
        for end in gone {
            std::fs::remove_file(house.dir().join(format!("feedmill.db{end}"))).unwrap();
        }
        let daemon = house.start();
        // Others come first this time.
        for from in [9, 0] {
            origin.route("/f", Reply::ok(document(from, 12, 1)));
            assert!(house.run(&["poll"]).status.success());
        }
        let calls = if lost { 21 } else { 12 };
        settled(&daemon, calls);
        let items = daemon.json("/api/v1/items")["items"].as_array().unwrap().len();
        assert_eq!(items, 12, "{gone:?}");
        assert_eq!(receiver.calls().len(), calls, "{gone:?}");
        // Who drops repeats by their id drops these, and nothing else.
        let story = |call: &Call| {
            let body: serde_json::Value = serde_json::from_slice(&call.body).unwrap();
            body["data"]["item"]["url"].as_str().unwrap().to_owned()
        };
        let pairs: HashSet<_> = receiver.calls().iter().map(|call| (call.id.clone(), story(call))).collect();
        let ids: HashSet<_> = receiver.calls().into_iter().map(|call| call.id).collect();
        assert_eq!((pairs.len(), ids.len()), (12, 12), "{gone:?}");
        assert_eq!(daemon.stop(), Some(0));
        assert_eq!(number(&sound(&house.database()), "SELECT count(*) FROM item"), 12, "{gone:?}");
    }
}

#[test]
fn a_log_that_is_deleted_while_it_runs_is_noticed_and_what_it_had_is_kept() {
    let origin = Origin::start();
    origin.route("/f", Reply::ok(document(0, 9, 1)));
    let house =
        Installation::new(&format!("schedule = \"@hourly\"\n[[feed]]\nname = \"f\"\nurl = \"{}\"\n", origin.url("/f")));
    let mut daemon = house.start();
    daemon.until("stored", |d| d.json("/api/v1/items")["items"].as_array().unwrap().len() == 9);
    std::fs::remove_file(house.dir().join("feedmill.db-wal")).unwrap();
    let begun = Instant::now();
    while !daemon.ended() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", daemon.log());
        house.run(&["poll"]);
        std::thread::sleep(Duration::from_millis(300));
    }
    assert_eq!(daemon.wait(), Some(1), "{}", daemon.log());
    assert!(daemon.log().contains("its log (-wal) was moved or deleted"), "{}", daemon.log());
    assert_eq!(number(&sound(&house.database()), "SELECT count(*) FROM item"), 9);
    assert_eq!(house.start().stop(), Some(0));
}

fn open(path: &Path) -> Result<Sqlite, feedmill::store::StoreError> {
    Sqlite::open(path, &Options { access: Access::Own, check: true, tagging: "t.example,2026".to_owned() })
}

/// A page of anything in the place of any page: it is refused, or what was there is all there (the page was free).
#[test]
fn a_page_that_was_overwritten_is_found_at_the_start_or_was_of_no_use() {
    let origin = Origin::start();
    origin.route("/f", Reply::ok(document(0, 300, 300)));
    let house =
        Installation::new(&format!("schedule = \"@hourly\"\n[[feed]]\nname = \"f\"\nurl = \"{}\"\n", origin.url("/f")));
    assert!(house.run(&["poll"]).status.success());
    let whole = std::fs::read(house.database()).unwrap();
    let dump = |db: &Connection| {
        let mut read = db.prepare("SELECT title, summary FROM item_body ORDER BY item_id").unwrap();
        let rows = read.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap();
        rows.map(Result::unwrap).collect::<Vec<_>>()
    };
    let before = dump(&sound(&house.database()));
    let (mut dice, mut refused) = (0x9e37_79b9_7f4a_7c15_u64, 0);
    let mut roll = || {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        dice
    };
    let pages = u64::try_from(whole.len()).unwrap() / 4096;
    let folder = tempfile::TempDir::new().unwrap();
    for n in 0..200 {
        let path = folder.path().join(format!("{n}.db"));
        std::fs::write(&path, &whole).unwrap();
        let page = roll() % pages;
        let junk: Vec<u8> = (0..512).flat_map(|_| roll().to_le_bytes()).collect();
        std::fs::File::options().write(true).open(&path).unwrap().write_all_at(&junk, page * 4096).unwrap();
        match open(&path) {
            Err(_) => refused += 1,
            Ok(store) => {
                drop(store);
                assert_eq!(dump(&Connection::open(&path).unwrap()), before, "page {page}");
            }
        }
        std::fs::remove_file(path).unwrap();
    }
    assert!(refused > 150, "{refused} of 200");
}

#[test]
fn a_copy_by_hand_while_it_writes_is_refused_or_opens_as_one_state() {
    let origin = Origin::start();
    let sizes = std::sync::atomic::AtomicUsize::new(1);
    origin.answer("/f", move |_| {
        let n = sizes.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Reply::ok(document(n * 10, n * 10 + 30, 100))
    });
    let house =
        Installation::new(&format!("schedule = \"@hourly\"\n[[feed]]\nname = \"f\"\nurl = \"{}\"\n", origin.url("/f")));
    let daemon = house.start();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                house.run(&["poll"]);
            }
        });
        let folder = tempfile::TempDir::new().unwrap();
        let mut opened = 0;
        for n in 0..200 {
            let name = |end: &str| folder.path().join(format!("{n}.db{end}"));
            for end in ["", "-wal", "-shm"] {
                let _ = std::fs::copy(house.dir().join(format!("feedmill.db{end}")), name(end));
            }
            if let Ok(store) = open(&name("")) {
                drop(store);
                let db = sound(&name(""));
                assert_eq!(number(&db, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
                opened += 1;
            }
            for end in ["", "-wal", "-shm"] {
                let _ = std::fs::remove_file(name(end));
            }
        }
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
        println!("{opened} of 200 copies opened");
    });
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
#[ignore = "a minute: the log grows to more than it may keep"]
fn a_reader_that_never_ends_makes_the_log_long_and_its_end_makes_it_short_again() {
    let origin = Origin::start();
    let round = std::sync::atomic::AtomicUsize::new(0);
    origin.answer("/f", move |_| {
        let n = round.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Reply::ok(document(n * 400, n * 400 + 400, 2000))
    });
    let house =
        Installation::new(&format!("schedule = \"@hourly\"\n[[feed]]\nname = \"f\"\nurl = \"{}\"\n", origin.url("/f")));
    let daemon = house.start();
    daemon.until("stored", |d| !d.json("/api/v1/items")["items"].as_array().unwrap().is_empty());
    let reader = Connection::open(house.database()).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    let seen = number(&reader, "SELECT count(*) FROM item");
    let log = || std::fs::metadata(house.dir().join("feedmill.db-wal")).map_or(0, |meta| meta.len());
    let limit = 64 << 20;
    let begun = Instant::now();
    while log() <= limit + (8 << 20) {
        assert!(house.run(&["poll"]).status.success());
        assert_eq!(daemon.get("/readyz").status, 200);
        assert!(begun.elapsed() < Duration::from_secs(300), "{} bytes", log());
    }
    assert_eq!(number(&reader, "SELECT count(*) FROM item"), seen, "it still sees what it saw");
    reader.execute_batch("COMMIT").unwrap();
    // The log is begun anew by a commit after all of it is in the file, and cut then.
    daemon.until("the log is short again", |_| {
        assert!(house.run(&["poll"]).status.success());
        log() <= limit
    });
    assert_eq!(daemon.stop(), Some(0));
}
