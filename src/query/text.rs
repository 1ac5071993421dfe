//! Folding and splitting: the one function that turns any text into words, for queries and for items alike.
//!
//! The order of the steps: invisible characters go → NFKC → full case folding → Latin and Greek lose their marks
//! and a few letters their strokes → Cyrillic loses the stress mark and ё its dots → Arabic and Hebrew lose their
//! points. Everything else stays: й is not и, が is not か.
//!
//! ASCII takes a short way: its words are folded by lower-casing, and found by their bounds alone.

use std::ops::Range;

use caseless::Caseless as _;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::{canonical_combining_class, decompose_canonical, decompose_compatible};
use unicode_normalization::{IsNormalized, is_nfc_quick};
use unicode_segmentation::UnicodeSegmentation as _;

use super::ascii::{Piece, first_foreign, pieces};
use super::script::{Kind, Script, is_ignorable, is_plain_unspaced, kind};

/// How much further on the first word of a block is than the last one of the block before. More than any phrase or
/// `NEAR/15` reaches.
pub const BLOCK_STEP: u32 = 17;

/// How often folding is repeated until it changes nothing more. Two suffice for any text that people write.
const MOST_PASSES: usize = 8;

/// A word as it was found.
#[derive(Clone, Debug)]
pub struct Word<'a> {
    /// Where it stands in the text, in bytes.
    pub raw: Range<usize>,
    /// Its place: one more than the word before, or [`BLOCK_STEP`] more after the end of a block.
    pub position: u32,
    /// Its folded form; `None` where that is the ASCII text at `raw` in lower case.
    pub folded: Option<&'a str>,
}

/// Calls `each` for every word of a text of one block.
pub fn split(text: &str, each: &mut impl FnMut(Word<'_>)) {
    Splitter::default().run(text, false, each);
}

/// The folded words of a text, joined by spaces: what the full-text index is given, and what is asked of it.
#[must_use]
pub fn folded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    split(text, &mut |word| {
        if !out.is_empty() {
            out.push(' ');
        }
        push_folded(&mut out, text, &word);
    });
    out
}

/// Appends a word's folded form.
pub(super) fn push_folded(out: &mut String, text: &str, word: &Word<'_>) {
    match word.folded {
        Some(folded) => out.push_str(folded),
        None => out.extend(text.get(word.raw.clone()).unwrap_or_default().chars().map(|c| c.to_ascii_lowercase())),
    }
}

/// The runs of characters of words, by another opinion of what these are, that stand beside a character which is none
/// by that opinion and yet may not separate words here: an invisible one, or one that folds to letters.
pub(super) fn odd_runs(text: &str, is_word: fn(char) -> bool) -> impl Iterator<Item = &str> {
    let is_odd = move |c: char| !c.is_ascii() && quick(c).is_none() && !is_word(c);
    let ends = move |c: char| !is_word(c);
    text.char_indices().filter(move |(_, c)| is_odd(*c)).flat_map(move |(at, c)| {
        let (before, after) = (text.get(..at).unwrap_or_default(), text.get(at + c.len_utf8()..).unwrap_or_default());
        [before.rsplit(ends).next(), after.split(ends).next()].into_iter().flatten().filter(|run| !run.is_empty())
    })
}

/// Splits texts one after the other; positions run on.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    next: u32,
    /// Whether the present block has a word.
    dirty: bool,
    slow: Slow,
}

impl Splitter {
    /// Begins anew.
    pub(super) fn begin(&mut self) {
        (self.next, self.dirty) = (0, false);
    }

    /// Ends a block. A block without words takes no room.
    pub(super) fn end_block(&mut self) {
        if self.dirty {
            self.next = self.next.saturating_add(BLOCK_STEP - 1);
            self.dirty = false;
        }
    }

    /// Splits one text. With `breaks`, a line feed ends a block; without, it is a space.
    pub(super) fn run(&mut self, text: &str, breaks: bool, each: &mut impl FnMut(Word<'_>)) {
        let mut at = 0;
        while at < text.len() {
            let rest = text.as_bytes().get(at..).unwrap_or_default();
            let foreign = first_foreign(rest);
            let plain = rest.get(..foreign).unwrap_or_default();
            // The word that reaches up to it goes the long way, too.
            let word = plain.iter().rev().take_while(|b| foreign < rest.len() && b.is_ascii_alphanumeric()).count();
            let plain = plain.get(..plain.len() - word).unwrap_or_default();
            pieces(plain, &mut |piece| match piece {
                Piece::Word(start, end) => {
                    let position = self.place();
                    each(Word { raw: at + start..at + end, position, folded: None });
                }
                Piece::Feed if breaks => self.end_block(),
                Piece::Feed => {}
            });
            at += plain.len();
            if at < text.len() {
                at = self.region(text, at, each);
            }
        }
    }

    fn place(&mut self) -> u32 {
        let position = self.next;
        self.next = self.next.saturating_add(1);
        self.dirty = true;
        position
    }

    /// The long way, from `at` to the next ASCII separator: text can be cut there, because nothing composes
    /// with what comes before an ASCII character (UAX 15, 9.1), and a mark after a separator is no word.
    fn region(&mut self, text: &str, at: usize, each: &mut impl FnMut(Word<'_>)) -> usize {
        let end = run_end(text.as_bytes(), at, |b| b.is_ascii_alphanumeric() || !b.is_ascii());
        let mut slow = std::mem::take(&mut self.slow);
        slow.run(text.get(at..end).unwrap_or_default(), at, &mut |raw, folded| {
            each(Word { raw, position: self.place(), folded: Some(folded) });
        });
        self.slow = slow;
        end
    }
}

fn run_end(bytes: &[u8], at: usize, inside: impl Fn(u8) -> bool) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|b| !inside(*b)).unwrap_or(rest.len())
}

/// The letter that a mark stands on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Base {
    /// Nothing, or a separator: the mark goes.
    None,
    /// Latin, Greek, Arabic, Hebrew, an ASCII digit: the mark goes.
    Bare,
    /// Cyrillic: the stress mark goes.
    Cyrillic,
    /// Cyrillic е: the dots of ё go as well.
    Ie,
    /// Any other: the mark stays.
    Keeps,
}

/// State and buffers of the long way.
#[derive(Debug)]
struct Slow {
    base: Base,
    script: Script,
    /// The present word, folded, or a run of a script without spaces.
    word: String,
    raw: Range<usize>,
    /// In such a run: where each character begins in `word`, and where it stands in the text.
    places: Vec<(usize, Range<usize>)>,
    /// Whether that run is one grapheme for certain.
    plain: bool,
    cluster: String,
    spare: String,
}

impl Default for Slow {
    fn default() -> Self {
        Self {
            base: Base::None,
            script: Script::Common,
            word: String::new(),
            raw: 0..0,
            places: Vec::new(),
            plain: true,
            cluster: String::new(),
            spare: String::new(),
        }
    }
}

impl Slow {
    fn run(&mut self, text: &str, offset: usize, each: &mut impl FnMut(Range<usize>, &str)) {
        self.base = Base::None;
        let mut chars = text.char_indices().filter(|(_, c)| !is_ignorable(*c)).peekable();
        while let Some((start, c)) = chars.next() {
            let mut end = start + c.len_utf8();
            let alone = chars.peek().is_none_or(|(_, next)| never_joins(*next));
            if let Some((c, kind)) = quick(c).filter(|_| alone) {
                self.base = base_of(c, kind);
                self.push(c, kind, &(offset + start..offset + end), each);
                continue;
            }
            self.cluster.clear();
            self.cluster.push(c);
            while let Some((at, next)) = chars.next_if(|(_, next)| !begins_cluster(*next)) {
                self.cluster.push(next);
                end = at + next.len_utf8();
            }
            self.fold_cluster();
            let cluster = std::mem::take(&mut self.cluster);
            for c in cluster.chars() {
                self.push(c, kind(c), &(offset + start..offset + end), each);
            }
            self.cluster = cluster;
        }
        self.flush(each);
    }

    /// Folds `cluster` in place until folding changes nothing: dropping a mark can let two others compose.
    fn fold_cluster(&mut self) {
        let before = self.base;
        for _ in 0..MOST_PASSES {
            self.spare.clear();
            self.base = fold_pass(&self.cluster, before, &mut self.spare);
            std::mem::swap(&mut self.cluster, &mut self.spare);
            if self.cluster == self.spare {
                break;
            }
        }
    }

    /// Takes one folded character.
    fn push(&mut self, c: char, kind: Kind, raw: &Range<usize>, each: &mut impl FnMut(Range<usize>, &str)) {
        match kind {
            Kind::Separator => return self.flush(each),
            // A mark without a letter is no word.
            Kind::Mark if self.word.is_empty() => return,
            Kind::Mark => {}
            Kind::Letter(script) => {
                let plain = is_plain_unspaced(c);
                if !joins(self.script, script) || (plain && self.plain) {
                    self.flush(each);
                }
                if self.word.is_empty() {
                    self.raw = raw.clone();
                    self.plain = true;
                }
                if self.word.is_empty() || script != Script::Common {
                    self.script = script;
                }
                self.plain &= plain;
            }
        }
        if self.script == Script::Unspaced {
            self.places.push((self.word.len(), raw.clone()));
        }
        self.word.push(c);
        self.raw.end = raw.end;
    }

    /// Ends the present word.
    fn flush(&mut self, each: &mut impl FnMut(Range<usize>, &str)) {
        if self.script == Script::Unspaced && !self.plain {
            self.flush_graphemes(each);
        } else if !self.word.is_empty() {
            each(self.raw.clone(), &self.word);
        }
        self.word.clear();
        self.places.clear();
        self.script = Script::Common;
        self.plain = true;
    }

    /// Gives every grapheme of a run (UAX 29, 3); one that begins with a mark belongs to the one before it.
    fn flush_graphemes(&mut self, each: &mut impl FnMut(Range<usize>, &str)) {
        let mut start = 0;
        let mut bounds = self.word.grapheme_indices(true).skip(1).peekable();
        let mut places = self.places.iter().peekable();
        while start < self.word.len() {
            let mut end = self.word.len();
            for (at, grapheme) in bounds.by_ref() {
                if grapheme.chars().next().is_some_and(|c| kind(c) != Kind::Mark) {
                    end = at;
                    break;
                }
            }
            let mut raw: Option<Range<usize>> = None;
            while let Some((_, place)) = places.next_if(|(at, _)| *at < end) {
                raw = Some(raw.map_or(place.clone(), |r| r.start..place.end));
            }
            if let (Some(raw), Some(grapheme)) = (raw, self.word.get(start..end)) {
                each(raw, grapheme);
            }
            start = end;
        }
    }
}

/// Whether a letter of the second script continues a word of the first.
fn joins(now: Script, next: Script) -> bool {
    match (now, next) {
        (Script::Unspaced, _) | (_, Script::Unspaced) => now == next,
        (Script::Common, _) | (_, Script::Common) => true,
        _ => now == next,
    }
}

/// The folded form of characters that need no normalisation when no mark follows, and what that is.
fn quick(c: char) -> Option<(char, Kind)> {
    let letter = |c, script| Some((c, Kind::Letter(script)));
    let moved = |by: u32, script| char::from_u32(u32::from(c) + by).and_then(|c| letter(c, script));
    match c {
        'A'..='Z' => letter(c.to_ascii_lowercase(), Script::Latin),
        'a'..='z' => letter(c, Script::Latin),
        '0'..='9' => letter(c, Script::Common),
        'а'..='я' | 'ѐ' | 'ђ'..='џ' => letter(c, Script::Cyrillic),
        'ё' | 'Ё' => letter('е', Script::Cyrillic),
        'А'..='Я' => moved(0x20, Script::Cyrillic),
        'Ѐ' | 'Ђ'..='Џ' => moved(0x50, Script::Cyrillic),
        'ς' => letter('σ', Script::Greek),
        'α'..='ω' => letter(c, Script::Greek),
        'Α'..='Ρ' | 'Σ'..='Ω' => moved(0x20, Script::Greek),
        '\u{3041}'..='\u{3096}' | '\u{30A1}'..='\u{30FA}' | '\u{4E00}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}' => {
            letter(c, Script::Unspaced)
        }
        // Quotes, dashes, ellipsis, no-break space, and the stops of Chinese and Japanese.
        '\u{A0}'
        | '«'
        | '»'
        | '\u{2013}'..='\u{2015}'
        | '\u{2018}'..='\u{201F}'
        | '\u{2022}'
        | '\u{2026}'
        | '\u{3001}'
        | '\u{3002}'
        | '\u{300C}'
        | '\u{300D}' => Some((' ', Kind::Separator)),
        _ => None,
    }
}

/// Characters that surely begin a cluster, told cheaply: starters that never compose with what is before.
fn never_joins(c: char) -> bool {
    matches!(c, '\0'..='\u{2FF}' | '\u{370}'..='\u{482}' | '\u{48A}'..='\u{52F}' | '\u{2010}'..='\u{205E}'
        | '\u{3001}'..='\u{3029}' | '\u{3041}'..='\u{3096}' | '\u{30A1}'..='\u{30FA}'
        | '\u{4E00}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}')
}

/// Whether text can be cut before this character without changing its NFKC (UAX 15, 9.1).
fn begins_cluster(c: char) -> bool {
    if never_joins(c) {
        return true;
    }
    let mut first = None;
    decompose_compatible(c, |d| first = first.or(Some(d)));
    let first = first.unwrap_or(c);
    canonical_combining_class(first) == 0 && is_nfc_quick(std::iter::once(first)) == IsNormalized::Yes
}

/// What a mark after this folded character stands on.
fn base_of(c: char, kind: Kind) -> Base {
    match kind {
        Kind::Letter(Script::Latin | Script::Greek | Script::Arabic | Script::Hebrew) => Base::Bare,
        Kind::Letter(Script::Cyrillic) if c == 'е' => Base::Ie,
        Kind::Letter(Script::Cyrillic) => Base::Cyrillic,
        Kind::Letter(Script::Common) if c.is_ascii() => Base::Bare,
        Kind::Letter(_) => Base::Keeps,
        Kind::Mark | Kind::Separator => Base::None,
    }
}

/// Folds once; gives the base that a following mark would stand on.
fn fold_pass(text: &str, mut base: Base, out: &mut String) -> Base {
    for c in text.chars().nfkc().default_case_fold().filter(|c| !is_ignorable(*c)) {
        match kind(c) {
            Kind::Mark => {
                let goes = match base {
                    Base::None | Base::Bare => true,
                    // Arabic vowel points, wherever they stand: some forms of them are invisible from the start.
                    _ if matches!(c, '\u{64B}'..='\u{652}') => true,
                    Base::Ie => matches!(c, '\u{301}' | '\u{308}'),
                    Base::Cyrillic => c == '\u{301}',
                    Base::Keeps => false,
                };
                if !goes {
                    out.push(c);
                }
            }
            letter @ Kind::Letter(Script::Latin | Script::Greek) => {
                decompose_canonical(c, |d| {
                    if kind(d) != Kind::Mark {
                        push_plain(out, d);
                    }
                });
                base = base_of(c, letter);
            }
            other => {
                let c = if c == 'ё' { 'е' } else { c };
                out.push(c);
                base = base_of(c, other);
            }
        }
    }
    base
}

/// Letters whose stroke or ligature Unicode does not decompose.
fn push_plain(out: &mut String, c: char) {
    match c {
        'ł' => out.push('l'),
        'ø' => out.push('o'),
        'đ' | 'ð' => out.push('d'),
        'ı' => out.push('i'),
        'æ' => out.push_str("ae"),
        'œ' => out.push_str("oe"),
        'þ' => out.push_str("th"),
        other => out.push(other),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_fold_as_the_design_says() {
        for (text, want) in [
            ("Zelensky ZELENSKÝ", "zelensky zelensky"),
            ("İstanbul istanbul ISTANBUL ıstanbul", "istanbul istanbul istanbul istanbul"),
            ("Straße STRASSE straẞe", "strasse strasse strasse"),
            ("й и Й", "й и й"),
            ("їжак Її", "їжак її"),
            ("ёлка ЁЛКА е\u{308}лка", "елка елка елка"),
            ("за\u{301}мок", "замок"),
            ("が か か\u{3099}", "が か が"),
            ("从上海来", "从 上 海 来"),
            ("用python写", "用 python 写"),
            ("l'Ukraine l’Ukraine", "l ukraine l ukraine"),
            ("CVE-2026-1234 AT&T node.js", "cve 2026 1234 at t node js"),
            ("Łódź Ørsted Đức Æon œuvre Þór", "lodz orsted duc aeon oeuvre thor"),
            ("ΟΔΟΣ οδός Άθως ᾳ", "οδοσ οδοσ αθωσ αι"),
            ("soft\u{AD}hyphen zero\u{200B}width \u{202B}rtl", "softhyphen zerowidth rtl"),
            ("مُحَمَّد محـــمد", "محمد محمد"),
            ("ᨠ\u{301}\u{FE77}", "ᨠ\u{301}"),
            ("שָׁלוֹם", "שלום"),
            ("हिन्दी", "हिन्दी"),
            ("한국어 \u{1112}\u{1161}\u{11AB}", "한 국 어 한"),
            ("ภาษาไทย", "ภ า ษ า ไ ท ย"),
            ("ｆｕｌｌ　ｗｉｄｔｈ ﬁne ｶﾞ", "full width fine ガ"),
            ("2026年 mp3 т34", "2026 年 mp3 т34"),
            ("“Don’t” — she’d… said", "don t she d said"),
            ("1\u{FE0F}\u{20E3} ❤\u{FE0F} =\u{338} \u{301}", "1"),
            ("python和Вася", "python 和 вася"),
            ("latinкирилл", "latin кирилл"),
            ("", ""),
        ] {
            assert_eq!(folded(text), want, "{text}");
        }
    }

    #[test]
    fn a_block_takes_the_next_word_seventeen_on_and_an_empty_one_takes_no_room() {
        let text = "\n\na b\n\n \nc\n";
        let mut positions = Vec::new();
        let mut splitter = Splitter::default();
        splitter.run(text, true, &mut |w| positions.push(w.position));
        splitter.end_block();
        splitter.end_block();
        splitter.run("d é", true, &mut |w| positions.push(w.position));
        assert_eq!(positions, [0, 1, 18, 35, 36]);
    }

    #[test]
    fn a_word_knows_where_it_stands_in_the_text() {
        let text = "Die STRASSE, Stra\u{AD}ße ½ 从ไทย e\u{301}té";
        let mut raws = Vec::new();
        split(text, &mut |w| raws.push(text[w.raw].to_owned()));
        assert_eq!(raws, ["Die", "STRASSE", "Stra\u{AD}ße", "½", "½", "从", "ไ", "ท", "ย", "e\u{301}té"],);
    }

    #[test]
    fn many_marks_cost_no_more_than_their_number() {
        let text = format!("е{}a{}", "\u{308}".repeat(100_000), "\u{301}".repeat(100_000));
        assert_eq!(folded(&text), "е a");
    }

    #[test]
    fn the_quick_forms_are_those_of_the_long_way() {
        for c in '\0'..='\u{FFFF}' {
            quick_agrees(c);
        }
    }

    fn quick_agrees(c: char) {
        if let Some((quick, is)) = quick(c) {
            let mut long = String::new();
            fold_pass(c.encode_utf8(&mut [0; 4]), Base::None, &mut long);
            if is == Kind::Separator {
                assert!(long.chars().all(|c| kind(c) == Kind::Separator), "{c}");
            } else {
                assert_eq!((quick.to_string(), is), (long, kind(quick)), "{c}");
            }
        }
    }

    /// Text with a good share of what folding treats specially.
    fn odd_text() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            3 => "[a-zA-Z0-9 ]",
            2 => "\\PC",
            1 => any::<char>().prop_map(String::from),
            3 => proptest::sample::select(vec![
                "\u{301}", "\u{308}", "\u{306}", "\u{3099}", "\u{338}", "\u{345}", "\u{AD}", "\u{640}", "\u{64E}",
                "\u{654}", "и", "е", "Ё", "г", "İ", "ß", "ſ", "ﷺ", "ﹷ", "ł", "ǽ", "が", "海", "ｶ", "\u{FF9E}", "각",
                "\u{1100}", "\u{1161}", "\u{11A8}", "ก", "ำ", "\u{102B}", "က", "ហ", "\u{17D2}", "ि", "क", "\u{94D}",
                "א", "ا", "=", "’", "\n", "ϓ", "ᾳ", "ʼ", "2", "²", "\u{20E3}",
            ]).prop_map(str::to_owned),
        ];
        proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn folding_what_is_folded_changes_nothing(text in odd_text()) {
            let once = folded(&text);
            prop_assert_eq!(folded(&once), once);
        }

        #[test]
        fn composed_and_decomposed_text_fold_alike(text in odd_text()) {
            let composed: String = text.nfc().collect();
            let decomposed: String = text.nfd().collect();
            prop_assert_eq!(folded(&composed), folded(&decomposed));
        }

        #[test]
        fn normal_forms_in_any_order_fold_alike(text in odd_text(), forms in proptest::collection::vec(0..4_u8, 0..4)) {
            let normal = forms.iter().fold(text.clone(), |text, form| match form {
                0 => text.nfc().collect(),
                1 => text.nfd().collect(),
                2 => text.nfkc().collect(),
                _ => text.nfkd().collect(),
            });
            prop_assert_eq!(folded(&normal), folded(&text), "{:?}", forms);
        }

        #[test]
        fn the_short_way_and_the_long_way_agree_on_ascii(text in "[ -~\n]{0,60}") {
            let mut long = Slow::default();
            let mut words = Vec::new();
            long.run(&text, 0, &mut |raw, word| words.push((raw, word.to_owned())));
            let mut short = Vec::new();
            split(&text, &mut |w| {
                let mut word = String::new();
                push_folded(&mut word, &text, &w);
                short.push((w.raw, word));
            });
            prop_assert_eq!(short, words);
        }

        #[test]
        fn words_stand_in_order_and_within_the_text(text in odd_text()) {
            let mut last = 0;
            split(&text, &mut |w| {
                assert!(w.raw.start >= last || w.raw.end >= last, "{:?}", w.raw);
                assert!(text.get(w.raw.clone()).is_some_and(|t| !t.is_empty()));
                last = w.raw.start;
            });
        }
    }
}
