//! What the service manager is told (`sd_notify(3)`), and what it hands over: the watchdog's interval and sockets.
//!
//! Without systemd every call does nothing, quietly: a daemon in a container or a terminal needs no switch.

use std::net::TcpListener;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A new status is sent at most this often.
const STATUS_EVERY: Duration = Duration::from_secs(1);
/// Longest status, in characters.
const MAX_STATUS_CHARS: usize = 200;

/// The service manager's ear.
#[derive(Debug, Default)]
pub struct Notifier {
    status: Mutex<Status>,
    /// Poked when a status has to wait.
    waits: Notify,
}

#[derive(Debug, Default)]
struct Status {
    sent_at: Option<Instant>,
    sent: String,
    waiting: Option<String>,
}

impl Notifier {
    /// A notifier that has said nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// `READY=1`: the configuration is read, the database open, the socket bound. Ends a reload too, a refused
    /// one included.
    pub fn ready(&self) {
        tell(&[NotifyState::Ready]);
    }

    /// `RELOADING=1` with the time that systemd 253 and later ask for. Must be followed by [`Self::ready`].
    pub fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(_) => tell(&[NotifyState::Reloading]),
        }
    }

    /// `STOPPING=1`.
    pub fn stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }

    /// Starting or stopping will take up to `more` from now; to be said again before that is over.
    pub fn extend_timeout(&self, more: Duration) {
        tell(&[NotifyState::ExtendTimeoutUsec(u32::try_from(more.as_micros()).unwrap_or(u32::MAX))]);
    }

    /// `STATUS=`: one line, for `systemctl status`. At most one a second is sent; the last one always is, by
    /// [`Self::run`] if need be.
    pub fn status(&self, text: &str) {
        // A line feed would begin a message of its own: a feed's title must not tell systemd anything.
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_STATUS_CHARS).collect();
        if self.say(Some(text)) {
            self.waits.notify_one();
        }
    }

    /// Says whether a status has to wait.
    fn say(&self, text: Option<String>) -> bool {
        let now = Instant::now();
        let (due, waits) = {
            let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
            (status.next(text, now), status.waiting.is_some())
        };
        if let Some(text) = due {
            tell(&[NotifyState::Status(&text)]);
        }
        waits
    }

    /// Until `stop`: pings the watchdog at a third of its interval, only if `progressed` says that every part of
    /// the daemon moved since it was last asked; and sends a status that had to wait. Returns at once without
    /// systemd.
    pub async fn run<F: FnMut() -> bool + Send>(&self, stop: CancellationToken, mut progressed: F) {
        if std::env::var_os("NOTIFY_SOCKET").is_none() {
            return;
        }
        let ping_every = watchdog_interval().map(|interval| interval / 3);
        let mut pinged: Option<Instant> = None;
        loop {
            let waits = self.say(None);
            let due = ping_every.filter(|every| pinged.is_none_or(|at| at.elapsed() >= *every));
            let stuck = due.is_some() && !progressed();
            if due.is_some() && !stuck {
                tell(&[NotifyState::Watchdog]);
                pinged = Some(Instant::now());
            }
            // Asleep until something is to be said: it runs for as long as the daemon does.
            let ping = ping_every
                .map(|every| if stuck { every } else { pinged.map_or(every, |at| every.saturating_sub(at.elapsed())) });
            let again = (waits || stuck).then_some(STATUS_EVERY);
            let nap = ping.into_iter().chain(again).min().unwrap_or(Duration::MAX).max(Duration::from_millis(1));
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.waits.notified() => {}
                () = tokio::time::sleep(nap) => {}
            }
        }
    }
}

impl Status {
    /// What is to be sent now: `text`, or what waits; `None` while it is too early or nothing is new.
    fn next(&mut self, text: Option<String>, now: Instant) -> Option<String> {
        if let Some(text) = text {
            self.waiting = Some(text);
        }
        if self.sent_at.is_some_and(|at| now.duration_since(at) < STATUS_EVERY) {
            return None;
        }
        let text = self.waiting.take().filter(|text| *text != self.sent)?;
        self.sent_at = Some(now);
        self.sent.clone_from(&text);
        Some(text)
    }
}

/// The watchdog's interval, if it watches this process (`WATCHDOG_PID`).
#[must_use]
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|interval| !interval.is_zero())
}

/// The sockets that systemd listens on for us, with their names (`FileDescriptorName=`), in order. None without
/// socket activation, and none that were meant for another process. To be called once, before the runtime
/// starts: it takes the variables out of the environment.
///
/// # Errors
/// A sentence, if a descriptor is no listening TCP socket.
pub fn listeners() -> Result<Vec<(String, TcpListener)>, String> {
    // listenfd takes descriptors without LISTEN_PID as well; sd_listen_fds(3) wants it to be ours.
    let ours = sd_notify::listen_fds().map_err(|error| format!("the sockets from systemd cannot be taken: {error}"))?;
    if ours.len() == 0 {
        return Ok(Vec::new());
    }
    let names = names(std::env::var("LISTEN_FDNAMES").ok().as_deref());
    let mut given = listenfd::ListenFd::from_env();
    let mut listeners = Vec::new();
    for index in 0..given.len() {
        let listener = given.take_tcp_listener(index).map_err(|error| {
            format!(
                "socket {index} from systemd is no TCP socket: {error}. Use ListenStream= with an address and port."
            )
        })?;
        let Some(listener) = listener else { continue };
        let name = names.get(index).cloned().unwrap_or_else(|| "unknown".to_owned());
        listener
            .set_nonblocking(true)
            .map_err(|error| format!("socket {name} from systemd cannot be used: {error}"))?;
        listeners.push((name, listener));
    }
    Ok(listeners)
}

fn names(list: Option<&str>) -> Vec<String> {
    list.map(|list| list.split(':').map(ToOwned::to_owned).collect()).unwrap_or_default()
}

/// A manager that does not listen must not stop the daemon.
fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(error = %error, "the service manager cannot be told");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_sent_at_most_once_a_second_and_the_last_one_always() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut status = Status::default();
        let mut next = |text: Option<&str>, ms| status.next(text.map(ToOwned::to_owned), at(ms));
        assert_eq!(next(None, 0), None);
        assert_eq!(next(Some("a"), 0).as_deref(), Some("a"));
        assert_eq!(next(Some("b"), 100), None);
        assert_eq!(next(Some("c"), 900), None);
        assert_eq!(next(None, 1000).as_deref(), Some("c"));
        assert_eq!(next(None, 3000), None);
        assert_eq!(next(Some("c"), 4000), None);
        assert_eq!(next(Some("a"), 4000).as_deref(), Some("a"));
    }

    #[test]
    fn names_of_sockets_are_split_at_colons() {
        assert_eq!(names(Some("public:private")), ["public", "private"]);
        assert!(names(None).is_empty());
    }

    #[tokio::test]
    async fn without_systemd_nothing_is_done() {
        // The suite runs without a service manager; if there is one, this test says nothing.
        if std::env::var_os("NOTIFY_SOCKET").is_some() {
            return;
        }
        let notifier = Notifier::new();
        notifier.ready();
        notifier.status("fine");
        notifier.run(CancellationToken::new(), || panic!("nobody asks")).await;
        assert!(listeners().unwrap().is_empty());
    }
}
