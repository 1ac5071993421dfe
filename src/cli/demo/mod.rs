//! `feedmill demo`: the whole product offline. A built-in publisher, a built-in webhook receiver, and the real
//! daemon between them, on a folder that is gone when it ends.

mod press;
mod receiver;
mod server;

use std::collections::HashSet;
use std::net::TcpListener as StdListener;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::press::Press;
use self::receiver::Receiver;
use super::{Failure, out};
use crate::app::{self, Daemon, Parts};
use crate::config::{self, Environment};
use crate::domain::time::{SystemClock, Timestamp};
use crate::poll::{Observer, Outcome, PollReport};
use crate::store::{PageRequest, Store};

#[derive(Args, Debug)]
pub(super) struct Options {
    /// End by itself after so many seconds [default: at Ctrl-C]
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
}

/// Where the daemon of the demo listens, if it is free.
const PORT: u16 = 7878;

pub(super) fn run(options: &Options, environment: &Environment) -> Result<(), Failure> {
    let folder = tempfile::TempDir::with_prefix("feedmill-demo-")?;
    app::runtime()?.block_on(play(options, environment, folder.path()))
}

async fn play(options: &Options, environment: &Environment, folder: &Path) -> Result<(), Failure> {
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let terminal = Arc::new(Terminal { begun: Instant::now(), quiet: Mutex::new(0) });
    let press = Press::new(Instant::now());
    let receiver = Receiver::new(receiver::SECRET, Arc::clone(&terminal));

    let publisher = TcpListener::bind("127.0.0.1:0").await?;
    let desk = TcpListener::bind("127.0.0.1:0").await?;
    let listener = StdListener::bind(("127.0.0.1", PORT)).or_else(|_| StdListener::bind("127.0.0.1:0"))?;
    listener.set_nonblocking(true)?;
    let url = format!("http://{}/", listener.local_addr()?);
    let text = configuration(&url, publisher.local_addr()?.port(), desk.local_addr()?.port());
    let path = folder.join("feedmill.toml");
    std::fs::write(&path, text)?;
    let settings = config::load(&path, environment)?;

    let answer = move |request: server::Request| press.answer(&request);
    tasks.spawn(server::serve(publisher, answer, tasks.clone(), stop.clone()));
    let hear = receiver.clone();
    tasks.spawn(server::serve(desk, move |request| hear.answer(&request), tasks.clone(), stop.clone()));

    let parts = Parts {
        clock: Arc::new(SystemClock),
        environment: environment.clone(),
        listeners: vec![("demo".to_owned(), listener)],
        control_socket: None,
        log: None,
        observer: Some(Arc::clone(&terminal) as Arc<dyn Observer>),
        stop: stop.clone(),
    };
    let daemon = Daemon::start(settings, parts).await?;
    welcome(&url)?;
    let store = daemon.store();
    let ended = async {
        tokio::select! {
            () = pause(options.seconds) => {}
            pressed = tokio::signal::ctrl_c() => pressed?,
        }
        let summary = summary(store.as_ref(), &receiver).await;
        stop.cancel();
        summary
    };
    let (summary, closed) = tokio::join!(ended, daemon.run());
    tasks.close();
    tasks.wait().await;
    closed?;
    out::line(&summary?)
}

async fn pause(seconds: Option<u64>) {
    match seconds {
        Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
        None => std::future::pending().await,
    }
}

fn configuration(url: &str, publisher: u16, desk: u16) -> String {
    let feeds: String = press::FEEDS
        .iter()
        .map(|feed| {
            let (name, file, tag) = (feed.name, feed.file, feed.tag);
            format!(
                "[[feed]]\nname = \"{name}\"\nurl = \"http://127.0.0.1:{publisher}/{file}\"\ntags = [\"{tag}\"]\n\n"
            )
        })
        .collect();
    let secret = receiver::SECRET;
    format!(
        r#"[server]
public_url = "{url}"
title = "The demo's news"

[poll]
schedule = "@every 2s"
spread = false
min_interval = "1s"
backoff = "3s"
allow_networks = ["127.0.0.0/8"]

{feeds}[[stream]]
name = "harbour"
title = "News from the harbour"
match = "harbour OR ferr* OR \"tide gauge\""
notify = ["desk"]

[[webhook]]
name = "desk"
url = "http://127.0.0.1:{desk}/hook"
secret = "{secret}"
events = ["new", "updated"]
allow_networks = ["127.0.0.0/8"]
retry = ["2s", "4s", "8s"]
"#
    )
}

fn welcome(url: &str) -> Result<(), Failure> {
    out::line("Feedmill's demo: four feeds of a built-in publisher, polled every two seconds.")?;
    out::line("The same stories come from three of them, under other addresses each time; each is kept once.")?;
    out::line("")?;
    out::line(&format!("  read        {url}"))?;
    out::line(&format!("  subscribe   {url}all.atom   {url}harbour.json"))?;
    out::line(&format!("  look after  {url}status"))?;
    out::line("")?;
    out::line("Ctrl-C ends it; nothing is left behind.")?;
    out::line("")
}

/// What was kept and what was called, counted in the store and at the receiver.
async fn summary(store: &dyn Store, receiver: &Receiver) -> Result<String, Failure> {
    let (mut links, mut items, mut sightings, mut before) = (HashSet::new(), 0_usize, 0_usize, None);
    loop {
        let page = store.stream_page(PageRequest { stream: None, limit: 500, before }).await?;
        for item in &page.items {
            items += 1;
            sightings += item.sightings.len();
            links.insert(item.key.clone());
        }
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    let heard = receiver.heard();
    let once = if links.len() == items { "each once" } else { "NOT each once" };
    Ok(format!(
        "\n{items} stories kept, {once}, from {sightings} sightings; {} calls received, {} of them after a retry, {} \
         with a bad signature.",
        heard.received, heard.retried, heard.forged
    ))
}

/// What is told as it happens.
pub(super) struct Terminal {
    begun: Instant,
    /// Polls that brought nothing since the last line.
    quiet: Mutex<u32>,
}

impl Terminal {
    /// One line. A terminal that is gone must not end the daemon.
    pub(super) fn tell(&self, who: &str, what: &str) {
        let secs = self.begun.elapsed().as_secs();
        let _ = out::line(&format!("{:02}:{:02}  {who:<9} {}", secs / 60, secs % 60, out::printable(what)));
    }

    fn quiet(&self) -> u32 {
        std::mem::take(&mut *self.quiet.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Observer for Terminal {
    fn polled(&self, report: &PollReport) {
        let stored = &report.stored;
        let mut parts: Vec<String> = [
            (stored.new, "new"),
            (stored.changed, "edited"),
            (stored.sighted, "known already from another feed"),
            (stored.deliveries, "for the desk"),
        ]
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{n} {what}"))
        .collect();
        if let Some(error) = &report.error {
            parts.push(format!("{}; it is asked again a little later", error.message));
        }
        if parts.is_empty() || report.outcome == Outcome::NotModified {
            *self.quiet.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            return;
        }
        match self.quiet() {
            0 => {}
            n => self.tell("", &format!("{n} polls brought nothing new")),
        }
        self.tell(&report.name, &parts.join(", "));
    }

    fn ticked(&self, _now: Timestamp, _next_due: Option<Timestamp>) {}
}
