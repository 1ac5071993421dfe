//! What the daemon costs while all its feeds sleep: how long it takes to be ready, its memory, and the CPU time of a while
//! in which nothing is due.
//!
//! `cargo bench --bench asleep`; `ASLEEP_FEEDS` is how many feeds there are (100,000), `ASLEEP_SECONDS` for how long it is
//! watched (60). On Linux, for it reads `/proc`.
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use feedmill::domain::feed::NextPoll;
use feedmill::domain::time::Timestamp;
use feedmill::store::sqlite::{Access, Options, Sqlite};
use feedmill::store::{FeedSpec, Store as _, Subscriptions};

/// What a start brings with it is over after so long: retention begins after ten seconds, and threads that were needed end
/// ten seconds later.
const SETTLED: Duration = Duration::from_secs(30);
/// A start takes no longer.
const PATIENCE: Duration = Duration::from_secs(300);

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// The daemon; it ends with the bench.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn number(variable: &str, usual: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn url(n: usize) -> String {
    format!("http://h{n}.example/feed/{n}")
}

fn configuration(folder: &Path, address: SocketAddr, feeds: usize) -> Outcome<()> {
    let mut text = format!(
        "[server]\nlisten = \"{address}\"\n[storage]\ndatabase = \"{}\"\n[poll]\nschedule = \"0 4 1 1 *\"\n",
        folder.join("t.db").display()
    );
    for n in 0..feeds {
        write!(text, "[[feed]]\nname = \"f{n}\"\nurl = \"{}\"\n", url(n))?;
    }
    Ok(std::fs::write(folder.join("feedmill.toml"), text)?)
}

/// A database in which every feed is due in the year 2100.
async fn put_to_sleep(folder: &Path, feeds: usize) -> Outcome<()> {
    let options = Options { access: Access::Own, check: false, tagging: "example.org,2026-01-01".to_owned() };
    let store = Sqlite::open(&folder.join("t.db"), &options)?;
    let spec = |n| FeedSpec { name: format!("f{n}"), url: url(n), title: None, enabled: true, own_headers: false };
    let subscriptions = Subscriptions { feeds: (0..feeds).map(spec).collect(), ..Subscriptions::default() };
    let now = Timestamp::from_secs(1_764_000_000);
    let registry = store.apply_subscriptions(subscriptions, now).await?;
    let due_at = Some(Timestamp::from_secs(4_102_444_800));
    let next = NextPoll { due_at, reason: "it sleeps".to_owned(), ..NextPoll::default() };
    store.keep_due(registry.feeds.iter().map(|(feed, _)| (*feed, next.clone())).collect(), now).await?;
    Ok(store.close().await?)
}

fn answers(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.contains(" 200 "))
    };
    ask().unwrap_or(false)
}

/// A line of `/proc/PID/status`, in MiB.
fn memory(daemon: &Daemon, field: &str) -> Outcome<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.0.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).ok_or("no such field")?;
    Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse::<u64>()? / 1024)
}

/// CPU time of all its threads, in nanoseconds, and how often they went to sleep.
fn spent(daemon: &Daemon) -> Outcome<(u64, u64)> {
    let (mut time, mut sleeps) = (0, 0);
    for thread in std::fs::read_dir(format!("/proc/{}/task", daemon.0.id()))? {
        let thread = thread?.path();
        let times = std::fs::read_to_string(thread.join("schedstat"))?;
        time += times.split_whitespace().next().ok_or("no time")?.parse::<u64>()?;
        let status = std::fs::read_to_string(thread.join("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        sleeps += line.ok_or("no switches")?.trim().parse::<u64>()?;
    }
    Ok((time, sleeps))
}

fn main() -> Outcome<()> {
    let feeds = number("ASLEEP_FEEDS", 100_000);
    let watched = Duration::from_secs(u64::try_from(number("ASLEEP_SECONDS", 60))?);
    let folder = tempfile::TempDir::new()?;
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    configuration(folder.path(), address, feeds)?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(put_to_sleep(folder.path(), feeds))?;

    let begun = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_feedmill"));
    let command = command.arg("--config").arg(folder.path().join("feedmill.toml")).arg("run");
    let daemon = Daemon(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
    while !answers(address) {
        if begun.elapsed() > PATIENCE {
            return Err("the daemon does not answer".into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    println!("{feeds} feeds: ready after {:.1} s", begun.elapsed().as_secs_f64());
    std::thread::sleep(SETTLED);
    let before = spent(&daemon)?;
    std::thread::sleep(watched);
    let after = spent(&daemon)?;
    println!(
        "in {} s in which nothing was due: {:.1} ms of CPU, {} wake-ups",
        watched.as_secs(),
        Duration::from_nanos(after.0.saturating_sub(before.0)).as_secs_f64() * 1e3,
        after.1.saturating_sub(before.1)
    );
    println!("resident: {} MiB, at its peak {} MiB", memory(&daemon, "VmRSS:")?, memory(&daemon, "VmHWM:")?);
    Ok(())
}
