//! One story in several feeds.

use super::language::{Document, E, Sequence, atom, e, many, rss, together, want, words};

/// A feed that is not the publisher's.
fn elsewhere(entries: impl IntoIterator<Item = E>) -> Document {
    rss(entries).home("{x}/")
}

pub(super) fn table() -> Vec<Sequence> {
    let mut table = carried();
    table.extend(publishers());
    table.extend(edited());
    table.extend(apart());
    table.extend(imports());
    table
}

fn carried() -> Vec<Sequence> {
    let carried = |link: &str| [("b", rss([e("Alpha").guid("b").link(link)]))];
    let one = || want(1, 1, 0).seen_in("Alpha", ["a", "b"]).main_feed("Alpha", "a");
    vec![
        Sequence::new("a story in two feeds is one story, called once")
            .load([e("Alpha")], want(1, 1, 0))
            .load(carried("{h}/alpha"), one())
            .load(carried("{h}/alpha"), one()),
        Sequence::new("a story that comes in two feeds at once is one story, called once")
            .load([("a", rss([e("Alpha")])), ("b", rss([e("Alpha").guid("b")]))], one()),
        Sequence::new("a story in three feeds by http, www and utm is one story")
            .load([e("Alpha").link("http://s{n}.example/alpha")], want(1, 1, 0))
            .load(
                [
                    ("b", rss([e("Alpha").guid("b").link("https://www.s{n}.example/alpha/")])),
                    ("c", rss([e("Alpha").guid("c").link("{h}/alpha?utm_source=c&utm_medium=rss")])),
                ],
                want(1, 1, 0).seen_in("Alpha", ["a", "b", "c"]),
            ),
        Sequence::new("a story with another text in a second feed is not edited by it")
            .load([e("Alpha")], want(1, 1, 0))
            .load(
                [("b", rss([e("Alpha in short").guid("b").link("{h}/alpha").text("other")]))],
                one().revision("Alpha", 1).says("Alpha", &words("Alpha", 60)),
            ),
        Sequence::new("a story in RSS and in Atom is one story")
            .load([e("Alpha")], want(1, 1, 0))
            .load([("b", atom([e("Alpha").guid("tag:s{n}.example,2026:1").updated(3)]))], one()),
        Sequence::new("a story behind a redirector of a search engine is one story")
            .load([e("Alpha")], want(1, 1, 0))
            .load(carried("https://www.google.com/url?q={h}/alpha&sa=D"), one()),
        Sequence::new("a story with a mark of the page's own on its link is one story")
            .load([e("Alpha")], want(1, 1, 0))
            .load(carried("{h}/alpha#respond"), one()),
        Sequence::new("a story in a third feed that the first one has dropped long ago is one story")
            .load([e("Alpha")], want(1, 1, 0))
            .load([e("Beta").on(2)], want(2, 2, 0))
            .load(carried("{h}/alpha"), want(2, 2, 0).seen_in("Alpha", ["a", "b"])),
        Sequence::new("two feeds of one site with the same ten stories, one with short texts, edit nothing by turns")
            .load(rss(many("Story", 10, 1)), want(10, 10, 0))
            .load(
                [("b", rss(many("Story", 10, 1).into_iter().map(|entry| entry.html("In short."))))],
                want(10, 10, 0).revision("Story 4", 1),
            )
            .load(rss(many("Story", 10, 1)), want(10, 10, 0))
            .load(rss(many("Story", 11, 1)), want(11, 11, 0).revision("Story 4", 1)),
    ]
}

/// The publisher's own feed is preferred for link and text.
fn publishers() -> Vec<Sequence> {
    let noted = || e("Seen at alpha").guid("x1").link("{h}/alpha?utm_source=x").text("noted");
    let own = || [("b", rss([e("Alpha")]))];
    vec![
        Sequence::new("a story that an aggregator had first is shown as its publisher tells it, and not called again")
            .load(elsewhere([noted()]), want(1, 1, 0).main_feed("Seen at alpha", "a"))
            .load(
                own(),
                want(1, 1, 0)
                    .main_feed("Alpha", "b")
                    .same("Alpha", "Seen at alpha")
                    .link("Alpha", "{h}/alpha")
                    .says("Alpha", &words("Alpha", 60))
                    .seen_in("Alpha", ["a", "b"]),
            ),
        Sequence::new("a story that its publisher had first stays as its publisher tells it")
            .load([("b", rss([e("Alpha")]))], want(1, 1, 0))
            .load(elsewhere([noted()]), want(1, 1, 0).main_feed("Alpha", "b").revision("Alpha", 1)),
        Sequence::new("after the publisher took a story over, its edits are edits and the aggregator's are not")
            .load(elsewhere([noted()]), want(1, 1, 0))
            .load(own(), want(1, 1, 0).main_feed("Alpha", "b"))
            .load(elsewhere([noted().text("noted again")]), want(1, 1, 0).says("Alpha", &words("Alpha", 60)))
            .load([("b", rss([e("Alpha").text("more")]))], want(1, 1, 1).says("Alpha", &words("more", 60))),
        Sequence::new("two aggregators: the first one's words stay").load(elsewhere([noted()]), want(1, 1, 0)).load(
            [("b", elsewhere([e("Alpha elsewhere").link("{h}/alpha")]))],
            want(1, 1, 0).main_feed("Seen at alpha", "a").revision("Seen at alpha", 1),
        ),
        Sequence::new("aggregator and publisher at once: the publisher's words, and one call").load(
            [("a", elsewhere([noted()])), ("b", rss([e("Alpha")]))],
            want(1, 1, 0).main_feed("Alpha", "b").seen_in("Alpha", ["a", "b"]),
        ),
    ]
}

fn edited() -> Vec<Sequence> {
    let both = || [("a", rss([e("Alpha")])), ("b", rss([e("Alpha").guid("b")]))];
    vec![
        Sequence::new("an edit in the second feed is none of the story")
            .load(both(), want(1, 1, 0))
            .load([("b", rss([e("Alpha").guid("b").text("more")]))], want(1, 1, 0).revision("Alpha", 1))
            .load([("b", rss([e("Alpha B").guid("b").link("{h}/alpha").text("more")]))], want(1, 1, 0)),
        Sequence::new("an edit in the main feed is one edit")
            .load(both(), want(1, 1, 0))
            .load([e("Alpha").text("more")], want(1, 1, 1).revision("Alpha", 2).says("Alpha", &words("more", 60)))
            .load([("b", rss([e("Alpha").guid("b").text("more")]))], want(1, 1, 1).revision("Alpha", 2)),
        Sequence::new("the same edit in both feeds at once is one edit").load(both(), want(1, 1, 0)).load(
            [("a", rss([e("Alpha").text("more")])), ("b", rss([e("Alpha").guid("b").text("more")]))],
            want(1, 1, 1).revision("Alpha", 2),
        ),
        Sequence::new("the second feed's story becomes another one: the first feed's stays as it is")
            .load([("a", rss([e("Alpha")])), ("b", rss([e("Alpha").guid("latest")]))], want(1, 1, 0))
            .load(
                [("b", rss([e("Beta").guid("latest").on(2)]))],
                want(2, 2, 0).titles(["Alpha", "Beta"]).seen_in("Beta", ["b"]).main_feed("Alpha", "a"),
            ),
        // What only one feed says of the story's address must not part it from the other feed.
        Sequence::new("a slug edit in the second feed is the same story")
            .load(both(), want(1, 1, 0))
            .load([("b", rss([e("Alpha").guid("b").link("{h}/alpha-2")]))], want(1, 1, 0).seen_in("Alpha", ["a", "b"]))
            .load([e("Alpha").link("{h}/alpha-2")], want(1, 1, 0)),
    ]
}

fn apart() -> Vec<Sequence> {
    vec![
        Sequence::new("an agency's story under two links in two feeds is two stories").load(
            [("a", rss([e("Alpha")])), ("b", elsewhere([e("Alpha").guid("b").link("{x}/alpha")]))],
            want(2, 2, 0),
        ),
        Sequence::new("a comment on a story is a story of its own")
            .load([e("Alpha")], want(1, 1, 0))
            .load([("b", rss([e("Re Alpha").link("{h}/alpha#comment-5")]))], want(2, 2, 0)),
        Sequence::new("a second page of a story, and its archive, are stories of their own").load(
            [
                ("a", rss([e("Alpha")])),
                ("b", rss([e("Alpha two").link("{h}/alpha/2")])),
                ("c", rss([e("Alpha kept").link("https://web.archive.org/web/2026/{h}/alpha")])),
            ],
            want(3, 3, 0),
        ),
        Sequence::new("a share button for a story is not the story").load(
            [
                ("a", rss([e("Alpha")])),
                ("b", rss([e("Share").link("https://www.facebook.com/sharer/sharer.php?u={h}/alpha")])),
            ],
            want(2, 2, 0),
        ),
    ]
}

fn imports() -> Vec<Sequence> {
    const QUIET: &str = "first_import = \"quiet\"";
    vec![
        Sequence::new("the first load of a quiet feed calls nobody, and what comes later does")
            .feed("a", QUIET)
            .load(many("Story", 6, 1), want(6, 0, 0))
            .load(many("Story", 7, 1), want(7, 1, 0))
            .load(together([many("News", 6, 30), many("Story", 1, 1)]), want(13, 7, 0)),
        Sequence::new("an edit of what came with a quiet first load is called as an edit")
            .feed("a", QUIET)
            .load([e("Alpha")], want(1, 0, 0))
            .load([e("Alpha").text("more")], want(1, 0, 1)),
        Sequence::new("the first load of a feed that notifies calls for each story, once")
            .load(many("Story", 6, 1), want(6, 6, 0))
            .load(many("Story", 6, 1), want(6, 6, 0)),
        Sequence::new("a second feed's quiet first load, known stories and old ones, calls nobody")
            .feed("b", QUIET)
            .load([e("Alpha")], want(1, 1, 0))
            .load([("b", rss([e("Alpha").guid("b"), e("Beta").on(2)]))], want(2, 1, 0).seen_in("Alpha", ["a", "b"])),
        // It is in the stream already: by its creation, which was quiet. A new sighting does not enter it again.
        Sequence::new("a story that came with a quiet first load is not called when another feed carries it")
            .feed("a", QUIET)
            .load([e("Alpha")], want(1, 0, 0))
            .load([("b", rss([e("Alpha").guid("b")]))], want(1, 0, 0)),
        Sequence::new("an error page first, then the quiet first load")
            .feed("a", QUIET)
            .load(super::language::broken(), want(0, 0, 0))
            .load(many("Story", 3, 1), want(3, 0, 0))
            .load(many("Story", 4, 1), want(4, 1, 0)),
    ]
}
