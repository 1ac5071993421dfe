//! A file of the configuration as text: read with a limit, and turned into lines and columns.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::error::Mistake;
use super::keys::SECRET_KEYS;

/// Largest file that is read, in bytes.
pub(super) const MAX_FILE_BYTES: u64 = 16 << 20;
/// Longest piece of a line that a message shows, in bytes.
const MAX_SHOWN: usize = 160;

/// A file and its text.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) text: String,
    lines: OnceLock<Vec<usize>>,
}

impl Source {
    pub(super) fn new(path: &Path, text: String) -> Self {
        Self { path: path.to_owned(), text, lines: OnceLock::new() }
    }

    /// Reads a file of at most [`MAX_FILE_BYTES`] in UTF-8; a byte order mark is dropped.
    pub(super) fn read(path: &Path) -> Result<Self, Box<Mistake>> {
        let (bytes, _) = read_bytes(path, MAX_FILE_BYTES).map_err(|why| Box::new(whole_file(path, why)))?;
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let good = error.utf8_error().valid_up_to();
                let source = Self::new(path, String::from_utf8_lossy(error.as_bytes()).into_owned());
                return Err(Box::new(source.mistake(
                    good..good + 1,
                    "This is no UTF-8 text.".to_owned(),
                    hint_utf8(),
                    &[],
                )));
            }
        };
        Self::of(path, text)
    }

    /// The file as if this were its text: the same limit, and the byte order mark is dropped.
    pub(super) fn of(path: &Path, text: String) -> Result<Self, Box<Mistake>> {
        if u64::try_from(text.len()).unwrap_or(u64::MAX) > MAX_FILE_BYTES {
            return Err(Box::new(whole_file(path, too_large(path, MAX_FILE_BYTES))));
        }
        let text = text.strip_prefix('\u{feff}').map(ToOwned::to_owned).unwrap_or(text);
        Ok(Self::new(path, text))
    }

    /// The folder that relative paths in this file start from.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Line and column of a byte, both from 1.
    pub(super) fn line_column(&self, at: usize) -> (usize, usize) {
        let (line, start) = self.line_at(at);
        let column = self.text.get(start..self.floor(at)).map_or(0, |before| before.chars().count());
        (line + 1, column + 1)
    }

    /// The mistake at `at`; `hide` are places whose text is a secret.
    pub(super) fn mistake(
        &self,
        at: Range<usize>,
        message: String,
        hint: Option<String>,
        hide: &[Range<usize>],
    ) -> Mistake {
        let (line, column) = self.line_column(at.start);
        let (_, start) = self.line_at(at.start);
        let rest = self.text.get(start..).unwrap_or_default();
        let raw = rest.split('\n').next().unwrap_or_default().trim_end_matches('\r');
        let mut hidden: Vec<Range<usize>> = secret_places(raw);
        hidden.extend(
            hide.iter()
                .filter(|place| place.end > start && place.start < start + raw.len())
                .map(|place| place.start.saturating_sub(start)..place.end.saturating_sub(start).min(raw.len())),
        );
        let from = self.floor(at.start).saturating_sub(start);
        let (text, caret) = show(raw, from..at.end.saturating_sub(start), &hidden);
        Mistake { file: self.path.clone(), line, column, text, caret, message, hint }
    }

    fn line_at(&self, at: usize) -> (usize, usize) {
        let lines = self.lines.get_or_init(|| {
            let ends = self.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
            std::iter::once(0).chain(ends.map(|(index, _)| index + 1)).collect()
        });
        let line = lines.partition_point(|start| *start <= at).saturating_sub(1);
        (line, lines.get(line).copied().unwrap_or(0))
    }

    fn floor(&self, at: usize) -> usize {
        self.text.floor_char_boundary(at.min(self.text.len()))
    }
}

/// Reads a regular file of at most `limit` bytes; the flag says whether everyone may read it.
pub(super) fn read_bytes(path: &Path, limit: u64) -> Result<(Vec<u8>, bool), String> {
    let shown = path.display();
    let cannot = |error: &std::io::Error| format!("{shown} cannot be read: {}.", plain(error));
    // Looked at before it is opened: opening a FIFO would wait for a writer.
    let facts = std::fs::metadata(path).map_err(|error| cannot(&error))?;
    if !facts.is_file() {
        return Err(format!(
            "{shown} is {}, not a file.",
            if facts.is_dir() { "a folder" } else { "a device or pipe" }
        ));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| cannot(&error))?;
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|error| cannot(&error))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(too_large(path, limit));
    }
    Ok((bytes, public(&facts)))
}

fn too_large(path: &Path, limit: u64) -> String {
    format!("{} is larger than {limit} bytes.", path.display())
}

#[cfg(unix)]
fn public(facts: &std::fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&facts.permissions()) & 0o004 != 0
}

#[cfg(not(unix))]
fn public(_: &std::fs::Metadata) -> bool {
    false
}

/// The error in words, without the number of the operating system.
pub(super) fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "it does not exist".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

/// A mistake that has no line.
pub(super) fn whole_file(path: &Path, message: String) -> Mistake {
    Mistake { file: path.to_owned(), line: 0, column: 0, text: String::new(), caret: 0..0, message, hint: None }
}

fn hint_utf8() -> Option<String> {
    Some("save the file as UTF-8".to_owned())
}

/// Text from a file or the environment as it may stand in a message: short, and without control characters.
pub(super) fn quoted(text: &str) -> String {
    const MAX: usize = 60;
    let mut out: String = text.chars().take(MAX).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(MAX).is_some() {
        out.push('…');
    }
    out
}

/// Where a line holds secrets: the strings after a key for secrets, and the credentials of a URL.
fn secret_places(line: &str) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    for key in SECRET_KEYS {
        for (at, _) in line.match_indices(key) {
            let before = line.get(..at).and_then(|text| text.chars().next_back());
            let rest = line.get(at + key.len()..).unwrap_or_default();
            let inner = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            let rest = rest.strip_prefix(['"', '\'']).unwrap_or(rest);
            if before.is_some_and(inner) || !rest.trim_start().starts_with(['=', '.', ']']) {
                continue;
            }
            let start = line.len() - rest.len();
            places.extend(strings(rest).map(|place| place.start + start..place.end + start));
        }
    }
    for (at, _) in line.match_indices("://") {
        let rest = line.get(at + 3..).unwrap_or_default();
        let end = rest.find(['/', '"', '\'', ' ', '?', '#']).unwrap_or(rest.len());
        if let Some(sign) = rest.get(..end).and_then(|authority| authority.rfind('@')) {
            places.push(at + 3..at + 3 + sign);
        }
    }
    places
}

/// The insides of the quoted strings of a text; an open one reaches to its end. The name of a variable, file or
/// credential is no secret.
fn strings(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = text.get(at..)?;
        let open = at + rest.find(['"', '\''])?;
        let quote = text.get(open..)?.chars().next()?;
        let start = open + 1;
        let end = text.get(start..)?.find(quote).map_or(text.len(), |length| start + length);
        at = (end + 1).min(text.len());
        Some((open, start..end))
    })
    .filter(move |(open, _)| {
        let before = text.get(..*open).unwrap_or_default().trim_end();
        let word = before.strip_suffix('=').unwrap_or_default().trim_end();
        !["env", "file", "credential"].iter().any(|kind| word.ends_with(kind))
    })
    .map(|(_, place)| place)
}

/// The line as it is shown, and where the caret stands in it.
fn show(line: &str, at: Range<usize>, hidden: &[Range<usize>]) -> (String, Range<usize>) {
    let from = window_start(line, at.start);
    let mut out = String::new();
    if from > 0 {
        out.push('…');
    }
    let (mut start, mut end) = (None, None);
    let mut inside = false;
    for (index, c) in line.get(from..).unwrap_or_default().char_indices() {
        let index = from + index;
        if out.len() > MAX_SHOWN {
            out.push('…');
            break;
        }
        let secret = hidden.iter().any(|place| place.contains(&index));
        let before = if secret && inside { out.len() - '…'.len_utf8() } else { out.len() };
        if index >= at.start && start.is_none() {
            start = Some(before);
        }
        if index >= at.end && end.is_none() {
            end = Some(out.len());
        }
        match (secret, inside) {
            (true, true) => {}
            (true, false) => out.push('…'),
            (false, _) => out.push(if c == '\t' {
                ' '
            } else if c.is_control() {
                '\u{fffd}'
            } else {
                c
            }),
        }
        inside = secret;
    }
    let start = start.unwrap_or(out.len());
    (out.clone(), start..end.unwrap_or(out.len()).max(start))
}

/// Where the shown piece of a line begins: at its start, unless the place would be out of sight.
fn window_start(line: &str, at: usize) -> usize {
    if at < MAX_SHOWN / 2 || line.len() <= MAX_SHOWN { 0 } else { line.floor_char_boundary(at - MAX_SHOWN / 2) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, at: Range<usize>) -> (usize, usize, String, String) {
        let m = Source::new(Path::new("f"), text.to_owned()).mistake(at, String::new(), None, &[]);
        let under = m.text[m.caret.clone()].to_owned();
        (m.line, m.column, m.text, under)
    }

    #[test]
    fn a_place_is_counted_in_lines_and_characters() {
        assert_eq!(shown("a = 1\r\nü = 22\r\n", 12..14), (2, 5, "ü = 22".into(), "22".into()));
        assert_eq!(shown("", 0..0), (1, 1, String::new(), String::new()));
        assert_eq!(shown("x\n", 99..100).0, 2);
    }

    #[test]
    fn secrets_are_not_shown() {
        let cases = [
            ("password = \"hunter2\"", "password = \"…\""),
            ("x = 1, bearer='a', y = 'b'", "x = 1, bearer='…', y = '…'"),
            ("secret = \"open end", "secret = \"…"),
            ("secret = { env = \"NAME\" }", "secret = { env = \"NAME\" }"),
            ("headers = { A = \"v\" }", "headers = { A = \"…\" }"),
            ("feed.headers.A = \"v\"", "feed.headers.A = \"…\""),
            ("url = \"https://me:pw@host/x\"", "url = \"https://…@host/x\""),
            ("# my password is fine", "# my password is fine"),
            ("passwords = \"a\"", "passwords = \"a\""),
        ];
        for (line, expected) in cases {
            assert_eq!(shown(line, 0..1).2, expected);
        }
    }

    #[test]
    fn a_place_behind_a_secret_keeps_its_caret() {
        let text = "f = {password=\"hunter2\", nam=1}";
        let at = text.find("nam").unwrap();
        assert_eq!(shown(text, at..at + 3).3, "nam");
        assert_eq!(shown(text, 17..19).3, "…");
    }

    #[test]
    fn a_line_of_a_megabyte_is_cut_around_the_place() {
        let text = format!("{}HERE{}", "ä".repeat(1 << 19), "ö".repeat(1 << 19));
        let (_, column, line, under) = shown(&text, (1 << 20)..(1 << 20) + 4);
        assert_eq!((column, under.as_str()), ((1 << 19) + 1, "HERE"));
        assert!(line.len() < 300 && line.starts_with('…') && line.ends_with('…'), "{line}");
    }

    #[test]
    fn control_characters_never_reach_the_terminal() {
        assert_eq!(shown("a\u{1b}[31mb\tc", 0..1).2, "a\u{fffd}[31mb c");
    }
}
