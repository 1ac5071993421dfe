//! The two readers against each other: wherever the first is used, the second gives the same. A feed that breaks for a day
//! must not change what any of its entries is.

use std::path::{Path, PathBuf};

use super::*;
use crate::domain::item::Entry;

/// What identity and edits are made of, with texts as people read them.
fn told(entry: &Entry) -> impl PartialEq + std::fmt::Debug {
    let text = |html: &Option<String>| html.as_deref().map(crate::sanitize::text);
    let files: Vec<_> =
        entry.enclosures.iter().map(|file| (file.url.clone(), file.mime_type.clone(), file.length_bytes)).collect();
    let texts = (entry.title.clone(), text(&entry.summary), text(&entry.content));
    (entry.guid.clone(), entry.link.clone(), entry.proxy_link.clone(), texts, entry.published, entry.updated, files)
}

/// Whether the first reader is used, and how the second differs from it.
fn compare(bytes: &[u8], content_type: Option<&str>, base: Option<&Url>) -> Option<Result<(), String>> {
    let text = charset::decode(bytes, content_type, &mut Vec::new());
    let Kind::Xml(at) = root::kind(&text, &mut Vec::new()) else { return None };
    let document = text.get(at..)?;
    let first = first_reader(document.get(..route::strict(document)?)?, base)?;
    let Ok(second) = lenient::read(&text, at, base, &mut Vec::new()) else { return Some(Err("refused".to_owned())) };
    if first.entries.len() != second.entries.len() {
        return Some(Err(format!("{} entries, and {}", first.entries.len(), second.entries.len())));
    }
    for (one, two) in first.entries.iter().zip(&second.entries) {
        if told(one) != told(two) {
            return Some(Err(format!("{:?}\n  and {:?}", told(one), told(two))));
        }
    }
    let info = |feed: &Feed| {
        let info = &feed.info;
        (info.title.clone(), info.home_url.clone(), info.atom_id.clone(), info.updated)
    };
    Some(if info(&first) == info(&second) {
        Ok(())
    } else {
        Err(format!("{:?}\n  and {:?}", info(&first), info(&second)))
    })
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())) {
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|end| end == "feed") {
            found.push(path);
        }
    }
}

#[test]
fn both_readers_agree_on_every_document_of_the_corpus_that_the_first_reads() {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let root = std::env::var_os("FEEDMILL_CORPUS").map_or_else(beside, PathBuf::from).join("parse");
    let mut found = Vec::new();
    files(&root, &mut found);
    if found.is_empty() {
        println!("skipped: no corpus at {}", root.display());
        return;
    }
    let (mut used, mut differ) = (0, Vec::new());
    for file in &found {
        let headers = std::fs::read(file.with_extension("headers.json")).unwrap_or_default();
        let headers: serde_json::Value = serde_json::from_slice(&headers).unwrap_or_default();
        let base = headers["base"].as_str().and_then(|base| Url::parse(base).ok());
        match compare(&std::fs::read(file).unwrap(), headers["content-type"].as_str(), base.as_ref()) {
            Some(Ok(())) => used += 1,
            Some(Err(why)) => differ.push(format!("{}:\n  {why}", file.display())),
            None => {}
        }
    }
    println!("{used} of {} documents are read by the first reader, and alike by the second", found.len());
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ.join("\n"));
    assert!(used > 300, "only {used} documents were compared");
}

#[test]
fn a_document_says_how_often_it_wants_to_be_asked_for() {
    let sy = "xmlns:sy=\"http://purl.org/rss/1.0/modules/syndication/\"";
    for (case, root, channel, wanted) in [
        ("nothing", "", "", Cadence::default()),
        ("a ttl", "", "<ttl> 90 </ttl>", Cadence { ttl_minutes: Some(90), ..Cadence::default() }),
        ("as CDATA", "", "<ttl><![CDATA[90]]></ttl>", Cadence { ttl_minutes: Some(90), ..Cadence::default() }),
        (
            "the second is not junk",
            "",
            "<ttl>soon</ttl><ttl>45</ttl>",
            Cadence { ttl_minutes: Some(45), ..Cadence::default() },
        ),
        (
            "hours and days",
            "",
            "<skipHours><hour>0</hour>\n<hour>24</hour><hour>5</hour><hour>x</hour></skipHours>\
             <skipDays><day>Sunday</day><day>saturday</day></skipDays>",
            Cadence { skip_hours: 1 | 1 << 5, skip_days: 0x60, ..Cadence::default() },
        ),
        (
            "the syndication module",
            sy,
            "<sy:updatePeriod>\n\tdaily </sy:updatePeriod><sy:updateFrequency>4</sy:updateFrequency>\
             <sy:updateBase>2000-01-01T12:00+00:00</sy:updateBase>",
            Cadence { update_period_s: Some(21_600), ..Cadence::default() },
        ),
    ] {
        // Behind an item as well as before it; and what an item says is not the feed's.
        let item = "<item><title>A</title><link>https://a.example/1</link><description>&lt;ttl>5&lt;/ttl></description></item>";
        for inside in [format!("{channel}{item}"), format!("{item}{channel}")] {
            let document = format!("<rss version=\"2.0\" {root}><channel><title>T</title>{inside}</channel></rss>");
            assert_eq!(route::strict(&document).is_some(), wanted == Cadence::default(), "{case}");
            let read = parse(document.as_bytes(), None, None).unwrap();
            assert_eq!((&read.cadence, &read.repairs[..]), (&wanted, &[][..]), "{case}: {document}");
        }
    }
}

#[test]
fn a_broken_rdf_and_an_atom_feed_say_it_as_well() {
    let daily = Cadence { update_period_s: Some(86_400), ..Cadence::default() };
    for document in [
        "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns='http://purl.org/rss/1.0/'><channel>\
         <title>T & U</title><sy:updatePeriod>daily</sy:updatePeriod></channel><item><title>A</title></item></rdf:RDF>",
        "<feed xmlns='http://www.w3.org/2005/Atom' xmlns:s='http://purl.org/rss/1.0/modules/syndication/'><title>T</title>\
         <s:updatePeriod>daily</s:updatePeriod><entry><title>A</title><id>1</id></entry></feed>",
    ] {
        assert_eq!(parse(document.as_bytes(), None, None).unwrap().cadence, daily, "{document}");
    }
}
