//! Guids that are not what they should be.

use super::language::{Sequence, e, each, many, rss, together, want};

pub(super) fn table() -> Vec<Sequence> {
    let mut table = reused();
    table.extend(shared());
    table.extend(among_feeds());
    table
}

/// One guid for one story after the other.
fn reused() -> Vec<Sequence> {
    let latest = |title: &str, day| e(title).guid("latest").on(day);
    let headline = |title: &str, day| e(title).guid("x").on(day).no_text();
    let counted = |stem: &str, day: i64| -> Vec<_> {
        (1..=5).rev().map(|n| e(&format!("{stem} {n}")).guid(&n.to_string()).on(day + n)).collect()
    };
    vec![
        Sequence::new("the guid `latest` for one story after the other: each is new")
            .load([latest("Alpha", 1)], want(1, 1, 0))
            .load([latest("Beta", 2)], want(2, 2, 0).titles(["Alpha", "Beta"]))
            .load([latest("Gamma", 3)], want(3, 3, 0).titles(["Alpha", "Beta", "Gamma"]))
            .load([latest("Gamma", 3).text("more")], want(3, 3, 1).revision("Gamma", 2).revision("Alpha", 1)),
        // Design: the pair is marked untrusted; another link is another story from then on, whatever its title.
        Sequence::new("the guid `latest`, once found out, tells apart stories of one title")
            .load([latest("Alpha", 1)], want(1, 1, 0))
            .load([latest("Weekly news", 8)], want(2, 2, 0))
            .load([latest("Weekly news", 15).link("{h}/weekly-2").text("second")], want(3, 3, 0)),
        // No text is no evidence of the same text: precision first.
        Sequence::new("the guid `latest` for headlines without a text: each is new")
            .load([latest("Alpha", 1).no_text()], want(1, 1, 0))
            .load([latest("Beta", 2).no_text()], want(2, 2, 0).titles(["Alpha", "Beta"])),
        Sequence::new("a guid that was not unique in one load is not trusted in a later one")
            .load([headline("Beta", 2), headline("Alpha", 1)], want(2, 2, 0))
            .load([headline("Gamma", 3)], want(3, 3, 0))
            .load([headline("Delta", 4)], want(4, 4, 0).titles(["Alpha", "Beta", "Delta", "Gamma"])),
        Sequence::new("a counter that begins again tells of new stories")
            .load(counted("Old", 1), want(5, 5, 0))
            .load(counted("New", 20), want(10, 10, 0))
            .load(together([counted("New", 20), counted("Old", 1)]), want(10, 10, 0)),
        Sequence::new("guids that are positions in the document: a new story on top moves them all")
            .load([e("Beta").guid("1").on(2), e("Alpha").guid("2").on(1)], want(2, 2, 0).titles(["Alpha", "Beta"]))
            .load(
                [e("Gamma").guid("1").on(3), e("Beta").guid("2").on(2), e("Alpha").guid("3").on(1)],
                want(3, 3, 0).titles(["Alpha", "Beta", "Gamma"]),
            )
            .load(
                [e("Delta").guid("1").on(4), e("Gamma").guid("2").on(3), e("Beta").guid("3").on(2)],
                want(4, 4, 0).titles(["Alpha", "Beta", "Delta", "Gamma"]),
            ),
        Sequence::new("a page that is rewritten under one guid and one link is edited")
            .load([latest("Monday", 1).link("{h}/live")], want(1, 1, 0))
            .load([latest("Tuesday", 2).link("{h}/live")], want(1, 1, 1).same("Tuesday", "Monday")),
    ]
}

/// One guid for several entries of one load.
fn shared() -> Vec<Sequence> {
    let of_one = |entries| each(entries, |entry| entry.guid("one"));
    let of_one_and_one_link = |entries| each(entries, |entry| entry.guid("one").link("{h}/page"));
    let made_up = |count, load: &str| each(many("Story", count, 1), |entry| entry.moved("g-story-", load));
    vec![
        Sequence::new("one guid for all entries, each with its link: each is a story")
            .load(of_one(many("Story", 4, 1)), want(4, 4, 0))
            .load(of_one(many("Story", 5, 1)), want(5, 5, 0))
            .load(
                of_one(together([vec![e("Story 6").on(6)], each(many("Story", 5, 1), |entry| entry.text("edited"))])),
                want(6, 6, 5).revision("Story 2", 2).revision("Story 6", 1),
            ),
        Sequence::new("one guid for all entries, then a load of just one: a new story")
            .load(of_one(many("Story", 4, 1)), want(4, 4, 0))
            .load(of_one(vec![e("Story 5").on(5)]), want(5, 5, 0))
            .load(of_one(vec![e("Story 5").on(6).link("{h}/other").text("other")]), want(6, 6, 0)),
        Sequence::new("one guid and one link for all entries: each title is a story")
            .load(of_one_and_one_link(many("Story", 4, 1)), want(4, 4, 0))
            .load(of_one_and_one_link(many("Story", 5, 1)), want(5, 5, 0))
            .load(of_one_and_one_link(many("Story", 5, 1)), want(5, 5, 0)),
        Sequence::new("one guid and one link for all entries, found out in the second load: no story twice")
            .load(of_one_and_one_link(many("Story", 1, 1)), want(1, 1, 0))
            .load(of_one_and_one_link(many("Story", 4, 1)), want(4, 4, 0))
            .load(of_one_and_one_link(vec![e("Story 5").on(5)]), want(5, 5, 0)),
        Sequence::new("guids that are made up at every load say nothing, and edits and new stories are seen")
            .load(made_up(6, "a"), want(6, 6, 0))
            .load(made_up(6, "b"), want(6, 6, 0))
            .load(made_up(6, "c"), want(6, 6, 0))
            .load(made_up(7, "d"), want(7, 7, 0))
            .load(
                together([vec![e("Story 7").guid("e7").on(7).text("edited")], made_up(6, "e")]),
                want(7, 7, 1).revision("Story 7", 2),
            ),
        Sequence::new("an empty guid is none")
            .load(each(many("Story", 3, 1), |entry| entry.guid("")), want(3, 3, 0))
            .load(each(many("Story", 4, 1), |entry| entry.guid("")), want(4, 4, 0)),
        Sequence::new("guids without a link that differ in case alone are two stories")
            .load([e("Alpha").guid("a-X").no_link(), e("Beta").guid("a-x").no_link()], want(2, 2, 0)),
        Sequence::new("guids that are URLs and differ in the scheme alone, with two links, are two stories").load(
            [
                e("Alpha").guid("http://s{n}.example/?p=1").link("{h}/1"),
                e("Beta").guid("https://s{n}.example/?p=1").link("{h}/2"),
            ],
            want(2, 2, 0),
        ),
        Sequence::new("a guid that is the link of another entry, which has no guid, takes nothing from it")
            .load([e("Alpha").guid("{h}/beta"), e("Beta").no_guid()], want(2, 2, 0).titles(["Alpha", "Beta"]))
            .load([e("Alpha").guid("{h}/beta"), e("Beta").no_guid()], want(2, 2, 0)),
        Sequence::new("a guid that looks like a key of ours takes nothing from the entry that has it")
            .load([e("Alpha").guid("guid:g-beta").no_link(), e("Beta").no_link()], want(2, 2, 0)),
        Sequence::new("a guid that is the home page for all entries, each with its link: each is a story")
            .load(each(many("Story", 4, 1), |entry| entry.permalink("{h}/")), want(4, 4, 0))
            .load(each(many("Story", 5, 1), |entry| entry.permalink("{h}/")), want(5, 5, 0)),
    ]
}

/// A guid is its feed's alone.
fn among_feeds() -> Vec<Sequence> {
    vec![
        Sequence::new("one guid in two feeds with two links is two stories").load(
            [("a", rss([e("Alpha").guid("7")])), ("b", rss([e("Beta").guid("7")]))],
            want(2, 2, 0).seen_in("Alpha", ["a"]).seen_in("Beta", ["b"]),
        ),
        Sequence::new("the guid 1 in two feeds without links is two stories").load(
            [("a", rss([e("Alpha").guid("1").no_link()])), ("b", rss([e("Beta").guid("1").no_link()]))],
            want(2, 2, 0).titles(["Alpha", "Beta"]),
        ),
        Sequence::new("the same title and text in two feeds without links are two stories").load(
            [("a", rss([e("Alpha").no_guid().no_link()])), ("b", rss([e("Alpha").no_guid().no_link()]))],
            want(2, 2, 0),
        ),
        Sequence::new("the same urn in two feeds without links is two stories with two ids").load(
            [
                ("a", rss([e("Alpha").guid("urn:story:{n}").no_link()])),
                ("b", rss([e("Alpha").guid("urn:story:{n}").no_link()])),
            ],
            want(2, 2, 0),
        ),
    ]
}
