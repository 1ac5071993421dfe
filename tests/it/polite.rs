//! What publishers see of the whole program, and what their mistakes do to it. `feedmill poll` is a process of its own
//! each time, so whatever is remembered here has survived a restart.

use std::time::Duration;

use serde_json::Value;

use crate::support::daemon::{Installation, rss, story};
use crate::support::origin::{Origin, Reply, Request};

/// One feed at this path, and the lines of its table.
fn house(origin: &Origin, path: &str, lines: &str) -> Installation {
    Installation::new(&feed("f", &origin.url(path), lines))
}

fn feed(name: &str, url: &str, lines: &str) -> String {
    format!("[[feed]]\nname = \"{name}\"\nurl = \"{url}\"\n{lines}\n")
}

fn document(titles: &[&str]) -> String {
    let stories: Vec<_> =
        titles.iter().map(|title| story(title, &format!("https://n.example/{title}"), title)).collect();
    rss(&stories)
}

fn poll(house: &Installation) {
    house.run(&["poll"]);
}

fn told(house: &Installation, command: &str) -> Value {
    let output = house.run(&[command, "--json"]);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{command}: {e}: {output:?}"))
}

fn state(house: &Installation) -> Value {
    told(house, "feeds")["feeds"][0].clone()
}

fn titles(house: &Installation) -> Vec<String> {
    let items = told(house, "items")["items"].as_array().unwrap().clone();
    let mut titles: Vec<_> = items.iter().map(|item| item["title"].as_str().unwrap_or_default().to_owned()).collect();
    titles.sort();
    titles
}

fn conditions(requests: &[Request]) -> Vec<Option<Vec<u8>>> {
    requests.iter().map(|request| request.header("if-none-match").map(<[u8]>::to_vec)).collect()
}

#[test]
fn only_a_whole_and_parsed_answer_gives_validators() {
    let origin = Origin::start();
    let good = document(&["one"]);
    let with = |reply: Reply, etag: &str| reply.header("ETag", etag).header("Last-Modified", etag);
    origin.script(
        "/f",
        [
            with(Reply::ok(good.clone()), "\"1\""),
            with(Reply::ok("<html><title>Login</title></html>"), "\"2\""),
            with(Reply::ok(document(&["one", "two"])).cut_after(200), "\"3\""),
            with(Reply::ok(document(&["one", "two"])).chunked().cut_after(200), "\"4\""),
            with(Reply::ok("no gzip").header("Content-Encoding", "gzip"), "\"5\""),
            with(Reply::status(404), "\"6\""),
            with(Reply::status(500), "\"7\""),
            with(Reply::status(206).body(good.clone()), "\"8\""),
            with(Reply::ok(""), "\"9\""),
            with(Reply::redirect(302, "/login"), "\"10\""),
            Reply::status(304),
        ],
    );
    origin.route("/login", with(Reply::ok("<html><form></form></html>"), "\"11\""));
    let house = house(&origin, "/f", "");
    for _ in 0..11 {
        poll(&house);
        assert_eq!(titles(&house), ["one"], "nothing goes because it is missing");
    }
    let requests = origin.requests("/f");
    assert_eq!(requests.len(), 11, "each poll asks once");
    assert_eq!(requests[0].header("if-none-match"), None);
    for request in &requests[1..] {
        assert_eq!(request.header("if-none-match"), Some(&b"\"1\""[..]));
        assert_eq!(request.header("if-modified-since"), Some(&b"\"1\""[..]));
    }
    assert_eq!(origin.requests("/login")[0].header("if-none-match"), None);
    assert_eq!(state(&house)["state"], "ok", "the 304 makes it well again");
}

#[test]
fn an_odd_etag_survives_kill_9_byte_for_byte() {
    let origin = Origin::start();
    let etag = [b"W/\"".to_vec(), vec![0xe9; 592], b"\xff,\t\"".to_vec()].concat();
    let modified = b"yesterday, \xe0 la carte".to_vec();
    origin.route("/f", Reply::ok(document(&["one"])).header("ETag", &etag).header("Last-Modified", &modified));
    let house = house(&origin, "/f", "");
    let daemon = house.start();
    daemon.until("the item", |d| d.json("/all.json")["items"].as_array().unwrap().len() == 1);
    daemon.kill();
    poll(&house);
    let request = origin.requests("/f").pop().unwrap();
    assert_eq!(request.header("if-none-match"), Some(&etag[..]));
    assert_eq!(request.header("if-modified-since"), Some(&modified[..]));
}

#[test]
fn a_304_keeps_everything_and_its_fields_take_the_place_of_the_old_ones() {
    let origin = Origin::start();
    let first = Reply::ok(document(&["one"])).header("ETag", "\"1\"").header("Last-Modified", "then");
    origin.script("/f", [first, Reply::status(304).header("ETag", "\"2\""), Reply::status(304)]);
    let house = house(&origin, "/f", "");
    for _ in 0..3 {
        poll(&house);
    }
    let requests = origin.requests("/f");
    assert_eq!(conditions(&requests), [None, Some(b"\"1\"".to_vec()), Some(b"\"2\"".to_vec())]);
    assert_eq!(requests[2].text("if-modified-since").as_deref(), Some("then"));
    assert_eq!(titles(&house), ["one"]);
}

#[test]
fn the_same_bytes_under_another_etag_are_no_update_and_without_one_the_old_one_goes() {
    let origin = Origin::start();
    let same = document(&["one"]);
    origin.script(
        "/f",
        [
            Reply::ok(same.clone()).header("ETag", "\"1\""),
            // As Apache does: the suffix is never recognised again.
            Reply::ok(same.clone()).header("ETag", "\"1-gzip\""),
            Reply::ok(same.clone()).header("ETag", "\"1-gzip-gzip\""),
            Reply::ok(same.clone()),
            Reply::ok(same).header("ETag", "\"5\""),
            Reply::ok(document(&["one", "two"])),
            Reply::status(200),
        ],
    );
    let house = house(&origin, "/f", "first_import = \"notify\"");
    poll(&house);
    let before = told(&house, "items");
    for _ in 0..4 {
        let polled = house.run(&["poll", "--json"]);
        let polled: Value = serde_json::from_slice(&polled.stdout).unwrap();
        assert_eq!(polled["feeds"][0]["outcome"], "not_modified", "{polled}");
        assert_eq!(told(&house, "items"), before);
    }
    poll(&house);
    poll(&house);
    let quoted = |etag: &str| Some(format!("\"{etag}\"").into_bytes());
    let sent = [None, quoted("1"), quoted("1-gzip"), quoted("1-gzip-gzip"), None, quoted("5"), None];
    assert_eq!(conditions(&origin.requests("/f")), sent);
}

#[test]
fn validators_belong_to_a_url_and_go_when_it_changes() {
    let origin = Origin::start();
    for path in ["/old", "/new", "/other"] {
        origin.route(path, Reply::ok(document(&["one"])).header("ETag", format!("\"{path}\"")));
    }
    let house = house(&origin, "/old", "");
    poll(&house);
    // Moved for good: what the new URL gave is sent to it, and what the old one gave to nobody.
    origin.route("/old", Reply::redirect(301, "/new").header("ETag", "\"hop\""));
    poll(&house);
    poll(&house);
    assert_eq!(conditions(&origin.requests("/old")), [None, Some(b"\"/old\"".to_vec())]);
    assert_eq!(conditions(&origin.requests("/new")), [None, Some(b"\"/new\"".to_vec())]);
    assert_eq!(state(&house)["current_url"], origin.url("/new"));
    // Edited in the configuration: the feed is the same one by its name.
    house.configure(&feed("f", &origin.url("/other"), ""));
    poll(&house);
    poll(&house);
    assert_eq!(conditions(&origin.requests("/other")), [None, Some(b"\"/other\"".to_vec())]);
    assert_eq!(titles(&house), ["one"]);
}

#[test]
fn a_move_is_learnt_once_its_target_is_a_feed_and_at_once_where_that_answers_304() {
    let origin = Origin::start();
    origin.route("/parked", Reply::ok("<html><title>This domain is for sale</title></html>").header("ETag", "\"p\""));
    origin.route("/feed", Reply::ok(document(&["one"])).header("ETag", "\"f\""));
    origin.script(
        "/f",
        [
            Reply::redirect(302, "/feed"),
            Reply::redirect(301, "/parked"),
            Reply::redirect(301, "/nowhere"),
            Reply::redirect(301, "/feed"),
        ],
    );
    let house = house(&origin, "/f", "");
    for _ in 0..3 {
        poll(&house);
        assert_eq!(state(&house)["current_url"], origin.url("/f"));
    }
    origin.route("/feed", Reply::status(304));
    poll(&house);
    assert_eq!(state(&house)["current_url"], origin.url("/feed"), "its validators say that it was a feed before");
    poll(&house);
    assert_eq!(origin.requests("/f").len(), 4);
    assert_eq!(conditions(&origin.requests("/feed")), [None, Some(b"\"f\"".to_vec()), Some(b"\"f\"".to_vec())]);
    assert_eq!(origin.requests("/parked")[0].header("if-none-match"), None);
    assert_eq!((state(&house)["state"].as_str(), titles(&house)), (Some("ok"), vec!["one".to_owned()]));
}

#[test]
fn requests_are_alike_and_carry_no_cookie_that_was_set() {
    let origin = Origin::start();
    origin.route("/f", Reply::redirect(302, "/g?a=1").header("Set-Cookie", "id=1; Path=/"));
    origin.route("/g", Reply::ok(document(&["one"])).header("Set-Cookie", "id=2").header("Vary", "*"));
    let house =
        Installation::new(&format!("contact = \"https://example.org/bot\"\n{}", feed("f", &origin.url("/f#top"), "")));
    poll(&house);
    poll(&house);
    let requests = origin.all_requests();
    assert_eq!(requests.len(), 4);
    let agent = format!("Feedmill/{} (+https://example.org/bot)", env!("CARGO_PKG_VERSION"));
    for request in &requests {
        assert_eq!(request.text("user-agent").as_deref(), Some(agent.as_str()));
        let names: Vec<_> = request.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        assert!(
            names.iter().all(|name| ["accept", "accept-encoding", "host", "user-agent"].contains(&name.as_str())),
            "{names:?}"
        );
        for name in ["accept", "accept-encoding"] {
            assert_eq!(request.header(name), requests[0].header(name));
        }
    }
    let targets: Vec<_> = requests.iter().map(|request| request.target.as_str()).collect();
    assert_eq!(targets, ["/f", "/g?a=1", "/f", "/g?a=1"]);
}

#[test]
fn each_key_of_a_feed_does_what_it_says() {
    let origin = Origin::start();
    origin.answer("/secret", |request| {
        let good = request.text("authorization").is_some();
        if good { Reply::ok(document(&["secret"])) } else { Reply::status(401) }
    });
    for path in ["/basic", "/empty", "/url", "/bearer", "/headers", "/agent", "/plain"] {
        origin.route(path, Reply::ok(document(&["one"])));
    }
    origin.route("/slow", Reply::hang());
    origin.route("/large", Reply::ok(vec![b' '; 3000]));
    let own = |name: &str, lines: &str| feed(name, &origin.url(&format!("/{name}")), lines);
    let config = [
        "per_host = 20\n".to_owned(),
        own("basic", "username = \"ann\"\npassword = { env = \"PASSWORD\" }"),
        own("empty", "username = \"ann\""),
        feed("url", &origin.url("/url").replace("http://", "http://ann:p%40ss@"), ""),
        own("bearer", "bearer = { file = \"token\" }"),
        own("headers", "headers = { X-Key = \"k3y\", Accept = \"text/xml\" }\ncookies = \"a=1; b=2\""),
        own("agent", "user_agent = \"Other/1.0\""),
        own("plain", ""),
        own("slow", "timeout = \"1s\""),
        own("large", "max_body = \"2kB\""),
        own("secret", "username = \"ann\"\npassword = \"s3cret\""),
    ];
    let house = Installation::new(&config.concat());
    std::fs::write(house.dir().join("token"), "t0ken\n").unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(house.dir().join("token"), private).unwrap();
    let daemon = house.start_in(&[("PASSWORD", "pässword")]);
    daemon.until("all were polled", |d| {
        d.json("/api/v1/feeds")["feeds"].as_array().unwrap().iter().all(|feed| feed["last_attempt"].is_string())
    });
    let sent = |path: &str, name: &str| origin.requests(path)[0].text(name);
    let basic = |coded: &str| Some(format!("Basic {coded}"));
    assert_eq!(sent("/basic", "authorization"), basic("YW5uOnDDpHNzd29yZA=="));
    assert_eq!(sent("/empty", "authorization"), basic("YW5uOg=="));
    assert_eq!(sent("/url", "authorization"), basic("YW5uOnBAc3M="));
    assert_eq!(sent("/bearer", "authorization").as_deref(), Some("Bearer t0ken"));
    assert_eq!(sent("/headers", "x-key").as_deref(), Some("k3y"));
    assert_eq!(sent("/headers", "accept").as_deref(), Some("text/xml"));
    assert_eq!(sent("/headers", "cookie").as_deref(), Some("a=1; b=2"));
    assert_eq!(sent("/agent", "user-agent").as_deref(), Some("Other/1.0"));
    for name in ["authorization", "cookie", "x-key"] {
        assert_eq!(sent("/plain", name), None);
    }
    let feeds = daemon.json("/api/v1/feeds");
    let kind = |name: &str| {
        let feed = feeds["feeds"].as_array().unwrap().iter().find(|feed| feed["name"] == name).unwrap().clone();
        feed["error"]["kind"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!([kind("slow"), kind("large"), kind("secret"), kind("plain")], ["timeout", "too_large", "", ""]);
    let pages = ["/api/v1/feeds", "/status", "/feeds", "/metrics"].map(|path| daemon.get(path).text()).concat();
    let all = format!("{pages}{}{}", daemon.log(), String::from_utf8_lossy(&house.run(&["feeds"]).stdout));
    for secret in ["pässword", "p%40ss", "p@ss", "t0ken", "k3y", "b=2", "s3cret"] {
        assert!(!all.contains(secret), "{secret} is told");
    }
}

#[test]
fn nothing_but_the_feed_is_asked_for() {
    let origin = Origin::start();
    let base = origin.url("");
    origin.route(
        "/f",
        Reply::ok(format!(
            "<?xml version=\"1.0\"?><?xml-stylesheet href=\"{base}/style.xsl\"?>\
             <!DOCTYPE rss SYSTEM \"{base}/dtd\" [<!ENTITY x SYSTEM \"{base}/entity\"><!ENTITY % p SYSTEM \"{base}/pe\">%p;]>\
             <rss version=\"2.0\" xmlns:xi=\"http://www.w3.org/2001/XInclude\" xmlns:atom=\"http://www.w3.org/2005/Atom\">\
             <channel><title>T</title><link>{base}/home</link><image><url>{base}/image.png</url></image>\
             <atom:link rel=\"hub\" href=\"{base}/hub\"/><xi:include href=\"{base}/include\"/>\
             <item><title>one &x;</title><link>{base}/article</link><guid>1</guid><comments>{base}/comments</comments>\
             <enclosure url=\"{base}/sound.mp3\" type=\"audio/mpeg\" length=\"1\"/>\
             <description>&lt;img src=\"{base}/pixel.gif\"&gt; text</description></item></channel></rss>"
        )),
    );
    let house = house(&origin, "/f", "");
    let daemon = house.start();
    daemon.until("the item", |d| d.json("/all.json")["items"].as_array().unwrap().len() == 1);
    daemon.get("/all.atom");
    daemon.get("/feeds");
    daemon.get("/");
    std::thread::sleep(Duration::from_millis(300));
    let targets: Vec<_> = origin.all_requests().into_iter().map(|request| (request.method, request.target)).collect();
    assert_eq!(targets, [("GET".to_owned(), "/f".to_owned())]);
}

/// Content-Type, the bytes, and the title that has to come.
fn charsets() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let xml = |declared: &str, title: &[u8]| {
        let declared = if declared.is_empty() { String::new() } else { format!(" encoding=\"{declared}\"") };
        let head =
            format!("<?xml version=\"1.0\"{declared}?><rss version=\"2.0\"><channel><title>T</title><item><title>");
        let tail = b"</title><guid>1</guid></item></channel></rss>";
        [head.as_bytes(), title, tail].concat()
    };
    let utf16 = |text: &[u8]| {
        let units: Vec<u16> = String::from_utf8(text.to_vec()).unwrap().encode_utf16().collect();
        [vec![0xff, 0xfe], units.iter().flat_map(|unit| unit.to_le_bytes()).collect()].concat()
    };
    vec![
        ("text/xml", xml("", "caf\u{e9}".as_bytes()), "caf\u{e9}"),
        ("text/xml", xml("ISO-8859-1", b"caf\xe9"), "caf\u{e9}"),
        ("text/xml; charset=iso-8859-1", xml("", b"caf\xe9 \x80"), "caf\u{e9} \u{20ac}"),
        ("application/rss+xml; charset=\"windows-1251\"", xml("", b"\xcf\xf0\xe8"), "\u{41f}\u{440}\u{438}"),
        ("application/xml; charset=gb2312", xml("", b"\x81\x40"), "\u{4e02}"),
        ("application/xml", xml("Shift_JIS", b"\x93\xfa"), "\u{65e5}"),
        ("application/xml; charset=utf-8", xml("ISO-8859-1", "caf\u{e9}".as_bytes()), "caf\u{e9}"),
        // The field's charset gives bytes that are none, and the declaration does not.
        ("text/xml; charset=utf-8", xml("windows-1252", b"caf\xe9"), "caf\u{e9}"),
        ("application/xml; charset=utf-8", utf16(&xml("", "caf\u{e9}".as_bytes())), "caf\u{e9}"),
        ("application/xml; charset=no-such", xml("", "caf\u{e9}".as_bytes()), "caf\u{e9}"),
        // Bytes that are no UTF-8, whatever is said, are taken for what they look like.
        ("application/xml; charset=utf-8", xml("utf-8", b"caf\xff"), "caf\u{ff}"),
    ]
}

/// What broken XML brings all the same.
fn broken() -> Vec<Vec<u8>> {
    let item = "<item><title>one</title><guid>1</guid></item>";
    let rss = |inside: &str| format!("<rss version=\"2.0\"><channel><title>T</title>{inside}</channel></rss>");
    let texts = [
        format!("\u{feff}\r\n\r\n {}", rss(item)),
        format!("<br />\n<b>Warning</b>: mysql\n{}", rss(item)),
        rss(&format!("<description>Fish & chips &nbsp; &copy; &bogus; AT&T</description>{item}")),
        rss(&format!("<description>\u{1}\u{8}bell\u{7}</description>{item}")),
        rss(&format!("<media:thing><dc:creator>x</dc:creator></media:thing>{item}")),
        format!("<rss version=\"2.0\"><channel><title>T</title>{item}</channel>"),
        rss(&format!("<description><p>open<br></description>{item}")),
        format!(
            "<!DOCTYPE rss [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;\">]>{}",
            rss(&format!("<description>&c;&c;&c;&c;</description>{item}"))
        ),
        rss(&format!("{item}{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000))),
    ];
    texts.into_iter().map(String::into_bytes).collect()
}

#[test]
fn charsets_and_broken_xml_lose_no_feed() {
    let origin = Origin::start();
    let mut config = "per_host = 50\n".to_owned();
    let mut expected = Vec::new();
    let cases = charsets().into_iter().chain(broken().into_iter().map(|bytes| ("text/xml", bytes, "one")));
    for (n, (content_type, bytes, title)) in cases.enumerate() {
        let path = format!("/{n}");
        origin.route(&path, Reply::ok(bytes).header("Content-Type", content_type));
        config.push_str(&feed(&format!("f{n}"), &origin.url(&path), "identity = { dedupe = \"off\" }"));
        expected.push((format!("f{n}"), title.to_owned()));
    }
    let house = Installation::new(&config);
    poll(&house);
    let items = told(&house, "items")["items"].as_array().unwrap().clone();
    let mut found: Vec<(String, String)> = items
        .iter()
        .map(|item| {
            let feed = item["_feedmill"]["source"]["name"].as_str().unwrap();
            (feed.to_owned(), item["title"].as_str().unwrap_or_default().to_owned())
        })
        .collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn slow_and_hostile_feeds_delay_no_other() {
    let origin = Origin::start();
    origin.route("/silent", Reply::hang());
    origin.route("/drip", Reply::ok("<rss>".repeat(10_000)).trickle(1, Duration::from_millis(50)));
    origin.route("/endless", Reply::ok("").until_close().endless(vec![b' '; 4096]));
    origin.route("/flood", Reply::raw("").endless("HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1000)));
    origin.route("/nested", Reply::ok("<a>".repeat(1_000_000)));
    origin.route("/good", Reply::ok(document(&["one"])));
    let names = ["silent", "drip", "endless", "flood", "nested"];
    let feeds: String =
        names.iter().map(|name| feed(name, &origin.url(&format!("/{name}")), "timeout = \"120s\"")).collect();
    let good = feed("good", &origin.url("/good"), "schedule = \"@every 1s\"\nmin_interval = \"1s\"");
    let house = Installation::new(&format!("per_host = 50\n{feeds}{good}"));
    let daemon = house.start();
    // Some of the others are at it for much longer than is waited for here.
    origin.wait_for("/good", 4);
    daemon.until("the item", |d| d.json("/all.json")["items"].as_array().unwrap().len() == 1);
}

#[test]
fn a_feed_that_begins_to_flood_delays_no_other() {
    let origin = Origin::start();
    // As many as are polled on the thread for crowds.
    let good: Vec<String> = (0..20).map(|n| format!("good-{n}")).collect();
    for name in good.iter().map(String::as_str).chain(["turns"]) {
        origin.route(&format!("/{name}"), Reply::ok(document(&["one"])));
    }
    let feeds: String = good.iter().map(|name| feed(name, &origin.url(&format!("/{name}")), "")).collect();
    let turns = feed("turns", &origin.url("/turns"), "timeout = \"30s\"");
    let house = Installation::new(&format!("per_host = 50\n{feeds}{turns}"));
    let daemon = house.start();
    // New feeds are not polled there.
    poll(&house);
    poll(&house);
    origin.route("/turns", Reply::raw("").endless("HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1000)));
    let asked = origin.requests("/turns").len();
    std::thread::scope(|scope| {
        scope.spawn(|| poll(&house));
        origin.wait_for("/turns", asked + 1);
        // More is read at a time the longer it lasts, and soon its connection keeps that thread busy for seconds at a time.
        std::thread::sleep(Duration::from_secs(3));
        let others: Vec<&str> = ["poll"].into_iter().chain(good.iter().map(String::as_str)).collect();
        for _ in 0..4 {
            assert!(house.run(&others).status.success());
        }
        let feeds = told(&house, "feeds")["feeds"].as_array().unwrap().clone();
        let turns = feeds.iter().find(|feed| feed["name"] == "turns").unwrap();
        assert_eq!(turns["errors_in_row"], 0, "the others ended before its flood did");
        drop(daemon);
    });
    assert!(origin.requests("/good-0").len() >= 6);
}
