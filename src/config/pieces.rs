//! A long file of feeds, cut into pieces that are parsed one after the other: a parsed table takes some twenty times
//! its text, and a hundred thousand of them at once would be the most that the daemon ever needs.
//!
//! Only what is surely the same in pieces is cut. Whether it was is seen when it is read: a cut at a wrong place is a
//! mistake in a piece, and a file with a mistake is read whole.

use std::ops::Range;

use memchr::memmem;

use super::source::Source;

/// A file, or what is left of it.
pub(super) struct Cut {
    /// All but the feeds. Every line stands where it stood.
    pub(super) rest: Source,
    /// What the pieces are of.
    text: String,
    /// The lines of each piece.
    pieces: Vec<Vec<Range<usize>>>,
}

impl Cut {
    /// Whether anything was cut out.
    pub(super) fn is_whole(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The feeds, in order: pieces that begin with `[[feed]]` and hold nothing else. Made one at a time: all of them at once would
    /// leave holes as large as the file below what is made of them.
    pub(super) fn feeds(&self) -> impl Iterator<Item = Source> {
        self.pieces.iter().map(|lines| {
            let text = lines.iter().filter_map(|lines| self.text.get(lines.clone())).collect();
            Source::new(&self.rest.path, text)
        })
    }
}

/// Cuts the feeds out, `most` a piece; leaves a file alone that has no more than that.
pub(super) fn cut(source: Source, most: usize) -> Cut {
    let text = &source.text;
    // A line of a long string may look like a header.
    let long_strings = [b"\"\"\"", b"'''"].iter().any(|quotes| memmem::find(text.as_bytes(), *quotes).is_some());
    if long_strings || text.matches("[[feed]]").nth(most).is_none() {
        return Cut { rest: source, text: String::new(), pieces: Vec::new() };
    }
    let (mut rest, mut pieces): (String, Vec<Vec<Range<usize>>>) = Default::default();
    let (mut in_piece, mut of_feed, mut at) = (most, false, 0);
    for line in text.split_inclusive('\n') {
        let start = line.trim_start();
        if start.starts_with("[[feed]]") {
            of_feed = true;
            if in_piece == most {
                pieces.push(Vec::new());
                in_piece = 0;
            }
            in_piece += 1;
        } else if start.starts_with('[') && !start.starts_with("[feed.") && !start.starts_with("[[feed.") {
            of_feed = false;
        }
        let here = at..at + line.len();
        at = here.end;
        match pieces.last_mut().filter(|_| of_feed) {
            Some(piece) => {
                match piece.last_mut().filter(|last| last.end == here.start) {
                    Some(last) => last.end = here.end,
                    None => piece.push(here),
                }
                rest.push('\n');
            }
            None => rest.push_str(line),
        }
    }
    let rest = Source::new(&source.path, rest);
    Cut { rest, text: source.text, pieces }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn cut_text(text: &str, most: usize) -> (String, Vec<String>) {
        let cut = cut(Source::new(Path::new("f"), text.to_owned()), most);
        (cut.rest.text.clone(), cut.feeds().map(|piece| piece.text).collect())
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
