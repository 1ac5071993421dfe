//! The fetcher is the best-behaved client in a publisher's access log, whatever the publisher does.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_compression::tokio::write::{BrotliEncoder, ZstdEncoder};
use feedmill::domain::address::Address;
use feedmill::domain::feed::{ErrorKind, PollError, Validators};
use feedmill::domain::time::Timestamp;
use feedmill::fetch::client::{Ask, Fetcher};
use feedmill::fetch::guard::Guard;
use feedmill::fetch::outcome::{Answer, Outcome};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use tokio::io::AsyncWriteExt;
use url::Url;

use crate::support::origin::{Origin, Reply};

pub(crate) const FEED: &str = "<rss version=\"2.0\"><channel><title>x</title></channel></rss>";
const CAP: u64 = 256 * 1024;

pub(crate) fn fetcher() -> Fetcher {
    Fetcher::new(&Guard::new(vec!["127.0.0.0/8".parse().unwrap()]), Some("https://example.org/bot"), 4 << 20).unwrap()
}

pub(crate) fn ask(url: &str) -> Ask {
    let url = Address::from(Url::parse(url).unwrap());
    Ask {
        private_origin: url.clone(),
        url,
        validators: None,
        timeout: Duration::from_secs(20),
        max_body_bytes: CAP,
        user_agent: None,
        private_headers: Vec::new(),
        reach: Arc::default(),
    }
}

pub(crate) fn now() -> Timestamp {
    Timestamp::parse_rfc3339("2026-11-24T08:00:00Z").unwrap()
}

pub(crate) fn body(outcome: Outcome) -> Answer {
    match outcome {
        Outcome::Body(answer) => answer,
        other => panic!("no body: {other:?}"),
    }
}

pub(crate) fn failed(outcome: Outcome) -> PollError {
    match outcome {
        Outcome::Failed { error, .. } => error,
        other => panic!("no failure: {other:?}"),
    }
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn zlib(data: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn bare_deflate(data: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

async fn brotli(data: &[u8]) -> Vec<u8> {
    let mut encoder = BrotliEncoder::new(Vec::new());
    encoder.write_all(data).await.unwrap();
    encoder.shutdown().await.unwrap();
    encoder.into_inner()
}

async fn zstd(data: &[u8]) -> Vec<u8> {
    let mut encoder = ZstdEncoder::new(Vec::new());
    encoder.write_all(data).await.unwrap();
    encoder.shutdown().await.unwrap();
    encoder.into_inner()
}

#[tokio::test]
async fn a_first_request_has_these_fields_and_no_others() {
    let origin = Origin::start();
    origin.route("/a%2Fb", Reply::ok(FEED));
    body(fetcher().fetch(&ask(&origin.url("/a%2Fb?q=%20+x#frag")), now()).await);
    let requests = origin.all_requests();
    let [request] = requests.as_slice() else { panic!("{} requests", requests.len()) };
    assert_eq!((request.method.as_str(), request.target.as_str()), ("GET", "/a%2Fb?q=%20+x"));
    let mut names: Vec<_> = request.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.sort();
    assert_eq!(names, ["accept", "accept-encoding", "host", "user-agent"]);
    let agent = format!("Feedmill/{} (+https://example.org/bot)", env!("CARGO_PKG_VERSION"));
    assert_eq!(request.text("user-agent"), Some(agent));
    assert_eq!(request.text("accept-encoding").as_deref(), Some("gzip, deflate, br, zstd"));
    assert!(request.text("accept").unwrap().ends_with("*/*;q=0.1"));
}

#[tokio::test]
async fn validators_are_echoed_byte_for_byte_however_odd() {
    let origin = Origin::start();
    let fetcher = fetcher();
    let long = format!("\"{}\"", "x".repeat(598));
    for (at, etag) in [
        &b"\"plain\""[..],
        b"W/\"weak\"",
        b"unquoted",
        b"\"a,b\"",
        b"\"with-gzip-gzip\"",
        b"\"sp ace\ttab\"",
        b"\"obs-\xe9\xff\x80\"",
        "\"snow\u{2603}\"".as_bytes(),
        b"\"\"",
        b"W/\"\\\"\"",
        long.as_bytes(),
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/{at}");
        let modified = format!("yesterday, about {at} \u{e9}");
        let reply = Reply::ok(FEED).header("ETag", etag).header("Last-Modified", &modified);
        origin.script(&path, [reply, Reply::status(304)]);
        let mut ask = ask(&origin.url(&path));
        ask.validators = body(fetcher.fetch(&ask, now()).await).validators;
        assert_eq!(ask.validators.as_ref().unwrap().url, origin.url(&path));
        let outcome = fetcher.fetch(&ask, now()).await;
        let Outcome::NotModified { validators, fresh_for, moved: None } = outcome else { panic!("{outcome:?}") };
        assert_eq!((validators, fresh_for), (None, None), "they are as they were");
        let requests = origin.requests(&path);
        assert_eq!(requests[0].header("if-none-match"), None);
        assert_eq!(requests[1].header("if-none-match"), Some(etag));
        assert_eq!(requests[1].header("if-modified-since"), Some(modified.as_bytes()));
    }
}

#[tokio::test]
async fn an_answer_without_validators_has_none_and_nothing_is_made_up() {
    let origin = Origin::start();
    origin.route("/feed", Reply::ok(FEED).header("Date", "Tue, 24 Nov 2026 08:00:00 GMT"));
    let answer = body(fetcher().fetch(&ask(&origin.url("/feed")), now()).await);
    assert_eq!(answer.validators, None);
    assert_eq!(answer.base.as_str(), origin.url("/feed"));
}

#[tokio::test]
async fn a_304_brings_its_own_validators_and_freshness() {
    let origin = Origin::start();
    let reply = Reply::status(304).header("ETag", "\"2\"").header("Cache-Control", "max-age=1800");
    origin.route("/feed", reply.header("Age", "300"));
    let mut ask = ask(&origin.url("/feed"));
    let old = Validators {
        url: ask.url.to_string(),
        etag: Some(b"\"1\"".to_vec()),
        last_modified: Some(b"Mon, 23 Nov 2026 08:00:00 GMT".to_vec()),
    };
    ask.validators = Some(old.clone());
    let validators = Some(Validators { etag: Some(b"\"2\"".to_vec()), ..old });
    let fresh_for = Some(Duration::from_secs(1500));
    assert_eq!(fetcher().fetch(&ask, now()).await, Outcome::NotModified { validators, fresh_for, moved: None });
}

#[tokio::test]
async fn a_304_to_an_unconditional_request_is_an_error() {
    let origin = Origin::start();
    origin.route("/feed", Reply::status(304).header("ETag", "\"1\""));
    let fetcher = fetcher();
    let mut ask = ask(&origin.url("/feed"));
    for validators in [
        None,
        Some(Validators { url: ask.url.to_string(), etag: None, last_modified: None }),
        Some(Validators { url: origin.url("/other"), etag: Some(b"\"1\"".to_vec()), last_modified: None }),
    ] {
        ask.validators = validators;
        let error = failed(fetcher.fetch(&ask, now()).await);
        assert_eq!((error.kind, error.http_status), (ErrorKind::Http, Some(304)));
    }
    assert!(origin.all_requests().iter().all(|request| request.header("if-none-match").is_none()));
}

#[tokio::test]
async fn redirects_of_every_kind_are_followed_and_only_leading_permanent_ones_are_moves() {
    let origin = Origin::start();
    let fetcher = fetcher();
    origin.route("/end", Reply::ok(FEED).header("ETag", "\"end\""));
    for status in [301, 302, 303, 307, 308] {
        let path = format!("/{status}");
        origin.route(&path, Reply::redirect(status, "/end").header("ETag", "\"hop\"").body("moved"));
        let answer = body(fetcher.fetch(&ask(&origin.url(&path)), now()).await);
        let permanent = matches!(status, 301 | 308);
        let moved = permanent.then(|| (status, Url::parse(&origin.url("/end")).unwrap()));
        assert_eq!(answer.moved, moved, "{status}");
        assert_eq!(answer.base.as_str(), origin.url("/end"));
        let validators = answer.validators.unwrap();
        assert_eq!((validators.url, validators.etag), (origin.url("/end"), Some(b"\"end\"".to_vec())));
    }
}

#[tokio::test]
async fn validators_are_sent_to_the_url_that_gave_them_at_whatever_hop_it_comes() {
    let origin = Origin::start();
    origin.route("/start", Reply::redirect(302, "/end"));
    origin.route("/end", Reply::status(304));
    let mut ask = ask(&origin.url("/start"));
    ask.validators = Some(Validators { url: origin.url("/end"), etag: Some(b"\"1\"".to_vec()), last_modified: None });
    let outcome = fetcher().fetch(&ask, now()).await;
    assert!(matches!(outcome, Outcome::NotModified { .. }), "{outcome:?}");
    assert_eq!(origin.requests("/start")[0].header("if-none-match"), None);
    assert_eq!(origin.requests("/end")[0].header("if-none-match"), Some(&b"\"1\""[..]));
}

#[tokio::test]
async fn a_304_behind_a_permanent_redirect_tells_of_the_move() {
    let origin = Origin::start();
    origin.route("/old", Reply::redirect(301, "/new"));
    origin.route("/detour", Reply::redirect(302, "/new"));
    origin.route("/new", Reply::status(304));
    for (path, to) in [("/old", Some("/new")), ("/detour", None), ("/new", None)] {
        let mut ask = ask(&origin.url(path));
        ask.validators =
            Some(Validators { url: origin.url("/new"), etag: Some(b"\"1\"".to_vec()), last_modified: None });
        let outcome = fetcher().fetch(&ask, now()).await;
        let Outcome::NotModified { moved, .. } = outcome else { panic!("{outcome:?}") };
        assert_eq!(moved, to.map(|to| (301, Url::parse(&origin.url(to)).unwrap())), "{path}");
    }
}

#[tokio::test]
async fn circles_and_endless_chains_of_redirects_end() {
    let origin = Origin::start();
    let fetcher = fetcher();
    origin.route("/self", Reply::redirect(301, "/self"));
    origin.route("/a", Reply::redirect(302, "/b"));
    origin.route("/b", Reply::redirect(302, "/a"));
    origin.answer("/grow", |request| Reply::redirect(307, format!("{}x", request.target)));
    origin.answer("/count", |request| {
        let n: u32 = request.target.split_once('?').map_or(0, |(_, n)| n.parse().unwrap());
        Reply::redirect(307, format!("/count?{}", n + 1))
    });
    origin.route("/nowhere", Reply::status(302));
    for (path, asked) in [("/self", 1), ("/a", 1), ("/count", 11), ("/nowhere", 1)] {
        let error = failed(fetcher.fetch(&ask(&origin.url(path)), now()).await);
        assert_eq!(error.kind, ErrorKind::Redirect, "{path}");
        assert_eq!(origin.requests(path).len(), asked, "{path}");
    }
}

#[tokio::test]
async fn redirects_to_other_schemes_and_private_addresses_are_refused() {
    let origin = Origin::start();
    let inner = Origin::start();
    let port = inner.address().port();
    let fetcher = Fetcher::new(&Guard::new(vec!["127.0.0.1/32".parse().unwrap()]), None, 1 << 20).unwrap();
    for (at, to) in [
        "file:///etc/passwd".to_owned(),
        "ftp://example.org/feed".to_owned(),
        "data:text/xml,x".to_owned(),
        format!("http://127.0.0.2:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://0x7f000002:{port}/"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/{at}");
        origin.route(&path, Reply::redirect(301, &to));
        let error = failed(fetcher.fetch(&ask(&origin.url(&path)), now()).await);
        assert_eq!(error.kind, ErrorKind::Refused, "{to}: {}", error.message);
    }
    assert_eq!(inner.connections(), 0);
}

#[tokio::test]
async fn secrets_do_not_cross_to_another_origin() {
    let origin = Origin::start();
    let other = Origin::start();
    origin.route("/feed", Reply::redirect(302, "/near"));
    origin.route("/near", Reply::redirect(302, other.url("/far").replace("http://", "http://eve:pw@")));
    other.route("/far", Reply::ok(FEED));
    let mut ask = ask(&origin.url("/feed"));
    ask.private_headers = vec![
        ("Authorization".to_owned(), "Bearer t0p".into()),
        ("Cookie".to_owned(), "s=1".into()),
        ("X-Key".to_owned(), "k1".into()),
        ("X-Key".to_owned(), "k2".into()),
        ("Accept".to_owned(), "text/xml".into()),
    ];
    body(fetcher().fetch(&ask, now()).await);
    for path in ["/feed", "/near"] {
        let request = &origin.requests(path)[0];
        assert_eq!(request.text("authorization").as_deref(), Some("Bearer t0p"));
        assert_eq!(request.text("cookie").as_deref(), Some("s=1"));
        assert_eq!(request.text("accept").as_deref(), Some("text/xml"));
        let keys: Vec<_> = request.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("x-key")).collect();
        assert_eq!(keys.len(), 2);
    }
    let far = &other.requests("/far")[0];
    for name in ["authorization", "cookie", "x-key", "referer"] {
        assert_eq!(far.text(name), None, "{name}");
    }
    assert!(far.text("accept").unwrap().contains("atom"));
}

#[tokio::test]
async fn no_credentials_of_a_url_are_sent_or_told() {
    let origin = Origin::start();
    origin.route("/feed", Reply::status(403));
    let url = origin.url("/feed?token=t0p").replace("http://", "http://ann:s3cret@");
    let error = failed(fetcher().fetch(&ask(&url), now()).await);
    assert_eq!(error.message, "the server answered 403 Forbidden");
    assert_eq!(origin.requests("/feed")[0].text("authorization"), None);
    let dead = url.replace(&origin.address().port().to_string(), "1");
    let error = failed(fetcher().fetch(&ask(&dead), now()).await);
    assert_eq!(error.kind, ErrorKind::Connect);
    assert!(!error.message.contains("s3cret") && !error.message.contains("t0p"), "{}", error.message);
}

#[tokio::test]
async fn every_advertised_coding_is_decoded() {
    let origin = Origin::start();
    let fetcher = fetcher();
    let feed = FEED.repeat(1000);
    let data = feed.as_bytes();
    for (at, (coding, coded)) in [
        ("identity", data.to_vec()),
        ("gzip", gzip(data)),
        ("x-gzip", gzip(data)),
        ("deflate", zlib(data)),
        ("deflate", bare_deflate(data)),
        ("br", brotli(data).await),
        ("zstd", zstd(data).await),
        ("br, gzip", gzip(&brotli(data).await)),
        ("deflate, zstd", zstd(&bare_deflate(data)).await),
    ]
    .into_iter()
    .enumerate()
    {
        let reply =
            Reply::ok(coded).header("Content-Encoding", coding).header("Content-Type", "text/xml; charset=\"x\"");
        for (how, reply) in [
            ("length", reply.clone()),
            ("chunked", reply.clone().chunked()),
            ("close", reply.clone().until_close()),
            ("trickle", reply.chunked().trickle(301, Duration::ZERO)),
        ] {
            let path = format!("/{at}/{how}");
            origin.route(&path, reply);
            let answer = body(fetcher.fetch(&ask(&origin.url(&path)), now()).await);
            assert!(answer.body == data, "{coding} {how}");
            assert_eq!(answer.content_type.as_deref(), Some("text/xml; charset=\"x\""));
        }
    }
}

#[tokio::test]
async fn a_connection_is_used_again_after_a_decoded_body() {
    let origin = Origin::start();
    let fetcher = fetcher();
    let coded =
        [("gzip", gzip(FEED.as_bytes())), ("deflate", zlib(FEED.as_bytes())), ("br", brotli(FEED.as_bytes()).await)];
    for (coding, data) in coded.clone() {
        let path = format!("/{coding}");
        origin.route(&path, Reply::ok(data).header("Content-Encoding", coding).chunked());
        body(fetcher.fetch(&ask(&origin.url(&path)), now()).await);
    }
    // What follows a whole coding is no part of the feed, and does no harm.
    for (coding, mut data) in coded {
        data.extend_from_slice(&[b'\n'; 20_000]);
        let path = format!("/{coding}/more");
        origin.route(&path, Reply::ok(data).header("Content-Encoding", coding).chunked());
        assert_eq!(body(fetcher.fetch(&ask(&origin.url(&path)), now()).await).body, FEED);
    }
    assert_eq!(origin.connections(), 1);
}

#[tokio::test]
async fn a_bomb_in_any_coding_stops_at_the_limit() {
    let origin = Origin::start();
    let fetcher = fetcher();
    let zeros = vec![0; 8 << 20];
    for (at, (coding, coded)) in [
        ("gzip", gzip(&zeros)),
        ("deflate", zlib(&zeros)),
        ("deflate", bare_deflate(&zeros)),
        ("br", brotli(&zeros).await),
        ("zstd", zstd(&zeros).await),
        ("gzip, gzip", gzip(&gzip(&zeros))),
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/{at}");
        origin.route(&path, Reply::ok(coded).header("Content-Encoding", coding));
        let error = failed(fetcher.fetch(&ask(&origin.url(&path)), now()).await);
        assert_eq!((error.kind, error.http_status), (ErrorKind::TooLarge, Some(200)), "{coding}: {}", error.message);
    }
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_passes_and_one_byte_more_does_not() {
    let origin = Origin::start();
    let fetcher = fetcher();
    let limit = usize::try_from(CAP).unwrap();
    for (path, size, fits) in [("/fits", limit, true), ("/over", limit + 1, false)] {
        let plain = vec![b'x'; size];
        for reply in [
            Reply::ok(plain.clone()),
            Reply::ok(plain.clone()).chunked(),
            Reply::ok(plain.clone()).until_close(),
            Reply::ok(gzip(&plain)).header("Content-Encoding", "gzip"),
        ] {
            origin.route(path, reply);
            match fetcher.fetch(&ask(&origin.url(path)), now()).await {
                Outcome::Body(answer) => assert!(fits && answer.body.len() == size),
                Outcome::Failed { error, .. } => assert!(!fits && error.kind == ErrorKind::TooLarge),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn endless_bodies_and_huge_claims_stop_at_the_limit() {
    let origin = Origin::start();
    let fetcher = fetcher();
    for (path, reply) in [
        ("/plain", Reply::ok("").until_close().endless(vec![b'x'; 4096])),
        ("/chunked", Reply::ok("").chunked().endless(vec![b'x'; 4096])),
        ("/claim", Reply::ok(FEED).claim_length(10_000_000_000).then_hang()),
        // Complete, and then something else for ever.
        (
            "/after",
            Reply::ok(gzip(FEED.as_bytes())).header("Content-Encoding", "gzip").until_close().endless(vec![0; 4096]),
        ),
    ] {
        origin.route(path, reply);
        let error = failed(fetcher.fetch(&ask(&origin.url(path)), now()).await);
        assert_eq!(error.kind, ErrorKind::TooLarge, "{path}: {}", error.message);
    }
}

#[tokio::test]
async fn a_cut_body_is_a_failure_and_not_a_shorter_feed() {
    let origin = Origin::start();
    let fetcher = fetcher();
    let data = FEED.repeat(50);
    let coded = [
        ("gzip", gzip(data.as_bytes())),
        ("deflate", zlib(data.as_bytes())),
        ("deflate", bare_deflate(data.as_bytes())),
        ("br", brotli(data.as_bytes()).await),
        ("zstd", zstd(data.as_bytes()).await),
    ];
    let mut replies = vec![
        Reply::ok(data.clone()).cut_after(100),
        Reply::ok(data.clone()).claim_length(data.len() + 1),
        Reply::ok(data.clone()).chunked().cut_after(500),
        // All of the data, but not the last chunk.
        Reply::ok(data.clone()).chunked().cut_after(data.len() + 12),
        Reply::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n"),
        Reply::ok("no gzip at all").header("Content-Encoding", "gzip"),
        Reply::ok(FEED).header("Content-Encoding", "compress"),
        Reply::ok(gzip(FEED.as_bytes())).header("Content-Encoding", "gzip, gzip, gzip"),
        // Whole in its coding, but short of its length.
        Reply::ok(gzip(FEED.as_bytes())).header("Content-Encoding", "gzip").claim_length(100_000),
        Reply::ok(zlib(FEED.as_bytes())).header("Content-Encoding", "deflate").claim_length(100_000),
        Reply::ok([zlib(FEED.as_bytes()), vec![b' '; 20_000]].concat())
            .header("Content-Encoding", "deflate")
            .claim_length(100_000),
    ];
    for (coding, coded) in coded {
        for end in [1, 2, 5, coded.len() / 2, coded.len() - 1] {
            // The message is whole for HTTP; only the coding knows.
            replies.push(Reply::ok(&coded[..end]).header("Content-Encoding", coding));
            replies.push(Reply::ok(&coded[..end]).header("Content-Encoding", coding).until_close());
        }
    }
    for (at, reply) in replies.into_iter().enumerate() {
        let path = format!("/{at}");
        origin.route(&path, reply.clone());
        match fetcher.fetch(&ask(&origin.url(&path)), now()).await {
            Outcome::Failed { error, .. } => assert_eq!(error.kind, ErrorKind::Body, "{reply:?}: {}", error.message),
            other => panic!("{reply:?}: {other:?}"),
        }
        assert_eq!(origin.requests(&path).len(), 1, "it is asked once");
    }
}

#[tokio::test]
async fn whatever_hangs_or_drips_ends_at_the_deadline() {
    let origin = Origin::start();
    let fetcher = fetcher();
    origin.route("/loop", Reply::redirect(302, "/slow"));
    for (path, reply) in [
        ("/silent", Reply::hang()),
        ("/head", Reply::raw("HTTP/1.1 200 OK\r\nContent-Le").then_hang()),
        ("/body", Reply::ok(FEED).claim_length(1000).then_hang()),
        ("/drip", Reply::ok(FEED.repeat(100)).trickle(1, Duration::from_millis(20))),
        ("/slow", Reply::ok(FEED).after(Duration::from_secs(30))),
        ("/continue", Reply::raw("HTTP/1.1 100 Continue\r\n\r\n").trickle(1, Duration::from_millis(20)).then_hang()),
    ] {
        origin.route(path, reply);
        let mut ask = ask(&origin.url(if path == "/slow" { "/loop" } else { path }));
        ask.timeout = Duration::from_millis(300);
        let begin = Instant::now();
        let error = failed(fetcher.fetch(&ask, now()).await);
        assert_eq!(error.kind, ErrorKind::Timeout, "{path}: {}", error.message);
        assert!(begin.elapsed() < Duration::from_secs(15), "{path}: far beyond its deadline");
    }
}

/// As in the daemon, with more than one thread. The thread that reads is busy for as long as the flood is faster than
/// it, but looks up after 128 reads (the budget of a task), and then finds that nobody waits any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_interim_answers_ends_at_the_deadline() {
    let origin = Origin::start();
    let flood = Reply::raw("").endless("HTTP/1.1 100 Continue\r\n\r\n".repeat(2500));
    origin.route("/flood", flood);
    let mut ask = ask(&origin.url("/flood"));
    ask.timeout = Duration::from_millis(300);
    let (begin, tasks) = (Instant::now(), tokio_util::task::TaskTracker::new());
    let error = tasks.spawn(async move { failed(fetcher().fetch(&ask, now()).await) }).await.unwrap();
    assert_eq!(error.kind, ErrorKind::Timeout, "{}", error.message);
    assert!(begin.elapsed() < Duration::from_secs(30), "far beyond its deadline");
}

#[tokio::test]
async fn statuses_become_failures_with_a_sentence() {
    let origin = Origin::start();
    let fetcher = fetcher();
    for (status, sentence) in [
        (204, "the server answered 204 No Content: that is no whole feed"),
        (205, "the server answered 205 Reset Content: that is no whole feed"),
        (206, "the server answered 206 Partial Content: that is no whole feed"),
        (226, "the server answered 226 IM Used: that is no whole feed"),
        (300, "the server answered 300 Multiple Choices"),
        (401, "the server answered 401 Unauthorized"),
        (404, "the server answered 404 Not Found"),
        (418, "the server answered 418 I'm a teapot"),
        (500, "the server answered 500 Internal Server Error"),
        (599, "the server answered 599"),
    ] {
        let path = format!("/{status}");
        origin.route(&path, Reply::status(status).header("ETag", "\"x\"").header("Retry-After", "60"));
        let outcome = fetcher.fetch(&ask(&origin.url(&path)), now()).await;
        let error = PollError { kind: ErrorKind::Http, http_status: Some(status), message: sentence.to_owned() };
        assert_eq!(outcome, Outcome::Failed { error, retry_after: None });
        assert_eq!(origin.requests(&path).len(), 1, "it is asked once");
    }
}

#[tokio::test]
async fn gone_is_gone_only_for_the_url_itself_or_where_it_moved() {
    let origin = Origin::start();
    let fetcher = fetcher();
    origin.route("/gone", Reply::status(410));
    origin.route("/moved", Reply::redirect(301, "/gone"));
    origin.route("/detour", Reply::redirect(302, "/gone"));
    for (path, gone) in [("/gone", true), ("/moved", true), ("/detour", false)] {
        let outcome = fetcher.fetch(&ask(&origin.url(path)), now()).await;
        assert_eq!(matches!(outcome, Outcome::Gone(_)), gone, "{path}: {outcome:?}");
    }
}

#[tokio::test]
async fn retry_after_is_read_in_both_forms() {
    let origin = Origin::start();
    let fetcher = fetcher();
    for (status, value, expected) in [
        (429, Some("3600"), Some(3600)),
        (503, Some("120"), Some(120)),
        (503, Some("Tue, 24 Nov 2026 08:10:00 GMT"), Some(600)),
        (503, Some("Tuesday, 24-Nov-26 08:10:00 GMT"), Some(600)),
        (429, Some("Tue, 24 Nov 2026 07:00:00 GMT"), None),
        (429, Some("315360000"), Some(315_360_000)),
        (429, Some("-1"), None),
        (429, Some("soon"), None),
        (429, None, None),
        (500, Some("60"), None),
    ] {
        let reply = Reply::status(status);
        origin.route("/feed", value.into_iter().fold(reply, |reply, value| reply.header("Retry-After", value)));
        let outcome = fetcher.fetch(&ask(&origin.url("/feed")), now()).await;
        let Outcome::Failed { retry_after, error } = outcome else { panic!("{outcome:?}") };
        assert_eq!((error.kind, error.http_status), (ErrorKind::Http, Some(status)));
        assert_eq!(retry_after, expected.map(Duration::from_secs), "{value:?}");
    }
}

#[tokio::test]
async fn malformed_http_is_an_error_in_bounds_and_its_connection_is_not_used_again() {
    let origin = Origin::start();
    let fetcher = fetcher();
    let many: String = (0..10_000).map(|n| format!("X-{n}: y\r\n")).collect();
    for (at, raw) in [
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde".to_owned(),
        format!("HTTP/1.1 200 {}\r\n\r\n", "x".repeat(1 << 20)),
        format!("HTTP/1.1 200 OK\r\n{many}Content-Length: 0\r\n\r\n"),
        "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n".to_owned(),
        FEED.to_owned(),
        String::new(),
        "\r\n\r\n\r\n".to_owned(),
        "HTTP/3.7 200 OK\r\n\r\n".to_owned(),
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/{at}");
        origin.route(&path, Reply::raw(raw));
        let error = failed(fetcher.fetch(&ask(&origin.url(&path)), now()).await);
        assert_eq!(error.kind, ErrorKind::Connect, "{at}: {}", error.message);
        assert!(error.message.len() < 400, "{}", error.message);
        assert_eq!(origin.requests(&path).len(), 1, "it is asked once");
    }
    assert_eq!(origin.connections(), 8);
}

#[tokio::test]
async fn tls_with_a_server_that_speaks_none_fails_as_tls_and_never_falls_back() {
    let origin = Origin::start();
    // What the origin takes for a request ends at the first blank line: answer what is no TLS at once.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut ask = ask(&format!("https://{}/feed", listener.local_addr().unwrap()));
    ask.timeout = Duration::from_secs(5);
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        // Until the client is done with it.
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let error = failed(fetcher().fetch(&ask, now()).await);
    assert_eq!(error.kind, ErrorKind::Tls, "{}", error.message);
    server.join().unwrap();
    assert_eq!(origin.connections(), 0);
}

#[tokio::test]
async fn private_addresses_are_refused_by_default_in_every_spelling_without_a_connection() {
    let origin = Origin::start();
    origin.route("/feed", Reply::ok(FEED));
    let port = origin.address().port();
    let fetcher = Fetcher::new(&Guard::default(), None, 1 << 20).unwrap();
    for host in [
        "127.0.0.1",
        "127.0.0.1.",
        "0x7f.1",
        "0177.0.0.1",
        "2130706433",
        "127.1",
        "[::ffff:7f00:1]",
        "[::1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "0.0.0.0",
        "localhost",
        "LOCALHOST",
        "a@127.0.0.1",
        "example.org@localhost",
        "%6cocalhost",
    ] {
        let url = format!("http://{host}:{port}/feed");
        let error = failed(fetcher.fetch(&ask(&url), now()).await);
        assert_eq!(error.kind, ErrorKind::Refused, "{host}: {}", error.message);
    }
    for url in ["file:///etc/passwd", "ftp://127.0.0.1/", "data:text/xml,x"] {
        assert_eq!(failed(fetcher.fetch(&ask(url), now()).await).kind, ErrorKind::Refused, "{url}");
    }
    assert_eq!(origin.connections(), 0);
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_named() {
    let error = failed(fetcher().fetch(&ask("http://no-such-host.invalid/feed?token=t0p"), now()).await);
    assert_eq!(error.kind, ErrorKind::Dns);
    assert!(error.message.starts_with("the name no-such-host.invalid does not resolve"), "{}", error.message);
    assert!(!error.message.contains("t0p"));
}

#[tokio::test]
async fn bodies_wait_for_memory_and_all_come_in_the_end() {
    let origin = Origin::start();
    let data = vec![b'x'; 200 * 1024];
    origin.route("/feed", Reply::ok(data.clone()).chunked());
    // Less than one body.
    let fetcher = Fetcher::new(&Guard::new(vec!["127.0.0.0/8".parse().unwrap()]), None, 64 * 1024).unwrap();
    let ask = ask(&origin.url("/feed"));
    let fetches = (0..8).map(|_| async { body(fetcher.fetch(&ask, now()).await).body.len() });
    let lengths = futures_util::future::join_all(fetches).await;
    assert_eq!(lengths, [data.len(); 8]);
    // An answer that is kept holds its memory; one that waits for it ends at its deadline.
    let kept = body(fetcher.fetch(&ask, now()).await);
    let short = Ask { timeout: Duration::from_millis(300), ..ask.clone() };
    assert_eq!(failed(fetcher.fetch(&short, now()).await).kind, ErrorKind::Timeout);
    drop(kept);
    body(fetcher.fetch(&ask, now()).await);
}
