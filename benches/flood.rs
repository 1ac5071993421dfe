//! What the daemon takes when many large feeds come at once: 64 of 10 MB each, from as many hosts, with the settings as they
//! are shipped.
//!
//! `cargo bench --bench flood`; `FLOOD_FEEDS` is how many there are. On Linux, for it reads `/proc` and asks addresses in
//! 127.0.0.0/8.
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

mod daemon;

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use daemon::{Daemon, Outcome};

/// A body has so many bytes: as much as the usual `max_body` lets in.
const BODY_BYTES: usize = 9_900_000;
/// All have come by then.
const PATIENCE: Duration = Duration::from_secs(600);

/// Items of some four kilobytes until it is full.
fn document(feed: usize) -> String {
    let paragraph =
        "<p>A paragraph of words that a reader may read, with <em>emphasis</em> and a link to nowhere.</p>\n";
    let body = paragraph.repeat(40);
    let mut text = format!("<rss version=\"2.0\"><channel><title>F{feed}</title><link>https://e{feed}.example/</link>");
    for n in 0.. {
        if text.len() + body.len() + 400 > BODY_BYTES {
            break;
        }
        let _ = write!(
            text,
            "<item><title>Story {feed} {n}</title><link>https://e{feed}.example/{n}</link><guid>{feed}-{n}</guid>\
             <description><![CDATA[{body}]]></description></item>"
        );
    }
    text + "</channel></rss>"
}

/// Answers one request, for `/N`, with the document of that feed.
fn answer(mut stream: TcpStream) -> Outcome<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().ok_or("no request")??;
    while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
    let feed = first.split(['/', ' ']).find_map(|part| part.parse().ok()).ok_or("no feed")?;
    let body = document(feed);
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())?;
    Ok(())
}

fn configuration(folder: &Path, listen: std::net::SocketAddr, port: u16, feeds: usize) -> Outcome<()> {
    let mut text = format!(
        "[log]\nlevel = \"error\"\n[server]\nlisten = \"{listen}\"\n[storage]\ndatabase = \"{}\"\n[poll]\nallow_networks = [\"127.0.0.0/8\"]\ntimeout = \"5m\"\n",
        folder.join("t.db").display()
    );
    for n in 0..feeds {
        write!(text, "[[feed]]\nname = \"f{n}\"\nurl = \"http://127.0.{}.{}:{port}/{n}\"\n", n / 250, n % 250 + 1)?;
    }
    Ok(std::fs::write(folder.join("feedmill.toml"), text)?)
}

/// How many polls have brought a document.
fn loaded(daemon: &Daemon) -> usize {
    let metrics = daemon.get("/metrics").unwrap_or_default();
    let line = metrics.lines().find_map(|line| line.strip_prefix("feedmill_polls_total{outcome=\"loaded\"} "));
    line.and_then(|count| count.trim().parse().ok()).unwrap_or_default()
}

fn main() -> Outcome<()> {
    let feeds = std::env::var("FLOOD_FEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(64);
    let folder = tempfile::TempDir::new()?;
    let origin = TcpListener::bind("0.0.0.0:0")?;
    let port = origin.local_addr()?.port();
    std::thread::spawn(move || {
        for stream in origin.incoming().flatten() {
            std::thread::spawn(move || answer(stream).is_ok());
        }
    });
    let listen = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    configuration(folder.path(), listen, port, feeds)?;
    let begun = Instant::now();
    let daemon = Daemon::start(&folder.path().join("feedmill.toml"), listen)?;
    println!("resident before: {} MiB", daemon.memory("VmRSS:")?);
    while loaded(&daemon) < feeds {
        if begun.elapsed() > PATIENCE {
            return Err(format!("only {} of {feeds} feeds came", loaded(&daemon)).into());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    println!("{feeds} feeds of {BODY_BYTES} bytes: {:.1} s", begun.elapsed().as_secs_f64());
    println!("at its peak {} MiB, now {} MiB", daemon.memory("VmHWM:")?, daemon.memory("VmRSS:")?);
    Ok(())
}
