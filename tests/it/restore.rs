//! Going back to a backup: all of it or nothing, whatever is in the way, and what was there is kept.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::daemon::{Installation, rss, story};
use crate::support::origin::{Origin, Reply};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn document(stories: usize) -> String {
    let items: Vec<_> = (0..stories)
        .rev()
        .map(|n| story(&format!("Story {n}"), &format!("https://n.example/{n}"), &n.to_string()))
        .collect();
    rss(&items)
}

/// An installation whose backup has 3 stories, and whose database has 9, most of them in a log that a crash left.
fn crashed() -> (Installation, PathBuf) {
    let origin = Origin::start();
    origin.route("/f", Reply::ok(document(3)));
    let house =
        Installation::new(&format!("schedule = \"@hourly\"\n[[feed]]\nname = \"f\"\nurl = \"{}\"\n", origin.url("/f")));
    assert!(house.run(&["poll"]).status.success());
    let backup = house.dir().join("backup.db");
    assert!(house.run(&["backup", backup.to_str().unwrap()]).status.success());
    let daemon = house.start();
    origin.route("/f", Reply::ok(document(9)));
    assert!(house.run(&["poll"]).status.success());
    daemon.until("stored", |_| items(&house) == 9);
    daemon.kill();
    assert!(std::fs::metadata(wal(&house.database())).unwrap().len() > 0);
    // Nothing is asked any more: what is stored shows which database it is.
    house.configure("");
    (house, backup)
}

fn wal(database: &Path) -> PathBuf {
    PathBuf::from(format!("{}-wal", database.display()))
}

fn items(house: &Installation) -> usize {
    let listed = house.run(&["items", "--json"]);
    assert!(listed.status.success(), "{}", text(&listed.stderr));
    serde_json::from_slice::<serde_json::Value>(&listed.stdout).unwrap()["items"].as_array().unwrap().len()
}

/// Stories in a database that nobody uses, which has to be sound.
fn stories_in(database: &Path) -> i64 {
    let db = rusqlite::Connection::open(database).unwrap();
    let verdict: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok", "{}", database.display());
    db.query_row("SELECT count(*) FROM item", [], |row| row.get(0)).unwrap()
}

fn asides(house: &Installation) -> Vec<PathBuf> {
    let files = std::fs::read_dir(house.dir()).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| text(path.as_os_str().as_encoded_bytes()).contains(".before-")).collect()
}

#[test]
fn a_backup_takes_the_place_of_a_database_and_of_its_log_and_what_was_there_is_kept() {
    use std::os::unix::fs::PermissionsExt as _;
    let (house, backup) = crashed();
    let done = house.run(&["restore", backup.to_str().unwrap()]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let aside = asides(&house).into_iter().find(|path| !text(path.as_os_str().as_encoded_bytes()).ends_with("-wal"));
    let aside = aside.unwrap();
    assert!(text(&done.stdout).contains(aside.to_str().unwrap()), "{}", text(&done.stdout));
    assert_eq!((items(&house), stories_in(&aside)), (3, 9));
    assert_eq!(std::fs::metadata(house.database()).unwrap().permissions().mode() & 0o777, 0o600);
    let daemon = house.start();
    assert_eq!(daemon.json("/all.json")["items"].as_array().unwrap().len(), 3);
    let busy = house.run(&["restore", backup.to_str().unwrap()]);
    assert_eq!(busy.status.code(), Some(75), "{}", text(&busy.stderr));
    assert!(text(&busy.stderr).contains(&format!("process {}", daemon.pid())), "{}", text(&busy.stderr));
    assert_eq!(daemon.stop(), Some(0));
    // Where there is none, it is put there.
    std::fs::remove_file(house.database()).unwrap();
    let report = house.run(&["restore", backup.to_str().unwrap(), "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!((report["aside"].as_str(), items(&house)), (None, 3));
}

#[test]
fn what_is_no_sound_backup_or_no_free_database_changes_nothing() {
    let (house, backup) = crashed();
    let bytes = std::fs::read(&backup).unwrap();
    let other = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let (path, mut bytes) = (house.dir().join(name), bytes.clone());
        change(&mut bytes);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let newer = other("newer.db", &|bytes| bytes[63] = 200);
    let foreign = other("foreign.db", &|bytes| bytes[68] = 1);
    let picture = other("picture.db", &|bytes| *bytes = b"GIF89a and so on".to_vec());
    let cut = other("cut.db", &|bytes| bytes.truncate(bytes.len() / 2));
    let damaged = other("damaged.db", &|bytes| {
        let end = bytes.len();
        bytes[8192..end].fill(0xa5);
    });
    let in_use = other("in-use.db", &|_| {});
    std::fs::write(wal(&in_use), "a log").unwrap();
    let here = || {
        let mut files: Vec<_> = std::fs::read_dir(house.dir()).unwrap().map(|e| e.unwrap().file_name()).collect();
        files.sort();
        (files, std::fs::read(house.database()).unwrap(), std::fs::read(wal(&house.database())).unwrap())
    };
    let before = here();
    for (file, status, word) in [
        (&newer, 79, "version 200"),
        (&foreign, 65, "another program"),
        (&picture, 65, "no SQLite database"),
        (&cut, 65, "damaged"),
        (&damaged, 65, "damaged"),
        (&in_use, 78, "write-ahead log"),
        (&house.dir().join("none.db"), 78, "No such file"),
    ] {
        let refused = house.run(&["restore", file.to_str().unwrap()]);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(status), "{}: {said}", file.display());
        assert!(said.contains(word) && said.contains(file.to_str().unwrap()), "{said}");
        assert!(here() == before, "{}", file.display());
    }
    let user = rusqlite::Connection::open(house.database()).unwrap();
    let _: i64 = user.query_row("SELECT count(*) FROM item", [], |row| row.get(0)).unwrap();
    let refused = house.run(&["restore", backup.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(78), "{}", text(&refused.stderr));
    assert!(text(&refused.stderr).contains("another program has it open"), "{}", text(&refused.stderr));
    drop(user);
    assert_eq!((items(&house), asides(&house).len()), (9, 0));
}

/// `cargo test --test it every_sync -- --ignored`
#[test]
#[ignore = "strace, and some of a minute"]
fn kill_9_at_every_sync_and_every_name_of_a_restore_leaves_the_old_database_or_the_new_one() {
    if Command::new("strace").arg("-V").output().is_err() {
        println!("there is no strace here");
        return;
    }
    let (mut old, mut new) = (0, 0);
    for calls in ["fsync,fdatasync", "rename,renameat,renameat2,link,linkat,unlink,unlinkat", "pwrite64,write"] {
        for n in 1.. {
            let (house, backup) = crashed();
            let mut restore = Command::new("strace");
            restore.args(["-f", "-o", "/dev/null", "-e", &format!("trace={calls}"), "-e"]);
            restore.arg(format!("inject={calls}:signal=SIGKILL:when={n}")).arg(env!("CARGO_BIN_EXE_feedmill"));
            restore.arg("--config").arg(house.config()).arg("restore").arg(&backup);
            let done = restore.current_dir(house.dir()).output().unwrap().status.success();
            let decided = Path::new(&format!("{}.restored", house.database().display())).exists();
            let asked = house.run(&["items"]);
            assert_eq!(asked.status.code(), Some(if decided { 78 } else { 0 }), "{calls} {n}: {}", text(&asked.stderr));
            let daemon = house.start();
            let found = daemon.json("/all.json")["items"].as_array().unwrap().len();
            assert_eq!(daemon.stop(), Some(0));
            assert_eq!(stories_in(&house.database()), i64::try_from(found).unwrap(), "{calls} {n}");
            match found {
                9 => old += 1,
                3 => new += 1,
                _ => panic!("{found} stories after {calls} {n}"),
            }
            if found == 3 {
                let kept = asides(&house)
                    .into_iter()
                    .find(|path| path.extension().is_none_or(|e| !text(e.as_encoded_bytes()).ends_with("-wal")));
                assert_eq!(stories_in(&kept.unwrap()), 9, "{calls} {n}");
            }
            assert!(!done || found == 3, "{calls} {n}");
            let again = house.run(&["restore", backup.to_str().unwrap()]);
            assert!(again.status.success(), "{calls} {n}: {}", text(&again.stderr));
            assert_eq!(items(&house), 3);
            if done {
                break;
            }
        }
    }
    println!("{old} times the old one, {new} times the new one");
    assert!(old > 5 && new > 3);
}
