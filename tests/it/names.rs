//! The system's resolver, told otherwise while the daemon runs.

use std::net::{Ipv4Addr, UdpSocket};
use std::process::Command;

use crate::support::daemon::{Installation, http, rss, story};
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

/// `cargo test --test it -- --ignored resolver`. The daemon has a copy of `/etc` in a mount namespace of its own.
#[test]
#[ignore = "root, for a mount namespace and port 53"]
fn another_resolver_is_asked_from_the_next_poll_on_without_a_reload() {
    let servers = [Ipv4Addr::new(127, 0, 66, 1), Ipv4Addr::new(127, 0, 66, 2)];
    let may = Command::new("unshare").args(["-m", "true"]).status().is_ok_and(|status| status.success());
    let names = name_server(servers[0], "old.test.").and(name_server(servers[1], "new.test."));
    if !may || names.is_none() {
        println!("no mount namespace or no port 53 here");
        return;
    }
    let origin = Origin::start();
    let feed = |name: &str| {
        let path = format!("/{name}");
        origin.route(&path, Reply::ok(rss(&[story(name, &format!("https://n.example/{name}"), name)])));
        let port = origin.address().port();
        format!("[[feed]]\nname = \"{name}\"\nurl = \"http://{name}.test:{port}{path}\"\n")
    };
    let house = Installation::new(&format!("schedule = \"@hourly\"\n{}{}", feed("old"), feed("new")));
    let etc = house.dir().join("etc");
    assert!(Command::new("cp").arg("-a").arg("/etc").arg(&etc).status().unwrap().success());
    // As whatever manages the network does: a new file in the place of the old one.
    let ask = |server: Ipv4Addr| {
        let made = etc.join("resolv.conf.new");
        std::fs::write(&made, format!("nameserver {server}\noptions timeout:1 attempts:1\n")).unwrap();
        std::fs::rename(made, etc.join("resolv.conf")).unwrap();
    };
    std::fs::write(etc.join("nsswitch.conf"), "hosts: files dns\n").unwrap();
    ask(servers[0]);
    let bind = format!("mount --bind {} /etc && exec \"$@\"", etc.display());
    let daemon = house.spawn_under("unshare", &["-m", "sh", "-c", &bind, "sh"]);
    let resolves = |name: &str| {
        let report: serde_json::Value = serde_json::from_slice(&house.run(&["poll", name, "--json"]).stdout).unwrap();
        let error = report["feeds"][0]["error"].as_str().unwrap_or_default().to_owned();
        assert!(error.is_empty() || error.contains("does not resolve"), "{error}");
        error.is_empty()
    };
    daemon.until("it has started", |d| http(d.address(), "GET", "/healthz", &[]).is_some());
    assert!(resolves("old") && !resolves("new"));
    ask(servers[1]);
    assert!(resolves("new"), "{}", daemon.log());
    assert_eq!(daemon.stop(), Some(0));
}
