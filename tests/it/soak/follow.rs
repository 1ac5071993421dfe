//! Readers who follow the streams all the time, whatever happens to the daemon.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

use super::world::bare;
use crate::support::daemon::http;
use crate::valid;

/// What they have read.
#[derive(Default)]
pub(crate) struct Followed {
    /// The id of each story, by its address.
    pub(crate) ids: HashMap<String, String>,
    /// How often `/events` told of a story of the stream.
    pub(crate) heard: HashMap<String, usize>,
    pub(crate) problems: Vec<String>,
    pub(crate) documents: usize,
    pub(crate) events: usize,
}

pub(crate) struct Followers {
    stop: Arc<AtomicBool>,
    reader: JoinHandle<Followed>,
    listener: JoinHandle<Followed>,
}

impl Followers {
    /// They hear of everything that is published from now on.
    pub(crate) fn start(address: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (ends, ends_too) = (Arc::clone(&stop), Arc::clone(&stop));
        let mut last = None;
        while last.is_none() {
            last = listen(address, None, &mut Followed::default(), &|heard| heard);
        }
        Self {
            reader: thread::spawn(move || read(address, &ends)),
            listener: thread::spawn(move || {
                let mut followed = Followed::default();
                while !ends_too.load(Ordering::SeqCst) {
                    let heard = listen(address, last.as_deref(), &mut followed, &|_| ends_too.load(Ordering::SeqCst));
                    last = heard.or(last);
                    thread::sleep(Duration::from_millis(50));
                }
                followed
            }),
            stop,
        }
    }

    /// After a moment for what is under way.
    pub(crate) fn end(self) -> Followed {
        thread::sleep(Duration::from_secs(3));
        self.stop.store(true, Ordering::SeqCst);
        let mut followed = self.reader.join().unwrap();
        let listened = self.listener.join().unwrap();
        (followed.heard, followed.events) = (listened.heard, listened.events);
        followed.problems.extend(listened.problems);
        followed
    }
}

/// The documents, over and over: each is valid, and no story ever changes its id.
fn read(address: SocketAddr, stop: &AtomicBool) -> Followed {
    let (mut followed, mut etag) = (Followed::default(), String::new());
    while !stop.load(Ordering::SeqCst) {
        thread::sleep(Duration::from_millis(300));
        let whole = |path: &str, etag: &str| {
            let answer =
                http(address, "GET", path, &[("If-None-Match", etag)]).filter(|answer| answer.status == 200)?;
            // Who is killed while it answers has not answered.
            let length = answer.header("content-length")?.parse::<usize>().ok()?;
            (length == answer.body.len()).then_some(answer)
        };
        let Some(atom) = whole("/watch.atom", &etag) else { continue };
        etag = atom.header("etag").unwrap_or_default().to_owned();
        followed.documents += 1;
        followed.problems.extend(valid::atom(&atom.text()).0.0);
        let Some(json) = whole("/all.json", "") else { continue };
        let Ok(page) = serde_json::from_slice::<Value>(&json.body) else {
            followed.problems.push(format!("no JSON: {}", json.text()));
            continue;
        };
        followed.documents += 1;
        for item in page["items"].as_array().into_iter().flatten() {
            let (url, id) = (bare(item["url"].as_str().unwrap_or_default()), item["id"].as_str().unwrap_or_default());
            let before = followed.ids.entry(url).or_insert_with(|| id.to_owned());
            if before != id {
                followed.problems.push(format!("{before} became {id}"));
            }
        }
    }
    followed
}

/// Listens to the stream from where it was, until the connection ends or what was heard (anything?) is enough; where it is
/// then.
fn listen(
    address: SocketAddr,
    last: Option<&str>,
    followed: &mut Followed,
    enough: &dyn Fn(bool) -> bool,
) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    let from = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
    write!(stream, "GET /events?stream=watch HTTP/1.0\r\nHost: {address}\r\n{from}\r\n").ok()?;
    let mut reader = BufReader::new(stream);
    let (mut id, mut name, mut data, mut at) = (String::new(), String::new(), String::new(), None);
    let mut line = String::new();
    loop {
        match reader.read_line(&mut line) {
            Ok(0) => return at,
            Ok(_) => {}
            // Silence, or half a line: more may come.
            Err(_) if !enough(at.is_some()) => continue,
            Err(_) => return at,
        }
        match line.trim_end().split_once(": ") {
            Some(("id", value)) => value.clone_into(&mut id),
            Some(("event", value)) => value.clone_into(&mut name),
            Some(("data", value)) => value.clone_into(&mut data),
            _ if line == "\n" && !name.is_empty() => {
                at = Some(id.clone());
                if name == "new" {
                    followed.events += 1;
                    let item: Value = serde_json::from_str(&data).unwrap_or_default();
                    *followed.heard.entry(bare(item["url"].as_str().unwrap_or_default())).or_default() += 1;
                }
                name.clear();
            }
            _ => {}
        }
        line.clear();
        if enough(at.is_some()) {
            return at;
        }
    }
}
