//! Webhooks as a whole: slowed, paused, disabled, resumed, paced, in order. Over a real database and real receivers, with a
//! clock that the test moves on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use feedmill::deliver::{Limits, Target};
use feedmill::domain::reach::{Authorities, Proxy, Reach};
use feedmill::domain::time::Clock as _;
use feedmill::domain::webhook::{DeliveryState, Rate, WebhookState, WebhookStatus};
use feedmill::message::{Format, Template};
use feedmill::publish::hooks;
use feedmill::store::{HookOrder, Replay};

use crate::outbox::{Bench, Running, ids};
use crate::support::origin::{Origin, Reply};
use crate::support::proxy::Proxy as SocksProxy;
use crate::support::receiver::{Answer, Receiver};
use crate::support::tls::Authority;

const SECRET: &[u8] = b"a secret of twenty-four b";
const DAY: Duration = Duration::from_secs(86_400);

async fn hook(bench: &Bench, n: usize) -> WebhookStatus {
    bench.store.webhook_status().await.unwrap().remove(n)
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(Instant::now() < end, "{what}: not in time");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Moves the clock on and has the outbox look at it.
fn advance(bench: &Bench, running: &Running, span: Duration) {
    bench.clock.advance(span);
    running.outbox.nudge();
}

/// Until so many calls have come and their ends are written down.
async fn settled(bench: &Bench, receiver: &Receiver, calls: usize) {
    receiver.wait(|heard| heard.len() >= calls).await;
    until("the attempts are written down", async || {
        let mut logged = 0;
        for delivery in bench.deliveries().await {
            logged += delivery.attempts as usize;
        }
        logged >= calls
    })
    .await;
}

#[tokio::test]
async fn a_receiver_that_is_down_for_a_day_gets_everything_and_no_attempt_is_used_up() {
    let receiver = Receiver::start(&[SECRET]);
    receiver.script([Answer::status(503)]);
    let bench = Bench::new(&[&receiver]).await;
    bench.publish(20, &[0]).await;
    let one = Target { concurrency: 1, ..bench.targets[0].clone() };
    let running = bench.start_with(vec![one.clone()], Limits::default());
    settled(&bench, &receiver, 1).await;
    let slowed = hook(&bench, 0).await;
    assert_eq!((slowed.state, slowed.due), (WebhookState::Slowed, 20));
    assert!(slowed.reason.unwrap().contains("503"));
    // One probe at a time, for a day: far more of them than the schedule has attempts.
    for probe in 2..40 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(receiver.calls().len(), probe - 1, "nothing but probes");
        advance(&bench, &running, Duration::from_secs(2300));
        settled(&bench, &receiver, probe).await;
    }
    // A restart in the middle keeps state and time.
    running.stop().await;
    let before = hook(&bench, 0).await.slow_until;
    assert!(before.unwrap() > bench.clock.now());
    let running = bench.start_with(vec![one], Limits::default());
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!((receiver.calls().len(), hook(&bench, 0).await.slow_until), (39, before));
    receiver.script([Answer::status(200)]);
    advance(&bench, &running, Duration::from_secs(3600));
    bench.wait_for(DeliveryState::Succeeded, 20).await;
    running.stop().await;
    let healed = hook(&bench, 0).await;
    assert_eq!((healed.state, healed.due, healed.failed, healed.reason), (WebhookState::Active, 0, 0, None));
    // Probes took turns; none was made the only one that is tried.
    assert!(ids(&receiver.calls()[..20]).len() >= 19);
    assert_eq!(ids(&receiver.calls()).len(), 20);
}

#[tokio::test]
async fn a_call_that_its_server_hangs_on_is_not_each_probe_and_keeps_nobody_back() {
    let receiver = Receiver::start(&[SECRET]);
    receiver.script([Answer::status(504), Answer::status(504), Answer::status(200)]);
    let bench = Bench::new(&[&receiver]).await;
    let running = bench.start();
    bench.publish(1, &[0]).await;
    settled(&bench, &receiver, 1).await;
    advance(&bench, &running, Duration::from_secs(6));
    settled(&bench, &receiver, 2).await;
    bench.publish(1, &[0]).await;
    advance(&bench, &running, Duration::from_secs(11));
    bench.wait_for(DeliveryState::Succeeded, 2).await;
    running.stop().await;
    let order: Vec<String> = receiver.calls().into_iter().map(|call| call.id).collect();
    assert_eq!((&order[0], &order[0]), (&order[1], &order[3]));
    assert_ne!(order[2], order[0], "the new one was the probe");
}

#[tokio::test]
async fn an_outage_leaves_the_backlog_in_its_order_but_for_what_was_a_probe() {
    let receiver = Receiver::start(&[SECRET]);
    receiver.script([Answer::status(503), Answer::status(503), Answer::status(200)]);
    let bench = Bench::new(&[&receiver]).await;
    bench.publish(10, &[0]).await;
    let one = Target { concurrency: 1, ..bench.targets[0].clone() };
    let running = bench.start_with(vec![one], Limits::default());
    settled(&bench, &receiver, 1).await;
    advance(&bench, &running, Duration::from_secs(6));
    settled(&bench, &receiver, 2).await;
    advance(&bench, &running, Duration::from_secs(11));
    bench.wait_for(DeliveryState::Succeeded, 10).await;
    running.stop().await;
    let heard: Vec<String> = receiver.calls().into_iter().map(|call| call.id).collect();
    let stored: Vec<String> = bench.deliveries().await.into_iter().rev().map(|d| d.message_id).collect();
    assert_eq!((&heard[..2], &heard[2..10]), (&stored[..2], &stored[2..]));
}

#[tokio::test]
async fn retry_after_holds_the_whole_webhook_back_however_many_are_due() {
    let receiver = Receiver::start(&[SECRET]);
    let wait = vec![("Retry-After", "7200".to_owned())];
    receiver.script([Answer::Status(429, wait), Answer::status(200)]);
    let bench = Bench::new(&[&receiver]).await;
    bench.publish(5, &[0]).await;
    let one = Target { concurrency: 1, ..bench.targets[0].clone() };
    let running = bench.start_with(vec![one], Limits::default());
    settled(&bench, &receiver, 1).await;
    advance(&bench, &running, Duration::from_secs(7100));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(receiver.calls().len(), 1);
    advance(&bench, &running, Duration::from_secs(120));
    bench.wait_for(DeliveryState::Succeeded, 5).await;
    running.stop().await;
    assert_eq!(receiver.calls().len(), 6);
}

#[tokio::test]
async fn five_days_of_nothing_but_failures_pause_it_the_operator_hears_of_it_once_and_a_resume_sends_all() {
    let (bad, ops) = (Receiver::start(&[SECRET]), Receiver::start(&[SECRET]));
    bad.script([Answer::status(500)]);
    let bench = Bench::new(&[&bad, &ops]).await;
    bench.publish(3, &[0]).await;
    let mut targets = bench.targets.clone();
    targets[0].retry = vec![DAY; 9];
    // Also of itself it would be told, if it did not stand on the list for others.
    targets[0].alerts = bench.registry.webhooks.as_slice().into();
    let running = bench.start_with(targets.clone(), Limits::default());
    for round in 1..=4 {
        settled(&bench, &bad, 3 * round).await;
        assert_eq!(hook(&bench, 0).await.state, WebhookState::Active);
        advance(&bench, &running, DAY * 5 / 4);
    }
    until("it is paused", async || hook(&bench, 0).await.state == WebhookState::Paused).await;
    let told = ops.wait(|calls| !calls.is_empty()).await;
    let body: serde_json::Value = serde_json::from_slice(&told[0].body).unwrap();
    assert_eq!((&body["type"], &body["data"]["webhook"]["name"]), (&"webhook.paused".into(), &"hook-0".into()));
    assert!(body["data"]["reason"].as_str().unwrap().contains("500") && body["data"]["due"] == 3, "{body}");
    // It goes on to be owed, and holds it, over a restart.
    bench.publish(2, &[0]).await;
    running.stop().await;
    let heard = bad.calls().len();
    bad.script([Answer::status(200)]);
    let running = bench.start_with(targets, Limits::default());
    bench.wait_for(DeliveryState::Held, 5).await;
    assert_eq!((bad.calls().len(), ops.calls().len()), (heard, 1));
    let report = hooks::order(bench.store.as_ref(), "hook-0".to_owned(), HookOrder::Resume, bench.clock.now()).await;
    assert_eq!(report.unwrap().unwrap().count, 5);
    running.outbox.nudge();
    bench.wait_for(DeliveryState::Succeeded, 6).await;
    running.stop().await;
    let resumed = hook(&bench, 0).await;
    assert_eq!((resumed.state, resumed.reason, ops.calls().len()), (WebhookState::Active, None, 1));
    assert_eq!(ids(&bad.calls()).len(), 5, "each under its one id");
}

#[tokio::test]
async fn a_webhook_that_is_paused_by_hand_holds_all_and_one_that_is_dropped_can_be_replayed() {
    let receiver = Receiver::start(&[SECRET]);
    let bench = Bench::new(&[&receiver]).await;
    let store = bench.store.as_ref();
    let now = || bench.clock.now();
    let order = |order| hooks::order(store, "hook-0".to_owned(), order, now());
    bench.publish(4, &[0]).await;
    assert_eq!(order(HookOrder::Pause).await.unwrap().unwrap().count, 4);
    let running = bench.start();
    bench.wait_for(DeliveryState::Held, 4).await;
    assert_eq!(
        (order(HookOrder::Drop).await.unwrap().unwrap().count, bench.in_state(DeliveryState::Failed).await),
        (4, 4)
    );
    order(HookOrder::Resume).await.unwrap();
    running.outbox.nudge();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(receiver.calls().len(), 0, "what is dropped is not sent");
    let replay = |since, until, all| Replay { webhook: "hook-0".to_owned(), since, until, all };
    let (long_ago, soon) = (now().minus(DAY), now().plus(DAY));
    let before = hooks::replay(store, replay(long_ago, now().minus(DAY / 2), false), now()).await.unwrap().unwrap();
    assert_eq!(before.count, 0, "outside of the window");
    assert_eq!(hooks::replay(store, replay(long_ago, soon, false), now()).await.unwrap().unwrap().count, 4);
    running.outbox.nudge();
    bench.wait_for(DeliveryState::Succeeded, 4).await;
    // Those that succeeded are made again only where all are asked for: same ids, same bytes.
    let first = receiver.calls();
    assert_eq!(hooks::replay(store, replay(long_ago, soon, false), now()).await.unwrap().unwrap().count, 0);
    assert_eq!(hooks::replay(store, replay(long_ago, soon, true), now()).await.unwrap().unwrap().count, 4);
    running.outbox.nudge();
    receiver.wait(|calls| calls.len() == 8).await;
    bench.wait_for(DeliveryState::Succeeded, 4).await;
    running.stop().await;
    let all = receiver.calls();
    assert_eq!(ids(&all), ids(&first));
    for again in &all[4..] {
        assert!(first.iter().any(|call| call.id == again.id && call.body == again.body));
    }
    assert!(hooks::order(store, "nobody".to_owned(), HookOrder::Pause, now()).await.unwrap().is_none());
    let nobody = Replay { webhook: "nobody".to_owned(), ..replay(long_ago, soon, true) };
    assert!(hooks::replay(store, nobody, now()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_replay_of_thousands_goes_in_steps_and_misses_none() {
    let receiver = Receiver::start(&[SECRET]);
    let bench = Bench::new(&[&receiver]).await;
    bench.publish(2500, &[0]).await;
    let store = bench.store.as_ref();
    let now = bench.clock.now();
    let drop = hooks::order(store, "hook-0".to_owned(), HookOrder::Drop, now).await;
    assert_eq!(drop.unwrap().unwrap().count, 2500);
    let replay = Replay { webhook: "hook-0".to_owned(), since: now.minus(DAY), until: now.plus(DAY), all: false };
    assert_eq!(hooks::replay(store, replay, now).await.unwrap().unwrap().count, 2500);
    assert_eq!(hook(&bench, 0).await.due, 2500);
}

#[tokio::test]
async fn a_strict_webhook_gets_its_calls_in_order_through_retries_and_a_restart() {
    let receiver = Receiver::start(&[SECRET]);
    receiver.script([
        Answer::status(200),
        Answer::status(500),
        Answer::Lost,
        Answer::status(200),
        Answer::status(404),
        Answer::status(200),
    ]);
    let bench = Bench::new(&[&receiver]).await;
    bench.publish(12, &[0]).await;
    let strict = Target { strict: true, concurrency: 8, ..bench.targets[0].clone() };
    let running = bench.start_with(vec![strict.clone()], Limits::default());
    receiver.wait(|calls| calls.len() >= 5).await;
    running.stop().await;
    let running = bench.start_with(vec![strict], Limits::default());
    bench.wait_for(DeliveryState::Succeeded, 12).await;
    running.stop().await;
    let mut heard: Vec<String> = receiver.calls().into_iter().map(|call| call.id).collect();
    heard.dedup();
    let stored: Vec<String> = bench.deliveries().await.into_iter().rev().map(|d| d.message_id).collect();
    assert_eq!((heard, receiver.peak()), (stored, 1));
}

#[tokio::test]
async fn a_secret_that_is_replaced_between_attempts_signs_the_next_one_with_both() {
    let new = b"the new secret of this hook";
    let receiver = Receiver::start(&[SECRET, new]);
    receiver.script([Answer::status(500)]);
    let bench = Bench::new(&[&receiver]).await;
    let running = bench.start();
    bench.publish(1, &[0]).await;
    receiver.wait(|calls| !calls.is_empty()).await;
    receiver.script([Answer::status(200)]);
    running
        .outbox
        .set_targets(vec![Target { secrets: vec![new.to_vec(), SECRET.to_vec()], ..bench.targets[0].clone() }]);
    bench.wait_for(DeliveryState::Succeeded, 1).await;
    running.stop().await;
    let calls = receiver.calls();
    let (first, last) = (&calls[0], &calls[calls.len() - 1]);
    assert_eq!((&first.id, &first.body, first.accepted.as_slice()), (&last.id, &last.body, &[true, false][..]));
    assert_eq!(last.accepted, [true, true], "the reference library takes it with either");
}

#[tokio::test]
async fn a_backlog_drains_at_the_rate_that_the_webhook_allows() {
    let receiver = Receiver::start(&[SECRET]);
    let bench = Bench::new(&[&receiver]).await;
    bench.publish(30, &[0]).await;
    let rate = Rate { count: 20, per: Duration::from_secs(1) };
    let paced = Target { max_rate: Some(rate), concurrency: 10, ..bench.targets[0].clone() };
    let running = bench.start_with(vec![paced], Limits::default());
    bench.wait_for(DeliveryState::Succeeded, 30).await;
    running.stop().await;
    let calls = receiver.calls();
    // 30 calls are 29 gaps of 50 ms, but for two that may go at once. Timers are never early; late they may be.
    let took = calls[29].at.duration_since(calls[0].at);
    assert!(took >= Duration::from_millis(27 * 50 - 60), "{took:?}");
}

#[tokio::test]
async fn a_template_that_fails_falls_back_is_told_once_a_day_and_loses_nothing() {
    let (broken, ops) = (Receiver::start(&[SECRET]), Receiver::start(&[SECRET]));
    let bench = Bench::new(&[&broken, &ops]).await;
    // It divides by zero for a headline of as many letters as the bench's have, which no sample has.
    let title = "Story 0".len();
    let source = format!("{{\"n\": {{{{ 1 // (headline | length - {title}) }}}}}}");
    let mut targets = bench.targets.clone();
    targets[0].format = Format::Template(Arc::new(Template::new("n.j2", &source).unwrap()));
    targets[0].alerts = [bench.registry.webhooks[1]].as_slice().into();
    let running = bench.start_with(targets, Limits::default());
    bench.publish(3, &[0]).await;
    bench.wait_for(DeliveryState::Succeeded, 4).await;
    running.stop().await;
    let calls = broken.calls();
    assert_eq!(calls.len(), 3);
    for call in calls {
        let body: serde_json::Value = serde_json::from_slice(&call.body).unwrap();
        let fell_back = body["type"] == "item.new" && body["data"]["item"]["id"].is_string();
        assert!(fell_back || body["n"].is_number(), "{body}");
    }
    let told: serde_json::Value = serde_json::from_slice(&ops.calls()[0].body).unwrap();
    assert_eq!((&told["type"], ops.calls().len()), (&"webhook.template_failed".into(), 1));
    assert!(told["data"]["reason"].as_str().unwrap().contains("n.j2 failed in line 1"), "{told}");
}

#[tokio::test]
async fn a_hanging_endpoint_with_thousands_due_delays_nobody_and_is_asked_seldom() {
    let (dead, alive) = (Receiver::start(&[SECRET]), Receiver::start(&[SECRET]));
    dead.script([Answer::Hang]);
    let bench = Bench::new(&[&dead, &alive]).await;
    bench.publish(5000, &[0]).await;
    let mut targets = bench.targets.clone();
    targets[0].timeout = Duration::from_millis(200);
    let running = bench.start_with(targets, Limits { concurrency: 4, ..Limits::default() });
    until("it is slowed", async || hook(&bench, 0).await.state == WebhookState::Slowed).await;
    for n in 1..=20 {
        bench.publish(1, &[1]).await;
        alive.wait(|calls| calls.len() == n).await;
    }
    until("all are written down", async || hook(&bench, 1).await.due == 0).await;
    let slowed = hook(&bench, 0).await;
    assert_eq!((slowed.state, slowed.due), (WebhookState::Slowed, 5000));
    running.stop().await;
    assert!(dead.calls().len() < 10, "{} calls to who does not answer", dead.calls().len());
}

#[tokio::test]
async fn a_webhook_is_reached_through_its_proxy_and_trusts_its_authority_and_says_what_is_wrong() {
    let authority = Authority::new();
    let origin = Origin::start_tls(authority.good_server());
    origin.route("/hook", Reply::ok("heard".to_owned()));
    let receiver = Receiver::start(&[SECRET]);
    let bench = Bench::new(&[&receiver]).await;
    let sender = feedmill::deliver::Sender::new();
    let secure = Target { url: origin.url("/hook").parse().unwrap(), ..bench.targets[0].clone() };
    let send = async |target: &Target| sender.send(target, "msg_a", b"{}".as_slice().into(), bench.clock.now()).await;
    let refused = send(&secure).await;
    let error = refused.attempt.error.unwrap();
    assert!(error.contains("an authority that this machine does not know") && !refused.ending.unreachable, "{error}");
    let reach = Reach { authorities: Authorities::new(vec![authority.der()]), ..Reach::default() };
    let trusted = Target { reach: Arc::new(reach), ..secure };
    assert_eq!(send(&trusted).await.attempt.error, None);

    // The proxy resolves the name, and its password is nobody's business.
    let proxy = SocksProxy::socks5(receiver.url("/").socket_addrs(|| None).unwrap()[0]);
    let through = Proxy::parse(&format!("socks5h://ann:hunter2@{}", proxy.address())).unwrap();
    let reach = Reach { proxy: Some(through), ..Reach::default() };
    let url = "http://hooks.test/p?token=hunter2".parse().unwrap();
    let proxied = Target { reach: Arc::new(reach), url, ..bench.targets[0].clone() };
    let sent = send(&proxied).await;
    assert_eq!((sent.attempt.error, receiver.calls().len()), (None, 1));
    assert_eq!(
        (proxy.asked()[0].to.as_str(), proxy.asked()[0].login.as_deref()),
        ("hooks.test:80", Some("ann:hunter2"))
    );
    drop(receiver);
    let error = send(&proxied).await.attempt.error.unwrap();
    assert!(!error.contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_receiver_on_ipv6_alone_is_called() {
    let receiver = Receiver::start_at("::1".parse().unwrap(), &[SECRET]);
    let bench = Bench::new(&[&receiver]).await;
    let mut targets = bench.targets.clone();
    targets[0].allow_networks = vec!["::1/128".parse().unwrap()];
    let running = bench.start_with(targets, Limits::default());
    bench.publish(2, &[0]).await;
    bench.wait_for(DeliveryState::Succeeded, 2).await;
    running.stop().await;
    assert!(receiver.calls().iter().all(|call| call.accepted == [true]));
}
