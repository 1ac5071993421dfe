//! What reading a feed costs: feed-rs alone, our `parse` on what is well-formed, and the repair of what is not. The targets:
//! within 15 % of feed-rs, and 60 MB/s on the repair path.
//!
//! `cargo bench --bench parse`; the counter gives bytes a second.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use feedmill::parse::parse;

fn main() {
    divan::main();
}

/// A post of some kilobytes, as weblogs have them.
fn post(n: usize) -> String {
    let body: String = (0..24)
        .map(|k| {
            format!(
                "<p>Paragraph {k} of post {n} says what a paragraph says, with <em>emphasis</em> and \
                 <a href=\"https://example.org/{n}/{k}?a=1\">a link</a>, and some more words to be read.</p>\n"
            )
        })
        .collect();
    format!(
        "<item><title>Post {n} &#8211; with a title</title><link>https://example.org/{n}/</link>\
         <dc:creator><![CDATA[Ann]]></dc:creator><pubDate>Tue, 24 Nov 2026 08:00:00 +0000</pubDate>\
         <category><![CDATA[one]]></category><category><![CDATA[two]]></category>\
         <guid isPermaLink=\"false\">https://example.org/?p={n}</guid>\
         <description><![CDATA[Paragraph 0 of post {n} says what a paragraph says &#8230;]]></description>\
         <content:encoded><![CDATA[{body}]]></content:encoded></item>\n"
    )
}

fn feed(items: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\" \
         xmlns:content=\"http://purl.org/rss/1.0/modules/content/\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\">\n\
         <channel><title>Feed</title><link>https://example.org/</link><description>All</description>\n{items}</channel></rss>"
    )
}

fn posts() -> String {
    feed(&(0..150).map(post).collect::<String>())
}

/// Items with hardly anything in them: as many tags as fit.
fn dense() -> String {
    let item = |n: usize| format!("<item><title>t{n}</title><link>https://e.org/{n}</link><guid>g{n}</guid></item>\n");
    feed(&(0..9_000).map(item).collect::<String>())
}

/// The same in Atom, with escaped bodies.
fn atom() -> String {
    let entry = |n: usize| {
        let body =
            "&lt;p&gt;A paragraph with &lt;b&gt;bold&lt;/b&gt; words &amp;amp; more of them.&lt;/p&gt;\n".repeat(40);
        format!(
            "<entry><id>urn:{n}</id><title>Post {n}</title><link href=\"https://example.org/{n}\"/>\
             <updated>2026-11-24T08:00:00Z</updated><author><name>Ann</name></author>\
             <content type=\"html\">{body}</content></entry>\n"
        )
    };
    let entries: String = (0..150).map(entry).collect();
    format!("<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>Feed</title><id>urn:f</id>{entries}</feed>")
}

/// A podcast: its episodes are as much elements as words.
fn podcast() -> String {
    let episode = |n: usize| {
        format!(
            "<item><title>Episode {n}</title><link>https://example.org/{n}</link><guid isPermaLink=\"false\">e{n}</guid>\
             <pubDate>Tue, 24 Nov 2026 08:00:00 +0000</pubDate><description>What episode {n} is about, in a few words.</description>\
             <content:encoded><![CDATA[<p>What episode {n} is about, in a few words more, and who is in it.</p>\n<p>Notes: \
             <a href=\"https://example.org/{n}/notes\">here</a>. Music by nobody in particular.</p>]]></content:encoded>\
             <enclosure url=\"https://cdn.example.org/{n}.mp3\" length=\"48200000\" type=\"audio/mpeg\"/>\
             <itunes:duration>1:02:03</itunes:duration><itunes:episode>{n}</itunes:episode><itunes:season>4</itunes:season>\
             <itunes:explicit>false</itunes:explicit><itunes:image href=\"https://example.org/art/{n}.jpg\"/>\
             <media:content url=\"https://cdn.example.org/{n}.mp3\" type=\"audio/mpeg\" fileSize=\"48200000\" duration=\"3723\">\
             <media:credit role=\"author\">Ann</media:credit></media:content></item>\n"
        )
    };
    let items: String = (0..600).map(episode).collect();
    let spaces = "xmlns:itunes=\"http://www.itunes.com/dtds/podcast-1.0.dtd\" xmlns:media=\"http://search.yahoo.com/mrss/\" xmlns:dc";
    feed(&items).replacen("xmlns:dc", spaces, 1)
}

/// Ways in which a feed is broken.
fn broken(document: &str) -> String {
    let open =
        document.replace(" &#8211; with", " & with").replace("]]></content:encoded>", "<br></p>]]></content:encoded>");
    let untagged = open.replace("</guid><description>", "<description>");
    untagged.trim_end_matches("</channel></rss>").to_owned()
}

/// The same document without CDATA: markup stands in the fields as it is.
fn inline(document: &str) -> String {
    document.replace("<![CDATA[", "").replace("]]>", "").replace("<p>Par", "<p><br>Par & ")
}

fn bytes(document: &str) -> BytesCount {
    BytesCount::new(document.len())
}

#[divan::bench(args = ["posts", "dense", "atom", "podcast"])]
fn feed_rs_alone(bencher: Bencher<'_, '_>, name: &str) {
    let document = named(name);
    let parser = || feed_rs::parser::Builder::new().sanitize_content(false).build();
    bencher
        .counter(bytes(&document))
        .bench(|| parser().parse(black_box(document.as_bytes())).map(|feed| feed.entries.len()).ok());
}

#[divan::bench(args = ["posts", "dense", "atom", "podcast"])]
fn well_formed(bencher: Bencher<'_, '_>, name: &str) {
    let document = named(name);
    bencher
        .counter(bytes(&document))
        .bench(|| parse(black_box(document.as_bytes()), None, None).map(|feed| feed.entries.len()).ok());
}

#[divan::bench(args = ["posts", "dense", "atom", "podcast", "inline"])]
fn repaired(bencher: Bencher<'_, '_>, name: &str) {
    let document =
        if name == "inline" { inline(&posts()) } else { broken(&named(name)) }.replacen(" version=\"2.0\"", "", 1);
    let document = if name == "atom" { document.replacen("2005/Atom", "2005/atom/", 1) } else { document };
    bencher
        .counter(bytes(&document))
        .bench(|| parse(black_box(document.as_bytes()), None, None).map(|feed| feed.entries.len()).ok());
}

fn named(name: &str) -> String {
    match name {
        "posts" => posts(),
        "dense" => dense(),
        "podcast" => podcast(),
        _ => atom(),
    }
}
