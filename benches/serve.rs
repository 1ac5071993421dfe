//! What it takes to give documents out, beside nginx that gives out the same bytes from a file; and what a change takes where there are
//! a thousand streams.
//!
//! `cargo bench --bench serve`. On Linux, with nginx and wrk; without them that part says so. Requests are counted by the second of CPU
//! time, in turns, so that it matters little what else the machine does.
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

mod daemon;

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use daemon::{Daemon, Outcome, used};

const STREAMS: usize = 1000;
/// Stories, each in ten streams: a hundred in each.
const STORIES: usize = 10_000;
const FEEDS: usize = 20;
const TURNS: usize = 5;
const PATIENCE: Duration = Duration::from_secs(300);

/// Stories `n` with `n % FEEDS == feed`, and `more` others in the first stream alone.
fn document(feed: usize, more: usize) -> String {
    let mut text =
        format!("<rss version=\"2.0\"><channel><title>Feed {feed}</title><link>https://f{feed}.example/</link>");
    let words = "The board met for three hours and heard from the people who work the gates. ".repeat(6);
    for n in (0..STORIES).filter(|n| n % FEEDS == feed) {
        let places: String = (0..10).map(|k| format!(" w{}x", (n + k * STREAMS / 10) % STREAMS)).collect();
        let _ = write!(
            text,
            "<item><title>Story {n}{places}</title><link>https://f{feed}.example/{n}</link><guid isPermaLink=\"false\">{n}</guid>\
             <pubDate>Mon, 02 Mar 2026 {:02}:{:02}:{:02} GMT</pubDate><description>&lt;p&gt;{words}&lt;/p&gt;</description></item>",
            n / 3600 % 24,
            n / 60 % 60,
            n % 60
        );
    }
    for n in (0..more).filter(|_| feed == 0) {
        let _ = write!(
            text,
            "<item><title>News {n} w0x</title><link>https://f0.example/news/{n}</link><guid>news-{n}</guid></item>"
        );
    }
    text + "</channel></rss>"
}

/// A publisher: feed `N` at `/N`.
fn publish(more: &Arc<AtomicUsize>) -> Outcome<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let more = Arc::clone(more);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let feed = lines.next().and_then(|line| line.split(['/', ' ']).find_map(|part| part.parse().ok()));
            while lines.next().is_some_and(|line| !line.is_empty()) {}
            let body = document(feed.unwrap_or_default(), more.load(Ordering::SeqCst));
            let _ =
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
        }
    });
    Ok(address)
}

fn free() -> Outcome<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn configuration(folder: &Path, listen: SocketAddr, origin: SocketAddr) -> String {
    let mut text = format!(
        "[log]\nlevel = \"error\"\n[server]\nlisten = \"{listen}\"\nadmin_token = \"s3cret-s3cret-s3cret\"\n[storage]\ndatabase = \"{}\"\n\
         [poll]\nschedule = \"@yearly\"\nspread = false\nper_host = 4\nallow_networks = [\"127.0.0.0/8\"]\n",
        folder.join("t.db").display()
    );
    for n in 0..FEEDS {
        let _ = write!(text, "[[feed]]\nname = \"f{n}\"\nurl = \"http://{origin}/{n}\"\n");
    }
    for n in 0..STREAMS {
        let _ = write!(text, "[[stream]]\nname = \"s{n}\"\nmatch = 'w{n}x'\n");
    }
    text
}

/// An answer: head and body.
fn ask(at: SocketAddr, method: &str, path: &str, headers: &str) -> Outcome<(String, Vec<u8>)> {
    let mut stream = TcpStream::connect(at)?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n{headers}\r\n"
    )?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let split = bytes.windows(4).position(|four| four == b"\r\n\r\n").ok_or("no head")?;
    let body = bytes.split_off(split + 4);
    Ok((String::from_utf8(bytes)?, body))
}

fn tag(head: &str) -> Option<&str> {
    head.lines().find_map(|line| line.to_ascii_lowercase().starts_with("etag:").then(|| line[5..].trim()))
}

/// nginx with one worker, and what is in its folder.
struct Nginx {
    master: Child,
    at: SocketAddr,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.master.id().to_string()).status();
        let _ = self.master.wait();
    }
}

impl Nginx {
    fn start(folder: &Path) -> Outcome<Self> {
        let at = free()?;
        let place = folder.display();
        let text = format!(
            "worker_processes 1; daemon off; pid {place}/nginx.pid; error_log {place}/error.log crit;\n\
             events {{ worker_connections 1024; }}\n\
             http {{ access_log off; keepalive_requests 100000000; sendfile on; tcp_nopush on; gzip_static on; gzip_vary on;\n\
             types {{ application/atom+xml atom; }}\n\
             server {{ listen {at}; root {place}/www; }} }}\n"
        );
        std::fs::write(folder.join("nginx.conf"), text)?;
        let mut command = Command::new("nginx");
        command.arg("-c").arg(folder.join("nginx.conf")).arg("-p").arg(folder);
        let nginx = Self { master: command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?, at };
        let begun = Instant::now();
        while TcpStream::connect(at).is_err() {
            if begun.elapsed() > Duration::from_secs(10) {
                return Err("nginx does not answer".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(nginx)
    }

    /// CPU time of its worker, in nanoseconds.
    fn spent(&self) -> Outcome<u64> {
        let children = format!("/proc/{0}/task/{0}/children", self.master.id());
        let mut time = 0;
        for child in std::fs::read_to_string(children)?.split_whitespace() {
            time += used(child.parse()?)?;
        }
        Ok(time)
    }
}

/// Requests that wrk makes within some seconds.
fn wrk(at: SocketAddr, header: &str) -> Outcome<u64> {
    let done = Command::new("wrk")
        .args(["-t1", "-c16", "-d2s", "-H", "Accept: */*", "-H", header])
        .arg(format!("http://{at}/s7.atom"))
        .output()?;
    let text = String::from_utf8(done.stdout)?;
    let line = text.lines().find(|line| line.contains(" requests in ")).ok_or("wrk says nothing")?;
    if text.contains("Non-2xx or 3xx") || text.contains("Socket errors") {
        return Err(text.into());
    }
    Ok(line.split_whitespace().next().ok_or("no number")?.parse()?)
}

fn beside_nginx(daemon: &Daemon, listen: SocketAddr, folder: &Path) -> Outcome<()> {
    for program in ["nginx", "wrk"] {
        if Command::new(program).arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            println!("no {program} here: nothing is given out beside nginx");
            return Ok(());
        }
    }
    std::fs::create_dir_all(folder.join("www"))?;
    let (head, plain) = ask(listen, "GET", "/s7.atom", "Accept-Encoding: identity\r\n")?;
    let (_, packed) = ask(listen, "GET", "/s7.atom", "Accept-Encoding: gzip\r\n")?;
    std::fs::write(folder.join("www/s7.atom"), &plain)?;
    std::fs::write(folder.join("www/s7.atom.gz"), &packed)?;
    let nginx = Nginx::start(folder)?;
    let (theirs, _) = ask(nginx.at, "GET", "/s7.atom", "Accept-Encoding: identity\r\n")?;
    let known = |head: &str| tag(head).map(|tag| format!("If-None-Match: {tag}")).ok_or("no tag");
    let (ours, theirs) = (known(&head)?, known(&theirs)?);
    println!(
        "{} bytes, {} in gzip; requests a second of CPU, Feedmill and nginx, median of {TURNS} turns",
        plain.len(),
        packed.len()
    );
    for (name, ours, theirs) in [
        ("raw", "Accept-Encoding: identity", "Accept-Encoding: identity"),
        ("gzip", "Accept-Encoding: gzip", "Accept-Encoding: gzip"),
        ("304", &*ours, &*theirs),
    ] {
        let mut turns = Vec::new();
        for _ in 0..TURNS {
            let (before, count) = (daemon.used()?, wrk(listen, ours)?);
            let mine = count as f64 * 1e9 / (daemon.used()? - before) as f64;
            let (before, count) = (nginx.spent()?, wrk(nginx.at, theirs)?);
            let other = count as f64 * 1e9 / (nginx.spent()? - before) as f64;
            turns.push((mine / other, mine, other));
        }
        turns.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (ratio, mine, other) = turns.get(TURNS / 2).copied().unwrap_or_default();
        println!("{name:>5}: {mine:>8.0} {other:>8.0}   {ratio:.2} of nginx (bar 0.60, stretch 0.80)");
    }
    Ok(())
}

/// Every stream is asked for, with the tag that is known; how many are others now, and what that took.
fn round(daemon: &Daemon, listen: SocketAddr, tags: &mut [String]) -> Outcome<(usize, f64, f64)> {
    let (cpu, begun, mut changed) = (daemon.used()?, Instant::now(), 0);
    for (n, known) in tags.iter_mut().enumerate() {
        let (head, _) = ask(listen, "GET", &format!("/s{n}.atom"), &format!("If-None-Match: {known}\r\n"))?;
        if !head.contains(" 304 ") {
            changed += 1;
            tag(&head).unwrap_or_default().clone_into(known);
        }
    }
    Ok((changed, (daemon.used()? - cpu) as f64 / 1e6, begun.elapsed().as_secs_f64() * 1e3))
}

fn poll(listen: SocketAddr) -> Outcome<()> {
    let (head, body) = ask(listen, "POST", "/api/v1/feeds/f0/poll", "Authorization: Bearer s3cret-s3cret-s3cret\r\n")?;
    if head.contains(" 20") { Ok(()) } else { Err(String::from_utf8_lossy(&body).into_owned().into()) }
}

fn changes(daemon: &Daemon, listen: SocketAddr, more: &AtomicUsize) -> Outcome<()> {
    let mut tags = vec![String::from("\"none\""); STREAMS];
    for (name, wait) in
        [("all made for the first time", false), ("nothing changed", false), ("one stream changed", true)]
    {
        if wait {
            more.fetch_add(1, Ordering::SeqCst);
            poll(listen)?;
        }
        let (changed, cpu, took) = round(daemon, listen, &mut tags)?;
        println!("{STREAMS} streams of 100 stories, {name}: {changed} others, {cpu:.0} ms of CPU, {took:.0} ms");
    }
    let mut firsts: Vec<f64> = Vec::new();
    for _ in 0..21 {
        more.fetch_add(1, Ordering::SeqCst);
        poll(listen)?;
        let mut stream = TcpStream::connect(listen)?;
        let begun = Instant::now();
        stream.write_all(
            b"GET /s0.atom HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n",
        )?;
        stream.read_exact(&mut [0])?;
        firsts.push(begun.elapsed().as_secs_f64() * 1e3);
        stream.read_to_end(&mut Vec::new())?;
    }
    firsts.sort_by(f64::total_cmp);
    let at = |n: usize| firsts.get(n).copied().unwrap_or_default();
    println!(
        "first byte of a stream of 100 stories that has changed: median {:.1} ms, worst of 21 {:.1} ms (bar 10)",
        at(10),
        at(20)
    );
    Ok(())
}

fn main() -> Outcome<()> {
    // Cargo runs benches as tests, too.
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    // nginx gives up root's rights, and has to read what is in it.
    #[cfg(unix)]
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let more = Arc::new(AtomicUsize::new(0));
    let (listen, origin) = (free()?, publish(&more)?);
    let file = folder.path().join("feedmill.toml");
    std::fs::write(&file, configuration(folder.path(), listen, origin))?;
    let daemon = Daemon::start(&file, listen)?;
    let begun = Instant::now();
    while ask(listen, "GET", "/api/v1/feeds", "")?.1.windows(12).filter(|part| part == b"last_success").count() < FEEDS
    {
        if begun.elapsed() > PATIENCE {
            return Err("the feeds were not read in time".into());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    beside_nginx(&daemon, listen, folder.path())?;
    changes(&daemon, listen, &more)
}
