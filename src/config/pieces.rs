//! A long file of feeds, cut into pieces that are parsed one after the other: a parsed table takes some twenty times
//! its text, and a hundred thousand of them at once would be the most that the daemon ever needs.
//!
//! Only what is surely the same in pieces is cut. Whether it was is seen when it is read: a cut at a wrong place is a
//! mistake in a piece, and a file with a mistake is read whole.

use super::source::Source;

/// A file, or what is left of it.
pub(super) struct Cut {
    /// All but the feeds. Every line stands where it stood.
    pub(super) rest: Source,
    /// The feeds, in order: pieces that begin with `[[feed]]` and hold nothing else.
    pub(super) feeds: Vec<Source>,
}

/// Cuts the feeds out, `most` a piece; leaves a file alone that has no more than that.
pub(super) fn cut(source: Source, most: usize) -> Cut {
    let text = &source.text;
    // A line of a long string may look like a header.
    let long_strings = text.contains("\"\"\"") || text.contains("'''");
    if long_strings || text.matches("[[feed]]").nth(most).is_none() {
        return Cut { rest: source, feeds: Vec::new() };
    }
    let (mut rest, mut feeds) = (String::new(), Vec::new());
    let (mut piece, mut in_piece, mut of_feed) = (String::new(), 0, false);
    for line in text.split_inclusive('\n') {
        let start = line.trim_start();
        if start.starts_with("[[feed]]") {
            of_feed = true;
            if in_piece == most {
                feeds.push(Source::new(&source.path, std::mem::take(&mut piece)));
                in_piece = 0;
            }
            in_piece += 1;
        } else if start.starts_with('[') && !start.starts_with("[feed.") && !start.starts_with("[[feed.") {
            of_feed = false;
        }
        if of_feed {
            piece.push_str(line);
            rest.push('\n');
        } else {
            rest.push_str(line);
        }
    }
    feeds.push(Source::new(&source.path, piece));
    Cut { rest: Source::new(&source.path, rest), feeds }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn cut_text(text: &str, most: usize) -> (String, Vec<String>) {
        let cut = cut(Source::new(Path::new("f"), text.to_owned()), most);
        (cut.rest.text, cut.feeds.into_iter().map(|piece| piece.text).collect())
    }

    #[test]
    fn feeds_are_cut_out_and_every_other_line_stands_where_it_stood() {
        let text =
            "a = 1\n[[feed]]\nx = 1\n[feed.identity]\ny = 1\n[poll]\nz = 1\n  [[feed]] # two\n[[feed]]\nlast = 1";
        let (rest, feeds) = cut_text(text, 2);
        assert_eq!(rest, "a = 1\n\n\n\n\n[poll]\nz = 1\n\n\n\n");
        assert_eq!(feeds, ["[[feed]]\nx = 1\n[feed.identity]\ny = 1\n  [[feed]] # two\n", "[[feed]]\nlast = 1"]);
    }

    #[test]
    fn a_short_file_and_one_with_long_strings_are_left_alone() {
        for (text, most) in [("[[feed]]\n[[feed]]\n", 2), ("x = '''\n[[feed]]\n'''\n[[feed]]\n[[feed]]\n", 1)] {
            assert_eq!(cut_text(text, most), (text.to_owned(), Vec::new()), "{text}");
        }
    }
}
