//! The first hour of a newcomer on a bare machine, without a service manager, as `docs/first-hour.md` goes.

use crate::support::daemon::{Installation, rss, story};
use crate::support::origin::{Origin, Reply};
use crate::support::receiver::Receiver;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn from_nothing_to_a_stream_a_webhook_a_broken_feed_and_a_backup_that_is_restored() {
    let (origin, receiver) = (Origin::start(), Receiver::start(&[b"crash-crash-crash-crash-crash-32"]));
    for site in ["rust", "lwn", "bbc"] {
        let head = format!("<link rel=\"alternate\" type=\"application/rss+xml\" href=\"/{site}/feed.xml\">");
        let page = format!("<!doctype html><html><head><title>{site}</title>{head}</head><body>Hello</body></html>");
        origin.route(&format!("/{site}/"), Reply::ok(page).header("Content-Type", "text/html"));
        let stories = [
            story(&format!("Europe and {site}"), &format!("https://{site}.example/1"), "1"),
            story(&format!("Else of {site}"), &format!("https://{site}.example/2"), "2"),
        ];
        origin.route(&format!("/{site}/feed.xml"), Reply::ok(rss(&stories)));
    }
    let house = Installation::new("");
    let run = |args: &[&str], status: i32| {
        let out = house.run(args);
        assert_eq!(out.status.code(), Some(status), "{args:?}: {}{}", text(&out.stdout), text(&out.stderr));
        text(&out.stdout) + &text(&out.stderr)
    };
    std::fs::remove_file(house.config()).unwrap();
    run(&["init", "--empty"], 0);
    let starter = std::fs::read_to_string(house.config()).unwrap();
    let ours = |text: &str| {
        text.replace("127.0.0.1:7878", &house.address.to_string())
            .replace("\nallow_networks = []", "\nallow_networks = [\"127.0.0.0/8\"]")
    };
    std::fs::write(house.config(), ours(&starter)).unwrap();
    let added = run(&["add", &origin.url("/rust/"), &origin.url("/lwn/"), &origin.url("/bbc/")], 0);
    assert!(added.contains("feeds.d/added.toml") && added.contains("takes effect at the next start"), "{added}");
    assert!(run(&["check"], 0).contains("with 1 included file is good: 3 feeds"));
    let daemon = house.start();
    run(&["poll"], 0);
    daemon.until("all is merged", |d| d.json("/all.json")["items"].as_array().unwrap().len() == 6);

    assert!(run(&["match", "europe*", "--since", "400d"], 0).contains("Europe and lwn"));
    let more = format!(
        "\n[[webhook]]\nname = \"desk\"\nurl = \"{}\"\nsecret = {{ file = \"desk\" }}\nallow_networks = [\"127.0.0.0/8\"]\n\
         [[stream]]\nname = \"europe\"\nmatch = 'europe*'\nnotify = [\"desk\"]\n",
        receiver.url("/")
    );
    std::fs::write(house.dir().join("desk"), "whsec_Y3Jhc2gtY3Jhc2gtY3Jhc2gtY3Jhc2gtY3Jhc2gtMzI=").unwrap();
    std::fs::write(house.config(), ours(&starter) + &more).unwrap();
    let refused = run(&["reload"], 1);
    assert!(refused.contains("everyone on this machine may read it"), "{refused}");
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(house.dir().join("desk"), std::fs::Permissions::from_mode(0o600)).unwrap();
    run(&["reload"], 0);
    daemon.until("the stream is filled", |d| d.get("/europe.json").text().matches("Europe and").count() >= 3);
    run(&["webhooks", "test", "desk"], 0);
    assert_eq!(receiver.calls().last().unwrap().accepted, [true]);

    let list = house.dir().join("feeds.d/added.toml");
    let good = std::fs::read_to_string(&list).unwrap();
    std::fs::write(&list, good.replace("/rust/feed.xml", "/rust/wrong.xml")).unwrap();
    let wrong = run(&["reload"], 0);
    assert!(wrong.contains("3 feeds"), "{wrong}");
    let feeds: serde_json::Value = serde_json::from_slice(&house.run(&["feeds", "--json"]).stdout).unwrap();
    let broken =
        feeds["feeds"].as_array().unwrap().iter().find(|f| f["url"].as_str().unwrap().contains("wrong")).unwrap();
    let name = broken["name"].as_str().unwrap();
    assert!(run(&["poll", name], 1).contains("404") && run(&["feeds", name], 0).contains("404"));
    std::fs::write(&list, good.clone() + "urll = 1\n").unwrap();
    let said = run(&["reload"], 1);
    assert!(said.contains("feeds.d/added.toml:") && said.contains("did you mean `url`"), "{said}");
    std::fs::write(&list, good).unwrap();
    run(&["reload"], 0);

    run(&["backup", "copy.db"], 0);
    run(&["restore", "copy.db"], 75);
    assert_eq!(daemon.stop(), Some(0));
    run(&["restore", "copy.db"], 0);
    let daemon = house.start();
    assert_eq!(daemon.json("/all.json")["items"].as_array().unwrap().len(), 6);
    assert!(!run(&["doctor", "--offline"], 0).contains("PROBLEM"));
    assert_eq!(daemon.stop(), Some(0));
}
