//! Whom the fetcher trusts, what it says of the others, and HTTP/2.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use feedmill::domain::feed::{ErrorKind, Validators};
use feedmill::domain::reach::{Authorities, Reach};
use feedmill::fetch::client::Ask;
use feedmill::fetch::outcome::Outcome;

use crate::fetch::{FEED, ask, body, failed, fetcher, now};
use crate::support::daemon::Installation;
use crate::support::origin::{Origin, Reply};
use crate::support::tls::{Act, Authority, H2Server, HERE, self_signed};

fn trusting(url: &str, authority: Vec<u8>) -> Ask {
    let reach = Reach { authorities: Authorities::new(vec![authority]), ..Reach::default() };
    Ask { reach: Arc::new(reach), ..ask(url) }
}

#[tokio::test]
async fn a_private_authority_is_trusted_for_the_feeds_that_name_it_and_for_no_others() {
    let authority = Authority::new();
    let origin = Origin::start_tls(authority.good_server());
    origin.route("/feed", Reply::ok(FEED).header("ETag", "\"1\""));
    let fetcher = fetcher();
    let url = origin.url("/feed");
    let named = trusting(&url, authority.der());
    assert_eq!(body(fetcher.fetch(&named, now()).await).body, FEED);
    for stranger in [ask(&url), trusting(&url, Authority::named("Another authority").der())] {
        let error = failed(fetcher.fetch(&stranger, now()).await);
        let place = origin.address();
        let sentence = format!(
            "the certificate of {place} is from an authority that this machine does not know. If you trust it, name \
             its file: ca = \"….pem\"."
        );
        assert_eq!((error.kind, error.message), (ErrorKind::Tls, sentence));
    }
    assert_eq!(body(fetcher.fetch(&named, now()).await).body, FEED);
    assert_eq!(origin.all_requests().len(), 2, "nothing was asked of a server that was not trusted");
}

#[tokio::test]
async fn a_certificate_is_refused_with_its_cause() {
    const YEARS: (i32, i32) = (2020, 2090);
    let authority = Authority::new();
    let mine = self_signed(HERE, YEARS, false);
    let mine_as_authority = self_signed(HERE, YEARS, true);
    let other = self_signed(HERE, YEARS, true);
    let old = self_signed(HERE, (2019, 2020), true);
    let elsewhere = self_signed(&["c.test"], YEARS, true);
    let many = ["a.test", "b.test", "c.test", "d.test", "e.test"];
    for (server, trusted, cause) in [
        (authority.server(HERE, (2019, 2020)), authority.der(), "expired on 2020-12-31"),
        (authority.server(HERE, (2080, 2090)), authority.der(), "is not valid before 2080-01-01; is this machine's"),
        (authority.server(&["a.test", "b.test"], YEARS), authority.der(), "is for a.test, b.test, not for 127.0.0.1"),
        (authority.server(&many, YEARS), authority.der(), "is for a.test, b.test, c.test, 2 more, not for 127.0.0.1"),
        (authority.server(&["127.0.0.2"], YEARS), authority.der(), "is for 127.0.0.2, not for 127.0.0.1"),
        (authority.server(&[], YEARS), authority.der(), "is for no name at all, not for 127.0.0.1"),
        (mine.0.clone(), authority.der(), "is self-signed. If you trust it, name its file: ca = "),
        (mine_as_authority.0.clone(), authority.der(), "is self-signed. If you trust it, name its file: ca = "),
        (mine_as_authority.0.clone(), other.1, "is self-signed"),
        (old.0, old.1, "expired on 2020-12-31"),
        (authority.good_server(), Authority::new().der(), "was not signed with its authority's key; was that one made"),
        (elsewhere.0, elsewhere.1, "is for c.test, not for 127.0.0.1"),
    ] {
        let origin = Origin::start_tls(server);
        origin.route("/feed", Reply::ok(FEED));
        let error = failed(fetcher().fetch(&trusting(&origin.url("/feed?token=t0p"), trusted), now()).await);
        assert_eq!(error.kind, ErrorKind::Tls, "{}", error.message);
        let said = format!("the certificate of {} {cause}", origin.address());
        assert!(error.message.starts_with(&said) && !error.message.contains("t0p"), "{said}: {}", error.message);
        assert!(origin.all_requests().is_empty(), "{cause}");
    }
    // Named itself, a self-signed one is good, however it was made.
    for (server, der) in [mine, mine_as_authority] {
        let origin = Origin::start_tls(server);
        origin.route("/feed", Reply::ok(FEED));
        body(fetcher().fetch(&trusting(&origin.url("/feed"), der), now()).await);
    }
}

#[tokio::test]
async fn what_is_no_tls_or_one_of_the_past_is_called_so() {
    let old = "speaks neither TLS 1.2 nor TLS 1.3, or no cipher that is safe";
    for (bytes, cause) in [
        // A fatal alert, protocol_version, in a record of TLS 1.0.
        (&[21, 3, 1, 0, 2, 2, 70][..], old),
        // A ServerHello of TLS 1.0.
        (
            &[
                22, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6,
                7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 47, 0,
            ],
            old,
        ),
        (&[21, 3, 3, 0, 2, 2, 40], "refused TLS with the alert HandshakeFailure"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "answers is no TLS; is it meant to be http://?"),
        (b"", ""),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}/feed", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            stream.write_all(bytes).unwrap();
        });
        let error = failed(fetcher().fetch(&ask(&url), now()).await);
        assert_eq!(error.kind, ErrorKind::Tls, "{}", error.message);
        assert!(error.message.contains(cause), "{}", error.message);
        server.join().unwrap();
    }
}

#[tokio::test]
async fn a_body_over_tls_that_is_cut_is_a_failure_even_where_only_its_end_tells_its_length() {
    let authority = Authority::new();
    let origin = Origin::start_tls(authority.good_server());
    let data = FEED.repeat(50);
    origin.route("/whole", Reply::ok(data.clone()).until_close());
    assert_eq!(body(fetcher().fetch(&trusting(&origin.url("/whole"), authority.der()), now()).await).body, data);
    for (path, reply) in [
        ("/close", Reply::ok(data.clone()).until_close().cut_after(data.len())),
        ("/length", Reply::ok(data.clone()).cut_after(100)),
        ("/chunked", Reply::ok(data.clone()).chunked().cut_after(500)),
    ] {
        origin.route(path, reply);
        let error = failed(fetcher().fetch(&trusting(&origin.url(path), authority.der()), now()).await);
        assert_eq!(error.kind, ErrorKind::Body, "{path}: {}", error.message);
    }
}

#[tokio::test]
async fn feeds_that_are_reached_alike_share_a_connection() {
    let authority = Authority::new();
    let origin = Origin::start_tls(authority.good_server());
    let fetcher = fetcher();
    for path in ["/a", "/b", "/c"] {
        origin.route(path, Reply::ok(FEED));
        // Each of them read the file for itself.
        body(fetcher.fetch(&trusting(&origin.url(path), authority.der()), now()).await);
    }
    assert_eq!(origin.connections(), 1);
}

/// No reload and no restart: the system's packages are upgraded and nobody tells us.
#[test]
fn whom_the_system_trusts_is_read_again_when_it_changes_for_feeds_and_for_webhooks() {
    let (authority, other) = (Authority::new(), Authority::named("Another authority"));
    let origin = Origin::start_tls(authority.good_server());
    origin.route("/feed", Reply::ok(FEED));
    origin.route("/hook", Reply::status(204));
    let house = Installation::new(&format!(
        "schedule = \"@hourly\"\n[[feed]]\nname = \"f\"\nurl = \"{}\"\n[[webhook]]\nname = \"desk\"\nurl = \"{}\"\nsecret = \
         \"whsec_Y3Jhc2gtY3Jhc2gtY3Jhc2gtY3Jhc2gtY3Jhc2gtMzI=\"\nallow_networks = [\"127.0.0.0/8\"]\n",
        origin.url("/feed"),
        origin.url("/hook")
    ));
    let bundle = house.dir().join("bundle.pem");
    let trust = |whom: &Authority| {
        std::fs::write(house.dir().join("new.pem"), whom.pem()).unwrap();
        std::fs::rename(house.dir().join("new.pem"), &bundle).unwrap();
    };
    trust(&other);
    let daemon = house.start_in(&[("SSL_CERT_FILE", bundle.to_str().unwrap()), ("SSL_CERT_DIR", "/nowhere")]);
    let said = |args: &[&str]| serde_json::from_slice::<serde_json::Value>(&house.run(args).stdout).unwrap();
    let polled = || said(&["poll", "f", "--json"])["feeds"][0].clone();
    let called = || said(&["webhooks", "test", "desk", "--json"]);
    let stranger = |error: &serde_json::Value| error.as_str().unwrap_or_default().contains("does not know");
    for _ in 0..2 {
        daemon.until("a stranger", |_| stranger(&polled()["error"]) && stranger(&called()["error"]));
        trust(&authority);
        daemon.until("trusted", |_| polled()["error"].is_null() && called()["ok"] == true);
        trust(&other);
    }
    // The session that was kept from before is not resumed: the certificate is looked at.
    daemon.until("a stranger again", |_| stranger(&polled()["error"]) && stranger(&called()["error"]));
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn no_key_and_no_line_of_code_switches_the_check_off() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let keys = std::fs::read_to_string(root.join("src/config/keys.rs")).unwrap();
    for word in ["insecure", "verify", "skip", "tls", "unsafe", "danger", "accept"] {
        assert!(!keys.contains(&format!("(\"{word}")), "a key that begins with {word}");
    }
    let mut folders = vec![root.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            for word in ["danger_accept", "NoVerifier", "hostname_verification"] {
                assert!(!text.contains(word), "{word} in {}", path.display());
            }
            let own_check = text.contains(".dangerous()") || text.contains("ServerCertVerified::assertion");
            assert!(!own_check || path.ends_with("fetch/tls.rs"), "{} has a check of its own", path.display());
        }
    }
}

fn plain(status: u16, fields: &[(&'static str, &[u8])], text: &'static str) -> Act {
    let fields = fields.iter().map(|(name, value)| (*name, value.to_vec())).collect();
    let pieces = text.as_bytes().chunks(10).map(Bytes::from_static).collect();
    Act::Answer(status, fields, pieces)
}

#[tokio::test]
async fn http_2_is_spoken_where_it_is_offered_and_is_conditional_too() {
    let authority = Authority::new();
    let etag = b"W/\"obs-\xe9\xff, 2\"";
    let acts = vec![plain(200, &[("etag", etag), ("last-modified", b"then")], FEED), plain(304, &[], "")];
    let server = H2Server::start(&authority, acts);
    let fetcher = fetcher();
    let mut ask = trusting(&server.url("/a%2Fb?q=%20+x#frag"), authority.der());
    let answer = body(fetcher.fetch(&ask, now()).await);
    assert_eq!(answer.body, FEED);
    ask.validators = answer.validators;
    let outcome = fetcher.fetch(&ask, now()).await;
    assert!(matches!(outcome, Outcome::NotModified { .. }), "{outcome:?}");
    let seen = server.seen();
    let [first, second] = seen.as_slice() else { panic!("{} requests", seen.len()) };
    assert_eq!(first.version(), hyper::Version::HTTP_2);
    assert_eq!(first.uri().path_and_query().unwrap(), "/a%2Fb?q=%20+x");
    let mut names: Vec<_> = first.headers().keys().map(hyper::header::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "accept-encoding", "user-agent"]);
    assert_eq!(second.headers()["if-none-match"].as_bytes(), etag);
    assert_eq!(second.headers()["if-modified-since"], "then");
    assert_eq!(second.headers()["accept"], first.headers()["accept"]);
}

#[tokio::test]
async fn over_http_2_too_a_cut_body_is_a_failure_and_a_long_one_stops_at_the_limit() {
    let authority = Authority::new();
    for (act, kind) in [
        (Act::Reset("<rss version=\"2.0\"><channel></channel></rss>"), ErrorKind::Body),
        (Act::Leave("<rss version=\"2.0\"><channel></channel></rss>"), ErrorKind::Body),
        (plain(200, &[("content-length", b"1000")], FEED), ErrorKind::Body),
        (plain(200, &[("content-length", b"10")], FEED), ErrorKind::Body),
        (plain(200, &[("content-encoding", b"gzip")], FEED), ErrorKind::Body),
        (plain(200, &[("content-length", b"10000000000")], FEED), ErrorKind::TooLarge),
        (Act::Endless, ErrorKind::TooLarge),
        (plain(404, &[], "no"), ErrorKind::Http),
    ] {
        let server = H2Server::start(&authority, vec![act]);
        let ask = trusting(&server.url("/feed"), authority.der());
        let error = failed(fetcher().fetch(&ask, now()).await);
        assert_eq!(error.kind, kind, "{}", error.message);
        assert_eq!(server.seen().len(), 1, "it is asked once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interim_answers_without_end_end_at_the_deadline_over_http_2_as_well() {
    let authority = Authority::new();
    let server = H2Server::start(&authority, vec![Act::Informational]);
    let mut ask = trusting(&server.url("/feed"), authority.der());
    ask.timeout = Duration::from_millis(500);
    ask.validators = Some(Validators { url: ask.url.to_string(), etag: None, last_modified: None });
    let error = failed(fetcher().fetch(&ask, now()).await);
    assert_eq!(error.kind, ErrorKind::Timeout, "{}", error.message);
}
