//! Who is let in, from outside and with a real configuration.

use crate::support::daemon::{Installation, rss, story};
use crate::support::origin::{Origin, Reply};

#[test]
fn a_read_token_names_and_proxies_are_read_from_the_configuration_and_hold_at_once_after_a_reload() {
    let origin = Origin::start();
    let feed = format!("[[feed]]\nname = \"world\"\nurl = \"{}\"\n", origin.url("/feed"));
    let house = Installation::new(&feed);
    let daemon = house.start();
    assert_eq!(daemon.get("/all.atom").status, 200);
    house.serve_with(
        "read_token = \"a token for readers\"\nhosts = [\"News.example\"]\ntrusted_proxies = [\"127.0.0.1/32\"]\n",
        &feed,
    );
    assert!(house.run(&["reload"]).status.success(), "the command needs no token");
    assert_eq!(daemon.get("/all.atom").status, 401);
    assert_eq!(daemon.get("/healthz").status, 200);
    let bearer = ("Authorization", "Bearer a token for readers");
    assert_eq!(daemon.get_with("/all.atom", &[bearer]).status, 200);
    // Behind the proxy each guesser has a count of their own.
    let guess = |from: &str| daemon.get_with("/all.atom", &[("X-Forwarded-For", from), ("Authorization", "Bearer x")]);
    let statuses: Vec<u16> = (0..11).map(|_| guess("203.0.113.9").status).collect();
    assert_eq!(statuses, [401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 429]);
    assert_eq!(guess("203.0.113.10").status, 401);
    assert_eq!(daemon.get_with("/all.atom", &[bearer, ("X-Forwarded-For", "203.0.113.10")]).status, 200);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn readers_are_counted_by_stream_and_publishers_are_told_of_those_who_follow_everything() {
    let origin = Origin::start();
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let heard = std::sync::Arc::clone(&told);
    origin.answer("/feed", move |request| {
        heard
            .lock()
            .unwrap()
            .push(String::from_utf8(request.header("user-agent").unwrap_or_default().to_vec()).unwrap());
        Reply::ok(rss(&[story("One", "https://one.example/", "one")]))
    });
    let house = Installation::new(&format!(
        "contact = \"https://us.example/\"\n[[feed]]\nname = \"world\"\nurl = \"{}\"\n[[stream]]\nname = \"watch\"\n\
         match = 'one'\n",
        origin.url("/feed")
    ));
    // The daemon looks after itself four times within the interval of the watchdog.
    let daemon = house.start_in(&[("WATCHDOG_USEC", "4000000")]);
    daemon.until("the feed was polled", |d| d.get("/all.json").text().contains("One"));
    let read =
        |path: &str, agent: &str| assert!(daemon.get_with(path, &[("User-Agent", agent)]).status == 200, "{path}");
    for _ in 0..3 {
        read("/all.atom", "newsboat/2.37");
    }
    read("/all.rss", "Feedly/1.0 (+http://www.feedly.com/fetcher.html; 16 subscribers)");
    read("/watch.json", "NetNewsWire/6");
    read("/watch.json?before=1-1", "Somebody who looks back");
    read("/watch", "Mozilla/5.0");
    let status = daemon.get("/status").text();
    let readers = |stream: &str| {
        let (_, row) = status.split_once(&format!("<bdi>{stream}</bdi>")).unwrap();
        row.split_once("data-label=\"Readers\">").unwrap().1.split('<').next().unwrap().to_owned()
    };
    assert_eq!((readers("My news"), readers("watch")), ("17".to_owned(), "1".to_owned()));
    let first = told.lock().unwrap()[0].clone();
    assert!(first.starts_with("Feedmill/") && first.ends_with("(+https://us.example/)"), "nothing is made up: {first}");
    daemon.until("publishers are told", |_| {
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert!(house.run(&["poll"]).status.success());
        told.lock().unwrap().last().unwrap().ends_with("(+https://us.example/; 17 subscribers)")
    });
    assert_eq!(daemon.stop(), Some(0));
}
