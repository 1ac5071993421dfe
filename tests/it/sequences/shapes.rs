//! Dates, titles, repetitions and links of every shape.

use super::language::{Sequence, atom, e, want};

pub(super) fn table() -> Vec<Sequence> {
    let mut table = dates();
    table.extend(repeated());
    table.extend(written());
    table
}

fn dates() -> Vec<Sequence> {
    vec![
        Sequence::new("dates without a zone are dates")
            .load([e("Alpha").date("2 Mar 2026 10:00:00"), e("Beta").date("2026-03-02 11:00")], want(2, 2, 0))
            .load([e("Alpha").date("2 Mar 2026 10:00:00"), e("Beta").date("2026-03-02 11:00")], want(2, 2, 0)),
        Sequence::new("a date that nobody can read is none, and the story is kept")
            .load([e("Alpha").date("soon"), e("Beta").date("")], want(2, 2, 0))
            .load([e("Alpha").date("sooner"), e("Beta").date("")], want(2, 2, 0)),
        Sequence::new("a date in the future is a story now")
            .load([e("Alpha").on(9000), e("Beta").on(151)], want(2, 2, 0))
            .load([e("Alpha").on(9000), e("Beta").on(151)], want(2, 2, 0))
            .load([e("Gamma").on(3), e("Alpha").on(9000), e("Beta").on(151)], want(3, 3, 0)),
        Sequence::new("a story without a date is kept, and gains one later")
            .load([e("Alpha").no_date()], want(1, 1, 0))
            .load([e("Alpha").no_date()], want(1, 1, 0))
            .load([e("Alpha").on(5)], want(1, 1, 0)),
        Sequence::new("a date that is always now is no new story")
            .load([e("Alpha").on(10), e("Beta").on(10)], want(2, 2, 0))
            .load([e("Alpha").on(11), e("Beta").on(11)], want(2, 2, 0))
            .load([e("Alpha").on(12), e("Beta").on(12)], want(2, 2, 0)),
        Sequence::new("a story of long ago is a story")
            .load([e("Alpha").on(-9000)], want(1, 1, 0))
            .load([e("Alpha").on(-9000)], want(1, 1, 0)),
    ]
}

fn repeated() -> Vec<Sequence> {
    vec![
        Sequence::new("an entry that stands twice in a document is one story")
            .load([e("Alpha"), e("Beta"), e("Alpha")], want(2, 2, 0))
            .load([e("Alpha"), e("Beta"), e("Alpha")], want(2, 2, 0)),
        Sequence::new("an entry that stands twice, in an older form below, is one story and no edit at each load")
            .load([e("Alpha").text("newer"), e("Alpha")], want(1, 1, 0))
            .load([e("Alpha").text("newer"), e("Alpha")], want(1, 1, 0)),
        Sequence::new("a story twice in one load, by two guids and tracking names, is one story")
            .load(
                [
                    e("Alpha").guid("1").link("{h}/alpha?utm_source=a"),
                    e("Alpha").guid("2").link("{h}/alpha?utm_source=b"),
                ],
                want(1, 1, 0),
            )
            .load(
                [
                    e("Alpha").guid("1").link("{h}/alpha?utm_source=a"),
                    e("Alpha").guid("2").link("{h}/alpha?utm_source=b"),
                ],
                want(1, 1, 0),
            ),
        Sequence::new("a story twice in one load, once with a guid and once without, is one story")
            .load([e("Alpha"), e("Alpha").no_guid()], want(1, 1, 0))
            .load([e("Alpha"), e("Alpha").no_guid()], want(1, 1, 0)),
        Sequence::new("the same two versions of a story by two guids in each load are no edits without end")
            .load([e("Alpha").guid("1").text("one"), e("Alpha").guid("2").text("two")], want(1, 1, 0))
            .load([e("Alpha").guid("1").text("one"), e("Alpha").guid("2").text("two")], want(1, 1, 0)),
    ]
}

fn written() -> Vec<Sequence> {
    vec![
        Sequence::new("stories without titles are stories")
            .load([e("1").no_title(), e("2").no_title(), e("3").no_title()], want(3, 3, 0))
            .load([e("4").no_title(), e("1").no_title(), e("2").no_title()], want(4, 4, 0))
            .load([e("4").no_title().text("more"), e("1").no_title(), e("2").no_title()], want(4, 4, 1)),
        Sequence::new("stories with a link and nothing else are stories")
            .load(
                [e("1").no_guid().no_title().no_text().no_date(), e("2").no_guid().no_title().no_text().no_date()],
                want(2, 2, 0),
            )
            .load([e("1").no_guid().no_title().no_text().no_date()], want(2, 2, 0)),
        Sequence::new("headlines alone, with guids and links, are stories")
            .load([e("Alpha").no_text(), e("Beta").no_text()], want(2, 2, 0))
            .load([e("Alpha 2").guid("g-alpha").link("{h}/alpha").no_text(), e("Beta").no_text()], want(2, 2, 1)),
        Sequence::new("a link in another spelling of the same URL is the same story")
            .load([e("Alpha").no_guid().link("https://S{n}.example:443/caf%c3%a9?b=2&a=1")], want(1, 1, 0))
            .load([e("Alpha").no_guid().link("{h}/café?a=1&b=2")], want(1, 1, 0))
            .load([e("Alpha").no_guid().link("{h}/x/../caf%C3%A9/?a=1&b=2&#")], want(1, 1, 0)),
        Sequence::new("relative links are resolved, each in its own spelling")
            .load([e("Alpha").link("/s{n}/alpha")], want(1, 1, 0))
            .load([e("Alpha").no_guid().link("../s{n}/alpha")], want(1, 1, 0)),
        Sequence::new("an Atom entry without a link is a story by its id")
            .load(atom([e("Alpha").no_link().guid("urn:a:{n}").updated(1)]), want(1, 1, 0))
            .load(atom([e("Alpha").no_link().guid("urn:a:{n}").updated(1).text("more")]), want(1, 1, 1)),
        Sequence::new("an episode without a link is a story by its guid, whatever its file is called")
            .load([e("Alpha").no_link().enclosure("{h}/a.mp3?token=1")], want(1, 1, 0))
            .load([e("Alpha").no_link().enclosure("{h}/a.mp3?token=2")], want(1, 1, 0)),
        Sequence::new("a very long guid is a guid")
            .load(
                [e("Alpha").guid(&"x".repeat(5000)).no_link(), e("Beta").guid(&"x".repeat(5001)).no_link()],
                want(2, 2, 0),
            )
            .load([e("Alpha").guid(&"x".repeat(5000)).no_link().text("more")], want(2, 2, 1)),
    ]
}
