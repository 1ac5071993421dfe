//! Proxies: used where they are configured, nowhere else, and their credentials are in no output.

use std::sync::Arc;

use base64::Engine as _;
use feedmill::domain::feed::ErrorKind;
use feedmill::domain::reach::{Authorities, Proxy as Configured, Reach};
use feedmill::fetch::client::{Ask, Fetcher};
use feedmill::fetch::guard::Guard;

use crate::fetch::{FEED, ask, body, failed, now};
use crate::support::daemon::{Installation, rss, story};
use crate::support::origin::{Origin, Reply};
use crate::support::proxy::{Proxy, Tunnel};
use crate::support::tls::Authority;

/// Behind the strictest guard: a proxy that was configured may be anywhere.
fn fetcher() -> Fetcher {
    Fetcher::new(&Guard::default(), None, 4 << 20).unwrap()
}

fn through(proxy: &str, url: &str) -> Ask {
    let reach = Reach { proxy: Some(Configured::parse(proxy).unwrap()), ..Reach::default() };
    Ask { reach: Arc::new(reach), ..ask(url) }
}

fn basic(pair: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
}

#[tokio::test]
async fn an_http_proxy_is_asked_with_the_whole_url_and_looks_the_name_up() {
    // An origin that answers whole URLs is such a proxy.
    let proxy = Origin::start();
    proxy.route("http://feed.invalid/feed", Reply::redirect(302, "http://other.invalid/near"));
    proxy.route("http://other.invalid/near", Reply::ok(FEED).header("ETag", "\"1\""));
    let place = proxy.address();
    let mut ask = through(&format!("http://ann:p%40s%3As@{place}"), "http://feed.invalid/feed");
    ask.private_headers = vec![("authorization".to_owned(), "Bearer t0p".into())];
    let answer = body(fetcher().fetch(&ask, now()).await);
    assert_eq!((&answer.body[..], answer.base.as_str()), (FEED.as_bytes(), "http://other.invalid/near"));
    let requests = proxy.all_requests();
    for request in &requests {
        assert_eq!(request.text("proxy-authorization"), Some(basic("ann:p@s:s")));
    }
    assert_eq!(requests[0].text("authorization").as_deref(), Some("Bearer t0p"));
    assert_eq!(requests[0].text("host").as_deref(), Some("feed.invalid"));
    assert_eq!(requests[1].text("authorization"), None);
    // By its name too, wherever that is.
    body(
        fetcher()
            .fetch(&through(&format!("http://localhost:{}", place.port()), "http://other.invalid/near"), now())
            .await,
    );
}

#[tokio::test]
async fn https_goes_through_a_tunnel_that_sees_nothing_of_it() {
    let authority = Authority::new();
    let origin = Origin::start_tls(authority.server(&["feed.invalid"], (2020, 2090)));
    origin.route("/feed", Reply::ok(FEED));
    let connect = Proxy::connect(origin.address());
    let socks = Proxy::socks5(origin.address());
    for (proxy, url, login) in [
        (&connect, format!("http://{}", connect.address()), None),
        (&connect, format!("http://ann:p%40ss@{}", connect.address()), Some(basic("ann:p@ss"))),
        (&socks, format!("socks5h://{}", socks.address()), None),
        (&socks, format!("socks5h://ann:p%40%C3%A4@{}", socks.address()), Some("ann:p@ä".to_owned())),
    ] {
        let mut ask = through(&url, "https://feed.invalid/feed");
        ask.private_headers = vec![("authorization".to_owned(), "Bearer t0p".into())];
        let mut reach = ask.reach.as_ref().clone();
        reach.authorities = Authorities::new(vec![authority.der()]);
        ask.reach = Arc::new(reach);
        body(fetcher().fetch(&ask, now()).await);
        let tunnel = Tunnel { to: "feed.invalid:443".to_owned(), login };
        assert_eq!(proxy.asked().last(), Some(&tunnel));
        let request = origin.requests("/feed").pop().unwrap();
        assert_eq!(request.text("proxy-authorization"), None);
        assert_eq!(request.text("authorization").as_deref(), Some("Bearer t0p"));
        // The tunnel does not make a stranger's certificate good.
        let stranger = through(&url, "https://feed.invalid/feed");
        assert_eq!(failed(fetcher().fetch(&stranger, now()).await).kind, ErrorKind::Tls);
    }
}

#[tokio::test]
async fn with_socks5h_names_are_looked_up_there_and_with_socks5_here_behind_the_guard() {
    let origin = Origin::start();
    origin.route("/feed", Reply::ok(FEED));
    let proxy = Proxy::socks5(origin.address());
    let (there, here) = (format!("socks5h://{}", proxy.address()), format!("socks5://{}", proxy.address()));
    body(fetcher().fetch(&through(&there, "http://feed.invalid:81/feed"), now()).await);
    assert_eq!(proxy.asked().last().unwrap().to, "feed.invalid:81");
    let error = failed(fetcher().fetch(&through(&here, "http://feed.invalid/feed"), now()).await);
    assert_eq!(error.kind, ErrorKind::Dns, "{}", error.message);
    let open =
        Fetcher::new(&Guard::new(vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]), None, 1 << 20);
    body(open.unwrap().fetch(&through(&here, "http://localhost:82/feed"), now()).await);
    assert!(proxy.asked().last().unwrap().to.ends_with(":82"));
    let asked = proxy.asked().len();
    // A machine's own name is at a private address in most places; and the proxy's own name is trusted as a proxy only.
    let by_name = format!("socks5://localhost:{}", proxy.address().port());
    let error = failed(fetcher().fetch(&through(&by_name, "http://localhost/feed"), now()).await);
    assert_eq!(error.kind, ErrorKind::Refused, "{}", error.message);
    assert_eq!(proxy.asked().len(), asked);
}

#[tokio::test]
async fn through_a_proxy_private_addresses_stay_refused() {
    let proxy = Origin::start();
    let place = format!("http://{}", proxy.address());
    for (n, to) in [
        "http://127.0.0.1/",
        "http://0x7f.1/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
        "http://[::ffff:7f00:1]/",
        "https://192.168.1.1/",
        "http://localhost/",
        "http://LOCALHOST./",
        "http://x.localhost/",
        "file:///etc/passwd",
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("http://feed.invalid/{n}");
        proxy.route(&path, Reply::redirect(301, to));
        for url in [to, path.as_str()] {
            let error = failed(fetcher().fetch(&through(&place, url), now()).await);
            assert_eq!(error.kind, ErrorKind::Refused, "{url}: {}", error.message);
        }
    }
    assert_eq!(proxy.all_requests().len(), 11, "only the redirects");
    proxy.route("http://10.1.2.3/feed", Reply::ok(FEED));
    let allowed = Fetcher::new(&Guard::new(vec!["10.1.0.0/16".parse().unwrap()]), None, 1 << 20).unwrap();
    body(allowed.fetch(&through(&place, "http://10.1.2.3/feed"), now()).await);
}

#[tokio::test]
async fn a_proxy_that_fails_is_named_without_its_password_and_never_gone_round() {
    let origin = Origin::start();
    origin.route("/feed", Reply::ok(FEED));
    let guard = Guard::new(vec!["127.0.0.0/8".parse().unwrap()]);
    let fetcher = Fetcher::new(&guard, None, 1 << 20).unwrap();
    let secure = origin.url("/feed").replace("http:", "https:");
    let refusing = Origin::start();
    refusing.answer(&origin.url("/feed"), |_| Reply::status(407));
    let refusing = refusing.address().to_string();
    for (proxy, kind, place) in [
        ("http://ann:s3cret@127.0.0.1:1", ErrorKind::Connect, "127.0.0.1:1"),
        ("https://ann:s3cret@127.0.0.1:1", ErrorKind::Connect, "127.0.0.1:1"),
        ("socks5h://ann:s3cret@127.0.0.1:1", ErrorKind::Connect, "127.0.0.1:1"),
        ("http://ann:s3cret@no-such-proxy.invalid:3128", ErrorKind::Dns, "no-such-proxy.invalid:3128"),
        (&format!("http://ann:s3cret@{refusing}"), ErrorKind::Http, ""),
    ] {
        for url in [origin.url("/feed"), secure.clone()] {
            let error = failed(fetcher.fetch(&through(proxy, &url), now()).await);
            if url != secure || kind != ErrorKind::Http {
                assert_eq!(error.kind, kind, "{proxy}: {}", error.message);
                assert!(error.message.contains(place), "{proxy}: {}", error.message);
            }
            assert!(!error.message.contains("s3cret") && !error.message.contains("ann"), "{}", error.message);
        }
    }
    assert_eq!(origin.connections(), 0);
}

#[tokio::test]
async fn an_https_proxy_has_to_show_a_certificate_that_is_trusted() {
    let authority = Authority::new();
    let proxy = Origin::start_tls(authority.good_server());
    proxy.route("http://feed.invalid/feed", Reply::ok(FEED));
    let mut ask = through(&proxy.url(""), "http://feed.invalid/feed");
    let error = failed(fetcher().fetch(&ask, now()).await);
    assert_eq!(error.kind, ErrorKind::Tls);
    assert!(error.message.contains("does not know"), "{}", error.message);
    assert!(proxy.all_requests().is_empty());
    let authorities = Authorities::new(vec![authority.der()]);
    ask.reach = Arc::new(Reach { authorities, ..ask.reach.as_ref().clone() });
    body(fetcher().fetch(&ask, now()).await);
}

const FAST: &str = "schedule = \"@every 1s\"\nspread = false\nmin_interval = \"1s\"\nbackoff = \"1s\"\n";

fn document(title: &str) -> String {
    rss(&[story(title, &format!("https://n.example/{title}"), title)])
}

#[test]
fn the_daemon_uses_the_proxy_of_the_feed_else_that_of_poll_and_never_one_of_the_environment() {
    let (general, own, direct, environment) = (Origin::start(), Origin::start(), Origin::start(), Origin::start());
    general.route("http://a.invalid/feed", Reply::ok(document("a")));
    own.route("http://b.invalid/feed", Reply::ok(document("b")));
    direct.route("/feed", Reply::ok(document("c")));
    let house = Installation::new(&format!(
        "proxy = \"http://ann:gen3ral@{}\"\n{FAST}\
         [[feed]]\nname = \"a\"\nurl = \"http://a.invalid/feed\"\n\
         [[feed]]\nname = \"b\"\nurl = \"http://b.invalid/feed\"\nproxy = {{ env = \"OWN_PROXY\" }}\n\
         [[feed]]\nname = \"c\"\nurl = \"{}\"\nproxy = \"none\"\n\
         [[feed]]\nname = \"d\"\nurl = \"http://d.invalid/feed\"\nproxy = \"socks5h://ann:d34d@127.0.0.1:1\"\n",
        general.address(),
        direct.url("/feed")
    ));
    let elsewhere = format!("http://{}", environment.address());
    let proxy = format!("http://bob:0wn@{}", own.address());
    let daemon = house.start_in(&[
        ("OWN_PROXY", &proxy),
        ("HTTP_PROXY", &elsewhere),
        ("http_proxy", &elsewhere),
        ("HTTPS_PROXY", &elsewhere),
        ("ALL_PROXY", &elsewhere),
    ]);
    daemon.until("all three", |d| d.json("/all.json")["items"].as_array().unwrap().len() == 3);
    daemon.until("the dead proxy is told of", |d| {
        d.get("/api/v1/feeds").text().contains("through the proxy 127.0.0.1:1")
    });
    assert_eq!(general.all_requests()[0].text("proxy-authorization"), Some(basic("ann:gen3ral")));
    assert_eq!(own.all_requests()[0].text("proxy-authorization"), Some(basic("bob:0wn")));
    assert_eq!(direct.all_requests()[0].text("proxy-authorization"), None);
    assert!(general.all_requests().iter().all(|request| request.target == "http://a.invalid/feed"));
    assert_eq!(environment.connections(), 0);
    let said = ["/api/v1/feeds", "/status", "/metrics", "/feeds"].map(|path| daemon.get(path).text()).join("\n");
    let all = format!("{said}\n{}", daemon.log());
    for secret in ["gen3ral", "0wn", "d34d"] {
        assert!(!all.contains(secret), "{secret} is told");
    }
}

#[test]
fn a_proxy_or_an_authority_that_cannot_be_used_is_a_mistake_with_its_place_and_without_its_secret() {
    let house = Installation::new("");
    let (empty, junk) = (house.dir().join("empty.pem"), house.dir().join("junk.pem"));
    std::fs::write(&empty, "# nothing\n").unwrap();
    std::fs::write(&junk, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    for (line, said) in [
        ("proxy = \"socks9://ann:s3cret@p.test\"", "`proxy` cannot be used: its scheme is none of http, https, socks5"),
        ("proxy = \"\"", "`proxy` cannot be used: it is no URL such as"),
        ("proxy = \"p.test:3128\"", "`proxy` cannot be used"),
        ("proxy = \"http://ann:s3cret@p.test/x\"", "nothing can follow its host and port"),
        ("proxy = { env = \"NO_SUCH\" }", "The environment variable NO_SUCH is not set"),
        ("proxy = 3128", "`proxy` has to be a text"),
        ("ca = \"missing.pem\"", "missing.pem cannot be read"),
        ("ca = \"empty.pem\"", "empty.pem holds no certificate."),
        ("ca = \"junk.pem\"", "Certificate 1 in "),
        ("ca = \".\"", "is a folder, not a file"),
        ("insecure = true", "has no key `insecure`"),
        ("verify = false", "has no key `verify`"),
    ] {
        for text in [format!("{line}\n"), format!("[[feed]]\nurl = \"https://a.test/\"\n{line}\n")] {
            house.configure(&text);
            let output = house.run(&["check"]);
            let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert_eq!(output.status.code(), Some(78), "{line}: {told}");
            assert!(told.contains(said) && told.contains("feedmill.toml:"), "{line}: {told}");
            assert!(!told.contains("s3cret"), "{told}");
        }
    }
}

#[test]
fn an_authority_is_read_again_at_a_reload_and_not_before() {
    let (old, new) = (Authority::new(), Authority::new());
    let origin = Origin::start_tls(new.good_server());
    origin.route("/feed", Reply::ok(document("a")));
    let house = Installation::new(&format!(
        "{FAST}[[feed]]\nname = \"a\"\nurl = \"{}\"\nca = \"authority.pem\"\n",
        origin.url("/feed")
    ));
    std::fs::write(house.dir().join("authority.pem"), old.pem()).unwrap();
    let daemon = house.start();
    let failed =
        |d: &crate::support::daemon::Daemon| d.json("/api/v1/feeds")["feeds"][0]["errors_in_row"].as_u64().unwrap_or(0);
    daemon.until("it fails", |d| failed(d) >= 1);
    let error = daemon.json("/api/v1/feeds")["feeds"][0]["error"].clone();
    assert_eq!(error["kind"], "tls");
    // Both: a bundle is as good as one.
    std::fs::write(house.dir().join("authority.pem"), format!("{}\n{}", old.pem(), new.pem())).unwrap();
    let so_far = failed(&daemon);
    daemon.until("it fails still", |d| failed(d) > so_far);
    assert!(origin.all_requests().is_empty());
    let reloaded = house.run(&["reload"]);
    assert!(reloaded.status.success(), "{}", String::from_utf8_lossy(&reloaded.stderr));
    daemon.until("the story", |d| d.json("/all.json")["items"].as_array().unwrap().len() == 1);
}
