//! What the design promises of the language, as tables: golden vectors, meanings, errors.

use super::compile::Index;
use super::scan::{Document, FeedTerms, Folded};
use super::syntax::{MAX_LENGTH, Query};
use crate::domain::time::Timestamp;

fn query(text: &str) -> Query {
    Query::parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"))
}

fn meets(text: &str, document: &Document<'_>, feeds: &[FeedTerms<'_>]) -> bool {
    !Index::new(&[query(text)]).scan(&Folded::new(document), feeds).is_empty()
}

fn in_content(text: &str, content: &str) -> bool {
    meets(text, &Document { content, ..Document::default() }, &[])
}

#[test]
fn golden_vectors_hold() {
    for (text, content, want) in [
        ("Zelensky", "ZELENSKÝ", true),
        ("ZELENSKÝ", "Zelensky", true),
        ("İstanbul", "istanbul", true),
        ("istanbul", "ISTANBUL", true),
        ("ISTANBUL", "İstanbul", true),
        ("Straße", "strasse", true),
        ("strasse", "Straße", true),
        ("й", "и", false),
        ("и", "й", false),
        ("が", "か", false),
        ("か", "が", false),
        ("が", "か\u{3099}", true),
        ("上海", "从上海来", true),
        ("上海", "上从海来", false),
        ("python", "用python写", true),
        ("ukraine", "l'Ukraine", true),
        ("C++", "C", false),
        ("C++", "We write C++ here", true),
        ("C++", "C, C# and C++.", true),
        ("C", "C++", true),
        ("C#", "C++", false),
        ("zelensk*", "Zelensky", true),
        ("zelensk*", "Zelenskyy", true),
        ("zelensk*", "Zelenskiy's", true),
        ("zelensk*", "Zelens", false),
        ("\"security guarantee*\"", "“security guarantees”", true),
        ("\"security guarantee*\"", "guarantees of security", false),
        ("fish and chips", "chips and fish", true),
        ("fish and chips", "chips or fish", false),
        ("=IT", "all of IT", true),
        ("=IT", "it is", false),
        ("=\"Apple\"", "an apple", false),
        ("=\"Apple\"", "from Apple's store", true),
    ] {
        assert_eq!(in_content(text, content), want, "{text} in {content}");
    }
}

#[test]
fn terms_mean_what_the_table_says() {
    for (text, content, want) in [
        ("peace talks", "talks of peace", true),
        ("peace AND talks", "talks of peace", true),
        ("peace OR war", "war", true),
        ("peace NOT war", "peace", true),
        ("peace NOT war", "peace, war", false),
        ("peace -war", "peace and war", false),
        ("-war", "peace", true),
        ("-war", "war", false),
        ("NOT NOT war", "war", true),
        ("--war", "war", true),
        ("-(a b)", "a c", true),
        ("-\"a b\"", "a b", false),
        ("a b OR c d", "c d", true),
        ("a b OR c d", "a d", false),
        ("a (b OR c) d", "a d c", true),
        ("a (b OR c) d", "b c", false),
        ("\"peace talks\"", "peace  talks", true),
        ("\"peace talks\"", "peace\ntalks", false),
        ("\"peace talks\"", "peace-talks", true),
        ("peace-talks", "peace talks", true),
        ("peace-talks", "talks peace", false),
        ("CVE-2026-1234", "see CVE-2026-1234!", true),
        ("CVE-2026-1234", "1234 2026 CVE", false),
        ("AT&T", "at & t", true),
        ("node.js*", "node.jsx", true),
        (".NET", "the .NET world", true),
        (".NET", "the net world", false),
        ("#rust", "#Rust!", true),
        ("#rust", "rust", false),
        ("@nasa", "by @NASA", true),
        ("$TSLA", "TSLA", false),
        ("$TSLA", "$tsla up", true),
        ("\"C++ code\"", "C++ code", true),
        ("\"C++ code\"", "C code", false),
        ("hello!", "hello", true),
        ("U.S.", "the U.S. of A", true),
        ("\u{1F680}launch", "launch", false),
        ("\u{1F680}launch", "\u{1F680}launch", true),
        ("=naïve", "naive", false),
        ("=naïve", "nai\u{308}ve", true),
        ("=\"Apple Inc.\"", "Apple\u{A0} Inc. said", true),
        ("=\"Apple Inc.\"", "Apple Inc said", false),
        ("=AT&T", "AT&T", true),
        ("=AT&T", "AT & T", false),
        ("=Zelensk*", "Zelenskyy", true),
        ("=Zelensk*", "ZELENSKYY", false),
        ("上海*", "上海人", true),
        ("a NEAR/2 b", "a x y b", true),
        ("a NEAR/2 b", "b x y a", true),
        ("a NEAR/2 b", "a x y z b", false),
        ("a NEAR/15 b", "a\nb", false),
        ("a NEAR/2 a", "a", false),
        ("a NEAR/2 a", "a x a", true),
        ("\"a b\" NEAR/1 (c OR \"d e\")", "d e x a b", true),
        ("\"a b\" NEAR/1 (c OR \"d e\")", "d e x y a b", false),
        ("\"a b\" NEAR/1 \"b c\"", "a b c", false),
        ("a NEAR/1 b NEAR/1 c", "a b x c", true),
        ("a NEAR/1 b NEAR/1 c", "a b x x x b c", false),
        ("wor* NEAR/1 b", "b words", true),
        ("*", "", true),
        ("", "anything", true),
        ("  ", "anything", true),
        ("* -a", "a", false),
    ] {
        assert_eq!(in_content(text, content), want, "{text} in {content}");
    }
}

#[test]
fn fields_look_where_they_say() {
    let tags = ["World News".to_owned(), "uk".to_owned()];
    let feeds = [FeedTerms { name: "bbc-world", tags: &tags }, FeedTerms { name: "guardian", tags: &[] }];
    let document = Document {
        title: "Peace talks",
        summary: "A summary about tea",
        content: "The content about coffee",
        authors: vec!["Ann Smith", "Bob Jones"],
        tags: vec!["US Politics", "Ukraine war", "C++"],
        url: "https://news.bbc.co.uk/world/m%C3%BCnchen-article",
        language: Some("de_AT"),
        types: vec!["audio/mpeg; codecs=mp3"],
        date: Timestamp::parse_rfc3339("2026-01-31T10:00:00Z").unwrap(),
    };
    for (text, want) in [
        ("title:peace", true),
        ("title:tea", false),
        ("title:\"peace talks\"", true),
        ("title:(peace -tea)", true),
        ("body:tea", true),
        ("body:coffee", true),
        ("body:peace", false),
        ("tea coffee peace", true),
        ("\"talks a\"", false),
        ("talks NEAR/15 summary", false),
        ("smith", false),
        ("author:smith", true),
        ("author:\"ann smith\"", true),
        ("author:\"smith bob\"", false),
        ("tag:\"us politics\"", true),
        ("tag:politics", false),
        ("tag:us", false),
        ("tag:ukrain*", true),
        ("tag:\"ukraine wa*\"", true),
        ("tag:war*", false),
        ("tag:UK", true),
        ("tag:\"world news\"", true),
        ("tag:\"news uk\"", false),
        ("tag:c", true),
        ("tag:c++", true),
        ("tag:c#", false),
        ("tag:=\"US Politics\"", true),
        ("tag:=\"us politics\"", false),
        ("-tag:uk", false),
        ("politics", false),
        ("feed:bbc-world", true),
        ("feed:BBC-*", true),
        ("feed:guardian", true),
        ("feed:bbc", false),
        ("feed:(bbc OR guardian) -feed:cnn", true),
        ("site:bbc.co.uk", true),
        ("site:www.bbc.co.uk", true),
        ("site:news.bbc.co.uk", true),
        ("site:c.co.uk", false),
        ("site:uk", true),
        ("site:world.bbc.co.uk", false),
        ("url:article", true),
        ("url:münchen", true),
        ("url:\"world munchen\"", true),
        ("url:bbc", true),
        ("article", false),
        ("lang:de", true),
        ("lang:de-AT", true),
        ("lang:de-CH", false),
        ("lang:en", false),
        ("type:audio/*", true),
        ("type:audio/mpeg", true),
        ("type:audio/mp", false),
        ("type:video/*", false),
        ("NOT type:video/*", true),
        ("before:2026-02-01", true),
        ("before:2026-01-31", false),
        ("after:2026-01-30", true),
        ("after:2026-01-31", false),
        ("after:2026-01-31T10:00:00Z -before:2026-01-31T10:00:00Z", true),
        ("age:<1s", true),
        ("peace age:<1s", true),
        ("/Peace t\\w+s/", true),
        ("/peace talks/", false),
        ("/peace talks/i", true),
        ("/peace   talks/xi", false),
        ("/about (tea|coffee)$/", true),
        ("title:/about/", false),
        ("body:/^A summary/", true),
        ("body:/talks/", false),
        ("author:/^(Ann|Bob) S/", true),
        ("author:/Smith.*Bob/s", false),
        ("tag:/\\+$/", true),
        ("tag:/^World/", true),
        ("url:/\\/world\\/m\u{fc}n/", true),
        ("-/war/ (peace OR /x/)", true),
    ] {
        assert_eq!(meets(text, &document, &feeds), want, "{text}");
    }
    assert!(!meets("tag:uk", &document, &[]), "a feed's tag counts only where that feed carries the item");
}

#[test]
fn a_hit_shows_the_first_term_that_was_met() {
    let tags = ["Sport".to_owned()];
    let feeds = [FeedTerms { name: "kicker", tags: &tags }];
    let document = Document {
        title: "Nothing here",
        content: "About ZELENSKÝ and\nothers",
        url: "https://www.kicker.de/x",
        ..Document::default()
    };
    let folded = Folded::new(&document);
    for (text, want) in [
        ("zelensk* others", Some(("content", "zelensk*", "ZELENSKÝ", "About ZELENSKÝ and others"))),
        ("moon OR title:\"nothing here\"", Some(("title", "\"nothing here\"", "Nothing here", "Nothing here"))),
        ("-moon (moon OR =others)", Some(("content", "=others", "others", "About ZELENSKÝ and others"))),
        ("tag:sport", Some(("tag", "sport", "Sport", "Sport"))),
        ("feed:kick*", Some(("feed", "kick*", "kicker", "kicker"))),
        ("site:kicker.de", Some(("site", "kicker.de", "www.kicker.de", "https://www.kicker.de/x"))),
        ("and NEAR/1 ABOUT", Some(("content", "and", "and", "About ZELENSKÝ and others"))),
        ("-moon", None),
        ("*", None),
    ] {
        let hits = Index::new(&[query(text)]).scan(&folded, &feeds);
        let [hit] = hits.as_slice() else { panic!("{text}: {hits:?}") };
        let term = hit.term.as_ref();
        let shown = term.map(|t| (&*t.field, t.term.as_str(), t.text.as_str(), t.snippet.as_str()));
        assert_eq!(shown, want, "{text}");
    }
}

#[test]
fn an_age_is_reckoned_to_the_moment_that_is_asked_and_left_out_where_there_is_none() {
    let at = |text: &str| Timestamp::parse_rfc3339(text).unwrap();
    let folded = Folded::new(&Document { title: "x", date: at("2026-01-31T10:00:00Z"), ..Document::default() });
    for (text, now, want) in [
        ("age:<1h", "2026-01-31T10:59:59Z", true),
        ("age:<1h", "2026-01-31T11:00:00Z", false),
        ("age:>1h", "2026-01-31T11:00:00Z", false),
        ("age:>1h", "2026-01-31T11:00:01Z", true),
        ("-age:<1h x", "2026-01-31T11:00:00Z", true),
        ("age:<1w", "2026-01-01T00:00:00Z", true),
    ] {
        let index = || Index::new(&[query(text)]);
        assert_eq!(index().as_of(at(now)).scan(&folded, &[]).len(), usize::from(want), "{text} at {now}");
    }
    assert_eq!(Index::new(&[query("age:<1h")]).scan(&folded, &[]).len(), 1);
}

#[test]
fn a_regular_expression_without_a_word_is_counted_and_warned_about() {
    let index = Index::new(&["/ab+c/", "x /ab+c/", r"/\bab\b/", "-x", "x OR /ab+c/"].map(query));
    assert_eq!(index.everywhere(), 2);
    for (text, warned) in [("/ab+c/", true), ("x /ab+c/", false), (r"/\bab\b/", false), ("-x", false), ("-/ab/", true)]
    {
        assert_eq!(query(text).warnings().len(), usize::from(warned), "{text}");
    }
}

#[test]
fn hits_come_in_the_order_of_the_list_and_once_each() {
    let queries: Vec<Query> =
        ["b", "nothing", "a OR b", "-c", "\"a b\"", "*", "a", "a"].iter().map(|text| query(text)).collect();
    let folded = Folded::new(&Document { title: "a b a b", ..Document::default() });
    let hits: Vec<usize> = Index::new(&queries).scan(&folded, &[]).into_iter().map(|hit| hit.query).collect();
    assert_eq!(hits, [0, 2, 3, 4, 5, 6, 7]);
    assert!(Index::default().scan(&folded, &[]).is_empty());
}

#[test]
fn mixed_operators_have_a_bracketed_reading() {
    for (text, want) in [
        ("a b OR c", Some("(a AND b) OR c")),
        ("a OR -b c d", Some("a OR (NOT b AND c AND d)")),
        ("(a b) OR c", None),
        ("(a b OR c) d", Some("((a AND b) OR c) AND d")),
        ("title:(a  b OR c)", Some("title:((a AND b) OR c)")),
        ("a NEAR/2 \"b c\" d OR e", Some("(a NEAR/2 \"b c\" AND d) OR e")),
        ("a (b OR c)", None),
        ("a b c", None),
        ("a OR b", None),
    ] {
        assert_eq!(query(text).reading().as_deref(), want, "{text}");
    }
}

#[test]
fn what_looks_like_a_mistake_is_warned_about() {
    assert_eq!(query("fish and chips").warnings(), ["`and` is a plain word here; the operator is `AND`."]);
    assert_eq!(query("a Or b not c near/5 d").warnings().len(), 3);
    assert_eq!(query("“peace talks”").warnings().len(), 1);
    for text in ["a AND b", "\"a and b\"", "=and", "android"] {
        assert!(query(text).warnings().is_empty(), "{text}");
    }
}

#[test]
fn everything_is_the_star_and_the_empty_query() {
    for text in ["", " \n", "*", " * ", "(*)"] {
        assert!(query(text).is_everything(), "{text}");
        assert_eq!(query(text).source(), text);
    }
    assert_eq!(Query::everything(), query("*"));
    for text in ["a", "-a", "* a"] {
        assert!(!query(text).is_everything(), "{text}");
    }
    assert!(query("x (a OR -tag:b)").looks_at_feeds() && query("feed:x").looks_at_feeds());
    assert!(!query("title:a site:b.c").looks_at_feeds());
}

#[test]
fn a_wrong_query_is_refused_with_its_place() {
    for (text, at, says) in [
        ("(a", "(", "not closed"),
        ("(", "(", "not closed"),
        ("a (b OR (c)", "(b OR (c)", "not closed"),
        ("a)", ")", "closes nothing"),
        (")", ")", "closes nothing"),
        ("a ()", "()", "hold nothing"),
        ("\"a", "\"", "not closed"),
        ("\"\"", "\"", "no letter"),
        ("OR a", "OR", "nothing on its left"),
        ("AND a", "AND", "nothing on its left"),
        ("a OR", "OR", "nothing on its right"),
        ("a AND", "AND", "nothing on its right"),
        ("a AND OR b", "AND", "nothing on its right"),
        ("a OR AND b", "OR", "nothing on its right"),
        ("a AND AND b", "AND", "nothing on its right"),
        ("(a OR) b", "OR", "nothing on its right"),
        ("a NOT", "NOT", "nothing on its right"),
        ("a - b", "-", "nothing on its right"),
        ("NEAR/5 b", "NEAR/5", "nothing on its left"),
        ("a NEAR/5", "NEAR/5", "nothing on its right"),
        ("a NEAR/5 OR b", "NEAR/5", "nothing on its right"),
        ("a NEAR b", "NEAR", "needs a number"),
        ("a NEAR/0 b", "NEAR/0", "from 1 to 15"),
        ("a NEAR/16 b", "NEAR/16", "from 1 to 15"),
        ("a NEAR/x b", "NEAR/x", "from 1 to 15"),
        ("a NEAR/2 (b c)", "b c", "beside NEAR"),
        ("tag:x NEAR/2 b", "x", "beside NEAR"),
        ("a NEAR/2 -b", "NEAR/2", "nothing on its right"),
        ("foo:bar", "foo:", "no field"),
        ("Title:bar", "Title:", "no field"),
        ("https://x.y", "https:", "no field"),
        ("title:body:x", "body:", "within another field"),
        ("title:(a body:x)", "body:", "within another field"),
        ("title: x", "title:", "nothing to look for"),
        ("title:", "title:", "nothing to look for"),
        ("title:-x", "-", "negates nothing"),
        ("a*b", "*", "only at the end"),
        ("*a", "*", "only at the end"),
        ("a*", "*", "short a beginning"),
        ("\"the a*\"", "*", "short a beginning"),
        ("海*", "*", "short a beginning"),
        ("c++*", "*", "does not follow"),
        ("\"a b\"*", "*", "outside of the quotes"),
        ("title:*", "*", "no letter"),
        ("a & b", "&", "no letter"),
        ("=", "=", "missing"),
        ("=(a)", "=(", "missing"),
        ("feed:a_b", "a_b", "no name of a feed"),
        ("feed:=a", "a", "means nothing"),
        ("site:*.bbc.co.uk", "*.bbc.co.uk", "no host"),
        ("site:bbc.co.uk/news", "bbc.co.uk/news", "no host"),
        ("lang:d", "d", "no language"),
        ("type:audio", "audio", "no media type"),
    ] {
        refused(text, at, says);
    }
}

#[test]
fn a_wrong_value_is_refused_with_its_place() {
    for (text, at, says) in [
        ("a /b.*c", "/", "not closed"),
        ("/b\\/", "/", "not closed"),
        ("/r/rust", "r", "no flag"),
        ("/a/ig", "g", "no flag"),
        ("/a(b/", "(", "unclosed group"),
        ("a title:/x[z-a]/", "z-a", "invalid character class range"),
        ("/\\p{Nonsense}/", "\\p{Nonsense}", "Unicode property not found"),
        ("/x*/", "/x*/", "where there is nothing"),
        ("//", "//", "where there is nothing"),
        ("/(\\w{900}){900}/", "/(\\w{900}){900}/", "too large"),
        ("feed:/a/", "/a/", "means nothing in this field"),
        ("a NEAR/2 /b/", "/b/", "beside NEAR"),
        ("before:2026-02-30", "2026-02-30", "no date"),
        ("x after:monday", "monday", "no date"),
        ("before:", "before:", "nothing to look for"),
        ("before:=2026-01-31", "2026-01-31", "means nothing"),
        ("age:7d", "7d", "no age"),
        ("age:<7y", "<7y", "no age"),
        ("a NEAR/2 age:<7d", "<7d", "beside NEAR"),
    ] {
        refused(text, at, says);
    }
}

fn refused(text: &str, at: &str, says: &str) {
    let error = Query::parse(text).expect_err(text);
    assert!(error.message.contains(says), "{text}: {error:?}");
    let place = text.get(error.at.clone()).unwrap_or_else(|| panic!("{text}: {error:?}"));
    assert!(at.starts_with(place) && !place.is_empty(), "{text}: {place} {error:?}");
    assert!(error.hint.is_some_and(|hint| !hint.is_empty()), "{text}");
}

#[test]
fn length_and_depth_are_bounded() {
    for text in ["(".repeat(100_000), "(".repeat(9_000), "-(".repeat(4_000), "a ".repeat(5_001), "x:".repeat(4_000)] {
        assert!(Query::parse(&text).is_err());
    }
    for text in ["-".repeat(9_998) + "a", "NOT ".repeat(2_400) + "a", "a ".repeat(5_000), "a OR ".repeat(1_900) + "b"] {
        assert!(text.len() <= MAX_LENGTH);
        assert!(in_content(&text, "a b"), "{}", &text[..10]);
    }
    assert!(in_content(&format!("{}a{}", "(".repeat(50), ")".repeat(50)), "a"));
    assert!(Query::parse(&format!("{}a{}", "(".repeat(51), ")".repeat(51))).is_err());
    assert!(Query::parse(&format!("\"{}\"", "a ".repeat(257))).is_err());
}
