//! One story under one guid and one link: what is an edit, and what is none.

use super::language::{Sequence, atom, broken, e, want, words};

const BEFORE: &str =
    "<p>The harbour is open again. <a href=\"{x}/map?utm_source=rss&amp;id=4\">The map</a> shows it.</p>";

pub(super) fn table() -> Vec<Sequence> {
    vec![
        Sequence::new("an unchanged reload changes nothing")
            .load([e("Alpha"), e("Beta")], want(2, 2, 0))
            .load([e("Alpha"), e("Beta")], want(2, 2, 0).revision("Alpha", 1).revision("Beta", 1))
            .load([e("Alpha"), e("Beta")], want(2, 2, 0)),
        Sequence::new("an edited title is one edit of one story")
            .load([e("Alpha"), e("Beta")], want(2, 2, 0))
            .load(
                [e("Alpha").title("Alpha corrected"), e("Beta")],
                want(2, 2, 1).revision("Alpha corrected", 2).same("Alpha corrected", "Alpha").revision("Beta", 1),
            )
            .load([e("Alpha").title("Alpha corrected"), e("Beta")], want(2, 2, 1)),
        Sequence::new("an edited text is one edit of one story")
            .load([e("Alpha")], want(1, 1, 0))
            .load([e("Alpha").html("Now it is known.")], want(1, 1, 1).revision("Alpha", 2).says("Alpha", "Now it is")),
        Sequence::new("three edits are three edits")
            .load([e("Alpha")], want(1, 1, 0))
            .load([e("Alpha").text("one")], want(1, 1, 1))
            .load([e("Alpha").text("two")], want(1, 1, 2))
            .load([e("Alpha").text("three")], want(1, 1, 3).revision("Alpha", 4)),
        Sequence::new("title and text rewritten under the same guid and link are an edit")
            .load([e("Alpha")], want(1, 1, 0))
            .load([e("Alpha").title("Omega").text("omega")], want(1, 1, 1).same("Omega", "Alpha").revision("Omega", 2)),
        Sequence::new("title and text rewritten under the same link, without a guid, are an edit")
            .load([e("Alpha").no_guid()], want(1, 1, 0))
            .load([e("Alpha").no_guid().title("Omega").text("omega")], want(1, 1, 1).same("Omega", "Alpha")),
        Sequence::new("other white space in title and text is no edit")
            .load([e("Alpha one").html("<p>It is open. It is late.</p>")], want(1, 1, 0))
            .load(
                [e("Alpha one").title("Alpha  one").html("<p>It is\n   open. \t It is  late.</p>\n\n")],
                want(1, 1, 0).revision("Alpha one", 1),
            ),
        Sequence::new("other tags around the same text are no edit")
            .load([e("Alpha").html("<p>It is open.</p><p>It is late.</p>")], want(1, 1, 0))
            .load([e("Alpha").html("<div class=\"x\"><b>It is</b> open.<br>It is late.</div>")], want(1, 1, 0)),
        Sequence::new("another tracking name in a link of the text is no edit")
            .load([e("Alpha").html(BEFORE)], want(1, 1, 0))
            .load([e("Alpha").html(&BEFORE.replace("utm_source=rss", "utm_source=feed2"))], want(1, 1, 0)),
        // Design: "tags, tracking names, image sizes, whitespace out".
        Sequence::new("another tracking name in an address that stands in the text is no edit")
            .load([e("Alpha").html("Read on at {x}/more?id=4&amp;utm_source=rss today.")], want(1, 1, 0))
            .load([e("Alpha").html("Read on at {x}/more?id=4&amp;utm_source=web today.")], want(1, 1, 0)),
        Sequence::new("other sizes of a picture are no edit")
            .load([e("Alpha").html("<img src=\"{x}/p.jpg\" width=\"300\" height=\"200\"> It is open.")], want(1, 1, 0))
            .load([e("Alpha").html("<img src=\"{x}/p.jpg\" width=\"600\" height=\"400\"> It is open.")], want(1, 1, 0)),
        Sequence::new("atom:updated alone is no change")
            .load(atom([e("Alpha").updated(2)]), want(1, 1, 0))
            .load(atom([e("Alpha").updated(9)]), want(1, 1, 0).revision("Alpha", 1)),
        Sequence::new("an edit in Atom with a new atom:updated is one edit")
            .load(atom([e("Alpha").updated(2)]), want(1, 1, 0))
            .load(atom([e("Alpha").updated(9).text("more")]), want(1, 1, 1).revision("Alpha", 2)),
        Sequence::new("another published date alone is no change")
            .load([e("Alpha").on(3)], want(1, 1, 0))
            .load([e("Alpha").on(5)], want(1, 1, 0).revision("Alpha", 1)),
        Sequence::new("an old backup brings older texts back: edits, and no story twice")
            .load([e("Alpha"), e("Beta").on(2)], want(2, 2, 0))
            .load([e("Alpha").text("newer"), e("Beta").on(2), e("Gamma").on(3)], want(3, 3, 1))
            .load([e("Alpha"), e("Beta").on(2)], want(3, 3, 2).revision("Alpha", 3).says("Alpha", &words("Alpha", 60)))
            .load([e("Alpha").text("newer"), e("Beta").on(2), e("Gamma").on(3)], want(3, 3, 3)),
        Sequence::new("a text that comes later is an edit")
            .load([e("Alpha").no_text()], want(1, 1, 0))
            .load([e("Alpha")], want(1, 1, 1).says("Alpha", "On ")),
        Sequence::new("a title that comes later is an edit")
            .load([e("Alpha").no_title()], want(1, 1, 0))
            .load([e("Alpha")], want(1, 1, 1)),
        Sequence::new("the same feed as Atom instead of RSS is the same stories")
            .load([e("Alpha"), e("Beta")], want(2, 2, 0))
            .load(atom([e("Alpha").updated(1), e("Beta").updated(1)]), want(2, 2, 0)),
        Sequence::new("an edit that was missed for an error page comes once, later")
            .load([e("Alpha")], want(1, 1, 0))
            .load(broken(), want(1, 1, 0))
            .load([e("Alpha").text("newer")], want(1, 1, 1)),
    ]
}
