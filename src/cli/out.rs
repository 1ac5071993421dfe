//! Printing: tables for people, JSON for programs.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use comfy_table::{Attribute, Cell, ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::Failure;
use crate::domain::stream::TermHit;
use crate::domain::time::Timestamp;

/// One line on standard output.
pub(super) fn line(text: &str) -> Result<(), Failure> {
    Ok(writeln!(io::stdout().lock(), "{text}")?)
}

/// A value as JSON on standard output.
pub(super) fn json<T: Serialize>(value: &T) -> Result<(), Failure> {
    // As it is made: there may be a megabyte of it.
    let mut out = io::BufWriter::new(io::stdout().lock());
    serde_json::to_writer_pretty(&mut out, value).map_err(io::Error::from)?;
    Ok(out.write_all(b"\n").and_then(|()| out.flush())?)
}

/// An aligned table; in a pipe its lines are not wrapped.
pub(super) fn table(head: &[&str], rows: Vec<Vec<String>>) -> Result<(), Failure> {
    if rows.is_empty() {
        return line("nothing");
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    // <https://no-color.org>: set and not empty.
    if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        table.force_no_tty();
    }
    if io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table.set_header(head.iter().map(|name| Cell::new(name).add_attribute(Attribute::Dim)));
    for row in rows {
        table.add_row(row.iter().map(|cell| printable(cell)).collect::<Vec<_>>());
    }
    let rows: Vec<String> = table.to_string().lines().map(|row| row.trim_end().to_owned()).collect();
    line(&rows.join("\n"))
}

/// Text of others, fit for a terminal: no control characters, so no escape sequences either.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// At most `most` characters, cut with an ellipsis.
pub(super) fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(most.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// A place where an item meets a query, with the text that meets it in brackets; about `most` characters.
pub(super) fn marked(passage: &TermHit, most: usize) -> String {
    let chars: Vec<char> = passage.snippet.chars().collect();
    let Some((from, to)) = passage.highlights.first().copied() else { return short(&passage.snippet, most) };
    let room = most.saturating_sub(to.saturating_sub(from)) / 2;
    let (start, end) = (from.saturating_sub(room), (to + room).min(chars.len()));
    let part = |from: usize, to: usize| chars.get(from..to).unwrap_or_default().iter().collect::<String>();
    let lead = if start > 0 { "…" } else { "" };
    let tail = if end < chars.len() { "…" } else { "" };
    format!("{lead}{}[{}]{}{tail}", part(start, from), part(from, to), part(to, end))
}

/// A time for people; a dash for none.
pub(super) fn time(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "–".to_owned(), |at| at.rfc3339().replace('T', " ").trim_end_matches('Z').to_owned())
}

/// A progress bar on a terminal, nothing in a pipe. Without a length it says only what is done.
pub(super) fn bar(length: Option<usize>, doing: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(length.and_then(|length| u64::try_from(length).ok()).unwrap_or(0));
    let template = if length.is_some() { "{bar:32} {pos}/{len} {wide_msg:.dim}" } else { "{spinner} {msg}" };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(doing);
    if length.is_none() {
        bar.enable_steady_tick(Duration::from_millis(120));
    }
    bar
}

/// Says how to go on, if there is more.
pub(super) fn more(next: Option<&str>) -> Result<(), Failure> {
    next.map_or(Ok(()), |cursor| line(&format!("more: --after {cursor}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_stands_in_brackets_with_some_of_what_is_around_it() {
        let passage = |snippet: &str, at| TermHit {
            field: "title".into(),
            term: "x".into(),
            text: "x".into(),
            snippet: snippet.into(),
            highlights: vec![at],
        };
        assert_eq!(marked(&passage("Große Friedensgespräche heute", (6, 23)), 60), "Große [Friedensgespräche] heute");
        assert_eq!(marked(&passage("aaaaaaaa talks bbbbbbbb", (9, 14)), 9), "…a [talks] b…");
    }
}
