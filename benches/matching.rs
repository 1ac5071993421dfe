//! What matching costs: folding and splitting, and finding the queries that an item meets, at 10 to 100,000 queries.
//!
//! The targets, of one run: an item costs at 10,000 queries at most twice what it costs at 10, at 100,000 at most four times;
//! 99 of 100 items take less than 1 ms at 10,000; 100,000 queries are read and compiled within 0.5 s, and take at most 32 MiB
//! with the index. `seldom` is the workload that these rest on: queries of rare words and pairs, as people follow rare
//! things; forty of 100,000 meet an item. In `often` many more do (each becomes a row of the database, which costs far more). Matches are
//! shown in brief, as for a stream that calls nobody.

#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::time::Instant;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use feedmill::domain::time::Timestamp;
use feedmill::query::common::Common;
use feedmill::query::compile::Index;
use feedmill::query::scan::{Document, Folded};
use feedmill::query::syntax::Query;
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

fn main() {
    totals();
    divan::main();
}

/// What has no throughput: memory, the slowest items, and what a rebuild takes.
fn totals() {
    let texts = texts();
    for count in [10_000, 100_000] {
        let sources = sources(count, SELDOM);
        let (before, begun) = (MEMORY.current_usage(), Instant::now());
        let queries: Vec<Query> = sources.iter().filter_map(|text| Query::parse(text).ok()).collect();
        let (read, begun) = (begun.elapsed(), Instant::now());
        let index = index(&texts, &queries);
        let compiled = begun.elapsed();
        let mib = (MEMORY.current_usage() - before) / (1 << 20);
        let mut times: Vec<_> = (0..20)
            .flat_map(|_| &texts)
            .map(|text| {
                let begun = Instant::now();
                black_box(matched(&index, text));
                begun.elapsed()
            })
            .collect();
        times.sort_unstable();
        let p99 = times.get(times.len() * 99 / 100).copied().unwrap_or_default();
        let hits: usize = texts.iter().map(|text| matched(&index, text)).sum();
        println!(
            "{count} queries: {mib} MiB, read in {read:.0?}, compiled in {compiled:.0?}; p99 of an item {p99:.0?}; \
             {:.1} hits an item",
            f64::from(u32::try_from(hits).unwrap_or(0)) / f64::from(u32::try_from(texts.len()).unwrap_or(1)),
        );
    }
}

/// Numbers that are the same on every run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// How many words there are.
const WORDS: u64 = 20_000;
/// The ranks of the words of queries: those that are seldom met, and those that are often.
const SELDOM: u64 = 12_000;
const OFTEN: u64 = 200;

/// A word by its rank: common words are short, as in a language.
fn word(rank: u64) -> String {
    let mut seed = Numbers((rank + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let length = 2 + rank.max(1).ilog2() / 2 + u32::from(rank.is_multiple_of(3));
    (0..length).map(|i| if i % 2 == 0 { consonant(&mut seed) } else { vowel(&mut seed) }).collect()
}

fn consonant(seed: &mut Numbers) -> char {
    "bcdfghjklmnpqrstvwxz".chars().nth(usize::try_from(seed.below(20)).unwrap_or(0)).unwrap_or('b')
}

fn vowel(seed: &mut Numbers) -> char {
    "aeiouy".chars().nth(usize::try_from(seed.below(6)).unwrap_or(0)).unwrap_or('a')
}

/// A rank: every doubling of it is as likely as the one before, as by Zipf's law.
fn rank(numbers: &mut Numbers) -> u64 {
    let scale = numbers.below(15);
    ((1 << scale) + numbers.below(1 << scale)).min(WORDS - 1)
}

/// Items of about four thousand characters.
fn texts() -> Vec<String> {
    let mut numbers = Numbers(7);
    (0..200)
        .map(|_| {
            let mut text = String::new();
            while text.len() < 4_000 {
                text.push_str(&word(rank(&mut numbers)));
                text.push_str(if numbers.below(12) == 0 { ". The " } else { " " });
            }
            text
        })
        .collect()
}

/// The same text in letters that need the long way.
fn cyrillic(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_lowercase() { char::from_u32(u32::from(c) - 97 + 0x430).unwrap_or(c) } else { c })
        .collect()
}

/// The texts of queries: of ten, one is a single word, four are phrases, three are pairs, one is an OR of pairs, and one
/// is how a phrase begins.
fn sources(count: usize, least: u64) -> Vec<String> {
    let mut numbers = Numbers(11);
    let mut text = move |i: usize| {
        let a = word(least + numbers.below(WORDS - least));
        let b = word(least / 3 + numbers.below(WORDS - least / 3));
        match i % 10 {
            0 => a,
            1..5 => format!("\"{a} {b}\""),
            5..8 => format!("{a} {b}"),
            8 => format!("({a} {b} OR \"{b} {a}\") -sport"),
            _ => format!("\"{a} {b}*\""),
        }
    };
    (0..count).map(&mut text).collect()
}

fn queries(count: usize, least: u64) -> Vec<Query> {
    sources(count, least).iter().filter_map(|text| Query::parse(text).ok()).collect()
}

fn bytes(texts: &[String]) -> BytesCount {
    BytesCount::new(texts.iter().map(String::len).sum::<usize>())
}

fn fold(text: &str) -> Folded {
    Folded::new(&Document { content: text, ..Document::default() })
}

/// Folding and matching, as it is done for streams that call nobody.
fn matched(index: &Index, text: &str) -> usize {
    let mut hits = Vec::new();
    index.visit(&fold(text), &[], Timestamp::default(), &mut |query, seen| hits.push((query, seen.brief())));
    black_box(&hits).len()
}

#[divan::bench]
fn fold_ascii(bencher: Bencher<'_, '_>) {
    let texts = texts();
    bencher.counter(bytes(&texts)).bench(|| texts.iter().for_each(|text| drop(black_box(fold(text)))));
}

#[divan::bench]
fn fold_cyrillic(bencher: Bencher<'_, '_>) {
    let texts: Vec<String> = texts().iter().map(|text| cyrillic(text)).collect();
    bencher.counter(bytes(&texts)).bench(|| texts.iter().for_each(|text| drop(black_box(fold(text)))));
}

/// An index as the daemon makes it, which knows how common words are.
fn index(texts: &[String], queries: &[Query]) -> Index {
    let mut common = Common::default();
    texts.iter().for_each(|text| common.count(&fold(text)));
    Index::with_frequencies(queries, &|word| common.frequency(word))
}

/// Folding and matching together, item by item.
fn items(bencher: Bencher<'_, '_>, count: usize, least: u64) {
    let texts = texts();
    let index = index(&texts, &queries(count, least));
    bencher.counter(bytes(&texts)).bench(|| texts.iter().map(|text| matched(&index, black_box(text))).sum::<usize>());
}

#[divan::bench(args = [10, 1_000, 10_000, 100_000])]
fn seldom(bencher: Bencher<'_, '_>, count: usize) {
    items(bencher, count, SELDOM);
}

#[divan::bench(args = [10, 1_000, 10_000, 100_000])]
fn often(bencher: Bencher<'_, '_>, count: usize) {
    items(bencher, count, OFTEN);
}

#[divan::bench(args = [10_000, 100_000], sample_count = 10)]
fn compile(bencher: Bencher<'_, '_>, count: usize) {
    let (texts, queries) = (texts(), queries(count, SELDOM));
    bencher.bench(|| index(&texts, black_box(&queries)));
}
