//! What may be typed, what it means, and what is said about the rest.

use std::path::Path;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use tempfile::TempDir;

use super::keys::{KEYS, Status, Table};
use super::settings::{Auth, Keep};
use super::{Environment, Mistakes, SHIPPED, Settings, database_of, include, load, locate};

const SECRET: &str = "whsec_dGhpcnR5LXR3byBieXRlcyBmb3IgYSB0ZXN0IGtleQ==";

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> std::path::PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    fn load(&self, text: &str) -> Result<Settings, Mistakes> {
        self.load_with(text, &[])
    }

    fn load_with(&self, text: &str, variables: &[(&str, &str)]) -> Result<Settings, Mistakes> {
        load(&self.write("feedmill.toml", text), &environment(variables))
    }
}

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment { variables: variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect() }
}

fn refused(text: &str) -> String {
    Folder::new().load(text).unwrap_err().to_string()
}

#[test]
fn the_shipped_configuration_is_good_and_its_values_are_the_defaults() {
    let folder = Folder::new();
    let shipped = folder.load(SHIPPED).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let empty = folder.load("").unwrap();
    assert!(shipped.feeds.len() >= 4 && shipped.streams.len() == 2 && shipped.warnings.is_empty());
    assert_eq!(format!("{:?}", shipped.poll), format!("{:?}", empty.poll));
    assert_eq!(format!("{:?}", shipped.server), format!("{:?}", empty.server));
    assert_eq!(format!("{:?}", shipped.log), format!("{:?}", empty.log));
    let feed = &folder.load("[[feed]]\nurl = \"https://a.example/\"").unwrap().feeds[0];
    let first = &shipped.feeds[0];
    assert_eq!(
        (feed.terms.schedule.source(), feed.terms.spread, feed.terms.min_interval),
        (first.terms.schedule.source(), true, first.terms.min_interval)
    );
}

#[test]
fn every_key_of_the_closed_table_stands_in_the_shipped_file() {
    for (table, _) in KEYS {
        for key in table.keys() {
            assert!(SHIPPED.contains(key.name), "{} {}", table.written(), key.name);
        }
    }
}

#[test]
fn a_key_of_a_later_version_is_refused_by_name_and_never_ignored() {
    for (table, _) in KEYS {
        for key in table.keys().filter(|key| key.status != Status::Now) {
            let head = match table {
                Table::Top => String::new(),
                Table::FeedIdentity => "[[feed]]\nurl = \"https://a.example/\"\n[feed.identity]".to_owned(),
                table => table.written().to_owned(),
            };
            let said = refused(&format!("{head}\n{} = \"x\"\n", key.name));
            let named = said.contains(&format!("`{}`", key.name)) && said.contains("later version");
            assert!(named, "{}: {said}", table.written());
        }
    }
}

#[test]
fn a_mistake_is_shown_at_its_place_with_what_would_be_right() {
    let said =
        refused("[poll]\nshedule = \"@hourly\"\n\n[[feed]]\nurl = \"https://a.example/\"\nschedule = \"0 25 * * *\"\n");
    insta::assert_snapshot!(said.replace(&said[said.find("/").unwrap()..=said.find("/feedmill").unwrap()], "").lines().filter(|l| !l.contains("-->")).collect::<Vec<_>>().join("\n"), @r#"
    error: [poll] has no key `shedule`.
      |
    2 | shedule = "@hourly"
      | ^^^^^^^
      = hint: did you mean `schedule`?

    error: The schedule is wrong: 25 is no hour.
      |
    6 | schedule = "0 25 * * *"
      |               ^^
      = hint: 0 to 23

    2 mistakes in the configuration
    "#);
    assert!(said.contains("feedmill.toml:2:1") && said.contains("feedmill.toml:6:15"), "{said}");
}

#[test]
fn how_long_stories_are_kept_is_said_for_all_and_for_each_feed() {
    let folder = Folder::new();
    folder.write("list.opml", "<opml><body><outline xmlUrl=\"https://c.example/\"/></body></opml>");
    let days = |n: u32| Keep::For(Duration::from_secs(86_400) * n);
    let read = |storage: &str| {
        let text = format!(
            "[storage]\n{storage}\n[[feed]]\nurl = \"https://a.example/\"\n[[feed]]\nurl = \"https://b.example/\"\n\
             keep = \"30d\"\n[[subscriptions]]\nopml = \"list.opml\"\nkeep = \"forever\"\n"
        );
        let settings = folder.load(&text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        (settings.storage.clone(), settings.feeds.iter().map(|feed| feed.terms.keep).collect::<Vec<_>>())
    };
    let (storage, feeds) = read("keep = \"90d\"\nmax_size = \"2GB\"");
    assert_eq!((storage.keep, storage.max_bytes), (days(90), Some(2_000_000_000)));
    assert_eq!(feeds, [days(90), days(30), Keep::Forever]);
    let (storage, feeds) = read("");
    assert_eq!((storage.keep, storage.max_bytes), (Keep::Forever, None));
    assert_eq!(feeds, [Keep::Forever, days(30), Keep::Forever]);
}

#[test]
fn wrong_values_get_a_sentence_each() {
    let table = [
        ("[poll]\nschedule = 5", "a text in quotes, not a number"),
        ("[poll]\nspread = \"yes\"", "true or false"),
        ("[poll]\ntimeout = \"0s\"", "from 1s to 5m"),
        ("[poll]\nmax_body = \"lots\"", "no size"),
        ("[storage]\nkeep = \"5m\"", "from 1h to"),
        ("[storage]\nkeep = \"always\"", "forever"),
        ("[storage]\nmax_size = \"2kB\"", "from 1MB to"),
        ("[poll]\nallow_networks = [\"192.168.1.7/24\"]", "192.168.1.0/24"),
        ("[poll]\nschedule = \"automatic\"", "The schedule is wrong"),
        ("[poll]\ncontact = \"me (at home)\"", "brackets"),
        ("[identity]\nresolve = [\"t.co\", \"https://bit.ly/\"]", "`https://bit.ly/` is no host name"),
        ("[identity]\nresolve = [\"com\"]", "`com` is no host name"),
        ("[identity]\nresolve = [\"bit.ly:443\"]", "`bit.ly:443` is no host name"),
        ("[identity]\nresolve = [5]", "a text in quotes"),
        ("[server]\npublic_url = \"https://a.example/?x=1\"", "no more"),
        ("[[stream]]\nname = \"a\"\nmatch = 'x'\ntoken = \"short\"", "shorter than 16"),
        ("[[stream]]\nname = \"all\"\ntoken = \"long enough for a token\"", "cannot have a `token`"),
        ("[[stream]]\nname = \"a\"\nmatch = 'x'\nitem_title = \"{feed}\"", "has a `{title}`"),
        ("[[stream]]\nname = \"a\"\nmatch = 'x'\nitem_title = \"{titel} {title}\"", "no other brackets"),
        ("[[stream]]\nname = \"a\"\nmatch = 'x'\nids = \"mine\"", "ids"),
        ("[[stream]]\nname = \"a\"\nmatch = 'x'\nmax_per_feed = 0", "max_per_feed"),
        ("[server]\nadmin_token = \"short\"", "shorter than 16"),
        ("poll = 5", "has to be a table"),
        ("feed = 5", "double brackets"),
        ("[feed]\nurl = \"x\"", "double brackets"),
        ("[[feed]]\nname = \"a\"", "has no `url`"),
        ("[[feed]]\nurl = \"file:///etc/passwd\"", "neither http nor https"),
        (
            "[[feed]]\nurl = \"https://a.example/\"\n[[feed]]\nurl = \"https://a.example/\"",
            "another feed with this URL",
        ),
        ("[[feed]]\nurl = \"https://a.example/\"\npassword = \"x\"", "without a `username`"),
        ("[[feed]]\nurl = \"https://u:p@a.example/\"\nbearer = \"x\"", "in its URL and beside it"),
        ("[[feed]]\nurl = \"https://a.example/\"\nheaders = { Host = \"x\" }", "cannot be set"),
        ("[[feed]]\nurl = \"https://a.example/\"\nheaders = { \"Remote-User\" = \"x\" }", "cannot be set"),
        ("[[feed]]\nurl = \"https://a.example/\"\nheaders = { X-A = \"a\\r\\nb: c\" }", "no header can have"),
        ("[[stream]]\nname = \"status\"\nmatch = \"x\"", "address of Feedmill's own"),
        ("[[stream]]\nname = \"all\"\nmatch = \"x\"", "holds everything"),
        ("[[stream]]\nname = \"x\"", "has no `match`"),
        (
            "[[stream]]\nname = \"x\"\nmatch = \"y\"\n[[stream]]\nname = \"x\"\nmatch = \"z\"",
            "another stream named `x`",
        ),
        ("[[stream]]\nname = \"x\"\nmatch = \"y\"\nnotify = [\"nobody\"]", "no webhook named `nobody`"),
        ("[[webhook]]\nname = \"x\"\nurl = \"https://a.example/\"", "has no `secret`"),
        ("[[webhook]]\nname = \"x\"\nurl = \"https://a.example/\"\nsecret = \"plain\"", "whsec_ and base64"),
        ("[[webhook]]\nname = \"x\"\nurl = \"https://a.example/\"\nsecret = \"whsec_c2hvcnQ=\"", "this one has 5"),
        ("[[webhook]]\nname = \"x\"\nurl = \"https://a.example/\"\nsecret = { env = \"NONE\" }", "NONE is not set"),
        (
            "[[webhook]]\nname = \"x\"\nurl = \"https://a.example/\"\nsecret = { nev = \"X\" }",
            "one of env, file and credential",
        ),
        ("[[webhook]]\nname = \"x\"\nformat = \"salck\"", "did you mean \"slack\"?"),
        ("[[webhook]]\nname = \"x\"\nformat = \"template\"", "needs a `template`"),
        ("[[webhook]]\nname = \"x\"\ntemplate = \"x.j2\"", "with its format only"),
        ("[[webhook]]\nname = \"x\"\nformat = \"template\"\ntemplate = \"none.j2\"", "none.j2"),
        ("[[webhook]]\nname = \"x\"\nurl = \"https://ntfy.sh/\"\nformat = \"ntfy\"", "ends in a topic"),
        ("[[webhook]]\nname = \"x\"\nordering = \"lax\"", "`ordering` cannot be \"lax\""),
        ("[[webhook]]\nname = \"x\"\nmax_rate = \"10\"", "a slash and one of s, m, h, d"),
        ("[[webhook]]\nname = \"x\"\nproxy = \"ftp://x\"", "`proxy` cannot be used"),
        ("[webhooks]\npause_after = \"0s\"", "`pause_after` has to be from"),
        ("[log]\nformat = \"txt\"", "did you mean \"text\""),
        ("a = ", "This is no TOML"),
        ("[poll]\nschedule = \"@hourly\"\nschedule = \"@daily\"", "This is no TOML"),
    ];
    for (text, word) in table {
        let said = refused(text);
        assert!(said.contains(word), "{text}\n{said}");
    }
}

#[test]
fn a_secret_is_never_shown_in_a_mistake() {
    for text in [
        "[[webhook]]\nname = \"x\"\nurl = \"https://a.example/\"\nsecret = \"hunter2hunter2\"",
        "[[feed]]\nurl = \"https://a.example/\"\nbearer = [\"hunter2hunter2\"]",
        "[server]\nadmin_token = \"hunter2\"",
    ] {
        let said = refused(text);
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn secrets_come_from_the_environment_a_private_file_or_a_credential() {
    let folder = Folder::new();
    let text = |from: &str| format!("[[feed]]\nurl = \"https://a.example/\"\nbearer = {{ {from} }}");
    let token = |settings: Settings| match &settings.feeds[0].access.auth {
        Some(Auth::Bearer(token)) => token.expose_secret().to_owned(),
        other => panic!("{other:?}"),
    };
    assert_eq!(token(folder.load_with(&text("env = \"T\""), &[("T", "from-env")]).unwrap()), "from-env");
    let file = folder.write("token", "from-file\n");
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let said = folder.load(&text("file = \"token\"")).unwrap_err().to_string();
    assert!(said.contains("everyone on this machine may read it") && said.contains("token"), "{said}");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(token(folder.load(&text("file = \"token\"")).unwrap()), "from-file");
    folder.write("creds/c", "from-credential");
    let creds = folder.0.path().join("creds");
    let variables = [("CREDENTIALS_DIRECTORY", creds.to_str().unwrap())];
    assert_eq!(token(folder.load_with(&text("credential = \"c\""), &variables).unwrap()), "from-credential");
    for from in ["credential = \"../token\"", "credential = \"none\"", "file = \"nowhere\""] {
        assert!(folder.load_with(&text(from), &variables).is_err(), "{from}");
    }
}

#[test]
fn the_empty_configuration_asks_nobody_and_is_the_shipped_one_else() {
    let folder = Folder::new();
    let (empty, shipped) = (folder.load(&super::empty()).unwrap(), folder.load(SHIPPED).unwrap());
    assert_eq!((empty.feeds.len(), empty.streams.len(), empty.warnings.len()), (0, 1, 0));
    assert_eq!(super::empty().lines().count(), SHIPPED.lines().count());
    assert_eq!(format!("{:?}", empty.poll), format!("{:?}", shipped.poll));
    assert_eq!(include::home(&empty).file_name().unwrap(), "added.toml");
    assert!(super::empty().contains("# url  = \"https://lwn.net/headlines/rss\""));
}

#[test]
fn included_files_add_tables_and_are_named_in_mistakes() {
    let folder = Folder::new();
    folder.write("feeds.d/b.toml", "[[feed]]\nurl = \"https://b.example/\"\n");
    folder.write("feeds.d/a.toml", "[[feed]]\nurl = \"https://a.example/\"\n");
    folder.write("feeds.d/notes.txt", "not toml");
    let settings = folder.load("include = [\"feeds.d/*.toml\"]\n[[feed]]\nurl = \"https://c.example/\"").unwrap();
    let urls: Vec<_> = settings.feeds.iter().map(|feed| feed.url.as_str()).collect();
    assert_eq!(urls, ["https://c.example/", "https://a.example/", "https://b.example/"]);
    folder.write("feeds.d/c.toml", "[server]\ntitle = \"x\"\n[[feed]]\nurl = \"nope\"\n");
    let said = folder.load("include = [\"feeds.d/*.toml\",\n  \"gone.toml\", \"feeds.d\"]").unwrap_err().to_string();
    for word in [
        "c.toml:1:2",
        "cannot have `server`",
        "c.toml:4:7",
        "4 | url = \"nope\"\n  |       ^^^^^^",
        "feedmill.toml:2:3",
        "gone.toml cannot be read: it does not exist.",
        "feedmill.toml:2:16",
        "feeds.d/*.toml\" means the files in it",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[test]
fn a_file_that_several_patterns_name_is_read_once_and_the_main_one_includes_itself_never() {
    let folder = Folder::new();
    folder.write("a.toml", "[[feed]]\nurl = \"https://a.example/\"\n");
    std::os::unix::fs::symlink("a.toml", folder.0.path().join("z.toml")).unwrap();
    folder.write(".a.toml.swp", "no TOML");
    let settings = folder.load("include = [\"a.toml\", \"*.toml\", \"none.d/*.toml\"]").unwrap();
    assert_eq!(settings.feeds.len(), 1);
    assert_eq!(settings.included.files, [folder.0.path().join("a.toml")]);
}

#[test]
fn a_new_feed_is_at_home_where_the_feeds_are() {
    let folder = Folder::new();
    let feed = |host: &str| format!("[[feed]]\nurl = \"https://{host}.example/\"\n");
    folder.write("more.toml", &feed("more"));
    let home = |text: &str| {
        let home = include::home(&folder.load(text).unwrap());
        home.strip_prefix(folder.0.path()).unwrap().to_str().unwrap().to_owned()
    };
    let include = "include = [\"more.toml\", \"feeds.d/*.toml\"]\n";
    assert_eq!(home(""), "feedmill.toml");
    assert_eq!(home("include = [\"more.toml\"]"), "more.toml");
    assert_eq!(home(include), "feeds.d/added.toml");
    assert_eq!(home(&(include.to_owned() + &feed("main"))), "feedmill.toml");
    let settings = folder.load(include).unwrap();
    let named = |file: &str| include::named(&settings, &folder.0.path().join(file)).is_ok();
    folder.write("feeds.d/.keep", "");
    assert!(named("more.toml") && named("feedmill.toml") && named("feeds.d/new.toml"));
    assert!(!named("other.toml") && !named("feeds.d/new.txt") && !named("feeds.d/.x.toml"));
}

#[test]
fn subscriptions_of_another_reader_are_followed_and_what_is_written_out_wins() {
    let folder = Folder::new();
    folder.write(
        "s.opml",
        "<opml><body><outline text=\"Press\"><outline title=\"A\" xmlUrl=\"https://a.example/rss\"/>\
         <outline title=\"B\" xmlUrl=\"https://b.example/rss\"/></outline></body></opml>",
    );
    let text = "[[subscriptions]]\nopml = \"s.opml\"\ntags = [\"imported\"]\nschedule = \"@daily\"\n\
                [[feed]]\nurl = \"https://b.example/rss\"\nname = \"own\"\n";
    let settings = folder.load(text).unwrap();
    let feeds: Vec<_> = settings.feeds.iter().map(|feed| (feed.name.as_str(), feed.tags.join(" "))).collect();
    assert_eq!(feeds, [("own", String::new()), ("a-example-rss", "imported press".to_owned())]);
    assert_eq!((settings.feeds[1].title.as_deref(), settings.feeds[1].terms.schedule.source()), (Some("A"), "@daily"));
    folder.write("s.opml", "<html>");
    assert!(folder.load(text).unwrap_err().to_string().contains("s.opml cannot be read"));
}

#[test]
fn derived_names_do_not_depend_on_the_order_and_both_of_a_clash_change() {
    let folder = Folder::new();
    let feed = |url: &str| format!("[[feed]]\nurl = \"{url}\"\n");
    let (a, b) = (feed("https://www.n.example/rss?x=1"), feed("http://n.example/rss"));
    let names = |text: String| {
        let mut names: Vec<_> = folder.load(&text).unwrap().feeds.iter().map(|feed| feed.name.to_string()).collect();
        names.sort();
        names
    };
    let both = names(format!("{a}{b}"));
    assert_eq!(both, names(format!("{b}{a}")));
    assert!(both.iter().all(|name| name.starts_with("n-example-rss-") && name.len() == 20), "{both:?}");
    assert_eq!(names(a), ["n-example-rss"]);
}

#[test]
fn twenty_thousand_feeds_on_one_path_all_have_a_name_of_their_own() {
    let mut text = String::from("[[feed]]\nurl = \"https://other.example/\"\nname = \"n-example\"\n");
    for n in 0..20_000 {
        text.push_str(&format!("[[feed]]\nurl = \"https://n.example/?feed={n}\"\n"));
    }
    let settings = Folder::new().load(&text).unwrap();
    let names: std::collections::HashSet<_> = settings.feeds.iter().map(|feed| feed.name.clone()).collect();
    assert_eq!(names.len(), settings.feeds.len());
}

#[test]
fn a_feeds_own_schedule_is_exact_unless_it_says_otherwise() {
    let folder = Folder::new();
    let own = "[[feed]]\nurl = \"https://a.example/\"\nschedule = \"0 7 * * *\"\n";
    assert!(!folder.load(own).unwrap().feeds[0].terms.spread);
    assert!(folder.load(&format!("{own}spread = true")).unwrap().feeds[0].terms.spread);
    assert!(
        folder.load("[poll]\nschedule = \"0 7 * * *\"\n[[feed]]\nurl = \"https://a.example/\"").unwrap().feeds[0]
            .terms
            .spread
    );
}

#[test]
fn credentials_in_an_address_are_taken_out_of_it() {
    let settings = Folder::new().load("[[feed]]\nurl = \"https://me:p%40ss@a.example/rss\"").unwrap();
    let feed = &settings.feeds[0];
    assert_eq!(feed.url.as_str(), "https://a.example/rss");
    match &feed.access.auth {
        Some(Auth::Basic { username, password }) => {
            assert_eq!((username.as_str(), password.expose_secret()), ("me", "p@ss"));
        }
        other => panic!("{other:?}"),
    }
    assert!(!format!("{settings:?}").contains("p@ss"));
}

#[test]
fn webhooks_inherit_what_they_do_not_say() {
    let text = format!(
        "[webhooks]\nretry = [\"1s\"]\ntimeout = \"7s\"\n[[webhook]]\nname = \"a\"\nurl = \"https://a.example/\"\n\
         secret = \"{SECRET}\"\n[[webhook]]\nname = \"b\"\nurl = \"https://b.example/\"\nsecret = [\"{SECRET}\", \"{SECRET}\"]\n\
         retry = []\nevents = [\"updated\"]\n"
    );
    let settings = Folder::new().load(&text).unwrap();
    let (a, b) = (&settings.webhooks[0], &settings.webhooks[1]);
    assert_eq!(
        (a.retry.as_slice(), a.timeout, a.on_new, a.on_updated),
        (&[Duration::from_secs(1)][..], Duration::from_secs(7), true, false)
    );
    assert_eq!(
        (b.retry.len(), b.timeout, b.on_new, b.on_updated, b.secrets.len()),
        (0, Duration::from_secs(7), false, true, 2)
    );
}

#[test]
fn bytes_that_are_no_configuration_are_refused_in_bounded_time() {
    let folder = Folder::new();
    let path = folder.write("feedmill.toml", "");
    std::fs::write(&path, [0xff, 0xfe, 0x00]).unwrap();
    assert!(load(&path, &Environment::default()).is_err());
    std::fs::write(&path, "x = 1\n".repeat(100_000)).unwrap();
    assert!(load(&path, &Environment::default()).is_err());
    assert!(load(folder.0.path(), &Environment::default()).unwrap_err().to_string().contains("a folder"));
    assert!(load(Path::new("/dev/zero"), &Environment::default()).is_err());
    std::fs::write(&path, "\u{feff}[server]\r\ntitle = \"With BOM and CRLF\"\r\n").unwrap();
    assert_eq!(load(&path, &Environment::default()).unwrap().server.title, "With BOM and CRLF");
}

#[test]
fn the_database_is_found_even_if_the_rest_is_wrong() {
    let folder = Folder::new();
    let path = folder.write("feedmill.toml", "[storage]\ndatabase = \"x.db\"\n[poll]\nnonsense = 1\n");
    assert_eq!(database_of(&path, &Environment::default()), Some(folder.0.path().join("x.db")));
    let state = environment(&[("STATE_DIRECTORY", "/var/lib/feedmill")]);
    assert_eq!(database_of(&path, &state).unwrap(), Path::new("/var/lib/feedmill/x.db"));
    assert_eq!(
        super::server::database(Path::new("/etc/feedmill/feedmill.toml"), "feedmill.db", &Environment::default()),
        Path::new("/var/lib/feedmill/feedmill.db")
    );
}

#[test]
fn a_configuration_that_is_named_is_taken_and_the_environment_comes_next() {
    let env = environment(&[("FEEDMILL_CONFIG", "/somewhere/f.toml")]);
    assert_eq!(locate(Some(Path::new("named.toml")), &env).unwrap(), Path::new("named.toml"));
    assert_eq!(locate(None, &env).unwrap(), Path::new("/somewhere/f.toml"));
}

#[test]
fn hosts_of_short_links_are_as_urls_have_them() {
    let settings = Folder::new()
        .load("[identity]\nresolve = [\"T.co.\", \"b\u{fc}cher.example\", \"t.co\", \"127.0.0.1\"]\n")
        .unwrap();
    assert_eq!(settings.resolve, ["127.0.0.1", "t.co", "xn--bcher-kva.example"]);
    assert!(Folder::new().load("").unwrap().resolve.is_empty());
}

#[test]
fn identity_takes_files_of_rules_and_switches() {
    let folder = Folder::new();
    folder.write("extra.toml", "[hosts]\n\"e.example\" = \"x\"\n");
    folder.write("clear.json", r#"{"providers": {"globalRules": {"urlPattern": ".*", "rules": ["acme_id"]}}}"#);
    let settings = folder
        .load(
            r#"
            [identity]
            rules = ["extra.toml", "clear.json"]
            off = "trailing-slash@f.example"
            [[feed]]
            url = "https://a.example/"
            [feed.identity]
            keep = ["ref"]
            drop = "sort_*"
            [[feed]]
            url = "https://b.example/"
            "#,
        )
        .unwrap();
    let key = |url: &str| settings.rules.key(url).unwrap();
    assert_eq!(key("https://e.example/p/?x=1&acme_id=2"), "https://e.example/p");
    assert_eq!(key("https://f.example/p/?x=1&acme_id=2"), "https://f.example/p/?x=1");
    let feed = &settings.feeds[0];
    assert_eq!(
        (&feed.terms.keep_parameters, &feed.terms.drop_parameters),
        (&vec!["ref".to_owned()], &vec!["sort_*".to_owned()])
    );
    assert!(settings.feeds[1].terms.keep_parameters.is_empty());
}

#[test]
fn a_broken_file_of_rules_is_a_mistake_with_its_place() {
    let folder = Folder::new();
    folder.write("extra.toml", "tracking = [\n1]\n");
    let said =
        folder.load("[identity]\nrules = \"extra.toml\"\noff = [\"wwww\", \"percent\"]\n").unwrap_err().to_string();
    for part in [
        "extra.toml, line 2: This has to be a text of words",
        "no rule `wwww`",
        "`percent` is always on",
        ":2:9",
        ":3:8",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let said = folder.load("[identity]\nrules = \"none.toml\"\n").unwrap_err().to_string();
    assert!(said.contains("none.toml"), "{said}");
    let said = folder
        .load("[[feed]]\nurl = \"https://a.example/\"\nidentity = { keep = [\"a=b\"] }\n")
        .unwrap_err()
        .to_string();
    assert!(said.contains("`a=b` is no name of a parameter"), "{said}");
}

/// A configuration as it is read in pieces of so many feeds.
fn in_pieces(path: &std::path::Path, most: usize) -> Result<Settings, Mistakes> {
    super::file::load_in_pieces(path, &environment(&[]), &super::file::Instead::new(), most)
}

#[test]
fn a_file_that_is_read_in_pieces_means_what_it_means_whole() {
    let feeds = "[[feed]]\nurl = \"https://a.example/\"\n[feed.identity]\nkeep = [\"x\"]\n[[feed]]\nname = \"b\"\nurl = \"https://b.example/\"\ntags = [\n\"t\",\n]\n";
    let third = "[[feed]]\nurl = \"https://c.example/\"\nuser_agent = \"me\"";
    let cases = [
        format!("{feeds}{third}"),
        format!("{feeds}[poll]\nschedule = \"@daily\"\n\n{third}\n[[stream]]\nname = \"s\"\nquery = \"feed:b\"\n"),
        format!("  {feeds}\t{third}\n# [[feed]]\n"),
        // What only looks like a header.
        format!("{feeds}{third}\ntitle = \'\'\'\n[[feed]]\nurl = 1\n\'\'\'\n"),
        format!("{feeds}{third}\ntags = [\n\"[[feed]]\",\n\"a\", # [poll]\n]\n"),
        // Feeds in other words.
        format!("{feeds}[[ feed ]]\nurl = \"https://d.example/\"\n{third}\n[[\"feed\"]]\nurl = \"https://e.example/\""),
        format!("{feeds}[poll]\n[feed.identity]\nkeep = [\"y\"]\n"),
        "include = [\"more.toml\"]\n[[feed]]\nurl = \"https://a.example/\"\n".to_owned(),
        // Mistakes.
        format!("{feeds}{third}\nurl = \"https://again.example/\""),
        format!("{feeds}{third}\n[[feed]]\nname = \"b\"\nurl = \"https://a.example/\"\nwrong = 1"),
        format!("{feeds}[poll]\n[[feed]]\n[poll]\n"),
        format!("{feeds}[feed]\nx = 1"),
        format!("feed = []\n{feeds}"),
        format!("{feeds}{third}\ntags = [\n[[feed]]\n]\n"),
    ];
    let folder = Folder::new();
    folder.write("more.toml", &format!("{third}\n{}", feeds.replace(".example", ".more")));
    for text in cases {
        let path = folder.write("feedmill.toml", &text);
        let said = |most| match in_pieces(&path, most) {
            Ok(settings) => format!("{settings:#?}"),
            Err(mistakes) => mistakes.to_string(),
        };
        let whole = said(usize::MAX);
        for most in [1, 2] {
            assert_eq!(said(most), whole, "{text}");
        }
    }
}

#[test]
fn what_feeds_have_in_common_they_share_and_one_that_sleeps_is_small() {
    use super::settings::FeedSettings;
    assert!(size_of::<FeedSettings>() <= 80, "{}", size_of::<FeedSettings>());
    assert!(size_of::<crate::poll::FeedPlan>() <= 64, "{}", size_of::<crate::poll::FeedPlan>());
    let text = "[poll]\nproxy = \"http://p.example:3128\"\n\
        [[feed]]\nurl = \"https://a.example/\"\n\
        [[feed]]\nurl = \"https://b.example/\"\ntimeout = \"9s\"\ntags = [\"t\"]\n\
        [[feed]]\nurl = \"https://c.example/\"\ntimeout = \"9s\"\ntags = [\"t\"]\ntitle = \"C\"\n\
        [[feed]]\nurl = \"https://d.example/\"\nbearer = \"token\"";
    let feeds = Folder::new().load(text).unwrap().feeds;
    let [a, b, c, d] = &feeds[..] else { panic!("{feeds:?}") };
    let same = std::sync::Arc::<super::settings::Terms>::ptr_eq;
    assert!(same(&b.terms, &c.terms) && same(&a.terms, &d.terms) && !same(&a.terms, &b.terms));
    assert!(std::sync::Arc::ptr_eq(&b.tags, &c.tags) && std::sync::Arc::ptr_eq(&a.tags, &d.tags));
    assert!(std::sync::Arc::ptr_eq(&a.access, &c.access) && !std::sync::Arc::ptr_eq(&a.access, &d.access));
    assert!(d.access.reach.proxy.is_some(), "what it does not say itself it has from [poll]");
}
