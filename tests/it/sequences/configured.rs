//! `[feed.identity]`: what the operator says about a feed.

use super::language::{E, Sequence, e, each, many, rss, want};

pub(super) fn table() -> Vec<Sequence> {
    let mut table = ids();
    table.extend(dedupes());
    table.extend(names());
    table
}

fn identity(line: &str) -> String {
    format!("[feed.identity]\n{line}")
}

/// `id`: what stands for an entry.
fn ids() -> Vec<Sequence> {
    let (guid, link, content) = (identity("id = \"guid\""), identity("id = \"link\""), identity("id = \"content\""));
    let note = |n: &str| e("Daily note").guid("x").link(&format!("{{h}}/note-{n}")).text(n);
    let fresh = |n: &str| e("Alpha").guid(&format!("r{n}")).link(&format!("{{h}}/r?{n}"));
    vec![
        Sequence::new("id = guid: two guids under one link are two stories")
            .feed("a", &guid)
            .load([e("Alpha").link("{h}/page"), e("Beta").link("{h}/page")], want(2, 2, 0))
            .load([e("Gamma").link("{h}/page")], want(3, 3, 0)),
        Sequence::new("id = guid: one guid is one story, wherever its link goes and whatever it says")
            .feed("a", &guid)
            .load([e("Alpha")], want(1, 1, 0))
            .load([e("Omega").guid("g-alpha")], want(1, 1, 1).same("Omega", "Alpha").link("Omega", "{h}/omega")),
        Sequence::new("id = link: one guid for all means nothing, even where only link and text are others")
            .feed("a", &link)
            .load([note("1")], want(1, 1, 0))
            .load([note("2").on(2)], want(2, 2, 0))
            .load([note("2").on(2)], want(2, 2, 0)),
        Sequence::new("id = link: two guids under one link are one story")
            .feed("a", &link)
            .load([e("Alpha")], want(1, 1, 0))
            .load([e("Alpha").guid("2")], want(1, 1, 0))
            .load([e("Alpha").guid("3").text("more")], want(1, 1, 1)),
        Sequence::new("id = link: the story is the same in another feed")
            .feed("a", &link)
            .load([("a", rss([e("Alpha")])), ("b", rss([e("Alpha")]))], want(1, 1, 0).seen_in("Alpha", ["a", "b"])),
        Sequence::new("id = content: guid and link that change at every load are no new story")
            .feed("a", &content)
            .load([fresh("1")], want(1, 1, 0))
            .load([fresh("2")], want(1, 1, 0))
            .load([fresh("3")], want(1, 1, 0)),
        Sequence::new("id = content: other titles and texts under one guid and one link are other stories")
            .feed("a", &content)
            .load([e("Alpha").guid("x").link("{h}/x")], want(1, 1, 0))
            .load([e("Beta").guid("x").link("{h}/x").on(2)], want(2, 2, 0).titles(["Alpha", "Beta"])),
    ]
}

/// `dedupe`: how far a story reaches.
fn dedupes() -> Vec<Sequence> {
    let (own, off) = (identity("dedupe = \"feed\""), identity("dedupe = \"off\""));
    let twice = || [e("Alpha").guid("1"), e("Alpha").guid("2").link("{h}/alpha?utm_source=2")];
    vec![
        Sequence::new("dedupe = feed: the same story in another feed is a story of its own")
            .feed("b", &own)
            .load([e("Alpha")], want(1, 1, 0))
            .load([("b", rss([e("Alpha")]))], want(2, 2, 0)),
        Sequence::new("dedupe = feed: no other feed joins its stories either")
            .feed("a", &own)
            .load([e("Alpha")], want(1, 1, 0))
            .load([("b", rss([e("Alpha")]))], want(2, 2, 0)),
        Sequence::new("dedupe = feed: within the feed a story twice is one story")
            .feed("a", &own)
            .load(twice(), want(1, 1, 0))
            .load(twice(), want(1, 1, 0)),
        Sequence::new("dedupe = off: two entries under one link are two stories, and a reload tells nothing new")
            .feed("a", &off)
            .load(twice(), want(2, 2, 0))
            .load(twice(), want(2, 2, 0)),
        Sequence::new("dedupe = off: an edit is an edit")
            .feed("a", &off)
            .load([e("Alpha")], want(1, 1, 0))
            .load([e("Alpha").text("more")], want(1, 1, 1)),
        Sequence::new("dedupe = off: the same story in another feed is a story of its own")
            .feed("b", &off)
            .load([("a", rss([e("Alpha")])), ("b", rss([e("Alpha")]))], want(2, 2, 0)),
        Sequence::new("dedupe = global is what there is without it")
            .feed("b", &identity("dedupe = \"global\""))
            .load([("a", rss([e("Alpha")])), ("b", rss([e("Alpha")]))], want(1, 1, 0)),
    ]
}

/// `keep` and `drop`: parameters that do or do not count.
fn names() -> Vec<Sequence> {
    let at = |query: &'static str| move |entry: E| entry.no_guid().link(&format!("{{h}}/p?{query}"));
    vec![
        Sequence::new("drop: a parameter that the operator names tells nothing apart")
            .feed("a", &identity("drop = [\"cb\"]"))
            .load(each(many("Story", 1, 1), at("id=1&cb=77")), want(1, 1, 0))
            .load(each(many("Story", 1, 1), |entry| at("id=1&cb=78")(entry).text("more")), want(1, 1, 1))
            .load(each(many("Other", 1, 2), at("id=2&cb=78")), want(2, 2, 1)),
        Sequence::new("keep: a parameter that the operator names tells stories apart")
            .feed("a", &identity("keep = [\"utm_content\"]"))
            .load([at("utm_content=1")(e("Alpha"))], want(1, 1, 0))
            .load([at("utm_content=2")(e("Beta").on(2))], want(2, 2, 0)),
    ]
}
