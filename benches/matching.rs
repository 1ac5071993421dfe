//! What matching costs: folding and splitting, and finding the queries that an item meets, at 10 to 100,000 queries.
//!
//! The target: 10,000 queries cost at most twice of 10.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use feedmill::query::compile::Index;
use feedmill::query::scan::{Document, Folded};
use feedmill::query::syntax::Query;

fn main() {
    divan::main();
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
    let scale = numbers.below(16);
    (1 << scale) + numbers.below(1 << scale)
}

/// Items of about four thousand characters.
fn texts() -> Vec<String> {
    let mut numbers = Numbers(7);
    (0..50)
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

fn queries(count: usize) -> Vec<Query> {
    let mut numbers = Numbers(11);
    let mut rare = move || word(200 + numbers.below(200_000));
    let text = |i: usize, a: String, b: String| match i % 10 {
        0..5 => a,
        5 | 6 => format!("{a} {b}"),
        7 => format!("\"{a} {b}\""),
        8 => format!("({a} OR {b}) -sport"),
        _ => format!("{a}*"),
    };
    (0..count).filter_map(|i| Query::parse(&text(i, rare(), rare())).ok()).collect()
}

fn bytes(texts: &[String]) -> BytesCount {
    BytesCount::new(texts.iter().map(String::len).sum::<usize>())
}

fn fold(texts: &[String]) -> Vec<Folded> {
    texts.iter().map(|text| Folded::new(&Document { content: text, ..Document::default() })).collect()
}

#[divan::bench]
fn fold_ascii(bencher: Bencher<'_, '_>) {
    let texts = texts();
    bencher.counter(bytes(&texts)).bench(|| fold(black_box(&texts)));
}

#[divan::bench]
fn fold_cyrillic(bencher: Bencher<'_, '_>) {
    let texts: Vec<String> = texts().iter().map(|text| cyrillic(text)).collect();
    bencher.counter(bytes(&texts)).bench(|| fold(black_box(&texts)));
}

#[divan::bench(args = [10, 1_000, 10_000, 100_000])]
fn scan(bencher: Bencher<'_, '_>, count: usize) {
    let texts = texts();
    let (items, index) = (fold(&texts), Index::new(&queries(count)));
    bencher
        .counter(bytes(&texts))
        .bench(|| items.iter().map(|item| index.scan(black_box(item), &[]).len()).sum::<usize>());
}

#[divan::bench(args = [10, 1_000, 10_000, 100_000])]
fn fold_and_scan(bencher: Bencher<'_, '_>, count: usize) {
    let texts = texts();
    let index = Index::new(&queries(count));
    bencher
        .counter(bytes(&texts))
        .bench(|| fold(black_box(&texts)).iter().map(|item| index.scan(item, &[]).len()).sum::<usize>());
}

#[divan::bench(args = [10_000, 100_000], sample_count = 10)]
fn compile(bencher: Bencher<'_, '_>, count: usize) {
    let queries = queries(count);
    bencher.bench(|| Index::new(black_box(&queries)));
}
