//! Where log lines go: standard error, as text, as JSON, or to journald in its own protocol.
//!
//! What comes out of feeds ends up in fields, so no value may begin a line of its own or steer a terminal: text
//! escapes control characters, JSON does by its grammar, and journald's protocol carries lengths.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, IsTerminal, Write as _};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::layer::{Layered, SubscriberExt};
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use super::journal::{Entries, Journal};
use super::lines::{Lines, Sink};

/// Longest value of a field in a text line or a journal entry, in bytes.
pub(super) const MAX_VALUE_BYTES: usize = 4096;
/// How long the end of the process waits for a reader of its log.
const FLUSH: Duration = Duration::from_secs(1);

/// How lines are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Format {
    /// To journald if standard error is its stream, else as text.
    #[default]
    Auto,
    /// Lines for people; coloured on a terminal unless `NO_COLOR` is set.
    Text,
    /// A JSON object a line.
    Json,
    /// To journald, fields as `FEEDMILL_…`.
    Journald,
}

/// The log while it runs: what it has lost, and its level. A clone is the same log.
#[derive(Clone)]
pub struct Log {
    lines: Lines,
    filter: Option<reload::Handle<EnvFilter, Registry>>,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("lost", &self.lost()).finish_non_exhaustive()
    }
}

impl Log {
    /// Lines that were lost because nobody read them in time, or because they could not be written.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lines.lost()
    }

    /// Logs at another level from now on; see [`init`].
    ///
    /// # Errors
    /// A sentence, if the level cannot be read.
    pub fn set_level(&self, level: &str) -> Result<(), String> {
        let filter = filter(level)?;
        let Some(handle) = &self.filter else { return Ok(()) };
        handle.reload(filter).map_err(|error| format!("the log level cannot be changed: {error}"))
    }

    /// Waits for what was logged so far to be written, a second at the most: at the end of the process.
    pub fn flush(&self) {
        self.lines.flush(FLUSH);
    }
}

/// Says what is wrong with a level, if anything is.
///
/// # Errors
/// A sentence.
pub fn readable(level: &str) -> Result<(), String> {
    filter(level).map(|_| ())
}

/// Reads a level, or says what is wrong with it.
///
/// # Errors
/// A sentence.
fn filter(level: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(level).map_err(|error| {
        format!("the log level `{level}` cannot be read: {error}. Use error, warn, info, debug or trace.")
    })
}

/// Sets the log up for the whole process, once. `level` is `error`, `warn`, `info`, `debug`, `trace`, or a filter
/// such as `info,feedmill::deliver=debug`. A panic is logged, too.
///
/// # Errors
/// A sentence, if the level cannot be read, journald cannot be reached, or a log was set up before.
pub fn init(level: &str, format: Format) -> Result<Log, String> {
    let filter = filter(level)?;
    let thread = |error: io::Error| format!("the log gets no thread: {error}");
    let stderr = |json| Stderr::new(json).and_then(Lines::start).map_err(thread);
    let journal = match format {
        // The stream goes to the journal too, so a socket that is out of reach costs the fields only.
        Format::Auto if stderr_is_journal(std::env::var("JOURNAL_STREAM").ok().as_deref()) => Journal::reach().ok(),
        Format::Journald => Some(Journal::reach().map_err(|error| {
            format!("journald cannot be reached: {error}. Use [log] format = \"text\" where there is none.")
        })?),
        _ => None,
    };
    let (lines, layer) = match journal {
        Some(journal) => {
            let lines = Lines::start(journal).map_err(thread)?;
            (lines.clone(), Entries(lines).boxed())
        }
        None if format == Format::Json => {
            let lines = stderr(true)?;
            let to = lines.clone();
            (lines, tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(move || to.clone()).boxed())
        }
        None => {
            let lines = stderr(false)?;
            (lines.clone(), text(lines, io::stderr().is_terminal() && !no_color()))
        }
    };
    let (filter, handle) = reload::Layer::new(filter);
    let subscriber = tracing_subscriber::registry().with(filter).with(layer);
    subscriber.try_init().map_err(|error| format!("the log cannot be set up: {error}"))?;
    // The usual hook writes to standard error by itself, and would wait there for who does not read.
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!(at = panic.location().map(tracing::field::display), "{}", said(panic.payload()));
    }));
    Ok(Log { lines, filter: Some(handle) })
}

/// What a panic says.
fn said(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    format!("a task panicked: {}", text.as_deref().unwrap_or("without a word"))
}

/// Standard error by a descriptor of its own: the lock of [`io::stderr`] would be held while it blocks.
struct Stderr {
    file: File,
    json: bool,
}

impl Stderr {
    fn new(json: bool) -> io::Result<Self> {
        Ok(Self { file: File::from(io::stderr().as_fd().try_clone_to_owned()?), json })
    }
}

impl Sink for Stderr {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.file.write_all(line)
    }

    fn lost(&mut self, count: u64) -> io::Result<()> {
        let said = "log lines were lost: nobody read them in time";
        let line = match self.json {
            true => format!("{{\"level\":\"WARN\",\"message\":\"{said}\",\"log.lost\":{count}}}\n"),
            false => format!("WARN feedmill::ops::logging: {said} log.lost={count}\n"),
        };
        self.write(line.as_bytes())
    }
}

type Filtered = Layered<reload::Layer<EnvFilter, Registry>, Registry>;

fn text(lines: Lines, ansi: bool) -> Box<dyn Layer<Filtered> + Send + Sync> {
    let fields = debug_fn(|writer, field, value| write_field(writer, field.name(), value)).delimited(" ");
    tracing_subscriber::fmt::layer().fmt_fields(fields).with_ansi(ansi).with_writer(move || lines.clone()).boxed()
}

/// <https://no-color.org>: set and not empty.
fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// systemd sets `JOURNAL_STREAM` to device and inode of the stream (systemd.exec(5)). They must be those of
/// standard error, for the variable is inherited by whatever is started from the unit.
fn stderr_is_journal(stream: Option<&str>) -> bool {
    let Some((device, inode)) = stream.and_then(|stream| stream.split_once(':')) else { return false };
    let Ok(stderr) = io::stderr().as_fd().try_clone_to_owned() else { return false };
    let Ok(meta) = File::from(stderr).metadata() else { return false };
    device.parse() == Ok(meta.dev()) && inode.parse() == Ok(meta.ino())
}

fn write_field(writer: &mut Writer<'_>, name: &str, value: &dyn fmt::Debug) -> fmt::Result {
    if name != "message" {
        write!(writer, "{name}=")?;
    }
    write!(Escaped { inner: writer, left: MAX_VALUE_BYTES }, "{value:?}")
}

/// Text of any kind as one line of bounded length that steers no terminal.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::new();
    // Writing to a string does not fail.
    let _ = Escaped { inner: &mut line, left: MAX_VALUE_BYTES }.write_str(text);
    line
}

/// Passes text on with control characters escaped, up to a length.
struct Escaped<'a, W> {
    inner: &'a mut W,
    left: usize,
}

impl<W: fmt::Write> fmt::Write for Escaped<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.left == 0 {
                return Ok(());
            }
            self.left = self.left.saturating_sub(c.len_utf8());
            if self.left == 0 {
                return self.inner.write_char('…');
            }
            if steers(c) {
                write!(self.inner, "{}", c.escape_default())?;
            } else {
                self.inner.write_char(c)?;
            }
        }
        Ok(())
    }
}

/// Control characters, and the marks that turn the direction of writing or end a line in some viewers.
fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::fmt::MakeWriter;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Sink {
        type Writer = Self;
        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    fn lines(log: impl FnOnce()) -> String {
        let sink = Sink::default();
        let fields = debug_fn(|writer, field, value| write_field(writer, field.name(), value)).delimited(" ");
        let layer = tracing_subscriber::fmt::layer().fmt_fields(fields).with_ansi(false).with_writer(sink.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn hostile_values_make_one_line_each_and_steer_no_terminal() {
        let title = "a\nINFO forged\r\u{1b}[2J\u{7}\u{9b}1m\u{202e}b";
        let text = lines(|| {
            tracing::warn!(feed.title = %title, "shown");
            tracing::warn!(feed.title = title, "debugged");
            tracing::warn!("in the message: {title}");
        });
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.chars().all(|c| c == '\n' || !steers(c)), "{text:?}");
        assert!(text.contains("feed.title=a\\nINFO forged\\r\\u{1b}[2J"), "{text}");
    }

    #[test]
    fn a_huge_value_is_cut() {
        let huge = "x".repeat(1_000_000);
        let text = lines(|| tracing::warn!(body = %huge, after = 1, "huge"));
        assert!(text.len() < MAX_VALUE_BYTES + 300, "{}", text.len());
        assert!(text.contains('…') && text.contains("after=1"));
    }

    #[test]
    fn only_the_stream_that_standard_error_is_counts_as_the_journal() {
        let meta = File::from(io::stderr().as_fd().try_clone_to_owned().unwrap()).metadata().unwrap();
        let ours = format!("{}:{}", meta.dev(), meta.ino());
        assert!(stderr_is_journal(Some(&ours)));
        for other in ["", ":", "1", "x:y", "0:0", &format!("{ours}0")] {
            assert!(!stderr_is_journal(Some(other)), "{other}");
        }
        assert!(!stderr_is_journal(None));
    }

    #[test]
    fn a_level_that_cannot_be_read_is_named() {
        let error = init("feedmill=loud", Format::Text).unwrap_err();
        assert!(error.contains("`feedmill=loud`"), "{error}");
    }
}
