//! Stories as they come in, to those who listen.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use crate::support::daemon::{Daemon, Installation, PATIENCE, rss, story};
use crate::support::origin::{Origin, Reply};

pub(crate) struct Listener(BufReader<TcpStream>);

#[derive(Debug, Default)]
pub(crate) struct Event {
    id: String,
    name: String,
    pub(crate) data: String,
}

impl Listener {
    fn open(daemon: &Daemon, path: &str, last: Option<&str>) -> (Self, u16) {
        let last: Vec<_> = last.into_iter().map(|id| ("Last-Event-ID", id)).collect();
        Self::open_with(daemon, path, &last)
    }

    pub(crate) fn open_with(daemon: &Daemon, path: &str, headers: &[(&str, &str)]) -> (Self, u16) {
        let mut stream = TcpStream::connect(daemon.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {}\r\n{headers}\r\n", daemon.address()).unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
        }
        assert!(!head.contains(" 200 ") || head.contains("content-type: text/event-stream"), "{head}");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (Self(reader), status)
    }

    /// The next event; `None`: the other side has ended it.
    pub(crate) fn next(&mut self) -> Option<Event> {
        let mut event = Event::default();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            match line.trim_end().split_once(": ") {
                Some(("id", id)) => id.clone_into(&mut event.id),
                Some(("event", name)) => name.clone_into(&mut event.name),
                Some(("data", data)) => data.clone_into(&mut event.data),
                _ if line == "\n" && !event.name.is_empty() => return Some(event),
                _ => {}
            }
        }
    }
}

fn title(event: &Event) -> String {
    let item: serde_json::Value = serde_json::from_str(&event.data).unwrap();
    item["title"].as_str().unwrap().to_owned()
}

#[test]
fn who_listens_hears_of_each_story_once_and_goes_on_where_they_were() {
    let origin = Origin::start();
    let titles = Arc::new(Mutex::new(vec!["First"]));
    let shown = Arc::clone(&titles);
    origin.answer("/feed", move |_| {
        let titles = shown.lock().unwrap();
        let one = |(n, title): (usize, &&str)| story(title, &format!("https://a.example/{n}"), &format!("g{n}"));
        Reply::ok(rss(&titles.iter().enumerate().map(one).collect::<Vec<_>>()))
    });
    let house = Installation::new(&format!(
        "schedule = \"@every 1h\"\nspread = false\n[[feed]]\nname = \"world\"\nurl = \"{}\"\n[[stream]]\nname = \"peace\"\n\
         match = 'peace'\n[[stream]]\nname = \"secret\"\nmatch = 'peace'\ntoken = \"a-token-of-more-than-16\"\n",
        origin.url("/feed")
    ));
    let daemon = house.start();
    daemon.until("the feed was polled", |d| d.get("/all.json").text().contains("First"));
    let (mut all, _) = Listener::open(&daemon, "/events", None);
    let (mut peace, _) = Listener::open(&daemon, "/events?stream=peace", None);
    let (mut secret, _) = Listener::open(&daemon, "/events?stream=secret&token=a-token-of-more-than-16", None);
    let begun = all.next().unwrap();
    assert_eq!((begun.name.as_str(), peace.next().unwrap().name.as_str()), ("hello", "hello"));
    assert_eq!(secret.next().unwrap().name, "hello");
    *titles.lock().unwrap() = vec!["First, edited", "Second", "Third: peace"];
    assert!(house.run(&["poll"]).status.success());
    let heard: Vec<Event> = (0..3).map(|_| all.next().unwrap()).collect();
    let mut told: Vec<(String, String)> = heard.iter().map(|event| (event.name.clone(), title(event))).collect();
    told.sort();
    let wanted = [("new", "Second"), ("new", "Third: peace"), ("updated", "First, edited")];
    assert_eq!(told, wanted.map(|(name, title)| (name.to_owned(), title.to_owned())));
    assert!(heard.iter().all(|event| !event.data.contains("secret")), "private streams are not named");
    for listener in [&mut peace, &mut secret] {
        assert_eq!(title(&listener.next().unwrap()), "Third: peace", "the stream's stories alone");
    }
    drop(all);
    let (mut back, _) = Listener::open(&daemon, "/events", Some(&heard[0].id));
    assert_eq!(back.next().unwrap().name, "hello");
    for missed in &heard[1..] {
        let event = back.next().unwrap();
        assert_eq!((event.id.as_str(), title(&event)), (missed.id.as_str(), title(missed)));
    }
    let (mut stranger, _) = Listener::open(&daemon, "/events", Some("999999999"));
    assert_eq!(stranger.next().unwrap().id, heard[2].id, "who comes from elsewhere begins now");
    for path in ["/events?stream=none", "/events?stream=secret", "/events?stream=secret&token=wrong"] {
        assert_eq!(daemon.get(path).status, 404, "{path}");
    }
    // The river listens; an older page and the page of a private stream do not.
    assert!(daemon.get("/peace").text().contains("data-events=\"/events?stream=peace\""));
    assert!(!daemon.get("/?before=9-9").text().contains("<script"));
    assert!(!daemon.get("/secret?token=a-token-of-more-than-16").text().contains("<script"));
    assert_eq!(daemon.get("/static/live.js").header("content-type"), Some("text/javascript; charset=utf-8"));
    // No more than may be, and a place is free again when one has gone.
    let mut crowd: Vec<Listener> = Vec::new();
    let refused = loop {
        let (listener, status) = Listener::open(&daemon, "/events", None);
        if status != 200 {
            break status;
        }
        crowd.push(listener);
    };
    assert_eq!((crowd.len() <= 64, refused), (true, 503));
    assert_eq!(daemon.get("/all.atom").status, 200, "everybody else is served");
    drop(crowd);
    daemon.until("a place is free", |d| Listener::open(d, "/events", None).1 == 200);
    assert_eq!(daemon.stop(), Some(0), "those who listen hold nothing up");
    assert!(back.next().is_none());
}
