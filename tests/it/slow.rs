//! Thousands of clients that are slow, or do nothing at all, and those who want something meanwhile.

use std::io::Write as _;
use std::net::TcpStream;

use crate::support::daemon::{Daemon, Installation, rss, story};
use crate::support::origin::{Origin, Reply};

/// Slow clients, as many as the issue of it names, or as many descriptors as there are.
fn crowd(daemon: &Daemon) -> Vec<TcpStream> {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let open = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let most: usize = open.split_whitespace().next().unwrap().parse().unwrap_or(usize::MAX);
    let count = 5000.min(most.saturating_sub(300));
    let client = |n: usize| {
        let mut stream = TcpStream::connect(daemon.address()).ok()?;
        // Nothing; half a head; a head that never ends; an answer that nobody takes.
        let sent: &[u8] = match n % 4 {
            0 => b"",
            1 => b"GET / HT",
            2 => b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
            _ => b"GET /all.json HTTP/1.1\r\nHost: localhost\r\n\r\nGET /all.atom HTTP/1.1\r\nHost: localhost\r\n\r\n",
        };
        stream.write_all(sent).ok()?;
        Some(stream)
    };
    let crowd: Vec<TcpStream> = (0..count).filter_map(client).collect();
    assert!(crowd.len() * 10 > count * 9, "{} of {count} got in", crowd.len());
    crowd
}

#[test]
fn five_thousand_slow_clients_stop_neither_polling_nor_healthz() {
    for server in ["", "max_connections = 8000"] {
        let origin = Origin::start();
        origin.route("/f", Reply::ok(rss(&[story("One", "https://n.example/1", "1")])));
        let house = Installation::new("");
        let feed = format!(
            "schedule = \"@every 1s\"\nspread = false\nmin_interval = \"1s\"\n[[feed]]\nname = \"f\"\nurl = \"{}\"\n",
            origin.url("/f")
        );
        house.serve_with(server, &feed);
        let daemon = house.start();
        daemon.until("the story is there", |d| d.get("/all.json").text().contains("One"));
        let mut crowd = crowd(&daemon);
        let before = origin.requests("/f").len();
        for round in 0..20 {
            // They go on, a byte at a time.
            crowd.iter_mut().skip(2).step_by(4).for_each(|client| drop(client.write_all(b"x")));
            assert_eq!(daemon.get("/healthz").status, 200, "{server} round {round}");
            assert_eq!(daemon.get("/all.atom").status, 200, "{server} round {round}");
        }
        daemon.until("polling goes on", |_| origin.requests("/f").len() > before + 2);
        assert_eq!(daemon.stop(), Some(0), "and it stops as it should");
    }
}
