//! What a key costs, beside what parsing the same URLs costs alone. The target: below 3 µs a URL.
//!
//! `cargo bench --bench canon`; the counter gives URLs a second. `builtin` is the first key of a process, with the
//! table that it is made by.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use feedmill::identity::canonical::{RuleFile, Rules};
use url::Url;

fn main() {
    divan::main();
}

/// Links as they stand in feeds: most carry tracking names or none, some lead through a redirector.
fn urls() -> Vec<String> {
    let shapes = [
        "https://www.example.org/2024/05/17/some-long-title-of-an-article-N/",
        "https://example.org/news/N?utm_source=rss&utm_medium=feed&utm_campaign=rss",
        "https://www.nytimes.com/2024/05/17/world/europe/some-long-title-N.html?partner=rss&emc=rss&smid=tw-share",
        "https://www.amazon.co.uk/Some-Title/dp/B0N/ref=sr_1_1?keywords=title&qid=171&sr=8-1&th=1&pf_rd_p=ab",
        "https://www.google.com/url?sa=t&url=https%3A%2F%2Fexample.org%2Fa-N%3Futm_source%3Dx&usg=AOv",
        "http://blog.example.com/?p=N#comments",
        "https://www.youtube.com/watch?v=abcdefghijN&feature=youtu.be&list=PL0",
        "https://de.m.wikipedia.org/wiki/Titel_N",
        "https://www.reddit.com/r/rust/comments/N/some_title/?share_id=ab&rdt=1",
        "https://example.net/viewtopic.php?t=N&sid=0123456789abcdef0123456789abcdef",
        "https://example.edu/caf%c3%a9/%7euser/paper-N.pdf?b=2&a=1",
        "https://amp.theguardian.com/world/2024/may/17/some-title-N?CMP=share_btn_tw",
    ];
    shapes.iter().cycle().take(1_200).enumerate().map(|(n, shape)| shape.replace('N', &n.to_string())).collect()
}

#[divan::bench]
fn parse_alone(bencher: Bencher<'_, '_>) {
    let urls = urls();
    bencher
        .counter(ItemsCount::new(urls.len()))
        .bench(|| urls.iter().filter(|url| Url::parse(black_box(url)).is_ok()).count());
}

#[divan::bench]
fn key(bencher: Bencher<'_, '_>) {
    let (urls, rules) = (urls(), Rules::default());
    bencher
        .counter(ItemsCount::new(urls.len()))
        .bench(|| urls.iter().filter(|url| rules.key(black_box(url)).is_some()).count());
}

#[divan::bench]
fn key_with_switches(bencher: Bencher<'_, '_>) {
    let file = RuleFile { name: "extra.toml".to_owned(), text: "[hosts]\n\"example.org\" = \"x\"\n".to_owned() };
    let rules = Rules::new(&[file], &["www@example.com".to_owned()]).unwrap_or_default();
    let rules = rules.for_feed(&["ref".to_owned()], &["x".to_owned()]);
    let urls = urls();
    bencher
        .counter(ItemsCount::new(urls.len()))
        .bench(|| urls.iter().filter(|url| rules.key(black_box(url)).is_some()).count());
}

#[divan::bench]
fn shown(bencher: Bencher<'_, '_>) {
    let (urls, rules) = (urls(), Rules::default());
    bencher
        .counter(ItemsCount::new(urls.len()))
        .bench(|| urls.iter().map(|url| rules.shown(black_box(url)).len()).sum::<usize>());
}

/// Reading a file of rules on top of ours, with a copy of our table.
#[divan::bench]
fn build(bencher: Bencher<'_, '_>) {
    let text = include_str!("../src/identity/table/hosts.toml").to_owned();
    let file = RuleFile { name: "hosts.toml".to_owned(), text };
    bencher.bench(|| Rules::new(black_box(std::slice::from_ref(&file)), &[]).is_ok());
}
