//! The edits of a configuration's text, as tables of before and after.

use super::*;

fn feed(url: &str) -> NewFeed {
    NewFeed { url: url.to_owned(), ..NewFeed::default() }
}

fn url(name: &str) -> Url {
    Url::parse(&format!("https://{name}.example/f")).unwrap()
}

/// `A` stands for the table of the feed `a`, as `add` writes it.
fn written(text: &str) -> String {
    ["a", "b", "c"].iter().fold(text.to_owned(), |text, name| {
        text.replace(&name.to_uppercase(), &format!("[[feed]]\nurl = \"https://{name}.example/f\"\n"))
    })
}

#[test]
fn a_feed_is_added_behind_the_others_and_nothing_else_moves() {
    for (before, after) in [
        ("", "C"),
        ("# only words", "# only words\n\nC"),
        ("[log]\nlevel = \"info\"", "[log]\nlevel = \"info\"\n\nC"),
        ("A\nB", "A\nB\nC"),
        ("A\n# what follows\n[[stream]]\nname = \"s\"\n", "A\nC\n# what follows\n[[stream]]\nname = \"s\"\n"),
        ("A# schedule = \"@hourly\"\n\n[log]\n", "A# schedule = \"@hourly\"\n\nC\n[log]\n"),
        ("A# the log\n[log]\n", "A\nC\n# the log\n[log]\n"),
        ("A[feed.identity]\nid = \"link\" # why\n[log]\n", "A[feed.identity]\nid = \"link\" # why\n\nC\n[log]\n"),
        ("Aidentity.id = \"link\"\nB", "Aidentity.id = \"link\"\nB\nC"),
        ("A\n\n\n[log]\n", "A\nC\n\n\n[log]\n"),
    ] {
        let (before, after) = (written(before), written(after));
        assert_eq!(add(&before, &[feed(url("c").as_str())]).unwrap(), after, "{before}");
    }
}

#[test]
fn a_feed_is_removed_with_what_is_its_own() {
    for (before, after) in [
        ("B", ""),
        ("A\nB", "A"),
        ("B\nA", "A"),
        ("A\nB\nC", "A\nC"),
        ("ABC", "AC"),
        ("# head\n\n# of b\n# too\nB\n# of a\nA", "# head\n\n# of a\nA"),
        ("A\nB# switched = \"off\"\n\nC", "A\nC"),
        ("A\nB# of c\nC", "A\n# of c\nC"),
        ("A\n  # of b\n  Btitle = \"b\" # note\n\n# the log\n[log]\n", "A\n# the log\n[log]\n"),
        ("Btags = [\n  \"x\", # ]\n]\n[feed.identity]\nid = \"link\"\n\nA", "A"),
        ("Bheaders.X = \"y\"\nidentity.keep = [\"x\"]\n\nA", "A"),
        (
            "B[log]\nlevel = \"info\"\n[feed.identity]\nid = \"link\"\n\n[server]\n",
            "[log]\nlevel = \"info\"\n\n[server]\n",
        ),
        ("Atitle = '''\n# no comment\n'''\nB\nC", "Atitle = '''\n# no comment\n'''\n\nC"),
        ("[log]\nlevel = \"info\"\n\nB", "[log]\nlevel = \"info\"\n"),
    ] {
        let (before, after) = (written(before), written(after));
        assert_eq!(remove(&before, &url("b")).unwrap(), after, "{before}");
    }
}

#[test]
fn an_array_of_inline_tables_is_edited_where_it_stands() {
    let b = "{ url = \"https://b.example/f\" }";
    let c = "{ url = \"https://c.example/f\", tags = [\"x\"] }";
    for (without, with) in [
        ("feed = []", "feed = [C]"),
        ("feed = [B] # x\n", "feed = [B, C] # x\n"),
        ("feed = [ B ]", "feed = [ B, C ]"),
        ("feed = [\n  B,\n]\n[log]\n", "feed = [\n  B,\n  C,\n]\n[log]\n"),
        ("feed = [\n\tB, # of b\n\n]", "feed = [\n\tB, # of b\n\n\tC,\n]"),
    ] {
        let fill = |text: &str| text.replace('B', b).replace('C', c);
        let new = NewFeed { tags: vec!["x".to_owned()], ..feed(url("c").as_str()) };
        assert_eq!(add(&fill(without), &[new]).unwrap(), fill(with));
        assert_eq!(remove(&fill(with), &url("c")).unwrap(), fill(without));
    }
    let fill = |text: &str| text.replace('B', b).replace('C', c);
    assert_eq!(remove(&fill("feed = [B, C]"), &url("b")).unwrap(), fill("feed = [C]"));
    assert_eq!(remove(&fill("feed = [\n  # of b\n  B, # too\n  C\n]"), &url("b")).unwrap(), fill("feed = [\n  C\n]"));
    let ends = fill("feed = [\n\tB, # of b\n\t# end\n]");
    assert_eq!(
        add(&ends, &[feed("https://d.example/f")]).unwrap(),
        ends.replace("]", "\t{ url = \"https://d.example/f\" },\n]")
    );
    let comma = add(&fill("feed = [\n  B\n]"), &[feed("https://d.example/f")]).unwrap();
    assert_eq!(comma, fill("feed = [\n  B,\n  { url = \"https://d.example/f\" },\n]"));
}

#[test]
fn line_ends_and_a_byte_order_mark_stay() {
    let before = "\u{feff}# é\r\n[[feed]]\r\nurl = \"https://b.example/f\"\r\n\r\n[log]\r\n";
    let added = add(before, &[feed("https://a.example/f")]).unwrap();
    assert_eq!(added, before.replace("[log]", "[[feed]]\r\nurl = \"https://a.example/f\"\r\n\r\n[log]"));
    assert_eq!(remove(&added, &url("a")).unwrap(), before);
    assert_eq!(remove(before, &url("b")).unwrap(), "\u{feff}[log]\r\n");
}

#[test]
fn whatever_a_title_holds_is_read_back_as_it_was() {
    for title in ["a \"b\" 'c' \\", "''' \"\"\"", "# no comment", "\u{7f}\u{0}\t", "日本", "]\n[[feed]]"] {
        let new = NewFeed {
            name: Name::parse("n"),
            title: Some(title.to_owned()),
            tags: vec![title.to_owned(), "b".to_owned()],
            credentials: Some((title.to_owned(), title.to_owned())),
            ..feed("https://a.example/?a=\"b\"")
        };
        for text in ["", "feed = []"] {
            let edited = add(text, std::slice::from_ref(&new)).unwrap();
            let read: toml::Table = edited.parse().unwrap();
            let feed = read["feed"][0].as_table().unwrap();
            assert_eq!(feed["title"].as_str(), Some(title), "{edited}");
            assert_eq!(feed["tags"][0].as_str(), Some(title), "{edited}");
            assert_eq!((feed["url"].as_str(), feed["name"].as_str()), (Some("https://a.example/?a=\"b\""), Some("n")));
        }
    }
}

#[test]
fn what_cannot_be_edited_safely_is_refused() {
    assert!(matches!(add("a = ", &[]), Err(EditError::NoToml(_))));
    assert_eq!(add("[feed]\n", &[feed("https://a.example/")]), Err(EditError::Odd));
    assert_eq!(add("feed = [ # x\n { url = \"u\" } ]", &[feed("https://a.example/")]).map(|_| ()), Ok(()));
    assert!(matches!(remove("", &url("a")), Err(EditError::NotThere(_))));
    assert!(matches!(remove(&written("A"), &url("b")), Err(EditError::NotThere(_))));
    // The last line of a text that looks like a comment is none.
    let odd = written("Atitle = '''\n# x'''\nB");
    assert_eq!(remove(&odd, &url("b")), Err(EditError::Odd));
    assert!(remove(&written("[[feed]]\nurl = \" https://me:pw@b.example/f\"\n"), &url("b")).is_ok());
}

#[test]
fn the_shipped_configuration_is_edited_without_a_scratch() {
    let shipped = crate::config::SHIPPED;
    let added = add(shipped, &[feed("https://a.example/f"), feed("https://b.example/f")]).unwrap();
    assert!(added.contains("name = \"json-feed\"\n\n[[feed]]\nurl = \"https://a.example/f\"\n\n[[feed]]\n"), "{added}");
    let without = remove(&remove(&added, &url("a")).unwrap(), &url("b")).unwrap();
    assert_eq!(without, shipped);
    let lwn = Url::parse("https://lwn.net/headlines/rss").unwrap();
    let gone = "[[feed]]\nurl  = \"https://lwn.net/headlines/rss\"\ntags = [\"tech\"]\n\n";
    assert_eq!(remove(shipped, &lwn).unwrap(), shipped.replace(gone, ""));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(\\[\\[?feed\\]?\\]|feed|=|\\[|\\]|\\{|\\}|url|\"https://b.example/f\"|'|#|,| |\r?\n|é){0,30}") {
        let _ = add(&text, &[feed("https://a.example/f")]);
        let _ = remove(&text, &url("b"));
    }
}
