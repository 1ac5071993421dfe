//! What the command line looks like: every page of help, and every listing, as it is printed.

use crate::support::daemon::{Installation, rss, story};
use crate::support::origin::{Origin, Reply};

fn printed(house: &Installation, args: &[&str]) -> String {
    let out = house.run(args);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(!text.contains('\u{1b}'), "{args:?}: colours in a pipe");
    assert!(out.status.success(), "{args:?}: {text}{}", String::from_utf8_lossy(&out.stderr));
    text
}

/// The names of commands on a page of help.
fn commands(page: &str) -> Vec<String> {
    let list = page.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    list.filter_map(|line| line.strip_prefix("  ")?.split(' ').next().filter(|name| !name.is_empty()))
        .map(ToOwned::to_owned)
        .collect()
}

#[test]
fn every_page_of_help() {
    let house = Installation::new("");
    let mut pages = String::new();
    let mut left: Vec<Vec<String>> = vec![vec![]];
    while let Some(path) = left.pop() {
        let mut args: Vec<&str> = path.iter().map(String::as_str).collect();
        args.push("--help");
        let page = printed(&house, &args);
        for command in commands(&page).into_iter().rev() {
            left.push(path.iter().cloned().chain([command]).collect());
        }
        pages.push_str(&format!("$ feedmill {}\n{page}\n", args.join(" ")));
    }
    assert!(pages.matches("$ feedmill").count() > 25, "{pages}");
    insta::assert_snapshot!("help", pages);
}

/// With what differs from run to run taken out; columns keep their width.
fn steady(text: &str, origin: &Origin) -> String {
    let host = origin.url("/");
    let host = host.trim_start_matches("http://").trim_end_matches('/');
    let text = text.replace(host, &format!("{:<1$}", "ORIGIN", host.len()).replace(' ', "_"));
    let times = regex::Regex::new(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\dZ?").unwrap();
    let text = times.replace_all(&text, |found: &regex::Captures<'_>| "T".repeat(found[0].len()));
    let text = regex::Regex::new(r" *\b\d+ ms *").unwrap().replace_all(&text, "  N ms  ").into_owned();
    let text = regex::Regex::new(r"took {2,}").unwrap().replace_all(&text, "took  ").into_owned();
    let text = regex::Regex::new(r"your schedule \(.*\)").unwrap().replace_all(&text, "your schedule (…)").into_owned();
    let text = regex::Regex::new(r"tag:feedmill\S+").unwrap().replace_all(&text, "TAG").into_owned();
    text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

#[test]
fn every_listing() {
    let origin = Origin::start();
    let items = [
        story("Peace talks go on", "https://n.example/peace", "1"),
        story("Nothing in particular", "https://n.example/nothing", "2"),
    ];
    origin.route("/f", Reply::ok(rss(&items)));
    origin.route("/gone", Reply::status(404));
    let house = Installation::new(&format!(
        "schedule = \"0 3 1 1 *\"\nspread = false\n[[feed]]\nname = \"press\"\nurl = \"{}\"\ntags = [\"de\"]\n[[feed]]\nname = \"lost\"\nurl = \"{}\"\n\
         [[stream]]\nname = \"peace\"\nmatch = 'peace'\nnotify = [\"desk\"]\n[[webhook]]\nname = \"desk\"\n\
         url = \"https://hook.example/x\"\nsecret = \"whsec_Y3Jhc2gtY3Jhc2gtY3Jhc2gtY3Jhc2gtY3Jhc2gtMzI=\"\n",
        origin.url("/f"),
        origin.url("/gone")
    ));
    let mut pages = String::new();
    for args in [
        &["poll"][..],
        &["feeds"],
        &["items"],
        &["items", "peace"],
        &["items", "merges"],
        &["search", "peace"],
        &["webhooks"],
        &["explain", "https://n.example/peace"],
    ] {
        pages.push_str(&format!("$ feedmill {}\n{}\n", args.join(" "), steady(&printed(&house, args), &origin)));
    }
    insta::assert_snapshot!("listings", pages);
}
