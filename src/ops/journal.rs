//! journald's own protocol: one datagram an entry, a field after the other, each value with its length before it
//! (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>), so that nothing in a value can begin a field or an entry.

use std::fmt::{self, Write as _};
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::lines::{Lines, Sink};
use super::logging::{self, MAX_VALUE_BYTES};

/// Where journald listens.
const SOCKET: &str = "/run/systemd/journal/socket";
/// In front of every field of ours.
const PREFIX: &str = "FEEDMILL_";
/// journald takes no longer names.
const MAX_NAME_BYTES: usize = 64;

/// Sends entries.
pub(super) struct Journal {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Journal {
    /// At journald's address.
    ///
    /// # Errors
    /// Nobody listens there.
    pub(super) fn reach() -> io::Result<Self> {
        Self::at(PathBuf::from(SOCKET))
    }

    fn at(path: PathBuf) -> io::Result<Self> {
        // Each entry is sent to the path anew: a journald that was started again has another socket there.
        let probe = UnixDatagram::unbound()?;
        probe.connect(&path)?;
        Ok(Self { socket: UnixDatagram::unbound()?, path })
    }
}

impl Sink for Journal {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.socket.send_to(line, &self.path).map(|_| ())
    }

    fn lost(&mut self, count: u64) -> io::Result<()> {
        let mut entry = begin(Level::WARN, module_path!());
        put(&mut entry, "MESSAGE", "log lines were lost: the journal did not take them in time");
        put(&mut entry, "FEEDMILL_LOG_LOST", &count.to_string());
        self.write(&entry)
    }
}

/// Makes an entry of each event.
pub(super) struct Entries(pub(super) Lines);

impl<S: Subscriber> Layer<S> for Entries {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let mut entry = begin(*metadata.level(), metadata.target());
        if let (Some(file), Some(line)) = (metadata.file(), metadata.line()) {
            put(&mut entry, "CODE_FILE", file);
            put(&mut entry, "CODE_LINE", &line.to_string());
        }
        let (mut message, mut rest) = (String::new(), String::new());
        event.record(&mut Fields { entry: &mut entry, message: &mut message, rest: &mut rest });
        // Who only reads the messages sees the fields too, as in a line of text.
        message.push_str(&rest);
        put(&mut entry, "MESSAGE", &message);
        self.0.hand(entry);
    }
}

fn begin(level: Level, target: &str) -> Vec<u8> {
    // syslog(3)'s numbers.
    let priority = match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        _ => "7",
    };
    let mut entry = Vec::with_capacity(512);
    put(&mut entry, "PRIORITY", priority);
    put(&mut entry, "SYSLOG_IDENTIFIER", "feedmill");
    put(&mut entry, "FEEDMILL_TARGET", target);
    entry
}

struct Fields<'a> {
    entry: &'a mut Vec<u8>,
    message: &'a mut String,
    rest: &'a mut String,
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        put(self.entry, &name(field.name()), value);
        let _ = write!(self.rest, " {}={value:?}", field.name());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        if write!(text, "{value:?}").is_err() {
            return;
        }
        let (to, head) = match field.name() {
            "message" => (&mut *self.message, String::new()),
            other => {
                put(self.entry, &name(other), &text);
                (&mut *self.rest, format!(" {other}="))
            }
        };
        let _ = write!(to, "{head}{}", logging::one_line(&text));
    }
}

/// The name of a field as journald takes it: capitals, digits, underscores.
fn name(field: &str) -> String {
    let capital = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    PREFIX.chars().chain(field.chars().map(capital)).take(MAX_NAME_BYTES).collect()
}

/// A field in the form that carries the length of its value.
fn put(entry: &mut Vec<u8>, name: &str, value: &str) {
    let mut end = value.len().min(MAX_VALUE_BYTES);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    let value = value.get(..end).unwrap_or_default();
    entry.extend_from_slice(name.as_bytes());
    entry.push(b'\n');
    entry.extend_from_slice(&u64::try_from(value.len()).unwrap_or(0).to_le_bytes());
    entry.extend_from_slice(value.as_bytes());
    entry.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt as _;

    /// Reads an entry as journald does.
    fn fields(mut entry: &[u8]) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        while !entry.is_empty() {
            let end = entry.iter().position(|byte| *byte == b'\n').unwrap();
            let name = String::from_utf8(entry[..end].to_vec()).unwrap();
            let length = usize::try_from(u64::from_le_bytes(entry[end + 1..end + 9].try_into().unwrap())).unwrap();
            let value = &entry[end + 9..end + 9 + length];
            assert_eq!(entry[end + 9 + length], b'\n');
            fields.push((name, String::from_utf8(value.to_vec()).unwrap()));
            entry = &entry[end + 10 + length..];
        }
        fields
    }

    #[test]
    fn an_event_is_one_entry_whatever_stands_in_its_values() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("socket");
        let journald = UnixDatagram::bind(&path).unwrap();
        let lines = Lines::start(Journal::at(path).unwrap()).unwrap();
        let title = "a\nPRIORITY=0\nMESSAGE=forged\n\u{0}b";
        let huge = "ü".repeat(1 << 20);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(Entries(lines)), || {
            tracing::warn!(feed.title = %title, body = huge, n = 7, "shown: {title}");
        });
        let mut buffer = vec![0; 1 << 20];
        let length = journald.recv(&mut buffer).unwrap();
        let fields = fields(&buffer[..length]);
        let of = |wanted: &str| {
            let all: Vec<&str> = fields.iter().filter(|(name, _)| name == wanted).map(|(_, v)| v.as_str()).collect();
            assert_eq!(all.len(), 1, "{wanted}");
            all[0]
        };
        assert_eq!(of("PRIORITY"), "4");
        assert!(of("MESSAGE").starts_with("shown: a\\nPRIORITY=0\\nMESSAGE=forged\\n\\u{0}b feed.title=a\\n"));
        assert!(!of("MESSAGE").contains('\n'));
        assert_eq!(of("FEEDMILL_FEED_TITLE"), title);
        assert_eq!(of("FEEDMILL_N"), "7");
        assert_eq!(of("SYSLOG_IDENTIFIER"), "feedmill");
        assert!(of("FEEDMILL_TARGET").contains("journal"));
        let body = of("FEEDMILL_BODY");
        assert!(body.len() <= MAX_VALUE_BYTES && body.len() > MAX_VALUE_BYTES - 4);
    }

    #[test]
    fn nobody_there_is_said_at_once() {
        let dir = tempfile::TempDir::new().unwrap();
        assert!(Journal::at(dir.path().join("nobody")).is_err());
    }
}
