//! Several stories under one link, and stories without any.

use super::language::{E, Sequence, e, each, many, rss, together, want};

pub(super) fn table() -> Vec<Sequence> {
    let mut table = home();
    table.extend(link_blogs());
    table.extend(without());
    table.extend(alike());
    table
}

/// Everything links to the site's own page, or to some front page.
fn home() -> Vec<Sequence> {
    let at_home = |entry: E| entry.link("{h}/");
    let nameless = |entry: E| entry.no_guid().link("{h}/");
    let show = |title: &str, day| e(title).link("{h}/show").enclosure(&format!("{{h}}/{title}.mp3")).on(day);
    vec![
        Sequence::new("entries that all link to the home page are stories by their guids")
            .load(each(many("Story", 5, 1), at_home), want(5, 5, 0))
            .load(each(many("Story", 6, 1), at_home), want(6, 6, 0).link("Story 6", "{h}/")),
        Sequence::new("one entry a load that links to the home page is a story each time")
            .load([at_home(e("Alpha"))], want(1, 1, 0))
            .load([at_home(e("Beta"))], want(2, 2, 0))
            .load([at_home(e("Gamma"))], want(3, 3, 0)),
        Sequence::new("entries that all link to the home page, without guids, are stories by title, date and text")
            .load(each(many("Story", 5, 1), nameless), want(5, 5, 0))
            .load(each(many("Story", 6, 1), nameless), want(6, 6, 0))
            .load([nameless(e("Story 7").on(7))], want(7, 7, 0)),
        Sequence::new("one title each day, all linking to the home page, without guid and text, is a story a day")
            .load([e("Daily").no_guid().no_text().link("{h}/").on(1)], want(1, 1, 0))
            .load(
                (1..=4).rev().map(|day| e("Daily").no_guid().no_text().link("{h}/").on(day)).collect::<Vec<_>>(),
                want(4, 4, 0),
            ),
        Sequence::new("two entries that link to the front page of another site are two stories")
            .load([e("Alpha").link("{x}/"), e("Beta").link("{x}/")], want(2, 2, 0))
            .load([e("Gamma").link("{x}/").on(2)], want(3, 3, 0)),
        Sequence::new("a podcast whose episodes all link to the show's page, which is its home, one a week")
            .load(rss([show("One", 1)]).home("{h}/show"), want(1, 1, 0))
            .load(rss([show("Two", 8), show("One", 1)]).home("{h}/show"), want(2, 2, 0))
            .load(rss([show("Three", 15), show("Two", 8), show("One", 1)]).home("{h}/show"), want(3, 3, 0))
            .load(rss([show("Four", 22)]).home("{h}/show"), want(4, 4, 0)),
        Sequence::new("a podcast of twelve episodes that link to one page, and then one more alone")
            .load(each(many("Episode", 12, 1), |entry| entry.link("{x}/show")), want(12, 12, 0))
            .load([e("Episode 13").link("{x}/show").on(13)], want(13, 13, 0)),
    ]
}

/// A page that several entries point to is no entry's own.
fn link_blogs() -> Vec<Sequence> {
    let blog = |count| each(many("Note", count, 1), |entry| entry.link("{x}/report"));
    vec![
        Sequence::new("a link blog: four entries about one page are four stories, and a fifth later")
            .load(blog(4), want(4, 4, 0).link("Note 1", "{x}/report"))
            .load(blog(5), want(5, 5, 0))
            .load(blog(5), want(5, 5, 0)),
        Sequence::new("a link blog: what was learnt of a page in one load holds when a later one has one entry of it")
            .load(blog(4), want(4, 4, 0))
            .load([e("Note 5").link("{x}/report").on(5), e("Other").on(4)], want(6, 6, 0))
            .load([e("Note 6").link("{x}/report").on(6)], want(7, 7, 0)),
        Sequence::new("a link blog's known entry, alone in a later load, is edited and not lost")
            .load(blog(4), want(4, 4, 0))
            .load([e("Note 4").link("{x}/report").on(4).text("more")], want(4, 4, 1).revision("Note 4", 2)),
        Sequence::new("the page that a link blog is about is a story of its own in its publisher's feed")
            .load(rss(blog(4)), want(4, 4, 0))
            .load(
                [("b", rss([e("Report").link("{x}/report")]).home("{x}/"))],
                want(5, 5, 0).seen_in("Report", ["b"]).seen_in("Note 1", ["a"]),
            )
            .load(blog(5), want(6, 6, 0).seen_in("Report", ["b"])),
        Sequence::new("a link blog about a page that is stored merges nothing into it")
            .load([("b", rss([e("Report").link("{x}/report")]).home("{x}/"))], want(1, 1, 0))
            .load(blog(4), want(5, 5, 0).seen_in("Report", ["b"]))
            .load(blog(5), want(6, 6, 0).seen_in("Report", ["b"])),
        Sequence::new("two link blogs about one page keep their stories apart")
            .load([("a", rss(blog(4))), ("b", rss(blog(4)))], want(8, 8, 0)),
        // Before the page is known for a hub, its first entry stands for it; that story must not become the others.
        Sequence::new("a link blog whose page is found out only in the second load")
            .load([e("Note 1").link("{x}/report").on(1)], want(1, 1, 0))
            .load(blog(5), want(5, 5, 0).titles(["Note 1", "Note 2", "Note 3", "Note 4", "Note 5"]))
            .load([e("Note 6").link("{x}/report").on(6)], want(6, 6, 0)),
        Sequence::new("comments on one page, told apart by the fragment, are a story each")
            .load(
                (1..=5)
                    .map(|n| e(&format!("Re {n}")).no_guid().link(&format!("{{h}}/thread#comment-{n}")))
                    .collect::<Vec<_>>(),
                want(5, 5, 0),
            )
            .load([e("Re 6").no_guid().link("{h}/thread#comment-6")], want(6, 6, 0)),
        Sequence::new("comments with one title on one page, told apart by the fragment, are a story each").load(
            (1..=3)
                .map(|n| e("Re").guid(&format!("c{n}")).text(&format!("c{n}")).link(&format!("{{h}}/t#comment-{n}")))
                .collect::<Vec<_>>(),
            want(3, 3, 0),
        ),
        Sequence::new("releases on one page, told apart by the fragment, are a story each")
            .load([e("1.0").no_guid().link("{h}/changes#v1.0")], want(1, 1, 0))
            .load([e("1.1").no_guid().link("{h}/changes#v1.1").on(2)], want(2, 2, 0)),
    ]
}

/// Neither guid nor link, or a link that says nothing.
fn without() -> Vec<Sequence> {
    let bare = |entry: E| entry.no_guid().no_link();
    let paged = |entry: E| entry.no_guid().link("{h}/news");
    vec![
        Sequence::new("entries without guid and link are stories by title, date and text")
            .load(each(many("Story", 3, 1), bare), want(3, 3, 0).no_link("Story 1"))
            .load(each(many("Story", 3, 1), bare), want(3, 3, 0))
            .load(each(many("Story", 4, 1), bare), want(4, 4, 0)),
        Sequence::new("entries without guid, link and date are stories by title and text")
            .load(each(many("Story", 3, 1), |entry| bare(entry).no_date()), want(3, 3, 0))
            .load(each(many("Story", 4, 1), |entry| bare(entry).no_date()), want(4, 4, 0)),
        // "normalised title … of text": white space is no new story.
        Sequence::new("an entry without guid and link whose white space changes is the same story")
            .load([bare(e("Alpha one")).html("<p>It is open. It is late.</p>")], want(1, 1, 0))
            .load([bare(e("Alpha  one")).html("<p>It  is open.\nIt is late.</p>")], want(1, 1, 0)),
        Sequence::new("entries of one page without guids are stories by title and date")
            .load(each(many("Story", 4, 1), paged), want(4, 4, 0))
            .load(each(many("Story", 4, 1), paged), want(4, 4, 0))
            .load(each(many("Story", 5, 1), paged), want(5, 5, 0))
            .load([paged(e("Story 6").on(6))], want(6, 6, 0)),
        Sequence::new("a page of entries without guids that is found out in the second load: no story twice")
            .load([paged(e("Story 1"))], want(1, 1, 0))
            .load(each(many("Story", 4, 1), paged), want(4, 4, 0))
            .load([paged(e("Story 5").on(5))], want(5, 5, 0)),
        Sequence::new("two entries with the same title on the same day and different texts are two stories")
            .load([bare(e("Alpha")).text("one"), bare(e("Alpha")).text("two")], want(2, 2, 0))
            .load([bare(e("Alpha")).text("one"), bare(e("Alpha")).text("two")], want(2, 2, 0)),
        // A guid of its own could be a second posting of one story; without any, one of the two would be lost.
        Sequence::new("two headlines without guids under one link are two stories")
            .load([paged(e("Alpha")).no_text(), paged(e("Beta")).no_text()], want(2, 2, 0).titles(["Alpha", "Beta"]))
            .load([paged(e("Alpha")).no_text(), paged(e("Beta")).no_text()], want(2, 2, 0)),
        Sequence::new("two posts without titles and guids under one link are two stories")
            .load([paged(e("Alpha")).no_title(), paged(e("Beta")).no_title()], want(2, 2, 0))
            .load([paged(e("Alpha")).no_title(), paged(e("Beta")).no_title()], want(2, 2, 0)),
        Sequence::new("an entry without guid and link that stands twice in a document is one story")
            .load([bare(e("Alpha")), bare(e("Beta")), bare(e("Alpha"))], want(2, 2, 0)),
    ]
}

/// Alike, and yet not the same.
fn alike() -> Vec<Sequence> {
    let thread = |n: i64| {
        e("Open thread")
            .html("Talk about anything.")
            .guid(&format!("t{n}"))
            .link(&format!("{{h}}/thread-{n}"))
            .on(n * 7)
    };
    let long = |n: i64| thread(n).text("the same sixty words each week");
    let weeks = |from: i64, to: i64, of: fn(i64) -> E| (from..=to).rev().map(of).collect::<Vec<_>>();
    fn daily(n: i64) -> E {
        e("Open thread").text("same words").guid(&format!("d{n}")).link(&format!("{{h}}/day-{n}")).on(n)
    }
    vec![
        Sequence::new("a weekly open thread, title and text the same, is a new story each week")
            .load([thread(1)], want(1, 1, 0))
            .load([thread(2), thread(1)], want(2, 2, 0))
            .load([thread(3)], want(3, 3, 0)),
        Sequence::new("a weekly open thread with a long text, alone in the feed, is a new story each week")
            .load([long(1)], want(1, 1, 0))
            .load([long(2)], want(2, 2, 0))
            .load([long(3)], want(3, 3, 0)),
        // Reader's guard: groups that are too large are no evidence.
        Sequence::new("a feed of nothing but open threads, all of them others after a pause, is all new")
            .load(weeks(1, 6, daily), want(6, 6, 0))
            .load(weeks(7, 12, daily), want(12, 12, 0)),
        Sequence::new("two stories with one title and two links are two stories")
            .load(
                [e("Alpha").guid("1").link("{h}/1").text("one"), e("Alpha").guid("2").link("{h}/2").text("two")],
                want(2, 2, 0),
            )
            .load(
                [e("Alpha").guid("1").link("{h}/1").text("one"), e("Alpha").guid("2").link("{h}/2").text("two")],
                want(2, 2, 0),
            ),
        // Two advertisements of one kind of job, two dates of one course: the publisher lists both.
        Sequence::new("two stories with one title, one text and two links in one load are two stories")
            .load([e("Alpha").guid("1").link("{h}/1"), e("Alpha").guid("2").link("{h}/2")], want(2, 2, 0)),
        Sequence::new("a second story with the title, date and text of a stored one that is still there is a story")
            .load([e("Alpha")], want(1, 1, 0))
            .load([e("Alpha").guid("2").link("{h}/2"), e("Alpha")], want(2, 2, 0)),
        Sequence::new("a round-up that has the title of the last one and another text is a new story")
            .load([e("Round-up").on(1)], want(1, 1, 0))
            .load([e("Round-up").guid("2").link("{h}/2").on(1).text("others")], want(2, 2, 0)),
        Sequence::new("links that differ in a number or in case are stories of their own").load(
            together([
                (1..=3).map(|n| e(&format!("No {n}")).no_guid().link(&format!("{{h}}/s?id={n}"))).collect(),
                vec![e("Upper").no_guid().link("{h}/Abc"), e("Lower").no_guid().link("{h}/abc")],
            ]),
            want(5, 5, 0),
        ),
    ]
}
