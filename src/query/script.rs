//! What a character is to the splitter: a letter of a script class, a mark, or a separator.

use unicode_normalization::char::is_combining_mark;

/// Script classes, as far as folding and splitting tell them apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Script {
    /// Digits, and letters that every script uses (modifier letters): they end no word.
    Common,
    Latin,
    Greek,
    Cyrillic,
    Arabic,
    Hebrew,
    /// Scripts that are written without spaces: every grapheme is a word.
    Unspaced,
    /// Any other; words of two of them are told apart by the number.
    Other(u8),
}

/// What a character is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Letter(Script),
    Mark,
    Separator,
}

/// What this character is to the splitter.
pub(super) fn kind(c: char) -> Kind {
    if c.is_ascii() {
        return match c {
            'a'..='z' | 'A'..='Z' => Kind::Letter(Script::Latin),
            '0'..='9' => Kind::Letter(Script::Common),
            _ => Kind::Separator,
        };
    }
    if is_combining_mark(c) {
        return Kind::Mark;
    }
    if !c.is_alphanumeric() {
        return Kind::Separator;
    }
    match script(c) {
        Script::Unspaced => Kind::Letter(Script::Unspaced),
        // A digit ends no word, whichever script it belongs to.
        _ if c.is_numeric() => Kind::Letter(Script::Common),
        other => Kind::Letter(other),
    }
}

/// Characters that are never seen and separate nothing: soft hyphen, zero-width characters, bidirectional marks
/// and variation selectors; and the tatweel, alone or with points, which only stretches a word. They go before
/// anything else, because they could stand between a letter and its mark.
pub(super) fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{640}' | '\u{180B}'..='\u{180F}'
        | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{FCF2}'..='\u{FCF4}' | '\u{FE71}' | '\u{FE77}' | '\u{FE79}' | '\u{FE7B}' | '\u{FE7D}' | '\u{FE7F}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Characters of which each is certainly a grapheme of its own, whatever letter follows.
pub(super) fn is_plain_unspaced(c: char) -> bool {
    matches!(c, '\u{3041}'..='\u{3096}' | '\u{30A1}'..='\u{30FC}' | '\u{3400}'..='\u{4DBF}'
        | '\u{4E00}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}' | '\u{20000}'..='\u{3FFFF}')
}

fn script(c: char) -> Script {
    let at = RANGES.partition_point(|(first, _, _)| *first <= c);
    match at.checked_sub(1).and_then(|i| RANGES.get(i)) {
        Some((_, last, script)) if c <= *last => *script,
        _ => Script::Other(0),
    }
}

/// Letters by block (Unicode, Blocks.txt and Scripts.txt). Only letters are looked up, so a block may stand for its
/// script; compatibility blocks are missing because NFKC has replaced them.
const RANGES: &[(char, char, Script)] = &[
    ('\u{AA}', '\u{2AF}', Script::Latin),
    ('\u{2B0}', '\u{2FF}', Script::Common),
    ('\u{370}', '\u{3E1}', Script::Greek),
    ('\u{3E2}', '\u{3EF}', Script::Other(1)),
    ('\u{3F0}', '\u{3FF}', Script::Greek),
    ('\u{400}', '\u{52F}', Script::Cyrillic),
    ('\u{531}', '\u{58F}', Script::Other(2)),
    ('\u{590}', '\u{5FF}', Script::Hebrew),
    ('\u{600}', '\u{6FF}', Script::Arabic),
    ('\u{700}', '\u{74F}', Script::Other(3)),
    ('\u{750}', '\u{77F}', Script::Arabic),
    ('\u{780}', '\u{7BF}', Script::Other(4)),
    ('\u{7C0}', '\u{7FF}', Script::Other(5)),
    ('\u{800}', '\u{83F}', Script::Other(6)),
    ('\u{840}', '\u{85F}', Script::Other(7)),
    ('\u{860}', '\u{86F}', Script::Other(3)),
    ('\u{870}', '\u{8FF}', Script::Arabic),
    ('\u{900}', '\u{97F}', Script::Other(8)),
    ('\u{980}', '\u{9FF}', Script::Other(9)),
    ('\u{A00}', '\u{A7F}', Script::Other(10)),
    ('\u{A80}', '\u{AFF}', Script::Other(11)),
    ('\u{B00}', '\u{B7F}', Script::Other(12)),
    ('\u{B80}', '\u{BFF}', Script::Other(13)),
    ('\u{C00}', '\u{C7F}', Script::Other(14)),
    ('\u{C80}', '\u{CFF}', Script::Other(15)),
    ('\u{D00}', '\u{D7F}', Script::Other(16)),
    ('\u{D80}', '\u{DFF}', Script::Other(17)),
    // Thai, Lao.
    ('\u{E00}', '\u{EFF}', Script::Unspaced),
    ('\u{F00}', '\u{FFF}', Script::Other(18)),
    // Myanmar.
    ('\u{1000}', '\u{109F}', Script::Unspaced),
    ('\u{10A0}', '\u{10FF}', Script::Other(19)),
    // Hangul jamo.
    ('\u{1100}', '\u{11FF}', Script::Unspaced),
    ('\u{1200}', '\u{139F}', Script::Other(20)),
    ('\u{13A0}', '\u{13FF}', Script::Other(21)),
    ('\u{1400}', '\u{167F}', Script::Other(22)),
    ('\u{1680}', '\u{169F}', Script::Other(23)),
    ('\u{16A0}', '\u{16FF}', Script::Other(24)),
    ('\u{1700}', '\u{177F}', Script::Other(25)),
    // Khmer.
    ('\u{1780}', '\u{17FF}', Script::Unspaced),
    ('\u{1800}', '\u{18AF}', Script::Other(26)),
    ('\u{18B0}', '\u{18FF}', Script::Other(22)),
    ('\u{1900}', '\u{194F}', Script::Other(27)),
    ('\u{1950}', '\u{19DF}', Script::Other(28)),
    // Khmer symbols.
    ('\u{19E0}', '\u{19FF}', Script::Unspaced),
    ('\u{1A00}', '\u{1AAF}', Script::Other(29)),
    ('\u{1B00}', '\u{1B7F}', Script::Other(30)),
    ('\u{1B80}', '\u{1BBF}', Script::Other(31)),
    ('\u{1BC0}', '\u{1BFF}', Script::Other(32)),
    ('\u{1C00}', '\u{1C4F}', Script::Other(33)),
    ('\u{1C50}', '\u{1C7F}', Script::Other(34)),
    ('\u{1C80}', '\u{1C8F}', Script::Cyrillic),
    ('\u{1C90}', '\u{1CBF}', Script::Other(19)),
    ('\u{1CC0}', '\u{1CCF}', Script::Other(31)),
    ('\u{1CD0}', '\u{1CFF}', Script::Common),
    ('\u{1D00}', '\u{1D25}', Script::Latin),
    ('\u{1D26}', '\u{1D2A}', Script::Greek),
    ('\u{1D2B}', '\u{1D2B}', Script::Cyrillic),
    ('\u{1D2C}', '\u{1DBF}', Script::Latin),
    ('\u{1E00}', '\u{1EFF}', Script::Latin),
    ('\u{1F00}', '\u{1FFF}', Script::Greek),
    ('\u{2071}', '\u{218F}', Script::Latin),
    ('\u{2C00}', '\u{2C5F}', Script::Other(35)),
    ('\u{2C60}', '\u{2C7F}', Script::Latin),
    ('\u{2C80}', '\u{2CFF}', Script::Other(1)),
    ('\u{2D00}', '\u{2D2F}', Script::Other(19)),
    ('\u{2D30}', '\u{2D7F}', Script::Other(36)),
    ('\u{2D80}', '\u{2DDF}', Script::Other(20)),
    ('\u{2E2F}', '\u{2E2F}', Script::Common),
    // Han signs, kana.
    ('\u{3005}', '\u{30FF}', Script::Unspaced),
    ('\u{3100}', '\u{312F}', Script::Other(37)),
    // Hangul compatibility jamo.
    ('\u{3131}', '\u{318F}', Script::Unspaced),
    ('\u{31A0}', '\u{31BF}', Script::Other(37)),
    // Kana extensions, Han.
    ('\u{31F0}', '\u{31FF}', Script::Unspaced),
    ('\u{3400}', '\u{9FFF}', Script::Unspaced),
    ('\u{A000}', '\u{A4CF}', Script::Other(38)),
    ('\u{A4D0}', '\u{A4FF}', Script::Other(39)),
    ('\u{A500}', '\u{A63F}', Script::Other(40)),
    ('\u{A640}', '\u{A69F}', Script::Cyrillic),
    ('\u{A6A0}', '\u{A6FF}', Script::Other(41)),
    ('\u{A700}', '\u{A721}', Script::Common),
    ('\u{A722}', '\u{A7FF}', Script::Latin),
    ('\u{A800}', '\u{A82F}', Script::Other(42)),
    ('\u{A840}', '\u{A87F}', Script::Other(43)),
    ('\u{A880}', '\u{A8DF}', Script::Other(44)),
    ('\u{A8E0}', '\u{A8FF}', Script::Other(8)),
    ('\u{A900}', '\u{A92F}', Script::Other(45)),
    ('\u{A930}', '\u{A95F}', Script::Other(46)),
    // Hangul jamo, extended.
    ('\u{A960}', '\u{A97F}', Script::Unspaced),
    ('\u{A980}', '\u{A9DF}', Script::Other(47)),
    // Myanmar, extended.
    ('\u{A9E0}', '\u{A9FF}', Script::Unspaced),
    ('\u{AA00}', '\u{AA5F}', Script::Other(48)),
    ('\u{AA60}', '\u{AA7F}', Script::Unspaced),
    ('\u{AA80}', '\u{AADF}', Script::Other(49)),
    ('\u{AAE0}', '\u{AAFF}', Script::Other(50)),
    ('\u{AB00}', '\u{AB2F}', Script::Other(20)),
    ('\u{AB30}', '\u{AB6F}', Script::Latin),
    ('\u{AB70}', '\u{ABBF}', Script::Other(21)),
    ('\u{ABC0}', '\u{ABFF}', Script::Other(50)),
    // Hangul.
    ('\u{AC00}', '\u{D7FF}', Script::Unspaced),
    ('\u{F900}', '\u{FAFF}', Script::Unspaced),
    ('\u{FB1D}', '\u{FB4F}', Script::Hebrew),
    ('\u{FB50}', '\u{FDFF}', Script::Arabic),
    ('\u{FE70}', '\u{FEFC}', Script::Arabic),
    ('\u{FF66}', '\u{FFDC}', Script::Unspaced),
    ('\u{10780}', '\u{107BF}', Script::Latin),
    ('\u{10EC0}', '\u{10EFF}', Script::Arabic),
    ('\u{116D0}', '\u{116FF}', Script::Unspaced),
    ('\u{1AFF0}', '\u{1B16F}', Script::Unspaced),
    ('\u{1DF00}', '\u{1DFFF}', Script::Latin),
    ('\u{1E030}', '\u{1E08F}', Script::Cyrillic),
    ('\u{1EE00}', '\u{1EEFF}', Script::Arabic),
    ('\u{20000}', '\u{3FFFF}', Script::Unspaced),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ranges_are_in_order_and_do_not_overlap() {
        for pair in RANGES.windows(2) {
            assert!(pair[0].0 <= pair[0].1 && pair[0].1 < pair[1].0, "{pair:?}");
        }
    }

    #[test]
    fn characters_have_the_kind_that_splitting_needs() {
        for (c, want) in [
            ('é', Kind::Letter(Script::Latin)),
            ('й', Kind::Letter(Script::Cyrillic)),
            ('海', Kind::Letter(Script::Unspaced)),
            ('ー', Kind::Letter(Script::Unspaced)),
            ('〇', Kind::Letter(Script::Unspaced)),
            ('한', Kind::Letter(Script::Unspaced)),
            ('ก', Kind::Letter(Script::Unspaced)),
            ('7', Kind::Letter(Script::Common)),
            ('٧', Kind::Letter(Script::Common)),
            ('ह', Kind::Letter(Script::Other(8))),
            ('ि', Kind::Mark),
            ('\u{301}', Kind::Mark),
            ('’', Kind::Separator),
            ('_', Kind::Separator),
            ('。', Kind::Separator),
        ] {
            assert_eq!(kind(c), want, "{c}");
        }
    }
}
