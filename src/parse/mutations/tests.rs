//! The bodies of the fuzz targets on stable: random mutations of the fixtures and of the corpus, where it is there.
//!
//! A few hundred cases each by default. `FEEDMILL_FUZZ_SECONDS` runs each for so long, `FEEDMILL_FUZZ_SEED` makes them others.
//! A finding is written to the folder for temporary files; the same seed finds it again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::{fuzz, hostile};

/// Cases of each body where no time is given.
const CASES: u64 = 300;
/// Longer documents of the corpus are left out: mutations of short ones find the same, sooner.
const MAX_SEED_BYTES: u64 = 60_000;

/// What documents, texts and dates are made of.
const PIECES: [&str; 64] = [
    "<",
    ">",
    "&",
    "\"",
    "'",
    "=",
    "/>",
    "</",
    "<?",
    "<!",
    "]]>",
    "<![CDATA[",
    "<!--",
    "-->",
    "<item>",
    "</item>",
    "<entry>",
    "</entry>",
    "<title>",
    "</title>",
    "<description>",
    "</description>",
    "<link>",
    "</link>",
    "<guid>",
    "</guid>",
    "<channel>",
    "</channel>",
    "<source>",
    "<media:group>",
    "<author>",
    "a@b.example",
    "<name>",
    "<br>",
    "</x>",
    "<content type=\"xhtml\">",
    " xmlns=\"\"",
    " xmlns:a=\"http://purl.org/dc/elements/1.1/\"",
    " xml:base=\"/b/\"",
    " type=\"html\"",
    " href=\"x\"",
    "&#0;",
    "&#x92;",
    "&amp;",
    "&lt;",
    "&x;",
    "&copy",
    "\0",
    "\u{FEFF}",
    "\u{E9}",
    "\u{1F600}",
    "\u{85}",
    "\u{1B}$B",
    "Tue, 24 Nov 2026 08:00:00 GMT",
    "2026-11-24T08:00:00Z",
    "+02:00",
    "PM",
    "24:00",
    "7th",
    "{\"id\": 1}",
    "[",
    "]",
    "}",
    "9999",
];

/// Splitmix64: the same numbers for the same seed.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    /// A stretch of `bytes`, mostly a short one.
    fn stretch(&mut self, bytes: usize) -> std::ops::Range<usize> {
        let from = self.below(bytes + 1);
        let longest = if self.below(4) == 0 { bytes } else { 40 };
        from..(from + self.below(longest + 1)).min(bytes)
    }
}

fn mutate(mut bytes: Vec<u8>, others: &[Vec<u8>], numbers: &mut Numbers) -> Vec<u8> {
    for _ in 0..=numbers.below(12) {
        let at = numbers.stretch(bytes.len());
        match numbers.below(8) {
            0 => {
                if let Some(byte) = bytes.get_mut(at.start) {
                    *byte ^= 1 << numbers.below(8);
                }
            }
            1 => {
                if let Some(byte) = bytes.get_mut(at.start) {
                    *byte = u8::try_from(numbers.below(256)).unwrap();
                }
            }
            2 => drop(bytes.drain(at)),
            3 if numbers.below(4) == 0 => bytes.truncate(at.start),
            4 => {
                let again = bytes[at.clone()].to_vec();
                let to = numbers.below(bytes.len() + 1);
                bytes.splice(to..to, again);
            }
            5 => {
                let other = numbers.pick(others);
                let piece = other[numbers.stretch(other.len())].to_vec();
                bytes.splice(at.start..at.start, piece);
            }
            _ => drop(bytes.splice(at.start..at.start, numbers.pick(&PIECES).bytes())),
        }
        bytes.truncate(usize::try_from(MAX_SEED_BYTES).unwrap() * 2);
    }
    bytes
}

/// The fixtures, and the corpus where it is there.
fn seeds() -> &'static [Vec<u8>] {
    static SEEDS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    SEEDS.get_or_init(|| {
        let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
        let root = std::env::var_os("FEEDMILL_CORPUS").map_or_else(beside, PathBuf::from).join("parse");
        let list = |folder: PathBuf| {
            let mut paths: Vec<_> =
                std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
            paths.sort();
            paths
        };
        let files = list(root.clone())
            .into_iter()
            .flat_map(list)
            .filter(|path| path.extension().is_some_and(|end| end == "feed"));
        let short = files.filter(|path| path.metadata().is_ok_and(|data| data.len() <= MAX_SEED_BYTES));
        let corpus: Vec<Vec<u8>> = short.filter_map(|path| std::fs::read(path).ok()).collect();
        if corpus.is_empty() {
            println!("no corpus at {}: only the fixtures are mutated", root.display());
        }
        hostile::fixtures().into_iter().map(String::into_bytes).chain(corpus).collect()
    })
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// Runs a body over mutations of the seeds that have a `sign`.
fn run(name: &str, sign: &[u8], body: fn(&[u8])) {
    let seed = number("FEEDMILL_FUZZ_SEED").unwrap_or(1);
    let time = number("FEEDMILL_FUZZ_SECONDS").map(Duration::from_secs);
    let seeds: Vec<Vec<u8>> =
        seeds().iter().filter(|document| memchr::memmem::find(document, sign).is_some()).cloned().collect();
    let start = Instant::now();
    let mut case = 0;
    while time.map_or(case < CASES, |time| start.elapsed() < time) {
        let mut numbers = Numbers(seed.wrapping_mul(0x0010_0000_0001).wrapping_add(case));
        let document = mutate(numbers.pick(&seeds).clone(), &seeds, &mut numbers);
        if catch_unwind(AssertUnwindSafe(|| body(&document))).is_err() {
            let path = std::env::temp_dir().join(format!("feedmill-{name}-{seed}-{case}"));
            std::fs::write(&path, &document).unwrap();
            panic!("{name} does not hold for case {case} of seed {seed}: {}", path.display());
        }
        case += 1;
    }
    println!("{name}: {case} cases of seed {seed} in {:?}", start.elapsed());
}

#[test]
fn decoding_holds_for_mutations() {
    run("decode", b"<", fuzz::decode);
}

#[test]
fn the_first_reader_holds_for_mutations() {
    run("first_reader", b"<", fuzz::first_reader);
}

#[test]
fn the_lenient_reader_holds_for_mutations() {
    run("lenient", b"<", fuzz::lenient);
}

#[test]
fn json_holds_for_mutations() {
    run("json", b"\"items\"", fuzz::json);
}

#[test]
fn dates_hold_for_mutations() {
    run("dates", b":", fuzz::dates);
}
