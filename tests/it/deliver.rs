//! One attempt at a call: what is sent, what counts as an answer, and what never happens.

use std::time::Duration;

use feedmill::deliver::retry::{self, Ending};
use feedmill::deliver::send::{MAX_RESPONSE_BYTES, Sent};
use feedmill::deliver::{Sender, Target};
use feedmill::domain::time::{Clock, SystemClock, Timestamp};
use feedmill::domain::webhook::{Verdict, WebhookId};

use crate::support::receiver::{Answer, Receiver};

const SECRET: &[u8] = b"a secret of twenty-four b";
const OLD_SECRET: &[u8] = b"the secret of last year..";
const BODY: &[u8] = br#"{"type":"item.new","data":{"title":"Zelensky \u2013 Gespr\u00e4che"}}"#;

fn now() -> Timestamp {
    SystemClock.now()
}

fn target(receiver: &Receiver) -> Target {
    Target {
        secrets: vec![SECRET.to_vec()],
        headers: vec![("X-Key".to_owned(), "hunter2".to_owned().into())],
        allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
        retry: vec![Duration::from_secs(5)],
        ..Target::to(WebhookId(1), "desk", receiver.url("/desk?key=hunter2"))
    }
}

async fn send(target: &Target) -> Sent {
    Sender::new().send(target, "msg_a", BODY.into(), now()).await
}

fn verdict(sent: &Sent) -> Verdict {
    retry::verdict(sent.ending, "msg_a", 0, &[Duration::from_secs(5)], now())
}

#[tokio::test]
async fn a_call_is_accepted_by_the_reference_library_and_logged_without_secrets() {
    let receiver = Receiver::start(&[SECRET]);
    let before = now();
    let sent = send(&target(&receiver)).await;
    let call = receiver.calls().remove(0);
    assert_eq!(call.accepted, [true]);
    assert_eq!(call.body, BODY);
    assert_eq!(call.line, "POST /desk?key=hunter2 HTTP/1.1");
    assert_eq!(call.id, "msg_a");
    assert!(call.timestamp >= before.as_secs() && call.timestamp <= now().as_secs(), "{}", call.timestamp);
    assert_eq!(call.headers["content-type"], "application/json");
    assert_eq!(call.headers["user-agent"], concat!("Feedmill/", env!("CARGO_PKG_VERSION")));
    assert_eq!(call.headers["x-key"], "hunter2");

    let attempt = &sent.attempt;
    assert_eq!(verdict(&sent), Verdict::Succeeded);
    assert_eq!((attempt.http_status, attempt.error.as_deref(), attempt.response.as_str()), (Some(200), None, "heard"));
    let signature = call.headers["webhook-signature"].to_str().unwrap();
    assert!(!attempt.request.contains("hunter2") && !attempt.request.contains(signature), "{}", attempt.request);
    assert!(attempt.request.contains("webhook-id: msg_a"), "{}", attempt.request);
}

#[tokio::test]
async fn while_a_secret_is_being_replaced_holders_of_either_accept_the_call() {
    let receiver = Receiver::start(&[SECRET, OLD_SECRET, b"a stranger's secret......"]);
    let mut target = target(&receiver);
    target.secrets = vec![SECRET.to_vec(), OLD_SECRET.to_vec()];
    send(&target).await;
    let call = receiver.calls().remove(0);
    assert_eq!(call.accepted, [true, true, false]);
    assert_eq!(call.headers["webhook-signature"].to_str().unwrap().split(' ').count(), 2);
}

#[tokio::test]
async fn every_answer_leads_to_its_verdict() {
    let receiver = Receiver::start(&[SECRET]);
    let target = target(&receiver);
    for status in [200, 201, 202, 204] {
        receiver.script([Answer::status(status)]);
        let sent = send(&target).await;
        assert_eq!((verdict(&sent), sent.attempt.error), (Verdict::Succeeded, None), "{status}");
    }
    for status in [300, 304, 400, 401, 404, 409, 429, 500, 502, 503, 504] {
        receiver.script([Answer::status(status)]);
        let sent = send(&target).await;
        assert!(matches!(verdict(&sent), Verdict::Retry(_)), "{status}");
        assert_eq!(sent.attempt.http_status, Some(status));
        assert!(sent.attempt.error.unwrap().contains(&status.to_string()), "{status}");
    }
    receiver.script([Answer::status(410)]);
    assert_eq!(verdict(&send(&target).await), Verdict::Disabled);
}

#[tokio::test]
async fn retry_after_is_heard_in_both_forms() {
    let receiver = Receiver::start(&[SECRET]);
    let date = now().plus(Duration::from_hours(2)).rfc822();
    for (value, least, most) in [("3600".to_owned(), 3600, 3600), (date, 7100, 7200), ("soon".to_owned(), 0, 0)] {
        receiver.script([Answer::Status(503, vec![("Retry-After", value.clone())])]);
        let asked = send(&target(&receiver)).await.ending.retry_after.unwrap_or_default().as_secs();
        assert!((least..=most).contains(&asked), "{value}: {asked} s");
    }
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_its_target_hears_nothing() {
    let elsewhere = Receiver::start(&[SECRET]);
    let receiver = Receiver::start(&[SECRET]);
    for status in [301, 302, 303, 307, 308] {
        receiver.script([Answer::Status(status, vec![("Location", elsewhere.url("/").to_string())])]);
        let sent = send(&target(&receiver)).await;
        assert!(matches!(verdict(&sent), Verdict::Retry(_)), "{status}");
        assert!(sent.attempt.error.unwrap().contains("redirects are not followed"), "{status}");
    }
    assert_eq!((receiver.calls().len(), elsewhere.calls().len()), (5, 0));
}

#[tokio::test]
async fn an_endless_answer_is_cut_at_sixteen_kilobytes() {
    let receiver = Receiver::start(&[SECRET]);
    receiver.script([Answer::Endless]);
    let sent = send(&target(&receiver)).await;
    assert_eq!(verdict(&sent), Verdict::Succeeded);
    assert_eq!(sent.attempt.response.len(), MAX_RESPONSE_BYTES);
    // What the kernels' buffers took is not ours to bound; that it ends is.
    let mut before = u64::MAX;
    while before != receiver.bytes_sent() {
        before = receiver.bytes_sent();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(before < 64 * 1024 * 1024, "{before} bytes");
}

#[tokio::test]
async fn silence_ends_with_the_time_out_and_is_tried_again() {
    let receiver = Receiver::start(&[SECRET]);
    receiver.script([Answer::Hang]);
    let mut target = target(&receiver);
    target.timeout = Duration::from_millis(300);
    let sent = send(&target).await;
    assert_eq!((sent.attempt.http_status, sent.ending), (None, Ending { unreachable: true, ..Ending::default() }));
    assert_eq!(sent.attempt.error.as_deref(), Some("127.0.0.1 gave no answer within 300 ms"));
    assert!(sent.attempt.duration_ms >= 300);
    assert!(matches!(verdict(&sent), Verdict::Retry(_)));
}

#[tokio::test]
async fn a_status_counts_even_if_its_body_drips_until_the_time_out() {
    let receiver = Receiver::start(&[SECRET]);
    let mut target = target(&receiver);
    target.timeout = Duration::from_millis(300);
    for (status, good) in [(200, true), (500, false)] {
        receiver.script([Answer::Drip(status)]);
        let sent = send(&target).await;
        assert_eq!(sent.attempt.http_status, Some(status));
        assert_eq!(verdict(&sent) == Verdict::Succeeded, good);
        assert!(sent.attempt.response.starts_with('.'));
    }
}

#[tokio::test]
async fn a_broken_connection_is_a_failure_in_a_sentence() {
    let receiver = Receiver::start(&[SECRET]);
    let mut target = target(&receiver);
    for answer in [Answer::Reset, Answer::Lost] {
        receiver.script([answer]);
        let sent = send(&target).await;
        assert_eq!(sent.attempt.http_status, None);
        let error = sent.attempt.error.unwrap();
        assert!(error.starts_with("the connection to 127.0.0.1:") && !error.contains("hunter2"), "{error}");
        assert!(!sent.ending.unreachable, "the server is there");
    }
    drop(receiver);
    target.url.set_port(Some(1)).unwrap();
    let sent = send(&target).await;
    assert!(sent.ending.unreachable);
    let error = sent.attempt.error.unwrap();
    assert!(error.starts_with("no connection to 127.0.0.1:1: ") && !error.contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_private_address_is_called_only_by_the_webhook_that_allows_it() {
    let receiver = Receiver::start(&[SECRET]);
    let sender = Sender::new();
    let allowed = target(&receiver);
    sender.send(&allowed, "msg_a", BODY.into(), now()).await;
    assert_eq!(receiver.calls().len(), 1);
    let port = receiver.url("/").port().unwrap();
    // The connection of the allowed one is still open, and must not be lent to the others.
    for host in ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:7f00:1]"] {
        for allow in [vec![], vec!["192.168.0.0/16".parse().unwrap()]] {
            let url = format!("http://{host}:{port}/").parse().unwrap();
            let target = Target { url, allow_networks: allow, ..allowed.clone() };
            let sent = sender.send(&target, "msg_b", BODY.into(), now()).await;
            assert!(sent.attempt.error.is_some() && sent.attempt.http_status.is_none(), "{host}");
            assert!(matches!(verdict(&sent), Verdict::Retry(_)), "{host}");
        }
    }
    assert_eq!(receiver.calls().len(), 1);
}

#[tokio::test]
async fn a_test_call_is_signed_and_says_that_it_is_one() {
    let receiver = Receiver::start(&[SECRET]);
    let (id, attempt) = Sender::new().send_test(&target(&receiver), None, now()).await;
    assert_eq!((attempt.http_status, attempt.error), (Some(200), None));
    let call = receiver.calls().remove(0);
    assert_eq!(call.accepted, [true]);
    let body: serde_json::Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(body["type"], "test");
    assert!(body["data"]["message"].as_str().unwrap().contains("`desk`"));
    assert!(Timestamp::parse_rfc3339(body["timestamp"].as_str().unwrap()).is_some());
    assert!(call.id == id && id.starts_with("msg_") && !id.contains('.'));
}
