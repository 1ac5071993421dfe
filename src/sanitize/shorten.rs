//! Text for places with limits: made plain, and cut at a word. Pure.

use unicode_segmentation::UnicodeSegmentation as _;

/// What stands for the rest.
const REST: char = '…';

/// UTF-16 units of a character: what Slack, Discord, Teams and Telegram count, or count less than.
#[must_use]
pub fn units(c: char) -> usize {
    c.len_utf16()
}

/// Text without what steers more than itself: control characters but for line ends, and marks that turn the direction of
/// whatever follows (Unicode TR9 2.1 to 2.4). Marks that are a letter's (LRM, RLM, joiners) stay.
#[must_use]
pub fn plain(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let steers =
        |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}');
    let kept = text.chars().filter(|c| !steers(*c));
    kept.map(|c| match c {
        '\n' => '\n',
        '\u{2028}' | '\u{2029}' => '\n',
        c if c.is_control() => ' ',
        c => c,
    })
    .collect()
}

/// `text` if all of it measures `most` or less; else as much as fits with an ellipsis, cut behind a word or, where the
/// last word is most of it, behind a character as people see it. `measure` may count what a character becomes.
#[must_use]
pub fn shorten(text: &str, most: usize, measure: impl Fn(char) -> usize) -> String {
    let size = |part: &str| part.chars().map(&measure).fold(0_usize, usize::saturating_add);
    let room = most.saturating_sub(measure(REST));
    let (mut used, mut end, mut word) = (0_usize, 0, 0);
    let mut fits = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        used = used.saturating_add(size(grapheme));
        if used > most {
            break;
        }
        end = at + grapheme.len();
        if used <= room {
            fits = end;
            let next = text.get(end..).and_then(|rest| rest.chars().next());
            if next.is_none_or(char::is_whitespace) {
                word = end;
            }
        }
    }
    if end == text.len() {
        return text.to_owned();
    }
    let cut = match (word * 2 >= fits, fits) {
        (_, 0) => first_chars(text, room, &measure),
        (true, _) => word,
        (false, _) => fits,
    };
    let kept = text.get(..cut).unwrap_or_default().trim_end();
    if measure(REST) > most { kept.to_owned() } else { format!("{kept}{REST}") }
}

/// One character as people see it may be longer than all there is room for: then it is cut.
fn first_chars(text: &str, room: usize, measure: impl Fn(char) -> usize) -> usize {
    let mut used = 0_usize;
    let fitting = text.char_indices().take_while(|(_, c)| {
        used = used.saturating_add(measure(*c));
        used <= room
    });
    fitting.last().map_or(0, |(at, c)| at + c.len_utf8())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_that_fits_stays_and_a_longer_one_ends_behind_a_word() {
        assert_eq!(shorten("one two three", 13, units), "one two three");
        assert_eq!(shorten("one two three", 12, units), "one two…");
        assert_eq!(shorten("one two three", 8, units), "one two…");
        assert_eq!(shorten("one two  three", 9, units), "one two…");
        assert_eq!(shorten("x aaaaaaaaaaaaaaaaaa", 12, units), "x aaaaaaaaa…", "a word that is most of it is cut");
        assert_eq!(shorten("abc", 0, units), "");
        assert_eq!(shorten("abc", 1, units), "…");
        assert_eq!(shorten("", 0, units), "");
    }

    #[test]
    fn no_emoji_sequence_and_no_letter_with_its_marks_is_cut_apart() {
        let family = "👨\u{200d}👩\u{200d}👧\u{200d}👦";
        let text = format!("{family}{family}");
        assert_eq!(shorten(&text, 13, units), format!("{family}…"));
        assert_eq!(shorten("e\u{301}e\u{301}e\u{301}", 5, units), "e\u{301}e\u{301}…");
        assert_eq!(shorten("🇩🇪🇫🇷🇯🇵", 9, units), "🇩🇪🇫🇷…");
        // A letter with ten thousand marks is no letter.
        let zalgo = format!("z{}", "\u{301}".repeat(10_000));
        assert_eq!(shorten(&zalgo, 5, units).chars().count(), 5);
    }

    #[test]
    fn what_turns_other_text_around_is_taken_out() {
        assert_eq!(plain("a\u{202e}cba\u{202c} \u{2066}x\u{2069}"), "acba x");
        assert_eq!(plain("line\r\nline\u{2028}line\u{0}\u{1b}[31m"), "line\nline\nline  [31m");
        assert_eq!(plain("שלום\u{200f} ❤\u{fe0f}"), "שלום\u{200f} ❤\u{fe0f}");
    }

    proptest! {
        #[test]
        fn it_always_fits_and_begins_as_the_text_does(text in "\\PC{0,80}", most in 0_usize..60, wide in any::<bool>()) {
            let measure = |c: char| if wide { c.len_utf8() } else { c.len_utf16() };
            let short = shorten(&text, most, measure);
            prop_assert!(short.chars().map(measure).sum::<usize>() <= most);
            let kept = short.strip_suffix('…').unwrap_or(&short);
            prop_assert!(text.starts_with(kept));
        }
    }
}
