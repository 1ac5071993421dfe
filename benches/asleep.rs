//! What the daemon costs while all its feeds sleep: how long it takes to be ready, its memory, and the CPU time of a while
//! in which nothing is due.
//!
//! `cargo bench --bench asleep`; `ASLEEP_FEEDS` is how many feeds there are (100,000), `ASLEEP_SECONDS` for how long it is
//! watched (60). On Linux, for it reads `/proc`.
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

mod daemon;

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use feedmill::domain::feed::NextPoll;
use feedmill::domain::time::Timestamp;
use feedmill::store::sqlite::{Access, Options, Sqlite};
use feedmill::store::{FeedSpec, Store as _, Subscriptions};
use url::Url;

use daemon::{Daemon, Outcome};

/// What a start brings with it is over after so long: retention begins after ten seconds, and threads that were needed end
/// ten seconds later.
const SETTLED: Duration = Duration::from_secs(30);

fn number(variable: &str, usual: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn url(n: usize) -> String {
    format!("http://h{n}.example/feed/{n}")
}

fn configuration(folder: &Path, address: SocketAddr, feeds: usize) -> Outcome<()> {
    let mut text = format!(
        "[log]\nlevel = \"error\"\n[server]\nlisten = \"{address}\"\n[storage]\ndatabase = \"{}\"\n[poll]\nschedule = \"0 4 1 1 *\"\n",
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
    let spec = |n| -> Outcome<FeedSpec> {
        Ok(FeedSpec {
            name: format!("f{n}").into(),
            url: Url::parse(&url(n))?.into(),
            title: None,
            enabled: true,
            own_headers: false,
            private: false,
        })
    };
    let subscriptions =
        Subscriptions { feeds: (0..feeds).map(spec).collect::<Outcome<_>>()?, ..Subscriptions::default() };
    let now = Timestamp::from_secs(1_764_000_000);
    let registry = store.apply_subscriptions(subscriptions, now).await?;
    let due_at = Some(Timestamp::from_secs(4_102_444_800));
    let next = NextPoll { due_at, reason: "it sleeps".to_owned(), ..NextPoll::default() };
    store.keep_due(registry.feeds.iter().map(|(feed, _)| (*feed, next.clone())).collect(), now).await?;
    Ok(store.close().await?)
}

fn main() -> Outcome<()> {
    let feeds = number("ASLEEP_FEEDS", 100_000);
    let watched = Duration::from_secs(u64::try_from(number("ASLEEP_SECONDS", 60))?);
    let folder = tempfile::TempDir::new()?;
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    configuration(folder.path(), address, feeds)?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(put_to_sleep(folder.path(), feeds))?;

    let begun = Instant::now();
    let daemon = Daemon::start(&folder.path().join("feedmill.toml"), address)?;
    println!("{feeds} feeds: ready after {:.1} s", begun.elapsed().as_secs_f64());
    std::thread::sleep(SETTLED);
    let before = daemon.spent()?;
    std::thread::sleep(watched);
    let after = daemon.spent()?;
    println!(
        "in {} s in which nothing was due: {:.1} ms of CPU, {} wake-ups",
        watched.as_secs(),
        Duration::from_nanos(after.0.saturating_sub(before.0)).as_secs_f64() * 1e3,
        after.1.saturating_sub(before.1)
    );
    println!("resident: {} MiB, at its peak {} MiB", daemon.memory("VmRSS:")?, daemon.memory("VmHWM:")?);
    Ok(())
}
