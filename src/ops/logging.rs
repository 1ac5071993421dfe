//! Where log lines go: standard error, as text, as JSON, or to journald in its own protocol.
//!
//! What comes out of feeds ends up in fields, so no value may begin a line of its own or steer a terminal: text
//! escapes control characters, JSON does by its grammar, and journald's protocol carries lengths.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// Longest value of a field in a text line, in bytes.
const MAX_VALUE_BYTES: usize = 4096;

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

/// Sets the log up for the whole process, once. `level` is `error`, `warn`, `info`, `debug`, `trace`, or a filter
/// such as `info,feedmill::deliver=debug`.
///
/// # Errors
/// A sentence, if the level cannot be read, journald cannot be reached, or a log was set up before.
pub fn init(level: &str, format: Format) -> Result<(), String> {
    let filter = EnvFilter::try_new(level).map_err(|error| {
        format!("the log level `{level}` cannot be read: {error}. Use error, warn, info, debug or trace.")
    })?;
    let layer = match format {
        Format::Auto if stderr_is_journal(std::env::var("JOURNAL_STREAM").ok().as_deref()) => {
            // The stream goes to the journal too, so a socket that is out of reach costs the fields only.
            journald().or_else(|_| Ok::<_, String>(text(false)))?
        }
        Format::Auto | Format::Text => text(io::stderr().is_terminal() && !no_color()),
        Format::Json => tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(io::stderr).boxed(),
        Format::Journald => journald()?,
    };
    let subscriber = tracing_subscriber::registry().with(filter).with(layer);
    subscriber.try_init().map_err(|error| format!("the log cannot be set up: {error}"))
}

type Lines<S> = Box<dyn Layer<S> + Send + Sync>;
type Filtered = tracing_subscriber::layer::Layered<EnvFilter, tracing_subscriber::Registry>;

fn text(ansi: bool) -> Lines<Filtered> {
    let fields = debug_fn(|writer, field, value| write_field(writer, field.name(), value)).delimited(" ");
    tracing_subscriber::fmt::layer().fmt_fields(fields).with_ansi(ansi).with_writer(io::stderr).boxed()
}

fn journald() -> Result<Lines<Filtered>, String> {
    let layer = tracing_journald::layer().map_err(|error| {
        format!("journald cannot be reached: {error}. Use [log] format = \"text\" where there is none.")
    })?;
    let priorities =
        PriorityMappings { info: Priority::Informational, debug: Priority::Debug, ..PriorityMappings::new() };
    let layer = layer.with_field_prefix(Some("FEEDMILL".to_owned())).with_priority_mappings(priorities);
    Ok(layer.with_syslog_identifier("feedmill".to_owned()).boxed())
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
