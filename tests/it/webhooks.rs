//! Webhooks as their operator has them: the real binary, its commands, its API, its reloads.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

use serde_json::{Value, json};

use crate::support::daemon::{Daemon, Installation, rss, story};
use crate::support::origin::{Origin, Reply};
use crate::support::receiver::{Answer, Call, Receiver};

const SECRET: &[u8] = b"main-job-main-job-main-job-main!";
const SECRET_TEXT: &str = "whsec_bWFpbi1qb2ItbWFpbi1qb2ItbWFpbi1qb2ItbWFpbiE=";
const PATIENT: &str = "schedule = \"@hourly\"\nfirst_import = \"notify\"\n";

fn text(out: &Output) -> String {
    String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr)
}

/// Runs a command that has to succeed.
fn done(house: &Installation, args: &[&str]) -> String {
    let out = house.run(args);
    assert_eq!(out.status.code(), Some(0), "{args:?}: {}", text(&out));
    text(&out)
}

fn hook(name: &str, url: &str, more: &str) -> String {
    format!(
        "[[webhook]]\nname = \"{name}\"\nurl = \"{url}\"\nsecret = \"{SECRET_TEXT}\"\nallow_networks = [\"127.0.0.0/8\"]\n{more}"
    )
}

fn calls(stream: &str, hooks: &str) -> String {
    format!("[[stream]]\nname = \"watch\"\nmatch = '{stream}'\nnotify = [{hooks}]\n")
}

/// A feed with stories of these titles.
fn serve(origin: &Origin, titles: &[&str]) {
    let stories: Vec<_> = titles
        .iter()
        .map(|title| story(title, &format!("https://n.example/{}", title.replace(' ', "-")), title))
        .collect();
    origin.route("/f", Reply::ok(rss(&stories)));
}

fn feed(origin: &Origin) -> String {
    format!("[[feed]]\nname = \"f\"\nurl = \"{}\"\n", origin.url("/f"))
}

fn status(daemon: &Daemon, name: &str) -> Value {
    let all = daemon.json("/api/v1/webhooks")["webhooks"].as_array().unwrap().clone();
    all.into_iter().find(|hook| hook["name"] == name).unwrap_or_default()
}

/// When the last attempt at a delivery began, and 45 minutes on.
fn well_after_the_last_attempt(daemon: &Daemon, delivery: &Value) -> String {
    use feedmill::domain::time::Timestamp;
    let shown = daemon.json(&format!("/api/v1/deliveries/{}", delivery["id"].as_str().unwrap()));
    let last = shown["log"].as_array().unwrap().last().unwrap()["at"].as_str().unwrap().to_owned();
    Timestamp::parse_rfc3339(&last).unwrap().plus(std::time::Duration::from_secs(45 * 60)).rfc3339()
}

fn body(call: &Call) -> Value {
    serde_json::from_slice(&call.body).unwrap()
}

#[test]
fn a_webhook_is_paused_shown_resumed_replayed_and_dropped_by_commands_and_over_a_restart() {
    let (origin, receiver) = (Origin::start(), Receiver::start(&[SECRET]));
    serve(&origin, &["Peace one", "Peace two"]);
    let config = format!(
        "{PATIENT}{}{}{}",
        feed(&origin),
        calls("peace", "\"desk\""),
        hook("desk", receiver.url("/desk").as_str(), "")
    );
    let house = Installation::new(&config);
    let daemon = house.start();
    daemon.until("both were called", |_| receiver.calls().len() == 2);
    assert!(done(&house, &["webhooks", "pause", "desk"]).contains("desk is paused and is owed 0 deliveries"));
    serve(&origin, &["Peace one", "Peace two", "Peace three", "Peace four"]);
    house.run(&["poll", "f"]);
    daemon.until("they are held", |d| status(d, "desk")["due"] == 2);
    let held = status(&daemon, "desk");
    assert_eq!((&held["state"], &held["reason"]), (&json!("paused"), &json!("it was paused by hand")));
    let list = daemon.json("/api/v1/deliveries?state=held");
    assert_eq!(list["deliveries"].as_array().unwrap().len(), 2);
    assert_eq!(daemon.stop(), Some(0));
    // Without a daemon, too.
    assert!(done(&house, &["webhooks"]).contains("paused"));
    assert!(done(&house, &["webhooks", "deliveries", "--state", "held"]).contains("item.new"));
    let daemon = house.start();
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(receiver.calls().len(), 2, "held over the restart");
    assert!(done(&house, &["webhooks", "resume", "desk"]).contains("is called again and is owed 2 deliveries"));
    daemon.until("the held ones are sent", |_| receiver.calls().len() == 4);
    daemon.until("and settled", |d| status(d, "desk")["due"] == 0);

    let id = receiver.calls()[3].id.clone();
    let shown = done(&house, &["webhooks", "show", &id]);
    for line in
        ["succeeded", "\"type\":\"item.new\"", "> POST http://127.0.0.1", "> webhook-signature: (masked)", "< heard"]
    {
        assert!(shown.contains(line), "{line} in\n{shown}");
    }
    let shape: Value = serde_json::from_str(&done(&house, &["webhooks", "show", &id, "--json"])).unwrap();
    assert_eq!((&shape["state"], &shape["log"][0]["response"]), (&json!("succeeded"), &json!("heard")));

    assert!(done(&house, &["webhooks", "replay", "--since", "1h"]).contains("desk: 0 deliveries are made again"));
    assert!(done(&house, &["webhooks", "replay", "--since", "1h", "--all", "--webhook", "desk"]).contains("desk: 4"));
    daemon.until("all again", |_| receiver.calls().len() == 8);
    let all = receiver.calls();
    for call in &all[4..] {
        assert!(all[..4].iter().any(|first| first.id == call.id && first.body == call.body) && call.accepted == [true]);
    }
    for args in [&["webhooks", "pause", "dekks"][..], &["webhooks", "replay", "--since", "1h", "--webhook", "dekks"]] {
        let out = house.run(args);
        assert!(out.status.code() == Some(1) && text(&out).contains("no webhook `dekks`"), "{}", text(&out));
    }
    let out = house.run(&["webhooks", "replay", "--since", "yesterday"]);
    assert!(out.status.code() == Some(1) && text(&out).contains("`since` is a time"), "{}", text(&out));
    let metrics = daemon.get("/metrics").text();
    for line in [
        "feedmill_delivery_attempts_total{result=\"succeeded\"} 6",
        "feedmill_webhooks{state=\"active\"} 1",
        "feedmill_deliveries_failed 0",
        "feedmill_delivery_latency_seconds_count 6",
    ] {
        assert!(metrics.lines().any(|l| l == line), "{line} in\n{metrics}");
    }
    daemon.stop();
    assert!(done(&house, &["webhooks", "pause", "desk"]).contains("is paused"), "on the database itself");
    assert!(done(&house, &["webhooks", "drop", "desk"]).contains("desk is no longer owed 0"));
}

#[test]
fn the_write_side_of_webhooks_asks_for_the_token() {
    let receiver = Receiver::start(&[SECRET]);
    let hook = hook("desk", receiver.url("/desk").as_str(), "");
    let house = Installation::new(&hook);
    let config = std::fs::read_to_string(house.config()).unwrap();
    std::fs::write(house.config(), config.replacen("[server]", "[server]\nadmin_token = \"s3cret-s3cret-s3cret\"", 1))
        .unwrap();
    let daemon = house.start();
    for verb in ["pause", "resume", "drop", "replay", "test"] {
        assert_eq!(daemon.request("POST", &format!("/api/v1/webhooks/desk/{verb}"), &[]).status, 401, "{verb}");
        assert_eq!(daemon.get(&format!("/api/v1/webhooks/desk/{verb}")).status, 405, "{verb}");
    }
    let token = [("Authorization", "Bearer s3cret-s3cret-s3cret")];
    for (verb, state) in [("pause", "paused"), ("resume", "active"), ("drop", "active")] {
        let answer = daemon.request("POST", &format!("/api/v1/webhooks/desk/{verb}"), &token);
        assert_eq!((answer.status, answer.text()), (202, "{\"count\":0,\"webhook\":\"desk\"}".to_owned()));
        assert_eq!(status(&daemon, "desk")["state"], state);
    }
    assert_eq!(daemon.request("POST", "/api/v1/webhooks/desk/replay", &token).status, 400);
    assert_eq!(daemon.request("POST", "/api/v1/webhooks/none/pause", &token).status, 404);
}

#[test]
fn an_endpoint_that_a_reload_removes_keeps_what_it_is_owed_and_gets_it_when_it_comes_back() {
    let (origin, receiver) = (Origin::start(), Receiver::start(&[SECRET]));
    receiver.script([Answer::status(500)]);
    serve(&origin, &["Peace one", "Peace two"]);
    let start = format!("{PATIENT}{}", feed(&origin));
    let url = receiver.url("/desk");
    let with =
        format!("{start}{}{}", calls("peace", "\"desk\""), hook("desk", url.as_str(), "retry = [\"1s\", \"1h\"]\n"));
    let renamed = format!("{start}{}{}", calls("peace", "\"new\""), hook("new", url.as_str(), ""));
    let house = Installation::new(&with);
    let daemon = house.start();
    daemon.until("both failed twice", |_| receiver.calls().len() == 4);
    receiver.script([Answer::status(200)]);
    for (config, names) in [(&start, vec!["desk"]), (&renamed, vec!["desk", "new"])] {
        house.configure(config);
        done(&house, &["reload"]);
        let removed = status(&daemon, "desk");
        assert_eq!((&removed["format"], &removed["due"]), (&json!("removed"), &json!(2)));
        let all = daemon.json("/api/v1/webhooks")["webhooks"].as_array().unwrap().len();
        assert_eq!(all, names.len());
        let held = daemon.json("/api/v1/deliveries?state=held")["deliveries"].as_array().unwrap().len();
        assert_eq!(held, 2, "what nobody is called about is held");
    }
    assert!(daemon.get("/status").text().contains("desk"));
    assert_eq!(daemon.stop(), Some(0));
    house.configure(&with);
    let daemon = house.start();
    // Each waits for its time still, which is some hour away: the schedule goes on where it was.
    assert_eq!(status(&daemon, "desk")["due"], 2);
    for delivery in daemon.json("/api/v1/deliveries")["deliveries"].as_array().unwrap() {
        assert_eq!((&delivery["attempts"], &delivery["state"]), (&json!(2), &json!("pending")));
        assert!(
            delivery["next_attempt"].as_str().unwrap() > well_after_the_last_attempt(&daemon, delivery).as_str(),
            "{delivery}"
        );
    }
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(receiver.calls().len(), 4, "none is early");
    done(&house, &["webhooks", "resume", "desk"]);
    daemon.until("they are sent", |_| receiver.calls().len() == 6);
    daemon.until("and settled", |d| status(d, "desk")["due"] == 0);
    let heard = receiver.calls();
    let ids: std::collections::HashSet<_> = heard.iter().map(|call| &call.id).collect();
    assert_eq!(ids.len(), 2);
    // Removed for good: its deliveries go by command only.
    receiver.script([Answer::status(500)]);
    done(&house, &["webhooks", "replay", "--since", "1h", "--all"]);
    daemon.until("they fail", |_| receiver.calls().len() > 6);
    house.configure(&start);
    done(&house, &["reload"]);
    assert_eq!(status(&daemon, "desk")["due"], 2);
    assert!(done(&house, &["webhooks", "drop", "desk"]).contains("no longer owed 2"));
    assert_eq!(daemon.json("/api/v1/webhooks")["webhooks"], json!([]));
}

#[test]
fn a_410_disables_it_the_operator_hears_of_it_elsewhere_and_a_resume_sends_what_was_held() {
    let (origin, desk, ops) = (Origin::start(), Receiver::start(&[SECRET]), Receiver::start(&[SECRET]));
    desk.script([Answer::status(410)]);
    serve(&origin, &["Peace one"]);
    let config = format!(
        "{PATIENT}{}{}{}{}[alerts]\nnotify = [\"ops\", \"desk\"]\n",
        feed(&origin),
        calls("peace", "\"desk\""),
        hook("desk", desk.url("/desk").as_str(), ""),
        hook("ops", ops.url("/ops").as_str(), "")
    );
    let house = Installation::new(&config);
    let daemon = house.start();
    daemon.until("the operator hears", |_| !ops.calls().is_empty());
    let told = body(&ops.calls()[0]);
    assert_eq!((&told["type"], &told["data"]["webhook"]), (&json!("webhook.disabled"), &json!({"name": "desk"})));
    assert!(told["data"]["due"] == 1 && told["data"]["reason"].as_str().unwrap().contains("410"), "{told}");
    assert_eq!(status(&daemon, "desk")["state"], "disabled");
    let doctor = text(&house.run(&["doctor", "--offline"]));
    assert!(doctor.contains("The webhook desk is disabled and is owed 1 deliveries"), "{doctor}");
    assert!(daemon.get("/status").text().contains("410 Gone"));
    daemon.kill();
    desk.script([Answer::status(200)]);
    let daemon = house.start();
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!((desk.calls().len(), ops.calls().len()), (1, 1), "held, and told once");
    done(&house, &["webhooks", "resume", "desk"]);
    daemon.until("it is sent", |_| desk.calls().len() == 2);
    assert_eq!(desk.calls()[0].id, desk.calls()[1].id);
}

#[test]
fn a_webhook_that_is_slowed_stays_so_through_a_crash_and_a_resume_ends_it() {
    let (origin, receiver) = (Origin::start(), Receiver::start(&[SECRET]));
    receiver.script([Answer::Status(503, vec![("Retry-After", "3600".to_owned())])]);
    serve(&origin, &["Peace one", "Peace two", "Peace three"]);
    let desk = hook("desk", receiver.url("/desk").as_str(), "concurrency = 1\n");
    let house = Installation::new(&format!("{PATIENT}{}{}{desk}", feed(&origin), calls("peace", "\"desk\"")));
    let daemon = house.start();
    daemon.until("it is slowed", |d| status(d, "desk")["state"] == "slowed");
    let until = status(&daemon, "desk")["slowed_until"].clone();
    assert!(daemon.get("/status").text().contains("slowed") && until.is_string());
    daemon.kill();
    receiver.script([Answer::status(200)]);
    let daemon = house.start();
    std::thread::sleep(std::time::Duration::from_millis(300));
    let slowed = status(&daemon, "desk");
    assert_eq!((&slowed["slowed_until"], &slowed["due"], receiver.calls().len()), (&until, &json!(3), 1));
    done(&house, &["webhooks", "resume", "desk"]);
    daemon.until("all are sent", |d| status(d, "desk")["due"] == 0);
    let ids: std::collections::HashSet<_> = receiver.calls().into_iter().map(|call| call.id).collect();
    assert_eq!((ids.len(), receiver.calls().len()), (3, 4));
}

#[test]
fn each_format_reaches_its_kind_of_endpoint() {
    let (origin, receiver) = (Origin::start(), Receiver::start(&[SECRET]));
    serve(&origin, &["Peace at last"]);
    let url = |path: &str| receiver.url("").to_string() + path;
    let plain = |name: &str, path: &str, more: &str| {
        format!("[[webhook]]\nname = \"{name}\"\nurl = \"{}\"\nallow_networks = [\"127.0.0.0/8\"]\n{more}", url(path))
    };
    let config = format!(
        "{PATIENT}{}{}{}{}{}{}",
        feed(&origin),
        calls("peace", "\"slack\", \"discord\", \"ntfy\", \"matrix\""),
        plain("slack", "services/T0/B0/hunter2", "format = \"slack\"\n"),
        plain("discord", "api/webhooks/1/hunter2", "format = \"discord\"\n"),
        plain("ntfy", "base/news", "format = \"ntfy\"\n"),
        plain(
            "matrix",
            "rooms/!r:m.example/send/m.room.message/{id}",
            "format = \"template\"\ntemplate = \"matrix\"\nheaders = { Authorization = \"Bearer hunter2\" }\n"
        )
    );
    let house = Installation::new(&config);
    let daemon = house.start();
    daemon.until("all were called", |_| receiver.calls().len() == 4);
    let heard = receiver.calls();
    let by = |start: &str| heard.iter().find(|call| call.line.starts_with(start)).unwrap_or_else(|| panic!("{start}"));
    let slack = body(by("POST /services/T0/B0/hunter2 "));
    assert_eq!(slack["blocks"][0]["text"]["text"], "<https://n.example/Peace-at-last|Peace at last>");
    let discord = body(by("POST /api/webhooks/1/hunter2 "));
    assert_eq!(discord["embeds"][0]["title"], "Peace at last");
    let ntfy = body(by("POST /base/ "));
    assert_eq!((&ntfy["topic"], &ntfy["title"]), (&json!("news"), &json!("Peace at last")));
    let put = by("PUT /rooms/!r:m.example/send/m.room.message/");
    assert!(put.line.contains(&put.id) && put.headers["authorization"] == "Bearer hunter2", "{}", put.line);
    assert!(body(put)["formatted_body"].as_str().unwrap().contains("<a href=\"https://n.example/Peace-at-last\">"));
    let shown = done(&house, &["webhooks", "test", "slack"]);
    assert!(shown.contains("> POST http://127.0.0.1/…") && shown.contains("Test: Peace at last"), "{shown}");
    assert!(shown.contains("< heard") && shown.contains("slack answered 200"), "{shown}");
    let log = daemon.log();
    assert!(!log.contains("hunter2"), "{log}");
    // A template with a mistake is found when the configuration is read, by the daemon, too.
    std::fs::write(house.dir().join("own.json.j2"), "{\"a\":\n {{ titel }}}").unwrap();
    let text_of = std::fs::read_to_string(house.config()).unwrap();
    std::fs::write(house.config(), text_of.replace("template = \"matrix\"", "template = \"own.json.j2\"")).unwrap();
    let out = house.run(&["check"]);
    assert_eq!(out.status.code(), Some(78));
    assert!(text(&out).contains("own.json.j2 failed in line 2"), "{}", text(&out));
    assert_eq!(house.run(&["reload"]).status.code(), Some(1));
}

#[test]
fn a_captured_request_is_verified_and_what_is_wrong_with_it_is_said() {
    let (origin, receiver) = (Origin::start(), Receiver::start(&[SECRET]));
    serve(&origin, &["Peace one"]);
    let config = format!(
        "{PATIENT}{}{}{}",
        feed(&origin),
        calls("peace", "\"desk\""),
        hook("desk", receiver.url("/desk").as_str(), "")
    );
    let house = Installation::new(&config);
    let daemon = house.start();
    daemon.until("it was called", |_| receiver.calls().len() == 1);
    let call = receiver.calls().remove(0);
    let fields: String =
        call.headers.iter().map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap())).collect();
    let captured = [format!("{}\r\n{fields}\r\n", call.line).into_bytes(), call.body].concat();
    let file = house.dir().join("captured.txt");
    std::fs::write(&file, &captured).unwrap();
    let path = file.to_str().unwrap();
    assert!(done(&house, &["webhooks", "verify", path]).contains("the signature is right: desk was called with this"));
    std::fs::write(&file, [captured, b"\n".to_vec()].concat()).unwrap();
    let out = house.run(&["webhooks", "verify", path, "--webhook", "desk"]);
    assert!(out.status.code() == Some(1) && text(&out).contains("a line end was added behind it"), "{}", text(&out));
}

#[test]
fn no_secret_is_in_logs_pages_lists_numbers_errors_or_the_environment() {
    let (origin, good, bad) = (Origin::start(), Receiver::start(&[SECRET]), Receiver::start(&[SECRET]));
    bad.script([Answer::status(500), Answer::Lost, Answer::status(302), Answer::status(410)]);
    serve(&origin, &["Peace one"]);
    let house = Installation::new("");
    let folder = house.dir().join("credentials");
    std::fs::create_dir(&folder).unwrap();
    let url = good.url("/services/hunter2-path");
    for (name, secret) in [("key", SECRET_TEXT), ("bearer", "Bearer hunter2-header"), ("url", url.as_str())] {
        std::fs::write(folder.join(name), secret).unwrap();
    }
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
    let hook = |name: &str, url: String, more: &str| {
        format!(
            "[[webhook]]\nname = \"{name}\"\nurl = \"{url}\"\nsecret = {{ credential = \"key\" }}\nheaders = {{ Authorization = \
             {{ credential = \"bearer\" }} }}\nallow_networks = [\"127.0.0.0/8\"]\nretry = [\"1s\", \"1s\", \"1s\", \"1s\"]\n{more}"
        )
    };
    let at = |receiver: &Receiver, path: &str| receiver.url(path).to_string();
    house.configure(&format!(
        "{PATIENT}{}{}{}{}{}{}[log]\nlevel = \"trace\"\n",
        feed(&origin),
        calls("peace", "\"good\", \"bad\", \"chat\", \"proxied\""),
        hook("good", at(&good, "/ok?token=hunter2-query"), ""),
        hook("bad", at(&bad, "/ok?token=hunter2-query"), ""),
        hook("chat", at(&good, "/services/hunter2-path"), "format = \"slack\"\n")
            .replace(&format!("\"{}\"", at(&good, "/services/hunter2-path")), "{ credential = \"url\" }"),
        hook("proxied", "http://h.test/".to_owned(), "proxy = \"http://ann:hunter2-proxy@127.0.0.1:1\"\n"),
    ));
    let environment = [("CREDENTIALS_DIRECTORY", folder.to_str().unwrap())];
    let daemon = house.start_in(&environment);
    daemon.until("all have happened", |d| {
        status(d, "bad")["state"] == "disabled" && status(d, "proxied")["state"] == "slowed" && good.calls().len() == 2
    });
    assert!(good.calls().iter().all(|call| call.headers["authorization"] == "Bearer hunter2-header"));
    let mut seen = vec![daemon.log()];
    for path in
        ["/", "/status", "/feeds", "/metrics", "/api/v1/webhooks", "/api/v1/deliveries", "/all.json", "/watch.atom"]
    {
        seen.push(daemon.get(path).text());
    }
    for delivery in daemon.json("/api/v1/deliveries")["deliveries"].as_array().unwrap() {
        seen.push(daemon.json(&format!("/api/v1/deliveries/{}", delivery["id"].as_str().unwrap())).to_string());
        seen.push(daemon.json(&format!("/item/{}", 1).replace("/item/", "/api/v1/items/")).to_string());
    }
    for args in
        [&["webhooks"][..], &["webhooks", "test", "good"], &["webhooks", "test", "proxied"], &["doctor"], &["check"]]
    {
        seen.push(text(&house.run(args)));
    }
    seen.push(String::from_utf8_lossy(&std::fs::read(format!("/proc/{}/environ", daemon.id())).unwrap()).into_owned());
    let key = SECRET_TEXT.trim_start_matches("whsec_");
    let signatures: Vec<String> = good
        .calls()
        .iter()
        .chain(&bad.calls())
        .map(|call| call.headers["webhook-signature"].to_str().unwrap().to_owned())
        .collect();
    for text in &seen {
        for secret in ["hunter2", key, "main-job-main-job"] {
            assert!(!text.contains(secret), "{secret} in\n{text}");
        }
        assert!(signatures.iter().all(|signature| !text.contains(signature)), "a signature in\n{text}");
    }
    assert!(seen.len() > 15 && seen[0].contains("webhook.name"), "{}", seen[0]);
}
