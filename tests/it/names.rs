//! The system's resolver, told otherwise while the daemon runs.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::PathBuf;
use std::process::Command;

use crate::support::daemon::{Daemon, Installation, http, rss, story};
use crate::support::origin::{Origin, Reply};

/// The names of one test, and no others (RFC 1035): answers on port 53 of an address of the loopback network until the
/// test's process ends. `None`: we may not.
fn name_server(at: Ipv4Addr, known: &'static str) -> Option<()> {
    let socket = UdpSocket::bind((at, 53)).ok()?;
    std::thread::spawn(move || {
        let mut packet = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut packet) {
            if let Some(answer) = answer(&packet[..length], known) {
                let _ = socket.send_to(&answer, from);
            }
        }
    });
    Some(())
}

/// 127.0.0.1 for the name that is known, an empty answer for its IPv6 address, NXDOMAIN for all others.
fn answer(query: &[u8], known: &str) -> Option<Vec<u8>> {
    let (mut name, mut at) = (String::new(), 12);
    while let Some(length) = query.get(at).map(|length| usize::from(*length)).filter(|length| *length > 0) {
        name.push_str(std::str::from_utf8(query.get(at + 1..at + 1 + length)?).ok()?);
        name.push('.');
        at += 1 + length;
    }
    let question = query.get(12..at + 5)?;
    let found = name == known;
    let has_address = found && question[question.len() - 4..] == [0, 1, 0, 1];
    let mut answer = query[..2].to_vec();
    answer.extend([0x81, if found { 0x80 } else { 0x83 }, 0, 1, 0, u8::from(has_address), 0, 0, 0, 0]);
    answer.extend(question);
    if has_address {
        // The name above, A, IN, kept for an hour.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0x0e, 0x10, 0, 4, 127, 0, 0, 1]);
    }
    Some(answer)
}

/// A copy of `/etc` for a mount namespace of the daemon's own.
struct Etc(PathBuf);

impl Etc {
    /// `None`: there are no namespaces for us.
    fn of(house: &Installation) -> Option<Self> {
        let may = Command::new("unshare").args(["-m", "true"]).status().is_ok_and(|status| status.success());
        let etc = house.dir().join("etc");
        assert!(Command::new("cp").arg("-a").arg("/etc").arg(&etc).status().unwrap().success());
        std::fs::write(etc.join("nsswitch.conf"), "hosts: files dns\n").unwrap();
        may.then_some(Self(etc))
    }

    /// As whatever manages the network does: a new file in the place of the old one.
    fn ask(&self, server: Ipv4Addr, seconds: u8) {
        let made = self.0.join("resolv.conf.new");
        std::fs::write(&made, format!("nameserver {server}\noptions timeout:{seconds} attempts:1\n")).unwrap();
        std::fs::rename(made, self.0.join("resolv.conf")).unwrap();
    }

    fn start(&self, house: &Installation) -> Daemon {
        let bind = format!("mount --bind {} /etc && exec \"$@\"", self.0.display());
        let daemon = house.spawn_under("unshare", &["-m", "sh", "-c", &bind, "sh"]);
        daemon.until("it has started", |d| http(d.address(), "GET", "/healthz", &[]).is_some());
        daemon
    }
}

/// `cargo test --test it -- --ignored resolver`.
#[test]
#[ignore = "root, for a mount namespace and port 53"]
fn another_resolver_is_asked_from_the_next_poll_on_without_a_reload() {
    let servers = [Ipv4Addr::new(127, 0, 66, 1), Ipv4Addr::new(127, 0, 66, 2)];
    let names = name_server(servers[0], "old.test.").and(name_server(servers[1], "new.test."));
    let origin = Origin::start();
    let feed = |name: &str| {
        let path = format!("/{name}");
        origin.route(&path, Reply::ok(rss(&[story(name, &format!("https://n.example/{name}"), name)])));
        let port = origin.address().port();
        format!("[[feed]]\nname = \"{name}\"\nurl = \"http://{name}.test:{port}{path}\"\n")
    };
    let house = Installation::new(&format!("schedule = \"@hourly\"\n{}{}", feed("old"), feed("new")));
    let Some(etc) = Etc::of(&house).filter(|_| names.is_some()) else {
        return println!("no mount namespace or no port 53 here");
    };
    etc.ask(servers[0], 1);
    let daemon = etc.start(&house);
    let resolves = |name: &str| {
        let report: serde_json::Value = serde_json::from_slice(&house.run(&["poll", name, "--json"]).stdout).unwrap();
        let error = report["feeds"][0]["error"].as_str().unwrap_or_default().to_owned();
        assert!(error.is_empty() || error.contains("does not resolve"), "{error}");
        error.is_empty()
    };
    assert!(resolves("old") && !resolves("new"));
    etc.ask(servers[1], 1);
    assert!(resolves("new"), "{}", daemon.log());
    assert_eq!(daemon.stop(), Some(0));
}

/// A lookup holds a thread, and the unit allows 256 (`TasksMax`).
#[test]
#[ignore = "root, for a mount namespace and port 53"]
fn a_silent_resolver_holds_no_more_threads_than_the_unit_allows() {
    let server = Ipv4Addr::new(127, 0, 66, 3);
    let silent = UdpSocket::bind((server, 53));
    // Over TLS and without: they have clients of their own.
    let schemes = ["http", "https"].into_iter().cycle();
    let feeds = (0..400).zip(schemes).map(|(n, scheme)| format!("[[feed]]\nurl = \"{scheme}://h{n}.test/feed\"\n"));
    let house = Installation::new(&feeds.collect::<String>());
    let Some(etc) = Etc::of(&house).filter(|_| silent.is_ok()) else {
        return println!("no mount namespace or no port 53 here");
    };
    etc.ask(server, 30);
    let daemon = etc.start(&house);
    let threads = || std::fs::read_dir(format!("/proc/{}/task", daemon.id())).unwrap().count();
    let mut most = 0;
    // Polls that take long give their places to others: all of them are there before the first gives up.
    daemon.until("a poll has failed", |d| {
        most = most.max(threads());
        d.log().contains("poll failed") || d.log().contains("our own network seems to be down")
    });
    assert!((90..200).contains(&most), "{most}");
}
