//! Lists of feeds: a page leads to its feed, OPML goes in and out, the configuration keeps its comments, and
//! whatever goes wrong adds nothing.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use crate::support::daemon::{Installation, free_address, rss, story};
use crate::support::origin::{Origin, Reply};

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn config(house: &Installation) -> String {
    std::fs::read_to_string(house.config()).unwrap()
}

/// A feed with these stories.
fn feed(stories: &[&str]) -> String {
    let rows: Vec<_> = stories.iter().map(|s| story(s, &format!("https://n.example/{s}"), s)).collect();
    rss(&rows)
}

fn atom(stories: &[&str]) -> String {
    let row =
        |s: &&str| format!("<entry><id>urn:{s}</id><title>{s}</title><link href=\"https://n.example/{s}\"/></entry>");
    let rows: String = stories.iter().map(row).collect();
    format!("<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>T</title>{rows}</feed>")
}

fn page(head: &str) -> Reply {
    Reply::ok(format!("<!doctype html><html><head><title>Home</title>{head}</head><body>Hello</body></html>"))
        .header("Content-Type", "text/html")
}

/// What is followed: addresses and tags, from `export`.
fn followed(house: &Installation) -> Vec<String> {
    let list = house.run(&["export"]);
    assert!(list.status.success(), "{}", err(&list));
    out(&list).lines().map(str::trim).filter(|line| line.contains("xmlUrl")).map(str::to_owned).collect()
}

/// The command, with its standard input.
fn fed(house: &Installation, args: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_feedmill"));
    command.env_clear().current_dir(house.dir()).arg("--config").arg(house.config()).args(args);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

/// A configuration in which order, comments and spaces are somebody's own.
const OWN: &str = "# ours\nconcurrency = 8   # enough\n\n# the one\n[[feed]]\nurl   = 'https://own.example/f' # mine\nname = \"own\"\n\
                   # schedule = \"@hourly\"\n\n# what we read\n[[stream]]\nname = \"s\"\nmatch = \"peace\"\n";

#[test]
fn a_running_daemon_takes_up_what_is_added_and_lets_go_of_what_is_removed() {
    let origin = Origin::start();
    origin.route("/f.xml", Reply::ok(feed(&["one", "two"])));
    let house = Installation::new(OWN);
    let before = config(&house);
    let daemon = house.start();
    let added = house.run(&["add", &origin.url("/f.xml"), "--name", "new", "--tag", "press", "--tag", "world news"]);
    assert!(added.status.success(), "{}{}", out(&added), err(&added));
    assert!(out(&added).contains(&format!("added new: {} (“T”, 2 entries)", origin.url("/f.xml"))), "{}", out(&added));
    assert!(out(&added).contains("the daemon has taken it up: 2 feeds"), "{}", out(&added));
    let table =
        format!("[[feed]]\nurl = \"{}\"\nname = \"new\"\ntags = [\"press\", \"world news\"]\n\n", origin.url("/f.xml"));
    assert_eq!(config(&house), before.replace("# what we read", &format!("{table}# what we read")));
    daemon.until("the new feed is polled", |d| d.json("/api/v1/items")["items"].as_array().unwrap().len() == 2);

    let removed = house.run(&["remove", "new"]);
    assert!(removed.status.success(), "{}", err(&removed));
    assert!(out(&removed).contains("stays"), "{}", out(&removed));
    assert_eq!(config(&house), before);
    let feeds = daemon.json("/api/v1/feeds");
    assert_eq!(feeds["feeds"].as_array().unwrap().len(), 1, "{feeds}");
    assert_eq!(daemon.json("/api/v1/items")["items"].as_array().unwrap().len(), 2, "stories stay");

    // What the daemon refuses is said, with the exit status.
    let moved = config(&house).replace("listen = \"127.0.0.1:", "listen = \"127.0.0.2:");
    std::fs::write(house.config(), moved).unwrap();
    let refused = house.run(&["add", &origin.url("/f.xml")]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(err(&refused).contains("did not take it up") && err(&refused).contains("restart"), "{}", err(&refused));
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn what_is_no_feed_is_a_sentence_each_and_changes_nothing() {
    let origin = Origin::start();
    origin.route("/page", page(""));
    origin.route("/names-pages", page("<link rel=alternate type=application/rss+xml href=/page>"));
    origin.route("/names-none", page("<link rel=alternate type=application/rss+xml href=/gone>"));
    origin.route("/gone", Reply::status(404));
    origin.route("/json", Reply::ok("{\"a\": 1}"));
    origin.route("/good", Reply::ok(feed(&["one"])));
    let house = Installation::new(OWN);
    let before = config(&house);
    let dead = format!("http://{}/feed", free_address());
    for (url, sentence) in [
        (origin.url("/page"), "This is a web page, not a feed, and it names no feed."),
        (origin.url("/names-pages"), "what it names is no feed either"),
        (origin.url("/names-none"), "404 Not Found"),
        (origin.url("/gone"), "The server answered 404 Not Found."),
        (origin.url("/json"), "no JSON Feed"),
        (dead.clone(), "No connection to 127.0.0.1"),
        ("http://no-such-host.invalid/feed".to_owned(), "no-such-host.invalid"),
        ("http://10.1.2.3/feed".to_owned(), "10.1.2.3"),
        ("ftp://own.example/f".to_owned(), "neither http nor https"),
        ("http://www.own.example/f/".to_owned(), "It is followed already, as own."),
    ] {
        let refused = house.run(&["add", &url]);
        assert_eq!(refused.status.code(), Some(1), "{url}");
        assert!(err(&refused).contains(sentence), "{url}: {}", err(&refused));
        assert!(err(&refused).contains("Nothing was added."), "{url}: {}", err(&refused));
        assert_eq!(config(&house), before, "{url}");
    }
    // Of several, those that are good are added with one edit, the others are said.
    let mixed = house.run(&["add", &dead, &origin.url("/good"), &origin.url("/good")]);
    assert_eq!(mixed.status.code(), Some(1));
    assert_eq!(out(&mixed).matches("added ").count(), 1, "{}", out(&mixed));
    assert!(out(&mixed).contains("no daemon is running"), "{}", out(&mixed));
    assert!(err(&mixed).contains("No connection") && err(&mixed).contains("followed already"), "{}", err(&mixed));
    assert!(!err(&mixed).contains("Nothing"), "{}", err(&mixed));
    assert_eq!(config(&house).matches("[[feed]]").count(), 2);
}

#[test]
fn a_page_leads_to_its_feed() {
    let origin = Origin::start();
    let rss = "rel='alternate' type='application/rss+xml'";
    origin.route("/blog/", page(&format!("<base href='/deep/'><link {rss} href='feed.xml' title='The blog'>")));
    origin.route("/deep/feed.xml", Reply::redirect(301, "/new.xml"));
    origin.route("/new.xml", Reply::ok(feed(&["one", "two"])));
    let house = Installation::new("");
    let added = house.run(&["add", &origin.url("/blog/")]);
    assert!(added.status.success(), "{}", err(&added));
    assert!(config(&house).contains(&format!("url = \"{}\"", origin.url("/new.xml"))), "{}", config(&house));
    let again = house.run(&["add", &origin.url("/deep/feed.xml")]);
    assert!(err(&again).contains("It is followed already, as 127-0-0-1-new-xml."), "{}", err(&again));

    // A redirect for the time being is none: the address stays.
    origin.route("/now", Reply::redirect(302, "/other.xml"));
    origin.route("/other.xml", Reply::ok(feed(&["three"])));
    assert!(house.run(&["add", &origin.url("/now")]).status.success());
    assert!(config(&house).contains(&format!("url = \"{}\"", origin.url("/now"))), "{}", config(&house));
}

#[test]
fn of_several_feeds_the_choice_is_explained_and_made_by_who_asked() {
    let origin = Origin::start();
    let link = |kind: &str, href: &str, title: &str| {
        format!("<link rel=alternate type='application/{kind}+xml' href='{href}' title='{title}'>")
    };
    origin.route("/rss", Reply::ok(feed(&["one", "two", "three"])));
    origin.route("/atom", Reply::ok(atom(&["one", "two", "three"])));
    origin.route("/comments/feed", Reply::ok(feed(&["c1", "c2"])));
    origin.route("/other", Reply::ok(feed(&["x", "y"])));
    origin.route("/gone", Reply::status(410));
    let comments = link("rss", "/comments/feed", "Comments");
    let (one, two) = (link("rss", "/rss", "News"), link("atom", "/atom", "News, too"));
    origin.route("/clear", page(&format!("{comments}{one}{two}{}", link("rss", "/gone", "Old"))));
    origin.route("/unclear", page(&format!("{comments}{one}{two}{}", link("rss", "/other", "Sports\u{1b}[1m"))));

    let house = Installation::new("");
    let clear = house.run(&["add", "--dry-run", &origin.url("/clear")]);
    assert!(clear.status.success(), "{}", err(&clear));
    let said = out(&clear);
    for part in [
        "1 is taken",
        "1. News (RSS; 3 entries)",
        "2. News, too (Atom; the same stories as 1)",
        "no feed: ",
        "4. Comments (RSS; comments, 2 entries)",
        "would add 127-0-0-1-rss: ",
    ] {
        assert!(said.contains(part), "{part}:\n{said}");
    }
    let before = config(&house);
    assert!(!before.contains("[[feed]]"), "a dry run writes nothing");

    let unclear = house.run(&["add", &origin.url("/unclear")]);
    assert_eq!(unclear.status.code(), Some(1));
    let said = err(&unclear);
    for part in ["--all", "1 would be the first choice: the page names it first", "3. Sports", "Nothing was added."] {
        assert!(said.contains(part), "{part}:\n{said}");
    }
    assert!(!said.contains('\u{1b}'), "{said}");
    assert_eq!(config(&house), before);

    let all = house.run(&["add", "--all", &origin.url("/unclear")]);
    assert!(all.status.success(), "{}", err(&all));
    let text = config(&house);
    assert_eq!(text.matches("[[feed]]").count(), 3, "{text}");
    assert!(!text.contains("/atom"), "{text}");
    let again = house.run(&["add", "--all", &origin.url("/unclear")]);
    assert!(err(&again).contains("followed already"), "{}", err(&again));
    assert_eq!(config(&house), text);
}

#[test]
fn an_address_that_a_feed_was_redirected_to_is_a_duplicate_too() {
    let origin = Origin::start();
    origin.route("/old", Reply::redirect(308, "/moved"));
    origin.route("/moved", Reply::ok(feed(&["one"])));
    let house = Installation::new(&format!("[[feed]]\nname = \"old\"\nurl = \"{}\"\n", origin.url("/old")));
    for _ in 0..3 {
        assert!(house.run(&["poll"]).status.success());
    }
    let known = house.run(&["feeds", "--json"]);
    let feeds: serde_json::Value = serde_json::from_slice(&known.stdout).unwrap();
    assert_eq!(feeds["feeds"][0]["current_url"], origin.url("/moved"), "the store knows where it is");
    let asked = origin.requests("/moved").len();
    let before = config(&house);
    let refused = house.run(&["add", &origin.url("/moved/")]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(err(&refused).contains("It is followed already, as old."), "{}", err(&refused));
    assert_eq!((config(&house), origin.requests("/moved").len()), (before, asked), "nobody was asked");
}

#[test]
fn credentials_stay_with_their_origin_and_are_in_no_export_and_no_output() {
    let origin = Origin::start();
    origin.answer("/secret", |request| match request.text("authorization").as_deref() {
        Some("Basic YW5uOnMzY3JldA==") => Reply::ok(feed(&["one"])),
        _ => Reply::status(401),
    });
    let house = Installation::new("");
    assert!(err(&house.run(&["add", &origin.url("/secret")])).contains("401"));
    let url = origin.url("/secret").replace("http://", "http://ann:s3cret@");
    let added = house.run(&["add", &url]);
    assert!(added.status.success(), "{}", err(&added));
    assert!(config(&house).contains("username = \"ann\"\npassword = \"s3cret\"\n"), "{}", config(&house));
    let polled = house.run(&["poll"]);
    assert!(polled.status.success() && out(&polled).contains("1 new items"), "{}", out(&polled));
    let export = house.run(&["export"]);
    assert!(out(&export).contains("/secret\"") && err(&export).contains("1 of these feeds need"), "{}", err(&export));
    for output in [&added, &export, &house.run(&["add", &url])] {
        assert!(!format!("{}{}", out(output), err(output)).contains("s3cret"));
    }
}

#[test]
fn removing_says_where_a_feed_is_and_what_was_meant() {
    let house = Installation::new(&format!("{OWN}\n[[subscriptions]]\nopml = \"other.opml\"\n"));
    std::fs::write(
        house.dir().join("other.opml"),
        "<opml><outline text='A' xmlUrl='https://listed.example/f'/></opml>",
    )
    .unwrap();
    let before = config(&house);
    for (names, sentence) in [
        (&["own", "owm"][..], "There is no feed `owm`; did you mean `own`?"),
        (&["listed-example-f"], "other.opml, a list of [[subscriptions]]; take it out there."),
        (&["nothing-like-it"], "`feedmill feeds` lists them"),
    ] {
        let args: Vec<&str> = std::iter::once("remove").chain(names.iter().copied()).collect();
        let refused = house.run(&args);
        assert_eq!(refused.status.code(), Some(1));
        assert!(err(&refused).contains(sentence) && err(&refused).contains("Nothing was removed"), "{}", err(&refused));
        assert_eq!(config(&house), before);
    }
    assert!(house.run(&["remove", "own"]).status.success());
    let own =
        "# the one\n[[feed]]\nurl   = 'https://own.example/f' # mine\nname = \"own\"\n# schedule = \"@hourly\"\n\n";
    assert_eq!(config(&house), before.replace(own, ""));
}

#[test]
fn a_feed_of_an_included_file_is_removed_from_there() {
    let house = Installation::new("");
    let text = format!("include = [\"feeds.d/*.toml\"]\n{}", config(&house));
    std::fs::write(house.config(), &text).unwrap();
    std::fs::create_dir(house.dir().join("feeds.d")).unwrap();
    let more = house.dir().join("feeds.d/more.toml");
    std::fs::write(
        &more,
        "# ours\n\n[[feed]]\nurl = \"https://a.example/\"\n\n[[feed]]\nurl = \"https://b.example/\"\n",
    )
    .unwrap();
    let removed = house.run(&["remove", "a-example"]);
    assert!(out(&removed).contains("more.toml"), "{}{}", out(&removed), err(&removed));
    assert_eq!(std::fs::read_to_string(&more).unwrap(), "# ours\n\n[[feed]]\nurl = \"https://b.example/\"\n");
    assert_eq!(config(&house), text);
}

#[test]
fn a_configuration_that_is_wrong_or_read_only_is_left_as_it_is() {
    use std::os::unix::fs::PermissionsExt as _;
    let list = b"<opml><outline text='A' xmlUrl='https://a.example/f'/></opml>";
    let house = Installation::new("concurency = 1\n");
    let before = config(&house);
    for args in [&["add", "https://a.example/"][..], &["remove", "x"], &["import", "-"], &["export"]] {
        assert_eq!(fed(&house, args, list).status.code(), Some(78), "{args:?}");
    }
    assert_eq!(config(&house), before);
    house.configure(OWN);
    std::fs::set_permissions(house.config(), std::fs::Permissions::from_mode(0o444)).unwrap();
    let before = config(&house);
    for args in [&["remove", "own"][..], &["import", "-"]] {
        let refused = fed(&house, args, list);
        assert_eq!(refused.status.code(), Some(1), "{args:?}");
        assert!(err(&refused).contains("read-only"), "{}", err(&refused));
    }
    assert_eq!(config(&house), before);
    for args in [&["add"][..], &["remove"], &["import"], &["add", "a.example", "b.example", "--name", "x"]] {
        assert_eq!(house.run(args).status.code(), Some(2), "{args:?}");
    }
    let taken = house.run(&["add", "https://a.example/", "--name", "own"]);
    assert!(err(&taken).contains("There is a feed named `own` already"), "{}", err(&taken));
}

#[test]
fn a_sloppy_list_is_imported_without_network_and_what_is_known_is_counted() {
    let house = Installation::new(OWN);
    let before = config(&house);
    let list = b"\xef\xbb\xbf<OPML><body><outline TEXT='World News'><outline text=\"A & B\" xmlurl='https://a.example/f?x=1&y=2'/>\
        <outline text='again' xmlUrl='http://www.a.example/f/?x=1&y=2'/></outline>\
        <outline text='mine' xmlUrl='https://own.example/f#top'/><outline type=rss text=nothing />\
        <outline text='odd' xmlUrl='javascript:alert(1)'/><outline title=https://c.example/rss xmlUrl=https://c.example/rss category='/Tech/x'/>";
    let tried = fed(&house, &["import", "-", "--dry-run"], list);
    assert!(out(&tried).contains("2 feeds would be added"), "{}{}", out(&tried), err(&tried));
    assert_eq!(config(&house), before);
    let done = fed(&house, &["import", "-", "--tag", "old-reader"], list);
    assert!(done.status.success(), "{}", err(&done));
    let said = out(&done);
    for part in [
        "2 feeds added",
        "1 followed already",
        "1 more than once in the list",
        "1 with an address that cannot be a feed's",
        "1 without an address",
        "javascript:alert(1): javascript: is neither http nor https",
        "no daemon is running",
    ] {
        assert!(said.contains(part), "{part}:\n{said}");
    }
    let tables = "[[feed]]\nurl = \"https://a.example/f?x=1&y=2\"\ntitle = \"A & B\"\ntags = [\"world-news\", \"old-reader\"]\n\n\
                  [[feed]]\nurl = \"https://c.example/rss\"\ntags = [\"tech\", \"x\", \"old-reader\"]\n\n";
    assert_eq!(config(&house), before.replace("# what we read", &format!("{tables}# what we read")));
    let after = config(&house);
    let again = fed(&house, &["import", "-"], list);
    assert!(again.status.success() && out(&again).contains("nothing to add"), "{}", out(&again));
    for bad in [&b"<html></html>"[..], b"", b"<opml><outline xmlUrl='https://z.example/'", &[0xff, 0xd8, 0xff, 0xe0]] {
        let refused = fed(&house, &["import", "-"], bad);
        assert_eq!(refused.status.code(), Some(1));
        assert!(err(&refused).contains("standard input cannot be imported"), "{}", err(&refused));
    }
    assert_eq!(house.run(&["import", "no-such-file.opml"]).status.code(), Some(1));
    assert_eq!(config(&house), after);
}

#[test]
fn ten_thousand_outlines_are_imported_at_once_and_come_out_again() {
    let house = Installation::new("");
    let mut list = String::from("<opml version='2.0'><head/><body>");
    for n in 0..10_000 {
        if n % 100 == 0 {
            list.push_str(&format!("<outline text='Folder {}'>", n / 100));
        }
        list.push_str(&format!("<outline text='Feed {n}' xmlUrl='https://h{n}.example/feed'/>"));
        if n % 100 == 99 {
            list.push_str("</outline>");
        }
    }
    list.push_str("</body></opml>");
    std::fs::write(house.dir().join("all.opml"), list).unwrap();
    let done = house.run(&["import", house.dir().join("all.opml").to_str().unwrap()]);
    assert!(done.status.success(), "{}", err(&done));
    assert!(out(&done).contains("10000 feeds added"), "{}", out(&done));
    assert!(err(&done).is_empty(), "no bar in a pipe: {}", err(&done));
    assert_eq!(config(&house).matches("[[feed]]").count(), 10_000);
    assert_eq!(followed(&house).len(), 10_000);
    let one = house.run(&["export", "--tag", "folder-7"]);
    assert_eq!(out(&one).matches("xmlUrl").count(), 100);
    assert_eq!(house.run(&["export", "--tag", "folder-700"]).status.code(), Some(1));
    let again = house.run(&["import", house.dir().join("all.opml").to_str().unwrap()]);
    assert!(out(&again).contains("nothing to add, 10000 followed already"), "{}", out(&again));
}

#[test]
fn what_was_exported_imports_again_to_the_same_list() {
    let origin = Origin::start();
    origin.route("/own-title", Reply::ok(feed(&["one"])));
    let house = Installation::new(&format!(
        "[[feed]]\nurl = \"{}\"\n[[feed]]\nurl = \"https://a.example/?b=1&c=2\"\ntitle = \"A <b> & \\\"c\\\"\"\ntags = [\"press\", \"x\"]\n\
         [[feed]]\nurl = \"https://c.example/é\"\nname = \"c\"\ntags = [\"x\", \"日本\"]\nenabled = false\n",
        origin.url("/own-title")
    ));
    house.run(&["poll"]);
    let first = house.run(&["export"]);
    let text = out(&first);
    for part in [
        "<opml version=\"2.0\">",
        "<title>My news</title>",
        "<dateCreated>",
        "title=\"T\"",
        "htmlUrl=\"https://home.example/\"",
    ] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
    let other = Installation::new("");
    let done = fed(&other, &["import", "-"], &first.stdout);
    assert!(out(&done).contains("3 feeds added"), "{}{}", out(&done), err(&done));
    // What the feed says of its home comes with its first poll there.
    let bare = |house: &Installation| -> Vec<String> {
        followed(house).into_iter().map(|row| row.replace(" htmlUrl=\"https://home.example/\"", "")).collect()
    };
    assert_eq!(bare(&other), bare(&house));
}
