//! What is wrong with a configuration, where, and what would be right.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use unicode_width::UnicodeWidthStr;

/// Every mistake of a configuration, in the order of its files and lines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Mistakes {
    /// Them; never empty.
    pub mistakes: Vec<Mistake>,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file that it is in.
    pub file: PathBuf,
    /// Its line, from 1; 0 if it concerns the file as a whole.
    pub line: usize,
    /// Its column in characters, from 1; 0 if it concerns the file as a whole.
    pub column: usize,
    /// The line's text: secrets hidden, control characters replaced, a long line cut around the place.
    pub text: String,
    /// What is wrong in `text`, in bytes of it.
    pub caret: Range<usize>,
    /// A sentence that names the thing and the cause.
    pub message: String,
    /// What would be right.
    pub hint: Option<String>,
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for mistake in &self.mistakes {
            writeln!(f, "{mistake}")?;
        }
        match self.mistakes.len() {
            1 => f.write_str("1 mistake in the configuration"),
            count => write!(f, "{count} mistakes in the configuration"),
        }
    }
}

impl fmt::Display for Mistake {
    /// Several lines, a line feed after each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", self.message)?;
        let file = self.file.display();
        if self.line == 0 {
            writeln!(f, "  --> {file}")?;
            if let Some(hint) = &self.hint {
                writeln!(f, "  = hint: {hint}")?;
            }
            return Ok(());
        }
        let number = self.line.to_string();
        let gutter = " ".repeat(number.len());
        writeln!(f, "{gutter}--> {file}:{}:{}", self.line, self.column)?;
        writeln!(f, "{gutter} |")?;
        writeln!(f, "{number} | {}", self.text)?;
        let before = self.text.get(..self.caret.start).map_or(0, UnicodeWidthStr::width);
        let under = self.text.get(self.caret.clone()).map_or(1, UnicodeWidthStr::width).max(1);
        writeln!(f, "{gutter} | {}{}", " ".repeat(before), "^".repeat(under))?;
        if let Some(hint) = &self.hint {
            writeln!(f, "{gutter} = hint: {hint}")?;
        }
        Ok(())
    }
}

/// No configuration was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no configuration was found: looked for {}; `feedmill init` writes one, `--config FILE` names one", list(.looked_for))]
pub struct NotFound {
    /// Where it was looked for, in this order.
    pub looked_for: Vec<PathBuf>,
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
